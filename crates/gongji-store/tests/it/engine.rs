//! An engine on every store: keys that make repeats harmless, restarts, and what callers are told.

use crate::country::*;
use crate::journey::journey;
use crate::stores::places;
use gongji_ledger::Fen;
use gongji_store::Fault;
use gongji_wallet::command::Command;
use gongji_wallet::day::{DAY_MS, day_of, instant};
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::TransferState;
use gongji_wallet::{Decision, Outcome};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_with_one_key_have_one_effect_and_one_answer() {
    for place in places(1) {
        let people = People::of(1);
        let engine = Arc::new(place.start(&clock(), 1));
        walk(&engine, &founding(&people)).await;
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let engine = engine.clone();
            let Step { part, request } = send(100, people.wang, people.li, 51, Fen(70_000));
            asked.spawn(async move { engine.ask(part, request).await.unwrap().decision });
        }
        let decisions = asked.join_all().await;
        let mut fresh = Vec::new();
        let mut repeated = Vec::new();
        for decision in decisions {
            match decision {
                Decision::New(outcome) => fresh.push(outcome),
                Decision::Replayed(outcome) => repeated.push(outcome),
                Decision::KeyReused => panic!("it is the same body"),
            }
        }
        assert_eq!((fresh.len(), repeated.len()), (1, 199));
        assert!(repeated.iter().all(|outcome| *outcome == fresh[0]));
        assert!(matches!(fresh[0], Outcome::Transfer { state: TransferState::AwaitingRecipient, .. }));
        let lines = engine.lines(people.wang, None, 10, |line| line.amount.is_negative()).await.unwrap();
        assert_eq!(lines.len(), 1);
    }
}

#[tokio::test]
async fn a_key_with_another_body_is_refused_also_after_a_restart() {
    for place in places(1) {
        let people = People::of(1);
        let clock = clock();
        let first = send(100, people.wang, people.li, 51, Fen(70_000));
        let mut other = send(100, people.wang, people.li, 51, Fen(70_001));
        other.request.idempotency = Some((first.request.idempotency.unwrap().0, other.request.idempotency.unwrap().1));
        let engine = place.start(&clock, 1);
        walk(&engine, &founding(&people)).await;
        let answered = walk(&engine, std::slice::from_ref(&first)).await;
        assert_eq!(engine.ask(1, other.request.clone()).await.unwrap().decision, Decision::KeyReused);
        drop(engine);
        let engine = place.start(&clock, 1);
        assert_eq!(engine.ask(1, other.request.clone()).await.unwrap().decision, Decision::KeyReused);
        assert_eq!(engine.ask(1, first.request.clone()).await.unwrap().decision, Decision::Replayed(answered[0].clone()));
    }
}

#[tokio::test]
async fn an_answer_is_given_again_after_four_hundred_days() {
    for place in places(1) {
        let people = People::of(1);
        let clock = clock();
        let engine = place.start(&clock, 1);
        walk(&engine, &founding(&people)).await;
        let outcomes = walk(&engine, &journey(&people)).await;
        drop(engine);
        for day in 1..=400 {
            assert!(clock.set(morning() + day * DAY_MS));
            if day % 100 == 0 {
                let engine = place.start(&clock, 1);
                engine.settle().await.unwrap();
                let contribution = Command::Contribute { holder: people.wang, area: JINAN, amount: Fen(1), month: 202_704 };
                walk(&engine, &[step(1, 10_000 + day as u64, contribution)]).await;
                for (step, outcome) in journey(&people).into_iter().zip(&outcomes) {
                    assert_eq!(engine.ask(step.part, step.request).await.unwrap().decision, Decision::Replayed(outcome.clone()));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_stays_one() {
    for place in places(1) {
        let people = People::of(1);
        let clock = clock();
        let engine = place.start(&clock, 1);
        walk(&engine, &founding(&people)).await;
        let too_much = send(100, people.wang, people.li, 51, Fen(200_001));
        let refused = walk(&engine, std::slice::from_ref(&too_much)).await;
        assert!(matches!(&refused[0], Outcome::Refused(reasons) if reasons.len() == 1), "{refused:?}");
        drop(engine);
        let engine = place.start(&clock, 1);
        assert_eq!(engine.ask(1, too_much.request.clone()).await.unwrap().decision, Decision::Replayed(refused[0].clone()));
        assert_eq!(engine.holder(people.wang).unwrap().unwrap().outgoing, []);
    }
}

#[tokio::test]
async fn many_requests_at_once_are_answered_in_their_order() {
    for place in places(1) {
        let people = People::of(1);
        let engine = place.start(&clock(), 1);
        walk(&engine, &founding(&people)).await;
        // More than one batch holds, so that the answers come from several commits.
        let count = gongji_store::BATCH_MAX as u64 + 100;
        let contribute = |number| {
            let command = Command::Contribute { holder: people.wang, area: JINAN, amount: Fen(if number % 10 == 0 { 0 } else { 1 }), month: 202_703 };
            step(1, 1_000 + number, command).request
        };
        let replies = engine.ask_all(1, (0..count).map(contribute).collect()).await;
        assert_eq!(replies.len() as u64, count);
        let mut last = 0;
        for (number, reply) in replies.into_iter().enumerate() {
            let decided = reply.unwrap();
            assert!(decided.seq >= last, "a later request is in no earlier record");
            last = decided.seq;
            assert_eq!(matches!(decided.decision, Decision::New(Outcome::Refused(_))), number % 10 == 0, "{number}");
        }
        assert!(engine.ask_all(1, Vec::new()).await.is_empty());
    }
}

#[tokio::test]
async fn what_nobody_took_goes_back_at_the_deadline_also_across_a_restart() {
    for parts in [1, 3] {
        for place in places(parts) {
            let people = People::of(parts);
            let clock = clock();
            let engine = place.start(&clock, parts);
            walk(&engine, &founding(&people)).await;
            walk(&engine, &[send(100, people.wang, people.li, 51, Fen(70_000))]).await;
            drop(engine);
            let deadline = instant(day_of(morning()) + 1, 6 * 60);
            let engine = place.start(&clock, parts);
            assert!(clock.set(deadline - 1));
            engine.settle().await.unwrap();
            let id = TransferId(id(100));
            assert_eq!(engine.incoming(people.li, id).unwrap().unwrap().state, TransferState::AwaitingRecipient);
            drop(engine);
            assert!(clock.set(deadline));
            let engine = place.start(&clock, parts);
            engine.settle().await.unwrap();
            assert_eq!(engine.incoming(people.li, id).unwrap().unwrap().state, TransferState::Returned);
            let outgoing = engine.outgoing(people.wang, id).unwrap().unwrap();
            assert_eq!((outgoing.state, outgoing.decided_at), (TransferState::Returned, Some(deadline)));
            assert_eq!(engine.holder(people.wang).unwrap().unwrap().personal_total(), Fen(500_000));
            drop(engine);
            let dumps = place.dump(parts);
            check_balanced(&dumps);
            assert_eq!(place.rebuilt(&clock, parts), dumps);
        }
    }
}

#[tokio::test]
async fn a_restart_between_any_two_steps_changes_nothing() {
    for parts in [1, 3] {
        for place in places(parts) {
            let people = People::of(parts);
            let clock = clock();
            let mut steps = founding(&people);
            steps.extend(journey(&people));
            for step in &steps {
                let engine = place.start(&clock, parts);
                walk(&engine, std::slice::from_ref(step)).await;
            }
            crate::journey::check_destination(&people, &place.dump(parts));
        }
    }
}

#[tokio::test]
async fn time_never_runs_backwards_in_a_journal() {
    for place in places(1) {
        let people = People::of(1);
        let engine = place.start(&clock(), 1);
        walk(&engine, &founding(&people)).await;
        drop(engine);
        // A machine whose clock was set back.
        let earlier = Arc::new(gongji_store::clock::MovableClock::standing(morning() - 3_600_000));
        let engine = place.start(&earlier, 1);
        walk(&engine, &[send(100, people.wang, people.li, 51, Fen(70_000))]).await;
        assert_eq!(engine.outgoing(people.wang, TransferId(id(100))).unwrap().unwrap().transfer.sent_at, morning());
    }
}

#[tokio::test]
async fn a_partition_that_does_not_exist_is_told_so() {
    for place in places(1) {
        let engine = place.start(&clock(), 1);
        let elsewhere = gongji_ledger::HolderId::new(7, 1);
        assert_eq!(engine.ask(7, step(7, 1, Command::CreateHolder { holder: elsewhere }).request).await, Err(Fault::Stopped(7)));
        assert_eq!(engine.holder(elsewhere).unwrap(), None);
        assert_eq!(engine.lines(elsewhere, None, 5, |_| true).await.unwrap(), []);
    }
}

#[tokio::test]
async fn after_stop_the_books_are_written_and_nothing_is_taken_in() {
    for place in places(1) {
        let people = People::of(1);
        let clock = clock();
        let engine = place.start(&clock, 1);
        walk(&engine, &founding(&people)).await;
        engine.stop();
        let books = place.dump(1);
        assert!(!books[1].lines.is_empty());
        assert_eq!(engine.ask(1, founding(&people)[1].request.clone()).await, Err(Fault::Stopped(1)));
        assert_eq!(engine.ask_all(1, vec![founding(&people)[1].request.clone()]).await, [Err(Fault::Stopped(1))]);
        assert_eq!(engine.nudge().await, Err(Fault::Stopped(0)));
        assert_eq!(engine.settle().await, Err(Fault::Stopped(0)));
        engine.flush().await;
        // What was written can still be read.
        assert_eq!(engine.holder(people.wang).unwrap().unwrap().personal_total(), Fen(500_000));
        assert_eq!(engine.lines(people.wang, None, 5, |_| true).await.unwrap().len(), 1);
        engine.stop();
        drop(engine);
        assert_eq!(place.dump(1), books);
    }
}

/// A clock that breaks when it is told to: a bug in the middle of a batch.
struct Breaking(std::sync::atomic::AtomicBool);

impl gongji_store::clock::Clock for Breaking {
    fn now(&self) -> i64 {
        assert!(!self.0.load(std::sync::atomic::Ordering::SeqCst), "a planted bug");
        morning()
    }
}

#[tokio::test]
async fn a_writer_that_stumbles_over_its_successors_books_was_fenced_and_had_no_bug() {
    for place in places(1) {
        for has_successor in [false, true] {
            let breaking = Arc::new(Breaking(false.into()));
            let store = place.open(1).unwrap();
            let engine = gongji_store::Engine::start(store.clone(), breaking.clone(), gongji_store::Options::new(1)).unwrap();
            if has_successor {
                store.take_over(1).unwrap();
            }
            breaking.0.store(true, std::sync::atomic::Ordering::SeqCst);
            let Step { part, request } = step(1, 900, Command::CreateHolder { holder: gongji_ledger::HolderId::new(1, 9) });
            let told = engine.ask(part, request).await;
            assert_eq!(matches!(told, Err(Fault::Fenced(1))), has_successor, "{told:?}");
            assert_eq!(matches!(told, Err(Fault::Unknown(_))), !has_successor, "{told:?}");
        }
    }
}
