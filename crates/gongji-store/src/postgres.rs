//! The store for many: one database for all partitions, PostgreSQL 15 or later.
//!
//! Every table is led by `part`. A partition's writer has a connection for its journal and one for its books; whoever only reads shares a few.
//! No encryption on the way: connect by Unix socket, or to this machine and let a proxy there speak TLS (docs/operating/postgresql.md).

use crate::fault::Fault;
use crate::store::{Head, Journal, Store, Tables};
use gongji_ledger::Part;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio_postgres::config::Host;
use tokio_postgres::{Config, Row};

mod books;
mod copied;
mod journal;
pub(crate) mod roster;
pub(crate) mod session;

use books::PgTables;
use journal::PgJournal;
pub use roster::{Roster, View};

use session::{Driver, Session, Values, told, wait};

mod migrations {
    refinery::embed_migrations!("migrations/postgres");
}

/// Connections that all readers share.
const READERS: usize = 4;

/// How often a partition's writer tries to reach a database that has gone away (a restart, a failover), and how long it waits in between.
const RETRIES: usize = 100;
const RETRY: Duration = Duration::from_millis(100);

/// Oldest server that the tests run on.
const SERVER_MIN: &str = "150000";

/// Where a database is: `postgres://user@host/name`, or `host=/run/postgresql dbname=gongji`.
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    driver: Arc<Driver>,
    config: Config,
    parts: Part,
    readers: [Mutex<Option<Arc<Session>>>; READERS],
    next_reader: AtomicUsize,
    /// Name of the process whose partitions alone may be taken over here; unset where nobody shares them.
    worker: OnceLock<String>,
}

impl PostgresStore {
    /// Opens the installation in a database, or creates one with `parts` partitions for people and institutions.
    ///
    /// # Errors
    /// `PartitionCount` if it was created with another count; `Failed` if the server is not set up to keep what it acknowledges.
    pub fn open(url: &str, parts: Part) -> Result<PostgresStore, Fault> {
        let store = PostgresStore::connect(url, parts)?;
        match store.parts()? {
            Some(found) if found != parts => Err(Fault::PartitionCount { found, wanted: parts }),
            _ => Ok(store),
        }
    }

    /// The count of partitions that an existing installation was created with.
    pub fn parts_of(url: &str) -> Result<Option<Part>, Fault> {
        PostgresStore::connect(url, 0)?.parts()
    }

    fn connect(url: &str, parts: Part) -> Result<PostgresStore, Fault> {
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| Fault::Failed(told(&error)))?;
        let inner =
            Inner { driver: Arc::new(Driver::start()?), config, parts, readers: Default::default(), next_reader: AtomicUsize::new(0), worker: OnceLock::new() };
        let mut session = inner.connect()?;
        check_settings(&session)?;
        migrate(&mut session)?;
        Ok(PostgresStore(Arc::new(inner)))
    }

    /// From now on only partitions of this process are taken over here: one that was replaced while it stood still disturbs nobody when it goes on.
    pub fn work_as(&self, roster: &Roster) {
        let _ = self.0.worker.set(roster.name().to_owned());
    }

    fn parts(&self) -> Result<Option<Part>, Fault> {
        let rows = self.0.read("select parts from ledger_part where part = 0", &[])?;
        rows.first().map(|row| part(row, 0)).transpose()
    }

    /// A partition in which nobody has ever worked though others have records: it was there and is lost.
    pub fn lost_part(&self) -> Result<Option<Part>, Fault> {
        let heads = self.known_heads()?;
        let has_begun = heads.iter().flatten().any(|seq| *seq > 0);
        Ok((0..=self.0.parts).zip(heads).find(|(_, seq)| has_begun && seq.is_none()).map(|(part, _)| part))
    }

    /// Commit time of the last record (ms); 0 where there is none.
    pub fn last_stamp(&self) -> Result<i64, Fault> {
        let mut last = 0;
        for part in 0..=self.0.parts {
            let rows = self.0.read("select stamp from journal where part = $1 order by seq desc limit 1", &[&part_number(part)])?;
            last = rows.first().map_or(Ok(0), |row| row.try_get(0))?.max(last);
        }
        Ok(last)
    }

    /// Where all journals stand at one moment, for one statement sees one moment. A partition without a journal stands at 0.
    pub fn heads_at_once(&self) -> Result<Vec<u64>, Fault> {
        Ok(self.known_heads()?.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn known_heads(&self) -> Result<Vec<Option<u64>>, Fault> {
        let mut heads = vec![None; usize::from(self.0.parts) + 1];
        for row in self.0.read("select part, seq from ledger_part", &[])? {
            if let Some(head) = heads.get_mut(usize::from(part(&row, 0)?)) {
                *head = Some(unsigned(&row, 1)?);
            }
        }
        Ok(heads)
    }

    /// Whether a partition has books; deleted ones are made anew at the next start.
    pub fn has_books(&self, part: Part) -> Result<bool, Fault> {
        Ok(!self.0.read("select 1 from projected where part = $1", &[&part_number(part)])?.is_empty())
    }

    /// A connection of its own, for the vault.
    pub(crate) fn session(&self) -> Result<Session, Fault> {
        self.0.connect()
    }

    /// A connection for single statements that read, shared with others.
    pub(crate) fn shared_session(&self) -> Result<Arc<Session>, Fault> {
        self.0.reader()
    }

    /// Bytes of journal and books, with their indexes.
    pub fn sizes(&self) -> Result<Sizes, Fault> {
        let of = |sql: &str| {
            let session = self.0.reader()?;
            session.query(sql, &[])?.first().map_or(Ok(0), |row| unsigned(row, 0))
        };
        Ok(Sizes {
            journal: of("select pg_total_relation_size('journal') + pg_total_relation_size('ledger_part')")?,
            books: of("select sum(pg_total_relation_size(c.oid))::bigint from pg_class c
                where c.relkind = 'r' and c.relname in ('projected', 'object', 'block', 'outbox') and pg_table_is_visible(c.oid)")?,
        })
    }

    /// Deletes a partition's books; the next start makes them anew from the journal.
    pub fn forget_books(&self, part: Part) -> Result<(), Fault> {
        let session = self.0.connect()?;
        session.batch("begin")?;
        for delete in [
            "delete from projected where part = $1",
            "delete from object where part = $1",
            "delete from block where part = $1",
            "delete from outbox where part = $1",
        ] {
            session.execute(delete, &[&part_number(part)])?;
        }
        Ok(session.batch("commit")?)
    }
}

/// Bytes on the server's disk.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub journal: u64,
    pub books: u64,
}

/// Whether all of an address is on this machine: what goes there goes in clear.
pub fn is_on_this_machine(url: &str) -> Result<bool, Fault> {
    let config: Config = url.parse().map_err(|error: tokio_postgres::Error| Fault::Failed(told(&error)))?;
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    Ok(config.get_hosts().iter().all(is_here) && config.get_hostaddrs().iter().all(IpAddr::is_loopback))
}

impl Inner {
    fn connect(&self) -> Result<Session, Fault> {
        Ok(Session::connect(&self.driver, &self.config)?)
    }

    /// A connection for single statements that read, shared with others.
    fn reader(&self) -> Result<Arc<Session>, Fault> {
        let next = self.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        let mut place = self.readers[next].lock().expect("no holder of a reader's place panics");
        match &*place {
            Some(session) if !session.is_lost() => Ok(session.clone()),
            _ => Ok(place.insert(Arc::new(self.connect()?)).clone()),
        }
    }

    /// Reads with one statement. A connection that turns out to be lost is replaced, and all may be.
    fn read(&self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Fault> {
        for _ in 0..READERS {
            let session = self.reader()?;
            match session.query(sql, values) {
                Err(_) if session.is_lost() => {}
                read => return Ok(read?),
            }
        }
        Ok(self.reader()?.query(sql, values)?)
    }
}

impl Store for PostgresStore {
    fn raise_epoch(&self, part: Part, from: Option<u64>) -> Result<(Box<dyn Journal>, Head), Fault> {
        // The database may be on its way up again: then this waits, and so do the partition's callers.
        let mut tries = 0;
        let session = loop {
            match self.0.connect() {
                Err(fault) if tries == RETRIES => return Err(fault),
                Err(_) => std::thread::sleep(RETRY),
                Ok(session) => break session,
            }
            tries += 1;
        };
        let (journal, head) = PgJournal::take_over(session, part, self.0.parts, from, self.0.worker.get().map_or("", String::as_str))?;
        Ok((Box::new(journal), head))
    }

    fn tables(&self, part: Part) -> Result<Box<dyn Tables>, Fault> {
        Ok(Box::new(PgTables::new(self.0.clone(), part)))
    }

    fn journal(&self, part: Part) -> Result<Box<dyn Journal>, Fault> {
        Ok(Box::new(PgJournal::reader(self.0.reader()?, part)))
    }
}

/// What the server must be set to, or "committed" would not mean kept.
fn check_settings(session: &Session) -> Result<(), Fault> {
    let setting = |sql: &str| -> Result<String, Fault> { Ok(session.query(sql, &[])?.first().map_or(Ok(String::new()), |row| row.try_get(0))?) };
    let version = setting("show server_version_num")?;
    if version.len() < SERVER_MIN.len() || *version < *SERVER_MIN {
        return Err(Fault::Failed(format!("the database is too old: version {version}, at least {SERVER_MIN}")));
    }
    for (name, found) in [
        ("fsync", setting("show fsync")?),
        ("full_page_writes", setting("show full_page_writes")?),
        ("synchronous_commit", setting("show synchronous_commit")?),
    ] {
        if found == "off" {
            return Err(Fault::Failed(format!("the database is set to {name} = off and would lose what it has acknowledged")));
        }
    }
    Ok(())
}

/// Brings the tables to this version. Several processes may start at once.
fn migrate(session: &mut Session) -> Result<(), Fault> {
    let mut run = || wait(migrations::migrations::runner().set_grouped(true).run_async(session.client_mut())).map(drop);
    // There are two steps, the list of migrations and the migrations; who comes second in both runs a third time.
    let done = run().or_else(|_| run()).or_else(|_| run());
    done.map_err(|error| {
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<tokio_postgres::Error>());
        Fault::Failed(source.map_or_else(|| error.to_string(), told))
    })
}

fn part_number(part: Part) -> i32 {
    i32::from(part)
}

fn part(row: &Row, column: usize) -> Result<Part, Fault> {
    let number: i32 = row.try_get(column)?;
    Part::try_from(number).map_err(|_| Fault::Damaged(format!("there is no partition {number}")))
}

/// Integers of the database are signed; ours stay below 2^63.
fn signed(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::Failed(format!("{number} is too large for the database")))
}

fn unsigned(row: &Row, column: usize) -> Result<u64, Fault> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| Fault::Damaged(format!("{number} where a count stands")))
}
