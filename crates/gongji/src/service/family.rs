//! Opening and acting for a relative (代开通), and ending it.

use super::key::IdempotencyKey;
use super::person::{open_wallet, opening_preview, set_agent};
use super::{Result, ServiceError};
use crate::app::App;
use crate::identity::{IdentityError, OnBehalf, Started};
use gongji_ledger::{AreaCode, HolderId};
use gongji_store::seal::Sensitive;
use gongji_wallet::Reason;
use gongji_wallet::relation::RelationCode;

/// Why a relative's wallet was not opened on behalf.
#[derive(Debug, thiserror::Error)]
pub enum OnBehalfError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<gongji_store::Fault> for OnBehalfError {
    fn from(fault: gongji_store::Fault) -> OnBehalfError {
        OnBehalfError::Service(fault.into())
    }
}

/// Asks a relative for the consent. Returns the ticket, and whether the code went to the asker's own phone (a minor's guardian).
pub async fn start_on_behalf(
    app: &App,
    agent: HolderId,
    name: &str,
    id_number: &str,
    relation: RelationCode,
) -> std::result::Result<(Started, bool), IdentityError> {
    app.identity.start_on_behalf(agent.0, id_number, name, relation, app.now()).await
}

/// With the right code: the agent is recorded, and the wallet is confirmed with `place` unless it is already in use.
/// Returns the relative. Refused as a whole if the wallet cannot be confirmed; the code then stays good.
pub async fn confirm_on_behalf(app: &App, agent: HolderId, ticket: &str, code: &Sensitive, place: AreaCode) -> std::result::Result<HolderId, OnBehalfError> {
    let now = app.now();
    let granted: OnBehalf = app.identity.open_on_behalf(agent.0, ticket, code, now).await?;
    let relative = HolderId(granted.relative);
    let mut reasons = opening_preview(app, relative, place)?;
    let is_open = reasons.contains(&Reason::WalletExists);
    if is_open {
        // Nothing is opened then, so only what forbids acting at all stands against it.
        reasons.retain(|reason| matches!(reason, Reason::PersonDied));
    }
    if !reasons.is_empty() {
        return Err(ServiceError::Refused { reasons, replayed: false }.into());
    }
    // Keys of the ticket: whoever repeats the form after a lost answer does nothing twice.
    let key = |step: &str| IdempotencyKey::new("on-behalf", step, ticket, &place.to_be_bytes()).map_err(|_| IdentityError::CodeGone);
    set_agent(app, relative, agent, true, key("agent")?).await?;
    if !is_open {
        open_wallet(app, relative, agent, place, key("open")?).await?;
    }
    app.identity.use_on_behalf(granted, ticket, code, now).await?;
    Ok(relative)
}

/// For whom `agent` may act now.
pub async fn acting_for(app: &App, agent: HolderId) -> std::result::Result<Vec<HolderId>, OnBehalfError> {
    // Consents name whom one was ever allowed to act for; a relation may have brought the leave without one (an import, the office).
    let related = app.engine.holder(agent)?.map(|person| person.relations).unwrap_or_default();
    let mut named: Vec<HolderId> = app.identity.acted_for(agent.0).await?.into_iter().map(HolderId).collect();
    named.extend(related.iter().map(|relation| relation.other));
    named.sort_unstable();
    named.dedup();
    let mut relatives = Vec::new();
    for relative in named.into_iter().filter(|relative| *relative != agent) {
        if app.engine.holder(relative)?.is_some_and(|holder| holder.may_act(agent)) {
            relatives.push(relative);
        }
    }
    Ok(relatives)
}

/// Ends what a relative may do for `holder`. Either of the two may end it.
pub async fn end_agent(app: &App, holder: HolderId, agent: HolderId, key: IdempotencyKey) -> Result<super::Answered> {
    set_agent(app, holder, agent, false, key).await
}
