//! Transfers between relatives.

use super::{actor, proof, somebody, somebody_who, submit, tight};
use crate::fault::Kind;
use crate::world::World;
use gongji_ledger::{Fen, GrantKind, HolderId};
use gongji_wallet::command::{Command, RequestTransfer, transfer_binding};
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::{EMPLOYEE, TransferState};

pub fn send(world: &mut World) {
    let sender = if world.rng.percent(80) {
        somebody_who(world, |person| {
            let has_account = person.enrolment.is_some_and(|enrolment| enrolment.insurance == EMPLOYEE && !enrolment.pooled_only);
            person.is_insured() && !person.frozen && ((has_account && !person.personal_total().is_zero()) || !person.wallet_total().is_zero())
        })
    } else {
        somebody(world)
    };
    let mut receiver = somebody(world);
    if receiver == sender && world.rng.percent(95) {
        receiver = somebody(world);
    }
    if world.rng.percent(2) {
        receiver = HolderId::nobody(receiver.part());
    }
    let person = &world.model.people[&sender];
    let own: Fen = person.enrolment.and_then(|enrolment| person.personal.get(&enrolment.area).copied()).unwrap_or(Fen::ZERO);
    let free: Fen = person.lots_in_order().iter().filter(|(origin, ..)| origin.kind != GrantKind::Quota).map(|(_, sum, _)| *sum).sum();
    let has_account = person.enrolment.is_some_and(|enrolment| enrolment.insurance == EMPLOYEE && !enrolment.pooled_only);
    let from_wallet = if !has_account {
        world.rng.percent(95)
    } else if free.is_zero() {
        world.rng.percent(5)
    } else {
        own.is_zero() || world.rng.percent(45)
    };
    let there = if from_wallet { free } else { own };
    let amount = match world.rng.below(14) {
        0 => Fen(200_000),
        1 => Fen(200_001),
        2 => Fen(0),
        _ if there > Fen(200_000) => Fen(world.rng.between(1, 60_000)),
        _ => tight(world, there),
    };
    // A spouse is a spouse from both sides; now and then something else is said.
    let relation = match world.rng.below(30) {
        0 => 28,
        1 => 20,
        2 => 51,
        _ => 10,
    };
    let proof = proof(world, sender, transfer_binding(receiver, amount, from_wallet));
    let id = TransferId(world.rng.id(world.now()));
    submit(world, sender.part(), Command::RequestTransfer(RequestTransfer { id, sender, receiver, relation, amount, from_wallet, proof }));
    // While it is on its way.
    match world.rng.below(100) {
        0..=7 if world.model.people[&sender].is_related(receiver) => {
            world.faults.add(Kind::RelationEndedMidTransfer);
            submit(world, sender.part(), Command::EndRelation { holder: sender, by: sender, other: receiver });
        }
        8..=9 => super::people::change_insurance_of(world, sender),
        10 => super::people::die_now(world, sender),
        11 => super::people::change_insurance_of(world, receiver),
        _ => {}
    }
}

/// A transfer that waits; or, now and then, one that does not any more.
fn some_transfer(world: &mut World) -> Option<TransferId> {
    let waiting: Vec<TransferId> = world.model.people.values().flat_map(|person| person.incoming.iter().copied()).collect();
    if !waiting.is_empty() && world.rng.percent(85) {
        return world.rng.pick(&waiting).copied();
    }
    if world.rng.percent(60) {
        return None;
    }
    let back = world.rng.below(12);
    world.model.transfers.keys().rev().nth(back).copied()
}

#[derive(Clone, Copy)]
enum End {
    Accept,
    Decline,
    Cancel,
}

fn end(world: &mut World, id: TransferId, end: End) {
    let (sender, receiver) = (world.model.transfers[&id].transfer.sender, world.model.transfers[&id].transfer.receiver);
    let by = actor(world, receiver);
    let command = match end {
        End::Accept => Command::AcceptTransfer { id, receiver, by },
        End::Decline => Command::DeclineTransfer { id, receiver, by },
        End::Cancel => Command::CancelTransfer { id, sender },
    };
    submit(world, receiver.part(), command);
}

pub fn decide(world: &mut World) {
    let Some(id) = some_transfer(world) else { return };
    let receiver = world.model.transfers[&id].transfer.receiver;
    let lacks_wallet = world.model.people.get(&receiver).is_some_and(|person| person.wallet.is_none());
    if lacks_wallet && world.rng.percent(60) {
        super::people::open_wallet_of(world, receiver);
    }
    let chosen = match world.rng.below(10) {
        0 => End::Decline,
        1 => End::Cancel,
        _ => End::Accept,
    };
    end(world, id, chosen);
}

pub fn race(world: &mut World) {
    if let Some(id) = some_transfer(world)
        && world.config.has(Kind::RaceOfTerminalActions)
    {
        world.faults.add(Kind::RaceOfTerminalActions);
        for chosen in [End::Accept, End::Cancel, End::Decline, End::Accept] {
            if world.rng.percent(75) {
                end(world, id, chosen);
            }
        }
    }
}

/// The clock stands a millisecond before, at, or after the deadline of a waiting transfer, and everybody asks.
pub fn at_deadline(world: &mut World) {
    let waiting: Vec<TransferId> = world.model.people.values().flat_map(|person| person.incoming.iter().copied()).collect();
    let Some(id) = world.rng.pick(&waiting).copied() else { return };
    let (deadline, state) = (world.model.transfers[&id].transfer.deadline, world.model.transfers[&id].arrived);
    if deadline > world.now() && state == Some(TransferState::AwaitingRecipient) && world.config.has(Kind::DeadlineRace) {
        world.faults.add(Kind::DeadlineRace);
        let off = world.rng.between(-1, 1);
        world.set_now(deadline + off);
        for chosen in [End::Accept, End::Cancel, End::Decline] {
            if world.rng.percent(60) {
                end(world, id, chosen);
            }
        }
    }
}
