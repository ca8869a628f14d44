//! The directory as the model reads it from the journal: regions, institutions, premiums and rules of each version, resolved in its own way.

use gongji_ledger::{AreaCode, Fen, GrantKind, InstitutionId};
use gongji_wallet::directory::{DirectoryChange, Readiness};
use gongji_wallet::rules::{RuleChange, Scope, Setting};
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub struct Regions {
    /// Day by day of change: open from then on, or closed.
    pub openings: BTreeMap<AreaCode, BTreeMap<i32, bool>>,
    pub change_of_use: BTreeMap<AreaCode, bool>,
    /// Area of each institution, and whether it is off.
    pub institutions: BTreeMap<InstitutionId, (AreaCode, bool)>,
    pub premiums: BTreeMap<(AreaCode, u16), Premium>,
    changes: Vec<RuleChange>,
}

#[derive(Clone, Copy)]
pub struct Premium {
    pub amount: Fen,
    pub opens: i32,
    pub closes: i32,
    pub relatives: bool,
}

/// What holds for one area on one day.
pub struct Rules {
    pub count_max: u16,
    pub min: Fen,
    pub max: Fen,
    pub total_max: Option<Fen>,
    pub closed: (u16, u16),
    pub return_at: u16,
    pub one_at_a_time: bool,
    pub returned_counts: bool,
    pub kind: GrantKind,
    pub cooldown_days: u16,
    pub code_ms: i64,
    pub hold_ms: i64,
    pub inpatient_hold_ms: i64,
    pub decoded_ms: i64,
}

impl Regions {
    pub fn change(&mut self, change: &DirectoryChange) {
        match change {
            DirectoryChange::Region(region) => {
                self.openings.insert(region.code, region.openings.iter().copied().collect());
                self.change_of_use.insert(region.code, region.change_of_use);
            }
            DirectoryChange::Opening { area, from, open } => {
                self.openings.entry(*area).or_default().insert(*from, *open);
            }
            DirectoryChange::Institution(institution) => {
                self.institutions.insert(institution.id, (institution.area, institution.readiness == Readiness::Off));
            }
            DirectoryChange::Premium(premium) => {
                let known = Premium { amount: premium.amount, opens: premium.opens, closes: premium.closes, relatives: premium.relatives };
                self.premiums.insert((premium.area, premium.year), known);
            }
            DirectoryChange::Rules(change) => {
                self.changes.retain(|known| known.version != change.version);
                self.changes.push(change.clone());
            }
        }
    }

    pub fn is_open(&self, area: AreaCode, day: i32) -> bool {
        self.openings.get(&area).is_some_and(|days| days.range(..=day).next_back().is_some_and(|(_, open)| *open))
    }

    /// The rules of an area on a day: for each setting the narrowest scope that says something, of those the latest day, of those the highest version.
    pub fn rules(&self, area: AreaCode, day: i32) -> Rules {
        let find = |wanted: &dyn Fn(&Setting) -> bool| {
            let said = self.changes.iter().filter(|change| change.from <= day).filter_map(|change| {
                let width = match change.scope {
                    Scope::Nation => 0,
                    Scope::Province(province) if province / 10_000 == area / 10_000 => 1,
                    Scope::Area(only) if only == area => 2,
                    _ => return None,
                };
                change.settings.iter().rev().find(|setting| wanted(setting)).map(|setting| ((width, change.from, change.version), setting.clone()))
            });
            said.max_by_key(|(rank, _)| *rank).map(|(_, setting)| setting)
        };
        Rules {
            count_max: match find(&|setting| matches!(setting, Setting::DailyCountMax(_))) {
                Some(Setting::DailyCountMax(value)) => value,
                _ => 3,
            },
            min: match find(&|setting| matches!(setting, Setting::TransferMin(_))) {
                Some(Setting::TransferMin(value)) => value,
                _ => Fen(1),
            },
            max: match find(&|setting| matches!(setting, Setting::TransferMax(_))) {
                Some(Setting::TransferMax(value)) => value,
                _ => Fen(200_000),
            },
            total_max: match find(&|setting| matches!(setting, Setting::DailyTotalMax(_))) {
                Some(Setting::DailyTotalMax(value)) => value,
                _ => None,
            },
            closed: match find(&|setting| matches!(setting, Setting::ClosedHours { .. })) {
                Some(Setting::ClosedHours { from, to }) => (from, to),
                _ => (22 * 60, 6 * 60),
            },
            return_at: match find(&|setting| matches!(setting, Setting::ReturnAt(_))) {
                Some(Setting::ReturnAt(value)) => value,
                _ => 6 * 60,
            },
            one_at_a_time: match find(&|setting| matches!(setting, Setting::OneAtATime(_))) {
                Some(Setting::OneAtATime(value)) => value,
                _ => true,
            },
            returned_counts: match find(&|setting| matches!(setting, Setting::ReturnedCounts(_))) {
                Some(Setting::ReturnedCounts(value)) => value,
                _ => true,
            },
            kind: match find(&|setting| matches!(setting, Setting::Kind(_))) {
                Some(Setting::Kind(value)) => value,
                _ => GrantKind::Transfer,
            },
            cooldown_days: match find(&|setting| matches!(setting, Setting::PlaceCooldownDays(_))) {
                Some(Setting::PlaceCooldownDays(value)) => value,
                _ => 30,
            },
            code_ms: match find(&|setting| matches!(setting, Setting::CodeMs(_))) {
                Some(Setting::CodeMs(value)) => value,
                _ => 60_000,
            },
            hold_ms: match find(&|setting| matches!(setting, Setting::HoldMs(_))) {
                Some(Setting::HoldMs(value)) => value,
                _ => 86_400_000,
            },
            inpatient_hold_ms: match find(&|setting| matches!(setting, Setting::InpatientHoldMs(_))) {
                Some(Setting::InpatientHoldMs(value)) => value,
                _ => 30 * 86_400_000,
            },
            decoded_ms: match find(&|setting| matches!(setting, Setting::DecodedMs(_))) {
                Some(Setting::DecodedMs(value)) => value,
                _ => 300_000,
            },
        }
    }
}

impl Rules {
    /// Whether transfers rest at this minute's millisecond of the day.
    pub fn rests_at(&self, stamp: i64) -> bool {
        let of_day = (stamp + 28_800_000).rem_euclid(86_400_000);
        let (from, to) = (i64::from(self.closed.0) * 60_000, i64::from(self.closed.1) * 60_000);
        if from <= to { of_day >= from && of_day < to } else { of_day >= from || of_day < to }
    }
}

/// The business day of an instant: China's, without daylight saving.
pub fn day(stamp: i64) -> i32 {
    i32::try_from((stamp + 28_800_000).div_euclid(86_400_000)).expect("a stamp within the calendar")
}

/// When a transfer made at `stamp` goes back if nobody takes it: the next day at that minute.
pub fn deadline(stamp: i64, return_at: u16) -> i64 {
    (i64::from(day(stamp)) + 1) * 86_400_000 + i64::from(return_at) * 60_000 - 28_800_000
}
