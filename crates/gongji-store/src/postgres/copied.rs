//! Takes a whole installation over from another store: journals and books, byte for byte.

use super::session::{Value, told};
use super::{PostgresStore, part_number, signed};
use crate::fault::Fault;
use crate::store::{Block, Head, Journal, Row, Rows, Store, Tables};
use gongji_ledger::{GENESIS, Part, link};
use std::collections::HashMap;
use tokio_postgres::types::Type;

/// Records copied at once; each may have a megabyte.
const RECORDS_MAX: usize = 32;

/// Rows and blocks copied at once.
const PAGE: usize = 2_000;

const JOURNAL: &str = "copy journal (part, seq, stamp, directory, hash, payload) from stdin (format binary)";

impl PostgresStore {
    /// Whether nothing has ever been kept here.
    pub fn is_empty(&self) -> Result<bool, Fault> {
        let any = "select 1 from ledger_part union all select 1 from journal union all select 1 from projected union all select 1 from vault_meta limit 1";
        Ok(self.0.read(any, &[])?.is_empty())
    }

    /// Copies one partition and reads it again on both sides. `counted` hears of each record. The source is fenced off by it.
    ///
    /// # Errors
    /// `Damaged` if the source's chain is broken, or what is here afterwards is not what is there.
    pub fn take_in(&self, from: &dyn Store, part: Part, counted: &mut dyn FnMut(u64)) -> Result<Head, Fault> {
        let (mut journal, head) = from.take_over(part)?;
        self.take_in_journal(&mut *journal, part, &head, counted)?;
        let (mut source, mut target) = (from.tables(part)?, self.tables(part)?);
        take_in_books(&mut *source, &mut *target, &head)?;
        self.compare(&mut *journal, &mut *source, part, &head)?;
        Ok(head)
    }

    fn take_in_journal(&self, from: &mut dyn Journal, part: Part, head: &Head, counted: &mut dyn FnMut(u64)) -> Result<(), Fault> {
        let session = self.0.connect()?;
        let (number, mut seq, mut hash) = (part_number(part), 0, GENESIS);
        while seq < head.seq {
            let records = from.records(seq, RECORDS_MAX)?;
            for record in &records {
                if record.head.seq != seq + 1 || link(&hash, &record.head, &record.payload) != record.hash {
                    return Err(Fault::Damaged(format!("partition {part}: record {} does not follow record {seq}", record.head.seq)));
                }
                (seq, hash) = (record.head.seq, record.hash);
            }
            let count = u64::try_from(records.len()).expect("a page is small");
            if count == 0 {
                return Err(Fault::Damaged(format!("partition {part}: the journal ends at {seq}, not at {}", head.seq)));
            }
            let columns = [Type::INT4, Type::INT8, Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA];
            let rows = records.into_iter().map(|record| {
                let (seq, directory) = (record.head.seq.cast_signed(), record.head.directory.cast_signed());
                let hash = Value::Bytes(record.hash.to_vec());
                [Value::Integer(number), Value::Big(seq), Value::Big(record.head.stamp), Value::Big(directory), hash, Value::Bytes(record.payload)]
            });
            session.copy(JOURNAL, &columns, rows)?;
            counted(count);
        }
        let fence = "insert into ledger_part (part, parts, epoch, seq) values ($1, $2, $3, $4)";
        session.execute(fence, &[&number, &part_number(self.0.parts), &signed(head.epoch)?, &signed(head.seq)?])?;
        Ok(())
    }

    /// Whether both sides hold the same records, rows, blocks and messages.
    fn compare(&self, journal: &mut dyn Journal, source: &mut dyn Tables, part: Part, head: &Head) -> Result<(), Fault> {
        let differs = |what: &str| Fault::Damaged(format!("partition {part}: {what} here is not what it is there"));
        let mut copied = self.journal(part)?;
        let mut seq = 0;
        while seq < head.seq {
            let records = journal.records(seq, RECORDS_MAX)?;
            if records != copied.records(seq, RECORDS_MAX)? {
                return Err(differs(&format!("a record after {seq}")));
            }
            seq = records.last().ok_or_else(|| differs("the journal's end"))?.head.seq;
        }
        if !copied.records(head.seq, 1)?.is_empty() {
            return Err(differs("the journal's end"));
        }
        let mut target = self.tables(part)?;
        if source.projected()? != target.projected()? || source.due()? != target.due()? || source.outbox()? != target.outbox()? {
            return Err(differs("the state of the books"));
        }
        let mut after = Vec::new();
        loop {
            let rows = source.rows(&after, PAGE)?;
            if rows != target.rows(&after, PAGE)? {
                return Err(differs("a row of the books"));
            }
            let Some((key, _)) = rows.into_iter().next_back() else { break };
            after = key;
        }
        for kind in 0..=u8::MAX {
            let mut after = Vec::new();
            loop {
                let blocks = source.blocks(kind, &after, PAGE)?;
                if blocks != target.blocks(kind, &after, PAGE)? {
                    return Err(differs("a block of the books"));
                }
                let Some((first, _)) = blocks.into_iter().next_back() else { break };
                after = first;
            }
        }
        Ok(())
    }

    /// A partition count is known only when all of it is here: said by the fence of partition 0, which is copied last.
    pub fn settle_statistics(&self) -> Result<(), Fault> {
        self.0.connect()?.batch("analyze").map_err(|error| Fault::Failed(told(&error)))
    }
}

fn take_in_books(source: &mut dyn Tables, target: &mut dyn Tables, head: &Head) -> Result<(), Fault> {
    let projected = source.projected()?;
    target.claim(head.epoch)?;
    let dues: HashMap<Vec<u8>, i64> = source.due()?.into_iter().map(|(due, key)| (key, due)).collect();
    let mut after = Vec::new();
    loop {
        let rows = source.rows(&after, PAGE)?;
        let Some((last, _)) = rows.last() else { break };
        after = last.clone();
        let rows = rows.into_iter().map(|(key, body)| Row { due: dues.get(&key).copied(), key, body: body.into() }).collect();
        target.write(&Rows { rows, ..Rows::default() })?;
    }
    for kind in 0..=u8::MAX {
        let mut after = Vec::new();
        loop {
            let blocks = source.blocks(kind, &after, PAGE)?;
            let Some((last, _)) = blocks.last() else { break };
            after = last.clone();
            let blocks = blocks.into_iter().map(|(first, body)| Block { kind, first, body }).collect();
            target.write(&Rows { blocks, ..Rows::default() })?;
        }
    }
    // Only with this are they books of that record.
    target.write(&Rows { lines_seq: projected.lines_seq, objects_seq: Some(projected.objects_seq), outbox: source.outbox()?, ..Rows::default() })
}
