//! Registering, logging in, a forgotten password: each in two steps, the second with the one-time code.

use super::frame::{Page, Said, Trouble, Visit, own_path, to, to_saying};
use super::typed::Typed;
use super::views::account::{CodeEntry, Forgot, Login, Register, SampleLogin};
use super::views::{Hidden, Layout, Problem, Section, format};
use crate::app::App;
use crate::identity::{IdentityError, LoggedIn, Started};
use crate::service::key;
use crate::web;
use axum::Router;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use gongji_wallet::citizen::Phone;
use serde::Deserialize;
use std::sync::Arc;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/register", get(register_form).post(register))
        .route("/register/code", get(|| async { to("/register") }).post(register_code))
        .route("/login", get(login_form).post(login))
        .route("/login/code", get(|| async { to("/login") }).post(login_code))
        .route("/login/again", post(login_again))
        .route("/forgot", get(forgot_form).post(forgot))
        .route("/forgot/code", get(|| async { to("/forgot") }).post(forgot_code))
}

/// Words of an identity refusal for a form; what is no matter of the form is a trouble.
pub fn problems_of(error: IdentityError, otherwise: &str) -> Result<Vec<Problem>, Trouble> {
    let words = error.words();
    let sentence = format!("{}{}", words.title, words.next_step);
    Ok(match error {
        IdentityError::Invalid(fields) => fields.into_iter().map(|field| Problem::of(field.field, field.message)).collect(),
        IdentityError::WeakPassword(_) => vec![Problem::of("password", sentence)],
        IdentityError::WrongCode { .. } | IdentityError::CodeGone => vec![Problem::of("code", sentence)],
        IdentityError::LoginRefused { .. } | IdentityError::WrongPassword { .. } => vec![Problem::of(otherwise, sentence)],
        IdentityError::Locked { until_ms, .. } => {
            vec![Problem::of(otherwise, format!("{}{} 自动解锁。{}", words.title, format::clock(until_ms), words.next_step))]
        }
        IdentityError::TooManyCodes { retry_ms, .. } => vec![Problem::general(format!("{}{} 以后再要。", words.title, format::clock(retry_ms)))],
        IdentityError::FaceFailed | IdentityError::FaceUnavailable | IdentityError::RegistryUnavailable | IdentityError::SignOffOpen | IdentityError::Busy => {
            vec![Problem::general(sentence)]
        }
        IdentityError::LoginRequired | IdentityError::NotFound | IdentityError::SameOperator | IdentityError::Fault(_) => return Err(error.into()),
    })
}

async fn logged_in(visit: &Visit, done: &LoggedIn, path: &str, said: Option<Said>) -> Page {
    if let Some(before) = visit.signed {
        // As with the API: a browser has one session at a time.
        match visit.app.identity.revoke_session(before.me.0, before.session_id).await {
            Ok(()) | Err(IdentityError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut response = said.map_or_else(|| to(path), |said| to_saying(path, said));
    web::set_session_cookie(&visit.app, response.headers_mut(), &done.token);
    // A new login acts for oneself.
    web::clear_subject_cookie(&visit.app, response.headers_mut());
    Ok(response)
}

async fn register_form(visit: Visit) -> Page {
    let layout = visit.layout("注册", Section::None).await?;
    visit.page(&Register { layout, key: key::fresh(), ..Register::default() })
}

async fn register(visit: Visit, typed: Typed) -> Page {
    let mut problems = Vec::new();
    let started = visit.app.identity.start_registration(typed.get("id_number"), typed.get("name"), typed.get("phone"), visit.now).await;
    if !typed.yes("consent") {
        problems.push(Problem::of("consent", "要同意核对参保登记,才能注册。"));
    }
    let started = match started {
        Ok(started) if problems.is_empty() => return register_code_page(&visit, &typed, &started, Vec::new()).await,
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Some(error) = started {
        // Asked too early for another code: the first one still counts, so its page stays.
        if matches!(error, IdentityError::TooManyCodes { .. }) && !typed.get("ticket").is_empty() {
            let kept = Started { ticket: typed.text("ticket"), expires_ms: 0, resend_ms: 0 };
            return register_code_page(&visit, &typed, &kept, problems_of(error, "code")?).await;
        }
        problems.splice(0..0, problems_of(error, "id_number")?);
    }
    let mut layout = visit.layout("注册", Section::None).await?;
    layout.problems = problems;
    let (name, id_number, phone) = (typed.text("name"), typed.text("id_number"), typed.text("phone"));
    visit.wrong(&Register { layout, key: key::fresh(), name, id_number, phone, consent: typed.yes("consent") })
}

async fn register_code_page(visit: &Visit, typed: &Typed, started: &Started, problems: Vec<Problem>) -> Page {
    let mut layout = visit.layout("验证码", Section::None).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let mut hidden = vec![Hidden::new("ticket", started.ticket.as_str()), Hidden::new("consent", "yes")];
    hidden.extend(["name", "id_number", "phone"].map(|field| Hidden::new(field, typed.get(field))));
    let page = CodeEntry {
        layout,
        key: key::fresh(),
        heading: "验证码是多少?".to_owned(),
        sent_to: Phone::parse(typed.get("phone")).map(|phone| phone.masked()).unwrap_or_default(),
        action: "/register/code".to_owned(),
        resend: "/register".to_owned(),
        valid_until: clock_or_empty(started.expires_ms),
        hidden,
        new_password: true,
        submit: "完成注册".to_owned(),
    };
    if is_wrong { visit.wrong(&page) } else { visit.page(&page) }
}

fn clock_or_empty(at: i64) -> String {
    if at == 0 { String::new() } else { format::clock(at) }
}

/// Two passwords that should be one.
fn differs(typed: &Typed) -> Option<Problem> {
    (typed.get("password").trim() != typed.get("password_again").trim()).then(|| Problem::of("password_again", "两次输的密码不一样,再输一遍。"))
}

async fn register_code(visit: Visit, headers: HeaderMap, typed: Typed) -> Page {
    let kept = Started { ticket: typed.text("ticket"), expires_ms: 0, resend_ms: 0 };
    if let Some(problem) = differs(&typed) {
        return register_code_page(&visit, &typed, &kept, vec![problem]).await;
    }
    let (code, password) = (typed.secret("code"), typed.secret("password"));
    match visit.app.identity.confirm_registration(&kept.ticket, &code, &password, &web::device(&headers), visit.now).await {
        Ok(done) => logged_in(&visit, &done, "/wallet", Some(Said::Registered)).await,
        Err(error) => register_code_page(&visit, &typed, &kept, problems_of(error, "code")?).await,
    }
}

#[derive(Deserialize)]
struct Back {
    #[serde(default)]
    back: String,
}

async fn login_form(visit: Visit, Query(Back { back }): Query<Back>) -> Page {
    let back = own_path(&back, "/wallet").to_owned();
    if visit.signed.is_some() {
        return Ok(to(&back));
    }
    login_page(&visit, String::new(), back, Vec::new()).await
}

async fn login_page(visit: &Visit, account: String, back: String, problems: Vec<Problem>) -> Page {
    let mut layout = visit.layout("登录", Section::None).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let page = Login { layout, key: key::fresh(), account, back, samples: samples(visit) };
    if is_wrong { visit.wrong(&page) } else { visit.page(&page) }
}

/// The people of the sandbox, as one may try them.
pub fn samples(visit: &Visit) -> Vec<SampleLogin> {
    let logins = visit.app.sandbox.iter().flat_map(|sandbox| &sandbox.logins);
    let sample = |login: &crate::app::SampleLogin| SampleLogin {
        name: login.name.clone(),
        id_number: login.id_number.clone(),
        password: login.password.clone(),
        note: login.story.clone(),
    };
    logins.map(sample).collect()
}

async fn login(visit: Visit, headers: HeaderMap, typed: Typed) -> Page {
    if typed.get("by") == "code" {
        return login_again(visit, typed).await;
    }
    let back = own_path(typed.get("back"), "/wallet").to_owned();
    let password = typed.secret("password");
    match visit.app.identity.login_with_password(typed.get("account"), &password, &web::device(&headers), visit.now).await {
        Ok(done) => logged_in(&visit, &done, &back, None).await,
        Err(error) => login_page(&visit, typed.text("account"), back, account_problems(error)?).await,
    }
}

/// The ID number's field is called `account` here.
fn account_problems(error: IdentityError) -> Result<Vec<Problem>, Trouble> {
    let mut problems = problems_of(error, "password")?;
    for problem in &mut problems {
        if problem.field.as_deref() == Some("id_number") {
            problem.field = Some("account".to_owned());
        }
    }
    Ok(problems)
}

/// A code to the registered phone, the first time or once more.
async fn login_again(visit: Visit, typed: Typed) -> Page {
    match visit.app.identity.start_login_code(typed.get("account"), visit.now).await {
        Ok(started) => login_code_page(&visit, &typed, &started, Vec::new()).await,
        Err(error @ IdentityError::TooManyCodes { .. }) if !typed.get("ticket").is_empty() => {
            let kept = Started { ticket: typed.text("ticket"), expires_ms: 0, resend_ms: 0 };
            login_code_page(&visit, &typed, &kept, problems_of(error, "code")?).await
        }
        Err(error) => {
            let back = own_path(typed.get("back"), "/wallet").to_owned();
            login_page(&visit, typed.text("account"), back, account_problems(error)?).await
        }
    }
}

async fn login_code_page(visit: &Visit, typed: &Typed, started: &Started, problems: Vec<Problem>) -> Page {
    let layout = visit.layout("验证码", Section::None).await?;
    let hidden = vec![
        Hidden::new("ticket", started.ticket.as_str()),
        Hidden::new("account", typed.get("account")),
        Hidden::new("back", own_path(typed.get("back"), "/wallet")),
    ];
    let page = code_page(layout, hidden, started, "/login/code", "/login/again", "登录");
    shown(visit, page, problems)
}

/// The page of a code that went to the phone on file, if to any: it never says which.
fn code_page(layout: Layout, hidden: Vec<Hidden>, started: &Started, action: &str, resend: &str, submit: &str) -> CodeEntry {
    CodeEntry {
        layout,
        key: key::fresh(),
        heading: "验证码是多少?".to_owned(),
        sent_to: String::new(),
        action: action.to_owned(),
        resend: resend.to_owned(),
        valid_until: clock_or_empty(started.expires_ms),
        hidden,
        new_password: false,
        submit: submit.to_owned(),
    }
}

fn shown(visit: &Visit, mut page: CodeEntry, problems: Vec<Problem>) -> Page {
    let is_wrong = !problems.is_empty();
    page.layout.problems = problems;
    if is_wrong { visit.wrong(&page) } else { visit.page(&page) }
}

async fn login_code(visit: Visit, headers: HeaderMap, typed: Typed) -> Page {
    let back = own_path(typed.get("back"), "/wallet").to_owned();
    let ticket = typed.text("ticket");
    match visit.app.identity.confirm_login_code(&ticket, &typed.secret("code"), &web::device(&headers), visit.now).await {
        Ok(done) => logged_in(&visit, &done, &back, None).await,
        Err(error) => {
            let kept = Started { ticket, expires_ms: 0, resend_ms: 0 };
            login_code_page(&visit, &typed, &kept, problems_of(error, "code")?).await
        }
    }
}

async fn forgot_form(visit: Visit) -> Page {
    let layout = visit.layout("忘了密码", Section::None).await?;
    visit.page(&Forgot { layout, key: key::fresh(), ..Forgot::default() })
}

async fn forgot(visit: Visit, typed: Typed) -> Page {
    match visit.app.identity.start_forgot_password(typed.get("id_number"), visit.now).await {
        Ok(started) => forgot_code_page(&visit, &typed, &started, Vec::new()).await,
        Err(error @ IdentityError::TooManyCodes { .. }) if !typed.get("ticket").is_empty() => {
            let kept = Started { ticket: typed.text("ticket"), expires_ms: 0, resend_ms: 0 };
            forgot_code_page(&visit, &typed, &kept, problems_of(error, "code")?).await
        }
        Err(error) => {
            let mut layout = visit.layout("忘了密码", Section::None).await?;
            layout.problems = problems_of(error, "id_number")?;
            visit.wrong(&Forgot { layout, key: key::fresh(), id_number: typed.text("id_number") })
        }
    }
}

async fn forgot_code_page(visit: &Visit, typed: &Typed, started: &Started, problems: Vec<Problem>) -> Page {
    let layout = visit.layout("换一个新密码", Section::None).await?;
    let hidden = vec![Hidden::new("ticket", started.ticket.as_str()), Hidden::new("id_number", typed.get("id_number"))];
    let page = CodeEntry { new_password: true, ..code_page(layout, hidden, started, "/forgot/code", "/forgot", "换成新密码") };
    shown(visit, page, problems)
}

async fn forgot_code(visit: Visit, headers: HeaderMap, typed: Typed) -> Page {
    let kept = Started { ticket: typed.text("ticket"), expires_ms: 0, resend_ms: 0 };
    if let Some(problem) = differs(&typed) {
        return forgot_code_page(&visit, &typed, &kept, vec![problem]).await;
    }
    let (code, password) = (typed.secret("code"), typed.secret("password"));
    match visit.app.identity.confirm_forgot_password(&kept.ticket, &code, &password, &web::device(&headers), visit.now).await {
        Ok(done) => logged_in(&visit, &done, "/wallet", Some(Said::PasswordReset)).await,
        Err(error) => forgot_code_page(&visit, &typed, &kept, problems_of(error, "code")?).await,
    }
}
