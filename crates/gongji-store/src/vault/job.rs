//! How far each job of an installation has come, so that several processes do it once, and the next start goes on where the last one stood.

use super::database::{Db, Row};
use super::{Result, Vault};

/// A run that has not ended by then (ms, machine's clock) was ended with its process; somebody else may begin it again.
pub const JOB_RUN_MS: i64 = 10 * 60_000;

/// Longest text of a trouble that is kept; the log has the whole.
pub const TROUBLE_LEN_MAX: usize = 500;

/// They belong to no partition of people.
const PART: u16 = 0;

/// A job's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    pub name: String,
    /// Up to where it is done (ms, business clock).
    pub done_ms: Option<i64>,
    /// The last run (ms, machine's clock).
    pub began_ms: i64,
    pub ended_ms: Option<i64>,
    /// Of the last run that went well.
    pub count: u64,
    /// Why the last run failed.
    pub trouble: Option<String>,
    /// Runs that failed since one went well.
    pub failures: u64,
}

/// Whether a run may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginJob {
    /// It is this caller's. `since`: up to where it was done before.
    Begun { since: Option<i64> },
    /// Up to there it is done, or somebody is at it.
    NotNow,
}

impl Vault {
    /// Begins a run that shall bring a job up to `due_ms` (business clock), unless it is there already, somebody is at it, or the last failure is
    /// younger than `retry_ms`. `now_ms` is the machine's clock.
    pub fn begin_job(&self, name: &str, due_ms: i64, retry_ms: i64, now_ms: i64) -> Result<BeginJob> {
        self.write(|tx, _| {
            let Some(known) = state(tx, name)? else {
                tx.execute("insert into job (part, name, began_ms, count, failures) values (?1, ?2, ?3, 0, 0)", (PART, name, now_ms))?;
                return Ok(BeginJob::Begun { since: None });
            };
            let is_done = known.done_ms.is_some_and(|done| done >= due_ms);
            let is_running = known.ended_ms.is_none() && now_ms < known.began_ms + JOB_RUN_MS;
            let is_resting = known.trouble.is_some() && known.ended_ms.is_some_and(|ended| now_ms < ended + retry_ms);
            if is_done || is_running || is_resting {
                return Ok(BeginJob::NotNow);
            }
            tx.execute("update job set began_ms = ?3, ended_ms = null where part = ?1 and name = ?2", (PART, name, now_ms))?;
            Ok(BeginJob::Begun { since: known.done_ms })
        })
    }

    /// Ends the run that was begun at `began_ms`; a run that somebody else has begun again meanwhile is left alone.
    pub fn end_job(&self, name: &str, due_ms: i64, began_ms: i64, outcome: &Result<u64, String>, now_ms: i64) -> Result<()> {
        self.write(|tx, _| {
            match outcome {
                Ok(count) => tx.execute(
                    "update job set done_ms = ?4, ended_ms = ?5, count = ?6, trouble = null, failures = 0 where part = ?1 and name = ?2 and began_ms = ?3",
                    (PART, name, began_ms, due_ms, now_ms, i64::try_from(*count).unwrap_or(i64::MAX)),
                )?,
                Err(trouble) => {
                    let text: String = trouble.chars().take(TROUBLE_LEN_MAX).collect();
                    tx.execute(
                        "update job set ended_ms = ?4, trouble = ?5, failures = failures + 1 where part = ?1 and name = ?2 and began_ms = ?3",
                        (PART, name, began_ms, now_ms, text),
                    )?
                }
            };
            Ok(())
        })
    }

    /// Every job that ever began, by name.
    pub fn jobs(&self) -> Result<Vec<JobState>> {
        self.read(|db, _| db.rows(&format!("{SELECT} where part = ?1 order by name"), (PART,), of_row))
    }
}

const SELECT: &str = "select name, done_ms, began_ms, ended_ms, count, trouble, failures from job";

fn state(db: &Db<'_>, name: &str) -> Result<Option<JobState>> {
    db.row(&format!("{SELECT} where part = ?1 and name = ?2"), (PART, name), of_row)
}

fn of_row(row: &Row<'_>) -> Result<JobState> {
    let counted = |column: usize| -> Result<u64> { Ok(u64::try_from(row.get::<i64>(column)?).unwrap_or_default()) };
    Ok(JobState {
        name: row.get(0)?,
        done_ms: row.get(1)?,
        began_ms: row.get(2)?,
        ended_ms: row.get(3)?,
        count: counted(4)?,
        trouble: row.get(5)?,
        failures: counted(6)?,
    })
}
