//! The state of a partition: objects by key. They change only in `apply`.

use crate::approval::{Approval, OpenApprovals};
use crate::clearing::{Counted, Mark, Month, Period, PeriodState};
use crate::directory::Directory;
use crate::event::{Message, Outcome};
use crate::ids::{CodeId, OrderId, PaymentId, TransferId};
use crate::operator::Operators;
use crate::payment::ORDER_MS;
use crate::reason::Reason;
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId, InstitutionId, Lot, Lots, Part, planted};
use serde::{Deserialize, Serialize};

/// What is large stands behind a box: most objects are answers and transfers that are over, and pay for the largest variant.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Object {
    Partition(Partition),
    Directory(Box<Directory>),
    Holder(Box<Holder>),
    Outgoing(Box<Outgoing>),
    Incoming(Box<Incoming>),
    Code(Code),
    Payment(Box<Payment>),
    Order(Box<Order>),
    Till(Till),
    Claim(Claim),
    Balance(Fen),
    Answer(Answer),
    /// Sent, arrived and credited in one event: there is nothing that the two sides could tell differently.
    Made(Transfer),
    /// Number of a payee's last taking.
    Takings(u64),
    Operators(Box<Operators>),
    Approval(Box<Approval>),
    OpenApprovals(OpenApprovals),
    /// A code that an institution has read.
    Decoded(Box<Decoded>),
    Counted(Counted),
    Mark(Mark),
    LastPeriod(Month),
    Period(Box<Period>),
}

impl Object {
    /// When a job must look at this object (ms, UTC): the deadline of what is still open.
    pub fn due(&self) -> Option<i64> {
        let is_open = match self {
            Object::Incoming(incoming) => incoming.state == TransferState::AwaitingRecipient,
            Object::Payment(payment) => payment.is_open(),
            Object::Order(order) => order.state == OrderState::Placed,
            Object::Approval(approval) => approval.state.is_open(),
            _ => false,
        };
        self.deadline().filter(|_| is_open)
    }

    /// The deadline it has or had (ms, UTC). It never changes.
    pub fn deadline(&self) -> Option<i64> {
        match self {
            Object::Incoming(incoming) => Some(incoming.transfer.deadline),
            Object::Payment(payment) if matches!(payment.purpose, Purpose::Order { .. }) => Some(payment.expires),
            Object::Order(order) => Some(order.placed_at + ORDER_MS),
            Object::Approval(approval) => Some(approval.expires),
            _ => None,
        }
    }

    /// The code, and who has read it.
    pub fn as_code(&self) -> Option<(&Code, Option<&Decoding>)> {
        match self {
            Object::Code(code) => Some((code, None)),
            Object::Decoded(decoded) => Some((&decoded.code, Some(&decoded.decoding))),
            _ => None,
        }
    }

    /// Whether it never changes after it was made.
    pub fn is_made_once(&self) -> bool {
        matches!(self, Object::Answer(_) | Object::Made(_))
    }

    /// Whether nothing is expected to happen to it soon, so that memory need not keep it.
    pub fn is_settled(&self) -> bool {
        match self {
            Object::Outgoing(outgoing) => outgoing.state.is_final(),
            Object::Incoming(incoming) => incoming.state.is_final(),
            Object::Payment(payment) => !payment.is_open(),
            Object::Order(order) => !matches!(order.state, OrderState::Placed),
            Object::Approval(approval) => approval.state.is_final(),
            // Most codes are shown and never used; nothing tells memory when one has expired.
            Object::Code(_) | Object::Decoded(_) | Object::Claim(_) | Object::Answer(_) | Object::Made(_) | Object::Mark(_) => true,
            Object::Period(period) => period.state == PeriodState::Closed,
            _ => false,
        }
    }
}

/// Counters and watermarks of one partition.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Partition {
    /// Number of the last movement and order line.
    pub lines: u64,
    /// Number of the last taking.
    pub takings: u64,
    /// Number of the last message sent to each partition.
    pub sent: Vec<(Part, u64)>,
    /// Number of the last message applied from each partition.
    pub received: Vec<(Part, u64)>,
}

impl Partition {
    pub fn sent_to(&self, part: Part) -> u64 {
        self.sent.iter().find(|(to, _)| *to == part).map_or(0, |(_, number)| *number)
    }

    pub fn received_from(&self, part: Part) -> u64 {
        self.received.iter().find(|(from, _)| *from == part).map_or(0, |(_, number)| *number)
    }
}

/// A person on file: money, enrolment, relations. Name, number and phone are not here; they stand sealed in the vault.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Holder {
    pub id: HolderId,
    pub died: bool,
    pub enrolment: Option<Enrolment>,
    pub accounts: Vec<PersonalAccount>,
    pub wallet: Option<Wallet>,
    pub freeze: Option<Freeze>,
    pub relations: Vec<Relation>,
    /// Relatives who may open, accept, pay and look on this person's behalf.
    pub agents: Vec<HolderId>,
    pub day: DayCount,
    /// Transfers of mine that are not decided yet; one, unless a rule allows more.
    pub outgoing: Vec<TransferId>,
    /// Transfers to me that wait.
    pub incoming: Vec<TransferId>,
    pub open_payments: Vec<PaymentId>,
    /// Balance of the account `Held`.
    pub held: Fen,
    /// Balance of the account `Awaiting`.
    pub awaiting: Fen,
    /// Proofs of identity already used, until they expire anyway (id, ms).
    pub used_proofs: Vec<(u64, i64)>,
    pub code: Option<CodeId>,
    /// Number of this person's last statement line; each line names the one before.
    pub last_line: u64,
}

impl Holder {
    pub fn new(id: HolderId) -> Holder {
        Holder {
            id,
            died: false,
            enrolment: None,
            accounts: Vec::new(),
            wallet: None,
            freeze: None,
            relations: Vec::new(),
            agents: Vec::new(),
            day: DayCount::default(),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            open_payments: Vec::new(),
            held: Fen::ZERO,
            awaiting: Fen::ZERO,
            used_proofs: Vec::new(),
            code: None,
            last_line: 0,
        }
    }

    pub fn account(&self, area: AreaCode) -> Option<&PersonalAccount> {
        self.accounts.iter().find(|account| account.area == area)
    }

    /// The personal account of the area where the person is insured now.
    pub fn current_account(&self) -> Option<&PersonalAccount> {
        self.account(self.enrolment?.area)
    }

    pub fn relation(&self, other: HolderId) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.other == other)
    }

    pub fn has_confirmed(&self, other: HolderId) -> bool {
        self.relation(other).is_some_and(|relation| relation.ended.is_none())
    }

    /// Actively insured in employee (310) or resident (390) basic insurance.
    pub fn is_insured(&self) -> bool {
        !self.died && self.enrolment.is_some_and(|enrolment| enrolment.is_active())
    }

    pub fn wallet_total(&self) -> Fen {
        self.wallet.as_ref().map_or(Fen::ZERO, |wallet| wallet.lots.total())
    }

    pub fn personal_total(&self) -> Fen {
        self.accounts.iter().map(|account| account.balance).sum()
    }

    /// Marks a proof of identity used; those that have expired need not be remembered.
    pub(crate) fn use_proof(&mut self, proof: u64, expires: i64, stamp: i64) {
        self.used_proofs.retain(|(_, expires)| *expires > stamp);
        self.used_proofs.push((proof, expires));
    }

    /// Counts a transfer to the limits of its business day.
    pub(crate) fn count_transfer(&mut self, day: i32, amount: Fen) {
        let used = self.day.on(day);
        self.day = DayCount { day, count: used.count + 1, total: used.total + amount };
    }

    /// Whether `by` may act here: the person, or somebody the person has allowed.
    pub fn may_act(&self, by: HolderId) -> bool {
        by == self.id || self.agents.contains(&by)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentStatus {
    Normal,
    Paused,
    Ended,
}

/// Basic insurance on file. `insurance` is the national code: 310 employee, 390 resident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    pub area: AreaCode,
    pub insurance: u16,
    pub status: EnrolmentStatus,
    /// First business day of this status.
    pub from: i32,
    /// Pooled cover only (单建统筹): no personal account.
    pub pooled_only: bool,
}

pub const EMPLOYEE: u16 = 310;
pub const RESIDENT: u16 = 390;

impl Enrolment {
    pub fn is_active(&self) -> bool {
        self.status == EnrolmentStatus::Normal && matches!(self.insurance, EMPLOYEE | RESIDENT)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PersonalAccount {
    pub area: AreaCode,
    pub balance: Fen,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Wallet {
    pub place: AreaCode,
    pub opened_at: i64,
    pub place_changed_at: Option<i64>,
    pub lots: Lots,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreezeReason {
    CourtOrder,
    Investigation,
    LostCredentials,
    Other,
}

impl FreezeReason {
    pub const ALL: [FreezeReason; 4] = [FreezeReason::CourtOrder, FreezeReason::Investigation, FreezeReason::LostCredentials, FreezeReason::Other];

    pub fn label(self) -> &'static str {
        match self {
            FreezeReason::CourtOrder => "法院裁定",
            FreezeReason::Investigation => "正在调查",
            FreezeReason::LostCredentials => "证件或手机丢失",
            FreezeReason::Other => "其他",
        }
    }
}

/// Blocks what goes out; what comes in is refused to new transfers and kept open to returns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Freeze {
    pub reason: FreezeReason,
    pub since: i64,
    /// The two operators who decided it.
    pub maker: String,
    pub checker: String,
}

/// A confirmed family relation, mirrored at both people.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Relation {
    pub other: HolderId,
    /// GB/T 4761: what the receiver is to the person who declared it.
    pub code: u8,
    /// Whether this side declared it (the other side confirmed it).
    pub declared_here: bool,
    pub since: i64,
    pub ended: Option<(i64, EndReason)>,
    /// This person's transfers that were pending when it ended: that one of them is taken does not bring it back.
    pub pending_at_end: Vec<TransferId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    ByPerson,
    InsuranceChanged,
    Death,
}

/// Transfers made on one business day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DayCount {
    pub day: i32,
    pub count: u16,
    pub total: Fen,
}

impl DayCount {
    /// The count of `day`: zero if the last transfer was on another day.
    pub fn on(self, day: i32) -> DayCount {
        if self.day == day { self } else { DayCount { day, ..DayCount::default() } }
    }
}

/// Which of a person's two purses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purse {
    Personal { area: AreaCode },
    Wallet,
}

/// Facts of a transfer that both sides keep.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Transfer {
    pub id: TransferId,
    pub sender: HolderId,
    /// May be `nobody` of a partition.
    pub receiver: HolderId,
    /// GB/T 4761: what the receiver is to the sender.
    pub relation: u8,
    pub source: Purse,
    pub kind: GrantKind,
    pub lots: Vec<Lot>,
    pub sent_at: i64,
    /// From this instant on it can only be returned.
    pub deadline: i64,
    /// Version of the rules it was decided under.
    pub rule: u32,
}

impl Transfer {
    pub fn amount(&self) -> Fen {
        gongji_ledger::total(&self.lots)
    }

    /// The sender's side of a transfer that was made in one event.
    pub fn made_outgoing(&self) -> Outgoing {
        Outgoing { transfer: self.clone(), state: TransferState::Credited, decided_at: Some(self.sent_at), reason: None }
    }

    /// The receiver's side of a transfer that was made in one event.
    pub fn made_incoming(&self) -> Incoming {
        Incoming { transfer: self.clone(), state: TransferState::Credited, decided_at: Some(self.sent_at), by: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    Submitted,
    AwaitingRecipient,
    Credited,
    Declined,
    Cancelled,
    Returned,
    Refused,
}

impl TransferState {
    pub const ALL: [TransferState; 7] = [
        TransferState::Submitted,
        TransferState::AwaitingRecipient,
        TransferState::Credited,
        TransferState::Declined,
        TransferState::Cancelled,
        TransferState::Returned,
        TransferState::Refused,
    ];

    pub fn is_final(self) -> bool {
        !matches!(self, TransferState::Submitted | TransferState::AwaitingRecipient)
    }

    /// The published table: where a transfer may go from here.
    pub fn next(self) -> &'static [TransferState] {
        use TransferState::*;
        match self {
            Submitted => &[AwaitingRecipient, Credited, Returned, Refused],
            AwaitingRecipient => &[Credited, Declined, Cancelled, Returned],
            Credited | Declined | Cancelled | Returned | Refused => &[],
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outgoing {
    pub transfer: Transfer,
    pub state: TransferState,
    pub decided_at: Option<i64>,
    pub reason: Option<Reason>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Incoming {
    pub transfer: Transfer,
    pub state: TransferState,
    pub decided_at: Option<i64>,
    /// Who accepted or declined: the receiver or an agent.
    pub by: Option<HolderId>,
}

/// Which purse a payment uses first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayFirst {
    Personal,
    Wallet,
    /// The wallet alone.
    WalletOnly,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Code {
    pub id: CodeId,
    pub holder: HolderId,
    /// Who asked for it: the holder, or an agent.
    pub by: HolderId,
    pub first: PayFirst,
    pub expires: i64,
    pub used: Option<PaymentId>,
}

/// Who has read a code: it is for them alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decoding {
    pub institution: InstitutionId,
    /// The kind of care it was read for, where that was said.
    pub business: Option<Business>,
    /// It pays until then, whatever the code itself said (ms).
    pub until: i64,
}

impl Decoding {
    /// Whether this institution may use it for this kind of care; for some kind, where none is said.
    pub fn is_for(&self, institution: InstitutionId, business: Option<Business>) -> bool {
        let fits = |said: Business| business.is_none_or(|business| business == said);
        self.institution == institution && self.business.is_none_or(fits)
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decoded {
    pub code: Code,
    pub decoding: Decoding,
}

/// A bill at an institution: total = fund + own + institution.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bill {
    pub total: Fen,
    pub fund: Fen,
    pub own: Fen,
    /// What the institution bears itself.
    pub institution: Fen,
}

/// What kind of care a bill is for: institutions reconcile and regions clear by it (national clr_type 11, 21, 41).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Business {
    Outpatient,
    Inpatient,
    Pharmacy,
}

impl Business {
    pub const ALL: [Business; 3] = [Business::Outpatient, Business::Inpatient, Business::Pharmacy];
}

/// Where at an institution somebody pays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terminal {
    Counter,
    Kiosk,
    Mobile,
}

impl Terminal {
    pub const ALL: [Terminal; 3] = [Terminal::Counter, Terminal::Kiosk, Terminal::Mobile];
}

/// What an institution says of a bill besides its amounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Visit {
    pub business: Business,
    pub terminal: Terminal,
    /// The institution's business day (days since 1970, China).
    pub day: i32,
}

impl Visit {
    /// An outpatient who pays at the counter.
    pub fn at_counter(day: i32) -> Visit {
        Visit { business: Business::Outpatient, terminal: Terminal::Counter, day }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Purpose {
    /// `insurance`: the payer's when it was held (310, 390), 0 for none.
    Order {
        order: OrderId,
        area: AreaCode,
        bill: Bill,
        visit: Visit,
        insurance: u16,
    },
    Premium {
        insured: HolderId,
        area: AreaCode,
        year: u16,
    },
}

impl Purpose {
    pub fn payee(&self) -> Payee {
        match *self {
            Purpose::Order { order, .. } => Payee::Institution(order.institution),
            Purpose::Premium { area, year, .. } => Payee::Premium { area, year },
        }
    }
}

/// Who is paid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payee {
    Institution(InstitutionId),
    /// The fund that takes an area's premiums of a year.
    Premium {
        area: AreaCode,
        year: u16,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    Held,
    PartlyCaptured,
    Captured,
    Voided,
    Expired,
    Reversed,
    /// A premium that the insured person's side did not accept.
    Refused,
}

impl PaymentState {
    pub const ALL: [PaymentState; 7] = [
        PaymentState::Held,
        PaymentState::PartlyCaptured,
        PaymentState::Captured,
        PaymentState::Voided,
        PaymentState::Expired,
        PaymentState::Reversed,
        PaymentState::Refused,
    ];

    /// The published table: where a payment may go from here. A refund leaves the state `Captured`; a full reversal ends in `Reversed`.
    pub fn next(self) -> &'static [PaymentState] {
        use PaymentState::*;
        match self {
            Held => &[PartlyCaptured, Captured, Voided, Expired, Reversed, Refused],
            PartlyCaptured => &[PartlyCaptured, Captured, Reversed],
            Captured => &[Captured, Reversed],
            Voided | Expired | Reversed | Refused => &[],
        }
    }
}

/// One lot of a payment, in the order of use. Always refunded ≤ captured and captured + released ≤ lot.amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Slice {
    pub purse: Purse,
    pub lot: Lot,
    pub captured: Fen,
    pub released: Fen,
    pub refunded: Fen,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Payment {
    pub id: PaymentId,
    pub holder: HolderId,
    /// Who confirmed it: the holder, or an agent.
    pub by: HolderId,
    /// The payment code it used, if one.
    pub code: Option<CodeId>,
    pub purpose: Purpose,
    pub slices: Vec<Slice>,
    pub state: PaymentState,
    pub held_at: i64,
    pub expires: i64,
    pub rule: u32,
    /// Why the insured person's side refused a premium.
    pub refusal: Option<Reason>,
    /// (ms, amount) of each capture and refund.
    pub captures: Vec<(i64, Fen)>,
    pub refunds: Vec<(i64, Fen)>,
}

impl Payment {
    pub fn is_open(&self) -> bool {
        matches!(self.state, PaymentState::Held | PaymentState::PartlyCaptured)
    }

    pub fn amount(&self) -> Fen {
        self.slices.iter().map(|slice| slice.lot.amount).sum()
    }

    pub fn captured(&self) -> Fen {
        self.slices.iter().map(|slice| slice.captured).sum()
    }

    pub fn refunded(&self) -> Fen {
        self.slices.iter().map(|slice| slice.refunded).sum()
    }

    /// Still held: neither captured nor released.
    pub fn remaining(&self) -> Fen {
        self.slices.iter().map(|slice| slice.lot.amount - slice.captured - slice.released).sum()
    }

    /// The slices that capturing `amount` takes, in the order of use.
    pub fn next_captured(&self, amount: Fen) -> Vec<(usize, Fen)> {
        take(self.slices.iter().map(|slice| slice.lot.amount - slice.captured - slice.released).enumerate(), amount)
    }

    /// The slices that refunding `amount` gives back, in reverse order of use.
    pub fn next_refunded(&self, amount: Fen) -> Vec<(usize, Fen)> {
        if planted("refund-in-order-of-use") {
            return take(self.slices.iter().map(|slice| slice.captured - slice.refunded).enumerate(), amount);
        }
        take(self.slices.iter().map(|slice| slice.captured - slice.refunded).enumerate().rev(), amount)
    }

    /// The lots of some slices with the amounts given.
    pub fn lots_of(&self, parts: &[(usize, Fen)]) -> Vec<(Purse, Lot)> {
        parts.iter().map(|(at, amount)| (self.slices[*at].purse, Lot { amount: *amount, ..self.slices[*at].lot })).collect()
    }
}

fn take(available: impl Iterator<Item = (usize, Fen)>, amount: Fen) -> Vec<(usize, Fen)> {
    let mut left = amount;
    let mut parts = Vec::new();
    for (at, rest) in available {
        let part = rest.min(left);
        if part.is_positive() {
            parts.push((at, part));
            left -= part;
        }
    }
    assert!(left.is_zero(), "a payment gives no more than it has");
    parts
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum OrderState {
    /// Asked the payer's partition; no answer yet.
    Placed,
    Held {
        personal: Fen,
        wallet: Fen,
    },
    Refused(Vec<Reason>),
    /// Reversed before the payment arrived: it can never be held.
    ReversedBefore,
    /// Reversed after it was held.
    Reversed,
    /// Reversed before the payer's partition had answered, whatever it answers: nobody was told that it is held.
    ReversedUnheard,
}

/// An institution's order, recorded in the institution's partition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Order {
    pub id: OrderId,
    /// The institution's own number.
    pub number: String,
    pub payment: PaymentId,
    /// Digest of bill and payer: the same number with another is refused.
    pub fingerprint: [u8; 16],
    pub placed_at: i64,
    pub bill: Bill,
    /// Unknown of an order that was reversed before it came.
    pub visit: Option<Visit>,
    pub state: OrderState,
    /// Previous order line of the institution.
    pub previous: u64,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Till {
    /// Number of the institution's last order line.
    pub last_line: u64,
}

/// A premium paid for an insured person and year.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Claim {
    pub insured: HolderId,
    pub year: u16,
    pub area: AreaCode,
    pub amount: Fen,
    pub payer: HolderId,
    pub payment: PaymentId,
    pub at: i64,
}

/// The recorded answer to a request; never expires.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// First half of the digest of the request's body.
    pub fingerprint: [u8; 16],
    pub seq: u64,
    pub outcome: Outcome,
}

/// A message on its way from one partition to another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    pub from: Part,
    pub to: Part,
    /// Gapless from 1 for each pair.
    pub number: u64,
    pub message: Message,
}

/// What happened to a payment, as its payee sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakingKind {
    Held,
    Captured,
    /// Went back to the payer without having been captured.
    Released,
    Refunded,
}

/// One line of a payee's account (收款明细), in the payer's partition: institutions reconcile by it, and clearing is a sum of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Taking {
    /// Gapless from 1 in each partition.
    pub number: u64,
    pub payee: Payee,
    /// The payee's taking before; 0 for none.
    pub previous: u64,
    pub at: i64,
    /// Journal record that holds it.
    pub seq: u64,
    pub kind: TakingKind,
    /// The payment's state after it.
    pub state: PaymentState,
    pub payment: PaymentId,
    pub holder: HolderId,
    pub purpose: Purpose,
    /// What moved, with the origin of each fen; never empty.
    pub lots: Vec<Lot>,
}

impl Taking {
    pub fn amount(&self) -> Fen {
        gongji_ledger::total(&self.lots)
    }
}

/// Who a statement line is about besides the holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Counterparty {
    None,
    Holder(HolderId),
    Institution(InstitutionId),
    Area(AreaCode),
}

/// What happened, on a statement line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineCode {
    Contribution,
    TransferOut,
    TransferIn,
    TransferBack,
    PaymentHold,
    PaymentRelease,
    PaymentRefund,
    PremiumHold,
    PremiumRelease,
    /// An unused quota left the receiver's wallet.
    QuotaReturned,
    /// Money came back to the contributor's personal account.
    CameBack,
}

/// One line of a person's statement. Amounts are signed fen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Line {
    pub number: u64,
    pub holder: HolderId,
    /// The person's line before; 0 for none.
    pub previous: u64,
    pub at: i64,
    /// Journal record that holds the posting.
    pub seq: u64,
    pub code: LineCode,
    pub purse: Purse,
    pub amount: Fen,
    pub wallet_after: Fen,
    pub personal_after: Fen,
    pub other: Counterparty,
    /// Transfer or payment it belongs to; zero for none.
    pub reference: [u8; 16],
    pub lots: Vec<Lot>,
}

#[cfg(test)]
mod tests;
