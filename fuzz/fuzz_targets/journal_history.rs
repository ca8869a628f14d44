//! Any sequence of records, each chained to the one before: the auditor ends with a summary or a finding. One byte of partition, one of time and two of
//! length stand before each payload.
#![no_main]

use gongji_audit::{Auditor, Rows};
use gongji_ledger::{GENESIS, RecordHead, link};
use libfuzzer_sys::fuzz_target;

const PARTS: u16 = 2;

fuzz_target!(|bytes: &[u8]| {
    let mut auditor = Auditor::new(PARTS);
    let mut heads = [(0_u64, GENESIS); PARTS as usize + 1];
    let (mut rest, mut stamp) = (bytes, 0_i64);
    while let [part, later, high, low, after @ ..] = rest {
        let part = u16::from(*part) % (PARTS + 1);
        let (payload, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(after.len()));
        rest = after;
        stamp += i64::from(*later) << 20;
        let (seq, previous) = heads[usize::from(part)];
        let head = RecordHead { part, seq: seq + 1, stamp, directory: 0 };
        let hash = link(&previous, &head, payload);
        if let Err(finding) = auditor.record(part, head.seq, stamp, head.directory, payload, &hash) {
            let _ = (finding.zh(), finding.en());
            return;
        }
        heads[usize::from(part)] = (head.seq, hash);
    }
    let _ = (auditor.missing(&Rows::ALL), auditor.finish().map(drop));
});
