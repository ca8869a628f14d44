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
