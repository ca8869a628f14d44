//! A country with people and movements behind it: how fast it still is, how soon a first page of a statement comes while it writes, and how soon it
//! serves again after SIGKILL.
//!
//! A process of its own makes the country, measures, and goes on writing until it is killed. This one then starts an engine on what was left.

use super::child::{self, Own};
use super::figures::{Growth, Ratio, Restart, Runs, Statement};
use super::traffic::{Traffic, transfer_of};
use super::{Plan, Scenario, bar, country, micros, quantile};
use anyhow::{Context, ensure};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::clock::MovableClock;
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use gongji_store::{Engine, Options};
use gongji_wallet::{Command, Request};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const PART: Part = 1;

/// Transfers made in a row while the country grows: their requests are in memory at once.
const SLICE: u64 = 1_000_000;

/// Statement pages asked for in a second.
const PAGES_PER_S: u64 = 200;

/// Lines of a first page.
const PAGE_LINES: usize = 20;

#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    folder: PathBuf,
    holders: u64,
    /// Transfers to be made first; 0 where the country is there already.
    movements: u64,
    /// People kept in memory, if not as many as ever.
    people: Option<usize>,
    /// Transfers of a measured run, and runs.
    transfers: u64,
    repeat: usize,
    wants_growth: bool,
    /// Statement pages to be asked for.
    pages: u64,
    /// Transfers since the books were last written after which it tells that it may be killed; `None`: it is to stop.
    until_killed: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Measured {
    growth: Option<Growth>,
    statement: Option<Statement>,
}

/// It goes on writing; all transfers up to this one were acknowledged.
#[derive(Debug, Serialize, Deserialize)]
struct UnderFire {
    number: u64,
}

pub(super) struct Figures {
    pub growth: Option<Growth>,
    pub statement: Option<Statement>,
    pub restart: Option<Restart>,
}

pub(super) async fn measure(plan: &Plan, folder: &Path, core_per_s: Option<u64>) -> anyhow::Result<Figures> {
    let wants_restart = plan.wants(Scenario::Restart);
    let holders = plan.growth_holders.next_multiple_of(2);
    // Kills fall into all phases of the books, which are written every few hundred thousand transfers.
    let until_killed = |kill: usize| wants_restart.then(|| (plan.transfers * (kill as u64 + 1) / (plan.repeat as u64 * 4)).max(1));
    let mut task = Task {
        folder: folder.to_owned(),
        holders,
        movements: plan.growth_movements,
        people: plan.people,
        transfers: plan.transfers.min(holders),
        repeat: plan.repeat,
        wants_growth: plan.wants(Scenario::Growth),
        pages: if plan.wants(Scenario::Statement) { plan.pages } else { 0 },
        until_killed: until_killed(0),
    };
    let mut own = Own::start(&child::Task::Large(task))?;
    let mut measured: Measured = own.told().await?;
    if let (Some(growth), Some(core)) = (&mut measured.growth, core_per_s) {
        growth.ratio = Some(Ratio::of(growth.transfers_per_s.median, core));
    }
    let mut restarts = Vec::new();
    if wants_restart {
        for kill in 1..=plan.repeat {
            let UnderFire { number } = own.told().await?;
            own.kill().await?;
            restarts.push(restart(plan, folder, holders, number).await?);
            if kill == plan.repeat {
                break;
            }
            task = Task {
                folder: folder.to_owned(),
                holders,
                movements: 0,
                people: plan.people,
                transfers: 0,
                repeat: 0,
                wants_growth: false,
                pages: 0,
                until_killed: until_killed(kill),
            };
            own = Own::start(&child::Task::Large(task))?;
            own.told::<Measured>().await?;
        }
    } else {
        own.end().await?;
    }
    crate::verify::run(folder, true)?;
    let of = |figure: fn(&Restarted) -> u64| Runs::of(restarts.iter().map(figure).collect());
    let serving_ms = of(|restarted| restarted.serving_ms);
    Ok(Figures {
        growth: measured.growth,
        statement: measured.statement,
        restart: wants_restart.then(|| Restart {
            holders,
            movements: plan.growth_movements,
            slowest_ms: serving_ms.runs.iter().max().copied().unwrap_or_default(),
            serving_ms,
            tail_records: of(|restarted| restarted.tail_records),
            tail_events: of(|restarted| restarted.tail_events),
        }),
    })
}

fn options(people: Option<usize>) -> Options {
    let mut options = Options::new(1);
    options.limits.people = people.unwrap_or(options.limits.people);
    options
}

struct Restarted {
    serving_ms: u64,
    tail_records: u64,
    tail_events: u64,
}

/// Starts an engine on what a killed process left, and serves. Everything from opening the first file on counts, the log of the killed database too.
async fn restart(plan: &Plan, folder: &Path, holders: u64, acknowledged: u64) -> anyhow::Result<Restarted> {
    let begin = Instant::now();
    let store = Arc::new(SqliteStore::open(folder, 1)?);
    let day = super::traffic::day_after(SqliteStore::last_stamp(folder, 1)?);
    let books = store.books(PART)?.projected()?.objects_seq;
    let now = country::morning(day);
    let engine = Engine::start(store.clone(), Arc::new(MovableClock::standing(now)), options(plan.people))?;
    let head = engine.reading(PART).context("the partition is at work")?.seq;
    let sender = HolderId::new(PART, holders / 2 * 2 - 1);
    engine.holder(sender)?.context("a person is there after a restart")?;
    let transfer = country::transfer(sender, country::relative(sender), Fen(1), country::FIRST * 2 - 1 - day, now);
    let id = transfer.id;
    let credited = country::credited(engine.ask(PART, Request { idempotency: None, command: Command::RequestTransfer(transfer) }).await)?;
    let serving_ms = u64::try_from(begin.elapsed().as_millis())?;

    ensure!(credited && engine.outgoing(sender, id)?.is_some(), "a transfer is made after a restart");
    let last = transfer_of(PART, acknowledged, holders);
    ensure!(engine.outgoing(last.sender, last.id)?.is_some(), "transfer {acknowledged} was acknowledged and is lost");
    engine.stop();
    let (mut journal, mut seq, mut tail_events) = (store.journal(PART)?, books, 0);
    while seq < head {
        for record in journal.records(seq, 64)?.iter().filter(|record| record.head.seq <= head) {
            tail_events += record.events()?.len() as u64;
        }
        seq += 64;
    }
    Ok(Restarted { serving_ms, tail_records: head - books, tail_events })
}

/// Makes the country or goes on in it, measures what is asked for, and writes on until it is killed.
///
/// # Errors
/// Any fault of the engine, and more than one transfer in a thousand refused.
pub async fn write(task: Task) -> anyhow::Result<()> {
    let exists = SqliteStore::parts_of(&task.folder)?.is_some();
    let store = Arc::new(SqliteStore::open(&task.folder, 1)?);
    let mut traffic = if exists {
        Traffic::resume(store, options(task.people), task.holders, SqliteStore::last_stamp(&task.folder, 1)?)?
    } else {
        Traffic::settle(store, options(task.people), task.holders).await?
    };
    let growing = bar(task.movements, "往来");
    let mut left = task.movements;
    while left > 0 {
        left -= drive(&mut traffic, left.min(SLICE), None, &growing).await?.asked;
    }
    growing.finish_and_clear();

    let mut measured = Measured::default();
    let mut reached = Vec::new();
    if task.wants_growth || task.pages > 0 {
        traffic.engine.flush().await;
        let bar = bar(task.transfers * task.repeat as u64, "转账");
        for _ in 0..task.repeat {
            reached.push(drive(&mut traffic, task.transfers, None, &bar).await?.per_s());
            traffic.engine.flush().await;
        }
        bar.finish_and_clear();
    }
    let reached = Runs::of(reached);
    if task.pages > 0 {
        measured.statement = Some(pages(&mut traffic, &task, reached.median / 2).await?);
    }
    if task.wants_growth {
        measured.growth = Some(Growth { holders: task.holders, movements: task.movements, transfers_per_s: reached, ratio: None });
    }
    child::tell(&measured)?;
    let Some(until_killed) = task.until_killed else {
        traffic.stop();
        return Ok(());
    };
    traffic.engine.flush().await;
    let (first, fire) = (traffic.next, bar(until_killed, "转账,直到被杀掉"));
    let watched = fire.clone();
    tokio::spawn(async move {
        while watched.position() < until_killed {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child::tell(&UnderFire { number: first + watched.position() - 1 })
    });
    loop {
        drive(&mut traffic, until_killed * 4, None, &fire).await?;
    }
}

async fn drive(traffic: &mut Traffic, count: u64, pace: Option<u64>, bar: &indicatif::ProgressBar) -> anyhow::Result<super::traffic::Told> {
    let told = traffic.drive(count, pace, bar).await?;
    ensure!(told.refused * 1_000 <= told.asked, "{} of {} transfers were refused", told.refused, told.asked);
    Ok(told)
}

/// Asks for first pages at an even pace, whatever becomes of them, while transfers are written at `wanted` a second.
async fn pages(traffic: &mut Traffic, task: &Task, wanted: u64) -> anyhow::Result<Statement> {
    let engine = traffic.engine.clone();
    let (told, mut came) = mpsc::unbounded_channel();
    let (count, holders) = (task.pages, task.holders);
    let begin = Instant::now() + Duration::from_millis(10);
    let asking = tokio::spawn(async move {
        for number in 0..count {
            let due = begin + Duration::from_micros(number * 1_000_000 / PAGES_PER_S);
            tokio::time::sleep_until(due.into()).await;
            let holder = HolderId::new(PART, scattered(number, holders));
            let (engine, told) = (engine.clone(), told.clone());
            tokio::spawn(async move {
                let lines = engine.lines(holder, None, PAGE_LINES, |_| true).await;
                // Nobody waits for it once one has failed.
                let _ = told.send(lines.map(|lines| (lines.len() as u64, micros(due.elapsed()))));
            });
        }
    });
    let seconds = task.pages / PAGES_PER_S + 1;
    let written = drive(traffic, wanted.max(1) * seconds, Some(wanted.max(1)), &bar(wanted * seconds, "半速转账,同时翻明细")).await?;
    asking.await?;
    let (mut lines, mut latencies) = (0, Vec::new());
    while let Some(page) = came.recv().await {
        let (count, latency) = page?;
        ensure!(count > 0, "somebody who has sent has no lines");
        lines += count;
        latencies.push(latency);
    }
    latencies.sort_unstable();
    Ok(Statement {
        holders: task.holders,
        pages: task.pages,
        lines,
        wanted_per_s: wanted,
        written_per_s: written.per_s(),
        p50_us: quantile(&latencies, 500),
        p99_us: quantile(&latencies, 990),
        max_us: latencies.last().copied().unwrap_or_default(),
    })
}

/// A person by a number, as if drawn.
fn scattered(number: u64, holders: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) % holders + 1
}
