//! The feed of events and the webhooks that hint at it.

use super::world::*;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use gongji::webhooks::{Courier, PAUSES_MS};
use gongji_store::clock::Clock;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

const CREATED: StatusCode = StatusCode::CREATED;
const OK: StatusCode = StatusCode::OK;
const PAYMENTS: &str = "/institutions/payments";
const WEBHOOKS: &str = "/institutions/webhooks";

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

async fn payer<'world>(world: &'world World, sample: &Sample, place: &str) -> Caller<'world> {
    let caller = world.logged_in(sample).await;
    caller.ask("/wallet", &json!({ "place": place })).await.expect(CREATED);
    caller
}

async fn pay(institution: &Caller<'_>, payer: &Caller<'_>, number: &str, own: i64) -> String {
    let code = payer.ask("/payment-codes", &json!({ "first": "personal_account" })).await.expect(CREATED).text("code");
    let order =
        json!({ "order_no": number, "payer": { "code": code }, "bill": { "total": yuan(own), "fund": yuan(0), "own": yuan(own) }, "terminal": "kiosk" });
    institution.ask(PAYMENTS, &order).await.expect(CREATED).text("payment")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_page_by_page_sees_each_event_of_their_own_once() {
    let world = World::new(4).await;
    let (wife, son) = (payer(&world, &WIFE, "510500").await, payer(&world, &SON, "370100").await);
    let (hospital, pharmacy) = (world.institution(HOSPITAL), world.institution(PHARMACY));
    assert_eq!(hospital.get("/institutions/events").await.expect(OK).body["events"], json!([]));
    let start = hospital.get("/institutions/events").await.expect(OK).text("next");
    for nth in 0..5 {
        let theirs = pay(&hospital, &wife, &format!("H-{nth}"), 1_000).await;
        let others = pay(&pharmacy, &son, &format!("P-{nth}"), 700).await;
        hospital.ask(&format!("{PAYMENTS}/{theirs}/capture"), &json!({})).await.expect(OK);
        pharmacy.ask(&format!("{PAYMENTS}/{others}/void"), &json!({})).await.expect(OK);
    }
    let (mut after, mut seen) = (start.clone(), Vec::new());
    loop {
        let page = hospital.get(&format!("/institutions/events?limit=3&after={after}")).await.expect(OK);
        seen.extend(page.body["events"].as_array().unwrap().clone());
        after = page.text("next");
        if page.body["has_more"] == false {
            break;
        }
    }
    let ids: BTreeSet<&str> = seen.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!((seen.len(), ids.len()), (10, 10));
    assert!(seen.iter().all(|event| event["order_no"].as_str().unwrap().starts_with("H-") && event["visit"]["terminal"] == "kiosk"));
    let first = &seen[0];
    assert_eq!((first["type"].as_str(), first["state"].as_str(), first["amount"]["amount"].as_i64()), (Some("payment.held"), Some("held"), Some(1_000)));
    assert_eq!((first["personal_account"]["amount"].as_i64(), first["wallet"]["amount"].as_i64()), (Some(1_000), Some(0)));
    assert!(first.get("holder").is_none() && first.get("payer").is_none(), "an institution learns nothing of the person");
    // All at once is the same, in the same order; another institution's is another feed.
    assert_eq!(hospital.get(&format!("/institutions/events?limit=200&after={start}")).await.expect(OK).body["events"], json!(seen));
    let others = pharmacy.get("/institutions/events?limit=200").await.expect(OK);
    assert_eq!(others.body["events"].as_array().map(Vec::len), Some(10));
    // A position that was never given out for it is an error, not an empty list.
    for wrong in ["x", "AAAA", "", &others.text("next")[..2]] {
        hospital.get(&format!("/institutions/events?after={wrong}")).await.refused(422, "FIELDS_INVALID");
    }
    for limit in ["0", "201"] {
        hospital.get(&format!("/institutions/events?limit={limit}")).await.refused(422, "FIELDS_INVALID");
    }
    drop((wife, son, hospital, pharmacy));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_is_far_behind_gets_everything_in_the_order_of_the_others() {
    let world = World::new(1).await;
    let (wife, son) = (payer(&world, &WIFE, "510500").await, payer(&world, &SON, "370100").await);
    let (hospital, pharmacy) = (world.institution(HOSPITAL), world.institution(PHARMACY));
    for nth in 0..130 {
        let held = pay(&hospital, &wife, &format!("H-{nth}"), 100).await;
        hospital.ask(&format!("{PAYMENTS}/{held}/void"), &json!({})).await.expect(OK);
        if nth % 10 == 0 {
            pay(&pharmacy, &son, &format!("P-{nth}"), 100).await;
        }
    }
    world.app.engine.flush().await;
    let first = hospital.get("/institutions/events?limit=200").await.expect(OK);
    assert_eq!(first.body["has_more"], true);
    let rest = hospital.get(&format!("/institutions/events?limit=200&after={}", first.text("next"))).await.expect(OK);
    assert_eq!(rest.body["has_more"], false);
    let events: Vec<&Value> = [&first, &rest].into_iter().flat_map(|page| page.body["events"].as_array().unwrap()).collect();
    let told: Vec<(String, &str)> = events.iter().map(|event| (event["order_no"].as_str().unwrap().to_owned(), event["type"].as_str().unwrap())).collect();
    let expected: Vec<(String, &str)> = (0..130).flat_map(|nth| ["payment.held", "payment.released"].map(|kind| (format!("H-{nth}"), kind))).collect();
    assert_eq!(told, expected);
}

/// A receiver on this machine whose answers can be chosen.
struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
    came: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    async fn new() -> Receiver {
        let (status, came) = (Arc::new(AtomicU16::new(204)), Arc::<Mutex<Vec<_>>>::default());
        let (answers, keeps) = (Arc::clone(&status), Arc::clone(&came));
        let take = move |headers: HeaderMap, body: Bytes| async move {
            keeps.lock().unwrap().push((headers, body));
            StatusCode::from_u16(answers.load(Ordering::Relaxed)).unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/gongji", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/gongji", post(take))).await.unwrap() });
        Receiver { url, status, came }
    }

    fn take(&self) -> Vec<(String, Value)> {
        let came = std::mem::take(&mut *self.came.lock().unwrap());
        came.into_iter().map(|(headers, body)| (headers["webhook-id"].to_str().unwrap().to_owned(), serde_json::from_slice(&body).unwrap())).collect()
    }
}

async fn register(caller: &Caller<'_>, url: &str) -> Reply {
    caller.post(WEBHOOKS, &json!({ "url": url })).await.expect(CREATED)
}

/// Looks, and waits for what was begun.
async fn round(courier: &mut Courier) {
    courier.look().await.unwrap();
    courier.rest().await;
}

fn pass(world: &World, ms: i64) {
    assert!(world.clock.set(world.clock.now() + ms));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_once_for_all_that_is_new_and_of_nothing_else() {
    let world = World::new(4).await;
    let (wife, son) = (payer(&world, &WIFE, "510500").await, payer(&world, &SON, "370100").await);
    let (hospital, pharmacy) = (world.institution(HOSPITAL), world.institution(PHARMACY));
    pay(&hospital, &wife, "H-0", 1_000).await;
    let receiver = Receiver::new().await;
    let made = register(&hospital, &receiver.url).await;
    assert!(made.text("secret").starts_with("whsec_"));
    let mut courier = Courier::new(Arc::clone(&world.app));
    round(&mut courier).await;
    assert_eq!(receiver.take().len(), 0, "what was before is in the feed");
    pay(&pharmacy, &son, "P-1", 1_000).await;
    round(&mut courier).await;
    assert_eq!(receiver.take().len(), 0, "nothing of others");
    for nth in 1..4 {
        pay(&hospital, &wife, &format!("H-{nth}"), 1_000).await;
    }
    round(&mut courier).await;
    round(&mut courier).await;
    let came = receiver.take();
    assert_eq!(came.len(), 1);
    assert_eq!((came[0].1["type"].as_str(), came[0].1["data"].clone()), (Some("events.available"), json!({ "institution": HOSPITAL })));
    let log = hospital.get(&format!("{WEBHOOKS}/{}/attempts", made.text("id"))).await.expect(OK);
    assert_eq!((log.body["attempts"][0]["outcome"].as_str(), log.body["attempts"][0]["status"].as_i64()), (Some("delivered"), Some(204)));
    assert_eq!(log.body["attempts"][0]["message"], came[0].0);
    // Neither list nor log tells a secret.
    let shown = [log.bytes, hospital.get(WEBHOOKS).await.expect(OK).bytes].concat();
    assert!(!String::from_utf8(shown).unwrap().contains("whsec_"));
    // Removed, it is told nothing more.
    hospital.delete(&format!("{WEBHOOKS}/{}", made.text("id"))).await.expect(OK);
    pay(&hospital, &wife, "H-9", 1_000).await;
    pass(&world, 10_000);
    round(&mut courier).await;
    assert_eq!(receiver.take().len(), 0);
    drop((wife, son, hospital, pharmacy, courier));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_receiver_is_tried_again_with_longer_pauses_until_an_end_and_delays_nobody() {
    let world = World::new(4).await;
    let (wife, hospital) = (payer(&world, &WIFE, "510500").await, world.institution(HOSPITAL));
    let (dead, alive) = (Receiver::new().await, Receiver::new().await);
    dead.status.store(500, Ordering::Relaxed);
    let id = register(&hospital, &dead.url).await.text("id");
    register(&hospital, &alive.url).await;
    let mut courier = Courier::new(Arc::clone(&world.app));
    pay(&hospital, &wife, "H-1", 1_000).await;
    round(&mut courier).await;
    let first = dead.take();
    assert_eq!((first.len(), alive.take().len()), (1, 1));
    for (nth, pause) in PAUSES_MS.iter().enumerate() {
        pass(&world, pause - 1);
        round(&mut courier).await;
        assert_eq!(dead.take().len(), 0, "pause {nth}");
        pass(&world, 1);
        round(&mut courier).await;
        assert_eq!(dead.take(), first, "the same message, byte for byte");
    }
    let log = hospital.get(&format!("{WEBHOOKS}/{id}/attempts")).await.expect(OK);
    assert_eq!(log.body["attempts"].as_array().map(Vec::len), Some(PAUSES_MS.len() + 1));
    // Given up; what happens next begins a new message, and a receiver that lives again gets it.
    pass(&world, 2 * PAUSES_MS[PAUSES_MS.len() - 1]);
    round(&mut courier).await;
    assert_eq!((dead.take().len(), alive.take().len()), (0, 0));
    dead.status.store(200, Ordering::Relaxed);
    let wife = world.logged_in(&WIFE).await;
    pay(&hospital, &wife, "H-2", 1_000).await;
    round(&mut courier).await;
    let next = dead.take();
    assert_eq!((next.len(), alive.take().len()), (1, 1));
    assert_ne!(next[0].0, first[0].0);
    drop((wife, hospital, courier));
    world.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_begun_survives_a_restart_of_whoever_sends_it() {
    let world = World::new(1).await;
    let (wife, hospital) = (payer(&world, &WIFE, "510500").await, world.institution(HOSPITAL));
    let receiver = Receiver::new().await;
    register(&hospital, &receiver.url).await;
    receiver.status.store(503, Ordering::Relaxed);
    pay(&hospital, &wife, "H-1", 1_000).await;
    let mut courier = Courier::new(Arc::clone(&world.app));
    round(&mut courier).await;
    drop(courier);
    receiver.status.store(200, Ordering::Relaxed);
    pass(&world, PAUSES_MS[0]);
    round(&mut Courier::new(Arc::clone(&world.app))).await;
    let came = receiver.take();
    assert_eq!((came.len(), &came[0]), (2, &came[1]));
}

/// Two couriers are as two processes while a partition changes hands: both believe that it is theirs, and one sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_couriers_one_sends() {
    let world = World::new(1).await;
    let (wife, hospital) = (payer(&world, &WIFE, "510500").await, world.institution(HOSPITAL));
    let receiver = Receiver::new().await;
    register(&hospital, &receiver.url).await;
    receiver.status.store(503, Ordering::Relaxed);
    let (mut one, mut other) = (Courier::new(Arc::clone(&world.app)), Courier::new(Arc::clone(&world.app)));
    for step in 0..3 {
        if step == 0 {
            pay(&hospital, &wife, "H-1", 1_000).await;
        } else {
            pass(&world, PAUSES_MS[step - 1]);
        }
        let (first, second) = tokio::join!(one.look(), other.look());
        first.and(second).unwrap();
        one.rest().await;
        other.rest().await;
        assert_eq!(receiver.take().len(), 1, "attempt {step}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_is_set_up_tried_and_given_another_secret() {
    let world = World::new(1).await;
    let hospital = world.institution(HOSPITAL);
    for (url, words) in [("http://10.0.0.1/", "内部网络"), ("http://[fd00::1]/", "内部网络"), ("ftp://hook.example/", "https://"), ("nowhere", "https://")]
    {
        let refused = hospital.post(WEBHOOKS, &json!({ "url": url })).await.refused(422, "FIELDS_INVALID");
        assert!(refused.text("title").contains(words), "{url}: {}", refused.body);
    }
    let receiver = Receiver::new().await;
    let made = register(&hospital, &receiver.url).await;
    let id = made.text("id");
    assert_eq!(hospital.post(&format!("{WEBHOOKS}/{id}/try"), &json!({})).await.expect(OK).text("outcome"), "delivered");
    assert_eq!(receiver.take()[0].1["type"], "webhook.trial");
    let changed = hospital.post(&format!("{WEBHOOKS}/{id}/secret"), &json!({})).await.expect(OK);
    assert_ne!(changed.text("secret"), made.text("secret"));
    hospital.post(&format!("{WEBHOOKS}/{id}/try"), &json!({})).await.expect(OK);
    let (headers, body) = receiver.came.lock().unwrap().pop().unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = |secret: String| gongji_files::webhook::sign(&secret, &header("webhook-id"), header("webhook-timestamp").parse().unwrap(), &body).unwrap();
    assert_eq!(header("webhook-signature"), format!("{} {}", signed(changed.text("secret")), signed(made.text("secret"))));
    receiver.status.store(307, Ordering::Relaxed);
    let away = hospital.post(&format!("{WEBHOOKS}/{id}/try"), &json!({})).await.expect(OK);
    assert_eq!((away.text("outcome"), away.body["status"].as_i64()), ("status".to_owned(), Some(307)));
    for _ in 1..5 {
        register(&hospital, &receiver.url).await;
    }
    hospital.post(WEBHOOKS, &json!({ "url": receiver.url })).await.refused(409, "TOO_MANY");
    assert_eq!(hospital.get(WEBHOOKS).await.expect(OK).body["webhooks"].as_array().map(Vec::len), Some(5));
    assert_eq!(hospital.get(&format!("{WEBHOOKS}/{id}")).await.expect(OK).text("url"), receiver.url);
    world.guest().get(WEBHOOKS).await.refused(401, "INSTITUTION_KEY_REQUIRED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_sends_nothing_into_its_own_machine() {
    let world = World::production_by_bearer(vec!["localhost".to_owned()]).await;
    let hospital = world.institution(HOSPITAL);
    let receiver = Receiver::new().await;
    hospital.post(WEBHOOKS, &json!({ "url": receiver.url })).await.refused(422, "FIELDS_INVALID");
    // A name is looked at when it is used.
    let id = register(&hospital, &receiver.url.replace("127.0.0.1", "localhost")).await.text("id");
    assert_eq!(hospital.post(&format!("{WEBHOOKS}/{id}/try"), &json!({})).await.expect(OK).text("outcome"), "address_refused");
    assert_eq!(receiver.take().len(), 0);
}
