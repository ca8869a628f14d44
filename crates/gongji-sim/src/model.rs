//! What a careful reader of the journal knows, in the plainest terms: the simulator's own opinion of what may be.
//!
//! It is no copy of `decide`: it is told what happened and says whether that was allowed, and whether a refusal told the truth. Every record is read
//! the moment it is durable, before anybody hears an answer.

mod answers;
pub mod directory;
mod facts;
pub mod periods;

use directory::Regions;
use gongji_ledger::{Account, AreaCode, Fen, HolderId, InstitutionId, Lot, Move, Origin, Part};
use gongji_store::store::Record;
use gongji_wallet::command::{Command, PlaceOrder};
use gongji_wallet::event::{Event, Fact, Message, Outcome, institution_part};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::{Code, Decoding, Enrolment, OrderState, PaymentState, Purpose, Purse, Transfer, TransferState};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What is wrong, in a sentence.
pub type Check = Result<(), String>;

pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(why()) }
}

#[derive(Clone)]
pub struct Person {
    pub id: HolderId,
    pub died: bool,
    pub frozen: bool,
    pub enrolment: Option<Enrolment>,
    pub personal: BTreeMap<AreaCode, Fen>,
    pub wallet: Option<Wallet>,
    pub held: Fen,
    pub awaiting: Fen,
    /// Whether it stands now, and what was said of it.
    pub relations: BTreeMap<HolderId, Relation>,
    pub agents: BTreeSet<HolderId>,
    /// Transfers made: how many and how much, by day.
    pub days: BTreeMap<i32, (i64, Fen)>,
    pub outgoing: BTreeSet<TransferId>,
    pub incoming: BTreeSet<TransferId>,
    pub open_payments: BTreeSet<PaymentId>,
    pub code: Option<CodeId>,
    /// Who asked for the last code.
    pub code_by: Option<HolderId>,
    pub proofs: BTreeSet<u64>,
    pub lines: Vec<StatementLine>,
}

#[derive(Clone)]
pub struct Wallet {
    pub place: AreaCode,
    pub changed_at: Option<i64>,
    /// Amount, and since when, by origin.
    pub lots: BTreeMap<Origin, (Fen, i64)>,
}

#[derive(Clone)]
pub struct Relation {
    pub stands: bool,
    pub code: u8,
    pub declared_here: bool,
    /// What was pending from here to there when it ended: that one of them is taken does not bring it back.
    pub pending_at_end: BTreeSet<TransferId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatementLine {
    pub number: u64,
    pub at: i64,
    pub seq: u64,
    pub personal: Option<AreaCode>,
    pub amount: Fen,
    pub wallet_after: Fen,
    pub personal_after: Fen,
}

/// A transfer as both sides have told it.
#[derive(Clone)]
pub struct Moving {
    pub transfer: Transfer,
    /// The sender's side.
    pub sent: TransferState,
    /// The receiver's side, once it arrived.
    pub arrived: Option<TransferState>,
}

#[derive(Clone)]
pub struct Paid {
    pub holder: HolderId,
    pub purpose: Purpose,
    pub state: PaymentState,
    pub amount: Fen,
    pub captured: Fen,
    pub released: Fen,
    pub refunded: Fen,
    pub expires: i64,
    /// In the order of use: purse, origin, amount, captured, refunded.
    pub slices: Vec<(Purse, Origin, Fen, Fen, Fen)>,
}

#[derive(Clone)]
pub struct Ordered {
    pub payment: PaymentId,
    pub state: OrderState,
    pub placed_at: i64,
}

#[derive(Clone)]
pub struct Known {
    pub fingerprint: [u8; 16],
    pub seq: u64,
    pub outcome: Outcome,
}

/// One partition's journal as read so far.
#[derive(Default)]
pub struct Read {
    pub seq: u64,
    pub stamp: i64,
    pub lines: u64,
    pub sent: BTreeMap<Part, u64>,
    pub received: BTreeMap<Part, u64>,
    pub balances: BTreeMap<Account, Fen>,
    pub tills: BTreeMap<InstitutionId, u64>,
    /// Sum over all accounts of people and others.
    sum: Fen,
}

/// Where a fact stands.
#[derive(Clone, Copy)]
pub struct At {
    pub part: Part,
    pub seq: u64,
    pub stamp: i64,
}

pub struct Model {
    pub parts: Part,
    pub read: Vec<Read>,
    pub people: BTreeMap<HolderId, Person>,
    pub transfers: BTreeMap<TransferId, Moving>,
    pub payments: BTreeMap<PaymentId, Paid>,
    pub orders: BTreeMap<OrderId, Ordered>,
    pub codes: BTreeMap<CodeId, (Code, bool)>,
    /// Who has read which code.
    pub decodings: BTreeMap<CodeId, Decoding>,
    pub claims: BTreeMap<(HolderId, u16), PaymentId>,
    pub answers: BTreeMap<(Part, RequestKey), Known>,
    /// What clients asked, by partition, key and fingerprint.
    pub asked: BTreeMap<(Part, RequestKey, [u8; 16]), Command>,
    /// Sent and kept until received.
    post: BTreeMap<(Part, Part, u64), Message>,
    /// Each version of the directory, by its record.
    versions: BTreeMap<u64, Rc<Regions>>,
    latest: Regions,
    /// While a record is read: the directory it pins, whom it touched, what it undertook to do, and the message at hand.
    pinned: Rc<Regions>,
    pub touched: BTreeSet<HolderId>,
    pub settled: Vec<Settled>,
    untied: BTreeMap<HolderId, BTreeSet<HolderId>>,
    at_hand: Option<Message>,
    proof: Option<HolderId>,
    /// Transfers that a death or a lost insurance calls back; and those of this record that nobody was told of yet.
    recalled: BTreeSet<TransferId>,
    to_recall: BTreeSet<TransferId>,
    /// The transfer whose sender's side heard of its end last in this record.
    heard_last: Option<TransferId>,
    /// What this command captured, refunded or paid in last: of which payment or to whom, and how much.
    last_step: Option<([u8; 16], Fen)>,
    /// What institutions asked for, by the payment's id.
    pub placed: BTreeMap<PaymentId, PlaceOrder>,
    pub periods: periods::Periods,
}

/// What a record finished or began, for those who watch.
#[derive(Clone, Copy)]
pub enum Settled {
    Transfer(TransferId),
    Payment(PaymentId),
    Order(OrderId),
}

impl Model {
    pub fn new(parts: Part) -> Model {
        Model {
            parts,
            read: (0..=parts).map(|_| Read::default()).collect(),
            people: BTreeMap::new(),
            transfers: BTreeMap::new(),
            payments: BTreeMap::new(),
            orders: BTreeMap::new(),
            codes: BTreeMap::new(),
            decodings: BTreeMap::new(),
            claims: BTreeMap::new(),
            answers: BTreeMap::new(),
            asked: BTreeMap::new(),
            post: BTreeMap::new(),
            versions: BTreeMap::new(),
            latest: Regions::default(),
            pinned: Rc::default(),
            touched: BTreeSet::new(),
            settled: Vec::new(),
            untied: BTreeMap::new(),
            at_hand: None,
            proof: None,
            recalled: BTreeSet::new(),
            to_recall: BTreeSet::new(),
            heard_last: None,
            last_step: None,
            placed: BTreeMap::new(),
            periods: periods::Periods::default(),
        }
    }

    /// Hears what a client is about to ask.
    pub fn hear(&mut self, part: Part, key: RequestKey, fingerprint: [u8; 16], command: &Command) {
        if let Command::PlaceOrder(order) = command {
            self.placed.entry(order.payment).or_insert_with(|| order.clone());
        }
        self.asked.insert((part, key, fingerprint), command.clone());
    }

    /// The directory as its journal has it.
    pub fn directory(&self) -> &Regions {
        &self.latest
    }

    /// Reads a record that has just become durable.
    pub fn record(&mut self, record: &Record) -> Check {
        let head = record.head;
        let at = At { part: head.part, seq: head.seq, stamp: head.stamp };
        let read = &mut self.read[usize::from(head.part)];
        ensure(head.seq == read.seq + 1, || format!("record {} follows {} in partition {}", head.seq, read.seq, head.part))?;
        ensure(head.stamp >= read.stamp, || format!("record {} of partition {} goes back in time", head.seq, head.part))?;
        (read.seq, read.stamp) = (head.seq, head.stamp);
        self.pinned = self.versions.range(..=head.directory).next_back().map(|(_, version)| version.clone()).unwrap_or_default();
        self.touched.clear();
        self.settled.clear();
        self.untied.clear();
        self.to_recall.clear();
        self.at_hand = None;
        self.proof = None;
        self.heard_last = None;
        let events = record.events().map_err(|fault| fault.to_string())?;
        for event in &events {
            let told = |why: String| format!("{why} [{:?} in record {} of partition {}]", event.fact, at.seq, at.part);
            self.before(at, event).map_err(told)?;
            for posting in &event.moves {
                self.post(at, posting).map_err(told)?;
            }
            self.after(at, event).map_err(told)?;
        }
        if head.part == 0 {
            self.versions.insert(head.seq, Rc::new(self.latest.clone()));
        }
        self.end_of_record(at)
    }

    fn person(&mut self, holder: HolderId) -> Result<&mut Person, String> {
        self.touched.insert(holder);
        self.people.get_mut(&holder).ok_or_else(|| format!("{holder:?} is not on file"))
    }

    fn post(&mut self, at: At, posting: &Move) -> Check {
        let amount = posting.amount();
        ensure(posting.lots.iter().all(|lot| lot.amount.is_positive()), || "a lot that is not positive is moved".to_owned())?;
        ensure(amount.is_positive(), || "a posting moves nothing".to_owned())?;
        self.enter(at, posting.from, -amount, &posting.lots)?;
        self.enter(at, posting.to, amount, &posting.lots)
    }

    fn enter(&mut self, at: At, account: Account, amount: Fen, lots: &[Lot]) -> Check {
        let read = &mut self.read[usize::from(at.part)];
        read.sum += amount;
        let Some(holder) = account.holder() else {
            let balance = read.balances.entry(account).or_insert(Fen::ZERO);
            *balance += amount;
            let may = account.may_be_negative();
            return ensure(may || !balance.is_negative(), || format!("{account:?} is below zero"));
        };
        ensure(holder.part() == at.part, || format!("money of {holder:?} moves in partition {}", at.part))?;
        let takes = amount.is_negative();
        let person = self.person(holder)?;
        let (balance, area) = match account {
            Account::Held { .. } => (&mut person.held, None),
            Account::Awaiting { .. } => (&mut person.awaiting, None),
            Account::Personal { area, .. } => (person.personal.entry(area).or_insert(Fen::ZERO), Some(Some(area))),
            _ => {
                let wallet = person.wallet.as_mut().ok_or("money moves in a wallet that was never opened")?;
                for lot in lots {
                    let (sum, since) = wallet.lots.entry(lot.origin).or_insert((Fen::ZERO, lot.since));
                    *sum += if takes { -lot.amount } else { lot.amount };
                    *since = if takes { *since } else { (*since).min(lot.since) };
                    ensure(!sum.is_negative(), || format!("the lot {:?} of {holder:?} is below zero", lot.origin))?;
                }
                wallet.lots.retain(|_, (sum, _)| !sum.is_zero());
                return self.write_line(at, holder, None, amount);
            }
        };
        *balance += amount;
        ensure(!balance.is_negative(), || format!("{account:?} is below zero"))?;
        match area {
            Some(area) => self.write_line(at, holder, area, amount),
            None => Ok(()),
        }
    }

    fn write_line(&mut self, at: At, holder: HolderId, personal: Option<AreaCode>, amount: Fen) -> Check {
        let read = &mut self.read[usize::from(at.part)];
        read.lines += 1;
        let number = read.lines;
        let person = self.person(holder)?;
        let (wallet_after, personal_after) = (person.wallet_total(), person.personal_total());
        person.lines.push(StatementLine { number, at: at.stamp, seq: at.seq, personal, amount, wallet_after, personal_after });
        Ok(())
    }

    /// What holds after every record.
    fn end_of_record(&mut self, at: At) -> Check {
        let read = &self.read[usize::from(at.part)];
        ensure(read.sum.is_zero(), || format!("the accounts of partition {} add up to {}", at.part, read.sum))?;
        ensure(self.to_recall.is_empty(), || format!("nobody calls back {:?}", self.to_recall))?;
        for (holder, others) in &self.untied {
            let person = &self.people[holder];
            for other in others {
                ensure(person.relations.get(other).is_none_or(|relation| !relation.stands), || format!("{holder:?} is still tied to {other:?}"))?;
            }
        }
        for holder in &self.touched {
            let Some(person) = self.people.get(holder) else { continue };
            let open = |id: &PaymentId| self.payments.get(id).map_or(Fen::ZERO, |paid| paid.amount - paid.captured - paid.released);
            let held: Fen = person.open_payments.iter().map(open).sum();
            ensure(held == person.held, || format!("{} is held of {holder:?}, {held} by open payments", person.held))?;
            let waiting: Fen = person.incoming.iter().map(|id| self.transfers[id].transfer.amount()).sum();
            ensure(waiting == person.awaiting, || format!("{} awaits {holder:?}, {waiting} by transfers", person.awaiting))?;
            if person.died {
                ensure(person.incoming.is_empty(), || format!("money waits for {holder:?}, who has died"))?;
                ensure(person.relations.values().all(|relation| !relation.stands), || format!("{holder:?} has died and is still related"))?;
            }
            for (origin, _) in person.wallet.iter().flat_map(|wallet| &wallet.lots) {
                let is_quota = origin.kind == gongji_ledger::GrantKind::Quota;
                ensure(!is_quota || person.is_related(origin.contributor), || {
                    format!("{holder:?} keeps a quota of {:?} though the relation has ended", origin.contributor)
                })?;
            }
        }
        Ok(())
    }

    /// After a partition has looked at its deadlines at that stamp, nothing waits beyond them.
    pub fn check_deadlines(&self, part: Part, stamp: i64) -> Check {
        for (holder, person) in self.people.iter().filter(|(holder, _)| holder.part() == part) {
            let late = person.incoming.iter().find(|id| self.transfers[id].transfer.deadline <= stamp);
            ensure(late.is_none(), || format!("{late:?} still waits for {holder:?} after its deadline"))?;
            let late = person.open_payments.iter().find(|id| self.payments[id].expires <= stamp);
            ensure(late.is_none(), || format!("{late:?} of {holder:?} is still held after its deadline"))?;
        }
        // The payer's side has eight seconds; then the institution's side decides alone.
        let here = self.orders.iter().filter(|(id, _)| institution_part(id.institution, self.parts) == part);
        let late = here.filter(|(_, order)| order.state == OrderState::Placed && order.placed_at + 8_000 <= stamp).map(|(id, _)| id).next();
        ensure(late.is_none(), || format!("{late:?} is still undecided after its time"))
    }

    /// Money on its way between partitions, by both sides' accounts; zero when nothing is.
    pub fn in_transit(&self) -> Fen {
        let is_transit = |account: &Account| matches!(account, Account::Transit { .. });
        self.read.iter().flat_map(|read| &read.balances).filter(|(account, _)| is_transit(account)).map(|(_, balance)| *balance).sum()
    }

    pub fn messages_under_way(&self) -> usize {
        self.post.len()
    }
}

impl Person {
    pub fn new(id: HolderId) -> Person {
        Person {
            id,
            died: false,
            frozen: false,
            enrolment: None,
            personal: BTreeMap::new(),
            wallet: None,
            held: Fen::ZERO,
            awaiting: Fen::ZERO,
            relations: BTreeMap::new(),
            agents: BTreeSet::new(),
            days: BTreeMap::new(),
            outgoing: BTreeSet::new(),
            incoming: BTreeSet::new(),
            open_payments: BTreeSet::new(),
            code: None,
            code_by: None,
            proofs: BTreeSet::new(),
            lines: Vec::new(),
        }
    }

    pub fn wallet_total(&self) -> Fen {
        self.wallet.iter().flat_map(|wallet| wallet.lots.values()).map(|(sum, _)| *sum).sum()
    }

    pub fn personal_total(&self) -> Fen {
        self.personal.values().copied().sum()
    }

    pub fn is_related(&self, other: HolderId) -> bool {
        self.relations.get(&other).is_some_and(|relation| relation.stands)
    }

    pub fn is_insured(&self) -> bool {
        !self.died && self.enrolment.is_some_and(|enrolment| enrolment.is_active())
    }

    /// The wallet's lots as they are used: oldest first.
    pub fn lots_in_order(&self) -> Vec<(Origin, Fen, i64)> {
        let mut lots: Vec<_> = self.wallet.iter().flat_map(|wallet| &wallet.lots).map(|(origin, (sum, since))| (*origin, *sum, *since)).collect();
        lots.sort_by_key(|(origin, _, since)| (*since, *origin));
        lots
    }
}

/// Whether a message is the one at hand, for facts that only a message may bring.
fn is_about(message: &Option<Message>, wanted: impl Fn(&Message) -> bool) -> bool {
    message.as_ref().is_some_and(wanted)
}

/// Facts that end a command leave no message and no proof at hand.
fn ends_command(event: &Event) -> bool {
    matches!(event.fact, Fact::Answered { .. })
}
