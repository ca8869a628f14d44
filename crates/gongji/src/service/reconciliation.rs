//! Reconciliation with institutions: our lines of a business day, and an institution's file beside them.
//!
//! Our lines come from the takings of all partitions: a line for each capture and each refund, on the day it was made. What came out of
//! a file is kept; nothing here moves money.

mod booked;

pub use booked::{Booked, NumberForm, booked};

use crate::app::{App, AppError};
use gongji_files::file_digest;
use gongji_files::reconcile::{Class, ReadLimits, Report, Scope, Totals, read_list, reconcile};
use gongji_ledger::InstitutionId;
use gongji_store::Fault;
use gongji_store::vault::{ReconciledFile, Reconciliation, ReconciliationState};
use gongji_wallet::day::{Day, day_of, instant};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Largest file over HTTP; about 300,000 lines. Larger ones are for `gongji reconcile`.
pub const FILE_BYTES_MAX: usize = 32 << 20;

/// Days back that are reconciled here: a quarter.
pub const DAYS_BACK_MAX: Day = 92;

/// Breaks kept of one file in words; all are counted.
pub const BREAKS_MAX: usize = 5_000;

/// Comparisons at a time in this process; one more is told to come back.
static RUNNING: Semaphore = Semaphore::const_new(2);

/// A comparison that takes longer goes on while its page shows that it does.
const WAIT: Duration = Duration::from_secs(4);

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every bad line; nothing was compared.
    Refused(Vec<BadRow>),
    Done(Box<Report>),
}

/// Something wrong with one line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    pub line: u32,
    pub column: Option<String>,
    pub reason_zh: String,
    pub reason_en: String,
}

/// A day and class that may be reconciled here.
///
/// # Errors
/// The sentence that says why not.
pub fn check_day(day: Day, now: i64) -> Result<(), &'static str> {
    let today = day_of(now);
    match () {
        () if day > today => Err("这一天还没有到。"),
        () if day < today - DAYS_BACK_MAX => Err("网页和接口对最近 92 天的账;更早的请打经办电话。"),
        () => Ok(()),
    }
}

/// Whether a day's lines can no longer change: it is over, with some minutes for what is on its way.
fn settled_at(day: Day) -> i64 {
    instant(day + 1, 10)
}

/// Our totals of a day, for each class with lines.
pub async fn totals(app: &Arc<App>, institution: InstitutionId, day: Day) -> Result<Vec<(Class, Totals)>, AppError> {
    let booked = on_a_thread(app, move |app| booked(app, institution, day, NumberForm::Plain)).await?;
    let of = |class: Class| (class, booked.listing.totals(&Scope { day: Some(day), class: Some(class) }));
    Ok(Class::ALL.into_iter().map(of).filter(|(_, totals)| totals.lines > 0).collect())
}

/// Our lines of a day and those around it, away from the threads that serve requests.
pub async fn lines(app: &Arc<App>, institution: InstitutionId, day: Day, form: NumberForm) -> Result<Booked, AppError> {
    on_a_thread(app, move |app| booked(app, institution, day, form)).await
}

async fn on_a_thread<T: Send + 'static>(app: &Arc<App>, work: impl FnOnce(&App) -> Result<T, Fault> + Send + 'static) -> Result<T, AppError> {
    let app = Arc::clone(app);
    Ok(tokio::task::spawn_blocking(move || work(&app)).await??)
}

/// Compares a file with our lines and keeps what came out under the number given back. The same file is compared once, and again only where
/// its day was not over. Waits a little; then the comparison goes on by itself.
///
/// # Errors
/// `Busy` while others are compared.
pub async fn submit(app: &Arc<App>, institution: InstitutionId, day: Day, class: Class, file: Vec<u8>) -> Result<u64, AppError> {
    let permit = RUNNING.try_acquire().map_err(|_| Fault::Busy)?;
    let part = app.engine.institution_part(institution);
    let now = app.now();
    let digest_of =
        ReconciledFile { part, institution: institution.to_string(), day, clr_type: class.clr_type, insutype: class.insutype, digest: file_digest(&file) };
    let (id, is_to_run) = app.vault(move |vault| vault.begin_reconciliation(&digest_of, settled_at(day), now)).await?;
    if !is_to_run {
        return Ok(id);
    }
    let working = Arc::clone(app);
    let job = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let outcome = compare(&working, institution, day, class, &file)?;
        let (state, open_count) = match &outcome {
            Outcome::Refused(bad) => (ReconciliationState::Refused, bad.len() as u64),
            Outcome::Done(report) => (ReconciliationState::Done, report.open_count()),
        };
        let text = serde_json::to_string(&outcome).expect("a report is JSON");
        Ok::<(), AppError>(working.vault.end_reconciliation(part, id, state, open_count, &text)?)
    });
    let logged = tokio::spawn(async move {
        let ended = job.await.map_err(AppError::from).and_then(|ended| ended);
        if let Err(error) = &ended {
            tracing::error!(%error, "a reconciliation did not end");
        }
        ended
    });
    match tokio::time::timeout(WAIT, logged).await {
        Ok(ended) => ended?.map(|()| id),
        Err(_) => Ok(id),
    }
}

fn compare(app: &App, institution: InstitutionId, day: Day, class: Class, file: &[u8]) -> Result<Outcome, Fault> {
    let limits = ReadLimits { file_bytes_max: FILE_BYTES_MAX as u64, ..ReadLimits::default() };
    let list = read_list(file, &limits).expect("bytes in memory are read");
    if !list.bad.is_empty() {
        let row =
            |bad: gongji_files::BadLine| BadRow { line: bad.line, column: bad.column.map(str::to_owned), reason_zh: bad.reason_zh, reason_en: bad.reason_en };
        return Ok(Outcome::Refused(list.bad.into_iter().map(row).collect()));
    }
    let form = NumberForm::of(&list.listing);
    let booked = booked(app, institution, day, form)?;
    let scope = Scope { day: Some(day), class: Some(class) };
    let found = reconcile(&scope, &list.listing, &booked.listing);
    Ok(Outcome::Done(Box::new(Report::new(&scope, &list.listing, &booked.listing, &found, list.unpaid, BREAKS_MAX))))
}

/// One of an institution's own: its row, and what came out where it has ended.
pub async fn show(app: &Arc<App>, institution: InstitutionId, id: u64) -> Result<Option<(Reconciliation, Option<Outcome>)>, AppError> {
    let part = app.engine.institution_part(institution);
    let found = app.vault(move |vault| vault.reconciliation(part, &institution.to_string(), id)).await?;
    let Some((row, report)) = found else { return Ok(None) };
    // While a file is compared anew its old report no longer counts.
    let report = report.filter(|_| row.state != ReconciliationState::Running);
    let outcome = report.map(|report| serde_json::from_str(&report)).transpose();
    let outcome = outcome.map_err(|error| Fault::Damaged(format!("a reconciliation's report cannot be read: {error}")))?;
    Ok(Some((row, outcome)))
}

/// An institution's, newest first.
pub async fn list(app: &Arc<App>, institution: InstitutionId, day: Option<Day>, max: usize) -> Result<Vec<Reconciliation>, AppError> {
    let part = app.engine.institution_part(institution);
    app.vault(move |vault| vault.reconciliations(part, &institution.to_string(), day, max)).await
}
