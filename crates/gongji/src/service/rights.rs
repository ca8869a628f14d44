//! What a person may ask about their own data: signing off. The copy is put together by [`crate::api::me_copy`].

use super::key::{self, IdempotencyKey};
use super::{Result, family};
use crate::app::App;
use gongji_ledger::HolderId;
use gongji_wallet::Reason;
use gongji_wallet::object::Holder;

/// Whether nothing of this person's would be out of reach without a login. The personal account is the agency's to pay out, with or without us.
fn has_nothing_open(holder: &Holder) -> bool {
    let is_quiet = holder.outgoing.is_empty() && holder.incoming.is_empty() && holder.open_payments.is_empty();
    is_quiet && holder.wallet_total().is_zero() && holder.held.is_zero() && holder.awaiting.is_zero()
}

/// Signs a person off (注销登录), whose password was just confirmed. False where that is not possible: there is money in the wallet, or something is
/// not decided yet.
pub async fn sign_off(app: &App, me: HolderId) -> Result<bool> {
    let holder = app.engine.holder(me)?.ok_or(Reason::NotFound)?;
    if !has_nothing_open(&holder) {
        return Ok(false);
    }
    // Who may act for them was their consent too.
    for agent in &holder.agents {
        let key = IdempotencyKey::new("rights", "sign-off", &key::fresh(), b"").expect("a fresh key is a key");
        family::end_agent(app, me, *agent, key).await?;
    }
    let now = app.now();
    app.vault(move |vault| vault.sign_off(me.0, now).and_then(|()| vault.revoke_sessions(me.0, None))).await?;
    Ok(true)
}
