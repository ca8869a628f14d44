//! Takings: what each payee sees of its payments, line by line.

use crate::auditor::Auditor;
use crate::finding::{At, FindingKind, Result, Subject};
use crate::wire::{Fact, Id, Move, Payee, Purpose, Taking, TakingKind};
use std::collections::VecDeque;

impl Purpose {
    fn payee(&self) -> Payee {
        match self {
            Purpose::Order { order, .. } => Payee::Institution(order.institution),
            Purpose::Premium { area, year, .. } => Payee::Premium { area: *area, year: *year },
        }
    }
}

fn of(fact: &Fact) -> Option<(Id, TakingKind)> {
    Some(match fact {
        Fact::PaymentHeld(payment) => (payment.id, TakingKind::Held),
        Fact::PaymentCaptured { payment, .. } => (*payment, TakingKind::Captured),
        Fact::PaymentReleased { payment, .. } => (*payment, TakingKind::Released),
        Fact::PaymentRefunded { payment, .. } => (*payment, TakingKind::Refunded),
        _ => return None,
    })
}

impl Auditor {
    /// Makes the taking of a payment's event, after the payment has taken it in.
    pub(crate) fn take_down(&mut self, at: At, fact: &Fact, moves: &[Move]) {
        let Some((id, kind)) = of(fact) else { return };
        let paid = self.payments.get(&id).expect("a payment whose event was accepted is on file");
        let (state, holder, purpose) = (paid.state, paid.holder, paid.told.clone());
        self.clearing.count(at.part, kind, &purpose, moves);
        let payee = purpose.payee();
        let books = self.books(at);
        books.takings += 1;
        let number = books.takings;
        let previous = books.taken.insert(payee, (number, false)).map_or(0, |(previous, _)| previous);
        if let Some(made) = &mut books.made_takings {
            let lots = moves.iter().flat_map(|posting| &posting.lots).copied().collect();
            made.push_back(Taking { number, payee, previous, at: at.stamp, seq: at.seq, kind, state, payment: id, holder, purpose, lots });
        }
    }

    /// Compares the next taking of a partition or, where the row is of a later one, says which is missing. Rows come in the order of their numbers.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn expect_taking(&mut self, part: u16, row: &Taking) -> Result {
        let at = At { part, seq: row.seq, stamp: 0 };
        let subject = |field| Subject::Taking { part, number: row.number, field };
        let made = self.reading.get_mut(usize::from(part)).and_then(|reading| reading.books.made_takings.as_mut());
        let Some(own) = made.and_then(VecDeque::pop_front) else {
            return Err(at.finding(FindingKind::RowUnknown, subject("number"), "no more takings", row.number));
        };
        let at = At { part, seq: own.seq, stamp: 0 };
        if own.number != row.number {
            let kind = if row.number > own.number { FindingKind::RowMissing } else { FindingKind::RowUnknown };
            return Err(at.finding(kind, Subject::Taking { part, number: own.number.min(row.number), field: "number" }, own.number, row.number));
        }
        if own == *row {
            return Ok(());
        }
        let told: [(&'static str, [String; 2]); 9] = [
            ("payee", [&own, row].map(|taking| format!("{:?}", taking.payee))),
            ("previous", [&own, row].map(|taking| taking.previous.to_string())),
            ("at", [&own, row].map(|taking| taking.at.to_string())),
            ("seq", [&own, row].map(|taking| taking.seq.to_string())),
            ("kind", [&own, row].map(|taking| format!("{:?} to {:?}", taking.kind, taking.state))),
            ("payment", [&own, row].map(|taking| crate::finding::hex(&taking.payment))),
            ("holder", [&own, row].map(|taking| taking.holder.to_string())),
            ("purpose", [&own, row].map(|taking| format!("{:?}", taking.purpose))),
            ("lots", [&own, row].map(|taking| format!("{:?}", taking.lots))),
        ];
        let (field, [expected, found]) = told.into_iter().find(|(_, [expected, found])| expected != found).expect("rows that differ differ in a field");
        Err(at.finding(FindingKind::TakingDiffers, subject(field), expected, found))
    }

    /// Number of a payee's last taking.
    ///
    /// # Errors
    /// It is another one, or it was told before.
    pub fn expect_last_taking(&mut self, part: u16, payee: Payee, last: u64) -> Result {
        let subject = Subject::Taking { part, number: last, field: "last" };
        let at = At::part(part);
        let Some((own, seen)) = self.books_of(part, subject)?.taken.get_mut(&payee) else {
            return Err(at.finding(FindingKind::RowUnknown, subject, "no takings of this payee", last));
        };
        if *own != last {
            return Err(at.finding(FindingKind::StateDiffers, subject, *own, last));
        }
        if std::mem::replace(seen, true) { Err(at.finding(FindingKind::RowRepeated, subject, "one row", "another")) } else { Ok(()) }
    }
}
