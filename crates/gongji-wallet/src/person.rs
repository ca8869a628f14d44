//! People on file: enrolment, contributions, opening, agents, place of use, relations, freezing, death.
//!
//! | posting | debit | credit |
//! | --- | --- | --- |
//! | `CONTRIBUTION` | fund of the area | personal account |
//! | `QUOTA_BACK` | wallet | transit to the contributor's partition |
//! | `CAME_BACK` | transit | personal account of (contributor, origin area), or the area's unclaimed account |

use crate::apply::own_lot;
use crate::command::{Proof, place_binding};
use crate::day::{DAY_MS, day_of};
use crate::directory::{DirectoryChange, RegionLevel};
use crate::event::{Fact, Message};
use crate::ids::Key;
use crate::object::*;
use crate::reason::Reason;
use crate::rules::Setting;
use crate::transfer::{purse_account, send_back, use_proof};
use crate::work::{Stop, Work};
use gongji_ledger::{Account, AreaCode, Fen, GrantKind, HolderId, Lot, Move, Part, planted};

/// Most relatives who may act for one person.
pub const AGENTS_MAX: usize = 8;

/// Most personal accounts of one person: one for each area of work so far.
pub const ACCOUNTS_MAX: usize = 32;

/// Largest single contribution (fen): ten million yuan.
pub const CONTRIBUTION_MAX: Fen = Fen(1_000_000_000);

pub(crate) fn create(work: &mut Work, holder: HolderId) -> Result<(), Stop> {
    assert!(!holder.is_nobody() && holder.part() == work.part, "a holder is created in its own partition");
    if work.holder(holder)?.is_some() {
        return Ok(());
    }
    work.emit(Fact::HolderCreated { holder }, Vec::new())
}

pub(crate) fn set_enrolment(work: &mut Work, holder: HolderId, enrolment: Enrolment) -> Result<(), Stop> {
    let before = work.known_holder(holder)?.enrolment;
    if work.directory.regions.get(&enrolment.area).is_none_or(|region| region.level == RegionLevel::Province && !region_is_itself(work, enrolment.area)) {
        return Err(Reason::DirectoryUnknown.into());
    }
    if before == Some(enrolment) {
        return Ok(());
    }
    work.emit(Fact::EnrolmentSet { holder, enrolment }, Vec::new())?;
    let stopped_or_moved = before.is_some_and(|before| before.is_active() && (!enrolment.is_active() || enrolment.area != before.area));
    if stopped_or_moved { untie(work, holder, EndReason::InsuranceChanged) } else { Ok(()) }
}

/// Whether a provincial row is a pooling area of its own: one with no areas below it on file.
fn region_is_itself(work: &Work, area: AreaCode) -> bool {
    !work.directory.regions.values().any(|region| region.province_code == area && region.code != area)
}

pub(crate) fn register_death(work: &mut Work, holder: HolderId) -> Result<(), Stop> {
    if work.known_holder(holder)?.died {
        return Ok(());
    }
    work.emit(Fact::Died { holder }, Vec::new())?;
    untie(work, holder, EndReason::Death)
}

/// Ends every relation; unused quotas and pending transfers go back at once.
fn untie(work: &mut Work, holder: HolderId, why: EndReason) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    let others: Vec<HolderId> = person.relations.iter().filter(|relation| relation.ended.is_none()).map(|relation| relation.other).collect();
    let (outgoing, incoming) = (person.outgoing.clone(), person.incoming.clone());
    drop(person);
    for other in others {
        end_both_sides(work, holder, other, why)?;
    }
    for id in incoming.into_iter().filter(|_| !planted("dead-receiver-keeps-waiting-money")) {
        if let Some(waiting) = work.incoming(id)? {
            send_back(work, &waiting.transfer, None, TransferState::Returned)?;
        }
    }
    for id in outgoing.into_iter().skip(usize::from(planted("recall-forgets-the-first"))) {
        if let Some(outgoing) = work.outgoing(id)? {
            let receiver = outgoing.transfer.receiver;
            work.send(receiver.part(), Message::TransferRecalled { id, receiver, sender: holder })?;
        }
    }
    Ok(())
}

pub(crate) fn contribute(work: &mut Work, holder: HolderId, area: AreaCode, amount: Fen, month: u32) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    let has_room = person.account(area).is_some() || person.accounts.len() < ACCOUNTS_MAX;
    drop(person);
    if !amount.is_positive() {
        return Err(Reason::AmountTooSmall { min: Fen(1) }.into());
    }
    if amount > CONTRIBUTION_MAX {
        return Err(Reason::AmountTooLarge { max: CONTRIBUTION_MAX }.into());
    }
    if !work.directory.regions.contains_key(&area) {
        return Err(Reason::DirectoryUnknown.into());
    }
    if !has_room {
        return Err(Reason::TooMany { max: ACCOUNTS_MAX as u16 }.into());
    }
    let lot = own_lot(holder, area, GrantKind::Own, work.stamp, amount);
    let posting = Move::new(Account::Fund { area }, Account::Personal { holder, area }, vec![lot]);
    work.emit(Fact::Contributed { holder, area, month }, vec![posting])
}

pub(crate) fn freeze(work: &mut Work, holder: HolderId, reason: FreezeReason, maker: &str, checker: &str) -> Result<(), Stop> {
    let frozen = work.known_holder(holder)?.freeze.is_some();
    if maker == checker && !planted("maker-is-checker") {
        return Err(Reason::SameOperator.into());
    }
    if frozen {
        return Err(Reason::AlreadyFrozen.into());
    }
    work.emit(Fact::Frozen { holder, reason, maker: maker.to_owned(), checker: checker.to_owned() }, Vec::new())
}

pub(crate) fn unfreeze(work: &mut Work, holder: HolderId, maker: &str, checker: &str) -> Result<(), Stop> {
    let frozen = work.known_holder(holder)?.freeze.is_some();
    if maker == checker {
        return Err(Reason::SameOperator.into());
    }
    if !frozen {
        return Err(Reason::NotFrozen.into());
    }
    work.emit(Fact::Unfrozen { holder, maker: maker.to_owned(), checker: checker.to_owned() }, Vec::new())
}

/// What stands against confirming the wallet with `place` as place of use.
pub fn opening_reasons(holder: &Holder, directory: &crate::directory::Directory, place: AreaCode, stamp: i64) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let day = day_of(stamp);
    if holder.died {
        reasons.push(Reason::PersonDied);
    }
    if holder.freeze.is_some() {
        reasons.push(Reason::Frozen);
    }
    if !holder.is_insured() {
        reasons.push(Reason::NotInsured);
    }
    if holder.wallet.is_some() {
        reasons.push(Reason::WalletExists);
    }
    if holder.enrolment.is_some_and(|enrolment| enrolment.area != place) {
        reasons.push(Reason::PlaceNotInsured);
    }
    if !directory.is_open(place, day) {
        let opens_at = directory.regions.get(&place).and_then(|region| region.opens_after(day)).map(|day| crate::day::instant(day, 0));
        reasons.push(Reason::RegionClosed { area: place, opens_at });
    }
    reasons
}

pub(crate) fn open_wallet(work: &mut Work, holder: HolderId, by: HolderId, place: AreaCode) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    if !person.may_act(by) {
        return Err(Reason::NotYours.into());
    }
    let reasons = opening_reasons(&person, &work.directory, place, work.stamp);
    drop(person);
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    work.emit(Fact::WalletOpened { holder, by, place }, Vec::new())
}

pub(crate) fn set_agent(work: &mut Work, holder: HolderId, agent: HolderId, allowed: bool) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    let (known, count) = (person.agents.contains(&agent), person.agents.len());
    drop(person);
    if agent == holder {
        return Err(Reason::ToSelf.into());
    }
    if known == allowed {
        return Ok(());
    }
    if allowed && count >= AGENTS_MAX {
        return Err(Reason::TooMany { max: AGENTS_MAX as u16 }.into());
    }
    work.emit(Fact::AgentSet { holder, agent, allowed }, Vec::new())
}

/// What stands against a change of the place of use, but for the proof of identity.
pub fn place_reasons(person: &Holder, directory: &crate::directory::Directory, place: AreaCode, stamp: i64) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let day = day_of(stamp);
    if person.died {
        reasons.push(Reason::PersonDied);
    }
    if person.freeze.is_some() {
        reasons.push(Reason::Frozen);
    }
    let Some(wallet) = &person.wallet else {
        reasons.push(Reason::WalletMissing);
        return reasons;
    };
    if wallet.place == place {
        reasons.push(Reason::PlaceSame);
    }
    if !person.is_insured() || person.enrolment.is_some_and(|enrolment| enrolment.area != place) {
        reasons.push(Reason::PlaceNotInsured);
    }
    if !directory.is_open(place, day) {
        let opens_at = directory.regions.get(&place).and_then(|region| region.opens_after(day)).map(|day| crate::day::instant(day, 0));
        reasons.push(Reason::RegionClosed { area: place, opens_at });
    }
    let offers = |area: AreaCode| directory.regions.get(&area).is_some_and(|region| region.change_of_use);
    if !offers(wallet.place) || !offers(place) {
        reasons.push(Reason::PlaceChangeNotOffered);
    }
    if let Some(changed_at) = wallet.place_changed_at {
        let until = changed_at + i64::from(directory.rules(wallet.place, day).place_cooldown_days) * DAY_MS;
        if stamp < until && !planted("place-changes-at-will") {
            reasons.push(Reason::PlaceCooldown { until });
        }
    }
    if !person.outgoing.is_empty() || !person.incoming.is_empty() || !person.open_payments.is_empty() {
        reasons.push(Reason::SomethingPending);
    }
    reasons
}

pub(crate) fn change_place(work: &mut Work, holder: HolderId, by: HolderId, place: AreaCode, proof: Option<&Proof>) -> Result<(), Stop> {
    let mut reasons = Vec::new();
    let proof = use_proof(work, holder, by, proof, place_binding(holder, place), &mut reasons)?;
    let person = work.known_holder(holder)?;
    if !person.may_act(by) {
        return Err(Reason::NotYours.into());
    }
    reasons.extend(place_reasons(&person, &work.directory, place, work.stamp));
    let from = person.wallet.as_ref().map(|wallet| wallet.place);
    drop(person);
    match (reasons.is_empty(), from, proof) {
        (true, Some(from), Some(proof)) => {
            work.emit(proof, Vec::new())?;
            work.emit(Fact::PlaceChanged { holder, by, from, to: place }, Vec::new())
        }
        _ => Err(Stop::Refused(reasons)),
    }
}

pub(crate) fn end_relation(work: &mut Work, holder: HolderId, by: HolderId, other: HolderId) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    if !person.may_act(by) {
        return Err(Reason::NotYours.into());
    }
    let ended = person.relation(other).ok_or(Reason::NotRelated)?.ended.is_some();
    drop(person);
    if ended {
        return Err(Reason::RelationEnded.into());
    }
    end_both_sides(work, holder, other, EndReason::ByPerson)
}

fn end_both_sides(work: &mut Work, holder: HolderId, other: HolderId, why: EndReason) -> Result<(), Stop> {
    work.emit(Fact::RelationEnded { holder, other, why }, Vec::new())?;
    return_quota(work, holder, other)?;
    work.send(other.part(), Message::RelationEnded { holder: other, other: holder, why })
}

/// The other side of a relation learns that it has ended.
pub(crate) fn relation_ended(work: &mut Work, holder: HolderId, other: HolderId, why: EndReason) -> Result<(), Stop> {
    if work.holder(holder)?.is_some_and(|person| person.has_confirmed(other)) {
        work.emit(Fact::RelationEnded { holder, other, why }, Vec::new())?;
        if !planted("ended-relation-keeps-quota") {
            return_quota(work, holder, other)?;
        }
    }
    Ok(())
}

/// Sends back what is left of the quota that `contributor` granted to `holder`. What a payment holds follows after it is captured or given up.
fn return_quota(work: &mut Work, holder: HolderId, contributor: HolderId) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    let lots: Vec<Lot> = person.wallet.iter().flat_map(|wallet| wallet.lots.as_slice()).filter(|lot| is_quota_of(lot, contributor)).copied().collect();
    drop(person);
    send_to_contributor(work, holder, contributor, lots)
}

fn is_quota_of(lot: &Lot, contributor: HolderId) -> bool {
    lot.origin.kind == GrantKind::Quota && lot.origin.contributor == contributor
}

fn send_to_contributor(work: &mut Work, holder: HolderId, contributor: HolderId, lots: Vec<Lot>) -> Result<(), Stop> {
    if lots.is_empty() {
        return Ok(());
    }
    let posting = Move::new(Account::Wallet { holder }, Account::Transit { part: contributor.part() }, lots.clone());
    work.emit(Fact::LotsSentBack { holder, contributor }, vec![posting])?;
    work.send(contributor.part(), Message::LotsReturned { contributor, holder, lots })
}

/// After a transfer came back into the wallet it was sent from: one that is frozen, or whose holder is dead, passes it on to its contributors.
pub(crate) fn sweep_returned(work: &mut Work, holder: HolderId, lots: &[Lot]) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    let is_shut = person.died || person.freeze.is_some();
    drop(person);
    sweep(work, holder, lots, is_shut)
}

/// After a refund or a released hold: quota whose relation has ended goes on to its contributor, all else stays, frozen or not.
pub(crate) fn sweep_refunded(work: &mut Work, holder: HolderId, lots: &[Lot]) -> Result<(), Stop> {
    if planted("refund-revives-quota") {
        return Ok(());
    }
    sweep(work, holder, lots, false)
}

fn sweep(work: &mut Work, holder: HolderId, lots: &[Lot], is_shut: bool) -> Result<(), Stop> {
    let person = work.known_holder(holder)?;
    let may_not_stay = |lot: &&Lot| is_shut || (lot.origin.kind == GrantKind::Quota && !person.has_confirmed(lot.origin.contributor));
    let leaving: Vec<Lot> = lots.iter().filter(may_not_stay).copied().collect();
    drop(person);
    for lot in leaving {
        send_to_contributor(work, holder, lot.origin.contributor, vec![lot])?;
    }
    Ok(())
}

/// Money comes back to the personal account it came from, even a frozen one; else to the area's unclaimed account.
pub(crate) fn lots_came_back(work: &mut Work, from: Part, contributor: HolderId, holder: HolderId, lots: &[Lot]) -> Result<(), Stop> {
    let moves = {
        let person = work.holder(contributor)?;
        lots.iter()
            .map(|lot| {
                let current = person.as_ref().and_then(|person| person.enrolment);
                let area = current.filter(|_| planted("money-comes-back-to-the-new-place")).map_or(lot.origin.area, |enrolment| enrolment.area);
                let has_account = person.as_ref().is_some_and(|person| person.account(area).is_some());
                let to = if has_account { purse_account(contributor, Purse::Personal { area }) } else { Account::Unclaimed { area } };
                Move::new(Account::Transit { part: from }, to, vec![*lot])
            })
            .collect()
    };
    work.emit(Fact::LotsCameBack { contributor, holder }, moves)
}

pub(crate) fn change_directory(work: &mut Work, changes: &[DirectoryChange]) -> Result<(), Stop> {
    assert!(work.part == 0, "the directory has partition 0");
    for change in changes {
        let directory = work.object(Key::Directory)?;
        let known = |area: AreaCode| matches!(directory.as_deref(), Some(Object::Directory(directory)) if directory.regions.contains_key(&area));
        let lacks_region = match change {
            DirectoryChange::Region(_) | DirectoryChange::Rules(_) => false,
            DirectoryChange::Opening { area, .. } => !known(*area),
            DirectoryChange::Institution(institution) => !known(institution.area),
            DirectoryChange::Premium(premium) => !known(premium.area),
        };
        if lacks_region {
            return Err(Reason::DirectoryUnknown.into());
        }
        let is_lawful = match change {
            DirectoryChange::Rules(change) => change.settings.iter().all(Setting::is_lawful),
            DirectoryChange::Premium(premium) => premium.amount.is_positive() && premium.opens <= premium.closes,
            _ => true,
        };
        if !is_lawful {
            return Err(Reason::SettingRefused.into());
        }
        if let DirectoryChange::Rules(change) = change {
            let known = directory.as_deref().into_iter().flat_map(|object| match object {
                Object::Directory(directory) => directory.rule_changes.as_slice(),
                _ => &[],
            });
            // Version 1 is the default and cannot be given again.
            if change.version < 2 || known.into_iter().any(|known| known.version == change.version && known != change) {
                return Err(Reason::VersionTaken.into());
            }
        }
        drop(directory);
        work.emit(Fact::DirectoryChanged(change.clone()), Vec::new())?;
    }
    Ok(())
}
