//! What only the embedded store can show: its settings, a full disk, and a COMMIT that fails.

use super::*;
use crate::clock::MovableClock;
use crate::engine::{Engine, Options};
use gongji_ledger::HolderId;
use gongji_wallet::event::Fact;
use gongji_wallet::{Command, Decision, Event, Outcome, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

fn journal_of(store: &SqliteStore, part: Part) -> (SqliteJournal, Head) {
    let (_, head) = store.take_over(part).unwrap();
    (SqliteJournal { connection: store.open_journal(part).unwrap(), part, epoch: head.epoch }, head)
}

fn record(head: &Head, count: u64) -> Record {
    let created = |serial| Event { fact: Fact::HolderCreated { holder: HolderId::new(1, serial) }, moves: Vec::new() };
    let events: Vec<Event> = (1..=count).map(created).collect();
    Record::new(RecordHead { part: 1, seq: head.seq + 1, stamp: 1_000, directory: 0 }, &events, &head.hash)
}

/// FULL syncs the write-ahead log before COMMIT returns; a commit that has returned survives a power loss.
#[test]
fn a_commit_of_the_journal_is_synced_before_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), 1).unwrap();
    let settings = |connection: &Connection| {
        let text = |name| connection.pragma_query_value(None, name, |row| row.get::<_, String>(0)).unwrap();
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        (text("journal_mode"), number("synchronous"))
    };
    assert_eq!(settings(&store.open_journal(1).unwrap()), ("wal".to_owned(), 2));
    let books = open_file(&store.part_folder(1), "books.sqlite", "NORMAL").unwrap();
    assert_eq!(settings(&books), ("wal".to_owned(), 1));
}

#[test]
fn a_full_disk_refuses_a_record_whole_and_takes_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), 1).unwrap();
    let (mut journal, head) = journal_of(&store, 1);
    let pages: i64 = journal.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let full = |journal: &SqliteJournal, max: i64| journal.connection.pragma_update_and_check(None, "max_page_count", max, |_| Ok(())).unwrap();
    full(&journal, pages + 1);
    let large = record(&head, 10_000);
    assert!(matches!(journal.commit(&large), Err(Fault::Failed(_))));
    assert_eq!(journal.records(0, 9).unwrap(), []);
    full(&journal, 1_000_000);
    journal.commit(&large).unwrap();
    assert_eq!(journal.records(0, 9).unwrap(), [large]);
}

/// Makes COMMIT itself fail: a reference that is checked only then, and leads nowhere.
fn arm(journal: &SqliteJournal) {
    let sql = "pragma foreign_keys = on;
        create temp table known (id integer primary key);
        create temp table wanted (id integer references known (id) deferrable initially deferred);
        create temp trigger refuse after insert on main.journal begin insert into wanted values (1); end;";
    journal.connection.execute_batch(sql).unwrap();
}

#[test]
fn a_commit_that_fails_is_unknown_until_the_journal_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), 1).unwrap();
    let (mut journal, head) = journal_of(&store, 1);
    arm(&journal);
    let fault = journal.commit(&record(&head, 1));
    assert!(matches!(fault, Err(Fault::Unknown(_))), "{fault:?}");
    let (mut again, found) = store.take_over(1).unwrap();
    assert_eq!(found, Head { epoch: head.epoch + 1, ..head });
    again.commit(&record(&found, 1)).unwrap();
}

const FAILS: u8 = 1;
const LANDS_UNHEARD: u8 = 2;

/// The embedded store with one commit of partition 1 that goes wrong.
struct Faulty {
    store: SqliteStore,
    how: Arc<AtomicU8>,
}

struct FaultyJournal {
    journal: SqliteJournal,
    how: Arc<AtomicU8>,
}

impl Store for Faulty {
    fn raise_epoch(&self, part: Part, from: Option<u64>) -> Result<(Box<dyn Journal>, Head), Fault> {
        let (_, head) = self.store.raise_epoch(part, from)?;
        let journal = SqliteJournal { connection: self.store.open_journal(part)?, part, epoch: head.epoch };
        Ok((Box::new(FaultyJournal { journal, how: self.how.clone() }), head))
    }

    fn tables(&self, part: Part) -> Result<Box<dyn Tables>, Fault> {
        self.store.tables(part)
    }

    fn journal(&self, part: Part) -> Result<Box<dyn Journal>, Fault> {
        self.store.journal(part)
    }
}

impl Journal for FaultyJournal {
    fn commit(&mut self, record: &Record) -> Result<(), Fault> {
        match self.how.swap(0, Ordering::AcqRel) {
            FAILS => arm(&self.journal),
            LANDS_UNHEARD => return self.journal.commit(record).and(Err(Fault::Unknown("nobody heard".to_owned()))),
            _ => {}
        }
        self.journal.commit(record)
    }

    fn records(&mut self, after: u64, max: usize) -> Result<Vec<Record>, Fault> {
        self.journal.records(after, max)
    }
}

#[tokio::test]
async fn the_engine_finds_out_what_became_of_a_commit_and_works_on() {
    let folder = tempfile::tempdir().unwrap();
    let how = Arc::new(AtomicU8::new(0));
    let store = Faulty { store: SqliteStore::open(folder.path(), 1).unwrap(), how: how.clone() };
    let engine = Engine::start(Arc::new(store), Arc::new(MovableClock::standing(1_000)), Options::new(1)).unwrap();
    let create = |serial| Request { idempotency: None, command: Command::CreateHolder { holder: HolderId::new(1, serial) } };
    let is_there = |serial| engine.holder(HolderId::new(1, serial)).unwrap().is_some();

    how.store(FAILS, Ordering::Release);
    assert!(matches!(engine.ask(1, create(1)).await, Err(Fault::Failed(_))));
    assert!(!is_there(1));
    how.store(LANDS_UNHEARD, Ordering::Release);
    assert_eq!(engine.ask(1, create(2)).await.unwrap().decision, Decision::New(Outcome::Done));
    assert!(is_there(2));
    assert_eq!(engine.ask(1, create(1)).await.unwrap().seq, 2);
    assert!(is_there(1));
}

#[test]
fn a_full_disk_did_not_take_the_record_and_anything_else_is_unknown() {
    let failure = |code, extended_code| outcome_of(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error { code, extended_code }, None));
    assert!(matches!(failure(ErrorCode::DiskFull, rusqlite::ffi::SQLITE_FULL), Fault::Failed(_)));
    assert!(matches!(failure(ErrorCode::SystemIoFailure, rusqlite::ffi::SQLITE_IOERR_FSYNC), Fault::Unknown(_)));
}
