//! Which terminals of which institutions really take payments: learnt from the journal, and from institutions that say that they are up.
//!
//! Nothing stands on a payment's path: a job reads each partition's journal behind the writer, notes the captures in memory, and writes what has
//! changed to the vault once a minute, together with how far it has read. A crash reads that minute again. Where that mark is missing (a new
//! version, or somebody deleted it) the last days of the journal are read once more and no older ones: what is longer ago than a week counts for
//! nothing. Every door counts alike, because every door ends in the journal.

use crate::app::{App, AppError};
use crate::service::readiness::QUIET_MS;
use gongji_ledger::{InstitutionId, Part};
use gongji_store::Fault;
use gongji_store::store::Journal;
use gongji_store::vault::{Activity as Kept, Vault, VaultError};
use gongji_wallet::day::DAY_MS;
use gongji_wallet::event::Fact;
use gongji_wallet::object::{Purpose, Terminal};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Records read at once.
const RECORDS_MAX: usize = 64;

/// How often changes are written down, and those of other processes read.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// A rebuild reads this much of the journal (ms).
const REBUILD_MS: i64 = QUIET_MS + DAY_MS;

/// Clocks of several processes may differ by this much (ms).
const CLOCKS_APART_MS: i64 = 60_000;

/// What is known of one terminal; 0: never.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Last captured payment (ms).
    pub paid_at: i64,
    /// Last time the institution's software said that it is up (ms).
    pub heard_at: i64,
}

/// All terminals that were ever seen to do something. Bounded by the directory: of others nothing is noted.
#[derive(Default)]
pub struct Activity(RwLock<Known>);

type Place = (InstitutionId, Terminal);

#[derive(Default)]
struct Known {
    seen: HashMap<Place, Seen>,
    /// Changed since it was last written down.
    fresh: HashSet<Place>,
    /// How far each partition's journal has been read.
    read: BTreeMap<Part, u64>,
    /// The same, as it was last written down.
    kept: BTreeMap<Part, u64>,
    /// When the vault's rows were last read (ms).
    loaded_at: i64,
}

impl Known {
    fn note(&mut self, place: Place, seen: Seen) {
        let known = self.seen.entry(place).or_default();
        let newer = Seen { paid_at: known.paid_at.max(seen.paid_at), heard_at: known.heard_at.max(seen.heard_at) };
        if newer != *known {
            *known = newer;
            self.fresh.insert(place);
        }
    }
}

/// As rows and forms write it.
pub fn terminal_word(terminal: Terminal) -> &'static str {
    match terminal {
        Terminal::Counter => "counter",
        Terminal::Kiosk => "kiosk",
        Terminal::Mobile => "mobile",
    }
}

pub fn terminal_of(word: &str) -> Option<Terminal> {
    Terminal::ALL.into_iter().find(|terminal| terminal_word(*terminal) == word)
}

impl Activity {
    pub fn seen(&self, institution: InstitutionId, terminal: Terminal) -> Seen {
        self.0.read().unwrap_or_else(PoisonError::into_inner).seen.get(&(institution, terminal)).copied().unwrap_or_default()
    }

    /// The institution's software said that this terminal is up.
    pub fn heard(&self, institution: InstitutionId, terminal: Terminal, at: i64) {
        self.change(|known| known.note((institution, terminal), Seen { heard_at: at, paid_at: 0 }));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what the vault has, of this process before its start and of others since.
    pub fn load(&self, vault: &Vault, now: i64) -> Result<(), VaultError> {
        let since = self.change(|known| known.loaded_at) - CLOCKS_APART_MS;
        let rows = vault.activities(since)?;
        self.change(|known| {
            for row in rows {
                let Some(place) = InstitutionId::parse(&row.institution).zip(terminal_of(&row.terminal)) else { continue };
                let seen = known.seen.entry(place).or_default();
                *seen = Seen { paid_at: seen.paid_at.max(row.paid_ms), heard_at: seen.heard_at.max(row.heard_ms) };
            }
            known.loaded_at = now;
        });
        Ok(())
    }

    /// Writes down what has changed.
    pub fn keep(&self, vault: &Vault, now: i64) -> Result<(), VaultError> {
        let (places, rows, read) = self.change(|known| {
            let mut places: Vec<Place> = std::mem::take(&mut known.fresh).into_iter().collect();
            places.sort_unstable();
            let row = |place: &Place| {
                let seen = known.seen.get(place).copied().unwrap_or_default();
                Kept { institution: place.0.to_string(), terminal: terminal_word(place.1).to_owned(), paid_ms: seen.paid_at, heard_ms: seen.heard_at }
            };
            let rows: Vec<Kept> = places.iter().map(row).collect();
            (places, rows, known.read.clone())
        });
        if rows.is_empty() && self.change(|known| known.kept == read) {
            return Ok(());
        }
        let marks: Vec<(Part, u64)> = read.iter().map(|(part, seq)| (*part, *seq)).collect();
        let kept = vault.put_activities(&rows, &marks, now);
        self.change(|known| match &kept {
            Ok(()) => known.kept = read,
            Err(_) => known.fresh.extend(places),
        });
        kept
    }
}

/// Starts the job: one task for each partition and one that writes down, until the set is dropped.
#[must_use = "dropping the set ends the job"]
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = crate::follow::partitions(app, "what institutions took is not noted for now", |app, part| async move { catch_up(&app, part).await });
    tasks.spawn(keep_now_and_then(Arc::clone(app)));
    tasks
}

async fn keep_now_and_then(app: Arc<App>) {
    let mut interval = tokio::time::interval(KEEP_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let worker = Arc::clone(&app);
        let kept = tokio::task::spawn_blocking(move || {
            let now = worker.now();
            worker.activity.keep(&worker.vault, now)?;
            worker.activity.load(&worker.vault, now)
        });
        if let Ok(Err(error)) = kept.await {
            tracing::warn!(%error, "the activity of institutions was not written down; it is tried again in a minute");
        }
    }
}

/// Notes every capture that is committed and not noted yet.
pub async fn catch_up(app: &Arc<App>, part: Part) -> Result<(), AppError> {
    let worker = Arc::clone(app);
    tokio::task::spawn_blocking(move || {
        let mut journal = worker.engine.store().journal(part)?;
        let mut after = match worker.activity.change(|known| known.read.get(&part).copied()) {
            Some(read) => read,
            None => match worker.vault.activity_read(part)? {
                Some(read) => read,
                None => before(&mut *journal, worker.now() - REBUILD_MS)?,
            },
        };
        loop {
            let records = journal.records(after, RECORDS_MAX)?;
            let Some(last) = records.last() else { return Ok(()) };
            after = last.head.seq;
            let mut paid = Vec::new();
            for record in &records {
                for event in record.events()? {
                    if let Fact::PaymentCaptured { payment, .. } = event.fact
                        && let Some(payment) = worker.engine.payment(payment)?
                        && let Purpose::Order { order, visit, .. } = payment.purpose
                    {
                        paid.push(((order.institution, visit.terminal), record.head.stamp));
                    }
                }
            }
            let directory = worker.directory();
            paid.retain(|((institution, _), _)| directory.institutions.contains_key(institution));
            worker.activity.change(|known| {
                for (place, at) in paid {
                    known.note(place, Seen { paid_at: at, heard_at: 0 });
                }
                known.read.insert(part, after);
            });
        }
    })
    .await?
}

/// The last record of a journal before an instant; 0 if there is none. Records are stamped in order, so halving finds it.
pub fn before(journal: &mut dyn Journal, at: i64) -> Result<u64, Fault> {
    let (mut low, mut high) = (0, 1);
    // Twice as far each time, until that is behind the instant or the journal's end.
    while journal.records(high, 1)?.first().is_some_and(|record| record.head.stamp < at) {
        low = high + 1;
        high *= 2;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        match journal.records(middle, 1)?.first() {
            Some(record) if record.head.stamp < at => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
