//! Consents: who agreed to which text, when, for whom. 依据: PIPL art. 13, 14, 29, 31 (a minor's guardian consents).

use super::{Result, Vault, from_sql_id, next_id, part_of, sql_id};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    pub id: u64,
    /// Whom it is about.
    pub holder: u64,
    /// Who gave it: the person, or the relative who opens on behalf.
    pub given_by: u64,
    /// What it allows, such as `open-wallet` or `act-on-behalf`.
    pub subject: String,
    /// Version of the text that was shown.
    pub text_version: String,
    pub given_ms: i64,
    pub withdrawn_ms: Option<i64>,
}

impl Vault {
    pub fn put_consent(&self, holder: u64, given_by: u64, subject: &str, text_version: &str, now_ms: i64) -> Result<u64> {
        let part = part_of(holder);
        self.write(|tx, _| {
            let id = next_id(tx, part, "consent")?;
            tx.execute(
                "insert into consent (part, consent_id, holder, given_by, subject, text_version, given_ms) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (part, sql_id(id), sql_id(holder), sql_id(given_by), subject, text_version, now_ms),
            )?;
            Ok(id)
        })
    }

    /// Consents about a holder, oldest first, withdrawn ones included: they are evidence.
    pub fn consents(&self, holder: u64) -> Result<Vec<Consent>> {
        self.read(|db, _| {
            db.rows(
                "select consent_id, holder, given_by, subject, text_version, given_ms, withdrawn_ms from consent
                 where part = ?1 and holder = ?2 order by consent_id",
                (part_of(holder), sql_id(holder)),
                |row| {
                    Ok(Consent {
                        id: from_sql_id(row.get(0)?),
                        holder: from_sql_id(row.get(1)?),
                        given_by: from_sql_id(row.get(2)?),
                        subject: row.get(3)?,
                        text_version: row.get(4)?,
                        given_ms: row.get(5)?,
                        withdrawn_ms: row.get(6)?,
                    })
                },
            )
        })
    }

    /// Withdraws a consent; false when the holder has no such standing consent.
    pub fn withdraw_consent(&self, holder: u64, consent_id: u64, now_ms: i64) -> Result<bool> {
        self.write(|tx, _| {
            let changed = tx.execute(
                "update consent set withdrawn_ms = ?4 where part = ?1 and holder = ?2 and consent_id = ?3 and withdrawn_ms is null",
                (part_of(holder), sql_id(holder), sql_id(consent_id), now_ms),
            )?;
            Ok(changed == 1)
        })
    }
}
