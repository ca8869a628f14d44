//! What happens to people, and what offices do: at the worst moment, if there is one.

use super::{actor, proof, somebody, somebody_who, submit};
use crate::country::{AREAS, enrolment, institution, institutions, person, premium};
use crate::fault::Kind;
use crate::world::World;
use gongji_ledger::{Fen, GrantKind, HolderId};
use gongji_wallet::command::{Command, place_binding};
use gongji_wallet::day::{day_of, year_of};
use gongji_wallet::directory::{DirectoryChange, Readiness};
use gongji_wallet::object::{EnrolmentStatus, FreezeReason};
use gongji_wallet::rules::{RuleChange, Scope, Setting};

/// Somebody with something pending, or anybody.
fn somebody_busy(world: &mut World) -> HolderId {
    if world.rng.percent(60) {
        somebody_who(world, |person| !person.outgoing.is_empty() || !person.incoming.is_empty() || !person.open_payments.is_empty())
    } else {
        somebody(world)
    }
}

fn is_busy(world: &World, holder: HolderId) -> bool {
    let person = &world.model.people[&holder];
    !person.outgoing.is_empty() || !person.incoming.is_empty() || !person.open_payments.is_empty()
}

pub fn contribute(world: &mut World) {
    // Also to those who have moved: their new account is empty whatever the old one holds.
    let is_poor_where_insured = |person: &crate::model::Person| {
        let balance = person.enrolment.and_then(|enrolment| person.personal.get(&enrolment.area).copied());
        !person.died && balance.is_none_or(|balance| balance < Fen(50_000))
    };
    let holder = somebody_who(world, is_poor_where_insured);
    let area = world.model.people[&holder].enrolment.map_or(AREAS[0], |enrolment| enrolment.area);
    let amount = Fen(match world.rng.below(10) {
        0 => 0,
        1 => 1,
        _ => world.rng.between(1, 200_000),
    });
    submit(world, holder.part(), Command::Contribute { holder, area, amount, month: 202_702 });
}

pub fn agent(world: &mut World) {
    let with_agents_code = |person: &crate::model::Person| person.agents.iter().any(|agent| person.code_by == Some(*agent));
    let holder = if world.rng.percent(30) { somebody_who(world, with_agents_code) } else { somebody(world) };
    let agents: Vec<HolderId> = world.model.people[&holder].agents.iter().copied().collect();
    if with_agents_code(&world.model.people[&holder])
        && let (Some(agent), Some(code)) = (world.model.people[&holder].code_by, world.model.people[&holder].code)
    {
        world.faults.add(Kind::AgentRemovedMidway);
        submit(world, holder.part(), Command::SetAgent { holder, agent, allowed: false });
        super::pay::pay_with(world, code);
    } else if world.rng.percent(35)
        && let Some(agent) = world.rng.pick(&agents).copied()
    {
        if is_busy(world, holder) || world.model.people[&holder].code.is_some() {
            world.faults.add(Kind::AgentRemovedMidway);
        }
        submit(world, holder.part(), Command::SetAgent { holder, agent, allowed: false });
    } else {
        let agent = somebody(world);
        submit(world, holder.part(), Command::SetAgent { holder, agent, allowed: true });
    }
}

pub fn end_relation(world: &mut World) {
    let holder = somebody_who(world, |person| person.relations.values().any(|relation| relation.stands));
    let others: Vec<HolderId> = world.model.people[&holder].relations.keys().copied().collect();
    let other = match world.rng.pick(&others).copied() {
        Some(other) => other,
        None => somebody(world),
    };
    if is_busy(world, holder) || world.model.people.contains_key(&other) && is_busy(world, other) {
        world.faults.add(Kind::RelationEndedMidTransfer);
    }
    let by = actor(world, holder);
    submit(world, holder.part(), Command::EndRelation { holder, by, other });
}

pub fn freeze(world: &mut World) {
    let holder = somebody_busy(world);
    if is_busy(world, holder) {
        world.faults.add(Kind::FrozenMidway);
    }
    let by_one = world.rng.percent(15) && world.config.has(Kind::DoubleApproval);
    let checker = if by_one { "operator 1" } else { "operator 2" };
    let command = Command::Freeze { holder, reason: FreezeReason::CourtOrder, maker: "operator 1".to_owned(), checker: checker.to_owned() };
    let twice = world.rng.percent(25) && world.config.has(Kind::DoubleApproval);
    if by_one || twice {
        world.faults.add(Kind::DoubleApproval);
    }
    submit(world, holder.part(), command.clone());
    if twice {
        submit(world, holder.part(), command);
    }
}

pub fn unfreeze(world: &mut World) {
    let holder = somebody_who(world, |person| person.frozen);
    if world.model.people[&holder].frozen && is_busy(world, holder) {
        world.faults.add(Kind::UnfrozenMidway);
    }
    let by_one = world.rng.percent(15) && world.config.has(Kind::DoubleApproval);
    if by_one {
        world.faults.add(Kind::DoubleApproval);
    }
    let checker = if by_one { "operator 1" } else { "operator 3" };
    submit(world, holder.part(), Command::Unfreeze { holder, maker: "operator 1".to_owned(), checker: checker.to_owned() });
}

pub fn die(world: &mut World) {
    let living = world.model.people.values().filter(|person| !person.died).count();
    if living < 4 || (world.config.span == crate::config::Span::Years && world.rng.percent(80)) {
        return;
    }
    let holder = somebody_busy(world);
    die_now(world, holder);
}

pub fn die_now(world: &mut World, holder: HolderId) {
    let living = world.model.people.values().filter(|person| !person.died).count();
    let Some(person) = world.model.people.get(&holder).filter(|_| living >= 4) else { return };
    let kinds = [
        (!person.outgoing.is_empty(), Kind::SenderDiedMidTransfer),
        (!person.incoming.is_empty(), Kind::ReceiverDiedMidTransfer),
        (!person.open_payments.is_empty(), Kind::PayerDiedMidHold),
    ];
    for (_, kind) in kinds.into_iter().filter(|(is_so, _)| *is_so) {
        world.faults.add(kind);
    }
    submit(world, holder.part(), Command::RegisterDeath { holder });
}

pub fn enrol(world: &mut World) {
    let holder = somebody_busy(world);
    change_insurance_of(world, holder);
}

pub fn change_insurance_of(world: &mut World, holder: HolderId) {
    if !world.model.people.contains_key(&holder) {
        return;
    }
    if is_busy(world, holder) {
        world.faults.add(Kind::InsuranceChangedMidway);
    }
    let mut enrolment = enrolment(world);
    if let Some(known) = world.model.people[&holder].enrolment {
        match world.rng.below(6) {
            0 => enrolment = gongji_wallet::object::Enrolment { status: EnrolmentStatus::Paused, ..known },
            1 | 2 => enrolment = gongji_wallet::object::Enrolment { status: EnrolmentStatus::Normal, ..known },
            3 | 4 => enrolment = gongji_wallet::object::Enrolment { area: AREAS[world.rng.below(3)], status: EnrolmentStatus::Normal, ..known },
            _ => {}
        }
    }
    submit(world, holder.part(), Command::SetEnrolment { holder, enrolment });
}

pub fn open_wallet(world: &mut World) {
    let holder = somebody_who(world, |person| person.wallet.is_none() && !person.died);
    open_wallet_of(world, holder);
}

pub fn open_wallet_of(world: &mut World, holder: HolderId) {
    let place = match world.model.people[&holder].enrolment {
        Some(enrolment) if world.rng.percent(95) => enrolment.area,
        _ => AREAS[1],
    };
    let by = actor(world, holder);
    submit(world, holder.part(), Command::OpenWallet { holder, by, place });
}

pub fn change_place(world: &mut World) {
    let fits =
        |person: &crate::model::Person| person.wallet.as_ref().is_some_and(|wallet| person.enrolment.is_some_and(|enrolment| enrolment.area != wallet.place));
    let holder = somebody_who(world, fits);
    if world.rng.percent(40)
        && let Some(known) = world.model.people[&holder].enrolment
    {
        // Moved to where the work is, and the wallet follows; now and then back again the same day.
        let area = AREAS[world.rng.below(AREAS.len())];
        let enrolment = gongji_wallet::object::Enrolment { area, status: EnrolmentStatus::Normal, ..known };
        submit(world, holder.part(), Command::SetEnrolment { holder, enrolment });
        let proof = proof(world, holder, place_binding(holder, area));
        submit(world, holder.part(), Command::ChangePlace { holder, by: holder, place: area, proof });
        return;
    }
    let place = world.model.people[&holder].enrolment.map_or(AREAS[0], |enrolment| enrolment.area);
    let by = actor(world, holder);
    let proof = proof(world, by, place_binding(holder, place));
    submit(world, holder.part(), Command::ChangePlace { holder, by, place, proof });
}

pub fn newcomer(world: &mut World) {
    if world.model.people.len() < 30 {
        world.serial += 1;
        let serial = 1_000 + world.serial;
        person(world, serial);
    } else {
        // They come on file one by one; what was refused for being too early is done later.
        let holder = somebody_who(world, |person| person.enrolment.is_none());
        let enrolment = enrolment(world);
        submit(world, holder.part(), Command::SetEnrolment { holder, enrolment });
    }
}

pub fn change_directory(world: &mut World) {
    let today = day_of(world.now());
    let area = AREAS[world.rng.below(AREAS.len())];
    let from = today + i32::from(world.rng.percent(40));
    let is_anything_pending = world.model.people.keys().any(|holder| is_busy(world, *holder));
    let change = match world.rng.below(10) {
        0..=3 => {
            let closed = AREAS.iter().copied().find(|area| !world.model.directory().is_open(*area, today));
            let open = closed.is_some() && world.rng.percent(75);
            if !open && is_anything_pending {
                world.faults.add(Kind::RegionClosedMidTransfer);
            }
            DirectoryChange::Opening { area: closed.filter(|_| open).unwrap_or(area), from, open }
        }
        4..=6 => {
            if is_anything_pending {
                world.faults.add(Kind::RuleChangedMidHold);
            }
            world.serial += 1;
            let scope = match world.rng.below(3) {
                0 => Scope::Nation,
                1 => Scope::Province(area / 10_000 * 10_000),
                _ => Scope::Area(area),
            };
            DirectoryChange::Rules(RuleChange { version: 10 + world.serial as u32, scope, from, settings: vec![some_setting(world)] })
        }
        7 => {
            let all = institutions();
            let (id, area) = all[world.rng.below(all.len())];
            institution(id, area, if world.rng.percent(70) { Readiness::Ready } else { Readiness::Off })
        }
        _ => {
            let year = year_of(world.now()) + u16::from(world.rng.percent(50));
            let (opens, closes) = (today + world.rng.between(-20, 2) as i32, today + [0, 0, 1, 200][world.rng.below(4)]);
            let relatives = world.rng.percent(80);
            premium(area, year, Fen(2_000), opens.min(closes), closes, relatives)
        }
    };
    submit(world, 0, Command::ChangeDirectory(vec![change]));
}

fn some_setting(world: &mut World) -> Setting {
    match world.rng.below(13) {
        0 => Setting::DailyCountMax(world.rng.between(1, 6) as u16),
        1 => Setting::TransferMax(Fen(world.rng.between(1_000, 200_000))),
        2 => Setting::TransferMin(Fen(world.rng.between(1, 300))),
        3 => Setting::DailyTotalMax(if world.rng.percent(70) { Some(Fen(world.rng.between(1_000, 300_000))) } else { None }),
        4 => Setting::ClosedHours { from: 22 * 60, to: 6 * 60 },
        5 => Setting::ReturnAt(world.rng.between(0, 1_439) as u16),
        6 => Setting::OneAtATime(world.rng.percent(50)),
        7 => Setting::ReturnedCounts(world.rng.percent(50)),
        8 => Setting::Kind(if world.rng.percent(50) { GrantKind::Quota } else { GrantKind::Transfer }),
        9 => Setting::CodeMs(world.rng.between(1_000, 600_000)),
        10 => Setting::InpatientHoldMs(world.rng.between(1_000, 40 * 86_400_000)),
        11 => Setting::DecodedMs(world.rng.between(1_000, 600_000)),
        _ => Setting::HoldMs(world.rng.between(1_000, 2 * 86_400_000)),
    }
}
