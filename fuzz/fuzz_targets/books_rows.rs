//! Any bytes as rows, blocks and messages of the books, as a damaged file gives them: told as damage, never a crash and never more memory than they can hold.
#![no_main]

use gongji_ledger::HolderId;
use gongji_store::store::{Entry, Projected, Rows, Tables};
use gongji_store::{Books, Fault};
use gongji_wallet::ids::{Key, PaymentId, RequestKey, TransferId};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// Whatever is asked for, these bytes are there.
struct Damaged(Vec<u8>);

impl Tables for Damaged {
    fn projected(&mut self) -> Result<Projected, Fault> {
        Ok(Projected::default())
    }
    fn claim(&mut self, _epoch: u64) -> Result<(), Fault> {
        Ok(())
    }
    fn write(&mut self, _rows: &Rows) -> Result<(), Fault> {
        Ok(())
    }
    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        // Kinds of objects that go into blocks have no row here.
        Ok((!matches!(key, [3 | 4 | 6 | 11 | 12, ..])).then(|| self.0.clone()))
    }
    fn rows(&mut self, after: &[u8], _max: usize) -> Result<Vec<Entry>, Fault> {
        Ok(if self.0.as_slice() > after { vec![(self.0.clone(), self.0.clone())] } else { Vec::new() })
    }
    fn block(&mut self, _kind: u8, _at: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(Some(self.0.clone()))
    }
    fn blocks(&mut self, _kind: u8, after: &[u8], _max: usize) -> Result<Vec<Entry>, Fault> {
        Ok(if after.is_empty() { vec![(vec![1], self.0.clone())] } else { Vec::new() })
    }
    fn due(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
        Ok(vec![(1, self.0.clone())])
    }
    fn outbox(&mut self) -> Result<Vec<(u16, u64, Vec<u8>)>, Fault> {
        Ok(vec![(1, 1, self.0.clone())])
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut books = Books::new(1, Box::new(Damaged(bytes.to_vec())));
    for key in [Key::Partition, Key::Holder(HolderId::new(1, 1)), Key::Payment(PaymentId([0; 16])), Key::Made(TransferId([0; 16])), Key::Answer(RequestKey([0; 16]))] {
        let _ = books.load(&key);
    }
    let _ = (books.line(1), books.order_line(1), books.due(), books.outbox(), books.last_timed_key());
    let mut found = BTreeMap::new();
    let _ = books.each_object(&mut |key, object| {
        found.insert(key, object);
        Ok(())
    });
    let _ = books.each_line(&mut |line| {
        let _ = line.previous;
        Ok(())
    });
});
