//! What goes between a client and the program, and the moment at which the program is killed.

use crate::program::Program;
use serde_json::Value;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Repeats of a request whose answer is "still open" or "busy".
const REPEATS_MAX: usize = 20;

/// The program has been killed: what was asked got no answer.
#[derive(Debug)]
pub struct Gone;

/// Something that is asked, as it can be asked again.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: reqwest::Method,
    pub path: String,
    /// Of whoever asks: a session or an institution's key.
    pub token: String,
    pub body: Option<Value>,
    /// Idempotency key of what changes money.
    pub key: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub replayed: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body of what went well.
    #[track_caller]
    pub fn done(&self) -> Value {
        assert!(self.is_done(), "{self:?}");
        self.json()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// When the program dies: at an acknowledged request, counted over all clients.
pub struct Blow {
    child: Arc<Mutex<Child>>,
    count: AtomicU64,
    at: u64,
    fallen: AtomicBool,
}

impl Blow {
    pub fn new(program: &Program, at: u64) -> Arc<Blow> {
        Arc::new(Blow { child: program.child(), count: AtomicU64::new(0), at, fallen: AtomicBool::new(false) })
    }

    /// One more request has been acknowledged.
    fn acknowledged(&self) {
        if self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            self.strike();
        }
    }

    pub fn strike(&self) {
        self.fallen.store(true, Ordering::SeqCst);
        // On Unix this is SIGKILL.
        self.child.lock().unwrap().kill().unwrap();
    }

    pub fn has_fallen(&self) -> bool {
        self.fallen.load(Ordering::SeqCst)
    }
}

/// One life of the program, as a client sees it.
#[derive(Clone)]
pub struct Wire {
    http: reqwest::Client,
    origin: String,
    blow: Arc<Blow>,
}

impl Wire {
    pub fn new(program: &Program, blow: &Arc<Blow>) -> Wire {
        Wire { http: reqwest::Client::builder().no_proxy().build().unwrap(), origin: program.origin.clone(), blow: blow.clone() }
    }

    /// Asks until there is a definite answer, which counts if it changed something.
    pub async fn ask(&self, asked: &Asked) -> Result<Answer, Gone> {
        let answer = self.look(asked).await?;
        if asked.key.is_some() && answer.is_done() {
            self.blow.acknowledged();
        }
        Ok(answer)
    }

    /// Asks until there is a definite answer.
    pub async fn look(&self, asked: &Asked) -> Result<Answer, Gone> {
        for _ in 0..REPEATS_MAX {
            let answer = self.once(asked).await?;
            let is_open = answer.status == 503 || answer.status == 409 && answer.code() == "STILL_OPEN";
            if !is_open {
                assert!(answer.status < 500, "{asked:?} → {answer:?}");
                return Ok(answer);
            }
        }
        panic!("no definite answer: {asked:?}")
    }

    async fn once(&self, asked: &Asked) -> Result<Answer, Gone> {
        let mut request = self.http.request(asked.method.clone(), format!("{}/api/v1{}", self.origin, asked.path));
        if !asked.token.is_empty() {
            request = request.bearer_auth(&asked.token);
        }
        if let Some(key) = &asked.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &asked.body {
            request = request.json(body);
        }
        let answered = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let replayed = response.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
            Ok::<_, reqwest::Error>(Answer { status, replayed, text: response.text().await? })
        };
        answered.await.map_err(|error| {
            assert!(self.blow.has_fallen(), "the connection broke and nobody broke it: {asked:?}: {error:?}");
            Gone
        })
    }
}
