//! Who is asking: extractors and cookies shared by pages and API.

mod body;
mod cookie;

pub use body::{KeyedJson, StrictJson, StrictPath, StrictQuery};
pub use cookie::{
    SUBJECT_COOKIE, clear_console_cookie, clear_session_cookie, clear_subject_cookie, clear_till_cookie, console_cookie_name, cookie, session_cookie_name,
    set_console_cookie, set_session_cookie, set_subject_cookie, set_till_cookie, till_cookie_name,
};

use crate::app::App;
use crate::identity::IdentityError;
use crate::problem::{Edge, Problem};
use crate::server::Limits;
use crate::trust::{OnApi, Origin, Policy, SignedBy, Untrusted};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method};
use gongji_ledger::{HolderId, InstitutionId};
use gongji_store::vault::{InMemory, Session, SessionToken};
use gongji_wallet::Reason;
use std::convert::Infallible;
use std::sync::Arc;

/// Header by which a program says for whom a person acts, in place of the cookie.
pub const FOR: HeaderName = HeaderName::from_static("gongji-for");

/// A person who is logged in, by cookie or by `Authorization: Bearer`.
#[derive(Clone, Debug)]
pub struct Citizen {
    pub holder: HolderId,
    pub session_id: u64,
    pub session: Session,
    pub token: SessionToken,
    /// Whom the person acts for now: a relative who has allowed it, or the person. Checked at every request.
    pub subject: HolderId,
}

impl Citizen {
    /// Whether the person acts for somebody else now.
    pub fn is_agent(&self) -> bool {
        self.subject != self.holder
    }

    /// The person themselves: for what nobody does on behalf of another (transfers, passwords, sessions).
    ///
    /// # Errors
    /// `NOT_YOURS` while the person acts for somebody else.
    pub fn own(&self) -> Result<HolderId, Problem> {
        if self.is_agent() { Err(Reason::NotYours.into()) } else { Ok(self.holder) }
    }

    /// Scope of this caller's idempotency keys.
    pub fn scope(&self) -> String {
        format!("citizen:{:x}:{:x}", self.holder.0, self.subject.0)
    }
}

/// A person who may be logged in.
#[derive(Clone, Debug)]
pub struct MaybeCitizen(pub Option<Citizen>);

/// An institution: by its signature; or by `Authorization: Bearer gk.…` or the cashier page's cookie, where the policy lets a bearer key alone in.
#[derive(Clone, Copy, Debug)]
pub struct InstitutionCaller {
    pub id: InstitutionId,
}

impl FromRequestParts<Arc<App>> for Citizen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Citizen, Problem> {
        let token = bearer(&parts.headers).or_else(|| cookie(&parts.headers, session_cookie_name(app)));
        let token = token.and_then(SessionToken::parse).ok_or(IdentityError::LoginRequired)?;
        let now = app.now();
        let session = match app.vault.session_in_memory(&token, now) {
            InMemory::Live(session) => Some(session),
            InMemory::Ended => None,
            InMemory::Unknown => {
                let token = token.clone();
                app.vault(move |vault| vault.session(&token, now)).await?
            }
        };
        let session = session.ok_or(IdentityError::LoginRequired)?;
        let holder = HolderId(session.holder);
        if let Some(limits) = parts.extensions.get::<Arc<Limits>>() {
            limits.person(holder)?;
        }
        let subject = subject(parts, app, holder)?;
        Ok(Citizen { holder, session_id: session.id, session, token, subject })
    }
}

impl OptionalFromRequestParts<Arc<App>> for Citizen {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Option<Citizen>, Infallible> {
        Ok(<Citizen as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await.ok())
    }
}

impl FromRequestParts<Arc<App>> for MaybeCitizen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<MaybeCitizen, Problem> {
        match <Citizen as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await {
            Ok(citizen) => Ok(MaybeCitizen(Some(citizen))),
            Err(problem) if problem.status.as_u16() == 401 => Ok(MaybeCitizen(None)),
            Err(problem) => Err(problem),
        }
    }
}

impl FromRequestParts<Arc<App>> for InstitutionCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<InstitutionCaller, Problem> {
        if let Some(SignedBy(id)) = parts.extensions.get() {
            // Its key, address, nonce and rate were looked at where it came in.
            return Ok(InstitutionCaller { id: *id });
        }
        let policy = parts.extensions.get::<Arc<Policy>>().cloned();
        let bearer = bearer(&parts.headers);
        // A till's page may go by its cookie; a program may not, whatever it calls its key.
        let is_program = bearer.is_some() || parts.extensions.get::<OnApi>().is_some();
        if is_program && !policy.as_ref().is_some_and(|policy| policy.bearer_alone) {
            return Err(Untrusted::SignatureRequired.into());
        }
        let key = bearer.or_else(|| cookie(&parts.headers, till_cookie_name(app))).ok_or(Edge::InstitutionKeyRequired)?;
        let id = institution_of_key(app, key).await?.ok_or(Edge::InstitutionKeyRequired)?;
        if let Some(origin) = parts.extensions.get::<Origin>() {
            let access = app.trust.access(app, id).await?;
            if !access.allows_address(origin.address) {
                return Err(Untrusted::AddressNotAllowed.into());
            }
            let lacks = policy.is_some_and(|policy| policy.certificate_required) && access.certificates.is_empty();
            if lacks || !access.allows_certificate(origin.certificate.as_deref()) {
                return Err(Untrusted::CertificateNotAllowed.into());
            }
        }
        if let Some(limits) = parts.extensions.get::<Arc<Limits>>() {
            limits.institution(id)?;
        }
        Ok(InstitutionCaller { id })
    }
}

/// The institution behind a key, if the key is good.
pub async fn institution_of_key(app: &App, key: &str) -> Result<Option<InstitutionId>, Problem> {
    let found = match app.vault.institution_key_in_memory(key) {
        Some(known) => known,
        None => {
            let key = key.to_owned();
            app.vault(move |vault| vault.verify_institution_key(&key)).await?
        }
    };
    Ok(found.and_then(|code| InstitutionId::parse(&code)))
}

/// Ends the session that this browser had before it logged in: it has one at a time, and an old cookie is worth nothing from here on.
///
/// # Errors
/// The vault cannot be written.
pub async fn end_session_before(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    match cookie(headers, session_cookie_name(app)).and_then(SessionToken::parse) {
        Some(before) => Ok(app.identity.log_out(&before).await?),
        None => Ok(()),
    }
}

/// What a person recognises this device by, for the list of sessions.
pub fn device(headers: &HeaderMap) -> String {
    crate::identity::device_label(headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default())
}

/// A person's id as the interface writes it.
pub fn person_id(holder: HolderId) -> String {
    format!("{:016x}", holder.0)
}

pub fn parse_person_id(text: &str) -> Option<HolderId> {
    let is_plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_plain.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(HolderId)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Whom `holder` acts for. The relative's leave is looked up each time, so that it ends at once.
///
/// Where it has ended, looking falls back to the person's own wallet; doing is refused, lest it happens to the wrong one.
fn subject(parts: &Parts, app: &App, holder: HolderId) -> Result<HolderId, Problem> {
    let header = parts.headers.get(FOR).map(|value| value.to_str().unwrap_or_default());
    let Some(wanted) = header.or_else(|| cookie(&parts.headers, SUBJECT_COOKIE)) else { return Ok(holder) };
    let wanted = parse_person_id(wanted);
    if let Some(subject) = wanted
        && (subject == holder || app.engine.holder(subject)?.is_some_and(|relative| relative.may_act(holder)))
    {
        return Ok(subject);
    }
    if header.is_none() && matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(holder);
    }
    let mut problem = Problem::from(Reason::NotYours);
    problem.cookie = Some(cookie::cleared(SUBJECT_COOKIE, app.sandbox.is_none()));
    Err(problem)
}
