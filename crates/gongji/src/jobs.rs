//! What happens without anybody asking, as time passes.
//!
//! The deadlines themselves are decided in the partitions, at commit time; here somebody only looks at the clock for them.

use crate::app::{App, AppError};
use gongji_ledger::Part;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How late a deadline may be acted on. No reader sees money as held past it in the meantime.
const LOOK: Duration = Duration::from_secs(1);

/// Rounds between two writings of when sessions were last used, for other processes and the next start: a minute.
const SEEN_ROUNDS: u32 = 60;

/// Rounds between two sweeps of the vault: an hour.
const SWEEP_ROUNDS: u32 = 3_600;

/// After a fault a follower waits this long before it looks again.
const RETRY: Duration = Duration::from_secs(5);

/// How often it is looked whether a partition is worked on here.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// Lets `catch_up` look at each partition that is worked on here whenever it has committed, until the set is dropped. `late` is what the log says
/// while it cannot.
pub fn follow<Looked>(app: &Arc<App>, late: &'static str, catch_up: fn(Arc<App>, Part) -> Looked) -> JoinSet<()>
where
    Looked: Future<Output = Result<(), AppError>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for part in 1..=app.engine.parts() {
        let app = Arc::clone(app);
        tasks.spawn(async move {
            loop {
                // Whoever works on the partition tells of it.
                if let Some(mut changes) = app.engine.changes_here(part) {
                    loop {
                        changes.mark_unchanged();
                        match catch_up(Arc::clone(&app), part).await {
                            // Nobody commits here any more.
                            Ok(()) if changes.changed().await.is_err() => break,
                            Ok(()) => {}
                            Err(error) => {
                                tracing::error!(part, %error, "{late}");
                                tokio::time::sleep(RETRY).await;
                            }
                        }
                    }
                }
                tokio::time::sleep(ELSEWHERE).await;
            }
        });
    }
    tasks
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
    loop {
        interval.tick().await;
        if let Err(fault) = app.engine.nudge().await {
            tracing::error!(%fault, "a partition does not look at its deadlines");
        }
        // Of several processes the one that works on the directory does what is to be done once.
        let is_first = app.engine.reading(0).is_some_and(|reading| reading.is_writing);
        if is_first && let Err(error) = webhooks.look().await {
            tracing::warn!(%error, "nobody is told of what is new in a feed; it is tried again in a second");
        }
        if is_first && let Err(error) = crate::service::approval::follow_all(&app).await {
            tracing::error!(%error, "what was approved does not happen; it is tried again in a second");
        }
        if round.is_multiple_of(SEEN_ROUNDS)
            && let Err(error) = app.vault(|vault| vault.flush_last_seen()).await
        {
            tracing::warn!(%error, "when sessions were last used could not be written; it is tried again in a minute");
        }
        if is_first && round.is_multiple_of(SWEEP_ROUNDS) {
            let now = app.now();
            match app.vault(move |vault| vault.sweep(now)).await {
                Ok(gone) => tracing::debug!(vault.rows_swept = gone, "swept the vault"),
                Err(error) => tracing::warn!(%error, "the vault could not be swept; it is tried again in an hour"),
            }
            if let Err(error) = crate::gateway::sweep(&app).await {
                tracing::warn!(%error, "old messages of institutions could not be dropped; it is tried again in an hour");
            }
        }
        round = round.wrapping_add(1);
    }
}
