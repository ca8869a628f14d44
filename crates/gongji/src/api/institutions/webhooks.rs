//! Webhooks, as an institution sets them up.

use crate::api::recorded::Done;
use crate::api::wire::page_len;
use crate::app::App;
use crate::problem::Problem;
use crate::service::webhook;
use crate::time::rfc3339;
use crate::web::{InstitutionCaller, StrictJson, StrictPath, StrictQuery};
use crate::webhooks::TargetError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gongji_store::vault::{OLD_SECRET_MS, Webhook, WebhookAttempt};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(register, list))
        .routes(routes!(show, remove))
        .routes(routes!(change_secret))
        .routes(routes!(try_out))
        .routes(routes!(attempts))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookRequest {
    /// Where to post to: `https://` or `http://`, at most 500 characters, no user, password or fragment. It must lead to the open network; a sandbox also sends to
    /// its own machine.
    #[schema(example = "http://127.0.0.1:9000/gongji")]
    url: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct WebhookBody {
    id: String,
    url: String,
    created_at: String,
    /// Messages are signed with the secret before as well, until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_until: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct WebhookMade {
    id: String,
    url: String,
    /// Shown here and never again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct SecretBody {
    /// Shown here and never again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    /// Until then messages are signed with the secret before as well.
    old_secret_until: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct WebhookList {
    webhooks: Vec<WebhookBody>,
}

/// One attempt to deliver a message.
#[derive(Debug, Serialize, ToSchema)]
struct AttemptBody {
    /// `webhook-id` of the message; the same at each of its attempts.
    #[schema(example = "msg_019345a0000070008000000000000001")]
    message: String,
    /// From 1; a message has at most ten attempts, the last a day and a half after the first.
    attempt: u32,
    at: String,
    /// `delivered` (2xx), `gone` (410: the message is given up), `status` (any other; redirects are not followed), `timeout` (ten seconds),
    /// `unreachable`, `tls_untrusted` (its certificate is not for this name, or by nobody whom the platform's machine believes), `name_unknown`, `address_refused` (it leads into a private network).
    #[schema(example = "delivered")]
    outcome: String,
    /// HTTP status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AttemptList {
    attempts: Vec<AttemptBody>,
    as_of: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Last {
    /// Rows, 1 to 200; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> WebhookBody {
        WebhookBody {
            id: id_text(webhook.id),
            url: webhook.url.reveal().to_owned(),
            created_at: rfc3339(webhook.created_ms),
            old_secret_until: webhook.old_secret.map(|(_, until)| rfc3339(until)),
        }
    }
}

impl From<WebhookAttempt> for AttemptBody {
    fn from(made: WebhookAttempt) -> AttemptBody {
        AttemptBody { message: made.message, attempt: made.attempt, at: rfc3339(made.at_ms), outcome: made.outcome, status: made.status }
    }
}

fn id_text(id: u64) -> String {
    format!("{id:016x}")
}

fn id_from(text: &str) -> Result<u64, Problem> {
    let is_plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // Ids of the vault have their highest bit clear.
    let id = is_plain.then(|| u64::from_str_radix(text, 16).ok()).flatten().filter(|id| i64::try_from(*id).is_ok());
    id.ok_or_else(Problem::not_found)
}

fn wrong_url(error: TargetError) -> Problem {
    let words = match error {
        TargetError::Internal => "这个地址在内部网络里,不能发到那里。",
        TargetError::Malformed | TargetError::NameUnknown => "地址要像 https://主机:端口/路径(或 http://),不带用户名、密码和 #。",
    };
    Problem::field("url", words, error.to_string())
}

/// Register a webhook
///
/// From now on a message is posted there when the feed of events has something new. A hint: read the feed for what happened, also from time to time
/// without being told. Signed by the Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`). At most five.
#[utoipa::path(post, path = "/webhooks", tag = "events", request_body = WebhookRequest,
    responses((status = 201, description = "Registered, with its secret", body = WebhookMade)), security(("institution" = [])))]
async fn register(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictJson(asked): StrictJson<WebhookRequest>,
) -> Result<(StatusCode, Json<WebhookMade>), Problem> {
    let target = webhook::target(&app, &asked.url).map_err(wrong_url)?;
    let (id, secret) = webhook::register(&app, institution.id, &target).await?;
    Ok((StatusCode::CREATED, Json(WebhookMade { id: id_text(id), url: target.url.to_string(), secret: secret.reveal().to_owned() })))
}

/// The institution's webhooks
#[utoipa::path(get, path = "/webhooks", tag = "events", responses((status = 200, description = "Oldest first", body = WebhookList)), security(("institution" = [])))]
async fn list(State(app): State<Arc<App>>, institution: InstitutionCaller) -> Result<Json<WebhookList>, Problem> {
    let webhooks = webhook::list(&app, institution.id).await?;
    Ok(Json(WebhookList { webhooks: webhooks.into_iter().map(WebhookBody::from).collect() }))
}

/// One webhook
#[utoipa::path(get, path = "/webhooks/{id}", tag = "events", params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "Where it leads", body = WebhookBody)), security(("institution" = [])))]
async fn show(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(id): StrictPath<String>) -> Result<Json<WebhookBody>, Problem> {
    Ok(Json(webhook::known(&app, institution.id, id_from(&id)?).await?.into()))
}

/// Remove a webhook
///
/// Its log goes with it.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "events", params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "Nothing is sent there any more", body = Done)), security(("institution" = [])))]
async fn remove(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(id): StrictPath<String>) -> Result<Json<Done>, Problem> {
    webhook::remove(&app, institution.id, id_from(&id)?).await?;
    Ok(Json(Done { done: true }))
}

/// Change a webhook's secret
///
/// For a day messages are signed with both, so that the receiver can be changed in between.
#[utoipa::path(post, path = "/webhooks/{id}/secret", tag = "events", params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "The new secret", body = SecretBody)), security(("institution" = [])))]
async fn change_secret(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(id): StrictPath<String>) -> Result<Json<SecretBody>, Problem> {
    let secret = webhook::change_secret(&app, institution.id, id_from(&id)?).await?;
    Ok(Json(SecretBody { secret: secret.reveal().to_owned(), old_secret_until: rfc3339(app.now() + OLD_SECRET_MS) }))
}

/// Try a webhook
///
/// Posts a message of the type `webhook.trial` once, now, and tells what became of it.
#[utoipa::path(post, path = "/webhooks/{id}/try", tag = "events", params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "What the receiver answered", body = AttemptBody)), security(("institution" = [])))]
async fn try_out(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(id): StrictPath<String>) -> Result<Json<AttemptBody>, Problem> {
    Ok(Json(webhook::try_out(&app, institution.id, id_from(&id)?).await?.into()))
}

/// A webhook's last attempts, newest first
///
/// The last 200 are kept.
#[utoipa::path(get, path = "/webhooks/{id}/attempts", tag = "events", params(Last, ("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "What was sent, and what became of it", body = AttemptList)), security(("institution" = [])))]
async fn attempts(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(id): StrictPath<String>,
    StrictQuery(asked): StrictQuery<Last>,
) -> Result<Json<AttemptList>, Problem> {
    let attempts = webhook::attempts(&app, institution.id, id_from(&id)?, page_len(asked.limit)?).await?;
    Ok(Json(AttemptList { attempts: attempts.into_iter().map(AttemptBody::from).collect(), as_of: rfc3339(app.now()) }))
}
