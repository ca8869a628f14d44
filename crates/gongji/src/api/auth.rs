//! Registering, logging in, sessions.
//!
//! A start is answered the same way for everyone; whether a text goes out is seen on the phone alone.

use super::recorded::Done;
use crate::app::App;
use crate::identity::{LoggedIn, Started};
use crate::problem::Problem;
use crate::time::rfc3339;
use crate::web::{self, Citizen, StrictJson, StrictPath, clear_session_cookie, clear_subject_cookie, device, set_session_cookie};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gongji_store::seal::Sensitive;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(start_registration))
        .routes(routes!(confirm_registration))
        .routes(routes!(log_in))
        .routes(routes!(start_code))
        .routes(routes!(confirm_code))
        .routes(routes!(start_forgot))
        .routes(routes!(confirm_forgot))
        .routes(routes!(log_out))
        .routes(routes!(sessions))
        .routes(routes!(revoke))
        .routes(routes!(revoke_others))
        .routes(routes!(change_password))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegistrationStart {
    #[schema(example = "王秀兰")]
    name: String,
    #[schema(example = "990151195203150023")]
    id_number: String,
    /// Own mobile phone.
    #[schema(example = "19900000002")]
    phone: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordByCode {
    ticket: String,
    /// The six digits of the text.
    #[schema(value_type = String, example = "731904")]
    code: Sensitive,
    /// The 医保码 password to be: six digits.
    #[schema(value_type = String, format = Password)]
    password: Sensitive,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordLogin {
    id_number: String,
    #[schema(value_type = String, format = Password)]
    password: Sensitive,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IdNumberOnly {
    id_number: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeLogin {
    ticket: String,
    #[schema(value_type = String, example = "731904")]
    code: Sensitive,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    #[schema(value_type = String, format = Password)]
    old_password: Sensitive,
    #[schema(value_type = String, format = Password)]
    new_password: Sensitive,
}

/// A one-time code may be on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartedBody {
    /// Goes back with the code.
    pub ticket: String,
    pub expires_at: String,
    /// Another code may be asked for then.
    pub resend_at: String,
}

impl From<Started> for StartedBody {
    fn from(started: Started) -> StartedBody {
        StartedBody { ticket: started.ticket, expires_at: rfc3339(started.expires_ms), resend_at: rfc3339(started.resend_ms) }
    }
}

/// A session. Browsers get it as a cookie too.
#[derive(Debug, Serialize, ToSchema)]
struct SessionToken {
    /// For `Authorization: Bearer`.
    token: String,
    session_id: String,
    /// The latest end; it also ends after 30 minutes without use.
    ends_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    sessions: Vec<SessionBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SessionBody {
    id: String,
    /// What the person recognises the device by.
    #[schema(example = "安卓手机 · 微信")]
    device: String,
    is_this: bool,
    created_at: String,
    last_seen_at: String,
    ends_at: String,
}

async fn logged_in(app: &App, headers: &HeaderMap, status: StatusCode, logged_in: &LoggedIn) -> Result<Response, Problem> {
    let LoggedIn { token, session } = logged_in;
    web::end_session_before(app, headers).await?;
    let body = SessionToken { token: token.reveal().to_owned(), session_id: format!("{:016x}", session.id), ends_at: rfc3339(session.ends_ms) };
    let mut response = (status, Json(body)).into_response();
    set_session_cookie(app, response.headers_mut(), token);
    Ok(response)
}

/// Start registering
///
/// Name, number and own phone are matched with the enrolment on file.
#[utoipa::path(post, path = "/registrations", tag = "auth", request_body = RegistrationStart,
    responses((status = 202, description = "A code is on its way if the three fit; the answer is the same if not", body = StartedBody)), security(()))]
async fn start_registration(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<RegistrationStart>) -> Result<(StatusCode, Json<StartedBody>), Problem> {
    let started = app.identity.start_registration(&asked.id_number, &asked.name, &asked.phone, app.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(started.into())))
}

/// Finish registering
///
/// Sets the 医保码 password and logs in.
#[utoipa::path(post, path = "/registrations/confirm", tag = "auth", request_body = PasswordByCode,
    responses((status = 201, description = "Registered and logged in", body = SessionToken)), security(()))]
async fn confirm_registration(State(app): State<Arc<App>>, headers: HeaderMap, StrictJson(asked): StrictJson<PasswordByCode>) -> Result<Response, Problem> {
    let done = app.identity.confirm_registration(&asked.ticket, &asked.code, &asked.password, &device(&headers), app.now()).await?;
    logged_in(&app, &headers, StatusCode::CREATED, &done).await
}

/// Log in with the password
#[utoipa::path(post, path = "/sessions", tag = "auth", request_body = PasswordLogin,
    responses((status = 201, description = "Logged in", body = SessionToken)), security(()))]
async fn log_in(State(app): State<Arc<App>>, headers: HeaderMap, StrictJson(asked): StrictJson<PasswordLogin>) -> Result<Response, Problem> {
    let done = app.identity.login_with_password(&asked.id_number, &asked.password, &device(&headers), app.now()).await?;
    logged_in(&app, &headers, StatusCode::CREATED, &done).await
}

/// Ask for a code to log in
#[utoipa::path(post, path = "/sessions/codes", tag = "auth", request_body = IdNumberOnly,
    responses((status = 202, description = "A code is on its way if the person is registered; the answer is the same if not", body = StartedBody)), security(()))]
async fn start_code(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<IdNumberOnly>) -> Result<(StatusCode, Json<StartedBody>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(app.identity.start_login_code(&asked.id_number, app.now()).await?.into())))
}

/// Log in with a code
///
/// Also the way back from a lock.
#[utoipa::path(post, path = "/sessions/codes/confirm", tag = "auth", request_body = CodeLogin,
    responses((status = 201, description = "Logged in", body = SessionToken)), security(()))]
async fn confirm_code(State(app): State<Arc<App>>, headers: HeaderMap, StrictJson(asked): StrictJson<CodeLogin>) -> Result<Response, Problem> {
    let done = app.identity.confirm_login_code(&asked.ticket, &asked.code, &device(&headers), app.now()).await?;
    logged_in(&app, &headers, StatusCode::CREATED, &done).await
}

/// Ask for a code to set a new password
#[utoipa::path(post, path = "/password/forgotten", tag = "auth", request_body = IdNumberOnly,
    responses((status = 202, description = "A code is on its way if the person is registered; the answer is the same if not", body = StartedBody)), security(()))]
async fn start_forgot(State(app): State<Arc<App>>, StrictJson(asked): StrictJson<IdNumberOnly>) -> Result<(StatusCode, Json<StartedBody>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(app.identity.start_forgot_password(&asked.id_number, app.now()).await?.into())))
}

/// Set a new password with a code
///
/// Logs in here and out everywhere else.
#[utoipa::path(post, path = "/password/forgotten/confirm", tag = "auth", request_body = PasswordByCode,
    responses((status = 201, description = "The password is set; logged in", body = SessionToken)), security(()))]
async fn confirm_forgot(State(app): State<Arc<App>>, headers: HeaderMap, StrictJson(asked): StrictJson<PasswordByCode>) -> Result<Response, Problem> {
    let done = app.identity.confirm_forgot_password(&asked.ticket, &asked.code, &asked.password, &device(&headers), app.now()).await?;
    logged_in(&app, &headers, StatusCode::CREATED, &done).await
}

/// Log out here
#[utoipa::path(delete, path = "/sessions/current", tag = "auth", responses((status = 200, description = "Logged out", body = Done)), security(("session" = [])))]
async fn log_out(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Response, Problem> {
    app.identity.log_out(&citizen.token).await?;
    let mut response = Json(Done { done: true }).into_response();
    clear_session_cookie(&app, response.headers_mut());
    clear_subject_cookie(&app, response.headers_mut());
    Ok(response)
}

/// Devices on which this person is logged in
#[utoipa::path(get, path = "/sessions", tag = "auth", responses((status = 200, description = "All sessions, last used first", body = SessionList)), security(("session" = [])))]
pub async fn sessions(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<SessionList>, Problem> {
    let devices = app.identity.sessions(citizen.holder.0, app.now()).await?;
    let body = |device: gongji_store::vault::Device| SessionBody {
        id: format!("{:016x}", device.session.id),
        device: device.label,
        is_this: device.session.id == citizen.session_id,
        created_at: rfc3339(device.session.created_ms),
        last_seen_at: rfc3339(device.session.last_seen_ms),
        ends_at: rfc3339(device.session.ends_ms),
    };
    Ok(Json(SessionList { sessions: devices.into_iter().map(body).collect() }))
}

/// Log out one device
#[utoipa::path(delete, path = "/sessions/{id}", tag = "auth", params(("id" = String, Path, description = "The session's id from the list")),
    responses((status = 200, description = "That device is logged out", body = Done)), security(("session" = [])))]
async fn revoke(State(app): State<Arc<App>>, citizen: Citizen, StrictPath(id): StrictPath<String>) -> Result<Json<Done>, Problem> {
    let id = u64::from_str_radix(&id, 16).map_err(|_| Problem::not_found())?;
    app.identity.revoke_session(citizen.holder.0, id).await?;
    Ok(Json(Done { done: true }))
}

/// Log out every other device
#[utoipa::path(delete, path = "/sessions/others", tag = "auth", responses((status = 200, description = "Only this device is logged in", body = Done)), security(("session" = [])))]
async fn revoke_others(State(app): State<Arc<App>>, citizen: Citizen) -> Result<Json<Done>, Problem> {
    app.identity.revoke_sessions(citizen.holder.0, Some(citizen.session_id)).await?;
    Ok(Json(Done { done: true }))
}

/// Change the password
///
/// Logs out every other device.
#[utoipa::path(post, path = "/password", tag = "auth", request_body = PasswordChange,
    responses((status = 200, description = "The new password holds", body = Done)), security(("session" = [])))]
async fn change_password(State(app): State<Arc<App>>, citizen: Citizen, StrictJson(asked): StrictJson<PasswordChange>) -> Result<Json<Done>, Problem> {
    app.identity.change_password(&citizen.session, &asked.old_password, &asked.new_password, app.now()).await?;
    Ok(Json(Done { done: true }))
}
