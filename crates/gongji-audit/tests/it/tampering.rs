//! Journals that were changed: by a byte, by a record, by a whole chain.

use crate::town::{Record, audit, relink};
use crate::{journey, rows, town};
use gongji_audit::wire::{Account, Event, Fact, Message};
use gongji_audit::{Auditor, FindingKind, Rows};

#[test]
fn every_changed_byte_is_found_in_its_record() {
    let town = journey::small(2);
    let mut tried = 0;
    for (place, record) in town.journal.iter().enumerate() {
        let mut check = |change: &dyn Fn(&mut Record)| {
            let mut journal = town.journal.clone();
            change(&mut journal[place]);
            let finding = audit(2, &journal).map(drop).expect_err("a changed byte is found");
            // A record that says it is of another partition or number is found by that; any other in its place.
            let moved = (journal[place].part, journal[place].seq) != (record.part, record.seq);
            assert!(moved || (finding.part, finding.seq) == (record.part, record.seq), "{finding}");
            tried += 1;
        };
        for at in 0..record.payload.len() {
            for mask in [1, 0x80, 0xFF] {
                check(&|record| record.payload[at] ^= mask);
            }
        }
        for bit in 0..256 {
            check(&|record| record.hash[bit / 8] ^= 1 << (bit % 8));
        }
        for bit in 0..64 {
            check(&|record| record.seq ^= 1 << bit);
            check(&|record| record.stamp ^= 1 << bit);
            check(&|record| record.directory ^= 1 << bit);
        }
        for bit in 0..16 {
            check(&|record| record.part ^= 1 << bit);
        }
        check(&|record| {
            record.payload.pop();
        });
        check(&|record| record.payload.push(0));
    }
    assert!(tried > 5_000, "{tried}");
}

#[test]
fn a_dropped_a_repeated_and_a_swapped_record_are_found() {
    let town = journey::small(2);
    let count = |part| town.journal.iter().filter(|record| record.part == part).count() as u64;
    for (place, record) in town.journal.iter().enumerate() {
        let mut dropped = town.journal.clone();
        dropped.remove(place);
        // The last record of a partition leaves no gap: its messages, or an exported head, tell of it.
        let mut auditor = Auditor::new(2);
        let last = town.journal.iter().rfind(|other| other.part == record.part).unwrap();
        auditor.check_head(last.part, last.seq, &last.hash).unwrap();
        let finding = dropped.iter().try_for_each(|record| town::read(&mut auditor, record)).and_then(|()| auditor.finish()).unwrap_err();
        let expected = if record.seq == count(record.part) { FindingKind::HeadMissing } else { FindingKind::SeqGap };
        assert_eq!(finding.kind, expected, "{finding}");

        let mut repeated = town.journal.clone();
        repeated.insert(place, record.clone());
        assert_eq!(audit(2, &repeated).map(drop).unwrap_err().kind, FindingKind::SeqGap);
    }
    for (one, other) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)] {
        let mut swapped = town.journal.clone();
        let (first, second) = (swapped[one].clone(), swapped[other].clone());
        swapped[one] = Record { part: first.part, seq: first.seq, ..second.clone() };
        swapped[other] = Record { part: second.part, seq: second.seq, ..first };
        assert_eq!(audit(2, &swapped).map(drop).unwrap_err().kind, FindingKind::HashBroken);
    }
}

#[test]
fn a_record_of_another_partition_or_an_earlier_time_is_found() {
    let town = journey::small(2);
    assert_eq!(audit(1, &town.journal).map(drop).unwrap_err().kind, FindingKind::PartUnknown);
    let mut journal = town.journal.clone();
    let last = journal.iter().rposition(|record| record.part == 1).unwrap();
    journal[last].stamp -= 10_000_000;
    relink(&mut journal);
    assert_eq!(audit(2, &journal).map(drop).unwrap_err().kind, FindingKind::StampBackwards);
    let mut journal = town.journal.clone();
    journal[last].directory = 9;
    relink(&mut journal);
    assert_eq!(audit(2, &journal).map(drop).unwrap_err().kind, FindingKind::DirectoryAhead);
}

/// Rewrites one record's events and links the chain anew, so that hashes tell nothing.
fn rewrite(journal: &[Record], wanted: impl Fn(&Event) -> bool, change: impl Fn(&mut Event)) -> Vec<Record> {
    let mut journal = journal.to_vec();
    let mut changed = 0;
    for record in &mut journal {
        let payload = std::mem::take(&mut record.payload);
        let mut events: Vec<Event> = postcard::from_bytes(&payload).unwrap();
        for event in events.iter_mut().filter(|event| wanted(event)) {
            change(event);
            changed += 1;
        }
        record.payload = postcard::to_allocvec(&events).unwrap();
    }
    assert!(changed > 0, "there was nothing to rewrite");
    relink(&mut journal);
    journal
}

#[test]
fn a_consistently_rewritten_chain_is_found_by_heads_and_by_projections() {
    let town = journey::small(2);
    let contributed = |event: &Event| matches!(event.fact, Fact::Contributed { .. });
    let journal = rewrite(&town.journal, contributed, |event| event.moves[0].lots[0].amount += 1_000_000);
    // By itself it is a lawful history of another world …
    let mut auditor = audit(2, &journal).unwrap();
    // … but not the one that the books tell,
    let finding = rows::of(&town).iter().try_for_each(|row| row.expect(&mut auditor)).and_then(|()| auditor.missing(&Rows::ALL)).unwrap_err();
    assert!(matches!(finding.kind, FindingKind::BalanceDiffers | FindingKind::LineDiffers), "{finding}");
    // … nor the one whose head was exported.
    let mut auditor = Auditor::new(2);
    let head = town.journal.iter().rfind(|record| record.part == 1).unwrap();
    auditor.check_head(1, head.seq, &head.hash).unwrap();
    let finding = journal.iter().try_for_each(|record| town::read(&mut auditor, record)).unwrap_err();
    assert_eq!((finding.kind, finding.part, finding.seq), (FindingKind::HeadDiffers, 1, head.seq));
}

#[track_caller]
fn check(kind: FindingKind, wanted: impl Fn(&Event) -> bool, change: impl Fn(&mut Event)) {
    let town = journey::full();
    let journal = rewrite(&town.journal, wanted, change);
    let finding = audit(3, &journal).map(drop).expect_err("a history that breaks a rule is found");
    assert_eq!(finding.kind, kind, "{finding}");
}

#[test]
fn a_rewritten_history_that_breaks_a_rule_is_found_by_that_rule() {
    use FindingKind::*;
    let submitted = |event: &Event| matches!(event.fact, Fact::TransferSubmitted(_));
    let raise = |event: &mut Event| event.moves[0].lots[0].amount += 1;
    check(PostingsDiffer, submitted, raise);
    check(PostingsDiffer, |event| matches!(event.fact, Fact::PaymentCaptured { .. }), raise);
    check(PostingsDiffer, |event| matches!(event.fact, Fact::PaymentRefunded { .. }), raise);
    check(PostingsDiffer, |event| matches!(event.fact, Fact::PaymentReleased { .. }), |event| event.moves.clear());
    check(
        PostingsDiffer,
        |event| matches!(event.fact, Fact::ProofUsed { .. }),
        |event| {
            let lot = gongji_audit::wire::Lot { origin: origin(1), since: 0, amount: 5 };
            event.moves.push(gongji_audit::wire::Move { from: Account::Fund { area: 1 }, to: Account::Payable { institution: 1 }, lots: vec![lot] });
        },
    );
    check(
        MessageDiffers,
        |event| matches!(event.fact, Fact::TransferClosed { .. }),
        |event| {
            if let Fact::TransferClosed { state, .. } = &mut event.fact
                && *state == gongji_audit::wire::TransferState::Declined
            {
                *state = gongji_audit::wire::TransferState::Cancelled;
            }
        },
    );
    let made = |event: &Event| matches!(event.fact, Fact::TransferMade { .. });
    check(PostingsDiffer, made, |event| event.moves.clear());
    check(PostingsDiffer, made, |event| event.moves[0].from = Account::Fund { area: 370_100 });
    check(LotMissing, made, |event| event.moves[0].lots[0].origin.contributor += 1);
    check(FactImpossible, made, |event| {
        let Account::Wallet { holder } = event.moves[0].to else { panic!("a made transfer enters a wallet") };
        event.moves[0].from = Account::Wallet { holder };
    });
    check(KeyRepeated, made, |event| {
        if let Fact::TransferMade { id, answered, .. } = &mut event.fact {
            (*id, *answered) = ([1; 16], None);
        }
    });
    check(KeyRepeated, made, |event| {
        if let Fact::TransferMade { answered, .. } = &mut event.fact {
            *answered = Some(([1; 16], [0; 16]));
        }
    });
    let contributed = |event: &Event| matches!(event.fact, Fact::Contributed { .. });
    check(AmountNotPositive, contributed, |event| event.moves[0].lots[0].amount = 0);
    check(AmountNotPositive, contributed, |event| event.moves[0].lots[0].amount = -5);
    check(AmountNotPositive, contributed, |event| event.moves[0].lots.clear());
    check(BelowZero, contributed, |event| event.moves[0].lots[0].amount = 10);
    check(Overflow, contributed, |event| {
        let lot = event.moves[0].lots[0];
        event.moves[0].lots = vec![gongji_audit::wire::Lot { amount: i64::MAX, ..lot }; 2];
    });
    check(OriginForeign, contributed, |event| event.moves[0].lots[0].origin.area += 1);
    check(
        PersonUnknown,
        |event| matches!(event.fact, Fact::HolderCreated { .. }),
        |event| {
            if let Fact::HolderCreated { holder } = &mut event.fact {
                *holder += 1_000;
            }
        },
    );
    check(
        KeyRepeated,
        |event| matches!(event.fact, Fact::Answered { .. }),
        |event| {
            if let Fact::Answered { key, .. } = &mut event.fact {
                *key = [1; 16];
            }
        },
    );
    check(
        MessageGap,
        |event| matches!(event.fact, Fact::Sent { number: 2, .. }),
        |event| {
            if let Fact::Sent { number, .. } = &mut event.fact {
                *number = 3;
            }
        },
    );
    check(
        MessageGap,
        |event| matches!(event.fact, Fact::Received { number: 2, .. }),
        |event| {
            if let Fact::Received { number, .. } = &mut event.fact {
                *number = 1;
            }
        },
    );
    check(
        MessageDiffers,
        |event| matches!(event.fact, Fact::Sent { message: Message::LotsReturned { .. }, .. }),
        |event| {
            if let Fact::Sent { message: Message::LotsReturned { lots, .. }, .. } = &mut event.fact {
                lots[0].origin.contributor += 1;
            }
        },
    );
    check(
        TransferState,
        |event| matches!(event.fact, Fact::TransferArrived { .. }),
        |event| {
            if let Fact::TransferArrived { state, .. } = &mut event.fact {
                *state = gongji_audit::wire::TransferState::Declined;
                event.moves.clear();
            }
        },
    );
    check(
        PaymentState,
        |event| matches!(event.fact, Fact::PaymentReleased { .. }),
        |event| {
            if let Fact::PaymentReleased { state, .. } = &mut event.fact {
                *state = gongji_audit::wire::PaymentState::Held;
            }
        },
    );
    check(
        PaymentBounds,
        |event| matches!(event.fact, Fact::PaymentRefunded { .. }),
        |event| {
            if let Fact::PaymentRefunded { amount, .. } = &mut event.fact {
                *amount += 1_000_000;
            }
        },
    );
    check(
        ClaimDiffers,
        |event| matches!(event.fact, Fact::PremiumClaimed(_)),
        |event| {
            if let Fact::PremiumClaimed(claim) = &mut event.fact {
                claim.amount += 1;
            }
        },
    );
    check(FactImpossible, |event| matches!(event.fact, Fact::DirectoryChanged(_)), |event| event.fact = Fact::Died { holder: 1 });
    check(
        FactImpossible,
        |event| matches!(event.fact, Fact::Unfrozen { .. }),
        |event| {
            if let Fact::Unfrozen { holder, .. } = event.fact {
                event.fact = Fact::Frozen { holder, reason: gongji_audit::wire::FreezeReason::Other, maker: "a", checker: "b" };
            }
        },
    );
}

fn origin(contributor: u64) -> gongji_audit::wire::Origin {
    gongji_audit::wire::Origin { contributor, area: 370_100, kind: gongji_audit::wire::GrantKind::Own }
}

#[test]
fn two_claims_of_one_year_and_a_message_never_sent_are_found() {
    let town = journey::full();
    let doubled = |journal: &[Record], wanted: &dyn Fn(&Event) -> bool| {
        let mut journal = journal.to_vec();
        for record in &mut journal {
            let payload = std::mem::take(&mut record.payload);
            let mut events: Vec<Event> = postcard::from_bytes(&payload).unwrap();
            if let Some(place) = events.iter().position(wanted) {
                events.insert(place, events[place].clone());
            }
            record.payload = postcard::to_allocvec(&events).unwrap();
        }
        relink(&mut journal);
        audit(3, &journal).map(drop).unwrap_err().kind
    };
    assert_eq!(doubled(&town.journal, &|event| matches!(event.fact, Fact::PremiumClaimed(_))), FindingKind::ClaimRepeated);
    assert_eq!(doubled(&town.journal, &|event| matches!(event.fact, Fact::HolderCreated { .. })), FindingKind::KeyRepeated);
    assert_eq!(doubled(&town.journal, &|event| matches!(event.fact, Fact::OrderPlaced(_))), FindingKind::KeyRepeated);
    assert_eq!(doubled(&town.journal, &|event| matches!(event.fact, Fact::PaymentHeld(_))), FindingKind::PaymentState);
    // The sender's journal is cut before the transfer that the receiver took in.
    let mut journal = journey::small(2).journal;
    journal.retain(|record| record.part != 1 || record.seq < 2);
    assert_eq!(audit(2, &journal).map(drop).unwrap_err().kind, FindingKind::MessageUnsent);
}

#[test]
fn no_rewritten_byte_makes_the_auditor_panic_and_every_head_tells() {
    let town = journey::full();
    let heads: Vec<&Record> = (0..=3).filter_map(|part| town.journal.iter().rfind(|record| record.part == part)).collect();
    for place in (0..town.journal.len()).step_by(3) {
        for at in (0..town.journal[place].payload.len()).step_by(11) {
            for value in [0, 1, 0x7F, 0xFF] {
                let mut journal = town.journal.clone();
                if std::mem::replace(&mut journal[place].payload[at], value) == value {
                    continue;
                }
                relink(&mut journal);
                let mut auditor = Auditor::new(3);
                heads.iter().for_each(|head| auditor.check_head(head.part, head.seq, &head.hash).unwrap());
                let read = journal.iter().try_for_each(|record| town::read(&mut auditor, record)).and_then(|()| auditor.finish());
                assert!(read.is_err(), "record {place}, byte {at}, {value}");
            }
        }
    }
}
