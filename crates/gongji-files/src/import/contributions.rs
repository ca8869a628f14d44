//! Money paid into personal accounts, month by month.

use std::fmt;

use gongji_ledger::Fen;
use gongji_wallet::area::Area;
use gongji_wallet::citizen::CitizenNumber;
use serde::{Deserialize, Serialize};

use super::field::{Cells, Reason, digits};
use super::{Column, Row, required};

/// Largest single amount of any import file: ten million yuan.
pub const AMOUNT_FEN_MAX: Fen = Fen(1_000_000_000);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributionRow {
    pub line: u32,
    pub id_number: CitizenNumber,
    /// The pooling area whose personal account takes the money.
    pub area: Area,
    /// Above zero, at most [`AMOUNT_FEN_MAX`].
    pub amount: Fen,
    pub month: YearMonth,
    /// The voucher it rests on; with person, area and month it names the contribution.
    pub document: String,
}

/// A calendar month, `2026-11`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct YearMonth {
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

impl YearMonth {
    /// `YYYY-MM`, years 1900 to 2199.
    pub fn parse(text: &str) -> Option<YearMonth> {
        let (year, month) = text.split_once('-')?;
        if year.len() != 4 || month.len() != 2 {
            return None;
        }
        let (year, month) = (digits(year.as_bytes())?, digits(month.as_bytes())?);
        ((1900..=2199).contains(&year) && (1..=12).contains(&month)).then_some(YearMonth { year: year as u16, month: month as u8 })
    }
}

impl fmt::Display for YearMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Debug for YearMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Row for ContributionRow {
    const COLUMNS: &'static [Column] = &[required("id_number"), required("area"), required("amount_yuan"), required("month"), required("document")];
    type Key = (CitizenNumber, Area, YearMonth, String);
    const KEY_ZH: &'static str = "同一人同月同一凭证的入账";

    fn line(&self) -> u32 {
        self.line
    }

    fn key(&self) -> (CitizenNumber, Area, YearMonth, String) {
        (self.id_number, self.area, self.month, self.document.clone())
    }

    fn read(cells: &mut Cells) -> Option<ContributionRow> {
        let id_number = cells.citizen_number("id_number");
        let area = cells.area("area");
        let amount = cells.amount("amount_yuan", AMOUNT_FEN_MAX);
        let month =
            cells.read("month", |text| YearMonth::parse(text).ok_or_else(|| Reason::new("月份要写成 2026-11 这样。", "the month must have the form YYYY-MM")));
        let document = cells.text("document", 1, 64);
        Some(ContributionRow { line: cells.line(), id_number: id_number?, area: area?, amount: amount?, month: month?, document: document? })
    }
}
