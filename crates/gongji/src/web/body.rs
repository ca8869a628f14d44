//! Bodies, queries and paths, read strictly: what cannot be read is refused with the field's name.

use crate::problem::{Edge, Problem};
use crate::server::BODY_LEN_MAX;
use crate::service::key::IdempotencyKey;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde::de::DeserializeOwned;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A JSON body.
pub struct StrictJson<T>(pub T);

/// A JSON body of something that changes money, with its idempotency key.
pub struct KeyedJson<T> {
    pub body: T,
    key: String,
    bytes: Bytes,
    path: String,
}

impl<T> KeyedJson<T> {
    /// The key within a caller's operation. The address counts as part of the body: one key stands for one thing.
    ///
    /// # Errors
    /// The key is malformed, or carries a time in the future.
    pub fn key(&self, caller: &str, operation: &str) -> Result<IdempotencyKey, Problem> {
        let mut asked = Vec::with_capacity(self.path.len() + 1 + self.bytes.len());
        asked.extend_from_slice(self.path.as_bytes());
        asked.push(b'\n');
        asked.extend_from_slice(&self.bytes);
        Ok(IdempotencyKey::new(caller, operation, &self.key, &asked)?)
    }
}

pub struct StrictQuery<T>(pub T);

pub struct StrictPath<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        is_json(request.headers())?;
        let bytes = bytes(request, state).await?;
        Ok(StrictJson(parse(&bytes)?))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for KeyedJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let key = request.headers().get(IDEMPOTENCY_KEY).ok_or(Edge::KeyMissing)?;
        let key = key.to_str().map_err(|_| Edge::KeyMalformed)?.to_owned();
        let path = request.uri().path().to_owned();
        let stated = is_json(request.headers());
        let bytes = bytes(request, state).await?;
        let body = if bytes.is_empty() {
            parse(b"{}")?
        } else {
            stated?;
            parse(&bytes)?
        };
        Ok(KeyedJson { body, key, bytes, path })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(StrictQuery(query)),
            Err(rejection) => Err(Problem::json("(query)".to_owned(), rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for StrictPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // An id that cannot be one names nothing.
        Path::<T>::from_request_parts(parts, state).await.map(|Path(path)| StrictPath(path)).map_err(|_| Problem::not_found())
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Edge::JsonTypeMissing.into()) }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    // Whoever announces too much is not waited for.
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|len| len > BODY_LEN_MAX as u64) {
        return Err(Edge::BodyTooLarge.into());
    }
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        let is_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
        Problem::from(if is_large { Edge::BodyTooLarge } else { Edge::JsonMalformed })
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|_| {
        // Read again, slower, to find the place.
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Err(error) => Problem::json(error.path().to_string(), error.inner().to_string()),
            Ok(_) => Problem::json(".".to_owned(), "something follows the JSON value".to_owned()),
        }
    })
}
