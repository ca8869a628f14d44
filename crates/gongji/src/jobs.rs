//! What happens without anybody asking, as time passes: all of it is named here.
//!
//! Beats are small and done by every process, second by second. Jobs are done once for the installation, whichever of its processes is first: the
//! one that works on the directory. How far each has come stands in the vault ([`gongji_store::vault::JobState`]), so that what was missed while
//! nothing ran is caught up at the next start, in the order of this list, and a process that died at it is replaced. A job may be begun twice;
//! each one leaves things as they are where there is nothing left to do.
//!
//! Deadlines of money (return, expiry) are decided in the partitions, at commit time; here somebody only looks at the clock for them.

use crate::app::{App, AppError};
use gongji_store::clock::system_now;
use gongji_store::vault::{BeginJob, JobState};
use gongji_wallet::clearing::{Month, first_day, month_before, month_of, next_month};
use gongji_wallet::day::{day_of, instant};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How late a deadline may be acted on. No reader sees money as held past it in the meantime.
const LOOK: Duration = Duration::from_secs(1);

/// Rounds between two writings of when sessions were last used, for other processes and the next start: a minute.
const SEEN_ROUNDS: u32 = 60;

/// Rounds between two looks at the jobs: a minute for each.
const JOB_ROUNDS: u32 = 60;

/// A job that failed rests for so long (ms).
const RETRY_MS: i64 = 60_000;

const HOUR_MS: i64 = 3_600_000;

/// When a job falls due, by the business clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhythm {
    Hourly,
    /// At this minute of each day.
    Daily {
        minute: u16,
    },
    /// At this minute of the first day of each month.
    Monthly {
        minute: u16,
    },
}

/// When a month's job falls due (ms).
fn of_month(month: Month, minute: u16) -> i64 {
    instant(first_day(month).expect("business days lie between the years 2000 and 9999"), minute)
}

impl Rhythm {
    /// The newest time (ms) up to `now` at which it fell due.
    pub fn last_due(self, now: i64) -> i64 {
        match self {
            Rhythm::Hourly => now - now.rem_euclid(HOUR_MS),
            Rhythm::Daily { minute } => {
                let today = instant(day_of(now), minute);
                if today <= now { today } else { instant(day_of(now) - 1, minute) }
            }
            Rhythm::Monthly { minute } => {
                let month = month_of(day_of(now));
                let this = of_month(month, minute);
                if this <= now { this } else { of_month(month_before(month), minute) }
            }
        }
    }

    /// The first time (ms) after `now` at which it falls due.
    pub fn next_due(self, now: i64) -> i64 {
        match self {
            Rhythm::Hourly => self.last_due(now) + HOUR_MS,
            Rhythm::Daily { minute } => instant(day_of(self.last_due(now)) + 1, minute),
            Rhythm::Monthly { minute } => of_month(next_month(month_of(day_of(self.last_due(now)))), minute),
        }
    }
}

type Work = Pin<Box<dyn Future<Output = Result<usize, AppError>> + Send>>;

/// Something that an installation does once whenever it falls due. However often it was missed, it is done once, up to now.
pub struct Job {
    /// Its name in metrics, logs and the vault.
    pub name: &'static str,
    /// What it does, for the office.
    pub title: &'static str,
    pub rhythm: Rhythm,
    work: fn(Arc<App>) -> Work,
}

/// All of them, in the order in which they are caught up.
pub static JOBS: [Job; 4] = [
    Job {
        name: "clearing-cut",
        title: "月初给过完的月份切账;第一个月由人切",
        rhythm: Rhythm::Monthly { minute: 0 },
        work: |app| Box::pin(async move { crate::service::clearing::cut_due(&app).await }),
    },
    Job {
        name: "sweep",
        title: "清掉过期的登录、验证码、密码错误次数和旧的反馈",
        rhythm: Rhythm::Hourly,
        work: |app| Box::pin(async move { vault(&app, |vault, now| vault.sweep(now)).await }),
    },
    Job {
        name: "gateway-messages",
        title: "清掉保存期满的机构报文和文件",
        rhythm: Rhythm::Hourly,
        work: |app| Box::pin(async move { crate::gateway::sweep(&app).await }),
    },
    Job {
        name: "retention",
        title: "删掉保存期满的消息、短信和旧的告知记录",
        rhythm: Rhythm::Daily { minute: 3 * 60 + 10 },
        work: |app| Box::pin(async move { vault(&app, |vault, now| vault.retire(now)).await }),
    },
];

async fn vault(app: &App, work: fn(&gongji_store::vault::Vault, i64) -> gongji_store::vault::Result<usize>) -> Result<usize, AppError> {
    let now = app.now();
    app.vault(move |vault| work(vault, now)).await
}

/// How a job stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    pub name: &'static str,
    pub title: &'static str,
    /// `None` where it never began.
    pub state: Option<JobState>,
    /// When it falls due next, or since when it is due (ms, business clock).
    pub due_ms: i64,
    /// For how long it has been due (ms, business clock); 0 where nothing is missing.
    pub lag_ms: i64,
}

/// Of every job, in the order of the list; `now` is the business clock's.
pub fn standings(known: &[JobState], now: i64) -> Vec<Standing> {
    let standing = |job: &Job| {
        let state = known.iter().find(|state| state.name == job.name).cloned();
        let last = job.rhythm.last_due(now);
        let is_done = state.as_ref().and_then(|state| state.done_ms).is_some_and(|done| done >= last);
        let due_ms = if is_done { job.rhythm.next_due(now) } else { last };
        Standing { name: job.name, title: job.title, state, due_ms, lag_ms: (now - due_ms).max(0) }
    };
    JOBS.iter().map(standing).collect()
}

/// Does every job that is due and that nobody is at, one after the other.
pub async fn catch_up(app: &Arc<App>) {
    for job in &JOBS {
        if let Err(error) = run(app, job).await {
            tracing::error!(job = job.name, %error, "a job cannot be begun or ended; it is tried again in a minute");
        }
    }
}

async fn run(app: &Arc<App>, job: &'static Job) -> Result<(), AppError> {
    let (due, began) = (job.rhythm.last_due(app.now()), system_now());
    let begun = app.vault(move |vault| vault.begin_job(job.name, due, RETRY_MS, began)).await?;
    if begun == BeginJob::NotNow {
        return Ok(());
    }
    let outcome = (job.work)(Arc::clone(app)).await.map(|count| count as u64).map_err(|error| error.to_string());
    match &outcome {
        Ok(count) => tracing::debug!(job = job.name, count, "a job is done"),
        Err(trouble) => tracing::error!(job = job.name, trouble, "a job failed; it is tried again in a minute"),
    }
    app.vault(move |vault| vault.end_job(job.name, due, began, &outcome, system_now())).await
}

/// Runs until it is aborted.
pub async fn tick(app: Arc<App>) {
    let mut interval = tokio::time::interval(LOOK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round: u32 = 0;
    // Aborted together with this.
    let mut beside = crate::notices::start(&app);
    let mut webhooks = crate::webhooks::Courier::new(Arc::clone(&app));
    let _seen = crate::activity::start(&app);
    beside.spawn(crate::metrics::watch_books(Arc::clone(&app)));
    let due = Arc::new(tokio::sync::Notify::new());
    beside.spawn(work_off(Arc::clone(&app), Arc::clone(&due)));
    loop {
        interval.tick().await;
        if let Err(fault) = app.engine.nudge().await {
            tracing::error!(%fault, "a partition does not look at its deadlines");
        }
        if let Err(error) = webhooks.look().await {
            tracing::warn!(%error, "nobody is told of what is new in a feed; it is tried again in a second");
        }
        // Of several processes the one that works on the directory does what is to be done once.
        let is_first = app.engine.reading(0).is_some_and(|reading| reading.is_writing);
        if is_first && let Err(error) = crate::service::approval::follow_all(&app).await {
            tracing::error!(%error, "what was approved does not happen; it is tried again in a second");
        }
        if round.is_multiple_of(SEEN_ROUNDS)
            && let Err(error) = app.vault(|vault| vault.flush_last_seen()).await
        {
            tracing::warn!(%error, "when sessions were last used could not be written; it is tried again in a minute");
        }
        if is_first && round.is_multiple_of(JOB_ROUNDS) {
            due.notify_one();
        }
        round = round.wrapping_add(1);
    }
}

/// A long job keeps no deadline waiting.
async fn work_off(app: Arc<App>, due: Arc<tokio::sync::Notify>) {
    loop {
        due.notified().await;
        catch_up(&app).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_minute_in_china() {
        let daily = Rhythm::Daily { minute: 190 };
        let due = instant(20_000, 190);
        assert_eq!((daily.last_due(due - 1), daily.next_due(due - 1)), (instant(19_999, 190), due));
        assert_eq!((daily.last_due(due), daily.next_due(due)), (due, instant(20_001, 190)));
        // 4 October 2024, and the months around it.
        let (monthly, october) = (Rhythm::Monthly { minute: 0 }, instant(first_day(202_410).unwrap(), 0));
        assert_eq!((monthly.last_due(due), monthly.next_due(due)), (october, instant(first_day(202_411).unwrap(), 0)));
        assert_eq!((monthly.last_due(october), monthly.last_due(october - 1)), (october, instant(first_day(202_409).unwrap(), 0)));
        let hour = instant(20_000, 60);
        assert_eq!((Rhythm::Hourly.last_due(hour - 1), Rhythm::Hourly.next_due(hour)), (hour - HOUR_MS, hour + HOUR_MS));
    }

    #[test]
    fn what_was_missed_tells_since_when() {
        let now = instant(20_000, 200);
        let done = |done_ms: i64| JobState {
            name: "retention".to_owned(),
            done_ms: Some(done_ms),
            began_ms: 0,
            ended_ms: Some(1),
            count: 0,
            trouble: None,
            failures: 0,
        };
        let of = |known: &[JobState]| standings(known, now).into_iter().find(|standing| standing.name == "retention").map(|found| (found.due_ms, found.lag_ms));
        let today = instant(20_000, 190);
        assert_eq!(of(&[]), Some((today, 600_000)), "never done");
        assert_eq!(of(&[done(instant(19_999, 190))]), Some((today, 600_000)));
        assert_eq!(of(&[done(today)]), Some((instant(20_001, 190), 0)));
        assert!(JOBS.iter().enumerate().all(|(nth, job)| JOBS[..nth].iter().all(|other| other.name != job.name)), "names are keys");
    }
}
