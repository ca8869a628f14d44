//! One run: founded, disturbed, calmed, and read from end to end.

use crate::config::{Config, Span};
use crate::country;
use crate::fault::{Counts, Kind};
use crate::finale;
use crate::model::Check;
use crate::rng::Rng;
use crate::workload;
use crate::world::World;
use gongji_ledger::Part;
use gongji_store::store::Store;
use gongji_wallet::day::{DAY_MS, HOUR_MS, date_of, day_from_date, day_of, instant};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::Ordering;

/// What a long run spans at least: twenty years and some days.
const YEARS_MS: i64 = 7_330 * DAY_MS;

/// Steps after which a long run ends all the same.
const STEPS_MAX: u32 = 100_000;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Over everything that happened: the same seed gives the same.
    pub digest: u64,
    pub faults: Counts,
    pub steps: u32,
    pub records: u64,
    pub requests: usize,
    pub transfers: usize,
    pub payments: usize,
    /// What was asked and what was answered, and how often.
    pub answers: BTreeMap<String, u64>,
    /// Simulated time (ms).
    pub lasted: i64,
}

/// What was wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    pub why: String,
    pub digest: u64,
    /// The last things that happened.
    pub last: Vec<String>,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// What the last panic of this thread said.
pub fn last_panic() -> String {
    PANIC.with_borrow(Clone::clone)
}

/// Panics of a run are findings: they are kept, not printed.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match IS_RUNNING.get() {
            true => PANIC.with_borrow_mut(|kept| *kept = info.to_string()),
            false => print(info),
        }));
    });
}

/// Runs one seed.
///
/// # Errors
/// The first thing that was not as it must be.
pub fn run(seed: u64, span: Span, is_told: bool) -> Result<Report, Failure> {
    keep_panics();
    let mut rng = Rng::new(seed);
    let config = Config::new(&mut rng, span);
    let mut world = World::new(seed, rng, config, is_told);
    let began = world.now();
    IS_RUNNING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| live(&mut world))).unwrap_or_else(|_| Err(format!("a panic: {}", last_panic())));
    IS_RUNNING.set(false);
    match outcome {
        Ok(()) => Ok(Report {
            digest: world.trace.digest(),
            faults: world.faults.clone(),
            steps: world.steps,
            records: world.records,
            requests: world.ops.len(),
            transfers: world.model.transfers.len(),
            payments: world.model.payments.len(),
            answers: world.model.told(),
            lasted: world.now() - began,
        }),
        Err(why) => Err(Failure { why, digest: world.trace.digest(), last: world.trace.last() }),
    }
}

fn live(world: &mut World) -> Check {
    country::found(world)?;
    let began = world.now();
    while world.steps < world.config.steps || (world.config.span == Span::Years && world.now() - began < YEARS_MS && world.steps < STEPS_MAX) {
        step(world)?;
        world.steps += 1;
    }
    finale::finish(world)
}

fn step(world: &mut World) -> Check {
    let small = world.rng.between(0, 40);
    world.set_now(world.now() + small);
    for process in &mut world.processes {
        process.paused = process.paused.saturating_sub(1);
    }
    if world.rng.percent(30) {
        world.tend()?;
    }
    match world.rng.below(100) {
        0..=27 => workload::act(world),
        28..=55 => {
            for _ in 0..1 + world.rng.below(6) {
                world.deliver()?;
            }
            Ok(())
        }
        56..=77 => match some_partition(world, true) {
            Some((process, part)) => world.batch(process, part),
            None => Ok(()),
        },
        78..=84 => {
            if let Some((process, part)) = some_partition(world, false) {
                world.project(process, part);
            }
            Ok(())
        }
        85..=92 => {
            if let Some((process, part)) = some_partition(world, false) {
                world.carry(process, part);
            }
            Ok(())
        }
        93..=95 => read(world),
        96..=97 if world.rng.percent(60) => disturb(world),
        _ => {
            pass_time(world);
            Ok(())
        }
    }
}

/// A partition of a process that is at work; one with something in its inbox, if asked for.
fn some_partition(world: &mut World, busy: bool) -> Option<(usize, Part)> {
    let working = world.processes.iter().enumerate().filter(|(_, process)| process.is_alive && process.paused == 0);
    let all: Vec<(usize, Part)> = working.flat_map(|(at, process)| process.parts.keys().map(move |part| (at, *part))).collect();
    if busy && world.rng.percent(90) {
        let has_work = |(at, part): &&(usize, Part)| world.processes[*at].inbox.get(part).is_some_and(|inbox| !inbox.is_empty());
        let busy: Vec<(usize, Part)> = all.iter().filter(has_work).copied().collect();
        if let Some(found) = world.rng.pick(&busy) {
            return Some(*found);
        }
    }
    world.rng.pick(&all).copied()
}

/// Somebody looks at a statement, once the books have come as far as memory.
fn read(world: &mut World) -> Check {
    let holder = workload::somebody(world);
    let Some(stepped) = world.owned(holder.part()) else { return Ok(()) };
    if stepped.progress().lines_seq < world.model.read[usize::from(holder.part())].seq {
        return Ok(());
    }
    let mut books = world.store.books(holder.part()).map_err(|fault| fault.to_string())?;
    crate::compare::statement(&mut books, &world.model.people[&holder], 30)
}

/// Time goes on: to the next minute, the next morning, the next deadline; in a long run by weeks.
fn pass_time(world: &mut World) {
    let now = world.now();
    let today = day_of(now);
    // Most of the time little happens to the clock while something is on its way.
    let is_quiet = world.network.len() < 3;
    if !is_quiet && world.rng.percent(85) {
        return;
    }
    if world.config.span == Span::Years && world.rng.percent(75) {
        let to = if world.rng.percent(8) { next_edge(now) + world.rng.between(-1, 1) } else { now + world.rng.between(1, 80 * DAY_MS) };
        let to = if world.rng.percent(70) { instant(day_of(to), 6 * 60 + 30).max(now) } else { to };
        world.set_now(to.max(now));
        return;
    }
    let to = match world.rng.below(if is_quiet { 16 } else { 40 }) {
        4 => now + world.rng.between(0, 3 * HOUR_MS),
        5 => instant(today + 1, 0) + world.rng.between(-2, 2),
        6 => instant(today, 22 * 60) + world.rng.between(-2, 2),
        7 => instant(today + 1, 6 * 60) + world.rng.between(-2, 2),
        8 => instant(today + 1, 10 * 60),
        0..=3 => now + world.rng.between(0, 30_000),
        _ => now + world.rng.between(0, 2_000),
    };
    // Nobody sends money at night: go on to the morning, mostly.
    let to = if gongji_wallet::day::ms_of_day(to) < 6 * HOUR_MS && world.rng.percent(70) { instant(day_of(to), 6 * 60 + 30) } else { to };
    world.set_now(now.max(to));
}

/// The next midnight at which a calendar can go wrong: into a leap day, out of one, into a year.
fn next_edge(now: i64) -> i64 {
    let (year, ..) = date_of(day_of(now));
    let edges = (year..year + 9).flat_map(|year| [(year, 2, 29), (year, 3, 1), (year + 1, 1, 1)]);
    let days = edges.filter(|(year, month, _)| *month != 3 || day_from_date(*year, 2, 29).is_some());
    let instants = days.filter_map(|(year, month, day)| day_from_date(year, month, day)).map(|day| instant(day, 0));
    instants.filter(|edge| *edge > now + 1).min().expect("every year ends")
}

/// Something breaks.
fn disturb(world: &mut World) -> Check {
    let kinds = [
        Kind::ProcessCrash,
        Kind::PowerCut,
        Kind::BooksDeleted,
        Kind::ProcessPause,
        Kind::TakeOver,
        Kind::ClockForward,
        Kind::ClockBackward,
        Kind::ClockSkew,
        Kind::DiskFull,
        Kind::MessageLate,
    ];
    for process in 0..world.processes.len() {
        if !world.processes[process].is_alive && world.rng.percent(50) {
            world.restart(process);
        }
    }
    let full = std::mem::take(&mut world.fates.lock().expect("nobody panics with the fates in hand").full);
    if !full.is_empty() {
        return Ok(());
    }
    let kind = kinds[world.rng.below(kinds.len())];
    if !world.config.has(kind) {
        return Ok(());
    }
    let process = world.rng.below(world.processes.len());
    world.trace.note(format_args!("{} {kind:?} {process}", world.now()));
    world.faults.add(kind);
    let off = &world.processes[process].clock.clone().off;
    match kind {
        Kind::ProcessCrash => world.crash(process),
        Kind::PowerCut => world.power_cut(),
        Kind::BooksDeleted => {
            world.power_cut();
            let part = world.rng.below(usize::from(world.config.parts) + 1) as Part;
            world.store.lose_books(part);
        }
        Kind::ProcessPause => {
            world.processes[process].paused = 20 + world.rng.below(150) as u32;
            if world.rng.percent(60) {
                give_away(world, process)?;
            }
        }
        Kind::TakeOver => {
            let part = world.rng.below(usize::from(world.config.parts) + 1) as Part;
            let to = world.rng.below(world.processes.len());
            if world.processes[to].is_alive {
                world.owner[usize::from(part)] = to;
                world.take_over(part, to)?;
            }
        }
        Kind::ClockForward => {
            let by = if world.rng.percent(10) { world.rng.between(0, 2 * HOUR_MS) } else { world.rng.between(1, 5_000) };
            off.fetch_add(by, Ordering::Relaxed);
        }
        Kind::ClockBackward => {
            let by = if world.rng.percent(10) { world.rng.between(0, 2 * HOUR_MS) } else { world.rng.between(1, 5_000) };
            off.fetch_sub(by, Ordering::Relaxed);
        }
        Kind::ClockSkew => off.store(world.rng.between(-2_000, 2_000), Ordering::Relaxed),
        Kind::DiskFull => {
            let part = world.rng.below(usize::from(world.config.parts) + 1) as Part;
            world.fates.lock().expect("nobody panics with the fates in hand").full.insert(part);
        }
        _ => {
            let late = std::mem::take(&mut world.late);
            world.network.extend(late);
        }
    }
    Ok(())
}

/// The partitions of a process that stands still go to others, which it does not know.
fn give_away(world: &mut World, from: usize) -> Check {
    let others: Vec<usize> = (0..world.processes.len()).filter(|at| *at != from && world.processes[*at].is_alive && world.processes[*at].paused == 0).collect();
    for part in world.part_numbers() {
        if world.owner[usize::from(part)] == from
            && let Some(to) = world.rng.pick(&others).copied()
        {
            world.owner[usize::from(part)] = to;
            world.take_over(part, to)?;
        }
    }
    Ok(())
}
