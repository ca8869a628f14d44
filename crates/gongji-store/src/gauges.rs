//! What a partition shows of itself to whoever watches: counters and times, kept beside the work without a lock.
//!
//! A batch costs two looks at the machine's clock and a dozen additions; a request costs nothing. Nothing here is ever read by the work itself.

use std::sync::LazyLock;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The zero of all times here.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Microseconds since the first use of this clock, and never 0: that stands for "not now".
fn now_us() -> u64 {
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX - 1) + 1
}

/// Requests in a batch.
pub const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192];

/// Times (µs): half a millisecond is a good disk, ten seconds a dying one.
pub const TIME_BOUNDS: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000];

/// How often a value fell under each of some bounds.
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub fn new(bounds: &'static [u64]) -> Histogram {
        Histogram { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    pub fn record(&self, value: u64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Adds what this one has counted to a sum of several.
    pub fn add_to(&self, counted: &mut Counted) {
        counted.counts.resize(self.counts.len(), 0);
        for (sum, count) in counted.counts.iter_mut().zip(&self.counts) {
            *sum += count.load(Relaxed);
        }
        counted.sum += self.sum.load(Relaxed);
        counted.bounds = self.bounds;
    }
}

/// A histogram as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub bounds: &'static [u64],
    /// One for each bound, and one for what is beyond the last.
    pub counts: Vec<u64>,
    pub sum: u64,
}

/// Of one partition.
pub struct Gauges {
    batches: Histogram,
    commits: Histogram,
    /// Commits whose outcome had to be looked up.
    unknown_commits: AtomicU64,
    failed_batches: AtomicU64,
    epoch: AtomicU64,
    /// First deadline still to be acted on (ms, UTC); `i64::MAX` for none.
    next_due: AtomicI64,
    /// Since when the batch at work is at work; 0 between batches.
    batch_since: AtomicU64,
    /// Since when committed records wait for the books; 0 where none does.
    behind_since: AtomicU64,
    /// Since when messages wait without any being applied; 0 where none waits.
    stalled_since: AtomicU64,
}

impl Default for Gauges {
    fn default() -> Gauges {
        Gauges {
            batches: Histogram::new(BATCH_BOUNDS),
            commits: Histogram::new(TIME_BOUNDS),
            unknown_commits: AtomicU64::new(0),
            failed_batches: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            next_due: AtomicI64::new(i64::MAX),
            batch_since: AtomicU64::new(0),
            behind_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(0),
        }
    }
}

impl Gauges {
    pub(crate) fn batch_begins(&self) {
        self.batch_since.store(now_us(), Relaxed);
    }

    pub(crate) fn batch_ends(&self, requests: usize, is_ok: bool, epoch: u64, next_due: Option<i64>) {
        if requests > 0 {
            self.batches.record(requests as u64);
        }
        if !is_ok {
            self.failed_batches.fetch_add(1, Relaxed);
        }
        self.epoch.store(epoch, Relaxed);
        self.next_due.store(next_due.unwrap_or(i64::MAX), Relaxed);
        self.batch_since.store(0, Relaxed);
    }

    /// Notes how long a commit took, whatever came of it.
    pub(crate) fn committing<T>(&self, commit: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = commit();
        self.commits.record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        done
    }

    pub(crate) fn commit_unknown(&self) {
        self.unknown_commits.fetch_add(1, Relaxed);
    }

    pub(crate) fn books_wait(&self) {
        if self.behind_since.load(Relaxed) == 0 {
            self.behind_since.store(now_us(), Relaxed);
        }
    }

    pub(crate) fn books_written(&self) {
        self.behind_since.store(0, Relaxed);
    }

    /// Messages were added or applied; `is_waiting`: whether any waits now.
    pub(crate) fn messages_moved(&self, is_waiting: bool, were_applied: bool) {
        if !is_waiting {
            self.stalled_since.store(0, Relaxed);
        } else if were_applied || self.stalled_since.load(Relaxed) == 0 {
            self.stalled_since.store(now_us(), Relaxed);
        }
    }

    pub fn add_batches_to(&self, counted: &mut Counted) {
        self.batches.add_to(counted);
    }

    pub fn add_commits_to(&self, counted: &mut Counted) {
        self.commits.add_to(counted);
    }

    /// What this partition's own threads have noted; the engine knows the rest.
    pub(crate) fn read(&self) -> Reading {
        let now = now_us();
        let age = |since: &AtomicU64| match since.load(Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_micros(now.saturating_sub(since)),
        };
        let next_due = self.next_due.load(Relaxed);
        Reading {
            epoch: self.epoch.load(Relaxed),
            unknown_commits: self.unknown_commits.load(Relaxed),
            failed_batches: self.failed_batches.load(Relaxed),
            next_due: (next_due != i64::MAX).then_some(next_due),
            batch_age: age(&self.batch_since),
            behind: age(&self.behind_since),
            stalled: age(&self.stalled_since),
            ..Reading::default()
        }
    }
}

/// How a partition does at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// This process works on it, or did until it stopped.
    pub is_here: bool,
    /// Takes requests here.
    pub is_writing: bool,
    /// Of the writer that worked last; 0 before the first batch.
    pub epoch: u64,
    /// Last committed record.
    pub seq: u64,
    /// Requests, and groups of them, that wait in the queue.
    pub queued: usize,
    /// Committed records whose lines are not in the books yet.
    pub records_behind: u64,
    /// For how long the oldest of them has waited.
    pub behind: Duration,
    /// The last attempt to write the books failed.
    pub is_stuck: bool,
    /// For how long the batch at work has been at work.
    pub batch_age: Duration,
    /// First deadline still to be acted on (ms, UTC).
    pub next_due: Option<i64>,
    /// Messages sent from here and not yet applied.
    pub messages: u64,
    /// For how long none of them has been applied.
    pub stalled: Duration,
    pub unknown_commits: u64,
    pub failed_batches: u64,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_under_the_first_bound_that_holds_it() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11] {
            histogram.record(value);
        }
        let mut counted = Counted::default();
        histogram.add_to(&mut counted);
        assert_eq!((counted.counts.as_slice(), counted.sum), ([2, 2, 1].as_slice(), 24));
        histogram.add_to(&mut counted);
        assert_eq!(counted.counts, [4, 4, 2], "several are added up");
    }

    #[test]
    fn what_waits_has_an_age_until_it_is_done() {
        let gauges = Gauges::default();
        assert_eq!(gauges.read(), Reading::default(), "nothing has happened");
        gauges.batch_begins();
        gauges.books_wait();
        gauges.messages_moved(true, false);
        let noted = (gauges.batch_since.load(Relaxed), gauges.behind_since.load(Relaxed), gauges.stalled_since.load(Relaxed));
        assert!(noted.0 > 0 && noted.1 > 0 && noted.2 > 0);
        // What comes later does not make the oldest younger.
        gauges.books_wait();
        gauges.messages_moved(true, false);
        assert_eq!((gauges.behind_since.load(Relaxed), gauges.stalled_since.load(Relaxed)), (noted.1, noted.2));
        gauges.batch_ends(3, false, 2, Some(7));
        gauges.books_written();
        gauges.messages_moved(false, true);
        assert_eq!(gauges.read(), Reading { epoch: 2, next_due: Some(7), failed_batches: 1, ..Reading::default() });
    }
}
