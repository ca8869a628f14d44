//! Recovery at the office: a person who lost the phone comes with an identity card; one operator records the new phone,
//! another confirms it, and the person may then register once more with that phone and no other.

use super::database::{Db, Row};
use super::{Result, Vault, VaultError, from_sql_id, next_id, part_of, sql_id};
use crate::seal::{Keys, Place, Sensitive, equal_in_constant_time};

/// A request lapses when it was not confirmed, or not used, within a week.
pub const RECOVERY_MS: i64 = 7 * 24 * 3_600_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    pub id: u64,
    pub holder: u64,
    pub phone: Sensitive,
    pub reason: Sensitive,
    pub made_by: String,
    pub made_ms: i64,
    pub confirmed_by: Option<String>,
    pub is_used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryError {
    /// Whoever made it may not confirm it (四眼).
    SameOperator,
    AlreadyConfirmed,
    /// No such request, or it has lapsed.
    Gone,
}

impl Vault {
    /// First step, by one operator.
    pub fn request_recovery(&self, holder: u64, new_phone: &str, reason: &str, operator: &str, now_ms: i64) -> Result<u64> {
        let part = part_of(holder);
        self.write(|tx, keys| {
            let id = next_id(tx, part, "recovery")?;
            let seal = |column, text: &str| keys.seal(Place::new("recovery", column, id), text);
            tx.execute(
                "insert into recovery (part, recovery_id, holder, phone_blind, sealed_phone, sealed_reason, made_by, made_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (part, sql_id(id), sql_id(holder), phone_blind(keys, holder, new_phone), seal("phone", new_phone), seal("reason", reason), operator, now_ms),
            )?;
            Ok(id)
        })
    }

    /// Second step, by another operator. Returns the holder.
    pub fn confirm_recovery(&self, recovery_id: u64, operator: &str, now_ms: i64) -> Result<Result<u64, RecoveryError>> {
        let part = part_of(recovery_id);
        self.write(|tx, _| {
            let found = tx.row(
                "select made_by, made_ms, confirmed_by, holder from recovery where part = ?1 and recovery_id = ?2",
                (part, sql_id(recovery_id)),
                |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?, row.get::<Option<String>>(2)?, from_sql_id(row.get(3)?))),
            )?;
            let Some((made_by, made_ms, confirmed_by, holder)) = found else { return Ok(Err(RecoveryError::Gone)) };
            if confirmed_by.is_some() {
                return Ok(Err(RecoveryError::AlreadyConfirmed));
            }
            if now_ms >= made_ms + RECOVERY_MS {
                return Ok(Err(RecoveryError::Gone));
            }
            if made_by.trim().eq_ignore_ascii_case(operator.trim()) {
                return Ok(Err(RecoveryError::SameOperator));
            }
            tx.execute(
                "update recovery set confirmed_by = ?3, confirmed_ms = ?4 where part = ?1 and recovery_id = ?2",
                (part, sql_id(recovery_id), operator, now_ms),
            )?;
            Ok(Ok(holder))
        })
    }

    /// The confirmed, unused recovery that lets this holder register with this phone, if there is one.
    pub fn open_recovery(&self, holder: u64, phone: &str, now_ms: i64) -> Result<Option<u64>> {
        self.read(|db, keys| {
            let wanted = phone_blind(keys, holder, phone);
            let rows = db.rows(
                "select recovery_id, phone_blind from recovery
                 where part = ?1 and holder = ?2 and used_ms is null and confirmed_ms > ?3 order by recovery_id desc",
                (part_of(holder), sql_id(holder), now_ms - RECOVERY_MS),
                |row| Ok((from_sql_id(row.get(0)?), row.get::<[u8; 32]>(1)?)),
            )?;
            for (id, blind) in rows {
                if equal_in_constant_time(&blind, &wanted) {
                    return Ok(Some(id));
                }
            }
            Ok(None)
        })
    }

    /// Requests about a holder, newest first.
    pub fn recoveries(&self, holder: u64) -> Result<Vec<Recovery>> {
        self.read(|db, keys| {
            db.rows(
                "select recovery_id, sealed_phone, sealed_reason, made_by, made_ms, confirmed_by, used_ms is not null
                 from recovery where part = ?1 and holder = ?2 order by recovery_id desc",
                (part_of(holder), sql_id(holder)),
                |row| open(row, keys, holder),
            )
        })
    }
}

fn open(row: &Row<'_>, keys: &Keys, holder: u64) -> Result<Recovery> {
    let id = from_sql_id(row.get(0)?);
    Ok(Recovery {
        id,
        holder,
        phone: keys.unseal(Place::new("recovery", "phone", id), &row.get::<Vec<u8>>(1)?)?,
        reason: keys.unseal(Place::new("recovery", "reason", id), &row.get::<Vec<u8>>(2)?)?,
        made_by: row.get(3)?,
        made_ms: row.get(4)?,
        confirmed_by: row.get(5)?,
        is_used: row.get(6)?,
    })
}

fn phone_blind(keys: &Keys, holder: u64, phone: &str) -> [u8; 32] {
    keys.blind("recovery-phone", &[&holder.to_be_bytes(), phone.as_bytes()])
}

/// Uses a recovery up; an error (and so no registration) when it was used meanwhile.
pub(super) fn mark_used(tx: &Db<'_>, recovery_id: u64, holder: u64, now_ms: i64) -> Result<()> {
    let changed = tx.execute(
        "update recovery set used_ms = ?4
             where part = ?1 and recovery_id = ?2 and holder = ?3 and used_ms is null and confirmed_ms > ?5",
        (part_of(recovery_id), sql_id(recovery_id), sql_id(holder), now_ms, now_ms - RECOVERY_MS),
    )?;
    if changed == 1 { Ok(()) } else { Err(VaultError::Missing("the confirmed recovery")) }
}
