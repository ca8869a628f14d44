//! Hold, capture, void, refund, and looking an order up.

use crate::conformance::Run;
use crate::conformance::client::{is, money, same};
use crate::conformance::kit::{PAYMENTS, amount, bill, by_order, order};
use serde_json::json;

pub async fn play(run: &mut Run<'_>) {
    hold(run).await;
    capture(run).await;
    void(run).await;
    refund(run).await;
    look_up(run).await;
}

async fn hold(run: &mut Run<'_>) {
    run.group("占款");
    run.case("hold.held", "占款办成回 201,state 是 held,held 等于自付金额。", async |kit| {
        kit.hold(1_000).await?.answer.has(&[("/state", json!("held")), ("/held", money(1_000))]).map(drop)
    })
    .await;
    run.case("hold.location", "201 要带 Location,照着它能查到这笔付款。", async |kit| {
        let held = kit.hold(100).await?;
        let location = held.answer.header("location").unwrap_or_default().to_owned();
        kit.get(&location).await?.ok(200)?.has(&[("/order_no", json!(held.number))]).map(drop)
    })
    .await;
    run.case("hold.money-set-aside", "占款后付款人能用的钱要少这么多。", async |kit| {
        let before = kit.has().await?;
        kit.hold(1_000).await?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("hold.adds-up", "个人账户部分 + 钱包部分 = 占住的钱。", async |kit| {
        let answer = kit.hold(1_000).await?.answer;
        same("两部分之和", &(answer.fen("/personal_account")? + answer.fen("/wallet")?), &answer.fen("/held")?)
    })
    .await;
    run.case("hold.wallet-first", "付款人选先用钱包,占的就是钱包里的钱。", async |kit| {
        let before = kit.has().await?;
        let code = kit.code_with("wallet").await?;
        kit.hold_with(&code, 1_000).await?.answer.has(&[("/wallet", money(1_000)), ("/personal_account", money(0))])?;
        same("钱包少了", &(before.1 - kit.has().await?.1), &1_000)
    })
    .await;
    run.case("hold.deadline", "回答里要有期限,在下单时间之后:到时候钱自己退回。", async |kit| {
        let answer = kit.hold(100).await?.answer;
        is(answer.text("/deadline")? > answer.text("/occurred_at")?, "期限不在下单时间之后")
    })
    .await;
    run.case("hold.next-actions", "占住的付款能收、能撤、能冲正。", async |kit| {
        let answer = kit.hold(100).await?.answer;
        let actions = answer.at("/next_actions").as_array().cloned().unwrap_or_default();
        is(["capture", "void", "reverse"].iter().all(|verb| actions.contains(&json!(verb))), format!("next_actions 是 {actions:?}"))
    })
    .await;
    run.case("hold.bill-kept", "账单原样记下:查询时和下单时一样。", async |kit| {
        let held = kit.hold(1_000).await?;
        let fields = [("/bill/total", money(3_000)), ("/bill/fund", money(2_000)), ("/bill/own", money(1_000))];
        kit.by_order(&held.number).await?.ok(200)?.has(&fields).map(drop)
    })
    .await;
    run.case("hold.says-its-rule", "回答要说按哪一版规则定的。", async |kit| {
        let answer = kit.hold(100).await?.answer;
        is(answer.at("/rule/version").as_u64().is_some_and(|version| version > 0), "没有规则版本")
    })
    .await;
    run.case("hold.not-enough", "钱不够又不接受部分支付:409 INSUFFICIENT_FUNDS,一分不动。", async |kit| {
        let before = kit.has().await?;
        let body = order(&kit.number(), &kit.code().await?, before.0 + before.1 + 1);
        kit.post(PAYMENTS, &body).await?.refused(409, "INSUFFICIENT_FUNDS")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("hold.partial", "接受部分支付:有多少占多少,剩下的收现金。", async |kit| {
        let before = kit.has().await?;
        let mut body = order(&kit.number(), &kit.code().await?, before.0 + before.1 + 500);
        body["partial"] = json!(true);
        kit.post(PAYMENTS, &body).await?.ok(201)?.has(&[("/held", money(before.0 + before.1))])?;
        kit.moved(before, -(before.0 + before.1)).await
    })
    .await;
    run.case("hold.code-once", "一个付款码只能付一次:用同一个码付第二单,409 CODE_USED,钱只动一次。", async |kit| {
        let before = kit.has().await?;
        let code = kit.code().await?;
        kit.hold_with(&code, 100).await?;
        kit.post(PAYMENTS, &order(&kit.number(), &code, 100)).await?.refused(409, "CODE_USED")?;
        kit.moved(before, -100).await
    })
    .await;
    run.case("hold.order-once", "同一个单号换了账单:409 ORDER_CONFLICT,第一笔不受影响。", async |kit| {
        let held = kit.hold(100).await?;
        kit.post(PAYMENTS, &order(&held.number, &kit.code().await?, 200)).await?.refused(409, "ORDER_CONFLICT")?;
        kit.by_order(&held.number).await?.ok(200)?.has(&[("/state", json!("held")), ("/held", money(100))]).map(drop)
    })
    .await;
    run.case("hold.order-other-payer", "同一个单号换了付款码:409 ORDER_CONFLICT,钱不动第二次。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(100).await?;
        kit.post(PAYMENTS, &order(&held.number, &kit.code().await?, 100)).await?.refused(409, "ORDER_CONFLICT")?;
        kit.moved(before, -100).await
    })
    .await;
    run.case("hold.same-order-new-key", "key 丢了,换新 key 用同样的单号和内容再发:还是那一笔付款,钱只动一次。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(100).await?;
        kit.post(PAYMENTS, &held.body).await?.ok(201)?.has(&[("/payment", json!(held.payment))])?;
        kit.moved(before, -100).await
    })
    .await;
    run.case("hold.wrong-place", "钱包的使用地不在这里:409 WRONG_PLACE,钱不动。", async |kit| {
        let before = kit.has().await?;
        let body = order(&kit.number(), &kit.code().await?, 100);
        let message = crate::conformance::client::Message::post(PAYMENTS, &body).key(&kit.key());
        kit.send_as(&kit.elsewhere, message).await?.refused(409, "WRONG_PLACE")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("hold.keypad", "没带手机:身份证号加密码也能付。", async |kit| {
        let keypad = json!({ "id_number": kit.payer.id_number, "password": kit.payer.password, "first": "personal_account" });
        let body = json!({ "order_no": kit.number(), "payer": { "keypad": keypad }, "bill": bill(100) });
        kit.post(PAYMENTS, &body).await?.ok(201)?.has(&[("/held", money(100))]).map(drop)
    })
    .await;
    run.case("hold.keypad-wrong", "密码错:403,不是 401(那是说机构的密钥不对),钱不动。", async |kit| {
        let before = kit.has().await?;
        let keypad = json!({ "id_number": kit.payer.id_number, "password": "918273", "first": "personal_account" });
        let body = json!({ "order_no": kit.number(), "payer": { "keypad": keypad }, "bill": bill(100) });
        kit.post(PAYMENTS, &body).await?.refused(403, "LOGIN_REFUSED")?;
        // The right one straight after: the count of wrong ones begins anew, so that runs can be repeated.
        let keypad = json!({ "id_number": kit.payer.id_number, "password": kit.payer.password, "first": "personal_account" });
        let body = json!({ "order_no": kit.number(), "payer": { "keypad": keypad }, "bill": bill(100) });
        kit.post(PAYMENTS, &body).await?.ok(201)?;
        kit.moved(before, -100).await
    })
    .await;
    run.case("hold.kind-of-care", "可以说明是住院、在自助机上付、业务日期是昨天以内的哪天。", async |kit| {
        let mut body = order(&kit.number(), &kit.code().await?, 100);
        body["business"] = json!("inpatient");
        body["terminal"] = json!("kiosk");
        kit.post(PAYMENTS, &body).await?.ok(201).map(drop)
    })
    .await;
    for (name, field, value, status, code, says) in [
        ("hold.day-too-old", "business_day", "2020-01-01", 422, "VISIT_DAY", "业务日期太早:422 VISIT_DAY。"),
        ("hold.day-malformed", "business_day", "2026-02-30", 422, "FIELDS_INVALID", "没有的日期:422,说明是哪一个字段。"),
        ("hold.unknown-care", "business", "dental", 400, "JSON_MALFORMED", "没有的业务类别:400,说明是哪一个字段。"),
        ("hold.unknown-terminal", "terminal", "drone", 400, "JSON_MALFORMED", "没有的终端类别:400,说明是哪一个字段。"),
    ] {
        run.case(name, says, async |kit| {
            let mut body = order(&kit.number(), &kit.code().await?, 100);
            body[field] = json!(value);
            kit.post(PAYMENTS, &body).await?.refused(status, code).map(drop)
        })
        .await;
    }
}

async fn capture(run: &mut Run<'_>) {
    run.group("收款");
    run.case("capture.whole", "不写金额就是全收:state 变成 captured,没有剩的。", async |kit| {
        let held = kit.hold(1_000).await?;
        let fields = [("/state", json!("captured")), ("/captured", money(1_000)), ("/remaining", money(0))];
        kit.post(&held.step("capture"), &json!({})).await?.ok(200)?.has(&fields).map(drop)
    })
    .await;
    run.case("capture.part", "只收一部分:state 是 partly_captured,剩的还占着。", async |kit| {
        let held = kit.hold(1_000).await?;
        let fields = [("/state", json!("partly_captured")), ("/captured", money(300)), ("/remaining", money(700))];
        kit.post(&held.step("capture"), &amount(300)).await?.ok(200)?.has(&fields).map(drop)
    })
    .await;
    run.case("capture.parts", "住院分次收:300、500、200 三次,加起来正好收完。", async |kit| {
        let held = kit.hold(1_000).await?;
        for part in [300, 500] {
            kit.post(&held.step("capture"), &amount(part)).await?.ok(200)?.has(&[("/state", json!("partly_captured"))])?;
        }
        let fields = [("/state", json!("captured")), ("/captured", money(1_000))];
        kit.post(&held.step("capture"), &amount(200)).await?.ok(200)?.has(&fields).map(drop)
    })
    .await;
    run.case("capture.last", "最后一次收款(last):没收的马上退回付款人。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        let body = json!({ "amount": money(400), "last": true });
        let fields = [("/state", json!("captured")), ("/captured", money(400)), ("/remaining", money(0))];
        kit.post(&held.step("capture"), &body).await?.ok(200)?.has(&fields)?;
        kit.moved(before, -400).await
    })
    .await;
    run.case("capture.moves-nothing-twice", "收款不再动付款人的钱:占住时已经动过了。", async |kit| {
        let before = kit.has().await?;
        kit.captured(1_000).await?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("capture.version-rises", "每一步以后 version 都变大,好知道哪个回答更新。", async |kit| {
        let held = kit.hold(1_000).await?;
        let first = kit.post(&held.step("capture"), &amount(300)).await?.ok(200)?.at("/version").as_u64();
        let second = kit.post(&held.step("capture"), &amount(300)).await?.ok(200)?.at("/version").as_u64();
        is(first.is_some() && second > first, format!("version 先是 {first:?},后是 {second:?}"))
    })
    .await;
    for (name, fen, status, code, says) in [
        ("capture.too-much", 1_001, 422, "CAPTURE_TOO_LARGE", "收得比占的多:422 CAPTURE_TOO_LARGE。"),
        ("capture.zero", 0, 422, "AMOUNT_TOO_SMALL", "收 0 元:422 AMOUNT_TOO_SMALL。"),
        ("capture.negative", -100, 422, "AMOUNT_TOO_SMALL", "收负数:422 AMOUNT_TOO_SMALL。"),
        ("capture.absurd", i64::MAX, 422, "FIELDS_INVALID", "大得不可能的金额:422,说明是哪个字段。"),
    ] {
        run.case(name, says, async |kit| {
            let held = kit.hold(1_000).await?;
            kit.post(&held.step("capture"), &amount(fen)).await?.refused(status, code)?;
            kit.by_order(&held.number).await?.ok(200)?.has(&[("/state", json!("held")), ("/captured", money(0))]).map(drop)
        })
        .await;
    }
    run.case("capture.too-much-in-parts", "分次收,加起来超过占的:最后那次 422,前面的不受影响。", async |kit| {
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("capture"), &amount(600)).await?.ok(200)?;
        kit.post(&held.step("capture"), &amount(401)).await?.refused(422, "CAPTURE_TOO_LARGE")?;
        kit.by_order(&held.number).await?.ok(200)?.has(&[("/captured", money(600)), ("/remaining", money(400))]).map(drop)
    })
    .await;
    run.case("capture.after-void", "撤销以后才到的收款:409 PAYMENT_FINAL,current_state 说现在的状态,钱不动。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?;
        let refused = kit.post(&held.step("capture"), &json!({})).await?.refused(409, "PAYMENT_FINAL")?;
        refused.has(&[("/current_state", json!("voided"))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("capture.after-captured", "收完了又收(新的 key):409 PAYMENT_FINAL,不会收两次。", async |kit| {
        let before = kit.has().await?;
        let held = kit.captured(1_000).await?;
        kit.post(&held.step("capture"), &amount(1_000)).await?.refused(409, "PAYMENT_FINAL")?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("capture.unknown", "没有的付款号:404 NOT_FOUND。", async |kit| {
        let path = format!("{PAYMENTS}/01890a5d-ac96-774b-bcce-b302099a8057/capture");
        kit.post(&path, &json!({})).await?.refused(404, "NOT_FOUND").map(drop)
    })
    .await;
    run.case("capture.not-an-id", "根本不是付款号:404 NOT_FOUND,不能出 500。", async |kit| {
        kit.post(&format!("{PAYMENTS}/nothing/capture"), &json!({})).await?.refused(404, "NOT_FOUND").map(drop)
    })
    .await;
}

async fn void(run: &mut Run<'_>) {
    run.group("撤销");
    run.case("void.money-back", "撤销占款:state 是 voided,钱全部退回。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?.has(&[("/state", json!("voided")), ("/remaining", money(0))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("void.to-its-purses", "退回的钱回到原来的口袋:钱包的回钱包,个人账户的回个人账户。", async |kit| {
        let before = kit.has().await?;
        let code = kit.code_with("wallet").await?;
        let held = kit.hold_with(&code, before.1 + 100).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?;
        same("(个人账户,钱包)", &kit.has().await?, &before)
    })
    .await;
    run.case("void.keeps-captured", "收了一部分再撤销:只退没收的,收了的归机构。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("capture"), &amount(300)).await?.ok(200)?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?.has(&[("/captured", money(300)), ("/remaining", money(0))])?;
        kit.moved(before, -300).await
    })
    .await;
    run.case("void.twice", "撤销两次(新的 key):第二次 409 PAYMENT_FINAL,不会退两次。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?;
        kit.post(&held.step("void"), &json!({})).await?.refused(409, "PAYMENT_FINAL")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("void.after-captured", "收完了再撤销:409 PAYMENT_FINAL,要退钱用退费或冲正。", async |kit| {
        let before = kit.has().await?;
        let held = kit.captured(1_000).await?;
        kit.post(&held.step("void"), &json!({})).await?.refused(409, "PAYMENT_FINAL")?;
        kit.moved(before, -1_000).await
    })
    .await;
    run.case("void.no-actions-left", "撤销以后没有下一步可做。", async |kit| {
        let held = kit.hold(100).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?.has(&[("/next_actions", json!([]))]).map(drop)
    })
    .await;
}

async fn refund(run: &mut Run<'_>) {
    run.group("退费");
    run.case("refund.whole", "不写金额就是全退:钱全部回到付款人。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        kit.post(&paid.step("refund"), &json!({})).await?.ok(200)?.has(&[("/refunded", money(1_000))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("refund.part", "退一部分:收的不变,退的记上,付款人拿回这么多。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        kit.post(&paid.step("refund"), &amount(300)).await?.ok(200)?.has(&[("/captured", money(1_000)), ("/refunded", money(300))])?;
        kit.moved(before, -700).await
    })
    .await;
    run.case("refund.parts", "分几次退,加起来正好退完。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        for part in [300, 500, 200] {
            kit.post(&paid.step("refund"), &amount(part)).await?.ok(200)?;
        }
        kit.by_order(&paid.number).await?.ok(200)?.has(&[("/refunded", money(1_000))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("refund.to-its-purses", "退回原来的口袋:钱包付的回钱包,个人账户付的回个人账户。", async |kit| {
        let before = kit.has().await?;
        let code = kit.code_with("wallet").await?;
        let held = kit.hold_with(&code, before.1 + 200).await?;
        kit.post(&held.step("capture"), &json!({})).await?.ok(200)?;
        kit.post(&held.step("refund"), &json!({})).await?.ok(200)?;
        same("(个人账户,钱包)", &kit.has().await?, &before)
    })
    .await;
    for (name, fen, status, code, says) in [
        ("refund.too-much", 1_001, 422, "REFUND_TOO_LARGE", "退得比收的多:422 REFUND_TOO_LARGE,一分不退。"),
        ("refund.zero", 0, 422, "AMOUNT_TOO_SMALL", "退 0 元:422 AMOUNT_TOO_SMALL。"),
        ("refund.negative", -1, 422, "AMOUNT_TOO_SMALL", "退负数:422 AMOUNT_TOO_SMALL。"),
    ] {
        run.case(name, says, async |kit| {
            let before = kit.has().await?;
            let paid = kit.captured(1_000).await?;
            kit.post(&paid.step("refund"), &amount(fen)).await?.refused(status, code)?;
            kit.moved(before, -1_000).await
        })
        .await;
    }
    run.case("refund.too-much-in-parts", "分几次退,加起来超过收的:最后那次 422,前面的不受影响。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        kit.post(&paid.step("refund"), &amount(600)).await?.ok(200)?;
        kit.post(&paid.step("refund"), &amount(401)).await?.refused(422, "REFUND_TOO_LARGE")?;
        kit.moved(before, -400).await
    })
    .await;
    run.case("refund.before-capture", "收款以前就到的退费:409 PAYMENT_FINAL,占的钱还占着。", async |kit| {
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("refund"), &amount(100)).await?.refused(409, "PAYMENT_FINAL")?;
        kit.by_order(&held.number).await?.ok(200)?.has(&[("/state", json!("held"))]).map(drop)
    })
    .await;
    run.case("refund.after-void", "撤销过的不能再退费:409 PAYMENT_FINAL。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?;
        kit.post(&held.step("refund"), &amount(100)).await?.refused(409, "PAYMENT_FINAL")?;
        kit.moved(before, 0).await
    })
    .await;
}

async fn look_up(run: &mut Run<'_>) {
    run.group("查询");
    run.case("by-order.unknown", "没有记录的单号:404 NOT_FOUND。", async |kit| kit.by_order("CK-NOBODY").await?.refused(404, "NOT_FOUND").map(drop)).await;
    for (name, verb, state, says) in [
        ("by-order.captured", "capture", "captured", "收款以后凭单号查,state 是 captured。"),
        ("by-order.voided", "void", "voided", "撤销以后凭单号查,state 是 voided。"),
    ] {
        run.case(name, says, async |kit| {
            let held = kit.hold(100).await?;
            kit.post(&held.step(verb), &json!({})).await?.ok(200)?;
            kit.by_order(&held.number).await?.ok(200)?.has(&[("/state", json!(state)), ("/outcome", json!("definite"))]).map(drop)
        })
        .await;
    }
    run.case("by-order.refused", "没付成的单子也查得到:state 是 refused,reasons 说为什么。", async |kit| {
        let (personal, wallet) = kit.has().await?;
        let number = kit.number();
        kit.post(PAYMENTS, &order(&number, &kit.code().await?, personal + wallet + 1)).await?.refused(409, "INSUFFICIENT_FUNDS")?;
        let fields = [("/state", json!("refused")), ("/reasons/0/code", json!("INSUFFICIENT_FUNDS"))];
        kit.by_order(&number).await?.ok(200)?.has(&fields).map(drop)
    })
    .await;
    run.case("by-order.steps", "每次收款、退费都要列出,按先后,金额一分不差。", async |kit| {
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("capture"), &amount(400)).await?.ok(200)?;
        kit.post(&held.step("capture"), &amount(600)).await?.ok(200)?;
        kit.post(&held.step("refund"), &amount(250)).await?.ok(200)?;
        let answer = kit.by_order(&held.number).await?.ok(200)?;
        let steps = answer.at("/steps").as_array().cloned().unwrap_or_default();
        let found: Vec<(String, i64)> =
            steps.iter().map(|step| (step["step"].as_str().unwrap_or_default().to_owned(), step["amount"]["amount"].as_i64().unwrap_or_default())).collect();
        same("各步", &found, &vec![("capture".to_owned(), 400), ("capture".to_owned(), 600), ("refund".to_owned(), 250)])
    })
    .await;
    run.case("by-order.same-as-by-id", "凭单号查和凭付款号查,答案一样。", async |kit| {
        let paid = kit.captured(100).await?;
        let by_id = kit.get(&format!("{PAYMENTS}/{}", paid.payment)).await?.ok(200)?;
        same("凭付款号查到的", &by_id.body, &kit.by_order(&paid.number).await?.ok(200)?.body)
    })
    .await;
    run.case("list.newest-first", "最近的单子列在最前面。", async |kit| {
        let (first, second) = (kit.hold(100).await?, kit.hold(100).await?);
        let listed = kit.get(&format!("{PAYMENTS}?limit=2")).await?.ok(200)?;
        listed.has(&[("/orders/0/order_no", json!(second.number)), ("/orders/1/order_no", json!(first.number))]).map(drop)
    })
    .await;
    run.case("list.limit", "要几条就给几条。", async |kit| {
        kit.hold(100).await?;
        let listed = kit.get(&format!("{PAYMENTS}?limit=1")).await?.ok(200)?;
        same("条数", &listed.at("/orders").as_array().map(Vec::len), &Some(1))
    })
    .await;
    for (name, limit, status, code) in [
        ("list.limit-zero", "0", 422, "FIELDS_INVALID"),
        ("list.limit-too-large", "201", 422, "FIELDS_INVALID"),
        ("list.limit-not-a-number", "all", 400, "JSON_MALFORMED"),
    ] {
        run.case(name, "条数不在 1 到 200 之间要拒绝,不能悄悄换成别的。", async |kit| {
            kit.get(&format!("{PAYMENTS}?limit={limit}")).await?.refused(status, code).map(drop)
        })
        .await;
    }
    run.case("by-order.changes-nothing", "查询不改变什么:查三次,答案都一样。", async |kit| {
        let held = kit.hold(100).await?;
        let first = kit.get(&by_order(&held.number)).await?.ok(200)?;
        for _ in 0..2 {
            same("再查", &kit.by_order(&held.number).await?.ok(200)?.body, &first.body)?;
        }
        Ok(())
    })
    .await;
}
