//! Payment codes: shown once, good for a minute, used once.

use super::recorded::{Keyed, Recorded, on_record, refusal};
use super::wire::id_text;
use crate::app::App;
use crate::problem::{Edge, Problem};
use crate::service::{ServiceError, payment};
use crate::time::rfc3339;
use crate::web::{Citizen, KeyedJson, StrictJson};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gongji_wallet::Reason;
use gongji_wallet::object::PayFirst;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(issue)).routes(routes!(status))
}

/// Which purse a payment uses first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// The own personal account, then the wallet.
    PersonalAccount,
    /// The wallet, then the own personal account.
    Wallet,
    /// The wallet alone.
    WalletOnly,
}

impl From<First> for PayFirst {
    fn from(first: First) -> PayFirst {
        match first {
            First::PersonalAccount => PayFirst::Personal,
            First::Wallet => PayFirst::Wallet,
            First::WalletOnly => PayFirst::WalletOnly,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeRequest {
    first: First,
}

#[derive(Debug, Serialize, ToSchema)]
struct CodeBody {
    /// To read out or type; 19 letters and digits. Shown here and never again.
    #[schema(example = "0017F3K2M9Q0041BQ8X")]
    code: String,
    /// What the QR says: the code in the form of a national e-code, 28 characters, which every scanner reads.
    #[schema(example = "4240017F3K2M9Q0041BQ8X510000")]
    qr: String,
    expires_at: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeQuestion {
    /// As it was issued.
    code: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct CodeStatus {
    state: CodeState,
    expires_at: String,
    /// The payment that used it.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CodeState {
    Active,
    Used,
    /// Its minute is over, or a newer code has replaced it.
    Expired,
}

/// Issue a payment code
///
/// A new code replaces the one before. Only a digest of it is kept, so that a repeat with the same key cannot show it
/// again: it gets 409 `CODE_SHOWN_ONCE`; ask for a new one with a new key.
#[utoipa::path(post, path = "/payment-codes", tag = "paying", params(Keyed), request_body = CodeRequest,
    responses((status = 201, description = "The code, for the next minute", body = CodeBody)), security(("session" = [])))]
async fn issue(State(app): State<Arc<App>>, citizen: Citizen, request: KeyedJson<CodeRequest>) -> Result<Recorded<CodeBody>, Problem> {
    let key = request.key(&citizen.scope(), "code")?;
    let issued = payment::issue_code(&app, citizen.subject, citizen.holder, request.body.first.into(), key).await;
    let (code, expires) = match issued {
        // The service says so of a repeat, and of another body alike; told apart by what is on record.
        Err(ServiceError::KeyReused) if on_record(&app, citizen.subject.part(), &key)?.is_some() => {
            return Err(Problem::from(Edge::CodeShownOnce).traced_by(&key.key));
        }
        issued => issued.map_err(refusal(&key))?,
    };
    let place = super::transfers::known(&app, citizen.subject)?.wallet.map_or(0, |wallet| wallet.place);
    Ok(Recorded {
        status: StatusCode::CREATED,
        body: CodeBody { qr: code.qr_value(place), code: code.0, expires_at: rfc3339(expires) },
        replayed: false,
        location: None,
    })
}

/// What became of a payment code
///
/// For the page that shows it. The code stands in the body: an address may be written down on the way.
#[utoipa::path(post, path = "/payment-codes/status", tag = "paying", request_body = CodeQuestion,
    responses((status = 200, description = "Whether it was used", body = CodeStatus)), security(("session" = [])))]
async fn status(State(app): State<Arc<App>>, citizen: Citizen, StrictJson(asked): StrictJson<CodeQuestion>) -> Result<Json<CodeStatus>, Problem> {
    let (part, id) = payment::parse_code(&asked.code).ok_or(Reason::CodeUnknown)?;
    let (code, decoding) = app.engine.code(part, id)?.filter(|(code, _)| code.holder == citizen.subject).ok_or(Reason::CodeUnknown)?;
    let expires = decoding.map_or(code.expires, |decoding| decoding.until);
    let is_current = super::transfers::known(&app, citizen.subject)?.code == Some(id);
    let state = match code.used {
        Some(_) => CodeState::Used,
        None if app.now() >= expires || !is_current => CodeState::Expired,
        None => CodeState::Active,
    };
    Ok(Json(CodeStatus { state, expires_at: rfc3339(expires), payment: code.used.map(|payment| id_text(payment.0)) }))
}
