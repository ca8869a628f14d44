//! Payments at institutions.
//!
//! | step | debit | credit |
//! | --- | --- | --- |
//! | `PAYMENT_HOLD` | personal account, wallet | held |
//! | `PAYMENT_CAPTURE` | held | payable to the institution |
//! | `PAYMENT_RELEASE` (void, expiry, rest of a last capture) | held | where it came from |
//! | `PAYMENT_REFUND` | payable to the institution | where it came from, in reverse order of use |
//!
//! An order is first recorded in the institution's partition; the payer's partition decides the hold and everything after it.

use crate::apply::own_lot;
use crate::command::{PlaceOrder, binding, keypad_binding};
use crate::day::day_of;
use crate::decide::{Reply, is_overdue};
use crate::directory::{Directory, Readiness};
use crate::event::{Fact, HoldRequest, Message, Outcome, Payer, Quote};
use crate::ids::{CodeId, Key, OrderId, PaymentId};
use crate::object::*;
use crate::person::sweep_refunded;
use crate::reason::Reason;
use crate::transfer::{purse_account, use_proof};
use crate::work::{Stop, Work};
use gongji_ledger::{Account, AreaCode, Fen, GrantKind, HolderId, InstitutionId, Lot, Move, planted};

/// Largest bill (fen): one million yuan.
pub const BILL_MAX: Fen = Fen(100_000_000);

/// How many days after the institution's business day a bill may still come.
pub const VISIT_DAYS_MAX: i32 = 31;

/// What the payer's partition has not answered after this time (ms) is reversed where the order is recorded: within ten seconds, the look at the
/// clock included, an institution knows what became of it.
pub const ORDER_MS: i64 = 8_000;

/// Most captures, and most refunds, of one payment.
pub const STEPS_MAX: usize = 100;

pub(crate) fn issue_code(work: &mut Work, holder: HolderId, by: HolderId, id: CodeId, first: PayFirst) -> Result<Reply, Stop> {
    let person = work.known_holder(holder)?;
    if !person.may_act(by) {
        return Err(Reason::NotYours.into());
    }
    let (reasons, area) = payer_reasons(&person);
    drop(person);
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    let expires = work.stamp + work.directory.rules(area, day_of(work.stamp)).code_ms;
    work.assume_absent(Key::Code(id));
    work.emit(Fact::CodeIssued(Code { id, holder, by, first, expires, used: None }), Vec::new())?;
    Ok(Reply::Fixed(Outcome::Code { expires }))
}

/// An institution reads a code: it is for them alone from now on, and stays good for a while. Reading it again changes nothing.
pub(crate) fn decode(work: &mut Work, id: CodeId, institution: InstitutionId, business: Option<Business>) -> Result<Reply, Stop> {
    let (code, decoding) = usable_code(work, id, institution, business)?;
    let person = work.known_holder(code.holder)?;
    let (mut reasons, place) = payer_reasons(&person);
    let has_wallet = person.wallet.is_some();
    drop(person);
    match work.directory.institutions.get(&institution).map(|known| known.area) {
        None => reasons.push(Reason::InstitutionUnknown),
        Some(area) if has_wallet && place != area => reasons.push(Reason::WrongPlace { place }),
        Some(_) => {}
    }
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    if let Some(decoding) = decoding {
        return Ok(Reply::Fixed(Outcome::Code { expires: decoding.until }));
    }
    let until = work.stamp + work.directory.rules(place, day_of(work.stamp)).decoded_ms;
    work.emit(Fact::CodeDecoded { code: id, holder: code.holder, decoding: Decoding { institution, business, until } }, Vec::new())?;
    Ok(Reply::Fixed(Outcome::Code { expires: until }))
}

/// A code that may still pay at this institution.
fn usable_code(work: &mut Work, id: CodeId, institution: InstitutionId, business: Option<Business>) -> Result<(Code, Option<Decoding>), Stop> {
    let object = work.object(Key::Code(id))?;
    let Some((code, decoding)) = object.as_deref().and_then(Object::as_code).map(|(code, decoding)| (code.clone(), decoding.copied())) else {
        return Err(Reason::CodeUnknown.into());
    };
    if code.used.is_some() && !planted("code-pays-twice") {
        return Err(Reason::CodeUsed.into());
    }
    if decoding.is_some_and(|decoding| !decoding.is_for(institution, business)) {
        return Err(Reason::CodeElsewhere.into());
    }
    // A newer code replaces an older one, and an agent's is worth nothing once the agent may not act any more.
    let person = work.known_holder(code.holder)?;
    let is_newest = person.code == Some(id) || planted("replaced-code-pays") || planted("code-pays-twice");
    let is_current = is_newest && (person.may_act(code.by) || planted("code-of-a-former-agent-pays"));
    if is_overdue(work.stamp, decoding.map_or(code.expires, |decoding| decoding.until)) || !is_current {
        return Err(Reason::CodeExpired.into());
    }
    Ok((code, decoding))
}

/// What stands against this person paying at all; and the area whose rules hold.
pub fn payer_reasons(person: &Holder) -> (Vec<Reason>, AreaCode) {
    let mut reasons = Vec::new();
    if person.died {
        reasons.push(Reason::PersonDied);
    }
    if person.freeze.is_some() {
        reasons.push(Reason::Frozen);
    }
    if person.wallet.is_none() {
        reasons.push(Reason::WalletMissing);
    }
    let area = person.wallet.as_ref().map_or(0, |wallet| wallet.place);
    (reasons, area)
}

/// What stands against an institution's bill.
pub fn bill_reasons(directory: &Directory, order: OrderId, bill: &Bill) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match directory.institutions.get(&order.institution) {
        None => reasons.push(Reason::InstitutionUnknown),
        // A quiet institution may pay: how else would it become ready again?
        Some(institution) if institution.readiness == Readiness::Off => reasons.push(Reason::InstitutionNotReady),
        Some(_) => {}
    }
    let parts = [bill.total, bill.fund, bill.own, bill.institution];
    if parts.iter().any(|part| part.is_negative()) || parts.iter().any(|part| *part > BILL_MAX) || bill.total != bill.fund + bill.own + bill.institution {
        let too_large = parts.iter().any(|part| *part > BILL_MAX);
        reasons.push(if too_large { Reason::BillTooLarge { max: BILL_MAX } } else { Reason::BillUnbalanced });
    } else if !bill.own.is_positive() {
        reasons.push(Reason::AmountTooSmall { min: Fen(1) });
    }
    reasons
}

fn fingerprint(order: &PlaceOrder) -> [u8; 16] {
    let (kind, payer) = match order.payer {
        Payer::Code(code) => (0_u8, code.0.to_vec()),
        Payer::Holder { holder, .. } => (1, holder.0.to_be_bytes().to_vec()),
    };
    let bill = [order.bill.total, order.bill.fund, order.bill.own, order.bill.institution].map(|part| part.0.to_be_bytes()).concat();
    binding("order", &[&[kind, u8::from(order.partial)], &payer, &bill])
}

pub(crate) fn place_order(work: &mut Work, order: &PlaceOrder) -> Result<Reply, Stop> {
    let fingerprint = fingerprint(order);
    if let Some(known) = work.order(order.order)?.filter(|known| !(planted("order-is-charged-twice") && matches!(known.state, OrderState::Held { .. }))) {
        return match known.state {
            OrderState::ReversedBefore | OrderState::Reversed | OrderState::ReversedUnheard => Err(Reason::OrderReversed.into()),
            _ if known.fingerprint == fingerprint || planted("order-number-hides-another-bill") => Ok(Reply::Order(order.order)),
            _ => Err(Reason::OrderConflict.into()),
        };
    }
    let mut reasons = bill_reasons(&work.directory, order.order, &order.bill);
    let today = day_of(work.stamp);
    if order.visit.day > today || order.visit.day < today - VISIT_DAYS_MAX {
        reasons.push(Reason::VisitDay { first: today - VISIT_DAYS_MAX, last: today });
    }
    if !work.has_part(order.payment.part()) {
        reasons.push(Reason::CodeUnknown);
    }
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    let area = work.directory.institutions[&order.order.institution].area;
    let placed = Order {
        id: order.order,
        number: order.number.clone(),
        payment: order.payment,
        fingerprint,
        placed_at: work.stamp,
        bill: order.bill,
        visit: Some(order.visit),
        state: OrderState::Placed,
        previous: 0,
    };
    work.emit(Fact::OrderPlaced(Box::new(placed)), Vec::new())?;
    let request = HoldRequest {
        order: order.order,
        payment: order.payment,
        payer: order.payer,
        area,
        bill: order.bill,
        partial: order.partial,
        visit: order.visit,
        quote: order.quote,
    };
    work.send(order.payment.part(), Message::HoldRequested(request))?;
    Ok(Reply::Order(order.order))
}

/// The payer's partition decides a hold.
pub(crate) fn hold(work: &mut Work, request: &HoldRequest) -> Result<(), Stop> {
    let state = match try_hold(work, request) {
        Ok(state) => state,
        Err(Stop::Refused(reasons)) => OrderState::Refused(reasons),
        Err(unloaded) => return Err(unloaded),
    };
    let to = crate::event::institution_part(request.order.institution, work.parts);
    work.send(to, Message::HoldDecided { order: request.order, state })
}

fn try_hold(work: &mut Work, request: &HoldRequest) -> Result<OrderState, Stop> {
    let stamp = work.stamp;
    let (holder, by, first, code, proof) = match request.payer {
        Payer::Code(id) => {
            let (code, _) = usable_code(work, id, request.order.institution, Some(request.visit.business))?;
            (code.holder, code.by, code.first, Some(id), None)
        }
        Payer::Holder { holder, by, first, proof } => {
            if !work.known_holder(holder)?.may_act(by) {
                return Err(Reason::NotYours.into());
            }
            let mut reasons = Vec::new();
            let used = use_proof(work, holder, by, Some(&proof), keypad_binding(request.order, request.bill.own), &mut reasons)?;
            if !reasons.is_empty() {
                return Err(Stop::Refused(reasons));
            }
            (holder, by, first, None, used)
        }
    };
    let person = work.known_holder(holder)?;
    let (mut reasons, place) = payer_reasons(&person);
    if person.wallet.is_some() && place != request.area && !planted("wallet-pays-anywhere") {
        reasons.push(Reason::WrongPlace { place });
    }
    let rules = work.directory.rules(place, day_of(stamp));
    let insurance = person.enrolment.map_or(0, |enrolment| enrolment.insurance);
    let taken = plan(&person, request.bill.own, first, stamp);
    let found: Fen = taken.iter().map(|(_, lot)| lot.amount).sum::<Fen>() + if planted("held-money-counts-as-free") { person.held } else { Fen::ZERO };
    drop(person);
    if found < request.bill.own && (!request.partial || found.is_zero()) && !(planted("hold-takes-what-there-is") && found.is_positive()) {
        reasons.push(Reason::InsufficientFunds { available: found });
    }
    let split = quote_of(&taken);
    if request.quote.is_some_and(|quote| quote != split) && reasons.is_empty() {
        reasons.push(Reason::QuoteStale);
    }
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    if let Some(proof) = proof {
        work.emit(proof, Vec::new())?;
    }
    let purpose = Purpose::Order { order: request.order, area: request.area, bill: request.bill, visit: request.visit, insurance };
    let payment = new_payment(request.payment, holder, by, code, purpose, &taken, stamp, stamp + rules.hold_ms_of(request.visit.business), rules.version);
    let state = OrderState::Held { personal: split.personal, wallet: split.wallet };
    emit_hold(work, payment, &taken)?;
    Ok(state)
}

#[allow(clippy::too_many_arguments, reason = "the fields of a new payment")]
pub(crate) fn new_payment(
    id: PaymentId,
    holder: HolderId,
    by: HolderId,
    code: Option<CodeId>,
    purpose: Purpose,
    taken: &[(Purse, Lot)],
    held_at: i64,
    expires: i64,
    rule: u32,
) -> Payment {
    let slices = taken.iter().map(|(purse, lot)| Slice { purse: *purse, lot: *lot, captured: Fen::ZERO, released: Fen::ZERO, refunded: Fen::ZERO });
    Payment {
        id,
        holder,
        by,
        code,
        purpose,
        slices: slices.collect(),
        state: PaymentState::Held,
        held_at,
        expires,
        rule,
        refusal: None,
        captures: Vec::new(),
        refunds: Vec::new(),
    }
}

pub(crate) fn emit_hold(work: &mut Work, payment: Payment, taken: &[(Purse, Lot)]) -> Result<(), Stop> {
    let holder = payment.holder;
    let moves = by_purse(taken).into_iter().map(|(purse, lots)| Move::new(purse_account(holder, purse), Account::Held { holder }, lots)).collect();
    work.assume_absent(Key::Payment(payment.id));
    work.emit(Fact::PaymentHeld(Box::new(payment)), moves)
}

/// Lots that pay `amount` or as much of it as there is, in the order of use.
pub fn plan(person: &Holder, amount: Fen, first: PayFirst, stamp: i64) -> Vec<(Purse, Lot)> {
    let mut left = amount;
    let mut taken = Vec::new();
    let purses: &[bool] = match first {
        PayFirst::Personal => &[false, true],
        PayFirst::Wallet => &[true, false],
        PayFirst::WalletOnly => &[true],
    };
    for is_wallet in purses {
        if *is_wallet {
            let Some(wallet) = &person.wallet else { continue };
            let part = wallet.lots.total().min(left);
            if part.is_positive() {
                let lots = wallet.lots.oldest(part, |_| true).expect("a wallet holds its total");
                taken.extend(lots.into_iter().map(|lot| (Purse::Wallet, lot)));
                left -= part;
            }
        } else if let Some(account) = person.current_account() {
            let part = account.balance.min(left);
            if part.is_positive() {
                taken.push((Purse::Personal { area: account.area }, own_lot(person.id, account.area, GrantKind::Own, stamp, part)));
                left -= part;
            }
        }
    }
    taken
}

/// What a plan takes from each purse.
pub fn quote_of(taken: &[(Purse, Lot)]) -> Quote {
    let sum = |is_wallet: bool| taken.iter().filter(|(purse, _)| (*purse == Purse::Wallet) == is_wallet).map(|(_, lot)| lot.amount).sum();
    Quote { personal: sum(false), wallet: sum(true) }
}

/// Groups neighbouring lots of one purse into one posting each.
fn by_purse(lots: &[(Purse, Lot)]) -> Vec<(Purse, Vec<Lot>)> {
    let mut groups: Vec<(Purse, Vec<Lot>)> = Vec::new();
    for (purse, lot) in lots {
        match groups.iter_mut().find(|(known, _)| known == purse) {
            Some((_, lots)) => lots.push(*lot),
            None => groups.push((*purse, vec![*lot])),
        }
    }
    groups
}

/// The institution's partition learns what became of its order.
pub(crate) fn hold_decided(work: &mut Work, order: OrderId, state: OrderState) -> Result<(), Stop> {
    match work.order(order)? {
        // A reversal that was asked in the meantime stands; its message follows the hold.
        Some(known) if known.state == OrderState::Placed || planted("late-answer-undoes-a-reversal") => {
            work.emit(Fact::OrderDecided { order, state }, Vec::new())
        }
        _ => Ok(()),
    }
}

/// A payment of this institution's order.
fn owned(work: &mut Work, id: PaymentId, order: OrderId) -> Result<Payment, Stop> {
    let payment = work.payment(id)?.ok_or(Reason::NotFound)?;
    match payment.purpose {
        Purpose::Order { order: own, .. } if own == order => Ok(payment),
        _ => Err(Reason::NotFound.into()),
    }
}

fn still_open(work: &Work, payment: &Payment) -> Result<(), Stop> {
    let is_taken_for_open = planted("hold-is-committed-twice") && payment.state == PaymentState::Captured;
    if !payment.is_open() && !is_taken_for_open {
        return Err(Reason::PaymentFinal { state: payment.state }.into());
    }
    if is_overdue(work.stamp, payment.expires) && !planted("capture-until-the-sweep") {
        return Err(Reason::PaymentFinal { state: PaymentState::Expired }.into());
    }
    Ok(())
}

pub(crate) fn capture(work: &mut Work, id: PaymentId, order: OrderId, amount: Fen, last: bool) -> Result<Reply, Stop> {
    let payment = owned(work, id, order)?;
    still_open(work, &payment)?;
    if !amount.is_positive() {
        return Err(Reason::AmountTooSmall { min: Fen(1) }.into());
    }
    let rest = if planted("hold-is-committed-twice") || planted("capture-ignores-earlier-ones") { payment.amount() } else { payment.remaining() };
    if amount > rest {
        return Err(Reason::CaptureTooLarge { max: payment.remaining() }.into());
    }
    if payment.captures.len() >= STEPS_MAX {
        return Err(Reason::TooManySteps.into());
    }
    let account = Account::Payable { institution: order.institution };
    emit_capture(work, &payment, amount, account, last)?;
    if last {
        let payment = owned(work, id, order)?;
        if payment.is_open() && !planted("last-capture-keeps-the-rest") {
            release(work, &payment, PaymentState::Captured)?;
        }
    }
    Ok(Reply::Payment(id))
}

pub(crate) fn emit_capture(work: &mut Work, payment: &Payment, amount: Fen, to: Account, last: bool) -> Result<(), Stop> {
    let holder = payment.holder;
    let lots = payment.lots_of(&payment.next_captured(amount)).into_iter().map(|(_, lot)| lot).collect();
    let posting = Move::new(Account::Held { holder }, to, lots);
    work.emit(Fact::PaymentCaptured { payment: payment.id, holder, amount, last }, vec![posting])
}

/// Gives back what is still held.
pub(crate) fn release(work: &mut Work, payment: &Payment, state: PaymentState) -> Result<(), Stop> {
    let holder = payment.holder;
    let lots = payment.lots_of(&payment.next_captured(payment.remaining()));
    let moves = by_purse(&lots).into_iter().map(|(purse, lots)| Move::new(Account::Held { holder }, purse_account(holder, purse), lots)).collect();
    work.emit(Fact::PaymentReleased { payment: payment.id, holder, state }, moves)?;
    sweep_refunded(work, holder, &wallet_lots(&lots))
}

fn wallet_lots(lots: &[(Purse, Lot)]) -> Vec<Lot> {
    lots.iter().filter(|(purse, _)| *purse == Purse::Wallet).map(|(_, lot)| *lot).collect()
}

pub(crate) fn void(work: &mut Work, id: PaymentId, order: OrderId) -> Result<Reply, Stop> {
    let payment = owned(work, id, order)?;
    still_open(work, &payment)?;
    release(work, &payment, if payment.captures.is_empty() { PaymentState::Voided } else { PaymentState::Captured })?;
    Ok(Reply::Payment(id))
}

/// The job at the end of a hold.
pub(crate) fn expire_due(work: &mut Work, id: PaymentId) -> Result<(), Stop> {
    match work.payment(id)? {
        Some(payment) if payment.is_open() && is_overdue(work.stamp, payment.expires) => {
            release(work, &payment, if payment.captures.is_empty() { PaymentState::Expired } else { PaymentState::Captured })
        }
        _ => Ok(()),
    }
}

pub(crate) fn refund(work: &mut Work, id: PaymentId, order: OrderId, amount: Fen) -> Result<Reply, Stop> {
    let payment = owned(work, id, order)?;
    if payment.captures.is_empty() || payment.state == PaymentState::Reversed {
        return Err(Reason::PaymentFinal { state: payment.state }.into());
    }
    if !amount.is_positive() {
        return Err(Reason::AmountTooSmall { min: Fen(1) }.into());
    }
    let max = if planted("refund-ignores-earlier-ones") { payment.captured() } else { payment.captured() - payment.refunded() };
    if amount > max {
        return Err(Reason::RefundTooLarge { max }.into());
    }
    if payment.refunds.len() >= STEPS_MAX {
        return Err(Reason::TooManySteps.into());
    }
    give_back(work, &payment, order, amount, payment.state)?;
    Ok(Reply::Payment(id))
}

fn give_back(work: &mut Work, payment: &Payment, order: OrderId, amount: Fen, state: PaymentState) -> Result<(), Stop> {
    let holder = payment.holder;
    let lots = payment.lots_of(&payment.next_refunded(amount));
    let from = Account::Payable { institution: order.institution };
    let moves = by_purse(&lots).into_iter().map(|(purse, lots)| Move::new(from, purse_account(holder, purse), lots)).collect();
    work.emit(Fact::PaymentRefunded { payment: payment.id, holder, amount, state }, moves)?;
    sweep_refunded(work, holder, &wallet_lots(&lots))
}

/// Undoes an order whatever became of it; decided first where the order is recorded, so that it also works before the payment arrives.
pub(crate) fn reverse_order(work: &mut Work, id: OrderId, number: &str) -> Result<Reply, Stop> {
    if !work.directory.institutions.contains_key(&id.institution) {
        return Err(Reason::InstitutionUnknown.into());
    }
    let Some(order) = work.order(id)? else {
        let bill = Bill { total: Fen::ZERO, fund: Fen::ZERO, own: Fen::ZERO, institution: Fen::ZERO };
        let tombstone = Order {
            id,
            number: number.to_owned(),
            payment: PaymentId([0; 16]),
            fingerprint: [0; 16],
            placed_at: work.stamp,
            bill,
            visit: None,
            state: OrderState::ReversedBefore,
            previous: 0,
        };
        if !planted("reversal-leaves-no-trace") {
            work.emit(Fact::OrderPlaced(Box::new(tombstone)), Vec::new())?;
        }
        return Ok(Reply::Fixed(Outcome::NothingToReverse));
    };
    match order.state {
        OrderState::Refused(_) | OrderState::ReversedBefore => Ok(Reply::Fixed(Outcome::NothingToReverse)),
        OrderState::Reversed | OrderState::ReversedUnheard => Ok(Reply::Order(id)),
        OrderState::Placed | OrderState::Held { .. } => {
            undo(work, &order)?;
            Ok(Reply::Order(id))
        }
    }
}

/// Reverses an order here; its message follows that of the hold, so the payer's partition undoes whatever it has made of it.
fn undo(work: &mut Work, order: &Order) -> Result<(), Stop> {
    let state = if order.state == OrderState::Placed { OrderState::ReversedUnheard } else { OrderState::Reversed };
    work.emit(Fact::OrderDecided { order: order.id, state }, Vec::new())?;
    work.send(order.payment.part(), Message::OrderReversed { order: order.id, payment: order.payment })
}

/// The job at the end of an order's time: what the payer's partition has not answered is over.
pub(crate) fn give_up_due(work: &mut Work, id: OrderId) -> Result<(), Stop> {
    match work.order(id)? {
        Some(order) if order.state == OrderState::Placed && is_overdue(work.stamp, order.placed_at + ORDER_MS) => undo(work, &order),
        _ => Ok(()),
    }
}

/// The payer's partition undoes a payment: what is held is released, what was captured is refunded.
pub(crate) fn reverse(work: &mut Work, order: OrderId, id: PaymentId) -> Result<(), Stop> {
    let Some(payment) = work.payment(id)? else { return Ok(()) };
    if matches!(payment.state, PaymentState::Voided | PaymentState::Expired | PaymentState::Reversed | PaymentState::Refused) {
        return Ok(());
    }
    let left = payment.captured() - payment.refunded();
    if payment.is_open() {
        release(work, &payment, if left.is_zero() { PaymentState::Reversed } else { PaymentState::Captured })?;
    }
    if left.is_positive() && !planted("reversal-keeps-what-was-captured") {
        let payment = owned(work, id, order)?;
        give_back(work, &payment, order, left, PaymentState::Reversed)?;
    }
    Ok(())
}

pub(crate) fn outcome(work: &mut Work, id: PaymentId) -> Result<Outcome, Stop> {
    let payment = work.payment(id)?.ok_or(Reason::NotFound)?;
    let (captured, refunded, remaining) = (payment.captured(), payment.refunded(), payment.remaining());
    Ok(match payment.purpose {
        Purpose::Order { .. } => Outcome::Payment { payment: id, state: payment.state, captured, refunded, remaining },
        Purpose::Premium { .. } => Outcome::Premium { payment: id, state: payment.state, amount: payment.amount(), reason: payment.refusal },
    })
}
