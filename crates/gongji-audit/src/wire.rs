//! The journal's payload as it stands on disk: a mirror of the format, written from `docs/journal-format.md` and from nothing else.
//!
//! postcard names no fields: the order of fields and of variants *is* the format. Variants are only ever added at the end.

mod clearing;
mod offices;

pub use clearing::*;
pub use offices::{Action, DeclineReason, Deed, LookReason, Operator, Role, Verdict, Way};
use serde::{Deserialize, Serialize};

/// A transfer, payment, payment code or request key: sixteen bytes without a length.
pub type Id = [u8; 16];

/// A person: partition in the top 16 bits, serial number below; serial 0 is nobody.
pub type HolderId = u64;

/// A region (pooling area), six digits.
pub type AreaCode = u32;

/// An institution's code: eleven digits, plus 100 000 000 000 for a pharmacy.
pub type InstitutionId = u64;

/// Money in fen.
pub type Fen = i64;

/// A business day counted from 1970-01-01 in China.
pub type Day = i32;

/// An operator of the offices; 0 is the command line.
pub type OperatorId = u32;

/// The partition that a person lives in.
pub fn part_of(holder: HolderId) -> u16 {
    (holder >> 48) as u16
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Event<'a> {
    #[serde(borrow)]
    pub fact: Fact<'a>,
    pub moves: Vec<Move>,
}

/// A posting: lots leave one account and enter another.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Move {
    pub from: Account,
    pub to: Account,
    pub lots: Vec<Lot>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Fact<'a> {
    Answered {
        key: Id,
        fingerprint: [u8; 16],
        outcome: Outcome,
    },
    Sent {
        to: u16,
        number: u64,
        message: Message,
    },
    Received {
        from: u16,
        number: u64,
    },
    DirectoryChanged(#[serde(borrow)] DirectoryChange<'a>),
    HolderCreated {
        holder: HolderId,
    },
    EnrolmentSet {
        holder: HolderId,
        enrolment: Enrolment,
    },
    Died {
        holder: HolderId,
    },
    Contributed {
        holder: HolderId,
        area: AreaCode,
        month: u32,
    },
    WalletOpened {
        holder: HolderId,
        by: HolderId,
        place: AreaCode,
    },
    AgentSet {
        holder: HolderId,
        agent: HolderId,
        allowed: bool,
    },
    Frozen {
        holder: HolderId,
        reason: FreezeReason,
        maker: &'a str,
        checker: &'a str,
    },
    Unfrozen {
        holder: HolderId,
        maker: &'a str,
        checker: &'a str,
    },
    PlaceChanged {
        holder: HolderId,
        by: HolderId,
        from: AreaCode,
        to: AreaCode,
    },
    ProofUsed {
        holder: HolderId,
        proof: u64,
        expires: i64,
    },
    RelationConfirmed {
        holder: HolderId,
        other: HolderId,
        code: u8,
        declared_here: bool,
    },
    RelationEnded {
        holder: HolderId,
        other: HolderId,
        why: EndReason,
    },
    TransferSubmitted(Transfer),
    TransferArrived {
        transfer: Transfer,
        state: TransferState,
        reason: Option<Reason>,
    },
    TransferClosed {
        id: Id,
        sender: HolderId,
        receiver: HolderId,
        by: Option<HolderId>,
        state: TransferState,
    },
    TransferSettled {
        id: Id,
        sender: HolderId,
        receiver: HolderId,
        state: TransferState,
        counts: bool,
        reason: Option<Reason>,
    },
    LotsSentBack {
        holder: HolderId,
        contributor: HolderId,
    },
    LotsCameBack {
        contributor: HolderId,
        holder: HolderId,
    },
    CodeIssued(Code),
    OrderPlaced(#[serde(borrow)] Order<'a>),
    OrderDecided {
        order: OrderId,
        state: OrderState,
    },
    PaymentHeld(Payment),
    PaymentCaptured {
        payment: Id,
        holder: HolderId,
        amount: Fen,
        last: bool,
    },
    PaymentReleased {
        payment: Id,
        holder: HolderId,
        state: PaymentState,
    },
    PaymentRefunded {
        payment: Id,
        holder: HolderId,
        amount: Fen,
        state: PaymentState,
    },
    PremiumClaimed(Claim),
    PremiumRefused {
        payment: Id,
        reason: Reason,
    },
    TransferMade {
        id: Id,
        relation: u8,
        deadline: i64,
        rule: u32,
        proof: u64,
        proof_expires: i64,
        answered: Option<(Id, [u8; 16])>,
    },
    OperatorChanged {
        by: OperatorId,
        #[serde(borrow)]
        operator: Operator<'a>,
    },
    ApprovalProposed {
        id: Id,
        maker: OperatorId,
        #[serde(borrow)]
        action: Action<'a>,
        document: &'a str,
        expires: i64,
    },
    ApprovalDecided {
        id: Id,
        by: Option<OperatorId>,
        verdict: Verdict,
    },
    ApprovalFollowed {
        id: Id,
        refused: Vec<Reason>,
    },
    Acted {
        operator: OperatorId,
        #[serde(borrow)]
        deed: Deed<'a>,
    },
    CodeDecoded {
        code: Id,
        holder: HolderId,
        decoding: Decoding,
    },
    PeriodChanged {
        period: u32,
        change: PeriodChange,
    },
    PeriodMarked {
        mark: Mark,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Message {
    TransferSent(Transfer),
    TransferRecalled { id: Id, receiver: HolderId, sender: HolderId },
    TransferDecided { id: Id, sender: HolderId, receiver: HolderId, state: TransferState, lots: Vec<Lot>, reason: Option<Reason> },
    RelationEnded { holder: HolderId, other: HolderId, why: EndReason },
    LotsReturned { contributor: HolderId, holder: HolderId, lots: Vec<Lot> },
    HoldRequested(HoldRequest),
    OrderReversed { order: OrderId, payment: Id },
    HoldDecided { order: OrderId, state: OrderState },
    PremiumAsked(Claim),
    PremiumAnswered { payment: Id, payer: HolderId, refused: Option<Reason> },
    PeriodCut { period: u32 },
    PeriodMarked { mark: Mark },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct HoldRequest {
    pub order: OrderId,
    pub payment: Id,
    pub payer: Payer,
    pub area: AreaCode,
    pub bill: Bill,
    pub partial: bool,
    pub visit: Visit,
    pub quote: Option<Quote>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Quote {
    pub personal: Fen,
    pub wallet: Fen,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Payer {
    Code(Id),
    Holder { holder: HolderId, by: HolderId, first: PayFirst, proof: Proof },
}

/// The identity check behind a payment without a phone: who was checked, and the digest of what was shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Proof {
    pub id: u64,
    pub holder: HolderId,
    pub bound: [u8; 16],
    pub expires: i64,
}

/// The recorded answer to a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Outcome {
    Done,
    Refused(Vec<Reason>),
    Transfer { id: Id, state: TransferState, amount: Fen, deadline: i64, rule: u32, reason: Option<Reason> },
    Code { expires: i64 },
    Order { payment: Id, state: OrderState },
    Payment { payment: Id, state: PaymentState, captured: Fen, refunded: Fen, remaining: Fen },
    NothingToReverse,
    Premium { payment: Id, state: PaymentState, amount: Fen, reason: Option<Reason> },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    pub area: AreaCode,
    pub insurance: u16,
    pub status: EnrolmentStatus,
    pub from: Day,
    pub pooled_only: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Transfer {
    pub id: Id,
    pub sender: HolderId,
    pub receiver: HolderId,
    pub relation: u8,
    pub source: Purse,
    pub kind: GrantKind,
    pub lots: Vec<Lot>,
    pub sent_at: i64,
    pub deadline: i64,
    pub rule: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Code {
    pub id: Id,
    pub holder: HolderId,
    pub by: HolderId,
    pub first: PayFirst,
    pub expires: i64,
    pub used: Option<Id>,
}

/// Who has read a code.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Decoding {
    pub institution: InstitutionId,
    pub business: Option<Business>,
    pub until: i64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Bill {
    pub total: Fen,
    pub fund: Fen,
    pub own: Fen,
    pub institution: Fen,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Business {
    Outpatient,
    Inpatient,
    Pharmacy,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Terminal {
    Counter,
    Kiosk,
    Mobile,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Visit {
    pub business: Business,
    pub terminal: Terminal,
    pub day: i32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Purpose {
    Order { order: OrderId, area: AreaCode, bill: Bill, visit: Visit, insurance: u16 },
    Premium { insured: HolderId, area: AreaCode, year: u16 },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Payee {
    Institution(u64),
    Premium { area: AreaCode, year: u16 },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum TakingKind {
    Held,
    Captured,
    Released,
    Refunded,
}

/// What stands in the books in this format, read as the auditor's own shape of the same bytes.
///
/// # Panics
/// The auditor has no such shape.
pub fn same<T: serde::de::DeserializeOwned>(value: &impl Serialize) -> T {
    let bytes = postcard::to_stdvec(value).expect("what the books hold is encodable");
    postcard::from_bytes(&bytes).expect("the auditor knows every shape of the books")
}

/// A line of a payee's account, as the books have it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Taking {
    pub number: u64,
    pub payee: Payee,
    pub previous: u64,
    pub at: i64,
    pub seq: u64,
    pub kind: TakingKind,
    pub state: PaymentState,
    pub payment: Id,
    pub holder: HolderId,
    pub purpose: Purpose,
    pub lots: Vec<Lot>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Payment {
    pub id: Id,
    pub holder: HolderId,
    pub by: HolderId,
    pub code: Option<Id>,
    pub purpose: Purpose,
    pub slices: Vec<Slice>,
    pub state: PaymentState,
    pub held_at: i64,
    pub expires: i64,
    pub rule: u32,
    pub refusal: Option<Reason>,
    pub captures: Vec<(i64, Fen)>,
    pub refunds: Vec<(i64, Fen)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum OrderState {
    Placed,
    Held { personal: Fen, wallet: Fen },
    Refused(Vec<Reason>),
    ReversedBefore,
    Reversed,
    ReversedUnheard,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Order<'a> {
    pub id: OrderId,
    pub number: &'a str,
    pub payment: Id,
    pub fingerprint: [u8; 16],
    pub placed_at: i64,
    pub bill: Bill,
    pub visit: Option<Visit>,
    pub state: OrderState,
    pub previous: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Claim {
    pub insured: HolderId,
    pub year: u16,
    pub area: AreaCode,
    pub amount: Fen,
    pub payer: HolderId,
    pub payment: Id,
    pub at: i64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum DirectoryChange<'a> {
    Region(#[serde(borrow)] Region<'a>),
    Opening { area: AreaCode, from: Day, open: bool },
    Institution(#[serde(borrow)] Institution<'a>),
    Premium(#[serde(borrow)] Premium<'a>),
    Rules(RuleChange),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Region<'a> {
    pub code: AreaCode,
    pub name: &'a str,
    pub province_code: AreaCode,
    pub province: &'a str,
    pub level: RegionLevel,
    pub openings: Vec<(Day, bool)>,
    pub change_of_use: bool,
    pub coverage: Coverage,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Institution<'a> {
    pub id: InstitutionId,
    pub name: &'a str,
    pub area: AreaCode,
    pub is_pharmacy: bool,
    pub level: &'a str,
    pub address: &'a str,
    pub district: &'a str,
    pub readiness: Readiness,
    pub counter: bool,
    pub kiosk: bool,
    pub mobile: bool,
    pub position: Option<(i32, i32)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Premium<'a> {
    pub area: AreaCode,
    pub year: u16,
    pub amount: Fen,
    pub opens: Day,
    pub closes: Day,
    pub relatives: bool,
    pub instructions: &'a str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RuleChange {
    pub version: u32,
    pub scope: Scope,
    pub from: Day,
    pub settings: Vec<Setting>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Scope {
    Nation,
    Province(AreaCode),
    Area(AreaCode),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Setting {
    DailyCountMax(u16),
    TransferMin(Fen),
    TransferMax(Fen),
    DailyTotalMax(Option<Fen>),
    ClosedHours { from: u16, to: u16 },
    ReturnAt(u16),
    OneAtATime(bool),
    ReturnedCounts(bool),
    Kind(GrantKind),
    PlaceCooldownDays(u16),
    CodeMs(i64),
    HoldMs(i64),
    MutualAidInside(bool),
    InpatientHoldMs(i64),
    DecodedMs(i64),
}

/// Where money stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Account {
    Personal { holder: HolderId, area: AreaCode },
    Wallet { holder: HolderId },
    Held { holder: HolderId },
    Awaiting { holder: HolderId },
    Payable { institution: InstitutionId },
    Premium { area: AreaCode, year: u16 },
    Fund { area: AreaCode },
    Unclaimed { area: AreaCode },
    Transit { part: u16 },
}

/// Whose personal account a fen came from, in which region, on what terms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Origin {
    pub contributor: HolderId,
    pub area: AreaCode,
    pub kind: GrantKind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Lot {
    pub origin: Origin,
    pub since: i64,
    pub amount: Fen,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OrderId {
    pub institution: InstitutionId,
    pub number: [u8; 16],
}

/// A payment's use of one lot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Slice {
    pub purse: Purse,
    pub lot: Lot,
    pub captured: Fen,
    pub released: Fen,
    pub refunded: Fen,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum GrantKind {
    Own,
    Transfer,
    Quota,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Purse {
    Personal { area: AreaCode },
    Wallet,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum PayFirst {
    Personal,
    Wallet,
    WalletOnly,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EnrolmentStatus {
    Normal,
    Paused,
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum FreezeReason {
    CourtOrder,
    Investigation,
    LostCredentials,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EndReason {
    ByPerson,
    InsuranceChanged,
    Death,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum TransferState {
    Submitted,
    AwaitingRecipient,
    Credited,
    Declined,
    Cancelled,
    Returned,
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum PaymentState {
    Held,
    PartlyCaptured,
    Captured,
    Voided,
    Expired,
    Reversed,
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum RegionLevel {
    Province,
    Prefecture,
    County,
    ProvincialDirect,
    Division,
    Enterprise,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Coverage {
    Area,
    Full,
    Partial,
    Unlisted,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Readiness {
    Ready,
    Quiet,
    Off,
}

/// Why something was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Reason {
    ProofMissing,
    ProofExpired,
    ProofUsed,
    ProofMismatch,
    NotFound,
    NotYours,
    PersonDied,
    Frozen,
    NotInsured,
    InsuranceNotNormal,
    NotEmployee,
    PooledOnly,
    RegionClosed { area: AreaCode, opens_at: Option<i64> },
    WalletMissing,
    WalletExists,
    WalletFull,
    RelationRefused,
    RelationDiffers,
    ToSelf,
    AmountTooSmall { min: Fen },
    AmountTooLarge { max: Fen },
    InsufficientFunds { available: Fen },
    QuotaNotTransferable { available: Fen },
    ClosedHours { opens_at: i64 },
    DailyCount { max: u16, used: u16, resets_at: i64 },
    DailyTotal { max: Fen, used: Fen, resets_at: i64 },
    TransferPending,
    ReceiverUnavailable,
    ReceiverNotInsured,
    ReceiverRegionClosed,
    ReceiverFrozen,
    ReceiverFull,
    TransferFinal { state: TransferState },
    TransferOverdue,
    CodeUnknown,
    CodeExpired,
    CodeUsed,
    InstitutionUnknown,
    InstitutionNotReady,
    WrongPlace { place: AreaCode },
    BillUnbalanced,
    BillTooLarge { max: Fen },
    OrderConflict,
    OrderReversed,
    PaymentFinal { state: PaymentState },
    CaptureTooLarge { max: Fen },
    RefundTooLarge { max: Fen },
    TooManySteps,
    PremiumUnknown,
    PremiumNotOpen { opens_at: i64 },
    PremiumClosed,
    PremiumPaid,
    PremiumNotForRelatives,
    PremiumNotResident,
    NotRelated,
    PlaceSame,
    PlaceNotInsured,
    PlaceChangeNotOffered,
    PlaceCooldown { until: i64 },
    SomethingPending,
    RelationEnded,
    AlreadyFrozen,
    NotFrozen,
    SameOperator,
    DirectoryUnknown,
    VersionTaken,
    SettingRefused,
    TooMany { max: u16 },
    VisitDay { first: i32, last: i32 },
    QuoteStale,
    NotAuthorised,
    ApprovalFinal,
    ApprovalStale,
    LoginTaken,
    NothingToChange,
    CodeElsewhere,
    Clearing(Refusal),
}

impl Account {
    /// The person whose money it is, if a person's.
    pub fn holder(self) -> Option<HolderId> {
        match self {
            Account::Personal { holder, .. } | Account::Wallet { holder } | Account::Held { holder } | Account::Awaiting { holder } => Some(holder),
            _ => None,
        }
    }

    /// The account a purse stands for.
    pub fn of_purse(holder: HolderId, purse: Purse) -> Account {
        match purse {
            Purse::Personal { area } => Account::Personal { holder, area },
            Purse::Wallet => Account::Wallet { holder },
        }
    }
}

impl TransferState {
    pub fn is_final(self) -> bool {
        !matches!(self, TransferState::Submitted | TransferState::AwaitingRecipient)
    }

    /// Whether the money goes back to where it came from.
    pub fn goes_back(self) -> bool {
        matches!(self, TransferState::Declined | TransferState::Cancelled | TransferState::Returned | TransferState::Refused)
    }

    /// The published table of transfers.
    pub fn may_become(self, next: TransferState) -> bool {
        use TransferState::*;
        match self {
            Submitted => matches!(next, AwaitingRecipient | Credited | Returned | Refused),
            AwaitingRecipient => matches!(next, Credited | Declined | Cancelled | Returned),
            Credited | Declined | Cancelled | Returned | Refused => false,
        }
    }

    pub fn name(self) -> &'static str {
        use TransferState::*;
        match self {
            Submitted => "submitted",
            AwaitingRecipient => "awaiting_recipient",
            Credited => "credited",
            Declined => "declined",
            Cancelled => "cancelled",
            Returned => "returned",
            Refused => "refused",
        }
    }
}

impl PaymentState {
    pub fn is_open(self) -> bool {
        matches!(self, PaymentState::Held | PaymentState::PartlyCaptured)
    }

    /// The published table of payments.
    pub fn may_become(self, next: PaymentState) -> bool {
        use PaymentState::*;
        match self {
            Held => matches!(next, PartlyCaptured | Captured | Voided | Expired | Reversed | Refused),
            PartlyCaptured => matches!(next, PartlyCaptured | Captured | Reversed),
            Captured => matches!(next, Captured | Reversed),
            Voided | Expired | Reversed | Refused => false,
        }
    }

    pub fn name(self) -> &'static str {
        use PaymentState::*;
        match self {
            Held => "held",
            PartlyCaptured => "partly_captured",
            Captured => "captured",
            Voided => "voided",
            Expired => "expired",
            Reversed => "reversed",
            Refused => "refused",
        }
    }
}
