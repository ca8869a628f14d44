//! The national-style gateway: one address, the national envelope, over the same commands as the REST door.
//!
//! A message is written down before it is worked on and its answer before it is sent, both sealed, under its `msgid`: whoever sends the same
//! message again gets the same words. Money is decided where it always is; the idempotency keys of the commands are made of the `msgid`, so
//! that a message that was cut off in the middle goes on where it stood.
//!
//! A message may be signed inside (`cainfo`); its answer is then signed likewise.
//!
//! | transactions | here |
//! | --- | --- |
//! | 9001, 9002 sign in and out | `sign` |
//! | 1101 person, 1162 e-code | `person` |
//! | 2206–2208 outpatient, 2101–2103 pharmacy, 5203 query | `settle` |
//! | 2601 reversal | `reverse` |
//! | 3201, 3202 reconciliation, 9101, 9102 its files | `reconcile` |
//! | 6201–6401 mobile payment | `mobile` |

mod cainfo;
mod certificate;
mod ecode;
mod envelope;
mod fields;
mod mobile;
mod node;
mod person;
mod reconcile;
mod refusal;
mod reverse;
mod settle;
mod sign;
mod split;
mod upstream;

pub use refusal::{ERR_MSG_MAX, Wrong, markdown};

use crate::app::{App, AppError};
use crate::identity::HttpAdapter;
use crate::problem::{Edge, Problem, Told};
use crate::sandbox::test_fault::{TEST_FAULT, test_fault};
use crate::service::key::IdempotencyKey;
use crate::trust::Policy;
use crate::web::InstitutionCaller;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use envelope::{Head, INPUT_LEN_MAX, Reply, Sender, Signer};
use fields::Fields;
use gongji_files::signature::Profile;
use gongji_ledger::{AreaCode, InstitutionId};
use gongji_store::vault::{BegunMessage, GATEWAY_MESSAGE_DAYS_MIN, NewGatewayMessage};
use gongji_wallet::day::DAY_MS;
use gongji_wallet::object::{Business, Terminal, Visit};
use node::Node;
use refusal::Refusal;
use std::sync::Arc;

/// The address that institutions' software knows.
pub const PATH: &str = "/fsi/api/callFsiService/callService";

/// The same by a short name.
pub const SHORT_PATH: &str = "/api/v1/fsi";

/// Largest message: an uploaded file is the longest. Of any other, `input` has 40,000 characters at most.
pub const MESSAGE_LEN_MAX: usize = 4 * 1024 * 1024;

pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let one = || post(call).layer(DefaultBodyLimit::max(MESSAGE_LEN_MAX));
    let routes = Router::new().route(PATH, one()).route(SHORT_PATH, one());
    if app.sandbox.is_none() {
        return routes;
    }
    routes.layer(middleware::from_fn_with_state(Arc::clone(app), test_fault)).layer(middleware::from_fn_with_state(Arc::clone(app), in_envelope))
}

/// What a rehearsal refuses is refused in the envelope, as everything is that the door answers.
async fn in_envelope(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_rehearsed = request.headers().contains_key(&TEST_FAULT);
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) if is_rehearsed && problem.status != StatusCode::UNAUTHORIZED => {
            let refusal = Refusal::from(problem.clone());
            let now = app.now();
            let reply = Reply { area: 0, serial: 0, received: now, answered: now };
            respond(reply.json(Err(&refusal), None), Some((&refusal, reply.refmsgid())))
        }
        _ => response,
    }
}

/// What the configuration says of the gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Messages are kept this long (days).
    pub message_days: u16,
    /// Who is asked for the fund's split of a bill that comes without one (contract `settlement` in `docs/adapters.md`).
    pub settlement: Option<HttpAdapter>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { message_days: GATEWAY_MESSAGE_DAYS_MIN, settlement: None }
    }
}

/// Drops what need not be kept any longer; a job calls it about once an hour.
pub async fn sweep(app: &App) -> Result<usize, AppError> {
    let now = app.now();
    let before = now - i64::from(app.gateway.message_days) * DAY_MS;
    app.vault(move |vault| vault.sweep_gateway(before, now)).await
}

/// A message that is worked on.
struct Call<'a> {
    app: &'a Arc<App>,
    institution: InstitutionId,
    /// Where the institution is.
    area: AreaCode,
    sender: Sender,
    head: Head,
    input: Fields<'a>,
    /// Keyed digest of transaction and `input`: what the idempotency keys stand for.
    fingerprint: [u8; 32],
    now: i64,
}

impl Call<'_> {
    /// Key of one of the commands that this message comes to.
    fn key(&self, step: &str) -> Result<IdempotencyKey, Refusal> {
        key_of(self.institution, step, &self.sender.msgid, &self.fingerprint)
    }

    /// The institution's partition, where its messages are.
    fn part(&self) -> u16 {
        self.app.engine.institution_part(self.institution)
    }

    /// What the books note of a bill besides its amounts. The day is that of the `msgid`: it stays the same when the message is sent again.
    fn visit(&self, business: Business) -> Visit {
        let terminal = match self.head.opter_type.as_str() {
            "2" => Terminal::Kiosk,
            "3" => Terminal::Mobile,
            _ => Terminal::Counter,
        };
        Visit { business, terminal, day: self.sender.day }
    }

    fn code(&self) -> String {
        self.institution.to_string()
    }
}

fn key_of(institution: InstitutionId, step: &str, msgid: &str, fingerprint: &[u8; 32]) -> Result<IdempotencyKey, Refusal> {
    let key = IdempotencyKey::new(&format!("institution:{institution}"), &format!("gateway-{step}"), msgid, fingerprint);
    key.map_err(|_| Wrong::MsgidMalformed.into())
}

async fn call(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    policy: Option<Extension<Arc<Policy>>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|rejection| {
        let is_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
        Problem::from(if is_large { Edge::BodyTooLarge } else { Edge::JsonMalformed })
    })?;
    let text = std::str::from_utf8(&body).map_err(|_| Edge::JsonMalformed)?;
    let message = Fields::of_message(text).ok_or(Edge::JsonMalformed)?;
    let number = policy.map_or(Policy::production().answer_key, |policy| policy.answer_key);
    Ok(answer(&app, institution.id, text, &message, number).await)
}

/// Everything that has an envelope is answered in one.
async fn answer(app: &Arc<App>, institution: InstitutionId, text: &str, message: &Fields<'_>, key_number: u32) -> Response {
    let received = app.now();
    let area = app.directory().institutions.get(&institution).map_or(0, |known| known.area);
    let reply = |serial: u64| Reply { area, serial, received, answered: app.now() };
    // What is not written down has no serial number.
    let unwritten = |refusal: Refusal, signer: Option<Signer<'_>>| {
        let reply = reply(0);
        respond(reply.json(Err(&refusal), signer), Some((&refusal, reply.refmsgid())))
    };
    let sender = match Sender::read(message, institution) {
        Ok(sender) => sender,
        Err(refusal) => return unwritten(refusal, None),
    };
    let is_signed = match cainfo::signed(app, institution, &sender, message).await {
        Ok(is_signed) => is_signed,
        Err(refusal) => return unwritten(refusal, None),
    };
    let msgid = sender.msgid.clone();
    let signer = is_signed.then(|| Signer { key: app.trust.answering(&app.vault, Profile::Sm2, key_number), msgid: &msgid });
    let fingerprint = fingerprint(app, &sender.infno, message);
    let begun = match begin(app, institution, &sender, &fingerprint, masked(text, message)).await {
        Ok(BegunMessage::Open { id }) => id,
        Ok(BegunMessage::Answered(answer)) => return respond(answer.reveal().to_owned(), None),
        Ok(BegunMessage::Other) => return unwritten(Wrong::MsgidReused.into(), signer),
        Err(refusal) => return unwritten(refusal, signer),
    };
    let done = work(app, institution, area, sender, message, fingerprint, received).await;
    let reply = reply(begun);
    let (json, is_final) = match &done {
        Ok(output) => (reply.json(Ok(output), signer), true),
        Err(refusal) => (reply.json(Err(refusal), signer), refusal.is_final),
    };
    let (part, code, now) = (app.engine.institution_part(institution), institution.to_string(), app.now());
    let kept = {
        let (json, msgid) = (json.clone(), msgid.clone());
        app.vault(move |vault| vault.answer_gateway_message(part, &code, &msgid, &json, is_final, now)).await
    };
    match kept {
        Ok(answer) => respond(answer.reveal().to_owned(), done.as_ref().err().map(|refusal| (refusal, reply.refmsgid()))),
        Err(error) => {
            // What was done is done; but an answer that is not kept could be another one next time.
            let refusal = Refusal::from(error);
            respond(reply.json(Err(&refusal), signer), Some((&refusal, reply.refmsgid())))
        }
    }
}

fn respond(json: String, refused: Option<(&Refusal, String)>) -> Response {
    let mut response = (StatusCode::OK, json).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if let Some((refusal, number)) = refused {
        response.extensions_mut().insert(Told { code: refusal.code.clone().into(), number });
    }
    response
}

async fn begin(app: &Arc<App>, institution: InstitutionId, sender: &Sender, fingerprint: &[u8; 32], kept: String) -> Result<BegunMessage, Refusal> {
    let (part, now) = (app.engine.institution_part(institution), app.now());
    let (code, msgid, infno, fingerprint) = (institution.to_string(), sender.msgid.clone(), sender.infno.clone(), *fingerprint);
    let begun = app.vault(move |vault| {
        let new = NewGatewayMessage { part, institution: &code, msgid: &msgid, infno: &infno, fingerprint: &fingerprint, request: &kept };
        vault.begin_gateway_message(&new, now)
    });
    Ok(begun.await?)
}

/// What is asked, apart from the head: a message that is sent again may carry another time or sign-in. Keyed, because a password may be in it.
fn fingerprint(app: &App, infno: &str, message: &Fields<'_>) -> [u8; 32] {
    let input = message.raw("input").map_or("", |input| input.get());
    app.vault.keys().blind("gateway message", &[infno.as_bytes(), input.as_bytes()])
}

/// The message without what a person typed on the keypad, for passwords are kept nowhere, and without an uploaded file, which is kept apart.
fn masked(text: &str, message: &Fields<'_>) -> String {
    let Some(input) = message.raw("input") else { return text.to_owned() };
    // Where a node cannot be read, all of it goes.
    let secret = match Fields::of_node(input.get(), "") {
        None => Some(input),
        Some(fields) => {
            let inside = |node: &str, field: &str| {
                let extension = fields.raw(node)?;
                Fields::of_node(extension.get(), "").map_or(Some(extension), |fields| fields.raw(field))
            };
            inside("wlt", "psn_pwd").or_else(|| inside("fsUploadIn", "in"))
        }
    };
    let Some(secret) = secret else { return text.to_owned() };
    let from = secret.get().as_ptr() as usize - text.as_ptr() as usize;
    format!("{}\"***\"{}", &text[..from], &text[from + secret.get().len()..])
}

async fn work(
    app: &Arc<App>,
    institution: InstitutionId,
    area: AreaCode,
    sender: Sender,
    message: &Fields<'_>,
    fingerprint: [u8; 32],
    now: i64,
) -> Result<Node, Refusal> {
    let head = Head::read(message, area).map_err(Refusal::of_head)?;
    let is_file = sender.infno == "9101";
    let input = envelope::input(message, if is_file { MESSAGE_LEN_MAX } else { INPUT_LEN_MAX })?;
    let call = Call { app, institution, area, sender, head, input, fingerprint, now };
    if call.sender.infno != "9001" {
        sign::required(&call).await?;
    }
    match call.sender.infno.as_str() {
        "9001" => sign::sign_in(&call).await,
        "9002" => sign::sign_out(&call).await,
        "1101" => person::person(&call).await,
        "1162" => person::decode(&call).await,
        "2101" => settle::quote(&call, settle::PHARMACY).await,
        "2102" => settle::settle(&call, settle::PHARMACY).await,
        "2103" => settle::cancel(&call, settle::PHARMACY).await,
        "2206" => settle::quote(&call, settle::OUTPATIENT).await,
        "2207" => settle::settle(&call, settle::OUTPATIENT).await,
        "2208" => settle::cancel(&call, settle::OUTPATIENT).await,
        "2601" => reverse::reverse(&call).await,
        "3201" => reconcile::totals(&call).await,
        "3202" => reconcile::details(&call).await,
        "5203" => settle::query(&call).await,
        "6201" => mobile::upload(&call).await,
        "6202" => mobile::pay(&call).await,
        "6203" => mobile::refund(&call).await,
        "6301" => mobile::query(&call).await,
        "6401" => mobile::revoke(&call).await,
        "9101" => reconcile::upload(&call).await,
        "9102" => reconcile::download(&call).await,
        _ => Err(Wrong::InfnoUnknown.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        masked(text, &Fields::of_message(text).unwrap())
    }

    #[test]
    fn a_typed_password_is_kept_nowhere() {
        let text = r#"{"infno":"2207","input":{"data":{"a":1.10},"wlt":{"psn_pwd":"260002","first":"wallet"}}}"#;
        assert_eq!(kept(text), text.replace("260002", "***"));
        // However it is written.
        assert_eq!(kept(r#"{"input":{"wlt":{"psn_pwd":260002}}}"#), r#"{"input":{"wlt":{"psn_pwd":"***"}}}"#);
        assert_eq!(kept(r#"{"input":{"wlt":{"psn_pwd":"1","psn_pwd":"260002"}}}"#), r#"{"input":{"wlt":"***"}}"#);
        assert_eq!(kept(r#"{"input":{"wlt":{"psn_pwd":"260002"},"wlt":{}}}"#), r#"{"input":"***"}"#);
        assert_eq!(kept(r#"{"input":{"wlt":["260002"]}}"#), r#"{"input":{"wlt":"***"}}"#);
        assert_eq!(kept(r#"{"input":{"fsUploadIn":{"in":[1,2,3],"filename":"a"}}}"#), r#"{"input":{"fsUploadIn":{"in":"***","filename":"a"}}}"#);
        let plain = r#"{"input":{"data":{},"wlt":{"first":"wallet"}}}"#;
        assert_eq!(kept(plain), plain);
    }
}
