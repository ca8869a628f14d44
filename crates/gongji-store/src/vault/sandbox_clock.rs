//! What a jump of the sandbox's clock does to sessions. Production's clock does not jump, and never asks this.

use super::{Result, Vault};

impl Vault {
    /// Moves every session along with the clock, so that jumping to next month logs nobody out. Called before the clock is set.
    pub fn carry_sessions(&self, by_ms: i64) -> Result<()> {
        self.flush_last_seen()?;
        self.write(|tx, _| {
            tx.execute("update session set created_ms = created_ms + ?1, last_seen_ms = last_seen_ms + ?1, ends_ms = ends_ms + ?1", [by_ms])?;
            Ok(())
        })?;
        self.forget_sessions();
        Ok(())
    }
}
