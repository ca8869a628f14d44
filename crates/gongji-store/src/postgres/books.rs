//! The books on PostgreSQL: written in bulk on a connection of their own, read on the shared ones.

use super::session::{Session, Value, Values};
use super::{Inner, part, part_number, signed, unsigned};
use crate::fault::Fault;
use crate::store::{ANSWER, Books, Objects, Projected, Projection, decode_key, encode_key};
use gongji_ledger::Part;
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::object::{Envelope, Line, Object};
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// Objects written by one statement: its values pass through the server's memory several times over.
const OBJECTS_MAX: usize = 10_000;

/// Rows read at once by who reads everything.
const PAGE: i64 = 5_000;

const PROJECTED: &str = "select lines_seq, objects_seq from projected where part = $1";
const CLAIM: &str = "insert into projected (part, epoch, lines_seq, objects_seq) values ($1, $2, 0, 0)
    on conflict (part) do update set epoch = excluded.epoch where projected.epoch < excluded.epoch";
const FENCE: &str = "update projected set lines_seq = $1, objects_seq = coalesce($2, objects_seq) where part = $3 and epoch = $4";
const UPSERT: &str = "insert into object (part, key, due, body) select $1, k, d, b from unnest($2::bytea[], $3::bigint[], $4::bytea[]) as fresh (k, d, b)
    on conflict (part, key) do update set due = excluded.due, body = excluded.body";

pub struct PgBooks {
    store: Arc<Inner>,
    part: Part,
    /// The writer that these were claimed for; 0 for a reader.
    epoch: u64,
    /// The connection of a projector, or of a reader who holds still.
    own: Option<Session>,
    is_held: bool,
}

impl PgBooks {
    pub fn new(store: Arc<Inner>, part: Part) -> PgBooks {
        PgBooks { store, part, epoch: 0, own: None, is_held: false }
    }

    /// Whoever holds still, or has written, reads where that was.
    fn rows(&self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Fault> {
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

impl Books for PgBooks {
    fn hold_still(&mut self) -> Result<(), Fault> {
        self.writing()?.batch("set idle_in_transaction_session_timeout = 0; begin isolation level repeatable read read only")?;
        self.is_held = true;
        // The moment is that of the first read.
        self.projected().map(drop)
    }

    fn projected(&mut self) -> Result<Projected, Fault> {
        let rows = self.rows(PROJECTED, &[&part_number(self.part)])?;
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

    fn project(&mut self, projection: &Projection) -> Result<(), Fault> {
        let (part, epoch) = (self.part, self.epoch);
        let session = self.writing()?;
        session.batch("begin")?;
        let written = write(session, part, epoch, projection).and_then(|()| Ok(session.batch("commit")?));
        if written.is_err() && session.batch("rollback").is_err() {
            self.own = None;
        }
        written
    }

    fn load(&mut self, key: &Key) -> Result<Option<Object>, Fault> {
        let rows = self.rows("select body from object where part = $1 and key = $2", &[&part_number(self.part), &encode_key(key)])?;
        rows.first().map(|row| decoded(row, 0)).transpose()
    }

    fn due(&mut self) -> Result<Vec<(i64, Key)>, Fault> {
        let rows = self.rows("select due, key from object where part = $1 and due is not null order by due", &[&part_number(self.part)])?;
        rows.iter().map(|row| Ok((row.try_get(0)?, key(row, 1)?))).collect()
    }

    fn line(&mut self, number: u64) -> Result<Option<Line>, Fault> {
        let rows = self.rows("select body from line where part = $1 and number = $2", &[&part_number(self.part), &signed(number)?])?;
        rows.first().map(|row| decoded(row, 0)).transpose()
    }

    fn order_line(&mut self, number: u64) -> Result<Option<Key>, Fault> {
        let rows = self.rows("select key from order_line where part = $1 and number = $2", &[&part_number(self.part), &signed(number)?])?;
        rows.first().map(|row| key(row, 0)).transpose()
    }

    fn outbox(&mut self) -> Result<Vec<Envelope>, Fault> {
        let from = self.part;
        let rows = self.rows("select destination, number, body from outbox where part = $1 order by destination, number", &[&part_number(from)])?;
        rows.iter().map(|row| Ok(Envelope { from, to: part(row, 0)?, number: unsigned(row, 1)?, message: decoded(row, 2)? })).collect()
    }

    fn last_timed_key(&mut self) -> Result<Option<RequestKey>, Fault> {
        let (from, to) = ([ANSWER, 0], [ANSWER, 0x80]);
        let sql = "select key from object where part = $1 and key >= $2 and key < $3 order by key desc limit 1";
        let rows = self.rows(sql, &[&part_number(self.part), &&from[..], &&to[..]])?;
        match rows.first().map(|row| key(row, 0)).transpose()? {
            Some(Key::Answer(key)) => Ok(Some(key)),
            _ => Ok(None),
        }
    }

    fn each_object(&mut self, visit: &mut dyn FnMut(Key, Object) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut last: Vec<u8> = Vec::new();
        loop {
            let rows =
                self.rows("select key, body from object where part = $1 and key > $2 order by key limit $3", &[&part_number(self.part), &last, &PAGE])?;
            for row in &rows {
                visit(key(row, 0)?, decoded(row, 1)?)?;
            }
            match rows.last() {
                Some(row) => last = row.try_get(0)?,
                None => return Ok(()),
            }
        }
    }

    fn each_line(&mut self, visit: &mut dyn FnMut(Line) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut last = 0_i64;
        loop {
            let rows =
                self.rows("select number, body from line where part = $1 and number > $2 order by number limit $3", &[&part_number(self.part), &last, &PAGE])?;
            for row in &rows {
                visit(decoded(row, 1)?)?;
            }
            match rows.last() {
                Some(row) => last = row.try_get(0)?,
                None => return Ok(()),
            }
        }
    }
}

fn write(session: &Session, part: Part, epoch: u64, projection: &Projection) -> Result<(), Fault> {
    let number = part_number(part);
    let objects_seq = projection.objects.as_ref().map(|(seq, _)| signed(*seq)).transpose()?;
    if session.execute(FENCE, &[&signed(projection.lines_seq)?, &objects_seq, &number, &signed(epoch)?])? != 1 {
        return Err(Fault::Fenced(part));
    }
    if !projection.lines.is_empty() {
        let rows = projection.lines.iter().map(|line| {
            let (number_of_line, holder) = (line.number.cast_signed(), line.holder.0.cast_signed());
            let body = postcard::to_stdvec(line).expect("a line is encodable");
            [Value::Integer(number), Value::Big(number_of_line), Value::Big(holder), Value::Big(line.at), Value::Big(line.amount.0), Value::Bytes(body)]
        });
        let columns = [Type::INT4, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::BYTEA];
        session.copy("copy line (part, number, holder, at, amount, body) from stdin (format binary)", &columns, rows)?;
    }
    if !projection.orders.is_empty() {
        let rows = projection.orders.iter().map(|(line, key)| [Value::Integer(number), Value::Big(line.cast_signed()), Value::Bytes(encode_key(key))]);
        session.copy("copy order_line (part, number, key) from stdin (format binary)", &[Type::INT4, Type::INT8, Type::BYTEA], rows)?;
    }
    if !projection.outbox.is_empty() {
        let rows = projection.outbox.iter().map(|envelope| {
            let body = postcard::to_stdvec(&envelope.message).expect("a message is encodable");
            [Value::Integer(number), Value::Integer(part_number(envelope.to)), Value::Big(envelope.number.cast_signed()), Value::Bytes(body)]
        });
        let columns = [Type::INT4, Type::INT4, Type::INT8, Type::BYTEA];
        session.copy("copy outbox (part, destination, number, body) from stdin (format binary)", &columns, rows)?;
    }
    for (destination, delivered) in &projection.delivered {
        let sql = "delete from outbox where part = $1 and destination = $2 and number <= $3";
        session.execute(sql, &[&number, &part_number(*destination), &signed(*delivered)?])?;
    }
    if let Some((_, objects)) = &projection.objects {
        put_objects(session, part, objects)?;
    }
    Ok(())
}

fn put_objects(session: &Session, part: Part, objects: &Objects) -> Result<(), Fault> {
    for some in objects.chunks(OBJECTS_MAX) {
        let keys: Vec<Vec<u8>> = some.iter().map(|(key, _)| encode_key(key)).collect();
        let dues: Vec<Option<i64>> = some.iter().map(|(_, object)| object.due()).collect();
        let bodies = some.iter().map(|(_, object)| postcard::to_stdvec(&**object)).collect::<Result<Vec<_>, _>>()?;
        session.execute(UPSERT, &[&part_number(part), &keys, &dues, &bodies])?;
    }
    Ok(())
}

fn key(row: &Row, column: usize) -> Result<Key, Fault> {
    decode_key(row.try_get(column)?)
}

fn decoded<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> Result<T, Fault> {
    Ok(postcard::from_bytes(row.try_get(column)?)?)
}
