//! A change of the sealing key: every value that an older key has sealed is sealed again with the newest.
//!
//! It is done in small steps beside the running program: values are read and sealed outside of any transaction, and put in place only where the old one
//! still stands. A value says itself which key has sealed it, so whoever begins again after a crash finds what is left; nothing else is remembered.

use std::collections::BTreeMap;

use super::database::{Cell, Db};
use super::{Result, Vault, VaultError, from_sql_id};
use crate::seal::{Keys, Place};

/// Rows that one step may change.
pub const RESEAL_ROWS_MAX: usize = 100;

/// Damaged values that are named; more are only counted.
const DAMAGED_NAMED_MAX: usize = 100;

/// A table with sealed columns. `row` is the number that a [`Place`] names; a column is called `sealed_` and what its place is called.
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    row: &'static str,
    columns: &'static [&'static str],
}

/// Every table with sealed columns; a test compares this with both databases.
const TABLES: &[Table] = &[
    Table { name: "person", key: &["part", "holder"], row: "holder", columns: &["name", "id_number", "phone", "registered_phone"] },
    Table { name: "session", key: &["part", "token_sm3"], row: "session_id", columns: &["label"] },
    Table { name: "one_time_code", key: &["part", "ticket_sm3"], row: "row_id", columns: &["payload"] },
    Table { name: "message", key: &["part", "message_id"], row: "message_id", columns: &["phone", "text"] },
    Table { name: "recovery", key: &["part", "recovery_id"], row: "recovery_id", columns: &["phone", "reason"] },
    Table { name: "webhook", key: &["part", "webhook_id"], row: "webhook_id", columns: &["url", "secret", "old_secret"] },
    Table { name: "signed_request", key: &["part", "request_id"], row: "request_id", columns: &["text"] },
    Table { name: "gateway_message", key: &["part", "institution", "msgid"], row: "message_id", columns: &["request", "answer"] },
    Table { name: "gateway_file", key: &["part", "institution", "file_no"], row: "file_id", columns: &["body"] },
    Table { name: "reconciliation", key: &["part", "reconciliation_id"], row: "reconciliation_id", columns: &["report"] },
    Table { name: "operator_name", key: &["part", "operator"], row: "operator", columns: &["name"] },
    Table { name: "operator_credential", key: &["part", "credential_id"], row: "credential_id", columns: &["secret"] },
    Table { name: "operator_ceremony", key: &["part", "token_sm3"], row: "ceremony_id", columns: &["state"] },
    Table { name: "operator_session", key: &["part", "token_sm3"], row: "session_id", columns: &["label"] },
];

/// How far one going-through of the vault has come.
#[derive(Debug, Default)]
pub struct Reseal {
    table: usize,
    /// Key of the last row that was looked at.
    after: Option<Vec<Cell>>,
    /// Values sealed again.
    pub resealed: u64,
    /// Values that no key opens; they stay as they are.
    pub damaged: u64,
    /// Where some of them are: table, column and number of the row.
    pub damaged_at: Vec<(&'static str, &'static str, u64)>,
}

/// A value to be replaced.
struct Stale {
    table: &'static Table,
    key: Vec<Cell>,
    column: &'static str,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Vault {
    /// How many values each key has sealed, by the key's number. Reads the whole vault.
    pub fn sealed_by_key(&self) -> Result<BTreeMap<u16, u64>> {
        let mut counts = BTreeMap::new();
        for table in TABLES {
            for column in table.columns {
                let sql = format!("select substr(sealed_{column}, 2, 2), count(*) from {} where sealed_{column} is not null group by 1", table.name);
                for (number, count) in self.read(|db, _| db.rows(&sql, (), |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<i64>(1)?))))? {
                    // Too short to be sealed at all: no key has the number 0.
                    let number = number.try_into().map_or(0, u16::from_be_bytes);
                    *counts.entry(number).or_default() += count.unsigned_abs();
                }
            }
        }
        Ok(counts)
    }

    /// Notes in the vault that its newest values need the newest key: from now on a ring without it is refused.
    pub fn begin_reseal(&self) -> Result<()> {
        self.write(|tx, keys| {
            let sql = "insert into vault_meta (part, name, value) values (0, ?1, ?2) on conflict (part, name) do update set value = ?2";
            tx.execute(sql, (NEWEST_SEAL, keys.newest_seal().to_be_bytes().to_vec())).map(drop)
        })
    }

    /// One step: seals again what older keys have sealed in the next rows. False when it has come to the end; what was written behind its back meanwhile
    /// is for another going-through.
    pub fn reseal_some(&self, reseal: &mut Reseal) -> Result<bool> {
        let Some(table) = TABLES.get(reseal.table) else { return Ok(false) };
        let rows = self.read(|db, keys| stale_rows(db, keys, table, reseal.after.as_deref()))?;
        let is_end = rows.len() < RESEAL_ROWS_MAX;
        reseal.after = rows.last().map(|(key, ..)| key.clone()).filter(|_| !is_end);
        if is_end {
            reseal.table += 1;
        }
        let mut stale = Vec::new();
        for (key, row, values) in rows {
            for (column, old) in table.columns.iter().zip(values) {
                let Some(old) = old.filter(|old| Keys::seal_number(old) != Some(self.keys().newest_seal())) else { continue };
                let place = Place::new(table.name, column, row);
                match self.keys().unseal(place, &old) {
                    Ok(plain) => {
                        let new = self.keys().seal(place, plain.reveal());
                        stale.push(Stale { table, key: key.clone(), column, old, new });
                    }
                    Err(_) => {
                        reseal.damaged += 1;
                        if reseal.damaged_at.len() < DAMAGED_NAMED_MAX {
                            reseal.damaged_at.push((table.name, column, row));
                        }
                    }
                }
            }
        }
        if !stale.is_empty() {
            reseal.resealed += self.write(|tx, _| stale.iter().try_fold(0, |count, value| Ok(count + value.replace(tx)?)))?;
        }
        Ok(reseal.table < TABLES.len())
    }
}

/// Under which name the vault keeps the number of its newest key.
pub(super) const NEWEST_SEAL: &str = "newest seal";

/// Refuses a ring that lacks the vault's newest key: values would be written that others cannot read, and some here could not be read.
pub(super) fn check_newest(db: &Db<'_>, keys: &Keys) -> Result<()> {
    let noted: Option<Vec<u8>> = db.row("select value from vault_meta where part = 0 and name = ?1", (NEWEST_SEAL,), |row| row.get(0))?;
    match noted.and_then(|noted| noted.try_into().ok()).map(u16::from_be_bytes) {
        Some(wanted) if keys.newest_seal() < wanted => Err(VaultError::OldKeys { newest: keys.newest_seal(), wanted }),
        _ => Ok(()),
    }
}

type SealedRow = (Vec<Cell>, u64, Vec<Option<Vec<u8>>>);

/// Rows behind `after` with a value that another key than the newest has sealed, in order of their keys.
fn stale_rows(db: &Db<'_>, keys: &Keys, table: &Table, after: Option<&[Cell]>) -> Result<Vec<SealedRow>> {
    let (key, width) = (table.key.join(", "), table.key.len());
    let columns = table.columns.iter().map(|column| format!("sealed_{column}")).collect::<Vec<_>>();
    let is_stale = columns.iter().map(|column| format!("substr({column}, 2, 2) <> ?1")).collect::<Vec<_>>().join(" or ");
    let behind = (0..width).map(|place| format!("?{}", place + 2)).collect::<Vec<_>>().join(", ");
    let behind = after.map_or_else(String::new, |_| format!("({key}) > ({behind}) and "));
    let sql =
        format!("select {key}, {}, {} from {} where {behind}({is_stale}) order by {key} limit {RESEAL_ROWS_MAX}", table.row, columns.join(", "), table.name);
    let mut values = vec![Cell::Bytes(keys.newest_seal().to_be_bytes().to_vec())];
    values.extend(after.into_iter().flatten().cloned());
    db.rows(&sql, values, |row| {
        let key = (0..width).map(|place| row.get::<Cell>(place)).collect::<Result<Vec<Cell>>>()?;
        let sealed = (0..columns.len()).map(|place| row.get::<Option<Vec<u8>>>(width + 1 + place)).collect::<Result<_>>()?;
        Ok((key, from_sql_id(row.get(width)?), sealed))
    })
}

impl Stale {
    /// Puts the new value where the old one still stands; 0 where somebody has written another meanwhile.
    fn replace(&self, tx: &Db<'_>) -> Result<u64> {
        let of_row = self.table.key.iter().enumerate().map(|(place, column)| format!("{column} = ?{}", place + 3)).collect::<Vec<_>>().join(" and ");
        let sql = format!("update {} set sealed_{column} = ?1 where {of_row} and sealed_{column} = ?2", self.table.name, column = self.column);
        let mut values = vec![Cell::Bytes(self.new.clone()), Cell::Bytes(self.old.clone())];
        values.extend(self.key.iter().cloned());
        Ok(tx.execute(&sql, values)? as u64)
    }
}

/// What the schema of a database has to be compared with: `table.sealed_column`, and the columns that a table is found by.
#[cfg(test)]
pub(super) fn known_columns() -> Vec<String> {
    let columns = TABLES.iter().flat_map(|table| table.columns.iter().map(|column| format!("{}.sealed_{column}", table.name)));
    let mut columns: Vec<String> = columns.collect();
    columns.sort();
    columns
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
