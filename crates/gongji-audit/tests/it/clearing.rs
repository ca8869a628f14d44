//! Clearing as the auditor sums it, against the rules' own lines; and histories in which somebody has bent it.

use crate::journey::{self, JINAN, LANZHOU, shares_of};
use crate::town::{Record, audit, relink};
use gongji_audit::FindingKind;
use gongji_audit::wire::{Event, Fact, PeriodChange};
use std::collections::BTreeMap;

#[test]
fn the_auditor_sums_a_period_to_the_same_pairs_as_its_lines() {
    let town = journey::full();
    let auditor = audit(3, &town.journal).unwrap_or_else(|finding| panic!("{finding}"));
    let mut expected: BTreeMap<(u32, u32), i128> = BTreeMap::new();
    let all = shares_of(&town, 202_409);
    for share in &all {
        *expected.entry((share.debtor, share.creditor)).or_default() += i128::from(share.amount.0);
    }
    // Released without the line in dispute.
    *expected.get_mut(&(JINAN, LANZHOU)).unwrap() -= 5_000;
    let found: BTreeMap<(u32, u32), i128> = auditor.clearing(202_409).unwrap().into_iter().map(|(pair, sum)| (pair, sum.paid - sum.refunded)).collect();
    assert_eq!(found, expected);
    let october = auditor.clearing(202_410).unwrap();
    assert_eq!(october.len(), 1);
    let sum = october[&(JINAN, LANZHOU)];
    assert_eq!((sum.lines, sum.paid, sum.refunded), (2, 5_000, 2_000));
    assert_eq!(auditor.clearing(202_411), None);
}

#[track_caller]
fn check(wanted: fn(&Event) -> bool, change: fn(&mut Event)) {
    let town = journey::full();
    let mut journal = town.journal.clone();
    let mut changed = 0;
    for record in &mut journal {
        changed += usize::from(bend(record, wanted, change));
        if changed > 0 {
            break;
        }
    }
    assert_eq!(changed, 1, "there is such an event");
    relink(&mut journal);
    let finding = audit(3, &journal).map(drop).expect_err("what was bent is found");
    assert!(matches!(finding.kind, FindingKind::ClearingDiffers | FindingKind::FactImpossible), "{finding}");
}

fn bend(record: &mut Record, wanted: fn(&Event) -> bool, change: fn(&mut Event)) -> bool {
    let payload = record.payload.clone();
    let mut events: Vec<Event> = postcard::from_bytes(&payload).unwrap();
    let Some(event) = events.iter_mut().find(|event| wanted(event)) else { return false };
    change(event);
    record.payload = postcard::to_allocvec(&events).unwrap();
    true
}

fn of_period(event: &Event, wanted: fn(&PeriodChange) -> bool) -> bool {
    matches!(&event.fact, Fact::PeriodChanged { change, .. } if wanted(change))
}

#[test]
fn a_bent_clearing_is_found_though_the_chain_was_linked_anew() {
    let marked = |event: &Event| matches!(event.fact, Fact::PeriodMarked { .. });
    check(marked, |event| {
        let Fact::PeriodMarked { mark } = &mut event.fact else { unreachable!() };
        mark.takings -= 1;
    });
    check(marked, |event| {
        let Fact::PeriodMarked { mark } = &mut event.fact else { unreachable!() };
        mark.totals.refunded += 1;
    });
    check(
        |event| of_period(event, |change| matches!(change, PeriodChange::Marked { .. })),
        |event| {
            let Fact::PeriodChanged { change: PeriodChange::Marked { mark, .. }, .. } = &mut event.fact else { unreachable!() };
            mark.takings += 1;
        },
    );
    // Somebody is made to pay more: the nets still come to zero.
    check(
        |event| of_period(event, |change| matches!(change, PeriodChange::Released { .. })),
        |event| {
            let Fact::PeriodChanged { change: PeriodChange::Released { statement, dues, .. }, .. } = &mut event.fact else { unreachable!() };
            statement.nets[0].1 -= 100;
            statement.nets[1].1 += 100;
            dues[0].amount += 100;
        },
    );
    check(
        |event| of_period(event, |change| matches!(change, PeriodChange::Released { .. })),
        |event| {
            let Fact::PeriodChanged { change: PeriodChange::Released { maker, checker, .. }, .. } = &mut event.fact else { unreachable!() };
            checker.clone_from(maker);
        },
    );
    check(
        |event| of_period(event, |change| matches!(change, PeriodChange::Received { .. })),
        |event| {
            let Fact::PeriodChanged { change: PeriodChange::Received { amount, .. }, .. } = &mut event.fact else { unreachable!() };
            *amount += 12_000;
        },
    );
    check(
        |event| of_period(event, |change| matches!(change, PeriodChange::Disputed { .. })),
        |event| {
            let Fact::PeriodChanged { change: PeriodChange::Disputed { share, .. }, .. } = &mut event.fact else { unreachable!() };
            share.debtor = 440_100;
        },
    );
}
