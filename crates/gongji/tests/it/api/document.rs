//! The contract: the committed document and table are what the code says of itself.

use super::world::World;
use gongji_wallet::object::{PaymentState, TransferState};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a committed file, or writes it where `UPDATE` is set.
#[track_caller]
fn check_committed(path: &str, now: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, now).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == now, "{path} is not what the code says of itself: UPDATE=1 cargo test -p gongji --test it document");
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    check_committed("openapi.json", &gongji::api::openapi_json());
}

#[test]
fn the_committed_error_codes_are_those_of_the_code() {
    check_committed("docs/errors.md", &gongji::problem::markdown());
}

#[test]
fn every_code_has_words_and_stands_once() {
    let entries = gongji::problem::entries();
    for (at, entry) in entries.iter().enumerate() {
        assert!(entry.title.ends_with('。') && !entry.next_step.is_empty() && !entry.title_en.is_empty(), "{}", entry.code);
        assert!(entry.code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{}", entry.code);
        assert!(entries[at + 1..].iter().all(|other| other.code != entry.code), "{}", entry.code);
    }
    assert!(entries.len() > 80);
}

/// Calls `see` on every object of the document with its path.
fn walk(value: &Value, path: &str, see: &mut dyn FnMut(&str, &Value)) {
    see(path, value);
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| walk(field, &format!("{path}/{name}"), see)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| walk(item, &format!("{path}/{at}"), see)),
        _ => {}
    }
}

#[test]
fn everything_in_the_document_is_described_and_leads_somewhere() {
    let document = gongji::api::document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name} has no summary");
            assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{name} has no tag");
            assert!(operation.get("security").is_some(), "{name} does not say who may ask");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status} is not described");
                assert!(response["content"].as_object().is_some_and(|content| !content.is_empty()), "{name} {status} has no body");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()) || parameter["in"] == "query", "{name}: {parameter}");
            }
            operations.push(operation["operationId"].as_str().unwrap_or_default().to_owned());
        }
    }
    assert!(operations.len() > 60, "{}", operations.len());
    operations.sort();
    assert!(operations.windows(2).all(|pair| pair[0] != pair[1]), "{operations:?}");
    walk(document, "", &mut |path, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{path} leads to {target}");
        }
    });
    // Money writes say that they need a key.
    let keyed = |path: &str| {
        document["paths"][path]["post"]["parameters"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key" && one["required"] == true))
    };
    for path in [
        "/api/v1/transfers",
        "/api/v1/transfers/{id}/accept",
        "/api/v1/institutions/payments",
        "/api/v1/institutions/payments/{id}/refund",
        "/api/v1/premiums/payments",
        "/api/v1/payment-codes",
    ] {
        assert!(keyed(path), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_and_the_state_machines_are_served() {
    let world = World::new(1).await;
    let request = axum::http::Request::builder().uri("/openapi.json").header("host", "localhost").body(axum::body::Body::empty()).unwrap();
    assert_eq!(world.send(request).await.body, *gongji::api::document());
    let machines = world.guest().get("/state-machines").await.body;
    let states = |at: usize| machines[at]["states"].as_array().unwrap().len();
    assert_eq!((states(0), states(1)), (TransferState::ALL.len(), PaymentState::ALL.len()));
    let awaiting = machines[0]["states"].as_array().unwrap().iter().find(|state| state["state"] == "awaiting_recipient").unwrap();
    assert_eq!(awaiting["next"], serde_json::json!(["credited", "declined", "cancelled", "returned"]));
}
