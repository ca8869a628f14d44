//! The resident premium (居民医保参保缴费).

use super::recorded::{Keyed, Recorded, refusal};
use super::state;
use super::transfers::proof;
use super::wire::{AreaRef, LotBody, Money, People, PersonRef, Rule, area, id_from, id_text};
use crate::app::App;
use crate::problem::{Problem, ReasonBody};
use crate::service::premium::{self, Wish};
use crate::time::{date, rfc3339};
use crate::web::{Citizen, KeyedJson, StrictPath, StrictQuery, parse_person_id};
use axum::Json;
use axum::extract::State;
use gongji_ledger::{HolderId, Lot};
use gongji_wallet::day::day_of;
use gongji_wallet::directory::{Directory, Premium};
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::Purpose;
use gongji_wallet::{Outcome, Reason};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(quote)).routes(routes!(pay)).routes(routes!(show))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Where {
    /// Six-digit code of the area.
    area: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct PremiumList {
    premiums: Vec<PremiumBody>,
}

/// What an area asks for a year.
#[derive(Debug, Serialize, ToSchema)]
struct PremiumBody {
    area: AreaRef,
    year: u16,
    amount: Money,
    /// First day of the window.
    opens_on: String,
    /// Last day of the window.
    closes_on: String,
    is_open: bool,
    /// Whether relatives may pay, or only the insured person.
    relatives_may_pay: bool,
    /// Words of the local office.
    instructions: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QuoteQuery {
    /// Id of the insured person; the payer unless given.
    #[serde(default)]
    insured: Option<String>,
    /// Six-digit code of the area.
    area: String,
    year: u16,
}

/// Information only: it binds nobody.
#[derive(Debug, Serialize, ToSchema)]
struct Quote {
    is_possible: bool,
    /// What stands against it on the payer's side.
    reasons: Vec<ReasonBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    premium: Option<PremiumBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PremiumRequest {
    /// Id of the insured person.
    insured: String,
    #[schema(example = "510500")]
    area: String,
    #[schema(example = 2027)]
    year: u16,
    /// From `POST /proofs`, for the same premium.
    #[serde(default)]
    proof: Option<String>,
}

/// What the record says at the moment of paying.
#[derive(Debug, Serialize, ToSchema)]
struct PremiumAnswer {
    payment: String,
    /// `held` while the insured person's side is asked, then `captured` or `refused`.
    #[schema(example = "captured")]
    state: &'static str,
    amount: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonBody>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PremiumPayment {
    payment: String,
    #[schema(example = "captured")]
    state: &'static str,
    insured: PersonRef,
    area: AreaRef,
    year: u16,
    amount: Money,
    lots: Vec<LotBody>,
    occurred_at: String,
    rule: Rule,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonBody>,
}

/// The insured person of a request.
///
/// # Errors
/// It is no person's id.
pub fn insured(text: &str, field: &str) -> Result<HolderId, Problem> {
    parse_person_id(text).ok_or_else(|| Problem::field(field, "没有这个人。", "not an id of a person"))
}

fn body(directory: &Directory, premium: &Premium, now: i64) -> PremiumBody {
    PremiumBody {
        area: AreaRef::new(directory, premium.area),
        year: premium.year,
        amount: premium.amount.into(),
        opens_on: date(premium.opens),
        closes_on: date(premium.closes),
        is_open: (premium.opens..=premium.closes).contains(&day_of(now)),
        relatives_may_pay: premium.relatives,
        instructions: premium.instructions.clone(),
    }
}

/// Premiums of an area
#[utoipa::path(get, path = "/premiums", tag = "premiums", params(Where), responses((status = 200, description = "By year, oldest first", body = PremiumList)), security(()))]
async fn list(State(app): State<Arc<App>>, StrictQuery(asked): StrictQuery<Where>) -> Result<Json<PremiumList>, Problem> {
    let (directory, now) = (app.directory(), app.now());
    let area = area(&directory, &asked.area, "area")?;
    let premiums = directory.premiums.range((area, 0)..=(area, u16::MAX)).map(|(_, premium)| body(&directory, premium, now)).collect();
    Ok(Json(PremiumList { premiums }))
}

/// What a premium costs, and what stands against paying it
#[utoipa::path(get, path = "/premiums/quote", tag = "premiums", params(QuoteQuery), responses((status = 200, description = "Amount, window and objections", body = Quote)), security(("session" = [])))]
async fn quote(State(app): State<Arc<App>>, citizen: Citizen, StrictQuery(asked): StrictQuery<QuoteQuery>) -> Result<Json<Quote>, Problem> {
    let directory = app.directory();
    let area = area(&directory, &asked.area, "area")?;
    let insured = asked.insured.as_deref().map_or(Ok(citizen.subject), |text| insured(text, "insured"))?;
    let wish = Wish { payer: citizen.subject, by: citizen.holder, insured, area, year: asked.year };
    let reasons = premium::preview(&app, &wish)?;
    Ok(Json(Quote {
        is_possible: reasons.is_empty(),
        reasons: reasons.iter().map(ReasonBody::from).collect(),
        premium: directory.premiums.get(&(area, asked.year)).map(|premium| body(&directory, premium, app.now())),
    }))
}

/// Pay a premium from the wallet
///
/// Once for each person and year. Where the answer is `held`, the insured person's side follows within moments:
/// `GET /premiums/payments/{id}` waits for it.
#[utoipa::path(post, path = "/premiums/payments", tag = "premiums", params(Keyed), request_body = PremiumRequest,
    responses((status = 201, description = "The payment is on record", body = PremiumAnswer)), security(("session" = [])))]
async fn pay(State(app): State<Arc<App>>, citizen: Citizen, request: KeyedJson<PremiumRequest>) -> Result<Recorded<PremiumAnswer>, Problem> {
    let key = request.key(&citizen.scope(), "premium")?;
    let PremiumRequest { insured: text, area: place, year, proof: proved } = &request.body;
    let area = area(&app.directory(), place, "area")?;
    let wish = Wish { payer: citizen.subject, by: citizen.holder, insured: insured(text, "insured")?, area, year: *year };
    let answered = premium::pay(&app, &wish, proof(&app, proved.as_deref()), key).await.map_err(refusal(&key))?;
    let Outcome::Premium { payment, state, amount, reason } = answered.outcome else {
        unreachable!("a premium is answered with a premium, not {:?}", answered.outcome)
    };
    let body =
        PremiumAnswer { payment: id_text(payment.0), state: state::payment_word(state), amount: amount.into(), reason: reason.as_ref().map(ReasonBody::from) };
    Ok(Recorded::created(format!("/api/v1/premiums/payments/{}", body.payment), body, answered.replayed))
}

/// One premium payment of this wallet
///
/// Waits up to three seconds while the insured person's side is asked.
#[utoipa::path(get, path = "/premiums/payments/{id}", tag = "premiums", params(("id" = String, Path, description = "The payment's id")),
    responses((status = 200, description = "The payment", body = PremiumPayment)), security(("session" = [])))]
async fn show(State(app): State<Arc<App>>, citizen: Citizen, StrictPath(id): StrictPath<String>) -> Result<Json<PremiumPayment>, Problem> {
    let id = PaymentId(id_from(&id)?);
    let payment = premium::payment(&app, citizen.subject, id).await?.ok_or(Reason::NotFound)?;
    let Purpose::Premium { insured, area, year } = payment.purpose else { return Err(Problem::not_found()) };
    let (holder, directory) = (super::transfers::known(&app, citizen.subject)?, app.directory());
    let lots: Vec<Lot> = payment.slices.iter().map(|slice| slice.lot).collect();
    let people = People::load(&app, &holder, &directory, lots.iter().map(|lot| lot.origin.contributor).chain([insured])).await?;
    Ok(Json(PremiumPayment {
        payment: id_text(payment.id.0),
        state: state::payment_word(payment.state),
        insured: people.of(insured),
        area: AreaRef::new(&directory, area),
        year,
        amount: payment.amount().into(),
        lots: people.lots(&lots),
        occurred_at: rfc3339(payment.held_at),
        rule: Rule::new(payment.rule),
        reason: payment.refusal.as_ref().map(ReasonBody::from),
    }))
}
