//! Reconciliations of institutions: one row for each file that was compared, with its sealed report.

use super::database::{Db, Row};
use super::{Result, Vault, from_sql_id, next_id, sql_id};
use crate::seal::Place;

/// Kept for 400 days (ms): a year's accounts and the audit of them.
pub const RECONCILIATION_MS: i64 = 400 * 86_400_000;

/// Rows kept of one institution; the oldest go first. Six lists a day for more than a year, each sent once.
pub const RECONCILIATIONS_MAX: i64 = 3_000;

/// A comparison that has not ended by then (ms) was ended with its process; the file may be sent again.
pub const RECONCILIATION_RUN_MS: i64 = 5 * 60_000;

/// Which list of which institution, and which file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconciledFile {
    /// The institution's partition.
    pub part: u16,
    pub institution: String,
    /// Days since 1970, China.
    pub day: i32,
    pub clr_type: u16,
    pub insutype: u16,
    pub digest: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconciliationState {
    Running,
    /// The file could not be used.
    Refused,
    Done,
}

impl ReconciliationState {
    fn word(self) -> &'static str {
        match self {
            ReconciliationState::Running => "running",
            ReconciliationState::Refused => "refused",
            ReconciliationState::Done => "done",
        }
    }

    fn of(word: &str) -> ReconciliationState {
        match word {
            "refused" => ReconciliationState::Refused,
            "done" => ReconciliationState::Done,
            _ => ReconciliationState::Running,
        }
    }
}

/// A row without its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    pub id: u64,
    pub day: i32,
    pub clr_type: u16,
    pub insutype: u16,
    pub state: ReconciliationState,
    /// Breaks to put right, or bad lines.
    pub open_count: u64,
    pub made_ms: i64,
}

const COLUMNS: &str = "reconciliation_id, day, clr_type, insutype, state, open_count, made_ms";

fn read(row: &Row<'_>) -> Result<Reconciliation> {
    let number = |column| -> Result<i64> { row.get(column) };
    Ok(Reconciliation {
        id: from_sql_id(number(0)?),
        day: number(1)? as i32,
        clr_type: number(2)? as u16,
        insutype: number(3)? as u16,
        state: ReconciliationState::of(&row.get::<String>(4)?),
        open_count: from_sql_id(number(5)?),
        made_ms: number(6)?,
    })
}

impl Vault {
    /// Makes the row of a file. True where its comparison is to run: it is new, its last one ended with its process, or was made before
    /// `settled_ms`, when the day could still change.
    pub fn begin_reconciliation(&self, file: &ReconciledFile, settled_ms: i64, now_ms: i64) -> Result<(u64, bool)> {
        self.write(|tx, _| {
            let sql = format!(
                "select {COLUMNS} from reconciliation where part = ?1 and institution = ?2 and day = ?3 and clr_type = ?4 and insutype = ?5 and digest = ?6"
            );
            let known = tx.row(&sql, (file.part, &file.institution, i64::from(file.day), file.clr_type, file.insutype, &file.digest), read)?;
            if let Some(known) = known {
                let is_to_run = match known.state {
                    ReconciliationState::Running => known.made_ms + RECONCILIATION_RUN_MS <= now_ms,
                    ReconciliationState::Refused => false,
                    ReconciliationState::Done => known.made_ms < settled_ms,
                };
                if is_to_run {
                    let sql = "update reconciliation set state = 'running', made_ms = ?3 where part = ?1 and reconciliation_id = ?2";
                    tx.execute(sql, (file.part, sql_id(known.id), now_ms))?;
                }
                return Ok((known.id, is_to_run));
            }
            let oldest = tx.row(
                "select reconciliation_id from reconciliation where part = ?1 and institution = ?2 order by reconciliation_id desc limit 1 offset ?3",
                (file.part, &file.institution, RECONCILIATIONS_MAX - 1),
                |row| row.get::<i64>(0),
            )?;
            if let Some(oldest) = oldest {
                let sql = "delete from reconciliation where part = ?1 and institution = ?2 and reconciliation_id <= ?3";
                tx.execute(sql, (file.part, &file.institution, oldest))?;
            }
            let id = next_id(tx, file.part, "reconciliation")?;
            tx.execute(
                "insert into reconciliation (part, reconciliation_id, institution, day, clr_type, insutype, digest, state, open_count, made_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', 0, ?8)",
                (file.part, sql_id(id), &file.institution, i64::from(file.day), file.clr_type, file.insutype, &file.digest, now_ms),
            )?;
            Ok((id, true))
        })
    }

    /// Keeps what came out.
    pub fn end_reconciliation(&self, part: u16, id: u64, state: ReconciliationState, open_count: u64, report: &str) -> Result<()> {
        self.write(|tx, keys| {
            let sealed = keys.seal(Place::new("reconciliation", "report", id), report);
            tx.execute(
                "update reconciliation set state = ?3, open_count = ?4, sealed_report = ?5 where part = ?1 and reconciliation_id = ?2",
                (part, sql_id(id), state.word(), sql_id(open_count), sealed),
            )?;
            Ok(())
        })
    }

    /// One of an institution's own, with its report where there is one.
    pub fn reconciliation(&self, part: u16, institution: &str, id: u64) -> Result<Option<(Reconciliation, Option<String>)>> {
        self.read(|db, keys| {
            let sql = format!("select {COLUMNS}, sealed_report from reconciliation where part = ?1 and reconciliation_id = ?2 and institution = ?3");
            let found = db.row(&sql, (part, sql_id(id), institution), |row| Ok((read(row)?, row.get::<Option<Vec<u8>>>(7)?)))?;
            let Some((row, sealed)) = found else { return Ok(None) };
            let report = sealed.map(|sealed| keys.unseal(Place::new("reconciliation", "report", row.id), &sealed)).transpose()?;
            Ok(Some((row, report.map(|report| report.reveal().to_owned()))))
        })
    }

    /// An institution's, newest first, of one day or of all, at most `max`.
    pub fn reconciliations(&self, part: u16, institution: &str, day: Option<i32>, max: usize) -> Result<Vec<Reconciliation>> {
        let (from, to) = day.map_or((i64::from(i32::MIN), i64::from(i32::MAX)), |day| (i64::from(day), i64::from(day)));
        self.read(|db, _| {
            let sql = format!(
                "select {COLUMNS} from reconciliation where part = ?1 and institution = ?2 and day >= ?3 and day <= ?4 order by reconciliation_id desc limit ?5"
            );
            db.rows(&sql, (part, institution, from, to, max as i64), read)
        })
    }
}

pub(super) fn sweep(tx: &Db<'_>, now_ms: i64) -> Result<usize> {
    tx.execute("delete from reconciliation where made_ms <= ?1", (now_ms - RECONCILIATION_MS,))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn file(digest: u8) -> ReconciledFile {
        ReconciledFile { part: 1, institution: "H51050000001".to_owned(), day: 20_779, clr_type: 11, insutype: 310, digest: [digest; 32] }
    }

    #[test]
    fn a_file_is_compared_once_and_again_only_where_the_day_could_still_change() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), 1).unwrap();
        let (id, is_to_run) = vault.begin_reconciliation(&file(1), NOW, NOW - 10).unwrap();
        assert!(is_to_run);
        assert_eq!(vault.begin_reconciliation(&file(1), NOW, NOW).unwrap(), (id, false), "under way");
        assert_eq!(vault.begin_reconciliation(&file(1), NOW, NOW + RECONCILIATION_RUN_MS).unwrap(), (id, true), "its process is gone");
        vault.end_reconciliation(1, id, ReconciliationState::Done, 3, "{}").unwrap();
        assert_eq!(vault.begin_reconciliation(&file(1), NOW, NOW + 1).unwrap(), (id, false));
        assert_eq!(vault.begin_reconciliation(&file(1), NOW + RECONCILIATION_RUN_MS + 1, NOW + 2).unwrap(), (id, true), "the day was not over");
        vault.end_reconciliation(1, id, ReconciliationState::Done, 2, "{}").unwrap();
        assert_ne!(vault.begin_reconciliation(&file(2), NOW, NOW).unwrap().0, id, "another file");
        let (row, report) = vault.reconciliation(1, "H51050000001", id).unwrap().unwrap();
        assert_eq!((row.state, row.open_count, report.as_deref()), (ReconciliationState::Done, 2, Some("{}")));
        assert_eq!(vault.reconciliation(1, "P51050000002", id).unwrap(), None, "another institution's");
        assert_eq!(vault.reconciliations(1, "H51050000001", Some(20_779), 10).unwrap().len(), 2);
        assert_eq!(vault.reconciliations(1, "H51050000001", Some(20_778), 10).unwrap(), []);
        vault.sweep(NOW + RECONCILIATION_MS * 2).unwrap();
        assert_eq!(vault.reconciliations(1, "H51050000001", None, 10).unwrap(), []);
    }
}
