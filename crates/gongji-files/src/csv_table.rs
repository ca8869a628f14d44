//! Tables for spreadsheets: CSV that Excel opens rightly and cannot run.

/// Whether a byte order mark leads the file: Excel needs one to read Chinese, machines do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bom {
    With,
    Without,
}

/// Lines end in CRLF (RFC 4180). A text cell that a spreadsheet would take for a formula gets a leading `'`.
pub struct CsvTable {
    bytes: Vec<u8>,
    columns: usize,
}

impl CsvTable {
    pub fn new(header: &[&str], bom: Bom) -> CsvTable {
        let bytes = if bom == Bom::With { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
        let mut table = CsvTable { bytes, columns: header.len() };
        table.row(header);
        table
    }

    /// One line with as many cells as the header; another number is a bug.
    pub fn row<Cell: AsRef<str>>(&mut self, cells: &[Cell]) {
        assert_eq!(cells.len(), self.columns, "a row has as many cells as the header");
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                self.bytes.push(b',');
            }
            self.cell(cell.as_ref(), cells.len() == 1);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn cell(&mut self, cell: &str, is_alone: bool) {
        let guard = if is_formula(cell) { "'" } else { "" };
        // A line with one empty cell would be an empty line, which readers skip.
        if cell.contains(['"', ',', '\r', '\n']) || (is_alone && cell.is_empty()) {
            self.bytes.push(b'"');
            self.bytes.extend_from_slice(guard.as_bytes());
            self.bytes.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            self.bytes.push(b'"');
        } else {
            self.bytes.extend_from_slice(guard.as_bytes());
            self.bytes.extend_from_slice(cell.as_bytes());
        }
    }
}

/// What spreadsheets run: a cell that starts with one of these, unless it is a plain negative number.
fn is_formula(cell: &str) -> bool {
    let starts_so = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_number = cell
        .strip_prefix('-')
        .is_some_and(|digits| digits.starts_with(|first: char| first.is_ascii_digit()) && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    !is_number && (starts_so(cell) || starts_so(cell.trim_start()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_become_text_and_negative_amounts_stay_numbers() {
        let mut table = CsvTable::new(&["名称", "金额"], Bom::With);
        table.row(&["=1+1", "-12.34"]);
        table.row(&["@SUM(A1)", "-1+1"]);
        table.row(&["他说“好”, \"行\"", "+5"]);
        table.row(&["  =HYPERLINK(\"x\")", ""]);
        let text = String::from_utf8(table.finish()).unwrap();
        assert_eq!(text, "\u{feff}名称,金额\r\n'=1+1,-12.34\r\n'@SUM(A1),'-1+1\r\n\"他说“好”, \"\"行\"\"\",'+5\r\n\"'  =HYPERLINK(\"\"x\"\")\",\r\n");
    }

    #[test]
    #[should_panic(expected = "as many cells")]
    fn a_short_row_is_a_bug() {
        CsvTable::new(&["a", "b"], Bom::Without).row(&["1"]);
    }

    proptest! {
        /// The csv crate stands for every reader out there.
        #[test]
        fn another_reader_reads_the_same_cells(rows in proptest::collection::vec(proptest::collection::vec("[a-z=+@,\"\r\n '·王-]{0,8}", 3), 0..6)) {
            let mut table = CsvTable::new(&["x", "y", "z"], Bom::Without);
            for row in &rows {
                table.row(row);
            }
            let bytes = table.finish();
            let mut reader = csv::Reader::from_reader(bytes.as_slice());
            let read: Vec<Vec<String>> = reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            let expected: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|cell| if is_formula(cell) { format!("'{cell}") } else { cell.clone() }).collect()).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
