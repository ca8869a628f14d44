//! What one process has revoked, no other answers from memory any more.
//!
//! On PostgreSQL each revocation raises a count, in its own transaction. Every process that works there reads the count with its beat, forgets what it
//! remembers when it has moved, and only then says that it has heard. Whoever revoked is answered when everybody has: a quarter of a second at
//! most, unless one is frozen. That one is waited for until it can no longer trust its memory.

use super::database::Db;
use super::{Kept, Result, Vault};
use crate::postgres::Roster;
use crate::postgres::roster::wait_until_heard;
use crate::seal::Keys;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a vault knows of the other processes.
#[derive(Default)]
pub(super) struct Elsewhere {
    roster: OnceLock<Arc<Roster>>,
    /// Nothing older than this revocation is remembered.
    known: AtomicU64,
    forgetting: Mutex<()>,
}

impl Vault {
    /// Heeds what other processes revoke from now on. Before anything is asked.
    pub fn heed(&self, roster: &Arc<Roster>) {
        let _ = self.0.elsewhere.roster.set(Arc::clone(roster));
        self.0.elsewhere.known.store(roster.revoked(), Ordering::Release);
    }

    /// Whether other processes may use the same sessions.
    pub(super) fn is_shared(&self) -> bool {
        self.0.elsewhere.roster.get().is_some()
    }

    /// Whether memory may answer now. Forgets first what others have revoked.
    pub(super) fn may_remember(&self) -> bool {
        let Some(roster) = self.0.elsewhere.roster.get() else { return true };
        let revoked = roster.revoked();
        if self.0.elsewhere.known.load(Ordering::Acquire) < revoked {
            let _one = self.0.elsewhere.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
            if self.0.elsewhere.known.load(Ordering::Acquire) < revoked {
                self.0.sessions.forget_all();
                self.0.institution_keys.forget_all();
                self.0.people.forget_all();
                self.0.elsewhere.known.store(revoked, Ordering::Release);
            }
        }
        roster.is_current()
    }

    /// Changes or deletes what processes may remember, and returns when none of them does. `work` tells whether it did; `forget` is for this process.
    pub(super) fn revoke<T>(&self, work: impl FnOnce(&Db<'_>, &Keys) -> Result<(T, bool)>, forget: impl FnOnce(&T)) -> Result<T> {
        let (answer, revoked) = self.write(|db, keys| {
            let (answer, is_revoking) = work(db, keys)?;
            Ok((answer, if is_revoking { raise(db)? } else { None }))
        })?;
        // After the commit: whoever is told "revoked" finds neither disk nor memory saying otherwise.
        forget(&answer);
        if let (Some(revoked), Kept::Server { store, .. }) = (revoked, &self.0.kept) {
            let elsewhere = &self.0.elsewhere;
            // Nobody else was in between: this process need not forget the rest.
            let _ = elsewhere.known.compare_exchange(revoked - 1, revoked, Ordering::AcqRel, Ordering::Acquire);
            let me = elsewhere.roster.get().map_or("", |roster| roster.name());
            wait_until_heard(&*store.shared_session()?, me, revoked)?;
        }
        Ok(answer)
    }
}

fn raise(db: &Db<'_>) -> Result<Option<u64>> {
    let Db::Server(_) = db else { return Ok(None) };
    let raised: Option<i64> = db.row("update vault_turn set revoked = revoked + 1 where part = ?1 returning revoked", (0_i64,), |row| row.get(0))?;
    Ok(raised.map(i64::unsigned_abs))
}
