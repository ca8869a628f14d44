//! Transfers: whom, preview, submit, and what the receiver does.

use super::key::IdempotencyKey;
use super::{Answered, Result, ask};
use crate::app::{App, AppError};
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId};
use gongji_store::vault::Vault;
use gongji_wallet::command::{RequestTransfer, transfer_binding};
use gongji_wallet::day::day_of;
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::{Incoming, Outgoing, TransferState};
use gongji_wallet::transfer::{receiver_reasons, sender_view, told_to_sender};
use gongji_wallet::{Command, Proof, Reason};
use std::time::Duration;

/// How long a caller waits for a step in another partition.
pub const OUTCOME_WAIT: Duration = Duration::from_secs(3);

/// What a person wants to do.
#[derive(Clone, Debug)]
pub struct Wish {
    pub sender: HolderId,
    pub receiver: HolderId,
    /// GB/T 4761: what the receiver is to the sender.
    pub relation: u8,
    pub amount: Fen,
    pub from_wallet: bool,
}

impl Wish {
    /// What a proof of identity for this wish is bound to.
    pub fn binding(&self) -> [u8; 16] {
        transfer_binding(self.receiver, self.amount, self.from_wallet)
    }
}

/// What the last page before the identity check shows. It binds nobody.
#[derive(Clone, Debug)]
pub struct Preview {
    pub reasons: Vec<Reason>,
    pub deadline: i64,
    /// The relation is confirmed: an active wallet is credited at once.
    pub is_confirmed: bool,
    pub transfers_left: u16,
    pub transfers_max: u16,
    pub transfer_max: Fen,
    pub daily_total_left: Option<Fen>,
    pub kind: GrantKind,
    pub rule: u32,
    /// The receiver's area, told once the relation is confirmed.
    pub receiver_area: Option<AreaCode>,
}

/// Finds the receiver by name and number. Where they are not on file together, it is nobody of the number's partition,
/// so that asking does not tell who exists.
///
/// Nor does the time it takes: memory answers for those whom the sender has a relation with, the disk for everybody else, whether they exist or not.
pub async fn find_receiver(app: &App, sender: HolderId, name: &str, id_number: &str) -> std::result::Result<HolderId, AppError> {
    let in_memory = app.vault.match_person_in_memory(id_number, name);
    if let Some(Some(remembered)) = in_memory {
        let receiver = HolderId(remembered);
        if app.engine.holder(sender)?.is_some_and(|sender| sender.relation(receiver).is_some()) {
            return Ok(receiver);
        }
    }
    let (name, number) = (name.to_owned(), id_number.to_owned());
    let look = move |vault: &Vault| if in_memory.is_some() { vault.match_person_on_disk(&number, &name) } else { vault.match_person(&number, &name) };
    let found = app.vault(look).await?;
    Ok(found.map_or_else(|| HolderId::nobody(app.vault.partition_of(id_number)), HolderId))
}

pub fn preview(app: &App, wish: &Wish) -> Result<Preview> {
    let now = app.now();
    let directory = app.directory();
    let sender = app.engine.holder(wish.sender)?.ok_or(Reason::NotFound)?;
    // Whoever has no relation with the sender is not looked at: how long that takes would tell whether there is such a person.
    let receiver = if sender.relation(wish.receiver).is_some() { app.engine.holder(wish.receiver)? } else { None };
    let view = sender_view(&sender, &directory, wish.receiver, wish.relation, wish.amount, wish.from_wallet, now);
    let confirmed = receiver.as_ref().is_some_and(|receiver| receiver.has_confirmed(wish.sender));
    let mut reasons = view.reasons;
    if confirmed {
        // Before the relation is confirmed even the neutral reason would tell whether a person exists; it comes with the transfer itself.
        reasons.extend(told_to_sender(receiver_reasons(receiver.as_ref(), &directory, &view.lots, now), true));
    }
    let used = sender.day.on(day_of(now));
    Ok(Preview {
        reasons,
        deadline: view.deadline,
        is_confirmed: confirmed,
        transfers_left: view.rules.daily_count_max.saturating_sub(used.count),
        transfers_max: view.rules.daily_count_max,
        transfer_max: view.rules.transfer_max,
        daily_total_left: view.rules.daily_total_max.map(|max| (max - used.total).max(Fen::ZERO)),
        kind: view.rules.kind,
        rule: view.rules.version,
        receiver_area: receiver.filter(|_| confirmed).and_then(|receiver| receiver.enrolment).map(|enrolment| enrolment.area),
    })
}

/// Submits a transfer. The outcome is the sender's side at its commit; [`outgoing`] follows it.
pub async fn submit(app: &App, wish: &Wish, proof: Option<Proof>, key: IdempotencyKey) -> Result<Answered> {
    let request = RequestTransfer {
        id: TransferId(*uuid::Uuid::now_v7().as_bytes()),
        sender: wish.sender,
        receiver: wish.receiver,
        relation: wish.relation,
        amount: wish.amount,
        from_wallet: wish.from_wallet,
        proof,
    };
    ask(app, wish.sender.part(), key, Command::RequestTransfer(request)).await
}

/// The transfer as its sender sees it, after waiting a little for the receiver's partition if it is still under way.
pub async fn outgoing(app: &App, sender: HolderId, id: TransferId) -> Result<Option<Outgoing>> {
    let mut changes = app.engine.changes(sender.part());
    let waiting = async {
        loop {
            changes.mark_unchanged();
            match app.engine.outgoing(sender, id)? {
                Some(outgoing) if outgoing.state == TransferState::Submitted => {}
                found => return Ok::<_, gongji_store::Fault>(found),
            }
            if changes.changed().await.is_err() {
                return app.engine.outgoing(sender, id);
            }
        }
    };
    match tokio::time::timeout(OUTCOME_WAIT, waiting).await {
        Ok(found) => Ok(found?),
        Err(_) => Ok(app.engine.outgoing(sender, id)?),
    }
}

/// The transfer as its receiver sees it.
pub fn incoming(app: &App, receiver: HolderId, id: TransferId) -> Result<Option<Incoming>> {
    Ok(app.engine.incoming(receiver, id)?)
}

/// What waits for a person, oldest first. An overdue one is shown as returning until its return is committed.
pub fn waiting_for(app: &App, receiver: HolderId) -> Result<Vec<Incoming>> {
    let ids = app.engine.holder(receiver)?.map(|holder| holder.incoming).unwrap_or_default();
    let mut waiting = Vec::new();
    for id in ids {
        waiting.extend(app.engine.incoming(receiver, id)?);
    }
    Ok(waiting)
}

/// Whether a transfer that still waits has passed its deadline.
pub fn is_returning(state: TransferState, deadline: i64, now: i64) -> bool {
    !state.is_final() && now >= deadline
}

pub async fn accept(app: &App, id: TransferId, receiver: HolderId, by: HolderId, key: IdempotencyKey) -> Result<Answered> {
    ask(app, receiver.part(), key, Command::AcceptTransfer { id, receiver, by }).await
}

pub async fn decline(app: &App, id: TransferId, receiver: HolderId, by: HolderId, key: IdempotencyKey) -> Result<Answered> {
    ask(app, receiver.part(), key, Command::DeclineTransfer { id, receiver, by }).await
}

/// Cancels a transfer that waits; decided in the receiver's partition.
pub async fn cancel(app: &App, id: TransferId, sender: HolderId, key: IdempotencyKey) -> Result<Answered> {
    let outgoing = outgoing(app, sender, id).await?.ok_or(Reason::NotFound)?;
    ask(app, outgoing.transfer.receiver.part(), key, Command::CancelTransfer { id, sender }).await
}
