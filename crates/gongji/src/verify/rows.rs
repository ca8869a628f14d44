//! The rows of the books in the auditor's plain values.

use super::VerifyError;
use gongji_audit::wire::{Account as AuditedAccount, Enrolment, EnrolmentStatus as AuditedStatus, GrantKind as AuditedKind, Lot as AuditedLot, Origin, same};
use gongji_audit::{Auditor, Finding, FindingKind, LineRow, OrderRow, PaymentRow, PersonRow, Side};
use gongji_ledger::{Account, GrantKind, Lot, Part};
use gongji_store::Books;
use gongji_store::Fault;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Counterparty, EnrolmentStatus, Holder, Line, Object, OrderState, PaymentState, Purse, TransferState};

/// Compares every object of one partition's books; returns how many there are, and those made once that are of later records than the rest.
pub fn compare(auditor: &mut Auditor, part: Part, books: &mut Books) -> Result<(u64, Vec<(Key, Object)>), VerifyError> {
    let (mut count, mut later) = (0, Vec::new());
    let mut differs: Option<Finding> = None;
    let read = books.each_object(&mut |key, object| {
        count += 1;
        match object_as_expected(auditor, part, &key, &object) {
            Err(finding) if object.is_made_once() && finding.kind == FindingKind::RowUnknown => later.push((key, object)),
            Err(finding) => {
                let told = finding.en();
                differs = Some(finding);
                return Err(Fault::Damaged(told));
            }
            Ok(()) => {}
        }
        Ok(())
    });
    match differs {
        Some(finding) => Err(finding.into()),
        None => Ok(read.map(|()| (count, later))?),
    }
}

pub fn object_as_expected(auditor: &mut Auditor, part: Part, key: &Key, object: &Object) -> gongji_audit::Result {
    match (key, object) {
        (_, Object::Holder(person)) => holder_as_expected(auditor, person),
        (_, Object::Outgoing(outgoing)) => auditor.expect_transfer(part, outgoing.transfer.id.0, Side::Sender, transfer_state(outgoing.state)),
        (_, Object::Incoming(incoming)) => auditor.expect_transfer(part, incoming.transfer.id.0, Side::Receiver, transfer_state(incoming.state)),
        (_, Object::Made(transfer)) => {
            auditor.expect_transfer(part, transfer.id.0, Side::Sender, "credited")?;
            auditor.expect_transfer(part, transfer.id.0, Side::Receiver, "credited")
        }
        (_, Object::Payment(payment)) => auditor.expect_payment(&PaymentRow {
            id: payment.id.0,
            holder: payment.holder.0,
            state: payment_state(payment.state),
            held: payment.amount().0,
            captured: payment.captured().0,
            released: payment.slices.iter().map(|slice| slice.released.0).sum(),
            refunded: payment.refunded().0,
        }),
        (_, Object::Order(order)) => auditor.expect_order(&OrderRow {
            part,
            institution: order.id.institution.0,
            number: order.id.number,
            payment: order.payment.0,
            state: order_state(&order.state),
            previous: order.previous,
        }),
        (_, Object::Claim(claim)) => auditor.expect_claim(claim.insured.0, claim.year, claim.payment.0, claim.amount.0),
        (_, Object::Partition(counters)) => auditor.expect_counters(part, counters.lines, counters.takings, &counters.sent, &counters.received),
        (Key::Balance(account), Object::Balance(fen)) => auditor.expect_balance(part, audited(*account), fen.0),
        (Key::Takings(payee), Object::Takings(last)) => auditor.expect_last_taking(part, same(payee), *last),
        (_, Object::Period(period)) => auditor.expect_period(&same(period)),
        (_, Object::Mark(mark)) => auditor.expect_mark(part, &same(mark)),
        (_, Object::Counted(counted)) => auditor.expect_counted(part, &same(counted)),
        (_, Object::LastPeriod(last)) => auditor.expect_last_period(*last),
        (Key::Answer(key), Object::Answer(_)) => auditor.expect_answer(part, key.0),
        // No money stands in these; who may do what with them is in the rows above.
        _ => Ok(()),
    }
}

fn holder_as_expected(auditor: &mut Auditor, person: &Holder) -> gongji_audit::Result {
    let holder = person.id.0;
    let enrolment = person.enrolment.map(|enrolment| Enrolment {
        area: enrolment.area,
        insurance: enrolment.insurance,
        status: match enrolment.status {
            EnrolmentStatus::Normal => AuditedStatus::Normal,
            EnrolmentStatus::Paused => AuditedStatus::Paused,
            EnrolmentStatus::Ended => AuditedStatus::Ended,
        },
        from: enrolment.from,
        pooled_only: enrolment.pooled_only,
    });
    let place = person.wallet.as_ref().map(|wallet| wallet.place);
    auditor.expect_person(&PersonRow { holder, died: person.died, frozen: person.freeze.is_some(), place, enrolment, last_line: person.last_line })?;
    for account in &person.accounts {
        auditor.expect_personal(holder, account.area, account.balance.0)?;
    }
    for lot in person.wallet.iter().flat_map(|wallet| wallet.lots.as_slice()) {
        let kind = match lot.origin.kind {
            GrantKind::Own => 0,
            GrantKind::Transfer => 1,
            GrantKind::Quota => 2,
        };
        auditor.expect_wallet_lot(holder, lot.origin.contributor.0, lot.origin.area, kind, lot.since, lot.amount.0)?;
    }
    auditor.expect_held(holder, person.held.0)?;
    auditor.expect_awaiting(holder, person.awaiting.0)
}

pub fn line(part: Part, line: &Line) -> LineRow {
    let area = match line.purse {
        Purse::Personal { area } => Some(area),
        Purse::Wallet => None,
    };
    let other = match line.other {
        Counterparty::None => (0, 0),
        Counterparty::Holder(holder) => (1, holder.0),
        Counterparty::Institution(institution) => (2, institution.0),
        Counterparty::Area(area) => (3, u64::from(area)),
    };
    LineRow {
        part,
        number: line.number,
        holder: line.holder.0,
        previous: line.previous,
        at: line.at,
        seq: line.seq,
        code: line.code as u8,
        area,
        amount: line.amount.0,
        wallet_after: line.wallet_after.0,
        personal_after: line.personal_after.0,
        other,
        reference: line.reference,
        lots: line.lots.iter().map(audited_lot).collect(),
    }
}

fn audited_lot(lot: &Lot) -> AuditedLot {
    let kind = match lot.origin.kind {
        GrantKind::Own => AuditedKind::Own,
        GrantKind::Transfer => AuditedKind::Transfer,
        GrantKind::Quota => AuditedKind::Quota,
    };
    AuditedLot { origin: Origin { contributor: lot.origin.contributor.0, area: lot.origin.area, kind }, since: lot.since, amount: lot.amount.0 }
}

fn audited(account: Account) -> AuditedAccount {
    match account {
        Account::Personal { holder, area } => AuditedAccount::Personal { holder: holder.0, area },
        Account::Wallet { holder } => AuditedAccount::Wallet { holder: holder.0 },
        Account::Held { holder } => AuditedAccount::Held { holder: holder.0 },
        Account::Awaiting { holder } => AuditedAccount::Awaiting { holder: holder.0 },
        Account::Payable { institution } => AuditedAccount::Payable { institution: institution.0 },
        Account::Premium { area, year } => AuditedAccount::Premium { area, year },
        Account::Fund { area } => AuditedAccount::Fund { area },
        Account::Unclaimed { area } => AuditedAccount::Unclaimed { area },
        Account::Transit { part } => AuditedAccount::Transit { part },
    }
}

fn transfer_state(state: TransferState) -> &'static str {
    match state {
        TransferState::Submitted => "submitted",
        TransferState::AwaitingRecipient => "awaiting_recipient",
        TransferState::Credited => "credited",
        TransferState::Declined => "declined",
        TransferState::Cancelled => "cancelled",
        TransferState::Returned => "returned",
        TransferState::Refused => "refused",
    }
}

fn payment_state(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Held => "held",
        PaymentState::PartlyCaptured => "partly_captured",
        PaymentState::Captured => "captured",
        PaymentState::Voided => "voided",
        PaymentState::Expired => "expired",
        PaymentState::Reversed => "reversed",
        PaymentState::Refused => "refused",
    }
}

fn order_state(state: &OrderState) -> &'static str {
    match state {
        OrderState::Placed => "placed",
        OrderState::Held { .. } => "held",
        OrderState::Refused(_) => "refused",
        OrderState::ReversedBefore => "reversed_before",
        OrderState::Reversed => "reversed",
        OrderState::ReversedUnheard => "reversed_unheard",
    }
}
