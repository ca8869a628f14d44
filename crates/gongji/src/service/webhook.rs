//! An institution's webhooks: where it wants to be told that its feed has something new.

use super::{Result, ServiceError, feed};
use crate::app::App;
use crate::webhooks::{self, Target, TargetError};
use gongji_files::webhook::secret_text;
use gongji_ledger::InstitutionId;
use gongji_store::seal::{Sensitive, random};
use gongji_store::vault::{WEBHOOKS_MAX, Webhook, WebhookAttempt};
use gongji_wallet::Reason;

/// Registers a receiver. It is told of what happens from now on. The secret is returned here and never again.
///
/// # Errors
/// `TOO_MANY` beyond [`WEBHOOKS_MAX`].
pub async fn register(app: &App, institution: InstitutionId, target: &Target) -> Result<(u64, Sensitive)> {
    let (part, name, now) = (app.engine.institution_part(institution), institution.to_string(), app.now());
    let (url, secret, told) = (Sensitive::new(target.url.as_str()), fresh_secret(), feed::end(app, institution)?.to_bytes());
    let kept = secret.clone();
    let id = app.vault(move |vault| vault.put_webhook(part, &name, &url, &kept, &told, now)).await?;
    let id = id.ok_or(Reason::TooMany { max: u16::try_from(WEBHOOKS_MAX).expect("a few") })?;
    Ok((id, secret))
}

/// # Errors
/// As [`Target::parse`].
pub fn target(app: &App, url: &str) -> std::result::Result<Target, TargetError> {
    Target::parse(url, app.sandbox.is_some())
}

fn fresh_secret() -> Sensitive {
    Sensitive::new(secret_text(&random()))
}

pub async fn list(app: &App, institution: InstitutionId) -> Result<Vec<Webhook>> {
    let (part, name) = (app.engine.institution_part(institution), institution.to_string());
    Ok(app.vault(move |vault| vault.webhooks(part, &name)).await?)
}

/// One of this institution's.
///
/// # Errors
/// `NOT_FOUND` for every other number.
pub async fn known(app: &App, institution: InstitutionId, id: u64) -> Result<Webhook> {
    let webhook = app.vault(move |vault| vault.webhook(id)).await?;
    webhook.filter(|webhook| webhook.institution == institution.to_string()).ok_or_else(|| ServiceError::from(Reason::NotFound))
}

/// # Errors
/// As [`known`].
pub async fn remove(app: &App, institution: InstitutionId, id: u64) -> Result<()> {
    let name = institution.to_string();
    if app.vault(move |vault| vault.remove_webhook(id, &name)).await? { Ok(()) } else { Err(Reason::NotFound.into()) }
}

/// Gives it a new secret; the one before is used beside it for a day.
///
/// # Errors
/// As [`known`].
pub async fn change_secret(app: &App, institution: InstitutionId, id: u64) -> Result<Sensitive> {
    let (name, now, secret) = (institution.to_string(), app.now(), fresh_secret());
    let kept = secret.clone();
    if app.vault(move |vault| vault.change_webhook_secret(id, &name, &kept, now)).await? { Ok(secret) } else { Err(Reason::NotFound.into()) }
}

/// Sends a message that says nothing, once, and tells what became of it.
///
/// # Errors
/// As [`known`].
pub async fn try_out(app: &App, institution: InstitutionId, id: u64) -> Result<WebhookAttempt> {
    let webhook = known(app, institution, id).await?;
    let (message, now) = (format!("msg_{}", uuid::Uuid::now_v7().simple()), app.now());
    let body = webhooks::trial(&webhook.institution, now);
    let made = webhooks::attempt(&webhook, &message, &body, app.sandbox.is_some(), now).await;
    let line = WebhookAttempt { message, attempt: 1, at_ms: app.now(), outcome: made.outcome.word().to_owned(), status: made.status };
    let kept = line.clone();
    app.vault(move |vault| vault.put_webhook_trial(id, &kept)).await?;
    Ok(line)
}

/// The last attempts, newest first.
///
/// # Errors
/// As [`known`].
pub async fn attempts(app: &App, institution: InstitutionId, id: u64, max: usize) -> Result<Vec<WebhookAttempt>> {
    known(app, institution, id).await?;
    Ok(app.vault(move |vault| vault.webhook_attempts(id, max)).await?)
}
