//! What a store must do, and the shapes that pass between it and the partitions.
//!
//! A partition's journal is committed record by record, each durable before it returns. Its books are projections: written behind, loaded on demand.

use crate::fault::Fault;
use gongji_ledger::{Digest, GENESIS, HolderId, Part, RecordHead, link};
use gongji_wallet::event::Event;
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::{Envelope, Line, Object};
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
    /// Lines, orders and outbox are complete up to this record.
    pub lines_seq: u64,
    pub lines: Vec<Line>,
    pub orders: Vec<(u64, Key)>,
    pub outbox: Vec<Envelope>,
    /// Messages applied at their destination: (destination, number).
    pub delivered: Vec<(Part, u64)>,
    /// Objects as of the record given; `None` leaves them behind.
    pub objects: Option<(u64, Objects)>,
}

/// Objects, each in one version.
pub type Objects = Vec<(Key, Arc<Object>)>;

/// How far the books have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Projected {
    pub lines_seq: u64,
    pub objects_seq: u64,
}

/// Three stores speak this: SQLite, PostgreSQL, and memory with injected faults.
pub trait Store: Send + Sync + 'static {
    /// Becomes the partition's only writer.
    fn take_over(&self, part: Part) -> Result<(Box<dyn Journal>, Head), Fault>;

    /// Opens a partition's books, to project or to read.
    fn books(&self, part: Part) -> Result<Box<dyn Books>, Fault>;

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

pub trait Books: Send {
    /// From here on every read of this handle sees one and the same moment; for the auditor, on a handle of its own. Of a store in memory
    /// whoever audits it stops the writers.
    fn hold_still(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    fn projected(&mut self) -> Result<Projected, Fault>;

    /// Makes this the only one that may project, for the writer of that epoch.
    ///
    /// # Errors
    /// `Fenced`: the writer of a later epoch has claimed them.
    fn claim(&mut self, epoch: u64) -> Result<(), Fault>;

    /// Writes a projection, all of it or nothing.
    ///
    /// # Errors
    /// `Fenced`: these are not claimed, or a later writer has claimed them. After any other the outcome may be unknown; `projected` tells.
    fn project(&mut self, projection: &Projection) -> Result<(), Fault>;

    fn load(&mut self, key: &Key) -> Result<Option<Object>, Fault>;
    /// Open objects by deadline.
    fn due(&mut self) -> Result<Vec<(i64, Key)>, Fault>;
    fn line(&mut self, number: u64) -> Result<Option<Line>, Fault>;
    fn order_line(&mut self, number: u64) -> Result<Option<Key>, Fault>;
    fn outbox(&mut self) -> Result<Vec<Envelope>, Fault>;
    /// Largest timed idempotency key on file.
    fn last_timed_key(&mut self) -> Result<Option<RequestKey>, Fault>;
    /// Every object in order of its key, for the auditor and for lists.
    fn each_object(&mut self, visit: &mut dyn FnMut(Key, Object) -> Result<(), Fault>) -> Result<(), Fault>;
    /// Every statement line in order.
    fn each_line(&mut self, visit: &mut dyn FnMut(Line) -> Result<(), Fault>) -> Result<(), Fault>;
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
        Key::Holder(HolderId(id)) => put(2, &[&id.to_be_bytes()]),
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
    }
    bytes
}

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
        2 => Key::Holder(HolderId(number(0)?)),
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
        ];
        for key in keys {
            assert_eq!(decode_key(&encode_key(&key)).unwrap(), key);
        }
        assert!(encode_key(&Key::Holder(HolderId(255))) < encode_key(&Key::Holder(HolderId(256))));
        assert!(decode_key(&[]).is_err() && decode_key(&[2, 0]).is_err() && decode_key(&[99]).is_err());
    }
}
