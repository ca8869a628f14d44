//! What only a sandbox has: the clock, the inbox, face results, and the hands of an operator. Not served anywhere else.

use super::recorded::Done;
use super::wire::{area, parse_cursor};
use crate::app::{App, Sandbox};
use crate::problem::Problem;
use crate::sandbox::set_clock;
use crate::service::key::{self, IdempotencyKey};
use crate::service::{ask, person};
use crate::time::{parse_rfc3339, rfc3339};
use crate::web::{StrictJson, StrictQuery, person_id};
use axum::Json;
use axum::extract::State;
use gongji_ledger::HolderId;
use gongji_store::vault::{Channel, SandboxFace};
use gongji_wallet::day::{date_of, day_from_date, day_of, instant};
use gongji_wallet::object::{Enrolment, EnrolmentStatus, FreezeReason};
use gongji_wallet::{Command, Reason};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The clock jumps no further at once: two years.
const JUMP_MS_MAX: i64 = 731 * 24 * 3_600_000;

/// Messages of the inbox.
const INBOX_LEN: usize = 100;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(clock, move_clock))
        .routes(routes!(inbox))
        .routes(routes!(logins))
        .routes(routes!(institution_keys))
        .routes(routes!(choose_face))
        .routes(routes!(freeze))
        .routes(routes!(unfreeze))
        .routes(routes!(register_death))
        .routes(routes!(set_enrolment))
}

#[derive(Debug, Serialize, ToSchema)]
struct ClockBody {
    now: String,
}

/// Where to: a time, or the next time that a name stands for. Only forward.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ClockMove {
    /// RFC 3339.
    To(String),
    Preset(Preset),
}

/// The next time at which …
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
enum Preset {
    /// … transfers are open for one more minute.
    #[serde(rename = "21:59")]
    LastMinute,
    /// … transfers rest.
    #[serde(rename = "22:00")]
    Closing,
    /// … what nobody took goes back, and transfers open again.
    #[serde(rename = "06:00")]
    Opening,
    /// … it is 10:00 on the first of a month.
    #[serde(rename = "next_month")]
    NextMonth,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InboxQuery {
    /// Only what went to this person.
    #[serde(default)]
    id_number: Option<String>,
    /// Last message of the page before; only with `id_number`.
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct InboxList {
    /// Newest first.
    messages: Vec<InboxMessage>,
}

#[derive(Debug, Serialize, ToSchema)]
struct InboxMessage {
    /// Id of the person it is for.
    person: String,
    #[schema(example = "sms")]
    channel: &'static str,
    phone: Option<String>,
    text: String,
    /// The one-time code in it, if one.
    code: Option<String>,
    occurred_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct LoginList {
    logins: Vec<Login>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Login {
    name: String,
    id_number: String,
    password: String,
    story: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct InstitutionKeyList {
    institutions: Vec<SampleInstitution>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SampleInstitution {
    code: String,
    name: String,
    /// For `Authorization: Bearer`.
    key: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FaceChoice {
    id_number: String,
    result: FaceResult,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FaceResult {
    Pass,
    Fail,
    /// The platform does not answer.
    Unavailable,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FreezeRequest {
    id_number: String,
    reason: FreezeWord,
    /// The operator who asks.
    maker: String,
    /// Another operator, who agrees.
    checker: String,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FreezeWord {
    CourtOrder,
    Investigation,
    LostCredentials,
    Other,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UnfreezeRequest {
    id_number: String,
    maker: String,
    checker: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WhoOnly {
    id_number: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnrolmentRequest {
    id_number: String,
    area: String,
    /// 310 employee, 390 resident.
    insurance: u16,
    status: EnrolmentWord,
    #[serde(default)]
    pooled_only: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum EnrolmentWord {
    Normal,
    Paused,
    Ended,
}

fn sandbox(app: &App) -> Result<&Sandbox, Problem> {
    app.sandbox.as_ref().ok_or_else(|| crate::problem::Edge::RouteUnknown.into())
}

async fn find(app: &App, id_number: &str) -> Result<HolderId, Problem> {
    sandbox(app)?;
    let id_number = id_number.to_owned();
    let found = app.vault(move |vault| vault.find_by_id_number(&id_number)).await?;
    Ok(HolderId(found.ok_or(Reason::NotFound)?))
}

fn fresh_key(operation: &str) -> Result<IdempotencyKey, Problem> {
    Ok(IdempotencyKey::new("sandbox", operation, &key::fresh(), b"")?)
}

impl Preset {
    fn after(self, now: i64) -> i64 {
        let today = day_of(now);
        let next = |minute: u16| {
            let at = instant(today, minute);
            if at > now { at } else { instant(today + 1, minute) }
        };
        match self {
            Preset::LastMinute => next(21 * 60 + 59),
            Preset::Closing => next(22 * 60),
            Preset::Opening => next(6 * 60),
            Preset::NextMonth => {
                let (year, month, _) = date_of(today);
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                instant(day_from_date(year, month, 1).expect("every month has a first day"), 10 * 60)
            }
        }
    }
}

/// The sandbox's clock
#[utoipa::path(get, path = "/sandbox/clock", tag = "sandbox", responses((status = 200, description = "Its time", body = ClockBody)), security(()))]
async fn clock(State(app): State<Arc<App>>) -> Result<Json<ClockBody>, Problem> {
    sandbox(&app)?;
    Ok(Json(ClockBody { now: rfc3339(app.now()) }))
}

/// Move the clock forward
///
/// Returns after everything that fell due has been done.
#[utoipa::path(post, path = "/sandbox/clock", tag = "sandbox", request_body = ClockMove, responses((status = 200, description = "The new time", body = ClockBody)), security(()))]
async fn move_clock(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<ClockMove>) -> Result<Json<ClockBody>, Problem> {
    sandbox(&app)?;
    let now = app.now();
    let at = match asked {
        ClockMove::To(text) => parse_rfc3339(&text).ok_or_else(|| Problem::field("to", "时间写成 2026-11-23T10:00:00+08:00 这样。", "not RFC 3339"))?,
        ClockMove::Preset(preset) => preset.after(now),
    };
    if at.saturating_sub(now) > JUMP_MS_MAX {
        return Err(Problem::field("to", "一次最多跳两年。", "at most two years at once"));
    }
    if at < now || !set_clock(&app, at).await? {
        return Err(Problem::field("to", "时间只能往前走。", "the clock only goes forward"));
    }
    Ok(Json(ClockBody { now: rfc3339(app.now()) }))
}

/// What would have reached the phones
#[utoipa::path(get, path = "/sandbox/inbox", tag = "sandbox", params(InboxQuery), responses((status = 200, description = "Texts and notices, newest first", body = InboxList)), security(()))]
async fn inbox(State(app): State<Arc<App>>, StrictQuery(asked): StrictQuery<InboxQuery>) -> Result<Json<InboxList>, Problem> {
    sandbox(&app)?;
    let before = parse_cursor(asked.cursor.as_deref())?;
    let messages = match asked.id_number {
        Some(id_number) => {
            let holder = find(&app, &id_number).await?;
            app.vault(move |vault| vault.messages(holder.0, before, INBOX_LEN)).await?
        }
        None => app.vault(|vault| vault.newest_messages(INBOX_LEN)).await?,
    };
    let body = |message: gongji_store::vault::Message| {
        let text = message.text.reveal().to_owned();
        InboxMessage {
            person: person_id(HolderId(message.holder)),
            channel: if message.channel == Channel::Sms { "sms" } else { "notice" },
            phone: message.phone.as_ref().map(|phone| phone.reveal().to_owned()),
            code: text
                .split_once("验证码 ")
                .and_then(|(_, rest)| rest.get(..6))
                .filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
                .map(str::to_owned),
            text,
            occurred_at: rfc3339(message.created_ms),
        }
    };
    Ok(Json(InboxList { messages: messages.into_iter().map(body).collect() }))
}

/// Sample people who have registered
#[utoipa::path(get, path = "/sandbox/logins", tag = "sandbox", responses((status = 200, description = "Who they are and what to try with them", body = LoginList)), security(()))]
async fn logins(State(app): State<Arc<App>>) -> Result<Json<LoginList>, Problem> {
    let logins = sandbox(&app)?.logins.iter().cloned();
    let body = |login: crate::app::SampleLogin| Login { name: login.name, id_number: login.id_number, password: login.password, story: login.story };
    Ok(Json(LoginList { logins: logins.map(body).collect() }))
}

/// Keys of sample institutions
#[utoipa::path(get, path = "/sandbox/institutions", tag = "sandbox", responses((status = 200, description = "Institutions with their keys", body = InstitutionKeyList)), security(()))]
async fn institution_keys(State(app): State<Arc<App>>) -> Result<Json<InstitutionKeyList>, Problem> {
    let keys = sandbox(&app)?.institution_keys.iter();
    let body = |(code, name, key): &(String, String, String)| SampleInstitution { code: code.clone(), name: name.clone(), key: key.clone() };
    Ok(Json(InstitutionKeyList { institutions: keys.map(body).collect() }))
}

/// Choose what the face check answers for a person
#[utoipa::path(post, path = "/sandbox/faces", tag = "sandbox", request_body = FaceChoice, responses((status = 200, description = "It answers so from now on", body = Done)), security(()))]
async fn choose_face(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<FaceChoice>) -> Result<Json<Done>, Problem> {
    let holder = find(&app, &asked.id_number).await?;
    let result = match asked.result {
        FaceResult::Pass => SandboxFace::Pass,
        FaceResult::Fail => SandboxFace::Fail,
        FaceResult::Unavailable => SandboxFace::Unavailable,
    };
    app.vault(move |vault| vault.set_sandbox_face(holder.0, result)).await?;
    Ok(Json(Done { done: true }))
}

/// Freeze a person's wallet, as two operators would
#[utoipa::path(post, path = "/sandbox/freezes", tag = "sandbox", request_body = FreezeRequest, responses((status = 200, description = "Frozen", body = Done)), security(()))]
async fn freeze(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<FreezeRequest>) -> Result<Json<Done>, Problem> {
    let holder = find(&app, &asked.id_number).await?;
    let reason = match asked.reason {
        FreezeWord::CourtOrder => FreezeReason::CourtOrder,
        FreezeWord::Investigation => FreezeReason::Investigation,
        FreezeWord::LostCredentials => FreezeReason::LostCredentials,
        FreezeWord::Other => FreezeReason::Other,
    };
    person::freeze(&app, holder, reason, &asked.maker, &asked.checker, fresh_key("freeze")?).await?;
    Ok(Json(Done { done: true }))
}

/// End a freeze, as two operators would
#[utoipa::path(post, path = "/sandbox/unfreezes", tag = "sandbox", request_body = UnfreezeRequest, responses((status = 200, description = "No longer frozen", body = Done)), security(()))]
async fn unfreeze(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<UnfreezeRequest>) -> Result<Json<Done>, Problem> {
    let holder = find(&app, &asked.id_number).await?;
    person::unfreeze(&app, holder, &asked.maker, &asked.checker, fresh_key("unfreeze")?).await?;
    Ok(Json(Done { done: true }))
}

/// Register a death, as the civil register would
#[utoipa::path(post, path = "/sandbox/deaths", tag = "sandbox", request_body = WhoOnly, responses((status = 200, description = "On record; pending transfers and unused quotas go back", body = Done)), security(()))]
async fn register_death(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<WhoOnly>) -> Result<Json<Done>, Problem> {
    let holder = find(&app, &asked.id_number).await?;
    ask(&app, holder.part(), fresh_key("death")?, Command::RegisterDeath { holder }).await?;
    Ok(Json(Done { done: true }))
}

/// Change a person's enrolment from today on, as the insurer would
#[utoipa::path(post, path = "/sandbox/enrolments", tag = "sandbox", request_body = EnrolmentRequest, responses((status = 200, description = "On record", body = Done)), security(()))]
async fn set_enrolment(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<EnrolmentRequest>) -> Result<Json<Done>, Problem> {
    let holder = find(&app, &asked.id_number).await?;
    let status = match asked.status {
        EnrolmentWord::Normal => EnrolmentStatus::Normal,
        EnrolmentWord::Paused => EnrolmentStatus::Paused,
        EnrolmentWord::Ended => EnrolmentStatus::Ended,
    };
    if !matches!(asked.insurance, gongji_wallet::object::EMPLOYEE | gongji_wallet::object::RESIDENT) {
        return Err(Problem::field("insurance", "险种只能是 310 或 390。", "insurance is 310 or 390"));
    }
    let area = area(&app.directory(), &asked.area, "area")?;
    let enrolment = Enrolment { area, insurance: asked.insurance, status, from: day_of(app.now()), pooled_only: asked.pooled_only };
    ask(&app, holder.part(), fresh_key("enrolment")?, Command::SetEnrolment { holder, enrolment }).await?;
    Ok(Json(Done { done: true }))
}
