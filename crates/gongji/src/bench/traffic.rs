//! Transfers of a country that has settled: each day every holder sends once, in an order that looks random.

use super::under_way::{CHUNK, UnderWay};
use super::{bar, country, micros};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::store::Store;
use gongji_store::{Engine, Options};
use gongji_wallet::command::RequestTransfer;
use gongji_wallet::{Command, Request};
use indicatif::ProgressBar;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A country at work.
pub struct Traffic {
    pub engine: Arc<Engine>,
    clock: Arc<MovableClock>,
    parts: Part,
    /// People of each partition.
    holders: u64,
    /// Number of the next transfer, the same in each partition.
    pub next: u64,
}

/// What came of some transfers.
pub struct Told {
    pub asked: u64,
    pub refused: u64,
    pub elapsed: Duration,
    /// From handing each chunk in to having all its answers (µs), in order of size.
    pub latencies: Vec<u64>,
}

impl Told {
    pub fn per_s(&self) -> u64 {
        per_s(self.asked - self.refused, self.elapsed)
    }
}

pub fn per_s(count: u64, elapsed: Duration) -> u64 {
    u64::try_from(u128::from(count) * 1_000_000 / elapsed.as_micros().max(1)).unwrap_or(u64::MAX)
}

impl Traffic {
    /// Starts an engine on an empty store and lets `holders` settle in each partition.
    pub async fn settle(store: Arc<dyn Store>, options: Options, holders: u64) -> anyhow::Result<Traffic> {
        let (parts, clock) = (options.parts, country::eve());
        let engine = Arc::new(Engine::start(store, clock.clone(), options)?);
        country::open_areas(&engine).await?;
        engine.settle().await?;
        let making = bar(holders * u64::from(parts), "建立参保人");
        for part in 1..=parts {
            country::settle_people(&engine, part, holders, clock.now(), &making).await?;
        }
        making.finish_and_clear();
        engine.flush().await;
        Ok(Traffic { engine, clock, parts, holders, next: 0 })
    }

    /// Goes on in a country that somebody else has settled, on the day after `last_stamp`.
    pub fn resume(store: Arc<dyn Store>, options: Options, holders: u64, last_stamp: i64) -> anyhow::Result<Traffic> {
        let (parts, day) = (options.parts, day_after(last_stamp));
        let clock = Arc::new(MovableClock::standing(country::morning(day)));
        let engine = Arc::new(Engine::start(store, clock.clone(), options)?);
        Ok(Traffic { engine, clock, parts, holders, next: day * holders })
    }

    /// Makes `count` transfers in each partition, as fast as they are taken or `pace` a second, and tells when all are durable. The requests are
    /// made before the time begins to count, as those of the HTTP part are.
    pub async fn drive(&mut self, count: u64, pace: Option<u64>, bar: &ProgressBar) -> anyhow::Result<Told> {
        let mut days = Vec::new();
        let end = self.next + count;
        while self.next < end {
            let day = self.next / self.holders;
            let until = ((day + 1) * self.holders).min(end);
            let size = pace.map_or(CHUNK as u64, |pace| (pace / 100).clamp(1, CHUNK as u64));
            let now = country::morning(day);
            let of = |part| chunks(part, self.next, until, self.holders, now, usize::try_from(size).expect("a chunk is small"));
            days.push((now, (1..=self.parts).map(of).collect::<Vec<_>>()));
            self.next = until;
        }
        let mut told = Told { asked: count * u64::from(self.parts), refused: 0, elapsed: Duration::ZERO, latencies: Vec::new() };
        let begin = Instant::now();
        let mut asked = 0;
        for (now, parts) in days {
            // One who sends today has been answered yesterday.
            self.clock.set(now);
            let count: u64 = parts.first().map_or(0, |chunks| chunks.iter().map(|chunk| chunk.len() as u64).sum());
            let feeders = parts.into_iter().zip(1..).map(|(chunks, part)| {
                let pace = pace.map(|pace| (begin, asked, pace));
                tokio::spawn(feed(self.engine.clone(), part, chunks, pace, bar.clone()))
            });
            for feeder in feeders.collect::<Vec<_>>() {
                let (refused, latencies) = feeder.await??;
                told.refused += refused;
                told.latencies.extend(latencies);
            }
            asked += count;
        }
        told.elapsed = begin.elapsed();
        told.latencies.sort_unstable();
        Ok(told)
    }

    /// The next transfer, to be asked for by itself; on its day.
    pub fn next_request(&mut self, part: Part) -> Request {
        let number = self.next;
        self.next += 1;
        self.clock.set(country::morning(number / self.holders));
        request(transfer_of(part, number, self.holders), number)
    }

    /// Stops everything and writes the books to their end.
    pub fn stop(self) {
        self.engine.stop();
    }
}

/// The bench's day after a moment.
pub fn day_after(stamp: i64) -> u64 {
    u64::try_from((stamp - country::morning(0)).div_euclid(gongji_wallet::day::DAY_MS) + 1).unwrap_or(0)
}

/// Feeds a partition; `pace` says when the first transfer was due, how many came before, and how many are due in a second.
async fn feed(
    engine: Arc<Engine>,
    part: Part,
    chunks: Vec<Vec<Request>>,
    pace: Option<(Instant, u64, u64)>,
    bar: ProgressBar,
) -> anyhow::Result<(u64, Vec<u64>)> {
    let (mut refused, mut latencies) = (0, Vec::with_capacity(chunks.len()));
    let mut under_way = UnderWay::new();
    // In the order of the chunks: whatever the bar has counted has been answered.
    let mut told = |came: Option<(u64, u64, u64)>| {
        if let Some((count, chunk_refused, latency)) = came {
            bar.inc(count);
            refused += chunk_refused;
            latencies.push(latency);
        }
    };
    let mut ahead = 0;
    for chunk in chunks {
        if let Some((begin, before, pace)) = pace {
            let due = begin + Duration::from_micros((before + ahead) * 1_000_000 / pace.max(1));
            tokio::time::sleep_until(due.into()).await;
        }
        let count = chunk.len() as u64;
        ahead += count;
        let engine = engine.clone();
        let asking = async move {
            let asked = Instant::now();
            let replies = engine.ask_all(part, chunk).await;
            let latency = micros(asked.elapsed());
            let mut refused = 0;
            for reply in replies {
                refused += u64::from(!country::credited(reply)?);
            }
            Ok((count, refused, latency))
        };
        told(under_way.add(asking).await?);
    }
    while let Some(came) = under_way.next().await? {
        told(Some(came));
    }
    Ok((refused, latencies))
}

fn chunks(part: Part, from: u64, until: u64, holders: u64, now: i64, size: usize) -> Vec<Vec<Request>> {
    let step = step(holders);
    let numbers: Vec<u64> = (from..until).collect();
    numbers.chunks(size).map(|chunk| chunk.iter().map(|number| request(numbered(part, *number, holders, step, now), *number)).collect()).collect()
}

fn request(transfer: RequestTransfer, number: u64) -> Request {
    let fingerprint = transfer.proof.map(|proof| proof.bound).unwrap_or_default();
    Request { idempotency: Some((country::key(number + 1), fingerprint)), command: Command::RequestTransfer(transfer) }
}

/// The transfer of that number, in a partition where `holders` live.
pub fn transfer_of(part: Part, number: u64, holders: u64) -> RequestTransfer {
    numbered(part, number, holders, step(holders), country::morning(number / holders))
}

fn numbered(part: Part, number: u64, holders: u64, step: u64, now: i64) -> RequestTransfer {
    let sender = HolderId::new(part, (number % holders).wrapping_mul(step) % holders + 1);
    country::transfer(sender, country::relative(sender), Fen(i64::try_from(number % 997 + 1).expect("small")), number, now)
}

/// A step through all holders that visits every one once: it shares no factor with their count.
fn step(holders: u64) -> u64 {
    let divisor = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (holders * 618 / 1_000..).find(|step| divisor(*step, holders) == 1).expect("some number shares no factor with another")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_every_holder_sends_once() {
        for holders in [2, 10, 1_000] {
            let senders: std::collections::BTreeSet<_> = (holders..2 * holders).map(|number| transfer_of(1, number, holders).sender).collect();
            assert_eq!(senders.len() as u64, holders);
        }
    }

    #[test]
    fn the_day_after_a_morning_is_the_next() {
        assert_eq!((day_after(country::morning(0) - 1), day_after(country::morning(0)), day_after(country::morning(7) + 1)), (0, 1, 8));
    }
}
