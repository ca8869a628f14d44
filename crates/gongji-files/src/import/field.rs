//! One line's cells, read by column name into typed values; what is wrong is noted, and the reading goes on.

use gongji_ledger::Fen;
use gongji_wallet::area::Area;
use gongji_wallet::citizen::{CitizenNumber, is_invisible};
use gongji_wallet::day::{Day, day_from_date};

use super::{BadLine, CELL_CHARS_MAX, Column, lines};
use crate::amount::parse_yuan;

/// Why something is refused, for the clerk and for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub(super) zh: String,
    pub(super) en: String,
}

impl Reason {
    pub(super) fn new(zh: &str, en: &str) -> Reason {
        Reason { zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// The cells of the current line under the file's header.
pub struct Cells {
    columns: &'static [Column],
    /// Where each column stands in the file; `None` where it was left out.
    positions: Vec<Option<usize>>,
    header_len: usize,
    line: u32,
    text: String,
    ends: Vec<usize>,
    bad: Vec<BadLine>,
    today: Day,
}

impl Cells {
    pub(super) fn new(today: Day) -> Cells {
        Cells { columns: &[], positions: Vec::new(), header_len: 0, line: 1, text: String::new(), ends: Vec::new(), bad: Vec::new(), today }
    }

    /// Every required column once, no unknown one; the order is free.
    pub(super) fn read_header(&mut self, bytes: &[u8], columns: &'static [Column]) -> Result<(), Reason> {
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) || bytes.contains(&0) {
            return Err(Reason::new(
                "文件是 UTF-16 或别的格式。请在表格软件里另存为“CSV UTF-8”格式后再导入。",
                "the file is not UTF-8 text; save it as CSV UTF-8",
            ));
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if bytes.starts_with(b"PK\x03\x04") {
            return Err(Reason::new("这是 Excel 工作簿,不是 CSV。请另存为“CSV UTF-8”格式后再导入。", "this is a workbook, not CSV; save it as CSV UTF-8"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(if lines::looks_like_gbk(bytes) {
                lines::gbk_reason()
            } else {
                Reason::new("表头不是 UTF-8 文字。", "the header is not UTF-8")
            });
        };
        split(text, &mut self.text, &mut self.ends)?;
        let names: Vec<&str> = (0..self.ends.len()).map(|at| self.at(at)).collect();
        if names.len() == 1 && text.contains([';', '\t', '，']) {
            return Err(Reason::new("表头要用英文逗号“,”分隔。", "the header must be separated by commas"));
        }
        let mut faults_zh = Vec::new();
        let mut faults_en = Vec::new();
        for column in columns {
            match names.iter().filter(|name| **name == column.name).count() {
                0 if column.is_required => {
                    faults_zh.push(format!("缺少 {}", column.name));
                    faults_en.push(format!("missing {}", column.name));
                }
                0 | 1 => {}
                _ => {
                    faults_zh.push(format!("{} 重复", column.name));
                    faults_en.push(format!("repeated {}", column.name));
                }
            }
        }
        for name in &names {
            if !columns.iter().any(|column| column.name == *name) {
                let shown = shorten(name);
                faults_zh.push(format!("不认识“{shown}”"));
                faults_en.push(format!("unknown {shown:?}"));
            }
        }
        if !faults_zh.is_empty() {
            let wanted: Vec<&str> = columns.iter().map(|column| column.name).collect();
            let zh = format!("表头不对:{}。表头应该是 {}。", faults_zh.join("、"), wanted.join(","));
            return Err(Reason { zh, en: format!("wrong header: {}", faults_en.join(", ")) });
        }
        let positions = columns.iter().map(|column| names.iter().position(|name| *name == column.name)).collect();
        let header_len = names.len();
        self.header_len = header_len;
        self.positions = positions;
        self.columns = columns;
        Ok(())
    }

    /// Splits a line; false where it cannot be split or has another number of cells than the header.
    pub(super) fn read_line(&mut self, number: u32, text: &str) -> bool {
        self.line = number;
        if let Err(reason) = split(text, &mut self.text, &mut self.ends) {
            self.bad.push(BadLine::new(number, None, reason));
            return false;
        }
        if self.ends.len() != self.header_len {
            let zh = format!("这一行有 {} 格,表头有 {} 格。", self.ends.len(), self.header_len);
            let en = format!("the line has {} cells, the header {}", self.ends.len(), self.header_len);
            self.bad.push(BadLine::new(number, None, Reason { zh, en }));
            return false;
        }
        true
    }

    /// Moves what was wrong with the line to the list of the file; whether there was anything.
    pub(super) fn take_bad_into(&mut self, bad: &mut Vec<BadLine>) -> bool {
        let is_bad = !self.bad.is_empty();
        bad.append(&mut self.bad);
        is_bad
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// The cell of a column, trimmed; empty where the file has no such column.
    pub(super) fn get(&self, column: &'static str) -> &str {
        let at = self.columns.iter().position(|known| known.name == column).expect("a row reads only columns it declares");
        self.positions[at].map_or("", |position| self.at(position))
    }

    pub(super) fn is_empty(&self, column: &'static str) -> bool {
        self.get(column).is_empty()
    }

    pub(super) fn note(&mut self, column: &'static str, zh: impl Into<String>, en: impl Into<String>) {
        self.bad.push(BadLine { line: self.line, column: Some(column), reason_zh: zh.into(), reason_en: en.into() });
    }

    pub(super) fn read<T>(&mut self, column: &'static str, parse: impl FnOnce(&str) -> Result<T, Reason>) -> Option<T> {
        match parse(self.get(column)) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.bad.push(BadLine::new(self.line, Some(column), reason));
                None
            }
        }
    }

    /// An empty cell is `Some(None)`.
    pub(super) fn read_optional<T>(&mut self, column: &'static str, parse: impl FnOnce(&str) -> Result<T, Reason>) -> Option<Option<T>> {
        if self.is_empty(column) { Some(None) } else { self.read(column, parse).map(Some) }
    }

    /// Free text of `chars_min` to `chars_max` characters without control or invisible ones.
    pub(super) fn text(&mut self, column: &'static str, chars_min: usize, chars_max: usize) -> Option<String> {
        self.read(column, |text| {
            let count = text.chars().count();
            if count < chars_min {
                return Err(Reason::new("这一格不能空。", "the cell must not be empty"));
            }
            if count > chars_max.min(CELL_CHARS_MAX) {
                return Err(Reason { zh: format!("这一格最多 {chars_max} 个字。"), en: format!("the cell has more than {chars_max} characters") });
            }
            if text.chars().any(|character| character.is_control() || is_invisible(character)) {
                return Err(Reason::new("这一格里有看不见的字符。", "the cell has control or invisible characters"));
            }
            Ok(text.to_owned())
        })
    }

    pub(super) fn citizen_number(&mut self, column: &'static str) -> Option<CitizenNumber> {
        let today = self.today;
        self.read(column, |text| {
            if is_scientific(text) {
                return Err(Reason::new(
                    "身份证号被表格软件改成了科学计数法,请把这一列设为文本后重新填写。",
                    "the ID number was turned into scientific notation by a spreadsheet",
                ));
            }
            CitizenNumber::parse_on(text, today).map_err(|error| Reason { zh: error.message_zh(), en: error.to_string() })
        })
    }

    pub(super) fn area(&mut self, column: &'static str) -> Option<Area> {
        self.read(column, |text| Area::parse(text).map_err(|error| Reason::new(error.message_zh(), &error.to_string())))
    }

    /// A positive amount of yuan up to a maximum.
    pub(super) fn amount(&mut self, column: &'static str, max: Fen) -> Option<Fen> {
        self.read(column, |text| {
            let amount = parse_yuan(text).map_err(|error| Reason::new(error.message_zh(), &error.to_string()))?;
            if amount.is_zero() {
                return Err(Reason::new("金额不能是 0。", "the amount is zero"));
            }
            if amount > max {
                return Err(Reason { zh: format!("金额太大,最多 {max} 元。"), en: format!("the amount is above {max} yuan") });
            }
            Ok(amount)
        })
    }

    pub(super) fn yes_or_no(&mut self, column: &'static str) -> Option<bool> {
        self.choice(column, &[("yes", true), ("no", false)])
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, column: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        self.read(column, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                Reason { zh: format!("这一格只能填 {}。", words.join("、")), en: format!("the cell must be one of {}", words.join(", ")) }
            })
        })
    }

    pub(super) fn date(&mut self, column: &'static str) -> Option<Day> {
        self.read(column, date_reason)
    }

    pub(super) fn optional_date(&mut self, column: &'static str) -> Option<Option<Day>> {
        self.read_optional(column, date_reason)
    }

    fn at(&self, position: usize) -> &str {
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        self.text[start..self.ends[position]].trim()
    }
}

/// `2026-11-23` as a business day; years 1900 to 2199.
pub fn parse_date(text: &str) -> Option<Day> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = digits(&bytes[..4])?;
    if !(1900..=2199).contains(&year) {
        return None;
    }
    day_from_date(year, digits(&bytes[5..7])? as i8, digits(&bytes[8..])? as i8)
}

fn date_reason(text: &str) -> Result<Day, Reason> {
    parse_date(text).ok_or_else(|| Reason::new("日期要写成 2026-11-23 这样,并且真有这一天。", "the date must be a real one in the form YYYY-MM-DD"))
}

/// Up to four ASCII digits.
pub(super) fn digits(bytes: &[u8]) -> Option<i16> {
    bytes.iter().try_fold(0i16, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i16::from(byte - b'0')))
}

/// RFC 4180 cells of one line. A quote opens only at the start of a cell and must close at its end.
fn split(line: &str, text: &mut String, ends: &mut Vec<usize>) -> Result<(), Reason> {
    text.clear();
    ends.clear();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let Some(quote) = rest.find('"') else {
                    return Err(Reason::new("这一行的英文引号没有配对;一格里不能换行。", "a quote is not closed; a cell cannot span lines"));
                };
                text.push_str(&rest[..quote]);
                rest = &rest[quote + 1..];
                match rest.strip_prefix('"') {
                    Some(after) => {
                        text.push('"');
                        rest = after;
                    }
                    None => break,
                }
            }
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(Reason::new("英文引号后面应该是逗号。", "a closing quote must be followed by a comma"));
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let cell = &rest[..end];
            if cell.contains('"') {
                return Err(Reason::new("有英文引号的格子要整格放在引号里。", "a cell with a quote must be quoted as a whole"));
            }
            text.push_str(cell);
            rest = &rest[end..];
        }
        ends.push(text.len());
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(()),
        }
    }
}

/// `9.90101E+17`: what spreadsheets make of long numbers.
pub(super) fn is_scientific(text: &str) -> bool {
    text.split_once(['E', 'e']).is_some_and(|(mantissa, exponent)| {
        mantissa.starts_with(|first: char| first.is_ascii_digit())
            && mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && exponent.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn shorten(text: &str) -> String {
    let visible = |character: &char| !character.is_control() && !is_invisible(*character);
    let mut short: String = text.chars().filter(visible).take(30).collect();
    if text.chars().filter(visible).count() > 30 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn cells_of(line: &str) -> Result<Vec<String>, Reason> {
        let (mut text, mut ends) = (String::new(), Vec::new());
        split(line, &mut text, &mut ends)?;
        let mut start = 0;
        Ok(ends.iter().map(|end| text[std::mem::replace(&mut start, *end)..*end].to_owned()).collect())
    }

    #[test]
    fn cells_are_split_as_rfc_4180_says() {
        for (line, cells) in [
            ("a,b", vec!["a", "b"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("\"他说\"\"好\"\"\",", vec!["他说\"好\"", ""]),
            ("\"\",\"\"", vec!["", ""]),
        ] {
            assert_eq!(cells_of(line).unwrap(), cells, "{line}");
        }
        for line in ["\"a", "\"a\"b,c", "a\"b", " \"a\"", "\"", "\"\"\""] {
            assert!(cells_of(line).is_err(), "{line}");
        }
    }

    #[test]
    fn dates_are_real_and_plain() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2026-11-23"), Some(20_780));
        assert!(parse_date("2024-02-29").is_some());
        for text in
            ["2023-02-29", "2026-13-01", "2026-00-10", "2026-11-31", "2026/11/23", "26-11-23", "2026-1-23", "1899-12-31", "2200-01-01", "２０２６-11-23", ""]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    proptest! {
        /// What the csv crate writes is read back: it stands for every writer out there.
        #[test]
        fn what_another_writer_writes_is_read_back(cells in proptest::collection::vec("[a-z,\" 王·]{0,8}", 2..6)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&cells).unwrap();
            let bytes = writer.into_inner().unwrap();
            let line = std::str::from_utf8(&bytes).unwrap().trim_end_matches('\n');
            prop_assert_eq!(cells_of(line).unwrap(), cells);
        }
    }
}
