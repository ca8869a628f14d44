//! What only PostgreSQL can show: a lost reply, a server that goes away, settings that would lose what was acknowledged.

use crate::country::{clock, id};
use crate::postgres_proxy::{Cut, Proxy};
use crate::postgres_server::Database;
use gongji_ledger::{HolderId, Part, RecordHead};
use gongji_store::postgres::{PostgresStore, Roster};
use gongji_store::store::{Head, Journal, Record, Store, Tables};
use gongji_store::{Engine, Fault, Options};
use gongji_wallet::event::Fact;
use gongji_wallet::ids::RequestKey;
use gongji_wallet::{Command, Decision, Event, Outcome, Request};
use std::sync::Arc;

fn record(head: &Head, count: u64) -> Record {
    let created = |serial| Event { fact: Fact::HolderCreated { holder: HolderId::new(1, serial) }, moves: Vec::new() };
    let events: Vec<Event> = (1..=count).map(created).collect();
    Record::new(RecordHead { part: 1, seq: head.seq + 1, stamp: 1_000, directory: 0 }, &events, &head.hash)
}

#[test]
fn a_commit_without_a_reply_is_unknown_and_the_sequence_tells() {
    let database = Database::new();
    let proxy = Proxy::before(database.socket());
    let store = PostgresStore::open(&database.url_by(proxy.port()), 1).unwrap();
    for (cut, events, has_landed) in
        [(Cut::Before, 1, false), (Cut::After, 1, true), (Cut::Halfway, 1, false), (Cut::Halfway, 20_000, false), (Cut::After, 20_000, true)]
    {
        let (mut journal, head) = store.take_over(1).unwrap();
        let record = record(&head, events);
        proxy.cut_next(cut);
        let fault = journal.commit(&record);
        assert!(matches!(fault, Err(Fault::Unknown(_))), "{cut:?}: {fault:?}");
        let (mut again, found) = store.take_over(1).unwrap();
        let expected = if has_landed { (record.head.seq, record.hash) } else { (head.seq, head.hash) };
        assert_eq!(((found.seq, found.hash), found.epoch), (expected, head.epoch + 1), "{cut:?} of {events}");
        let last = again.records(head.seq, 9).unwrap();
        assert_eq!(last, if has_landed { vec![record] } else { Vec::new() });
    }
}

/// Journals by way of the proxy, books directly.
struct Split {
    journals: PostgresStore,
    books: PostgresStore,
}

impl Store for Split {
    fn raise_epoch(&self, part: Part, from: Option<u64>) -> Result<(Box<dyn Journal>, Head), Fault> {
        self.journals.raise_epoch(part, from)
    }

    fn tables(&self, part: Part) -> Result<Box<dyn Tables>, Fault> {
        self.books.tables(part)
    }

    fn journal(&self, part: Part) -> Result<Box<dyn Journal>, Fault> {
        self.books.journal(part)
    }
}

#[tokio::test]
async fn the_engine_works_on_after_lost_replies_and_nothing_happens_twice() {
    let database = Database::new();
    let proxy = Proxy::before(database.socket());
    let books = PostgresStore::open(&database.url(), 1).unwrap();
    let store = Split { journals: PostgresStore::open(&database.url_by(proxy.port()), 1).unwrap(), books };
    let engine = Engine::start(Arc::new(store), clock(), Options::new(1)).unwrap();
    let create = |serial: u64| {
        let key = RequestKey(id(serial));
        Request { idempotency: Some((key, [0; 16])), command: Command::CreateHolder { holder: HolderId::new(1, serial) } }
    };
    let mut expected = 0;
    for (serial, cut) in (1..).zip([Cut::After, Cut::Before, Cut::Halfway, Cut::After, Cut::Nowhere]) {
        proxy.cut_next(cut);
        let first = engine.ask(1, create(serial)).await;
        expected += 1;
        match cut {
            Cut::Before | Cut::Halfway => {
                assert!(matches!(first, Err(Fault::Failed(_))), "it did not land, and that is known: {first:?}");
                assert_eq!(engine.ask(1, create(serial)).await.unwrap().decision, Decision::New(Outcome::Done));
            }
            _ => assert_eq!(first.unwrap().decision, Decision::New(Outcome::Done)),
        }
        let again = engine.ask(1, create(serial)).await.unwrap();
        assert_eq!((again.decision, again.seq), (Decision::Replayed(Outcome::Done), expected));
    }
    engine.stop();
    assert_eq!(database.sql("select count(*), max(seq) from journal where part = 1").trim(), format!("{expected}|{expected}"));
}

#[test]
fn readers_and_projectors_outlive_a_lost_connection() {
    let database = Database::new();
    let store = PostgresStore::open(&database.url(), 1).unwrap();
    let mut books = store.books(1).unwrap();
    books.claim(1).unwrap();
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    database.sql(kill);
    assert!(books.projected().is_ok() && store.books(1).unwrap().projected().is_ok());
    let projection = gongji_store::store::Projection { lines_seq: 4, ..Default::default() };
    if books.project(&projection).is_err() {
        books.project(&projection).unwrap();
    }
    assert_eq!(store.books(1).unwrap().projected().unwrap().lines_seq, 4);
}

#[test]
fn a_reader_that_holds_still_sees_one_moment() {
    let database = Database::new();
    let store = PostgresStore::open(&database.url(), 1).unwrap();
    let (mut writer, mut reader) = (store.books(1).unwrap(), store.books(1).unwrap());
    writer.claim(1).unwrap();
    reader.hold_still().unwrap();
    writer.project(&gongji_store::store::Projection { lines_seq: 4, ..Default::default() }).unwrap();
    assert_eq!(reader.projected().unwrap().lines_seq, 0);
    assert_eq!(store.books(1).unwrap().projected().unwrap().lines_seq, 4);
}

#[test]
fn a_database_that_forgets_is_refused_by_name() {
    let database = Database::new();
    let name = database.sql("select current_database()");
    database.sql(&format!("alter database {name} set synchronous_commit = off"));
    let refused = PostgresStore::open(&database.url(), 1).map(drop);
    database.sql(&format!("alter database {name} reset synchronous_commit"));
    assert!(matches!(&refused, Err(Fault::Failed(why)) if why.contains("synchronous_commit")), "{refused:?}");
    PostgresStore::open(&database.url(), 1).unwrap();
}

#[test]
fn two_may_make_the_tables_at_once() {
    let database = Database::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| PostgresStore::open(&database.url(), 1).map(drop))).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_lost_partition_is_missed() {
    let database = Database::new();
    let store = PostgresStore::open(&database.url(), 2).unwrap();
    assert_eq!((PostgresStore::parts_of(&database.url()).unwrap(), store.lost_part().unwrap(), store.last_stamp().unwrap()), (None, None, 0));
    for part in 0..=2 {
        let (mut journal, head) = store.take_over(part).unwrap();
        if part == 1 {
            journal.commit(&record(&head, 1)).unwrap();
        }
    }
    assert_eq!((PostgresStore::parts_of(&database.url()).unwrap(), store.lost_part().unwrap(), store.last_stamp().unwrap()), (Some(2), None, 1_000));
    assert_eq!(store.heads_at_once().unwrap(), [0, 1, 0]);
    database.sql("delete from ledger_part where part = 2");
    assert_eq!(store.lost_part().unwrap(), Some(2));
}

#[test]
fn one_process_has_the_turn_until_it_lets_go() {
    let database = Database::new();
    let store = PostgresStore::open(&database.url(), 1).unwrap();
    let join = |address| Roster::join(&store, address).unwrap();
    let alone = join(None).expect("nobody works here");
    assert!(join(None).is_none() && join(Some("127.0.0.1:1")).is_none(), "its beat was seen");
    drop(alone);
    let alone = join(None).expect("given back");
    let mut lost = alone.lost();
    assert!(!*lost.borrow());
    database.sql("delete from process");
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { lost.wait_for(|is_lost| *is_lost).await.map(drop) }).unwrap();
    assert!(!alone.is_current());
    // One that was taken for dead takes nothing over any more.
    let other = join(None).unwrap();
    let (late, store_of_other) = (PostgresStore::open(&database.url(), 1).unwrap(), PostgresStore::open(&database.url(), 1).unwrap());
    late.work_as(&alone);
    store_of_other.work_as(&other);
    assert!(store_of_other.take_over(1).is_ok());
    assert!(matches!(late.take_over(1), Err(Fault::Fenced(1))));
    drop(alone);
    assert_eq!(database.sql("select count(*) from process").trim(), "1", "what is another's is not given back");
    drop(other);
    // Those that can be reached share it.
    let (one, two) = (join(Some("127.0.0.1:1")).unwrap(), join(Some("127.0.0.1:2")).unwrap());
    assert!(join(None).is_none());
    let was = database.sql("select name from part_owner where part = 1").trim().to_owned();
    assert!(one.claim(1, &was).unwrap() && !two.claim(1, "").unwrap(), "one of them takes it");
    assert!(!two.hand(1, one.name()).unwrap() && one.hand(1, two.name()).unwrap());
    assert_eq!(database.sql("select name from part_owner where part = 1").trim(), two.name());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_has_used_up_its_turn_may_connect_all_the_same() {
    let database = Database::new();
    let url = database.url();
    // Each message takes a little of a task's turn; with one of these counts nothing is left of it.
    for count in 120..=130 {
        let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
        (0..count).for_each(|number| sender.send(number).unwrap());
        let url = url.clone();
        let connected = tokio::spawn(async move {
            for _ in 0..count {
                messages.recv().await;
            }
            PostgresStore::open(&url, 1).map(drop)
        });
        connected.await.unwrap().unwrap();
    }
}
