//! Any bytes as any of the import files: rows or named bad lines, never a crash.
#![no_main]

use gongji_files::{ImportKind, Options, parse_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, file)) = bytes.split_first() else { return };
    let kind = ImportKind::ALL[usize::from(*kind) % ImportKind::ALL.len()];
    let _ = parse_file(kind, file, &Options::new(20_780));
});
