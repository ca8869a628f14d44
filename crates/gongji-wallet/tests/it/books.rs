//! What must hold of all books at any moment, computed from the objects alone.

use crate::world::{Partition, World};
use gongji_ledger::{Account, AreaCode, Fen, GrantKind, HolderId, InstitutionId, LOTS_MAX, Lot, Part, total};
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Holder, Line, Object, Purpose, Purse};
use gongji_wallet::{Fact, Message};
use std::collections::BTreeMap;

fn lots_in(message: &Message) -> &[Lot] {
    match message {
        Message::TransferSent(transfer) => &transfer.lots,
        Message::TransferDecided { lots, .. } | Message::LotsReturned { lots, .. } => lots,
        _ => &[],
    }
}

/// Money by origin: whose personal account it came from, and in which area.
#[derive(Default, Debug, PartialEq)]
struct ByOrigin(BTreeMap<(HolderId, AreaCode), Fen>);

impl ByOrigin {
    fn add(&mut self, contributor: HolderId, area: AreaCode, amount: Fen) {
        *self.0.entry((contributor, area)).or_default() += amount;
    }

    fn add_lots(&mut self, lots: &[Lot]) {
        for lot in lots {
            self.add(lot.origin.contributor, lot.origin.area, lot.amount);
        }
    }
}

/// Checks the invariants of ARCHITECTURE.md that concern money, over all partitions and what is on its way between them.
pub fn assert_books(world: &World) {
    let mut transit: BTreeMap<(Part, Part), Fen> = BTreeMap::new();
    let mut paid_in = Fen::ZERO;
    let mut payable: BTreeMap<InstitutionId, Fen> = BTreeMap::new();
    let mut premiums: BTreeMap<(AreaCode, u16), Fen> = BTreeMap::new();
    let mut fen = ByOrigin::default();
    for (part, partition) in world.partitions.iter().enumerate() {
        let part = part as Part;
        let mut sum = Fen::ZERO;
        for (key, object) in &partition.objects {
            match (key, &**object) {
                (Key::Balance(account), Object::Balance(balance)) => {
                    sum += *balance;
                    assert!(account.may_be_negative() || !balance.is_negative(), "{account:?} is {balance}");
                    match account {
                        Account::Transit { part: other } => *transit.entry((part.min(*other), part.max(*other))).or_default() += *balance,
                        Account::Fund { .. } => paid_in += -*balance,
                        Account::Unclaimed { .. } => paid_in += -*balance,
                        Account::Payable { institution } => *payable.entry(*institution).or_default() += *balance,
                        Account::Premium { area, year } => *premiums.entry((*area, *year)).or_default() += *balance,
                        _ => {}
                    }
                }
                (Key::Holder(id), Object::Holder(holder)) => {
                    assert_eq!((holder.id, id.part()), (*id, part));
                    sum += assert_holder(world, holder);
                    for account in &holder.accounts {
                        fen.add(*id, account.area, account.balance);
                    }
                    fen.add_lots(holder.wallet.iter().flat_map(|wallet| wallet.lots.as_slice()).copied().collect::<Vec<_>>().as_slice());
                    for id in &holder.incoming {
                        let Some(Object::Incoming(incoming)) = world.object(part, Key::Incoming(*id)) else { panic!("{id:?} waits and is unknown") };
                        fen.add_lots(&incoming.transfer.lots);
                    }
                }
                (Key::Payment(_), Object::Payment(payment)) => {
                    let mut spent = Fen::ZERO;
                    for slice in &payment.slices {
                        let (refunded, captured, released, held) = (slice.refunded, slice.captured, slice.released, slice.lot.amount);
                        assert!(!refunded.is_negative() && refunded <= captured && captured + released <= held, "{payment:?}");
                        fen.add(slice.lot.origin.contributor, slice.lot.origin.area, held - released - refunded);
                        spent += captured - refunded;
                    }
                    assert!(payment.refunded() <= payment.captured() && payment.captured() <= payment.amount());
                    assert_eq!(payment.is_open(), payment.remaining().is_positive(), "{payment:?}");
                    assert_eq!(payment.captures.iter().map(|(_, amount)| *amount).sum::<Fen>(), payment.captured());
                    assert_eq!(payment.refunds.iter().map(|(_, amount)| *amount).sum::<Fen>(), payment.refunded());
                    match payment.purpose {
                        Purpose::Order { order, .. } => *payable.entry(order.institution).or_default() += -spent,
                        Purpose::Premium { area, year, .. } => *premiums.entry((area, year)).or_default() += -spent,
                    }
                }
                _ => {}
            }
        }
        assert!(sum.is_zero(), "partition {part} adds up to {sum}");
    }
    assert!(payable.values().all(|rest| rest.is_zero()), "institutions are owed what was captured and not refunded: {payable:?}");
    assert!(premiums.values().all(|rest| rest.is_zero()), "areas have the premiums that were captured: {premiums:?}");
    for (from, to, _, message) in world.in_flight() {
        let lots = lots_in(message);
        *transit.entry((from.min(to), from.max(to))).or_default() += -total(lots);
        fen.add_lots(lots);
    }
    assert!(transit.values().all(|rest| rest.is_zero()), "what is in transit is in a message: {transit:?}");
    assert_eq!(fen.0.values().copied().sum::<Fen>(), paid_in, "every fen that was paid in is somewhere");
    assert_origins(world, &fen);
}

/// Every fen still belongs to the contribution it came from: by person and area, what was paid in is what there is, wherever it is now.
fn assert_origins(world: &World, fen: &ByOrigin) {
    let mut contributed = ByOrigin::default();
    for partition in &world.partitions {
        for object in partition.base.values() {
            if let Object::Holder(holder) = &**object {
                for account in &holder.accounts {
                    contributed.add(holder.id, account.area, account.balance);
                }
                contributed.add_lots(holder.wallet.iter().flat_map(|wallet| wallet.lots.as_slice()).copied().collect::<Vec<_>>().as_slice());
            }
        }
        for event in partition.journal.iter().flat_map(|record| &record.events) {
            for posting in &event.moves {
                if matches!(posting.from, Account::Fund { .. }) {
                    contributed.add_lots(&posting.lots);
                }
                if let Account::Unclaimed { .. } = posting.to {
                    for lot in &posting.lots {
                        contributed.add(lot.origin.contributor, lot.origin.area, -lot.amount);
                    }
                }
            }
        }
    }
    let some = |all: &ByOrigin| all.0.iter().filter(|(_, amount)| !amount.is_zero()).map(|(origin, amount)| (*origin, *amount)).collect::<Vec<_>>();
    assert_eq!(some(fen), some(&contributed), "money by origin, as it is and as it was paid in");
}

/// One person's books; returns what the person has.
fn assert_holder(world: &World, holder: &Holder) -> Fen {
    let part = holder.id.part();
    for account in &holder.accounts {
        assert!(!account.balance.is_negative(), "{:?} has {} in {}", holder.id, account.balance, account.area);
    }
    let mut held = Fen::ZERO;
    for id in &holder.open_payments {
        let Some(Object::Payment(payment)) = world.object(part, Key::Payment(*id)) else { panic!("{id:?} is open and unknown") };
        assert!(payment.is_open() && payment.holder == holder.id);
        held += payment.remaining();
    }
    assert_eq!(holder.held, held, "what {:?} has held is what the open payments hold", holder.id);
    let mut awaiting = Fen::ZERO;
    for id in &holder.incoming {
        let Some(Object::Incoming(incoming)) = world.object(part, Key::Incoming(*id)) else { panic!("{id:?} waits and is unknown") };
        assert!(!incoming.state.is_final() && incoming.transfer.receiver == holder.id);
        awaiting += incoming.transfer.amount();
    }
    assert_eq!(holder.awaiting, awaiting, "what waits for {:?} is what its transfers bring", holder.id);
    for id in &holder.outgoing {
        let Some(Object::Outgoing(outgoing)) = world.object(part, Key::Outgoing(*id)) else { panic!("{id:?} is pending and unknown") };
        assert!(!outgoing.state.is_final() && outgoing.transfer.sender == holder.id);
    }
    assert!(!holder.day.total.is_negative() && (holder.day.count > 0 || holder.day.total.is_zero()), "{:?}", holder.day);
    if let Some(wallet) = &holder.wallet {
        let lots = wallet.lots.as_slice();
        assert!(lots.len() <= LOTS_MAX + 8, "{} lots", lots.len());
        assert!(lots.iter().all(|lot| lot.amount.is_positive() && lot.origin.kind != GrantKind::Own), "{lots:?}");
        assert!(lots.is_sorted_by_key(|lot| lot.since), "oldest first: {lots:?}");
        for (at, lot) in lots.iter().enumerate() {
            assert!(lots[..at].iter().all(|earlier| earlier.origin != lot.origin), "one lot for each origin: {lots:?}");
        }
        assert_eq!(total(lots), wallet.lots.total());
    }
    let mut others: Vec<HolderId> = holder.relations.iter().map(|relation| relation.other).collect();
    others.sort_unstable();
    assert!(others.is_sorted_by(|a, b| a < b), "one relation with each person");
    holder.personal_total() + holder.wallet_total() + holder.held + holder.awaiting
}

/// Statement lines: each names the one before, each ends at the balance after it, and the last of them is the balance now.
pub fn assert_lines(world: &World) {
    for (part, partition) in world.partitions.iter().enumerate() {
        let mut last: BTreeMap<HolderId, (u64, Fen, Fen)> = BTreeMap::new();
        for object in partition.base.values() {
            if let Object::Holder(holder) = &**object {
                last.insert(holder.id, (0, holder.wallet_total(), holder.personal_total()));
            }
        }
        let mut numbers = Vec::new();
        for line in &partition.lines {
            let Line { number, holder, previous, purse, amount, wallet_after, personal_after, lots, seq, at, .. } = line;
            let (before, wallet, personal) = last.get(holder).copied().unwrap_or_default();
            assert_eq!(*previous, before, "line {number} of partition {part} follows the person's last");
            match purse {
                Purse::Wallet => assert_eq!((*wallet_after, *personal_after), (wallet + *amount, personal)),
                Purse::Personal { .. } => assert_eq!((*wallet_after, *personal_after), (wallet, personal + *amount)),
            }
            assert_eq!(total(lots), if amount.is_negative() { -*amount } else { *amount });
            assert_eq!(partition.journal[*seq as usize - 1].stamp, *at);
            last.insert(*holder, (*number, *wallet_after, *personal_after));
            numbers.push(*number);
        }
        assert!(numbers.is_sorted_by(|a, b| a < b), "line numbers rise");
        // Statement lines and orders are numbered together, and no number is left out.
        let ordered = partition.journal.iter().flat_map(|record| &record.events).filter(|event| matches!(event.fact, Fact::OrderPlaced(_))).count();
        let counted = partition.objects.get(&Key::Partition).map_or(0, |object| if let Object::Partition(counters) = &**object { counters.lines } else { 0 });
        assert_eq!(counted, (numbers.len() + ordered) as u64, "lines and orders of partition {part} are counted");
        assert_orders(partition, part);
        for object in partition.objects.values() {
            if let Object::Holder(holder) = &**object {
                let (number, wallet, personal) = last.get(&holder.id).copied().unwrap_or_default();
                assert_eq!((holder.last_line, holder.wallet_total(), holder.personal_total()), (number, wallet, personal), "{:?}", holder.id);
            }
        }
    }
}

/// Each order names the institution's order line before, so that its list can be read from the last one back: one has none, and no two name the same.
fn assert_orders(partition: &Partition, part: usize) {
    let mut previous: BTreeMap<InstitutionId, Vec<u64>> = BTreeMap::new();
    for object in partition.objects.values() {
        if let Object::Order(order) = &**object {
            previous.entry(order.id.institution).or_default().push(order.previous);
        }
    }
    for (institution, mut before) in previous {
        before.sort_unstable();
        let last = match partition.objects.get(&Key::Till(institution)).map(|object| &**object) {
            Some(Object::Till(till)) => till.last_line,
            other => panic!("{institution} has orders and {other:?}"),
        };
        assert!(
            before[0] == 0 && before.is_sorted_by(|a, b| a < b) && before[before.len() - 1] < last,
            "orders of {institution} in partition {part}: {before:?}, {last}"
        );
    }
}

/// After everything was delivered and every deadline has passed: nothing waits, nothing is held, nothing is on its way, both sides agree.
pub fn assert_at_rest(world: &World) {
    assert_eq!(world.in_flight().count(), 0, "every message was applied");
    for partition in &world.partitions {
        for (key, object) in &partition.objects {
            match &**object {
                Object::Holder(holder) => {
                    assert!(holder.outgoing.is_empty() && holder.incoming.is_empty() && holder.open_payments.is_empty(), "{holder:?}");
                    assert!(holder.held.is_zero() && holder.awaiting.is_zero());
                    for relation in &holder.relations {
                        let mirror = world.holder(relation.other).and_then(|other| other.relation(holder.id));
                        // A relation that ended while it was being confirmed is known to one side only.
                        let holds_there = mirror.is_some_and(|mirror| mirror.ended.is_none());
                        assert_eq!(relation.ended.is_none(), holds_there, "{:?} and {:?} disagree whether their relation holds", holder.id, relation.other);
                    }
                    assert_quotas(world, holder);
                }
                Object::Balance(balance) if matches!(key, Key::Balance(Account::Transit { part }) if usize::from(*part) < world.partitions.len()) => {
                    let Key::Balance(Account::Transit { part: other }) = key else { unreachable!() };
                    let part = world.partitions.iter().position(|candidate| std::ptr::eq(candidate, partition)).unwrap() as Part;
                    let mirror = match world.object(*other, Key::Balance(Account::Transit { part })) {
                        Some(Object::Balance(balance)) => *balance,
                        _ => Fen::ZERO,
                    };
                    let sum = if part == *other { *balance } else { *balance + mirror };
                    assert!(sum.is_zero(), "nothing is in transit between {part} and {other}, but {sum}");
                }
                Object::Outgoing(outgoing) => {
                    assert!(outgoing.state.is_final());
                    let receiver = outgoing.transfer.receiver.part();
                    let Some(Object::Incoming(incoming)) = world.object(receiver, Key::Incoming(outgoing.transfer.id)) else {
                        panic!("{outgoing:?} never arrived")
                    };
                    assert_eq!(incoming.state, outgoing.state, "both sides know one end");
                }
                _ => {}
            }
        }
    }
}

/// A quota stands only while the relation to its contributor does.
fn assert_quotas(world: &World, holder: &Holder) {
    let lots = holder.wallet.iter().flat_map(|wallet| wallet.lots.as_slice());
    for lot in lots.filter(|lot| lot.origin.kind == GrantKind::Quota) {
        let contributor = lot.origin.contributor;
        assert!(holder.has_confirmed(contributor), "{:?} keeps a quota of {contributor:?} without a relation", holder.id);
        let insured_there = world.holder(contributor).is_some_and(|person| person.is_insured());
        assert!(insured_there, "{:?} keeps a quota of {contributor:?}, whose insurance has stopped", holder.id);
    }
}
