//! What a person costs in memory, and that a setting bounds it.
//!
//! Everybody has received from two relatives and has sent to two: two lots, four relations, nothing waiting. A fresh process takes all of them into
//! memory by looking at each for a decision. The first half fills the caches and tables that every process has; what the second half adds is theirs.

use super::child::{self, Own};
use super::country::{self, AREAS, FIRST};
use super::figures::Memory;
use super::under_way::{CHUNK, UnderWay};
use super::{Plan, bar, machine};
use anyhow::{Context, bail, ensure};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::sqlite::SqliteStore;
use gongji_store::{Engine, Options};
use gongji_wallet::command::RequestTransfer;
use gongji_wallet::{Command, Decision, Outcome, Reason, Request};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PART: Part = 1;

/// Each gives to the next two of a circle of five, and so has to do with all four others.
const CIRCLE: u64 = 5;

#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    folder: PathBuf,
    holders: u64,
    /// How many people may stay in memory.
    limit: usize,
}

/// Bytes that the process has to itself: at the start, with half of the people, with all.
#[derive(Debug, Serialize, Deserialize)]
struct Sizes {
    empty: u64,
    half: u64,
    all: u64,
}

pub(super) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Memory> {
    machine::resident()?;
    let holders = plan.memory_holders.next_multiple_of(2 * CIRCLE);
    let (lots, relations) = settle(folder, holders).await?;
    let limit = usize::try_from(holders / 4)?;
    let free = sizes(Task { folder: folder.to_owned(), holders, limit: usize::MAX }).await?;
    let limited = sizes(Task { folder: folder.to_owned(), holders, limit }).await?;
    crate::verify::run(folder, true)?;
    Ok(Memory {
        holders,
        lots,
        relations,
        bytes_per_holder: free.all.saturating_sub(free.half) / (holders / 2),
        grown: free.all.saturating_sub(free.empty),
        limit: limit as u64,
        limited_half: limited.half.saturating_sub(limited.empty),
        limited_all: limited.all.saturating_sub(limited.empty),
    })
}

/// Makes the people. Tells how many lots and relations each of them has.
async fn settle(folder: &Path, holders: u64) -> anyhow::Result<(usize, usize)> {
    let clock = country::eve();
    let engine = Arc::new(Engine::start(Arc::new(SqliteStore::open(folder, 1)?), clock.clone(), Options::new(1))?);
    country::open_areas(&engine).await?;
    let making = bar(holders, "建立参保人");
    country::file_people(&engine, PART, holders, |serial| AREAS[usize::from(serial % 2 == 1)], &making).await?;
    making.finish_and_clear();
    for (step, from) in [(1, FIRST), (2, FIRST + holders)] {
        let next = |serial: u64| (serial - 1) / CIRCLE * CIRCLE + (serial - 1 + step) % CIRCLE + 1;
        let pairs: Vec<_> = (1..=holders).map(|serial| (HolderId::new(PART, serial), HolderId::new(PART, next(serial)))).collect();
        country::acquaint(&engine, &pairs, from, clock.now()).await?;
    }
    engine.flush().await;
    let holder = |serial| engine.holder(HolderId::new(PART, serial))?.context("everybody is on file");
    let (first, last) = (holder(1)?, holder(holders)?);
    let of = |person: &gongji_wallet::object::Holder| (person.wallet.as_ref().map_or(0, |wallet| wallet.lots.len()), person.relations.len());
    ensure!(of(&first) == of(&last), "everybody has as many relatives as everybody");
    engine.stop();
    Ok(of(&first))
}

async fn sizes(task: Task) -> anyhow::Result<Sizes> {
    let mut own = Own::start(&child::Task::Memory(task))?;
    let sizes = own.told().await?;
    own.end().await?;
    Ok(sizes)
}

/// Takes everybody into memory, and tells how large that makes the process.
///
/// # Errors
/// Any fault of the engine.
pub async fn read(task: Task) -> anyhow::Result<()> {
    let last = SqliteStore::last_stamp(&task.folder, 1)?;
    let mut options = Options::new(1);
    options.limits.people = task.limit;
    let engine = Arc::new(Engine::start(Arc::new(SqliteStore::open(&task.folder, 1)?), Arc::new(MovableClock::standing(last)), options)?);
    let empty = machine::resident()?;
    look_at(&engine, 1..=task.holders / 2).await?;
    let half = machine::resident()?;
    look_at(&engine, task.holders / 2 + 1..=task.holders).await?;
    let all = machine::resident()?;
    engine.stop();
    child::tell(&Sizes { empty, half, all })
}

/// Lets the writer look at people: each asks for a transfer without having proved who asks, which is refused and leaves nothing behind.
async fn look_at(engine: &Arc<Engine>, serials: RangeInclusive<u64>) -> anyhow::Result<()> {
    let serials: Vec<u64> = serials.collect();
    let mut under_way = UnderWay::new();
    for chunk in serials.chunks(CHUNK) {
        let requests: Vec<Request> = chunk.iter().map(|serial| unproved(HolderId::new(PART, *serial))).collect();
        let engine = engine.clone();
        let looking = async move {
            for reply in engine.ask_all(PART, requests).await {
                match reply?.decision {
                    Decision::New(Outcome::Refused(reasons)) if reasons == [Reason::ProofMissing] => {}
                    other => bail!("a transfer without proof came to {other:?}"),
                }
            }
            Ok(())
        };
        under_way.add(looking).await?;
    }
    while under_way.next().await?.is_some() {}
    Ok(())
}

fn unproved(sender: HolderId) -> Request {
    let transfer = country::transfer(sender, country::relative(sender), Fen(1), 0, 0);
    Request { idempotency: None, command: Command::RequestTransfer(RequestTransfer { proof: None, ..transfer }) }
}
