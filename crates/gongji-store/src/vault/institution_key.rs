//! API keys of institutions: `gk.<key id>.<secret>`. The table has the SM3 of the secret, which has 256 random bits
//! and so needs no slow hash. Checks are answered from memory.

use std::sync::Arc;

use super::memory::ReadThrough;
use super::{Result, Vault};
use crate::seal::{Sensitive, equal_in_constant_time, random, sm3, to_base64url};

const CACHE_LEN_MAX: usize = 200_000;
/// A shorter secret could be guessed.
const SECRET_LEN_MIN: usize = 20;
const KEY_LEN_MAX: usize = 200;

/// A key as lists show it; the secret is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstitutionKey {
    pub key_id: String,
    pub institution: String,
    pub created_ms: i64,
    pub revoked_ms: Option<i64>,
}

pub(super) struct InstitutionKeyCache(ReadThrough<String, Arc<Known>>);

impl InstitutionKeyCache {
    pub(super) fn forget_all(&self) {
        self.0.forget_all();
    }
}

impl Default for InstitutionKeyCache {
    fn default() -> Self {
        Self(ReadThrough::new(CACHE_LEN_MAX))
    }
}

struct Known {
    institution: Arc<str>,
    secret_sm3: [u8; 32],
}

/// `gk.<four hexadecimal digits of the partition and more>.<secret>` → partition, key id, secret.
fn parse(key: &str) -> Option<(u16, &str, &str)> {
    if key.len() > KEY_LEN_MAX {
        return None;
    }
    let (key_id, secret) = key.strip_prefix("gk.")?.split_once('.')?;
    let part = u16::from_str_radix(key_id.get(..4)?, 16).ok()?;
    (secret.len() >= SECRET_LEN_MIN).then_some((part, key_id, secret))
}

impl Vault {
    /// Makes a key for an institution whose data lies in `part`. The whole key is returned once and never again.
    pub fn issue_institution_key(&self, part: u16, institution: &str, now_ms: i64) -> Result<Sensitive> {
        let serial: String = random::<6>().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = Sensitive::new(format!("gk.{part:04x}{serial}.{}", to_base64url(&random::<32>())));
        self.put_institution_key(institution, &key, now_ms)?;
        Ok(key)
    }

    /// Stores a key made elsewhere (the sandbox prints the same ones at every start). Storing it again changes nothing.
    ///
    /// # Panics
    /// When the text is no key: `gk.`, four hexadecimal digits of the partition, anything, a dot, 20 letters or more.
    pub fn put_institution_key(&self, institution: &str, key: &Sensitive, now_ms: i64) -> Result<()> {
        let (part, key_id, secret) = parse(key.reveal()).expect("a key has the form gk.<part and serial>.<secret>");
        self.write(|tx, _| {
            tx.execute(
                "insert into institution_key (part, key_id, institution, secret_sm3, created_ms) values (?1, ?2, ?3, ?4, ?5)
                 on conflict (part, key_id) do nothing",
                (part, key_id, institution, sm3(secret.as_bytes()), now_ms),
            )?;
            Ok(())
        })
    }

    /// The institution that owns this key, if it is right and not revoked.
    pub fn verify_institution_key(&self, key: &str) -> Result<Option<Arc<str>>> {
        let Some((part, key_id, secret)) = parse(key) else { return Ok(None) };
        let found = self.0.institution_keys.0.get_or_load(key_id.to_owned(), self.may_remember(), || {
            self.read(|db, _| {
                db.row("select institution, secret_sm3 from institution_key where part = ?1 and key_id = ?2 and revoked_ms is null", (part, key_id), |row| {
                    Ok(Arc::new(Known { institution: Arc::from(row.get::<String>(0)?), secret_sm3: row.get(1)? }))
                })
            })
        })?;
        Ok(found.and_then(|(known, _)| known.institution_if(secret)))
    }

    /// As [`Vault::verify_institution_key`] from memory alone: `None` means "ask the disk", `Some` is the answer.
    pub fn institution_key_in_memory(&self, key: &str) -> Option<Option<Arc<str>>> {
        let Some((_, key_id, secret)) = parse(key) else { return Some(None) };
        let known = self.may_remember().then(|| self.0.institution_keys.0.get(&key_id.to_owned()))??;
        Some(known.institution_if(secret))
    }

    /// Revokes a key at once; false when there is no such key.
    pub fn revoke_institution_key(&self, key_id: &str, now_ms: i64) -> Result<bool> {
        let Some(part) = key_id.get(..4).and_then(|part| u16::from_str_radix(part, 16).ok()) else {
            return Ok(false);
        };
        let changed = self.revoke(
            |tx, _| {
                let sql = "update institution_key set revoked_ms = coalesce(revoked_ms, ?3) where part = ?1 and key_id = ?2";
                Ok((tx.execute(sql, (part, key_id, now_ms))?, true))
            },
            |_| self.0.institution_keys.0.forget([key_id.to_owned()]),
        )?;
        Ok(changed == 1)
    }

    /// The keys of an institution, oldest first.
    pub fn institution_keys(&self, part: u16, institution: &str) -> Result<Vec<InstitutionKey>> {
        self.read(|db, _| {
            db.rows(
                "select key_id, institution, created_ms, revoked_ms from institution_key
                 where part = ?1 and institution = ?2 order by created_ms, key_id",
                (part, institution),
                |row| Ok(InstitutionKey { key_id: row.get(0)?, institution: row.get(1)?, created_ms: row.get(2)?, revoked_ms: row.get(3)? }),
            )
        })
    }
}

impl Known {
    fn institution_if(&self, secret: &str) -> Option<Arc<str>> {
        equal_in_constant_time(&sm3(secret.as_bytes()), &self.secret_sm3).then(|| Arc::clone(&self.institution))
    }
}
