//! The wallet: what is in it and where it came from; confirming it; the place of use.

use super::recorded::{Done, Keyed, Recorded, refusal};
use super::transfers::{Side, TransferBody, known, proof};
use super::wire::{AreaRef, LotBody, Money, People, PersonRef, Rule, area};
use crate::app::App;
use crate::problem::{Problem, ReasonBody};
use crate::service::{person, transfer};
use crate::time::rfc3339;
use crate::web::{Citizen, KeyedJson, StrictQuery};
use axum::Json;
use axum::extract::State;
use gongji_ledger::{Fen, GrantKind, HolderId, Lot};
use gongji_wallet::day::{day_of, instant};
use gongji_wallet::object::Holder;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show, open))
        .routes(routes!(origins))
        .routes(routes!(preview_opening))
        .routes(routes!(change_place))
        .routes(routes!(preview_place))
}

/// A wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletBody {
    owner: PersonRef,
    is_open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<AreaRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_at: Option<String>,
    /// What the wallet holds; the sum of `lots`.
    balance: Money,
    /// Money of the wallet by origin, in the order in which it will be spent.
    lots: Vec<LotBody>,
    personal_accounts: Vec<PersonalAccount>,
    /// Reserved by payments that are not finished.
    held: Money,
    /// Transfers that wait for this person, oldest first.
    waiting: Vec<TransferBody>,
    /// Transfers of this person that are not decided yet.
    outgoing: Vec<TransferBody>,
    limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen_since: Option<String>,
    as_of: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PersonalAccount {
    area: AreaRef,
    balance: Money,
    /// The account of the area where the person is insured now.
    is_current: bool,
}

/// What is left of today's allowances.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limits {
    transfers_max: u16,
    transfers_left: u16,
    transfer_min: Money,
    transfer_max: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_total_left: Option<Money>,
    resets_at: String,
    /// Transfers rest now.
    is_closed: bool,
    rule: Rule,
}

#[derive(Debug, Serialize, ToSchema)]
struct OriginList {
    origins: Vec<Origin>,
    as_of: String,
}

/// What one relative has given that is still in the wallet.
#[derive(Debug, Serialize, ToSchema)]
struct Origin {
    contributor: PersonRef,
    amount: Money,
    /// The part that may be passed on.
    may_pass_on: Money,
    lots: Vec<LotBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WalletOpening)]
struct Opening {
    /// Place of use: the area where the person is insured.
    #[schema(example = "510500")]
    place: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceChange {
    #[schema(example = "510500")]
    place: String,
    /// From `POST /proofs`, for the same place.
    #[serde(default)]
    proof: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Place {
    /// Six-digit code of the area.
    place: String,
}

/// What stands against something now. It binds nobody.
#[derive(Debug, Serialize, ToSchema)]
pub struct Objections {
    pub is_possible: bool,
    pub reasons: Vec<ReasonBody>,
}

impl Objections {
    pub fn new(reasons: &[gongji_wallet::Reason]) -> Objections {
        Objections { is_possible: reasons.is_empty(), reasons: reasons.iter().map(ReasonBody::from).collect() }
    }
}

/// The wallet
#[utoipa::path(get, path = "/wallet", tag = "wallet", responses((status = 200, description = "Balances, origins, what waits and what is left of the limits", body = WalletBody)), security(("session" = [])))]
pub async fn show(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<WalletBody>, Problem> {
    let holder = known(&app, citizen.subject)?;
    let (directory, now) = (app.directory(), app.now());
    let waiting: Vec<Side> = transfer::waiting_for(&app, holder.id)?.into_iter().map(Side::Incoming).collect();
    let mut outgoing = Vec::new();
    for id in &holder.outgoing {
        outgoing.extend(app.engine.outgoing(holder.id, *id)?.map(Side::Outgoing));
    }
    let lots: &[Lot] = holder.wallet.as_ref().map_or(&[], |wallet| wallet.lots.as_slice());
    let named = waiting.iter().chain(&outgoing).flat_map(Side::people).chain(lots.iter().map(|lot| lot.origin.contributor)).chain([holder.id]);
    let people = People::load(&app, &holder, &directory, named).await?;
    let current = holder.enrolment.map(|enrolment| enrolment.area);
    Ok(Json(WalletBody {
        owner: people.of(holder.id),
        is_open: holder.wallet.is_some(),
        place: holder.wallet.as_ref().map(|wallet| AreaRef::new(&directory, wallet.place)),
        opened_at: holder.wallet.as_ref().map(|wallet| rfc3339(wallet.opened_at)),
        balance: holder.wallet_total().into(),
        lots: people.lots(lots),
        personal_accounts: holder
            .accounts
            .iter()
            .map(|account| PersonalAccount {
                area: AreaRef::new(&directory, account.area),
                balance: account.balance.into(),
                is_current: Some(account.area) == current,
            })
            .collect(),
        held: holder.held.into(),
        waiting: waiting.iter().map(|side| side.body(&people, now)).collect(),
        outgoing: outgoing.iter().map(|side| side.body(&people, now)).collect(),
        limits: limits(&app, &holder, now),
        frozen_since: holder.freeze.as_ref().map(|freeze| rfc3339(freeze.since)),
        as_of: rfc3339(now),
    }))
}

fn limits(app: &App, holder: &Holder, now: i64) -> Limits {
    let day = day_of(now);
    let rules = app.directory().rules(holder.enrolment.map_or(0, |enrolment| enrolment.area), day);
    let used = holder.day.on(day);
    Limits {
        transfers_max: rules.daily_count_max,
        transfers_left: rules.daily_count_max.saturating_sub(used.count),
        transfer_min: rules.transfer_min.into(),
        transfer_max: rules.transfer_max.into(),
        daily_total_left: rules.daily_total_max.map(|max| (max - used.total).max(Fen::ZERO).into()),
        resets_at: rfc3339(instant(day + 1, if rules.is_closed_at(0) { rules.closed_to } else { 0 })),
        is_closed: rules.is_closed_at(gongji_wallet::day::ms_of_day(now)),
        rule: Rule::new(rules.version),
    }
}

/// Where the money in the wallet came from
#[utoipa::path(get, path = "/wallet/origins", tag = "wallet", responses((status = 200, description = "By contributor, oldest first", body = OriginList)), security(("session" = [])))]
async fn origins(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<OriginList>, Problem> {
    let holder = known(&app, citizen.subject)?;
    let directory = app.directory();
    let lots: &[Lot] = holder.wallet.as_ref().map_or(&[], |wallet| wallet.lots.as_slice());
    let people = People::load(&app, &holder, &directory, lots.iter().map(|lot| lot.origin.contributor)).await?;
    let mut origins: Vec<(HolderId, Vec<Lot>)> = Vec::new();
    for lot in lots {
        match origins.iter_mut().find(|(contributor, _)| *contributor == lot.origin.contributor) {
            Some((_, lots)) => lots.push(*lot),
            None => origins.push((lot.origin.contributor, vec![*lot])),
        }
    }
    let origin = |(contributor, lots): &(HolderId, Vec<Lot>)| Origin {
        contributor: people.of(*contributor),
        amount: gongji_ledger::total(lots).into(),
        may_pass_on: lots.iter().filter(|lot| lot.origin.kind != GrantKind::Quota).map(|lot| lot.amount).sum::<Fen>().into(),
        lots: people.lots(lots),
    };
    Ok(Json(OriginList { origins: origins.iter().map(origin).collect(), as_of: rfc3339(app.now()) }))
}

/// What stands against confirming the wallet
#[utoipa::path(get, path = "/wallet/opening", tag = "wallet", params(Place), responses((status = 200, description = "Everything that stands against it", body = Objections)), security(("session" = [])))]
async fn preview_opening(State(app): State<Arc<App>>, citizen: Citizen, StrictQuery(asked): StrictQuery<Place>) -> Result<Json<Objections>, Problem> {
    let place = area(&app.directory(), &asked.place, "place")?;
    Ok(Json(Objections::new(&person::opening_preview(&app, citizen.subject, place)?)))
}

/// Confirm use of the wallet (确认使用钱包)
#[utoipa::path(post, path = "/wallet", tag = "wallet", params(Keyed), request_body = Opening,
    responses((status = 201, description = "The wallet is in use", body = Done)), security(("session" = [])))]
async fn open(State(app): State<Arc<App>>, citizen: Citizen, request: KeyedJson<Opening>) -> Result<Recorded<Done>, Problem> {
    let key = request.key(&citizen.scope(), "open")?;
    let place = area(&app.directory(), &request.body.place, "place")?;
    let answered = person::open_wallet(&app, citizen.subject, citizen.holder, place, key).await.map_err(refusal(&key))?;
    Ok(Recorded::created("/api/v1/wallet".to_owned(), Done { done: true }, answered.replayed))
}

/// What stands against a change of the place of use
#[utoipa::path(get, path = "/wallet/place", tag = "wallet", params(Place), responses((status = 200, description = "Everything that stands against it", body = Objections)), security(("session" = [])))]
async fn preview_place(State(app): State<Arc<App>>, citizen: Citizen, StrictQuery(asked): StrictQuery<Place>) -> Result<Json<Objections>, Problem> {
    let place = area(&app.directory(), &asked.place, "place")?;
    Ok(Json(Objections::new(&person::place_preview(&app, citizen.subject, place)?)))
}

/// Change the place of use (使用地变更)
///
/// The money keeps its origin.
#[utoipa::path(post, path = "/wallet/place", tag = "wallet", params(Keyed), request_body = PlaceChange,
    responses((status = 200, description = "The wallet is used there from now on", body = Done)), security(("session" = [])))]
async fn change_place(State(app): State<Arc<App>>, citizen: Citizen, request: KeyedJson<PlaceChange>) -> Result<Recorded<Done>, Problem> {
    let key = request.key(&citizen.scope(), "place")?;
    let place = area(&app.directory(), &request.body.place, "place")?;
    let proof = proof(&app, request.body.proof.as_deref());
    let answered = person::change_place(&app, citizen.subject, citizen.holder, place, proof, key).await.map_err(refusal(&key))?;
    Ok(Recorded::ok(Done { done: true }, answered.replayed))
}
