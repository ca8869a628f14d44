//! How long what was said and agreed to is kept. What the books need for thirty years (who a holder is, signed requests) is not in here and stays.
//!
//! 依据:网络日志不少于六个月(网络安全法第二十一条);个人信息保存期限为实现目的所必要的最短时间(个人信息保护法第十九条);
//! 会计凭证 30 年(会计档案管理办法)。Each table's period stands in `docs/retention.md`.

use super::{Result, Vault, part_of, sql_id};

const DAY_MS: i64 = 86_400_000;

/// Notices and texts (ms): a year and the month to look back on it.
pub const MESSAGE_MS: i64 = 400 * DAY_MS;

/// Consents after they were withdrawn, and recoveries of a login after they were made (ms): what proves that it was lawful.
pub const PROOF_MS: i64 = 3 * 366 * DAY_MS;

/// Messages that go in one transaction.
const MESSAGES_TOGETHER: i64 = 2_000;

impl Vault {
    /// Drops messages, withdrawn consents and old recoveries whose time is over by `now_ms`. Returns how many rows went. Messages go a few at a time,
    /// so that nobody waits for the vault meanwhile.
    pub fn retire(&self, now_ms: i64) -> Result<usize> {
        let mut gone = 0;
        for part in 0..=self.partition_count() {
            loop {
                let some = self.retire_messages(part, now_ms - MESSAGE_MS)?;
                gone += some;
                if some == 0 {
                    break;
                }
            }
        }
        gone += self.write(|tx, _| {
            let before = now_ms - PROOF_MS;
            let consents = tx.execute("delete from consent where withdrawn_ms < ?1", (before,))?;
            Ok(consents + tx.execute("delete from recovery where made_ms < ?1", (before,))?)
        })?;
        Ok(gone)
    }

    /// The oldest messages of a partition have the lowest numbers: it is looked no further than the first that stays.
    fn retire_messages(&self, part: u16, before_ms: i64) -> Result<usize> {
        self.write(|tx, _| {
            let oldest = "select message_id, created_ms from message where part = ?1 order by message_id limit ?2";
            let rows = tx.rows(oldest, (part, MESSAGES_TOGETHER), |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
            match rows.iter().take_while(|(_, created_ms)| *created_ms < before_ms).last() {
                Some((last, _)) => tx.execute("delete from message where part = ?1 and message_id <= ?2", (part, *last)),
                None => Ok(0),
            }
        })
    }
}

impl Vault {
    /// Takes back what a person gave us beyond the agency's register, at their own wish: password, proven phone, messages; standing consents about
    /// them are withdrawn. Name and ID number stay, sealed: vouchers name their holder. [`Vault::revoke_sessions`] ends the sessions.
    pub fn sign_off(&self, holder: u64, now_ms: i64) -> Result<()> {
        let key = (part_of(holder), sql_id(holder));
        self.write(|tx, _| {
            tx.execute("delete from credential where part = ?1 and holder = ?2", key)?;
            tx.execute("delete from message where part = ?1 and holder = ?2", key)?;
            tx.execute("update person set sealed_registered_phone = null, registered_ms = null where part = ?1 and holder = ?2", key)?;
            tx.execute("update consent set withdrawn_ms = ?3 where part = ?1 and holder = ?2 and withdrawn_ms is null", (key.0, key.1, now_ms))?;
            Ok(())
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/retention.md");

    #[test]
    fn every_table_has_its_period_on_the_page() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), 1).unwrap();
        let sql = "select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name not like 'refinery%'";
        let tables: Vec<String> = vault.read(|db, _| db.rows(sql, (), |row| row.get(0))).unwrap();
        let missing: Vec<_> = tables.iter().filter(|table| !PAGE.contains(&format!("`{table}`"))).collect();
        assert!(tables.len() > 20 && missing.is_empty(), "docs/retention.md does not say how long these are kept: {missing:?}");
    }
}
