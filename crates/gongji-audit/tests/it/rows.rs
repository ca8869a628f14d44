//! The rows that projections would hold of a town's objects and lines, in the auditor's plain values.

use crate::town::Town;
use gongji_audit::wire::{Account, Counted, Enrolment, EnrolmentStatus, Lot, Mark, Payee, Period, Taking, same};
use gongji_audit::{Auditor, LineRow, OrderRow, PaymentRow, PersonRow, Result, Side};
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Counterparty, Line, Object, OrderState, PaymentState, Purse, TransferState};

#[derive(Clone, Debug)]
pub enum Row {
    Person(PersonRow),
    Personal { holder: u64, area: u32, fen: i64 },
    Lot { holder: u64, contributor: u64, area: u32, kind: u8, since: i64, fen: i64 },
    Held { holder: u64, fen: i64 },
    Awaiting { holder: u64, fen: i64 },
    Balance { part: u16, account: Account, fen: i64 },
    Transfer { part: u16, id: [u8; 16], side: Side, state: &'static str },
    Payment(PaymentRow<'static>),
    Order(OrderRow<'static>),
    Claim { insured: u64, year: u16, payment: [u8; 16], fen: i64 },
    Answer { part: u16, key: [u8; 16] },
    Counters { part: u16, lines: u64, takings: u64, sent: Vec<(u16, u64)>, received: Vec<(u16, u64)> },
    Line(LineRow),
    Taking { part: u16, row: Taking },
    LastTaking { part: u16, payee: Payee, last: u64 },
    Period(Box<Period>),
    Mark { part: u16, row: Mark },
    Counted { part: u16, row: Counted },
    LastPeriod(u32),
}

impl Row {
    pub fn expect(&self, auditor: &mut Auditor) -> Result {
        match self {
            Row::Person(row) => auditor.expect_person(row),
            Row::Personal { holder, area, fen } => auditor.expect_personal(*holder, *area, *fen),
            Row::Lot { holder, contributor, area, kind, since, fen } => auditor.expect_wallet_lot(*holder, *contributor, *area, *kind, *since, *fen),
            Row::Held { holder, fen } => auditor.expect_held(*holder, *fen),
            Row::Awaiting { holder, fen } => auditor.expect_awaiting(*holder, *fen),
            Row::Balance { part, account, fen } => auditor.expect_balance(*part, *account, *fen),
            Row::Transfer { part, id, side, state } => auditor.expect_transfer(*part, *id, *side, state),
            Row::Payment(row) => auditor.expect_payment(row),
            Row::Order(row) => auditor.expect_order(row),
            Row::Claim { insured, year, payment, fen } => auditor.expect_claim(*insured, *year, *payment, *fen),
            Row::Answer { part, key } => auditor.expect_answer(*part, *key),
            Row::Counters { part, lines, takings, sent, received } => auditor.expect_counters(*part, *lines, *takings, sent, received),
            Row::Line(row) => auditor.expect_line(row),
            Row::Taking { part, row } => auditor.expect_taking(*part, row),
            Row::LastTaking { part, payee, last } => auditor.expect_last_taking(*part, *payee, *last),
            Row::Period(row) => auditor.expect_period(row),
            Row::Mark { part, row } => auditor.expect_mark(*part, row),
            Row::Counted { part, row } => auditor.expect_counted(*part, row),
            Row::LastPeriod(row) => auditor.expect_last_period(*row),
        }
    }
}

pub fn of(town: &Town) -> Vec<Row> {
    let mut rows = Vec::new();
    for (part, partition) in (0_u16..).zip(&town.partitions) {
        let mut keys: Vec<&Key> = partition.objects.0.keys().collect();
        keys.sort();
        for key in keys {
            of_object(part, key, &partition.objects.0[key], &mut rows);
        }
        rows.extend(partition.lines.iter().map(|line| Row::Line(of_line(part, line))));
        rows.extend(partition.takings.iter().map(|taking| Row::Taking { part, row: same(taking) }));
    }
    rows
}

fn of_object(part: u16, key: &Key, object: &Object, rows: &mut Vec<Row>) {
    match object {
        Object::Holder(person) => {
            let holder = person.id.0;
            let enrolment = person.enrolment.map(|enrolment| Enrolment {
                area: enrolment.area,
                insurance: enrolment.insurance,
                status: same::<EnrolmentStatus>(&enrolment.status),
                from: enrolment.from,
                pooled_only: enrolment.pooled_only,
            });
            let place = person.wallet.as_ref().map(|wallet| wallet.place);
            rows.push(Row::Person(PersonRow { holder, died: person.died, frozen: person.freeze.is_some(), place, enrolment, last_line: person.last_line }));
            rows.extend(person.accounts.iter().map(|account| Row::Personal { holder, area: account.area, fen: account.balance.0 }));
            let lots = person.wallet.iter().flat_map(|wallet| wallet.lots.as_slice());
            rows.extend(lots.map(|lot| Row::Lot {
                holder,
                contributor: lot.origin.contributor.0,
                area: lot.origin.area,
                kind: lot.origin.kind as u8,
                since: lot.since,
                fen: lot.amount.0,
            }));
            rows.push(Row::Held { holder, fen: person.held.0 });
            rows.push(Row::Awaiting { holder, fen: person.awaiting.0 });
        }
        Object::Outgoing(outgoing) => rows.push(Row::Transfer { part, id: outgoing.transfer.id.0, side: Side::Sender, state: transfer_state(outgoing.state) }),
        Object::Incoming(incoming) => {
            rows.push(Row::Transfer { part, id: incoming.transfer.id.0, side: Side::Receiver, state: transfer_state(incoming.state) })
        }
        Object::Made(transfer) => {
            for side in [Side::Sender, Side::Receiver] {
                rows.push(Row::Transfer { part, id: transfer.id.0, side, state: "credited" });
            }
        }
        Object::Payment(payment) => rows.push(Row::Payment(PaymentRow {
            id: payment.id.0,
            holder: payment.holder.0,
            state: payment_state(payment.state),
            held: payment.amount().0,
            captured: payment.captured().0,
            released: payment.slices.iter().map(|slice| slice.released.0).sum(),
            refunded: payment.refunded().0,
        })),
        Object::Order(order) => rows.push(Row::Order(OrderRow {
            part,
            institution: order.id.institution.0,
            number: order.id.number,
            payment: order.payment.0,
            state: order_state(&order.state),
            previous: order.previous,
        })),
        Object::Claim(claim) => rows.push(Row::Claim { insured: claim.insured.0, year: claim.year, payment: claim.payment.0, fen: claim.amount.0 }),
        Object::Partition(counters) => {
            rows.push(Row::Counters {
                part,
                lines: counters.lines,
                takings: counters.takings,
                sent: counters.sent.clone(),
                received: counters.received.clone(),
            });
        }
        Object::Balance(fen) => {
            let Key::Balance(account) = key else { panic!("{key:?}") };
            rows.push(Row::Balance { part, account: same(account), fen: fen.0 });
        }
        Object::Takings(last) => {
            let Key::Takings(payee) = key else { panic!("{key:?}") };
            rows.push(Row::LastTaking { part, payee: same(payee), last: *last });
        }
        Object::Answer(_) => {
            let Key::Answer(key) = key else { panic!("{key:?}") };
            rows.push(Row::Answer { part, key: key.0 });
        }
        Object::Directory(_)
        | Object::Code(_)
        | Object::Decoded(_)
        | Object::Till(_)
        | Object::Operators(_)
        | Object::Approval(_)
        | Object::OpenApprovals(_) => {}
        Object::Period(period) => rows.push(Row::Period(same(period))),
        Object::Mark(mark) => rows.push(Row::Mark { part, row: same(mark) }),
        Object::Counted(counted) => rows.push(Row::Counted { part, row: same(counted) }),
        Object::LastPeriod(last) => rows.push(Row::LastPeriod(*last)),
    }
}

fn of_line(part: u16, line: &Line) -> LineRow {
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
        lots: same::<Vec<Lot>>(&line.lots),
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
