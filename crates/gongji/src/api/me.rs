//! The person: who, insured where, and what they were told.

use super::recorded::Done;
use super::transfers::{Page, known};
use super::wire::{AreaRef, PersonRef, cursor, page_len, parse_cursor};
use crate::app::App;
use crate::notices;
use crate::pages::views::typeset;
use crate::problem::Problem;
use crate::time::{date, rfc3339};
use crate::web::{Citizen, StrictPath, StrictQuery, person_id};
use axum::Json;
use axum::extract::State;
use gongji_store::vault::{Channel, KeepLast, Message};
use gongji_wallet::object::{EMPLOYEE, EnrolmentStatus};
use gongji_wallet::{Reason, day::day_of};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(me)).routes(routes!(list_notices)).routes(routes!(read)).routes(routes!(read_all))
}

/// Who is logged in, and for whom they act.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    id: String,
    /// Masked.
    #[schema(example = "王**")]
    name: String,
    #[schema(example = "990151********0023")]
    id_number: String,
    #[schema(example = "199****0002")]
    phone: Option<String>,
    /// Whom the person acts for now: see header `Gongji-For`.
    subject: PersonRef,
    /// Of the subject.
    insurance: Option<Insurance>,
    /// The subject is younger than eighteen.
    is_minor: bool,
    has_wallet: bool,
    is_frozen: bool,
    /// Unread notices of the person.
    unread: u32,
    /// Time of this installation; the sandbox's own clock.
    now: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Insurance {
    area: AreaRef,
    /// National code: 310 employee, 390 resident.
    #[schema(example = 390)]
    code: u16,
    #[schema(example = "居民医保")]
    label: &'static str,
    #[schema(example = "normal")]
    status: &'static str,
    from: String,
    /// Pooled cover only (单建统筹): there is no personal account.
    pooled_only: bool,
    /// The area takes part today.
    is_area_open: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct NoticeList {
    notices: Vec<Notice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    unread: u32,
    as_of: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Notice {
    id: String,
    title: String,
    text: String,
    /// The page of this site that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Something waits for the reader.
    is_waiting: bool,
    occurred_at: String,
    is_read: bool,
}

impl Notice {
    /// `None` for a text to the phone, which is shown nowhere else.
    pub fn of(message: &Message) -> Option<Notice> {
        if message.channel != Channel::Notice {
            return None;
        }
        let notice = notices::read(message.text.reveal());
        Some(Notice {
            id: format!("{:016x}", message.id),
            title: typeset(notice.title),
            text: typeset(notice.text),
            path: notice.path.map(str::to_owned),
            is_waiting: notice.is_waiting,
            occurred_at: rfc3339(message.created_ms),
            is_read: message.is_read,
        })
    }
}

/// Who is logged in
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, description = "The person, masked, and whom they act for", body = Me)), security(("session" = [])))]
pub async fn me(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<Me>, Problem> {
    let (own, subject) = (citizen.holder.0, citizen.subject.0);
    let (person, other, unread) = app.vault(move |vault| Ok((vault.person(own)?, vault.person(subject)?, vault.unread_count(own)?))).await?;
    let (person, other) = (person.ok_or(Reason::NotFound)?, other.ok_or(Reason::NotFound)?);
    let holder = known(&app, citizen.subject)?;
    let (directory, now) = (app.directory(), app.now());
    let today = day_of(now);
    let insurance = holder.enrolment.map(|enrolment| Insurance {
        area: AreaRef::new(&directory, enrolment.area),
        code: enrolment.insurance,
        label: if enrolment.insurance == EMPLOYEE { "职工医保" } else { "居民医保" },
        status: match enrolment.status {
            EnrolmentStatus::Normal => "normal",
            EnrolmentStatus::Paused => "paused",
            EnrolmentStatus::Ended => "ended",
        },
        from: date(enrolment.from),
        pooled_only: enrolment.pooled_only,
        is_area_open: directory.is_open(enrolment.area, today),
    });
    Ok(Json(Me {
        id: person_id(citizen.holder),
        name: person.masked_name(),
        id_number: person.masked_id_number(KeepLast::Four),
        phone: person.masked_phone(),
        subject: PersonRef { id: Some(person_id(citizen.subject)), name: Some(other.masked_name()), is_self: !citizen.is_agent(), relation: None },
        insurance,
        is_minor: other.is_minor_on(today),
        has_wallet: holder.wallet.is_some(),
        is_frozen: holder.freeze.is_some(),
        unread,
        now: rfc3339(now),
    }))
}

/// Notices, newest first
#[utoipa::path(get, path = "/notices", tag = "me", params(Page), responses((status = 200, description = "One page of notices", body = NoticeList)), security(("session" = [])))]
async fn list_notices(State(app): State<Arc<App>>, citizen: Citizen, StrictQuery(page): StrictQuery<Page>) -> Result<Json<NoticeList>, Problem> {
    let (mut before, limit) = (parse_cursor(page.cursor.as_deref())?, page_len(page.limit)?);
    let holder = citizen.subject.0;
    let (notices, next, unread) = app
        .vault(move |vault| {
            let mut notices = Vec::new();
            // Texts to the phone stand between the notices and are not shown here.
            let next = loop {
                let messages = vault.messages(holder, before, limit)?;
                let Some(last) = messages.last() else { break None };
                before = Some(last.id);
                let is_whole = messages.len() < limit;
                notices.extend(messages.into_iter().filter(|message| message.channel == Channel::Notice));
                if notices.len() >= limit {
                    notices.truncate(limit);
                    break notices.last().map(|last| last.id);
                }
                if is_whole {
                    break None;
                }
            };
            Ok((notices, next, vault.unread_count(holder)?))
        })
        .await?;
    Ok(Json(NoticeList { notices: notices.iter().filter_map(Notice::of).collect(), next_cursor: next.map(cursor), unread, as_of: rfc3339(app.now()) }))
}

/// Mark a notice as read
#[utoipa::path(post, path = "/notices/{id}/read", tag = "me", params(("id" = String, Path, description = "The notice's id")),
    responses((status = 200, description = "It is marked as read", body = Done)), security(("session" = [])))]
async fn read(State(app): State<Arc<App>>, citizen: Citizen, StrictPath(id): StrictPath<String>) -> Result<Json<Done>, Problem> {
    let id = u64::from_str_radix(&id, 16).map_err(|_| Problem::not_found())?;
    // Numbers given out have their highest bit clear; what has it set was never one.
    let (holder, now) = (citizen.subject.0, app.now());
    if app.vault(move |vault| vault.mark_read(holder, id, now)).await? { Ok(Json(Done { done: true })) } else { Err(Problem::not_found()) }
}

/// Mark all notices as read
#[utoipa::path(post, path = "/notices/read", tag = "me", responses((status = 200, description = "All are marked as read", body = Done)), security(("session" = [])))]
async fn read_all(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<Done>, Problem> {
    let (holder, now) = (citizen.subject.0, app.now());
    app.vault(move |vault| vault.mark_all_read(holder, now)).await?;
    Ok(Json(Done { done: true }))
}
