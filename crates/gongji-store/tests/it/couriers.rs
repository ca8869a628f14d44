//! Messages between partitions arrive once and in order, whatever happens to them on the way.

use crate::country::*;
use crate::journey::{check_destination, journey};
use gongji_ledger::{Fen, Part};
use gongji_store::DisturbMessages;
use gongji_store::memory::MemoryStore;
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::{Envelope, TransferState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that look like chance and come again from one seed.
pub struct Chance(AtomicU64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(AtomicU64::new(seed))
    }

    /// One number below `end` (splitmix64).
    pub fn below(&self, end: u64) -> u64 {
        let mut mixed = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Drops a fifth of the messages, repeats a third and shuffles all.
pub fn rough(seed: u64) -> DisturbMessages {
    let chance = Chance::new(seed);
    let messages = move |_: Part, envelopes: Vec<Envelope>| {
        let mut sent: Vec<Envelope> = Vec::new();
        for envelope in envelopes {
            if chance.below(3) == 0 {
                sent.push(envelope.clone());
            }
            if chance.below(5) != 0 {
                sent.push(envelope);
            }
        }
        for last in (1..sent.len()).rev() {
            sent.swap(last, chance.below(last as u64 + 1) as usize);
        }
        sent
    };
    Arc::new(messages)
}

async fn check_rough_journey(parts: Part, seed: u64) {
    let store = MemoryStore::new(parts);
    let people = People::of(parts);
    let clock = clock();
    let engine = start(Arc::new(store.clone()), &clock, parts, Some(rough(seed))).unwrap();
    let mut steps = founding(&people);
    steps.extend(journey(&people));
    walk(&engine, &steps).await;
    drop(engine);
    check_destination(&people, &dump(&store, parts));
}

#[tokio::test]
async fn dropped_repeated_and_shuffled_messages_arrive_once_and_in_order() {
    for seed in 1..=4 {
        check_rough_journey(8, seed).await;
    }
    check_rough_journey(1, 5).await;
}

#[tokio::test]
async fn many_messages_at_once_survive_a_rough_way() {
    const SENDERS: u64 = 300;
    let parts = 2;
    let store = MemoryStore::new(parts);
    let people = People::of(parts);
    let clock = clock();
    let engine = start(Arc::new(store.clone()), &clock, parts, Some(rough(9))).unwrap();
    walk(&engine, &founding(&people)).await;
    let (receiver, sender) = (people.li, |number| gongji_ledger::HolderId::new(1, 100 + number));
    let requests = |make: &dyn Fn(u64) -> Step| (0..SENDERS).map(|number| make(number).request).collect::<Vec<_>>();
    use gongji_wallet::command::Command;
    let founded = [
        requests(&|number| step(1, 1_000 + number, Command::CreateHolder { holder: sender(number) })),
        requests(&|number| {
            let enrolment = enrolment(JINAN, gongji_wallet::object::EMPLOYEE);
            step(1, 2_000 + number, Command::SetEnrolment { holder: sender(number), enrolment })
        }),
        requests(&|number| step(1, 3_000 + number, Command::Contribute { holder: sender(number), area: JINAN, amount: Fen(1_000), month: 202_702 })),
        requests(&|number| send(4_000 + number, sender(number), receiver, 51, Fen(1_000))),
    ];
    for requests in founded {
        for reply in engine.ask_all(1, requests).await {
            outcome(reply);
        }
    }
    engine.settle().await.unwrap();
    let mut waiting = 0;
    for number in 0..SENDERS {
        let transfer = TransferId(id(4_000 + number));
        let there = engine.incoming(receiver, transfer).unwrap().unwrap().state;
        assert_eq!(engine.outgoing(sender(number), transfer).unwrap().unwrap().state, there, "both sides know the same");
        waiting += u64::from(there == TransferState::AwaitingRecipient);
    }
    assert_eq!(waiting, gongji_wallet::transfer::INCOMING_MAX as u64);
    drop(engine);
    let dumps = dump(&store, parts);
    check_balanced(&dumps);
    // Nothing that was applied is kept to be sent again.
    for part in 1..=parts {
        use gongji_store::store::Store;
        assert_eq!(store.books(part).unwrap().outbox().unwrap(), []);
    }
}

#[tokio::test]
async fn messages_that_never_arrive_hold_up_neither_callers_nor_a_stop() {
    let parts = 2;
    let store = MemoryStore::new(parts);
    let people = People::of(parts);
    let clock = clock();
    let nothing: DisturbMessages = Arc::new(|_, _| Vec::new());
    let engine = start(Arc::new(store.clone()), &clock, parts, None).unwrap();
    walk(&engine, &founding(&people)).await;
    drop(engine);
    let engine = start(Arc::new(store.clone()), &clock, parts, Some(nothing)).unwrap();
    let Step { part, request } = send(100, people.wang, people.li, 51, Fen(70_000));
    outcome(engine.ask(part, request).await);
    assert_eq!(engine.messages_under_way(), 1);
    let outgoing = engine.outgoing(people.wang, TransferId(id(100))).unwrap().unwrap();
    assert_eq!(outgoing.state, TransferState::Submitted);
    drop(engine);

    // The next engine carries it on, from the journal and from the books alike.
    for lost in [false, true] {
        if lost {
            store.lose_books(1);
        }
        let engine = start(Arc::new(store.clone()), &clock, parts, None).unwrap();
        engine.settle().await.unwrap();
        assert_eq!(engine.incoming(people.li, TransferId(id(100))).unwrap().unwrap().state, TransferState::AwaitingRecipient);
        drop(engine);
        check_balanced(&dump(&store, parts));
    }
}
