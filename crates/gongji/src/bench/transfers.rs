//! The core: transfers of random people, fed as fast as it takes them, on files or on PostgreSQL.

use super::figures::{Core, Runs};
use super::traffic::{Told, Traffic};
use super::{DatabasePlan, Plan, bar, quantile};
use crate::kept::Kept;
use anyhow::ensure;
use gongji_store::Options;
use gongji_store::postgres::PostgresStore;
use gongji_store::sqlite::SqliteStore;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// One partition on the embedded store.
pub(super) async fn on_files(plan: &Plan, folder: &Path) -> anyhow::Result<Core> {
    let mut traffic = Traffic::settle(Arc::new(SqliteStore::open(folder, 1)?), Options::new(1), plan.holders).await?;
    let before = sizes(folder)?;
    let measured = measure(&mut traffic, plan, plan.transfers).await?;
    traffic.stop();
    crate::verify::run(folder, true)?;
    // The files are closed: what was in their logs is in them now.
    measured.figures(plan.holders, before, sizes(folder)?)
}

/// People and transfers are spread evenly over the partitions; both of a pair live in the same.
pub(super) async fn on_database(plan: &Plan, database: &DatabasePlan) -> anyhow::Result<Core> {
    let parts = database.partitions;
    let store = PostgresStore::open(&database.url, parts)?;
    ensure!(store.last_stamp()? == 0, "the database holds a ledger already; the bench wants an empty one");
    let holders = (plan.holders / u64::from(parts)).next_multiple_of(2);
    let mut traffic = Traffic::settle(Arc::new(store.clone()), Options::new(parts), holders).await?;
    let before = store.sizes()?;
    let measured = measure(&mut traffic, plan, plan.transfers / u64::from(parts)).await?;
    traffic.stop();
    let after = store.sizes()?;
    crate::verify::run_on(&Kept::database(&database.url, parts)?, true)?;
    measured.figures(holders * u64::from(parts), (before.journal, before.books), (after.journal, after.books))
}

struct Measured {
    runs: Vec<Told>,
    catch_up_ms: Vec<u64>,
}

async fn measure(traffic: &mut Traffic, plan: &Plan, transfers: u64) -> anyhow::Result<Measured> {
    let mut measured = Measured { runs: Vec::new(), catch_up_ms: Vec::new() };
    let bar = bar(plan.transfers * plan.repeat as u64, "转账");
    for _ in 0..plan.repeat {
        measured.runs.push(traffic.drive(transfers, None, &bar).await?);
        let behind = Instant::now();
        traffic.engine.flush().await;
        measured.catch_up_ms.push(u64::try_from(behind.elapsed().as_millis())?);
    }
    bar.finish_and_clear();
    Ok(measured)
}

impl Measured {
    /// `before` and `after`: bytes of journal and books.
    fn figures(self, holders: u64, before: (u64, u64), after: (u64, u64)) -> anyhow::Result<Core> {
        let of = |figure: &dyn Fn(&Told) -> u64| Runs::of(self.runs.iter().map(figure).collect());
        let asked: u64 = self.runs.iter().map(|told| told.asked).sum();
        let refused: u64 = self.runs.iter().map(|told| told.refused).sum();
        ensure!(refused * 1_000 <= asked, "{refused} of {asked} transfers were refused");
        let (journal, books) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        Ok(Core {
            holders,
            transfers: self.runs.first().map_or(0, |told| told.asked),
            refused,
            transfers_per_s: of(&Told::per_s),
            p50_us: of(&|told| quantile(&told.latencies, 500)),
            p99_us: of(&|told| quantile(&told.latencies, 990)),
            catch_up_ms: Runs::of(self.catch_up_ms),
            journal_bytes_per_transfer: journal / asked.max(1),
            books_bytes_per_transfer: books / asked.max(1),
            bytes_per_transfer: (journal + books) / asked.max(1),
        })
    }
}

/// Bytes of journal and books on disk, without the logs that are as long as the largest transaction and no longer.
fn sizes(folder: &Path) -> anyhow::Result<(u64, u64)> {
    let part = folder.join("p01");
    let of = |name: &str| std::fs::metadata(part.join(name)).map(|file| file.len());
    Ok((of("journal.sqlite")?, of("books.sqlite")?))
}
