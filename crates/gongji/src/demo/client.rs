//! The demonstration's side of HTTP.

use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::time::Duration;

/// No answer of the journey takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Client {
    http: reqwest::Client,
    origin: String,
}

/// Somebody with a session or a key.
#[derive(Clone)]
pub struct Caller<'a> {
    client: &'a Client,
    bearer: Option<String>,
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
        Caller { client: self, bearer: None, acting_for: None }
    }

    pub fn with(&self, bearer: &str) -> Caller<'_> {
        Caller { bearer: Some(bearer.to_owned()), ..self.anybody() }
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
