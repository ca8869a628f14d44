//! Any payload as a journal record: neither decoder crashes, and the program and its auditor agree on what is readable.
#![no_main]

use gongji_audit::{Auditor, FindingKind};
use gongji_ledger::{GENESIS, RecordHead, link};
use gongji_store::store::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let head = RecordHead { part: 1, seq: 1, stamp: 1, directory: 0 };
    let hash = link(&GENESIS, &head, payload);
    let record = Record { head, payload: payload.to_vec(), hash };
    let events = record.events();
    let audited = Auditor::new(1).record(head.part, head.seq, head.stamp, head.directory, payload, &hash);
    match (&events, &audited) {
        (Err(fault), Ok(())) => panic!("the auditor reads what the program cannot: {fault}"),
        // The auditor also wants nothing to follow the last event.
        (Ok(events), Err(finding)) if finding.kind == FindingKind::Unreadable => {
            assert_ne!(Record::new(head, events, &GENESIS).payload, payload, "the program writes what its auditor cannot read: {finding}");
        }
        _ => {}
    }
});
