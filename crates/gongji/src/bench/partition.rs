//! The core: one partition on the embedded store, fed as fast as it takes.

use super::{CoreFigures, Plan, country, quantile};
use anyhow::ensure;
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::clock::MovableClock;
use gongji_store::sqlite::SqliteStore;
use gongji_store::{Engine, Options};
use gongji_wallet::{Command, Request};
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const PART: Part = 1;

/// Transfers handed in at once.
const BATCH: u64 = 4_096;

pub(super) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<CoreFigures> {
    let clock = Arc::new(MovableClock::standing(country::first_morning() - gongji_wallet::day::DAY_MS));
    let store = Arc::new(SqliteStore::open(folder, 1)?);
    let engine = Arc::new(Engine::start(store, clock.clone(), Options::new(1))?);
    country::open_areas(&engine).await?;
    let making = bar(plan.holders, "建立参保人");
    country::settle_people(&engine, PART, plan.holders, gongji_store::clock::Clock::now(&*clock), |count| making.inc(count)).await?;
    making.finish_and_clear();
    engine.flush().await;
    let (journal_before, books_before) = sizes(folder)?;

    let bar = bar(plan.transfers, "转账");
    let begin = Instant::now();
    let (mut refused, mut latencies) = (0, Vec::new());
    let mut number = 0;
    while number < plan.transfers {
        // One round through all holders is one day: each sends once, in an order that looks random.
        let day = number / plan.holders;
        let now = country::morning(day);
        clock.set(now);
        let end = ((day + 1) * plan.holders).min(plan.transfers);
        let told = part_of_day(&engine, PART, number..end, plan.holders, now, &bar).await?;
        refused += told.refused;
        latencies.extend(told.latencies);
        number = end;
    }
    let elapsed = begin.elapsed();
    bar.finish_and_clear();
    let behind = Instant::now();
    engine.flush().await;
    let catch_up = behind.elapsed();
    ensure!(refused * 1_000 <= plan.transfers, "{refused} of {} transfers were refused", plan.transfers);
    let (journal, books) = sizes(folder)?;
    Arc::into_inner(engine).expect("all batches have come back").stop();
    crate::verify::run(folder, true)?;
    latencies.sort_unstable();
    let count = plan.transfers - refused;
    Ok(CoreFigures {
        holders: plan.holders,
        transfers: plan.transfers,
        refused,
        transfers_per_s: u64::try_from(u128::from(count) * 1_000_000 / elapsed.as_micros())?,
        p50_us: quantile(&latencies, 500),
        p99_us: quantile(&latencies, 990),
        catch_up_ms: u64::try_from(catch_up.as_millis())?,
        journal_bytes_per_transfer: journal.saturating_sub(journal_before) / plan.transfers,
        books_bytes_per_transfer: books.saturating_sub(books_before) / plan.transfers,
    })
}

/// What came of some transfers.
pub(super) struct Told {
    pub refused: u64,
    /// From handing each batch in to having all its answers (µs).
    pub latencies: Vec<u64>,
}

/// Makes the transfers of those numbers in one partition, as fast as it takes them.
pub(super) async fn part_of_day(engine: &Arc<Engine>, part: Part, numbers: Range<u64>, holders: u64, now: i64, bar: &ProgressBar) -> anyhow::Result<Told> {
    let Range { start: mut number, end } = numbers;
    let mut told = Told { refused: 0, latencies: Vec::new() };
    let mut under_way = std::collections::VecDeque::new();
    while number < end || !under_way.is_empty() {
        // Two batches under way: one is decided while the other is made.
        while number < end && under_way.len() < 2 {
            let requests = batch(part, number, (number + BATCH).min(end), holders, now);
            number = (number + BATCH).min(end);
            let engine = engine.clone();
            let asked = Instant::now();
            under_way.push_back(tokio::spawn(async move { (engine.ask_all(part, requests).await, asked.elapsed()) }));
        }
        let Some(first) = under_way.pop_front() else { break };
        let (replies, elapsed) = first.await?;
        bar.inc(replies.len() as u64);
        told.latencies.push(u64::try_from(elapsed.as_micros())?);
        for reply in replies {
            told.refused += u64::from(!country::credited(reply)?);
        }
    }
    Ok(told)
}

fn batch(part: Part, from: u64, to: u64, holders: u64, now: i64) -> Vec<Request> {
    (from..to)
        .map(|number| {
            // A step that shares no factor with the count visits every holder once.
            let step = coprime_near(holders * 618 / 1000, holders);
            let sender = HolderId::new(part, (number % holders).wrapping_mul(step) % holders + 1);
            let receiver = country::relative(sender);
            let amount = Fen(i64::try_from(number % 997 + 1).expect("small"));
            let transfer = country::transfer(sender, receiver, amount, number, now);
            let fingerprint = transfer.proof.map(|proof| proof.bound).unwrap_or_default();
            Request { idempotency: Some((country::key(number + 1), fingerprint)), command: Command::RequestTransfer(transfer) }
        })
        .collect()
}

fn coprime_near(mut step: u64, count: u64) -> u64 {
    let divisor = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    while divisor(step, count) != 1 {
        step += 1;
    }
    step
}

/// Bytes of journal and books on disk.
fn sizes(folder: &Path) -> anyhow::Result<(u64, u64)> {
    let part = folder.join(format!("p{PART:02}"));
    let of = |name: &str| std::fs::metadata(part.join(name)).map(|file| file.len());
    Ok((of("journal.sqlite")?, of("books.sqlite")?))
}

pub(super) fn bar(count: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} 剩 {eta}").expect("the template is well formed");
    ProgressBar::new(count).with_style(style).with_message(what)
}
