//! The sandbox's own pages: movable clock, inbox, face results. In the production profile there are no such pages.

use super::account::samples;
use super::frame::{Page, Said, Trouble, Visit, to_saying};
use super::typed::Typed;
use super::views::sandbox::{Face, FacePerson, Home, Inbox, InboxMessage};
use super::views::{Choice, Fact, Link, Problem, Section, format};
use crate::app::{App, Sandbox};
use crate::service::key;
use axum::Router;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::routing::get;
use gongji_store::vault::{Channel, SandboxFace};
use gongji_wallet::day::{date_of, day_from_date, day_of, instant, ms_of_day};
use serde::Deserialize;
use std::sync::Arc;

/// Messages on the inbox page.
const INBOX_LEN: usize = 60;

/// The clock moves at most this far at once: two years, so that no session or job of the sample meets a date nobody thought of.
const JUMP_MS_MAX: i64 = 2 * 366 * 24 * 3_600_000;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/sandbox", get(home))
        .route("/sandbox/clock", get(home).post(clock))
        .route("/sandbox/inbox", get(inbox))
        .route("/sandbox/face", get(face).post(choose_face))
}

/// A visit of the sandbox; elsewhere these pages do not exist.
struct Guest {
    visit: Visit,
}

impl FromRequestParts<Arc<App>> for Guest {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Guest, Trouble> {
        let visit = Visit::from_request_parts(parts, app).await?;
        if visit.app.sandbox.is_some() { Ok(Guest { visit }) } else { Err(Trouble::Missing) }
    }
}

impl Guest {
    fn sandbox(&self) -> &Sandbox {
        self.visit.app.sandbox.as_ref().expect("a guest is in the sandbox")
    }
}

async fn home(guest: Guest) -> Page {
    home_page(&guest, Vec::new()).await
}

async fn home_page(guest: &Guest, problems: Vec<Problem>) -> Page {
    let now = guest.visit.now;
    let mut layout = guest.visit.layout("沙箱", Section::None).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let notes = [
        ("21:59", "21:59", "转账还能办的最后一分钟"),
        ("22:00", "22:00", "转账停办"),
        ("06:00", "6:00", "没人收的转账退回"),
        ("next-month", "下个月 1 号", "新的一个月"),
    ];
    let preset = |(value, label, note): (&str, &str, &str)| {
        let at = preset_time(value, now).map(|at| format::when_from(at, now)).unwrap_or_default();
        Choice::new(value, label, false).with_note(format!("{at} · {note}"))
    };
    let (year, month, day) = date_of(day_of(now));
    let minutes = ms_of_day(now) / 60_000;
    let keys = &guest.sandbox().institution_keys;
    let view = Home {
        layout,
        key: key::fresh(),
        now: format!("{year}年{}", format::when(now)),
        now_typed: format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}", minutes / 60, minutes % 60),
        presets: notes.map(preset).to_vec(),
        people: samples(&guest.visit),
        institutions: keys.iter().map(|(_, name, key)| Fact::new(name.clone(), key.clone())).collect(),
        links: vec![
            Link::new("/sandbox/inbox", "短信收件箱"),
            Link::new("/sandbox/face", "刷脸结果"),
            Link::new("/login", "登录"),
            Link::new("/cashier", "收银台"),
            Link::new("/docs", "接口文档"),
        ],
    };
    if is_wrong { guest.visit.wrong(&view) } else { guest.visit.page(&view) }
}

/// When a preset is next reached (ms, UTC).
fn preset_time(value: &str, now: i64) -> Option<i64> {
    let today = day_of(now);
    let next = |minute: u16| {
        let at = instant(today, minute);
        if at > now { at } else { instant(today + 1, minute) }
    };
    match value {
        "21:59" => Some(next(21 * 60 + 59)),
        "22:00" => Some(next(22 * 60)),
        "06:00" => Some(next(6 * 60)),
        "next-month" => {
            let (year, month, _) = date_of(today);
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            Some(instant(day_from_date(year, month, 1)?, 10 * 60))
        }
        _ => None,
    }
}

/// `2026-11-23T10:00`, in China.
fn typed_time(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once('T')?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?.parse().ok()?, date.next()?.parse().ok()?, date.next()?.parse().ok()?);
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.get(..2)?.parse().ok()?);
    (hour < 24 && minute < 60).then(|| day_from_date(year, month, day)).flatten().map(|day| instant(day, hour * 60 + minute))
}

async fn clock(guest: Guest, typed: Typed) -> Page {
    let now = guest.visit.now;
    let to = match typed.get("to") {
        "free" => typed_time(typed.get("at")),
        preset => preset_time(preset, now),
    };
    let problem = match to {
        None => "时间要写成 2026-11-23 10:00 这样。",
        Some(at) if at < now => "时间只能往前走。",
        Some(at) if at - now > JUMP_MS_MAX => "一次最多跳两年。",
        Some(at) => {
            if crate::sandbox::set_clock(&guest.visit.app, at).await? {
                return Ok(to_saying("/sandbox", Said::ClockMoved));
            }
            "时间只能往前走。"
        }
    };
    home_page(&guest, vec![Problem::of("at", problem)]).await
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    phone: String,
}

async fn inbox(guest: Guest, Query(Filter { phone }): Query<Filter>) -> Page {
    let app = &guest.visit.app;
    let wanted = phone.trim().to_owned();
    let (messages, names) = app
        .vault(move |vault| {
            let mut messages = vault.newest_messages(gongji_store::vault::MESSAGES_PAGE_MAX)?;
            messages.retain(|message| {
                let phone = message.phone.as_ref().map_or("", |phone| phone.reveal());
                message.channel == Channel::Sms && (wanted.is_empty() || phone == wanted)
            });
            messages.truncate(INBOX_LEN);
            let mut holders: Vec<u64> = messages.iter().map(|message| message.holder).collect();
            holders.sort_unstable();
            holders.dedup();
            let people = vault.people(&holders)?;
            let names: std::collections::HashMap<u64, String> = people.iter().map(|person| (person.holder, person.name.reveal().to_owned())).collect();
            Ok((messages, names))
        })
        .await?;
    let shown = messages.iter().map(|message| InboxMessage {
        phone: message.phone.as_ref().map(|phone| phone.reveal().to_owned()).unwrap_or_default(),
        name: names.get(&message.holder).cloned().unwrap_or_default(),
        at: format::when(message.created_ms),
        code: code_in(message.text.reveal()),
        text: message.text.reveal().to_owned(),
    });
    let layout = guest.visit.layout("短信收件箱", Section::None).await?;
    guest.visit.page(&Inbox { layout, phone, messages: shown.collect() })
}

/// The six digits after "验证码", to copy.
fn code_in(text: &str) -> String {
    let Some(at) = text.find("验证码") else { return String::new() };
    let digits: String = text[at..].chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    if digits.len() == 6 { digits } else { String::new() }
}

async fn face(guest: Guest) -> Page {
    let numbers: Vec<String> = guest.sandbox().logins.iter().map(|login| login.id_number.clone()).collect();
    let chosen = guest
        .visit
        .app
        .vault(move |vault| {
            let each = numbers.iter().map(|number| match vault.find_by_id_number(number)? {
                Some(holder) => vault.sandbox_face(holder),
                None => Ok(SandboxFace::default()),
            });
            each.collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let people = guest.sandbox().logins.iter().zip(chosen).enumerate().map(|(at, (login, face))| FacePerson {
        id: at.to_string(),
        name: login.name.clone(),
        result: match face {
            SandboxFace::Pass => "是本人",
            SandboxFace::Fail => "不是本人",
            SandboxFace::Unavailable => "没有回音",
        }
        .to_owned(),
    });
    let people = people.collect();
    let layout = guest.visit.layout("刷脸结果", Section::None).await?;
    guest.visit.page(&Face { layout, key: key::fresh(), people })
}

async fn choose_face(guest: Guest, typed: Typed) -> Page {
    let login = typed.get("person").parse::<usize>().ok().and_then(|at| guest.sandbox().logins.get(at)).ok_or(Trouble::Malformed)?;
    let face = SandboxFace::parse(typed.get("result")).ok_or(Trouble::Malformed)?;
    let number = login.id_number.clone();
    guest
        .visit
        .app
        .vault(move |vault| match vault.find_by_id_number(&number)? {
            Some(holder) => vault.set_sandbox_face(holder, face),
            None => Ok(()),
        })
        .await?;
    Ok(to_saying("/sandbox/face", Said::FaceChosen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_lead_forward() {
        let ten = typed_time("2026-11-23T10:00").unwrap_or_default();
        assert_eq!(preset_time("21:59", ten), typed_time("2026-11-23T21:59"));
        assert_eq!(preset_time("06:00", ten), typed_time("2026-11-24T06:00"));
        assert_eq!(preset_time("next-month", ten), typed_time("2026-12-01T10:00"));
        let december = typed_time("2026-12-31T22:00").unwrap_or_default();
        assert_eq!(preset_time("22:00", december), typed_time("2027-01-01T22:00"));
        assert_eq!(preset_time("next-month", december), typed_time("2027-01-01T10:00"));
        assert_eq!(typed_time("2026-02-30T10:00"), None);
        assert_eq!(typed_time("昨天"), None);
    }

    #[test]
    fn a_code_is_found_in_its_text() {
        assert_eq!(code_in("【医保钱包】你正在登录医保钱包,验证码 012345,5 分钟内有效。"), "012345");
        assert_eq!(code_in("【医保钱包】李强转来 ¥500.00。"), "");
    }
}
