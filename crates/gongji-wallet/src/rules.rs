//! The settings of the product's rules, by region and effective date.

use crate::day::Day;
use crate::object::Business;
use gongji_ledger::{AreaCode, Fen, GrantKind, planted};
use serde::{Deserialize, Serialize};

/// What holds for one area on one day.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rules {
    /// Highest version among the changes that made these rules; kept with every decision.
    pub version: u32,
    /// Transfers of one person on one business day.
    pub daily_count_max: u16,
    pub transfer_min: Fen,
    pub transfer_max: Fen,
    /// Sum of one person's transfers on one business day; none by default.
    pub daily_total_max: Option<Fen>,
    /// Minute of the day from which no transfer is made …
    pub closed_from: u16,
    /// … and from which it is open again (half-open).
    pub closed_to: u16,
    /// Minute of the next day at which what nobody took goes back.
    pub return_at: u16,
    /// No new transfer while one of mine is pending.
    pub one_at_a_time: bool,
    /// Whether a returned transfer still counts to the day's number.
    pub returned_counts: bool,
    pub kind: GrantKind,
    pub place_cooldown_days: u16,
    /// Life of a payment code (ms).
    pub code_ms: i64,
    /// After this long (ms) a hold gives the money back by itself.
    pub hold_ms: i64,
    /// Whether what a wallet pays (mutual aid) is counted inside the personal account's payment when institutions are told, or beside it.
    pub mutual_aid_inside: bool,
    /// As `hold_ms`, for a stay in hospital: it is captured in parts while it lasts.
    pub inpatient_hold_ms: i64,
    /// How long a code that an institution has decoded stays good there (ms).
    pub decoded_ms: i64,
}

impl Default for Rules {
    // 依据：product.md, table of rules.
    fn default() -> Rules {
        Rules {
            version: 1,
            daily_count_max: 3,
            transfer_min: Fen(1),
            transfer_max: Fen(200_000),
            daily_total_max: None,
            closed_from: 22 * 60,
            closed_to: 6 * 60,
            return_at: 6 * 60,
            one_at_a_time: true,
            returned_counts: true,
            kind: GrantKind::Transfer,
            place_cooldown_days: 30,
            code_ms: 60_000,
            hold_ms: 24 * 3_600_000,
            mutual_aid_inside: false,
            inpatient_hold_ms: 30 * 24 * 3_600_000,
            decoded_ms: 5 * 60_000,
        }
    }
}

impl Rules {
    /// Life of a hold for this kind of care (ms).
    pub fn hold_ms_of(&self, business: Business) -> i64 {
        if business == Business::Inpatient { self.inpatient_hold_ms } else { self.hold_ms }
    }

    /// Whether transfers rest at this time of day (ms since midnight).
    pub fn is_closed_at(&self, ms_of_day: i64) -> bool {
        let (from, to) = (i64::from(self.closed_from) * 60_000, i64::from(self.closed_to) * 60_000);
        if from <= to { (from..to).contains(&ms_of_day) } else { ms_of_day >= from || ms_of_day < to }
    }
}

/// One setting changed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    DailyCountMax(u16),
    TransferMin(Fen),
    TransferMax(Fen),
    DailyTotalMax(Option<Fen>),
    ClosedHours { from: u16, to: u16 },
    ReturnAt(u16),
    OneAtATime(bool),
    ReturnedCounts(bool),
    Kind(GrantKind),
    PlaceCooldownDays(u16),
    CodeMs(i64),
    HoldMs(i64),
    MutualAidInside(bool),
    InpatientHoldMs(i64),
    DecodedMs(i64),
}

const DAY_MINUTES: u16 = 24 * 60;
const YEAR_MS: i64 = 366 * 24 * 3_600_000;

impl Setting {
    /// Whether a decision can be made under it: amounts above zero, times within a day, lives of a second to a year.
    pub fn is_lawful(&self) -> bool {
        match self {
            Setting::TransferMin(amount) | Setting::TransferMax(amount) | Setting::DailyTotalMax(Some(amount)) => amount.is_positive(),
            Setting::ClosedHours { from, to } => *from < DAY_MINUTES && *to < DAY_MINUTES,
            Setting::ReturnAt(minute) => *minute < DAY_MINUTES,
            // Money that is granted is no longer the contributor's own account.
            Setting::Kind(kind) => *kind != GrantKind::Own,
            Setting::CodeMs(life) | Setting::HoldMs(life) | Setting::InpatientHoldMs(life) | Setting::DecodedMs(life) => (1_000..=YEAR_MS).contains(life),
            Setting::DailyCountMax(_)
            | Setting::DailyTotalMax(None)
            | Setting::OneAtATime(_)
            | Setting::ReturnedCounts(_)
            | Setting::PlaceCooldownDays(_)
            | Setting::MutualAidInside(_) => true,
        }
    }
}

/// Where a change of rules holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Nation,
    /// Province code, as 620000.
    Province(AreaCode),
    Area(AreaCode),
}

impl Scope {
    /// Whether everything in `other` lies in here.
    pub fn covers(self, other: Scope) -> bool {
        match (self, other) {
            (Scope::Nation, _) => true,
            (_, Scope::Nation) => false,
            (Scope::Province(own), Scope::Province(code) | Scope::Area(code)) => own / 10_000 == code / 10_000,
            (Scope::Area(own), Scope::Area(code)) => own == code,
            (Scope::Area(_), Scope::Province(_)) => false,
        }
    }
}

/// A dated change of rules. Later days win over earlier ones, narrower scopes over wider ones.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RuleChange {
    /// From 2 upwards, unique; 1 is the default.
    pub version: u32,
    pub scope: Scope,
    /// First business day on which it holds.
    pub from: Day,
    pub settings: Vec<Setting>,
}

impl RuleChange {
    fn applies(&self, area: AreaCode, day: Day) -> bool {
        (self.from <= day || (planted("rule-holds-a-day-early") && self.from == day + 1))
            && match self.scope {
                Scope::Nation => true,
                Scope::Province(province) => area / 10_000 == province / 10_000,
                Scope::Area(only) => area == only,
            }
    }

    fn width(&self) -> u8 {
        match self.scope {
            Scope::Nation => 0,
            Scope::Province(_) => 1,
            Scope::Area(_) => 2,
        }
    }
}

/// The rules of `area` on `day`.
pub fn resolve(changes: &[RuleChange], area: AreaCode, day: Day) -> Rules {
    resolve_with(changes, None, area, day)
}

/// As [`resolve`], as if `proposed` held already, as the latest of its scope.
pub fn resolve_with(changes: &[RuleChange], proposed: Option<&RuleChange>, area: AreaCode, day: Day) -> Rules {
    let published = changes.iter().filter(|change| change.applies(area, day)).map(|change| (change.from, change));
    let proposed = proposed.filter(|change| change.scope.covers(Scope::Area(area))).map(|change| (Day::MAX, change));
    let mut applying: Vec<(Day, &RuleChange)> = published.chain(proposed).collect();
    applying.sort_by_key(|(from, change)| (if planted("latest-rule-wins-everywhere") { 0 } else { change.width() }, *from, change.version));
    let mut rules = Rules::default();
    for (_, change) in applying {
        rules.version = rules.version.max(change.version);
        for setting in &change.settings {
            match setting.clone() {
                Setting::DailyCountMax(value) => rules.daily_count_max = value,
                Setting::TransferMin(value) => rules.transfer_min = value,
                Setting::TransferMax(value) => rules.transfer_max = value,
                Setting::DailyTotalMax(value) => rules.daily_total_max = value,
                Setting::ClosedHours { from, to } => (rules.closed_from, rules.closed_to) = (from, to),
                Setting::ReturnAt(value) => rules.return_at = value,
                Setting::OneAtATime(value) => rules.one_at_a_time = value,
                Setting::ReturnedCounts(value) => rules.returned_counts = value,
                Setting::Kind(value) => rules.kind = value,
                Setting::PlaceCooldownDays(value) => rules.place_cooldown_days = value,
                Setting::CodeMs(value) => rules.code_ms = value,
                Setting::HoldMs(value) => rules.hold_ms = value,
                Setting::MutualAidInside(value) => rules.mutual_aid_inside = value,
                Setting::InpatientHoldMs(value) => rules.inpatient_hold_ms = value,
                Setting::DecodedMs(value) => rules.decoded_ms = value,
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrower_and_later_changes_win() {
        let change = |version, scope, from, count| RuleChange { version, scope, from, settings: vec![Setting::DailyCountMax(count)] };
        let changes =
            [change(4, Scope::Area(620100), 10, 9), change(2, Scope::Nation, 5, 4), change(3, Scope::Nation, 20, 5), change(5, Scope::Province(620000), 10, 7)];
        let count = |area, day| resolve(&changes, area, day).daily_count_max;
        assert_eq!((count(370100, 4), count(370100, 5), count(370100, 20)), (3, 4, 5));
        assert_eq!((count(620200, 10), count(620100, 10), count(620100, 9)), (7, 9, 4));
        assert_eq!(resolve(&changes, 620100, 30).version, 5);
    }

    #[test]
    fn closed_hours_are_half_open() {
        let rules = Rules::default();
        let at = |hour: i64, ms: i64| rules.is_closed_at(hour * 3_600_000 + ms);
        assert!(!at(22, -1) && at(22, 0) && at(24, -1) && at(0, 0) && at(6, -1) && !at(6, 0));
    }

    #[test]
    fn lives_last_from_a_second_to_a_year() {
        let day_ms = 24 * 3_600_000;
        for (life, is_lawful) in [(999, false), (1_000, true), (366 * day_ms, true), (366 * day_ms + 1, false), (-1, false)] {
            assert_eq!((Setting::CodeMs(life).is_lawful(), Setting::HoldMs(life).is_lawful()), (is_lawful, is_lawful), "{life}");
        }
        for (minute, is_lawful) in [(0, true), (1_439, true), (1_440, false)] {
            let hours = [Setting::ClosedHours { from: minute, to: 0 }, Setting::ClosedHours { from: 0, to: minute }, Setting::ReturnAt(minute)];
            assert!(hours.iter().all(|setting| setting.is_lawful() == is_lawful), "{minute}");
        }
        let of = |amount| [Setting::TransferMin(amount), Setting::TransferMax(amount), Setting::DailyTotalMax(Some(amount))].map(|setting| setting.is_lawful());
        assert_eq!((of(Fen(1)), of(Fen::ZERO)), ([true; 3], [false; 3]));
        assert!(!Setting::Kind(GrantKind::Own).is_lawful() && Setting::Kind(GrantKind::Quota).is_lawful());
    }
}
