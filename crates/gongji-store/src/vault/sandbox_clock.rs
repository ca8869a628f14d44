//! What a jump of the sandbox's clock does here. Production's clock does not jump, and never asks this.

use super::{Result, Vault};

impl Vault {
    /// Moves every session along with the clock, so that jumping to next month logs nobody out, and keeps where the clock was moved to.
    /// Called before the clock is set.
    pub fn move_sandbox_clock(&self, by_ms: i64, to_ms: i64) -> Result<()> {
        self.flush_last_seen()?;
        self.write(|tx, _| {
            tx.execute("update session set created_ms = created_ms + ?1, last_seen_ms = last_seen_ms + ?1, ends_ms = ends_ms + ?1", (by_ms,))?;
            tx.execute(
                "insert into vault_meta (part, name, value) values (0, 'sandbox_clock', ?1) on conflict (part, name) do update set value = ?1",
                (to_ms.to_be_bytes().to_vec(),),
            )?;
            Ok(())
        })?;
        self.forget_sessions();
        Ok(())
    }

    /// Where the clock was last moved to (ms, UTC); 0 if it never was.
    pub fn sandbox_clock(&self) -> Result<i64> {
        self.read(|db, _| {
            let kept: Option<Vec<u8>> = db.row("select value from vault_meta where part = 0 and name = 'sandbox_clock'", (), |row| row.get(0))?;
            Ok(kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes))
        })
    }
}
