//! One key, one thing: repeats, other bodies, several at once, and keys that are none.

use crate::conformance::Run;
use crate::conformance::client::{Message, is, same};
use crate::conformance::kit::{Held, Kit, PAYMENTS, amount, order, reverse};
use crate::conformance::{Checked, client::Answer};
use serde_json::{Value, json};

/// An operation of which a first and a second request are made: before it, its address and body.
#[derive(Clone, Copy)]
enum Operation {
    Hold,
    Capture,
    Void,
    Refund,
    Reverse,
}

use Operation::*;

const OPERATIONS: [(Operation, &str, &str); 5] =
    [(Hold, "hold", "占款"), (Capture, "capture", "收款"), (Void, "void", "撤销"), (Refund, "refund", "退费"), (Reverse, "reverse", "冲正")];

impl Operation {
    /// What has to be there before; then the request's address and body, and the money it moves (fen) once.
    async fn prepare(self, kit: &Kit) -> Checked<(String, Value)> {
        Ok(match self {
            Hold => (PAYMENTS.to_owned(), order(&kit.number(), &kit.code().await?, 1_000)),
            Capture => (kit.hold(1_000).await?.step("capture"), amount(400)),
            Void => (kit.hold(1_000).await?.step("void"), json!({})),
            Refund => (kit.captured(1_000).await?.step("refund"), amount(400)),
            Reverse => (reverse(&kit.captured(1_000).await?.number), json!({})),
        })
    }

    /// Free money of the payer afterwards, against before the preparation (fen).
    fn left(self) -> i64 {
        match self {
            Hold | Capture => -1_000,
            Void | Reverse => 0,
            Refund => -600,
        }
    }

    fn status(self) -> u16 {
        if matches!(self, Hold) { 201 } else { 200 }
    }
}

/// The same message twice or more at the same time, each signed on its own.
async fn at_once(kit: &Kit, message: &Message) -> Checked<Vec<Answer>> {
    let (first, second, third) = tokio::join!(kit.send(message.clone()), kit.send(message.clone()), kit.send(message.clone()));
    Ok(vec![first?, second?, third?])
}

pub async fn play(run: &mut Run<'_>) {
    run.group("重发");
    for (operation, word, zh) in OPERATIONS {
        let says = format!("{zh}:同一个 key 和内容再发,要得到第一次的状态码和内容(一字不差),并说明是重发的;钱只动一次。");
        run.case(&format!("{word}.same-key-same-answer"), &says, async |kit| {
            let before = kit.has().await?;
            let (path, body) = operation.prepare(kit).await?;
            let key = kit.key();
            let first = kit.post_keyed(&key, &path, &body).await?.ok(operation.status())?;
            is(!first.is_replayed(), "第一次的回答不应该说是重发的")?;
            kit.post_keyed(&key, &path, &body).await?.ok(operation.status())?.repeats(&first)?;
            kit.moved(before, operation.left()).await
        })
        .await;
        let says = format!("{zh}:同样的请求三个同时到,三个回答内容相同,钱只动一次。");
        run.case(&format!("{word}.at-once"), &says, async |kit| {
            let before = kit.has().await?;
            let (path, body) = operation.prepare(kit).await?;
            let message = Message::post(&path, &body).key(&kit.key());
            for answer in at_once(kit, &message).await? {
                // A step that is still under way is told to be asked again.
                let answer = if answer.code() == "STILL_OPEN" { kit.send(message.clone()).await? } else { answer };
                let answer = answer.ok(operation.status())?;
                same("内容", &answer.body, &kit.send(message.clone()).await?.ok(operation.status())?.body)?;
            }
            kit.moved(before, operation.left()).await
        })
        .await;
        let says = format!("{zh}:没有 Idempotency-Key,400 IDEMPOTENCY_KEY_MISSING,什么也没有办。");
        run.case(&format!("{word}.key-missing"), &says, async |kit| {
            let (path, body) = operation.prepare(kit).await?;
            let before = kit.has().await?;
            kit.send(Message::post(&path, &body)).await?.refused(400, "IDEMPOTENCY_KEY_MISSING")?;
            kit.moved(before, 0).await
        })
        .await;
    }
    for (operation, word, zh) in [(Capture, "capture", "收款"), (Refund, "refund", "退费")] {
        let says = format!("{zh}:同一个 key 换了金额,422 IDEMPOTENCY_KEY_REUSED,第二个什么也没有办。");
        run.case(&format!("{word}.same-key-other-body"), &says, async |kit| {
            let (path, body) = operation.prepare(kit).await?;
            let key = kit.key();
            kit.post_keyed(&key, &path, &body).await?.ok(200)?;
            let before = kit.has().await?;
            kit.post_keyed(&key, &path, &amount(100)).await?.refused(422, "IDEMPOTENCY_KEY_REUSED")?;
            kit.moved(before, 0).await
        })
        .await;
    }
    run.case("hold.same-key-other-body", "占款:同一个 key 换了单号和金额,422 IDEMPOTENCY_KEY_REUSED,第二单没有记录。", async |kit| {
        let held = kit.hold(100).await?;
        let other = kit.number();
        kit.post_keyed(&held.key, PAYMENTS, &order(&other, &kit.code().await?, 200)).await?.refused(422, "IDEMPOTENCY_KEY_REUSED")?;
        kit.by_order(&other).await?.refused(404, "NOT_FOUND").map(drop)
    })
    .await;
    run.case(
        "capture.same-key-other-payment",
        "收款:同一个 key 用到另一笔付款上,422 IDEMPOTENCY_KEY_REUSED:一个 key 只代表一件事。",
        async |kit| {
            let (one, other) = (kit.hold(100).await?, kit.hold(100).await?);
            let key = kit.key();
            kit.post_keyed(&key, &one.step("capture"), &json!({})).await?.ok(200)?;
            kit.post_keyed(&key, &other.step("capture"), &json!({})).await?.refused(422, "IDEMPOTENCY_KEY_REUSED")?;
            kit.by_order(&other.number).await?.ok(200)?.has(&[("/state", json!("held"))]).map(drop)
        },
    )
    .await;
    run.case("key.per-operation", "同一个 key 用在占款和收款上:互不相干,都办。", async |kit| {
        let Held { number, key, payment, .. } = kit.hold(100).await?;
        kit.post_keyed(&key, &format!("{PAYMENTS}/{payment}/capture"), &json!({})).await?.ok(200)?;
        kit.by_order(&number).await?.ok(200)?.has(&[("/state", json!("captured"))]).map(drop)
    })
    .await;
    run.case("key.per-institution", "别家机构用过的 key,我们照样能用:key 按机构分开记。", async |kit| {
        let key = kit.key();
        kit.send_as(&kit.other, Message::post(reverse(&kit.number()), &json!({})).key(&key)).await?.ok(200)?;
        let answer = kit.post_keyed(&key, &reverse(&kit.number()), &json!({})).await?.ok(200)?;
        is(!answer.is_replayed(), "别家的回答给了我们")
    })
    .await;
    run.case("key.refusal-repeats", "没办成的也一样:同一个 key 再发,得到第一次的拒绝,连 trace_id 都一样。", async |kit| {
        let (personal, wallet) = kit.has().await?;
        let body = order(&kit.number(), &kit.code().await?, personal + wallet + 1);
        let key = kit.key();
        let first = kit.post_keyed(&key, PAYMENTS, &body).await?.refused(409, "INSUFFICIENT_FUNDS")?;
        let again = kit.post_keyed(&key, PAYMENTS, &body).await?.refused(409, "INSUFFICIENT_FUNDS")?;
        same("重发的拒绝", &again.body, &first.body)
    })
    .await;
    run.case("key.after-the-end", "占款以后收完、退完,再重发占款:还是第一次的回答(held)。", async |kit| {
        let held = kit.hold(100).await?;
        kit.post(&held.step("capture"), &json!({})).await?.ok(200)?;
        kit.post(&held.step("refund"), &json!({})).await?.ok(200)?;
        kit.post_keyed(&held.key, PAYMENTS, &held.body).await?.ok(201)?.repeats(&held.answer)
    })
    .await;
    for (name, key, says) in [
        ("key.too-long", "k".repeat(129), "key 超过 128 个字符:400 IDEMPOTENCY_KEY_MALFORMED。"),
        ("key.with-space", "a b".to_owned(), "key 里有空格:400 IDEMPOTENCY_KEY_MALFORMED。"),
        ("key.from-the-future", "0fffffff-ffff-7fff-8000-000000000001".to_owned(), "UUIDv7 的 key 写着很久以后的时间:400 IDEMPOTENCY_KEY_MALFORMED。"),
    ] {
        run.case(name, says, async |kit| {
            let body = order(&kit.number(), &kit.code().await?, 100);
            kit.post_keyed(&key, PAYMENTS, &body).await?.refused(400, "IDEMPOTENCY_KEY_MALFORMED").map(drop)
        })
        .await;
    }
    run.case("key.longest", "key 正好 128 个字符:可以。", async |kit| {
        let key = format!("{:x<128}", kit.key());
        kit.post_keyed(&key, PAYMENTS, &order(&kit.number(), &kit.code().await?, 100)).await?.ok(201).map(drop)
    })
    .await;
}
