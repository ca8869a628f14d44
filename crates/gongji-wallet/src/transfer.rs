//! Transfers between relatives.
//!
//! | step | partition | debit | credit |
//! | --- | --- | --- | --- |
//! | `TRANSFER_SUBMIT` | sender | personal account or wallet | transit to the receiver's partition |
//! | `TRANSFER_CREDIT` | receiver | transit | wallet |
//! | `TRANSFER_WAIT` | receiver | transit | awaiting |
//! | `TRANSFER_ACCEPT` | receiver | awaiting | wallet |
//! | `TRANSFER_DECLINE`, `_CANCEL`, `_RETURN` | receiver | awaiting | transit to the sender's partition |
//! | `TRANSFER_BACK` | sender | transit | where it came from |
//!
//! Where both live in one partition, the wallet is open and the relation confirmed, nothing is left to be told from one side to the other: the same
//! checks end in one event, personal account or wallet to wallet (`Fact::TransferMade`).

use crate::apply::own_lot;
use crate::command::{Proof, RequestTransfer, transfer_binding};
use crate::day::{day_of, instant, ms_of_day};
use crate::decide::{Reply, final_transfer, is_overdue};
use crate::directory::Directory;
use crate::event::{Fact, Message, Outcome};
use crate::ids::{Key, RequestKey, TransferId};
use crate::object::*;
use crate::person::sweep_returned;
use crate::reason::Reason;
use crate::relation::RelationCode;
use crate::rules::Rules;
use crate::work::{Stop, Work};
use gongji_ledger::{Account, Fen, GrantKind, HolderId, LOTS_MAX, Lot, Move, Part, planted, total};

/// Most transfers that wait at one receiver.
pub const INCOMING_MAX: usize = 50;

/// Most relations one person has.
pub const RELATIONS_MAX: usize = 64;

/// What the sender's side says of a transfer; the preview shows the same.
pub struct SenderView {
    pub reasons: Vec<Reason>,
    pub rules: Rules,
    /// What would be moved; empty where there are reasons.
    pub lots: Vec<Lot>,
    pub source: Purse,
    /// When what nobody took goes back (ms, UTC).
    pub deadline: i64,
}

/// Checks the sender's side, in the order in which the reasons are told.
pub fn sender_view(sender: &Holder, directory: &Directory, receiver: HolderId, relation: u8, amount: Fen, from_wallet: bool, stamp: i64) -> SenderView {
    let day = day_of(stamp);
    let mut reasons = Vec::new();
    if sender.died {
        reasons.push(Reason::PersonDied);
    }
    if sender.freeze.is_some() {
        reasons.push(Reason::Frozen);
    }
    let area = sender.enrolment.map_or(0, |enrolment| enrolment.area);
    let rules = directory.rules(area, day);
    let own_kind = rules.kind;
    // Whoever has no personal account is told that, not that it is empty.
    let lacks_account = sender.enrolment.is_none_or(|enrolment| enrolment.insurance != EMPLOYEE || enrolment.pooled_only);
    match sender.enrolment {
        None => reasons.push(Reason::NotInsured),
        Some(enrolment) if enrolment.status != EnrolmentStatus::Normal => reasons.push(Reason::InsuranceNotNormal),
        Some(enrolment) if !from_wallet && enrolment.insurance != EMPLOYEE => reasons.push(Reason::NotEmployee),
        Some(enrolment) if !from_wallet && enrolment.pooled_only => reasons.push(Reason::PooledOnly),
        Some(_) => {}
    }
    if sender.enrolment.is_some() && !directory.is_open(area, day) {
        reasons.push(region_closed(directory, area, day));
    }
    if from_wallet && sender.wallet.is_none() {
        reasons.push(Reason::WalletMissing);
    }
    match RelationCode::try_new(relation) {
        Err(_) => reasons.push(Reason::RelationRefused),
        Ok(said) if sender.relation(receiver).is_some_and(|known| known.ended.is_none() && contradicts(known, said)) => reasons.push(Reason::RelationDiffers),
        Ok(_) => {}
    }
    if receiver == sender.id {
        reasons.push(Reason::ToSelf);
    }
    if sender.relation(receiver).is_none() && sender.relations.len() >= RELATIONS_MAX {
        reasons.push(Reason::TooMany { max: RELATIONS_MAX as u16 });
    }
    reasons.extend(amount_reasons(&rules, amount));
    let (source, lots) = match (&sender.wallet, from_wallet) {
        (Some(wallet), true) => {
            let may_pass = |lot: &Lot| lot.origin.kind != GrantKind::Quota || planted("quota-is-passed-on");
            let lots = wallet.lots.oldest(amount, may_pass);
            if lots.is_none() {
                let available = wallet.lots.total_where(may_pass);
                let only_quota = wallet.lots.total() >= amount;
                reasons.push(if only_quota { Reason::QuotaNotTransferable { available } } else { Reason::InsufficientFunds { available } });
            }
            (Purse::Wallet, lots)
        }
        (None, true) => (Purse::Wallet, None),
        (_, false) => {
            let balance = sender.account(area).map_or(Fen::ZERO, |account| account.balance);
            let lots = (balance >= amount).then(|| vec![own_lot(sender.id, area, own_kind, stamp, amount)]);
            if lots.is_none() && !lacks_account {
                reasons.push(Reason::InsufficientFunds { available: balance });
            }
            (Purse::Personal { area }, lots)
        }
    };
    reasons.extend(moment_reasons(&rules, amount, sender.day.on(day), !sender.outgoing.is_empty(), stamp));
    let deadline = instant(day + 1, rules.return_at);
    let lots = if reasons.is_empty() { lots.unwrap_or_default() } else { Vec::new() };
    SenderView { reasons, rules, lots, source, deadline }
}

/// What the rules say against the amount by itself.
pub fn amount_reasons(rules: &Rules, amount: Fen) -> impl Iterator<Item = Reason> {
    let too_small = (amount < rules.transfer_min).then_some(Reason::AmountTooSmall { min: rules.transfer_min });
    let too_large = (amount > rules.transfer_max).then_some(Reason::AmountTooLarge { max: rules.transfer_max });
    too_small.into_iter().chain(too_large)
}

/// What the rules say against sending now: the hour, what was `used` of the day, and whether something `is_pending`.
pub fn moment_reasons(rules: &Rules, amount: Fen, used: DayCount, is_pending: bool, stamp: i64) -> Vec<Reason> {
    let day = day_of(stamp);
    let mut reasons = Vec::new();
    if rules.is_closed_at(ms_of_day(stamp)) {
        let today = instant(day, rules.closed_to);
        let opens_at = if stamp < today { today } else { instant(day + 1, rules.closed_to) };
        reasons.push(Reason::ClosedHours { opens_at });
    }
    let resets_at = instant(day + 1, if rules.is_closed_at(0) { rules.closed_to } else { 0 });
    if used.count >= rules.daily_count_max + u16::from(planted("one-transfer-too-many")) {
        reasons.push(Reason::DailyCount { max: rules.daily_count_max, used: used.count, resets_at });
    }
    if let Some(max) = rules.daily_total_max
        && !(planted("daily-total-looks-back-only") && used.total <= max)
        && used.total + amount.max(Fen::ZERO).min(rules.transfer_max) > max
    {
        reasons.push(Reason::DailyTotal { max, used: used.total, resets_at });
    }
    if rules.one_at_a_time && is_pending && !planted("second-transfer-while-one-waits") {
        reasons.push(Reason::TransferPending);
    }
    reasons
}

/// Whether what is said of a relative differs from what was confirmed: word for word if it was said here, in kind if the other side said it.
fn contradicts(known: &Relation, said: RelationCode) -> bool {
    if known.declared_here {
        return known.code != said.get();
    }
    RelationCode::try_new(known.code).is_ok_and(|code| code.kinship().inverse() != said.kinship())
}

fn region_closed(directory: &Directory, area: u32, day: i32) -> Reason {
    let opens_at = directory.regions.get(&area).and_then(|region| region.opens_after(day)).map(|day| instant(day, 0));
    Reason::RegionClosed { area, opens_at }
}

/// Checks the receiver's side. `None` stands for nobody on file.
pub fn receiver_reasons(receiver: Option<&Holder>, directory: &Directory, lots: &[Lot], stamp: i64) -> Vec<Reason> {
    let Some(receiver) = receiver else { return vec![Reason::ReceiverUnavailable] };
    let mut reasons = Vec::new();
    if !receiver.is_insured() {
        reasons.push(Reason::ReceiverNotInsured);
    }
    if receiver.enrolment.is_some_and(|enrolment| !directory.is_open(enrolment.area, day_of(stamp))) {
        reasons.push(Reason::ReceiverRegionClosed);
    }
    if (receiver.freeze.is_some() || receiver.died) && !planted("frozen-receiver-receives") {
        reasons.push(Reason::ReceiverFrozen);
    }
    let lots_after = receiver.wallet.as_ref().map_or(0, |wallet| wallet.lots.len_after(lots));
    if lots_after > LOTS_MAX || receiver.incoming.len() >= INCOMING_MAX {
        reasons.push(Reason::ReceiverFull);
    }
    reasons
}

/// What the sender is told of the receiver's side: everything once the relation is confirmed, before that one neutral reason.
pub fn told_to_sender(reasons: Vec<Reason>, confirmed: bool) -> Vec<Reason> {
    if confirmed || reasons.is_empty() { reasons } else { vec![Reason::ReceiverUnavailable] }
}

/// Checks the proof of identity of `by`, who acts for `holder`; the fact returned marks it used, kept at the holder.
pub(crate) fn use_proof(
    work: &mut Work,
    holder: HolderId,
    by: HolderId,
    proof: Option<&Proof>,
    bound: [u8; 16],
    reasons: &mut Vec<Reason>,
) -> Result<Option<Fact>, Stop> {
    let Some(proof) = proof else {
        reasons.push(Reason::ProofMissing);
        return Ok(None);
    };
    let person = work.known_holder(holder)?;
    if proof.holder != by || proof.bound != bound {
        reasons.push(Reason::ProofMismatch);
    } else if is_overdue(work.stamp, proof.expires) {
        reasons.push(Reason::ProofExpired);
    } else if person.used_proofs.iter().any(|(used, _)| *used == proof.id) && !planted("proof-is-shown-twice") {
        reasons.push(Reason::ProofUsed);
    }
    Ok(Some(Fact::ProofUsed { holder, proof: proof.id, expires: proof.expires }))
}

pub(crate) fn request(work: &mut Work, request: &RequestTransfer, idempotency: Option<(RequestKey, [u8; 16])>) -> Result<Reply, Stop> {
    let bound = transfer_binding(request.receiver, request.amount, request.from_wallet);
    let mut reasons = Vec::new();
    let proof = use_proof(work, request.sender, request.sender, request.proof.as_ref(), bound, &mut reasons)?;
    let view = {
        let sender = work.known_holder(request.sender)?;
        sender_view(&sender, &work.directory, request.receiver, request.relation, request.amount, request.from_wallet, work.stamp)
    };
    reasons.extend(view.reasons);
    if !work.has_part(request.receiver.part()) {
        reasons.push(Reason::ReceiverUnavailable);
    }
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    let from = purse_account(request.sender, view.source);
    if is_made_at_once(work, request, &view.lots)? {
        let Some(Proof { id: proof, expires: proof_expires, .. }) = request.proof else { unreachable!("a proof without objection is there") };
        let (id, receiver) = (request.id, request.receiver);
        let amount = total(&view.lots);
        let posting = Move::new(from, Account::Wallet { holder: receiver }, view.lots);
        let (deadline, rule) = (view.deadline, view.rules.version);
        work.assume_absent(Key::Made(id));
        work.emit(Fact::TransferMade { id, relation: request.relation, deadline, rule, proof, proof_expires, answered: idempotency }, vec![posting])?;
        return Ok(Reply::Answered(made_outcome(id, amount, deadline, rule)));
    }
    work.emit(proof.expect("a proof without objection is there"), Vec::new())?;
    let transfer = Transfer {
        id: request.id,
        sender: request.sender,
        receiver: request.receiver,
        relation: request.relation,
        source: view.source,
        kind: view.lots.first().expect("a transfer moves something").origin.kind,
        lots: view.lots,
        sent_at: work.stamp,
        deadline: view.deadline,
        rule: view.rules.version,
    };
    let to = request.receiver.part();
    let posting = Move::new(from, Account::Transit { part: to }, transfer.lots.clone());
    work.assume_absent(Key::Outgoing(request.id));
    work.emit(Fact::TransferSubmitted(transfer.clone()), vec![posting])?;
    work.send(to, Message::TransferSent(transfer))?;
    Ok(Reply::Transfer(request.id))
}

/// Whether receiver and relation are such that the money may enter the receiver's wallet in the very step that takes it from the sender.
fn is_made_at_once(work: &mut Work, request: &RequestTransfer, lots: &[Lot]) -> Result<bool, Stop> {
    if request.receiver.part() != work.part {
        return Ok(false);
    }
    let is_confirmed_here = work.known_holder(request.sender)?.has_confirmed(request.receiver);
    let Some(receiver) = work.holder(request.receiver)?.filter(|receiver| is_confirmed_here && receiver.has_confirmed(request.sender)) else {
        return Ok(false);
    };
    Ok(receiver.wallet.is_some() && receiver_reasons(Some(&receiver), &work.directory, lots, work.stamp).is_empty())
}

/// What a transfer made at once is answered with.
pub(crate) fn made_outcome(id: TransferId, amount: Fen, deadline: i64, rule: u32) -> Outcome {
    Outcome::Transfer { id, state: TransferState::Credited, amount, deadline, rule, reason: None }
}

/// A transfer reaches the receiver's partition, which alone decides from here on.
pub(crate) fn arrive(work: &mut Work, from: Part, transfer: Transfer) -> Result<(), Stop> {
    let receiver = work.holder(transfer.receiver)?;
    let confirmed = receiver.as_ref().is_some_and(|receiver| receiver.has_confirmed(transfer.sender));
    let mut reasons = told_to_sender(receiver_reasons(receiver.as_deref(), &work.directory, &transfer.lots, work.stamp), confirmed);
    // Only a new relation needs room.
    if receiver.as_ref().is_some_and(|receiver| receiver.relation(transfer.sender).is_none() && receiver.relations.len() >= RELATIONS_MAX) {
        reasons.push(Reason::ReceiverUnavailable);
    }
    let active = receiver.as_ref().is_some_and(|receiver| receiver.wallet.is_some());
    drop(receiver);
    let (state, reason) = if is_overdue(work.stamp, transfer.deadline) && !planted("late-arrival-waits") {
        (TransferState::Returned, None)
    } else if let Some(reason) = reasons.into_iter().next() {
        (TransferState::Refused, Some(reason))
    } else if active && confirmed {
        (TransferState::Credited, None)
    } else {
        (TransferState::AwaitingRecipient, None)
    };
    let holder = transfer.receiver;
    let transit = Account::Transit { part: from };
    let moves = match state {
        TransferState::Credited => vec![Move::new(transit, Account::Wallet { holder }, transfer.lots.clone())],
        TransferState::AwaitingRecipient => vec![Move::new(transit, Account::Awaiting { holder }, transfer.lots.clone())],
        _ => Vec::new(),
    };
    let (id, sender) = (transfer.id, transfer.sender);
    let lots = if moves.is_empty() { transfer.lots.clone() } else { Vec::new() };
    work.assume_absent(Key::Incoming(id));
    work.emit(Fact::TransferArrived { transfer, state, reason: reason.clone() }, moves)?;
    work.send(from, Message::TransferDecided { id, sender, receiver: holder, state, lots, reason })
}

/// The sender's side learns what became of its transfer.
#[allow(clippy::too_many_arguments, reason = "the fields of one message")]
pub(crate) fn settle(
    work: &mut Work,
    from: Part,
    id: TransferId,
    sender: HolderId,
    receiver: HolderId,
    state: TransferState,
    lots: Vec<Lot>,
    reason: Option<Reason>,
) -> Result<(), Stop> {
    let outgoing = work.outgoing(id)?.expect("what the receiver's side decided was sent from here");
    let counts = match state {
        TransferState::Refused => planted("refused-transfer-counts"),
        TransferState::Returned => {
            let area = work.known_holder(sender)?.enrolment.map_or(0, |enrolment| enrolment.area);
            work.directory.rules(area, day_of(outgoing.transfer.sent_at)).returned_counts
        }
        _ => true,
    };
    let moves = if lots.is_empty() {
        Vec::new()
    } else {
        vec![Move::new(Account::Transit { part: from }, purse_account(sender, outgoing.transfer.source), lots.clone())]
    };
    work.emit(Fact::TransferSettled { id, sender, receiver, state, counts, reason }, moves)?;
    if state == TransferState::Credited {
        confirm_here(work, &outgoing.transfer)?;
    }
    if outgoing.transfer.source == Purse::Wallet {
        sweep_returned(work, sender, &lots)?;
    }
    Ok(())
}

/// The receiver has taken it: the relation is confirmed on the sender's side too, unless its ground has gone while the money was on its way.
fn confirm_here(work: &mut Work, transfer: &Transfer) -> Result<(), Stop> {
    let (holder, other, code) = (transfer.sender, transfer.receiver, transfer.relation);
    let person = work.known_holder(holder)?;
    if person.has_confirmed(other) {
        return Ok(());
    }
    // An end that came after the sending stands; the other side may have confirmed without knowing of it.
    let ended_since = person
        .relation(other)
        .filter(|relation| relation.pending_at_end.contains(&transfer.id) && !planted("ended-relation-comes-back"))
        .and_then(|relation| relation.ended);
    let has_moved = matches!(transfer.source, Purse::Personal { area } if person.enrolment.is_some_and(|enrolment| enrolment.area != area));
    let why = match ended_since {
        Some((_, why)) => Some(why),
        None if person.died && !planted("departed-sender-is-related") => Some(EndReason::Death),
        None if (!person.is_insured() || has_moved) && !planted("departed-sender-is-related") => Some(EndReason::InsuranceChanged),
        None => None,
    };
    let is_known = person.relation(other).is_some();
    drop(person);
    match why {
        Some(why) => {
            if is_known {
                // Ended once more, as of now: what is pending by now was sent before the other side is told.
                work.emit(Fact::RelationEnded { holder, other, why }, Vec::new())?;
            }
            work.send(other.part(), Message::RelationEnded { holder: other, other: holder, why })
        }
        None => work.emit(Fact::RelationConfirmed { holder, other, code, declared_here: true }, Vec::new()),
    }
}

pub(crate) fn accept(work: &mut Work, id: TransferId, holder: HolderId, by: HolderId) -> Result<Reply, Stop> {
    let incoming = waiting(work, id, holder, by)?;
    let transfer = incoming.transfer;
    let mut reasons = Vec::new();
    let receiver = work.known_holder(holder)?;
    if receiver.died {
        reasons.push(Reason::PersonDied);
    }
    if receiver.freeze.is_some() && !planted("frozen-receiver-accepts") {
        reasons.push(Reason::Frozen);
    }
    if !receiver.is_insured() {
        reasons.push(Reason::NotInsured);
    }
    let day = day_of(work.stamp);
    if let Some(enrolment) = receiver.enrolment
        && !work.directory.is_open(enrolment.area, day)
    {
        reasons.push(region_closed(&work.directory, enrolment.area, day));
    }
    match &receiver.wallet {
        None => reasons.push(Reason::WalletMissing),
        Some(wallet) if wallet.lots.len_after(&transfer.lots) > LOTS_MAX => reasons.push(Reason::WalletFull),
        Some(_) => {}
    }
    let confirmed = receiver.has_confirmed(transfer.sender);
    drop(receiver);
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    let posting = Move::new(Account::Awaiting { holder }, Account::Wallet { holder }, transfer.lots.clone());
    close(work, &transfer, Some(by), TransferState::Credited, posting, Vec::new())?;
    if !confirmed && !planted("acceptance-confirms-nothing") {
        let (other, code) = (transfer.sender, transfer.relation);
        work.emit(Fact::RelationConfirmed { holder, other, code, declared_here: false }, Vec::new())?;
    }
    Ok(Reply::Transfer(id))
}

pub(crate) fn decline(work: &mut Work, id: TransferId, holder: HolderId, by: HolderId) -> Result<Reply, Stop> {
    let incoming = waiting(work, id, holder, by)?;
    send_back(work, &incoming.transfer, Some(by), TransferState::Declined)?;
    Ok(Reply::Transfer(id))
}

/// Decided where the money waits: the sender asks the receiver's partition.
pub(crate) fn cancel(work: &mut Work, id: TransferId, sender: HolderId) -> Result<Reply, Stop> {
    let incoming = work.incoming(id)?.filter(|incoming| incoming.transfer.sender == sender).ok_or(Reason::NotFound)?;
    if incoming.state.is_final() {
        return Err(final_transfer(incoming.state));
    }
    if is_overdue(work.stamp, incoming.transfer.deadline) && !planted("cancel-after-the-deadline") {
        return Err(Reason::TransferOverdue.into());
    }
    send_back(work, &incoming.transfer, Some(sender), TransferState::Cancelled)?;
    Ok(Reply::Transfer(id))
}

/// The job at the deadline.
pub(crate) fn return_due(work: &mut Work, id: TransferId) -> Result<(), Stop> {
    match work.incoming(id)? {
        Some(incoming) if !incoming.state.is_final() && is_overdue(work.stamp, incoming.transfer.deadline) => {
            send_back(work, &incoming.transfer, None, TransferState::Returned)
        }
        _ => Ok(()),
    }
}

/// The sender can no longer wait (death, loss of insurance).
pub(crate) fn recall(work: &mut Work, id: TransferId, receiver: HolderId, sender: HolderId) -> Result<(), Stop> {
    match work.incoming(id)? {
        Some(incoming) if !incoming.state.is_final() => {
            assert!(incoming.transfer.receiver == receiver && incoming.transfer.sender == sender, "a recall names its own transfer");
            send_back(work, &incoming.transfer, None, TransferState::Returned)
        }
        _ => Ok(()),
    }
}

/// A transfer that waits here for `holder`, if `by` may decide it and the deadline has not passed.
fn waiting(work: &mut Work, id: TransferId, holder: HolderId, by: HolderId) -> Result<Incoming, Stop> {
    let incoming = work.incoming(id)?.filter(|incoming| incoming.transfer.receiver == holder).ok_or(Reason::NotFound)?;
    if !work.known_holder(holder)?.may_act(by) && !planted("stranger-accepts") {
        return Err(Reason::NotYours.into());
    }
    if incoming.state.is_final() {
        return Err(final_transfer(incoming.state));
    }
    if is_overdue(work.stamp, incoming.transfer.deadline) && !planted("accept-until-the-sweep") {
        return Err(Reason::TransferOverdue.into());
    }
    Ok(incoming)
}

/// Ends a waiting transfer by sending its lots back.
pub(crate) fn send_back(work: &mut Work, transfer: &Transfer, by: Option<HolderId>, state: TransferState) -> Result<(), Stop> {
    let holder = transfer.receiver;
    let posting = Move::new(Account::Awaiting { holder }, Account::Transit { part: transfer.sender.part() }, transfer.lots.clone());
    close(work, transfer, by, state, posting, transfer.lots.clone())
}

fn close(work: &mut Work, transfer: &Transfer, by: Option<HolderId>, state: TransferState, posting: Move, lots: Vec<Lot>) -> Result<(), Stop> {
    let (id, sender, receiver) = (transfer.id, transfer.sender, transfer.receiver);
    work.emit(Fact::TransferClosed { id, sender, receiver, by, state }, vec![posting])?;
    work.send(sender.part(), Message::TransferDecided { id, sender, receiver, state, lots, reason: None })
}

/// The account behind a purse.
pub(crate) fn purse_account(holder: HolderId, purse: Purse) -> Account {
    match purse {
        Purse::Personal { area } => Account::Personal { holder, area },
        Purse::Wallet => Account::Wallet { holder },
    }
}
