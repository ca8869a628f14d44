//! The second phase: faults stop, time goes on, and everything that was pending must come to its end; then journal, books and answers must agree.

use crate::audit;
use crate::compare;
use crate::model::{Check, ensure};
use crate::world::{Packet, World};
use gongji_store::store::Store;
use gongji_store::{Books, Fault, Stepped};
use gongji_wallet::day::DAY_MS;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Object, OrderState};
use std::collections::BTreeMap;

/// Rounds after which a world without faults must have come to rest.
const ROUNDS_MAX: u32 = 300;

/// Lets a world without faults work until nothing is left to do.
pub fn quiesce(world: &mut World) -> Check {
    for _ in 0..ROUNDS_MAX {
        world.tend()?;
        for op in 0..world.ops.len() {
            if world.ops[op].heard.is_none() && !world.network.iter().any(|packet| matches!(packet, Packet::Ask { op: asked } if *asked == op)) {
                world.ask(op);
            }
        }
        while !world.network.is_empty() {
            world.deliver()?;
        }
        let before = world.records;
        for part in world.part_numbers() {
            let process = world.owner[usize::from(part)];
            loop {
                world.batch(process, part)?;
                if world.processes[process].inbox.get(&part).is_none_or(|inbox| inbox.is_empty()) {
                    break;
                }
            }
            world.carry(process, part);
            world.project(process, part);
        }
        let is_heard = world.ops.iter().all(|op| op.heard.is_some());
        if is_heard && world.network.is_empty() && world.records == before && world.model.messages_under_way() == 0 {
            return Ok(());
        }
    }
    let unheard = world.ops.iter().filter(|op| op.heard.is_none()).count();
    Err(format!(
        "does not come to rest: {unheard} requests unanswered, {} messages under way, {} packets",
        world.model.messages_under_way(),
        world.network.len()
    ))
}

/// Faults are over: one after the other the processes start anew, with right clocks.
fn calm_down(world: &mut World) {
    world.is_calm = true;
    world.fates.lock().expect("nobody panics with the fates in hand").full.clear();
    let latest = world.model.read.iter().map(|read| read.stamp).max().unwrap_or(0);
    world.set_now(world.now().max(latest));
    if world.rng.percent(50) {
        restart_all(world);
    } else {
        // Nobody starts anew who does not have to: what a restart would put right must be right without it.
        for process in 0..world.processes.len() {
            world.processes[process].paused = 0;
            world.processes[process].clock.off.store(0, std::sync::atomic::Ordering::Relaxed);
            if !world.processes[process].is_alive {
                world.restart(process);
            }
        }
    }
    let late = std::mem::take(&mut world.late);
    world.network.extend(late);
}

fn restart_all(world: &mut World) {
    for process in 0..world.processes.len() {
        world.crash(process);
        world.restart(process);
        world.processes[process].clock.off.store(0, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Everything that can be pending has its end in sight.
fn nothing_is_pending(world: &World) -> Check {
    let model = &world.model;
    for (holder, person) in &model.people {
        ensure(person.outgoing.is_empty(), || format!("{holder:?} still waits for {:?}", person.outgoing))?;
        ensure(person.incoming.is_empty() && person.awaiting.is_zero(), || format!("{} still waits for {holder:?}", person.awaiting))?;
        ensure(person.open_payments.is_empty() && person.held.is_zero(), || format!("{} of {holder:?} is still held", person.held))?;
    }
    for (id, moving) in &model.transfers {
        ensure(moving.sent.is_final() && moving.arrived == Some(moving.sent), || format!("{id:?} is {:?} here and {:?} there", moving.sent, moving.arrived))?;
    }
    for (id, order) in &model.orders {
        ensure(order.state != OrderState::Placed, || format!("{id:?} was never decided"))?;
        if matches!(order.state, OrderState::Reversed | OrderState::ReversedUnheard)
            && let Some(paid) = model.payments.get(&order.payment)
        {
            ensure(paid.captured == paid.refunded && paid.remaining().is_zero(), || format!("{id:?} was reversed, and its payment keeps money"))?;
        }
    }
    ensure(!model.periods.is_cutting(), || "a period was never marked by every partition".to_owned())?;
    ensure(model.messages_under_way() == 0, || "messages are still under way".to_owned())?;
    ensure(model.in_transit().is_zero(), || format!("{} is still on its way", model.in_transit()))
}

/// The whole second phase.
pub fn finish(world: &mut World) -> Check {
    calm_down(world);
    quiesce(world)?;
    for _ in 0..3 {
        let deadlines = world.model.people.values().flat_map(|person| &person.incoming).map(|id| world.model.transfers[id].transfer.deadline);
        let expiries = world.model.people.values().flat_map(|person| &person.open_payments).map(|id| world.model.payments[id].expires);
        if let Some(last) = deadlines.chain(expiries).filter(|at| *at != i64::MAX).max() {
            // At the very instant it has passed.
            world.set_now(world.now().max(last));
        }
        quiesce(world)?;
    }
    nothing_is_pending(world)?;
    ask_again(world)?;
    flush(world)?;
    read_everything(world)?;
    rebuild(world)
}

/// Keys never expire: a year later the same request hears the same answer.
fn ask_again(world: &mut World) -> Check {
    world.set_now(world.now() + 400 * DAY_MS);
    let answered = world.answered;
    let asked: Vec<usize> = (0..world.ops.len()).filter(|_| world.rng.percent(40)).collect();
    for op in &asked {
        world.ask(*op);
    }
    let records: Vec<u64> = world.model.read.iter().map(|read| read.seq).collect();
    quiesce(world)?;
    let after: Vec<u64> = world.model.read.iter().map(|read| read.seq).collect();
    ensure(records == after, || "asking again a year later changed something".to_owned())?;
    ensure(world.answered == answered, || "an answer was not known any more".to_owned())
}

fn flush(world: &mut World) -> Check {
    world.tend()?;
    for part in world.part_numbers() {
        let process = world.owner[usize::from(part)];
        let stepped = world.processes[process].parts.get_mut(&part).ok_or("a partition does not start")?;
        for _ in 0..3 {
            stepped.project(true);
        }
        let (progress, seq) = (stepped.progress(), stepped.head().seq);
        ensure(progress.lines_seq == seq && !progress.is_stuck, || format!("the books of partition {part} end at {progress:?}, not at {seq}"))?;
    }
    Ok(())
}

/// Journal, books and model say the same of everything.
fn read_everything(world: &mut World) -> Check {
    for part in world.part_numbers() {
        let mut books = world.store.books(part).map_err(|fault| fault.to_string())?;
        read_books(world, part, &mut books)?;
        audit::compare(&mut world.auditor, part, &mut books)?;
    }
    world.auditor.finish().map(drop).map_err(|finding| format!("the auditor at the end: {}", finding.en()))?;
    audit::missing(&mut world.auditor)
}

fn read_books(world: &World, part: u16, books: &mut Books) -> Check {
    let model = &world.model;
    for (holder, known) in model.people.iter().filter(|(holder, _)| holder.part() == part) {
        let object = books.load(&Key::Holder(*holder)).map_err(|fault| fault.to_string())?;
        let Some(Object::Holder(found)) = object else { return Err(format!("{holder:?} is not in the books")) };
        compare::person(&found, known).map_err(|why| format!("books of {holder:?}: {why}"))?;
        compare::statement(books, known, usize::MAX)?;
    }
    for ((_, key), known) in model.answers.iter().filter(|((at, _), _)| *at == part) {
        let object = books.load(&Key::Answer(*key)).map_err(|fault| fault.to_string())?;
        let Some(Object::Answer(found)) = object else { return Err("an answer is not in the books".to_owned()) };
        ensure(found.outcome == known.outcome && found.fingerprint == known.fingerprint && found.seq == known.seq, || {
            format!("the books answer {:?}, it was {:?}", found.outcome, known.outcome)
        })?;
    }
    let outbox = books.outbox().map_err(|fault| fault.to_string())?;
    ensure(outbox.len() <= 64, || format!("{} messages stay in the outbox of partition {part}", outbox.len()))
}

/// What everything in the books comes to, byte for byte.
pub fn dump(store: &dyn Store, parts: u16) -> Result<BTreeMap<(u16, Vec<u8>), String>, String> {
    let mut all = BTreeMap::new();
    for part in 0..=parts {
        let mut books = store.books(part).map_err(|fault| fault.to_string())?;
        let read = books.each_object(&mut |key, object| {
            all.insert((part, gongji_store::store::encode_key(&key)), format!("{object:?}"));
            Ok(())
        });
        read.and_then(|()| {
            books.each_line(&mut |line| {
                let key = [&[255][..], &line.number.to_be_bytes()].concat();
                all.insert((part, key), format!("{line:?}"));
                Ok(())
            })
        })
        .and_then(|()| {
            books.each_taking(0, &mut |taking| {
                let key = [&[254][..], &taking.number.to_be_bytes()].concat();
                all.insert((part, key), format!("{taking:?}"));
                Ok(true)
            })
        })
        .map_err(|fault| fault.to_string())?;
    }
    Ok(all)
}

/// Books that are made anew from the journal are the same; a journal that was changed or cut is noticed.
fn rebuild(world: &mut World) -> Check {
    let before = dump(&world.store, world.config.parts)?;
    restart_all(world);
    for part in world.part_numbers() {
        world.store.lose_books(part);
    }
    flush(world)?;
    let after = dump(&world.store, world.config.parts)?;
    if before != after {
        let differs = before.iter().find(|(key, object)| after.get(*key) != Some(object)).or_else(|| after.iter().find(|(key, _)| !before.contains_key(*key)));
        return Err(format!("books made anew differ: {differs:?}"));
    }
    restart_all(world);
    if world.rng.percent(50) { lose_history(world) } else { tamper(world) }
}

/// A journal from an old copy: whoever starts all partitions must see that messages were received that nobody sent.
fn lose_history(world: &mut World) -> Check {
    let sent = world.model.read.iter().enumerate().find(|(_, read)| !read.sent.is_empty() && read.seq > 0);
    let Some((part, _)) = sent else { return Ok(()) };
    let part = part as u16;
    world.store.cut_journal(part, 0);
    world.store.lose_books(part);
    let start = |part| {
        let clock = world.processes[0].clock.clone();
        Stepped::start(std::sync::Arc::new(world.store.clone()), part, world.config.parts, world.config.limits, clock)
    };
    let started: Result<Vec<Stepped>, Fault> = world.part_numbers().map(start).collect();
    let checked = started.and_then(|started| Stepped::check_history(&started));
    ensure(matches!(checked, Err(Fault::Damaged(_))), || format!("a journal without its end is taken for whole: {checked:?}"))
}

/// One changed byte in a record that is replayed.
fn tamper(world: &mut World) -> Check {
    let longest = world.part_numbers().max_by_key(|part| world.store.landed(*part)).expect("there are partitions");
    let seq = 1 + world.rng.below(world.store.landed(longest) as usize) as u64;
    let bit = world.rng.draw();
    world.store.tamper(longest, seq, |record| match bit % 3 {
        0 => record.head.stamp += 1,
        1 => record.hash[5] ^= 1,
        _ => {
            let at = bit as usize % record.payload.len();
            record.payload[at] ^= 4;
        }
    });
    world.store.lose_books(longest);
    let clock = world.processes[0].clock.clone();
    let started = Stepped::start(std::sync::Arc::new(world.store.clone()), longest, world.config.parts, world.config.limits, clock).map(drop);
    ensure(matches!(started, Err(Fault::Damaged(_))), || format!("a changed record is taken for what was written: {started:?}"))
}
