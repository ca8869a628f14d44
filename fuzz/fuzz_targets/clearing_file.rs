//! A province's clearing file from a stranger: checked to its first difference, never a panic. The checks at the ends of lines are made right, so that
//! what stands behind them is reached.
#![no_main]

use gongji_files::clearing::{DailyStatements, verify};
use gongji_files::signature::{Profile, SigningKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = SigningKey::from_seed(Profile::Ed25519, &[9; 32]).expect("32 bytes are a key");
    let _ = verify(bytes, key.verifying_key(), None);
    let mut file = Vec::with_capacity(bytes.len() * 2);
    for line in bytes.split(|byte| *byte == b'\n') {
        let check = line.iter().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        file.extend_from_slice(line);
        file.extend_from_slice(format!(" #{check:08x}\n").as_bytes());
    }
    let daily = std::str::from_utf8(bytes).ok().and_then(|text| DailyStatements::parse(text).ok()).unwrap_or_default();
    let _ = verify(&file[..], key.verifying_key(), Some(&daily));
});
