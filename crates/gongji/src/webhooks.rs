//! Tells institutions that their feed of events has something new. A hint: it says "read", never what; the feed is the truth.
//!
//! There is at most one message under way to each webhook, so that nothing queues: whatever happens meanwhile is told by the next one. Each
//! attempt is a task of its own with a time limit, and receivers that failed last time have slots of their own: a dead one delays nobody.
//! Of several processes the one that works on the institution's partition sends; who takes an attempt on writes that down first, so that
//! nothing is sent twice while a partition changes hands.

mod sending;
mod target;
mod wire;

pub use sending::{Attempt, Outcome, attempt, trial};
pub use target::{Target, TargetError, URL_LEN_MAX};

use crate::app::{App, AppError};
use crate::service::feed;
use gongji_ledger::InstitutionId;
use gongji_store::vault::{AfterAttempt, UnderWay, WebhookAttempt, part_of};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Attempts at once: first ones, and repeated ones.
pub const SLOTS_MAX: usize = 32;

/// Pauses after the first attempt and the ones that follow (ms): the last is made a day and a half after the first, then the message is given up.
pub const PAUSES_MS: [i64; 9] = [5_000, 30_000, 120_000, 600_000, 1_800_000, 7_200_000, 21_600_000, 43_200_000, 57_600_000];

/// Between two messages to one webhook (ms).
pub const REST_MS: i64 = 2_000;

/// Whoever took an attempt on and has written nothing down after this time (ms) is lost: it is made again.
const LOST_MS: i64 = 2 * sending::WAIT_MAX.as_millis() as i64;

/// Makes the attempts.
pub struct Courier {
    app: Arc<App>,
    busy: Arc<Mutex<HashSet<u64>>>,
    first: Arc<Semaphore>,
    repeated: Arc<Semaphore>,
    under_way: JoinSet<()>,
}

impl Courier {
    pub fn new(app: Arc<App>) -> Courier {
        let slots = || Arc::new(Semaphore::new(SLOTS_MAX));
        Courier { app, busy: Arc::default(), first: slots(), repeated: slots(), under_way: JoinSet::new() }
    }

    /// Looks once at every webhook whose institution's partition is worked on here: begins a message where the feed has something new, and makes the
    /// attempts that are due. They go on by themselves.
    ///
    /// # Errors
    /// The vault or a partition's books cannot be read; what is due is looked at again next time.
    pub async fn look(&mut self) -> Result<(), AppError> {
        while self.under_way.try_join_next().is_some() {}
        let now = self.app.now();
        let mut positions: HashMap<String, Vec<u8>> = HashMap::new();
        for state in self.app.vault(|vault| vault.webhook_states()).await? {
            let id = state.id;
            let is_ours = self.app.engine.reading(part_of(id)).is_some_and(|reading| reading.is_writing);
            if !is_ours || state.next_ms > now || self.busy.lock().expect("no holder of the set panics").contains(&id) {
                continue;
            }
            let under_way = match state.under_way {
                Some(under_way) => under_way,
                None => {
                    let position = match positions.get(&state.institution) {
                        Some(known) => known.clone(),
                        None => {
                            let position = self.position(&state.institution)?;
                            positions.insert(state.institution.clone(), position.clone());
                            position
                        }
                    };
                    if position == state.told {
                        continue;
                    }
                    let begun = UnderWay { message: format!("msg_{}", uuid::Uuid::now_v7().simple()), made_ms: now, position, attempts: 0 };
                    let (message, position) = (begun.message.clone(), begun.position.clone());
                    if !self.app.vault(move |vault| vault.begin_webhook_message(id, &message, &position, now)).await? {
                        // Another process was faster.
                        continue;
                    }
                    begun
                }
            };
            self.send(id, under_way).await?;
        }
        Ok(())
    }

    /// Waits for every attempt that is under way.
    pub async fn rest(&mut self) {
        while self.under_way.join_next().await.is_some() {}
    }

    fn position(&self, institution: &str) -> Result<Vec<u8>, AppError> {
        Ok(match InstitutionId::parse(institution) {
            Some(id) => feed::end(&self.app, id)?.to_bytes(),
            None => Vec::new(),
        })
    }

    async fn send(&mut self, id: u64, message: UnderWay) -> Result<(), AppError> {
        let slots = if message.attempts == 0 { &self.first } else { &self.repeated };
        // No slot now: it stays due.
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else { return Ok(()) };
        let (taken, now) = (message.clone(), self.app.now());
        if !self.app.vault(move |vault| vault.take_webhook_attempt(id, &taken, now, now + LOST_MS)).await? {
            return Ok(());
        }
        let (app, busy) = (Arc::clone(&self.app), Arc::clone(&self.busy));
        busy.lock().expect("no holder of the set panics").insert(id);
        self.under_way.spawn(async move {
            if let Err(error) = deliver(&app, id, &message).await {
                tracing::warn!(%error, "a webhook's attempt could not be made or written down");
            }
            busy.lock().expect("no holder of the set panics").remove(&id);
            drop(slot);
        });
        Ok(())
    }
}

async fn deliver(app: &App, id: u64, message: &UnderWay) -> Result<(), AppError> {
    let Some(webhook) = app.vault(move |vault| vault.webhook(id)).await? else { return Ok(()) };
    let body = sending::news(&webhook.institution, message.made_ms);
    let made = attempt(&webhook, &message.message, &body, app.sandbox.is_some(), app.now()).await;
    let number = message.attempts + 1;
    let now = app.now();
    let pause = PAUSES_MS.get(message.attempts as usize).filter(|_| !made.outcome.is_over());
    let after = match pause {
        Some(pause) => AfterAttempt::Again(now + pause),
        None => AfterAttempt::Over(now + REST_MS),
    };
    let line = WebhookAttempt { message: message.message.clone(), attempt: number, at_ms: now, outcome: made.outcome.word().to_owned(), status: made.status };
    app.vault(move |vault| vault.put_webhook_attempt(id, &line, after)).await
}
