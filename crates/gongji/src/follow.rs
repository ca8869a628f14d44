//! Following the partitions: work that is done behind what they commit, by whichever process works on them.

use crate::app::{App, AppError};
use gongji_ledger::Part;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// After a fault a follower waits this long before it looks again.
const RETRY: Duration = Duration::from_secs(5);

/// How often it is looked whether a partition is worked on here.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// Lets `catch_up` look at each partition that is worked on here whenever it has committed, until the set is dropped. `late` is what the log says
/// while it cannot.
pub fn partitions<Looked>(app: &Arc<App>, late: &'static str, catch_up: fn(Arc<App>, Part) -> Looked) -> JoinSet<()>
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
