//! Idempotency keys, scoped by caller and operation.

use gongji_store::seal::sm3;
use gongji_wallet::ids::{ApprovalId, RequestKey};

/// Longest key a client may send.
pub const KEY_LEN_MAX: usize = 128;

/// How far a client's UUIDv7 may be ahead of this machine (ms): keys from the future would slow everybody's look-ups down.
const AHEAD_MAX: i64 = 10 * 60_000;

#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey {
    pub key: RequestKey,
    /// First half of the digest of the request's body.
    pub fingerprint: [u8; 16],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("an idempotency key has 1 to 128 printable ASCII characters")]
    Malformed,
    #[error("the time inside the UUIDv7 key lies in the future")]
    FromTheFuture,
}

impl IdempotencyKey {
    /// Makes the key of `caller`'s `operation`. `text` is what the client sent, `body` what it asks.
    pub fn new(caller: &str, operation: &str, text: &str, body: &[u8]) -> Result<IdempotencyKey, KeyError> {
        if text.is_empty() || text.len() > KEY_LEN_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Malformed);
        }
        let digest = sm3(format!("{}:{caller}{}:{operation}{text}", caller.len(), operation.len()).as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        match uuid::Uuid::try_parse(text) {
            // The time stays in front, so that such keys enter their index in order.
            Ok(uuid) if uuid.get_version_num() == 7 => {
                let time = &uuid.as_bytes()[..6];
                let ms = time.iter().fold(0_i64, |ms, byte| ms << 8 | i64::from(*byte));
                if ms > gongji_store::clock::system_now() + AHEAD_MAX {
                    return Err(KeyError::FromTheFuture);
                }
                key[..6].copy_from_slice(time);
                key[0] &= 0x7F;
            }
            _ => key[0] |= 0x80,
        }
        Ok(IdempotencyKey { key: RequestKey(key), fingerprint: half(&sm3(body)) })
    }

    /// The key of a line of an imported file: a line is applied once, however often the file comes.
    pub fn of_line(file_digest: &[u8], line: u32, step: &str) -> IdempotencyKey {
        let digest = sm3(&[b"import".as_slice(), file_digest, &line.to_be_bytes(), step.as_bytes()].concat());
        let mut key = half(&digest);
        key[0] |= 0x80;
        IdempotencyKey { key: RequestKey(key), fingerprint: half(&sm3(step.as_bytes())) }
    }
}

impl IdempotencyKey {
    /// The key under which what was approved follows in another partition: once, whoever does it and however often it is tried.
    pub fn of_approval(approval: ApprovalId, step: &str) -> IdempotencyKey {
        let mut key = half(&sm3(&[b"approval".as_slice(), &approval.0, step.as_bytes()].concat()));
        key[0] |= 0x80;
        IdempotencyKey { key: RequestKey(key), fingerprint: half(&sm3(step.as_bytes())) }
    }
}

fn half(digest: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// A fresh UUIDv7, as the pages put into their forms.
pub fn fresh() -> String {
    uuid::Uuid::now_v7().to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_scoped_and_keep_their_time() {
        let uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
        let key = |caller: &str, operation: &str, text: &str| IdempotencyKey::new(caller, operation, text, b"").unwrap().key;
        assert_eq!(key("a", "transfer", uuid).0[..6], [0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96]);
        assert!(key("a", "transfer", uuid).is_timed() && !key("a", "transfer", "order-1").is_timed());
        let all = [key("a", "t", uuid), key("b", "t", uuid), key("a", "u", uuid), key("at", "", uuid), key("a", "t", "x")];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| one != other));
        }
        assert_eq!(key("a", "t", uuid), key("a", "t", &uuid.to_uppercase().to_lowercase()));
    }

    #[test]
    fn odd_keys_are_refused() {
        for text in ["", "有", "a b", &"x".repeat(129), "line\nbreak"] {
            assert_eq!(IdempotencyKey::new("a", "t", text, b"").unwrap_err(), KeyError::Malformed, "{text:?}");
        }
        let future = "ffffffff-ffff-7fff-bfff-ffffffffffff";
        assert_eq!(IdempotencyKey::new("a", "t", future, b"").unwrap_err(), KeyError::FromTheFuture);
    }
}
