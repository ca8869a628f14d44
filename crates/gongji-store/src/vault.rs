//! The vault: who the holders are, how they prove it, and what they are told.
//!
//! One SQLite file, `vault.sqlite`, or tables beside the journal on PostgreSQL, hold personal data, credentials, sessions, one-time codes, messages,
//! institution keys and consents. It is no projection: the journal knows holders by number only, and this is the
//! one place that knows which person a number is. Names, ID numbers, phones and texts are sealed
//! ([`crate::seal`]); look-ups go over keyed digests. Nothing in here decides about money.
//!
//! A [`Vault`] is a cheap handle, to be cloned into every task. Its functions block: call them in
//! `spawn_blocking`, except [`Vault::session_in_memory`] and [`Vault::verify_proof`], which touch no disk.
//! One writes at a time, a few read; no lock is held while a password is hashed.
//! The time is always an argument (`now_ms`, milliseconds since 1970 UTC): the sandbox has a clock that moves.

mod activity;
mod code;
mod consent;
mod copied;
mod database;
mod gateway;
mod institution_key;
mod institution_trust;
mod job;
mod mask;
mod memory;
mod message;
mod operator;
mod password;
mod person;
mod place_report;
mod proof;
mod reconciliation;
mod recovery;
mod reseal;
mod retention;
mod revoked;
mod sandbox_clock;
mod sandbox_face;
mod session;
mod webhook;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::fault::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::session::Session as Connected;
use crate::seal::{KeyError, Keys, Place, SealBroken, Sensitive};
use database::Db;

pub use activity::Activity;
pub use code::{CODE_ATTEMPTS_MAX, CODE_MS, CODES_PER_DAY_MAX, CodeAsk, CodeError, CodeLimit, Purpose, RESEND_MS, StartedCode};
pub use consent::Consent;
pub use gateway::{BegunMessage, GATEWAY_MESSAGE_DAYS_MIN, GatewayFile, GatewayMessage, GatewaySign, NewGatewayMessage};
pub use institution_key::InstitutionKey;
pub use institution_trust::{
    ADDRESSES_MAX, Access, Admission, Arrival, CERTIFICATES_MAX, Kept as KeptRequest, PUBLIC_KEYS_MAX, PublicKey, Registered, SignedRequest, is_network,
};
pub use job::{BeginJob, JOB_RUN_MS, JobState};
pub use mask::{KeepLast, mask_id_number, mask_name, mask_phone};
pub use message::{Channel, MESSAGES_PAGE_MAX, Message, Notice};
pub use operator::{
    Attempt, CEREMONY_MS, CodeSecret, Credential, CredentialKind, INVITE_MS, OPERATOR_ATTEMPTS_MAX, OPERATOR_IDLE_MS, OPERATOR_SESSION_MS,
    OPERATOR_SESSIONS_MAX, OperatorSession, PASSKEYS_MAX,
};
pub use password::{ATTEMPTS_MAX, PasswordAnswer, WeakPassword, check_password_rules};
pub use person::{NewPerson, Person, PutPerson};
pub use place_report::{PLACE_REPORT_MS, PLACE_REPORTS_PER_DAY_MAX, PlaceReport};
pub use proof::{Proof, ProofError, STEP_UP_MS};
pub use reconciliation::{RECONCILIATION_MS, RECONCILIATION_RUN_MS, RECONCILIATIONS_MAX, ReconciledFile, Reconciliation, ReconciliationState};
pub use recovery::{RECOVERY_MS, Recovery, RecoveryError};
pub use reseal::{RESEAL_ROWS_MAX, Reseal};
pub use retention::{MESSAGE_MS, PROOF_MS};
pub use sandbox_face::SandboxFace;
pub use session::{Device, InMemory, SESSION_IDLE_MS, SESSION_MS_MAX, SESSIONS_PER_HOLDER_MAX, Session, SessionToken};
pub use webhook::{ATTEMPTS_KEPT_MAX, AfterAttempt, OLD_SECRET_MS, UnderWay, WEBHOOKS_MAX, Webhook, WebhookAttempt, WebhookState};

/// Name of the file inside the data folder.
pub const VAULT_FILE: &str = "vault.sqlite";

/// Readers besides the one writer; a page needs one for well under a millisecond.
const READER_COUNT: usize = 4;

/// How long a connection waits for another process (a backup) before it gives up.
const BUSY_MS: u64 = 5_000;

/// The serial is the low 48 bits of every number given out here, the partition the 16 above.
const SERIAL_BITS: u32 = 48;

#[allow(missing_docs)]
mod migrations {
    refinery::embed_migrations!("migrations/vault");
}

/// The world failed: disk, damaged file, wrong keys. A lawful "no" is never an error here but a value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the vault cannot be read or written: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("the vault cannot be read or written: {0}")]
    Store(#[from] Fault),
    #[error("the vault cannot be brought to this version: {0}")]
    Migration(#[from] refinery::Error),
    #[error("the data folder {path} cannot be used: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Sealed(#[from] SealBroken),
    /// The key folder belongs to another installation than the vault.
    #[error("the keys are not those this vault was made with")]
    WrongKeys,
    /// The key folder is older than the vault: a key that was added since is not in it.
    #[error(
        "the keys are too old: the newest sealing key is number {newest}, and this vault needs number {wanted}; copy the keys from where they were changed"
    )]
    OldKeys { newest: u16, wanted: u16 },
    /// The partition of every ID number depends on the count, so it is fixed for ever.
    #[error("this vault was made for {made} partitions, not {asked}")]
    WrongPartitionCount { made: u16, asked: u16 },
    #[error("{0} does not exist")]
    Missing(&'static str),
}

pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// Handle of the vault; clones share everything.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keys: Keys,
    partition_count: u16,
    kept: Kept,
    /// Verified when nobody is there to verify, so that an unknown person costs what a known one costs.
    dummy: password::Hashed,
    sessions: session::SessionCache,
    institution_keys: institution_key::InstitutionKeyCache,
    people: person::PersonCache,
    elsewhere: revoked::Elsewhere,
}

/// Where the tables are.
enum Kept {
    File {
        writer: Mutex<Connection>,
        readers: Vec<Mutex<Connection>>,
        next_reader: AtomicUsize,
    },
    Server {
        store: PostgresStore,
        /// `None` until something is written, and after its connection was lost.
        writer: Mutex<Option<Connected>>,
    },
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Vault({} partitions)", self.0.partition_count)
    }
}

impl Vault {
    /// Opens the vault of an installation, makes it when there is none, and brings it to this version.
    ///
    /// The keys are read from `keys/` inside `data_folder`, and made together with the vault.
    pub fn open(data_folder: &Path, partition_count: u16) -> Result<Self> {
        let vault_path = data_folder.join(VAULT_FILE);
        let folder_error = |source| VaultError::Folder { path: data_folder.to_owned(), source };
        std::fs::create_dir_all(data_folder).map_err(folder_error)?;
        let is_new = !vault_path.try_exists().map_err(folder_error)?;
        let keys = Keys::open(&data_folder.join("keys"), is_new)?;
        Self::open_with(data_folder, keys, partition_count)
    }

    /// As [`Vault::open`], with keys that the caller holds already.
    pub fn open_with(data_folder: &Path, keys: Keys, partition_count: u16) -> Result<Self> {
        let path = data_folder.join(VAULT_FILE);
        let mut writer = connect(&path, OpenFlags::default())?;
        migrations::migrations::runner().set_grouped(true).run(&mut writer)?;
        let readers = (0..READER_COUNT)
            .map(|_| {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                connect(&path, flags).map(Mutex::new)
            })
            .collect::<Result<_>>()?;
        Self::open_kept(Kept::File { writer: Mutex::new(writer), readers, next_reader: AtomicUsize::new(0) }, keys, partition_count)
    }

    /// Opens the vault of an installation on PostgreSQL. The keys stay in a folder: who has the database alone can read nobody's name.
    pub fn open_on(store: &PostgresStore, keys: Keys, partition_count: u16) -> Result<Self> {
        Self::open_kept(Kept::Server { store: store.clone(), writer: Mutex::default() }, keys, partition_count)
    }

    /// Whether an installation on PostgreSQL has a vault already; where it has none its keys are made.
    pub fn is_on(store: &PostgresStore) -> Result<bool> {
        Ok(!Db::Server(&*store.shared_session()?).rows("select 1 from vault_meta where part = 0 and name = 'keys'", (), |_| Ok(()))?.is_empty())
    }

    fn open_kept(kept: Kept, keys: Keys, partition_count: u16) -> Result<Self> {
        let vault = Self(Arc::new(Inner {
            dummy: password::Hashed::of(&keys, "no password hashes to this"),
            keys,
            partition_count,
            kept,
            sessions: session::SessionCache::default(),
            institution_keys: institution_key::InstitutionKeyCache::default(),
            people: person::PersonCache::default(),
            elsewhere: revoked::Elsewhere::default(),
        }));
        vault.write(|db, keys| check_meta(db, keys, partition_count))?;
        Ok(vault)
    }

    /// The keys of this installation.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub fn partition_count(&self) -> u16 {
        self.0.partition_count
    }

    /// The partition that owns this ID number, known or not.
    pub fn partition_of(&self, id_number: &str) -> u16 {
        self.0.keys.partition_of(id_number, self.0.partition_count)
    }

    /// Drops what has run out by `now_ms`: sessions, codes, counters of wrong passwords, old reports of places. Returns how many rows
    /// went. A job calls it about once an hour; nothing depends on it but the size of the file.
    pub fn sweep(&self, now_ms: i64) -> Result<usize> {
        self.flush_last_seen()?;
        let gone = self.write(|tx, _| {
            let mut gone = session::sweep(tx, now_ms)?;
            gone += code::sweep(tx, now_ms)?;
            gone += password::sweep(tx, now_ms)?;
            gone += place_report::sweep(tx, now_ms)?;
            gone += reconciliation::sweep(tx, now_ms)?;
            gone += operator::sweep(tx, now_ms)?;
            Ok(gone)
        })?;
        self.0.sessions.forget_ended(now_ms);
        Ok(gone)
    }

    /// Runs `work` in one transaction of the writer; an error rolls it back.
    fn write<T>(&self, work: impl FnOnce(&Db<'_>, &Keys) -> Result<T>) -> Result<T> {
        match &self.0.kept {
            Kept::File { writer, .. } => {
                let mut writer = lock(writer);
                let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let answer = work(&Db::File(&tx), &self.0.keys)?;
                tx.commit()?;
                Ok(answer)
            }
            Kept::Server { store, writer } => {
                let mut place = lock(writer);
                let session = match place.take() {
                    Some(session) if !session.is_lost() => session,
                    _ => store.session()?,
                };
                let answer = write_on(&session, |db| work(db, &self.0.keys));
                // One that could not even roll back goes, and with it what it had begun.
                if answer.is_ok() || session.batch("rollback").is_ok() {
                    *place = Some(session);
                }
                answer
            }
        }
    }

    /// Runs `work` on a reader that is free, or waits for one.
    fn read<T>(&self, work: impl Fn(&Db<'_>, &Keys) -> Result<T>) -> Result<T> {
        let (readers, next_reader) = match &self.0.kept {
            Kept::File { readers, next_reader, .. } => (readers, next_reader),
            Kept::Server { store, .. } => {
                let session = store.shared_session()?;
                return match work(&Db::Server(&session), &self.0.keys) {
                    Err(_) if session.is_lost() => work(&Db::Server(&*store.shared_session()?), &self.0.keys),
                    answer => answer,
                };
            }
        };
        let first = next_reader.fetch_add(1, Ordering::Relaxed);
        for step in 0..READER_COUNT {
            match readers[(first + step) % READER_COUNT].try_lock() {
                Ok(reader) => return work(&Db::File(&reader), &self.0.keys),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return work(&Db::File(&poisoned.into_inner()), &self.0.keys);
                }
                Err(TryLockError::WouldBlock) => {}
            }
        }
        work(&Db::File(&lock(&readers[first % READER_COUNT])), &self.0.keys)
    }
}

/// One transaction on PostgreSQL. As with the file, one writes at a time, whichever process it is: what is counted here (attempts, codes, numbers
/// given out) is read and then written.
fn write_on<T>(session: &Connected, work: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
    let warnings = session.warnings();
    session.batch("begin; select from vault_turn where part = 0 for update")?;
    let answer = work(&Db::Server(session))?;
    session.batch("commit")?;
    if session.warnings() != warnings {
        return Err(Fault::Unknown("the database did not wait for its standby".to_owned()).into());
    }
    Ok(answer)
}

/// A panic elsewhere does not spoil a connection: its transaction was rolled back when it was dropped.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    // An acknowledged registration or revocation survives a power cut: FULL syncs the log at every commit.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    if flags == OpenFlags::default() {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Overwrite what is deleted: a revoked session or used code leaves nothing behind.
        connection.pragma_update(None, "secure_delete", true)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Pins keys and partition count at the first start and refuses others ever after.
fn check_meta(db: &Db<'_>, keys: &Keys, partition_count: u16) -> Result<()> {
    let fingerprint = keys.blind("vault", &[b"whose keys are these"]).to_vec();
    let stored = |name: &str| -> Result<Option<Vec<u8>>> { db.row("select value from vault_meta where part = 0 and name = ?1", (name,), |row| row.get(0)) };
    match (stored("keys")?, stored("partitions")?) {
        (Some(known), _) if known != fingerprint => return Err(VaultError::WrongKeys),
        (Some(_), Some(count)) => {
            let made = <[u8; 2]>::try_from(&count[..]).map_or(0, u16::from_be_bytes);
            if made != partition_count {
                return Err(VaultError::WrongPartitionCount { made, asked: partition_count });
            }
        }
        _ => {
            let sql = "insert into vault_meta (part, name, value) values (0, ?1, ?2)";
            db.execute(sql, ("keys", fingerprint))?;
            db.execute(sql, ("partitions", partition_count.to_be_bytes().to_vec()))?;
        }
    }
    reseal::check_newest(db, keys)
}

/// The partition inside a number given out here (holder, message, consent, …).
pub fn part_of(id: u64) -> u16 {
    (id >> SERIAL_BITS) as u16
}

/// Gives the next number of its kind in a partition; numbers never come back.
fn next_id(db: &Db<'_>, part: u16, kind: &'static str) -> Result<u64> {
    let last: Option<i64> = db.row(
        "insert into vault_serial (part, kind, last) values (?1, ?2, 1)
         on conflict (part, kind) do update set last = vault_serial.last + 1 returning last",
        (part, kind),
        |row| row.get(0),
    )?;
    let last = last.expect("the statement returns the row that it has put");
    assert!(last < 1 << SERIAL_BITS, "partition {part} has used all numbers for {kind}");
    Ok((u64::from(part) << SERIAL_BITS) | last as u64)
}

/// The databases' integers are signed; our numbers stay below 2^63 (partitions below 2^15), so nothing is lost.
fn sql_id(id: u64) -> i64 {
    id as i64
}

fn from_sql_id(id: i64) -> u64 {
    id as u64
}

fn unseal_some(keys: &Keys, place: Place, sealed: Option<Vec<u8>>) -> Result<Option<Sensitive>, SealBroken> {
    sealed.map(|sealed| keys.unseal(place, &sealed)).transpose()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
#[path = "vault/tests.rs"]
#[allow(clippy::duplicate_mod)]
mod tests_on_postgres;
