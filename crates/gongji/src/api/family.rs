//! Relatives: opening and acting on their behalf, and confirmed relations.

use super::auth::StartedBody;
use super::recorded::{Done, Keyed, Nothing, Recorded, refusal};
use super::transfers::{known, near_relation};
use super::wire::{AreaRef, NamedPerson, People, PersonRef, area};
use crate::app::App;
use crate::identity::CONSENT_TEXT;
use crate::problem::Problem;
use crate::service::{family, person};
use crate::time::rfc3339;
use crate::web::{Citizen, KeyedJson, StrictJson, StrictPath, parse_person_id};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gongji_store::seal::Sensitive;
use gongji_wallet::object::EndReason;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(start, acting_for))
        .routes(routes!(confirm))
        .routes(routes!(stop_acting))
        .routes(routes!(agents))
        .routes(routes!(remove_agent))
        .routes(routes!(relations))
        .routes(routes!(end_relation))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OnBehalfStart {
    relative: NamedPerson,
    /// GB/T 4761: what the relative is to the person who asks.
    #[schema(example = "52")]
    relation: String,
    /// Version of the text of consent that was read and agreed to.
    #[schema(example = "act-on-behalf-2026-11")]
    consent: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct OnBehalfStarted {
    #[serde(flatten)]
    started: StartedBody,
    /// Whose phone the code goes to, if it goes to any.
    code_goes_to: CodeGoesTo,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CodeGoesTo {
    /// The adult relative's phone on file.
    Relative,
    /// The relative is a minor: the guardian's own phone.
    Guardian,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OnBehalfConfirm {
    ticket: String,
    #[schema(value_type = String, example = "731904")]
    code: Sensitive,
    /// Place of use: the area where the relative is insured.
    #[schema(example = "510500")]
    place: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct OnBehalfDone {
    /// For header `Gongji-For`.
    relative: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct RelativeList {
    relatives: Vec<Relative>,
}

/// Somebody for whom the person may act.
#[derive(Debug, Serialize, ToSchema)]
struct Relative {
    person: PersonRef,
    has_wallet: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<AreaRef>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AgentList {
    /// Relatives who may open, accept, pay and look on this person's behalf.
    agents: Vec<PersonRef>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RelationList {
    relations: Vec<Relation>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Relation {
    /// With what the person is to the reader.
    person: PersonRef,
    /// Whether the reader declared it; the other side confirmed it.
    declared_here: bool,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "by_person")]
    ended_why: Option<&'static str>,
}

/// Ask for a relative's consent to open and act on their behalf (代开通)
///
/// The code goes to the relative's phone on file, or to the guardian's own for a minor. The answer is the same if there is no such person or phone.
#[utoipa::path(post, path = "/wallet/relatives", tag = "family", request_body = OnBehalfStart,
    responses((status = 202, description = "A code is on its way if the relative is on file", body = OnBehalfStarted)), security(("session" = [])))]
async fn start(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictJson(asked): StrictJson<OnBehalfStart>,
) -> Result<(StatusCode, Json<OnBehalfStarted>), Problem> {
    let agent = citizen.own()?;
    asked.relative.parse("relative.")?;
    let relation = near_relation(&asked.relation)?;
    if asked.consent != CONSENT_TEXT {
        return Err(Problem::field("consent", "请先读完并同意代办说明。", format!("the consent in force is {CONSENT_TEXT}")));
    }
    let (started, is_guardian) = family::start_on_behalf(&app, agent, &asked.relative.name, &asked.relative.id_number, relation).await?;
    let code_goes_to = if is_guardian { CodeGoesTo::Guardian } else { CodeGoesTo::Relative };
    Ok((StatusCode::ACCEPTED, Json(OnBehalfStarted { started: started.into(), code_goes_to })))
}

/// Open a relative's wallet with the code
///
/// The person may act for the relative from then on; a wallet that is already in use stays as it is.
#[utoipa::path(post, path = "/wallet/relatives/confirm", tag = "family", request_body = OnBehalfConfirm,
    responses((status = 201, description = "The wallet is in use, and the person may act for it", body = OnBehalfDone)), security(("session" = [])))]
async fn confirm(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictJson(asked): StrictJson<OnBehalfConfirm>,
) -> Result<(StatusCode, Json<OnBehalfDone>), Problem> {
    let agent = citizen.own()?;
    let place = area(&app.directory(), &asked.place, "place")?;
    let relative = family::confirm_on_behalf(&app, agent, &asked.ticket, &asked.code, place).await?;
    Ok((StatusCode::CREATED, Json(OnBehalfDone { relative: crate::web::person_id(relative) })))
}

/// For whom the person may act
#[utoipa::path(get, path = "/wallet/relatives", tag = "family", responses((status = 200, description = "Everybody who allows it now", body = RelativeList)), security(("session" = [])))]
async fn acting_for(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<RelativeList>, Problem> {
    let relatives = family::acting_for(&app, citizen.holder).await?;
    let (reader, directory) = (known(&app, citizen.holder)?, app.directory());
    let people = People::load(&app, &reader, &directory, relatives.iter().copied()).await?;
    let mut list = Vec::new();
    for relative in relatives {
        let wallet = app.engine.holder(relative)?.and_then(|holder| holder.wallet);
        let place = wallet.as_ref().map(|wallet| AreaRef::new(&directory, wallet.place));
        list.push(Relative { person: people.of(relative), has_wallet: wallet.is_some(), place });
    }
    Ok(Json(RelativeList { relatives: list }))
}

/// Stop acting for a relative
#[utoipa::path(post, path = "/wallet/relatives/{id}/stop", tag = "family", params(Keyed, ("id" = String, Path, description = "The relative's id")), request_body = Nothing,
    responses((status = 200, description = "The person no longer acts for the relative", body = Done)), security(("session" = [])))]
async fn stop_acting(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<Done>, Problem> {
    let key = request.key(&citizen.scope(), "stop-acting")?;
    let relative = parse_person_id(&id).ok_or_else(Problem::not_found)?;
    if !family::acting_for(&app, citizen.holder).await?.contains(&relative) {
        return Err(Problem::not_found());
    }
    let answered = family::end_agent(&app, relative, citizen.holder, key).await.map_err(refusal(&key))?;
    Ok(Recorded::ok(Done { done: true }, answered.replayed))
}

/// Who may act for this person
#[utoipa::path(get, path = "/wallet/agents", tag = "family", responses((status = 200, description = "Relatives with leave to act", body = AgentList)), security(("session" = [])))]
pub async fn agents(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<AgentList>, Problem> {
    let (holder, directory) = (known(&app, citizen.subject)?, app.directory());
    let people = People::load(&app, &holder, &directory, holder.agents.iter().copied()).await?;
    Ok(Json(AgentList { agents: holder.agents.iter().map(|agent| people.of(*agent)).collect() }))
}

/// Take back a relative's leave to act
#[utoipa::path(post, path = "/wallet/agents/{id}/remove", tag = "family", params(Keyed, ("id" = String, Path, description = "The agent's id")), request_body = Nothing,
    responses((status = 200, description = "The relative no longer acts for this person", body = Done)), security(("session" = [])))]
async fn remove_agent(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<Done>, Problem> {
    let key = request.key(&citizen.scope(), "remove-agent")?;
    let (holder, agent) = (citizen.own()?, parse_person_id(&id).ok_or_else(Problem::not_found)?);
    let answered = family::end_agent(&app, holder, agent, key).await.map_err(refusal(&key))?;
    Ok(Recorded::ok(Done { done: true }, answered.replayed))
}

/// Confirmed relations, ended ones included
#[utoipa::path(get, path = "/wallet/relations", tag = "family", responses((status = 200, description = "All relations of this person", body = RelationList)), security(("session" = [])))]
pub async fn relations(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<RelationList>, Problem> {
    let (holder, directory) = (known(&app, citizen.subject)?, app.directory());
    let people = People::load(&app, &holder, &directory, holder.relations.iter().map(|relation| relation.other)).await?;
    let body = |relation: &gongji_wallet::object::Relation| Relation {
        person: people.of(relation.other),
        declared_here: relation.declared_here,
        since: rfc3339(relation.since),
        ended_at: relation.ended.map(|(at, _)| rfc3339(at)),
        ended_why: relation.ended.map(|(_, why)| match why {
            EndReason::ByPerson => "by_person",
            EndReason::InsuranceChanged => "insurance_changed",
            EndReason::Death => "death",
        }),
    };
    Ok(Json(RelationList { relations: holder.relations.iter().map(body).collect() }))
}

/// End a relation
///
/// What was transferred stays; the unused part of a quota goes back to its contributor.
#[utoipa::path(post, path = "/wallet/relations/{id}/end", tag = "family", params(Keyed, ("id" = String, Path, description = "The other person's id")), request_body = Nothing,
    responses((status = 200, description = "The relation is ended", body = Done)), security(("session" = [])))]
async fn end_relation(
    State(app): State<Arc<App>>,
    citizen: Citizen,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<Done>, Problem> {
    let key = request.key(&citizen.scope(), "end-relation")?;
    let other = parse_person_id(&id).ok_or_else(Problem::not_found)?;
    let answered = person::end_relation(&app, citizen.subject, citizen.holder, other, key).await.map_err(refusal(&key))?;
    Ok(Recorded::ok(Done { done: true }, answered.replayed))
}
