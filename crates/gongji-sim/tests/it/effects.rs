//! A share of the loop over all effects; `gongji-sim --effects` goes through the whole of it.

use gongji_sim::effects::{Kind, Play, all};

/// Every use case at every effect, each with one of the kinds of faults, so that every kind falls on every use case.
fn a_share(parts: u16) {
    for (number, case) in all(parts).into_iter().enumerate() {
        let play = Play::new(case, parts).unwrap();
        for at in 1..=play.points {
            let kind = Kind::ALL[(number + at as usize) % Kind::ALL.len()];
            play.with_fault(kind, at).unwrap();
        }
        assert!(play.points > u64::from(parts), "{}: {} effects", play.case.name, play.points);
    }
}

#[test]
fn a_fault_at_any_effect_of_any_use_case_changes_nothing_in_one_partition() {
    a_share(1);
}

#[test]
fn a_fault_at_any_effect_of_any_use_case_changes_nothing_across_partitions() {
    a_share(3);
}
