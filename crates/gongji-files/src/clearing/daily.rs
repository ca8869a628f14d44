//! What a province's institutions have confirmed day by day: the list that a missing line shows against.

use super::line::from_hex;
use crate::parse_yuan;
use gongji_ledger::{Fen, InstitutionId};
use gongji_wallet::day::{Day, day_from_date};
use std::collections::BTreeMap;

/// One payment or refund that an institution and its province have confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DailyLine {
    pub day: Day,
    pub institution: InstitutionId,
    /// Positive, of payments and of refunds.
    pub amount: Fen,
}

/// Confirmed daily statements: per payment, and apart for its refunds, what was confirmed of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DailyStatements {
    pub(super) lines: BTreeMap<([u8; 16], bool), DailyLine>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("第 {line} 行读不懂：应为 日期,机构编码,支付编号,payment 或 refund,金额（元）")]
pub struct DailyError {
    pub line: usize,
}

impl DailyStatements {
    /// Reads `day,institution,payment,kind,amount`; the first line is the header. `2026-10-31,H37010000001,0199c5d2-7a10-7c3e-9f00-000000000001,payment,123.45`.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(text: &str) -> Result<DailyStatements, DailyError> {
        let mut lines = BTreeMap::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (at, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let (key, read) = read_line(line).ok_or(DailyError { line: at + 1 })?;
            let known = lines.entry(key).or_insert(DailyLine { amount: Fen::ZERO, ..read });
            known.amount += read.amount;
        }
        Ok(DailyStatements { lines })
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

fn read_line(line: &str) -> Option<(([u8; 16], bool), DailyLine)> {
    let mut cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
    let mut date = cells.next()?.split('-');
    let day = day_from_date(date.next()?.parse().ok()?, date.next()?.parse().ok()?, date.next()?.parse().ok()?)?;
    let institution = InstitutionId::parse(cells.next()?)?;
    let payment = from_hex(&cells.next()?.replace('-', "").to_lowercase())?;
    let is_refund = match cells.next()? {
        "payment" => false,
        "refund" => true,
        _ => return None,
    };
    let amount = parse_yuan(cells.next()?).ok().filter(|amount| amount.is_positive() && amount.0 < 1 << 40)?;
    cells.next().is_none().then_some(((payment, is_refund), DailyLine { day, institution, amount }))
}
