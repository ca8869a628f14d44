//! The wallet itself: confirming it, agents, place of use, relations.

use super::key::IdempotencyKey;
use super::{Answered, Result, ask};
use crate::app::App;
use gongji_ledger::{AreaCode, HolderId};
use gongji_wallet::command::place_binding;
use gongji_wallet::object::FreezeReason;
use gongji_wallet::person::{opening_reasons, place_reasons};
use gongji_wallet::{Command, Proof, Reason};

/// What stands against confirming the wallet with this place of use. It binds nobody.
pub fn opening_preview(app: &App, holder: HolderId, place: AreaCode) -> Result<Vec<Reason>> {
    let person = app.engine.holder(holder)?.ok_or(Reason::NotFound)?;
    Ok(opening_reasons(&person, &app.directory(), place, app.now()))
}

pub async fn open_wallet(app: &App, holder: HolderId, by: HolderId, place: AreaCode, key: IdempotencyKey) -> Result<Answered> {
    ask(app, holder.part(), key, Command::OpenWallet { holder, by, place }).await
}

pub async fn set_agent(app: &App, holder: HolderId, agent: HolderId, allowed: bool, key: IdempotencyKey) -> Result<Answered> {
    ask(app, holder.part(), key, Command::SetAgent { holder, agent, allowed }).await
}

pub fn place_preview(app: &App, holder: HolderId, place: AreaCode) -> Result<Vec<Reason>> {
    let person = app.engine.holder(holder)?.ok_or(Reason::NotFound)?;
    Ok(place_reasons(&person, &app.directory(), place, app.now()))
}

/// What a proof of identity for a change of place is bound to.
pub fn place_proof_binding(holder: HolderId, place: AreaCode) -> [u8; 16] {
    place_binding(holder, place)
}

pub async fn change_place(app: &App, holder: HolderId, by: HolderId, place: AreaCode, proof: Option<Proof>, key: IdempotencyKey) -> Result<Answered> {
    ask(app, holder.part(), key, Command::ChangePlace { holder, by, place, proof }).await
}

pub async fn end_relation(app: &App, holder: HolderId, by: HolderId, other: HolderId, key: IdempotencyKey) -> Result<Answered> {
    ask(app, holder.part(), key, Command::EndRelation { holder, by, other }).await
}

pub async fn freeze(app: &App, holder: HolderId, reason: FreezeReason, maker: &str, checker: &str, key: IdempotencyKey) -> Result<Answered> {
    let (maker, checker) = (maker.to_owned(), checker.to_owned());
    ask(app, holder.part(), key, Command::Freeze { holder, reason, maker, checker }).await
}

pub async fn unfreeze(app: &App, holder: HolderId, maker: &str, checker: &str, key: IdempotencyKey) -> Result<Answered> {
    let (maker, checker) = (maker.to_owned(), checker.to_owned());
    ask(app, holder.part(), key, Command::Unfreeze { holder, maker, checker }).await
}
