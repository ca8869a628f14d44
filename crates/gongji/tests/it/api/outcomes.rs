//! What an institution does when it does not know what became of a request: `docs/institutions/outcomes.md`, row by row.
//!
//! Payer and institution live in different partitions, and the messages between them are let through by hand.

use super::world::*;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use gongji_store::vault::Vault;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower::Service;

const CREATED: StatusCode = StatusCode::CREATED;
const OK: StatusCode = StatusCode::OK;
const PAYMENTS: &str = "/institutions/payments";
/// What she has before she pays (fen).
const HERS: i64 = 300_000;
const MINUTE: i64 = 60_000;

#[test]
fn every_row_of_the_page_has_its_test_and_every_test_its_row() {
    let page = include_str!("../../../../../docs/institutions/outcomes.md");
    let rows: Vec<String> = page.lines().filter_map(|line| line.strip_prefix("| O")?.get(..2)).map(|number| format!("o{number}")).collect();
    assert!(rows.len() > 20, "{rows:?}");
    let tests: Vec<String> =
        include_str!("outcomes.rs").lines().filter_map(|line| line.strip_prefix("async fn o")?.get(..2)).map(|number| format!("o{number}")).collect();
    assert_eq!(rows, tests);
}

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

fn order(number: &str, code: &str, own: i64) -> Value {
    json!({ "order_no": number, "payer": { "code": code }, "bill": { "total": yuan(own + 2_000), "fund": yuan(2_000), "own": yuan(own) } })
}

fn by_order(number: &str) -> String {
    format!("{PAYMENTS}/by-order/{number}")
}

fn reverse(number: &str) -> String {
    format!("{PAYMENTS}/by-order/{number}/reverse")
}

/// A hospital, and a woman with money and a wallet for its town; the two in different partitions.
struct Scene {
    world: World,
}

impl Scene {
    async fn new() -> Scene {
        let scene = Scene { world: World::new(8).await };
        scene.wife().await.ask("/wallet", &json!({ "place": "510500" })).await.expect(CREATED);
        scene
    }

    async fn wife(&self) -> Caller<'_> {
        self.world.logged_in(&WIFE).await
    }

    fn hospital(&self) -> Caller<'_> {
        self.world.institution(HOSPITAL)
    }

    async fn code(&self) -> String {
        self.wife().await.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code")
    }

    /// What is free of her money.
    async fn hers(&self) -> i64 {
        self.wife().await.get("/wallet").await.expect(OK).fen("/personal_accounts/0/balance")
    }

    async fn held(&self, number: &str, own: i64) -> String {
        self.hospital().ask(PAYMENTS, &order(number, &self.code().await, own)).await.expect(CREATED).text("payment")
    }

    async fn state(&self, number: &str) -> String {
        self.hospital().get(&by_order(number)).await.expect(OK).text("state")
    }

    /// Sends a hold and does not wait for its answer, but until it is on record.
    async fn begin(&self, key: &str, body: &Value) -> JoinHandle<axum::http::Response<Body>> {
        let request = self.hospital().request(Method::POST, PAYMENTS, Some(key), body.to_string().into());
        let mut router = self.world.router.clone();
        let calling = tokio::spawn(async move { router.call(request).await.unwrap() });
        while self.hospital().get(&by_order(body["order_no"].as_str().unwrap())).await.status == StatusCode::NOT_FOUND {
            tokio::task::yield_now().await;
        }
        calling
    }

    /// Nothing is left under way; the auditor agrees with the books.
    async fn ends(self) {
        self.world.gate.open();
        self.world.app.engine.settle().await.unwrap();
        self.world.verify();
    }

    /// Holds back what the hospital's side tells the payer's.
    fn stop_requests(&self) {
        self.world.gate.close(gongji_wallet::event::institution_part(gongji_ledger::InstitutionId::parse(HOSPITAL).unwrap(), self.world.app.engine.parts()));
    }

    /// Holds back what the payer's side tells the hospital's.
    fn stop_answers(&self) {
        let vault: &Vault = &self.world.app.vault;
        self.world.gate.close(vault.partition_of(WIFE.1));
    }
}

async fn answer(calling: JoinHandle<axum::http::Response<Body>>) -> Reply {
    Reply::read(calling.await.unwrap()).await
}

/// The first answer again.
#[track_caller]
fn assert_repeats(first: &Reply, again: &Reply) {
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes), "{}", String::from_utf8_lossy(&again.bytes));
    assert_eq!(again.headers["idempotency-replayed"], "true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o01_a_lost_reply_is_read_again_with_the_same_key() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    let mut lost = scene.hospital().request(Method::POST, PAYMENTS, Some("a"), body.to_string().into());
    lost.headers_mut().insert("test-fault", "lost-reply".parse().unwrap());
    let lost = scene.world.router.clone().call(lost).await.unwrap();
    assert!(axum::body::to_bytes(lost.into_body(), usize::MAX).await.is_err());
    let again = scene.hospital().ask_as("a", PAYMENTS, &body).await.expect(CREATED);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_repeats(&again, &scene.hospital().ask_as("a", PAYMENTS, &body).await);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o02_the_number_tells_not_found_open_or_definite() {
    let scene = Scene::new().await;
    scene.hospital().get(&by_order("A")).await.refused(404, "NOT_FOUND");
    let body = order("A", &scene.code().await, 1_000);
    scene.stop_requests();
    let calling = scene.begin("a", &body).await;
    let open = scene.hospital().get(&by_order("A")).await.expect(OK);
    assert_eq!((open.text("outcome"), open.text("state"), open.text("definite_at")), ("open".into(), "placed".into(), "2026-11-23T10:00:10.000+08:00".into()));
    scene.world.gate.open();
    answer(calling).await.expect(CREATED);
    let definite = scene.hospital().get(&by_order("A")).await.expect(OK);
    assert_eq!((definite.text("outcome"), definite.text("state"), definite.body.get("definite_at")), ("definite".into(), "held".into(), None));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o03_a_number_that_was_reversed_unseen_never_pays() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    assert_eq!(scene.hospital().ask(&reverse("A"), &json!({})).await.expect(OK).text("outcome"), "nothing_to_reverse");
    for _ in 0..2 {
        scene.hospital().ask(PAYMENTS, &body).await.refused(409, "ORDER_REVERSED");
    }
    assert_eq!((scene.state("A").await, scene.hers().await), ("reversed".into(), HERS));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o04_what_was_not_found_is_asked_again_as_if_for_the_first_time() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    scene.hospital().get(&by_order("A")).await.refused(404, "NOT_FOUND");
    scene.hospital().ask_as("a", PAYMENTS, &body).await.expect(CREATED);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o05_what_is_still_open_is_answered_once_the_payers_side_has() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    scene.stop_answers();
    let open = scene.hospital().ask_as("a", PAYMENTS, &body).await.refused(409, "STILL_OPEN");
    assert!(open.headers.contains_key("retry-after") && open.body["retryable"] == true);
    assert_eq!(scene.hospital().get(&by_order("A")).await.expect(OK).text("outcome"), "open");
    scene.world.gate.open();
    let held = scene.hospital().ask_as("a", PAYMENTS, &body).await.expect(CREATED);
    assert_repeats(&held, &scene.hospital().ask_as("a", PAYMENTS, &body).await);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o06_within_ten_seconds_it_is_definite_whatever_the_payers_side_does() {
    for stop in [Scene::stop_requests, Scene::stop_answers] {
        let scene = Scene::new().await;
        let body = order("A", &scene.code().await, 1_000);
        stop(&scene);
        let calling = scene.begin("a", &body).await;
        assert!(scene.world.clock.set(start_of_clock() + 9_000));
        scene.world.app.engine.nudge().await.unwrap();
        let definite = scene.hospital().get(&by_order("A")).await.expect(OK);
        assert_eq!((definite.text("outcome"), definite.text("state")), ("definite".into(), "reversed".into()));
        answer(calling).await.refused(409, "ORDER_REVERSED");
        scene.world.gate.open();
        scene.world.app.engine.settle().await.unwrap();
        scene.hospital().ask_as("a", PAYMENTS, &body).await.refused(409, "ORDER_REVERSED");
        assert_eq!((scene.state("A").await, scene.hers().await), ("reversed".into(), HERS), "what was held late has gone back");
        scene.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o07_a_request_that_arrives_twice_has_one_effect() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    let first = scene.hospital().ask_as("a", PAYMENTS, &body).await.expect(CREATED);
    assert_repeats(&first, &scene.hospital().ask_as("a", PAYMENTS, &body).await);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o08_a_duplicate_in_flight_waits_and_gets_the_same_answer() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    scene.stop_requests();
    let (first, second) = (scene.begin("a", &body).await, scene.begin("a", &body).await);
    assert!(!first.is_finished() && !second.is_finished());
    scene.world.gate.open();
    let (first, second) = (answer(first).await.expect(CREATED), answer(second).await.expect(CREATED));
    assert_eq!(first.bytes, second.bytes);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o09_a_key_stands_for_one_thing() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    scene.hospital().ask_as("a", PAYMENTS, &order("A", &code, 1_000)).await.expect(CREATED);
    scene.hospital().ask_as("a", PAYMENTS, &order("A", &code, 1_001)).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    scene.hospital().ask_as("a", PAYMENTS, &order("B", &code, 1_000)).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    scene.hospital().get(&by_order("B")).await.refused(404, "NOT_FOUND");
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o10_the_same_number_and_bill_under_another_key_is_the_same_payment() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    let first = scene.hospital().ask(PAYMENTS, &body).await.expect(CREATED);
    let again = scene.hospital().ask(PAYMENTS, &body).await.expect(CREATED);
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o11_one_number_on_two_payers_or_two_bills_is_refused_and_the_first_stands() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    let payment = scene.hospital().ask(PAYMENTS, &order("A", &code, 1_000)).await.expect(CREATED).text("payment");
    scene.hospital().ask(PAYMENTS, &order("A", &code, 900)).await.refused(409, "ORDER_CONFLICT");
    scene.hospital().ask(PAYMENTS, &order("A", &scene.code().await, 1_000)).await.refused(409, "ORDER_CONFLICT");
    let keypad = json!({ "id_number": WIFE.1, "password": password(WIFE.2), "first": "wallet" });
    let mut other = order("A", "", 1_000);
    other["payer"] = json!({ "keypad": keypad });
    scene.hospital().ask(PAYMENTS, &other).await.refused(409, "ORDER_CONFLICT");
    let stands = scene.hospital().get(&by_order("A")).await.expect(OK);
    assert_eq!((stands.text("state"), stands.text("payment"), stands.fen("/held")), ("held".into(), payment, 1_000));
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o12_a_reversal_that_comes_before_its_payment_keeps_it_out() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    // The payment is on its way, late.
    let mut late = scene.hospital().request(Method::POST, PAYMENTS, Some("a"), body.to_string().into());
    late.headers_mut().insert("test-fault", "slow=5s".parse().unwrap());
    let mut router = scene.world.router.clone();
    let calling = tokio::spawn(async move { router.call(late).await.unwrap() });
    assert_eq!(scene.hospital().ask(&reverse("A"), &json!({})).await.expect(OK).text("outcome"), "nothing_to_reverse");
    // Whether it has begun to wait by now or not, its time comes.
    while !calling.is_finished() {
        assert!(scene.world.clock.set(gongji_store::clock::Clock::now(&*scene.world.clock) + 1_000));
        tokio::task::yield_now().await;
    }
    let refused = answer(calling).await.refused(409, "ORDER_REVERSED");
    assert_repeats(&refused, &scene.hospital().ask_as("a", PAYMENTS, &body).await);
    assert_eq!(scene.hers().await, HERS);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o13_a_reversal_of_what_is_still_open_wins_wherever_the_hold_is() {
    for stop in [Scene::stop_requests, Scene::stop_answers] {
        let scene = Scene::new().await;
        let body = order("A", &scene.code().await, 1_000);
        stop(&scene);
        let calling = scene.begin("a", &body).await;
        let reversed = scene.hospital().ask_as("r", &reverse("A"), &json!({})).await.expect(OK);
        assert_eq!(reversed.text("outcome"), "reversed");
        let refused = answer(calling).await.refused(409, "ORDER_REVERSED");
        assert_eq!(scene.hospital().get(&by_order("A")).await.expect(OK).text("outcome"), "definite");
        scene.world.gate.open();
        scene.world.app.engine.settle().await.unwrap();
        // Nobody was told that it is held, so nobody is told so later.
        assert_repeats(&refused, &scene.hospital().ask_as("a", PAYMENTS, &body).await);
        assert_eq!((scene.state("A").await, scene.hers().await), ("reversed".into(), HERS));
        scene.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o14_a_reversal_may_be_repeated_with_any_key() {
    let scene = Scene::new().await;
    scene.held("A", 1_000).await;
    let first = scene.hospital().ask_as("r", &reverse("A"), &json!({})).await.expect(OK);
    assert_repeats(&first, &scene.hospital().ask_as("r", &reverse("A"), &json!({})).await);
    let again = scene.hospital().ask_as("s", &reverse("A"), &json!({})).await.expect(OK);
    assert_eq!((first.text("outcome"), &first.bytes), ("reversed".into(), &again.bytes));
    assert_eq!(scene.hers().await, HERS);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o15_a_reversal_undoes_what_was_held_and_what_was_captured() {
    let scene = Scene::new().await;
    let part = scene.held("A", 1_000).await;
    scene.hospital().ask(&format!("{PAYMENTS}/{part}/capture"), &json!({ "amount": yuan(400) })).await.expect(OK);
    let whole = scene.held("B", 1_000).await;
    scene.hospital().ask(&format!("{PAYMENTS}/{whole}/capture"), &json!({})).await.expect(OK);
    scene.hospital().ask(&format!("{PAYMENTS}/{whole}/refund"), &json!({ "amount": yuan(100) })).await.expect(OK);
    for number in ["A", "B"] {
        assert_eq!(scene.hospital().ask(&reverse(number), &json!({})).await.expect(OK).text("outcome"), "reversed");
        let order = scene.hospital().get(&by_order(number)).await.expect(OK);
        assert_eq!((order.text("state"), order.fen("/remaining"), order.fen("/captured")), ("reversed".into(), 0, order.fen("/refunded")));
    }
    assert_eq!(scene.hers().await, HERS);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_capture_is_repeated_with_its_key_and_done_once() {
    let scene = Scene::new().await;
    let payment = scene.held("A", 1_000).await;
    let capture = format!("{PAYMENTS}/{payment}/capture");
    let first = scene.hospital().ask_as("c", &capture, &json!({ "amount": yuan(400) })).await.expect(OK);
    assert_repeats(&first, &scene.hospital().ask_as("c", &capture, &json!({ "amount": yuan(400) })).await);
    assert_eq!(scene.hospital().get(&by_order("A")).await.expect(OK).fen("/captured"), 400);
    // All that is held, asked once more after it was captured.
    let rest = scene.hospital().ask_as("d", &capture, &json!({})).await.expect(OK);
    assert_repeats(&rest, &scene.hospital().ask_as("d", &capture, &json!({})).await);
    assert_eq!(scene.hospital().get(&by_order("A")).await.expect(OK).fen("/captured"), 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o17_a_refund_is_repeated_with_its_key_and_never_exceeds_what_was_captured() {
    let scene = Scene::new().await;
    let payment = scene.held("A", 1_000).await;
    scene.hospital().ask(&format!("{PAYMENTS}/{payment}/capture"), &json!({})).await.expect(OK);
    let refund = format!("{PAYMENTS}/{payment}/refund");
    let first = scene.hospital().ask_as("f", &refund, &json!({ "amount": yuan(600) })).await.expect(OK);
    assert_repeats(&first, &scene.hospital().ask_as("f", &refund, &json!({ "amount": yuan(600) })).await);
    assert_eq!(scene.hers().await, HERS - 400);
    // Under another key it is another refund.
    scene.hospital().ask_as("g", &refund, &json!({ "amount": yuan(600) })).await.refused(422, "REFUND_TOO_LARGE");
    assert_eq!(scene.hers().await, HERS - 400);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o18_steps_out_of_order_are_refused_with_the_state_that_stands() {
    let scene = Scene::new().await;
    let payment = scene.held("A", 1_000).await;
    let early = scene.hospital().ask(&format!("{PAYMENTS}/{payment}/refund"), &json!({ "amount": yuan(100) })).await.refused(409, "PAYMENT_FINAL");
    assert_eq!(early.text("current_state"), "held");
    scene.hospital().ask(&format!("{PAYMENTS}/{payment}/void"), &json!({})).await.expect(OK);
    for (verb, body) in [("capture", json!({ "amount": yuan(100) })), ("void", json!({})), ("refund", json!({ "amount": yuan(100) }))] {
        let late = scene.hospital().ask(&format!("{PAYMENTS}/{payment}/{verb}"), &body).await.refused(409, "PAYMENT_FINAL");
        assert_eq!(late.text("current_state"), "voided");
    }
    assert_eq!(scene.hers().await, HERS);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o19_a_request_that_comes_after_its_code_moves_nothing() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    assert!(scene.world.clock.set(start_of_clock() + MINUTE));
    let refused = scene.hospital().ask_as("a", PAYMENTS, &body).await.refused(409, "CODE_EXPIRED");
    assert_repeats(&refused, &scene.hospital().ask_as("a", PAYMENTS, &body).await);
    scene.hospital().ask(PAYMENTS, &order("B", &scene.code().await, 1_000)).await.expect(CREATED);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o20_a_hold_that_nobody_captures_gives_the_money_back() {
    let scene = Scene::new().await;
    let held = scene.hospital().ask(PAYMENTS, &order("A", &scene.code().await, 1_000)).await.expect(CREATED);
    let deadline = gongji::time::parse_rfc3339(&held.text("deadline")).unwrap();
    assert!(scene.world.clock.set(deadline));
    // From the very instant on, before anybody has looked at the deadline.
    let late = scene.hospital().ask(&format!("{PAYMENTS}/{}/capture", held.text("payment")), &json!({})).await.refused(409, "PAYMENT_FINAL");
    assert_eq!(late.text("current_state"), "expired");
    scene.world.app.engine.settle().await.unwrap();
    assert_eq!((scene.state("A").await, scene.hers().await), ("expired".into(), HERS));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o21_what_was_captured_before_the_deadline_stays_and_the_rest_goes_back() {
    let scene = Scene::new().await;
    let held = scene.hospital().ask(PAYMENTS, &order("A", &scene.code().await, 1_000)).await.expect(CREATED);
    for fen in [100, 200, 300] {
        scene.hospital().ask(&format!("{PAYMENTS}/{}/capture", held.text("payment")), &json!({ "amount": yuan(fen) })).await.expect(OK);
    }
    assert!(scene.world.clock.set(gongji::time::parse_rfc3339(&held.text("deadline")).unwrap()));
    scene.world.app.engine.settle().await.unwrap();
    let order = scene.hospital().get(&by_order("A")).await.expect(OK);
    assert_eq!((order.text("state"), order.fen("/captured"), order.fen("/remaining")), ("captured".into(), 600, 0));
    assert_eq!(scene.hers().await, HERS - 600);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o22_a_hold_that_names_a_stale_quote_is_refused() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    let mut body = order("A", &code, HERS);
    let quote = scene.hospital().post("/institutions/quotes", &json!({ "code": code, "bill": body["bill"] })).await.expect(OK);
    body["quote"] = quote.text("quote").into();
    // Another bill, or another code, is not what was quoted.
    let mut other = order("B", &code, 1_000);
    other["quote"] = body["quote"].clone();
    scene.hospital().ask(PAYMENTS, &other).await.refused(409, "QUOTE_STALE");
    // A part of her money is held elsewhere meanwhile.
    let keypad = json!({ "id_number": WIFE.1, "password": password(WIFE.2), "first": "personal_account" });
    let mut elsewhere = order("C", "", 1_000);
    elsewhere["payer"] = json!({ "keypad": keypad });
    scene.hospital().ask(PAYMENTS, &elsewhere).await.expect(CREATED);
    body["partial"] = true.into();
    let stale = scene.hospital().ask_as("a", PAYMENTS, &body).await.refused(409, "QUOTE_STALE");
    assert_repeats(&stale, &scene.hospital().ask_as("a", PAYMENTS, &body).await);
    assert_eq!(scene.hers().await, HERS - 1_000);
    // Quoted anew, it is held as it says.
    let quote = scene.hospital().post("/institutions/quotes", &json!({ "code": code, "bill": body["bill"] })).await.expect(OK);
    assert_eq!(quote.fen("/cash"), 1_000);
    (body["order_no"], body["quote"]) = ("D".into(), quote.text("quote").into());
    let held = scene.hospital().ask(PAYMENTS, &body).await.expect(CREATED);
    assert_eq!((held.fen("/personal_account"), held.fen("/wallet")), (quote.fen("/personal_account"), quote.fen("/wallet")));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o23_what_the_server_could_not_say_is_asked_again_with_the_same_key() {
    let scene = Scene::new().await;
    let body = order("A", &scene.code().await, 1_000);
    for code in ["BUSY", "UNAVAILABLE", "TIMED_OUT", "INTERNAL"] {
        let mut request = scene.hospital().request(Method::POST, PAYMENTS, Some("a"), body.to_string().into());
        request.headers_mut().insert("test-fault", format!("decline={code}").parse().unwrap());
        let failed = scene.world.send(request).await;
        assert!(failed.status.is_server_error() && failed.body["retryable"] == true, "{code}");
        assert_eq!(failed.headers.contains_key("retry-after"), code != "INTERNAL", "{code}");
    }
    scene.hospital().ask_as("a", PAYMENTS, &body).await.expect(CREATED);
    assert_eq!(scene.hers().await, HERS - 1_000);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o24_the_feed_tells_each_thing_once_in_an_order_that_stays() {
    let scene = Scene::new().await;
    let payment = scene.held("A", 1_000).await;
    let first = scene.hospital().get("/institutions/events").await.expect(OK);
    assert_eq!((first.body["events"][0]["type"].as_str(), first.body["has_more"].as_bool()), (Some("payment.held"), Some(false)));
    scene.hospital().ask(&format!("{PAYMENTS}/{payment}/capture"), &json!({ "amount": yuan(400), "last": true })).await.expect(OK);
    scene.hospital().ask(&format!("{PAYMENTS}/{payment}/refund"), &json!({ "amount": yuan(100) })).await.expect(OK);
    let kinds =
        |reply: &Reply| -> Vec<String> { reply.body["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect() };
    let after = format!("/institutions/events?after={}", first.text("next"));
    let rest = scene.hospital().get(&after).await.expect(OK);
    assert_eq!(kinds(&rest), ["payment.captured", "payment.released", "payment.refunded"]);
    assert_eq!(scene.hospital().get(&after).await.expect(OK).body["events"], rest.body["events"], "as often as it is asked");
    let end = scene.hospital().get(&format!("/institutions/events?after={}", rest.text("next"))).await.expect(OK);
    assert_eq!((kinds(&end), end.text("next")), (Vec::new(), rest.text("next")));
    scene.ends().await;
}
