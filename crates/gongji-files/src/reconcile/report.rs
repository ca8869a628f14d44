//! What came out of a reconciliation, as plain values: kept, shown, downloaded.

use super::breaks::BreakKind;
use super::listing::{Direction, Line, Listing, Scope, Totals};
use super::matching::{Break, Reconciled};
use super::writing::{Encoding, TextTable};
use gongji_ledger::Fen;
use gongji_wallet::day::Day;
use serde::{Deserialize, Serialize};

/// Lines of one side that are told of one break; an inpatient stay has some dozens.
pub const LINES_TOLD_MAX: usize = 20;

/// Totals, counts and breaks of one reconciliation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub theirs: Totals,
    pub ours: Totals,
    pub matched: u64,
    /// Lines of their file of which the wallet paid nothing; left out.
    pub unpaid: u64,
    /// How often each kind was found, in the order of [`BreakKind::ALL`]; kinds not found are left out.
    pub counts: Vec<(BreakKind, u64)>,
    pub breaks: Vec<BreakRow>,
    /// Breaks counted above that are more than were asked for.
    pub left_out: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakRow {
    pub kind: BreakKind,
    /// What the institution lists more than we do (own share); negative where it lists less.
    pub difference: Fen,
    pub cause_zh: String,
    pub theirs: Vec<LineRow>,
    pub ours: Vec<LineRow>,
}

/// As [`Line`], kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRow {
    pub row: u32,
    pub order_no: String,
    pub settlement: String,
    pub person: String,
    pub is_refund: bool,
    pub day: Option<Day>,
    pub own: Fen,
    pub total: Option<Fen>,
    pub fund: Option<Fen>,
}

impl Report {
    /// With the first `breaks_max` breaks in words.
    pub fn new(scope: &Scope, theirs: &Listing, ours: &Listing, found: &Reconciled, unpaid: u64, breaks_max: usize) -> Report {
        let counts = BreakKind::ALL.into_iter().map(|kind| (kind, found.count(kind))).filter(|(_, count)| *count > 0).collect();
        let row = |one: &Break| {
            let their_lines: Vec<Line> = found.theirs_of(one).iter().map(|at| theirs.get(*at)).collect();
            let our_lines: Vec<Line> = found.ours_of(one).iter().map(|at| ours.get(*at)).collect();
            let told = |lines: &[Line]| lines.iter().take(LINES_TOLD_MAX).map(LineRow::from).collect();
            BreakRow {
                kind: one.kind,
                difference: one.difference,
                cause_zh: one.kind.tell(scope, &their_lines, &our_lines).cause_zh,
                theirs: told(&their_lines),
                ours: told(&our_lines),
            }
        };
        Report {
            theirs: found.theirs,
            ours: found.ours,
            matched: found.matched,
            unpaid,
            counts,
            breaks: found.breaks.iter().take(breaks_max).map(row).collect(),
            left_out: found.breaks.len().saturating_sub(breaks_max) as u64,
        }
    }

    pub fn break_count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Breaks that somebody has to put right.
    pub fn open_count(&self) -> u64 {
        self.counts.iter().filter(|(kind, _)| !kind.is_note()).map(|(_, count)| count).sum()
    }

    /// Their own share less ours.
    pub fn difference(&self) -> Fen {
        self.theirs.own - self.ours.own
    }

    /// The breaks as a file for people.
    pub fn breaks_file(&self, encoding: Encoding) -> Vec<u8> {
        let header = [
            "差异代码",
            "差异",
            "机构比平台多(元)",
            "机构文件行",
            "机构单号",
            "平台单号",
            "结算号",
            "人员编号",
            "机构金额(元)",
            "平台金额(元)",
            "可能的原因",
            "建议代码",
            "建议",
        ];
        let mut table = TextTable::new(&header, encoding);
        for found in &self.breaks {
            let joined = |lines: &[LineRow], of: &dyn Fn(&LineRow) -> String| lines.iter().map(of).collect::<Vec<_>>().join(" ");
            let either = |of: &dyn Fn(&LineRow) -> String| found.ours.first().or(found.theirs.first()).map(of).unwrap_or_default();
            let proposal = found.kind.proposal();
            table.row(&[
                found.kind.code().to_owned(),
                found.kind.title().to_owned(),
                found.difference.to_string(),
                joined(&found.theirs, &|line| line.row.to_string()),
                found.theirs.first().map(|line| line.order_no.clone()).unwrap_or_default(),
                found.ours.first().map(|line| line.order_no.clone()).unwrap_or_default(),
                either(&|line| line.settlement.clone()),
                either(&|line| line.person.clone()),
                joined(&found.theirs, &|line| line.own.to_string()),
                joined(&found.ours, &|line| line.own.to_string()),
                found.cause_zh.clone(),
                proposal.code().to_owned(),
                proposal.sentence().to_owned(),
            ]);
        }
        table.finish()
    }
}

impl From<&Line<'_>> for LineRow {
    fn from(line: &Line) -> LineRow {
        LineRow {
            row: line.row,
            order_no: line.order_no.to_owned(),
            settlement: line.settlement.to_owned(),
            person: line.person.to_owned(),
            is_refund: line.direction == Direction::Refund,
            day: line.day,
            own: line.own,
            total: line.total,
            fund: line.fund,
        }
    }
}
