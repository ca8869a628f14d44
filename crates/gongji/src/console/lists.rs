//! Long lists: narrowed by a word, sorted by a column, page by page, and the same rows as a file.

use super::blocks::{Cell, Column, Field, Form, Row, Table};
use super::frame::Answer;
use super::guard::Desk;
use crate::pages::encoded;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use gongji_files::{Bom, CsvTable};

/// Rows of one page.
const PAGE: usize = 50;

/// Rows of one file.
const FILE_MAX: usize = 50_000;

/// A list before it is narrowed and sorted.
pub struct List {
    /// Its address; the file is at the same with `.csv`.
    pub path: &'static str,
    /// Name in the audit log and of the file.
    pub name: &'static str,
    pub title: &'static str,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub empty: &'static str,
    /// Hint of the search field; empty for no search.
    pub search: &'static str,
}

impl List {
    fn chosen(&mut self, desk: &Desk) {
        let wanted = desk.query("q").to_lowercase();
        self.rows.retain(|row| wanted.is_empty() || row.cells.iter().any(|cell| cell.text.to_lowercase().contains(&wanted)));
        let Some(by) = desk.query("sort").parse::<usize>().ok().filter(|by| *by < self.columns.len()) else { return };
        let is_number = self.columns[by].numeric;
        let text = |row: &Row| row.cells.get(by).map_or("", |cell| cell.text.as_str()).to_owned();
        self.rows.sort_by(|one, other| if is_number { number(&text(one)).cmp(&number(&text(other))) } else { text(one).cmp(&text(other)) });
        if desk.query("order") == "down" {
            self.rows.reverse();
        }
    }

    /// The table of a page.
    pub fn table(mut self, desk: &Desk) -> Table {
        self.chosen(desk);
        let (word, by, order) = (desk.query("q"), desk.query("sort"), desk.query("order"));
        let q = encoded(&word);
        let from = desk.query("from").parse().unwrap_or(0_usize);
        let count = self.rows.len();
        for (at, column) in self.columns.iter_mut().enumerate() {
            let is_by = by == at.to_string();
            column.order = match (is_by, order.as_str()) {
                (false, _) => "none",
                (true, "down") => "descending",
                _ => "ascending",
            };
            column.sort = format!("{}?q={q}&sort={at}&order={}", self.path, if column.order == "ascending" { "down" } else { "up" });
        }
        let rows: Vec<Row> = self.rows.into_iter().skip(from).take(PAGE).collect();
        let next = if from + PAGE < count {
            format!("{}?q={q}&sort={}&order={}&from={}", self.path, encoded(&by), encoded(&order), from + PAGE)
        } else {
            String::new()
        };
        let filter = (!self.search.is_empty()).then(|| Form::get(self.path, "查找").with(Field::search("q", self.search, word)));
        let shown = if from > 0 || count > PAGE {
            format!("共 {count} 条,这里是第 {} 到 {} 条", from + 1, from + rows.len())
        } else {
            format!("共 {count} 条")
        };
        Table {
            title: self.title.to_owned(),
            columns: self.columns,
            rows,
            empty: self.empty.to_owned(),
            csv: format!("{}.csv?q={q}", self.path),
            next,
            filter,
            count: shown,
        }
    }

    /// The same rows as a file; that it leaves is written down first.
    pub async fn file(mut self, desk: &Desk) -> Answer {
        self.chosen(desk);
        self.rows.truncate(FILE_MAX);
        desk.exports(self.name, self.rows.len()).await?;
        let header: Vec<&str> = self.columns.iter().map(|column| column.label.as_str()).collect();
        let mut table = CsvTable::new(&header, Bom::With);
        for row in &self.rows {
            table.row(&row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>());
        }
        let disposition = format!("attachment; filename=\"gongji-{}.csv\"", self.name);
        Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)], table.finish()).into_response())
    }
}

/// The number in a cell, whatever stands around it.
fn number(text: &str) -> i64 {
    let digits: String = text.chars().filter(|letter| letter.is_ascii_digit() || *letter == '-').collect();
    digits.parse().unwrap_or(0)
}

/// A row that leads somewhere.
pub fn row(href: String, cells: Vec<Cell>) -> Row {
    Row { href, cells }
}
