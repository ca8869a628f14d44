//! What people, institutions and offices ask for: few of them always in the middle of things, balances tight, and whatever can race, races.

mod pay;
mod people;
mod send;

use crate::fault::Kind;
use crate::model::Check;
use crate::world::{Op, World};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_wallet::clearing::{ClearingCommand, month_before, month_of, next_month};
use gongji_wallet::command::{Command, binding};
use gongji_wallet::day::day_of;
use gongji_wallet::ids::RequestKey;
use gongji_wallet::{Proof, Request};

/// One thing that somebody does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Send,
    DecideTransfer,
    RaceTransfer,
    Contribute,
    IssueCode,
    Pay,
    PayAtKeypad,
    GoOnWithPayment,
    RacePayment,
    Reverse,
    Premium,
    Agent,
    EndRelation,
    Freeze,
    Unfreeze,
    Die,
    Enrol,
    OpenWallet,
    ChangePlace,
    ChangeDirectory,
    Newcomer,
    Retry,
    AskAgain,
    OtherBody,
    AtDeadline,
    CutMonth,
}

impl Act {
    pub const ALL: [Act; 26] = {
        use Act::*;
        [
            Send,
            DecideTransfer,
            RaceTransfer,
            Contribute,
            IssueCode,
            Pay,
            PayAtKeypad,
            GoOnWithPayment,
            RacePayment,
            Reverse,
            Premium,
            Agent,
            EndRelation,
            Freeze,
            Unfreeze,
            Die,
            Enrol,
            OpenWallet,
            ChangePlace,
            ChangeDirectory,
            Newcomer,
            Retry,
            AskAgain,
            OtherBody,
            AtDeadline,
            CutMonth,
        ]
    };

    pub fn weight(self) -> u32 {
        match self {
            Act::Send => 90,
            Act::DecideTransfer => 50,
            Act::RaceTransfer | Act::RacePayment => 10,
            Act::Contribute => 18,
            Act::IssueCode => 30,
            Act::Pay => 50,
            Act::PayAtKeypad => 12,
            Act::GoOnWithPayment => 60,
            Act::Reverse => 8,
            Act::Premium => 12,
            Act::Agent => 8,
            Act::EndRelation => 6,
            Act::Freeze => 3,
            Act::Unfreeze => 6,
            Act::Die => 1,
            Act::Enrol => 8,
            Act::OpenWallet => 8,
            Act::ChangePlace => 6,
            Act::ChangeDirectory => 5,
            Act::Newcomer => 3,
            Act::Retry => 25,
            Act::AskAgain => 10,
            Act::OtherBody => 5,
            Act::AtDeadline => 8,
            Act::CutMonth => 2,
        }
    }
}

/// Somebody does something.
pub fn act(world: &mut World) -> Check {
    let weights = world.config.acts.clone();
    let Some(at) = world.rng.weighted(&weights) else { return Ok(()) };
    match Act::ALL[at] {
        Act::Send => send::send(world),
        Act::DecideTransfer => send::decide(world),
        Act::RaceTransfer => send::race(world),
        Act::AtDeadline => {
            if world.rng.percent(60) {
                send::at_deadline(world);
            } else {
                pay::at_deadline(world);
            }
        }
        Act::IssueCode => pay::issue_code(world),
        Act::Pay => pay::pay(world),
        Act::PayAtKeypad => pay::pay_at_keypad(world),
        Act::GoOnWithPayment => pay::go_on(world),
        Act::RacePayment => pay::race(world),
        Act::Reverse => pay::reverse(world),
        Act::Premium => pay::premium(world),
        Act::Contribute => people::contribute(world),
        Act::Agent => people::agent(world),
        Act::EndRelation => people::end_relation(world),
        Act::Freeze => people::freeze(world),
        Act::Unfreeze => people::unfreeze(world),
        Act::Die => people::die(world),
        Act::Enrol => people::enrol(world),
        Act::OpenWallet => people::open_wallet(world),
        Act::ChangePlace => people::change_place(world),
        Act::ChangeDirectory => people::change_directory(world),
        Act::Newcomer => people::newcomer(world),
        Act::CutMonth => cut_month(world),
        Act::Retry => retry(world),
        Act::AskAgain => ask_again(world),
        Act::OtherBody => other_body(world),
    }
    Ok(())
}

/// A client asks for something new. Returns the request's number.
pub fn submit(world: &mut World, part: Part, command: Command) -> usize {
    let key = key(world);
    submit_with(world, part, key, command)
}

fn submit_with(world: &mut World, part: Part, key: RequestKey, command: Command) -> usize {
    let fingerprint = binding("body", &[format!("{command:?}").as_bytes()]);
    world.trace.note(format_args!("{} ask {part} {:02x?} {command:?}", world.now(), &key.0[..8]));
    world.model.hear(part, key, fingerprint, &command);
    let request = Request { idempotency: Some((key, fingerprint)), command };
    world.ops.push(Op { part, key, fingerprint, request, tries: 0, heard: None });
    let op = world.ops.len() - 1;
    world.ask(op);
    op
}

/// Mostly made of the time, as clients should; sometimes of a clock that is wrong, or of nothing.
fn key(world: &mut World) -> RequestKey {
    let back = match world.rng.below(20) {
        0 => world.rng.between(0, 3 * 86_400_000),
        1 => world.rng.between(0, 400 * 86_400_000),
        2 => -world.rng.between(0, 60_000),
        _ => 0,
    };
    let mut bytes = world.rng.id(world.now() - back);
    if world.rng.percent(12) {
        bytes[0] |= 0x80;
    }
    RequestKey(bytes)
}

/// The month after the last one that was cut, or one that it is too early or too late for.
fn cut_month(world: &mut World) {
    let now = month_of(day_of(world.now()));
    let due = world.model.periods.last().map_or_else(|| month_before(now), |(last, _)| next_month(last));
    let period = match world.rng.below(8) {
        0 => next_month(due),
        1 => month_before(due),
        _ => due,
    };
    submit(world, 0, Command::Clearing(Box::new(ClearingCommand::Cut { period, by: "op-li".to_owned() })));
}

/// A request that nobody answered is asked again.
fn retry(world: &mut World) {
    let open: Vec<usize> = (world.ops.len().saturating_sub(80)..world.ops.len()).filter(|op| world.ops[*op].heard.is_none()).collect();
    if let Some(op) = world.rng.pick(&open).copied() {
        world.faults.add(Kind::RetrySameKey);
        world.ask(op);
    }
}

fn ask_again(world: &mut World) {
    if !world.ops.is_empty() && world.config.has(Kind::AnsweredAskedAgain) {
        let recent = world.rng.percent(70);
        let from = if recent { world.ops.len().saturating_sub(40) } else { 0 };
        let op = from + world.rng.below(world.ops.len() - from);
        if world.ops[op].heard.is_some() {
            world.faults.add(Kind::AnsweredAskedAgain);
            world.ask(op);
        }
    }
}

/// A key comes again with something else in it.
fn other_body(world: &mut World) {
    if world.ops.is_empty() || !world.config.has(Kind::KeyWithOtherBody) {
        return;
    }
    let from = world.ops.len().saturating_sub(60);
    let op = from + world.rng.below(world.ops.len() - from);
    let (part, key) = (world.ops[op].part, world.ops[op].key);
    let people: Vec<HolderId> = world.model.people.keys().copied().filter(|holder| holder.part() == part).collect();
    if let Some(holder) = world.rng.pick(&people).copied() {
        world.faults.add(Kind::KeyWithOtherBody);
        let amount = Fen(world.rng.between(1, 500));
        submit_with(world, part, key, Command::Contribute { holder, area: crate::country::AREAS[0], amount, month: 202_702 });
    }
}

/// Somebody: often one of the few who are always in the middle of things.
pub fn somebody(world: &mut World) -> HolderId {
    let people: Vec<HolderId> = world.model.people.keys().copied().collect();
    let hot = people.len().min(3);
    let at = if world.rng.percent(55) { world.rng.below(hot) } else { world.rng.below(people.len()) };
    people[at]
}

/// Somebody for whom this holds; else anybody.
pub fn somebody_who(world: &mut World, holds: impl Fn(&crate::model::Person) -> bool) -> HolderId {
    let fitting: Vec<HolderId> = world.model.people.iter().filter(|(_, person)| holds(person)).map(|(holder, _)| *holder).collect();
    match world.rng.pick(&fitting) {
        Some(holder) => *holder,
        None => somebody(world),
    }
}

/// Who acts for a person: the person, an agent, or now and then a stranger.
pub fn actor(world: &mut World, holder: HolderId) -> HolderId {
    let agents: Vec<HolderId> = world.model.people.get(&holder).into_iter().flat_map(|person| person.agents.iter().copied()).collect();
    match world.rng.below(20) {
        0 => somebody(world),
        1..=4 => world.rng.pick(&agents).copied().unwrap_or(holder),
        _ => holder,
    }
}

/// An amount that is tight against `there`.
pub fn tight(world: &mut World, there: Fen) -> Fen {
    let all = there.0.max(1);
    Fen(match world.rng.below(9) {
        0 => all,
        1 => all + 1,
        2 => (all - 1).max(1),
        3 => all / 2 + 1,
        4 => 1,
        _ => world.rng.between(1, all),
    })
}

/// A proof of identity of `by`: fresh and bound, but for now and then.
pub fn proof(world: &mut World, by: HolderId, bound: [u8; 16]) -> Option<Proof> {
    world.serial += 1;
    let mut proof = Proof { id: world.serial, holder: by, bound, expires: world.now() + 1_800_000 };
    match world.rng.below(60) {
        0 => return None,
        1 => proof.expires = world.now() - 1,
        2 => proof.bound = [0; 16],
        3..=5 if world.config.has(Kind::ProofShownTwice) => {
            // Somebody bends a proof to something else; when it was made stays so.
            let from = world.proofs.len().saturating_sub(6);
            let lately: Vec<Proof> = world.proofs[from..].iter().filter(|proof| proof.holder == by).copied().collect();
            if let Some(used) = world.rng.pick(&lately).copied() {
                world.faults.add(Kind::ProofShownTwice);
                proof = Proof { bound, ..used };
            }
        }
        _ => world.proofs.push(proof),
    }
    Some(proof)
}
