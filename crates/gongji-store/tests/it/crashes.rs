//! A crash at every effect of every use case, and a power loss at every state of the books.

use crate::country::*;
use crate::journey::{check_destination, journey};
use gongji_ledger::{Account, Fen, Part};
use gongji_store::memory::{Effect, EffectKind, Fate, MemoryStore};
use gongji_store::{Engine, Fault};
use gongji_wallet::Outcome;
use gongji_wallet::command::Command;
use gongji_wallet::day::{HOUR_MS, instant};
use gongji_wallet::object::PayFirst;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A process that dies at its `at`-th effect of the kinds that `counts` picks. Returns whether it has died.
pub fn die_at(store: &MemoryStore, at: u64, lands: bool, counts: impl Fn(EffectKind) -> bool + Send + Sync + 'static) -> Arc<AtomicBool> {
    let dead = Arc::new(AtomicBool::new(false));
    let (died, count) = (dead.clone(), AtomicU64::new(0));
    store.decide(move |effect: Effect| {
        if died.load(Ordering::Acquire) {
            return Fate::FailsUnheard;
        }
        if counts(effect.kind) && count.fetch_add(1, Ordering::AcqRel) + 1 == at {
            died.store(true, Ordering::Release);
            return if lands { Fate::HappensUnheard } else { Fate::FailsUnheard };
        }
        Fate::Happens
    });
    dead
}

/// The journey, and then two things that nobody ends: a transfer that goes back in the morning, and a hold that runs out a day later.
fn steps_of(people: &People) -> Vec<(i64, Step)> {
    let People { parts, wang, li, bao } = *people;
    let mut steps: Vec<(i64, Step)> = founding(people).into_iter().chain(journey(people)).map(|step| (morning(), step)).collect();
    let contribution = |number| step(wang.part(), number, Command::Contribute { holder: wang, area: JINAN, amount: Fen(100), month: 202_703 });
    steps.extend([
        (morning(), send(200, wang, bao, 20, Fen(10_000))),
        (morning(), issue_code(201, li, PayFirst::Wallet)),
        (morning(), place_order(202, 201, li, Fen(20_000), parts)),
        (instant(today() + 1, 6 * 60), contribution(203)),
        (morning() + 24 * HOUR_MS, contribution(204)),
    ]);
    steps
}

/// Walks all steps; after each fault the engine is dropped, the disk heals, and the client asks again with the same key.
async fn walk_stubbornly(store: &MemoryStore, parts: Part, steps: &[(i64, Step)], flushes: bool) -> (Vec<Outcome>, Vec<Fault>) {
    let clock = clock();
    let (mut outcomes, mut faults) = (Vec::new(), Vec::new());
    let mut running: Option<Engine> = None;
    while outcomes.len() < steps.len() {
        let engine = match running.take() {
            Some(engine) => engine,
            None => match start(Arc::new(store.clone()), &clock, parts, None) {
                Ok(engine) => engine,
                Err(fault) => {
                    faults.push(fault);
                    store.heal();
                    continue;
                }
            },
        };
        let walked = async {
            // What the last life left on its way.
            engine.settle().await?;
            let (at, Step { part, request }) = &steps[outcomes.len()];
            clock.set(*at);
            let decided = engine.ask(*part, request.clone()).await?;
            assert!(store.landed(*part) >= decided.seq, "told before it was durable");
            outcomes.push(outcome(Ok(decided)));
            // Between two of these objects lag behind lines.
            if flushes && outcomes.len().is_multiple_of(3) {
                engine.flush().await;
            }
            engine.settle().await
        };
        match walked.await {
            Ok(()) => running = Some(engine),
            Err(fault) => {
                faults.push(fault);
                drop(engine);
                store.heal();
            }
        }
    }
    drop(running);
    (outcomes, faults)
}

async fn check_crashes(parts: Part, lands: bool, flushes: bool, counts: impl Fn(EffectKind) -> bool + Clone + Send + Sync + 'static) {
    let people = People::of(parts);
    let steps = steps_of(&people);
    let quiet = MemoryStore::new(parts);
    let (expected, faults) = walk_stubbornly(&quiet, parts, &steps, flushes).await;
    assert_eq!(faults, []);
    let destination = check_balanced(&dump(&quiet, parts));
    assert!(!destination.keys().any(|account| matches!(account, Account::Held { .. } | Account::Awaiting { .. })), "nothing waits: {destination:?}");
    let lines = |store: &MemoryStore| {
        let dumps = dump(store, parts);
        let mut lines: Vec<_> = dumps.into_iter().flat_map(|dump| dump.lines).map(|line| (line.holder, line.at, line.code, line.amount)).collect();
        // What a deadline sets off and what is asked at that moment may come in either order.
        lines.sort_unstable();
        lines
    };
    let expected_lines = lines(&quiet);
    for at in 1.. {
        let store = MemoryStore::new(parts);
        let dead = die_at(&store, at, lands, counts.clone());
        let (outcomes, faults) = walk_stubbornly(&store, parts, &steps, flushes).await;
        assert_eq!(outcomes, expected, "dead at {at}, landing: {lands}, {faults:?}");
        let has_died = dead.load(Ordering::Acquire);
        store.heal();
        // It may have died after the last answer; a start catches up.
        let late = clock();
        late.set(steps[steps.len() - 1].0);
        let engine = start(Arc::new(store.clone()), &late, parts, None).unwrap();
        engine.settle().await.unwrap();
        drop(engine);
        let dumps = dump(&store, parts);
        assert_eq!(check_balanced(&dumps), destination, "dead at {at}, landing: {lands}, {faults:?}");
        assert_eq!(lines(&store), expected_lines);
        for part in 0..=parts {
            store.lose_books(part);
        }
        drop(start(Arc::new(store.clone()), &clock(), parts, None).unwrap());
        assert_eq!(dump(&store, parts), dumps, "dead at {at}, landing: {lands}");
        if !has_died {
            assert!(at > steps.len() as u64 / 3, "only {at} effects were counted");
            return;
        }
    }
}

fn is_journal(kind: EffectKind) -> bool {
    matches!(kind, EffectKind::TakeOver | EffectKind::Commit)
}

#[tokio::test]
async fn a_crash_before_any_commit_loses_nothing_and_doubles_nothing() {
    check_crashes(1, false, false, is_journal).await;
    check_crashes(3, false, false, is_journal).await;
}

#[tokio::test]
async fn a_crash_after_any_commit_loses_nothing_and_doubles_nothing() {
    check_crashes(1, true, false, is_journal).await;
    check_crashes(3, true, false, is_journal).await;
}

#[tokio::test]
async fn a_crash_before_any_write_of_the_books_loses_nothing_and_doubles_nothing() {
    check_crashes(1, false, true, |kind| !is_journal(kind)).await;
    check_crashes(3, false, true, |kind| !is_journal(kind)).await;
}

#[tokio::test]
async fn a_crash_after_any_write_of_the_books_loses_nothing_and_doubles_nothing() {
    check_crashes(1, true, true, |kind| !is_journal(kind)).await;
    check_crashes(3, true, true, |kind| !is_journal(kind)).await;
}

/// One commit's reply is lost, and everything works on: the writer finds out what became of it, and the client never learns that anything happened.
#[tokio::test]
async fn an_unknown_outcome_is_found_out() {
    let parts = 3;
    let people = People::of(parts);
    let mut steps = founding(&people);
    steps.extend(journey(&people));
    for lands in [true, false] {
        for at in 1.. {
            let store = MemoryStore::new(parts);
            let count = AtomicU64::new(0);
            let met = Arc::new(AtomicBool::new(false));
            let is_met = met.clone();
            store.decide(move |effect| {
                if effect.kind != EffectKind::Commit || count.fetch_add(1, Ordering::AcqRel) + 1 != at {
                    return Fate::Happens;
                }
                is_met.store(true, Ordering::Release);
                if lands { Fate::HappensUnheard } else { Fate::FailsUnheard }
            });
            let engine = start(Arc::new(store.clone()), &clock(), parts, None).unwrap();
            for Step { part, request } in &steps {
                let reply = engine.ask(*part, request.clone()).await;
                let reply = match (lands, reply) {
                    // Nothing was done, and the client is told so: the same request again is new.
                    (false, Err(Fault::Failed(_))) => engine.ask(*part, request.clone()).await,
                    (_, reply) => reply,
                };
                assert!(matches!(reply.as_ref().unwrap().decision, gongji_wallet::Decision::New(_)), "{reply:?}");
                while let Err(fault) = engine.settle().await {
                    assert!(matches!(fault, Fault::Failed(_)), "{fault:?}");
                }
            }
            drop(engine);
            check_destination(&people, &dump(&store, parts));
            if !met.load(Ordering::Acquire) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_power_loss_at_any_state_of_the_books_is_made_good() {
    for parts in [1, 3] {
        let store = MemoryStore::new(parts);
        let people = People::of(parts);
        let clock = clock();
        let engine = start(Arc::new(store.clone()), &clock, parts, None).unwrap();
        let mut steps = founding(&people);
        steps.extend(journey(&people));
        for step in &steps {
            walk(&engine, std::slice::from_ref(step)).await;
            // Some states with objects ahead, some with lines ahead.
            if step.request.idempotency.unwrap().0.0[15] % 3 == 0 {
                engine.flush().await;
            }
        }
        drop(engine);
        let expected = dump(&store, parts);
        let most = (0..=parts).map(|part| store.book_entries(part)).max().unwrap();
        for kept in (0..most).rev() {
            for part in 0..=parts {
                store.keep_books(part, kept.min(store.book_entries(part)));
            }
            let engine = start(Arc::new(store.clone()), &clock, parts, None).unwrap();
            engine.settle().await.unwrap();
            drop(engine);
            assert_eq!(dump(&store, parts), expected, "{kept} transactions kept");
        }
    }
}

/// Memory that keeps nothing settled reads everything from the books, and says the same.
#[tokio::test]
async fn a_memory_that_forgets_at_once_answers_the_same() {
    for parts in [1, 3] {
        let people = People::of(parts);
        let mut steps = founding(&people);
        steps.extend(journey(&people));
        let timed: Vec<(i64, Step)> = steps.iter().map(|step| (morning(), step.clone())).collect();
        let (expected, _) = walk_stubbornly(&MemoryStore::new(parts), parts, &timed, false).await;
        let store = MemoryStore::new(parts);
        let engine = start_forgetful(Arc::new(store.clone()), &clock(), parts).unwrap();
        for (step, expected) in steps.iter().zip(&expected) {
            assert_eq!(walk(&engine, std::slice::from_ref(step)).await, std::slice::from_ref(expected));
            engine.flush().await;
        }
        assert_eq!(walk(&engine, &steps).await, expected, "every answer is found again");
        drop(engine);
        check_destination(&people, &dump(&store, parts));
    }
}
