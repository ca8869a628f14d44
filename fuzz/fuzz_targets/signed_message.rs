//! Any fields of a signed message, and any key file.
#![no_main]

use gongji_files::signature::{Presented, Request, Response, SigningKey, VerifyingKey, verify_response};
use libfuzzer_sys::fuzz_target;

/// RFC 9421, B.1.4.
const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";

fuzz_target!(|given: (&str, &str, &str, &[u8])| {
    let (input, signature, digest, body) = given;
    let headers = [("signature-input", input), ("signature", signature), ("content-digest", digest), ("idempotency-key", digest)];
    let request = Request { method: "POST", authority: "a.cn", path: input, query: signature, headers: &headers };
    let key = VerifyingKey::from_pem(KEY).expect("the key of the RFC");
    if let Ok(presented) = Presented::read(&request) {
        assert!(presented.verify(&key, body).is_err());
        let _ = presented.is_timely(0);
    }
    assert!(verify_response(&key, &Response { status: 200, headers: &headers }, &request, body).is_err());
    let _ = (SigningKey::from_pem(input), VerifyingKey::from_pem(input));
});
