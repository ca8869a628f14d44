//! Files of the agencies: who lives, is insured and contributes where; which regions are open; who takes the wallet.
//!
//! The same way for production, sandbox and demonstration:
//!
//! 1. The whole file is read and checked: form (`gongji-files`), then meaning ([`check`]: does the region exist, the person, the voucher?).
//!    Every bad line is named. A file with a bad line changes nothing, unless the caller wants the good lines anyway; a file that is wrong
//!    as a whole is never used.
//! 2. Its lines are applied many at once. Each has an idempotency key made of the file's digest and its line, so that an interrupted import
//!    is simply started again; a contribution has one made of its voucher, so that even a corrected file pays nobody twice.

mod apply;
mod check;

use crate::app::{App, AppError};
use gongji_files::{BadLine, ContributionRow, EnrolmentRow, ImportKind, InstitutionRow, Options, Parsed, PersonRow, PremiumRow, RegionRow, Row};
use gongji_wallet::day::day_of;
use indicatif::ProgressBar;
use serde::Serialize;
use std::io::Read;
use std::sync::Arc;

/// Lines applied at once; also how often the progress bar moves.
const CHUNK: usize = 2_048;

/// What an import did.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub kind: ImportKind,
    /// Good lines of the file.
    pub lines: usize,
    /// Bad lines that were left out (`--skip-bad`).
    pub skipped: Vec<BadLine>,
    /// Lines that changed something now.
    pub applied: usize,
    /// Lines that an earlier run, or an earlier file with the same voucher, had applied.
    pub known: usize,
    /// Enrolment lines that a newer one of the same person outdates.
    pub outdated: usize,
    /// Lines that the rules refused although the check had nothing against them.
    pub refused: Vec<BadLine>,
    /// SM3 of the file.
    pub digest: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file as a whole is wrong: encoding, header, size.
    #[error("文件不能用:{}", .0.last().map_or_else(String::new, |bad| format!("第 {} 行,{}", bad.line, bad.reason_zh)))]
    Unusable(Vec<BadLine>),
    #[error("有 {} 处错误,什么都没有导入。改好后再导入一次;或者加 --skip-bad 只导入其余的行。", .0.len())]
    BadLines(Vec<BadLine>),
    #[error("文件读不出来:{0}")]
    Io(#[from] std::io::Error),
    #[error("导入中断:{0}。已经导入的行不会丢,再运行一次会从断开的地方接着做。")]
    App(#[from] AppError),
}

impl From<gongji_store::Fault> for ImportError {
    fn from(fault: gongji_store::Fault) -> ImportError {
        ImportError::App(fault.into())
    }
}

/// Imports a file. The bar is told the number of lines and moved; a hidden one will do.
pub async fn import(app: &Arc<App>, kind: ImportKind, input: impl Read, skip_bad: bool, bar: &ProgressBar) -> Result<Summary, ImportError> {
    let options = Options::new(day_of(app.now()));
    match kind {
        ImportKind::Regions => {
            let mut file = read::<RegionRow>(input, &options)?;
            check::regions(app, &mut file);
            let (rows, summary) = accept(kind, file, skip_bad, bar)?;
            apply::regions(app, rows, summary, bar).await
        }
        ImportKind::Institutions => {
            let mut file = read::<InstitutionRow>(input, &options)?;
            check::institutions(app, &mut file);
            let (rows, summary) = accept(kind, file, skip_bad, bar)?;
            apply::institutions(app, rows, summary, bar).await
        }
        ImportKind::Premiums => {
            let mut file = read::<PremiumRow>(input, &options)?;
            check::premiums(app, &mut file);
            let (rows, summary) = accept(kind, file, skip_bad, bar)?;
            apply::premiums(app, rows, summary, bar).await
        }
        ImportKind::Persons => {
            let file = read::<PersonRow>(input, &options)?;
            let (rows, summary) = accept(kind, file, skip_bad, bar)?;
            apply::persons(app, rows, summary, bar).await
        }
        ImportKind::Enrolments => {
            let mut file = read::<EnrolmentRow>(input, &options)?;
            let holders = check::enrolments(app, &mut file).await?;
            let (rows, summary) = accept(kind, file, skip_bad, bar)?;
            apply::enrolments(app, rows, &holders, summary, bar).await
        }
        ImportKind::Contributions => {
            let mut file = read::<ContributionRow>(input, &options)?;
            let holders = check::contributions(app, &mut file).await?;
            let (rows, summary) = accept(kind, file, skip_bad, bar)?;
            apply::contributions(app, rows, &holders, summary, bar).await
        }
    }
}

fn read<R: Row>(input: impl Read, options: &Options) -> Result<Parsed<R>, ImportError> {
    let parsed = gongji_files::parse::<R>(input, options)?;
    if parsed.is_usable { Ok(parsed) } else { Err(ImportError::Unusable(parsed.bad)) }
}

/// Decides whether the file is used at all.
fn accept<R>(kind: ImportKind, file: Parsed<R>, skip_bad: bool, bar: &ProgressBar) -> Result<(Lines<R>, Summary), ImportError> {
    let mut bad = file.bad;
    bad.sort_by_key(|bad| bad.line);
    if !bad.is_empty() && !skip_bad {
        return Err(ImportError::BadLines(bad));
    }
    bar.set_length(file.rows.len() as u64);
    let summary =
        Summary { kind, lines: file.rows.len(), skipped: bad, applied: 0, known: 0, outdated: 0, refused: Vec::new(), digest: gongji_files::hex(&file.digest) };
    Ok((Lines { rows: file.rows, digest: file.digest }, summary))
}

/// The good lines of a file, and the digest that names it.
struct Lines<R> {
    rows: Vec<R>,
    digest: [u8; 32],
}
