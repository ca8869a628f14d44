//! Any text as a session token, a proof of identity or base64url.
#![no_main]

use gongji_store::seal::from_base64url;
use gongji_store::vault::SessionToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = (SessionToken::parse(text), from_base64url(text));
});
