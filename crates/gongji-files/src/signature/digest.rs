//! `Content-Digest`: the body's digest as a field, so that a signature over fields covers the body. 依据：RFC 9530.

use super::field;
use super::key::Profile;
use super::message::Refused;
use base64ct::{Base64, Encoding as _};
use sha2::Digest;

/// The field's value for a body: `sha-256=:…:` or `sm3=:…:`.
///
/// `sm3` is no registered name: RFC 9530 has none for GB/T 32905. We use the name that it would plainly get.
pub fn content_digest(profile: Profile, body: &[u8]) -> String {
    format!("{}=:{}:", profile.digest_name(), Base64::encode_string(&profile.digest(body)))
}

/// The digest of a body that arrives piece by piece.
pub struct BodyDigest(Running);

enum Running {
    Sha256(sha2::Sha256),
    Sm3(sm3::Sm3),
}

impl BodyDigest {
    pub fn new(profile: Profile) -> BodyDigest {
        BodyDigest(match profile {
            Profile::Ed25519 => Running::Sha256(Digest::new()),
            Profile::Sm2 => Running::Sm3(Digest::new()),
        })
    }

    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            Running::Sha256(running) => running.update(piece),
            Running::Sm3(running) => running.update(piece),
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        match self.0 {
            Running::Sha256(running) => running.finalize().into(),
            Running::Sm3(running) => running.finalize().into(),
        }
    }
}

/// Whether `text` has the digest of `body` that the profile asks for. Others may stand beside it and count for nothing.
pub(super) fn check(profile: Profile, text: &str, body: &[u8]) -> Result<(), Refused> {
    check_finished(profile, text, &profile.digest(body))
}

/// As [`check`], for a body that has been digested on its way.
pub(super) fn check_finished(profile: Profile, text: &str, of_body: &[u8; 32]) -> Result<(), Refused> {
    let members = field::byte_sequences(text).ok_or(Refused::Malformed(super::CONTENT_DIGEST))?;
    let mut found = members.iter().filter(|(name, _)| *name == profile.digest_name());
    let Some((_, digest)) = found.next() else { return Err(Refused::DigestKind(profile)) };
    if digest[..] == of_body[..] { Ok(()) } else { Err(Refused::DigestDiffers) }
}
