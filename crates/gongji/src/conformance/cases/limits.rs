//! What cannot be right is refused whole, with the field's name, and nothing is done.

use crate::conformance::Run;
use crate::conformance::client::{Message, money};
use crate::conformance::kit::{DOOR, PAYMENTS, bill, order};
use serde_json::{Value, json};

/// A hold with one thing wrong: name, sentence, what to put where (`null` takes it away), what comes.
type Wrong = (&'static str, &'static str, &'static str, fn() -> Value, u16, &'static str);
const WRONG: &[Wrong] = &[
    ("limits.unknown-field", "多了不认识的字段:400 JSON_MALFORMED。动钱的请求不能猜。", "/amount", || json!(100), 400, "JSON_MALFORMED"),
    ("limits.unknown-field-in-bill", "账单里多了不认识的字段:400,说明是哪一个字段。", "/bill/discount", || money(1), 400, "JSON_MALFORMED"),
    ("limits.unknown-field-in-money", "金额里多了不认识的字段:400,说明是哪一个字段。", "/bill/own/yuan", || json!(1), 400, "JSON_MALFORMED"),
    ("limits.unknown-payer", "不认识的付款方式:400,说明是哪一个字段。", "/payer", || json!({ "face": "x" }), 400, "JSON_MALFORMED"),
    ("limits.payer-missing", "没有付款人:400,说明是哪一个字段。", "/payer", || Value::Null, 400, "JSON_MALFORMED"),
    ("limits.order-missing", "没有单号:400,说明是哪一个字段。", "/order_no", || Value::Null, 400, "JSON_MALFORMED"),
    ("limits.bill-missing", "没有账单:400,说明是哪一个字段。", "/bill", || Value::Null, 400, "JSON_MALFORMED"),
    ("limits.own-missing", "账单没有自付:400,说明是哪一个字段。", "/bill/own", || Value::Null, 400, "JSON_MALFORMED"),
    ("limits.currency", "币种不是 CNY:400,说明是哪一个字段。", "/bill/own/currency", || json!("USD"), 400, "JSON_MALFORMED"),
    ("limits.currency-missing", "金额没有币种:400,说明是哪一个字段。", "/bill/own/currency", || Value::Null, 400, "JSON_MALFORMED"),
    ("limits.amount-text", "金额写成文字:400,说明是哪一个字段。", "/bill/own/amount", || json!("1000"), 400, "JSON_MALFORMED"),
    ("limits.amount-fraction", "金额有小数(单位已经是分):400,说明是哪一个字段。", "/bill/own/amount", || json!(1000.5), 400, "JSON_MALFORMED"),
    (
        "limits.amount-overflow",
        "金额超过 64 位整数:400,不能绕回去变成负数。",
        "/bill/own/amount",
        || json!(9_223_372_036_854_775_808_u64),
        400,
        "JSON_MALFORMED",
    ),
    ("limits.amount-absurd", "大得不可能的金额:422,说明是哪个字段。", "/bill/total/amount", || json!(i64::MAX), 422, "FIELDS_INVALID"),
    (
        "limits.own-zero",
        "自付 0 元:不用来付,422。",
        "/bill",
        || json!({ "total": money(2_000), "fund": money(2_000), "own": money(0) }),
        422,
        "AMOUNT_TOO_SMALL",
    ),
    (
        "limits.own-negative",
        "自付是负数:422 BILL_UNBALANCED。",
        "/bill",
        || json!({ "total": money(1_000), "fund": money(2_000), "own": money(-1_000) }),
        422,
        "BILL_UNBALANCED",
    ),
    (
        "limits.fund-negative",
        "基金是负数:422 BILL_UNBALANCED。",
        "/bill",
        || json!({ "total": money(500), "fund": money(-500), "own": money(1_000) }),
        422,
        "BILL_UNBALANCED",
    ),
    ("limits.bill-over", "总额比三项之和多一分:422 BILL_UNBALANCED。", "/bill/total", || money(3_001), 422, "BILL_UNBALANCED"),
    ("limits.bill-under", "总额比三项之和少一分:422 BILL_UNBALANCED。", "/bill/total", || money(2_999), 422, "BILL_UNBALANCED"),
    (
        "limits.bill-too-large",
        "一张账单超过 1,000,000 元:422 BILL_TOO_LARGE。",
        "/bill",
        || json!({ "total": money(100_000_001), "fund": money(100_000_000), "own": money(1) }),
        422,
        "BILL_TOO_LARGE",
    ),
    ("limits.order-empty", "单号是空的:422。", "/order_no", || json!(""), 422, "FIELDS_INVALID"),
    ("limits.order-long", "单号超过 64 个字符:422。", "/order_no", || json!("X".repeat(65)), 422, "FIELDS_INVALID"),
    ("limits.order-space", "单号里有空格:422。", "/order_no", || json!("A B"), 422, "FIELDS_INVALID"),
    ("limits.order-chinese", "单号里有汉字:422。", "/order_no", || json!("单号一"), 422, "FIELDS_INVALID"),
    ("limits.code-long", "付款码有一千个字符:404 CODE_UNKNOWN。", "/payer/code", || json!("0".repeat(1_000)), 404, "CODE_UNKNOWN"),
    ("limits.partial-text", "布尔值写成文字:400,说明是哪一个字段。", "/partial", || json!("yes"), 400, "JSON_MALFORMED"),
];

/// Bytes that are no request.
const NOT_JSON: &[(&str, &str, &[u8])] = &[
    ("limits.not-json", "内容不是 JSON:400 JSON_MALFORMED。", b"order_no=1&own=100"),
    ("limits.half-json", "JSON 只有一半:400 JSON_MALFORMED。", b"{\"order_no\":\"1\""),
    ("limits.not-utf8", "内容不是 UTF-8:400 JSON_MALFORMED,不能出 500。", b"{\"order_no\":\"\xff\xfe\"}"),
];

fn put(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(Value::Object(fields)) = body.pointer_mut(parent) {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value);
        }
    }
}

pub async fn play(run: &mut Run<'_>) {
    run.group("格式和限额");
    for (name, says, pointer, value, status, code) in WRONG {
        run.case(name, says, async |kit| {
            let before = kit.has().await?;
            let mut body = order(&kit.number(), &kit.code().await?, 1_000);
            put(&mut body, pointer, value());
            kit.post(PAYMENTS, &body).await?.refused(*status, code)?;
            kit.moved(before, 0).await
        })
        .await;
    }
    for (name, says, bytes) in NOT_JSON {
        run.case(name, says, async |kit| {
            let message = Message::bytes(PAYMENTS, bytes.to_vec()).key(&kit.key());
            kit.send(message).await?.refused(400, "JSON_MALFORMED").map(drop)
        })
        .await;
    }
    run.case("limits.order-longest", "单号正好 64 个字符:可以。", async |kit| {
        let number = format!("{:X<64}", kit.number());
        kit.post(PAYMENTS, &order(&number, &kit.code().await?, 100)).await?.ok(201)?;
        kit.reverse(&number).await?.ok(200).map(drop)
    })
    .await;
    run.case("limits.one-fen", "一分钱也能付。", async |kit| kit.hold(1).await?.answer.has(&[("/held", money(1))]).map(drop)).await;
    run.case("limits.institution-share", "机构承担一部分:总额 = 基金 + 自付 + 机构,平了就办。", async |kit| {
        let mut body = order(&kit.number(), &kit.code().await?, 1_000);
        body["bill"]["institution"] = money(500);
        body["bill"]["total"] = money(3_500);
        kit.post(PAYMENTS, &body).await?.ok(201)?.has(&[("/bill/institution", money(500)), ("/held", money(1_000))]).map(drop)
    })
    .await;
    run.case("limits.no-fund-share", "全部自付的账单(基金 0 元):可以。", async |kit| {
        let mut body = order(&kit.number(), &kit.code().await?, 1_000);
        body["bill"] = json!({ "total": money(1_000), "fund": money(0), "own": money(1_000) });
        kit.post(PAYMENTS, &body).await?.ok(201).map(drop)
    })
    .await;
    run.case("limits.body-too-large", "内容超过 64 KiB:413 BODY_TOO_LARGE。", async |kit| {
        let mut body = bill(100);
        body["padding"] = json!("x".repeat(70_000));
        // It is not read, so that nobody can sign the answer.
        kit.send(Message::post(PAYMENTS, &body).key(&kit.key())).await?.refused_unsigned(413, "BODY_TOO_LARGE").map(drop)
    })
    .await;
    run.case("limits.unknown-query", "不认识的查询参数:400,不能悄悄忽略。", async |kit| {
        kit.get(&format!("{PAYMENTS}?order=1")).await?.refused(400, "JSON_MALFORMED").map(drop)
    })
    .await;
    run.case("limits.unknown-address", "没有的地址:404 ROUTE_UNKNOWN,也是问题文档。", async |kit| {
        kit.get(&format!("{DOOR}/no/such/address")).await?.refused_unsigned(404, "ROUTE_UNKNOWN").map(drop)
    })
    .await;
    run.case("limits.wrong-method", "地址对、方法不对:405 METHOD_NOT_ALLOWED。", async |kit| {
        kit.get(&format!("{DOOR}/quotes")).await?.refused(405, "METHOD_NOT_ALLOWED").map(drop)
    })
    .await;
    run.case("limits.unknown-field-in-capture", "收款里多了不认识的字段:400,一分不收。", async |kit| {
        let held = kit.hold(100).await?;
        kit.post(&held.step("capture"), &json!({ "sum": 100 })).await?.refused(400, "JSON_MALFORMED")?;
        kit.by_order(&held.number).await?.ok(200)?.has(&[("/state", json!("held"))]).map(drop)
    })
    .await;
    run.case("limits.unknown-field-in-refund", "退费里多了不认识的字段:400,一分不退。", async |kit| {
        let paid = kit.captured(100).await?;
        kit.post(&paid.step("refund"), &json!({ "sum": 100 })).await?.refused(400, "JSON_MALFORMED")?;
        kit.by_order(&paid.number).await?.ok(200)?.has(&[("/refunded", money(0))]).map(drop)
    })
    .await;
}
