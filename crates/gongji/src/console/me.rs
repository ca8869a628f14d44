//! One's own ways to sign in, and where one is signed in.

use super::blocks::{Block, Cell, Column, Form, Row, Table};
use super::frame::{Answer, to, to_saying};
use super::guard::{Desk, Desks, Needs, Place};
use super::operators::used;
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::operator::act;
use crate::service::sign_in::{self, SignInError};
use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use gongji_store::vault::{CredentialKind, OperatorSession};
use gongji_wallet::operator::Deed;
use serde_json::json;

const SECTION: &str = "/console/me";

pub fn routes(desks: Desks) -> Desks {
    let signed_in = Needs::SignedIn;
    desks
        .at(Method::GET, "/console/me", signed_in, Place::Own, get(page))
        .at(Method::POST, "/console/me/passkey/ask", signed_in, Place::Own, post(ask_passkey))
        .at(Method::POST, "/console/me/passkey/answer", signed_in, Place::Own, post(answer_passkey))
        .at(Method::POST, "/console/me/passkeys/{credential}/remove", signed_in, Place::Own, post(remove_passkey))
        .at(Method::POST, "/console/me/recovery", signed_in, Place::Own, post(renew_recovery))
        .at(Method::POST, "/console/me/sessions/end", signed_in, Place::Own, post(end_all))
}

async fn page(desk: Desk) -> Answer {
    show(&desk, Vec::new()).await
}

async fn show(desk: &Desk, first: Vec<Block>) -> Answer {
    let (id, now) = (desk.caller.id().0, desk.now);
    let (credentials, sessions) = desk.app.vault(move |vault| Ok((vault.operator_credentials(id)?, vault.operator_sessions(Some(id), now)?))).await?;
    let recovery = credentials.iter().filter(|one| one.kind == CredentialKind::Recovery).count();
    let mut blocks = first;
    let passkeys: Vec<Row> = credentials
        .iter()
        .filter(|one| one.kind == CredentialKind::Passkey)
        .map(|one| Row { href: String::new(), cells: vec![Cell::text(one.label.clone()), Cell::text(format::when(one.made_ms))] })
        .collect();
    blocks.push(Block::Table(Table {
        title: "通行密钥".to_owned(),
        columns: ["设备", "登记"].map(Column::text).into(),
        rows: passkeys,
        empty: "还没有登记。用指纹、人脸或安全密钥登录,比动态码快,也骗不走。".to_owned(),
        ..Table::default()
    }));
    blocks.push(Block::Passkey("add", "在这台设备上登记通行密钥".to_owned()));
    for one in credentials.iter().filter(|one| one.kind == CredentialKind::Passkey) {
        let form = Form::post(format!("{SECTION}/passkeys/{}/remove", one.id), &format!("停用 {}", format::when(one.made_ms))).toned("second");
        blocks.push(Block::Form(form));
    }
    let renew = Form::post(format!("{SECTION}/recovery"), "换一组恢复码").titled("恢复码", &format!("还剩 {recovery} 个。换了以后旧的都不能用。"));
    blocks.push(Block::Form(renew.toned("second")));
    blocks.push(Block::Table(session_table(&sessions, desk.now)));
    let end = Form::post(format!("{SECTION}/sessions/end"), "全部退出").titled("全部退出", "所有设备,包括这一台。");
    blocks.push(Block::Form(end.toned("second")));
    desk.page(SECTION, "我的登录", "", blocks).await
}

pub fn session_table(sessions: &[OperatorSession], now: i64) -> Table {
    let rows = sessions.iter().map(|session| Row {
        href: String::new(),
        cells: vec![
            Cell::text(session.label.clone()),
            Cell::text(used(session.created_ms, now)),
            Cell::text(used(session.last_seen_ms, now)),
            Cell::text(format::when(session.ends_ms)),
        ],
    });
    Table {
        title: "登录着的设备".to_owned(),
        columns: ["设备", "登录", "最近一次用", "最晚到"].map(Column::text).into(),
        rows: rows.collect(),
        empty: "没有登录着的设备。".to_owned(),
        ..Table::default()
    }
}

fn says(error: SignInError) -> Answer {
    match error {
        SignInError::Service(error) => Err(error.into()),
        error => {
            tracing::info!(%error, "a passkey was not registered");
            let text = "没有登记成。浏览器要支持通行密钥,网址要是名字,不能是一串数字。";
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "says": text }))).into_response())
        }
    }
}

async fn ask_passkey(desk: Desk) -> Answer {
    match sign_in::ask_new_passkey(&desk.app, &desk.origin, &desk.caller.operator).await {
        Ok((token, options)) => Ok(Json(json!({ "token": token, "options": options })).into_response()),
        Err(error) => says(error),
    }
}

#[derive(serde::Deserialize)]
struct Answered {
    token: String,
    credential: webauthn_rs::prelude::RegisterPublicKeyCredential,
}

async fn answer_passkey(desk: Desk, headers: HeaderMap, Json(answered): Json<Answered>) -> Answer {
    let label = crate::web::device(&headers);
    let done = sign_in::finish_adding_passkey(&desk.app, &desk.origin, &desk.caller.operator, &answered.token, &answered.credential, &label).await;
    match done {
        Ok(true) => Ok(Json(json!({ "to": format!("{SECTION}?said=passkey") })).into_response()),
        Ok(false) => Ok((StatusCode::CONFLICT, Json(json!({ "says": "通行密钥太多了,先停用一个。" }))).into_response()),
        Err(error) => says(error),
    }
}

async fn remove_passkey(desk: Desk, Path(credential): Path<u64>) -> Answer {
    let id = desk.caller.id();
    act(&desk.app, id, Deed::CredentialsRemoved).await?;
    let gone = desk.app.vault(move |vault| vault.remove_operator_passkey(id.0, credential)).await?;
    if gone { Ok(to_saying(SECTION, "passkey-gone")) } else { Err(Problem::not_found()) }
}

async fn renew_recovery(desk: Desk) -> Answer {
    let codes = sign_in::renew_recovery(&desk.app, desk.caller.id()).await.map_err(crate::service::ServiceError::from)?;
    let first = vec![Block::Note("wait", "新的恢复码只显示这一次,抄下来放好。".to_owned()), Block::Codes(codes)];
    show(&desk, first).await
}

async fn end_all(desk: Desk) -> Answer {
    sign_in::end_sessions(&desk.app, desk.caller.id(), desk.caller.id(), None).await?;
    let mut response = to("/console/sign-in");
    crate::web::clear_console_cookie(&desk.app, response.headers_mut());
    Ok(response)
}
