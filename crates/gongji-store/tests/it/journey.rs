//! The whole way of the money, from a contribution to a premium.

use crate::country::*;
use crate::stores::places;
use gongji_ledger::{Account, Fen, Part};
use gongji_store::Engine;
use gongji_wallet::Outcome;
use gongji_wallet::object::{LineCode, OrderState, PayFirst, Payee, PaymentState, TakingKind, TransferState};

/// After the founding. A first transfer waits and is accepted, a second is credited at once, a payment is taken and partly refunded; part of the wallet goes
/// on to the first sender, who pays a premium with it; a premium for somebody who owes none comes back.
pub fn journey(people: &People) -> Vec<Step> {
    let People { parts, wang, li, .. } = *people;
    vec![
        send(100, wang, li, 51, Fen(100_000)),
        accept(101, 100, li),
        send(102, wang, li, 51, Fen(50_000)),
        issue_code(103, li, PayFirst::Wallet),
        place_order(104, 103, li, Fen(30_000), parts),
        capture(105, 104, li, Fen(25_000)),
        refund(106, 104, li, Fen(5_000)),
        send_from_wallet(107, li, wang, 20, Fen(45_000)),
        pay_premium(108, wang, li),
        pay_premium(109, li, wang),
    ]
}

/// What the accounts hold when the journey is over.
pub fn check_destination(people: &People, dumps: &[Dump]) {
    let People { wang, li, .. } = *people;
    let accounts = check_balanced(dumps);
    let expected = [
        (Account::Personal { holder: wang, area: JINAN }, Fen(350_000)),
        (Account::Wallet { holder: wang }, Fen(45_000) - PREMIUM),
        (Account::Wallet { holder: li }, Fen(150_000 - 25_000 + 5_000 - 45_000)),
        (Account::Payable { institution: pharmacy() }, Fen(20_000)),
        (Account::Premium { area: LUZHOU, year: YEAR }, PREMIUM),
        (Account::Fund { area: JINAN }, Fen(-500_000)),
    ];
    assert_eq!(accounts, expected.into_iter().collect());
}

/// What the pharmacy and the premium fund see, newest first in each partition.
fn check_takings(engine: &Engine, people: &People) {
    let People { parts, wang, li, .. } = *people;
    let of = |payee| {
        let takings = (1..=parts).flat_map(|part| engine.takings(part, payee, None, 100, |_| true).unwrap());
        takings.map(|taking| (taking.kind, taking.state, taking.holder, taking.amount())).collect::<Vec<_>>()
    };
    let at_pharmacy = [
        (TakingKind::Refunded, PaymentState::Captured, li, Fen(5_000)),
        (TakingKind::Released, PaymentState::Captured, li, Fen(5_000)),
        (TakingKind::Captured, PaymentState::PartlyCaptured, li, Fen(25_000)),
        (TakingKind::Held, PaymentState::Held, li, Fen(30_000)),
    ];
    let pharmacy = Payee::Institution(pharmacy());
    assert_eq!(of(pharmacy), at_pharmacy);
    let premiums = of(Payee::Premium { area: LUZHOU, year: YEAR });
    for expected in [
        (TakingKind::Held, PaymentState::Held, wang, PREMIUM),
        (TakingKind::Captured, PaymentState::Captured, wang, PREMIUM),
        (TakingKind::Held, PaymentState::Held, li, PREMIUM),
        (TakingKind::Released, PaymentState::Refused, li, PREMIUM),
    ] {
        assert!(premiums.contains(&expected), "{expected:?} in {premiums:?}");
    }
    assert_eq!(premiums.len(), 4);
    // Page by page, and only as far as somebody wants to look.
    let first = engine.takings(li.part(), pharmacy, None, 1, |_| true).unwrap();
    let rest = engine.takings(li.part(), pharmacy, first.first(), 100, |taking| taking.kind != TakingKind::Held).unwrap();
    assert_eq!(rest.iter().map(|taking| taking.kind).collect::<Vec<_>>(), [TakingKind::Released, TakingKind::Captured]);
    assert_eq!(engine.last_taking(li.part(), pharmacy).unwrap(), first[0].number);
}

async fn check_statement(engine: &Engine, people: &People) {
    let lines = engine.lines(people.li, None, 100, |_| true).await.unwrap();
    let told: Vec<(LineCode, Fen)> = lines.iter().rev().map(|line| (line.code, line.amount)).collect();
    let expected = [
        (LineCode::TransferIn, Fen(100_000)),
        (LineCode::TransferIn, Fen(50_000)),
        (LineCode::PaymentHold, Fen(-30_000)),
        (LineCode::PaymentRelease, Fen(5_000)),
        (LineCode::PaymentRefund, Fen(5_000)),
        (LineCode::TransferOut, Fen(-45_000)),
        (LineCode::PremiumHold, -PREMIUM),
        (LineCode::PremiumRelease, PREMIUM),
    ];
    assert_eq!(told, expected);
    let page = engine.lines(people.li, Some(lines[1].number), 2, |_| true).await.unwrap();
    assert_eq!(page, &lines[2..4]);
    // From any number on, also from one that is nobody's or somebody else's line.
    for before in 0..lines[0].number + 3 {
        let page = engine.lines(people.li, Some(before), 100, |_| true).await.unwrap();
        let expected: Vec<_> = lines.iter().filter(|line| line.number < before).cloned().collect();
        assert_eq!(page, expected, "before {before}");
    }
    let orders = engine.orders(pharmacy(), 10).await.unwrap();
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].state, OrderState::Held { personal: Fen::ZERO, wallet: Fen(30_000) });
}

async fn check_journey(parts: Part) {
    for place in places(parts) {
        let people = People::of(parts);
        let clock = clock();
        let engine = place.start(&clock, parts);
        for outcome in walk(&engine, &founding(&people)).await {
            assert_eq!(outcome, Outcome::Done);
        }
        let outcomes = walk(&engine, &journey(&people)).await;
        let apart = people.wang.part() != people.li.part();
        check_transfer(&outcomes[0], if apart { TransferState::Submitted } else { TransferState::AwaitingRecipient });
        check_transfer(&outcomes[1], TransferState::Credited);
        check_transfer(&outcomes[2], if apart { TransferState::Submitted } else { TransferState::Credited });
        assert!(matches!(outcomes[5], Outcome::Payment { state: PaymentState::Captured, .. }), "{:?}", outcomes[5]);
        assert!(matches!(outcomes[6], Outcome::Payment { refunded: Fen(5_000), .. }), "{:?}", outcomes[6]);
        check_transfer(&outcomes[7], if apart { TransferState::Submitted } else { TransferState::Credited });
        check_premium(&outcomes[8], if apart { PaymentState::Held } else { PaymentState::Captured });
        check_premium(&outcomes[9], if apart { PaymentState::Held } else { PaymentState::Refused });
        check_statement(&engine, &people).await;
        check_takings(&engine, &people);
        drop(engine);
        let before = place.dump(parts);
        check_destination(&people, &before);

        // A restart changes nothing, and answers every request as before.
        let engine = place.start(&clock, parts);
        check_statement(&engine, &people).await;
        check_takings(&engine, &people);
        assert_eq!(walk(&engine, &journey(&people)).await, outcomes);
        drop(engine);
        assert_eq!(place.dump(parts), before);

        // Without its books it builds them again from the journal, down to the last byte.
        place.lose_books(parts);
        let engine = place.start(&clock, parts);
        check_statement(&engine, &people).await;
        check_takings(&engine, &people);
        assert_eq!(walk(&engine, &journey(&people)).await, outcomes);
        drop(engine);
        assert_eq!(place.dump(parts), before);
    }
}

#[track_caller]
fn check_transfer(outcome: &Outcome, expected: TransferState) {
    assert!(matches!(outcome, Outcome::Transfer { state, .. } if *state == expected), "{outcome:?} instead of {expected:?}");
}

#[track_caller]
fn check_premium(outcome: &Outcome, expected: PaymentState) {
    assert!(matches!(outcome, Outcome::Premium { state, .. } if *state == expected), "{outcome:?} instead of {expected:?}");
}

#[tokio::test]
async fn a_family_goes_the_whole_way_in_one_partition() {
    check_journey(1).await;
}

#[tokio::test]
async fn a_family_goes_the_whole_way_across_eight_partitions() {
    check_journey(8).await;
}
