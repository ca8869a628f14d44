//! Whether a printed sheet is genuine: where its QR code leads, without logging in.
//!
//! A code names a statement line and is signed with the installation's key, so that nobody makes one up or tries numbers. The page shows what
//! the books say for the reader to compare with the paper: sums and times, which stand there too, and nobody's name.

use super::frame::{Page, Visit};
use super::statement;
use super::views::statement::Check;
use super::views::{Fact, Section, Tone, format};
use crate::app::App;
use crate::service::ServiceError;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::seal::{Keys, equal_in_constant_time, from_base64url, to_base64url};
use gongji_wallet::object::Line;
use std::sync::Arc;

/// Bytes of the signature in a code: more than anybody tries, few enough for a small picture.
const SIGNATURE_LEN: usize = 12;

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/check/{code}", get(check))
}

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
    fn code(self, keys: &Keys) -> String {
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

async fn check(visit: Visit, Path(code): Path<String>) -> Page {
    let app = Arc::clone(&visit.app);
    let facts = match Sheet::of_code(&code, app.vault.keys()) {
        Some(sheet) => facts(&app, sheet).await.map_err(ServiceError::from)?,
        None => None,
    };
    let layout = visit.layout("核对凭证", Section::None).await?;
    match facts {
        Some(facts) => visit.page(&Check { layout, heading: "这张单子是真的".to_owned(), tone: Tone::Good, facts }),
        None => visit.page_with(StatusCode::NOT_FOUND, &Check { layout, heading: "没有这样的单子".to_owned(), tone: Tone::Alarm, facts: Vec::new() }),
    }
}

/// What the books say of a sheet; nothing where they do not have its line.
async fn facts(app: &App, sheet: Sheet) -> Result<Option<Vec<Fact>>, gongji_store::Fault> {
    let (Sheet::Receipt { part, number } | Sheet::Month { part, last: number, .. }) = sheet;
    if part == 0 || part > app.engine.parts() {
        return Ok(None);
    }
    app.engine.lines_written(part).await?;
    let Some(line) = app.engine.read(part, |books| books.line(number))? else { return Ok(None) };
    Ok(Some(match sheet {
        Sheet::Receipt { .. } => vec![
            Fact::new("凭证号", sheet.number()),
            Fact::new("是什么", statement::heading(line.code)),
            Fact::new("时间", format::date_and_clock(line.at)),
            Fact::new("金额", format::yuan_signed(line.amount.0)),
            Fact::new("大写", gongji_files::capital_amount(Fen(line.amount.0.abs()))),
        ],
        Sheet::Month { month, .. } => {
            let sums = statement::month_sheet(app, line.holder, month, Some(number)).await?;
            vec![
                Fact::new("编号", sheet.number()),
                Fact::new("是什么", "医保钱包明细单"),
                Fact::new("期间", format!("{}年{}月", month.0, month.1)),
                Fact::new("最后一笔", format::when(line.at)),
                Fact::new("笔数", format!("{} 笔", sums.lines.len())),
                Fact::new("收", format::yuan(sums.incoming.0)),
                Fact::new("用", format::yuan(sums.outgoing.0)),
                Fact::new("期初余额", format::yuan(sums.opening.0)),
                Fact::new("期末余额", format::yuan(sums.closing.0)),
            ]
        }
    }))
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
