//! Honest journals, read in any order.

use crate::journey;
use crate::town::{Record, audit, read};
use gongji_audit::{AccountKind, Auditor};

#[test]
fn an_honest_journal_of_every_fact_is_verified() {
    let town = journey::full();
    let mut auditor = audit(3, &town.journal).unwrap_or_else(|finding| panic!("{finding}\n{}", finding.zh()));
    let summary = auditor.finish().unwrap();
    assert_eq!(summary.records, town.journal.len() as u64);
    assert_eq!(summary.trial.iter().map(|line| line.balance).sum::<i128>(), 0);
    let balance = |kind: AccountKind| summary.trial[kind as usize].balance;
    assert_eq!(balance(AccountKind::Awaiting), 800);
    assert_eq!(balance(AccountKind::Transit), 900);
    assert_eq!(balance(AccountKind::Held), 1_234);
    assert_eq!(balance(AccountKind::Premium), 80_000);
    assert!(summary.origins.iter().all(|row| row.by_kind.iter().sum::<i128>() == 0));
    assert_eq!(summary.undelivered, 1);
}

#[test]
fn the_order_in_which_partitions_are_read_does_not_matter() {
    let town = journey::full();
    let expected = audit(3, &town.journal).unwrap().finish().unwrap();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let journal: Vec<Record> = order.iter().flat_map(|part| town.journal.iter().filter(|record| record.part == *part)).cloned().collect();
        assert_eq!(audit(3, &journal).unwrap_or_else(|finding| panic!("{order:?}: {finding}")).finish().unwrap(), expected);
    }
}

#[test]
fn one_partition_for_all_is_read_like_many() {
    let town = journey::small(1);
    let summary = audit(1, &town.journal).unwrap().finish().unwrap();
    assert_eq!((summary.people, summary.transfers, summary.lots), (2, 1, 1));
}

#[test]
fn the_head_after_each_record_is_the_one_that_is_exported() {
    let town = journey::small(2);
    let mut auditor = Auditor::without_lines(2);
    for record in &town.journal {
        read(&mut auditor, record).unwrap();
        let head = auditor.head(record.part).unwrap();
        assert_eq!((head.seq, head.hash, head.stamp), (record.seq, record.hash, record.stamp));
        auditor.check_head(record.part, record.seq, &record.hash).unwrap();
    }
    assert_eq!(auditor.head(9), None);
}
