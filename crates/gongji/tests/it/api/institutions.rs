//! The door of institutions: codes looked at and quoted, trouble made to order, and nobody's orders but their own.

use super::world::*;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::Service;

const CREATED: StatusCode = StatusCode::CREATED;
const OK: StatusCode = StatusCode::OK;
const PAYMENTS: &str = "/institutions/payments";

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

fn bill(own: i64) -> Value {
    json!({ "total": yuan(own + 2_000), "fund": yuan(2_000), "own": yuan(own) })
}

fn order(number: &str, code: &str, own: i64) -> Value {
    json!({ "order_no": number, "payer": { "code": code }, "bill": bill(own) })
}

/// She has 3,000 yuan of her own, and her wallet for Luzhou.
async fn wife(world: &World) -> Caller<'_> {
    let wife = world.logged_in(&WIFE).await;
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    wife
}

async fn code(payer: &Caller<'_>, first: &str) -> String {
    payer.ask("/payment-codes", &json!({ "first": first })).await.expect(CREATED).text("code")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_decoded_without_using_it_and_tells_no_more_than_a_payment_needs() {
    let world = World::new(4).await;
    let (wife, hospital, pharmacy) = (wife(&world).await, world.institution(HOSPITAL), world.institution(PHARMACY));
    let shown = code(&wife, "personal_account").await;
    let decode = |code: &str, own: Option<i64>| {
        let mut asked = json!({ "code": code });
        if let Some(own) = own {
            asked["own"] = yuan(own);
        }
        asked
    };
    // Where it could not pay it is not read either, and stays free for where it can.
    pharmacy.post("/institutions/codes/decode", &decode(&shown, None)).await.refused(409, "WRONG_PLACE");
    let told = hospital.post("/institutions/codes/decode", &decode(&shown, None)).await.expect(OK);
    let mut fields: Vec<&String> = told.body.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["expires_at", "payer"], "no balance, no number, no phone");
    assert_eq!(told.text("payer"), "陈*");
    // As much of the bill as can be paid, not what there is.
    assert_eq!(hospital.post("/institutions/codes/decode", &decode(&shown, Some(1_200))).await.expect(OK).fen("/payable"), 1_200);
    assert_eq!(hospital.post("/institutions/codes/decode", &decode(&shown, Some(500_000))).await.expect(OK).fen("/payable"), 300_000);
    pharmacy.post("/institutions/codes/decode", &decode(&shown, None)).await.refused(409, "CODE_ELSEWHERE");
    hospital.post("/institutions/codes/decode", &decode("0000000000000000000", None)).await.refused(404, "CODE_UNKNOWN");
    // Often as it was looked at, it still pays, once.
    hospital.ask(PAYMENTS, &order("D-1", &shown, 1_200)).await.expect(CREATED);
    hospital.post("/institutions/codes/decode", &decode(&shown, None)).await.refused(409, "CODE_USED");
    let replaced = code(&wife, "wallet").await;
    let late = code(&wife, "wallet").await;
    hospital.post("/institutions/codes/decode", &decode(&replaced, None)).await.refused(409, "CODE_EXPIRED");
    assert!(world.clock.set(start_of_clock() + 60_000));
    hospital.post("/institutions/codes/decode", &decode(&late, None)).await.refused(409, "CODE_EXPIRED");
    drop((wife, hospital, pharmacy));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quote_says_what_is_paid_from_where_and_holds_nothing() {
    let world = World::new(4).await;
    let (wife, son, hospital) = (wife(&world).await, world.logged_in(&SON).await, world.institution(HOSPITAL));
    let gift = son.transfer_body(&SON, &WIFE, "10", 80_000).await;
    let gift = son.ask("/transfers", &gift).await.expect(CREATED).text("id");
    world.app.engine.settle().await.unwrap();
    wife.ask(&format!("/transfers/{gift}/accept"), &json!({})).await.expect(OK);
    let shown = code(&wife, "wallet").await;
    let quote = |own: i64| json!({ "code": shown, "bill": bill(own) });
    world.institution(PHARMACY).post("/institutions/quotes", &quote(1_000)).await.refused(409, "WRONG_PLACE");
    let whole = hospital.post("/institutions/quotes", &quote(100_000)).await.expect(OK);
    assert_eq!((whole.fen("/wallet"), whole.fen("/personal_account"), whole.fen("/cash")), (80_000, 20_000, 0));
    let lots = &whole.body["wallet_lots"];
    assert_eq!(
        (lots[0]["area"]["code"].as_str(), lots[0]["kind"].as_str(), lots[0]["amount"]["amount"].as_i64()),
        (Some("370100"), Some("transfer"), Some(80_000))
    );
    assert!(lots[0].get("contributor").is_none(), "who gave it is nobody's business at a counter");
    let short = hospital.post("/institutions/quotes", &quote(400_000)).await.expect(OK);
    assert_eq!((short.fen("/wallet"), short.fen("/personal_account"), short.fen("/cash")), (80_000, 300_000, 20_000));
    hospital.post("/institutions/quotes", &quote(0)).await.refused(422, "AMOUNT_TOO_SMALL");
    world.institution(PHARMACY).post("/institutions/quotes", &quote(1_000)).await.refused(409, "CODE_ELSEWHERE");
    assert_eq!(wife.get("/wallet").await.expect(OK).fen("/balance"), 80_000);
    hospital.ask(PAYMENTS, &order("Q-1", &shown, 100_000)).await.expect(CREATED);
    drop((wife, son, hospital));
    world.verify();
}

/// Without a phone the same is asked with number and password; the hold keeps to it, and nobody else may use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quote_is_made_at_the_keypad_too() {
    let world = World::new(4).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let keypad = |password: &str| json!({ "id_number": WIFE.1, "password": password, "first": "personal_account" });
    let quote = |password: &str, own: i64| json!({ "keypad": keypad(password), "bill": bill(own) });
    let hold = |number: &str, own: i64, quote: &str| json!({ "order_no": number, "payer": { "keypad": keypad(&password(WIFE.2)) }, "bill": bill(own), "quote": quote });
    let said = hospital.post("/institutions/quotes", &quote(&password(WIFE.2), 400_000)).await.expect(OK);
    assert_eq!((said.text("payer").as_str(), said.fen("/personal_account"), said.fen("/cash")), ("陈*", 300_000, 100_000));
    assert!(said.body.get("expires_at").is_none(), "there is no code that could end");
    let said = hospital.post("/institutions/quotes", &quote(&password(WIFE.2), 1_000)).await.expect(OK).text("quote");
    hospital.ask(PAYMENTS, &hold("K-1", 1_001, &said)).await.refused(409, "QUOTE_STALE");
    hospital.ask(PAYMENTS, &hold("K-2", 1_000, &said)).await.expect(CREATED);
    // A wrong password counts as everywhere, and a bill that is none is told before any password is tried.
    hospital.post("/institutions/quotes", &quote("918273", 1_000)).await.refused(403, "LOGIN_REFUSED");
    hospital.post("/institutions/quotes", &quote("918273", 0)).await.refused(422, "AMOUNT_TOO_SMALL");
    let both = json!({ "code": code(&wife, "wallet").await, "keypad": keypad(&password(WIFE.2)), "bill": bill(1_000) });
    for odd in [both, json!({ "bill": bill(1_000) })] {
        hospital.post("/institutions/quotes", &odd).await.refused(422, "FIELDS_INVALID");
    }
    drop((wife, hospital));
    world.verify();
}

/// Read once, a code lives a while at the till that read it, for what it was read for; the payer sees who has it, and a new code takes it away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decoded_code_lives_on_where_it_was_decoded() {
    let world = World::new(4).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let shown = code(&wife, "personal_account").await;
    let read = hospital.post("/institutions/codes/decode", &json!({ "code": shown, "business": "outpatient" })).await.expect(OK);
    assert!(world.clock.set(start_of_clock() + 200_000));
    let status = wife.post("/payment-codes/status", &json!({ "code": shown })).await.expect(OK);
    assert_eq!((status.text("state").as_str(), status.text("expires_at")), ("active", read.text("expires_at")));
    let mut stay = order("D-2", &shown, 1_000);
    stay["business"] = json!("inpatient");
    hospital.ask(PAYMENTS, &stay).await.refused(409, "CODE_ELSEWHERE");
    hospital.ask(PAYMENTS, &order("D-3", &shown, 1_000)).await.expect(CREATED);
    let taken = code(&wife, "personal_account").await;
    hospital.post("/institutions/codes/decode", &json!({ "code": taken })).await.expect(OK);
    code(&wife, "personal_account").await;
    hospital.ask(PAYMENTS, &order("D-4", &taken, 1_000)).await.refused(409, "CODE_EXPIRED");
    drop((wife, hospital));
    world.verify();
}

/// A stay is held for thirty days and captured in parts; what nobody captured goes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stay_is_held_for_a_month_and_a_visit_for_a_day() {
    const DAY: i64 = 24 * 3_600_000;
    let world = World::new(4).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let mut stay = order("S-1", &code(&wife, "personal_account").await, 10_000);
    stay["business"] = json!("inpatient");
    let stay = hospital.ask(PAYMENTS, &stay).await.expect(CREATED);
    let visit = hospital.ask(PAYMENTS, &order("S-2", &code(&wife, "personal_account").await, 500)).await.expect(CREATED);
    let ends = |held: &Reply| gongji::time::parse_rfc3339(&held.text("deadline")).unwrap() - gongji::time::parse_rfc3339(&held.text("occurred_at")).unwrap();
    assert_eq!((ends(&stay), ends(&visit)), (30 * DAY, DAY));
    let part = |amount: i64| json!({ "amount": yuan(amount) });
    let capture = format!("/institutions/payments/{}/capture", stay.text("payment"));
    for (day, amount) in [(3, 2_000), (17, 3_000)] {
        assert!(world.clock.set(start_of_clock() + day * DAY));
        assert_eq!(hospital.ask(&capture, &part(amount)).await.expect(OK).text("state"), "partly_captured");
    }
    assert!(world.clock.set(start_of_clock() + 31 * DAY));
    world.app.engine.nudge().await.unwrap();
    world.app.engine.settle().await.unwrap();
    let ended = hospital.get("/institutions/payments/by-order/S-1").await.expect(OK);
    assert_eq!((ended.text("state").as_str(), ended.fen("/captured"), ended.fen("/remaining")), ("captured", 5_000, 0));
    hospital.ask(&capture, &part(1)).await.refused(409, "PAYMENT_FINAL");
    assert_eq!(hospital.get("/institutions/payments/by-order/S-2").await.expect(OK).text("state"), "expired");
    drop((wife, hospital));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_institution_s_orders_look_like_none() {
    let world = World::new(4).await;
    let (wife, hospital, pharmacy) = (wife(&world).await, world.institution(HOSPITAL), world.institution(PHARMACY));
    let held = hospital.ask(PAYMENTS, &order("O-1", &code(&wife, "personal_account").await, 1_000)).await.expect(CREATED).text("payment");
    let asked = json!({ "order_no": "O-2", "id_number": CHILD.1, "bill": bill(1_000) });
    let request = hospital.post("/institutions/payment-requests", &asked).await.expect(StatusCode::ACCEPTED).text("id");
    let hook = hospital.post("/institutions/webhooks", &json!({ "url": "http://127.0.0.1:9/" })).await.expect(CREATED).text("id");
    let nothing = uuid::Uuid::nil().to_string();
    // What is somebody else's, and beside it what nobody has: one answer.
    for (method, theirs, nobodys) in [
        ("GET", format!("/institutions/payments/{held}"), format!("/institutions/payments/{nothing}")),
        ("GET", "/institutions/payments/by-order/O-1".to_owned(), "/institutions/payments/by-order/O-9".to_owned()),
        ("POST", format!("/institutions/payments/{held}/capture"), format!("/institutions/payments/{nothing}/capture")),
        ("POST", format!("/institutions/payments/{held}/void"), format!("/institutions/payments/{nothing}/void")),
        ("POST", format!("/institutions/payments/{held}/refund"), format!("/institutions/payments/{nothing}/refund")),
        ("GET", format!("/institutions/payment-requests/{request}"), format!("/institutions/payment-requests/{nothing}")),
        ("GET", format!("/institutions/webhooks/{hook}"), "/institutions/webhooks/0000000000000001".to_owned()),
        ("DELETE", format!("/institutions/webhooks/{hook}"), "/institutions/webhooks/0000000000000001".to_owned()),
        ("POST", format!("/institutions/webhooks/{hook}/secret"), "/institutions/webhooks/0000000000000001/secret".to_owned()),
        ("POST", format!("/institutions/webhooks/{hook}/try"), "/institutions/webhooks/0000000000000001/try".to_owned()),
        ("GET", format!("/institutions/webhooks/{hook}/attempts"), "/institutions/webhooks/0000000000000001/attempts".to_owned()),
    ] {
        let mut answers = Vec::new();
        for path in [theirs, nobodys] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let mut reply = world.send(pharmacy.request(method, &path, Some(&world.key()), Body::from("{}"))).await.refused(404, "NOT_FOUND");
            reply.body["trace_id"] = Value::Null;
            answers.push(reply.body);
        }
        assert_eq!(answers[0], answers[1]);
    }
    // Its own list is empty; its reversal of that number is about a number of its own.
    assert_eq!(pharmacy.get(PAYMENTS).await.expect(OK).body["orders"], json!([]));
    assert_eq!(pharmacy.get("/institutions/webhooks").await.expect(OK).body["webhooks"], json!([]));
    let reversed = pharmacy.ask("/institutions/payments/by-order/O-1/reverse", &json!({})).await.expect(OK);
    assert_eq!(reversed.text("outcome"), "nothing_to_reverse");
    assert_eq!(hospital.get("/institutions/payments/by-order/O-1").await.expect(OK).text("state"), "held");
    drop((wife, hospital, pharmacy));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_addressed_before_the_door_had_a_name_is_still_answered() {
    let world = World::new(1).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let held = hospital.ask("/payments", &order("B-1", &code(&wife, "personal_account").await, 1_000)).await.expect(CREATED).text("payment");
    hospital.ask(&format!("/payments/{held}/capture"), &json!({})).await.expect(OK);
    assert_eq!(hospital.get("/payments/by-order/B-1").await.expect(OK).text("state"), "captured");
    assert_eq!(hospital.get("/institutions/payments/by-order/B-1").await.expect(OK).text("state"), "captured");
}

/// A request with `Test-Fault`.
fn troubled(caller: &Caller<'_>, fault: &str, key: &str, path: &str, body: &Value) -> Request<Body> {
    let mut request = caller.request(Method::POST, path, Some(key), body.to_string().into());
    request.headers_mut().insert("test-fault", fault.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_rehearsed_and_found_again_by_the_same_key() {
    let world = World::new(4).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let body = order("L-1", &code(&wife, "personal_account").await, 1_000);
    let lost = world.router.clone().call(troubled(&hospital, "lost-reply", "l", PAYMENTS, &body)).await.unwrap();
    assert!(axum::body::to_bytes(lost.into_body(), usize::MAX).await.is_err(), "the connection breaks");
    let again = hospital.ask_as("l", PAYMENTS, &body).await.expect(CREATED);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(hospital.get("/institutions/payments/by-order/L-1").await.expect(OK).fen("/held"), 1_000);
    drop((wife, hospital));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_on_the_way_has_one_effect() {
    let world = World::new(4).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let body = order("T-1", &code(&wife, "personal_account").await, 1_000);
    let held = world.send(troubled(&hospital, "duplicate", "t", PAYMENTS, &body)).await.expect(CREATED);
    assert!(!held.headers.contains_key("idempotency-replayed"));
    let capture = format!("{PAYMENTS}/{}/capture", held.text("payment"));
    let captured = world.send(troubled(&hospital, "duplicate", "c", &capture, &json!({ "amount": yuan(400) }))).await.expect(OK);
    assert_eq!((captured.fen("/captured"), captured.fen("/remaining")), (400, 600));
    drop((wife, hospital));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_request_waits_for_the_sandboxs_clock() {
    let world = World::new(4).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let body = order("S-1", &code(&wife, "personal_account").await, 1_000);
    let mut router = world.router.clone();
    let mut calling = std::pin::pin!(router.call(troubled(&hospital, "slow=3s", "s", PAYMENTS, &body)));
    // Sent; while the clock stands it is on its way, and nothing has been heard of it.
    tokio::select! {
        biased;
        _ = &mut calling => panic!("answered before its time"),
        () = std::future::ready(()) => {}
    }
    hospital.get("/institutions/payments/by-order/S-1").await.refused(404, "NOT_FOUND");
    assert!(world.clock.set(start_of_clock() + 3_000));
    assert_eq!(calling.await.unwrap().status(), CREATED);
    assert_eq!(hospital.get("/institutions/payments/by-order/S-1").await.expect(OK).text("state"), "held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_rehearsed_in_the_words_of_a_real_one() {
    let world = World::new(1).await;
    let (wife, hospital) = (wife(&world).await, world.institution(HOSPITAL));
    let body = order("R-1", &code(&wife, "personal_account").await, 1_000);
    let send = |fault: String| world.send(troubled(&hospital, &fault, "r", PAYMENTS, &body));
    for entry in gongji::problem::entries() {
        let reply = send(format!("decline={}", entry.code)).await.refused(entry.status, entry.code);
        assert_eq!(reply.text("title_en"), entry.title_en);
    }
    for wrong in ["", "decline=", "decline=NO_SUCH_CODE", "slow", "slow=0s", "slow=11s", "slow=3", "lost_reply", "duplicate=2"] {
        send(wrong.to_owned()).await.refused(422, "FIELDS_INVALID");
    }
    // None of it was carried out, and the key is still free.
    hospital.ask_as("r", PAYMENTS, &body).await.expect(CREATED);
    // It is about institutions alone.
    world.send(troubled(&wife, "decline=BUSY", "w", "/payment-codes", &json!({ "first": "wallet" }))).await.expect(CREATED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_has_no_trouble_made_to_order() {
    let world = World::production_by_bearer(vec!["localhost".to_owned()]).await;
    let hospital = world.institution(HOSPITAL);
    for fault in ["lost-reply", "duplicate", "slow=3s", "decline=BUSY", "nonsense"] {
        let mut request = hospital.request(Method::GET, PAYMENTS, None, Body::empty());
        request.headers_mut().insert("test-fault", fault.parse().unwrap());
        assert_eq!(world.send(request).await.expect(OK).body["orders"], json!([]), "{fault}");
    }
}
