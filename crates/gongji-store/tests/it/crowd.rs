//! Many people at once over eight partitions, on a rough way, while the engine is stopped under them again and again.

use crate::country::*;
use crate::couriers::rough;
use gongji_ledger::{Account, Fen, HolderId, Part};
use gongji_store::Engine;
use gongji_store::memory::MemoryStore;
use gongji_wallet::Outcome;
use gongji_wallet::command::Command;
use gongji_wallet::object::EMPLOYEE;
use std::collections::BTreeMap;
use std::sync::Arc;

const PARTS: Part = 8;
const PEOPLE: u64 = 48;
const PAID_IN: Fen = Fen(100_000);

fn person(number: u64) -> HolderId {
    HolderId::new((number % u64::from(PARTS)) as Part + 1, 100 + number % PEOPLE)
}

/// Asks everything at once and stops the engine after `answers` of them. Returns what was answered, by the request's place.
async fn ask_and_stop(engine: Engine, steps: &[Step], answers: usize) -> BTreeMap<usize, Outcome> {
    let engine = Arc::new(engine);
    let mut asked = tokio::task::JoinSet::new();
    for (at, step) in steps.iter().cloned().enumerate() {
        let engine = engine.clone();
        asked.spawn(async move { (at, engine.ask(step.part, step.request).await) });
    }
    let mut answered = BTreeMap::new();
    while let Some(reply) = asked.join_next().await {
        let (at, reply) = reply.unwrap();
        if let Ok(decided) = reply {
            answered.insert(at, outcome(Ok(decided)));
        }
        if answered.len() >= answers {
            let engine = engine.clone();
            tokio::task::spawn_blocking(move || engine.stop()).await.unwrap();
        }
    }
    answered
}

/// Asks until everything is answered, through four lives of the engine; what one life answered the next ones repeat.
async fn live_through(store: &MemoryStore, steps: &[Step]) -> Vec<Outcome> {
    let mut known: BTreeMap<usize, Outcome> = BTreeMap::new();
    for life in 1..=4 {
        let engine = start(Arc::new(store.clone()), &clock(), PARTS, Some(rough(life))).unwrap();
        let answers = if life == 4 { usize::MAX } else { steps.len() * life as usize / 8 };
        for (at, outcome) in ask_and_stop(engine, steps, answers).await {
            let before = known.insert(at, outcome.clone());
            assert!(before.is_none_or(|before| before == outcome), "an answer changed in life {life}");
        }
    }
    let engine = start(Arc::new(store.clone()), &clock(), PARTS, Some(rough(9))).unwrap();
    engine.settle().await.unwrap();
    assert_eq!(known.len(), steps.len());
    known.into_values().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_served_right_through_stops_and_a_rough_way() {
    let store = MemoryStore::new(PARTS);
    let all = |make: &dyn Fn(u64) -> Step| (0..PEOPLE).map(make).collect::<Vec<_>>();
    let asked_in_turn = [
        vec![step(0, 1, Command::ChangeDirectory(directory_changes()))],
        all(&|number| step(person(number).part(), 1_000 + number, Command::CreateHolder { holder: person(number) })),
        all(&|number| step(person(number).part(), 2_000 + number, Command::SetEnrolment { holder: person(number), enrolment: enrolment(JINAN, EMPLOYEE) })),
        all(&|number| {
            step(person(number).part(), 3_000 + number, Command::Contribute { holder: person(number), area: JINAN, amount: PAID_IN, month: 202_702 })
        }),
        all(&|number| step(person(number).part(), 4_000 + number, Command::OpenWallet { holder: person(number), by: person(number), place: JINAN })),
    ];
    for steps in &asked_in_turn {
        assert!(live_through(&store, steps).await.into_iter().all(|outcome| outcome == Outcome::Done));
    }
    // Everybody sends to the next, who lives in another partition; then all accept or send on at once.
    let sent = live_through(&store, &all(&|number| send(5_000 + number, person(number), person(number + 1), 10, Fen(10_000)))).await;
    assert!(sent.iter().all(|outcome| matches!(outcome, Outcome::Transfer { .. })));
    let accepted = live_through(&store, &all(&|number| accept(6_000 + number, 5_000 + number, person(number + 1)))).await;
    assert!(accepted.iter().all(|outcome| matches!(outcome, Outcome::Transfer { .. })), "{accepted:?}");
    let mut mixed = all(&|number| send(7_000 + number, person(number), person(number + 1), 10, Fen(5_000)));
    mixed.extend(all(&|number| send_from_wallet(8_000 + number, person(number), person(number + 1), 10, Fen(10_000))));
    let mixed = live_through(&store, &mixed).await;
    // Of the two that one person asks for at once one may have to wait for the other; what was done was done once.
    let done = mixed.iter().filter(|outcome| matches!(outcome, Outcome::Transfer { .. })).count() as i64;
    assert!(done >= PEOPLE as i64, "{done}");
    let from_wallet = mixed[PEOPLE as usize..].iter().filter(|outcome| matches!(outcome, Outcome::Transfer { .. })).count() as i64;

    let dumps = dump(&store, PARTS);
    let accounts = check_balanced(&dumps);
    let total = |wanted: fn(&Account) -> bool| accounts.iter().filter(|(account, _)| wanted(account)).map(|(_, amount)| *amount).sum::<Fen>();
    let out = PEOPLE as i64 * 10_000 + (done - from_wallet) * 5_000;
    assert_eq!(total(|account| matches!(account, Account::Personal { .. })), Fen(PEOPLE as i64 * PAID_IN.0 - out));
    assert_eq!(total(|account| matches!(account, Account::Wallet { .. })), Fen(out));
    assert_eq!(total(|account| matches!(account, Account::Held { .. } | Account::Awaiting { .. })), Fen::ZERO);
    for part in 0..=PARTS {
        store.lose_books(part);
    }
    drop(start(Arc::new(store.clone()), &clock(), PARTS, None).unwrap());
    assert_eq!(dump(&store, PARTS), dumps);
}
