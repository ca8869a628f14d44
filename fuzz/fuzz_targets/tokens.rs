//! Any text as what a browser or a program brings along: tokens, cookies, cursors, ids, times.
#![no_main]

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderValue};
use gongji::api::wire::{cursor, id_from, id_text, parse_cursor};
use gongji::time::{parse_rfc3339, rfc3339};
use gongji::web::{SUBJECT_COOKIE, cookie, parse_person_id, person_id};
use gongji_store::seal::from_base64url;
use gongji_store::vault::SessionToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = (SessionToken::parse(text), from_base64url(text));
    if let Ok(Some(position)) = parse_cursor(Some(text)) {
        assert_eq!(cursor(position), text);
    }
    if let Ok(id) = id_from(text) {
        assert_eq!(id_text(id), text.to_ascii_lowercase());
    }
    if let Some(holder) = parse_person_id(text) {
        assert_eq!(person_id(holder), text);
    }
    if let Some(at) = parse_rfc3339(text) {
        let told = rfc3339(at);
        assert_eq!(parse_rfc3339(&told), Some(at), "{told}");
    }
    if let Ok(value) = HeaderValue::from_str(text) {
        let headers = HeaderMap::from_iter([(COOKIE, value)]);
        if let Some(value) = cookie(&headers, SUBJECT_COOKIE) {
            assert!(text.contains(value));
        }
    }
});
