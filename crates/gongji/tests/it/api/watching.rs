//! What those who watch see: the counters, and that the files handed to them name nothing that is not there.

use super::world::*;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ALERTS: &str = include_str!("../../../../../docs/operating/alerts.yml");
const DASHBOARD: &str = include_str!("../../../../../docs/operating/dashboard.json");
const RUNBOOK: &str = include_str!("../../../../../docs/operating/README.md");
const ERRORS: &str = include_str!("../../../../../docs/errors.md");

async fn metrics(world: &World) -> String {
    let request = Request::builder().uri("/metrics").header("host", "localhost").body(Body::empty()).unwrap();
    let reply = world.send(request).await.expect(StatusCode::OK);
    assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    String::from_utf8(reply.bytes).unwrap()
}

/// The value of a sample, by its name and labels as they are written.
#[track_caller]
fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is not there:\n{page}")).parse().unwrap()
}

/// Every metric that a page offers: `x_seconds` of a histogram as its three kinds of lines.
fn offered(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        match kind {
            "histogram" => names.extend(["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}"))),
            _ => assert!(names.insert(name.to_owned()), "{name} stands once"),
        }
    }
    names
}

/// The metrics that an expression names.
fn named(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("gongji_") || word.starts_with("process_"))
}

/// People, a transfer that is credited, a refusal, a page that does not exist, and a lock.
async fn a_day(world: &World) {
    let (son, wife) = (world.logged_in(&SON).await, world.logged_in(&WIFE).await);
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(StatusCode::CREATED);
    let body = son.transfer_body(&SON, &WIFE, "10", 12_300).await;
    let id = son.ask("/transfers", &body).await.expect(StatusCode::CREATED).text("id");
    wife.ask(&format!("/transfers/{id}/accept"), &json!({})).await.expect(StatusCode::OK);
    let too_much = son.transfer_body(&SON, &WIFE, "10", 200_001).await;
    son.ask("/transfers", &too_much).await.refused(422, "AMOUNT_TOO_LARGE");
    for path in ["/no/such/page", "/neither/this"] {
        let request = Request::builder().method(Method::GET).uri(path).header("host", "localhost").body(Body::empty()).unwrap();
        world.send(request).await.expect(StatusCode::NOT_FOUND);
    }
    for _ in 0..=gongji_store::vault::ATTEMPTS_MAX {
        world.guest().post("/sessions", &json!({ "id_number": FAR.1, "password": "000000" })).await;
    }
    world.app.engine.settle().await.unwrap();
    world.app.engine.flush().await;
    for part in 0..=world.app.engine.parts() {
        gongji::metrics::add_up(&world.app, part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counters_tell_what_happened_and_of_nobody() {
    let world = World::new(3).await;
    a_day(&world).await;
    let page = metrics(&world).await;
    assert_eq!(value(&page, "gongji_http_requests_total{method=\"POST\",route=\"/api/v1/transfers\",status=\"201\"}"), 1.0);
    assert_eq!(value(&page, "gongji_http_requests_total{method=\"POST\",route=\"/api/v1/transfers\",status=\"422\"}"), 1.0);
    assert_eq!(value(&page, "gongji_http_request_seconds_count{method=\"POST\",route=\"/api/v1/transfers\"}"), 2.0);
    assert_eq!(value(&page, "gongji_http_requests_total{method=\"\",route=\"(none)\",status=\"404\"}"), 2.0, "whatever the address");
    assert_eq!(value(&page, "gongji_refusals_total{code=\"AMOUNT_TOO_LARGE\"}"), 1.0);
    assert_eq!(value(&page, "gongji_logins_locked"), 1.0);
    assert!(value(&page, "gongji_batch_requests_count") > 0.0 && value(&page, "gongji_commit_seconds_count") > 0.0);
    for part in 0..=3 {
        let of = |name: &str| value(&page, &format!("{name}{{part=\"{part}\"}}"));
        assert_eq!((of("gongji_partition_writing"), of("gongji_partition_epoch")), (1.0, 1.0));
        assert_eq!((of("gongji_books_sum_fen"), of("gongji_projection_lag_records"), of("gongji_projection_lag_seconds")), (0.0, 0.0, 0.0));
        assert_eq!((of("gongji_messages_in_transit"), of("gongji_messages_stalled_seconds"), of("gongji_partition_batch_age_seconds")), (0.0, 0.0, 0.0));
        assert_eq!(of("gongji_partition_records_total"), world.app.engine.reading(part).unwrap().seq as f64);
    }
    for Sample(name, id_number, phone, ..) in [SON, WIFE, MOTHER, FAR] {
        for personal in [name, id_number, phone, &id_number[..14]] {
            assert!(!page.contains(personal) || personal.is_empty(), "{personal}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_nobody_acts_on_shows_how_late_it_is() {
    let world = World::new(1).await;
    let (son, wife) = (world.logged_in(&SON).await, world.logged_in(&WIFE).await);
    wife.ask("/wallet", &json!({ "place": "510500" })).await.expect(StatusCode::CREATED);
    let body = son.transfer_body(&SON, &WIFE, "10", 100).await;
    let sent = son.ask("/transfers", &body).await.expect(StatusCode::CREATED);
    let deadline = gongji::time::parse_rfc3339(sent.body["deadline"].as_str().unwrap()).unwrap();
    assert_eq!(value(&metrics(&world).await, "gongji_partition_deadline_lag_seconds{part=\"1\"}"), 0.0);
    assert!(world.clock.set(deadline + 90_000));
    assert_eq!(value(&metrics(&world).await, "gongji_partition_deadline_lag_seconds{part=\"1\"}"), 90.0);
    world.app.engine.settle().await.unwrap();
    assert_eq!(value(&metrics(&world).await, "gongji_partition_deadline_lag_seconds{part=\"1\"}"), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_vanished_from_the_books_is_seen() {
    let world = World::new(1).await;
    world.app.engine.flush().await;
    gongji::metrics::add_up(&world.app, 1).await.unwrap();
    assert_eq!(value(&metrics(&world).await, "gongji_books_sum_fen{part=\"1\"}"), 0.0);
    // Somebody deletes a person's row behind the program's back: 6,000.00 yuan are gone, or all of them if there are more.
    let son = world.app.vault.find_by_id_number(SON.1).unwrap().unwrap();
    let file = rusqlite::Connection::open(world.folder.path().join("p01/books.sqlite")).unwrap();
    assert_eq!(file.execute("delete from person where id = ?1", [son.cast_signed()]).unwrap(), 1);
    gongji::metrics::add_up(&world.app, 1).await.unwrap();
    assert_eq!(value(&metrics(&world).await, "gongji_books_sum_fen{part=\"1\"}"), -600_000.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_shows_nothing_of_it_to_people() {
    let world = World::production(vec!["wallet.example.cn".to_owned()]).await;
    let request = Request::builder().uri("/metrics").header("host", "wallet.example.cn").body(Body::empty()).unwrap();
    world.send(request).await.expect(StatusCode::NOT_FOUND);
    // Those who watch have an address of their own, and nothing else is there.
    for (path, status) in [("/metrics", StatusCode::OK), ("/healthz", StatusCode::NOT_FOUND), ("/wallet", StatusCode::NOT_FOUND)] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let reply = tower::Service::call(&mut gongji::metrics::router(world.app.clone()), request).await.unwrap();
        assert_eq!(reply.status(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_and_dashboard_name_only_what_is_there_and_every_alert_has_its_page() {
    let world = World::new(1).await;
    a_day(&world).await;
    let offered = offered(&metrics(&world).await);
    let there = |expression: &str| {
        for name in named(expression) {
            assert!(offered.contains(name), "{name} of {expression:?} is not offered");
        }
        for code in expression.split("code=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(ERRORS.contains(&format!("`{code}`")), "{code} of {expression:?} is no code of a refusal");
        }
        assert!(named(expression).next().is_some() || expression.contains("up{"), "{expression:?} watches something");
    };
    let mut alerts = BTreeSet::new();
    for rule in ALERTS.split("- alert: ").skip(1) {
        let field = |name: &str| {
            let line = rule.lines().map(str::trim).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("no {name} in {rule}"))
        };
        let alert = rule.lines().next().unwrap();
        assert!(alerts.insert(alert.to_owned()), "{alert} stands once");
        there(field("expr"));
        assert!(["{ severity: page }", "{ severity: ticket }"].contains(&field("labels")), "{alert}");
        assert!(field("summary").contains(" / "), "{alert} is told in both languages");
        assert_eq!(field("runbook"), format!("\"README.md#{}\"", alert.to_lowercase()));
        let section = RUNBOOK.split(&format!("### {alert}\n")).nth(1).unwrap_or_else(|| panic!("the runbook does not tell of {alert}"));
        let section = section.split("\n### ").next().unwrap();
        assert!(section.contains("**意思**") && section.contains("**做什么**"), "{alert} has a meaning and steps");
    }
    let told: BTreeSet<String> = RUNBOOK.lines().filter_map(|line| Some(line.strip_prefix("### ")?.to_owned())).collect();
    assert_eq!(told, alerts, "the runbook tells of no alert that is not there");

    // A refusal's code that the runbook speaks of is one that somebody may meet.
    let codes = RUNBOOK.split('`').filter(|word| word.len() > 5 && word.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_'));
    for code in codes.filter(|code| !["SIGTERM", "SIGKILL"].contains(code)) {
        assert!(ERRORS.contains(&format!("`{code}`")), "{code} is no code of a refusal");
    }

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 15);
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            there(target["expr"].as_str().unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balancer_learns_when_nobody_keeps_the_books() {
    let world = World::new(2).await;
    let health = async || {
        let reply = world.send(Request::builder().uri("/healthz").body(Body::empty()).unwrap()).await;
        (reply.status, reply.body["status"].as_str().unwrap().to_owned(), reply.body["stopped"].as_array().unwrap().len())
    };
    assert_eq!(health().await, (StatusCode::OK, "ok".to_owned(), 0));
    world.app.engine.stop();
    assert_eq!(health().await, (StatusCode::SERVICE_UNAVAILABLE, "stopped".to_owned(), 3));
    assert_eq!(value(&metrics(&world).await, "gongji_partition_writing{part=\"1\"}"), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusals_number_is_in_header_and_body() {
    let world = World::new(1).await;
    let reply = world.guest().get("/nothing").await;
    assert_eq!(reply.headers["x-request-id"].to_str().unwrap(), reply.body["trace_id"].as_str().unwrap());
}
