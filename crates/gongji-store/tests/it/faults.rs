//! One fault at a time: what callers are told, and what holds afterwards.

use crate::country::*;
use crate::gate::{Gate, poll};
use crate::journey::{check_destination, journey};
use crate::stores::places;
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::memory::{Effect, EffectKind, Fate, MemoryStore};
use gongji_store::store::{Projection, Store};
use gongji_store::{BATCH_MAX, Decided, Engine, Fault, QUEUE_MAX};
use gongji_wallet::command::Command;
use gongji_wallet::day::instant;
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::TransferState;
use gongji_wallet::{Decision, Outcome};
use std::sync::Arc;

async fn founded(parts: Part) -> (MemoryStore, People, Engine) {
    let store = MemoryStore::new(parts);
    let people = People::of(parts);
    let engine = start(Arc::new(store.clone()), &clock(), parts, None).unwrap();
    walk(&engine, &founding(&people)).await;
    (store, people, engine)
}

fn contribution(number: u64, people: &People) -> Step {
    step(people.wang.part(), number, Command::Contribute { holder: people.wang, area: JINAN, amount: Fen(100), month: 202_703 })
}

fn money(engine: &Engine, holder: HolderId) -> Fen {
    engine.holder(holder).unwrap().unwrap().personal_total()
}

#[tokio::test]
async fn nobody_is_told_and_nothing_is_seen_before_the_commit() {
    let (store, people, engine) = founded(1).await;
    let gate = Gate::before_commits(&store, 1);
    let landed = store.landed(1);
    let step = contribution(100, &people);
    let mut asked = Box::pin(engine.ask(1, step.request.clone()));
    assert_eq!(poll(&mut asked).await, None);
    gate.arrival();
    // The writer stands before its commit. A reply sent by now would be here.
    assert_eq!(poll(&mut asked).await, None);
    assert_eq!((store.landed(1), money(&engine, people.wang)), (landed, Fen(500_000)));
    // The same request again, while the first is in flight.
    let mut again = Box::pin(engine.ask(1, step.request.clone()));
    assert_eq!(poll(&mut again).await, None);
    gate.open();
    let decided = asked.await.unwrap();
    assert_eq!((decided.seq, decided.decision), (landed + 1, Decision::New(Outcome::Done)));
    assert!(store.landed(1) > landed);
    assert_eq!(money(&engine, people.wang), Fen(500_100));
    assert_eq!(again.await.unwrap().decision, Decision::Replayed(Outcome::Done));
}

#[tokio::test]
async fn a_full_queue_says_busy_and_loses_nothing_it_took() {
    let (store, people, engine) = founded(1).await;
    let gate = Gate::before_commits(&store, 1);
    let mut taken = vec![Box::pin(engine.ask(1, contribution(1_000, &people).request))];
    assert_eq!(poll(&mut taken[0]).await, None);
    gate.arrival();
    let refused = loop {
        let number = 1_000 + taken.len() as u64;
        let mut asked = Box::pin(engine.ask(1, contribution(number, &people).request));
        match poll(&mut asked).await {
            None => taken.push(asked),
            Some(reply) => break reply,
        }
    };
    assert_eq!((refused, taken.len()), (Err(Fault::Busy), QUEUE_MAX + 1));
    gate.open();
    let count = taken.len() as i64;
    for asked in taken {
        assert_eq!(outcome(asked.await), Outcome::Done);
    }
    assert_eq!(money(&engine, people.wang), Fen(500_000 + 100 * count));
}

#[tokio::test]
async fn a_batch_has_a_largest_size_however_many_wait() {
    let (store, people, engine) = founded(1).await;
    let gate = Gate::before_commits(&store, 1);
    let mut first = Box::pin(engine.ask(1, contribution(1_000, &people).request));
    assert_eq!(poll(&mut first).await, None);
    gate.arrival();
    let count = BATCH_MAX as u64 / 2 + 1;
    let many = |from| (from..from + count).map(|number| contribution(number, &people).request).collect::<Vec<_>>();
    let mut second = Box::pin(engine.ask_all(1, many(2_000)));
    assert_eq!(poll(&mut second).await, None);
    let mut third = Box::pin(engine.ask_all(1, many(20_000)));
    assert_eq!(poll(&mut third).await, None);
    gate.open();
    let seqs = |replies: Vec<Result<Decided, Fault>>| {
        let mut seqs: Vec<u64> = replies.into_iter().map(|reply| reply.unwrap().seq).collect();
        seqs.dedup();
        seqs
    };
    let before = first.await.unwrap().seq;
    assert_eq!((seqs(second.await), seqs(third.await)), (vec![before + 1], vec![before + 2]));
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let (store, people, engine) = founded(1).await;
    let before = store.landed(1);
    store.decide(|effect: Effect| if effect.kind == EffectKind::Commit { Fate::Fails } else { Fate::Happens });
    let step = contribution(100, &people);
    for _ in 0..3 {
        assert!(matches!(engine.ask(1, step.request.clone()).await, Err(Fault::Failed(_))));
    }
    assert_eq!((store.landed(1), money(&engine, people.wang)), (before, Fen(500_000)));
    store.heal();
    assert_eq!(engine.ask(1, step.request.clone()).await.unwrap().decision, Decision::New(Outcome::Done));
    assert_eq!(money(&engine, people.wang), Fen(500_100));
}

#[tokio::test]
async fn a_deadline_that_could_not_be_committed_is_looked_at_again() {
    let store = MemoryStore::new(1);
    let people = People::of(1);
    let clock = clock();
    let engine = start(Arc::new(store.clone()), &clock, 1, None).unwrap();
    walk(&engine, &founding(&people)).await;
    walk(&engine, &[send(100, people.wang, people.li, 51, Fen(70_000))]).await;
    clock.set(instant(today() + 1, 6 * 60));
    store.decide(|effect: Effect| if effect.kind == EffectKind::Commit { Fate::Fails } else { Fate::Happens });
    for _ in 0..2 {
        assert!(matches!(engine.nudge().await, Err(Fault::Failed(_))));
        assert_eq!(engine.incoming(people.li, TransferId(id(100))).unwrap().unwrap().state, TransferState::AwaitingRecipient);
    }
    store.heal();
    engine.nudge().await.unwrap();
    assert_eq!(engine.incoming(people.li, TransferId(id(100))).unwrap().unwrap().state, TransferState::Returned);
}

#[tokio::test]
async fn books_that_cannot_be_written_hold_up_nobody_and_catch_up() {
    for fate in [Fate::Fails, Fate::HappensUnheard] {
        let (store, people, engine) = founded(1).await;
        engine.flush().await;
        store.decide(move |effect: Effect| if effect.kind == EffectKind::Project { fate } else { Fate::Happens });
        for number in 100..110 {
            outcome(engine.ask(1, contribution(number, &people).request).await);
            // What the books lack is still in memory: a statement is whole.
            let lines = engine.lines(people.wang, None, 100, |_| true).await.unwrap();
            assert_eq!(lines.len(), number as usize - 98, "{lines:?}");
            assert!(matches!(engine.lines_written(1).await, Err(Fault::Failed(_))));
            if number == 105 {
                engine.flush().await;
            }
        }
        assert_eq!(money(&engine, people.wang), Fen(501_000));
        store.heal();
        engine.flush().await;
        assert_eq!(engine.lines(people.wang, None, 100, |_| true).await.unwrap().len(), 11);
        outcome(engine.ask(1, contribution(110, &people).request).await);
        assert_eq!(engine.lines(people.wang, None, 100, |_| true).await.unwrap().len(), 12);
        drop(engine);
        let dumps = dump(&store, 1);
        store.lose_books(1);
        drop(start(Arc::new(store.clone()), &clock(), 1, None).unwrap());
        assert_eq!(dump(&store, 1), dumps);
    }
}

#[tokio::test]
async fn a_writer_that_was_overtaken_stops_and_leaves_the_books_to_its_successor() {
    for place in places(3) {
        let people = People::of(3);
        let clock = clock();
        let first = place.start(&clock, 3);
        walk(&first, &founding(&people)).await;
        let second = place.start(&clock, 3);
        let part = people.wang.part();
        outcome(second.ask(part, contribution(900, &people).request).await);
        assert_eq!(first.ask(part, contribution(901, &people).request).await, Err(Fault::Fenced(part)));
        assert_eq!(first.ask(part, contribution(901, &people).request).await, Err(Fault::Stopped(part)));
        assert_eq!(first.settle().await, Err(Fault::Stopped(part)));
        // Whatever the first has not written yet stays unwritten.
        drop(first);
        walk(&second, &journey(&people)).await;
        drop(second);
        let dumps = place.dump(3);
        check_balanced(&dumps);
        assert_eq!(place.rebuilt(&clock, 3), dumps);
    }
}

#[tokio::test]
async fn a_commit_that_lost_a_race_stays_unknown_only_where_it_is() {
    for lands in [true, false] {
        let (store, people, engine) = founded(1).await;
        let other = store.clone();
        // The reply is lost, and before this writer can look, another one takes over.
        store.decide(move |effect: Effect| match effect.kind {
            EffectKind::Commit if lands => Fate::HappensUnheard,
            EffectKind::Commit => Fate::FailsUnheard,
            EffectKind::TakeOver => Fate::TooLate,
            _ => Fate::Happens,
        });
        let step = contribution(100, &people);
        assert!(matches!(engine.ask(1, step.request.clone()).await, Err(Fault::Unknown(_))));
        assert_eq!(engine.ask(1, step.request.clone()).await, Err(Fault::Stopped(1)));
        drop(engine);
        other.heal();
        let engine = start(Arc::new(other), &clock(), 1, None).unwrap();
        let decision = engine.ask(1, step.request.clone()).await.unwrap().decision;
        assert_eq!(decision, if lands { Decision::Replayed(Outcome::Done) } else { Decision::New(Outcome::Done) });
        assert_eq!(money(&engine, people.wang), Fen(500_100));
    }
}

#[tokio::test]
async fn a_journal_that_cannot_be_reached_leaves_the_outcome_unknown_and_stops() {
    let (store, people, engine) = founded(1).await;
    store.decide(|effect: Effect| match effect.kind {
        EffectKind::Commit | EffectKind::TakeOver if effect.part == 1 => Fate::FailsUnheard,
        _ => Fate::Happens,
    });
    let step = contribution(100, &people);
    assert!(matches!(engine.ask(1, step.request.clone()).await, Err(Fault::Unknown(_))));
    assert_eq!(engine.ask(1, step.request.clone()).await, Err(Fault::Stopped(1)));
    assert_eq!(engine.settle().await, Err(Fault::Stopped(1)));
    // The other partitions go on.
    let change = step_of_directory(200);
    assert_eq!(outcome(engine.ask(0, change.request).await), Outcome::Done);
}

fn step_of_directory(number: u64) -> Step {
    step(0, number, Command::ChangeDirectory(directory_changes()))
}

#[tokio::test]
async fn a_bug_in_one_partition_ends_that_one_and_is_told_to_everybody_who_asks() {
    let (_store, people, engine) = founded(3).await;
    let part = people.wang.part();
    // Nobody may ask for a person of another partition; the rules hold that for a bug.
    let bug = step(part, 100, Command::CreateHolder { holder: HolderId::new(part + 1, 99) });
    assert!(matches!(engine.ask(part, bug.request.clone()).await, Err(Fault::Unknown(_))));
    assert_eq!(engine.ask(part, contribution(101, &people).request).await, Err(Fault::Stopped(part)));
    assert_eq!(engine.settle().await, Err(Fault::Stopped(part)));
    assert_eq!(money(&engine, people.wang), Fen(500_000), "what is durable can be read");
    let elsewhere = step(people.li.part(), 102, Command::RegisterDeath { holder: people.li });
    assert_eq!(outcome(engine.ask(people.li.part(), elsewhere.request).await), Outcome::Done);
}

#[tokio::test]
async fn callers_that_wait_when_a_bug_strikes_are_all_answered() {
    let (store, people, engine) = founded(1).await;
    let gate = Gate::before_commits(&store, 1);
    let mut first = Box::pin(engine.ask(1, contribution(100, &people).request));
    assert_eq!(poll(&mut first).await, None);
    gate.arrival();
    let mut waiting = Vec::new();
    for number in 101..120 {
        let bug = step(1, number, Command::CreateHolder { holder: HolderId::new(2, 99) });
        let step = if number == 110 { bug } else { contribution(number, &people) };
        let mut asked = Box::pin(engine.ask(1, step.request));
        assert_eq!(poll(&mut asked).await, None);
        waiting.push(asked);
    }
    gate.open();
    assert_eq!(outcome(first.await), Outcome::Done);
    for asked in waiting {
        assert!(matches!(asked.await, Err(Fault::Unknown(_))));
    }
    assert_eq!(engine.ask(1, contribution(130, &people).request).await, Err(Fault::Stopped(1)));
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing_behind_and_can_be_repeated() {
    let (store, people, engine) = founded(3).await;
    walk(&engine, &journey(&people)).await;
    drop(engine);
    let dumps = dump(&store, 3);
    for kind in [EffectKind::TakeOver, EffectKind::Claim] {
        for part in 0..=3 {
            store.decide(move |effect: Effect| if effect.kind == kind && effect.part == part { Fate::Fails } else { Fate::Happens });
            assert!(matches!(start(Arc::new(store.clone()), &clock(), 3, None), Err(Fault::Failed(_))));
        }
    }
    store.heal();
    drop(start(Arc::new(store.clone()), &clock(), 3, None).unwrap());
    assert_eq!(dump(&store, 3), dumps);
    check_destination(&people, &dumps);
}

#[track_caller]
fn check_refused_start(store: &MemoryStore, parts: Part, words: &str) {
    match start(Arc::new(store.clone()), &clock(), parts, None) {
        Err(Fault::Damaged(why)) => assert!(why.contains(words), "{why}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn a_source_that_lost_history_is_found_by_its_receivers() {
    let (store, people, engine) = founded(3).await;
    walk(&engine, &journey(&people)).await;
    drop(engine);
    let part = people.wang.part();
    // Restored from a copy: the books know more than the journal.
    store.cut_journal(part, store.landed(part) - 1);
    check_refused_start(&store, 3, "ahead of the journal");
    store.cut_journal(part, 3);
    store.lose_books(part);
    check_refused_start(&store, 3, "has lost history");
}

#[tokio::test]
async fn a_record_that_was_changed_is_not_replayed() {
    let (store, _, engine) = founded(1).await;
    drop(engine);
    store.tamper(1, 2, |record| record.head.stamp -= 1);
    // Behind the books nobody replays it; that is the auditor's work.
    drop(start(Arc::new(store.clone()), &clock(), 1, None).unwrap());
    store.lose_books(1);
    check_refused_start(&store, 1, "record 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_may_be_dropped_inside_a_runtime_with_requests_under_way() {
    let (store, people, engine) = founded(3).await;
    let engine = Arc::new(engine);
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..500 {
        let engine = engine.clone();
        let Step { part, request } = contribution(1_000 + number, &people);
        asked.spawn(async move { engine.ask(part, request).await.map(|decided| decided.decision) });
    }
    engine.stop();
    let mut done = 0;
    for reply in asked.join_all().await {
        match reply {
            Ok(decision) => {
                assert_eq!(decision, Decision::New(Outcome::Done));
                done += 1;
            }
            Err(fault) => assert_eq!(fault, Fault::Stopped(people.wang.part())),
        }
    }
    drop(engine);
    let engine = start(Arc::new(store), &clock(), 3, None).unwrap();
    assert_eq!(money(&engine, people.wang), Fen(500_000 + 100 * done), "what was answered is there, and nothing else");
}

#[test]
fn a_reader_cannot_write() {
    let store = MemoryStore::new(1);
    assert_eq!(store.books(1).unwrap().project(&Projection::default()), Err(Fault::Fenced(1)));
}
