//! The layer around the API that reads signatures and signs answers.
//!
//! A request without a signature passes; who needs one asks for it ([`crate::web::InstitutionCaller`]). A request with one comes in or is refused here.
//! Every answer to a request whose signature was right is signed, refusals too: the platform's signature says "your request reached us as you
//! signed it, and this came of it". What has no such signature (a wrong request, a proxy's page, a time-out) says nothing about the outcome.

use super::upload::{self, Checked, Failed, Incoming};
use super::{Known, Origin, Policy, Untrusted, why};
use crate::app::App;
use crate::problem::{Edge, ExpectedBody, Problem};
use crate::server::{Limits, host};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gongji_files::signature::{
    AGE_MAX_S, CONTENT_DIGEST, IDEMPOTENCY_KEY, Presented, Refused, Request as Message, Response as Answer, SIGNATURE, SIGNATURE_INPUT, authority,
    content_digest, sign_response,
};
use gongji_ledger::InstitutionId;
use gongji_store::seal::Sensitive;
use gongji_store::vault::{Arrival, KeptRequest};
use std::net::IpAddr;
use std::sync::Arc;

/// Largest answer that is signed.
const ANSWER_LEN_MAX: usize = 32 * 1024 * 1024;

/// In the names of fields that hold one: REST's `password`, the gateway's `psn_pwd`.
const PASSWORDS: [&str; 2] = ["password", "pwd"];

/// What is kept in place of a large body: its digest stands in what was signed, and what came of it is kept by whoever took it.
const LARGE: &str = "(a file; not kept)";

/// This request is one of the API.
#[derive(Clone, Copy, Debug)]
pub struct OnApi;

/// The institution whose signature under this request was right.
#[derive(Clone, Copy, Debug)]
pub struct SignedBy(pub InstitutionId);

/// This response is no answer and is not signed: its connection will break.
#[derive(Clone, Copy, Debug)]
pub struct NoAnswer;

/// What is signed of a request, taken from it before it is handed on.
struct Taken {
    method: Method,
    authority: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Taken {
    fn of(request: &Request) -> Taken {
        let uri: &Uri = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
        let readable = |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
        Taken {
            method: request.method().clone(),
            authority: authority(host(request).unwrap_or_default()),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: request.headers().iter().filter_map(readable).collect(),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Message<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        work(&Message { method: self.method.as_str(), authority: &self.authority, path: &self.path, query: &self.query, headers: &headers })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The layer.
pub async fn check(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(OnApi);
    if !is_signed(request.headers()) {
        return next.run(request).await;
    }
    let taken = Taken::of(&request);
    let (parts, body) = request.into_parts();
    let len_max = upload::len_max(&taken.method, &taken.path);
    let incoming = match Incoming::begin(body, len_max).await {
        Ok(incoming) => incoming,
        Err(problem) => return problem.into_response(),
    };
    let presented = match taken.with(Presented::read) {
        Ok(presented) => presented,
        Err(refused) => return why(refused).into_response(),
    };
    let known = match app.trust.known(&app, &presented.key_id).await {
        Ok(Some(known)) => known,
        Ok(None) => return Untrusted::KeyUnknown.because("signature-input", format!("keyid=\"{}\"", presented.key_id), "not registered").into_response(),
        Err(problem) => return problem.into_response(),
    };
    let Checked { body, is_small, place: _place } = match incoming.check(&presented, &known.key, len_max, &app.trust.uploads).await {
        Ok(checked) => checked,
        Err(Failed::Problem(problem)) => return problem.into_response(),
        Err(Failed::Refused(refused, body)) => {
            let mut problem = why(refused);
            if app.sandbox.is_some() && matches!(refused, Refused::Differs | Refused::DigestDiffers | Refused::DigestKind(_)) {
                let digest = content_digest(known.key.profile(), &body);
                problem.body.expected = Some(ExpectedBody { signature_base: presented.base, content_digest: digest });
            }
            return problem.into_response();
        }
    };
    let mut request = Request::from_parts(parts, Body::from(body.clone()));
    let policy = request.extensions().get::<Arc<Policy>>().map_or_else(Policy::production, |policy| (**policy).clone());
    let limits = request.extensions().get::<Arc<Limits>>().cloned();
    let origin = request.extensions().get::<Origin>().cloned();
    let arriving = Arriving { taken: &taken, presented: &presented, known: &known, body: is_small.then_some(&body), limits, origin };
    let response = match come_in(&app, &policy, arriving).await {
        Ok(()) => {
            request.extensions_mut().insert(SignedBy(known.institution));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    if response.extensions().get::<NoAnswer>().is_some() {
        return response;
    }
    let profile = known.key.profile();
    let key = app.trust.answering(&app.vault, profile, policy.answer_key);
    let (mut parts, body) = response.into_parts();
    let body = match to_bytes(body, ANSWER_LEN_MAX).await {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer is too large to be signed");
            return Problem::from(Edge::Internal).into_response();
        }
    };
    let digest = content_digest(profile, &body);
    let headers = [(CONTENT_DIGEST, digest.as_str())];
    let answer = Answer { status: parts.status.as_u16(), headers: &headers };
    let signed = taken.with(|message| sign_response(key, &answer, message, app.trust.now() / 1_000));
    for (name, value) in [(CONTENT_DIGEST, &digest), (SIGNATURE_INPUT, &signed.signature_input), (SIGNATURE, &signed.signature)] {
        parts.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a signature's fields are ASCII"));
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether anything of a signature is there. Half of one is refused, not overlooked.
fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(SIGNATURE_INPUT) || headers.contains_key(SIGNATURE)
}

/// A request whose signature is right, and what goes with it.
struct Arriving<'a> {
    taken: &'a Taken,
    presented: &'a Presented,
    known: &'a Known,
    /// Where it is small enough to be kept.
    body: Option<&'a Bytes>,
    limits: Option<Arc<Limits>>,
    origin: Option<Origin>,
}

/// Everything between a right signature and the handler.
async fn come_in(app: &App, policy: &Policy, arriving: Arriving<'_>) -> Result<(), Problem> {
    let Arriving { taken, presented, known, body, limits, origin } = arriving;
    let now_ms = app.trust.now();
    if !presented.is_timely(now_ms.div_euclid(1_000)) {
        return Err(Untrusted::stale(presented.created, now_ms));
    }
    if let Some(limits) = limits {
        limits.institution(known.institution)?;
    }
    let origin = origin.unwrap_or(Origin { address: IpAddr::from([127, 0, 0, 1]), certificate: None });
    let arrival = Arrival {
        part: known.part,
        institution: known.institution.to_string(),
        key_id: presented.key_id.clone(),
        nonce: presented.nonce.clone(),
        // One second more than it can be timely.
        ends_ms: (presented.created + AGE_MAX_S + 1) * 1_000,
        now_ms,
        address: origin.address,
        certificate: origin.certificate,
        needs_certificate: policy.certificate_required,
        kept: kept(taken, presented, body),
    };
    let admission = app.trust.entrance(app).ask(arrival).await?;
    Untrusted::of(admission).map_err(Problem::from)
}

/// What is kept of a request that may change something: what was signed, the signature, the body.
fn kept(taken: &Taken, presented: &Presented, body: Option<&Bytes>) -> Option<KeptRequest> {
    if matches!(taken.method, Method::GET | Method::HEAD) {
        return None;
    }
    let signature = taken.header(SIGNATURE).unwrap_or_default();
    let text = format!("{}\n\n{signature}\n\n{}", presented.base, body.map_or_else(|| LARGE.to_owned(), without_passwords));
    Some(KeptRequest { idempotency_key: taken.header(IDEMPOTENCY_KEY).map(str::to_owned), text: Sensitive::new(text) })
}

/// The body to keep. A person's password is nobody's to keep, sealed or not; the signed digest still proves the body to whoever knows it.
fn without_passwords(body: &Bytes) -> String {
    let is_clear = std::str::from_utf8(body).ok().filter(|text| {
        let lower = text.to_ascii_lowercase();
        !PASSWORDS.iter().any(|name| lower.contains(name)) && !text.contains("\\u")
    });
    if let Some(text) = is_clear {
        return text.to_owned();
    }
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(body) else { return "(not JSON; not kept)".to_owned() };
    mask(&mut value);
    format!("(passwords masked)\n{value}")
}

fn mask(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if PASSWORDS.iter().any(|password| name.to_ascii_lowercase().contains(password)) {
                    *value = "***".into();
                } else {
                    mask(value);
                }
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_kept_however_it_is_written() {
        let plain = Bytes::from_static(br#"{ "order_no": "1",  "note": "x" }"#);
        assert_eq!(without_passwords(&plain), r#"{ "order_no": "1",  "note": "x" }"#, "to the byte");
        for body in [r#"{"payer":{"keypad":{"password":"262626"}}}"#, r#"{"input":{"wlt":{"psn_pwd":"262626"}}}"#, r#"{"payer":[{"p\u0061ssword":"262626"}]}"#]
        {
            let kept = without_passwords(&Bytes::from(body));
            assert!(!kept.contains("262626") && kept.contains("***"), "{kept}");
        }
        assert!(!without_passwords(&Bytes::from_static(b"password=262626")).contains("262626"));
        assert!(!without_passwords(&Bytes::from_static(b"\xFF262626")).contains("262626"));
    }
}
