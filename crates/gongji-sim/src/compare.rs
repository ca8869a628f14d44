//! What a partition keeps in memory and what its books say, against what the model knows.

use crate::model::{Check, Model, Person, Settled, ensure};
use gongji_ledger::Part;
use gongji_store::{Books, Stepped};
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Holder, Object, Purse, TransferState};
use std::collections::BTreeSet;

/// The people that the last record touched, and what it settled, as memory has them now.
pub fn memory(stepped: &Stepped, model: &Model, part: Part) -> Check {
    for holder in model.touched.iter().copied() {
        let object = stepped.object(Key::Holder(holder)).map_err(|fault| fault.to_string())?;
        let Some(Object::Holder(found)) = object.as_deref() else { return Err(format!("{holder:?} is not in memory")) };
        let known = model.people.get(&holder).ok_or("nobody knows this person")?;
        person(found, known).map_err(|why| format!("memory of {holder:?}: {why}"))?;
    }
    for settled in &model.settled {
        settled_object(stepped, model, part, *settled)?;
    }
    let read = &model.read[usize::from(part)];
    if let Some(Object::Partition(counters)) = stepped.shared().get(&Key::Partition).as_deref() {
        ensure(counters.lines == read.lines, || format!("partition {part} counts {} lines, {} were written", counters.lines, read.lines))?;
    }
    ensure(stepped.head().seq == read.seq, || format!("partition {part} stands at {}, its journal at {}", stepped.head().seq, read.seq))
}

pub fn person(found: &Holder, known: &Person) -> Check {
    let set = |ids: &[gongji_wallet::ids::TransferId]| ids.iter().copied().collect::<BTreeSet<_>>();
    let lots: Vec<_> = found.wallet.iter().flat_map(|wallet| wallet.lots.as_slice()).map(|lot| (lot.origin, lot.amount, lot.since)).collect();
    ensure(lots == known.lots_in_order(), || format!("lots {lots:?}, should be {:?}", known.lots_in_order()))?;
    let personal: std::collections::BTreeMap<_, _> = found.accounts.iter().map(|account| (account.area, account.balance)).collect();
    ensure(personal == known.personal, || format!("accounts {personal:?}, should be {:?}", known.personal))?;
    ensure((found.held, found.awaiting) == (known.held, known.awaiting), || format!("held {} awaiting {}", found.held, found.awaiting))?;
    ensure(found.died == known.died && found.freeze.is_some() == known.frozen, || "death or freeze".to_owned())?;
    ensure(found.enrolment == known.enrolment, || "enrolment".to_owned())?;
    ensure(found.wallet.as_ref().map(|wallet| wallet.place) == known.wallet.as_ref().map(|wallet| wallet.place), || "place of use".to_owned())?;
    ensure(set(&found.outgoing) == known.outgoing && set(&found.incoming) == known.incoming, || "pending transfers".to_owned())?;
    ensure(found.open_payments.iter().copied().collect::<BTreeSet<_>>() == known.open_payments, || "open payments".to_owned())?;
    ensure(found.agents.iter().copied().collect::<BTreeSet<_>>() == known.agents, || "agents".to_owned())?;
    ensure(found.code == known.code, || "payment code".to_owned())?;
    ensure(found.last_line == known.lines.last().map_or(0, |line| line.number), || "last statement line".to_owned())?;
    let (count, total) = known.days.get(&found.day.day).copied().unwrap_or_default();
    ensure((i64::from(found.day.count), found.day.total) == (count, total), || format!("day count {:?}, should be {count} and {total}", found.day))?;
    for relation in &found.relations {
        let is_known = known.relations.get(&relation.other).is_some_and(|known| known.stands == relation.ended.is_none() && known.code == relation.code);
        ensure(is_known, || format!("relation to {:?}", relation.other))?;
    }
    ensure(found.relations.len() >= known.relations.len(), || "a relation is forgotten".to_owned())
}

fn settled_object(stepped: &Stepped, model: &Model, part: Part, settled: Settled) -> Check {
    let get = |key: Key| stepped.object(key).map_err(|fault| fault.to_string());
    match settled {
        Settled::Transfer(id) => {
            let known = &model.transfers[&id];
            if let Some(Object::Made(found)) = get(Key::Made(id))?.as_deref() {
                let is_over = known.sent == TransferState::Credited && known.arrived == Some(TransferState::Credited);
                return ensure(is_over && *found == known.transfer, || "a transfer made at once is another".to_owned());
            }
            if known.transfer.sender.part() == part {
                let object = get(Key::Outgoing(id))?;
                let Some(Object::Outgoing(found)) = object.as_deref() else { return Err("a sent transfer is forgotten".to_owned()) };
                ensure(found.state == known.sent, || format!("a sent transfer is {:?}, should be {:?}", found.state, known.sent))?;
            }
            if known.transfer.receiver.part() == part
                && let Some(state) = known.arrived
            {
                let object = get(Key::Incoming(id))?;
                let Some(Object::Incoming(found)) = object.as_deref() else { return Err("an arrived transfer is forgotten".to_owned()) };
                ensure(found.state == state, || format!("an arrived transfer is {:?}, should be {state:?}", found.state))?;
            }
            Ok(())
        }
        Settled::Payment(id) => {
            let (object, known) = (get(Key::Payment(id))?, &model.payments[&id]);
            let Some(Object::Payment(found)) = object.as_deref() else { return Err("a payment is forgotten".to_owned()) };
            let sums = (found.state, found.amount(), found.captured(), found.refunded(), found.remaining());
            let should = (known.state, known.amount, known.captured, known.refunded, known.remaining());
            ensure(sums == should, || format!("a payment is {sums:?}, should be {should:?}"))?;
            let slices: Vec<_> = found.slices.iter().map(|slice| (slice.purse, slice.lot.origin, slice.lot.amount, slice.captured, slice.refunded)).collect();
            ensure(slices == known.slices, || format!("a payment's slices are {slices:?}, should be {:?}", known.slices))
        }
        Settled::Order(id) => {
            let object = get(Key::Order(id))?;
            let Some(Object::Order(found)) = object.as_deref() else { return Err("an order is forgotten".to_owned()) };
            ensure(found.state == model.orders[&id].state, || format!("an order is {:?}", found.state))
        }
    }
}

/// A person's statement, read as readers do: from the last line back, as far as `max`.
pub fn statement(books: &mut Books, known: &Person, max: usize) -> Check {
    let mut number = known.lines.last().map_or(0, |line| line.number);
    for (at, line) in known.lines.iter().enumerate().rev().take(max) {
        ensure(number == line.number, || format!("statement of {:?}: line {number} instead of {}", known.id, line.number))?;
        let found = books.line(number).map_err(|fault| fault.to_string())?;
        let found = found.ok_or_else(|| format!("statement of {:?}: line {number} is missing", known.id))?;
        let area = match found.purse {
            Purse::Personal { area } => Some(area),
            Purse::Wallet => None,
        };
        let told = (found.holder, found.at, found.seq, area, found.amount, found.wallet_after, found.personal_after);
        let should = (known.id, line.at, line.seq, line.personal, line.amount, line.wallet_after, line.personal_after);
        ensure(told == should, || format!("statement line {number} says {told:?}, should say {should:?}"))?;
        number = found.previous;
        ensure(at > 0 || number == 0, || format!("statement of {:?} does not begin with its first line", known.id))?;
    }
    Ok(())
}
