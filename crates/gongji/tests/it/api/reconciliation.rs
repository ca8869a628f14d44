//! Reconciliation over the interface and on the institution's page: its own file comes back clean, every change to it is found.

use super::world::*;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;
const PAYMENTS: &str = "/institutions/payments";
const TODAY: &str = "/institutions/reconciliations/days/2026-11-23";
const SENT_TODAY: &str = "/institutions/reconciliations?day=2026-11-23&clr_type=11&insutype=310";

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

/// Holds `own` for an order and gives the payment's id.
async fn hold(payer: &Caller<'_>, hospital: &Caller<'_>, number: &str, own: i64) -> String {
    let code = payer.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    let bill = json!({ "total": yuan(own + 2_000), "fund": yuan(2_000), "own": yuan(own) });
    hospital.ask(PAYMENTS, &json!({ "order_no": number, "payer": { "code": code }, "bill": bill })).await.expect(CREATED).text("payment")
}

async fn step(hospital: &Caller<'_>, payment: &str, step: &str, body: &Value) {
    hospital.ask(&format!("{PAYMENTS}/{payment}/{step}"), body).await.expect(OK);
}

/// A day with every kind of line: whole, in parts, refunded in part, voided, reversed.
async fn a_day(world: &World) {
    let (wife, hospital) = (world.logged_in(&WIFE).await, world.institution(HOSPITAL));
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    let whole = hold(&wife, &hospital, "A1", 1_200).await;
    step(&hospital, &whole, "capture", &json!({ "last": true })).await;
    let parts = hold(&wife, &hospital, "A2", 5_000).await;
    step(&hospital, &parts, "capture", &json!({ "amount": yuan(3_000) })).await;
    step(&hospital, &parts, "capture", &json!({ "amount": yuan(2_000), "last": true })).await;
    let refunded = hold(&wife, &hospital, "A3", 700).await;
    step(&hospital, &refunded, "capture", &json!({ "last": true })).await;
    step(&hospital, &refunded, "refund", &json!({ "amount": yuan(300) })).await;
    let voided = hold(&wife, &hospital, "A4", 900).await;
    step(&hospital, &voided, "void", &json!({})).await;
    let reversed = hold(&wife, &hospital, "A5", 400).await;
    step(&hospital, &reversed, "capture", &json!({ "last": true })).await;
    hospital.ask(&format!("{PAYMENTS}/by-order/A5/reverse"), &json!({})).await.expect(OK);
}

async fn send(caller: &Caller<'_>, path: &str, file: impl Into<Body>) -> Reply {
    let mut request = caller.request(Method::POST, path, None, file.into());
    request.headers_mut().insert("content-type", "text/csv".parse().unwrap());
    caller.world.send(request).await
}

fn kinds(reply: &Reply) -> Vec<String> {
    let counts = reply.body["result"]["counts"].as_array().unwrap();
    counts.iter().map(|count| format!("{} {}", count["count"], count["kind"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_own_lines_come_back_without_a_break_and_every_change_is_found() {
    let world = World::new(4).await;
    a_day(&world).await;
    let (hospital, pharmacy) = (world.institution(HOSPITAL), world.institution(PHARMACY));

    // Totals: five lines, the undone ones in none of them.
    let told = hospital.get(TODAY).await.expect(OK);
    let totals = json!({ "lines": 5, "refunds": 1, "total": yuan(12_600), "fund": yuan(6_000), "own": yuan(6_600) });
    assert_eq!(told.body["classes"], json!([{ "clr_type": 11, "insutype": 310, "totals": totals }]));
    let ask = |totals: &Value| json!({ "clr_type": 11, "insutype": 310, "totals": totals });
    assert_eq!(hospital.post(&format!("{TODAY}/check"), &ask(&totals)).await.expect(OK).body["agrees"], true);
    let mut less = totals.clone();
    less["own"] = yuan(6_599);
    let differ = hospital.post(&format!("{TODAY}/check"), &ask(&less)).await.expect(OK);
    assert_eq!((&differ.body["agrees"], differ.fen("/ours/own"), differ.fen("/theirs/own")), (&json!(false), 6_600, 6_599));
    assert_eq!(pharmacy.get(TODAY).await.expect(OK).body["classes"], json!([]));
    for day in ["2026-11-24", "2026-08-01", "yesterday"] {
        hospital.get(&format!("/institutions/reconciliations/days/{day}")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }

    // Our own files agree, in every form.
    for form in ["encoding=utf-8-bom", "encoding=gbk", "form=tab"] {
        let lines = hospital.get(&format!("{TODAY}/lines.csv?clr_type=11&insutype=310&{form}")).await.expect(OK);
        assert!(lines.headers["content-disposition"].to_str().unwrap().contains("2026-11-23-11-310"));
        let sent = send(&hospital, SENT_TODAY, lines.bytes).await.expect(OK);
        assert_eq!(
            (sent.text("state"), sent.body["open_count"].as_u64(), sent.body["result"]["matched"].as_u64()),
            ("done".into(), Some(0), Some(5)),
            "{form}"
        );
    }

    // A file with something wrong in every line, and a line of an order that was voided.
    let file = "mdtrt_id,acct_pay,refd_setl_flag\r\nA1,12.01,0\r\nA2,50.00,0\r\nA3,7.00,0\r\nA3,3.00,0\r\nA4,9.00,0\r\nZ9,1.00,0\r\n";
    let sent = send(&hospital, SENT_TODAY, file).await.expect(OK);
    let expected = ["1 PAYMENT_MISSING_OURS", "1 AMOUNT_DIFFERS", "1 SIGN_REVERSED", "1 CAPTURES_SUMMED", "1 UNDONE_LISTED"];
    assert_eq!(kinds(&sent), expected);
    assert_eq!((sent.body["open_count"].as_u64(), sent.fen("/result/difference")), (Some(4), 1 + 600 + 900 + 100));
    let id = sent.text("id");
    assert_eq!(send(&hospital, SENT_TODAY, file).await.expect(OK).text("id"), id, "a file is compared under one number");
    let breaks = hospital.get(&format!("/institutions/reconciliations/{id}/breaks?limit=2")).await.expect(OK);
    assert_eq!((breaks.body["breaks"].as_array().unwrap().len(), breaks.body["next"].as_u64()), (2, Some(2)));
    let rest = hospital.get(&format!("/institutions/reconciliations/{id}/breaks?after=2")).await.expect(OK);
    let all: i64 =
        [&breaks, &rest].iter().flat_map(|page| page.body["breaks"].as_array().unwrap()).map(|one| one["difference"]["amount"].as_i64().unwrap()).sum();
    assert_eq!(all, 1_601, "the breaks explain the difference");
    let gbk = hospital.get(&format!("/institutions/reconciliations/{id}/breaks.csv?encoding=gbk")).await.expect(OK);
    assert_eq!(gbk.headers["content-type"], "text/csv; charset=gb18030");

    // A bad file is refused as a whole.
    let bad = send(&hospital, SENT_TODAY, "mdtrt_id,acct_pay,refd_setl_flag\r\nA1,12.00,0\r\nA2,x,0\r\n").await.expect(OK);
    assert_eq!((bad.text("state"), bad.body["bad_lines"][0]["line"].as_u64(), bad.body.get("result")), ("refused".into(), Some(3), None));

    // Nobody else's.
    pharmacy.get(&format!("/institutions/reconciliations/{id}")).await.refused(404, "NOT_FOUND");
    pharmacy.get(&format!("/institutions/reconciliations/{id}/breaks.csv")).await.refused(404, "NOT_FOUND");
    world.guest().get("/institutions/reconciliations").await.refused(401, "INSTITUTION_KEY_REQUIRED");
    let listed = hospital.get("/institutions/reconciliations?day=2026-11-23").await.expect(OK);
    assert_eq!(listed.body["reconciliations"].as_array().unwrap().len(), 5);
    drop((hospital, pharmacy));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_file_is_compared_anew_only_while_its_day_could_change() {
    let world = World::new(1).await;
    let hospital = world.institution(HOSPITAL);
    let file = "mdtrt_id,acct_pay,refd_setl_flag\r\nA1,12.00,0\r\n";
    let first = send(&hospital, SENT_TODAY, file).await.expect(OK);
    assert_eq!(kinds(&first), ["1 PAYMENT_MISSING_OURS"]);
    a_day(&world).await;
    let again = send(&hospital, SENT_TODAY, file).await.expect(OK);
    assert_eq!(again.text("id"), first.text("id"));
    assert_eq!(kinds(&again), ["3 PAYMENT_MISSING_THEIRS", "1 REFUND_MISSING_THEIRS"]);
    assert!(world.clock.set(start_of_clock() + 86_400_000));
    let settled = send(&hospital, SENT_TODAY, file).await.expect(OK);
    let last = send(&hospital, SENT_TODAY, file).await.expect(OK);
    assert_eq!(settled.text("made_at"), last.text("made_at"));
    // A refund of the next day is the next day's.
    let payment = hospital.get(&format!("{PAYMENTS}/by-order/A1")).await.expect(OK).text("payment");
    step(&hospital, &payment, "refund", &json!({})).await;
    let tomorrow = hospital.get("/institutions/reconciliations/days/2026-11-24").await.expect(OK);
    assert_eq!((tomorrow.body["classes"][0]["totals"]["refunds"].as_u64(), tomorrow.fen("/classes/0/totals/total")), (Some(1), -3_200));
    assert_eq!(hospital.get(TODAY).await.expect(OK).fen("/classes/0/totals/own"), 6_600);
}

fn page(path: &str, token: Option<&String>) -> Request<Body> {
    let mut request = Request::builder().uri(path).header("host", "localhost").header("accept", "text/html");
    if let Some(token) = token {
        request = request.header("cookie", format!("gongji_till={token}"));
    }
    request.body(Body::empty()).unwrap()
}

fn form(token: &str, parts: &[(&str, &str)]) -> Request<Body> {
    let mut body = String::new();
    for (name, value) in parts {
        let file = if *name == "file" { "; filename=\"a.csv\"" } else { "" };
        body += &format!("--X\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n");
    }
    body += "--X--\r\n";
    let request = Request::builder().method(Method::POST).uri("/institution/files").header("host", "localhost").header("origin", "http://localhost");
    let request = request.header("accept", "text/html").header("cookie", format!("gongji_till={token}"));
    request.header("content-type", "multipart/form-data; boundary=X").body(body.into()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_institution_looks_at_its_day_and_sends_a_file_without_script() {
    let world = World::new(1).await;
    let hospital = world.institution(HOSPITAL);
    let token = hospital.token.clone().unwrap();
    let text = |reply: &Reply| String::from_utf8(reply.bytes.clone()).unwrap();
    let away = world.send(page("/institution", None)).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(away.headers["location"], "/cashier/login?back=/institution");
    let login = world.send(page("/cashier/login?back=/institution", None)).await.expect(OK);
    assert!(text(&login).contains("name=\"back\" value=\"/institution\""));
    let empty = world.send(page("/institution", Some(&token))).await.expect(OK);
    assert!(text(&empty).contains("今天还没有收款和退费") && text(&empty).contains("还没有传过文件"));
    // What citizens are told of each of its terminals, in their words.
    let ways = |page: &str| {
        ["窗口", "自助机", "手机"].map(|way| page.split(&format!("<strong>{way}</strong><span>")).nth(1).unwrap().split('<').next().unwrap().to_owned())
    };
    assert_eq!(ways(&text(&empty)), ["7 天没付成过", "未开通", "未开通"]);
    a_day(&world).await;
    gongji::activity::catch_up(&world.app, 1).await.unwrap();
    let shown = text(&world.send(page("/institution", Some(&token))).await.expect(OK));
    for words in ["门诊 · 职工医保", "¥66.00", "4 笔", "A3", "已取消"] {
        assert!(shown.contains(words), "{words}");
    }
    assert_eq!(ways(&shown), ["可用", "未开通", "未开通"]);
    let csv = world.send(page("/institution/lines.csv?day=2026-11-23&class=11-310&encoding=gbk", Some(&token))).await.expect(OK);
    assert_eq!(text(&csv).lines().count(), 6);
    for (parts, words) in [
        (&[("day", "2026-11-23"), ("class", "11-310"), ("file", "")][..], "先选要对的明细文件"),
        (&[("day", "2026-11-23"), ("class", ""), ("file", "x")], "先选这是哪一类"),
        (&[("day", "2027-01-01"), ("class", "11-310"), ("file", "x")], "这一天还没有到"),
    ] {
        let wrong = world.send(form(&token, parts)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text(&wrong).contains(words), "{words}");
    }
    for (file, words) in
        [("mdtrt_id,acct_pay,refd_setl_flag\r\nA1,12.01,0\r\n", "金额不一样"), ("mdtrt_id,acct_pay,refd_setl_flag\r\nA1,12.0x,0\r\n", "文件没有用上")]
    {
        let sent = world.send(form(&token, &[("day", "2026-11-23"), ("class", "11-310"), ("file", file)])).await.expect(StatusCode::SEE_OTHER);
        let path = sent.headers["location"].to_str().unwrap();
        assert!(text(&world.send(page(path, Some(&token))).await.expect(OK)).contains(words), "{words}");
        let other = world.institution(PHARMACY).token.unwrap();
        world.send(page(path, Some(&other))).await.expect(StatusCode::NOT_FOUND);
    }
}
