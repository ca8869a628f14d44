//! Outside services over HTTP: one way to ask, to wait, to repeat and to fail. The contracts stand in `docs/adapters.md`.
//!
//! Every request carries its own number (`request_id`), which stays the same when it is repeated, so that a service may
//! be asked twice and act once. Nothing of a request or an answer reaches a log but the service's name and the kind of
//! failure.

use std::fmt;
use std::time::Duration;

use gongji_store::seal::Sensitive;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An answer longer than this is not ours.
const ANSWER_LEN_MAX: usize = 16 * 1024;
const TIMEOUT_MS: u64 = 3_000;
const TIMEOUT_MS_MAX: u64 = 30_000;
const ATTEMPTS: u32 = 2;
const ATTEMPTS_MAX: u32 = 5;

/// How to reach one service, as written in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterConfig {
    /// Where it listens, such as `http://127.0.0.1:9101`. TLS ends in a proxy beside us: GB/T 38636 exists only there.
    pub url: String,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<Sensitive>,
    /// For one attempt, connecting included.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// The first one counts.
    #[serde(default = "default_attempts")]
    pub attempts: u32,
}

fn default_timeout_ms() -> u64 {
    TIMEOUT_MS
}

fn default_attempts() -> u32 {
    ATTEMPTS
}

/// Why there is no answer to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
    /// The service understood and said no (422), with a word of its own.
    #[error("refused: {0}")]
    Refused(String),
    #[error("no answer in time")]
    Timeout,
    #[error("cannot be reached")]
    Unreachable,
    /// 4xx but 422 (the two sides disagree on the contract or the token), or 5xx.
    #[error("answered with status {0}")]
    Status(u16),
    /// Not the JSON that the contract says, or too long.
    #[error("answered with something else")]
    Garbage,
}

impl AdapterError {
    /// Whether asking again may help: the service was not there, or not well.
    fn is_passing(&self) -> bool {
        match self {
            Self::Timeout | Self::Unreachable => true,
            Self::Status(status) => *status >= 500,
            Self::Refused(_) | Self::Garbage => false,
        }
    }
}

/// A service that can be asked.
#[derive(Clone)]
pub struct HttpAdapter {
    name: &'static str,
    client: reqwest::Client,
    url: String,
    token: Option<Sensitive>,
    attempts: u32,
}

impl fmt::Debug for HttpAdapter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HttpAdapter({} at {})", self.name, self.url)
    }
}

/// The body of a refusal: a word such as `number_invalid`.
#[derive(Deserialize)]
struct Refusal {
    reason: String,
}

impl HttpAdapter {
    /// Prepares a service; `name` is the one in the configuration. The error is a sentence for whoever runs the program.
    pub fn new(name: &'static str, config: &AdapterConfig) -> Result<Self, String> {
        let url = config.url.trim_end_matches('/');
        let is_plain = url.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', '@']));
        if !is_plain {
            return Err(format!("{name}: the url must look like http://host:port/path; TLS ends in a proxy beside gongji"));
        }
        if !(1..=TIMEOUT_MS_MAX).contains(&config.timeout_ms) || !(1..=ATTEMPTS_MAX).contains(&config.attempts) {
            return Err(format!("{name}: timeout_ms is 1 to {TIMEOUT_MS_MAX}, attempts 1 to {ATTEMPTS_MAX}"));
        }
        let client = reqwest::Client::builder()
            .timeout(Duration::from_millis(config.timeout_ms))
            // A service that sends us elsewhere would send personal data elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, client, url: url.to_owned(), token: config.token.clone(), attempts: config.attempts })
    }

    /// Posts `question` and reads the answer; repeats at once, a few times, when the service is away or unwell.
    pub async fn post<Question: Serialize, Answer: DeserializeOwned>(&self, path: &str, question: &Question) -> Result<Answer, AdapterError> {
        let mut attempt = 1;
        loop {
            let error = match self.post_once(path, question).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tracing::warn!(trace_id = crate::server::request_number(), adapter.name = self.name, adapter.path = path, attempt, %error, "an outside service did not answer as hoped");
            if attempt >= self.attempts || !error.is_passing() {
                return Err(error);
            }
            attempt += 1;
        }
    }

    async fn post_once<Question: Serialize, Answer: DeserializeOwned>(&self, path: &str, question: &Question) -> Result<Answer, AdapterError> {
        let mut request = self.client.post(format!("{}{path}", self.url)).json(question);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        let mut response = request.send().await.map_err(|error| kind_of(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| kind_of(&error))? {
            if body.len() + chunk.len() > ANSWER_LEN_MAX {
                return Err(AdapterError::Garbage);
            }
            body.extend_from_slice(&chunk);
        }
        match status {
            200..=299 => serde_json::from_slice(&body).map_err(|_| AdapterError::Garbage),
            422 => {
                let refusal: Refusal = serde_json::from_slice(&body).map_err(|_| AdapterError::Garbage)?;
                Err(AdapterError::Refused(plain_word(&refusal.reason)))
            }
            status => Err(AdapterError::Status(status)),
        }
    }
}

/// A number of a request, the same for its repetitions.
pub(super) fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Only a short plain word of a foreign answer may reach a log.
fn plain_word(reason: &str) -> String {
    let is_plain = (1..=40).contains(&reason.len()) && reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_plain { reason.to_owned() } else { "unspecified".to_owned() }
}

fn kind_of(error: &reqwest::Error) -> AdapterError {
    if error.is_timeout() { AdapterError::Timeout } else { AdapterError::Unreachable }
}
