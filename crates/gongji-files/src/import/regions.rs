//! Regions and the days on which they opened and closed.

use gongji_wallet::area::Area;
use gongji_wallet::day::Day;
use serde::{Deserialize, Serialize};

use super::field::{Cells, Reason};
use super::{BadLine, Column, Row, optional, required};

/// One dated stretch of a region's life, or a province by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionRow {
    pub line: u32,
    pub code: Area,
    pub province: Area,
    pub province_name: String,
    /// `省本级` occurs in several provinces: show it with the province.
    pub name: String,
    pub level: RegionLevel,
    pub opened: RegionOpened,
    /// First open day. The source tells the latest day by which the region is known to be open.
    pub opened_on: Option<Day>,
    /// First day on which it is closed again, from 00:00; `None` while it stays open.
    pub closed_on: Option<Day>,
    /// Whether 使用地变更 is offered there.
    pub is_change_of_use_offered: bool,
    /// Where the opening and the code are known from.
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionLevel {
    Province,
    Prefecture,
    County,
    /// 省本级, 区本级, 兵团本级.
    ProvincialDirect,
    /// A division of 新疆生产建设兵团.
    Division,
    /// An oil field, mining area or railway that pools by itself.
    Enterprise,
}

/// Regions are `Yes`, `No` or `Unconfirmed` (to be treated as not open); provinces `Full`, `Partial` or `No`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionOpened {
    Yes,
    No,
    Unconfirmed,
    Full,
    Partial,
}

const SOURCE_CHARS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 50;

impl Row for RegionRow {
    const COLUMNS: &'static [Column] = &[
        required("code"),
        required("province_code"),
        required("province"),
        required("name"),
        required("level"),
        required("opened"),
        required("opened_on"),
        required("change_of_use"),
        required("source"),
        optional("closed_on"),
    ];
    type Key = (Area, Option<Day>);
    const KEY_ZH: &'static str = "同一地区同一开通日期";

    fn line(&self) -> u32 {
        self.line
    }

    fn key(&self) -> (Area, Option<Day>) {
        (self.code, self.opened_on)
    }

    fn read(cells: &mut Cells) -> Option<RegionRow> {
        let code = cells.area("code");
        let province = cells.area("province_code");
        let province_name = cells.text("province", 1, NAME_CHARS_MAX);
        let name = cells.text("name", 1, NAME_CHARS_MAX);
        let level = cells.choice(
            "level",
            &[
                ("province", RegionLevel::Province),
                ("prefecture", RegionLevel::Prefecture),
                ("county", RegionLevel::County),
                ("provincial_direct", RegionLevel::ProvincialDirect),
                ("division", RegionLevel::Division),
                ("enterprise", RegionLevel::Enterprise),
            ],
        );
        let opened = cells.choice(
            "opened",
            &[
                ("yes", RegionOpened::Yes),
                ("no", RegionOpened::No),
                ("unconfirmed", RegionOpened::Unconfirmed),
                ("full", RegionOpened::Full),
                ("partial", RegionOpened::Partial),
            ],
        );
        let opened_on = cells.optional_date("opened_on");
        let closed_on = cells.optional_date("closed_on");
        let change_of_use = cells.yes_or_no("change_of_use");
        let source = cells.text("source", 0, SOURCE_CHARS_MAX);
        let row = RegionRow {
            line: cells.line(),
            code: code?,
            province: province?,
            province_name: province_name?,
            name: name?,
            level: level?,
            opened: opened?,
            opened_on: opened_on?,
            closed_on: closed_on?,
            is_change_of_use_offered: change_of_use?,
            source: source?,
        };
        row.check(cells);
        Some(row)
    }

    /// A region opens again only after it has closed: the stretches of one code do not overlap.
    fn check_together(rows: &mut Vec<RegionRow>, bad: &mut Vec<BadLine>) {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| (rows[*at].code, rows[*at].opened_on));
        let mut refused = Vec::new();
        for pair in order.windows(2) {
            let (earlier, later) = (&rows[pair[0]], &rows[pair[1]]);
            let overlaps = match (earlier.closed_on, later.opened_on) {
                (Some(closed_on), Some(opened_on)) => opened_on < closed_on,
                _ => true,
            };
            if earlier.code == later.code && overlaps {
                let zh = format!("与第 {} 行是同一地区,那一段还没有写 closed_on 就又开通了。", earlier.line);
                let en = format!("overlaps line {}: the region has not closed yet", earlier.line);
                bad.push(BadLine::new(later.line, Some("opened_on"), Reason { zh, en }));
                refused.push(later.line);
            }
        }
        if !refused.is_empty() {
            rows.retain(|row| !refused.contains(&row.line));
        }
    }
}

impl RegionRow {
    /// What the cells say together.
    fn check(&self, cells: &mut Cells) {
        if !self.province.is_province() || self.code.province() != self.province {
            cells.note("province_code", "省级编码应该是地区编码的前两位加 0000。", "the province code must be the first two digits of the code and 0000");
        }
        let is_province = self.level == RegionLevel::Province;
        if is_province != self.code.is_province() {
            cells.note("level", "只有末四位是 0000 的编码是省级。", "the level province goes with a code that ends in 0000, and only with it");
        }
        let is_word_right = match self.opened {
            RegionOpened::Full | RegionOpened::Partial => is_province,
            RegionOpened::Yes | RegionOpened::Unconfirmed => !is_province,
            RegionOpened::No => true,
        };
        if !is_word_right {
            cells.note(
                "opened",
                "省级填 full、partial、no,其他地区填 yes、no、unconfirmed。",
                "provinces are full, partial or no; other regions yes, no or unconfirmed",
            );
        }
        if self.opened == RegionOpened::Yes && self.opened_on.is_none() {
            cells.note("opened_on", "已开通的地区要写开通日期。", "an open region needs its opening day");
        }
        if let Some(closed_on) = self.closed_on
            && self.opened_on.is_none_or(|opened_on| closed_on <= opened_on)
        {
            cells.note("closed_on", "停用日期要晚于开通日期。", "the closing day must be after the opening day");
        }
    }
}

/// Provinces named as opened without a single region known to be open: people read 名单未公布 there, not 未开通.
pub fn provinces_without_list(rows: &[RegionRow]) -> Vec<Area> {
    rows.iter()
        .filter(|row| matches!(row.opened, RegionOpened::Full | RegionOpened::Partial))
        .map(|row| row.code)
        .filter(|province| !rows.iter().any(|row| row.opened == RegionOpened::Yes && row.province == *province))
        .collect()
}
