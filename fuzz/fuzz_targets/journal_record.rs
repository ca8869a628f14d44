//! Any payload as a journal record: the engine's decoder and the auditor's agree on what is readable, and neither crashes.
#![no_main]

use gongji_audit::Auditor;
use gongji_ledger::{GENESIS, RecordHead, link};
use gongji_store::store::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let head = RecordHead { part: 1, seq: 1, stamp: 1, directory: 0 };
    let hash = link(&GENESIS, &head, payload);
    let record = Record { head, payload: payload.to_vec(), hash };
    let _ = record.events();
    let _ = Auditor::new(1).record(head.part, head.seq, head.stamp, head.directory, payload, &hash);
});
