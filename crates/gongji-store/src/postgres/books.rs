//! The books on PostgreSQL: written in bulk on a connection of their own, read on the shared ones.

use super::session::{Session, Value, Values};
use super::{Inner, part, part_number, signed, unsigned};
use crate::fault::Fault;
use crate::store::{Entry, Projected, Row, Rows, Tables, encode_key};
use gongji_ledger::{HolderId, Part};
use gongji_wallet::ids::Key;
use std::sync::Arc;
use tokio_postgres::Row as Found;
use tokio_postgres::types::Type;

/// Objects written by one statement: its values pass through the server's memory several times over.
const OBJECTS_MAX: usize = 10_000;

const PROJECTED: &str = "select lines_seq, objects_seq from projected where part = $1";
const CLAIM: &str = "insert into projected (part, epoch, lines_seq, objects_seq) values ($1, $2, 0, 0)
    on conflict (part) do update set epoch = excluded.epoch where projected.epoch < excluded.epoch";
const FENCE: &str = "update projected set lines_seq = $1, objects_seq = coalesce($2, objects_seq) where part = $3 and epoch = $4";
const UPSERT: &str = "insert into object (part, key, due, body) select $1, k, d, b from unnest($2::bytea[], $3::bigint[], $4::bytea[]) as fresh (k, d, b)
    on conflict (part, key) do update set due = excluded.due, body = excluded.body";

pub struct PgTables {
    store: Arc<Inner>,
    part: Part,
    /// The writer that these were claimed for; 0 for a reader.
    epoch: u64,
    /// The connection of a projector, or of a reader who holds still.
    own: Option<Session>,
    is_held: bool,
}

impl PgTables {
    pub fn new(store: Arc<Inner>, part: Part) -> PgTables {
        PgTables { store, part, epoch: 0, own: None, is_held: false }
    }

    /// Whoever holds still, or has written, reads where that was.
    fn query(&self, sql: &'static str, values: Values<'_>) -> Result<Vec<Found>, Fault> {
        if let Some(own) = &self.own {
            match own.query(sql, values) {
                Err(_) if !self.is_held && own.is_lost() => {}
                read => return Ok(read?),
            }
        }
        self.store.read(sql, values)
    }

    fn writing(&mut self) -> Result<&Session, Fault> {
        match &self.own {
            Some(own) if !own.is_lost() => {}
            _ => self.own = Some(self.store.connect()?),
        }
        Ok(self.own.as_ref().expect("just connected"))
    }
}

impl Tables for PgTables {
    fn hold_still(&mut self) -> Result<(), Fault> {
        self.writing()?.batch("set idle_in_transaction_session_timeout = 0; begin isolation level repeatable read read only")?;
        self.is_held = true;
        // The moment is that of the first read.
        self.projected().map(drop)
    }

    fn projected(&mut self) -> Result<Projected, Fault> {
        let rows = self.query(PROJECTED, &[&part_number(self.part)])?;
        rows.first().map_or(Ok(Projected::default()), |row| Ok(Projected { lines_seq: unsigned(row, 0)?, objects_seq: unsigned(row, 1)? }))
    }

    fn claim(&mut self, epoch: u64) -> Result<(), Fault> {
        let part = self.part;
        if self.writing()?.execute(CLAIM, &[&part_number(part), &signed(epoch)?])? != 1 {
            return Err(Fault::Fenced(part));
        }
        self.epoch = epoch;
        Ok(())
    }

    fn write(&mut self, rows: &Rows) -> Result<(), Fault> {
        let (part, epoch) = (self.part, self.epoch);
        let session = self.writing()?;
        session.batch("begin")?;
        let written = write(session, part, epoch, rows).and_then(|()| Ok(session.batch("commit")?));
        if written.is_err() && session.batch("rollback").is_err() {
            self.own = None;
        }
        written
    }

    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let rows = self.query("select body from object where part = $1 and key = $2", &[&part_number(self.part), &key])?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
    }

    fn rows(&mut self, after: &[u8], max: usize) -> Result<Vec<Entry>, Fault> {
        let max = i64::try_from(max).expect("a page is small");
        let rows = self.query("select key, body from object where part = $1 and key > $2 order by key limit $3", &[&part_number(self.part), &after, &max])?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    fn block(&mut self, kind: u8, at: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let sql = "select body from block where part = $1 and kind = $2 and first <= $3 order by first desc limit 1";
        let rows = self.query(sql, &[&part_number(self.part), &i32::from(kind), &at])?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
    }

    fn blocks(&mut self, kind: u8, after: &[u8], max: usize) -> Result<Vec<Entry>, Fault> {
        let max = i64::try_from(max).expect("a page is small");
        let sql = "select first, body from block where part = $1 and kind = $2 and first > $3 order by first limit $4";
        let rows = self.query(sql, &[&part_number(self.part), &i32::from(kind), &after, &max])?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    fn due(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
        let rows = self.query("select due, key from object where part = $1 and due is not null order by due", &[&part_number(self.part)])?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    fn outbox(&mut self) -> Result<Vec<(Part, u64, Vec<u8>)>, Fault> {
        let sql = "select destination, number, body from outbox where part = $1 order by destination, number";
        let rows = self.query(sql, &[&part_number(self.part)])?;
        rows.iter().map(|row| Ok((part(row, 0)?, unsigned(row, 1)?, row.try_get(2)?))).collect()
    }
}

fn write(session: &Session, part: Part, epoch: u64, rows: &Rows) -> Result<(), Fault> {
    let number = part_number(part);
    let objects_seq = rows.objects_seq.map(signed).transpose()?;
    if session.execute(FENCE, &[&signed(rows.lines_seq)?, &objects_seq, &number, &signed(epoch)?])? != 1 {
        return Err(Fault::Fenced(part));
    }
    if !rows.blocks.is_empty() {
        let blocks = rows.blocks.iter().map(|block| {
            let kind = Value::Integer(i32::from(block.kind));
            [Value::Integer(number), kind, Value::Bytes(block.first.clone()), Value::Bytes(block.body.clone())]
        });
        let columns = [Type::INT4, Type::INT4, Type::BYTEA, Type::BYTEA];
        session.copy("copy block (part, kind, first, body) from stdin (format binary)", &columns, blocks)?;
    }
    if !rows.outbox.is_empty() {
        let messages = rows.outbox.iter().map(|(destination, message, body)| {
            [Value::Integer(number), Value::Integer(part_number(*destination)), Value::Big(message.cast_signed()), Value::Bytes(body.clone())]
        });
        let columns = [Type::INT4, Type::INT4, Type::INT8, Type::BYTEA];
        session.copy("copy outbox (part, destination, number, body) from stdin (format binary)", &columns, messages)?;
    }
    for (destination, delivered) in &rows.delivered {
        let sql = "delete from outbox where part = $1 and destination = $2 and number <= $3";
        session.execute(sql, &[&number, &part_number(*destination), &signed(*delivered)?])?;
    }
    for some in rows.rows.chunks(OBJECTS_MAX) {
        put_rows(session, part, some)?;
    }
    for some in rows.people.iter().collect::<Vec<_>>().chunks(OBJECTS_MAX) {
        put_people(session, part, some)?;
    }
    Ok(())
}

fn put_people(session: &Session, part: Part, people: &[(HolderId, &[u8])]) -> Result<(), Fault> {
    let keys: Vec<Vec<u8>> = people.iter().map(|(id, _)| encode_key(&Key::Holder(*id))).collect();
    let bodies: Vec<&[u8]> = people.iter().map(|(_, body)| *body).collect();
    session.execute(UPSERT, &[&part_number(part), &keys, &vec![None::<i64>; people.len()], &bodies])?;
    Ok(())
}

fn put_rows(session: &Session, part: Part, rows: &[Row]) -> Result<(), Fault> {
    let keys: Vec<&[u8]> = rows.iter().map(|row| &row.key[..]).collect();
    let dues: Vec<Option<i64>> = rows.iter().map(|row| row.due).collect();
    let bodies: Vec<&[u8]> = rows.iter().map(|row| &row.body[..]).collect();
    session.execute(UPSERT, &[&part_number(part), &keys, &dues, &bodies])?;
    Ok(())
}
