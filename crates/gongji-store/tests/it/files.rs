//! The embedded store's files after the power went: what was synced at each commit is whole, the rest may be torn anywhere.

use crate::country::*;
use crate::journey::{check_destination, journey};
use gongji_ledger::Part;
use gongji_store::Fault;
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use std::path::Path;
use std::sync::Arc;

/// What a disk holds of a running installation: the files without the memory that processes share.
fn copy(from: &Path, to: &Path, parts: Part) {
    for part in 0..=parts {
        let (from, to) = (from.join(format!("p{part:02}")), to.join(format!("p{part:02}")));
        std::fs::create_dir_all(&to).unwrap();
        for name in ["journal.sqlite", "journal.sqlite-wal", "books.sqlite", "books.sqlite-wal"] {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn torn_books_and_a_torn_commit_behind_the_last_answer_are_made_good() {
    let parts = 2;
    let people = People::of(parts);
    let clock = clock();
    let live = tempfile::tempdir().unwrap();
    let engine = start(Arc::new(SqliteStore::open(live.path(), parts).unwrap()), &clock, parts, None).unwrap();
    walk(&engine, &founding(&people)).await;
    let outcomes = walk(&engine, &journey(&people)).await;
    engine.flush().await;
    let snapshot = tempfile::tempdir().unwrap();
    copy(live.path(), snapshot.path(), parts);
    drop(engine);
    let expected = dump(&SqliteStore::open(live.path(), parts).unwrap(), parts);
    check_destination(&people, &expected);

    // Whoever deletes the books after a crash may leave their log behind.
    let folder = tempfile::tempdir().unwrap();
    copy(snapshot.path(), folder.path(), parts);
    for part in 0..=parts {
        std::fs::remove_file(folder.path().join(format!("p{part:02}/books.sqlite"))).unwrap();
    }
    let store = Arc::new(SqliteStore::open(folder.path(), parts).unwrap());
    drop(start(store.clone(), &clock, parts, None).unwrap());
    assert_eq!(dump(&*store, parts), expected, "books deleted");

    const CUTS: u64 = 12;
    for cut in 0..=CUTS {
        let folder = tempfile::tempdir().unwrap();
        copy(snapshot.path(), folder.path(), parts);
        for part in 0..=parts {
            let part_folder = folder.path().join(format!("p{part:02}"));
            let books = std::fs::OpenOptions::new().write(true).open(part_folder.join("books.sqlite-wal")).unwrap();
            let len = books.metadata().unwrap().len();
            // Mostly in the middle of a frame.
            books.set_len(len * cut / CUTS).unwrap();
            // A commit that was not answered: the beginning of a frame, as a copy of the last bytes.
            let path = part_folder.join("journal.sqlite-wal");
            let mut journal = std::fs::read(&path).unwrap();
            let torn = journal[journal.len().saturating_sub(3_000)..].to_vec();
            journal.extend(torn);
            std::fs::write(&path, journal).unwrap();
        }
        let store = Arc::new(SqliteStore::open(folder.path(), parts).unwrap());
        let engine = start(store.clone(), &clock, parts, None).unwrap();
        engine.settle().await.unwrap();
        assert_eq!(walk(&engine, &journey(&people)).await, outcomes, "every answer is given again");
        drop(engine);
        assert_eq!(dump(&*store, parts), expected, "books cut at {cut} of {CUTS}");
    }
}

#[test]
fn a_power_loss_while_an_installation_is_created_does_not_shut_it_for_good() {
    let live = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(live.path(), 1).unwrap();
    let open: Vec<_> = (0..=1).map(|part| (store.take_over(part).unwrap(), store.books(part).unwrap())).collect();
    let snapshot = tempfile::tempdir().unwrap();
    copy(live.path(), snapshot.path(), 1);
    drop(open);
    const CUTS: u64 = 40;
    for cut in 0..=CUTS {
        let folder = tempfile::tempdir().unwrap();
        copy(snapshot.path(), folder.path(), 1);
        for (part, name) in [(0, "journal"), (1, "journal"), (0, "books"), (1, "books")] {
            let wal = folder.path().join(format!("p{part:02}/{name}.sqlite-wal"));
            let wal = std::fs::OpenOptions::new().write(true).open(wal).unwrap();
            let len = wal.metadata().unwrap().len();
            wal.set_len(len * cut / CUTS).unwrap();
        }
        let store = SqliteStore::open(folder.path(), 1).unwrap();
        drop(start(Arc::new(store), &clock(), 1, None).unwrap_or_else(|fault| panic!("cut at {cut} of {CUTS}: {fault}")));
    }
}

#[tokio::test]
async fn a_journal_without_its_end_is_found() {
    let parts = 2;
    let people = People::of(parts);
    let clock = clock();
    let folder = tempfile::tempdir().unwrap();
    let engine = start(Arc::new(SqliteStore::open(folder.path(), parts).unwrap()), &clock, parts, None).unwrap();
    walk(&engine, &founding(&people)).await;
    let old = tempfile::tempdir().unwrap();
    copy(folder.path(), old.path(), parts);
    walk(&engine, &journey(&people)).await;
    drop(engine);
    // One partition restored from an old copy, the others not.
    let part_folder = folder.path().join("p01");
    std::fs::remove_dir_all(&part_folder).unwrap();
    std::fs::rename(old.path().join("p01"), &part_folder).unwrap();
    match start(Arc::new(SqliteStore::open(folder.path(), parts).unwrap()), &clock, parts, None) {
        Err(Fault::Damaged(why)) => assert!(why.contains("partition 1 has lost history"), "{why}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it started"),
    }
}
