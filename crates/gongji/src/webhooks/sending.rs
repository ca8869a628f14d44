//! One attempt: signed by the Standard Webhooks, within a time limit, to the addresses that were looked at and nowhere else.

use super::target::{Target, TargetError};
use super::wire::{self, Tls, WireError};
use crate::time::rfc3339;
use gongji_files::webhook::sign;
use gongji_store::clock::system_now;
use gongji_store::vault::Webhook;
use std::net::SocketAddr;
use std::time::Duration;

/// For one attempt, looking the name up and connecting included.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 2xx.
    Delivered,
    /// Answered with 410: the receiver wants no more of this.
    Gone,
    /// Answered with something else; a redirect is not followed.
    Status,
    Timeout,
    Unreachable,
    /// It answers, and cannot prove over TLS who it is.
    Untrusted,
    NameUnknown,
    /// It leads into a private network.
    AddressRefused,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Gone => "gone",
            Outcome::Status => "status",
            Outcome::Timeout => "timeout",
            Outcome::Unreachable => "unreachable",
            Outcome::Untrusted => "tls_untrusted",
            Outcome::NameUnknown => "name_unknown",
            Outcome::AddressRefused => "address_refused",
        }
    }

    /// Whether no further attempt is made for this message.
    pub fn is_over(self) -> bool {
        matches!(self, Outcome::Delivered | Outcome::Gone)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub outcome: Outcome,
    /// Of the answer, if there was one.
    pub status: Option<u32>,
}

impl From<Outcome> for Attempt {
    fn from(outcome: Outcome) -> Attempt {
        Attempt { outcome, status: None }
    }
}

/// The message that says: read your feed. It is the same at every attempt.
pub fn news(institution: &str, made_ms: i64) -> Vec<u8> {
    let body = serde_json::json!({ "type": "events.available", "timestamp": rfc3339(made_ms), "data": { "institution": institution } });
    body.to_string().into_bytes()
}

/// A message that was asked for, to try the receiver.
pub fn trial(institution: &str, made_ms: i64) -> Vec<u8> {
    let body = serde_json::json!({ "type": "webhook.trial", "timestamp": rfc3339(made_ms), "data": { "institution": institution } });
    body.to_string().into_bytes()
}

/// Sends `body` once. `now` (ms) decides whether the secret before is still used.
pub async fn attempt(webhook: &Webhook, message: &str, body: &[u8], allows_loopback: bool, now: i64) -> Attempt {
    let work = async {
        let target = Target::parse(webhook.url.reveal(), allows_loopback)?;
        let addresses = target.addresses().await?;
        let tls = wire::of_system().await;
        Ok::<_, TargetError>(post(&target, &addresses, &tls, message, &signatures(webhook, now), body).await)
    };
    match tokio::time::timeout(WAIT_MAX, work).await {
        Ok(Ok(made)) => made,
        Ok(Err(TargetError::NameUnknown)) => Outcome::NameUnknown.into(),
        Ok(Err(TargetError::Internal | TargetError::Malformed)) => Outcome::AddressRefused.into(),
        Err(_) => Outcome::Timeout.into(),
    }
}

/// Makes the value of `webhook-signature` for an id, a time and a body.
type Signatures<'a> = dyn Fn(&str, i64, &[u8]) -> String + Send + Sync + 'a;

fn signatures(webhook: &Webhook, now: i64) -> Box<Signatures<'_>> {
    let old = webhook.old_secret.as_ref().filter(|(_, until)| now < *until).map(|(old, _)| old);
    Box::new(move |id, at, body| {
        let secrets = std::iter::once(&webhook.secret).chain(old);
        let signed: Vec<String> = secrets.filter_map(|secret| sign(secret.reveal(), id, at, body)).collect();
        signed.join(" ")
    })
}

async fn post(target: &Target, addresses: &[SocketAddr], tls: &Tls, message: &str, signatures: &Signatures<'_>, body: &[u8]) -> Attempt {
    // By the machine's clock: the receiver compares it with its own, also where a sandbox's clock was moved.
    let at = system_now() / 1_000;
    let (timestamp, signature) = (at.to_string(), signatures(message, at, body));
    let headers = [("content-type", "application/json"), ("webhook-id", message), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    match wire::post(target, addresses, tls, &headers, body).await {
        // The receiver's answer must not lead us elsewhere: a redirect is a status like any other.
        Ok(status) => {
            let outcome = match status.as_u16() {
                410 => Outcome::Gone,
                _ if status.is_success() => Outcome::Delivered,
                _ => Outcome::Status,
            };
            Attempt { outcome, status: Some(status.as_u16().into()) }
        }
        Err(WireError::Untrusted) => Outcome::Untrusted.into(),
        Err(WireError::Unreachable) => Outcome::Unreachable.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::Redirect;
    use axum::routing::post as on_post;
    use std::sync::{Arc, Mutex};

    type Seen = Arc<Mutex<Vec<(String, HeaderMap, Vec<u8>)>>>;

    /// A receiver on this machine that answers `/ok`, `/gone`, `/away` and fails otherwise.
    async fn receiver() -> (SocketAddr, Seen) {
        let seen = Seen::default();
        let kept = Arc::clone(&seen);
        let keep = move |path: &'static str, status: StatusCode| {
            let kept = Arc::clone(&kept);
            on_post(move |headers: HeaderMap, body: axum::body::Bytes| async move {
                kept.lock().unwrap().push((path.to_owned(), headers, body.to_vec()));
                status
            })
        };
        let router = Router::new()
            .route("/ok", keep("ok", StatusCode::NO_CONTENT))
            .route("/gone", keep("gone", StatusCode::GONE))
            .route("/away", on_post(|| async { Redirect::temporary("/ok") }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (address, seen)
    }

    fn webhook(url: String) -> Webhook {
        let secret = |byte: u8| gongji_files::webhook::secret_text(&[byte; 32]);
        Webhook {
            id: 1,
            institution: "H51050000001".to_owned(),
            url: url.into(),
            secret: secret(1).into(),
            old_secret: Some((secret(2).into(), 1_000)),
            created_ms: 0,
        }
    }

    #[tokio::test]
    async fn a_message_is_signed_with_both_secrets_while_the_old_one_is_good() {
        let (address, seen) = receiver().await;
        let webhook = webhook(format!("http://{address}/ok"));
        let body = news(&webhook.institution, 0);
        for (now, count) in [(999, 2), (1_000, 1)] {
            let made = attempt(&webhook, "msg_1", &body, true, now).await;
            assert_eq!(made, Attempt { outcome: Outcome::Delivered, status: Some(204) });
            let (_, headers, came) = seen.lock().unwrap().pop().unwrap();
            let header = |name: &str| headers[name].to_str().unwrap().to_owned();
            assert_eq!((header("webhook-id"), &came), ("msg_1".to_owned(), &body));
            let at = header("webhook-timestamp").parse().unwrap();
            let expected: Vec<String> = [1, 2].map(|byte| sign(&gongji_files::webhook::secret_text(&[byte; 32]), "msg_1", at, &body).unwrap()).into();
            assert_eq!(header("webhook-signature"), expected[..count].join(" "));
        }
    }

    #[tokio::test]
    async fn no_redirect_is_followed_and_failures_have_words() {
        let (address, seen) = receiver().await;
        let word = |path: &str, allows_loopback: bool| {
            let webhook = webhook(format!("http://{address}{path}"));
            async move { attempt(&webhook, "msg_1", b"{}", allows_loopback, 0).await }
        };
        assert_eq!(word("/away", true).await, Attempt { outcome: Outcome::Status, status: Some(307) });
        assert!(seen.lock().unwrap().is_empty());
        assert_eq!(word("/gone", true).await, Attempt { outcome: Outcome::Gone, status: Some(410) });
        assert_eq!(word("/else", true).await, Attempt { outcome: Outcome::Status, status: Some(404) });
        assert_eq!(word("/ok", false).await, Outcome::AddressRefused.into());
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let nobody = webhook(format!("http://{closed}/"));
        assert_eq!(attempt(&nobody, "msg_1", b"{}", true, 0).await, Outcome::Unreachable.into());
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_so_that_it_cannot_be_bound_to_another_address_in_between() {
        let (address, seen) = receiver().await;
        // Nobody can resolve this name: the attempt only arrives if it keeps to the addresses that were looked at.
        let target = Target::parse(&format!("http://rebound.invalid:{}/ok", address.port()), false).unwrap();
        let made = post(&target, &[address], &wire::of_system().await, "msg_1", &|_, _, _| "v1,".to_owned(), b"{}").await;
        assert_eq!(made.outcome, Outcome::Delivered);
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}
