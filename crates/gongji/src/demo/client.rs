//! The demonstration's side of HTTP.

use crate::conformance::Message;
use anyhow::{Context, bail, ensure};
use gongji_files::signature::{Response, SigningKey, VerifyingKey, verify_response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// No answer of the journey takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Client {
    http: reqwest::Client,
    origin: String,
}

/// Signs requests as an institution, and believes answers that the platform has signed.
#[derive(Clone)]
pub struct Signer {
    pub key: Arc<SigningKey>,
    pub platform: Arc<[VerifyingKey]>,
}

/// Somebody with a session or a key.
#[derive(Clone)]
pub struct Caller<'a> {
    client: &'a Client,
    bearer: Option<String>,
    signer: Option<Signer>,
    acting_for: Option<String>,
}

/// What came back.
pub struct Answer {
    what: String,
    pub status: u16,
    pub replayed: bool,
    pub body: Value,
}

impl Client {
    pub fn new(origin: &str) -> anyhow::Result<Client> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().user_agent("gongji-demo").build()?;
        Ok(Client { http, origin: origin.to_owned() })
    }

    /// Nobody in particular.
    pub fn anybody(&self) -> Caller<'_> {
        Caller { client: self, bearer: None, signer: None, acting_for: None }
    }

    pub fn with(&self, bearer: &str) -> Caller<'_> {
        Caller { bearer: Some(bearer.to_owned()), ..self.anybody() }
    }

    pub fn signed_by(&self, signer: &Signer) -> Caller<'_> {
        Caller { signer: Some(signer.clone()), ..self.anybody() }
    }

    /// The name under which the service is asked.
    pub fn authority(&self) -> &str {
        self.origin.trim_start_matches("http://")
    }
}

impl Caller<'_> {
    pub fn acting_for(&self, person: &str) -> Self {
        Caller { acting_for: Some(person.to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(reqwest::Method::GET, path, None, None).await
    }

    /// Posts with a fresh idempotency key.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.post_keyed(path, &crate::service::key::fresh(), body).await
    }

    pub async fn post_keyed(&self, path: &str, key: &str, body: Value) -> anyhow::Result<Answer> {
        self.send(reqwest::Method::POST, path, Some(key), Some(body)).await
    }

    async fn send(&self, method: reqwest::Method, path: &str, key: Option<&str>, body: Option<Value>) -> anyhow::Result<Answer> {
        let what = format!("{method} {path}");
        if let Some(signer) = &self.signer {
            return self.send_signed(signer, what, path, key, body).await;
        }
        let mut request = self.client.http.request(method, format!("{}/api/v1{path}", self.client.origin));
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(person) = &self.acting_for {
            request = request.header("Gongji-For", person);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| what.clone())?;
        let status = response.status().as_u16();
        let replayed = response.headers().contains_key("idempotency-replayed");
        let body = response.json().await.with_context(|| format!("{what} 的答复不是 JSON"))?;
        Ok(Answer { what, status, replayed, body })
    }

    async fn send_signed(&self, signer: &Signer, what: String, path: &str, key: Option<&str>, body: Option<Value>) -> anyhow::Result<Answer> {
        let (message, authority) = (signer.message(self.client.authority(), path, key, body.as_ref()), self.client.authority());
        let method = if body.is_some() { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut request = self.client.http.request(method, format!("{}{}", self.client.origin, message.path));
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        let response = request.body(message.body.clone()).send().await.with_context(|| what.clone())?;
        let status = response.status().as_u16();
        let readable = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
        let headers: Vec<(String, String)> = response.headers().iter().filter_map(readable).collect();
        let bytes = response.bytes().await.with_context(|| what.clone())?;
        let named: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = Response { status, headers: &named };
        let is_signed = signer.platform.iter().any(|key| message.with(authority, |request| verify_response(key, &answer, request, &bytes).is_ok()));
        ensure!(is_signed, "{what} 的答复没有平台的签名:{status} {}", String::from_utf8_lossy(&bytes));
        let replayed = headers.iter().any(|(name, _)| name == "idempotency-replayed");
        let body = serde_json::from_slice(&bytes).with_context(|| format!("{what} 的答复不是 JSON"))?;
        Ok(Answer { what, status, replayed, body })
    }
}

impl Signer {
    /// A request as it is sent: `body` makes it a POST.
    pub fn message(&self, authority: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Message {
        let path = format!("/api/v1{path}");
        let message = match body {
            Some(body) => Message::post(path, body),
            None => Message::get(path),
        };
        let message = match key {
            Some(key) => message.key(key),
            None => message,
        };
        message.signed(&self.key, authority)
    }
}

impl Answer {
    /// The body of a request that must succeed.
    pub fn ok(self) -> anyhow::Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        bail!("{} 本来应该成功,答复却是 {}:{}", self.what, self.status, self.body)
    }

    /// A request that must be refused, with `code` among its reasons; returns that reason's sentence and next step.
    pub fn refused(self, code: &str) -> anyhow::Result<(String, String)> {
        let own = std::iter::once(&self.body);
        let mut reasons = self.body["reasons"].as_array().into_iter().flatten().chain(own);
        match reasons.find(|reason| reason["code"] == code) {
            Some(reason) if (400..500).contains(&self.status) => Ok((text(&reason["title"]), text(&reason["next_step"]))),
            _ => bail!("{} 本来应该因为 {code} 被拒绝,答复却是 {}:{}", self.what, self.status, self.body),
        }
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Fen as the interface writes them.
pub fn money(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

pub fn fen(value: &Value) -> i64 {
    value["amount"].as_i64().unwrap_or(i64::MIN)
}

/// Ends the demonstration where something is not as it should be.
pub fn check(is_right: bool, what: &str, found: &Value) -> anyhow::Result<()> {
    if is_right { Ok(()) } else { bail!("{what},实际是 {found}") }
}
