//! Keys, and what they do to bytes.
//!
//! Files are PEM, private ones PKCS#8, public ones SPKI: the JDK, .NET, OpenSSL, Node and Bouncy Castle read and write both, and the kind of
//! key stands inside, so that nobody chooses an algorithm twice.

use base64ct::{Base64, Encoding as _};
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, KeypairBytes};
use sha2::{Digest as _, Sha256};
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm2::pkcs8::LineEnding;
use sm3::Sm3;
use std::fmt;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Bytes of a signature, in either profile: R and S of RFC 8032, r and s of GB/T 32918 (each big-endian; no DER).
pub const SIGNATURE_LEN: usize = 64;

/// Letters of a key's id.
pub const KEY_ID_LEN: usize = 32;

/// A longer file is no key.
const PEM_LEN_MAX: usize = 4_096;

/// The user id of GB/T 32918.2 that everybody uses (GM/T 0009-2012, 10).
const SM2_USER_ID: &str = "1234567812345678";

/// Which algorithms a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// A: Ed25519, SHA-256.
    Ed25519,
    /// B: SM2, SM3.
    Sm2,
}

impl Profile {
    pub const ALL: [Profile; 2] = [Profile::Ed25519, Profile::Sm2];

    /// As it is written in settings, file names and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Ed25519 => "ed25519",
            Profile::Sm2 => "sm2",
        }
    }

    pub fn parse(text: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| profile.as_str() == text)
    }

    /// Name of the digest inside `Content-Digest`.
    pub fn digest_name(self) -> &'static str {
        match self {
            Profile::Ed25519 => "sha-256",
            Profile::Sm2 => "sm3",
        }
    }

    /// The profile's digest of some bytes.
    pub fn digest(self, bytes: &[u8]) -> [u8; 32] {
        match self {
            Profile::Ed25519 => Sha256::digest(bytes).into(),
            Profile::Sm2 => Sm3::digest(bytes).into(),
        }
    }
}

/// Why a text is no key. Never says what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not a PEM file with a private key (PKCS#8) for Ed25519 or SM2")]
    NoPrivateKey,
    #[error("not a PEM file with a public key (SPKI) for Ed25519 or SM2")]
    NoPublicKey,
    #[error("this Ed25519 key is one of the few weak ones, for which anybody can sign")]
    Weak,
}

/// A private key. Silent in `Debug`; overwritten when it is dropped.
pub struct SigningKey {
    secret: Secret,
    verifying: VerifyingKey,
}

enum Secret {
    /// Wipes itself.
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// Does not wipe itself: see `Drop`.
    Sm2(Box<sm2::dsa::SigningKey>),
}

/// What a dropped SM2 key is overwritten with.
static NO_KEY: LazyLock<sm2::dsa::SigningKey> = LazyLock::new(|| {
    let mut one = [0; 32];
    one[31] = 1;
    sm2::dsa::SigningKey::from_slice(SM2_USER_ID, &one).expect("one is a private key of SM2")
});

impl Drop for SigningKey {
    fn drop(&mut self) {
        if let Secret::Sm2(key) = &mut self.secret {
            **key = NO_KEY.clone();
            // Somebody might look: so the overwriting is not left out.
            std::hint::black_box(&**key);
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({}, ***)", self.verifying.key_id())
    }
}

impl SigningKey {
    /// The key of these 32 random bytes. `None` where they are no key of SM2 (once in 2³²): draw again.
    pub fn from_seed(profile: Profile, seed: &[u8; 32]) -> Option<SigningKey> {
        match profile {
            Profile::Ed25519 => Some(SigningKey::from_ed25519(ed25519_dalek::SigningKey::from_bytes(seed))),
            Profile::Sm2 => sm2::dsa::SigningKey::from_slice(SM2_USER_ID, seed).ok().map(SigningKey::from_sm2),
        }
    }

    /// Reads a private key file: PKCS#8, as written by this program, by OpenSSL or by a JDK.
    ///
    /// # Errors
    /// [`KeyError::NoPrivateKey`].
    pub fn from_pem(text: &str) -> Result<SigningKey, KeyError> {
        let text = bounded(text).ok_or(KeyError::NoPrivateKey)?;
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(text) {
            return Ok(SigningKey::from_ed25519(key));
        }
        let secret = sm2::SecretKey::from_pkcs8_pem(text).map_err(|_| KeyError::NoPrivateKey)?;
        let key = sm2::dsa::SigningKey::new(SM2_USER_ID, &secret).map_err(|_| KeyError::NoPrivateKey)?;
        Ok(SigningKey::from_sm2(key))
    }

    /// The private key file.
    pub fn to_pem(&self) -> Zeroizing<String> {
        match &self.secret {
            Secret::Ed25519(key) => {
                // Without the public key beside it (version 1): the JDK reads no other.
                let bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
                bytes.to_pkcs8_pem(LineEnding::LF).expect("32 bytes fit a key file")
            }
            Secret::Sm2(key) => {
                let secret = sm2::SecretKey::from(*key.as_nonzero_scalar());
                secret.to_pkcs8_pem(LineEnding::LF).expect("32 bytes fit a key file")
            }
        }
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    pub fn profile(&self) -> Profile {
        self.verifying.profile()
    }

    /// Signs some bytes. The same bytes give the same signature: neither profile draws a random number (RFC 8032; RFC 6979 for SM2).
    pub fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE_LEN] {
        match &self.secret {
            Secret::Ed25519(key) => ed25519_dalek::Signer::sign(&**key, bytes).to_bytes(),
            Secret::Sm2(key) => {
                let signature: sm2::dsa::Signature = key.sign(bytes);
                signature.to_bytes().into()
            }
        }
    }

    /// As [`SigningKey::sign`], as text: base64 with padding. What stands in the envelope's `cainfo`.
    pub fn sign_base64(&self, bytes: &[u8]) -> String {
        Base64::encode_string(&self.sign(bytes))
    }

    fn from_ed25519(key: ed25519_dalek::SigningKey) -> SigningKey {
        let verifying = VerifyingKey::new(Public::Ed25519(Box::new(key.verifying_key())));
        SigningKey { secret: Secret::Ed25519(Box::new(key)), verifying }
    }

    fn from_sm2(key: sm2::dsa::SigningKey) -> SigningKey {
        let verifying = VerifyingKey::new(Public::Sm2(Box::new(key.verifying_key().clone())));
        SigningKey { secret: Secret::Sm2(Box::new(key)), verifying }
    }
}

/// A public key.
#[derive(Clone)]
pub struct VerifyingKey {
    public: Public,
    key_id: String,
}

#[derive(Clone)]
enum Public {
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    Sm2(Box<sm2::dsa::VerifyingKey>),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifyingKey({}, {})", self.profile().as_str(), self.key_id)
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &VerifyingKey) -> bool {
        self.to_der() == other.to_der()
    }
}

impl Eq for VerifyingKey {}

impl VerifyingKey {
    fn new(public: Public) -> VerifyingKey {
        let mut key = VerifyingKey { public, key_id: String::new() };
        key.key_id = crate::hex(&key.profile().digest(&key.to_der())[..KEY_ID_LEN / 2]);
        key
    }

    /// Reads a public key file: SPKI, as written by this program, by OpenSSL or by a JDK.
    ///
    /// # Errors
    /// The text is no such key, or a weak one.
    pub fn from_pem(text: &str) -> Result<VerifyingKey, KeyError> {
        let text = bounded(text).ok_or(KeyError::NoPublicKey)?;
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(text) {
            return if key.is_weak() { Err(KeyError::Weak) } else { Ok(VerifyingKey::new(Public::Ed25519(Box::new(key)))) };
        }
        let key = sm2::PublicKey::from_public_key_pem(text).map_err(|_| KeyError::NoPublicKey)?;
        let key = sm2::dsa::VerifyingKey::new(SM2_USER_ID, key).map_err(|_| KeyError::NoPublicKey)?;
        Ok(VerifyingKey::new(Public::Sm2(Box::new(key))))
    }

    /// The public key file, as an institution registers it.
    pub fn to_pem(&self) -> String {
        match &self.public {
            Public::Ed25519(key) => key.to_public_key_pem(LineEnding::LF).expect("32 bytes fit a key file"),
            Public::Sm2(key) => key.to_public_key_pem(LineEnding::LF).expect("a point fits a key file"),
        }
    }

    fn to_der(&self) -> Vec<u8> {
        match &self.public {
            Public::Ed25519(key) => key.to_public_key_der().expect("32 bytes fit a key").into_vec(),
            Public::Sm2(key) => key.to_public_key_der().expect("a point fits a key").into_vec(),
        }
    }

    pub fn profile(&self) -> Profile {
        match self.public {
            Public::Ed25519(_) => Profile::Ed25519,
            Public::Sm2(_) => Profile::Sm2,
        }
    }

    /// What a message names the key by: the first half of the profile's digest of the key (SPKI, DER), in lower-case hexadecimal. Both sides
    /// can compute it, and it cannot mean another key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether this key signed these bytes.
    pub fn verify(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = <[u8; SIGNATURE_LEN]>::try_from(signature) else { return false };
        match &self.public {
            // Strict: no signature that another implementation might refuse.
            Public::Ed25519(key) => key.verify_strict(bytes, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok(),
            Public::Sm2(key) => sm2::dsa::Signature::from_slice(&signature).is_ok_and(|signature| key.verify(bytes, &signature).is_ok()),
        }
    }

    /// As [`VerifyingKey::verify`], for base64 with padding.
    pub fn verify_base64(&self, bytes: &[u8], signature: &str) -> bool {
        let mut raw = [0; SIGNATURE_LEN];
        Base64::decode(signature, &mut raw).is_ok_and(|raw| self.verify(bytes, raw))
    }
}

/// PEM is read strictly; blank lines around it come from editors.
fn bounded(text: &str) -> Option<&str> {
    (text.len() <= PEM_LEN_MAX).then(|| text.trim_start_matches('\u{feff}').trim())
}

#[cfg(test)]
mod tests;
