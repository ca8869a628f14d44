//! The kit's side of HTTP: messages that are signed and then perhaps spoiled on purpose, answers whose signature is always checked.

use super::Checked;
use gongji_files::signature::{self, Request, Response, SigningKey, VerifyingKey, content_digest, sign_request, verify_response};
use gongji_store::clock::system_now;
use gongji_store::seal::{random, to_base64url};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::time::Duration;

/// No answer takes longer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Letters of an answer that a report shows.
const SHOWN_MAX: usize = 1_500;

/// Exchanges that a report shows of a case.
const EXCHANGES_MAX: usize = 12;

pub const JSON: &str = "application/json";

/// Something to send.
#[derive(Clone, Debug)]
pub struct Message {
    pub method: &'static str,
    /// With its query, if it has one.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub what: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
    /// Nothing where it is no JSON.
    pub body: Value,
    /// Whether the platform's signature is right; a message without a signature has an answer without one.
    pub signature: Result<(), String>,
}

/// Either an answer, or the connection ended without one.
pub enum Came {
    Answer(Box<Answer>),
    Nothing(String),
}

pub struct Client {
    http: reqwest::Client,
    origin: String,
    pub authority: String,
    platform: Vec<VerifyingKey>,
    exchanges: RefCell<Vec<String>>,
}

impl Message {
    pub fn get(path: impl Into<String>) -> Message {
        Message { method: "GET", path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn post(path: impl Into<String>, body: &Value) -> Message {
        Message::bytes(path, body.to_string().into_bytes())
    }

    pub fn bytes(path: impl Into<String>, body: Vec<u8>) -> Message {
        Message { method: "POST", path: path.into(), headers: Vec::new(), body }.header("content-type", JSON)
    }

    pub fn header(mut self, name: &str, value: &str) -> Message {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Message {
        self.header(signature::IDEMPOTENCY_KEY, key)
    }

    /// Another value, or none, for a header that is there.
    pub fn changed(mut self, name: &str, change: impl FnOnce(&str) -> Option<String>) -> Message {
        if let Some(at) = self.headers.iter().position(|(known, _)| known == name) {
            let (name, value) = self.headers.remove(at);
            self.headers.extend(change(&value).map(|value| (name, value)));
        }
        self
    }

    /// As it must be: digest, time, a fresh nonce.
    pub fn signed(self, key: &SigningKey, authority: &str) -> Message {
        self.signed_at(key, authority, now_s(), &nonce())
    }

    pub fn signed_at(mut self, key: &SigningKey, authority: &str, created: i64, nonce: &str) -> Message {
        if !self.body.is_empty() && !self.headers.iter().any(|(name, _)| name == signature::CONTENT_DIGEST) {
            let digest = content_digest(key.profile(), &self.body);
            self.headers.push((signature::CONTENT_DIGEST.to_owned(), digest));
        }
        let signed = self.with(authority, |request| sign_request(key, request, created, nonce));
        self.header(signature::SIGNATURE_INPUT, &signed.signature_input).header(signature::SIGNATURE, &signed.signature)
    }

    /// Signed over another list of components than the usual one, or with other parameters: what a wrong program might send.
    ///
    /// `names`: of the request; `parameters`: everything after the list.
    pub fn signed_over(mut self, key: &SigningKey, authority: &str, names: &[&str], parameters: &str) -> Message {
        if !self.body.is_empty() {
            let digest = content_digest(key.profile(), &self.body);
            self.headers.push((signature::CONTENT_DIGEST.to_owned(), digest));
        }
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let value = |name: &str| match name {
            "@method" => self.method.to_owned(),
            "@authority" => authority.to_owned(),
            "@path" => path.to_owned(),
            "@query" => format!("?{query}"),
            other => self.headers.iter().find(|(known, _)| known == other).map(|(_, value)| value.clone()).unwrap_or_default(),
        };
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" ");
        let parameters = format!("({list}){parameters}");
        let mut base: String = names.iter().map(|name| format!("\"{name}\": {}\n", value(name))).collect();
        base.push_str(&format!("\"@signature-params\": {parameters}"));
        let signature = key.sign_base64(base.as_bytes());
        self.header(signature::SIGNATURE_INPUT, &format!("sig1={parameters}")).header(signature::SIGNATURE, &format!("sig1=:{signature}:"))
    }

    pub fn with<T>(&self, authority: &str, work: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        work(&Request { method: self.method, authority, path, query, headers: &headers })
    }
}

impl Client {
    pub fn new(origin: &str, platform: Vec<VerifyingKey>) -> anyhow::Result<Client> {
        let url: reqwest::Url = origin.parse().map_err(|_| anyhow::anyhow!("网址 {origin} 写得不对,要像 http://127.0.0.1:8080"))?;
        anyhow::ensure!(url.scheme() == "http" && url.path() == "/", "一致性测试只测本机或内网的沙箱,网址要像 http://127.0.0.1:8080。");
        let host = url.host_str().ok_or_else(|| anyhow::anyhow!("网址 {origin} 里没有主机名"))?;
        let authority = signature::authority(&url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().redirect(reqwest::redirect::Policy::none()).user_agent("gongji-conformance");
        Ok(Client { http: http.build()?, origin: url.origin().ascii_serialization(), authority, platform, exchanges: RefCell::default() })
    }

    /// Forgets what was exchanged before.
    pub fn begin(&self) {
        self.exchanges.borrow_mut().clear();
    }

    /// What was exchanged since, the newest last.
    pub fn exchanges(&self) -> Vec<String> {
        self.exchanges.borrow().clone()
    }

    pub async fn send(&self, message: &Message) -> Came {
        let what = format!("{} {}", message.method, message.path);
        let method = reqwest::Method::from_bytes(message.method.as_bytes()).expect("the kit's methods are methods");
        let mut request = self.http.request(method, format!("{}{}", self.origin, message.path));
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        let came = match request.body(message.body.clone()).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let readable = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                    Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
                };
                let headers: Vec<(String, String)> = response.headers().iter().filter_map(readable).collect();
                match response.bytes().await {
                    Ok(bytes) => {
                        let bytes = bytes.to_vec();
                        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                        let signature = self.verified(message, status, &headers, &bytes);
                        Came::Answer(Box::new(Answer { what: what.clone(), status, headers, bytes, body, signature }))
                    }
                    Err(error) => Came::Nothing(error.without_url().to_string()),
                }
            }
            Err(error) => Came::Nothing(error.without_url().to_string()),
        };
        let told = match &came {
            Came::Answer(answer) => {
                let text: String = String::from_utf8_lossy(&answer.bytes).chars().take(SHOWN_MAX).collect();
                format!("{what}\n→ {}\n{text}", answer.status)
            }
            Came::Nothing(why) => format!("{what}\n→ 没有回答:{why}"),
        };
        let mut exchanges = self.exchanges.borrow_mut();
        if exchanges.len() == EXCHANGES_MAX {
            exchanges.remove(0);
        }
        exchanges.push(told);
        came
    }

    fn verified(&self, message: &Message, status: u16, headers: &[(String, String)], body: &[u8]) -> Result<(), String> {
        if !message.headers.iter().any(|(name, _)| name == signature::SIGNATURE) {
            return Ok(());
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !headers.iter().any(|(name, _)| *name == signature::SIGNATURE) {
            return Err("回答没有平台签名".to_owned());
        }
        let response = Response { status, headers: &headers };
        let check = |key: &VerifyingKey| message.with(&self.authority, |request| verify_response(key, &response, request, body));
        let mut why = String::new();
        for key in &self.platform {
            match check(key) {
                Ok(()) => return Ok(()),
                Err(error) => why = error.to_string(),
            }
        }
        Err(format!("回答的签名核对不上:{why}"))
    }
}

impl Came {
    pub fn answer(self) -> Checked<Answer> {
        match self {
            Came::Answer(answer) => Ok(*answer),
            Came::Nothing(why) => Err(format!("没有收到回答:{why}")),
        }
    }
}

impl Answer {
    /// With this status, and the platform's signature.
    pub fn ok(self, status: u16) -> Checked<Answer> {
        if self.status != status {
            return Err(format!("{} 应该回 {status},回的是 {}{}", self.what, self.status, self.told_code()));
        }
        self.signature.clone()?;
        Ok(self)
    }

    /// Refused for this reason (one of those told), as a problem document that is signed.
    pub fn refused(self, status: u16, code: &str) -> Checked<Answer> {
        let answer = self.refused_unsigned(status, code)?;
        answer.signature.clone()?;
        Ok(answer)
    }

    /// Refused before it was known who asks, so that nobody signs it.
    pub fn refused_unsigned(self, status: u16, code: &str) -> Checked<Answer> {
        let is_told = self.code() == code || self.body["reasons"].as_array().into_iter().flatten().any(|reason| reason["code"] == code);
        if self.status != status || !is_told {
            return Err(format!("{} 应该回 {status} {code},回的是 {}{}", self.what, self.status, self.told_code()));
        }
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.starts_with("application/problem+json") {
            return Err(format!("拒绝应该是 application/problem+json,回的是 {kind}"));
        }
        Ok(self)
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn told_code(&self) -> String {
        if self.code().is_empty() { String::new() } else { format!(" {}", self.code()) }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    pub fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub fn text(&self, pointer: &str) -> Checked<String> {
        self.at(pointer).as_str().map(str::to_owned).ok_or_else(|| format!("{} 的回答里没有文字 {pointer}", self.what))
    }

    /// An amount of ours.
    pub fn fen(&self, pointer: &str) -> Checked<i64> {
        let money = self.at(pointer);
        let amount = money["amount"].as_i64().filter(|_| money["currency"] == "CNY");
        amount.ok_or_else(|| format!("{} 的回答里没有金额 {pointer}", self.what))
    }

    /// Checks fields all at once.
    pub fn has(self, fields: &[(&str, Value)]) -> Checked<Answer> {
        for (pointer, wanted) in fields {
            if self.at(pointer) != wanted {
                return Err(format!("{} 的 {pointer} 应该是 {wanted},回的是 {}", self.what, self.at(pointer)));
            }
        }
        Ok(self)
    }

    /// The first answer once more: status and body, and the header that says so.
    pub fn repeats(&self, first: &Answer) -> Checked {
        if (self.status, &self.bytes) != (first.status, &first.bytes) {
            return Err(format!("重发得到的不是第一次的回答:第一次 {},重发 {}{}", first.status, self.status, self.told_code()));
        }
        is(self.is_replayed(), "重发的回答没有带 Idempotency-Replayed: true")
    }
}

/// Fails with what should have been.
pub fn is(right: bool, wrong: impl Into<String>) -> Checked {
    if right { Ok(()) } else { Err(wrong.into()) }
}

/// Fails where two things differ, with both.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Checked {
    if found == wanted { Ok(()) } else { Err(format!("{what}应该是 {wanted:?},实际是 {found:?}")) }
}

pub fn money(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

/// Seconds since 1970, by this machine: signatures go by the true time, whatever a sandbox's clock says.
pub fn now_s() -> i64 {
    system_now().div_euclid(1_000)
}

pub fn nonce() -> String {
    to_base64url(&random::<18>())
}
