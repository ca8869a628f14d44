//! The core on PostgreSQL: one partition or several, each fed as fast as it takes.

use super::partition::{bar, part_of_day};
use super::{CoreFigures, DatabasePlan, Plan, country, quantile};
use crate::kept::Kept;
use anyhow::ensure;
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::postgres::PostgresStore;
use gongji_store::{Engine, Options};
use std::sync::Arc;
use std::time::Instant;

/// People and transfers are spread evenly over the partitions; both of a pair live in the same.
pub(super) async fn measure(plan: &Plan, database: &DatabasePlan) -> anyhow::Result<CoreFigures> {
    let parts = database.partitions;
    let store = PostgresStore::open(&database.url, parts)?;
    ensure!(store.last_stamp()? == 0, "the database holds a ledger already; the bench wants an empty one");
    let clock = Arc::new(MovableClock::standing(country::first_morning() - gongji_wallet::day::DAY_MS));
    let engine = Arc::new(Engine::start(Arc::new(store.clone()), clock.clone(), Options::new(parts))?);
    country::open_areas(&engine).await?;
    engine.settle().await?;
    let holders = (plan.holders / u64::from(parts)).next_multiple_of(2);
    let transfers = plan.transfers / u64::from(parts);
    let making = bar(holders * u64::from(parts), "建立参保人");
    for part in 1..=parts {
        country::settle_people(&engine, part, holders, clock.now(), |count| making.inc(count)).await?;
    }
    making.finish_and_clear();
    engine.flush().await;
    let before = store.sizes()?;

    let bar = bar(transfers * u64::from(parts), "转账");
    let begin = Instant::now();
    let (mut refused, mut latencies) = (0, Vec::new());
    let mut number = 0;
    while number < transfers {
        let day = number / holders;
        let now = country::morning(day);
        clock.set(now);
        let end = ((day + 1) * holders).min(transfers);
        let mut feeders = Vec::new();
        for part in 1..=parts {
            let (engine, bar) = (engine.clone(), bar.clone());
            feeders.push(tokio::spawn(async move { part_of_day(&engine, part, number..end, holders, now, &bar).await }));
        }
        for feeder in feeders {
            let told = feeder.await??;
            refused += told.refused;
            latencies.extend(told.latencies);
        }
        number = end;
    }
    let elapsed = begin.elapsed();
    bar.finish_and_clear();
    let behind = Instant::now();
    engine.flush().await;
    let catch_up = behind.elapsed();
    let transfers = transfers * u64::from(parts);
    ensure!(refused * 1_000 <= transfers, "{refused} of {transfers} transfers were refused");
    let after = store.sizes()?;
    Arc::into_inner(engine).expect("all batches have come back").stop();
    crate::verify::run_on(&Kept::database(&database.url, parts)?, true)?;
    latencies.sort_unstable();
    Ok(CoreFigures {
        holders: holders * u64::from(parts),
        transfers,
        refused,
        transfers_per_s: u64::try_from(u128::from(transfers - refused) * 1_000_000 / elapsed.as_micros())?,
        p50_us: quantile(&latencies, 500),
        p99_us: quantile(&latencies, 990),
        catch_up_ms: u64::try_from(catch_up.as_millis())?,
        journal_bytes_per_transfer: after.journal.saturating_sub(before.journal) / transfers,
        books_bytes_per_transfer: after.books.saturating_sub(before.books) / transfers,
    })
}
