//! Every "no" is a problem document (RFC 9457) with our fields: people read it, programs decide by its code.

use crate::conformance::client::{Answer, is, money, same};
use crate::conformance::kit::{Kit, PAYMENTS, order};
use crate::conformance::{Checked, Run};
use serde_json::{Value, json};

async fn too_much(kit: &Kit) -> Checked<Answer> {
    let (personal, wallet) = kit.has().await?;
    let body = order(&kit.number(), &kit.code().await?, personal + wallet + 1);
    kit.post(PAYMENTS, &body).await?.refused(409, "INSUFFICIENT_FUNDS")
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

pub async fn play(run: &mut Run<'_>) {
    run.group("问题文档");
    run.case("problem.type", "type 是 urn:gongji:error: 加代码。", async |kit| {
        too_much(kit).await?.has(&[("/type", json!("urn:gongji:error:INSUFFICIENT_FUNDS"))]).map(drop)
    })
    .await;
    run.case("problem.status", "内容里的 status 和 HTTP 状态码一样。", async |kit| too_much(kit).await?.has(&[("/status", json!(409))]).map(drop)).await;
    run.case("problem.words", "title 和 next_step 是中文,title_en 是英文:收费员要读得懂。", async |kit| {
        let answer = too_much(kit).await?;
        is(is_chinese(&answer.text("/title")?) && is_chinese(&answer.text("/next_step")?) && !is_chinese(&answer.text("/title_en")?), "说法不对")
    })
    .await;
    run.case("problem.retryable", "说明同样的请求以后会不会成。", async |kit| {
        is(too_much(kit).await?.at("/retryable").is_boolean(), "没有 retryable")
    })
    .await;
    run.case("problem.trace", "有编号(trace_id),好让人来问。", async |kit| is(!too_much(kit).await?.text("/trace_id")?.is_empty(), "没有 trace_id")).await;
    run.case("problem.reasons", "原因都列在 reasons 里,不只最上面那一个。", async |kit| {
        let mut body = order(&kit.number(), &kit.code().await?, 1_000);
        body["bill"]["total"] = money(1);
        let message = crate::conformance::client::Message::post(PAYMENTS, &body).key(&kit.key());
        let answer = kit.send_as(&kit.elsewhere, message).await?.refused(422, "BILL_UNBALANCED")?;
        let codes: Vec<&str> = answer.at("/reasons").as_array().into_iter().flatten().filter_map(|reason| reason["code"].as_str()).collect();
        is(codes.contains(&"BILL_UNBALANCED"), format!("reasons 里是 {codes:?}"))
    })
    .await;
    run.case("problem.first-reason-on-top", "最上面的代码就是 reasons 的第一个。", async |kit| {
        let answer = too_much(kit).await?;
        same("最上面的代码", &answer.at("/code").clone(), &answer.at("/reasons/0/code").clone())
    })
    .await;
    run.case("problem.fields", "字段写错时,fields 里要有字段的路径、中文和英文说明。", async |kit| {
        let mut body = order(&kit.number(), &kit.code().await?, 1_000);
        body["bill"]["own"]["amount"] = json!("x");
        let answer = kit.post(PAYMENTS, &body).await?.refused(400, "JSON_MALFORMED")?;
        let field = answer.at("/fields/0").clone();
        same("字段", &field["field"], &json!("bill.own.amount"))?;
        is(field["message"].as_str().is_some_and(is_chinese) && field["message_en"].is_string(), "字段的说明不全")
    })
    .await;
    run.case("problem.current-state", "和状态冲突时说明现在是什么状态。", async |kit| {
        let held = kit.hold(100).await?;
        kit.post(&held.step("void"), &json!({})).await?.ok(200)?;
        let answer = kit.post(&held.step("capture"), &json!({})).await?.refused(409, "PAYMENT_FINAL")?;
        answer.has(&[("/current_state", json!("voided"))]).map(drop)
    })
    .await;
    run.case("problem.says-no-person", "拒绝的话里没有付款人的姓名、身份证号、余额以外的东西。", async |kit| {
        let answer = too_much(kit).await?;
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        is(!text.contains(&kit.payer.name) && !text.contains(&kit.payer.id_number), "拒绝的话里有付款人的个人信息")
    })
    .await;
    run.case("problem.address-of-nobody", "没有的地址也是问题文档,不是一张网页。", async |kit| {
        let answer = kit.get("/api/v1/nothing").await?.refused_unsigned(404, "ROUTE_UNKNOWN")?;
        is(answer.at("/title") != &Value::Null, "没有 title")
    })
    .await;
}
