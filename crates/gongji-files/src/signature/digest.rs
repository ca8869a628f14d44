//! `Content-Digest`: the body's digest as a field, so that a signature over fields covers the body. 依据：RFC 9530.

use super::field;
use super::key::Profile;
use super::message::Refused;
use base64ct::{Base64, Encoding as _};

/// The field's value for a body: `sha-256=:…:` or `sm3=:…:`.
///
/// `sm3` is no registered name: RFC 9530 has none for GB/T 32905. We use the name that it would plainly get.
pub fn content_digest(profile: Profile, body: &[u8]) -> String {
    format!("{}=:{}:", profile.digest_name(), Base64::encode_string(&profile.digest(body)))
}

/// Whether `text` has the digest of `body` that the profile asks for. Others may stand beside it and count for nothing.
pub(super) fn check(profile: Profile, text: &str, body: &[u8]) -> Result<(), Refused> {
    let members = field::byte_sequences(text).ok_or(Refused::Malformed(super::CONTENT_DIGEST))?;
    let mut found = members.iter().filter(|(name, _)| *name == profile.digest_name());
    let Some((_, digest)) = found.next() else { return Err(Refused::DigestKind(profile)) };
    if digest[..] == profile.digest(body) { Ok(()) } else { Err(Refused::DigestDiffers) }
}
