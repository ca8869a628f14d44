//! Printed sheets: the receipt of a movement, the statement of a month, and the code on them by which anybody may compare them with the books.
//!
//! A code names a statement line and is signed with the installation's key, so that nobody makes one up or tries numbers.

use crate::app::App;
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::Fault;
use gongji_store::seal::{Keys, equal_in_constant_time, from_base64url, to_base64url};
use gongji_wallet::day::{date_of, day_of};
use gongji_wallet::object::{Line, LineCode, Purse};

/// Bytes of the signature in a code: more than anybody tries, few enough for a small picture.
const SIGNATURE_LEN: usize = 12;

/// Lines of a month, and of what a picture is drawn from, at most.
pub const LINES_MAX: usize = 5_000;

/// What a code stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sheet {
    /// The receipt of one line: its partition and number.
    Receipt { part: Part, number: u64 },
    /// A month's statement up to a line: partition, the last line's number, year and month.
    Month { part: Part, last: u64, month: (i16, i8) },
}

impl Sheet {
    pub fn receipt(line: &Line) -> Sheet {
        Sheet::Receipt { part: line.holder.part(), number: line.number }
    }

    pub fn month(holder: HolderId, last: u64, month: (i16, i8)) -> Sheet {
        Sheet::Month { part: holder.part(), last, month }
    }

    /// What people quote: unique in the installation.
    pub fn number(self) -> String {
        match self {
            Sheet::Receipt { part, number } => format!("{part}-{number}"),
            Sheet::Month { part, last, month: (year, month) } => format!("{part}-{last}-{year:04}{month:02}"),
        }
    }

    /// The number with its signature.
    pub fn code(self, keys: &Keys) -> String {
        let number = self.number();
        format!("{number}.{}", to_base64url(&signature(keys, &number)))
    }

    /// The page that says what the books say of it.
    pub fn path(self, keys: &Keys) -> String {
        format!("/check/{}", self.code(keys))
    }

    /// The QR code for the paper; `origin` is where this installation is reached.
    pub fn qr_svg(self, keys: &Keys, origin: &str) -> Option<String> {
        gongji_files::qr_svg(&format!("{origin}{}", self.path(keys)), "核对用的二维码").ok()
    }

    /// Reads a code; `None` where it was not made here.
    fn of_code(code: &str, keys: &Keys) -> Option<Sheet> {
        let (number, signed) = code.split_once('.')?;
        if !equal_in_constant_time(&from_base64url(signed)?, &signature(keys, number)) {
            return None;
        }
        let mut fields = number.split('-');
        let (part, line, month) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next());
        Some(match month {
            None => Sheet::Receipt { part, number: line },
            Some(month) => Sheet::Month { part, last: line, month: (month.get(..4)?.parse().ok()?, month.get(4..)?.parse().ok()?) },
        })
    }
}

fn signature(keys: &Keys, number: &str) -> [u8; SIGNATURE_LEN] {
    let mac = keys.token_mac("printed-sheet", &[number.as_bytes()]);
    mac[..SIGNATURE_LEN].try_into().expect("a MAC is longer than its part")
}

/// What the books say of a sheet.
pub enum Told {
    Receipt(Line),
    /// Its last line, and what the month came to with it.
    Month(Line, MonthSheet),
}

/// Reads a code and looks it up; nothing where there is no such sheet.
///
/// # Errors
/// A fault of the books.
pub async fn look_up(app: &App, code: &str) -> Result<Option<(Sheet, Told)>, Fault> {
    let Some(sheet) = Sheet::of_code(code, app.vault.keys()) else { return Ok(None) };
    let (Sheet::Receipt { part, number } | Sheet::Month { part, last: number, .. }) = sheet;
    if part == 0 || part > app.engine.parts() {
        return Ok(None);
    }
    app.engine.lines_written(part).await?;
    let Some(line) = app.engine.read(part, |books| books.line(number))? else { return Ok(None) };
    Ok(Some(match sheet {
        Sheet::Receipt { .. } => (sheet, Told::Receipt(line)),
        Sheet::Month { month, .. } => {
            let sums = month_sheet(app, line.holder, month, Some(number)).await?;
            (sheet, Told::Month(line, sums))
        }
    }))
}

/// What a wallet's sheet of a month says.
pub struct MonthSheet {
    /// Oldest first.
    pub lines: Vec<Line>,
    pub incoming: Fen,
    pub outgoing: Fen,
    pub opening: Fen,
    pub closing: Fen,
}

/// The sheet of a month, up to the line `last` where it was printed before the month was over.
///
/// # Errors
/// A fault of the books.
pub async fn month_sheet(app: &App, holder: HolderId, wanted: (i16, i8), last: Option<u64>) -> Result<MonthSheet, Fault> {
    let before = last.map(|last| last + 1);
    // From the line before the month on, whose balance the month opens with.
    let mut lines = app.engine.lines(holder, before, LINES_MAX, |line| month_of(line.at) <= wanted && line.purse == Purse::Wallet).await?;
    let earlier = lines.iter().position(|line| month_of(line.at) < wanted);
    let opening = earlier.map_or(Fen::ZERO, |at| lines[at].wallet_after);
    lines.truncate(earlier.unwrap_or(lines.len()));
    lines.reverse();
    let opening = lines.first().map_or(opening, |first| first.wallet_after - first.amount);
    let closing = lines.last().map_or(opening, |line| line.wallet_after);
    let mut sum = (Fen::ZERO, Fen::ZERO);
    lines.iter().for_each(|line| count(line, &mut sum));
    Ok(MonthSheet { lines, incoming: sum.0, outgoing: sum.1, opening, closing })
}

/// Adds a line to what came in and what was used; used money that came back is a negative use.
pub fn count(line: &Line, sum: &mut (Fen, Fen)) {
    if comes_in(line.code) { sum.0 += line.amount } else { sum.1 -= line.amount }
}

pub fn comes_in(code: LineCode) -> bool {
    matches!(code, LineCode::Contribution | LineCode::TransferIn | LineCode::CameBack)
}

/// Year and month of an instant, in China.
pub fn month_of(at: i64) -> (i16, i8) {
    let (year, month, _) = date_of(day_of(at));
    (year, month)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_and_nobody_makes_one_up() {
        let keys = Keys::for_tests(1);
        for sheet in [Sheet::Receipt { part: 3, number: 42 }, Sheet::Month { part: 1, last: 7, month: (2026, 11) }] {
            let code = sheet.code(&keys);
            assert_eq!(Sheet::of_code(&code, &keys), Some(sheet));
            assert_eq!(Sheet::of_code(&code, &Keys::for_tests(2)), None, "another installation's");
            assert_eq!(Sheet::of_code(&code.replacen('-', "-1", 1), &keys), None, "another line");
        }
        for wrong in ["", ".", "1-1", "1-1.", "1-1.AAAAAAAAAAAAAAAA", "1-1.中文"] {
            assert_eq!(Sheet::of_code(wrong, &keys), None, "{wrong}");
        }
    }

    #[test]
    fn a_receipts_code_is_not_a_statements() {
        let keys = Keys::for_tests(1);
        let receipt = Sheet::Receipt { part: 1, number: 7 }.code(&keys);
        let signed = receipt.split_once('.').unwrap().1;
        assert_eq!(Sheet::of_code(&format!("1-7-202611.{signed}"), &keys), None);
    }
}
