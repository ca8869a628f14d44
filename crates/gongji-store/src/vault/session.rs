//! Sessions: who is logged in, from which device, until when, and how it ends at once.
//!
//! The token (256 random bits) is known to the browser only; the table has its SM3. A session ends after 30 minutes
//! without use, after 12 hours in any case, and when it is revoked. Checks are answered from memory: a page costs no read.
//! When it was last used is noted in memory and written now and then ([`Vault::flush_last_seen`]).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use zeroize::Zeroize;

use super::database::{Db, Row};
use super::memory::ReadThrough;
use super::{Result, Vault, from_sql_id, part_of, sql_id};
use crate::seal::{Place, from_base64url, random, sm3, to_base64url};

/// A session ends after this long without a request.
pub const SESSION_IDLE_MS: i64 = 30 * 60_000;
/// A session ends after this long in any case.
pub const SESSION_MS_MAX: i64 = 12 * 3_600_000;
/// More devices than this at once: the one used longest ago is logged out.
pub const SESSIONS_PER_HOLDER_MAX: usize = 10;
/// Letters of a device's name that are kept.
const LABEL_LEN_MAX: usize = 60;
const CACHE_LEN_MAX: usize = 500_000;
/// A last use is noted again after this long: more often tells nobody anything.
const SEEN_STEP_MS: i64 = 60_000;

/// The secret of a session, as it stands in the cookie. `Debug` is silent.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    /// Reads a cookie's value; anything that cannot be a token is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 46 && from_base64url(text).is_some()).then(|| Self(text.to_owned()))
    }

    /// For the cookie, and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn new(part: u16) -> Self {
        let mut bytes = [0; 34];
        bytes[..2].copy_from_slice(&part.to_be_bytes());
        bytes[2..].copy_from_slice(&random::<32>());
        let token = Self(to_base64url(&bytes));
        bytes.zeroize();
        token
    }

    /// The partition whose table has the session; it leads the token so that one shard is asked.
    fn part(&self) -> u16 {
        from_base64url(&self.0).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        sm3(self.0.as_bytes())
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SessionToken(***)")
    }
}

impl Drop for SessionToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A session that is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Names the session in lists and for revoking; not a secret.
    pub id: u64,
    pub holder: u64,
    pub created_ms: i64,
    pub last_seen_ms: i64,
    /// The latest end, whatever the use.
    pub ends_ms: i64,
}

/// A session as its owner sees it in the list of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub session: Session,
    pub label: String,
}

/// What memory alone can say about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InMemory {
    Live(Session),
    /// Known, and over.
    Ended,
    /// Ask the disk: [`Vault::session`].
    Unknown,
}

pub(super) struct SessionCache(ReadThrough<[u8; 32], Arc<Live>>);

struct Live {
    id: u64,
    holder: u64,
    created_ms: i64,
    ends_ms: i64,
    last_seen_ms: AtomicI64,
    is_dirty: AtomicBool,
}

impl Default for SessionCache {
    fn default() -> Self {
        Self(ReadThrough::new(CACHE_LEN_MAX))
    }
}

impl SessionCache {
    pub(super) fn forget_all(&self) {
        self.0.forget_all();
    }

    pub(super) fn forget_ended(&self, now_ms: i64) {
        self.0.retain(|live| live.is_alive(now_ms));
    }
}

impl Live {
    fn is_alive(&self, now_ms: i64) -> bool {
        now_ms < self.ends_ms && now_ms - self.last_seen_ms.load(Ordering::Relaxed) < SESSION_IDLE_MS
    }

    /// Notes the use and returns the session, unless it is over.
    fn seen(&self, now_ms: i64) -> Option<Session> {
        if !self.is_alive(now_ms) {
            return None;
        }
        let last_seen_ms = self.last_seen_ms.load(Ordering::Relaxed);
        if now_ms - last_seen_ms >= SEEN_STEP_MS {
            self.last_seen_ms.fetch_max(now_ms, Ordering::Relaxed);
            self.is_dirty.store(true, Ordering::Release);
        }
        Some(self.session())
    }

    fn session(&self) -> Session {
        Session {
            id: self.id,
            holder: self.holder,
            created_ms: self.created_ms,
            last_seen_ms: self.last_seen_ms.load(Ordering::Relaxed),
            ends_ms: self.ends_ms,
        }
    }
}

impl Vault {
    /// Begins a session. `label` is what the person will recognise the device by (browser and system).
    pub fn start_session(&self, holder: u64, label: &str, now_ms: i64) -> Result<(SessionToken, Session)> {
        let part = part_of(holder);
        let token = SessionToken::new(part);
        let low = u64::from_be_bytes(random()) >> 16;
        let session = Session { id: (u64::from(part) << 48) | low, holder, created_ms: now_ms, last_seen_ms: now_ms, ends_ms: now_ms + SESSION_MS_MAX };
        let label: String = label.chars().filter(|letter| !letter.is_control()).take(LABEL_LEN_MAX).collect();
        self.revoke(
            |tx, keys| {
                let sealed_label = keys.seal(Place::new("session", "label", session.id), &label);
                tx.execute(
                    "insert into session (part, token_sm3, session_id, holder, sealed_label, created_ms, last_seen_ms, ends_ms)
                     values (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
                    (part, token.digest(), sql_id(session.id), sql_id(holder), sealed_label, now_ms, session.ends_ms),
                )?;
                let pushed_out: Vec<[u8; 32]> = tx.rows(
                    "delete from session where part = ?1 and token_sm3 in
                     (select token_sm3 from session where part = ?1 and holder = ?2
                      order by last_seen_ms desc, created_ms desc limit 9223372036854775807 offset ?3)
                     returning token_sm3",
                    (part, sql_id(holder), SESSIONS_PER_HOLDER_MAX as i64),
                    |row| row.get(0),
                )?;
                let are_any = !pushed_out.is_empty();
                Ok((pushed_out, are_any))
            },
            |pushed_out| self.0.sessions.0.forget(pushed_out.iter().copied()),
        )?;
        Ok((token, session))
    }

    /// The session of a token if memory knows it. Touches no disk, so it may be called in async code.
    pub fn session_in_memory(&self, token: &SessionToken, now_ms: i64) -> InMemory {
        match self.may_remember().then(|| self.0.sessions.0.get(&token.digest())).flatten() {
            // It may have been used meanwhile where another process has seen it.
            Some(live) if self.is_shared() && !live.is_alive(now_ms) => InMemory::Unknown,
            Some(live) => live.seen(now_ms).map_or(InMemory::Ended, InMemory::Live),
            None => InMemory::Unknown,
        }
    }

    /// The session of a token, from memory or disk; `None` when there is none or it is over.
    pub fn session(&self, token: &SessionToken, now_ms: i64) -> Result<Option<Session>> {
        let digest = token.digest();
        let may_remember = self.may_remember();
        if self.is_shared() && self.0.sessions.0.get(&digest).is_some_and(|live| !live.is_alive(now_ms)) {
            self.0.sessions.0.forget([digest]);
        }
        let loaded = self.0.sessions.0.get_or_load(digest, may_remember, || {
            self.read(|db, _| {
                db.row(&format!("select {COLUMNS} from session where part = ?1 and token_sm3 = ?2"), (token.part(), digest), |row| live(row).map(Arc::new))
            })
        })?;
        let Some((live, is_kept)) = loaded else { return Ok(None) };
        let session = live.seen(now_ms);
        if !is_kept && live.is_dirty.load(Ordering::Acquire) {
            self.write_last_seen(&[(digest, live)])?;
        }
        Ok(session)
    }

    /// The devices on which a person is logged in, last used first.
    pub fn sessions(&self, holder: u64, now_ms: i64) -> Result<Vec<Device>> {
        self.flush_last_seen()?;
        self.read(|db, keys| {
            let rows = db.rows(
                &format!(
                    "select {COLUMNS}, sealed_label from session
                 where part = ?1 and holder = ?2 order by last_seen_ms desc, created_ms desc, session_id"
                ),
                (part_of(holder), sql_id(holder)),
                |row| Ok((live(row)?, row.get::<Vec<u8>>(5)?)),
            )?;
            let mut devices = Vec::new();
            for (live, sealed) in rows {
                if live.is_alive(now_ms) {
                    let label = keys.unseal(Place::new("session", "label", live.id), &sealed)?.reveal().to_owned();
                    devices.push(Device { session: live.session(), label });
                }
            }
            Ok(devices)
        })
    }

    /// Logs out the bearer of this token.
    pub fn end_session(&self, token: &SessionToken) -> Result<()> {
        let digest = token.digest();
        self.revoke(
            |tx, _| {
                tx.execute("delete from session where part = ?1 and token_sm3 = ?2", (token.part(), digest))?;
                Ok(((), true))
            },
            |()| self.0.sessions.0.forget([digest]),
        )
    }

    /// Ends one session of a person by its number; false when the person has no such session.
    pub fn revoke_session(&self, holder: u64, session_id: u64) -> Result<bool> {
        let gone = self.delete_sessions("session_id = ?3", holder, session_id)?;
        Ok(gone > 0)
    }

    /// Ends all sessions of a person but `except`; returns how many.
    pub fn revoke_sessions(&self, holder: u64, except: Option<u64>) -> Result<usize> {
        self.delete_sessions("session_id <> ?3", holder, except.unwrap_or(0))
    }

    fn delete_sessions(&self, which: &str, holder: u64, session_id: u64) -> Result<usize> {
        let gone = self.revoke(
            |tx, _| {
                let gone: Vec<[u8; 32]> = tx.rows(
                    &format!("delete from session where part = ?1 and holder = ?2 and {which} returning token_sm3"),
                    (part_of(holder), sql_id(holder), sql_id(session_id)),
                    |row| row.get(0),
                )?;
                let are_any = !gone.is_empty();
                Ok((gone, are_any))
            },
            |gone| self.0.sessions.0.forget(gone.iter().copied()),
        )?;
        Ok(gone.len())
    }

    /// Writes the last uses that only memory knows. A job calls it every minute; a crash before loses a minute of use.
    pub fn flush_last_seen(&self) -> Result<()> {
        let mut dirty = Vec::new();
        self.0.sessions.0.each(|digest, live| {
            if live.is_dirty.swap(false, Ordering::AcqRel) {
                dirty.push((*digest, Arc::clone(live)));
            }
        });
        if dirty.is_empty() { Ok(()) } else { self.write_last_seen(&dirty) }
    }

    /// Lets memory read every session anew.
    pub(super) fn forget_sessions(&self) {
        let mut known = Vec::new();
        self.0.sessions.0.each(|digest, _| known.push(*digest));
        self.0.sessions.0.forget(known);
    }

    fn write_last_seen(&self, seen: &[([u8; 32], Arc<Live>)]) -> Result<()> {
        self.write(|tx, _| {
            for (digest, live) in seen {
                // Another process may have seen it later.
                let sql = "update session set last_seen_ms = ?3 where part = ?1 and token_sm3 = ?2 and last_seen_ms < ?3";
                tx.execute(sql, (part_of(live.holder), digest, live.last_seen_ms.load(Ordering::Relaxed)))?;
            }
            Ok(())
        })
    }
}

const COLUMNS: &str = "session_id, holder, created_ms, last_seen_ms, ends_ms";

fn live(row: &Row<'_>) -> Result<Live> {
    Ok(Live {
        id: from_sql_id(row.get(0)?),
        holder: from_sql_id(row.get(1)?),
        created_ms: row.get(2)?,
        last_seen_ms: AtomicI64::new(row.get(3)?),
        ends_ms: row.get(4)?,
        is_dirty: AtomicBool::new(false),
    })
}

pub(super) fn sweep(tx: &Db<'_>, now_ms: i64) -> Result<usize> {
    tx.execute("delete from session where ends_ms <= ?1 or last_seen_ms <= ?2", (now_ms, now_ms - SESSION_IDLE_MS))
}
