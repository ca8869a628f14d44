//! Clearing: where each partition's periods end, what they come to between areas, and every step of a period.
//!
//! The sums are the auditor's own, of postings as it reads them; what the directory says is held to them.

use crate::auditor::Auditor;
use crate::finding::{At, FindingKind, Result, Subject, hex};
use crate::wire::{
    AreaCode, Counted, DirectoryChange, Dispute, Due, Mark, Move, Period, PeriodChange, PeriodState, PeriodTotals, Purpose, Receipt, Share, Statement, Step,
    TakingKind,
};
use std::collections::BTreeMap;

/// Lines between two areas, by the sign of their amounts (fen).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PairSum {
    pub lines: u64,
    pub paid: i128,
    pub refunded: i128,
}

/// (debtor, creditor): who owes to whom.
pub type Pairs = BTreeMap<(AreaCode, AreaCode), PairSum>;

#[derive(Default)]
pub(crate) struct Clearing {
    /// Of each partition: what it has counted since its last mark.
    counted: BTreeMap<u16, Count>,
    /// Marks as the partitions made them, with their records.
    marks: BTreeMap<(u32, u16), (Mark, u64, bool)>,
    /// What was marked of a period, over all partitions.
    pairs: BTreeMap<u32, Pairs>,
    periods: BTreeMap<u32, Track>,
    last: Option<u32>,
    /// Province of each area, as of the directory's record being read.
    provinces: BTreeMap<AreaCode, AreaCode>,
    last_seen: bool,
}

#[derive(Default)]
struct Count {
    own: Counted,
    pairs: Pairs,
    seen: bool,
}

struct Track {
    own: Period,
    seq: u64,
    /// Provinces when a statement was made of it.
    provinces: BTreeMap<AreaCode, AreaCode>,
    seen: bool,
}

impl PairSum {
    fn add(&mut self, amount: i128, sign: i64) {
        self.lines = self.lines.saturating_add_signed(sign);
        let sum = if amount < 0 { &mut self.refunded } else { &mut self.paid };
        *sum += amount.abs() * i128::from(sign);
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 200
}

fn next_month(month: u32) -> u32 {
    if month % 100 == 12 { (month / 100 + 1) * 100 + 1 } else { month + 1 }
}

impl Clearing {
    pub fn region(&mut self, change: &DirectoryChange) {
        if let DirectoryChange::Region(region) = change {
            self.provinces.insert(region.code, region.province_code);
        }
    }

    /// Counts what a capture or refund moves.
    pub fn count(&mut self, part: u16, kind: TakingKind, purpose: &Purpose, moves: &[Move]) {
        if matches!(kind, TakingKind::Held | TakingKind::Released) {
            return;
        }
        let creditor = match purpose {
            Purpose::Order { area, .. } | Purpose::Premium { area, .. } => *area,
        };
        let Count { own, pairs, .. } = self.counted.entry(part).or_default();
        let open = &mut own.open;
        let (sum, sign) = match (kind, purpose) {
            (TakingKind::Captured, Purpose::Order { .. }) => (&mut open.captured, 1),
            (TakingKind::Captured, Purpose::Premium { .. }) => (&mut open.premiums, 1),
            _ => (&mut open.refunded, -1),
        };
        for lot in moves.iter().flat_map(|posting| &posting.lots) {
            *sum = sum.saturating_add(lot.amount);
            open.lines += 1;
            pairs.entry((lot.origin.area, creditor)).or_default().add(i128::from(lot.amount) * sign, 1);
        }
    }

    fn mark(&mut self, at: At, takings: u64, mark: &Mark) -> Result {
        let subject = Subject::Period { period: mark.period };
        let Count { own: counted, pairs, .. } = self.counted.entry(at.part).or_default();
        if counted.last.is_some_and(|last| mark.period != next_month(last.period)) {
            return Err(at.finding(FindingKind::ClearingDiffers, subject, counted.last.map_or(0, |last| next_month(last.period)), mark.period));
        }
        let own = Mark { period: mark.period, takings, at: at.stamp, totals: counted.open };
        if own != *mark {
            return Err(at.finding(FindingKind::ClearingDiffers, subject, format!("{own:?}"), format!("{mark:?}")));
        }
        *counted = Counted { last: Some(own), open: PeriodTotals::default() };
        let whole = self.pairs.entry(mark.period).or_default();
        for (pair, sum) in std::mem::take(pairs) {
            let known = whole.entry(pair).or_default();
            (known.lines, known.paid, known.refunded) = (known.lines + sum.lines, known.paid + sum.paid, known.refunded + sum.refunded);
        }
        self.marks.insert((mark.period, at.part), (own, at.seq, false));
        Ok(())
    }

    /// What a period comes to: its marks and what was carried over, less what was held out if it is released.
    fn sums(&self, period: &Period, without_disputes: bool) -> Pairs {
        let mut pairs = self.pairs.get(&period.period).cloned().unwrap_or_default();
        let mut add = |share: &Share, sign: i64| pairs.entry((share.debtor, share.creditor)).or_default().add(share.amount.into(), sign);
        period.carried.iter().for_each(|share| add(share, 1));
        if without_disputes {
            period.disputes.iter().for_each(|dispute| add(&dispute.share, -1));
        }
        pairs.retain(|_, sum| *sum != PairSum::default());
        pairs
    }

    fn change(&mut self, at: At, parts: u16, period: u32, change: &PeriodChange) -> Result {
        let subject = Subject::Period { period };
        let differs = |expected: &str, found: &str| at.finding(FindingKind::ClearingDiffers, subject, expected, found);
        if let PeriodChange::Cutting { by, parts: told } = change {
            if self.last.is_some_and(|last| period != next_month(last)) || self.periods.contains_key(&period) {
                return Err(differs("the month after the last one", "another"));
            }
            if *told != parts || !is_name(by) {
                return Err(at.finding(FindingKind::ClearingDiffers, subject, parts, told));
            }
            self.last = Some(period);
            self.periods.insert(period, Track { own: cutting(period, parts, at.stamp, by), seq: at.seq, provinces: BTreeMap::new(), seen: false });
            return Ok(());
        }
        let before = period.checked_sub(if period % 100 == 1 { 89 } else { 1 });
        let carried_in = before.and_then(|before| self.periods.get(&before)).map(|track| {
            let is_released = track.own.released.is_some();
            (is_released, track.own.disputes.iter().map(|dispute| dispute.share).collect::<Vec<_>>())
        });
        let provinces = &self.provinces;
        let Some(track) = self.periods.get_mut(&period) else { return Err(differs("a period on file", "none")) };
        track.seq = at.seq;
        let own = &mut track.own;
        let belongs_to = match change {
            PeriodChange::Cutting { .. } => PeriodState::Open,
            PeriodChange::Marked { .. } => PeriodState::Cutting,
            PeriodChange::Stated { .. } => PeriodState::Cut,
            PeriodChange::Confirmed { .. } | PeriodChange::Disputed { .. } | PeriodChange::Agreed { .. } | PeriodChange::Released { .. } => PeriodState::Stated,
            PeriodChange::Noticed { .. } => PeriodState::Released,
            PeriodChange::Received { .. } | PeriodChange::Funded { .. } => PeriodState::Noticed,
            PeriodChange::Closed { .. } => PeriodState::Funded,
        };
        if own.state != belongs_to {
            return Err(differs(belongs_to.name(), own.state.name()));
        }
        let at_stamp = at.stamp;
        let step = |own: &mut Period, state, by: &str, checker: Option<&String>| {
            own.state = state;
            own.steps.push(Step { state, at: at_stamp, by: by.to_owned(), checker: checker.cloned() });
        };
        let two = |maker: &str, checker: &str| {
            if maker == checker || !is_name(maker) || !is_name(checker) { Err(differs("two persons", "one")) } else { Ok(()) }
        };
        match change {
            PeriodChange::Cutting { .. } => unreachable!("handled above"),
            PeriodChange::Marked { part, mark } => {
                if mark.period != period || own.marks.iter().any(|(known, _)| known == part) || *part == 0 || *part > parts {
                    return Err(differs("one mark of each partition", "another"));
                }
                own.marks.push((*part, *mark));
                if own.marks.len() == usize::from(own.parts) {
                    own.marks.sort_unstable_by_key(|(part, _)| *part);
                    step(own, PeriodState::Cut, "", None);
                }
            }
            PeriodChange::Stated { statement, carried, by } => {
                let expected = carried_in.map_or(Vec::new(), |(_, shares)| shares);
                if *carried != expected {
                    return Err(differs("what the period before left in dispute", "something else"));
                }
                own.carried.clone_from(carried);
                fits(statement, own, false).map_err(|(expected, found)| differs(&expected, &found))?;
                own.stated = Some(statement.clone());
                track.provinces.clone_from(provinces);
                step(own, PeriodState::Stated, by, None);
            }
            PeriodChange::Confirmed { side, by } => {
                let is_side = own.stated.iter().flat_map(|stated| &stated.nets).any(|(known, _)| known == side);
                if !is_side || own.confirmed.iter().any(|(known, ..)| known == side) {
                    return Err(differs("each province once", &side.to_string()));
                }
                own.confirmed.push((*side, by.clone(), at.stamp));
            }
            PeriodChange::Disputed { share, side, reason, by } => {
                let is_own = [share.debtor, share.creditor].iter().any(|area| provinces.get(area) == Some(side));
                if !is_own || own.disputes.iter().any(|dispute| dispute.share.id == share.id) {
                    return Err(differs("a line of the province, once", &format!("{:?} by {side}", share.id)));
                }
                own.disputes.push(Dispute { share: *share, side: *side, reason: reason.clone(), by: by.clone(), at: at.stamp });
            }
            PeriodChange::Agreed { line, .. } => {
                let before = own.disputes.len();
                own.disputes.retain(|dispute| dispute.share.id != *line);
                if own.disputes.len() + 1 != before {
                    return Err(differs("a line in dispute", &format!("{line:?}")));
                }
            }
            PeriodChange::Released { statement, dues, maker, checker } => {
                two(maker, checker)?;
                let sides = own.stated.iter().flat_map(|stated| &stated.nets);
                if let Some((silent, _)) = sides.clone().find(|(side, _)| !own.confirmed.iter().any(|(known, ..)| known == side)) {
                    return Err(differs("confirmed by every province", &format!("not by {silent}")));
                }
                fits(statement, own, true).map_err(|(expected, found)| differs(&expected, &found))?;
                if !settles(statement, dues) {
                    return Err(differs("dues that come to the nets", &format!("{dues:?}")));
                }
                (own.released, own.dues) = (Some(statement.clone()), dues.clone());
                step(own, PeriodState::Released, maker, Some(checker));
            }
            PeriodChange::Noticed { by } => step(own, PeriodState::Noticed, by, None),
            PeriodChange::Received { reference, from, to, amount, day, by } => {
                let due: i64 = own.dues.iter().filter(|due| (due.from, due.to) == (*from, *to)).map(|due| due.amount).sum();
                let known: i64 = own.receipts.iter().filter(|receipt| (receipt.from, receipt.to) == (*from, *to)).map(|receipt| receipt.amount).sum();
                if *amount <= 0 || *amount > due - known || own.receipts.iter().any(|receipt| receipt.reference == *reference) {
                    return Err(differs(&format!("1 to {} fen, each receipt once", due - known), &amount.to_string()));
                }
                own.receipts.push(Receipt { reference: reference.clone(), from: *from, to: *to, amount: *amount, day: *day, by: by.clone(), at: at.stamp });
            }
            PeriodChange::Funded { maker, checker } => {
                two(maker, checker)?;
                let (due, received): (i64, i64) = (own.dues.iter().map(|due| due.amount).sum(), own.receipts.iter().map(|receipt| receipt.amount).sum());
                if due != received {
                    return Err(differs(&due.to_string(), &received.to_string()));
                }
                step(own, PeriodState::Funded, maker, Some(checker));
            }
            PeriodChange::Closed { by } => step(own, PeriodState::Closed, by, None),
        }
        Ok(())
    }

    /// What holds when every partition has been read: the directory's marks are the partitions', and the nets are the sums of the lines by province.
    pub fn finish(&self) -> Result {
        for (period, track) in &self.periods {
            let (own, subject, at) = (&track.own, Subject::Period { period: *period }, At { part: 0, seq: track.seq, stamp: 0 });
            for (part, mark) in &own.marks {
                let made = self.marks.get(&(*period, *part)).map(|(mark, ..)| *mark);
                if made != Some(*mark) {
                    return Err(at.finding(FindingKind::ClearingDiffers, subject, format!("{made:?}"), format!("{mark:?}")));
                }
            }
            for (statement, without_disputes) in own.stated.iter().map(|it| (it, false)).chain(own.released.iter().map(|it| (it, true))) {
                // As it went out nothing was held out; what is in dispute was carried by the statement.
                let mut nets: BTreeMap<AreaCode, i128> = BTreeMap::new();
                for ((debtor, creditor), sum) in self.sums(own, without_disputes) {
                    let province = |area: AreaCode| track.provinces.get(&area).copied().unwrap_or(area);
                    *nets.entry(province(creditor)).or_default() += sum.paid - sum.refunded;
                    *nets.entry(province(debtor)).or_default() -= sum.paid - sum.refunded;
                }
                let found: BTreeMap<AreaCode, i128> = statement.nets.iter().map(|(side, net)| (*side, i128::from(*net))).collect();
                if nets != found {
                    return Err(at.finding(FindingKind::ClearingDiffers, subject, format!("{nets:?}"), format!("{found:?}")));
                }
            }
        }
        Ok(())
    }
}

fn cutting(period: u32, parts: u16, at: i64, by: &str) -> Period {
    let first = Step { state: PeriodState::Cutting, at, by: by.to_owned(), checker: None };
    Period {
        period,
        state: PeriodState::Cutting,
        parts,
        marks: Vec::new(),
        steps: vec![first],
        stated: None,
        carried: Vec::new(),
        confirmed: Vec::new(),
        disputes: Vec::new(),
        released: None,
        dues: Vec::new(),
        receipts: Vec::new(),
    }
}

fn fits(statement: &Statement, own: &Period, without_disputes: bool) -> std::result::Result<(), (String, String)> {
    let (mut lines, mut amount) = (0_i128, 0_i128);
    for (_, mark) in &own.marks {
        lines += i128::from(mark.totals.lines);
        amount += i128::from(mark.totals.captured) + i128::from(mark.totals.premiums) - i128::from(mark.totals.refunded);
    }
    let mut add = |share: &Share, sign: i128| {
        lines += sign;
        amount += sign * i128::from(share.amount);
    };
    own.carried.iter().for_each(|share| add(share, 1));
    if without_disputes {
        own.disputes.iter().for_each(|dispute| add(&dispute.share, -1));
    }
    let sum: i128 = statement.nets.iter().map(|(_, net)| i128::from(*net)).sum();
    if (lines, amount, 0) == (i128::from(statement.lines), i128::from(statement.amount), sum) {
        return Ok(());
    }
    Err((
        format!("{lines} lines, {amount} fen, nets of 0"),
        format!("{} lines, {} fen, nets of {sum}, root {}", statement.lines, statement.amount, hex(&statement.root)),
    ))
}

fn settles(statement: &Statement, dues: &[Due]) -> bool {
    let mut nets: BTreeMap<AreaCode, i128> = statement.nets.iter().map(|(side, net)| (*side, i128::from(*net))).collect();
    for due in dues {
        if due.amount <= 0 || due.from == due.to {
            return false;
        }
        *nets.entry(due.from).or_default() += i128::from(due.amount);
        *nets.entry(due.to).or_default() -= i128::from(due.amount);
    }
    nets.values().all(|net| *net == 0)
}

impl Auditor {
    pub(crate) fn period_marked(&mut self, at: At, mark: &Mark) -> Result {
        let takings = self.books(at).takings;
        self.clearing.mark(at, takings, mark)
    }

    pub(crate) fn period_changed(&mut self, at: At, period: u32, change: &PeriodChange) -> Result {
        if at.part != 0 {
            return Err(at.finding(FindingKind::FactImpossible, Subject::Period { period }, "a change in partition 0", "one here"));
        }
        let parts = u16::try_from(self.reading.len() - 1).expect("partitions are counted by a u16");
        self.clearing.change(at, parts, period, change)
    }

    /// What a period comes to between areas, by the auditor's own sums, in the version that is in force; `None` if it was never cut.
    pub fn clearing(&self, period: u32) -> Option<Pairs> {
        let own = &self.clearing.periods.get(&period)?.own;
        Some(self.clearing.sums(own, own.released.is_some()))
    }

    /// # Errors
    /// The row differs from what the journal made of the period.
    pub fn expect_period(&mut self, row: &Period) -> Result {
        let (at, subject) = (At::part(0), Subject::Period { period: row.period });
        let Some(track) = self.clearing.periods.get_mut(&row.period) else {
            return Err(at.finding(FindingKind::RowUnknown, subject, "no such period", "a row"));
        };
        if track.own != *row {
            let at = At { seq: track.seq, ..at };
            return Err(at.finding(FindingKind::StateDiffers, subject, format!("{:?}", track.own), format!("{row:?}")));
        }
        if std::mem::replace(&mut track.seen, true) { Err(at.finding(FindingKind::RowRepeated, subject, "one row", "another")) } else { Ok(()) }
    }

    /// # Errors
    /// The row differs from the partition's mark.
    pub fn expect_mark(&mut self, part: u16, row: &Mark) -> Result {
        let (at, subject) = (At::part(part), Subject::Period { period: row.period });
        match self.clearing.marks.get_mut(&(row.period, part)) {
            Some((mark, _, seen)) if mark == row => {
                if std::mem::replace(seen, true) {
                    Err(at.finding(FindingKind::RowRepeated, subject, "one row", "another"))
                } else {
                    Ok(())
                }
            }
            Some((mark, seq, _)) => Err(At { seq: *seq, ..at }.finding(FindingKind::StateDiffers, subject, format!("{mark:?}"), format!("{row:?}"))),
            None => Err(at.finding(FindingKind::RowUnknown, subject, "no such period", "a row")),
        }
    }

    /// # Errors
    /// The partition has counted otherwise since its last mark.
    pub fn expect_counted(&mut self, part: u16, row: &Counted) -> Result {
        let at = At::part(part);
        let subject = |own: &Counted| Subject::Period { period: own.last.map_or(0, |last| last.period) };
        match self.clearing.counted.get_mut(&part) {
            Some(Count { own, seen, .. }) if own == row => {
                if std::mem::replace(seen, true) {
                    Err(at.finding(FindingKind::RowRepeated, subject(row), "one row", "another"))
                } else {
                    Ok(())
                }
            }
            Some(Count { own, .. }) => Err(at.finding(FindingKind::StateDiffers, subject(own), format!("{own:?}"), format!("{row:?}"))),
            None => Err(at.finding(FindingKind::RowUnknown, subject(row), "nothing", "a row")),
        }
    }

    /// # Errors
    /// Another period was cut last.
    pub fn expect_last_period(&mut self, row: u32) -> Result {
        let (own, at) = (self.clearing.last.unwrap_or(0), At::part(0));
        let subject = Subject::Period { period: own };
        if own != row {
            return Err(at.finding(FindingKind::StateDiffers, subject, own, row));
        }
        let was_seen = std::mem::replace(&mut self.clearing.last_seen, true);
        if was_seen { Err(at.finding(FindingKind::RowRepeated, subject, "one row", "another")) } else { Ok(()) }
    }

    /// A period, mark or last period that no row named.
    pub(crate) fn missing_period(&self, of: u16) -> Result {
        let clearing = &self.clearing;
        let periods = clearing.periods.iter().filter(|(_, track)| !track.seen).map(|(period, track)| (0, *period, track.seq));
        let marks = clearing.marks.iter().filter(|(_, (.., seen))| !seen).map(|((period, part), (_, seq, _))| (*part, *period, *seq));
        let last = clearing.last.filter(|_| !clearing.last_seen).map(|last| (0, last, 0));
        let counts = clearing.counted.iter().filter(|(_, count)| !count.seen);
        let counts = counts.map(|(part, count)| (*part, count.own.last.map_or(0, |last| last.period), 0));
        match periods.chain(marks).chain(last).chain(counts).filter(|(part, ..)| *part == of).min() {
            None => Ok(()),
            Some((part, period, seq)) => Err(At { part, seq, stamp: 0 }.finding(FindingKind::RowMissing, Subject::Period { period }, "a row", "none")),
        }
    }
}
