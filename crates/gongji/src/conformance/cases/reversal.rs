//! Reversing: whatever became of an order, afterwards nothing is held or kept.

use crate::conformance::Run;
use crate::conformance::client::{money, same};
use crate::conformance::kit::{PAYMENTS, amount, order, reverse};
use serde_json::json;

pub async fn play(run: &mut Run<'_>) {
    run.group("冲正");
    run.case("reverse.held", "冲正占住的:回 reversed,钱全部退回。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.reverse(&held.number).await?.ok(200)?.has(&[("/outcome", json!("reversed")), ("/payment", json!(held.payment))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.captured", "冲正收完的:等于全额退费,钱全部退回。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        kit.reverse(&paid.number).await?.ok(200)?.has(&[("/outcome", json!("reversed"))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.partly-captured", "冲正收了一部分的:收的退费,没收的退回,一分不剩。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("capture"), &amount(300)).await?.ok(200)?;
        kit.reverse(&held.number).await?.ok(200)?.has(&[("/outcome", json!("reversed"))])?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.partly-refunded", "退过一部分再冲正:只退还没退的,不多退。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        kit.post(&paid.step("refund"), &amount(300)).await?.ok(200)?;
        kit.reverse(&paid.number).await?.ok(200)?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.to-its-purses", "冲正的钱回到原来的口袋。", async |kit| {
        let before = kit.has().await?;
        let code = kit.code_with("wallet").await?;
        let held = kit.hold_with(&code, before.1 + 100).await?;
        kit.post(&held.step("capture"), &json!({})).await?.ok(200)?;
        kit.reverse(&held.number).await?.ok(200)?;
        same("(个人账户,钱包)", &kit.has().await?, &before)
    })
    .await;
    run.case("reverse.never-happened", "没有到过的单号也冲得成:回 nothing_to_reverse。", async |kit| {
        kit.reverse(&kit.number()).await?.ok(200)?.has(&[("/outcome", json!("nothing_to_reverse"))]).map(drop)
    })
    .await;
    run.case("reverse.before-the-payment", "冲正比付款先到:后到的付款 409 ORDER_REVERSED,钱不动。", async |kit| {
        let before = kit.has().await?;
        let number = kit.number();
        kit.reverse(&number).await?.ok(200)?;
        kit.post(PAYMENTS, &order(&number, &kit.code().await?, 100)).await?.refused(409, "ORDER_REVERSED")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.before-keeps-the-code", "冲正过的单号没有用掉付款码:换一个单号,同一个码还能付。", async |kit| {
        let number = kit.number();
        kit.reverse(&number).await?.ok(200)?;
        let code = kit.code().await?;
        kit.post(PAYMENTS, &order(&number, &code, 100)).await?.refused(409, "ORDER_REVERSED")?;
        kit.hold_with(&code, 100).await.map(drop)
    })
    .await;
    run.case("reverse.twice", "冲正两次(新的 key):都成功,只退一次。", async |kit| {
        let before = kit.has().await?;
        let paid = kit.captured(1_000).await?;
        for _ in 0..2 {
            kit.reverse(&paid.number).await?.ok(200)?.has(&[("/outcome", json!("reversed"))])?;
        }
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.unknown-twice", "没有到过的单号冲两次:都回 nothing_to_reverse。", async |kit| {
        let number = kit.number();
        for _ in 0..2 {
            kit.reverse(&number).await?.ok(200)?.has(&[("/outcome", json!("nothing_to_reverse"))])?;
        }
        Ok(())
    })
    .await;
    run.case("reverse.after-void", "撤销过的也冲得成,不再退钱。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?;
        kit.reverse(&held.number).await?.ok(200)?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.order-is-over", "冲正以后用原单号再付:409 ORDER_REVERSED,不能复活。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(100).await?;
        kit.reverse(&held.number).await?.ok(200)?;
        kit.post(PAYMENTS, &order(&held.number, &kit.code().await?, 100)).await?.refused(409, "ORDER_REVERSED")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.capture-afterwards", "冲正以后才到的收款:409 PAYMENT_FINAL,钱不动。", async |kit| {
        let before = kit.has().await?;
        let held = kit.hold(1_000).await?;
        kit.reverse(&held.number).await?.ok(200)?;
        kit.post(&held.step("capture"), &json!({})).await?.refused(409, "PAYMENT_FINAL")?;
        kit.moved(before, 0).await
    })
    .await;
    run.case("reverse.looked-up", "冲正以后凭单号查:什么都不占、收的都退了。", async |kit| {
        let paid = kit.captured(1_000).await?;
        kit.reverse(&paid.number).await?.ok(200)?;
        kit.by_order(&paid.number).await?.ok(200)?.has(&[("/remaining", money(0)), ("/refunded", money(1_000)), ("/outcome", json!("definite"))]).map(drop)
    })
    .await;
    run.case("reverse.order-number", "单号写得不对(超过 64 个字符):422,说明是 order_no。", async |kit| {
        let refused = kit.post(&reverse(&"X".repeat(65)), &json!({})).await?.refused(422, "FIELDS_INVALID")?;
        refused.has(&[("/fields/0/field", json!("order_no"))]).map(drop)
    })
    .await;
}
