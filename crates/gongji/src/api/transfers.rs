//! Transfers: preview, submit, look, accept, decline, cancel.

use super::readiness::AreaReadiness;
use super::recorded::{Keyed, Nothing, Recorded, refusal};
use super::state::{self, Action};
use super::wire::{Kind, LotBody, Money, NamedPerson, People, PersonRef, RelationRef, Rule, Source, cursor, id_from, id_text, page_len, parse_cursor};
use crate::app::App;
use crate::problem::{Problem, ReasonBody};
use crate::service::key::IdempotencyKey;
use crate::service::transfer::{self, Wish};
use crate::service::{Answered, ServiceError};
use crate::time::rfc3339;
use crate::web::{Citizen, KeyedJson, StrictJson, StrictPath, StrictQuery};
use axum::Json;
use axum::extract::State;
use gongji_ledger::HolderId;
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::{Holder, Incoming, LineCode, Outgoing, TransferState};
use gongji_wallet::relation::RelationCode;
use gongji_wallet::{Outcome, Proof, Reason};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(submit, list))
        .routes(routes!(preview))
        .routes(routes!(show))
        .routes(routes!(accept))
        .routes(routes!(decline))
        .routes(routes!(cancel))
}

/// What is to be transferred, and to whom. It declares the relation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferWish {
    pub receiver: NamedPerson,
    /// GB/T 4761: what the receiver is to the sender, two digits.
    #[schema(example = "52")]
    pub relation: String,
    pub amount: Money,
    pub source: Source,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    pub receiver: NamedPerson,
    /// GB/T 4761: what the receiver is to the sender, two digits.
    #[schema(example = "52")]
    pub relation: String,
    pub amount: Money,
    pub source: Source,
    /// From `POST /proofs`, for the same receiver, amount and source.
    #[serde(default)]
    pub proof: Option<String>,
}

/// What the record says about a transfer at the moment it was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransferAnswer {
    pub id: String,
    #[schema(example = "awaiting_recipient")]
    pub state: &'static str,
    pub version: u8,
    pub next_actions: Vec<Action>,
    pub amount: Money,
    /// From this instant on, what nobody took goes back.
    pub deadline: String,
    pub rule: Rule,
    /// Why the receiver's side refused it; the money is back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TransferBody {
    pub id: String,
    pub direction: Direction,
    #[schema(example = "awaiting_recipient")]
    pub state: &'static str,
    pub version: u8,
    pub next_actions: Vec<Action>,
    /// Past the deadline, and on its way back.
    pub is_returning: bool,
    pub amount: Money,
    pub sender: PersonRef,
    pub receiver: PersonRef,
    /// What the other person is to the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<RelationRef>,
    pub source: Source,
    pub kind: Kind,
    pub lots: Vec<LotBody>,
    pub occurred_at: String,
    pub deadline: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    pub rule: Rule,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonBody>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Outgoing,
    Incoming,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TransferPreview {
    /// Nothing stands against it now. It binds nobody.
    pub is_possible: bool,
    /// Everything that stands against it.
    pub reasons: Vec<ReasonBody>,
    pub deadline: String,
    /// The relation is confirmed: an active wallet is credited at once.
    pub is_confirmed: bool,
    pub transfers_left: u16,
    pub transfers_max: u16,
    pub transfer_max: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_total_left: Option<Money>,
    pub kind: Kind,
    pub rule: Rule,
    /// Where the receiver is insured and how many institutions there take the wallet, once the relation is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_area: Option<AreaReadiness>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TransferList {
    /// What waits for this person, oldest first.
    pub waiting: Vec<TransferBody>,
    /// Sent and received, newest first.
    pub transfers: Vec<TransferBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    pub as_of: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Rows, 1 to 200; 50 unless given.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// The wish with the receiver found. Whether there is such a person stays unknown to the caller.
pub async fn wish(app: &App, sender: HolderId, receiver: &NamedPerson, relation: Option<&str>, amount: Money, source: Source) -> Result<Wish, Problem> {
    let (name, number) = receiver.parse("receiver.")?;
    let relation = match relation {
        Some(text) => relation_code(text)?,
        None => 0,
    };
    let amount = amount.fen("amount")?;
    let receiver = transfer::find_receiver(app, sender, name.as_str(), number.as_str()).await?;
    Ok(Wish { sender, receiver, relation, amount, from_wallet: source == Source::Wallet })
}

/// Two digits. One that names no near relative goes on to the rules, which refuse it with their own words.
fn relation_code(text: &str) -> Result<u8, Problem> {
    match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok((tens - b'0') * 10 + (ones - b'0')),
        _ => Err(Problem::field("relation", "亲属关系要用两位数字代码。", "relation is a two-digit code of GB/T 4761")),
    }
}

/// The relation code of a form, if it names a near relative.
///
/// # Errors
/// It does not; the words say which are possible.
pub fn near_relation(text: &str) -> Result<RelationCode, Problem> {
    RelationCode::parse(text).map_err(|error| Problem::field("relation", error.message_zh(), error.to_string()))
}

/// The proof as the wallet judges it. One that was not made here fits nothing; one that is over is refused as such, by the record.
pub fn proof(app: &App, text: Option<&str>) -> Option<Proof> {
    let text = text?;
    // Its end is judged at the commit, so that a repeat is recognised as such however late it comes.
    let proof = app.vault.verify_proof(text, i64::MIN).map(Proof::from);
    Some(proof.unwrap_or(Proof { id: 0, holder: HolderId(0), bound: [0; 16], expires: i64::MAX }))
}

/// Submit a transfer
///
/// Everything that stands against it is told at once. What lies on the receiver's side is told only after the receiver has confirmed the
/// relation; before that it is one neutral reason. The answer is the sender's side at its commit: where it is `submitted`, the receiver's side
/// follows within moments, and `GET /transfers/{id}` waits for it.
#[utoipa::path(post, path = "/transfers", tag = "transfers", params(Keyed), request_body = TransferRequest,
    responses((status = 201, description = "The transfer is on record", body = TransferAnswer)), security(("session" = [])))]
async fn submit(State(app): State<Arc<App>>, citizen: Citizen, request: KeyedJson<TransferRequest>) -> Result<Recorded<TransferAnswer>, Problem> {
    let key = request.key(&citizen.scope(), "transfer")?;
    let sender = citizen.own()?;
    let TransferRequest { receiver, relation, amount, source, proof: text } = &request.body;
    let wish = wish(&app, sender, receiver, Some(relation), *amount, *source).await?;
    let answered = transfer::submit(&app, &wish, proof(&app, text.as_deref()), key).await.map_err(refusal(&key))?;
    let (body, replayed) = answer(answered, state::sender_actions);
    Ok(Recorded::created(format!("/api/v1/transfers/{}", body.id), body, replayed))
}

fn answer(answered: Answered, actions: fn(TransferState) -> Vec<Action>) -> (TransferAnswer, bool) {
    let Outcome::Transfer { id, state, amount, deadline, rule, reason } = answered.outcome else {
        unreachable!("a transfer is answered with a transfer, not {:?}", answered.outcome)
    };
    let body = TransferAnswer {
        id: id_text(id.0),
        state: state::transfer_word(state),
        version: state::transfer_version(state),
        next_actions: actions(state),
        amount: amount.into(),
        deadline: rfc3339(deadline),
        rule: Rule::new(rule),
        reason: reason.as_ref().map(ReasonBody::from),
    };
    (body, answered.replayed)
}

/// Preview a transfer
///
/// Information only: nothing is reserved, and the transfer itself is decided anew.
#[utoipa::path(post, path = "/transfers/preview", tag = "transfers", request_body = TransferWish,
    responses((status = 200, description = "What stands against it, and under which rules", body = TransferPreview)), security(("session" = [])))]
async fn preview(State(app): State<Arc<App>>, citizen: Citizen, StrictJson(request): StrictJson<TransferWish>) -> Result<Json<TransferPreview>, Problem> {
    let wish = wish(&app, citizen.own()?, &request.receiver, Some(&request.relation), request.amount, request.source).await?;
    let preview = transfer::preview(&app, &wish)?;
    Ok(Json(TransferPreview {
        is_possible: preview.reasons.is_empty(),
        reasons: preview.reasons.iter().map(ReasonBody::from).collect(),
        deadline: rfc3339(preview.deadline),
        is_confirmed: preview.is_confirmed,
        transfers_left: preview.transfers_left,
        transfers_max: preview.transfers_max,
        transfer_max: preview.transfer_max.into(),
        daily_total_left: preview.daily_total_left.map(Money::from),
        kind: preview.kind.into(),
        rule: Rule::new(preview.rule),
        receiver_area: preview.receiver_area.map(|area| AreaReadiness::of(&app, area)),
    }))
}

/// Transfers sent and received
#[utoipa::path(get, path = "/transfers", tag = "transfers", params(Page),
    responses((status = 200, description = "What waits, then the history, newest first", body = TransferList)), security(("session" = [])))]
async fn list(State(app): State<Arc<App>>, citizen: Citizen, StrictQuery(page): StrictQuery<Page>) -> Result<Json<TransferList>, Problem> {
    let (before, limit) = (parse_cursor(page.cursor.as_deref())?, page_len(page.limit)?);
    let reader = known(&app, citizen.subject)?;
    let is_transfer = |code| matches!(code, LineCode::TransferOut | LineCode::TransferIn);
    let mut lines = app.engine.lines(reader.id, before, limit + 1, |line| is_transfer(line.code)).await?;
    let next_cursor = (lines.len() > limit).then(|| lines.truncate(limit)).and_then(|()| lines.last().map(|line| cursor(line.number)));
    let mut sides = Vec::new();
    for line in lines {
        let id = TransferId(line.reference);
        let side = if line.code == LineCode::TransferOut { outgoing_side(&app, reader.id, id)? } else { incoming_side(&app, reader.id, id)? };
        sides.extend(side);
    }
    let waiting: Vec<Side> = transfer::waiting_for(&app, reader.id)?.into_iter().map(Side::Incoming).collect();
    let directory = app.directory();
    let people = People::load(&app, &reader, &directory, sides.iter().chain(&waiting).flat_map(Side::people)).await?;
    let now = app.now();
    let body = |side: &Side| side.body(&people, now);
    Ok(Json(TransferList { waiting: waiting.iter().map(body).collect(), transfers: sides.iter().map(body).collect(), next_cursor, as_of: rfc3339(now) }))
}

/// One transfer, as its sender or its receiver sees it
///
/// Waits up to three seconds while the receiver's side is under way.
#[utoipa::path(get, path = "/transfers/{id}", tag = "transfers", params(("id" = String, Path, description = "The transfer's id")),
    responses((status = 200, description = "The transfer", body = TransferBody)), security(("session" = [])))]
async fn show(State(app): State<Arc<App>>, citizen: Citizen, StrictPath(id): StrictPath<String>) -> Result<Json<TransferBody>, Problem> {
    let id = TransferId(id_from(&id)?);
    let reader = known(&app, citizen.subject)?;
    let side = match transfer::outgoing(&app, reader.id, id).await? {
        Some(outgoing) => Side::Outgoing(outgoing),
        None => incoming_side(&app, reader.id, id)?.ok_or(Reason::NotFound)?,
    };
    let directory = app.directory();
    let people = People::load(&app, &reader, &directory, side.people()).await?;
    Ok(Json(side.body(&people, app.now())))
}

/// Take a transfer that waits
///
/// Taking the first transfer of a pair confirms the relation.
#[utoipa::path(post, path = "/transfers/{id}/accept", tag = "transfers", params(Keyed, ("id" = String, Path, description = "The transfer's id")), request_body = Nothing,
    responses((status = 200, description = "The money is in the wallet", body = TransferAnswer)), security(("session" = [])))]
async fn accept(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<TransferAnswer>, Problem> {
    let id = TransferId(id_from(&id)?);
    let key = request.key(&citizen.scope(), "accept")?;
    decided(&key, transfer::accept(&app, id, citizen.subject, citizen.holder, key).await, state::receiver_actions)
}

/// Decline a transfer that waits
#[utoipa::path(post, path = "/transfers/{id}/decline", tag = "transfers", params(Keyed, ("id" = String, Path, description = "The transfer's id")), request_body = Nothing,
    responses((status = 200, description = "The money goes back", body = TransferAnswer)), security(("session" = [])))]
async fn decline(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<TransferAnswer>, Problem> {
    let id = TransferId(id_from(&id)?);
    let key = request.key(&citizen.scope(), "decline")?;
    decided(&key, transfer::decline(&app, id, citizen.subject, citizen.holder, key).await, state::receiver_actions)
}

/// Cancel a transfer that waits
///
/// By its sender, until the receiver has taken it.
#[utoipa::path(post, path = "/transfers/{id}/cancel", tag = "transfers", params(Keyed, ("id" = String, Path, description = "The transfer's id")), request_body = Nothing,
    responses((status = 200, description = "The money goes back", body = TransferAnswer)), security(("session" = [])))]
async fn cancel(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<TransferAnswer>, Problem> {
    let id = TransferId(id_from(&id)?);
    let key = request.key(&citizen.scope(), "cancel")?;
    let sender = citizen.own()?;
    decided(&key, transfer::cancel(&app, id, sender, key).await, state::sender_actions)
}

fn decided(
    key: &IdempotencyKey,
    answered: Result<Answered, ServiceError>,
    actions: fn(TransferState) -> Vec<Action>,
) -> Result<Recorded<TransferAnswer>, Problem> {
    let (body, replayed) = answer(answered.map_err(refusal(key))?, actions);
    Ok(Recorded::ok(body, replayed))
}

/// The holder, who must be on file.
pub fn known(app: &App, holder: HolderId) -> Result<Holder, Problem> {
    Ok(app.engine.holder(holder)?.ok_or(Reason::NotFound)?)
}

/// One side of a transfer.
pub enum Side {
    Outgoing(Outgoing),
    Incoming(Incoming),
}

fn outgoing_side(app: &App, reader: HolderId, id: TransferId) -> Result<Option<Side>, Problem> {
    Ok(app.engine.outgoing(reader, id)?.map(Side::Outgoing))
}

fn incoming_side(app: &App, reader: HolderId, id: TransferId) -> Result<Option<Side>, Problem> {
    let incoming = transfer::incoming(app, reader, id)?;
    // What was refused on arrival never reached this person.
    Ok(incoming.filter(|incoming| incoming.state != TransferState::Refused).map(Side::Incoming))
}

impl Side {
    pub fn people(&self) -> Vec<HolderId> {
        let transfer = match self {
            Side::Outgoing(outgoing) => &outgoing.transfer,
            Side::Incoming(incoming) => &incoming.transfer,
        };
        transfer.lots.iter().map(|lot| lot.origin.contributor).chain([transfer.sender, transfer.receiver]).collect()
    }

    pub fn body(&self, people: &People, now: i64) -> TransferBody {
        let (transfer, state, decided_at, reason, direction, actions) = match self {
            Side::Outgoing(Outgoing { transfer, state, decided_at, reason }) => {
                (transfer, *state, *decided_at, reason.as_ref(), Direction::Outgoing, state::sender_actions(*state))
            }
            Side::Incoming(Incoming { transfer, state, decided_at, .. }) => {
                (transfer, *state, *decided_at, None, Direction::Incoming, state::receiver_actions(*state))
            }
        };
        let is_returning = transfer::is_returning(state, transfer.deadline, now);
        let relation = match direction {
            Direction::Outgoing => RelationRef::of(transfer.relation),
            Direction::Incoming => people.mirrored(transfer.relation, transfer.sender),
        };
        TransferBody {
            id: id_text(transfer.id.0),
            direction,
            state: state::transfer_word(state),
            version: state::transfer_version(state),
            next_actions: if is_returning { Vec::new() } else { actions },
            is_returning,
            amount: transfer.amount().into(),
            sender: people.of(transfer.sender),
            receiver: people.of_receiver(transfer.receiver, state == TransferState::Refused),
            relation,
            source: transfer.source.into(),
            kind: transfer.kind.into(),
            lots: people.lots(&transfer.lots),
            occurred_at: rfc3339(transfer.sent_at),
            deadline: rfc3339(transfer.deadline),
            decided_at: decided_at.map(rfc3339),
            rule: Rule::new(transfer.rule),
            reason: reason.map(ReasonBody::from),
        }
    }
}
