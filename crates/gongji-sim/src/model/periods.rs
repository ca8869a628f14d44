//! Clearing as the model reads it: each partition's captures and refunds counted in its own way, and every line in exactly one period.

use super::{At, Check, ensure};
use gongji_ledger::{Fen, Part};
use gongji_wallet::clearing::{Mark, Month, PeriodChange, PeriodState, month_of};
use gongji_wallet::day::day_of;
use std::collections::BTreeMap;

/// What a partition has taken, and how much of it stands behind its last mark.
#[derive(Clone, Default)]
struct Taken {
    takings: u64,
    lines: u64,
    amount: Fen,
    marked: Option<Mark>,
}

#[derive(Default)]
pub struct Periods {
    taken: BTreeMap<Part, Taken>,
    marks: BTreeMap<(Month, Part), Mark>,
    states: BTreeMap<Month, (PeriodState, BTreeMap<Part, Mark>)>,
}

impl Periods {
    /// A taking of the partition: `lots` and signed amount where it clears.
    pub fn take(&mut self, part: Part, cleared: Option<(usize, Fen)>) {
        let taken = self.taken.entry(part).or_default();
        taken.takings += 1;
        if let Some((lots, amount)) = cleared {
            taken.lines += lots as u64;
            taken.amount += amount;
        }
    }

    pub fn last(&self) -> Option<(Month, PeriodState)> {
        self.states.iter().next_back().map(|(month, (state, _))| (*month, *state))
    }

    pub fn is_cutting(&self) -> bool {
        self.last().is_some_and(|(_, state)| state == PeriodState::Cutting)
    }

    pub fn state(&self, period: Month) -> Option<PeriodState> {
        self.states.get(&period).map(|(state, _)| *state)
    }

    pub fn may_mark(&self, at: At, mark: &Mark) -> Check {
        let taken = self.taken.get(&at.part).cloned().unwrap_or_default();
        let after = taken.marked.map_or(0, |last| last.takings);
        ensure(mark.takings == taken.takings && mark.at == at.stamp, || format!("marked at taking {}, it is {}", mark.takings, taken.takings))?;
        ensure(mark.takings >= after && taken.marked.is_none_or(|last| last.period < mark.period), || "a mark before the last one".to_owned())?;
        let found = (mark.totals.lines, mark.totals.captured + mark.totals.premiums - mark.totals.refunded);
        ensure(found == (taken.lines, taken.amount), || format!("marked {found:?}, should be {} lines, {}", taken.lines, taken.amount))?;
        ensure(self.states.contains_key(&mark.period), || "a period is marked that nobody cut".to_owned())
    }

    pub fn mark(&mut self, at: At, mark: &Mark) {
        self.marks.insert((mark.period, at.part), *mark);
        let taken = self.taken.entry(at.part).or_default();
        (taken.lines, taken.amount, taken.marked) = (0, Fen::ZERO, Some(*mark));
    }

    pub fn may_change(&self, at: At, period: Month, change: &PeriodChange) -> Check {
        ensure(at.part == 0, || "a period changes outside the directory".to_owned())?;
        match change {
            PeriodChange::Cutting { .. } => {
                ensure(month_of(day_of(at.stamp)) > period, || "a month is cut that is not over".to_owned())?;
                ensure(!self.states.contains_key(&period) && !self.is_cutting(), || "a period is cut twice, or before the last one was".to_owned())
            }
            PeriodChange::Marked { part, mark } => {
                ensure(self.marks.get(&(period, *part)) == Some(mark), || format!("the directory has another mark of partition {part}"))
            }
            _ => ensure(self.states.get(&period).is_some_and(|(state, _)| *state >= PeriodState::Cut), || "a step of a period that is not cut".to_owned()),
        }
    }

    pub fn change(&mut self, parts: Part, period: Month, change: &PeriodChange) {
        let (state, marks) = self.states.entry(period).or_insert((PeriodState::Cutting, BTreeMap::new()));
        match change {
            PeriodChange::Marked { part, mark } => {
                marks.insert(*part, *mark);
                if marks.len() == usize::from(parts) {
                    *state = PeriodState::Cut;
                }
            }
            PeriodChange::Stated { .. } => *state = PeriodState::Stated,
            PeriodChange::Released { .. } => *state = PeriodState::Released,
            PeriodChange::Noticed { .. } => *state = PeriodState::Noticed,
            PeriodChange::Funded { .. } => *state = PeriodState::Funded,
            PeriodChange::Closed { .. } => *state = PeriodState::Closed,
            _ => {}
        }
    }
}
