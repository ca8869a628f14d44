//! Clearing between pooling areas (清算): what a month of payments comes to, and how a country agrees on it.
//!
//! A period is a month. It is cut by the directory, which tells every partition; each partition marks the number of its last taking in the record in
//! which it hears of it. A taking belongs to the first period whose mark is not below its number: to exactly one, whatever was late. Clearing is
//! then a sum over takings, never a sweep over payments.
//!
//! | line of | debtor (owes) | creditor (is owed) | amount |
//! | --- | --- | --- | --- |
//! | captured payment × lot | the lot's origin area | the institution's area | + |
//! | refund × lot | the lot's origin area | the institution's area | − |
//! | premium × lot | the lot's origin area | the area that takes the premium | + |
//!
//! Lines of one area with itself are told and net to nothing. A refund of an earlier month is a negative line of the month in which it happens.

mod deciding;
mod refusal;

pub use deciding::ClearingCommand;
pub(crate) use deciding::{mark, mark_arrived, run};
pub use refusal::Refusal;

use crate::day::{Day, date_of, day_from_date, day_of};
use crate::object::{Purpose, Taking, TakingKind};
use gongji_ledger::{AreaCode, Fen, Part};
use serde::{Deserialize, Serialize};

/// Lines of one period that may be disputed at once: what is more than a mistake here and there is not settled line by line.
pub const DISPUTES_MAX: usize = 10_000;

/// Bank receipts of one period.
pub const RECEIPTS_MAX: usize = 10_000;

/// Characters of a dispute's reason, of a bank's reference and of an operator's name.
pub const TEXT_MAX: usize = 200;

/// A month as yyyymm.
pub type Month = u32;

/// The month of a business day.
pub fn month_of(day: Day) -> Month {
    let (year, month, _) = date_of(day);
    u32::try_from(i32::from(year) * 100 + i32::from(month)).expect("business days lie after the year 0")
}

/// The month after.
pub fn next_month(month: Month) -> Month {
    if month % 100 == 12 { month + 89 } else { month + 1 }
}

/// The month before.
pub fn month_before(month: Month) -> Month {
    if month % 100 == 1 { month - 89 } else { month - 1 }
}

/// First business day of a month; `None` where there is no such month.
pub fn first_day(month: Month) -> Option<Day> {
    let year = i16::try_from(month / 100).ok().filter(|year| (2000..=9999).contains(year))?;
    day_from_date(year, i8::try_from(month % 100).ok()?, 1)
}

/// What the takings of a partition come to that clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PeriodTotals {
    /// Takings × their lots.
    pub lines: u64,
    /// Captured for institutions.
    pub captured: Fen,
    pub premiums: Fen,
    pub refunded: Fen,
}

impl PeriodTotals {
    /// What all lines come to: what was captured less what was refunded.
    pub fn amount(&self) -> Fen {
        self.captured + self.premiums - self.refunded
    }

    pub fn add(&mut self, other: &PeriodTotals) {
        self.lines += other.lines;
        self.captured += other.captured;
        self.premiums += other.premiums;
        self.refunded += other.refunded;
    }

    pub(crate) fn count(&mut self, taking: &Taking) {
        let sum = match (taking.kind, &taking.purpose) {
            (TakingKind::Captured, Purpose::Order { .. }) => &mut self.captured,
            (TakingKind::Captured, Purpose::Premium { .. }) => &mut self.premiums,
            (TakingKind::Refunded, _) => &mut self.refunded,
            (TakingKind::Held | TakingKind::Released, _) => return,
        };
        *sum += taking.amount();
        self.lines += taking.lots.len() as u64;
    }
}

/// Where a partition's takings of a period end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    pub period: Month,
    /// Number of the last taking of the period, or of an earlier one.
    pub takings: u64,
    pub at: i64,
    /// Of the takings since the mark before.
    pub totals: PeriodTotals,
}

/// A partition's last mark, and what has come since.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    pub last: Option<Mark>,
    pub open: PeriodTotals,
}

/// A line: one lot of one taking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LineId {
    pub part: Part,
    pub taking: u64,
    /// Place of the lot within the taking, from 0.
    pub lot: u16,
}

/// Who owes what to whom by a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Share {
    pub id: LineId,
    pub debtor: AreaCode,
    pub creditor: AreaCode,
    /// Below zero for a refund.
    pub amount: Fen,
}

/// The lines of a taking; none where it only holds or releases.
pub fn shares(part: Part, taking: &Taking) -> impl Iterator<Item = Share> {
    let sign = match taking.kind {
        TakingKind::Captured => Some(false),
        TakingKind::Refunded => Some(true),
        TakingKind::Held | TakingKind::Released => None,
    };
    let creditor = match taking.purpose {
        Purpose::Order { area, .. } | Purpose::Premium { area, .. } => area,
    };
    let lots = taking.lots.iter().zip(0..).filter_map(move |(lot, at)| sign.map(|is_refund| (lot, at, is_refund)));
    lots.map(move |(lot, at, is_refund)| Share {
        id: LineId { part, taking: taking.number, lot: at },
        debtor: lot.origin.area,
        creditor,
        amount: if is_refund { -lot.amount } else { lot.amount },
    })
}

/// How far a period has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodState {
    /// Payments of the month go on; there is no object yet.
    Open,
    /// The partitions are being told.
    Cutting,
    /// Every partition has its mark: what belongs to the period is fixed for ever.
    Cut,
    /// Its statement is out; each province confirms it, or disputes lines.
    Stated,
    /// Two persons have released it without the lines in dispute, which go into the next one.
    Released,
    /// Notices to pay and to collect are out; receipts come in.
    Noticed,
    /// Two persons have confirmed that all money has arrived.
    Funded,
    Closed,
}

impl PeriodState {
    pub const ALL: [PeriodState; 8] = [
        PeriodState::Open,
        PeriodState::Cutting,
        PeriodState::Cut,
        PeriodState::Stated,
        PeriodState::Released,
        PeriodState::Noticed,
        PeriodState::Funded,
        PeriodState::Closed,
    ];

    /// The published table: where a period may go from here.
    pub fn next(self) -> &'static [PeriodState] {
        use PeriodState::*;
        match self {
            Open => &[Cutting],
            Cutting => &[Cut],
            Cut => &[Stated],
            Stated => &[Released],
            Released => &[Noticed],
            Noticed => &[Funded],
            Funded => &[Closed],
            Closed => &[],
        }
    }

    pub fn zh(self) -> &'static str {
        match self {
            PeriodState::Open => "未切账",
            PeriodState::Cutting => "切账中",
            PeriodState::Cut => "已切账",
            PeriodState::Stated => "已出结算单,等各省确认",
            PeriodState::Released => "已复核放行",
            PeriodState::Noticed => "已发通知书,等到账",
            PeriodState::Funded => "资金已到齐",
            PeriodState::Closed => "已关账",
        }
    }
}

/// What a statement says of all its lines. The lines themselves follow from the marks and the disputes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// Merkle root over all lines (docs/clearing/file.md).
    pub root: [u8; 32],
    pub lines: u64,
    /// Of all lines, those of one area with itself included.
    pub amount: Fen,
    /// Each province that has lines: what it gets; below zero, what it pays. The sum is zero.
    pub nets: Vec<(AreaCode, Fen)>,
}

/// What one province pays to another, netted over both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Due {
    pub from: AreaCode,
    pub to: AreaCode,
    pub amount: Fen,
}

/// A line that a province does not agree with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dispute {
    pub share: Share,
    /// The province that disputes it.
    pub side: AreaCode,
    pub reason: String,
    pub by: String,
    pub at: i64,
}

/// Money of a notice that has arrived.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The bank's number: a receipt counts once.
    pub reference: String,
    pub from: AreaCode,
    pub to: AreaCode,
    pub amount: Fen,
    /// Business day on which it arrived.
    pub day: Day,
    pub by: String,
    pub at: i64,
}

/// Who brought a period into a state; the second name where two persons must.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    pub state: PeriodState,
    pub at: i64,
    pub by: String,
    pub checker: Option<String>,
}

/// A month's clearing, from its cut on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Period {
    pub period: Month,
    pub state: PeriodState,
    /// How many partitions have to mark it.
    pub parts: Part,
    pub marks: Vec<(Part, Mark)>,
    pub steps: Vec<Step>,
    /// As it went out to the provinces.
    pub stated: Option<Statement>,
    /// Lines that the period before left in dispute: they are this one's as well.
    pub carried: Vec<Share>,
    /// Provinces that agree, all lines that they did not dispute.
    pub confirmed: Vec<(AreaCode, String, i64)>,
    pub disputes: Vec<Dispute>,
    /// Without the lines in dispute.
    pub released: Option<Statement>,
    pub dues: Vec<Due>,
    pub receipts: Vec<Receipt>,
}

impl Period {
    /// What the marks come to.
    pub fn totals(&self) -> PeriodTotals {
        let mut totals = PeriodTotals::default();
        self.marks.iter().for_each(|(_, mark)| totals.add(&mark.totals));
        totals
    }

    /// Lines and amount that its statement must have: what is marked and carried over, less what is held out.
    pub fn expected(&self, without_disputes: bool) -> (u64, Fen) {
        let totals = self.totals();
        let carried: Fen = self.carried.iter().map(|share| share.amount).sum();
        let (mut lines, mut amount) = (totals.lines + self.carried.len() as u64, totals.amount() + carried);
        if without_disputes {
            lines -= self.disputes.len() as u64;
            amount -= self.disputes.iter().map(|dispute| dispute.share.amount).sum::<Fen>();
        }
        (lines, amount)
    }

    /// The statement in force: the released one, else the one that went out.
    pub fn statement(&self) -> Option<&Statement> {
        self.released.as_ref().or(self.stated.as_ref())
    }

    /// What has arrived of a due.
    pub fn received(&self, from: AreaCode, to: AreaCode) -> Fen {
        self.receipts.iter().filter(|receipt| (receipt.from, receipt.to) == (from, to)).map(|receipt| receipt.amount).sum()
    }

    /// Provinces that have neither confirmed nor can be left out.
    pub fn silent(&self) -> Vec<AreaCode> {
        let sides = self.stated.iter().flat_map(|statement| &statement.nets).map(|(side, _)| *side);
        sides.filter(|side| !self.confirmed.iter().any(|(known, ..)| known == side)).collect()
    }

    /// When it came into a state.
    pub fn since(&self, state: PeriodState) -> Option<i64> {
        self.steps.iter().find(|step| step.state == state).map(|step| step.at)
    }

    pub(crate) fn new(period: Month) -> Period {
        Period {
            period,
            state: PeriodState::Open,
            parts: 0,
            marks: Vec::new(),
            steps: Vec::new(),
            stated: None,
            carried: Vec::new(),
            confirmed: Vec::new(),
            disputes: Vec::new(),
            released: None,
            dues: Vec::new(),
            receipts: Vec::new(),
        }
    }

    fn step(&mut self, state: PeriodState, at: i64, by: &str, checker: Option<&str>) {
        assert!(self.state.next().contains(&state), "a period goes from {:?} to {state:?}", self.state);
        self.state = state;
        self.steps.push(Step { state, at, by: by.to_owned(), checker: checker.map(str::to_owned) });
    }

    /// `apply` of a change; never refuses.
    pub(crate) fn apply(&mut self, change: &PeriodChange, at: i64) {
        match change {
            PeriodChange::Cutting { by, parts } => {
                self.parts = *parts;
                self.step(PeriodState::Cutting, at, by, None);
            }
            PeriodChange::Marked { part, mark } => {
                assert!(!self.marks.iter().any(|(known, _)| known == part), "partition {part} marks a period once");
                self.marks.push((*part, *mark));
                if self.marks.len() == usize::from(self.parts) {
                    self.marks.sort_unstable_by_key(|(part, _)| *part);
                    self.step(PeriodState::Cut, at, "", None);
                }
            }
            PeriodChange::Stated { statement, carried, by } => {
                self.stated = Some(statement.clone());
                self.carried.clone_from(carried);
                self.step(PeriodState::Stated, at, by, None);
            }
            PeriodChange::Confirmed { side, by } => self.confirmed.push((*side, by.clone(), at)),
            PeriodChange::Disputed { share, side, reason, by } => {
                self.disputes.push(Dispute { share: *share, side: *side, reason: reason.clone(), by: by.clone(), at });
            }
            PeriodChange::Agreed { line, .. } => self.disputes.retain(|dispute| dispute.share.id != *line),
            PeriodChange::Released { statement, dues, maker, checker } => {
                self.released = Some(statement.clone());
                self.dues.clone_from(dues);
                self.step(PeriodState::Released, at, maker, Some(checker));
            }
            PeriodChange::Noticed { by } => self.step(PeriodState::Noticed, at, by, None),
            PeriodChange::Received { reference, from, to, amount, day, by } => {
                self.receipts.push(Receipt { reference: reference.clone(), from: *from, to: *to, amount: *amount, day: *day, by: by.clone(), at });
            }
            PeriodChange::Funded { maker, checker } => self.step(PeriodState::Funded, at, maker, Some(checker)),
            PeriodChange::Closed { by } => self.step(PeriodState::Closed, at, by, None),
        }
    }
}

/// What happens to a period, in the directory's journal. Variants are only ever added, at the end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum PeriodChange {
    Cutting {
        by: String,
        parts: Part,
    },
    Marked {
        part: Part,
        mark: Mark,
    },
    Stated {
        statement: Statement,
        carried: Vec<Share>,
        by: String,
    },
    Confirmed {
        side: AreaCode,
        by: String,
    },
    Disputed {
        share: Share,
        side: AreaCode,
        reason: String,
        by: String,
    },
    /// The dispute is over: the line stands.
    Agreed {
        line: LineId,
        by: String,
    },
    Released {
        statement: Statement,
        dues: Vec<Due>,
        maker: String,
        checker: String,
    },
    Noticed {
        by: String,
    },
    Received {
        reference: String,
        from: AreaCode,
        to: AreaCode,
        amount: Fen,
        day: Day,
        by: String,
    },
    Funded {
        maker: String,
        checker: String,
    },
    Closed {
        by: String,
    },
}

/// Whether a month is over at an instant.
pub(crate) fn is_over(month: Month, stamp: i64) -> bool {
    month_of(day_of(stamp)) > month
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
