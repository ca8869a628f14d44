//! Who did what: the directory's journal read backwards.

use super::Result;
use crate::app::{App, AppError};
use gongji_store::Fault;
use gongji_wallet::event::Fact;
use std::sync::Arc;

/// Records looked through for one page.
const RECORDS_MAX: u64 = 20_000;

/// Records read at once.
const STEP: u64 = 256;

/// One entry, newest first.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Record of the directory's journal, and the event's place in it.
    pub seq: u64,
    pub event: usize,
    pub at: i64,
    pub fact: Fact,
}

/// A stretch of the log.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    pub entries: Vec<Logged>,
    /// Where the next stretch begins: records below this one; `None` at the journal's beginning.
    pub before: Option<u64>,
}

/// Entries that are `wanted`, newest first, from below the record `before` on; about `max` of them (a record is not torn).
pub async fn read(app: &Arc<App>, before: Option<u64>, max: usize, wanted: impl Fn(&Fact) -> bool + Send + 'static) -> Result<Stretch> {
    let store = Arc::clone(app.engine.store());
    let end = match (before, app.engine.reading(0)) {
        (Some(before), _) => before,
        (None, Some(reading)) if reading.is_here => reading.seq + 1,
        // Another process works on the directory: its version is nearly its end.
        (None, _) => app.directory().version + 1 + RECORDS_MAX,
    };
    let read = move || -> std::result::Result<Stretch, Fault> {
        let mut journal = store.journal(0)?;
        let mut stretch = Stretch::default();
        let mut top = end;
        while top > 1 {
            let from = top.saturating_sub(STEP + 1);
            let records = journal.records(from, usize::try_from(top - 1 - from).unwrap_or(0))?;
            for record in records.iter().rev() {
                for (event, told) in record.events()?.into_iter().enumerate().rev() {
                    if wanted(&told.fact) {
                        stretch.entries.push(Logged { seq: record.head.seq, event, at: record.head.stamp, fact: told.fact });
                    }
                }
                if stretch.entries.len() >= max {
                    stretch.before = Some(record.head.seq).filter(|seq| *seq > 1);
                    return Ok(stretch);
                }
            }
            top = from + 1;
            if end - top >= RECORDS_MAX && !stretch.entries.is_empty() {
                stretch.before = Some(top);
                return Ok(stretch);
            }
        }
        Ok(stretch)
    };
    Ok(tokio::task::spawn_blocking(read).await.map_err(AppError::from)?.map_err(AppError::from)?)
}
