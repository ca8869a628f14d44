//! Where an installation's ledger and vault are kept: in files of its data folder, or in a PostgreSQL database.

use gongji_ledger::Part;
use gongji_store::Fault;
use gongji_store::postgres::PostgresStore;
use gongji_store::seal::Keys;
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use gongji_store::vault::{VAULT_FILE, Vault, VaultError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub enum Kept {
    Files { folder: PathBuf, parts: Part },
    Database { store: PostgresStore, parts: Part },
}

impl Kept {
    pub fn files(folder: &Path, parts: Part) -> Kept {
        Kept::Files { folder: folder.to_owned(), parts }
    }

    /// Makes the tables where there are none.
    pub fn database(url: &str, parts: Part) -> Result<Kept, Fault> {
        Ok(Kept::Database { store: PostgresStore::open(url, parts)?, parts })
    }

    pub fn parts(&self) -> Part {
        match self {
            Kept::Files { parts, .. } | Kept::Database { parts, .. } => *parts,
        }
    }

    pub fn store(&self) -> Result<Arc<dyn Store>, Fault> {
        Ok(match self {
            Kept::Files { folder, parts } => Arc::new(SqliteStore::open(folder, *parts)?),
            Kept::Database { store, .. } => Arc::new(store.clone()),
        })
    }

    /// A partition in which nobody has ever worked though others have records: it was there and is lost.
    pub fn lost_part(&self) -> Result<Option<Part>, Fault> {
        match self {
            Kept::Files { folder, parts } => SqliteStore::lost_part(folder, *parts),
            Kept::Database { store, .. } => store.lost_part(),
        }
    }

    /// Commit time of the last record (ms); 0 where there is none.
    pub fn last_stamp(&self) -> Result<i64, Fault> {
        match self {
            Kept::Files { folder, parts } => SqliteStore::last_stamp(folder, *parts),
            Kept::Database { store, .. } => store.last_stamp(),
        }
    }

    /// Where all journals stand at one moment: no message has been received here that was not sent here.
    pub fn heads_at_once(&self) -> Result<Vec<u64>, Fault> {
        match self {
            Kept::Files { folder, parts } => SqliteStore::heads_at_once(folder, *parts),
            Kept::Database { store, .. } => store.heads_at_once(),
        }
    }

    /// Whether a partition has books; deleted ones are made anew at the next start.
    pub fn has_books(&self, part: Part) -> Result<bool, Fault> {
        match self {
            Kept::Files { folder, .. } => Ok(SqliteStore::has_books(folder, part)),
            Kept::Database { store, .. } => store.has_books(part),
        }
    }

    pub fn has_vault(&self) -> Result<bool, VaultError> {
        match self {
            Kept::Files { folder, .. } => Ok(folder.join(VAULT_FILE).exists()),
            Kept::Database { store, .. } => Vault::is_on(store),
        }
    }

    /// Opens the vault, and makes it where there is none; the keys are made together with it.
    pub fn vault(&self, keys: &Path) -> Result<Vault, VaultError> {
        let keys = Keys::open(keys, !self.has_vault()?)?;
        match self {
            Kept::Files { folder, parts } => Vault::open_with(folder, keys, *parts),
            Kept::Database { store, parts } => Vault::open_on(store, keys, *parts),
        }
    }
}
