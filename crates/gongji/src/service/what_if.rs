//! Who would have been refused last month under rules that are not published yet: the journals of all partitions, held against the change.

use crate::activity::before;
use crate::app::{App, AppError};
use gongji_ledger::{AreaCode, HolderId};
use gongji_store::Fault;
use gongji_wallet::day::Day;
use gongji_wallet::day::instant;
use gongji_wallet::rules::RuleChange;
use gongji_wallet::what_if::{Found, WhatIf};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Records read at once.
const RECORDS_MAX: usize = 64;

/// Events that are gone through: minutes of work. A nation's month is more; that one looks at fewer days.
const EVENTS_MAX: u64 = 20_000_000;

/// One at a time in this process: it reads a lot.
static RUNNING: Semaphore = Semaphore::const_new(1);

/// Holds the business days `from` to `to`, both included, against `change` as if it had held all the time.
///
/// # Errors
/// `Busy` while another one runs; `Failed` where there is too much to go through.
pub async fn replay(app: &Arc<App>, change: RuleChange, from: Day, to: Day) -> Result<Found, AppError> {
    let permit = RUNNING.try_acquire().map_err(|_| Fault::Busy)?;
    let worker = Arc::clone(app);
    let found = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut found = Found::default();
        let mut left = EVENTS_MAX;
        for part in 1..=worker.engine.parts() {
            found.add(of_partition(&worker, part, &change, from, to, &mut left)?);
        }
        found.cases.sort_by_key(|case| case.at);
        Ok::<_, Fault>(found)
    });
    Ok(found.await??)
}

fn of_partition(app: &App, part: u16, change: &RuleChange, from: Day, to: Day, left: &mut u64) -> Result<Found, Fault> {
    let (from, end) = (instant(from, 0), instant(to + 1, 0));
    let mut what_if = WhatIf::new(&app.directory().rule_changes, change, from);
    let mut areas: HashMap<HolderId, AreaCode> = HashMap::new();
    let mut area_of = |holder: HolderId| -> Result<AreaCode, Fault> {
        if let Some(area) = areas.get(&holder) {
            return Ok(*area);
        }
        let area = app.engine.holder(holder)?.and_then(|person| person.enrolment).map_or(0, |enrolment| enrolment.area);
        areas.insert(holder, area);
        Ok(area)
    };
    let mut journal = app.engine.store().journal(part)?;
    let mut after = before(&mut *journal, from - WhatIf::warm_up(change))?;
    loop {
        let records = journal.records(after, RECORDS_MAX)?;
        let Some(last) = records.last() else { return Ok(what_if.found()) };
        after = last.head.seq;
        for record in &records {
            if record.head.stamp >= end {
                return Ok(what_if.found());
            }
            for event in record.events()? {
                *left = left.checked_sub(1).ok_or_else(|| Fault::Failed(format!("more than {EVENTS_MAX} events; look at fewer days")))?;
                what_if.event(record.head.stamp, &event, &mut area_of)?;
            }
        }
    }
}
