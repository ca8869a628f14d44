//! Payments: what was held of which lots, captured in order of use, refunded in reverse, never more than there is.

use crate::finding::{At, FindingKind, Result, Subject};
use crate::wire::{Account, AreaCode, HolderId, Id, Lot, Payment, PaymentState, Purpose, Purse, Slice};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

pub(crate) struct Paid {
    pub holder: HolderId,
    pub purpose: PaidFor,
    /// As it was told when it was held.
    pub told: Purpose,
    /// Empty once nothing can be captured, released or refunded any more.
    slices: Box<[Slice]>,
    pub state: PaymentState,
    pub held: i64,
    pub captured: i64,
    pub released: i64,
    pub refunded: i64,
    pub seq: u64,
    pub seen: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaidFor {
    Order { institution: u64, number: [u8; 16] },
    Premium { insured: HolderId, area: AreaCode, year: u16 },
}

impl PaidFor {
    /// Who is owed what was captured.
    pub fn account(self) -> Account {
        match self {
            PaidFor::Order { institution, .. } => Account::Payable { institution },
            PaidFor::Premium { area, year, .. } => Account::Premium { area, year },
        }
    }
}

#[derive(Default)]
pub(crate) struct Payments {
    known: HashMap<Id, Paid>,
}

/// The slices that `amount` takes, oldest use first, of what each still has.
fn take(available: impl Iterator<Item = (usize, i64)>, amount: i64) -> Option<Vec<(usize, i64)>> {
    let mut left = amount;
    let mut parts = Vec::with_capacity(2);
    for (place, rest) in available {
        let part = rest.min(left);
        if part > 0 {
            parts.push((place, part));
            left -= part;
        }
    }
    (left == 0 && amount > 0).then_some(parts)
}

impl Paid {
    fn lots(&self, parts: &[(usize, i64)]) -> Vec<(Purse, Lot)> {
        parts.iter().map(|(place, amount)| (self.slices[*place].purse, Lot { amount: *amount, ..self.slices[*place].lot })).collect()
    }

    pub fn remaining(&self) -> i64 {
        self.held - self.captured - self.released
    }

    fn bounds(&self, at: At, id: Id, expected: String, found: i64) -> crate::Finding {
        at.finding(FindingKind::PaymentBounds, Subject::Payment(id), expected, found)
    }

    fn enter(&mut self, at: At, id: Id, state: PaymentState) -> Result {
        if self.state != state && !self.state.may_become(state) {
            return Err(at.finding(FindingKind::PaymentState, Subject::Payment(id), self.state.name(), state.name()));
        }
        let open_and_empty = state.is_open() && self.remaining() == 0;
        let over_and_held = !state.is_open() && self.remaining() != 0;
        if open_and_empty || over_and_held || (state == PaymentState::Captured && self.captured == 0) {
            let found = format!("{} with {} fen still held, {} captured", state.name(), self.remaining(), self.captured);
            return Err(at.finding(FindingKind::PaymentState, Subject::Payment(id), "a state that fits the amounts", found));
        }
        self.state = state;
        if !state.is_open() && self.captured == self.refunded {
            self.slices = Box::default();
        }
        Ok(())
    }
}

impl Payments {
    pub fn held(&mut self, at: At, payment: &Payment) -> Result<Vec<(Purse, Lot)>> {
        let impossible = |expected: &str, found: &str| at.finding(FindingKind::PaymentState, Subject::Payment(payment.id), expected, found);
        let Entry::Vacant(place) = self.known.entry(payment.id) else { return Err(impossible("a new payment", "one on file")) };
        let untouched = |slice: &Slice| slice.captured == 0 && slice.released == 0 && slice.refunded == 0;
        if payment.state != PaymentState::Held || !payment.slices.iter().all(untouched) {
            return Err(impossible("held", payment.state.name()));
        }
        let lots: Vec<(Purse, Lot)> = payment.slices.iter().map(|slice| (slice.purse, slice.lot)).collect();
        let held = lots.iter().try_fold(0_i64, |sum, (_, lot)| sum.checked_add(lot.amount));
        let held = held.ok_or_else(|| at.finding(FindingKind::Overflow, Subject::Payment(payment.id), "i64", "more"))?;
        let purpose = match &payment.purpose {
            Purpose::Order { order, .. } => PaidFor::Order { institution: order.institution, number: order.number },
            Purpose::Premium { insured, area, year } => PaidFor::Premium { insured: *insured, area: *area, year: *year },
        };
        place.insert(Paid {
            holder: payment.holder,
            purpose,
            told: payment.purpose.clone(),
            slices: payment.slices.clone().into_boxed_slice(),
            state: PaymentState::Held,
            held,
            captured: 0,
            released: 0,
            refunded: 0,
            seq: at.seq,
            seen: false,
        });
        Ok(lots)
    }

    fn of(&mut self, at: At, id: Id, holder: HolderId) -> Result<&mut Paid> {
        match self.known.get_mut(&id) {
            Some(paid) if paid.holder == holder => {
                paid.seq = at.seq;
                Ok(paid)
            }
            Some(paid) => Err(at.finding(FindingKind::FactImpossible, Subject::Payment(id), format!("payer {:#x}", paid.holder), format!("{holder:#x}"))),
            None => Err(at.finding(FindingKind::PaymentState, Subject::Payment(id), "a payment on file", "none")),
        }
    }

    /// The lots that a capture takes, and the account that they go to.
    pub fn captured(&mut self, at: At, id: Id, holder: HolderId, amount: i64) -> Result<(Vec<Lot>, Account)> {
        let paid = self.of(at, id, holder)?;
        let rest = |slice: &Slice| slice.lot.amount - slice.captured - slice.released;
        let Some(parts) = take(paid.slices.iter().map(rest).enumerate(), amount) else {
            return Err(paid.bounds(at, id, format!("1 to {} captured", paid.remaining()), amount));
        };
        let lots = paid.lots(&parts).into_iter().map(|(_, lot)| lot).collect();
        for (place, part) in parts {
            paid.slices[place].captured += part;
        }
        paid.captured += amount;
        let state = if paid.remaining() == 0 { PaymentState::Captured } else { PaymentState::PartlyCaptured };
        paid.enter(at, id, state)?;
        Ok((lots, paid.purpose.account()))
    }

    /// The lots that go back because they are no longer held.
    pub fn released(&mut self, at: At, id: Id, holder: HolderId, state: PaymentState) -> Result<Vec<(Purse, Lot)>> {
        let paid = self.of(at, id, holder)?;
        let rest = |slice: &Slice| slice.lot.amount - slice.captured - slice.released;
        let Some(parts) = take(paid.slices.iter().map(rest).enumerate(), paid.remaining()) else {
            return Err(paid.bounds(at, id, "something still held".to_owned(), paid.remaining()));
        };
        let lots = paid.lots(&parts);
        for (place, part) in parts {
            paid.slices[place].released += part;
        }
        paid.released = paid.held - paid.captured;
        paid.enter(at, id, state)?;
        Ok(lots)
    }

    /// The lots that a refund gives back, last used first.
    pub fn refunded(&mut self, at: At, id: Id, holder: HolderId, amount: i64, state: PaymentState) -> Result<(Vec<(Purse, Lot)>, Account)> {
        let paid = self.of(at, id, holder)?;
        let spent = |slice: &Slice| slice.captured - slice.refunded;
        let Some(parts) = take(paid.slices.iter().map(spent).enumerate().rev(), amount) else {
            return Err(paid.bounds(at, id, format!("1 to {} refunded", paid.captured - paid.refunded), amount));
        };
        let lots = paid.lots(&parts);
        for (place, part) in parts {
            paid.slices[place].refunded += part;
        }
        paid.refunded += amount;
        paid.enter(at, id, state)?;
        Ok((lots, paid.purpose.account()))
    }

    pub fn get(&self, id: &Id) -> Option<&Paid> {
        self.known.get(id)
    }

    pub fn get_mut(&mut self, id: &Id) -> Option<&mut Paid> {
        self.known.get_mut(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Id, &Paid)> {
        self.known.iter()
    }

    pub fn len(&self) -> u64 {
        self.known.len() as u64
    }
}
