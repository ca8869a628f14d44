//! The yearly premium of resident insurance: how much, when, by whom.

use gongji_ledger::Fen;
use gongji_wallet::area::Area;
use gongji_wallet::day::Day;
use serde::{Deserialize, Serialize};

use super::contributions::AMOUNT_FEN_MAX;
use super::field::{Cells, Reason, digits};
use super::{Column, Row, required};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PremiumRow {
    pub line: u32,
    pub area: Area,
    /// The year that is covered.
    pub year: u16,
    pub amount: Fen,
    /// First day on which it can be paid.
    pub opens_on: Day,
    /// Last day on which it can be paid.
    pub closes_on: Day,
    pub who: PremiumPayer,
    /// What the local office says.
    pub instructions: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PremiumPayer {
    /// Only one's own wallet pays.
    SelfOnly,
    /// A relative's wallet may pay too.
    SelfAndRelatives,
}

impl Row for PremiumRow {
    const COLUMNS: &'static [Column] =
        &[required("area"), required("year"), required("amount_yuan"), required("opens_on"), required("closes_on"), required("who"), required("instructions")];
    type Key = (Area, u16);
    const KEY_ZH: &'static str = "同一地区同一年度";

    fn line(&self) -> u32 {
        self.line
    }

    fn key(&self) -> (Area, u16) {
        (self.area, self.year)
    }

    fn read(cells: &mut Cells) -> Option<PremiumRow> {
        let area = cells.area("area");
        let year = cells.read("year", |text| {
            let year = if text.len() == 4 { digits(text.as_bytes()) } else { None };
            year.filter(|year| (2000..=2199).contains(year))
                .map(|year| year as u16)
                .ok_or_else(|| Reason::new("年度要写成 2027 这样。", "the year must have four digits"))
        });
        let amount = cells.amount("amount_yuan", AMOUNT_FEN_MAX);
        let opens_on = cells.date("opens_on");
        let closes_on = cells.date("closes_on");
        let who = cells.choice("who", &[("self", PremiumPayer::SelfOnly), ("relatives", PremiumPayer::SelfAndRelatives)]);
        let instructions = cells.text("instructions", 0, 500);
        let row = PremiumRow {
            line: cells.line(),
            area: area?,
            year: year?,
            amount: amount?,
            opens_on: opens_on?,
            closes_on: closes_on?,
            who: who?,
            instructions: instructions?,
        };
        if row.closes_on < row.opens_on {
            cells.note("closes_on", "截止日期早于开始日期。", "the window closes before it opens");
        }
        Some(row)
    }
}
