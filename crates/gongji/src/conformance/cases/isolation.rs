//! What belongs to one institution looks to every other as if it did not exist.

use crate::conformance::Run;
use crate::conformance::client::{Message, is, money, same};
use crate::conformance::kit::{PAYMENTS, by_order, order, reverse};
use serde_json::{Value, json};

pub async fn play(run: &mut Run<'_>) {
    run.group("互相看不见");
    run.case("isolation.by-order", "别家的单号,查起来和没有一样:404 NOT_FOUND。", async |kit| {
        let held = kit.hold(100).await?;
        kit.send_as(&kit.other, Message::get(by_order(&held.number))).await?.refused(404, "NOT_FOUND").map(drop)
    })
    .await;
    run.case("isolation.by-id", "别家的付款号,查起来和没有一样:404 NOT_FOUND。", async |kit| {
        let held = kit.hold(100).await?;
        kit.send_as(&kit.other, Message::get(format!("{PAYMENTS}/{}", held.payment))).await?.refused(404, "NOT_FOUND").map(drop)
    })
    .await;
    run.case("isolation.same-words", "别家的和没有的,拒绝的话一字不差(编号除外),不能让人猜出有没有。", async |kit| {
        let held = kit.hold(100).await?;
        let theirs = kit.send_as(&kit.other, Message::get(format!("{PAYMENTS}/{}", held.payment))).await?.refused(404, "NOT_FOUND")?;
        let nobodys = Message::get(format!("{PAYMENTS}/01890a5d-ac96-774b-bcce-b302099a8057"));
        let nobodys = kit.send_as(&kit.other, nobodys).await?.refused(404, "NOT_FOUND")?;
        let words = |body: &Value| {
            let mut body = body.clone();
            body["trace_id"] = Value::Null;
            body
        };
        same("拒绝的话", &words(&theirs.body), &words(&nobodys.body))
    })
    .await;
    for (verb, zh) in [("capture", "收款"), ("void", "撤销")] {
        run.case(&format!("isolation.{verb}"), &format!("别家不能替我们{zh}:404 NOT_FOUND,钱不动。"), async |kit| {
            let held = kit.hold(100).await?;
            kit.send_as(&kit.other, Message::post(held.step(verb), &json!({})).key(&kit.key())).await?.refused(404, "NOT_FOUND")?;
            kit.by_order(&held.number).await?.ok(200)?.has(&[("/state", json!("held"))]).map(drop)
        })
        .await;
    }
    run.case("isolation.refund", "别家不能替我们退费:404 NOT_FOUND,钱不动。", async |kit| {
        let paid = kit.captured(100).await?;
        kit.send_as(&kit.other, Message::post(paid.step("refund"), &json!({})).key(&kit.key())).await?.refused(404, "NOT_FOUND")?;
        kit.by_order(&paid.number).await?.ok(200)?.has(&[("/refunded", money(0))]).map(drop)
    })
    .await;
    run.case("isolation.reverse", "别家用同样的单号冲正:冲的是它自己的(没有),我们的不受影响。", async |kit| {
        let held = kit.hold(100).await?;
        let answer = kit.send_as(&kit.other, Message::post(reverse(&held.number), &json!({})).key(&kit.key())).await?.ok(200)?;
        answer.has(&[("/outcome", json!("nothing_to_reverse"))])?;
        kit.by_order(&held.number).await?.ok(200)?.has(&[("/state", json!("held"))]).map(drop)
    })
    .await;
    run.case("isolation.same-number", "两家用同一个单号:是两笔,各查各的。", async |kit| {
        let held = kit.hold(100).await?;
        let message = Message::post(PAYMENTS, &order(&held.number, &kit.code().await?, 200)).key(&kit.key());
        let theirs = kit.send_as(&kit.other, message).await?.ok(201)?;
        let both = (theirs.fen("/held")?, kit.by_order(&held.number).await?.ok(200)?.fen("/held")?);
        kit.send_as(&kit.other, Message::post(reverse(&held.number), &json!({})).key(&kit.key())).await?.ok(200)?;
        same("(别家的,我们的)", &both, &(200, 100))
    })
    .await;
    run.case("isolation.list", "我们的单子不能出现在别家的列表里。", async |kit| {
        let held = kit.hold(100).await?;
        let listed = kit.send_as(&kit.other, Message::get(format!("{PAYMENTS}?limit=50"))).await?.ok(200)?;
        is(!String::from_utf8_lossy(&listed.bytes).contains(&held.payment), "别家的列表里有我们的付款")
    })
    .await;
    run.case("isolation.no-person", "查单、列表里没有付款人的姓名、身份证号。", async |kit| {
        let held = kit.hold(100).await?;
        let mut text = String::from_utf8_lossy(&kit.by_order(&held.number).await?.ok(200)?.bytes).into_owned();
        text.push_str(&String::from_utf8_lossy(&kit.get(&format!("{PAYMENTS}?limit=5")).await?.ok(200)?.bytes));
        is(!text.contains(&kit.payer.id_number) && !text.contains(&kit.payer.name), "回答里有付款人的姓名或身份证号")
    })
    .await;
    run.case("isolation.not-a-citizen", "机构的签名不能当作居民登录:看不到钱包(401)。", async |kit| {
        kit.get("/api/v1/wallet").await?.refused(401, "LOGIN_REQUIRED").map(drop)
    })
    .await;
    run.case("isolation.nobody", "没有签名也没有密钥:401 INSTITUTION_KEY_REQUIRED。", async |kit| {
        let answer = kit.client.send(&Message::get(PAYMENTS)).await.answer()?;
        is(
            answer.status == 401 && ["INSTITUTION_KEY_REQUIRED", "SIGNATURE_REQUIRED"].contains(&answer.code()),
            format!("回的是 {} {}", answer.status, answer.code()),
        )
    })
    .await;
}
