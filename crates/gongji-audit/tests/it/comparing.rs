//! Projections compared with the journal: every row right, every wrong row and every missing row named.

use crate::rows::{self, Row};
use crate::town::{Town, audit, read};
use crate::{journey, town};
use gongji_audit::wire::{Account, Payee, PaymentState, Purpose, Taking, TakingKind};
use gongji_audit::{Auditor, Finding, FindingKind, Result, Rows, Subject};

fn compare(journal: &[town::Record], parts: u16, rows: &[Row]) -> Result {
    let mut auditor = audit(parts, journal)?;
    rows.iter().try_for_each(|row| row.expect(&mut auditor))?;
    auditor.missing(&Rows::ALL)
}

#[test]
fn honest_projections_agree_with_the_journal() {
    let town = journey::full();
    compare(&town.journal, 3, &rows::of(&town)).unwrap_or_else(|finding| panic!("{finding}"));
}

#[test]
fn lines_may_be_compared_while_the_journal_is_read() {
    let town = journey::full();
    let mut lines: Vec<_> = rows::of(&town).into_iter().filter_map(|row| if let Row::Line(line) = row { Some(line) } else { None }).collect();
    lines.sort_by_key(|line| (line.part, line.number));
    let mut auditor = Auditor::new(3);
    for record in &town.journal {
        read(&mut auditor, record).unwrap();
        for line in lines.iter().filter(|line| (line.part, line.seq) == (record.part, record.seq)) {
            auditor.expect_line(line).unwrap();
        }
    }
    auditor.finish().unwrap();
    auditor.missing(&[Rows::Lines]).unwrap();
}

/// A wrong row is found, whatever it is a row of.
fn wrong(row: &Row) -> Vec<Row> {
    let mut changed = Vec::new();
    let mut push = |change: &dyn Fn(&mut Row)| {
        let mut other = row.clone();
        change(&mut other);
        changed.push(other);
    };
    match row {
        Row::Person(_) => {
            push(&|row| {
                if let Row::Person(row) = row {
                    row.died ^= true
                }
            });
            push(&|row| {
                if let Row::Person(row) = row {
                    row.frozen ^= true
                }
            });
            push(&|row| {
                if let Row::Person(row) = row {
                    row.place = Some(1)
                }
            });
            push(&|row| {
                if let Row::Person(row) = row {
                    row.last_line += 1
                }
            });
            push(&|row| {
                if let Row::Person(row) = row {
                    row.enrolment.as_mut().unwrap().area += 1
                }
            });
            push(&|row| {
                if let Row::Person(row) = row {
                    row.holder += 500
                }
            });
        }
        Row::Personal { .. } => push(&|row| {
            if let Row::Personal { fen, .. } = row {
                *fen += 1
            }
        }),
        Row::Lot { .. } => {
            push(&|row| {
                if let Row::Lot { fen, .. } = row {
                    *fen -= 1
                }
            });
            push(&|row| {
                if let Row::Lot { since, .. } = row {
                    *since += 1
                }
            });
            push(&|row| {
                if let Row::Lot { contributor, .. } = row {
                    *contributor += 1
                }
            });
            push(&|row| {
                if let Row::Lot { area, .. } = row {
                    *area += 1
                }
            });
            push(&|row| {
                if let Row::Lot { kind, .. } = row {
                    *kind = 3 - *kind
                }
            });
        }
        Row::Period(_) => {
            push(&|row| {
                if let Row::Period(row) = row {
                    row.parts += 1
                }
            });
            push(&|row| {
                if let Row::Period(row) = row {
                    row.marks[0].1.takings += 1
                }
            });
            push(&|row| {
                if let Row::Period(row) = row {
                    row.stated.as_mut().unwrap().root[5] ^= 1
                }
            });
        }
        Row::Mark { .. } => push(&|row| {
            if let Row::Mark { row, .. } = row {
                row.totals.captured += 1
            }
        }),
        Row::Counted { .. } => push(&|row| {
            if let Row::Counted { row, .. } = row {
                row.open.lines += 1
            }
        }),
        Row::LastPeriod(_) => push(&|row| {
            if let Row::LastPeriod(last) = row {
                *last += 1
            }
        }),
        Row::Held { .. } => push(&|row| {
            if let Row::Held { fen, .. } = row {
                *fen += 1
            }
        }),
        Row::Awaiting { .. } => push(&|row| {
            if let Row::Awaiting { fen, .. } = row {
                *fen += 1
            }
        }),
        Row::Balance { .. } => {
            push(&|row| {
                if let Row::Balance { fen, .. } = row {
                    *fen += 1
                }
            });
            push(&|row| {
                if let Row::Balance { part, .. } = row {
                    *part = 77
                }
            });
        }
        Row::Transfer { .. } => {
            push(&|row| {
                if let Row::Transfer { state, .. } = row {
                    *state = if *state == "credited" { "returned" } else { "credited" }
                }
            });
            push(&|row| {
                if let Row::Transfer { id, .. } = row {
                    id[0] ^= 1
                }
            });
        }
        Row::Payment(_) => {
            push(&|row| {
                if let Row::Payment(row) = row {
                    row.captured += 1
                }
            });
            push(&|row| {
                if let Row::Payment(row) = row {
                    row.refunded += 1
                }
            });
            push(&|row| {
                if let Row::Payment(row) = row {
                    row.released += 1
                }
            });
            push(&|row| {
                if let Row::Payment(row) = row {
                    row.held += 1
                }
            });
            push(&|row| {
                if let Row::Payment(row) = row {
                    row.holder += 1
                }
            });
            push(&|row| {
                if let Row::Payment(row) = row {
                    row.state = if row.state == "held" { "voided" } else { "held" }
                }
            });
        }
        Row::Order(_) => {
            push(&|row| {
                if let Row::Order(row) = row {
                    row.state = if row.state == "held" { "placed" } else { "held" }
                }
            });
            push(&|row| {
                if let Row::Order(row) = row {
                    row.previous += 1
                }
            });
            push(&|row| {
                if let Row::Order(row) = row {
                    row.payment[0] ^= 1
                }
            });
        }
        Row::Claim { .. } => {
            push(&|row| {
                if let Row::Claim { fen, .. } = row {
                    *fen += 1
                }
            });
            push(&|row| {
                if let Row::Claim { payment, .. } = row {
                    payment[0] ^= 1
                }
            });
            push(&|row| {
                if let Row::Claim { year, .. } = row {
                    *year += 1
                }
            });
        }
        Row::Answer { .. } => push(&|row| {
            if let Row::Answer { key, .. } = row {
                key[0] ^= 1
            }
        }),
        Row::Counters { sent, received, .. } => {
            push(&|row| {
                if let Row::Counters { takings, .. } = row {
                    *takings += 1
                }
            });
            push(&|row| {
                if let Row::Counters { lines, .. } = row {
                    *lines += 1
                }
            });
            if !sent.is_empty() {
                push(&|row| {
                    if let Row::Counters { sent, .. } = row {
                        sent[0].1 += 1
                    }
                });
            }
            if !received.is_empty() {
                push(&|row| {
                    if let Row::Counters { received, .. } = row {
                        received[0].1 -= 1
                    }
                });
            }
        }
        Row::LastTaking { .. } => push(&|row| {
            if let Row::LastTaking { last, .. } = row {
                *last += 1
            }
        }),
        Row::Taking { .. } => {
            let changes: [fn(&mut Taking); 11] = [
                |row| row.number += 1,
                |row| row.payee = Payee::Institution(77),
                |row| row.previous += 1,
                |row| row.at += 1,
                |row| row.seq += 1,
                |row| row.kind = if row.kind == TakingKind::Captured { TakingKind::Refunded } else { TakingKind::Captured },
                |row| row.state = if row.state == PaymentState::Expired { PaymentState::Voided } else { PaymentState::Expired },
                |row| row.payment[0] ^= 1,
                |row| row.holder += 1,
                |row| row.lots[0].amount += 1,
                |row| row.lots[0].origin.area += 1,
            ];
            for change in changes {
                push(&|row| {
                    if let Row::Taking { row, .. } = row {
                        change(row)
                    }
                });
            }
            push(&|row| {
                if let Row::Taking { row, .. } = row {
                    match &mut row.purpose {
                        Purpose::Order { visit, .. } => visit.day += 1,
                        Purpose::Premium { insured, .. } => *insured += 1,
                    }
                }
            });
        }
        Row::Line(_) => {
            push(&|row| {
                if let Row::Line(row) = row {
                    row.number += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.holder += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.previous += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.at += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.seq += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.code += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.area = row.area.is_none().then_some(1)
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.amount += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.wallet_after += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.personal_after += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.other.1 += 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.reference[0] ^= 1
                }
            });
            push(&|row| {
                if let Row::Line(row) = row {
                    row.lots[0].since += 1
                }
            });
        }
    }
    changed
}

#[test]
fn every_wrong_row_is_found() {
    let town = journey::small(2);
    let full = journey::full();
    // One row of each shape from the long journey, every row of the short one.
    let mut of_each: Vec<Row> = Vec::new();
    for row in rows::of(&full) {
        if !of_each.iter().any(|known| std::mem::discriminant(known) == std::mem::discriminant(&row)) && !wrong(&row).is_empty() {
            of_each.push(row);
        }
    }
    assert_eq!(of_each.len(), 19, "{of_each:?}");
    for (town, parts, tried) in [(&town, 2, rows::of(&town)), (&full, 3, of_each)] {
        let rows = rows::of(town);
        for row in tried {
            for changed in wrong(&row) {
                let mut others = rows.clone();
                let place = others.iter().position(|known| format!("{known:?}") == format!("{row:?}")).unwrap();
                others[place] = changed.clone();
                assert!(compare(&town.journal, parts, &others).is_err(), "{changed:?} instead of {row:?}");
            }
        }
    }
}

#[test]
fn every_missing_row_is_found() {
    let town = journey::full();
    let rows = rows::of(&town);
    for (place, row) in rows.iter().enumerate() {
        // Accounts at zero need no row; counters are compared, not counted.
        let may_be_absent = match row {
            Row::Personal { fen, .. } | Row::Held { fen, .. } | Row::Awaiting { fen, .. } | Row::Balance { fen, .. } => *fen == 0,
            Row::Counters { .. } => true,
            _ => false,
        };
        let mut others = rows.clone();
        others.remove(place);
        let found = compare(&town.journal, 3, &others);
        assert_eq!(found.is_err(), !may_be_absent, "{row:?}");
    }
}

#[test]
fn a_row_that_appears_twice_is_found() {
    let town = journey::small(2);
    for row in rows::of(&town) {
        let mut others = rows::of(&town);
        others.push(row.clone());
        assert_eq!(compare(&town.journal, 2, &others).is_err(), !matches!(row, Row::Counters { .. }), "{row:?}");
    }
}

#[track_caller]
fn finding(town: &Town, parts: u16, change: impl Fn(&mut Vec<Row>)) -> Finding {
    let mut rows = rows::of(town);
    change(&mut rows);
    compare(&town.journal, parts, &rows).unwrap_err()
}

#[test]
fn a_difference_names_partition_record_account_expected_and_found() {
    let town = journey::small(2);
    let father = journey::father().0;
    let raise = |rows: &mut Vec<Row>| {
        for row in rows {
            if let Row::Personal { holder, fen, .. } = row
                && *holder == father
            {
                *fen = 260_000;
            }
        }
    };
    let finding = finding(&town, 2, raise);
    assert_eq!(finding.kind, FindingKind::BalanceDiffers);
    assert_eq!(finding.subject, Subject::Account(Account::Personal { holder: father, area: journey::JINAN }));
    assert_eq!((finding.part, finding.expected.as_str(), finding.found.as_str()), (1, "250000", "260000"));
    // The record that touched the account last.
    assert_eq!(finding.seq, 2);
    assert_eq!(finding.zh(), "第 1 分区第 2 条记录:余额和日志账不一致(1-1 在 370100 的个人账户)。应为 250000,实为 260000。");
    assert_eq!(finding.en(), "partition 1, record 2: a balance differs from the journal (personal account of 1-1 in 370100); expected 250000, found 260000");
}

#[test]
fn a_lot_of_another_origin_and_a_lost_line_are_named() {
    let town = journey::small(2);
    let lost_lot = finding(&town, 2, |rows| rows.retain(|row| !matches!(row, Row::Lot { .. })));
    assert_eq!(lost_lot.kind, FindingKind::RowMissing);
    assert!(lost_lot.en().contains("lot in the wallet of 2-9 from 1-1 in 370100, kind transfer"), "{lost_lot}");
    let lost_line = finding(&town, 2, |rows| {
        let place = rows.iter().position(|row| matches!(row, Row::Line(_))).unwrap();
        rows.remove(place);
    });
    assert_eq!(lost_line.kind, FindingKind::RowMissing);
    assert!(lost_line.zh().contains("第 1 分区明细第 1 行"), "{}", lost_line.zh());
}
