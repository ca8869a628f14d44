//! What every partition needs to know of the country: regions, institutions, premiums, rules. It has a partition of its own (0).

use crate::day::Day;
use crate::rules::{RuleChange, Rules, resolve};
use gongji_ledger::{AreaCode, Fen, InstitutionId, planted};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Directory {
    /// Sequence of the directory's journal that made this version.
    pub version: u64,
    pub regions: BTreeMap<AreaCode, Arc<Region>>,
    pub institutions: BTreeMap<InstitutionId, Arc<Institution>>,
    pub premiums: BTreeMap<(AreaCode, u16), Arc<Premium>>,
    pub rule_changes: Vec<RuleChange>,
}

/// A pooling area (统筹区) or, as a heading, a province.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Region {
    pub code: AreaCode,
    pub name: String,
    pub province_code: AreaCode,
    pub province: String,
    pub level: RegionLevel,
    /// Openings and closings, oldest first: (first day, open).
    pub openings: Vec<(Day, bool)>,
    /// Whether the place of use may be changed from and to here.
    pub change_of_use: bool,
    /// Of a province: how far it has opened.
    pub coverage: Coverage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionLevel {
    Province,
    Prefecture,
    County,
    ProvincialDirect,
    Division,
    Enterprise,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// A pooling area: see its openings.
    Area,
    Full,
    Partial,
    /// Named as opened in part, but no list of areas was published (名单未公布).
    Unlisted,
    Closed,
}

impl Region {
    pub fn is_open(&self, day: Day) -> bool {
        let day = if planted("closed-region-lasts-a-day") { day - 1 } else { day };
        self.openings.iter().rev().find(|(from, _)| *from <= day).is_some_and(|(_, open)| *open)
    }

    /// The next day, after `day`, on which it is open; `None` if none is known.
    pub fn opens_after(&self, day: Day) -> Option<Day> {
        self.openings.iter().find(|(from, open)| *from > day && *open).map(|(from, _)| *from)
    }
}

/// Whether the wallet works at an institution (钱包支付开通状态).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    Ready,
    /// Enabled, but no successful payment for 7 days.
    Quiet,
    Off,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Institution {
    pub id: InstitutionId,
    pub name: String,
    pub area: AreaCode,
    pub is_pharmacy: bool,
    pub level: String,
    pub address: String,
    pub district: String,
    pub readiness: Readiness,
    pub counter: bool,
    pub kiosk: bool,
    pub mobile: bool,
    /// Degrees × 1,000,000.
    pub position: Option<(i32, i32)>,
}

/// The yearly resident premium of an area (居民医保个人缴费).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Premium {
    pub area: AreaCode,
    pub year: u16,
    pub amount: Fen,
    /// First and last business day of the window.
    pub opens: Day,
    pub closes: Day,
    /// Whether relatives may pay, or only the insured person.
    pub relatives: bool,
    pub instructions: String,
}

/// A change of the directory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum DirectoryChange {
    Region(Region),
    /// Opens or closes a region from a day on.
    Opening {
        area: AreaCode,
        from: Day,
        open: bool,
    },
    Institution(Institution),
    Premium(Premium),
    Rules(RuleChange),
}

impl Directory {
    pub fn rules(&self, area: AreaCode, day: Day) -> Rules {
        resolve(&self.rule_changes, area, day)
    }

    pub fn is_open(&self, area: AreaCode, day: Day) -> bool {
        self.regions.get(&area).is_some_and(|region| region.is_open(day))
    }

    /// Name with its province, as "四川省泸州市".
    pub fn area_name(&self, area: AreaCode) -> String {
        match self.regions.get(&area) {
            Some(region) if region.name == region.province => region.name.clone(),
            Some(region) => format!("{}{}", region.province, region.name),
            None => format!("地区 {area}"),
        }
    }

    /// Institutions of an area, by id.
    pub fn institutions_in(&self, area: AreaCode) -> impl Iterator<Item = &Arc<Institution>> {
        self.institutions.values().filter(move |institution| institution.area == area)
    }

    pub fn apply(&mut self, change: &DirectoryChange) {
        match change {
            DirectoryChange::Region(region) => {
                let mut region = region.clone();
                region.openings.sort_unstable();
                self.regions.insert(region.code, Arc::new(region));
            }
            DirectoryChange::Opening { area, from, open } => {
                if let Some(region) = self.regions.get_mut(area) {
                    let region = Arc::make_mut(region);
                    region.openings.retain(|(day, _)| day != from);
                    region.openings.push((*from, *open));
                    region.openings.sort_unstable();
                }
            }
            DirectoryChange::Institution(institution) => {
                self.institutions.insert(institution.id, Arc::new(institution.clone()));
            }
            DirectoryChange::Premium(premium) => {
                self.premiums.insert((premium.area, premium.year), Arc::new(premium.clone()));
            }
            DirectoryChange::Rules(change) => {
                self.rule_changes.retain(|known| known.version != change.version);
                self.rule_changes.push(change.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gongji_ledger::InstitutionId;

    fn region(code: AreaCode, name: &str, province: &str) -> DirectoryChange {
        DirectoryChange::Region(Region {
            code,
            name: name.to_owned(),
            province_code: code / 10_000 * 10_000,
            province: province.to_owned(),
            level: RegionLevel::Prefecture,
            openings: vec![(200, true), (100, false)],
            change_of_use: true,
            coverage: Coverage::Area,
        })
    }

    fn institution(serial: u64, area: AreaCode) -> DirectoryChange {
        DirectoryChange::Institution(Institution {
            id: InstitutionId(serial),
            name: String::new(),
            area,
            is_pharmacy: false,
            level: String::new(),
            address: String::new(),
            district: String::new(),
            readiness: Readiness::Ready,
            counter: true,
            kiosk: false,
            mobile: false,
            position: None,
        })
    }

    fn directory() -> Directory {
        let mut directory = Directory::default();
        for change in [region(510_500, "泸州市", "四川省"), region(310_000, "上海市", "上海市"), institution(1, 510_500), institution(2, 310_000)] {
            directory.apply(&change);
        }
        directory
    }

    #[test]
    fn an_area_is_named_with_its_province_once() {
        let directory = directory();
        assert_eq!(directory.area_name(510_500), "四川省泸州市");
        assert_eq!(directory.area_name(310_000), "上海市");
        assert_eq!(directory.area_name(1), "地区 1");
    }

    #[test]
    fn an_area_lists_its_own_institutions() {
        let directory = directory();
        let ids = |area| directory.institutions_in(area).map(|institution| institution.id.0).collect::<Vec<_>>();
        assert_eq!((ids(510_500), ids(310_000), ids(1)), (vec![1], vec![2], vec![]));
    }

    #[test]
    fn the_last_opening_up_to_a_day_counts_and_one_of_the_same_day_replaces_another() {
        let mut directory = directory();
        let open = |directory: &Directory| [99, 100, 199, 200, 300].map(|day| directory.is_open(510_500, day));
        assert_eq!(open(&directory), [false, false, false, true, true]);
        directory.apply(&DirectoryChange::Opening { area: 510_500, from: 300, open: false });
        assert_eq!(open(&directory), [false, false, false, true, false]);
        directory.apply(&DirectoryChange::Opening { area: 510_500, from: 200, open: false });
        directory.apply(&DirectoryChange::Opening { area: 510_500, from: 100, open: true });
        assert_eq!(open(&directory), [false, true, true, false, false]);
        assert_eq!(directory.regions[&510_500].openings.len(), 3);
        assert!(!directory.is_open(1, 200));
    }
}
