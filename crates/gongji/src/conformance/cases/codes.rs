//! Payment codes, and what a bill would be paid from.

use crate::conformance::Run;
use crate::conformance::client::{Answer, Message, is, money, same};
use crate::conformance::kit::{DOOR, Kit, PAYMENTS, bill, order};
use crate::conformance::{Checked, keys::Signer};
use serde_json::{Value, json};

fn decode_path() -> String {
    format!("{DOOR}/codes/decode")
}

async fn decode(kit: &Kit, body: Value) -> Checked<Answer> {
    kit.send(Message::post(decode_path(), &body)).await
}

async fn quote(kit: &Kit, code: &str, own: i64) -> Checked<Answer> {
    kit.send(Message::post(format!("{DOOR}/quotes"), &json!({ "code": code, "bill": bill(own) }))).await
}

async fn quote_as(kit: &Kit, who: &Signer, code: &str) -> Checked<Answer> {
    kit.send_as(who, Message::post(format!("{DOOR}/quotes"), &json!({ "code": code, "bill": bill(100) }))).await
}

/// `order` with what a quote was called.
fn quoted(number: &str, code: &str, own: i64, quote: &str) -> Value {
    let mut order = order(number, code, own);
    order["quote"] = json!(quote);
    order
}

pub async fn play(run: &mut Run<'_>) {
    run.group("付款码");
    run.case("decode.payer-masked", "扫码后告诉收费员付款人是谁,名字要打码:只露一个姓。", async |kit| {
        let answer = decode(kit, json!({ "code": kit.code().await? })).await?.ok(200)?;
        let payer = answer.text("/payer")?;
        is(payer.contains('*') && payer != kit.payer.name && payer.chars().next() == kit.payer.name.chars().next(), format!("付款人显示成了“{payer}”"))
    })
    .await;
    run.case("decode.nothing-else", "解码的回答里不能有身份证号、完整姓名、手机号。", async |kit| {
        let answer = decode(kit, json!({ "code": kit.code().await?, "own": money(100) })).await?.ok(200)?;
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        is(!text.contains(&kit.payer.id_number) && !text.contains(&kit.payer.name) && !text.contains("1990000"), "回答里有不该有的个人信息")
    })
    .await;
    run.case("decode.payable", "给了自付金额,要说这个码能付多少;钱够就是全部。", async |kit| {
        decode(kit, json!({ "code": kit.code().await?, "own": money(1_234) })).await?.ok(200)?.has(&[("/payable", money(1_234))]).map(drop)
    })
    .await;
    run.case("decode.no-balance", "没给自付金额,不能说出余额。", async |kit| {
        let answer = decode(kit, json!({ "code": kit.code().await? })).await?.ok(200)?;
        is(answer.at("/payable").is_null(), "没有问就说出了能付多少")
    })
    .await;
    run.case("decode.payable-is-capped", "问一个很大的金额,最多只能答账户和钱包里有的。", async |kit| {
        let (personal, wallet) = kit.has().await?;
        decode(kit, json!({ "code": kit.code().await?, "own": money(90_000_000) })).await?.ok(200)?.has(&[("/payable", money(personal + wallet))]).map(drop)
    })
    .await;
    run.case("decode.uses-nothing-up", "解码两次再付款,要付得成:解码不用掉付款码。", async |kit| {
        let code = kit.code().await?;
        for _ in 0..2 {
            decode(kit, json!({ "code": code })).await?.ok(200)?;
        }
        kit.hold_with(&code, 100).await.map(drop)
    })
    .await;
    run.case("decode.forgives-typing", "小写、空格、连字符都要认:收费员是手打的。", async |kit| {
        let code = kit.code().await?.to_lowercase();
        decode(kit, json!({ "code": format!("{} {}-{}", &code[..4], &code[4..9], &code[9..]) })).await?.ok(200).map(drop)
    })
    .await;
    for (name, code, says) in [
        ("decode.unknown", "0010000000000000000", "没有的付款码:404 CODE_UNKNOWN。"),
        ("decode.garbage", "不是付款码", "根本不是付款码:404 CODE_UNKNOWN,不能出 500。"),
        ("decode.empty", "", "空的付款码:404 CODE_UNKNOWN。"),
    ] {
        run.case(name, says, async |kit| decode(kit, json!({ "code": code })).await?.refused(404, "CODE_UNKNOWN").map(drop)).await;
    }
    run.case("decode.used", "付过款的码:409 CODE_USED。", async |kit| {
        let code = kit.code().await?;
        kit.hold_with(&code, 100).await?;
        decode(kit, json!({ "code": code })).await?.refused(409, "CODE_USED").map(drop)
    })
    .await;
    run.case("decode.replaced", "付款人刷新以后,旧码作废:409 CODE_EXPIRED。", async |kit| {
        let old = kit.code().await?;
        kit.code().await?;
        decode(kit, json!({ "code": old })).await?.refused(409, "CODE_EXPIRED").map(drop)
    })
    .await;
    run.case("decode.wrong-place", "钱包的使用地不在这里:409 WRONG_PLACE,在付款以前就要说。", async |kit| {
        let code = kit.code().await?;
        kit.send_as(&kit.elsewhere, Message::post(decode_path(), &json!({ "code": code }))).await?.refused(409, "WRONG_PLACE").map(drop)
    })
    .await;
    run.case(
        "decode.for-one-institution",
        "解码以后,码只给解码的那一家:别家解码、试算、占款都是 409 CODE_ELSEWHERE,自己照样能付。",
        async |kit| {
            let code = kit.code().await?;
            decode(kit, json!({ "code": code })).await?.ok(200)?;
            kit.send_as(&kit.other, Message::post(decode_path(), &json!({ "code": code }))).await?.refused(409, "CODE_ELSEWHERE")?;
            quote_as(kit, &kit.other, &code).await?.refused(409, "CODE_ELSEWHERE")?;
            let number = kit.number();
            kit.send_as(&kit.other, Message::post(PAYMENTS, &order(&number, &code, 100)).key(&number)).await?.refused(409, "CODE_ELSEWHERE")?;
            kit.hold_with(&code, 100).await.map(drop)
        },
    )
    .await;
    run.case("decode.for-one-business", "解码时说了是门诊,就不能拿来付住院:409 CODE_ELSEWHERE。", async |kit| {
        let code = kit.code().await?;
        decode(kit, json!({ "code": code, "business": "outpatient" })).await?.ok(200)?;
        let mut stay = order(&kit.number(), &code, 100);
        stay["business"] = json!("inpatient");
        kit.post(PAYMENTS, &stay).await?.refused(409, "CODE_ELSEWHERE")?;
        kit.hold_with(&code, 100).await.map(drop)
    })
    .await;

    run.group("试算");
    run.case("quote.adds-up", "试算要平:个人账户 + 钱包 + 现金 = 自付。", async |kit| {
        let answer = quote(kit, &kit.code().await?, 1_500).await?.ok(200)?;
        let sum = answer.fen("/personal_account")? + answer.fen("/wallet")? + answer.fen("/cash")?;
        same("三项之和", &sum, &1_500)
    })
    .await;
    for (name, first, from, says) in [
        ("quote.account-first", "personal_account", "/personal_account", "付款人选先用个人账户,钱够就全从个人账户出。"),
        ("quote.wallet-first", "wallet", "/wallet", "付款人选先用钱包,钱够就全从钱包出。"),
        ("quote.wallet-only", "wallet_only", "/wallet", "付款人选只用钱包,就不能动个人账户。"),
    ] {
        run.case(name, says, async |kit| {
            let code = kit.code_with(first).await?;
            quote(kit, &code, 1_000).await?.ok(200)?.has(&[(from, money(1_000)), ("/cash", money(0))]).map(drop)
        })
        .await;
    }
    run.case("quote.wallet-only-cash", "只用钱包、钱包不够,差的是现金,不能从个人账户补。", async |kit| {
        let (_, wallet) = kit.has().await?;
        let code = kit.code_with("wallet_only").await?;
        let fields = [("/wallet", money(wallet)), ("/cash", money(700)), ("/personal_account", money(0))];
        quote(kit, &code, wallet + 700).await?.ok(200)?.has(&fields).map(drop)
    })
    .await;
    run.case("quote.rest-is-cash", "账户和钱包都不够,差的要列成现金。", async |kit| {
        let (personal, wallet) = kit.has().await?;
        quote(kit, &kit.code().await?, personal + wallet + 300).await?.ok(200)?.has(&[("/cash", money(300))]).map(drop)
    })
    .await;
    run.case("quote.lots-add-up", "钱包部分按来源列出(哪个统筹区、哪一种),合计等于钱包部分。", async |kit| {
        let code = kit.code_with("wallet").await?;
        let answer = quote(kit, &code, 1_000).await?.ok(200)?;
        let rows = answer.at("/wallet_lots").as_array().cloned().unwrap_or_default();
        same("各来源之和", &rows.iter().filter_map(|row| row["amount"]["amount"].as_i64()).sum::<i64>(), &answer.fen("/wallet")?)
    })
    .await;
    run.case("quote.sets-nothing-aside", "试算不留钱:付款人的余额不能变,码也还能用。", async |kit| {
        let before = kit.has().await?;
        let code = kit.code().await?;
        quote(kit, &code, 1_000).await?.ok(200)?;
        kit.moved(before, 0).await?;
        kit.hold_with(&code, 100).await.map(drop)
    })
    .await;
    run.case("quote.unbalanced", "账单不平:422 BILL_UNBALANCED,试算时就要说。", async |kit| {
        let mut wrong = bill(1_000);
        wrong["total"] = money(999);
        let body = json!({ "code": kit.code().await?, "bill": wrong });
        kit.send(Message::post(format!("{DOOR}/quotes"), &body)).await?.refused(422, "BILL_UNBALANCED").map(drop)
    })
    .await;
    run.case("quote.wrong-place", "钱包的使用地不在这里,试算就要说:409 WRONG_PLACE。", async |kit| {
        let code = kit.code().await?;
        quote_as(kit, &kit.elsewhere, &code).await?.refused(409, "WRONG_PLACE").map(drop)
    })
    .await;
    run.case("quote.used-code", "用过的码不能试算:409 CODE_USED。", async |kit| {
        let code = kit.code().await?;
        kit.hold_with(&code, 100).await?;
        quote(kit, &code, 100).await?.refused(409, "CODE_USED").map(drop)
    })
    .await;
    run.case("quote.kept-by-hold", "带着试算号占款,个人账户和钱包各付多少要和试算一样。", async |kit| {
        let code = kit.code_with("wallet").await?;
        let said = quote(kit, &code, 1_000).await?.ok(200)?;
        let held = kit.post(PAYMENTS, &quoted(&kit.number(), &code, 1_000, &said.text("/quote")?)).await?.ok(201)?;
        held.has(&[("/wallet", said.at("/wallet").clone()), ("/personal_account", said.at("/personal_account").clone())]).map(drop)
    })
    .await;
    run.case("quote.stale", "试算以后付款人的钱变了,带着旧试算号占款:409 QUOTE_STALE,钱不动。", async |kit| {
        let (_, wallet) = kit.has().await?;
        let stale_code = kit.code_with("wallet_only").await?;
        let said = quote(kit, &stale_code, wallet - 100).await?.ok(200)?.text("/quote")?;
        let number = kit.number();
        // The person pays at another counter, by keypad, before this one is done.
        let keypad = json!({ "id_number": kit.payer.id_number, "password": kit.payer.password, "first": "wallet_only" });
        let elsewhere = json!({ "order_no": kit.number(), "payer": { "keypad": keypad }, "bill": bill(1_000) });
        kit.post(PAYMENTS, &elsewhere).await?.ok(201)?;
        let before = kit.has().await?;
        let mut asked = quoted(&number, &stale_code, wallet - 100, &said);
        asked["partial"] = json!(true);
        kit.post(PAYMENTS, &asked).await?.refused(409, "QUOTE_STALE")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("quote.other-bill", "试算号只对那一张账单有效,换了金额:409 QUOTE_STALE。", async |kit| {
        let code = kit.code().await?;
        let said = quote(kit, &code, 1_000).await?.ok(200)?.text("/quote")?;
        kit.post(PAYMENTS, &quoted(&kit.number(), &code, 1_001, &said)).await?.refused(409, "QUOTE_STALE").map(drop)
    })
    .await;
    run.case("quote.of-another", "别家机构的试算号不能用:409 QUOTE_STALE。", async |kit| {
        let code = kit.code().await?;
        let said = quote_as(kit, &kit.other, &code).await?.ok(200)?.text("/quote")?;
        kit.post(PAYMENTS, &quoted(&kit.number(), &code, 100, &said)).await?.refused(409, "QUOTE_STALE").map(drop)
    })
    .await;
    run.case("quote.keypad", "没带手机:身份证号加密码也能试算,带着试算号占款,两边各付多少和试算一样。", async |kit| {
        let keypad = json!({ "id_number": kit.payer.id_number, "password": kit.payer.password, "first": "wallet" });
        let asked = json!({ "keypad": keypad, "bill": bill(1_000) });
        let said = kit.send(Message::post(format!("{DOOR}/quotes"), &asked)).await?.ok(200)?;
        let body = json!({ "order_no": kit.number(), "payer": { "keypad": keypad }, "bill": bill(1_000), "quote": said.text("/quote")? });
        let held = kit.post(PAYMENTS, &body).await?.ok(201)?;
        held.has(&[("/wallet", said.at("/wallet").clone()), ("/personal_account", said.at("/personal_account").clone())]).map(drop)
    })
    .await;
    run.case("quote.garbage", "乱写的试算号:409 QUOTE_STALE,不能当作没写。", async |kit| {
        kit.post(PAYMENTS, &quoted(&kit.number(), &kit.code().await?, 100, "AAAA")).await?.refused(409, "QUOTE_STALE").map(drop)
    })
    .await;
}
