//! Reading the journal: chain, then facts and postings, record by record.

use crate::books::{Books, Caption, ClaimTrack, LineRow, OrderStep, OrderTrack, Person};
use crate::chain::{GENESIS, link};
use crate::clearing::Clearing;
use crate::finding::{At, FindingKind, Result, Subject, hex};
use crate::finish::Totals;
use crate::messages::{Messages, Parcel, ParcelKind};
use crate::payments::{PaidFor, Payments};
use crate::postings;
use crate::transfers::Transfers;
use crate::wire::{Account, Event, Fact, Id, Lot, Move, OrderState, Purse, Transfer, TransferState, part_of};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, VecDeque};

/// The end of one partition's journal as far as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub part: u16,
    pub seq: u64,
    pub stamp: i64,
    pub hash: [u8; 32],
}

/// One partition while it is read.
#[derive(Default)]
pub(crate) struct Reading {
    pub seq: u64,
    pub stamp: i64,
    pub hash: [u8; 32],
    /// Highest directory version that a record names, and which one.
    pub directory: (u64, u64),
    /// Exported heads that are still to come.
    pub heads: BTreeMap<u64, [u8; 32]>,
    pub books: Books,
}

/// Rebuilds every balance and lot from the journal, and then compares.
pub struct Auditor {
    pub(crate) reading: Vec<Reading>,
    pub(crate) messages: Messages,
    pub(crate) transfers: Transfers,
    pub(crate) payments: Payments,
    pub(crate) clearing: Clearing,
    pub(crate) totals: Totals,
    offices: crate::offices::Offices,
    pub(crate) records: u64,
    pub(crate) events: u64,
    /// Money messages that this record's postings call for, and that were not sent or handled yet.
    owed: Vec<(u16, Parcel)>,
    /// The message received last in this record, while it is open what was done on it.
    arriving: Option<u16>,
}

impl Auditor {
    /// An auditor of a directory (partition 0) and `parts` partitions of people and institutions (1 to `parts`).
    pub fn new(parts: u16) -> Auditor {
        let reading = (0..=parts).map(|_| Reading {
            stamp: i64::MIN,
            hash: GENESIS,
            books: Books { made: Some(VecDeque::new()), made_takings: Some(VecDeque::new()), ..Books::default() },
            ..Reading::default()
        });
        Auditor {
            reading: reading.collect(),
            messages: Messages::default(),
            transfers: Transfers::default(),
            payments: Payments::default(),
            clearing: Clearing::default(),
            totals: Totals::default(),
            offices: crate::offices::Offices::default(),
            records: 0,
            events: 0,
            owed: Vec::new(),
            arriving: None,
        }
    }

    /// The same, for a journal whose statement lines and takings nobody will compare: none are kept.
    pub fn without_lines(parts: u16) -> Auditor {
        let mut auditor = Auditor::new(parts);
        for reading in &mut auditor.reading {
            reading.books.made = None;
            reading.books.made_takings = None;
        }
        auditor
    }

    /// Where the reading of a partition stands; `None` before its first record.
    pub fn head(&self, part: u16) -> Option<Head> {
        let reading = self.reading.get(usize::from(part)).filter(|reading| reading.seq > 0)?;
        Some(Head { part, seq: reading.seq, stamp: reading.stamp, hash: reading.hash })
    }

    /// Holds the journal to a head that was exported earlier. Give it before the records (or for the head just read).
    ///
    /// # Errors
    /// The head differs, or the record was already passed. One that is still to come is checked by [`Auditor::record`], and missed by
    /// [`Auditor::finish`] if the journal ends before it.
    pub fn check_head(&mut self, part: u16, seq: u64, hash: &[u8; 32]) -> Result {
        let at = At { part, seq, stamp: 0 };
        let reading = self.reading.get_mut(usize::from(part)).ok_or_else(|| at.finding(FindingKind::PartUnknown, Subject::Record, "a partition", part))?;
        if seq > reading.seq {
            reading.heads.insert(seq, *hash);
            return Ok(());
        }
        let found = if seq == reading.seq { hex(&reading.hash) } else { format!("the reading has passed it and stands at {}", reading.seq) };
        if seq == reading.seq && reading.hash == *hash { Ok(()) } else { Err(at.finding(FindingKind::HeadDiffers, Subject::Record, hex(hash), found)) }
    }

    /// Reads one record as the table has it: chain first, then each event.
    ///
    /// # Errors
    /// The first difference; the audit ends with it.
    pub fn record(&mut self, part: u16, seq: u64, stamp: i64, directory: u64, payload: &[u8], hash: &[u8; 32]) -> Result {
        let at = At { part, seq, stamp };
        let last = u16::try_from(self.reading.len() - 1).expect("partitions are counted by a u16");
        let Some(reading) = self.reading.get_mut(usize::from(part)) else {
            return Err(at.finding(FindingKind::PartUnknown, Subject::Record, format!("0 to {last}"), part));
        };
        if seq != reading.seq + 1 {
            return Err(at.finding(FindingKind::SeqGap, Subject::Record, reading.seq + 1, seq));
        }
        let computed = link(&reading.hash, part, seq, stamp, directory, payload);
        if computed != *hash {
            return Err(at.finding(FindingKind::HashBroken, Subject::Record, hex(&computed), hex(hash)));
        }
        if stamp < reading.stamp {
            return Err(at.finding(FindingKind::StampBackwards, Subject::Record, format!("{} or later", reading.stamp), stamp));
        }
        if let Some(exported) = reading.heads.remove(&seq)
            && exported != *hash
        {
            return Err(at.finding(FindingKind::HeadDiffers, Subject::Record, hex(&exported), hex(hash)));
        }
        (reading.seq, reading.stamp, reading.hash) = (seq, stamp, *hash);
        reading.directory = reading.directory.max((directory, seq));
        self.records += 1;
        let unreadable = |why: &str| at.finding(FindingKind::Unreadable, Subject::Record, "a list of events", why);
        let (count, mut rest) = postcard::take_from_bytes::<u64>(payload).map_err(|error| unreadable(&error.to_string()))?;
        for _ in 0..count {
            let (event, after) = postcard::take_from_bytes::<Event>(rest).map_err(|error| unreadable(&error.to_string()))?;
            self.event(at, &event)?;
            rest = after;
        }
        if !rest.is_empty() {
            return Err(unreadable(&format!("{} bytes more", rest.len())));
        }
        self.end_of_message(at)?;
        match self.owed.first() {
            None => Ok(()),
            Some((to, parcel)) => {
                let found = format!("{} fen to partition {to} without its message", parcel.amount);
                Err(at.finding(FindingKind::MessageDiffers, Subject::Record, "a message for all money in transit", found))
            }
        }
    }

    fn end_of_message(&mut self, at: At) -> Result {
        match self.arriving.take() {
            Some(from) => self.messages.receive(at, from, Parcel::QUIET),
            None => Ok(()),
        }
    }

    fn event(&mut self, at: At, event: &Event) -> Result {
        self.events += 1;
        let is_of_offices = crate::offices::is_of_offices(&event.fact);
        let is_of_periods = matches!(event.fact, Fact::PeriodChanged { .. });
        let is_anybodys = matches!(event.fact, Fact::Answered { .. } | Fact::Sent { .. } | Fact::Received { .. } | Fact::DirectoryChanged(_));
        if (at.part == 0) != (is_of_offices || is_of_periods) && !is_anybodys {
            return Err(at.finding(FindingKind::FactImpossible, Subject::Record, "changes of the directory", "another fact"));
        }
        let captions = match &event.fact {
            Fact::TransferMade { id, answered, .. } => self.made(at, *id, answered.map(|(key, _)| key), &event.moves)?.map(Some),
            fact => [self.fact(at, fact, &event.moves)?; 2],
        };
        for posting in &event.moves {
            let amount = postings::amount(at, posting)?;
            self.reading[usize::from(at.part)].books.post(at, posting, amount, captions)?;
            self.totals.post(posting);
        }
        self.take_down(at, &event.fact, &event.moves);
        Ok(())
    }

    fn person(&mut self, at: At, holder: u64) -> Result<&mut Person> {
        self.reading[usize::from(at.part)].books.person(at, holder)
    }

    pub(crate) fn books(&mut self, at: At) -> &mut Books {
        &mut self.reading[usize::from(at.part)].books
    }

    /// Checks that the postings belong to the fact, notes the fact, and says how a statement shows it.
    fn fact(&mut self, at: At, fact: &Fact, moves: &[Move]) -> Result<Option<Caption>> {
        match fact {
            Fact::Contributed { holder, area, .. } => {
                let lots = moves.first().map_or(&[][..], |posting| &posting.lots);
                let subject = Subject::Person(*holder);
                postings::one(at, subject, moves, Account::Fund { area: *area }, Account::Personal { holder: *holder, area: *area }, lots)?;
                Ok(Some(caption(0, (3, u64::from(*area)), [0; 16])))
            }
            Fact::TransferSubmitted(transfer) => self.submitted(at, transfer, moves).map(Some),
            Fact::TransferArrived { transfer, state, reason } => {
                let lots = if state.goes_back() { &transfer.lots[..] } else { &[] };
                let answer = self.messages.decision(at, &transfer.id, transfer.sender, transfer.receiver, *state, lots, reason)?;
                self.arrived(at, transfer, *state, moves)?;
                self.owed.push((part_of(transfer.sender), answer));
                Ok(Some(caption(2, (1, transfer.sender), transfer.id)))
            }
            Fact::TransferClosed { id, sender, receiver, state, .. } => {
                let lots = self.transfers.open(at, *id, *sender, *receiver)?.lots.to_vec();
                let awaiting = Account::Awaiting { holder: *receiver };
                let to = if state.goes_back() { Account::Transit { part: part_of(*sender) } } else { Account::Wallet { holder: *receiver } };
                self.transfers.closed(at, *id, *state)?;
                postings::one(at, Subject::Transfer(*id), moves, awaiting, to, &lots)?;
                let back = if state.goes_back() { &lots[..] } else { &[] };
                let answer = self.messages.decision(at, id, *sender, *receiver, *state, back, &None)?;
                self.owed.push((part_of(*sender), answer));
                Ok(Some(caption(2, (1, *sender), *id)))
            }
            Fact::TransferSettled { id, sender, receiver, state, reason, .. } => {
                let moving = self.transfers.open(at, *id, *sender, *receiver)?;
                let (source, lots) = (moving.source, if state.goes_back() { moving.lots.to_vec() } else { Vec::new() });
                let answer = self.messages.decision(at, id, *sender, *receiver, *state, &lots, reason)?;
                self.arrival(at, part_of(*receiver), answer)?;
                self.transfers.settled(at, *id, *state)?;
                match lots.is_empty() {
                    true => postings::none(at, Subject::Transfer(*id), moves)?,
                    false => {
                        let from = Account::Transit { part: part_of(*receiver) };
                        postings::one(at, Subject::Transfer(*id), moves, from, Account::of_purse(*sender, source), &lots)?;
                    }
                }
                Ok(Some(caption(3, (1, *receiver), *id)))
            }
            Fact::LotsSentBack { holder, contributor } => {
                let lots = moves.first().map_or(&[][..], |posting| &posting.lots);
                let to = Account::Transit { part: part_of(*contributor) };
                postings::one(at, Subject::Person(*holder), moves, Account::Wallet { holder: *holder }, to, lots)?;
                if let Some(lot) = lots.iter().find(|lot| lot.origin.contributor != *contributor) {
                    let found = format!("{:#x}", lot.origin.contributor);
                    return Err(at.finding(FindingKind::OriginForeign, Subject::Person(*holder), format!("{contributor:#x}"), found));
                }
                let parcel = self.messages.lots(at, *contributor, *holder, lots)?;
                self.owed.push((part_of(*contributor), parcel));
                Ok(Some(caption(9, (1, *contributor), [0; 16])))
            }
            Fact::LotsCameBack { contributor, holder } => {
                let lots: Vec<Lot> = moves.iter().flat_map(|posting| &posting.lots).copied().collect();
                let from = Account::Transit { part: part_of(*holder) };
                for (posting, lot) in moves.iter().zip(&lots) {
                    let area = lot.origin.area;
                    let has_account = self.books(at).people.get(contributor).is_some_and(|person| person.personal.iter().any(|personal| personal.area == area));
                    let to = if has_account { Account::Personal { holder: *contributor, area } } else { Account::Unclaimed { area } };
                    postings::one(at, Subject::Person(*contributor), std::slice::from_ref(posting), from, to, &[*lot])?;
                }
                let parcel = self.messages.lots(at, *contributor, *holder, &lots)?;
                self.arrival(at, part_of(*holder), parcel)?;
                Ok(Some(caption(10, (1, *holder), [0; 16])))
            }
            Fact::PaymentHeld(payment) => {
                let holder = payment.holder;
                self.person(at, holder)?;
                let lots = self.payments.held(at, payment)?;
                postings::by_purse(at, Subject::Payment(payment.id), moves, &lots, |purse| (Account::of_purse(holder, purse), Account::Held { holder }))?;
                self.payment_caption(at, payment.id, [4, 7]).map(Some)
            }
            Fact::PaymentCaptured { payment, holder, amount, .. } => {
                let (lots, to) = self.payments.captured(at, *payment, *holder, *amount)?;
                postings::one(at, Subject::Payment(*payment), moves, Account::Held { holder: *holder }, to, &lots)?;
                Ok(None)
            }
            Fact::PaymentReleased { payment, holder, state } => {
                let lots = self.payments.released(at, *payment, *holder, *state)?;
                let held = Account::Held { holder: *holder };
                postings::by_purse(at, Subject::Payment(*payment), moves, &lots, |purse| (held, Account::of_purse(*holder, purse)))?;
                self.payment_caption(at, *payment, [5, 8]).map(Some)
            }
            Fact::PaymentRefunded { payment, holder, amount, state } => {
                let (lots, from) = self.payments.refunded(at, *payment, *holder, *amount, *state)?;
                postings::by_purse(at, Subject::Payment(*payment), moves, &lots, |purse| (from, Account::of_purse(*holder, purse)))?;
                self.payment_caption(at, *payment, [6, 8]).map(Some)
            }
            other => {
                postings::none(at, Subject::Record, moves)?;
                self.quiet(at, other).map(|()| None)
            }
        }
    }

    /// Facts without postings.
    fn quiet(&mut self, at: At, fact: &Fact) -> Result {
        let impossible = |subject, expected: &str, found: &str| at.finding(FindingKind::FactImpossible, subject, expected, found);
        match fact {
            Fact::Answered { key, .. } => self.answered(at, *key),
            Fact::Sent { to, number, message } => {
                let parcel = self.messages.parcel(at, message)?;
                self.messages.send(at, *to, *number, parcel)?;
                if parcel.kind != ParcelKind::Quiet {
                    self.pay_debt(at, *to, parcel, Subject::Message { from: at.part, to: *to, number: *number })?;
                }
                Ok(())
            }
            Fact::Received { from, number } => {
                self.end_of_message(at)?;
                self.messages.number(at, *from, *number)?;
                self.arriving = Some(*from);
                Ok(())
            }
            fact if crate::offices::is_of_offices(fact) => self.offices.read(at, fact),
            Fact::DirectoryChanged(_) if at.part != 0 => Err(impossible(Subject::Record, "a change in partition 0", "one here")),
            Fact::DirectoryChanged(change) => {
                self.clearing.region(change);
                Ok(())
            }
            Fact::PeriodChanged { period, change } => self.period_changed(at, *period, change),
            Fact::PeriodMarked { mark } => self.period_marked(at, mark),
            Fact::HolderCreated { holder } => {
                if part_of(*holder) != at.part || holder & 0xFFFF_FFFF_FFFF == 0 {
                    return Err(at.finding(FindingKind::Elsewhere, Subject::Person(*holder), at.part, part_of(*holder)));
                }
                match self.books(at).people.entry(*holder) {
                    Entry::Occupied(_) => Err(at.finding(FindingKind::KeyRepeated, Subject::Person(*holder), "a new person", "one on file")),
                    Entry::Vacant(place) => {
                        place.insert(Person { seq: at.seq, ..Person::default() });
                        Ok(())
                    }
                }
            }
            Fact::EnrolmentSet { holder, enrolment } => {
                self.person(at, *holder)?.enrolment = Some(enrolment.clone());
                Ok(())
            }
            Fact::Died { holder } => {
                self.person(at, *holder)?.died = true;
                Ok(())
            }
            Fact::WalletOpened { holder, place, .. } => match self.person(at, *holder)?.place.replace(*place) {
                None => Ok(()),
                Some(_) => Err(impossible(Subject::Person(*holder), "no wallet yet", "a wallet")),
            },
            Fact::PlaceChanged { holder, from, to, .. } => match self.person(at, *holder)?.place.replace(*to) {
                Some(place) if place == *from => Ok(()),
                place => Err(at.finding(FindingKind::FactImpossible, Subject::Person(*holder), format!("place of use {place:?}"), from)),
            },
            Fact::Frozen { holder, .. } | Fact::Unfrozen { holder, .. } => {
                let freezes = matches!(fact, Fact::Frozen { .. });
                let person = self.person(at, *holder)?;
                if std::mem::replace(&mut person.frozen, freezes) == freezes {
                    return Err(impossible(Subject::Person(*holder), "the other state", if freezes { "frozen" } else { "not frozen" }));
                }
                Ok(())
            }
            Fact::AgentSet { holder, .. } | Fact::ProofUsed { holder, .. } | Fact::RelationConfirmed { holder, .. } | Fact::RelationEnded { holder, .. } => {
                self.person(at, *holder).map(drop)
            }
            Fact::CodeIssued(code) => self.person(at, code.holder).map(drop),
            Fact::CodeDecoded { holder, .. } => self.person(at, *holder).map(drop),
            Fact::OrderPlaced(order) => {
                let books = self.books(at);
                books.lines += 1;
                let line = books.lines;
                let previous = books.tills.insert(order.id.institution, line).unwrap_or(0);
                let (state, held) = step(&order.state);
                let track = OrderTrack { state, payment: order.payment, held, line, previous, seq: at.seq, seen: false };
                if !matches!(state, OrderStep::Placed | OrderStep::ReversedBefore) {
                    return Err(impossible(Subject::Order(order.id), "placed", state.name()));
                }
                match books.orders.insert(order.id, track) {
                    None => Ok(()),
                    Some(_) => Err(at.finding(FindingKind::KeyRepeated, Subject::Order(order.id), "a new order", "one on file")),
                }
            }
            Fact::OrderDecided { order, state } => {
                let (next, held) = step(state);
                let Some(track) = self.books(at).orders.get_mut(order) else { return Err(impossible(Subject::Order(*order), "an order on file", "none")) };
                let lawful = match track.state {
                    OrderStep::Placed => matches!(next, OrderStep::Held | OrderStep::Refused | OrderStep::ReversedUnheard),
                    OrderStep::Held => next == OrderStep::Reversed,
                    OrderStep::Refused | OrderStep::ReversedBefore | OrderStep::Reversed | OrderStep::ReversedUnheard => false,
                };
                if !lawful {
                    return Err(impossible(Subject::Order(*order), track.state.name(), next.name()));
                }
                (track.state, track.seq) = (next, at.seq);
                if next == OrderStep::Held {
                    track.held = held;
                }
                Ok(())
            }
            Fact::PremiumClaimed(claim) => {
                self.person(at, claim.insured)?;
                let track = ClaimTrack { payment: claim.payment, payer: claim.payer, area: claim.area, amount: claim.amount, seq: at.seq, seen: false };
                match self.books(at).claims.insert((claim.insured, claim.year), track) {
                    None => Ok(()),
                    Some(known) => {
                        let subject = Subject::Claim { insured: claim.insured, year: claim.year };
                        Err(at.finding(FindingKind::ClaimRepeated, subject, hex(&known.payment), hex(&claim.payment)))
                    }
                }
            }
            Fact::PremiumRefused { payment, .. } => match self.payments.get(payment).map(|paid| paid.purpose) {
                Some(PaidFor::Premium { .. }) => Ok(()),
                _ => Err(impossible(Subject::Payment(*payment), "a premium on file", "none")),
            },
            _ => Ok(()),
        }
    }

    fn submitted(&mut self, at: At, transfer: &Transfer, moves: &[Move]) -> Result<Caption> {
        let subject = Subject::Transfer(transfer.id);
        let digest = self.messages.digest(transfer);
        self.transfers.submitted(at, transfer, digest)?;
        if let Purse::Personal { area } = transfer.source {
            // The first grant of a fen makes its origin.
            let own = |lot: &Lot| lot.origin.contributor == transfer.sender && lot.origin.area == area && lot.origin.kind == transfer.kind;
            if !transfer.lots.iter().all(own) {
                return Err(at.finding(FindingKind::OriginForeign, subject, "the sender's own lot", format!("{:?}", transfer.lots)));
            }
        }
        let to = part_of(transfer.receiver);
        postings::one(at, subject, moves, Account::of_purse(transfer.sender, transfer.source), Account::Transit { part: to }, &transfer.lots)?;
        let parcel = self.messages.transfer(at, transfer)?;
        self.owed.push((to, parcel));
        Ok(caption(1, (1, transfer.receiver), transfer.id))
    }

    fn answered(&mut self, at: At, key: Id) -> Result {
        match self.books(at).answers.insert(key, false) {
            None => Ok(()),
            Some(_) => Err(at.finding(FindingKind::KeyRepeated, Subject::Key(key), "answered once", "answered again")),
        }
    }

    /// A transfer within one partition that was credited at once: its one move says who sent what to whom. Returns how each side reads.
    fn made(&mut self, at: At, id: Id, answered: Option<Id>, moves: &[Move]) -> Result<[Caption; 2]> {
        let subject = Subject::Transfer(id);
        let [Move { from, to: Account::Wallet { holder: receiver }, lots }] = moves else {
            return Err(postings::differs(at, subject, "one posting into a wallet", moves));
        };
        let sender = match *from {
            Account::Personal { holder, .. } | Account::Wallet { holder } => holder,
            _ => return Err(postings::differs(at, subject, "one posting out of a person's purse", moves)),
        };
        if sender == *receiver {
            return Err(at.finding(FindingKind::FactImpossible, subject, "two people", "one"));
        }
        let grant = lots.first().map(|lot| lot.origin.kind);
        if matches!(from, Account::Personal { .. }) && lots.iter().any(|lot| Some(lot.origin.kind) != grant) {
            return Err(at.finding(FindingKind::OriginForeign, subject, "lots of one kind", format!("{lots:?}")));
        }
        self.transfers.made(at, id)?;
        if let Some(key) = answered {
            self.answered(at, key)?;
        }
        Ok([caption(1, (1, *receiver), id), caption(2, (1, sender), id)])
    }

    fn arrived(&mut self, at: At, transfer: &Transfer, state: TransferState, moves: &[Move]) -> Result {
        let (from, holder) = (part_of(transfer.sender), transfer.receiver);
        if part_of(holder) != at.part {
            return Err(at.finding(FindingKind::Elsewhere, Subject::Transfer(transfer.id), at.part, part_of(holder)));
        }
        let parcel = self.messages.transfer(at, transfer)?;
        self.arrival(at, from, parcel)?;
        let digest = self.messages.digest(transfer);
        self.transfers.arrived(at, transfer, digest, state)?;
        let to = match state {
            TransferState::Credited => Account::Wallet { holder },
            TransferState::AwaitingRecipient => Account::Awaiting { holder },
            _ => return postings::none(at, Subject::Transfer(transfer.id), moves),
        };
        postings::one(at, Subject::Transfer(transfer.id), moves, Account::Transit { part: from }, to, &transfer.lots)
    }

    /// Money comes in: with the message just received, or from this partition within this record.
    fn arrival(&mut self, at: At, from: u16, parcel: Parcel) -> Result {
        if from == at.part {
            return self.pay_debt(at, from, parcel, Subject::Record);
        }
        if self.arriving != Some(from) {
            let subject = Subject::Pair { one: from, other: at.part };
            return Err(at.finding(FindingKind::MessageUnsent, subject, format!("a message received from partition {from}"), "none"));
        }
        self.arriving = None;
        self.messages.receive(at, from, parcel)
    }

    /// A message with money says what a posting of the same record did, and each posting is said once.
    fn pay_debt(&mut self, at: At, to: u16, parcel: Parcel, subject: Subject) -> Result {
        match self.owed.iter().position(|debt| *debt == (to, parcel)) {
            Some(place) => {
                self.owed.remove(place);
                Ok(())
            }
            None => {
                let owed: Vec<String> = self.owed.iter().map(|(to, parcel)| format!("{} fen to partition {to}", parcel.amount)).collect();
                let expected = if owed.is_empty() { "no money".to_owned() } else { owed.join(" + ") };
                Err(at.finding(FindingKind::MessageDiffers, subject, expected, format!("{} fen to partition {to}", parcel.amount)))
            }
        }
    }

    /// The line of a payment: the code for orders or the one for premiums.
    fn payment_caption(&self, at: At, id: Id, [order, premium]: [u8; 2]) -> Result<Caption> {
        match self.payments.get(&id).map(|paid| paid.purpose) {
            Some(PaidFor::Order { institution, .. }) => Ok(caption(order, (2, institution), id)),
            Some(PaidFor::Premium { area, .. }) => Ok(caption(premium, (3, u64::from(area)), id)),
            None => Err(at.finding(FindingKind::PaymentState, Subject::Payment(id), "a payment on file", "none")),
        }
    }

    /// Compares the next statement line or, where the row is of a later one, says which is missing. Rows come in the order of their numbers.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn expect_line(&mut self, row: &LineRow) -> Result {
        let at = At { part: row.part, seq: row.seq, stamp: 0 };
        let subject = |field| Subject::Line { part: row.part, number: row.number, field };
        let made = self.reading.get_mut(usize::from(row.part)).and_then(|reading| reading.books.made.as_mut());
        let Some(line) = made.and_then(VecDeque::pop_front) else {
            return Err(at.finding(FindingKind::RowUnknown, subject("number"), "no more lines", row.number));
        };
        let at = At { part: row.part, seq: line.seq, stamp: 0 };
        if line.number != row.number {
            let kind = if row.number > line.number { FindingKind::RowMissing } else { FindingKind::RowUnknown };
            return Err(at.finding(kind, Subject::Line { part: row.part, number: line.number.min(row.number), field: "number" }, line.number, row.number));
        }
        let differs = |field, expected: String, found: String| Err(at.finding(FindingKind::LineDiffers, subject(field), expected, found));
        let numbers: [(&'static str, i128, i128); 8] = [
            ("holder", line.holder.into(), row.holder.into()),
            ("previous", line.previous.into(), row.previous.into()),
            ("at", line.at.into(), row.at.into()),
            ("seq", line.seq.into(), row.seq.into()),
            ("code", line.code.into(), row.code.into()),
            ("amount", line.amount.into(), row.amount.into()),
            ("wallet_after", line.wallet_after.into(), row.wallet_after.into()),
            ("personal_after", line.personal_after.into(), row.personal_after.into()),
        ];
        for (field, expected, found) in numbers {
            if expected != found {
                return differs(field, expected.to_string(), found.to_string());
            }
        }
        if line == *row {
            return Ok(());
        }
        if line.area != row.area {
            return differs("purse", format!("{:?}", line.area), format!("{:?}", row.area));
        }
        if line.other != row.other {
            return differs("other", format!("{:?}", line.other), format!("{:?}", row.other));
        }
        if line.reference != row.reference {
            return differs("reference", hex(&line.reference), hex(&row.reference));
        }
        differs("lots", format!("{:?}", line.lots), format!("{:?}", row.lots))
    }
}

fn caption(code: u8, other: (u8, u64), reference: Id) -> Caption {
    Caption { code, other, reference }
}

fn step(state: &OrderState) -> (OrderStep, i64) {
    match state {
        OrderState::Placed => (OrderStep::Placed, 0),
        OrderState::Held { personal, wallet } => (OrderStep::Held, personal.saturating_add(*wallet)),
        OrderState::Refused(_) => (OrderStep::Refused, 0),
        OrderState::ReversedBefore => (OrderStep::ReversedBefore, 0),
        OrderState::Reversed => (OrderStep::Reversed, 0),
        OrderState::ReversedUnheard => (OrderStep::ReversedUnheard, 0),
    }
}
