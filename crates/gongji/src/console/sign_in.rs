//! The door of the console: passkey, code, recovery code, and the letter of the first time.

use super::blocks::{Block, Cell, Column, Field, Form, Row, Table};
use super::frame::{Answer, Filled, door, origin_of, query_of, to, to_saying};
use super::guard::{Desk, Desks, Needs, Place, caller};
use super::words;
use crate::app::App;
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::operator::{act, operators};
use crate::service::sign_in::{self, SignInError, Starter};
use crate::web;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gongji_store::seal::Sensitive;
use gongji_wallet::operator::Deed;
use serde_json::json;
use std::sync::Arc;

pub fn routes(desks: Desks) -> Desks {
    desks
        .at(Method::GET, "/console/sign-in", Needs::Nothing, Place::Own, get(form))
        .at(Method::POST, "/console/sign-in", Needs::Nothing, Place::Own, post(with_code))
        .at(Method::POST, "/console/passkey/ask", Needs::Nothing, Place::Own, post(ask_passkey))
        .at(Method::POST, "/console/passkey/answer", Needs::Nothing, Place::Own, post(answer_passkey))
        .at(Method::GET, "/console/first-time", Needs::Nothing, Place::Own, get(first_form))
        .at(Method::POST, "/console/first-time", Needs::Nothing, Place::Own, post(first_time))
        .at(Method::POST, "/console/first-time/confirm", Needs::Nothing, Place::Own, post(confirm_first_time))
        .at(Method::POST, "/console/sign-out", Needs::SignedIn, Place::Own, post(sign_out))
}

/// Somebody at the door.
struct Visitor {
    app: Arc<App>,
    headers: HeaderMap,
    path: String,
    origin: String,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Visitor, Problem> {
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        Ok(Visitor { app: Arc::clone(app), headers: parts.headers.clone(), path, origin: origin_of(app, parts) })
    }
}

impl Visitor {
    /// Where to go after signing in: a page of the console, or its first.
    fn back(typed: &str) -> String {
        let is_own = typed.starts_with("/console") && !typed.starts_with("/console/sign") && typed.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if is_own { typed.to_owned() } else { "/console".to_owned() }
    }
}

async fn form(visitor: Visitor) -> Answer {
    if caller(&visitor.app, &visitor.headers).await.is_ok() {
        return Ok(to("/console"));
    }
    let back = Visitor::back(&query_of(&visitor.path, "back"));
    sign_in_page(&visitor.app, StatusCode::OK, "", &back, "").await
}

async fn sign_in_page(app: &App, status: StatusCode, login: &str, back: &str, problem: &str) -> Answer {
    let form = Form::post("/console/sign-in", "登录")
        .hiding("back", back)
        .with(Field { autocomplete: "username webauthn", ..Field::text("login", "登录名", login, "") })
        .with(Field {
            mode: "text", autocomplete: "one-time-code", ..Field::text("code", "动态码", "", "手机验证器上的 6 位数;手机不在身边,用恢复码")
        });
    let mut blocks = vec![Block::Form(form), Block::Passkey("sign-in", "用通行密钥登录".to_owned())];
    blocks.push(Block::Links(vec![("/console/first-time".to_owned(), "第一次登录:我有首次登录信".to_owned())]));
    if app.sandbox.is_some() {
        blocks.push(samples(app).await?);
    }
    door(app, status, "经办台登录", "经办、复核、财务、审计、管理员从这里进", problem, blocks)
}

/// The sandbox's operators with the code that signs each in next.
async fn samples(app: &App) -> Result<Block, Problem> {
    let names = words::Names::load(app).await?;
    let mut rows = Vec::new();
    for operator in operators(app)?.by_id.values().filter(|operator| operator.is_active) {
        let Some(code) = sign_in::sample_code(app, operator.id).await.map_err(trouble)? else { continue };
        rows.push(Row {
            href: String::new(),
            cells: vec![Cell::text(operator.login.clone()), Cell::text(code), Cell::text(names.of(operator.id)), Cell::text(words::post(app, operator))],
        });
    }
    Ok(Block::Table(Table {
        title: "沙箱里的经办人".to_owned(),
        columns: ["登录名", "下一个动态码", "姓名", "管辖和角色"].map(Column::text).into(),
        rows,
        empty: "还没有经办人。".to_owned(),
        ..Table::default()
    }))
}

/// What went wrong at the door in a sentence; the rest are faults.
fn sentence(error: SignInError) -> Result<String, Problem> {
    Ok(match error {
        SignInError::Wrong => "登录名或动态码不对,或者这个动态码已经用过。等下一个再试。".to_owned(),
        SignInError::Locked { until_ms } => format!("连续输错太多次,{} 以后再试;急用请找管理员。", format::when(until_ms)),
        SignInError::NoPasskey => "这个登录名没有登记通行密钥,用动态码登录。".to_owned(),
        SignInError::Passkey(why) => {
            tracing::info!(%why, "a passkey did not fit");
            "通行密钥没有通过,再试一次,或者用动态码。".to_owned()
        }
        SignInError::Service(error) => return Err(error.into()),
    })
}

fn trouble(error: SignInError) -> Problem {
    match sentence(error) {
        Ok(_) => gongji_wallet::Reason::NotAuthorised.into(),
        Err(problem) => problem,
    }
}

async fn with_code(visitor: Visitor, filled: Filled) -> Answer {
    let (login, back) = (filled.get("login").to_owned(), Visitor::back(filled.get("back")));
    let label = web::device(&visitor.headers);
    match sign_in::with_code(&visitor.app, &login, &Sensitive::new(filled.get("code")), &label).await {
        Ok(token) => {
            let mut response = to(&back);
            web::set_console_cookie(&visitor.app, response.headers_mut(), &token);
            Ok(response)
        }
        Err(error) => sign_in_page(&visitor.app, StatusCode::UNPROCESSABLE_ENTITY, &login, &back, &sentence(error)?).await,
    }
}

async fn sign_out(desk: Desk) -> Answer {
    act(&desk.app, desk.caller.id(), Deed::SignedOut).await?;
    let token = desk.caller.token.clone();
    desk.app.vault(move |vault| vault.end_operator_session(&token)).await?;
    let mut response = to("/console/sign-in");
    web::clear_console_cookie(&desk.app, response.headers_mut());
    Ok(response)
}

#[derive(serde::Deserialize)]
struct Asked {
    login: String,
}

/// For the script of the door: a sentence it shows.
fn said(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "says": sentence }))).into_response()
}

async fn ask_passkey(visitor: Visitor, Json(asked): Json<Asked>) -> Answer {
    match sign_in::ask_passkey(&visitor.app, &visitor.origin, &asked.login).await {
        Ok((token, options)) => Ok(Json(json!({ "token": token, "options": options })).into_response()),
        Err(error) => Ok(said(StatusCode::UNPROCESSABLE_ENTITY, &sentence(error)?)),
    }
}

#[derive(serde::Deserialize)]
struct Answered {
    login: String,
    token: String,
    credential: webauthn_rs::prelude::PublicKeyCredential,
    back: String,
}

async fn answer_passkey(visitor: Visitor, Json(answered): Json<Answered>) -> Answer {
    let label = web::device(&visitor.headers);
    let signed = sign_in::finish_passkey(&visitor.app, &visitor.origin, &answered.login, &answered.token, &answered.credential, &label).await;
    match signed {
        Ok(token) => {
            let mut response = Json(json!({ "to": Visitor::back(&answered.back) })).into_response();
            web::set_console_cookie(&visitor.app, response.headers_mut(), &token);
            Ok(response)
        }
        Err(error) => Ok(said(StatusCode::UNPROCESSABLE_ENTITY, &sentence(error)?)),
    }
}

async fn first_form(State(app): State<Arc<App>>) -> Answer {
    first_page(&app, StatusCode::OK, "", "")
}

fn first_page(app: &App, status: StatusCode, login: &str, problem: &str) -> Answer {
    let form = Form::post("/console/first-time", "下一步").with(Field::text("login", "登录名", login, "管理员告诉你的")).with(Field::text(
        "letter",
        "首次登录信",
        "",
        "管理员给你的一串字母,3 天内有效,只能用一次",
    ));
    door(
        app,
        status,
        "第一次登录",
        "登记手机验证器,拿好恢复码",
        problem,
        vec![Block::Form(form), Block::Links(vec![("/console/sign-in".to_owned(), "我登记过了".to_owned())])],
    )
}

async fn first_time(visitor: Visitor, filled: Filled) -> Answer {
    let login = filled.get("login").to_owned();
    match sign_in::first_time(&visitor.app, &login, filled.get("letter")).await {
        Ok((token, starter)) => starter_page(&visitor.app, StatusCode::OK, &login, &token, &starter, ""),
        Err(SignInError::Wrong) => {
            first_page(&visitor.app, StatusCode::UNPROCESSABLE_ENTITY, &login, "登录名和首次登录信对不上,或者信已经用过、过期。请管理员再发一封。")
        }
        Err(error) => first_page(&visitor.app, StatusCode::UNPROCESSABLE_ENTITY, &login, &sentence(error)?),
    }
}

fn starter_page(app: &App, status: StatusCode, login: &str, token: &str, starter: &Starter, problem: &str) -> Answer {
    let address = sign_in::telephone_address(login, &starter.secret);
    let mut blocks = vec![Block::Heading("一、用手机验证器扫这个码".to_owned())];
    if let Ok(svg) = gongji_files::qr_svg(&address, "手机验证器登记码") {
        blocks.push(Block::Picture(svg));
    }
    blocks.push(Block::Text(format!("扫不了就手工输入密钥:{}", grouped(&starter.secret))));
    blocks.push(Block::Heading("二、抄下恢复码".to_owned()));
    blocks.push(Block::Text("手机丢了就靠它登录,每个只能用一次。现在不抄,以后不再显示。".to_owned()));
    blocks.push(Block::Codes(starter.recovery.clone()));
    blocks.push(Block::Heading("三、输入手机上的动态码".to_owned()));
    let code = Field { mode: "numeric", autocomplete: "one-time-code", ..Field::text("code", "动态码", "", "6 位数") };
    blocks.push(Block::Form(Form::post("/console/first-time/confirm", "登记好了,登录").hiding("login", login).hiding("token", token).with(code)));
    door(app, status, "登记手机验证器", "这一页只显示一次", problem, blocks)
}

fn grouped(secret: &str) -> String {
    secret.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect::<Vec<_>>().join(" ")
}

async fn confirm_first_time(visitor: Visitor, filled: Filled) -> Answer {
    let login = filled.get("login").to_owned();
    let label = web::device(&visitor.headers);
    match sign_in::finish_first_time(&visitor.app, &login, filled.get("token"), filled.get("code"), &label).await {
        Ok(Ok(token)) => {
            let mut response = to_saying("/console", "welcome");
            web::set_console_cookie(&visitor.app, response.headers_mut(), &token);
            Ok(response)
        }
        Ok(Err((token, starter))) => {
            starter_page(&visitor.app, StatusCode::UNPROCESSABLE_ENTITY, &login, &token, &starter, "动态码不对。看看手机的时间准不准,再输一次。")
        }
        Err(error) => {
            let text = match error {
                SignInError::Wrong => "时间太久了,从头再来一次。".to_owned(),
                error => sentence(error)?,
            };
            first_page(&visitor.app, StatusCode::UNPROCESSABLE_ENTITY, &login, &text)
        }
    }
}
