//! When an institution's terminals last took a payment and last said that they are up. Written behind; read whole at a start.

use super::{Result, Vault};

/// They belong to no partition of people.
const PART: u16 = 0;

/// Rows written in one transaction; nobody waits long for the vault's one writer.
const ROWS_MAX: usize = 500;

/// One terminal of one institution. 0 ms: never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    pub institution: String,
    /// `counter`, `kiosk` or `mobile`.
    pub terminal: String,
    /// Last captured payment (ms).
    pub paid_ms: i64,
    /// Last word of the institution's software (ms).
    pub heard_ms: i64,
}

impl Vault {
    /// Keeps rows, each time only ever later than it was, and with the last of them how far each partition's journal has been read: a crash
    /// in between reads the same stretch once more.
    pub fn put_activities(&self, rows: &[Activity], read: &[(u16, u64)], now_ms: i64) -> Result<()> {
        let mut chunks = rows.chunks(ROWS_MAX).peekable();
        loop {
            let chunk = chunks.next().unwrap_or_default();
            let is_last = chunks.peek().is_none();
            self.write(|tx, _| {
                for row in chunk {
                    tx.execute(
                        "insert into institution_activity (part, institution, terminal, paid_ms, heard_ms, written_ms) values (?1, ?2, ?3, ?4, ?5, ?6)
                         on conflict (part, institution, terminal) do update set
                             paid_ms = case when institution_activity.paid_ms < excluded.paid_ms then excluded.paid_ms else institution_activity.paid_ms end,
                             heard_ms = case when institution_activity.heard_ms < excluded.heard_ms then excluded.heard_ms else institution_activity.heard_ms end,
                             written_ms = excluded.written_ms",
                        (PART, &row.institution, &row.terminal, row.paid_ms, row.heard_ms, now_ms),
                    )?;
                }
                for (part, seq) in read.iter().filter(|_| is_last) {
                    tx.execute(
                        "insert into vault_meta (part, name, value) values (?1, 'activity', ?2) on conflict (part, name) do update set value = excluded.value",
                        (*part, seq.to_be_bytes().to_vec()),
                    )?;
                }
                Ok(())
            })?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The rows written at or after `since_ms`.
    pub fn activities(&self, since_ms: i64) -> Result<Vec<Activity>> {
        self.read(|db, _| {
            db.rows(
                "select institution, terminal, paid_ms, heard_ms from institution_activity where part = ?1 and written_ms >= ?2 order by institution, terminal",
                (PART, since_ms),
                |row| Ok(Activity { institution: row.get(0)?, terminal: row.get(1)?, paid_ms: row.get(2)?, heard_ms: row.get(3)? }),
            )
        })
    }

    /// How far a partition's journal has been read; `None` where it never was, or shall be once more.
    pub fn activity_read(&self, part: u16) -> Result<Option<u64>> {
        self.read(|db, _| {
            let kept: Option<Vec<u8>> = db.row("select value from vault_meta where part = ?1 and name = 'activity'", (part,), |row| row.get(0))?;
            Ok(kept.and_then(|value| <[u8; 8]>::try_from(value).ok()).map(u64::from_be_bytes))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_only_grow_and_the_mark_goes_with_the_last_row() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), 2).unwrap();
        let row = |paid_ms, heard_ms| Activity { institution: "H51050000001".to_owned(), terminal: "counter".to_owned(), paid_ms, heard_ms };
        assert_eq!(vault.activity_read(1).unwrap(), None);
        vault.put_activities(&[row(50, 0)], &[(1, 7)], 100).unwrap();
        vault.put_activities(&[row(40, 60)], &[], 110).unwrap();
        assert_eq!(vault.activities(0).unwrap(), [row(50, 60)]);
        assert_eq!((vault.activities(111).unwrap().len(), vault.activity_read(1).unwrap(), vault.activity_read(2).unwrap()), (0, Some(7), None));
        let many: Vec<Activity> = (0..ROWS_MAX + 1).map(|nth| Activity { institution: format!("H{nth:011}"), ..row(1, 1) }).collect();
        vault.put_activities(&many, &[(1, 8), (2, 3)], 120).unwrap();
        assert_eq!(vault.activities(120).unwrap().len(), ROWS_MAX + 1);
        assert_eq!((vault.activity_read(1).unwrap(), vault.activity_read(2).unwrap()), (Some(8), Some(3)));
    }
}
