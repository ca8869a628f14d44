//! Any bytes as an institution's list, and any two lists beside each other: rows or named bad lines; the breaks add up; a list that was read is written and
//! read again as it was, and agrees with itself.
#![no_main]

use gongji_files::reconcile::{Encoding, FileFormat, ListWriter, Listing, ReadLimits, ReadList, Scope, read_list, reconcile};
use libfuzzer_sys::fuzz_target;

const LIMITS: ReadLimits = ReadLimits { file_bytes_max: 64 << 10, line_bytes_max: 1 << 10, lines_max: 500, bad_lines_max: 50 };

fn read(bytes: &[u8]) -> Option<Listing> {
    let ReadList { listing, bad, .. } = read_list(bytes, &LIMITS).expect("memory can be read");
    bad.is_empty().then_some(listing)
}

fuzz_target!(|given: (u16, &[u8])| {
    let (cut, bytes) = given;
    let (theirs, ours) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let (theirs, ours) = (read(theirs), read(ours));
    if let (Some(theirs), Some(ours)) = (&theirs, &ours) {
        // Asserts by itself that the breaks explain the difference of the totals.
        reconcile(&Scope::default(), theirs, ours);
    }
    for listing in [theirs, ours].into_iter().flatten() {
        let whole = Scope::default();
        assert_eq!(reconcile(&whole, &listing, &listing).breaks.len(), 0, "a list agrees with itself");
        for encoding in [Encoding::Utf8, Encoding::Utf8Bom, Encoding::Gbk] {
            let mut writer = ListWriter::new(FileFormat::Comma, encoding);
            listing.iter().for_each(|line| writer.line(&line, None));
            let again = read(&writer.finish()).expect("what was written is read");
            assert_eq!(again.totals(&whole), listing.totals(&whole));
        }
    }
});
