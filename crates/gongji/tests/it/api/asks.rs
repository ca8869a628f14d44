//! A payer without a phone: the cashier asks, a relative answers; nobody learns who exists.

use super::world::*;
use axum::http::StatusCode;
use serde_json::{Value, json};

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

fn question(order: &str, id_number: &str, own: i64) -> Value {
    json!({ "order_no": order, "id_number": id_number, "bill": { "total": yuan(own + 2_000), "fund": yuan(2_000), "own": yuan(own) } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relative_confirms_what_a_child_pays_and_a_stranger_is_nobody() {
    let world = World::new(8).await;
    let (wife, son, hospital) = (world.logged_in(&WIFE).await, world.logged_in(&SON).await, world.institution(HOSPITAL));
    let start = json!({ "relative": { "name": CHILD.0, "id_number": CHILD.1 }, "relation": "20", "consent": "act-on-behalf-2026-11" });
    let started = wife.post("/wallet/relatives", &start).await.expect(StatusCode::ACCEPTED);
    let confirm = json!({ "ticket": started.text("ticket"), "code": world.code_for(WIFE.1).await, "place": "510500" });
    let child = wife.post("/wallet/relatives/confirm", &confirm).await.expect(StatusCode::CREATED).text("relative");
    let for_child = Caller { acting_for: Some(child), ..wife.clone() };
    let body = wife.transfer_body(&WIFE, &CHILD, "20", 8_000).await;
    let gift = wife.ask("/transfers", &body).await.expect(StatusCode::CREATED).text("id");
    world.app.engine.settle().await.unwrap();
    for_child.ask(&format!("/transfers/{gift}/accept"), &json!({})).await.expect(StatusCode::OK);

    // The institution is answered alike, whether there is somebody to ask or not.
    let asked = hospital.post("/institutions/payment-requests", &question("A-1", CHILD.1, 3_000)).await.expect(StatusCode::ACCEPTED);
    let unknown = hospital.post("/institutions/payment-requests", &question("A-2", STRANGER.1, 3_000)).await.expect(StatusCode::ACCEPTED);
    assert_eq!((asked.text("state"), unknown.text("state")), ("open".to_owned(), "open".to_owned()));
    let again = hospital.post("/institutions/payment-requests", &question("A-1", CHILD.1, 3_000)).await.expect(StatusCode::ACCEPTED);
    assert_eq!(again.text("id"), asked.text("id"));
    let id = asked.text("id");

    // Only she sees it; others find nothing.
    let waiting = wife.get("/me/payment-requests").await.expect(StatusCode::OK);
    assert_eq!(waiting.body["requests"].as_array().map(Vec::len), Some(1));
    assert_eq!(waiting.body["requests"][0]["bill"]["own"], yuan(3_000));
    assert_eq!(son.get("/me/payment-requests").await.expect(StatusCode::OK).body["requests"], json!([]));
    son.post(&format!("/me/payment-requests/{id}/decline"), &json!({})).await.refused(404, "NOT_FOUND");

    // A proof for another bill does not fit; her own does, once, and a repeat gets the same answer.
    let wrong = wife.proof(&WIFE, &json!({ "place": { "place": "510500" } })).await;
    wife.ask(&format!("/me/payment-requests/{id}/confirm"), &json!({ "proof": wrong })).await.refused(403, "PROOF_MISMATCH");
    let proof = wife.proof(&WIFE, &json!({ "payment_request": { "request": id } })).await;
    let key = world.key();
    let held = wife.ask_as(&key, &format!("/me/payment-requests/{id}/confirm"), &json!({ "proof": proof })).await.expect(StatusCode::OK);
    let repeated = wife.ask_as(&key, &format!("/me/payment-requests/{id}/confirm"), &json!({ "proof": proof })).await.expect(StatusCode::OK);
    assert_eq!(held.body, repeated.body);
    assert_eq!(hospital.get(&format!("/institutions/payment-requests/{id}")).await.expect(StatusCode::OK).text("state"), "confirmed");
    let payment = held.text("payment");
    let captured = hospital.ask(&format!("/institutions/payments/{payment}/capture"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(captured.body["captured"], yuan(3_000));
    assert_eq!(for_child.get("/wallet").await.expect(StatusCode::OK).fen("/balance"), 5_000);

    // What is declined, and what nobody answers, is not paid.
    let declined = hospital.post("/institutions/payment-requests", &question("A-3", CHILD.1, 1_000)).await.expect(StatusCode::ACCEPTED).text("id");
    wife.post(&format!("/me/payment-requests/{declined}/decline"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(hospital.get(&format!("/institutions/payment-requests/{declined}")).await.expect(StatusCode::OK).text("state"), "declined");
    hospital.get("/institutions/payments/by-order/A-3").await.refused(404, "NOT_FOUND");
    drop((wife, son, hospital, for_child));
    world.verify();
}
