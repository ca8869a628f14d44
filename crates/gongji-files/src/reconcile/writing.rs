//! Lists and breaks as files for spreadsheets and for programs.

use super::listing::{Direction, Line};
use super::reading::FileFormat;
use crate::csv_table::{Bom, CsvTable};
use encoding_rs::GB18030;
use gongji_wallet::day::{Day, date_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 with a byte order mark: what today's spreadsheets read rightly.
    Utf8Bom,
    /// UTF-8 alone: for programs.
    Utf8,
    /// What old spreadsheets on Chinese systems expect. Written as GB 18030, which is the same for every character that GBK has.
    Gbk,
}

impl Encoding {
    pub fn from_word(word: &str) -> Option<Encoding> {
        match word {
            "utf-8-bom" => Some(Encoding::Utf8Bom),
            "utf-8" => Some(Encoding::Utf8),
            "gbk" => Some(Encoding::Gbk),
            _ => None,
        }
    }

    /// For `Content-Type`.
    pub fn charset(self) -> &'static str {
        if self == Encoding::Gbk { "gb18030" } else { "utf-8" }
    }
}

/// A CSV file in one of the encodings; cells that a spreadsheet would run are guarded.
pub struct TextTable {
    table: CsvTable,
    encoding: Encoding,
}

impl TextTable {
    pub fn new(header: &[&str], encoding: Encoding) -> TextTable {
        let bom = if encoding == Encoding::Utf8Bom { Bom::With } else { Bom::Without };
        TextTable { table: CsvTable::new(header, bom), encoding }
    }

    /// As [`CsvTable::row`].
    pub fn row<Cell: AsRef<str>>(&mut self, cells: &[Cell]) {
        self.table.row(cells);
    }

    pub fn finish(self) -> Vec<u8> {
        let bytes = self.table.finish();
        if self.encoding != Encoding::Gbk {
            return bytes;
        }
        let text = std::str::from_utf8(&bytes).expect("a table is written as UTF-8");
        GB18030.encode(text).0.into_owned()
    }
}

/// A list in the form in which lists are read.
pub enum ListWriter {
    Comma(TextTable),
    /// The seven national columns alone, without a header.
    Tab(Vec<u8>),
}

const HEADER: [&str; 10] =
    ["setl_id", "mdtrt_id", "psn_no", "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "refd_setl_flag", "setl_time", "clr_type", "insutype"];

impl ListWriter {
    pub fn new(format: FileFormat, encoding: Encoding) -> ListWriter {
        match format {
            FileFormat::Comma => ListWriter::Comma(TextTable::new(&HEADER, encoding)),
            FileFormat::Tab => ListWriter::Tab(Vec::new()),
        }
    }

    /// `time` goes before the line's day where there is one.
    pub fn line(&mut self, line: &Line, time: Option<&str>) {
        let class = |of: fn(super::listing::Class) -> u16| line.class.map_or_else(String::new, |class| of(class).to_string());
        let amount = |amount: Option<gongji_ledger::Fen>| amount.map_or_else(String::new, |amount| amount.to_string());
        let cells = [
            line.settlement.to_owned(),
            line.order_no.to_owned(),
            line.person.to_owned(),
            amount(line.total),
            amount(line.fund),
            line.own.to_string(),
            if line.direction == Direction::Refund { "1" } else { "0" }.to_owned(),
            time.map_or_else(|| line.day.map_or_else(String::new, day_text), str::to_owned),
            class(|class| class.clr_type),
            class(|class| class.insutype),
        ];
        match self {
            ListWriter::Comma(table) => table.row(&cells.map(kept)),
            ListWriter::Tab(bytes) => {
                bytes.extend_from_slice(cells[..7].join("\t").as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
        }
    }

    pub fn finish(self) -> Vec<u8> {
        match self {
            ListWriter::Comma(table) => table.finish(),
            ListWriter::Tab(bytes) => bytes,
        }
    }
}

/// A number that begins like a guard gets another one, so that reading takes off the one that was put on.
fn kept(cell: String) -> String {
    let is_like_a_guard = cell.strip_prefix('\'').is_some_and(|rest| rest.starts_with(['=', '+', '-', '@', '\'']));
    if is_like_a_guard { format!("'{cell}") } else { cell }
}

fn day_text(day: Day) -> String {
    let (year, month, day) = date_of(day);
    format!("{year:04}-{month:02}-{day:02}")
}
