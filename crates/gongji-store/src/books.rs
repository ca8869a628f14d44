//! The books of one partition: what the journal says, laid out so that it can be found.
//!
//! Two shapes. What changes (people, counters, whatever is still open) is a row each. What will hardly change again and carries its time in its id
//! (answers, transfers that are over, payments, statement lines) goes into blocks of neighbours, compressed, each written once and at the end: a random
//! write into an index for every transfer is what other ledgers spend most on. An object that changes after it went into a block, or whose id comes
//! late, gets a row; so a row is always newer than a block, and is asked first.

use crate::fault::Fault;
use crate::packed::unpack;
use crate::store::{ANSWER, Block, Entry, Projected, Projection, Row, Rows, Tables, decode_key, encode_key};
use gongji_ledger::{Part, planted};
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::object::{Envelope, Line, Object, Taking};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kind of the rows that say which order an order line is about. Kinds below are those of objects.
const ORDER_LINE: u8 = 64;

/// Kind of the rows that keep the largest id that was written of each kind with blocks.
const LATEST: u8 = 65;

/// Kind of the blocks of statement lines.
const LINE: u8 = 66;

/// Kind of the blocks of takings.
const TAKING: u8 = 67;

/// Kinds of objects whose ids carry their time.
const TIMED: [u8; 5] = [3, 4, 6, ANSWER, 12];

/// Most objects of one block. A larger one compresses better, a smaller one is read faster.
const BLOCK_MAX: usize = 256;

/// Most statement lines, and most takings, of one block: a page of a statement may need a block for each of its lines.
const LINES_MAX: usize = 64;

/// Rows and blocks read at once by whoever reads everything.
const PAGE: usize = 1_000;

pub struct Books {
    part: Part,
    tables: Box<dyn Tables>,
    /// Largest id written of each kind with blocks; unknown until asked for, and after a write that failed.
    latest: Option<BTreeMap<u8, Vec<u8>>>,
}

impl Books {
    pub fn new(part: Part, tables: Box<dyn Tables>) -> Books {
        Books { part, tables, latest: None }
    }

    /// From here on every read of this handle sees one and the same moment; for the auditor, on a handle of its own. Of a store in memory
    /// whoever audits it stops the writers.
    pub fn hold_still(&mut self) -> Result<(), Fault> {
        self.tables.hold_still()
    }

    pub fn projected(&mut self) -> Result<Projected, Fault> {
        self.tables.projected()
    }

    /// Makes this the only one that may project, for the writer of that epoch.
    ///
    /// # Errors
    /// `Fenced`: the writer of a later epoch has claimed them.
    pub fn claim(&mut self, epoch: u64) -> Result<(), Fault> {
        self.latest = None;
        self.tables.claim(epoch)
    }

    /// Writes a projection, all of it or nothing.
    ///
    /// # Errors
    /// `Fenced`: these are not claimed, or a later writer has claimed them. After any other the outcome may be unknown; `projected` tells.
    pub fn project(&mut self, projection: &Projection) -> Result<(), Fault> {
        let mut latest = match self.latest.take() {
            Some(latest) => latest,
            None => self.read_latest()?,
        };
        let rows = lay_out(projection, &mut latest)?;
        self.tables.write(&rows)?;
        self.latest = Some(latest);
        Ok(())
    }

    fn read_latest(&mut self) -> Result<BTreeMap<u8, Vec<u8>>, Fault> {
        let mut latest = BTreeMap::new();
        for kind in TIMED {
            if let Some(id) = self.tables.row(&[LATEST, kind])? {
                latest.insert(kind, id);
            }
        }
        Ok(latest)
    }

    pub fn load(&mut self, key: &Key) -> Result<Option<Object>, Fault> {
        let bytes = encode_key(key);
        if let Some(body) = self.tables.row(&bytes)?.filter(|_| !(planted("old-version-is-read") && matches!(key, Key::Payment(_)))) {
            return Ok(Some(read(key, &body)?));
        }
        let (kind, id) = (bytes[0], &bytes[1..]);
        if !TIMED.contains(&kind) {
            return Ok(None);
        }
        let Some(block) = self.tables.block(kind, id)? else { return Ok(None) };
        let mut found = None;
        each_of::<([u8; 16], Object)>(&block, |(known, object)| {
            let is_there = known[..] == *id;
            if is_there {
                found = Some(object);
            }
            Ok(!is_there)
        })?;
        Ok(found)
    }

    /// Open objects by deadline.
    pub fn due(&mut self) -> Result<Vec<(i64, Key)>, Fault> {
        self.tables.due()?.into_iter().map(|(due, key)| Ok((due, decode_key(&key)?))).collect()
    }

    pub fn line(&mut self, number: u64) -> Result<Option<Line>, Fault> {
        self.numbered(LINE, number, |line: &Line| line.number)
    }

    pub fn taking(&mut self, number: u64) -> Result<Option<Taking>, Fault> {
        self.numbered(TAKING, number, |taking: &Taking| taking.number)
    }

    fn numbered<T: serde::de::DeserializeOwned>(&mut self, kind: u8, number: u64, number_of: fn(&T) -> u64) -> Result<Option<T>, Fault> {
        let Some(block) = self.tables.block(kind, &number.to_be_bytes())? else { return Ok(None) };
        let mut found = None;
        each_of::<T>(&block, |value| {
            let is_there = number_of(&value) == number;
            if is_there {
                found = Some(value);
            }
            Ok(!is_there)
        })?;
        Ok(found)
    }

    /// The order that an order line is about.
    pub fn order_line(&mut self, number: u64) -> Result<Option<Key>, Fault> {
        self.tables.row(&order_line(number))?.map(|key| decode_key(&key)).transpose()
    }

    /// Messages that have not been applied at their destination, as far as these books know.
    pub fn outbox(&mut self) -> Result<Vec<Envelope>, Fault> {
        let from = self.part;
        let messages = self.tables.outbox()?.into_iter();
        messages.map(|(to, number, body)| Ok(Envelope { from, to, number, message: postcard::from_bytes(&body)? })).collect()
    }

    /// Largest timed idempotency key on file.
    pub fn last_timed_key(&mut self) -> Result<Option<RequestKey>, Fault> {
        let Some(id) = self.tables.row(&[LATEST, ANSWER])? else { return Ok(None) };
        let damaged = |_| Fault::Damaged("the largest request key is not one".to_owned());
        Ok(Some(RequestKey(id.try_into().map_err(damaged)?)))
    }

    /// Every object once, in its newest version: first those with a row, in order of the key, then those in blocks.
    pub fn each_object(&mut self, visit: &mut dyn FnMut(Key, Object) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut rows = RowsFrom::new(vec![]);
        while let Some((key, body)) = rows.next(&mut *self.tables)? {
            if key.first().is_some_and(|kind| *kind < ORDER_LINE) {
                let key = decode_key(&key)?;
                visit(key, read(&key, &body)?)?;
            }
        }
        for kind in TIMED {
            // What has a row was visited.
            let mut rows = RowsFrom::new(vec![kind]);
            let mut row = rows.next(&mut *self.tables)?;
            let mut after = Vec::new();
            loop {
                let blocks = self.tables.blocks(kind, &after, PAGE)?;
                for (_, block) in &blocks {
                    let mut objects = Vec::with_capacity(BLOCK_MAX);
                    each_of::<([u8; 16], Object)>(block, |entry| {
                        objects.push(entry);
                        Ok(true)
                    })?;
                    for (id, object) in objects {
                        let mut key = vec![kind];
                        key.extend_from_slice(&id);
                        while row.as_ref().is_some_and(|(known, _)| *known < key) {
                            row = rows.next(&mut *self.tables)?;
                        }
                        if row.as_ref().is_none_or(|(known, _)| *known != key) {
                            visit(decode_key(&key)?, object)?;
                        }
                    }
                }
                match blocks.into_iter().next_back() {
                    Some((first, _)) => after = first,
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Every statement line in order.
    pub fn each_line(&mut self, visit: &mut dyn FnMut(Line) -> Result<(), Fault>) -> Result<(), Fault> {
        self.each_in_blocks(LINE, Vec::new(), &mut |line| visit(line).map(|()| true))
    }

    /// The takings behind a number, in order, until `visit` says that it has seen enough.
    pub fn each_taking(&mut self, after: u64, visit: &mut dyn FnMut(Taking) -> Result<bool, Fault>) -> Result<(), Fault> {
        let goes_on = Cell::new(true);
        let mut visit = |taking: Taking| {
            goes_on.set(taking.number <= after || visit(taking)?);
            Ok(goes_on.get())
        };
        // The block in which it stands begins at it or before it; those behind begin behind it.
        if let Some(block) = self.tables.block(TAKING, &after.to_be_bytes())? {
            each_of(&block, &mut visit)?;
        }
        if goes_on.get() { self.each_in_blocks(TAKING, after.to_be_bytes().to_vec(), &mut visit) } else { Ok(()) }
    }

    /// What the blocks of a kind hold that begin behind `after`, in order, until `visit` says that it has seen enough.
    fn each_in_blocks<T: serde::de::DeserializeOwned>(
        &mut self,
        kind: u8,
        mut after: Vec<u8>,
        visit: &mut dyn FnMut(T) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        loop {
            let blocks = self.tables.blocks(kind, &after, PAGE)?;
            for (_, block) in &blocks {
                let mut goes_on = true;
                each_of(block, |value| {
                    goes_on = visit(value)?;
                    Ok(goes_on)
                })?;
                if !goes_on {
                    return Ok(());
                }
            }
            match blocks.into_iter().next_back() {
                Some((first, _)) => after = first,
                None => return Ok(()),
            }
        }
    }
}

/// Walks through the rows behind a key, a page at a time.
struct RowsFrom {
    after: Vec<u8>,
    page: std::vec::IntoIter<Entry>,
}

impl RowsFrom {
    fn new(after: Vec<u8>) -> RowsFrom {
        RowsFrom { after, page: Vec::new().into_iter() }
    }

    fn next(&mut self, tables: &mut dyn Tables) -> Result<Option<Entry>, Fault> {
        if let Some(row) = self.page.next() {
            return Ok(Some(row));
        }
        let page = tables.rows(&self.after, PAGE)?;
        if let Some((last, _)) = page.last() {
            self.after.clone_from(last);
        }
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}

fn order_line(number: u64) -> Vec<u8> {
    let mut key = vec![ORDER_LINE];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The rows and blocks of a projection. `latest` becomes what it is after they are written.
fn lay_out(projection: &Projection, latest: &mut BTreeMap<u8, Vec<u8>>) -> Result<Rows, Fault> {
    let (delivered, people) = (projection.delivered.clone(), projection.people.clone());
    let mut rows = Rows { lines_seq: projection.lines_seq, delivered, people, ..Rows::default() };
    let lines: Vec<&Line> = projection.lines.iter().flat_map(|lines| lines.iter()).collect();
    for lines in lines.chunks(LINES_MAX) {
        rows.blocks.push(Block { kind: LINE, first: lines[0].number.to_be_bytes().to_vec(), body: pack(lines)? });
    }
    let takings: Vec<&Taking> = projection.takings.iter().flat_map(|takings| takings.iter()).collect();
    for takings in takings.chunks(LINES_MAX) {
        rows.blocks.push(Block { kind: TAKING, first: takings[0].number.to_be_bytes().to_vec(), body: pack(takings)? });
    }
    for (number, key) in &projection.orders {
        rows.rows.push(Row { key: order_line(*number), due: None, body: encode_key(key).into() });
    }
    for envelope in &projection.outbox {
        rows.outbox.push((envelope.to, envelope.number, postcard::to_stdvec(&envelope.message)?));
    }
    rows.objects_seq = projection.objects.as_ref().map(|(seq, _)| *seq);
    let changed = projection.objects.iter().flat_map(|(_, objects)| objects);
    let mut objects: Vec<&(Key, Arc<Object>)> = projection.made.iter().chain(changed).collect();
    // Neighbours are written together: each page of the tree once, each block with its like.
    objects.sort_by_key(|(key, _)| *key);
    let mut block: Vec<([u8; 16], &Object)> = Vec::with_capacity(BLOCK_MAX);
    for of_a_kind in objects.chunk_by(|(one, _), (other, _)| std::mem::discriminant(one) == std::mem::discriminant(other)) {
        let kind = encode_key(&of_a_kind[0].0)[0];
        let before = latest.get(&kind).cloned();
        let mut largest = None;
        for (key, object) in of_a_kind {
            let fresh = timed_id(key).filter(|id| before.as_deref().is_none_or(|before| id[..] > *before || planted("late-id-goes-into-a-block")));
            largest = fresh.or(largest);
            match fresh {
                Some(id) if object.is_settled() => {
                    block.push((id, object));
                    if block.len() == BLOCK_MAX {
                        rows.blocks.push(block_of(kind, &mut block)?);
                    }
                }
                _ => {
                    assert!(!matches!(key, Key::Holder(_)), "people are packed");
                    rows.rows.push(Row { key: encode_key(key), due: object.due(), body: postcard::to_stdvec(&**object)?.into() });
                }
            }
        }
        if !block.is_empty() {
            rows.blocks.push(block_of(kind, &mut block)?);
        }
        if let Some(largest) = largest {
            rows.rows.push(Row { key: vec![LATEST, kind], due: None, body: largest.as_slice().into() });
            latest.insert(kind, largest.to_vec());
        }
    }
    Ok(rows)
}

/// An object as its row has it.
fn read(key: &Key, body: &[u8]) -> Result<Object, Fault> {
    match key {
        Key::Holder(id) => Ok(Object::Holder(Box::new(unpack(*id, body)?))),
        _ => Ok(postcard::from_bytes(body)?),
    }
}

/// The id of a key that carries its time.
fn timed_id(key: &Key) -> Option<[u8; 16]> {
    match key {
        Key::Outgoing(id) | Key::Incoming(id) | Key::Made(id) => Some(id.0),
        Key::Payment(id) => Some(id.0),
        Key::Answer(id) => id.is_timed().then_some(id.0),
        _ => None,
    }
}

fn block_of(kind: u8, objects: &mut Vec<([u8; 16], &Object)>) -> Result<Block, Fault> {
    let block = Block { kind, first: objects[0].0.to_vec(), body: pack(objects)? };
    objects.clear();
    Ok(block)
}

fn pack<T: serde::Serialize>(values: &[T]) -> Result<Vec<u8>, Fault> {
    Ok(lz4_flex::block::compress_prepend_size(&postcard::to_stdvec(values)?))
}

/// Hands out the values of a block one by one, until `visit` says that it has seen enough.
fn each_of<T: serde::de::DeserializeOwned>(block: &[u8], mut visit: impl FnMut(T) -> Result<bool, Fault>) -> Result<(), Fault> {
    let damaged = |error: &dyn std::fmt::Display| Fault::Damaged(format!("a block of the books: {error}"));
    let (size, packed) = lz4_flex::block::uncompressed_size(block).map_err(|error| damaged(&error))?;
    // LZ4 makes at most 255 bytes of each of its own; memory is not taken on a damaged block's word.
    if size > packed.len() * 255 {
        return Err(damaged(&format_args!("{} bytes claim to be {size}", packed.len())));
    }
    let bytes = lz4_flex::block::decompress(packed, size).map_err(|error| damaged(&error))?;
    let (count, mut rest) = postcard::take_from_bytes::<u64>(&bytes)?;
    for _ in 0..count {
        let (value, after) = postcard::take_from_bytes(rest)?;
        if !visit(value)? {
            return Ok(());
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use gongji_ledger::{Fen, HolderId};
    use gongji_wallet::Outcome;
    use gongji_wallet::ids::{PaymentId, TransferId};
    use gongji_wallet::object::{Answer, Payment, PaymentState, Purpose};

    #[test]
    fn a_damaged_block_takes_no_more_memory_than_it_can_fill() {
        let block = pack(&[1_u64, 2]).unwrap();
        each_of::<u64>(&block, |number| Ok(number > 0)).unwrap();
        for damaged in [&[255, 255, 255, 255, 0][..], &[0, 1, 0, 0, 0], &[1, 0], &[]] {
            let told = each_of::<u64>(damaged, |_| Ok(true)).unwrap_err().to_string();
            assert!(told.contains("a block of the books") && (damaged.len() < 5 || told.contains("claim to be")), "{told}");
        }
    }

    fn answer(byte: u8) -> (Key, Arc<Object>) {
        (Key::Answer(RequestKey([byte; 16])), Arc::new(Object::Answer(Answer { fingerprint: [byte; 16], seq: 1, outcome: Outcome::Done })))
    }

    fn payment(byte: u8, state: PaymentState) -> (Key, Arc<Object>) {
        let holder = HolderId::new(1, 1);
        let purpose = Purpose::Premium { insured: holder, area: 510_500, year: 2027 };
        let (slices, captures, refunds) = (Vec::new(), Vec::new(), Vec::new());
        let id = PaymentId([byte; 16]);
        let payment = Payment { id, holder, by: holder, code: None, purpose, slices, state, held_at: 0, expires: 0, rule: 1, refusal: None, captures, refunds };
        (Key::Payment(id), Arc::new(Object::Payment(Box::new(payment))))
    }

    fn books() -> Books {
        let store = crate::memory::MemoryStore::new(1);
        let mut books = crate::store::Store::books(&store, 1).unwrap();
        books.claim(1).unwrap();
        books
    }

    fn project(books: &mut Books, seq: u64, objects: Vec<(Key, Arc<Object>)>) {
        books.project(&Projection { lines_seq: seq, objects: Some((seq, objects)), ..Projection::default() }).unwrap();
    }

    fn all(books: &mut Books) -> BTreeMap<Key, Object> {
        let mut all = BTreeMap::new();
        books
            .each_object(&mut |key, object| {
                assert!(all.insert(key, object).is_none(), "{key:?} comes once");
                Ok(())
            })
            .unwrap();
        all
    }

    /// Blocks, late ids, ids without a time, open objects and changes after the block: everything is found once, in its newest version.
    #[test]
    fn whatever_shape_it_has_the_newest_version_is_found() {
        let mut books = books();
        let held = |byte| payment(byte, PaymentState::Held);
        let captured = |byte| payment(byte, PaymentState::Captured);
        project(&mut books, 1, vec![answer(9), answer(5), answer(0x85), held(4), captured(6), held(8)]);
        assert_eq!(books.last_timed_key().unwrap(), Some(RequestKey([9; 16])));
        // 7 comes late; 4 and 8 were open; 6 changes after it went into a block.
        project(&mut books, 2, vec![answer(7), answer(12), captured(4), payment(6, PaymentState::Reversed), captured(8), captured(10)]);
        project(&mut books, 3, vec![payment(8, PaymentState::Reversed)]);
        let expected: BTreeMap<Key, Object> = [
            answer(5),
            answer(7),
            answer(9),
            answer(12),
            answer(0x85),
            captured(4),
            payment(6, PaymentState::Reversed),
            payment(8, PaymentState::Reversed),
            captured(10),
        ]
        .into_iter()
        .map(|(key, object)| (key, object.as_ref().clone()))
        .collect();
        assert_eq!(all(&mut books), expected);
        for (key, object) in &expected {
            assert_eq!(books.load(key).unwrap().as_ref(), Some(object), "{key:?}");
        }
        for absent in [Key::Answer(RequestKey([8; 16])), Key::Answer(RequestKey([1; 16])), Key::Made(TransferId([9; 16])), payment(9, PaymentState::Held).0] {
            assert_eq!(books.load(&absent).unwrap(), None, "{absent:?}");
        }
        assert_eq!(books.last_timed_key().unwrap(), Some(RequestKey([12; 16])));
    }

    #[test]
    fn lines_are_found_across_blocks_of_any_size() {
        use gongji_wallet::object::{Counterparty, LineCode, Purse};
        let line = |number: u64| Line {
            number,
            holder: HolderId::new(1, number % 7 + 1),
            previous: number.saturating_sub(7),
            at: 1_000,
            seq: number,
            code: LineCode::TransferOut,
            purse: Purse::Wallet,
            amount: Fen(-5),
            wallet_after: Fen(5),
            personal_after: Fen::ZERO,
            other: Counterparty::None,
            reference: [number as u8; 16],
            lots: Vec::new(),
        };
        let mut books = books();
        let mut next = 1;
        for count in [1, 3, LINES_MAX as u64, 2 * LINES_MAX as u64 + 5] {
            let lines: Vec<Line> = (next..next + count).map(line).collect();
            next += count;
            books.project(&Projection { lines_seq: next, lines: vec![Arc::new(lines)], ..Projection::default() }).unwrap();
        }
        for number in 1..next {
            assert_eq!(books.line(number).unwrap(), Some(line(number)));
        }
        assert_eq!((books.line(0).unwrap(), books.line(next).unwrap()), (None, None));
        let mut number = 0;
        books
            .each_line(&mut |found| {
                number += 1;
                assert_eq!(found, line(number));
                Ok(())
            })
            .unwrap();
        assert_eq!(number, next - 1);
    }
}
