//! People as bytes: one shape for memory and for the books, packed once by the writer while a batch is at hand.
//!
//! A tenth of the size of a `Holder` with all that hangs on it, in one piece. What most people have stands in front, numbers as short as they are, ids
//! of others as distances from one's own; what few have at a time (a freeze, agents, what waits) follows in the journal's encoding, where there is any.

use crate::fault::Fault;
use gongji_ledger::{Fen, GrantKind, HolderId, Lot, Lots, Origin};
use gongji_wallet::ids::{CodeId, PaymentId, TransferId};
use gongji_wallet::object::{DayCount, EndReason, Enrolment, EnrolmentStatus, Freeze, Holder, Object, PersonalAccount, Relation, Wallet};
use serde::de::DeserializeOwned;

/// First byte of a packed person. A row that begins with the number of the variant in `Object` was written before there was this shape.
const PACKED: u8 = 0x81;

const DIED: u8 = 1;
const ENROLLED: u8 = 1 << 1;
const POOLED_ONLY: u8 = 1 << 2;
const WALLET: u8 = 1 << 3;
const PLACE_CHANGED: u8 = 1 << 4;
const TRANSFERRED: u8 = 1 << 5;
const RESERVED: u8 = 1 << 6;
const MORE: u8 = 1 << 7;

const DECLARED_HERE: u8 = 1;
const ENDED: u8 = 1 << 1;

/// What few people have at a time.
type More = (Option<Freeze>, Vec<HolderId>, Vec<TransferId>, Vec<TransferId>, Vec<PaymentId>, Option<CodeId>);

/// The people whom a batch has changed, as they are after it.
#[derive(Clone, Default)]
pub struct PackedPeople {
    bytes: Vec<u8>,
    /// Who, and where their bytes end.
    people: Vec<(HolderId, u32)>,
}

impl PackedPeople {
    pub fn with_capacity(people: usize) -> PackedPeople {
        PackedPeople { bytes: Vec::with_capacity(people * 192), people: Vec::with_capacity(people) }
    }

    /// Adds one, and tells the bytes.
    pub fn add(&mut self, holder: &Holder) -> &[u8] {
        let from = self.bytes.len();
        pack(holder, &mut self.bytes);
        self.people.push((holder.id, u32::try_from(self.bytes.len()).expect("the people of a batch fit four gigabytes")));
        &self.bytes[from..]
    }

    pub fn len(&self) -> usize {
        self.people.len()
    }

    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    fn body(&self, at: usize) -> &[u8] {
        let from = at.checked_sub(1).map_or(0, |before| self.people[before].1);
        &self.bytes[from as usize..self.people[at].1 as usize]
    }
}

/// The people of several batches, each once as the last of them left it, in order of their ids.
#[derive(Clone, Default)]
pub struct LatestPeople {
    batches: Vec<PackedPeople>,
    /// Who, in which batch, and where in it.
    latest: Vec<(HolderId, u32, u32)>,
}

impl LatestPeople {
    /// Of batches in the order in which they were committed.
    pub fn of(batches: Vec<PackedPeople>) -> LatestPeople {
        let mut all = Vec::with_capacity(batches.iter().map(PackedPeople::len).sum());
        for (batch, number) in batches.iter().zip(0..) {
            all.extend(batch.people.iter().zip(0..).map(|((id, _), at)| (*id, number, at)));
        }
        all.sort_unstable();
        // The last of each is the newest.
        let mut latest: Vec<(HolderId, u32, u32)> = Vec::with_capacity(all.len());
        for person in all {
            match latest.last_mut() {
                Some(last) if last.0 == person.0 => *last = person,
                _ => latest.push(person),
            }
        }
        LatestPeople { batches, latest }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (HolderId, &[u8])> {
        self.latest.iter().map(|(id, batch, at)| (*id, self.batches[*batch as usize].body(*at as usize)))
    }

    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }
}

pub fn pack(holder: &Holder, to: &mut Vec<u8>) {
    let Holder {
        id, died, enrolment, accounts, wallet, freeze, relations, agents, day, outgoing, incoming, open_payments, held, awaiting, used_proofs, ..
    } = holder;
    let has_more = freeze.is_some() || holder.code.is_some() || !(agents.is_empty() && outgoing.is_empty() && incoming.is_empty() && open_payments.is_empty());
    let marks = [
        (DIED, *died),
        (ENROLLED, enrolment.is_some()),
        (POOLED_ONLY, enrolment.is_some_and(|enrolment| enrolment.pooled_only)),
        (WALLET, wallet.is_some()),
        (PLACE_CHANGED, wallet.as_ref().is_some_and(|wallet| wallet.place_changed_at.is_some())),
        (TRANSFERRED, *day != DayCount::default()),
        (RESERVED, !(held.is_zero() && awaiting.is_zero())),
        (MORE, has_more),
    ];
    to.extend_from_slice(&[PACKED, marks.iter().filter(|(_, is_set)| *is_set).map(|(mark, _)| mark).sum()]);
    let mut to = Writer(to);
    to.number(holder.last_line);
    if let Some(enrolment) = enrolment {
        to.number(enrolment.area.into());
        to.number(enrolment.insurance.into());
        to.0.push(match enrolment.status {
            EnrolmentStatus::Normal => 0,
            EnrolmentStatus::Paused => 1,
            EnrolmentStatus::Ended => 2,
        });
        to.signed(enrolment.from.into());
    }
    to.number(accounts.len() as u64);
    for account in accounts {
        to.number(account.area.into());
        to.signed(account.balance.0);
    }
    if let Some(wallet) = wallet {
        to.number(wallet.place.into());
        to.signed(wallet.opened_at);
        if let Some(at) = wallet.place_changed_at {
            to.signed(at);
        }
        to.number(wallet.lots.len() as u64);
        for lot in wallet.lots.as_slice() {
            to.other(*id, lot.origin.contributor);
            to.number(lot.origin.area.into());
            to.0.push(match lot.origin.kind {
                GrantKind::Own => 0,
                GrantKind::Transfer => 1,
                GrantKind::Quota => 2,
            });
            to.signed(lot.since);
            to.signed(lot.amount.0);
        }
    }
    to.number(relations.len() as u64);
    for relation in relations {
        let has_ended = relation.ended.is_some() || !relation.pending_at_end.is_empty();
        to.other(*id, relation.other);
        to.0.extend_from_slice(&[relation.code, if relation.declared_here { DECLARED_HERE } else { 0 } | if has_ended { ENDED } else { 0 }]);
        to.signed(relation.since);
        if has_ended {
            to.encoded(&(relation.ended, &relation.pending_at_end));
        }
    }
    if *day != DayCount::default() {
        to.signed(day.day.into());
        to.number(day.count.into());
        to.signed(day.total.0);
    }
    if !(held.is_zero() && awaiting.is_zero()) {
        to.signed(held.0);
        to.signed(awaiting.0);
    }
    to.number(used_proofs.len() as u64);
    for (proof, expires) in used_proofs {
        to.0.extend_from_slice(&proof.to_le_bytes());
        to.signed(*expires);
    }
    if has_more {
        to.encoded(&(freeze, agents, outgoing, incoming, open_payments, holder.code));
    }
}

/// # Errors
/// `Damaged`: these bytes are nobody.
pub fn unpack(id: HolderId, bytes: &[u8]) -> Result<Holder, Fault> {
    let Some((&PACKED, bytes)) = bytes.split_first() else {
        return match postcard::from_bytes(bytes)? {
            Object::Holder(holder) => Ok(*holder),
            _ => Err(damaged()),
        };
    };
    let mut from = Reader(bytes);
    let marks = from.byte()?;
    let mut holder = Holder { died: marks & DIED != 0, last_line: from.number()?, ..Holder::new(id) };
    if marks & ENROLLED != 0 {
        holder.enrolment = Some(Enrolment {
            area: from.narrow()?,
            insurance: from.narrow()?,
            status: match from.byte()? {
                0 => EnrolmentStatus::Normal,
                1 => EnrolmentStatus::Paused,
                2 => EnrolmentStatus::Ended,
                _ => return Err(damaged()),
            },
            from: i32::try_from(from.signed()?).map_err(|_| damaged())?,
            pooled_only: marks & POOLED_ONLY != 0,
        });
    }
    holder.accounts = from.list(|from| Ok(PersonalAccount { area: from.narrow()?, balance: Fen(from.signed()?) }))?;
    if marks & WALLET != 0 {
        let (place, opened_at) = (from.narrow()?, from.signed()?);
        let place_changed_at = if marks & PLACE_CHANGED != 0 { Some(from.signed()?) } else { None };
        let lots = from.list(|from| {
            let (contributor, area) = (from.other(id)?, from.narrow()?);
            let kind = match from.byte()? {
                0 => GrantKind::Own,
                1 => GrantKind::Transfer,
                2 => GrantKind::Quota,
                _ => return Err(damaged()),
            };
            Ok(Lot { origin: Origin { contributor, area, kind }, since: from.signed()?, amount: Fen(from.signed()?) })
        })?;
        holder.wallet = Some(Wallet { place, opened_at, place_changed_at, lots: Lots::as_kept(lots) });
    }
    holder.relations = from.list(|from| {
        let (other, code, marks, since) = (from.other(id)?, from.byte()?, from.byte()?, from.signed()?);
        let (ended, pending_at_end): (Option<(i64, EndReason)>, _) = if marks & ENDED != 0 { from.encoded()? } else { (None, Vec::new()) };
        Ok(Relation { other, code, declared_here: marks & DECLARED_HERE != 0, since, ended, pending_at_end })
    })?;
    if marks & TRANSFERRED != 0 {
        holder.day = DayCount { day: i32::try_from(from.signed()?).map_err(|_| damaged())?, count: from.narrow()?, total: Fen(from.signed()?) };
    }
    if marks & RESERVED != 0 {
        (holder.held, holder.awaiting) = (Fen(from.signed()?), Fen(from.signed()?));
    }
    holder.used_proofs = from.list(|from| Ok((u64::from_le_bytes(from.bytes()?), from.signed()?)))?;
    if marks & MORE != 0 {
        let (freeze, agents, outgoing, incoming, open_payments, code): More = from.encoded()?;
        holder = Holder { freeze, agents, outgoing, incoming, open_payments, code, ..holder };
    }
    if from.0.is_empty() { Ok(holder) } else { Err(damaged()) }
}

fn damaged() -> Fault {
    Fault::Damaged("the bytes of a person are not one's".to_owned())
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    /// Seven bits a byte, the low ones first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Small amounts are short on both sides of zero.
    fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63).cast_unsigned());
    }

    fn other(&mut self, own: HolderId, other: HolderId) {
        self.signed(other.0.wrapping_sub(own.0).cast_signed());
    }

    fn encoded(&mut self, value: &impl serde::Serialize) {
        self.0.extend_from_slice(&postcard::to_stdvec(value).expect("a part of a person is encodable"));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let (byte, rest) = self.0.split_first().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn bytes<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], Fault> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged())
    }

    fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Fault> {
        T::try_from(self.number()?).map_err(|_| damaged())
    }

    fn signed(&mut self) -> Result<i64, Fault> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn other(&mut self, own: HolderId) -> Result<HolderId, Fault> {
        Ok(HolderId(own.0.wrapping_add(self.signed()?.cast_unsigned())))
    }

    /// A list takes no more memory than its bytes can fill: each entry has two at least.
    fn list<T>(&mut self, mut entry: impl FnMut(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let count: usize = self.narrow()?;
        if count > self.0.len() / 2 {
            return Err(damaged());
        }
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(entry(self)?);
        }
        Ok(list)
    }

    fn encoded<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let (value, rest) = postcard::take_from_bytes(self.0)?;
        self.0 = rest;
        Ok(value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use gongji_wallet::object::FreezeReason;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn ids() -> impl Strategy<Value = HolderId> {
        prop_oneof![any::<u64>().prop_map(HolderId), (1..50_u64).prop_map(|serial| HolderId::new(1, serial))]
    }

    fn number<T: Copy + std::fmt::Debug + 'static>(any: impl Strategy<Value = T>, edges: [T; 3]) -> impl Strategy<Value = T> {
        prop_oneof![any, proptest::sample::select(edges.to_vec())]
    }

    fn amounts() -> impl Strategy<Value = Fen> {
        number(any::<i64>(), [0, i64::MIN, i64::MAX]).prop_map(Fen)
    }

    fn times() -> impl Strategy<Value = i64> {
        number(any::<i64>(), [1_795_000_000_000, i64::MIN, i64::MAX])
    }

    prop_compose! {
        fn enrolments()(area in any::<u32>(), insurance in any::<u16>(), status in 0..3_usize, from in any::<i32>(), pooled_only in any::<bool>()) -> Enrolment {
            let status = [EnrolmentStatus::Normal, EnrolmentStatus::Paused, EnrolmentStatus::Ended][status];
            Enrolment { area, insurance, status, from, pooled_only }
        }
    }

    prop_compose! {
        fn lots()(contributor in ids(), area in any::<u32>(), kind in 0..3_usize, since in times(), amount in amounts()) -> Lot {
            Lot { origin: Origin { contributor, area, kind: [GrantKind::Own, GrantKind::Transfer, GrantKind::Quota][kind] }, since, amount }
        }
    }

    prop_compose! {
        fn wallets()(place in any::<u32>(), opened_at in times(), place_changed_at in option::of(times()), lots in vec(lots(), 0..5)) -> Wallet {
            Wallet { place, opened_at, place_changed_at, lots: Lots::as_kept(lots) }
        }
    }

    prop_compose! {
        fn relations()(
            other in ids(),
            code in any::<u8>(),
            declared_here in any::<bool>(),
            since in times(),
            ended in option::of((times(), proptest::sample::select(vec![EndReason::ByPerson, EndReason::InsuranceChanged, EndReason::Death]))),
            pending in vec(any::<[u8; 16]>(), 0..2),
        ) -> Relation {
            Relation { other, code, declared_here, since, ended, pending_at_end: pending.into_iter().map(TransferId).collect() }
        }
    }

    fn freezes() -> impl Strategy<Value = Freeze> {
        (times(), "[a-z]{0,4}").prop_map(|(since, maker)| Freeze { reason: FreezeReason::LostCredentials, since, maker, checker: "2".to_owned() })
    }

    fn people() -> impl Strategy<Value = Holder> {
        let own = (ids(), any::<bool>(), option::of(enrolments()), vec((any::<u32>(), amounts()), 0..3), option::of(wallets()), vec(relations(), 0..5));
        let day =
            prop_oneof![Just(DayCount::default()), (any::<i32>(), any::<u16>(), amounts()).prop_map(|(day, count, total)| DayCount { day, count, total })];
        let sixteen = || vec(any::<[u8; 16]>(), 0..3);
        let few = (option::of(freezes()), vec(ids(), 0..2), sixteen(), sixteen(), sixteen(), option::of(any::<[u8; 16]>()));
        let rest = (day, amounts(), amounts(), vec((any::<u64>(), times()), 0..4), any::<u64>());
        (own, prop_oneof![Just((None, vec![], vec![], vec![], vec![], None)), few], rest).prop_map(|(own, few, rest)| {
            let (id, died, enrolment, accounts, wallet, relations) = own;
            let (freeze, agents, outgoing, incoming, open_payments, code) = few;
            let (day, held, awaiting, used_proofs, last_line) = rest;
            Holder {
                id,
                died,
                enrolment,
                accounts: accounts.into_iter().map(|(area, balance)| PersonalAccount { area, balance }).collect(),
                wallet,
                freeze,
                relations,
                agents,
                day,
                outgoing: outgoing.into_iter().map(TransferId).collect(),
                incoming: incoming.into_iter().map(TransferId).collect(),
                open_payments: open_payments.into_iter().map(PaymentId).collect(),
                held,
                awaiting,
                used_proofs,
                code: code.map(CodeId),
                last_line,
            }
        })
    }

    proptest! {
        #[test]
        fn everybody_survives_packing(holder in people()) {
            let mut bytes = Vec::new();
            pack(&holder, &mut bytes);
            prop_assert_eq!(unpack(holder.id, &bytes).unwrap(), holder.clone());
            // A row from before there was this shape.
            let old = postcard::to_stdvec(&Object::Holder(Box::new(holder.clone()))).unwrap();
            prop_assert_eq!(unpack(holder.id, &old).unwrap(), holder.clone());
            // One that was cut off, or goes on, is nobody.
            for cut in 0..bytes.len() {
                prop_assert!(unpack(holder.id, &bytes[..cut]).is_err());
            }
            bytes.push(0);
            prop_assert!(unpack(holder.id, &bytes).is_err());
        }

        #[test]
        fn any_bytes_are_somebody_or_damaged(bytes in vec(any::<u8>(), 0..80)) {
            let _ = unpack(HolderId::new(1, 1), &[&[PACKED], &bytes[..]].concat());
        }
    }

    #[test]
    fn of_several_batches_the_newest_of_each_counts() {
        let person = |serial, last_line| Holder { last_line, ..Holder::new(HolderId::new(1, serial)) };
        let batch = |people: &[Holder]| {
            let mut packed = PackedPeople::default();
            people.iter().for_each(|holder| drop(packed.add(holder).to_vec()));
            packed
        };
        let latest = LatestPeople::of(vec![batch(&[person(3, 1), person(1, 2)]), batch(&[person(2, 3), person(3, 500)]), batch(&[person(1, 4)])]);
        let found: Vec<Holder> = latest.iter().map(|(id, bytes)| unpack(id, bytes).unwrap()).collect();
        assert_eq!(found, [person(1, 4), person(2, 3), person(3, 500)]);
    }
}
