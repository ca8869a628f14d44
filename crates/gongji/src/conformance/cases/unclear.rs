//! Outcomes that nobody knows at first: `docs/institutions/outcomes.md`, with the trouble made to order by `Test-Fault`.

use crate::conformance::Checked;
use crate::conformance::Run;
use crate::conformance::client::{Came, Message, is};
use crate::conformance::kit::{Kit, PAYMENTS, amount, order, reverse};
use serde_json::{Value, json};
use std::time::Duration;

const FAULT: &str = "test-fault";

/// How long an institution's software waits before it hangs up on a request that is slow.
const PATIENCE: Duration = Duration::from_millis(200);

/// Sends and expects no answer.
async fn lost(kit: &Kit, message: Message) -> Checked {
    match kit.client.send(&kit.signed(message.header(FAULT, "lost-reply"))).await {
        Came::Nothing(_) => Ok(()),
        Came::Answer(answer) => Err(format!("lost-reply 应该断开不回答,回了 {}", answer.status)),
    }
}

async fn twice(kit: &Kit, message: Message, status: u16) -> Checked<Value> {
    Ok(kit.send(message.header(FAULT, "duplicate")).await?.ok(status)?.body)
}

/// Sent so that it arrives a second later, by when nobody waits for the answer.
async fn hung_up(kit: &Kit, message: Message) -> Checked {
    let message = kit.signed(message.header(FAULT, "slow=1s"));
    match tokio::time::timeout(PATIENCE, kit.client.send(&message)).await {
        Err(_) => Ok(()),
        Ok(_) => Err("slow=1s 应该晚一秒才办".to_owned()),
    }
}

pub async fn play(run: &mut Run<'_>) {
    run.group("结果不明");
    run.case("lost-reply.hold", "占款办了但回答丢了:同一个 key 重发,得到第一次的结果,钱只动一次。", async |kit| {
        let before = kit.has().await?;
        let message = Message::post(PAYMENTS, &order(&kit.number(), &kit.code().await?, 100)).key(&kit.key());
        lost(kit, message.clone()).await?;
        let again = kit.send(message).await?.ok(201)?;
        is(again.is_replayed(), "第一次应该已经办成,重发应该说是重发的")?;
        kit.moved(before, -100).await
    })
    .await;
    run.case("lost-reply.looked-up", "占款的回答丢了:凭单号查,看得到 held。", async |kit| {
        let number = kit.number();
        lost(kit, Message::post(PAYMENTS, &order(&number, &kit.code().await?, 100)).key(&kit.key())).await?;
        kit.by_order(&number).await?.ok(200)?.has(&[("/state", json!("held")), ("/outcome", json!("definite"))]).map(drop)
    })
    .await;
    run.case("lost-reply.reversed", "占款的回答丢了,不想要了:凭单号冲正,钱全部回来。", async |kit| {
        let before = kit.has().await?;
        let number = kit.number();
        lost(kit, Message::post(PAYMENTS, &order(&number, &kit.code().await?, 100)).key(&kit.key())).await?;
        kit.reverse(&number).await?.ok(200)?.has(&[("/outcome", json!("reversed"))])?;
        kit.moved(before, 0).await
    })
    .await;
    for (verb, zh, left) in [("capture", "收款", -1_000), ("void", "撤销", 0)] {
        let says = format!("{zh}的回答丢了:同一个 key 重发,得到第一次的结果,只办一次。");
        run.case(&format!("lost-reply.{verb}"), &says, async |kit| {
            let before = kit.has().await?;
            let held = kit.hold(1_000).await?;
            let message = Message::post(held.step(verb), &json!({})).key(&kit.key());
            lost(kit, message.clone()).await?;
            is(kit.send(message).await?.ok(200)?.is_replayed(), "重发应该说是重发的")?;
            kit.moved(before, left).await
        })
        .await;
    }
    run.case("lost-reply.refund", "退费的回答丢了:同一个 key 重发,只退一次。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        let message = Message::post(paid.step("refund"), &amount(400)).key(&kit.key());
        lost(kit, message.clone()).await?;
        is(kit.send(message).await?.ok(200)?.is_replayed(), "重发应该说是重发的")?;
        kit.moved(before, -600).await
    })
    .await;
    run.case("lost-reply.reverse", "冲正的回答丢了:再冲正(同一个 key 或新 key 都行),只退一次。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        lost(kit, Message::post(reverse(&paid.number), &json!({})).key(&kit.key())).await?;
        kit.reverse(&paid.number).await?.ok(200)?.has(&[("/outcome", json!("reversed"))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("duplicate.hold", "路上把占款送了两遍:回答只有一个,钱只动一次。", async |kit| {
        let before = kit.has().await?;
        let message = Message::post(PAYMENTS, &order(&kit.number(), &kit.code().await?, 100)).key(&kit.key());
        twice(kit, message, 201).await?;
        kit.moved(before, -100).await
    })
    .await;
    run.case("duplicate.capture", "路上把收款送了两遍:只收一次。", async |kit| {
        let held = kit.hold(1_000).await?;
        let message = Message::post(held.step("capture"), &amount(400)).key(&kit.key());
        twice(kit, message, 200).await?;
        kit.by_order(&held.number).await?.ok(200)?.has(&[("/captured/amount", json!(400))]).map(drop)
    })
    .await;
    run.case("duplicate.refund", "路上把退费送了两遍:只退一次。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        twice(kit, Message::post(paid.step("refund"), &amount(400)).key(&kit.key()), 200).await?;
        kit.moved(before, -600).await
    })
    .await;
    run.case("slow.reversed-meanwhile", "占款在路上耽搁,收费员等不及先冲正:迟到的占款不能成,钱不动。", async |kit| {
        let before = kit.has().await?;
        let number = kit.number();
        let message = Message::post(PAYMENTS, &order(&number, &kit.code().await?, 100)).key(&kit.key());
        hung_up(kit, message.clone()).await?;
        kit.reverse(&number).await?.ok(200)?.has(&[("/outcome", json!("nothing_to_reverse"))])?;
        // Later than the slow one by its way.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        kit.send(message).await?.refused(409, "ORDER_REVERSED")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("slow.sent-again", "占款在路上耽搁,收费员又发一次(同一个 key):只办一次,两个请求一个结果。", async |kit| {
        let before = kit.has().await?;
        let message = Message::post(PAYMENTS, &order(&kit.number(), &kit.code().await?, 100)).key(&kit.key());
        hung_up(kit, message.clone()).await?;
        let first = kit.send(message.clone()).await?.ok(201)?;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        kit.send(message).await?.ok(201)?.repeats(&first)?;
        kit.moved(before, -100).await
    })
    .await;
    for (name, status, code, says) in [
        ("decline.funds", 409, "INSUFFICIENT_FUNDS", "让沙箱用“钱不够”回绝:回答和真的一样,什么也没有办。"),
        ("decline.frozen", 409, "FROZEN", "让沙箱用“账户冻结”回绝:回答和真的一样,什么也没有办。"),
        ("decline.busy", 503, "BUSY", "让沙箱说忙:503,带 Retry-After;什么也没有办。"),
        ("decline.internal", 500, "INTERNAL", "让沙箱说内部出错:500 也是说明书里的样子,同一个 key 再发就办成。"),
    ] {
        run.case(name, says, async |kit| {
            let before = kit.has().await?;
            let message = Message::post(PAYMENTS, &order(&kit.number(), &kit.code().await?, 100)).key(&kit.key());
            let refused = kit.send(message.clone().header(FAULT, &format!("decline={code}"))).await?.refused(status, code)?;
            is(code != "BUSY" || refused.header("retry-after").is_some(), "没有 Retry-After")?;
            kit.moved(before, 0).await?;
            kit.send(message).await?.ok(201)?;
            kit.moved(before, -100).await
        })
        .await;
    }
    run.case("decline.unknown-code", "写错的 Test-Fault:422,不能悄悄不起作用,也不能照办。", async |kit| {
        let before = kit.has().await?;
        let message = Message::post(PAYMENTS, &order(&kit.number(), &kit.code().await?, 100)).key(&kit.key());
        kit.send(message.header(FAULT, "decline=NO_SUCH_CODE")).await?.refused(422, "FIELDS_INVALID")?;
        kit.moved(before, 0).await
    })
    .await;
}
