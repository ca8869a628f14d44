//! Step-up proofs: "this person has just confirmed *this* and nothing else".
//!
//! A proof is a token without a row: it carries its holder, a digest of what was confirmed (receiver, amount, source) and
//! its end, under an HMAC-SM3. Issuing and verifying touch no disk. That it is used once is decided where the money is:
//! the commit takes the proof's id, and takes it once.

use super::Vault;
use crate::seal::{Keys, equal_in_constant_time, from_base64url, random, to_base64url};

/// A proof is good for five minutes.
pub const STEP_UP_MS: i64 = 5 * 60_000;

const FORMAT: u8 = 1;
const BODY_LEN: usize = 1 + 8 + 8 + 16 + 8;
const MAC_LEN: usize = 32;

/// A verified proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Random; what the commit remembers as used.
    pub id: u64,
    pub holder: u64,
    /// Digest of what was confirmed. The caller compares it with what is asked now.
    pub bound: [u8; 16],
    pub expires_ms: i64,
}

impl From<Proof> for gongji_wallet::Proof {
    fn from(proof: Proof) -> Self {
        Self { id: proof.id, holder: gongji_ledger::HolderId(proof.holder), bound: proof.bound, expires: proof.expires_ms }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofError {
    /// Not made here, or changed.
    Invalid,
    Expired,
}

impl Keys {
    /// Issues a proof as text for a form or header (98 letters of URL base64).
    pub fn issue_proof(&self, holder: u64, bound: [u8; 16], now_ms: i64) -> String {
        let mut bytes = Vec::with_capacity(BODY_LEN + MAC_LEN);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&random::<8>());
        bytes.extend_from_slice(&holder.to_be_bytes());
        bytes.extend_from_slice(&bound);
        bytes.extend_from_slice(&(now_ms + STEP_UP_MS).to_be_bytes());
        let mac = self.token_mac("step-up", &[&bytes]);
        bytes.extend_from_slice(&mac);
        to_base64url(&bytes)
    }

    /// Verifies that a proof was issued here and is not over. Half-open: at `expires_ms` it is.
    pub fn verify_proof(&self, text: &str, now_ms: i64) -> Result<Proof, ProofError> {
        let bytes = from_base64url(text).ok_or(ProofError::Invalid)?;
        let (body, mac) = bytes.split_at_checked(BODY_LEN).ok_or(ProofError::Invalid)?;
        if mac.len() != MAC_LEN || body[0] != FORMAT || !equal_in_constant_time(&self.token_mac("step-up", &[body]), mac) {
            return Err(ProofError::Invalid);
        }
        let number = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().expect("eight bytes"));
        let proof = Proof { id: number(1), holder: number(9), bound: body[17..33].try_into().expect("sixteen bytes"), expires_ms: number(33) as i64 };
        if now_ms < proof.expires_ms { Ok(proof) } else { Err(ProofError::Expired) }
    }
}

impl Vault {
    /// See [`Keys::issue_proof`].
    pub fn issue_proof(&self, holder: u64, bound: [u8; 16], now_ms: i64) -> String {
        self.keys().issue_proof(holder, bound, now_ms)
    }

    /// See [`Keys::verify_proof`]. Touches no disk.
    pub fn verify_proof(&self, text: &str, now_ms: i64) -> Result<Proof, ProofError> {
        self.keys().verify_proof(text, now_ms)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOLDER: u64 = (1 << 48) | 5;

    #[test]
    fn a_proof_tells_what_it_was_issued_for_until_its_last_millisecond() {
        let keys = Keys::for_tests(1);
        let text = keys.issue_proof(HOLDER, [7; 16], 1_000);
        let proof = keys.verify_proof(&text, 1_000 + STEP_UP_MS - 1).unwrap();
        assert_eq!((proof.holder, proof.bound, proof.expires_ms), (HOLDER, [7; 16], 1_000 + STEP_UP_MS));
        assert_eq!(keys.verify_proof(&text, 1_000 + STEP_UP_MS), Err(ProofError::Expired));
    }

    #[test]
    fn a_changed_or_foreign_proof_is_refused() {
        let keys = Keys::for_tests(1);
        let text = keys.issue_proof(HOLDER, [7; 16], 1_000);
        assert_eq!(Keys::for_tests(2).verify_proof(&text, 1_000), Err(ProofError::Invalid));
        let bytes = from_base64url(&text).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(keys.verify_proof(&to_base64url(&changed), 1_000), Err(ProofError::Invalid), "byte {index}");
        }
        for bad in ["", "x", "不是凭证", &text[..97], &format!("{text}AA")] {
            assert_eq!(keys.verify_proof(bad, 1_000), Err(ProofError::Invalid), "{bad}");
        }
    }

    #[test]
    fn two_proofs_of_the_same_thing_have_two_ids() {
        let keys = Keys::for_tests(1);
        let id = || keys.verify_proof(&keys.issue_proof(HOLDER, [7; 16], 0), 0).unwrap().id;
        assert_ne!(id(), id());
    }
}
