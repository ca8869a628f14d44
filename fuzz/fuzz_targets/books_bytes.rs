//! Any bytes as a key of the books.
#![no_main]

use gongji_store::store::{decode_key, encode_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = decode_key(bytes) {
        assert_eq!(decode_key(&encode_key(&key)).ok(), Some(key));
    }
});
