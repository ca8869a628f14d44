//! Who is logged in where, the password, notices.

use super::account::problems_of;
use super::frame::{Member, Page, Said, Trouble, to, to_saying};
use super::typed::Typed;
use super::views::account::{NoticeRow, Notices, Security, SessionRow};
use super::views::{Problem, Section, Tone, format};
use crate::api::me_copy;
use crate::app::App;
use crate::identity::IdentityError;
use crate::notices;
use crate::service::{key, rights};
use crate::web;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use gongji_store::vault::{Channel, KeepLast};
use serde::Deserialize;
use std::sync::Arc;

/// Notices on one page.
const NOTICES_LEN: usize = 30;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/security", get(security))
        .route("/security/sessions/{id}/revoke", post(revoke))
        .route("/security/sessions/revoke-others", post(revoke_others))
        .route("/security/password", get(|| async { to("/security") }).post(password))
        .route("/security/data", get(|| async { to("/security") }).post(data))
        .route("/security/sign-off", get(|| async { to("/security") }).post(sign_off))
        .route("/logout", post(logout))
        .route("/notices", get(list))
        .route("/notices/read", post(read))
}

async fn security(member: Member) -> Page {
    page(&member, Vec::new()).await
}

async fn page(member: &Member, problems: Vec<Problem>) -> Page {
    let (me, now) = (member.signed.me, member.visit.now);
    let mut layout = member.layout("账号与安全", Section::None).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let (person, since) = member.app().vault(move |vault| Ok((vault.person(me.0)?, vault.password_since(me.0)?))).await?;
    let person = person.ok_or(Trouble::Missing)?;
    let devices = member.app().identity.sessions(me.0, now).await?;
    let row = |device: &gongji_store::vault::Device| SessionRow {
        id: web_id(device.session.id),
        device: device.label.clone(),
        since: format::when(device.session.created_ms),
        seen: format::when_from(device.session.last_seen_ms, now),
        current: device.session.id == member.signed.session_id,
    };
    let view = Security {
        layout,
        key: key::fresh(),
        name: person.name.reveal().to_owned(),
        id_number_masked: person.masked_id_number(KeepLast::Four),
        phone_masked: person.masked_phone().unwrap_or_else(|| "没有登记".to_owned()),
        password_since: since.map(format::date).unwrap_or_default(),
        sessions: devices.iter().map(row).collect(),
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

/// A session's number in a path; it is no secret and opens nothing.
fn web_id(session: u64) -> String {
    format!("{session:016x}")
}

async fn revoke(member: Member, Path(id): Path<String>) -> Page {
    let id = u64::from_str_radix(&id, 16).map_err(|_| Trouble::Missing)?;
    // Pressed twice, it is gone already: what was wanted holds.
    match member.app().identity.revoke_session(member.signed.me.0, id).await {
        Ok(()) | Err(crate::identity::IdentityError::NotFound) => Ok(to_saying("/security", Said::SessionsEnded)),
        Err(error) => Err(error.into()),
    }
}

async fn revoke_others(member: Member) -> Page {
    member.app().identity.revoke_sessions(member.signed.me.0, Some(member.signed.session_id)).await?;
    Ok(to_saying("/security", Said::SessionsEnded))
}

async fn password(member: Member, citizen: web::Citizen, typed: Typed) -> Page {
    if typed.get("password").trim() != typed.get("password_again").trim() {
        return page(&member, vec![Problem::of("password_again", "两次输的密码不一样,再输一遍。")]).await;
    }
    let (old, new) = (typed.secret("password_now"), typed.secret("password"));
    match member.app().identity.change_password(&citizen.session, &old, &new, member.visit.now).await {
        Ok(()) => Ok(to_saying("/security", Said::PasswordChanged)),
        Err(error) => page(&member, problems_of(error, "password_now")?).await,
    }
}

/// Everything that is kept of the person, as a file.
async fn data(member: Member, citizen: web::Citizen, typed: Typed) -> Page {
    let app = &member.visit.app;
    if let Err(error) = app.identity.confirm_password(citizen.holder.0, &typed.secret("password_for_data"), member.visit.now).await {
        return page(&member, problems_of(error, "password_for_data")?).await;
    }
    let copy = me_copy::copy(app, &citizen).await?;
    let text = serde_json::to_string_pretty(&copy).expect("a person's data is JSON");
    let name = HeaderValue::from_static("attachment; filename=\"gongji-my-data.json\"");
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json")), (CONTENT_DISPOSITION, name)], text).into_response())
}

async fn sign_off(member: Member, citizen: web::Citizen, typed: Typed) -> Page {
    if !typed.yes("sure") {
        return page(&member, vec![Problem::of("sure", "请先勾选,确认你知道会发生什么。")]).await;
    }
    let (app, me) = (&member.visit.app, citizen.holder);
    if let Err(error) = app.identity.confirm_password(me.0, &typed.secret("password_to_leave"), member.visit.now).await {
        return page(&member, problems_of(error, "password_to_leave")?).await;
    }
    if !rights::sign_off(app, me).await? {
        return page(&member, problems_of(IdentityError::SignOffOpen, "sure")?).await;
    }
    let mut response = to_saying("/", Said::SignedOff);
    web::clear_session_cookie(&member.visit.app, response.headers_mut());
    web::clear_subject_cookie(&member.visit.app, response.headers_mut());
    Ok(response)
}

async fn logout(member: Member, citizen: web::Citizen) -> Page {
    member.app().identity.log_out(&citizen.token).await?;
    let mut response = to_saying("/", Said::LoggedOut);
    web::clear_session_cookie(&member.visit.app, response.headers_mut());
    web::clear_subject_cookie(&member.visit.app, response.headers_mut());
    Ok(response)
}

#[derive(Deserialize)]
struct Before {
    before: Option<u64>,
}

async fn list(member: Member, Query(Before { before }): Query<Before>) -> Page {
    let me = member.signed.me;
    // Texts to the phone stand between the notices; twice as many are read so that a page is full.
    let messages = member.app().vault(move |vault| vault.messages(me.0, before, 2 * NOTICES_LEN)).await?;
    let mut shown: Vec<_> = messages.iter().filter(|message| message.channel == Channel::Notice).collect();
    let has_more = shown.len() > NOTICES_LEN || messages.len() == 2 * NOTICES_LEN;
    shown.truncate(NOTICES_LEN);
    let last = if shown.len() == NOTICES_LEN { shown.last().map(|message| message.id) } else { messages.last().map(|message| message.id) };
    let rows = shown.iter().map(|message| {
        let notice = notices::read(message.text.reveal());
        NoticeRow {
            title: notice.title.to_owned(),
            text: notice.text.to_owned(),
            at: format::when(message.created_ms),
            tone: if notice.is_waiting { Tone::Wait } else { Tone::Plain },
            unread: !message.is_read,
            href: notice.path.map(str::to_owned),
        }
    });
    let layout = member.layout("消息", Section::Notices).await?;
    let more = last.filter(|_| has_more).map(|last| format!("/notices?before={last}"));
    member.visit.page(&Notices { layout, key: key::fresh(), rows: rows.collect(), more })
}

async fn read(member: Member) -> Page {
    let (me, now) = (member.signed.me, member.visit.now);
    member.app().vault(move |vault| vault.mark_all_read(me.0, now)).await?;
    Ok(to("/notices"))
}
