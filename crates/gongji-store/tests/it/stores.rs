//! Every store that an installation can stand on.

use crate::country::{Dump, dump, start};
use crate::postgres_server::Database;
use gongji_ledger::Part;
use gongji_store::clock::MovableClock;
use gongji_store::memory::MemoryStore;
use gongji_store::postgres::PostgresStore;
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use gongji_store::{Engine, Fault};
use std::sync::Arc;

/// Where an installation is kept. It outlives every engine and every store opened on it.
pub enum Place {
    Folder(tempfile::TempDir),
    Memory(MemoryStore),
    Database(Database),
}

/// One empty place for each kind of store.
pub fn places(parts: Part) -> [Place; 3] {
    [Place::Folder(tempfile::tempdir().unwrap()), Place::Memory(MemoryStore::new(parts)), Place::Database(Database::new())]
}

impl Place {
    pub fn open(&self, parts: Part) -> Result<Arc<dyn Store>, Fault> {
        Ok(match self {
            Place::Folder(folder) => Arc::new(SqliteStore::open(folder.path(), parts)?),
            Place::Memory(store) => Arc::new(store.reopen(parts)?),
            Place::Database(database) => Arc::new(PostgresStore::open(&database.url(), parts)?),
        })
    }

    pub fn start(&self, clock: &Arc<MovableClock>, parts: Part) -> Engine {
        start(self.open(parts).unwrap(), clock, parts, None).unwrap()
    }

    pub fn lose_books(&self, parts: Part) {
        for part in 0..=parts {
            match self {
                Place::Folder(folder) => {
                    for suffix in ["", "-wal", "-shm"] {
                        let path = folder.path().join(format!("p{part:02}/books.sqlite{suffix}"));
                        assert!(std::fs::remove_file(&path).is_ok() || !suffix.is_empty(), "{path:?} is there to be lost");
                    }
                }
                Place::Memory(store) => store.lose_books(part),
                Place::Database(database) => PostgresStore::open(&database.url(), parts).unwrap().forget_books(part).unwrap(),
            }
        }
    }

    pub fn dump(&self, parts: Part) -> Vec<Dump> {
        dump(&*self.open(parts).unwrap(), parts)
    }

    /// Builds every book again from the journal, and says what they are then.
    pub fn rebuilt(&self, clock: &Arc<MovableClock>, parts: Part) -> Vec<Dump> {
        self.lose_books(parts);
        drop(self.start(clock, parts));
        self.dump(parts)
    }
}
