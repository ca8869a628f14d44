//! Answers that are on record: a repeat with the same key and body gets the same one.

use crate::app::App;
use crate::problem::{Problem, REPLAYED};
use crate::service::key::IdempotencyKey;
use axum::Json;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gongji_ledger::Part;
use gongji_wallet::Outcome;
use gongji_wallet::ids::Key;
use gongji_wallet::object::Object;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The header of everything that changes money.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes a header")]
pub struct Keyed {
    /// 1 to 128 printable ASCII characters, best a UUIDv7; scope is caller and operation, and it never expires. The same key and body get the
    /// first answer again, with `Idempotency-Replayed: true`; another body gets 422 `IDEMPOTENCY_KEY_REUSED`.
    #[param(rename = "Idempotency-Key", example = "019345a0-0000-7000-8000-000000000001")]
    idempotency_key: String,
}

/// Nothing to say. An empty body is read as `{}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    pub done: bool,
}

/// An answer made from a recorded outcome alone.
pub struct Recorded<T> {
    pub status: StatusCode,
    pub body: T,
    pub replayed: bool,
    pub location: Option<String>,
}

impl<T: Serialize> Recorded<T> {
    pub fn ok(body: T, replayed: bool) -> Recorded<T> {
        Recorded { status: StatusCode::OK, body, replayed, location: None }
    }

    pub fn created(location: String, body: T, replayed: bool) -> Recorded<T> {
        Recorded { status: StatusCode::CREATED, body, replayed, location: Some(location) }
    }
}

impl<T: Serialize> IntoResponse for Recorded<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        if let Some(location) = self.location {
            response.headers_mut().insert(LOCATION, HeaderValue::try_from(location).expect("ids are ASCII"));
        }
        response
    }
}

/// Turns a service's error into the refusal that every repeat gets.
pub fn refusal<E: Into<Problem>>(key: &IdempotencyKey) -> impl FnOnce(E) -> Problem {
    let key = key.key;
    move |error| error.into().traced_by(&key)
}

/// What is on record for a key, if it was used with the same body.
///
/// # Errors
/// The store failed.
pub fn on_record(app: &App, part: Part, key: &IdempotencyKey) -> Result<Option<Outcome>, Problem> {
    Ok(match app.engine.object(part, Key::Answer(key.key))?.as_deref() {
        Some(Object::Answer(answer)) if answer.fingerprint == key.fingerprint => Some(answer.outcome.clone()),
        _ => None,
    })
}
