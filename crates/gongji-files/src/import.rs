//! Import files: CSV in UTF-8 with a header, one typed row per line, every bad line named.
//!
//! One physical line is one record: a quote that is never closed spoils its own line and not the rest of the file, and
//! the number told is the number an editor shows. A file is read once, in constant memory beside its rows, and its
//! digest comes with the rows. What is wrong with the file as a whole (encoding, header, size) ends the reading:
//! [`Parsed::is_usable`] is then false and no bad line may be skipped.

mod contributions;
mod enrolments;
mod field;
mod institutions;
pub(crate) mod lines;
mod logins;
mod persons;
mod premiums;
mod regions;

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Read};

use gongji_wallet::day::Day;
use serde::Serialize;

pub use contributions::{AMOUNT_FEN_MAX, ContributionRow, YearMonth};
pub use enrolments::{EnrolmentRow, EnrolmentStatus, INSURANCE_KINDS, insurance_label};
pub use field::parse_date;
pub use institutions::{GeoPoint, InstitutionRow, Readiness};
pub use logins::LoginRow;
pub use persons::PersonRow;
pub use premiums::{PremiumPayer, PremiumRow};
pub use regions::{RegionLevel, RegionOpened, RegionRow, provinces_without_list};

use field::Reason;
use lines::{Lines, Next};

/// Longest cell, in characters; single columns allow less.
pub const CELL_CHARS_MAX: usize = 1_000;

/// The files that `gongji import` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    Regions,
    Persons,
    Enrolments,
    Contributions,
    Institutions,
    Premiums,
}

impl ImportKind {
    /// In the order in which they build on each other.
    pub const ALL: [ImportKind; 6] =
        [ImportKind::Regions, ImportKind::Institutions, ImportKind::Premiums, ImportKind::Persons, ImportKind::Enrolments, ImportKind::Contributions];

    /// The word on the command line and in file names.
    pub fn word(self) -> &'static str {
        match self {
            ImportKind::Regions => "regions",
            ImportKind::Persons => "persons",
            ImportKind::Enrolments => "enrolments",
            ImportKind::Contributions => "contributions",
            ImportKind::Institutions => "institutions",
            ImportKind::Premiums => "premiums",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            ImportKind::Regions => "统筹区",
            ImportKind::Persons => "参保人",
            ImportKind::Enrolments => "参保关系",
            ImportKind::Contributions => "个人账户入账",
            ImportKind::Institutions => "定点医药机构",
            ImportKind::Premiums => "居民医保缴费标准",
        }
    }

    pub fn from_word(word: &str) -> Option<ImportKind> {
        ImportKind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    pub fn columns(self) -> &'static [Column] {
        match self {
            ImportKind::Regions => RegionRow::COLUMNS,
            ImportKind::Persons => PersonRow::COLUMNS,
            ImportKind::Enrolments => EnrolmentRow::COLUMNS,
            ImportKind::Contributions => ContributionRow::COLUMNS,
            ImportKind::Institutions => InstitutionRow::COLUMNS,
            ImportKind::Premiums => PremiumRow::COLUMNS,
        }
    }
}

/// A column a file must have, or may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub is_required: bool,
}

const fn required(name: &'static str) -> Column {
    Column { name, is_required: true }
}

const fn optional(name: &'static str) -> Column {
    Column { name, is_required: false }
}

/// What stops a file from being read without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub file_bytes_max: u64,
    pub line_bytes_max: usize,
    pub rows_max: usize,
    /// After so many the reading ends: nobody repairs more by hand.
    pub bad_lines_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { file_bytes_max: 2 << 30, line_bytes_max: 16 << 10, rows_max: 5_000_000, bad_lines_max: 10_000 }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The business day on which the file is read: nobody on file is born later.
    pub today: Day,
    pub limits: Limits,
}

impl Options {
    pub fn new(today: Day) -> Options {
        Options { today, limits: Limits::default() }
    }
}

/// One thing wrong with one line (the header is line 1). A line with several wrong cells is named several times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadLine {
    pub line: u32,
    /// The column, where the fault lies in one cell.
    pub column: Option<&'static str>,
    /// A plain Chinese sentence; never repeats a cell that may be personal data.
    pub reason_zh: String,
    pub reason_en: String,
}

impl BadLine {
    fn new(line: u32, column: Option<&'static str>, reason: Reason) -> BadLine {
        BadLine { line, column, reason_zh: reason.zh, reason_en: reason.en }
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct Parsed<R> {
    /// The good rows in the order of the file; each knows its line.
    pub rows: Vec<R>,
    /// In the order of the file.
    pub bad: Vec<BadLine>,
    /// False where the file as a whole is wrong: then `rows` may be incomplete and must not be used.
    pub is_usable: bool,
    pub bytes: u64,
    /// SM3 of all bytes; of those read so far where the file is not usable.
    pub digest: [u8; 32],
}

impl<R> Parsed<R> {
    pub fn is_clean(&self) -> bool {
        self.is_usable && self.bad.is_empty()
    }
}

/// A typed line of one kind of file.
pub trait Row: Sized {
    const COLUMNS: &'static [Column];
    /// What may occur once per file.
    type Key: Hash + Eq;

    fn line(&self) -> u32;
    fn key(&self) -> Self::Key;
    /// Names the key for people, without personal data.
    const KEY_ZH: &'static str;

    /// Reads the cells; whatever is wrong is noted in `cells`, and then the result is not used.
    fn read(cells: &mut field::Cells) -> Option<Self>;

    /// Rules over several lines of the file. A row that breaks one is taken out and named.
    fn check_together(_rows: &mut Vec<Self>, _bad: &mut Vec<BadLine>) {}
}

/// A file whose kind is known only at run time.
#[derive(Clone, Debug)]
pub enum ParsedFile {
    Regions(Parsed<RegionRow>),
    Persons(Parsed<PersonRow>),
    Enrolments(Parsed<EnrolmentRow>),
    Contributions(Parsed<ContributionRow>),
    Institutions(Parsed<InstitutionRow>),
    Premiums(Parsed<PremiumRow>),
}

impl ParsedFile {
    pub fn bad(&self) -> &[BadLine] {
        match self {
            ParsedFile::Regions(parsed) => &parsed.bad,
            ParsedFile::Persons(parsed) => &parsed.bad,
            ParsedFile::Enrolments(parsed) => &parsed.bad,
            ParsedFile::Contributions(parsed) => &parsed.bad,
            ParsedFile::Institutions(parsed) => &parsed.bad,
            ParsedFile::Premiums(parsed) => &parsed.bad,
        }
    }

    /// Number of good rows.
    pub fn row_count(&self) -> usize {
        match self {
            ParsedFile::Regions(parsed) => parsed.rows.len(),
            ParsedFile::Persons(parsed) => parsed.rows.len(),
            ParsedFile::Enrolments(parsed) => parsed.rows.len(),
            ParsedFile::Contributions(parsed) => parsed.rows.len(),
            ParsedFile::Institutions(parsed) => parsed.rows.len(),
            ParsedFile::Premiums(parsed) => parsed.rows.len(),
        }
    }

    pub fn is_usable(&self) -> bool {
        match self {
            ParsedFile::Regions(parsed) => parsed.is_usable,
            ParsedFile::Persons(parsed) => parsed.is_usable,
            ParsedFile::Enrolments(parsed) => parsed.is_usable,
            ParsedFile::Contributions(parsed) => parsed.is_usable,
            ParsedFile::Institutions(parsed) => parsed.is_usable,
            ParsedFile::Premiums(parsed) => parsed.is_usable,
        }
    }

    pub fn digest(&self) -> [u8; 32] {
        match self {
            ParsedFile::Regions(parsed) => parsed.digest,
            ParsedFile::Persons(parsed) => parsed.digest,
            ParsedFile::Enrolments(parsed) => parsed.digest,
            ParsedFile::Contributions(parsed) => parsed.digest,
            ParsedFile::Institutions(parsed) => parsed.digest,
            ParsedFile::Premiums(parsed) => parsed.digest,
        }
    }
}

/// As [`parse`] for a kind chosen at run time. `Err` only where the input itself fails to deliver bytes.
pub fn parse_file(kind: ImportKind, input: impl Read, options: &Options) -> io::Result<ParsedFile> {
    Ok(match kind {
        ImportKind::Regions => ParsedFile::Regions(parse(input, options)?),
        ImportKind::Persons => ParsedFile::Persons(parse(input, options)?),
        ImportKind::Enrolments => ParsedFile::Enrolments(parse(input, options)?),
        ImportKind::Contributions => ParsedFile::Contributions(parse(input, options)?),
        ImportKind::Institutions => ParsedFile::Institutions(parse(input, options)?),
        ImportKind::Premiums => ParsedFile::Premiums(parse(input, options)?),
    })
}

/// Reads a file of rows to its end. `Err` only where the input itself fails to deliver bytes.
pub fn parse<R: Row>(input: impl Read, options: &Options) -> io::Result<Parsed<R>> {
    let mut lines = Lines::new(input, options.limits.line_bytes_max, options.limits.file_bytes_max);
    let mut parsed = Parsed { rows: Vec::new(), bad: Vec::new(), is_usable: true, bytes: 0, digest: [0; 32] };
    if let Err(reason) = read_lines(&mut lines, options, &mut parsed)? {
        parsed.is_usable = false;
        parsed.bad.push(BadLine::new(lines.number(), None, reason));
    }
    R::check_together(&mut parsed.rows, &mut parsed.bad);
    parsed.bad.sort_by_key(|bad| bad.line);
    (parsed.bytes, parsed.digest) = lines.finish();
    Ok(parsed)
}

/// The inner `Err` is what is wrong with the file as a whole, at the line reached.
fn read_lines<R: Row>(lines: &mut Lines<impl Read>, options: &Options, parsed: &mut Parsed<R>) -> io::Result<Result<(), Reason>> {
    let mut line = Vec::new();
    let mut cells = field::Cells::new(options.today);
    match lines.next(&mut line)? {
        Next::Line => {}
        Next::LineTooLong | Next::FileTooLarge => return Ok(Err(Reason::new("第一行不是表头,这可能不是 CSV 文件。", "the first line is not a header"))),
        Next::End => return Ok(Err(Reason::new("文件是空的。", "the file is empty"))),
    }
    if let Err(reason) = cells.read_header(&line, R::COLUMNS) {
        return Ok(Err(reason));
    }
    let mut first_line_of: HashMap<R::Key, u32> = HashMap::new();
    let mut has_seen_chinese = false;
    loop {
        if parsed.bad.len() >= options.limits.bad_lines_max {
            return Ok(Err(Reason::new("错误太多,检查到这一行为止。请先改正前面的行。", "too many bad lines, reading stopped here")));
        }
        match lines.next(&mut line)? {
            Next::Line => {}
            Next::LineTooLong => {
                let (zh, en) = (format!("这一行太长,最多 {} 字节。", options.limits.line_bytes_max), "the line is too long");
                parsed.bad.push(BadLine::new(lines.number(), None, Reason { zh, en: en.to_owned() }));
                continue;
            }
            Next::FileTooLarge => {
                let zh = format!("文件太大,最多 {} MB,请分成几个文件。", options.limits.file_bytes_max >> 20);
                return Ok(Err(Reason { zh, en: "the file is too large".to_owned() }));
            }
            Next::End => return Ok(Ok(())),
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            // One damaged line is a bad line; Chinese in another encoding from the start is a file to be saved anew.
            if !has_seen_chinese && lines::looks_like_gbk(&line) {
                return Ok(Err(lines::gbk_reason()));
            }
            parsed.bad.push(BadLine::new(lines.number(), None, Reason::new("这一行不是 UTF-8 文字。", "the line is not UTF-8")));
            continue;
        };
        has_seen_chinese |= !text.is_ascii();
        if parsed.rows.len() >= options.limits.rows_max {
            let zh = format!("一个文件最多 {} 行,请分成几个文件。", options.limits.rows_max);
            return Ok(Err(Reason { zh, en: "the file has too many rows".to_owned() }));
        }
        let row = cells.read_line(lines.number(), text).then(|| R::read(&mut cells)).flatten();
        if cells.take_bad_into(&mut parsed.bad) {
            continue;
        }
        let row = row.expect("a row without a bad cell is complete");
        match first_line_of.entry(row.key()) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(row.line());
                parsed.rows.push(row);
            }
            std::collections::hash_map::Entry::Occupied(entry) => {
                let first = entry.get();
                let zh = format!("{}与第 {first} 行重复。", R::KEY_ZH);
                parsed.bad.push(BadLine::new(row.line(), None, Reason { zh, en: format!("repeats line {first}") }));
            }
        }
    }
}
