//! A small country to begin with: four regions in three provinces, five institutions, a dozen people, some of them always in the middle of things.

use crate::model::Check;
use crate::workload::submit;
use crate::world::World;
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId, InstitutionId};
use gongji_wallet::command::Command;
use gongji_wallet::day::{Day, date_of, day_of};
use gongji_wallet::directory::{Coverage, DirectoryChange, Institution, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::event::institution_part;
use gongji_wallet::object::{EMPLOYEE, Enrolment, EnrolmentStatus, RESIDENT};
use gongji_wallet::rules::{RuleChange, Scope, Setting};

pub const AREAS: [AreaCode; 4] = [510_500, 510_100, 370_100, 620_100];

/// Where quotas are granted instead of transfers.
const QUOTA_PROVINCE: AreaCode = 620_000;

pub fn institutions() -> Vec<(InstitutionId, AreaCode)> {
    let codes = [("P51050000012", AREAS[0]), ("H51010000003", AREAS[1]), ("H37010000001", AREAS[2]), ("P37010000002", AREAS[2]), ("H62010000001", AREAS[3])];
    codes.into_iter().map(|(code, area)| (InstitutionId::parse(code).expect("a code of an institution"), area)).collect()
}

fn region(code: AreaCode, from: Day) -> DirectoryChange {
    DirectoryChange::Region(Region {
        code,
        name: format!("{code}"),
        province_code: code / 10_000 * 10_000,
        province: String::new(),
        level: RegionLevel::Prefecture,
        openings: vec![(from, true)],
        change_of_use: true,
        coverage: Coverage::Area,
    })
}

pub fn institution(id: InstitutionId, area: AreaCode, readiness: Readiness) -> DirectoryChange {
    DirectoryChange::Institution(Institution {
        id,
        name: id.to_string(),
        area,
        is_pharmacy: id.is_pharmacy(),
        level: String::new(),
        address: String::new(),
        district: String::new(),
        readiness,
        counter: true,
        kiosk: false,
        mobile: false,
        position: None,
    })
}

pub fn premium(area: AreaCode, year: u16, amount: Fen, opens: Day, closes: Day, relatives: bool) -> DirectoryChange {
    DirectoryChange::Premium(Premium { area, year, amount, opens, closes, relatives, instructions: String::new() })
}

pub fn enrolment(world: &mut World) -> Enrolment {
    let near = if world.rng.percent(60) { 2 } else { 4 };
    let area = AREAS[world.rng.below(near)];
    let insurance = if world.rng.percent(65) { EMPLOYEE } else { RESIDENT };
    let status = if world.rng.percent(92) { EnrolmentStatus::Normal } else { EnrolmentStatus::Paused };
    Enrolment { area, insurance, status, from: 0, pooled_only: insurance == EMPLOYEE && world.rng.percent(8) }
}

/// Everything that must be there before anything can happen. No faults yet.
pub fn found(world: &mut World) -> Check {
    world.is_calm = true;
    let today = day_of(world.now());
    let year = u16::try_from(date_of(today).0).expect("a year after 0");
    let mut changes: Vec<_> = AREAS.iter().map(|area| region(*area, today - 100)).collect();
    changes.extend(institutions().into_iter().map(|(id, area)| institution(id, area, Readiness::Ready)));
    let quota = RuleChange { version: 2, scope: Scope::Province(QUOTA_PROVINCE), from: today - 50, settings: vec![Setting::Kind(GrantKind::Quota)] };
    changes.push(DirectoryChange::Rules(quota));
    if world.rng.percent(30) {
        changes.push(DirectoryChange::Rules(RuleChange {
            version: 3,
            scope: Scope::Province(510_000),
            from: today - 50,
            settings: vec![Setting::Kind(GrantKind::Quota)],
        }));
    }
    let mut settings = Vec::new();
    for setting in [
        Setting::DailyTotalMax(Some(Fen(90_000))),
        Setting::OneAtATime(false),
        Setting::ReturnedCounts(false),
        Setting::HoldMs(300_000),
        Setting::InpatientHoldMs(900_000),
        Setting::DecodedMs(20_000),
        Setting::DailyCountMax(9),
        Setting::PlaceCooldownDays(1),
        Setting::ClosedHours { from: 0, to: 0 },
    ] {
        if world.rng.percent(35) {
            settings.push(setting);
        }
    }
    changes.push(DirectoryChange::Rules(RuleChange { version: 4, scope: Scope::Nation, from: today - 50, settings }));
    for area in AREAS {
        let relatives = world.rng.percent(80);
        changes.push(premium(area, year, Fen(2_000), today - 10, today + 200, relatives));
        changes.push(premium(area, year + 1, Fen(2_500), today + 1, today + 200, relatives));
    }
    submit(world, 0, Command::ChangeDirectory(changes));
    crate::finale::quiesce(world)?;
    for serial in 1..=world.config.people {
        person(world, serial as u64);
        crate::finale::quiesce(world)?;
    }
    world.is_calm = false;
    Ok(())
}

/// A person comes on file, is insured, has some money, and mostly a wallet.
pub fn person(world: &mut World, serial: u64) {
    let parts = world.config.parts;
    let part = 1 + world.rng.below(usize::from(parts)) as u16;
    let holder = HolderId::new(part, serial);
    let enrolment = enrolment(world);
    submit(world, part, Command::CreateHolder { holder });
    if !world.is_calm || crate::finale::quiesce(world).is_ok() {
        submit(world, part, Command::SetEnrolment { holder, enrolment });
    }
    if !world.is_calm || crate::finale::quiesce(world).is_ok() {
        let amount = Fen(world.rng.between(1, 400_000));
        submit(world, part, Command::Contribute { holder, area: enrolment.area, amount, month: 202_701 });
        if world.rng.percent(85) {
            submit(world, part, Command::OpenWallet { holder, by: holder, place: enrolment.area });
        }
    }
}

pub fn part_of(world: &World, institution: InstitutionId) -> u16 {
    institution_part(institution, world.config.parts)
}
