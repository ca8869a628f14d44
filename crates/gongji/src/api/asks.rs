//! A payer without a phone: the institution asks, a relative who may act confirms.

use super::payments::{BillBody, bill, order_number_wrong};
use super::recorded::{Done, Keyed, Recorded, refusal};
use super::transfers::{known, proof};
use super::wire::{People, PersonRef, id_from, id_text};
use crate::app::App;
use crate::problem::Problem;
use crate::service::asking::{self, Ask, AskAnswer};
use crate::service::payment;
use crate::time::rfc3339;
use crate::web::{Citizen, InstitutionCaller, KeyedJson, StrictJson, StrictPath};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gongji_wallet::Reason;
use gongji_wallet::citizen::CitizenNumber;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(waiting)).routes(routes!(confirm)).routes(routes!(decline))
}

/// The side that asks.
pub fn of_institutions() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(state))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AskRequest {
    /// The institution's own number, 1 to 64 printable ASCII characters; used once.
    #[schema(example = "MZ20261123-0008")]
    order_no: String,
    /// Of the payer.
    #[schema(example = "990165196009130021")]
    id_number: String,
    bill: BillBody,
    /// Take what there is and leave the rest to cash.
    #[serde(default)]
    partial: bool,
}

/// A question to the relatives who may act for the payer.
#[derive(Debug, Serialize, ToSchema)]
struct AskBody {
    id: String,
    order_no: String,
    state: AskState,
    bill: BillBody,
    expires_at: String,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AskState {
    /// Nobody has answered yet. It looks the same where there is nobody to ask.
    Open,
    /// `GET /institutions/payments/by-order/{order_no}` tells what became of the hold.
    Confirmed,
    Declined,
    Expired,
}

fn body(ask: &Ask, now: i64) -> AskBody {
    let state = match ask.answer {
        Some(AskAnswer::Confirmed) => AskState::Confirmed,
        Some(AskAnswer::Declined) => AskState::Declined,
        None if ask.is_open(now) => AskState::Open,
        None => AskState::Expired,
    };
    AskBody { id: id_text(ask.id), order_no: ask.number.clone(), state, bill: ask.bill.into(), expires_at: rfc3339(ask.expires) }
}

#[derive(Debug, Serialize, ToSchema)]
struct Waiting {
    requests: Vec<WaitingBody>,
    as_of: String,
}

/// A question that waits for the person who is logged in.
#[derive(Debug, Serialize, ToSchema)]
struct WaitingBody {
    id: String,
    payer: PersonRef,
    institution: String,
    #[schema(example = "喀什安和医院")]
    institution_name: String,
    bill: BillBody,
    expires_at: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AskConfirm {
    /// From `POST /proofs`, for this request.
    proof: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct AskConfirmed {
    payment: String,
    order_no: String,
}

/// Ask the payer's relatives
///
/// For a payer without a phone who cannot type a password either. Open for five minutes; the same order asked again is the same request. The
/// answer does not tell whether there is such a person, or anybody to ask.
#[utoipa::path(post, path = "/payment-requests", tag = "payments", operation_id = "ask_relatives", request_body = AskRequest,
    responses((status = 202, description = "Whoever may act for the payer is asked", body = AskBody)), security(("institution" = [])))]
async fn ask(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictJson(asked): StrictJson<AskRequest>,
) -> Result<(StatusCode, Json<AskBody>), Problem> {
    let number = CitizenNumber::parse(&asked.id_number).map_err(|error| Problem::field("id_number", error.message_zh(), error.to_string()))?;
    payment::order_id(institution.id, &asked.order_no).ok_or_else(order_number_wrong)?;
    let ask = asking::ask(&app, institution.id, &number, &asked.order_no, bill(&asked.bill)?, asked.partial).await?;
    Ok((StatusCode::ACCEPTED, Json(body(&ask, app.now()))))
}

/// What a relative answered
#[utoipa::path(get, path = "/payment-requests/{id}", tag = "payments", operation_id = "payment_request", params(("id" = String, Path, description = "The request's id")),
    responses((status = 200, description = "Where it stands", body = AskBody)), security(("institution" = [])))]
async fn state(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(id): StrictPath<String>) -> Result<Json<AskBody>, Problem> {
    let ask = app.asks.of_institution(institution.id, &id_from(&id)?).ok_or(Reason::NotFound)?;
    Ok(Json(body(&ask, app.now())))
}

/// Payments of relatives that wait for me
#[utoipa::path(get, path = "/me/payment-requests", tag = "paying", operation_id = "payment_requests_waiting",
    responses((status = 200, description = "Oldest first", body = Waiting)), security(("session" = [])))]
async fn waiting(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<Waiting>, Problem> {
    let asks = asking::waiting_for(&app, citizen.holder).await?;
    let me = known(&app, citizen.holder)?;
    let directory = app.directory();
    let people = People::load(&app, &me, &directory, asks.iter().filter_map(|ask| ask.payer)).await?;
    let mut requests = Vec::new();
    for ask in &asks {
        let Some(payer) = ask.payer else { continue };
        requests.push(WaitingBody {
            id: id_text(ask.id),
            payer: people.of(payer),
            institution: ask.institution.to_string(),
            institution_name: directory.institutions.get(&ask.institution).map(|institution| institution.name.clone()).unwrap_or_default(),
            bill: ask.bill.into(),
            expires_at: rfc3339(ask.expires),
        });
    }
    Ok(Json(Waiting { requests, as_of: rfc3339(app.now()) }))
}

/// Confirm a relative's payment
///
/// The bill is held on the relative's money; the institution captures it.
#[utoipa::path(post, path = "/me/payment-requests/{id}/confirm", tag = "paying", operation_id = "confirm_payment_request",
    params(Keyed, ("id" = String, Path, description = "The request's id")), request_body = AskConfirm,
    responses((status = 200, description = "The money is held", body = AskConfirmed)), security(("session" = [])))]
async fn confirm(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<AskConfirm>,
) -> Result<Recorded<AskConfirmed>, Problem> {
    let key = request.key(&citizen.scope(), "confirm-payment-request")?;
    let (ask, payer) = asking::asked_of(&app, citizen.holder, &id_from(&id)?).await?;
    if ask.answer.is_none() && !ask.is_open(app.now()) {
        return Err(Reason::CodeExpired.into());
    }
    let proof = proof(&app, Some(&request.body.proof)).ok_or(Reason::ProofExpired)?;
    let (order, replayed) = asking::confirm(&app, &ask, payer, citizen.holder, proof, key).await.map_err(refusal(&key))?;
    Ok(Recorded::ok(AskConfirmed { payment: id_text(order.payment.0), order_no: order.number }, replayed))
}

/// Decline a relative's payment
#[utoipa::path(post, path = "/me/payment-requests/{id}/decline", tag = "paying", operation_id = "decline_payment_request",
    params(("id" = String, Path, description = "The request's id")), responses((status = 200, description = "Nothing is paid", body = Done)), security(("session" = [])))]
async fn decline(State(app): State<Arc<App>>, citizen: Citizen, StrictPath(id): StrictPath<String>) -> Result<Json<Done>, Problem> {
    let (ask, _) = asking::asked_of(&app, citizen.holder, &id_from(&id)?).await?;
    asking::decline(&app, &ask);
    Ok(Json(Done { done: true }))
}
