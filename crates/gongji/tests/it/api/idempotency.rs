//! One key, one effect, one answer.

use super::world::*;
use axum::http::StatusCode;
use serde_json::{Value, json};

const CREATED: StatusCode = StatusCode::CREATED;
const OK: StatusCode = StatusCode::OK;

/// The first answer again: status, body, and what the headers say of it.
#[track_caller]
fn assert_repeats(first: &Reply, again: &Reply) {
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes), "{}", String::from_utf8_lossy(&again.bytes));
    for name in ["content-type", "location"] {
        assert_eq!(first.headers.get(name), again.headers.get(name), "{name}");
    }
    assert_eq!(first.headers.get("idempotency-replayed"), None);
    assert_eq!(again.headers["idempotency-replayed"], "true");
}

async fn two_hundred(parts: u16) {
    let world = World::new(parts).await;
    let son = world.logged_in(&SON).await;
    let body = son.transfer_body(&SON, &MOTHER, "52", 12_300).await;
    let many = (0..200).map(|_| {
        let (router, request) =
            (world.router.clone(), son.request(axum::http::Method::POST, "/transfers", Some("019345a0-0000-7000-8000-000000000001"), body.to_string().into()));
        tokio::spawn(async move { tower::Service::call(&mut router.clone(), request).await.unwrap() })
    });
    let mut bodies = Vec::new();
    let mut replayed = 0;
    for answer in many.collect::<Vec<_>>() {
        let response = answer.await.unwrap();
        assert_eq!(response.status(), CREATED);
        replayed += usize::from(response.headers().contains_key("idempotency-replayed"));
        bodies.push(axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(replayed, 199);
    world.app.engine.settle().await.unwrap();
    let wallet = son.get("/wallet").await.expect(OK);
    assert_eq!((wallet.fen("/personal_accounts/0/balance"), wallet.body["outgoing"].as_array().map(Vec::len)), (600_000 - 12_300, Some(1)));
    drop((son, wallet));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_with_one_key_have_one_effect_and_one_answer() {
    two_hundred(1).await;
    two_hundred(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_gets_the_first_answer_however_late_and_whatever_happened_since() {
    let world = World::new(4).await;
    let son = world.logged_in(&SON).await;
    let mother = world.registered(&MOTHER).await;
    let body = son.transfer_body(&SON, &MOTHER, "52", 100_000).await;
    let sent = son.ask_as("t", "/transfers", &body).await.expect(CREATED);
    let id = sent.text("id");
    // Another body, another address: the key stands for one thing.
    let mut other = body.clone();
    other["amount"]["amount"] = json!(100_001);
    son.ask_as("t", "/transfers", &other).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    // Keys are each caller's and each operation's own.
    let wife = world.logged_in(&WIFE).await;
    wife.ask_as("t", "/transfers", &body).await.refused(403, "PROOF_MISMATCH");
    mother.ask_as("t", "/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
    world.app.engine.settle().await.unwrap();
    let taken = mother.ask_as("t", &format!("/transfers/{id}/accept"), &json!({})).await.expect(OK);
    let again = mother.ask_as("t", &format!("/transfers/{id}/accept"), &json!({})).await;
    assert_repeats(&taken, &again);
    // Its proof is used and long over; it has been credited since.
    assert!(world.clock.set(start_of_clock() + 20 * 60_000));
    assert_repeats(&sent, &son.ask_as("t", "/transfers", &body).await);

    // Refusals are answers too: with the same number to quote, though it would work now.
    let refused = mother.ask_as("p", "/wallet", &json!({ "place": "510500" })).await.refused(409, "WALLET_EXISTS");
    assert_repeats(&refused, &mother.ask_as("p", "/wallet", &json!({ "place": "510500" })).await);

    // A hold, after it was captured, refunded and reversed.
    let hospital = world.institution(HOSPITAL);
    let code = mother.ask_as("c", "/payment-codes", &json!({ "first": "wallet" })).await.expect(CREATED).text("code");
    // Only a digest of a code is kept: it is not shown twice.
    mother.ask_as("c", "/payment-codes", &json!({ "first": "wallet" })).await.refused(409, "CODE_SHOWN_ONCE");
    mother.ask_as("c", "/payment-codes", &json!({ "first": "wallet_only" })).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    let order = json!({ "order_no": "R-1", "payer": { "code": code }, "bill": { "total": { "amount": 5000, "currency": "CNY" }, "fund": { "amount": 0, "currency": "CNY" }, "own": { "amount": 5000, "currency": "CNY" } } });
    let held = hospital.ask_as("h", "/institutions/payments", &order).await.expect(CREATED);
    let payment = held.text("payment");
    let mut steps: Vec<(String, Value, Reply)> = Vec::new();
    for (verb, body) in [
        ("capture", json!({ "amount": { "amount": 2000, "currency": "CNY" } })),
        ("capture", json!({})),
        ("refund", json!({ "amount": { "amount": 1, "currency": "CNY" } })),
    ] {
        let key = format!("s{}", steps.len());
        let path = format!("/institutions/payments/{payment}/{verb}");
        let reply = hospital.ask_as(&key, &path, &body).await.expect(OK);
        steps.push((path, body, reply));
    }
    let reversed = hospital.ask_as("r", "/institutions/payments/by-order/R-1/reverse", &json!({})).await.expect(OK);
    assert_repeats(&held, &hospital.ask_as("h", "/institutions/payments", &order).await);
    for (at, (path, body, first)) in steps.iter().enumerate() {
        assert_repeats(first, &hospital.ask_as(&format!("s{at}"), path, body).await);
    }
    assert_repeats(&reversed, &hospital.ask_as("r", "/institutions/payments/by-order/R-1/reverse", &json!({})).await);
    // A new key for the old number is another matter.
    hospital.ask_as("h2", "/institutions/payments", &order).await.refused(409, "ORDER_REVERSED");
    assert_eq!(mother.get("/wallet").await.expect(OK).fen("/balance"), 100_000);
    drop((son, mother, wife, hospital));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_does_not_move_without_a_good_key() {
    let world = World::new(1).await;
    let son = world.logged_in(&SON).await;
    let body = son.transfer_body(&SON, &MOTHER, "52", 100).await;
    son.post("/transfers", &body).await.refused(400, "IDEMPOTENCY_KEY_MISSING");
    for key in ["", "a b", &"x".repeat(129), "ffffffff-ffff-7fff-bfff-ffffffffffff"] {
        son.ask_as(key, "/transfers", &body).await.refused(400, "IDEMPOTENCY_KEY_MALFORMED");
    }
    assert_eq!(son.get("/wallet").await.expect(OK).fen("/personal_accounts/0/balance"), 600_000);
}
