//! The embedded store: a folder for each partition with two SQLite files.
//!
//! `journal.sqlite` (WAL, `synchronous=FULL`) is the truth; `books.sqlite` (WAL, `synchronous=NORMAL`) is its projection and may be deleted.
//! They are two files so that writing behind never waits for, or holds up, a commit.

use crate::fault::Fault;
use crate::store::{Entry, HOLDER, Head, Journal, Projected, Record, Rows, Store, Tables, decode_key, encode_key};
use gongji_ledger::{Digest, HolderId, Part, RecordHead};
use gongji_wallet::ids::Key;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

mod journal_migrations {
    refinery::embed_migrations!("migrations/journal");
}

mod books_migrations {
    refinery::embed_migrations!("migrations/books");
}

pub struct SqliteStore {
    folder: PathBuf,
    parts: Part,
}

impl SqliteStore {
    /// Opens an installation in `folder`, or creates one with `parts` partitions for people and institutions.
    ///
    /// # Errors
    /// `PartitionCount` if it was created with another count; the count is part of where every person lives.
    pub fn open(folder: &Path, parts: Part) -> Result<SqliteStore, Fault> {
        let store = SqliteStore { folder: folder.to_owned(), parts };
        let connection = store.open_journal(0)?;
        let found: Option<Part> = connection.query_row("select parts from ledger_part where part = 0", [], |row| row.get(0)).optional()?;
        match found {
            Some(found) if found != parts => Err(Fault::PartitionCount { found, wanted: parts }),
            _ => Ok(store),
        }
    }

    /// The count of partitions that an existing installation was created with.
    pub fn parts_of(folder: &Path) -> Result<Option<Part>, Fault> {
        if !folder.join("p00").join("journal.sqlite").exists() {
            return Ok(None);
        }
        let store = SqliteStore { folder: folder.to_owned(), parts: 0 };
        let connection = store.open_journal(0)?;
        Ok(connection.query_row("select parts from ledger_part where part = 0", [], |row| row.get(0)).optional()?)
    }

    /// A partition in which nobody has ever worked though others have records: an engine begins with taking over all, so it was there and is
    /// lost. An empty one in its place would look sound and owe nobody anything. Makes nothing.
    pub fn lost_part(folder: &Path, parts: Part) -> Result<Option<Part>, Fault> {
        let store = SqliteStore { folder: folder.to_owned(), parts };
        let known = (0..=parts).map(|part| store.known_seq(part)).collect::<Result<Vec<_>, _>>()?;
        let has_begun = known.iter().flatten().any(|seq| *seq > 0);
        Ok((0..=parts).zip(known).find(|(_, seq)| has_begun && seq.is_none()).map(|(part, _)| part))
    }

    /// Commit time of the last record of an installation (ms); 0 where there is none. Reads, and makes nothing.
    pub fn last_stamp(folder: &Path, parts: Part) -> Result<i64, Fault> {
        let store = SqliteStore { folder: folder.to_owned(), parts };
        let mut last = 0;
        for part in (0..=parts).filter(|part| store.part_folder(*part).join("journal.sqlite").exists()) {
            let connection = store.open_journal(part)?;
            let stamp = connection.query_row("select stamp from journal where part = ?1 order by seq desc limit 1", [part], |row| row.get(0));
            last = last.max(stamp.optional()?.unwrap_or(0));
        }
        Ok(last)
    }

    /// Where all journals of an installation stand at one moment: no message has been received here that was not sent here. Holds up commits
    /// for the instant it takes to look, and writes nothing. A partition without a journal stands at 0.
    pub fn heads_at_once(folder: &Path, parts: Part) -> Result<Vec<u64>, Fault> {
        let store = SqliteStore { folder: folder.to_owned(), parts };
        let mut held = Vec::new();
        for part in 0..=parts {
            let exists = store.part_folder(part).join("journal.sqlite").exists();
            held.push(exists.then(|| store.open_journal(part)).transpose()?);
        }
        for connection in held.iter().flatten() {
            connection.execute_batch("begin immediate")?;
        }
        let seq = |(part, connection): (Part, &Option<Connection>)| match connection {
            None => Ok(0),
            Some(connection) => {
                let seq = connection.query_row("select seq from ledger_part where part = ?1", [part], |row| row.get(0));
                Ok(seq.optional()?.unwrap_or(0))
            }
        };
        // Closing the connections gives the locks back.
        (0..=parts).zip(&held).map(seq).collect()
    }

    /// Whether a partition has books; deleted ones are made anew at the next start.
    pub fn has_books(folder: &Path, part: Part) -> bool {
        folder.join(format!("p{part:02}")).join("books.sqlite").exists()
    }

    /// Last record of a partition; `None` if nobody has ever worked in it. Makes nothing.
    fn known_seq(&self, part: Part) -> Result<Option<u64>, Fault> {
        if !self.part_folder(part).join("journal.sqlite").exists() {
            return Ok(None);
        }
        Ok(self.open_journal(part)?.query_row("select seq from ledger_part where part = ?1", [part], |row| row.get(0)).optional()?)
    }

    fn part_folder(&self, part: Part) -> PathBuf {
        self.folder.join(format!("p{part:02}"))
    }

    fn open_journal(&self, part: Part) -> Result<Connection, Fault> {
        let mut connection = open_file(&self.part_folder(part), "journal.sqlite", "FULL")?;
        // Grouped: schema and the note that it is there come in one transaction, so that a crash between them cannot shut an installation for good.
        journal_migrations::migrations::runner().set_grouped(true).run(&mut connection).map_err(|error| Fault::Failed(error.to_string()))?;
        Ok(connection)
    }
}

fn open_file(folder: &Path, name: &str, synchronous: &str) -> Result<Connection, Fault> {
    std::fs::create_dir_all(folder)?;
    let connection = Connection::open(folder.join(name))?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.pragma_update(None, "cache_size", -65_536_i64)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

impl Store for SqliteStore {
    fn raise_epoch(&self, part: Part, from: Option<u64>) -> Result<(Box<dyn Journal>, Head), Fault> {
        let mut connection = self.open_journal(part)?;
        // One transaction: two who take over at once must not both read the later epoch.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("insert into ledger_part (part, parts, epoch, seq) values (?1, ?2, 0, 0) on conflict do nothing", params![part, self.parts])?;
        let raise = "update ledger_part set epoch = epoch + 1 where part = ?1 and (?2 is null or epoch = ?2) returning epoch, seq";
        let raised: Option<(u64, u64)> = transaction.query_row(raise, params![part, from], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (epoch, seq) = raised.ok_or(Fault::Fenced(part))?;
        let last = transaction.query_row("select seq, stamp, hash from journal where part = ?1 order by seq desc limit 1", [part], |row| {
            Ok((row.get::<_, u64>(0)?, row.get(1)?, row.get::<_, Digest>(2)?))
        });
        let last = last.optional()?;
        transaction.commit()?;
        let head = match last {
            None if seq == 0 => Head::empty(epoch),
            Some((last, stamp, hash)) if last == seq => Head { epoch, seq, stamp, hash },
            last => {
                let last = last.map_or(0, |(last, ..)| last);
                return Err(Fault::Damaged(format!("partition {part}: the fence stands at {seq}, the journal ends at {last}")));
            }
        };
        Ok((Box::new(SqliteJournal { connection, part, epoch }), head))
    }

    fn tables(&self, part: Part) -> Result<Box<dyn Tables>, Fault> {
        let mut connection = open_file(&self.part_folder(part), "books.sqlite", "NORMAL")?;
        books_migrations::migrations::runner().set_grouped(true).run(&mut connection).map_err(|error| Fault::Failed(error.to_string()))?;
        Ok(Box::new(SqliteTables { connection, part, epoch: 0 }))
    }

    fn journal(&self, part: Part) -> Result<Box<dyn Journal>, Fault> {
        // Epoch 0 is never current, so this one cannot commit.
        Ok(Box::new(SqliteJournal { connection: self.open_journal(part)?, part, epoch: 0 }))
    }
}

struct SqliteJournal {
    connection: Connection,
    part: Part,
    epoch: u64,
}

impl Journal for SqliteJournal {
    fn commit(&mut self, record: &Record) -> Result<(), Fault> {
        let head = &record.head;
        let transaction = self.connection.transaction()?;
        let moved = transaction.prepare_cached("update ledger_part set seq = ?1 where part = ?2 and epoch = ?3 and seq = ?4")?.execute(params![
            head.seq,
            self.part,
            self.epoch,
            head.seq - 1
        ])?;
        if moved != 1 {
            return Err(Fault::Fenced(self.part));
        }
        transaction.prepare_cached("insert into journal (part, seq, stamp, directory, hash, payload) values (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            self.part,
            head.seq,
            head.stamp,
            head.directory,
            record.hash,
            record.payload
        ])?;
        // Up to here a failure rolls back. From here on only the journal itself knows.
        transaction.commit().map_err(outcome_of)
    }

    fn records(&mut self, after: u64, max: usize) -> Result<Vec<Record>, Fault> {
        let part = self.part;
        let mut statement =
            self.connection.prepare_cached("select seq, stamp, directory, hash, payload from journal where part = ?1 and seq > ?2 order by seq limit ?3")?;
        let rows = statement.query_map(params![part, after, max], |row| {
            let head = RecordHead { part, seq: row.get(0)?, stamp: row.get(1)?, directory: row.get(2)? };
            Ok(Record { head, hash: row.get(3)?, payload: row.get(4)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// What a failed `COMMIT` leaves open. A full disk has refused the frame without which nothing of the transaction counts, so it did not land,
/// and the partition goes on as soon as there is room. After anything else (a sync that failed above all) only the journal itself knows.
fn outcome_of(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Fault::Failed(error.to_string()),
        _ => Fault::Unknown(error.to_string()),
    }
}

struct SqliteTables {
    connection: Connection,
    part: Part,
    /// The writer that these were claimed for; 0 for a reader.
    epoch: u64,
}

impl SqliteTables {
    /// Rows of objects that are no people, behind `after` and before `end`.
    fn objects(&mut self, after: &[u8], end: &[u8], max: usize) -> Result<Vec<Entry>, Fault> {
        let sql = "select key, body from object where part = ?1 and key > ?2 and key < ?3 order by key limit ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![self.part, after, end, max], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tables for SqliteTables {
    fn hold_still(&mut self) -> Result<(), Fault> {
        self.connection.execute_batch("begin")?;
        // The moment is that of the first read.
        self.projected().map(drop)
    }

    fn projected(&mut self) -> Result<Projected, Fault> {
        let found = self.connection.query_row("select lines_seq, objects_seq from projected where part = ?1", [self.part], |row| {
            Ok(Projected { lines_seq: row.get(0)?, objects_seq: row.get(1)? })
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    fn claim(&mut self, epoch: u64) -> Result<(), Fault> {
        let claimed = self.connection.execute(
            "insert into projected (part, epoch, lines_seq, objects_seq) values (?1, ?2, 0, 0)
             on conflict (part) do update set epoch = excluded.epoch where epoch < excluded.epoch",
            params![self.part, epoch],
        )?;
        if claimed != 1 {
            return Err(Fault::Fenced(self.part));
        }
        self.epoch = epoch;
        Ok(())
    }

    fn write(&mut self, rows: &Rows) -> Result<(), Fault> {
        let part = self.part;
        let transaction = self.connection.transaction()?;
        {
            let moved = transaction
                .prepare_cached("update projected set lines_seq = ?1, objects_seq = coalesce(?2, objects_seq) where part = ?3 and epoch = ?4")?
                .execute(params![rows.lines_seq, rows.objects_seq, part, self.epoch])?;
            if moved != 1 {
                return Err(Fault::Fenced(part));
            }
            let mut put = transaction.prepare_cached(
                "insert into object (part, key, due, body) values (?1, ?2, ?3, ?4)
                 on conflict (part, key) do update set due = excluded.due, body = excluded.body",
            )?;
            for row in &rows.rows {
                put.execute(params![part, row.key, row.due, &row.body[..]])?;
            }
            let mut put = transaction.prepare_cached("replace into person (id, body) values (?1, ?2)")?;
            for (id, body) in rows.people.iter() {
                put.execute(params![id.0.cast_signed(), body])?;
            }
            let mut put = transaction.prepare_cached("insert into block (part, kind, first, body) values (?1, ?2, ?3, ?4)")?;
            for block in &rows.blocks {
                put.execute(params![part, block.kind, block.first, block.body])?;
            }
            let mut put = transaction.prepare_cached("insert into outbox (part, destination, number, body) values (?1, ?2, ?3, ?4)")?;
            for (destination, number, body) in &rows.outbox {
                put.execute(params![part, destination, number, body])?;
            }
            let mut drop = transaction.prepare_cached("delete from outbox where part = ?1 and destination = ?2 and number <= ?3")?;
            for (destination, number) in &rows.delivered {
                drop.execute(params![part, destination, number])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if let Ok(Key::Holder(id)) = decode_key(key) {
            let mut statement = self.connection.prepare_cached("select body from person where id = ?1")?;
            return Ok(statement.query_row([id.0.cast_signed()], |row| row.get(0)).optional()?);
        }
        let mut statement = self.connection.prepare_cached("select body from object where part = ?1 and key = ?2")?;
        Ok(statement.query_row(params![self.part, key], |row| row.get(0)).optional()?)
    }

    fn rows(&mut self, after: &[u8], max: usize) -> Result<Vec<Entry>, Fault> {
        let (people, others) = ([HOLDER].as_slice(), [HOLDER + 1].as_slice());
        let mut found = self.objects(after, people, max)?;
        if after < others {
            let last = if let Ok(Key::Holder(id)) = decode_key(after) { id.0.cast_signed() } else { -1 };
            let mut statement = self.connection.prepare_cached("select id, body from person where id > ?1 order by id limit ?2")?;
            let rows = statement.query_map(params![last, max - found.len()], |row| {
                Ok((encode_key(&Key::Holder(HolderId(row.get::<_, i64>(0)?.cast_unsigned()))), row.get(1)?))
            })?;
            for row in rows {
                found.push(row?);
            }
        }
        found.extend(self.objects(after.max(others), &[u8::MAX; 2], max - found.len())?);
        Ok(found)
    }

    fn block(&mut self, kind: u8, at: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let mut statement =
            self.connection.prepare_cached("select body from block where part = ?1 and kind = ?2 and first <= ?3 order by first desc limit 1")?;
        Ok(statement.query_row(params![self.part, kind, at], |row| row.get(0)).optional()?)
    }

    fn blocks(&mut self, kind: u8, after: &[u8], max: usize) -> Result<Vec<Entry>, Fault> {
        let mut statement =
            self.connection.prepare_cached("select first, body from block where part = ?1 and kind = ?2 and first > ?3 order by first limit ?4")?;
        let rows = statement.query_map(params![self.part, kind, after, max], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn due(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
        let mut statement = self.connection.prepare_cached("select due, key from object where part = ?1 and due is not null order by due")?;
        let rows = statement.query_map([self.part], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn outbox(&mut self) -> Result<Vec<(Part, u64, Vec<u8>)>, Fault> {
        let mut statement = self.connection.prepare_cached("select destination, number, body from outbox where part = ?1 order by destination, number")?;
        let rows = statement.query_map([self.part], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
