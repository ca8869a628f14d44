//! The whole way of the money, from a contribution to a premium.

use crate::country::*;
use gongji_ledger::{Account, Fen, Part};
use gongji_store::Engine;
use gongji_store::sqlite::SqliteStore;
use gongji_wallet::Outcome;
use gongji_wallet::object::{LineCode, OrderState, PayFirst, PaymentState, TransferState};
use std::sync::Arc;

/// After the founding: a first transfer waits and is accepted, a second is credited at once, a payment is taken and partly refunded, and a premium is paid.
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
        pay_premium(107, li, li),
    ]
}

/// What the accounts hold when the journey is over.
pub fn check_destination(people: &People, dumps: &[Dump]) {
    let People { wang, li, .. } = *people;
    let accounts = check_balanced(dumps);
    let expected = [
        (Account::Personal { holder: wang, area: JINAN }, Fen(350_000)),
        (Account::Wallet { holder: li }, Fen(150_000 - 25_000 + 5_000) - PREMIUM),
        (Account::Payable { institution: pharmacy() }, Fen(20_000)),
        (Account::Premium { area: LUZHOU, year: YEAR }, PREMIUM),
        (Account::Fund { area: JINAN }, Fen(-500_000)),
    ];
    assert_eq!(accounts, expected.into_iter().collect());
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
        (LineCode::PremiumHold, -PREMIUM),
    ];
    assert_eq!(told, expected);
    let page = engine.lines(people.li, Some(lines[1].number), 2, |_| true).await.unwrap();
    assert_eq!(page, &lines[2..4]);
    let orders = engine.orders(pharmacy(), 10).await.unwrap();
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].state, OrderState::Held { personal: Fen::ZERO, wallet: Fen(30_000) });
}

async fn check_journey(parts: Part) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path(), parts).unwrap());
    let people = People::of(parts);
    let clock = clock();
    let engine = start(store.clone(), &clock, parts, None).unwrap();
    for outcome in walk(&engine, &founding(&people)).await {
        assert_eq!(outcome, Outcome::Done);
    }
    let outcomes = walk(&engine, &journey(&people)).await;
    let apart = people.wang.part() != people.li.part();
    let told = if apart { TransferState::Submitted } else { TransferState::AwaitingRecipient };
    assert!(matches!(outcomes[0], Outcome::Transfer { state, .. } if state == told), "{:?}", outcomes[0]);
    assert!(matches!(outcomes[1], Outcome::Transfer { state: TransferState::Credited, .. }), "{:?}", outcomes[1]);
    let told = if apart { TransferState::Submitted } else { TransferState::Credited };
    assert!(matches!(outcomes[2], Outcome::Transfer { state, .. } if state == told), "{:?}", outcomes[2]);
    assert!(matches!(outcomes[5], Outcome::Payment { state: PaymentState::Captured, .. }), "{:?}", outcomes[5]);
    assert!(matches!(outcomes[6], Outcome::Payment { refunded: Fen(5_000), .. }), "{:?}", outcomes[6]);
    assert!(matches!(outcomes[7], Outcome::Premium { state: PaymentState::Captured, .. }), "{:?}", outcomes[7]);
    check_statement(&engine, &people).await;
    drop(engine);
    let before = dump(&*store, parts);
    check_destination(&people, &before);

    // A restart changes nothing, and answers every request as before.
    let engine = start(store.clone(), &clock, parts, None).unwrap();
    check_statement(&engine, &people).await;
    assert_eq!(walk(&engine, &journey(&people)).await, outcomes);
    drop(engine);
    assert_eq!(dump(&*store, parts), before);

    // Without its books it builds them again from the journal.
    for part in 0..=parts {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("p{part:02}/books.sqlite{suffix}")));
        }
    }
    let engine = start(store.clone(), &clock, parts, None).unwrap();
    check_statement(&engine, &people).await;
    drop(engine);
    assert_eq!(dump(&*store, parts), before);
}

#[tokio::test]
async fn a_family_goes_the_whole_way_in_one_partition() {
    check_journey(1).await;
}

#[tokio::test]
async fn a_family_goes_the_whole_way_across_eight_partitions() {
    check_journey(8).await;
}
