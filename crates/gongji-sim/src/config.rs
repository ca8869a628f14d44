//! What one run is like. Every run differs in shape, so that what one kind of load hides another shows.

use crate::fault::Kind;
use crate::rng::Rng;
use crate::workload::Act;
use gongji_ledger::Part;
use gongji_store::Limits;
use gongji_wallet::day::{day_from_date, instant};

/// How far a run goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// Some days with much going on.
    Days,
    /// Twenty years and more, over leap days and year ends.
    Years,
}

#[derive(Debug)]
pub struct Config {
    pub span: Span,
    /// When it begins (ms, UTC).
    pub begin: i64,
    pub parts: Part,
    pub processes: usize,
    pub people: usize,
    pub steps: u32,
    pub limits: Limits,
    /// Of each hundred commits, and projections, so many meet with a fault.
    pub commit_faults: u32,
    pub projection_faults: u32,
    /// How often each act is taken.
    pub acts: Vec<u32>,
    /// Bit by bit: which kinds of faults happen in this run.
    faults: u64,
}

impl Config {
    pub fn new(rng: &mut Rng, span: Span) -> Config {
        let days = [(2026, 12, 29), (2027, 2, 26), (2027, 3, 1), (2027, 6, 30), (2028, 2, 27), (2027, 12, 30)];
        let (year, month, day) = days[rng.below(days.len())];
        let begin = instant(day_from_date(year, month, day).expect("a date of the calendar"), 9 * 60);
        // A run without any fault now and then shows what is wrong without one.
        let has_faults = rng.percent(92);
        let mut faults = 0;
        for kind in Kind::ALL {
            faults |= u64::from(has_faults && rng.percent(75)) << kind as u32;
        }
        let acts = Act::ALL
            .iter()
            .map(|act| {
                if rng.percent(20) {
                    act.weight() * 4
                } else if rng.percent(12) {
                    0
                } else {
                    act.weight()
                }
            })
            .collect();
        let parts = [1, 2, 2, 3, 4][rng.below(5)];
        Config {
            span,
            begin,
            parts,
            processes: 1 + rng.below(3),
            people: 5 + rng.below(8),
            steps: if span == Span::Years { 8_000 } else { 1_000 + 250 * rng.below(11) as u32 },
            limits: Limits { people: [0, 1, 4, 100_000][rng.below(4)], settled: [0, 1, 4, 30, 200_000][rng.below(5)] },
            commit_faults: [0, 2, 5, 12][rng.below(4)],
            projection_faults: [0, 5, 15][rng.below(3)],
            acts,
            faults,
        }
    }

    pub fn has(&self, kind: Kind) -> bool {
        self.faults & (1 << kind as u32) != 0
    }
}
