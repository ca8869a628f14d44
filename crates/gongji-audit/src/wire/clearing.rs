//! Clearing periods, as the journal has them.

use super::{AreaCode, Day, Fen};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct PeriodTotals {
    pub lines: u64,
    pub captured: Fen,
    pub premiums: Fen,
    pub refunded: Fen,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Mark {
    pub period: u32,
    pub takings: u64,
    pub at: i64,
    pub totals: PeriodTotals,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    pub last: Option<Mark>,
    pub open: PeriodTotals,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LineId {
    pub part: u16,
    pub taking: u64,
    pub lot: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Share {
    pub id: LineId,
    pub debtor: AreaCode,
    pub creditor: AreaCode,
    pub amount: Fen,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum PeriodState {
    Open,
    Cutting,
    Cut,
    Stated,
    Released,
    Noticed,
    Funded,
    Closed,
}

impl PeriodState {
    pub fn name(self) -> &'static str {
        match self {
            PeriodState::Open => "open",
            PeriodState::Cutting => "cutting",
            PeriodState::Cut => "cut",
            PeriodState::Stated => "stated",
            PeriodState::Released => "released",
            PeriodState::Noticed => "noticed",
            PeriodState::Funded => "funded",
            PeriodState::Closed => "closed",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Statement {
    pub root: [u8; 32],
    pub lines: u64,
    pub amount: Fen,
    pub nets: Vec<(AreaCode, Fen)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Due {
    pub from: AreaCode,
    pub to: AreaCode,
    pub amount: Fen,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Dispute {
    pub share: Share,
    pub side: AreaCode,
    pub reason: String,
    pub by: String,
    pub at: i64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Receipt {
    pub reference: String,
    pub from: AreaCode,
    pub to: AreaCode,
    pub amount: Fen,
    pub day: Day,
    pub by: String,
    pub at: i64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Step {
    pub state: PeriodState,
    pub at: i64,
    pub by: String,
    pub checker: Option<String>,
}

/// A period as the books have it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Period {
    pub period: u32,
    pub state: PeriodState,
    pub parts: u16,
    pub marks: Vec<(u16, Mark)>,
    pub steps: Vec<Step>,
    pub stated: Option<Statement>,
    pub carried: Vec<Share>,
    pub confirmed: Vec<(AreaCode, String, i64)>,
    pub disputes: Vec<Dispute>,
    pub released: Option<Statement>,
    pub dues: Vec<Due>,
    pub receipts: Vec<Receipt>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum PeriodChange {
    Cutting { by: String, parts: u16 },
    Marked { part: u16, mark: Mark },
    Stated { statement: Statement, carried: Vec<Share>, by: String },
    Confirmed { side: AreaCode, by: String },
    Disputed { share: Share, side: AreaCode, reason: String, by: String },
    Agreed { line: LineId, by: String },
    Released { statement: Statement, dues: Vec<Due>, maker: String, checker: String },
    Noticed { by: String },
    Received { reference: String, from: AreaCode, to: AreaCode, amount: Fen, day: Day, by: String },
    Funded { maker: String, checker: String },
    Closed { by: String },
}

/// Why a step of a period was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Refusal {
    PeriodUnknown,
    PeriodNotOver { ends_at: i64 },
    PeriodOrder { next: u32 },
    PeriodState { state: PeriodState },
    PeriodWaits { before: u32 },
    StatementDiffers,
    SideUnknown,
    SideConfirmed,
    SidesSilent { count: u16 },
    LineUnknown,
    LineDisputed,
    LineNotDisputed,
    ReceiptUnknown,
    ReceiptRepeated,
    ReceiptTooLarge { max: Fen },
    FundsMissing { missing: Fen },
    TextMissing,
}
