//! Two hundred seeds, each from its founding to the last comparison of journal, books and answers.
#![allow(clippy::unwrap_used)]

mod effects;
mod effects_on_files;

use gongji_sim::fault::{Counts, Kind};
use gongji_sim::{Report, Span, run};

#[track_caller]
fn check(seed: u64, span: Span) -> Report {
    match run(seed, span, false) {
        Ok(report) => report,
        Err(failure) => {
            let years = if span == Span::Years { " --years" } else { "" };
            panic!("seed {seed}: {}\nreplay: cargo run --package gongji-sim -- --seed {seed}{years} --tell", failure.why)
        }
    }
}

/// Four tests share the seeds, so that both cores have something to do.
fn fifty_seeds_from(first: u64) {
    let mut faults = Counts::default();
    for seed in first..first + 50 {
        faults.merge(&check(seed, Span::Days).faults);
    }
    let seen = Kind::ALL.iter().filter(|kind| faults.of(**kind) > 0).count();
    assert!(seen >= 45, "only {seen} kinds of faults happened: {faults:?}");
}

#[test]
fn seeds_1_to_50_keep_every_promise() {
    fifty_seeds_from(1);
}

#[test]
fn seeds_51_to_100_keep_every_promise() {
    fifty_seeds_from(51);
}

#[test]
fn seeds_101_to_150_keep_every_promise() {
    fifty_seeds_from(101);
}

#[test]
fn seeds_151_to_200_keep_every_promise() {
    fifty_seeds_from(151);
}

#[test]
fn a_seed_replays_byte_for_byte() {
    for seed in [7, 77, 777] {
        let (first, again) = (check(seed, Span::Days), check(seed, Span::Days));
        assert_eq!((first.digest, first.records, first.faults), (again.digest, again.records, again.faults), "seed {seed}");
    }
    assert_ne!(check(1, Span::Days).digest, check(2, Span::Days).digest);
}

#[test]
fn twenty_years_with_leap_days_and_year_ends_keep_every_promise() {
    let report = check(1, Span::Years);
    let years = report.lasted / (365 * 24 * 3_600_000);
    assert!(years >= 20, "only {years} years went by");
}
