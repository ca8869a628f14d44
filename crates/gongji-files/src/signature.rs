//! Signatures between institutions and the platform: keys, digests of bodies, and what of a message is signed.
//!
//! A request is signed by the institution, its answer by the platform, both as HTTP Message Signatures. The rule that vendors read,
//! with examples, is `docs/institutions/signing.md`. 依据：RFC 9421 (signatures), RFC 9530 (`Content-Digest`), RFC 9651 (fields),
//! RFC 8032 (Ed25519), GB/T 32918 (SM2), GB/T 32905 (SM3), RFC 5958 and RFC 5280 (key files).
//!
//! | profile | signature | digest of a body |
//! |---|---|---|
//! | A, [`Profile::Ed25519`] | Ed25519 | `sha-256` |
//! | B, [`Profile::Sm2`] | SM2 with SM3, user id `1234567812345678`, r and s of 32 bytes each | `sm3` |
//!
//! What a request's signature covers: `@method`, `@authority`, `@path`, `@query`, the `content-digest` where there is a body, the
//! `idempotency-key` where there is one. `@target-uri` is not used: its scheme is lost where TLS ends in a proxy. `@authority` is kept by every
//! proxy we accept (the program answers to its own names only), and without it a request signed for one platform could be sent to another
//! one that knows the same key. An answer covers `@status`, its own `content-digest` and the request's `signature`, so it is the answer to this
//! very request.
//!
//! Pure: time, nonces and seeds come in as arguments. The algorithm comes from the key alone; what a message says of it can only be refused.

mod digest;
mod field;
mod key;
mod message;

pub use digest::{BodyDigest, content_digest};
pub use field::{COMPONENTS_MAX, FIELD_LEN_MAX, NONCE_LEN_MAX, NONCE_LEN_MIN};
pub use key::{KEY_ID_LEN, KeyError, Profile, SIGNATURE_LEN, SigningKey, VerifyingKey};
pub use message::{Headers, Presented, Refused, Request, Response, Signed, authority, sign_request, sign_response, verify_response};

/// How far the time of signing may lie from the receiver's clock, either way (s).
pub const AGE_MAX_S: i64 = 300;

/// Fields of a signed message, in lower case.
pub const SIGNATURE_INPUT: &str = "signature-input";
pub const SIGNATURE: &str = "signature";
pub const CONTENT_DIGEST: &str = "content-digest";
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
