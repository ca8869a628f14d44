//! What a store must do, and the shapes that pass between it and the partitions.
//!
//! A partition's journal is committed record by record, each durable before it returns. Its books are projections: written behind, loaded on demand.

use crate::books::Books;
use crate::fault::Fault;
use crate::packed::LatestPeople;
use gongji_ledger::{Digest, GENESIS, HolderId, Part, RecordHead, link};
use gongji_wallet::event::Event;
use gongji_wallet::ids::{ApprovalId, CodeId, Key, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::{Envelope, Line, Object, Payee, Taking};
use std::sync::Arc;

/// One committed batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub head: RecordHead,
    pub payload: Vec<u8>,
    pub hash: Digest,
}

impl Record {
    /// Encodes a batch's events and links them to the record before.
    pub fn new(head: RecordHead, events: &[Event], previous: &Digest) -> Record {
        let payload = postcard::to_stdvec(events).expect("events are encodable");
        let hash = link(previous, &head, &payload);
        Record { head, payload, hash }
    }

    pub fn events(&self) -> Result<Vec<Event>, Fault> {
        Ok(postcard::from_bytes(&self.payload)?)
    }
}

/// Where a journal stands when it is taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub epoch: u64,
    pub seq: u64,
    pub stamp: i64,
    pub hash: Digest,
}

impl Head {
    pub fn empty(epoch: u64) -> Head {
        Head { epoch, seq: 0, stamp: 0, hash: GENESIS }
    }
}

/// What the projector writes in one transaction.
#[derive(Clone, Default)]
pub struct Projection {
    /// Lines, takings, orders, outbox and what was made are complete up to this record.
    pub lines_seq: u64,
    /// Statement lines, batch by batch.
    pub lines: Vec<Arc<Vec<Line>>>,
    /// Takings, batch by batch.
    pub takings: Vec<Arc<Vec<Taking>>>,
    pub orders: Vec<(u64, Key)>,
    pub outbox: Vec<Envelope>,
    /// Messages applied at their destination: (destination, number).
    pub delivered: Vec<(Part, u64)>,
    /// What never changes after it was made, complete up to `lines_seq`.
    pub made: Objects,
    /// Objects as of the record given; `None` leaves them, and the people, behind.
    pub objects: Option<(u64, Objects)>,
    /// The people of them.
    pub people: Arc<LatestPeople>,
}

/// Objects, each in one version.
pub type Objects = Vec<(Key, Arc<Object>)>;

/// How far the books have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Projected {
    pub lines_seq: u64,
    pub objects_seq: u64,
}

/// The same, laid out for the tables: what `Books` makes of a projection.
#[derive(Clone, Default)]
pub struct Rows {
    pub lines_seq: u64,
    /// Set where the rows bring the objects up to a record.
    pub objects_seq: Option<u64>,
    /// Each replaces the row of the same key.
    pub rows: Vec<Row>,
    /// The same of people.
    pub people: Arc<LatestPeople>,
    /// New ones; no two of a kind begin alike.
    pub blocks: Vec<Block>,
    /// New messages: destination, number, body.
    pub outbox: Vec<(Part, u64, Vec<u8>)>,
    /// Messages to a destination up to this number go.
    pub delivered: Vec<(Part, u64)>,
}

#[derive(Clone)]
pub struct Row {
    pub key: Vec<u8>,
    /// When a job must look at it (ms).
    pub due: Option<i64>,
    pub body: Arc<[u8]>,
}

#[derive(Clone)]
pub struct Block {
    pub kind: u8,
    /// Id of its first entry; blocks of a kind do not overlap.
    pub first: Vec<u8>,
    pub body: Vec<u8>,
}

/// Three stores speak this: SQLite, PostgreSQL, and memory with injected faults.
pub trait Store: Send + Sync + 'static {
    /// Raises the partition's epoch, so that whoever wrote before can write no more. `from`: only where that epoch still stands.
    ///
    /// # Errors
    /// `Fenced`: another epoch stands.
    fn raise_epoch(&self, part: Part, from: Option<u64>) -> Result<(Box<dyn Journal>, Head), Fault>;

    /// Becomes the partition's only writer.
    fn take_over(&self, part: Part) -> Result<(Box<dyn Journal>, Head), Fault> {
        self.raise_epoch(part, None)
    }

    /// Opens the tables of a partition's books.
    fn tables(&self, part: Part) -> Result<Box<dyn Tables>, Fault>;

    /// Opens a partition's books, to project or to read.
    fn books(&self, part: Part) -> Result<Books, Fault> {
        Ok(Books::new(part, self.tables(part)?))
    }

    /// Reads a partition's journal without writing to it.
    fn journal(&self, part: Part) -> Result<Box<dyn Journal>, Fault>;
}

pub trait Journal: Send {
    /// Makes a record durable, if this writer is still the one of its epoch.
    ///
    /// # Errors
    /// `Fenced` and `Failed`: it did not land. `Unknown`: take over again and read `seq`.
    fn commit(&mut self, record: &Record) -> Result<(), Fault>;

    /// Records after `seq`, in order, at most `max`.
    fn records(&mut self, after: u64, max: usize) -> Result<Vec<Record>, Fault>;
}

/// Key and body of a row, or first id and body of a block.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Where a partition's books stand: rows by key, blocks by kind and first id, messages. What they mean is `Books`' business.
pub trait Tables: Send {
    /// See `Books::hold_still`.
    fn hold_still(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn projected(&mut self) -> Result<Projected, Fault>;

    /// See `Books::claim`.
    fn claim(&mut self, epoch: u64) -> Result<(), Fault>;

    /// Writes all of it or nothing; see `Books::project`.
    fn write(&mut self, rows: &Rows) -> Result<(), Fault>;

    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// Keys and bodies of the rows behind `after`, in order, at most `max`.
    fn rows(&mut self, after: &[u8], max: usize) -> Result<Vec<Entry>, Fault>;

    /// The last block of a kind that begins at or before `at`.
    fn block(&mut self, kind: u8, at: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// First ids and bodies of the blocks of a kind that begin behind `after`, in order, at most `max`.
    fn blocks(&mut self, kind: u8, after: &[u8], max: usize) -> Result<Vec<Entry>, Fault>;

    /// Deadlines and keys of the rows that have one, in order.
    fn due(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Fault>;

    /// Messages in order of destination and number.
    fn outbox(&mut self) -> Result<Vec<(Part, u64, Vec<u8>)>, Fault>;
}

/// Bytes of a key: its kind, then its fields, big endian, so that keys sort by kind and id.
pub fn encode_key(key: &Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(25);
    let mut put = |kind: u8, fields: &[&[u8]]| {
        bytes.push(kind);
        fields.iter().for_each(|field| bytes.extend_from_slice(field));
    };
    match key {
        Key::Partition => put(0, &[]),
        Key::Directory => put(1, &[]),
        Key::Holder(HolderId(id)) => put(HOLDER, &[&id.to_be_bytes()]),
        Key::Outgoing(TransferId(id)) => put(3, &[id]),
        Key::Incoming(TransferId(id)) => put(4, &[id]),
        Key::Code(CodeId(id)) => put(5, &[id]),
        Key::Payment(PaymentId(id)) => put(6, &[id]),
        Key::Order(OrderId { institution, number }) => put(7, &[&institution.0.to_be_bytes(), number]),
        Key::Till(institution) => put(8, &[&institution.0.to_be_bytes()]),
        Key::Claim(HolderId(id), year) => put(9, &[&id.to_be_bytes(), &year.to_be_bytes()]),
        Key::Balance(account) => {
            let account = postcard::to_stdvec(account).expect("an account is encodable");
            put(10, &[&account]);
        }
        Key::Answer(RequestKey(id)) => put(ANSWER, &[id]),
        Key::Made(TransferId(id)) => put(12, &[id]),
        Key::Takings(Payee::Institution(institution)) => put(13, &[&institution.0.to_be_bytes()]),
        Key::Takings(Payee::Premium { area, year }) => put(14, &[&area.to_be_bytes(), &year.to_be_bytes()]),
        Key::Operators => put(15, &[]),
        Key::Approval(ApprovalId(id)) => put(16, &[id]),
        Key::OpenApprovals => put(17, &[]),
        Key::Counted => put(18, &[]),
        Key::Mark(period) => put(19, &[&period.to_be_bytes()]),
        Key::LastPeriod => put(20, &[]),
        Key::Period(period) => put(21, &[&period.to_be_bytes()]),
    }
    bytes
}

/// Kind of a person's key.
pub const HOLDER: u8 = 2;

/// Kind of an answer's key.
pub const ANSWER: u8 = 11;

pub fn decode_key(bytes: &[u8]) -> Result<Key, Fault> {
    let damaged = || Fault::Damaged(format!("key {bytes:?}"));
    let (kind, rest) = bytes.split_first().ok_or_else(damaged)?;
    let id = || <[u8; 16]>::try_from(rest).map_err(|_| damaged());
    let number = |at: usize| rest.get(at..at + 8).and_then(|part| part.try_into().ok()).map(u64::from_be_bytes).ok_or_else(damaged);
    Ok(match kind {
        0 => Key::Partition,
        1 => Key::Directory,
        &HOLDER => Key::Holder(HolderId(number(0)?)),
        3 => Key::Outgoing(TransferId(id()?)),
        4 => Key::Incoming(TransferId(id()?)),
        5 => Key::Code(CodeId(id()?)),
        6 => Key::Payment(PaymentId(id()?)),
        7 => {
            let order = rest.get(8..).and_then(|part| part.try_into().ok()).ok_or_else(damaged)?;
            Key::Order(OrderId { institution: gongji_ledger::InstitutionId(number(0)?), number: order })
        }
        8 => Key::Till(gongji_ledger::InstitutionId(number(0)?)),
        9 => {
            let year = rest.get(8..).and_then(|part| part.try_into().ok()).map(u16::from_be_bytes).ok_or_else(damaged)?;
            Key::Claim(HolderId(number(0)?), year)
        }
        10 => Key::Balance(postcard::from_bytes(rest)?),
        &ANSWER => Key::Answer(RequestKey(id()?)),
        12 => Key::Made(TransferId(id()?)),
        13 => Key::Takings(Payee::Institution(gongji_ledger::InstitutionId(number(0)?))),
        14 => {
            let area = rest.get(..4).and_then(|part| part.try_into().ok()).map(u32::from_be_bytes).ok_or_else(damaged)?;
            let year = rest.get(4..).and_then(|part| part.try_into().ok()).map(u16::from_be_bytes).ok_or_else(damaged)?;
            Key::Takings(Payee::Premium { area, year })
        }
        15 => Key::Operators,
        16 => Key::Approval(ApprovalId(id()?)),
        17 => Key::OpenApprovals,
        18 => Key::Counted,
        19 => Key::Mark(u32::from_be_bytes(rest.try_into().map_err(|_| damaged())?)),
        20 => Key::LastPeriod,
        21 => Key::Period(u32::from_be_bytes(rest.try_into().map_err(|_| damaged())?)),
        _ => return Err(damaged()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use gongji_ledger::{Account, InstitutionId};

    #[test]
    fn keys_survive_and_sort_by_id() {
        let holder = HolderId::new(3, 77);
        let keys = [
            Key::Partition,
            Key::Directory,
            Key::Holder(holder),
            Key::Outgoing(TransferId([1; 16])),
            Key::Incoming(TransferId([2; 16])),
            Key::Code(CodeId([3; 16])),
            Key::Payment(PaymentId([4; 16])),
            Key::Order(OrderId { institution: InstitutionId(5), number: [6; 16] }),
            Key::Till(InstitutionId(7)),
            Key::Claim(holder, 2027),
            Key::Balance(Account::Premium { area: 510500, year: 2027 }),
            Key::Answer(RequestKey([8; 16])),
            Key::Made(TransferId([9; 16])),
            Key::Takings(Payee::Institution(InstitutionId(7))),
            Key::Takings(Payee::Premium { area: 510_500, year: 2027 }),
            Key::Operators,
            Key::Approval(ApprovalId([10; 16])),
            Key::OpenApprovals,
            Key::Counted,
            Key::Mark(202_611),
            Key::LastPeriod,
            Key::Period(202_611),
        ];
        for key in keys {
            assert_eq!(decode_key(&encode_key(&key)).unwrap(), key);
        }
        assert!(encode_key(&Key::Holder(HolderId(255))) < encode_key(&Key::Holder(HolderId(256))));
        assert!(decode_key(&[]).is_err() && decode_key(&[2, 0]).is_err() && decode_key(&[99]).is_err());
    }
}
