//! One caller who asks one thing at a time, beside the least that durability costs: one append of as many bytes, synced.

use super::figures::{Ratio, Runs, Single};
use super::traffic::{self, Traffic};
use super::{Plan, bar, country, micros, quantile};
use anyhow::{Context, ensure};
use gongji_ledger::Part;
use gongji_store::Options;
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const PART: Part = 1;

/// Transfers, and then appends, in a row: the disk has the same mood for both.
const IN_A_ROW: u64 = 100;

pub(super) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Single> {
    let holders = plan.single.next_multiple_of(2);
    let store = Arc::new(SqliteStore::open(folder, 1)?);
    let mut traffic = Traffic::settle(store.clone(), Options::new(1), holders).await?;
    let bar = bar(plan.single * plan.repeat as u64, "一次一笔");
    // The first is not counted; it tells how long a record is.
    let first = traffic.one_by_one(PART, 1).await?;
    let seq = traffic.engine.reading(PART).context("the partition is at work")?.seq;
    let record = store.journal(PART)?.records(seq - 1, 1)?;
    let bytes = record.first().map(|record| record.payload.len() + record.hash.len()).context("the record is there")?;
    let log = folder.join("appended");
    let mut refused = first.refused;
    let (mut transfers, mut transfers_p99, mut appends, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.repeat {
        let (mut asked, mut appended) = (Vec::new(), Vec::new());
        while (asked.len() as u64) < plan.single {
            let count = IN_A_ROW.min(plan.single - asked.len() as u64);
            let told = traffic.one_by_one(PART, count).await?;
            refused += told.refused;
            asked.extend(told.latencies);
            let log = log.clone();
            appended.extend(tokio::task::spawn_blocking(move || append(&log, bytes, count)).await??);
            bar.inc(count);
        }
        asked.sort_unstable();
        appended.sort_unstable();
        let (one, other) = (quantile(&asked, 500), quantile(&appended, 500));
        ratios.push(Ratio::of(one, other));
        transfers.push(one);
        transfers_p99.push(quantile(&asked, 990));
        appends.push(other);
    }
    bar.finish_and_clear();
    let asked = plan.single * plan.repeat as u64;
    ensure!(refused * 1_000 <= asked, "{refused} of {asked} transfers were refused");
    traffic.stop();
    std::fs::remove_file(log)?;
    crate::verify::run(folder, true)?;
    Ok(Single {
        transfers: plan.single,
        record_bytes: bytes as u64,
        p50_us: Runs::of(transfers),
        p99_us: Runs::of(transfers_p99),
        append_p50_us: Runs::of(appends),
        ratio: Ratio::median(ratios),
    })
}

impl Traffic {
    /// Asks for one transfer after the other, each when the one before is durable.
    async fn one_by_one(&mut self, part: Part, count: u64) -> anyhow::Result<traffic::Told> {
        let begin = Instant::now();
        let (mut refused, mut latencies) = (0, Vec::new());
        for _ in 0..count {
            let request = self.next_request(part);
            let asked = Instant::now();
            let reply = self.engine.ask(part, request).await;
            latencies.push(micros(asked.elapsed()));
            refused += u64::from(!country::credited(reply)?);
        }
        Ok(traffic::Told { asked: count, refused, elapsed: begin.elapsed(), latencies })
    }
}

/// Writes so many bytes behind the end of a file, `count` times, and syncs each time.
fn append(path: &Path, bytes: usize, count: u64) -> anyhow::Result<Vec<u64>> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let record = vec![0x5A; bytes];
    let mut latencies = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        file.write_all(&record)?;
        file.sync_data()?;
        latencies.push(micros(begin.elapsed()));
    }
    Ok(latencies)
}
