//! An institution's list as a file: CSV, or the tab form of the national detail file (3202), in UTF-8 or GBK.
//!
//! Which encoding it is never decides about money: every cell that is compared is ASCII, and text beside it only has to be sound in one
//! and the same encoding from the first line to the last. A file with a bad line is refused as a whole, with every bad line named.

use super::listing::{Class, Direction, Line, Listing, NUMBER_LEN_MAX};
use super::writing::Encoding;
use crate::amount::{AmountError, parse_yuan};
use crate::import::BadLine;
use crate::import::lines::{Lines, Next};
use encoding_rs::GB18030;
use gongji_ledger::Fen;
use gongji_wallet::day::{Day, day_from_date};
use std::io::{self, Read};

/// Lines of one order number or settlement number in one file; an inpatient stay has some dozens.
pub const LINES_PER_ORDER_MAX: usize = 200;

/// Ten thousand million yuan: sums of any list stay far within 64 bits.
const AMOUNT_FEN_MAX: i64 = 1_000_000_000_000;

/// What stops a file from being read without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    pub file_bytes_max: u64,
    pub line_bytes_max: usize,
    pub lines_max: usize,
    /// After so many the reading ends.
    pub bad_lines_max: usize,
}

impl Default for ReadLimits {
    fn default() -> ReadLimits {
        ReadLimits { file_bytes_max: 512 << 20, line_bytes_max: 4 << 10, lines_max: 2_000_000, bad_lines_max: 1_000 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Commas, quotes, and a header.
    Comma,
    /// Tabs, no quotes, with or without a header.
    Tab,
}

/// What a file holds. Only one without bad lines may be used.
#[derive(Clone, Debug)]
pub struct ReadList {
    pub listing: Listing,
    /// In the order of the file.
    pub bad: Vec<BadLine>,
    pub format: FileFormat,
    /// `None` where the file is ASCII, or both would do.
    pub encoding: Option<Encoding>,
    /// Lines of bills of which the wallet paid nothing: they are no matter of this reconciliation.
    pub unpaid: u64,
    /// Columns nobody here knows; they were passed over.
    pub ignored_columns: Vec<String>,
    pub bytes: u64,
    /// SM3 of all bytes; of those read so far where the reading ended early.
    pub digest: [u8; 32],
}

/// Names of the columns: that of the national interface first, then what people write.
const COLUMNS: [(&str, &[&str]); 10] = [
    ("setl_id", &["结算号", "结算ID", "平台流水号"]),
    ("mdtrt_id", &["order_no", "订单号", "单号", "就诊号"]),
    ("psn_no", &["人员编号"]),
    ("medfee_sumamt", &["总额", "医疗费总额"]),
    ("fund_pay_sumamt", &["统筹支付", "基金支付"]),
    ("acct_pay", &["钱包支付", "账户支付", "个人账户支出"]),
    ("refd_setl_flag", &["退费标志"]),
    ("setl_time", &["结算时间", "结算日期"]),
    ("clr_type", &["清算类别"]),
    ("insutype", &["险种", "险种类型"]),
];
const SETTLEMENT: usize = 0;
const ORDER: usize = 1;
const PERSON: usize = 2;
const TOTAL: usize = 3;
const FUND: usize = 4;
const OWN: usize = 5;
const FLAG: usize = 6;
const TIME: usize = 7;
const CLR_TYPE: usize = 8;
const INSUTYPE: usize = 9;

const REQUIRED: [usize; 3] = [ORDER, OWN, FLAG];

/// Columns of the national detail file, which may come without a header.
const NATIONAL_LEN: usize = 7;

/// Ignored columns that are told.
const IGNORED_MAX: usize = 20;

struct Bad {
    zh: String,
    en: &'static str,
}

fn bad(zh: impl Into<String>, en: &'static str) -> Bad {
    Bad { zh: zh.into(), en }
}

/// Reads a list to its end. `Err` only where the input itself fails to deliver bytes.
pub fn read_list(input: impl Read, limits: &ReadLimits) -> io::Result<ReadList> {
    let mut lines = Lines::new(input, limits.line_bytes_max, limits.file_bytes_max);
    let mut list = ReadList {
        listing: Listing::new(),
        bad: Vec::new(),
        format: FileFormat::Comma,
        encoding: None,
        unpaid: 0,
        ignored_columns: Vec::new(),
        bytes: 0,
        digest: [0; 32],
    };
    if let Err(Bad { zh, en }) = read_lines(&mut lines, limits, &mut list)? {
        list.bad.push(BadLine { line: lines.number(), column: None, reason_zh: zh, reason_en: en.to_owned() });
    }
    crowded(&mut list);
    (list.bytes, list.digest) = lines.finish();
    Ok(list)
}

/// The inner `Err` ends the reading at the line reached.
fn read_lines(lines: &mut Lines<impl Read>, limits: &ReadLimits, list: &mut ReadList) -> io::Result<Result<(), Bad>> {
    let mut line = Vec::new();
    match lines.next(&mut line)? {
        Next::Line => {}
        Next::LineTooLong | Next::FileTooLarge => return Ok(Err(bad("第一行太长,这可能不是对账文件。", "the first line is too long for a list"))),
        Next::End => return Ok(Err(bad("文件是空的。没有收款的日子,请传只有表头的文件。", "the file is empty; a day without payments is a header alone"))),
    }
    let mut table = match Table::begin(&mut line, list) {
        Ok(table) => table,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut is_pending = table.is_first_line_data;
    loop {
        if list.bad.len() >= limits.bad_lines_max {
            return Ok(Err(bad("错误太多,检查到这一行为止。请先改正前面的行。", "too many bad lines, reading stopped here")));
        }
        if !std::mem::take(&mut is_pending) {
            match lines.next(&mut line)? {
                Next::Line => {}
                Next::LineTooLong => {
                    let zh = format!("这一行太长,最多 {} 字节。", limits.line_bytes_max);
                    list.bad.push(BadLine { line: lines.number(), column: None, reason_zh: zh, reason_en: "the line is too long".to_owned() });
                    continue;
                }
                Next::FileTooLarge => return Ok(Err(bad(format!("文件太大,最多 {} MB。", limits.file_bytes_max >> 20), "the file is too large"))),
                Next::End => {
                    list.encoding = table.text.encoding();
                    return Ok(Ok(()));
                }
            }
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if list.listing.len() >= limits.lines_max {
            return Ok(Err(bad(format!("一个文件最多 {} 行。", limits.lines_max), "the file has too many lines")));
        }
        table.read(lines.number(), &line, list);
    }
}

/// More lines of one number than any stay has: then the column holds something else.
fn crowded(list: &mut ReadList) {
    let listing = &list.listing;
    let mut positions: Vec<u32> = (0..u32::try_from(listing.len()).expect("a list has less than 2^32 lines")).collect();
    for (column, number) in [(ORDER, Listing::order_no as fn(&Listing, u32) -> &[u8]), (SETTLEMENT, Listing::settlement)] {
        positions.sort_unstable_by(|one, other| number(listing, *one).cmp(number(listing, *other)).then(one.cmp(other)));
        for group in positions.chunk_by(|one, other| number(listing, *one) == number(listing, *other)) {
            if group.len() > LINES_PER_ORDER_MAX && !number(listing, group[0]).is_empty() {
                let zh = format!("同一个号有 {} 行,最多 {LINES_PER_ORDER_MAX} 行。这一列放的可能不是单号。", group.len());
                let line = listing.get(group[LINES_PER_ORDER_MAX]).row;
                list.bad.push(BadLine { line, column: Some(COLUMNS[column].0), reason_zh: zh, reason_en: "too many lines with one number".to_owned() });
            }
        }
    }
    list.bad.sort_by_key(|bad| bad.line);
}

/// Which encodings all text so far is sound in.
struct Text {
    may_be_utf8: bool,
    may_be_gbk: bool,
    is_ascii: bool,
}

impl Text {
    fn check(&mut self, line: &[u8]) -> Result<(), Bad> {
        if line.is_ascii() {
            return Ok(());
        }
        let is_utf8 = std::str::from_utf8(line).is_ok();
        let is_gbk = GB18030.decode_without_bom_handling_and_without_replacement(line).is_some();
        match (self.may_be_utf8 && is_utf8, self.may_be_gbk && is_gbk) {
            (false, false) if is_utf8 || is_gbk => {
                Err(bad("这一行的编码和前面的行不一样。整个文件请用一种编码。", "the line is in another encoding than those before"))
            }
            (false, false) => Err(bad("这一行的文字既不是 UTF-8 也不是 GBK。", "the line is neither UTF-8 nor GBK")),
            (utf8, gbk) => {
                (self.may_be_utf8, self.may_be_gbk, self.is_ascii) = (utf8, gbk, false);
                Ok(())
            }
        }
    }

    fn encoding(&self) -> Option<Encoding> {
        match (self.may_be_utf8, self.may_be_gbk) {
            (true, false) => Some(Encoding::Utf8),
            (false, true) => Some(Encoding::Gbk),
            _ => None,
        }
    }
}

/// The columns of a file, and the cells of its current line.
struct Table {
    format: FileFormat,
    text: Text,
    positions: [Option<usize>; COLUMNS.len()],
    cells_len: usize,
    is_first_line_data: bool,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl Table {
    /// From the first line, whose byte order mark is taken off.
    fn begin(line: &mut Vec<u8>, list: &mut ReadList) -> Result<Table, Bad> {
        if line.starts_with(b"PK\x03\x04") || line.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
            return Err(bad("这是 Excel 工作簿,不是 CSV。请另存为 CSV 再传。", "this is a workbook, not CSV"));
        }
        if line.starts_with(&[0xFF, 0xFE]) || line.starts_with(&[0xFE, 0xFF]) || line.contains(&0) {
            return Err(bad("文件是 UTF-16 或别的格式。请另存为 CSV(UTF-8 或 GBK)再传。", "the file is UTF-16 or no text"));
        }
        let has_bom = line.starts_with("\u{feff}".as_bytes());
        if has_bom {
            line.drain(.."\u{feff}".len());
        }
        let format = if line.contains(&b'\t') { FileFormat::Tab } else { FileFormat::Comma };
        list.format = format;
        let mut table = Table {
            format,
            text: Text { may_be_utf8: true, may_be_gbk: !has_bom, is_ascii: true },
            positions: [None; COLUMNS.len()],
            cells_len: 0,
            is_first_line_data: false,
            cells: Vec::new(),
            ends: Vec::new(),
        };
        table.split(line)?;
        table.cells_len = table.ends.len();
        if format == FileFormat::Tab && table.is_national_data() {
            table.is_first_line_data = true;
            (0..NATIONAL_LEN).for_each(|column| table.positions[column] = Some(column));
            return Ok(table);
        }
        table.read_header(line, list)?;
        Ok(table)
    }

    /// The national detail file comes without a header: seven cells, the last of them a flag.
    fn is_national_data(&self) -> bool {
        self.ends.len() == NATIONAL_LEN && matches!(self.cell(NATIONAL_LEN - 1), b"0" | b"1")
    }

    fn read_header(&mut self, line: &[u8], list: &mut ReadList) -> Result<(), Bad> {
        // Chinese names read as what they are in the one encoding in which they are names at all.
        let as_gbk = |cell: &[u8]| GB18030.decode_without_bom_handling_and_without_replacement(cell).map(|text| text.trim().to_owned());
        let as_utf8 = |cell: &[u8]| std::str::from_utf8(cell).ok().map(|text| text.trim().to_owned());
        let cells: Vec<&[u8]> = (0..self.ends.len()).map(|at| self.cell(at)).collect();
        let mut names: Option<Vec<String>> = cells.iter().map(|cell| as_utf8(cell)).collect();
        let is_known = |names: &Option<Vec<String>>| names.as_ref().is_some_and(|names| REQUIRED.iter().all(|column| place(names, *column).is_some()));
        if !line.is_ascii() {
            let in_gbk: Option<Vec<String>> = if self.text.may_be_gbk { cells.iter().map(|cell| as_gbk(cell)).collect() } else { None };
            if is_known(&names) != is_known(&in_gbk) {
                self.text.may_be_utf8 = is_known(&names);
                self.text.may_be_gbk = !self.text.may_be_utf8;
            }
            if !is_known(&names) && in_gbk.is_some() {
                names = in_gbk;
            }
        }
        let names = names.ok_or_else(|| bad("表头既不是 UTF-8 也不是 GBK。", "the header is neither UTF-8 nor GBK"))?;
        self.text.check(line)?;
        let mut faults = Vec::new();
        for (column, (national, _)) in COLUMNS.iter().enumerate() {
            match names.iter().filter(|name| is_name(column, name)).count() {
                0 if REQUIRED.contains(&column) => faults.push(format!("缺少 {national}")),
                0 | 1 => {}
                _ => faults.push(format!("{national} 重复")),
            }
            self.positions[column] = place(&names, column);
        }
        if !faults.is_empty() {
            let wanted: Vec<&str> = COLUMNS[..NATIONAL_LEN].iter().map(|(name, _)| *name).collect();
            return Err(bad(format!("表头不对:{}。表头应该有 {}。", faults.join("、"), wanted.join(",")), "wrong header"));
        }
        let unknown = names.iter().filter(|name| (0..COLUMNS.len()).all(|column| !is_name(column, name)));
        list.ignored_columns = unknown.take(IGNORED_MAX).map(|name| name.chars().take(30).collect()).collect();
        Ok(())
    }

    fn cell(&self, at: usize) -> &[u8] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        self.cells[from..self.ends[at]].trim_ascii()
    }

    /// A cell by its column; empty where the file has no such column. Spreadsheets' ways of keeping digits as text are taken off.
    fn get(&self, column: usize) -> &[u8] {
        let Some(position) = self.positions[column] else { return b"" };
        let cell = self.cell(position);
        if self.format == FileFormat::Tab {
            return cell;
        }
        if let Some(text) = cell.strip_prefix(b"=\"").and_then(|cell| cell.strip_suffix(b"\"")) {
            return text;
        }
        match cell {
            [b'\'', rest @ ..] if rest.first().is_some_and(|first| b"=+-@'".contains(first)) => rest,
            _ => cell,
        }
    }

    fn split(&mut self, line: &[u8]) -> Result<(), Bad> {
        self.cells.clear();
        self.ends.clear();
        let separator = if self.format == FileFormat::Tab { b'\t' } else { b',' };
        if self.format == FileFormat::Tab || !line.contains(&b'"') {
            for cell in line.split(|byte| *byte == separator) {
                self.cells.extend_from_slice(cell);
                self.ends.push(self.cells.len());
            }
            return Ok(());
        }
        let mut at = 0;
        loop {
            if line.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    match (line.get(at), line.get(at + 1)) {
                        (Some(b'"'), Some(b'"')) => {
                            self.cells.push(b'"');
                            at += 2;
                        }
                        (Some(b'"'), _) => {
                            at += 1;
                            break;
                        }
                        (Some(byte), _) => {
                            self.cells.push(*byte);
                            at += 1;
                        }
                        (None, _) => return Err(bad("这一行的引号没有收尾。", "a quote is not closed on its line")),
                    }
                }
                if !matches!(line.get(at), None | Some(b',')) {
                    return Err(bad("引号后面要跟逗号。", "a closing quote is followed by something else than a comma"));
                }
            } else {
                let end = line[at..].iter().position(|byte| *byte == b',').map_or(line.len(), |end| at + end);
                self.cells.extend_from_slice(&line[at..end]);
                at = end;
            }
            self.ends.push(self.cells.len());
            if at >= line.len() {
                return Ok(());
            }
            at += 1;
        }
    }

    /// One line into the list, or what is wrong with it.
    fn read(&mut self, row: u32, line: &[u8], list: &mut ReadList) {
        let named = |column: Option<usize>, Bad { zh, en }: Bad| BadLine {
            line: row,
            column: column.map(|column| COLUMNS[column].0),
            reason_zh: zh,
            reason_en: en.to_owned(),
        };
        if let Err(reason) = self.text.check(line).and_then(|()| self.split(line)) {
            return list.bad.push(named(None, reason));
        }
        if self.ends.len() != self.cells_len {
            let reason = bad(format!("这一行有 {} 格,应该有 {} 格。", self.ends.len(), self.cells_len), "the line has another number of cells");
            return list.bad.push(named(None, reason));
        }
        let before = list.bad.len();
        let mut faults = Vec::new();
        let mut note = |column: usize, reason: Bad| faults.push(named(Some(column), reason));
        let numbers = [SETTLEMENT, ORDER, PERSON].map(|column| match number(self.get(column), column == ORDER) {
            Ok(text) => text,
            Err(reason) => {
                note(column, reason);
                ""
            }
        });
        let is_refund = match self.get(FLAG) {
            b"0" => false,
            b"1" => true,
            _ => {
                note(FLAG, bad("退费标志只能是 0(收款)或 1(退费)。", "the flag is 0 or 1"));
                false
            }
        };
        let amounts = [TOTAL, FUND, OWN].map(|column| match self.get(column) {
            b"" if column != OWN => None,
            text => match amount(text, is_refund) {
                Ok(amount) => Some(amount),
                Err(reason) => {
                    note(column, reason);
                    None
                }
            },
        });
        let day = match self.get(TIME) {
            b"" => None,
            text => date(text).map_or_else(
                || {
                    note(TIME, bad("时间请写成 2026-11-22 或 2026-11-22 09:30:00。", "a time is written 2026-11-22 09:30:00"));
                    None
                },
                Some,
            ),
        };
        let class = match (self.get(CLR_TYPE), self.get(INSUTYPE)) {
            (b"", b"") => None,
            (clr_type, insutype) => {
                let read = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                let class = read(clr_type).zip(read(insutype)).and_then(|(clr_type, insutype)| Class::of(clr_type, insutype));
                if class.is_none() {
                    note(CLR_TYPE, bad("清算类别只能是 11、21、41,险种只能是 310、390,两格一起写。", "clr_type is 11, 21 or 41 and insutype 310 or 390"));
                }
                class
            }
        };
        list.bad.append(&mut faults);
        let (Some(own), true) = (amounts[2], list.bad.len() == before) else { return };
        if own.is_zero() {
            list.unpaid += 1;
            return;
        }
        list.listing.push(&Line {
            row,
            order_no: numbers[1],
            settlement: numbers[0],
            person: numbers[2],
            direction: if is_refund { Direction::Refund } else { Direction::Payment },
            day,
            class,
            is_undone: false,
            own,
            total: amounts[0],
            fund: amounts[1],
        });
    }
}

fn is_name(column: usize, name: &str) -> bool {
    let (national, others) = COLUMNS[column];
    name.eq_ignore_ascii_case(national) || others.iter().any(|other| name.eq_ignore_ascii_case(other))
}

fn place(names: &[String], column: usize) -> Option<usize> {
    names.iter().position(|name| is_name(column, name))
}

fn number(cell: &[u8], is_required: bool) -> Result<&str, Bad> {
    if cell.is_empty() && is_required {
        return Err(bad("单号不能空着。", "the order number is missing"));
    }
    if cell.len() > NUMBER_LEN_MAX {
        return Err(bad(format!("编号最多 {NUMBER_LEN_MAX} 个字符。"), "the number is too long"));
    }
    if !cell.iter().all(u8::is_ascii_graphic) {
        return Err(bad("编号只能用英文字母、数字和符号,中间不能有空格。", "a number has printable ASCII characters only"));
    }
    let text = std::str::from_utf8(cell).expect("what is ASCII is text");
    let is_shortened = text.to_ascii_uppercase().split_once("E+").is_some_and(|(digits, power)| {
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_digits(power) && digits.split('.').all(is_digits)
    });
    if is_shortened {
        return Err(bad("这个编号被表格软件改成了科学计数,数字已经丢了。请从系统里重新导出。", "a spreadsheet has shortened this number"));
    }
    Ok(text)
}

fn amount(cell: &[u8], is_refund: bool) -> Result<Fen, Bad> {
    let of_error = |error: AmountError| bad(error.message_zh(), "an amount is yuan with at most two decimals");
    let text = std::str::from_utf8(cell).map_err(|_| of_error(AmountError::Shape))?;
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let amount = match parse_yuan(digits) {
        Err(AmountError::Negative) => return Err(of_error(AmountError::Shape)),
        read => read.map_err(of_error)?,
    };
    if amount.0 > AMOUNT_FEN_MAX {
        return Err(of_error(AmountError::TooLarge));
    }
    let amount = if is_negative { -amount } else { amount };
    match (is_refund, amount.is_positive(), amount.is_negative()) {
        (true, true, _) => Err(bad("退费(标志 1)的金额要写成负数。", "amounts of a refund are negative")),
        (false, _, true) => Err(bad("收款(标志 0)的金额不能是负数;退费请把标志写成 1。", "amounts of a payment are positive; a refund has flag 1")),
        _ => Ok(amount),
    }
}

/// `2026-11-22`, with a time behind it or not; spreadsheets write `2026/11/22 9:30`.
fn date(cell: &[u8]) -> Option<Day> {
    let text = std::str::from_utf8(cell).ok()?;
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let is_time = time.len() <= 19 && time.bytes().all(|byte| byte.is_ascii_digit() || b":.+".contains(&byte));
    let mut parts = date.split(['-', '/']);
    let mut part = |len: std::ops::RangeInclusive<usize>| {
        let text = parts.next()?;
        (len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<i16>().ok()).flatten()
    };
    let (year, month, day) = (part(4..=4)?, part(1..=2)?, part(1..=2)?);
    let month_and_day = i8::try_from(month).ok().zip(i8::try_from(day).ok());
    month_and_day.filter(|_| is_time && parts.next().is_none()).and_then(|(month, day)| day_from_date(year, month, day))
}
