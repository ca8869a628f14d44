//! What every store promises, without an engine on it.

use crate::country::id;
use crate::stores::{Place, places};
use gongji_ledger::{Account, Fen, GENESIS, HolderId, RecordHead};
use gongji_store::Fault;
use gongji_store::store::{Head, Projected, Projection, Record, Store};
use gongji_store::{LatestPeople, PackedPeople};
use gongji_wallet::Event;
use gongji_wallet::event::{Fact, Message};
use gongji_wallet::ids::{Key, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::*;
use std::sync::Arc;

const PART: u16 = 1;

fn record_after(head: &Head, stamp: i64) -> Record {
    let fact = Fact::HolderCreated { holder: HolderId::new(PART, head.seq + 1) };
    Record::new(RecordHead { part: PART, seq: head.seq + 1, stamp, directory: 0 }, &[Event { fact, moves: Vec::new() }], &head.hash)
}

fn after(record: &Record, epoch: u64) -> Head {
    Head { epoch, seq: record.head.seq, stamp: record.head.stamp, hash: record.hash }
}

fn check_each(check: impl Fn(&Place, Arc<dyn Store>)) {
    for place in places(2) {
        let store = place.open(2).unwrap();
        check(&place, store);
    }
}

#[test]
fn a_journal_gives_back_what_was_committed() {
    check_each(|place, store| {
        let (mut journal, head) = store.take_over(PART).unwrap();
        assert_eq!(head, Head { epoch: 1, seq: 0, stamp: 0, hash: GENESIS });
        let first = record_after(&head, 1_000);
        journal.commit(&first).unwrap();
        let second = record_after(&after(&first, 1), 1_000);
        journal.commit(&second).unwrap();
        let (mut journal, head) = place.open(2).unwrap().take_over(PART).unwrap();
        assert_eq!(head, after(&second, 2));
        assert_eq!(journal.records(0, 10).unwrap(), [first.clone(), second.clone()]);
        assert_eq!(journal.records(0, 1).unwrap(), std::slice::from_ref(&first));
        assert_eq!(journal.records(1, 10).unwrap(), [second]);
        assert_eq!(journal.records(2, 10).unwrap(), []);
        assert_eq!(first.events().unwrap()[0].fact, Fact::HolderCreated { holder: HolderId::new(PART, 1) });
        // The neighbour's journal is another one.
        assert_eq!(store.take_over(2).unwrap().1, Head::empty(1));
    });
}

#[test]
fn only_the_last_writer_that_took_over_commits() {
    check_each(|_, store| {
        let (mut stale, head) = store.take_over(PART).unwrap();
        let (mut current, again) = store.take_over(PART).unwrap();
        assert_eq!((head.epoch, again.epoch), (1, 2));
        let record = record_after(&head, 1_000);
        assert_eq!(stale.commit(&record), Err(Fault::Fenced(PART)));
        current.commit(&record).unwrap();
        assert_eq!(stale.commit(&record_after(&after(&record, 1), 1_000)), Err(Fault::Fenced(PART)));
        // Neither does a reader, nor the current writer out of turn.
        assert_eq!(store.journal(PART).unwrap().commit(&record_after(&after(&record, 2), 1_000)), Err(Fault::Fenced(PART)));
        assert_eq!(current.commit(&record), Err(Fault::Fenced(PART)));
        let beyond = Head { seq: 5, ..after(&record, 2) };
        assert_eq!(current.commit(&record_after(&beyond, 1_000)), Err(Fault::Fenced(PART)));
        assert_eq!(store.journal(PART).unwrap().records(0, 10).unwrap(), [record]);
    });
}

#[test]
fn a_writer_takes_over_from_itself_and_never_from_a_successor() {
    check_each(|_, store| {
        let (_, first) = store.take_over(PART).unwrap();
        let (mut again, resumed) = store.raise_epoch(PART, Some(first.epoch)).unwrap();
        assert_eq!(resumed.epoch, first.epoch + 1);
        assert_eq!(store.raise_epoch(PART, Some(first.epoch)).map(drop), Err(Fault::Fenced(PART)));
        // Who was refused has ended nobody.
        again.commit(&record_after(&resumed, 1_000)).unwrap();
    });
}

#[test]
fn writers_that_take_over_at_once_get_different_epochs() {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 12;
    check_each(|_, store| {
        store.take_over(PART).unwrap();
        let start = std::sync::Barrier::new(WRITERS);
        let take_over = || {
            let epochs = (0..ROUNDS).map(|_| {
                start.wait();
                store.take_over(PART).unwrap().1.epoch
            });
            epochs.collect::<Vec<_>>()
        };
        let mut epochs: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..WRITERS).map(|_| scope.spawn(take_over)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        epochs.sort_unstable();
        assert_eq!(epochs, (2..2 + (WRITERS * ROUNDS) as u64).collect::<Vec<_>>());
    });
}

fn holder(serial: u64) -> (Key, Arc<Object>) {
    let id = HolderId::new(PART, serial);
    (Key::Holder(id), Arc::new(Object::Holder(Box::new(Holder::new(id)))))
}

fn packed(serials: &[u64]) -> Arc<LatestPeople> {
    let mut packed = PackedPeople::default();
    for serial in serials {
        packed.add(&Holder::new(HolderId::new(PART, *serial)));
    }
    Arc::new(LatestPeople::of(vec![packed]))
}

fn line(number: u64) -> Line {
    Line {
        number,
        holder: HolderId::new(PART, 1),
        previous: number - 1,
        at: 1_000,
        seq: 1,
        code: LineCode::Contribution,
        purse: Purse::Wallet,
        amount: Fen(5),
        wallet_after: Fen(5),
        personal_after: Fen::ZERO,
        other: Counterparty::None,
        reference: [0; 16],
        lots: Vec::new(),
    }
}

fn taking(number: u64) -> Taking {
    let order = OrderId { institution: crate::country::pharmacy(), number: [7; 16] };
    let bill = Bill { total: Fen(5), fund: Fen::ZERO, own: Fen(5), institution: Fen::ZERO };
    Taking {
        number,
        payee: Payee::Institution(order.institution),
        previous: number - 1,
        at: 1_000,
        seq: 1,
        kind: TakingKind::Held,
        state: PaymentState::Held,
        payment: PaymentId([number as u8; 16]),
        holder: HolderId::new(PART, 1),
        purpose: Purpose::Order { order, area: 510_500, bill, visit: Visit::at_counter(20_000), insurance: 390 },
        lots: Vec::new(),
    }
}

fn envelope(to: u16, number: u64) -> Envelope {
    let message = Message::RelationEnded { holder: HolderId::new(to, number), other: HolderId::new(PART, 1), why: EndReason::Death };
    Envelope { from: PART, to, number, message }
}

#[test]
fn books_give_back_what_was_projected() {
    check_each(|place, store| {
        let mut books = store.books(PART).unwrap();
        assert_eq!(books.projected().unwrap(), Projected::default());
        books.claim(1).unwrap();
        let order = OrderId { institution: crate::country::pharmacy(), number: [7; 16] };
        let transfer = Transfer {
            id: TransferId([9; 16]),
            sender: HolderId::new(2, 1),
            receiver: HolderId::new(PART, 1),
            relation: 51,
            source: Purse::Wallet,
            kind: gongji_ledger::GrantKind::Transfer,
            lots: Vec::new(),
            sent_at: 0,
            deadline: 77,
            rule: 1,
        };
        let waiting = Incoming { transfer, state: TransferState::AwaitingRecipient, decided_at: None, by: None };
        let taken = Incoming { state: TransferState::Credited, ..waiting.clone() };
        let incoming = (Key::Incoming(TransferId([9; 16])), Arc::new(Object::Incoming(Box::new(waiting))));
        let balance = (Key::Balance(Account::Fund { area: 510_500 }), Arc::new(Object::Balance(Fen(-5))));
        let first = Projection {
            lines_seq: 3,
            lines: vec![Arc::new(vec![line(1), line(2)])],
            takings: vec![Arc::new((1..=130).map(taking).collect())],
            orders: vec![(3, Key::Order(order))],
            outbox: vec![envelope(2, 1), envelope(2, 2), envelope(3, 1)],
            delivered: Vec::new(),
            made: Vec::new(),
            objects: Some((2, vec![incoming.clone(), balance])),
            people: packed(&[1, 7, 300]),
        };
        books.project(&first).unwrap();
        let mut reader = place.open(2).unwrap().books(PART).unwrap();
        assert_eq!(reader.projected().unwrap(), Projected { lines_seq: 3, objects_seq: 2 });
        assert_eq!(reader.load(&holder(1).0).unwrap().as_ref(), Some(&*holder(1).1));
        assert_eq!(reader.load(&holder(2).0).unwrap(), None);
        assert_eq!(reader.due().unwrap(), [(77, incoming.0)]);
        assert_eq!((reader.line(2).unwrap(), reader.line(3).unwrap()), (Some(line(2)), None));
        assert_eq!((reader.taking(100).unwrap(), reader.taking(131).unwrap()), (Some(taking(100)), None));
        for after in [0, 1, 63, 64, 65, 129, 130, 500] {
            let mut seen = Vec::new();
            reader
                .each_taking(after, &mut |taking| {
                    seen.push(taking.number);
                    Ok(taking.number < 100)
                })
                .unwrap();
            let expected: Vec<u64> = if after < 100 { (after + 1..=100).collect() } else { (after + 1..=130).take(1).collect() };
            assert_eq!(seen, expected, "behind {after}");
        }
        assert_eq!((reader.order_line(3).unwrap(), reader.order_line(1).unwrap()), (Some(Key::Order(order)), None));
        assert_eq!(reader.outbox().unwrap(), first.outbox);

        // Later versions replace earlier ones; objects may lag behind the lines.
        let second = Projection { lines_seq: 4, delivered: vec![(2, 1)], ..Projection::default() };
        books.project(&second).unwrap();
        assert_eq!(reader.projected().unwrap(), Projected { lines_seq: 4, objects_seq: 2 });
        assert_eq!(reader.outbox().unwrap(), [envelope(2, 2), envelope(3, 1)]);
        let third = Projection { lines_seq: 4, objects: Some((4, vec![(incoming.0, Arc::new(Object::Incoming(Box::new(taken))))])), ..Projection::default() };
        books.project(&third).unwrap();
        assert_eq!(reader.projected().unwrap(), Projected { lines_seq: 4, objects_seq: 4 });
        assert_eq!(reader.due().unwrap(), []);
        let mut keys = Vec::new();
        reader
            .each_object(&mut |key, _| {
                keys.push(key);
                Ok(())
            })
            .unwrap();
        assert_eq!(keys, [holder(1).0, holder(7).0, holder(300).0, incoming.0, Key::Balance(Account::Fund { area: 510_500 })]);

        // The same rows in the same order whatever the size of a page, people among the others.
        let mut tables = place.open(2).unwrap().tables(PART).unwrap();
        let all = tables.rows(&[], 100).unwrap();
        assert_eq!(all.iter().map(|(key, _)| key[0]).collect::<Vec<_>>(), [2, 2, 2, 4, 10, 64, 65]);
        assert!(all.is_sorted_by_key(|(key, _)| key.clone()));
        for size in 1..=all.len() {
            let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            loop {
                let page = tables.rows(found.last().map_or(&[], |(key, _)| key), size).unwrap();
                assert!(page.len() <= size);
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            assert_eq!(found, all, "{size} at once");
        }

        // All of a projection or nothing: the message is there already.
        let outbox = vec![envelope(3, 2), envelope(3, 1)];
        let torn = Projection {
            lines_seq: 9,
            lines: vec![Arc::new(vec![line(3)])],
            outbox,
            objects: Some((9, Vec::new())),
            people: packed(&[5]),
            ..Projection::default()
        };
        assert!(books.project(&torn).is_err());
        assert_eq!(reader.projected().unwrap(), Projected { lines_seq: 4, objects_seq: 4 });
        assert_eq!((reader.line(3).unwrap(), reader.load(&holder(5).0).unwrap()), (None, None));
    });
}

#[test]
fn books_are_written_for_the_latest_writer_alone() {
    check_each(|_, store| {
        let projection = |seq| Projection { lines_seq: seq, objects: Some((seq, Vec::new())), people: packed(&[seq]), ..Projection::default() };
        let (mut stale, mut current) = (store.books(PART).unwrap(), store.books(PART).unwrap());
        assert_eq!(stale.project(&projection(1)), Err(Fault::Fenced(PART)), "not claimed yet");
        stale.claim(1).unwrap();
        stale.project(&projection(1)).unwrap();
        current.claim(2).unwrap();
        assert_eq!(stale.project(&projection(2)), Err(Fault::Fenced(PART)));
        assert_eq!(stale.claim(1), Err(Fault::Fenced(PART)));
        assert_eq!(current.projected().unwrap(), Projected { lines_seq: 1, objects_seq: 1 });
        current.project(&projection(3)).unwrap();
        assert_eq!(stale.load(&holder(2).0).unwrap(), None);
        assert_eq!(store.books(2).unwrap().projected().unwrap(), Projected::default(), "the neighbour's books are others");
    });
}

#[test]
fn the_largest_timed_key_is_found_among_answers_alone() {
    check_each(|_, store| {
        let mut books = store.books(PART).unwrap();
        books.claim(1).unwrap();
        assert_eq!(books.last_timed_key().unwrap(), None);
        let answer = |key: [u8; 16]| {
            let answer = Answer { fingerprint: [0; 16], seq: 1, outcome: gongji_wallet::Outcome::Done };
            (Key::Answer(RequestKey(key)), Arc::new(Object::Answer(answer)))
        };
        let objects = vec![answer(id(3)), answer(id(9)), answer([0x80; 16]), answer([0xFF; 16])];
        books.project(&Projection { lines_seq: 1, objects: Some((1, objects)), people: packed(&[1]), ..Projection::default() }).unwrap();
        assert_eq!(books.last_timed_key().unwrap(), Some(RequestKey(id(9))));
    });
}

#[test]
fn the_count_of_partitions_is_fixed_and_refused_by_name() {
    check_each(|place, store| {
        store.take_over(0).unwrap();
        assert!(place.open(2).is_ok());
        for wanted in [1, 3] {
            let refused = place.open(wanted).map(drop);
            assert_eq!(refused, Err(Fault::PartitionCount { found: 2, wanted }));
        }
    });
}

#[test]
fn a_payment_names_its_partition() {
    assert_eq!(PaymentId::new(id(5), 8).part(), 8);
}
