//! One way to ask both places where a vault may be kept: SQLite's file and PostgreSQL's tables. The statements are the same, but for `?1` and `$1`.

use super::{Result, VaultError};
use crate::fault::Fault;
use crate::postgres::session::{Session, Values};
use rusqlite::types::ValueRef;
use tokio_postgres::types::{ToSql, Type};

/// A connection; inside a transaction where it is one that writes.
pub enum Db<'a> {
    File(&'a rusqlite::Connection),
    Server(&'a Session),
}

impl Db<'_> {
    /// Rows changed.
    pub fn execute(&self, sql: &str, values: impl IntoCells) -> Result<usize> {
        let cells = values.cells();
        match self {
            Db::File(connection) => Ok(connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(&cells))?),
            Db::Server(session) => {
                let sql = numbered(sql);
                let changed = with_values(session, &sql, &cells, |values| session.execute(&sql, values))?;
                Ok(usize::try_from(changed).unwrap_or(usize::MAX))
            }
        }
    }

    /// The first row, if there is one.
    pub fn row<T>(&self, sql: &str, values: impl IntoCells, read: impl Fn(&Row<'_>) -> Result<T>) -> Result<Option<T>> {
        Ok(self.rows(sql, values, read)?.into_iter().next())
    }

    pub fn rows<T>(&self, sql: &str, values: impl IntoCells, read: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let cells = values.cells();
        match self {
            Db::File(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(rusqlite::params_from_iter(&cells))?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(read(&Row::File(row))?);
                }
                Ok(found)
            }
            Db::Server(session) => {
                let sql = numbered(sql);
                let rows = with_values(session, &sql, &cells, |values| session.query(&sql, values))?;
                rows.iter().map(|row| read(&Row::Server(row))).collect()
            }
        }
    }
}

fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn with_values<T>(session: &Session, sql: &str, cells: &[Cell], ask: impl FnOnce(Values<'_>) -> Result<T, tokio_postgres::Error>) -> Result<T> {
    let statement = session.prepare(sql).map_err(Fault::from)?;
    let values: Vec<&(dyn ToSql + Sync)> = cells.iter().zip(statement.params()).map(|(cell, of)| cell.as_sql(of)).collect();
    Ok(ask(&values).map_err(Fault::from)?)
}

/// A row as it was found.
pub enum Row<'a> {
    File(&'a rusqlite::Row<'a>),
    Server(&'a tokio_postgres::Row),
}

impl Row<'_> {
    pub fn get<T: FromCell>(&self, column: usize) -> Result<T> {
        T::of(self.cell(column)?).ok_or_else(|| Fault::Damaged(format!("column {column} of the vault is of another kind")).into())
    }

    fn cell(&self, column: usize) -> Result<Cell> {
        Ok(match self {
            Row::File(row) => match row.get_ref(column)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Number(number),
                ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
                ValueRef::Real(_) => return Err(Fault::Damaged("a fraction in the vault".to_owned()).into()),
            },
            Row::Server(row) => {
                let cell = match *row.columns()[column].type_() {
                    Type::BOOL => row.try_get::<_, Option<bool>>(column).map(|flag| flag.map(|flag| Cell::Number(flag.into()))),
                    Type::INT4 => row.try_get::<_, Option<i32>>(column).map(|number| number.map(|number| Cell::Number(number.into()))),
                    Type::INT8 => row.try_get::<_, Option<i64>>(column).map(|number| number.map(Cell::Number)),
                    Type::TEXT => row.try_get::<_, Option<String>>(column).map(|text| text.map(Cell::Text)),
                    _ => row.try_get::<_, Option<Vec<u8>>>(column).map(|bytes| bytes.map(Cell::Bytes)),
                };
                cell.map_err(Fault::from)?.unwrap_or(Cell::Null)
            }
        })
    }
}

/// A value on its way in or out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    fn as_sql(&self, of: &Type) -> &(dyn ToSql + Sync) {
        match self {
            Cell::Null if *of == Type::INT8 => &None::<i64>,
            Cell::Null if *of == Type::TEXT => &None::<String>,
            Cell::Null => &None::<Vec<u8>>,
            Cell::Number(number) => number,
            Cell::Text(text) => text,
            Cell::Bytes(bytes) => bytes,
        }
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => rusqlite::types::Null.into(),
            Cell::Number(number) => (*number).into(),
            Cell::Text(text) => text.as_str().into(),
            Cell::Bytes(bytes) => bytes.as_slice().into(),
        })
    }
}

/// What a column's value is read as.
pub trait FromCell: Sized {
    fn of(cell: Cell) -> Option<Self>;
}

impl FromCell for Cell {
    fn of(cell: Cell) -> Option<Cell> {
        Some(cell)
    }
}

impl FromCell for i64 {
    fn of(cell: Cell) -> Option<i64> {
        if let Cell::Number(number) = cell { Some(number) } else { None }
    }
}

impl FromCell for u32 {
    fn of(cell: Cell) -> Option<u32> {
        i64::of(cell)?.try_into().ok()
    }
}

impl FromCell for bool {
    fn of(cell: Cell) -> Option<bool> {
        Some(i64::of(cell)? != 0)
    }
}

impl FromCell for String {
    fn of(cell: Cell) -> Option<String> {
        if let Cell::Text(text) = cell { Some(text) } else { None }
    }
}

impl FromCell for Vec<u8> {
    fn of(cell: Cell) -> Option<Vec<u8>> {
        if let Cell::Bytes(bytes) = cell { Some(bytes) } else { None }
    }
}

impl FromCell for [u8; 32] {
    fn of(cell: Cell) -> Option<[u8; 32]> {
        Vec::of(cell)?.try_into().ok()
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn of(cell: Cell) -> Option<Option<T>> {
        if cell == Cell::Null { Some(None) } else { T::of(cell).map(Some) }
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

/// What a statement takes.
macro_rules! cells {
    ($($from:ty => $value:ident => $cell:expr;)*) => {
        $(impl From<$from> for Cell {
            fn from($value: $from) -> Cell {
                $cell
            }
        })*
    };
}

cells! {
    i64 => value => Cell::Number(value);
    u16 => value => Cell::Number(value.into());
    &u16 => value => Cell::Number((*value).into());
    u32 => value => Cell::Number(value.into());
    &str => value => Cell::Text(value.to_owned());
    &String => value => Cell::Text(value.clone());
    String => value => Cell::Text(value);
    Vec<u8> => value => Cell::Bytes(value);
    &Vec<u8> => value => Cell::Bytes(value.clone());
    [u8; 32] => value => Cell::Bytes(value.to_vec());
    &[u8; 32] => value => Cell::Bytes(value.to_vec());
}

/// The values of a statement, in order: a tuple of what a [`Cell`] can hold.
pub trait IntoCells {
    fn cells(self) -> Vec<Cell>;
}

impl IntoCells for Vec<Cell> {
    fn cells(self) -> Vec<Cell> {
        self
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {
        $(impl<$($name: Into<Cell>),*> IntoCells for ($($name,)*) {
            fn cells(self) -> Vec<Cell> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                vec![$($name.into()),*]
            }
        })*
    };
}

tuples! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }

impl From<tokio_postgres::Error> for VaultError {
    fn from(error: tokio_postgres::Error) -> VaultError {
        VaultError::Store(error.into())
    }
}
