//! Moves a vault from its file to PostgreSQL, row for row: everything stays sealed on the way.

use super::database::{Cell, Db};
use super::{Kept, Result, Vault, lock};
use crate::fault::Fault;
use crate::seal::sm3;

/// Rows read at once.
const PAGE: usize = 2_000;

/// Rows written by one statement.
const ROWS_MAX: usize = 100;

/// Tables of PostgreSQL alone, and the list of migrations.
const TABLES: &str = "select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name not like 'refinery%' order by name";

struct Table {
    name: String,
    columns: Vec<String>,
    /// Those of the primary key, in order.
    key: Vec<String>,
}

/// How many rows a table has, and a digest that does not depend on their order.
#[derive(PartialEq, Eq, Debug)]
struct Contents {
    rows: u64,
    digest: [u8; 32],
}

impl Vault {
    /// Copies every row of this vault, which is a file, to an empty one on PostgreSQL, and reads both again. Returns the count of rows.
    ///
    /// # Errors
    /// `Damaged` if what is there afterwards is not what is here.
    pub fn copy_to(&self, store: &crate::postgres::PostgresStore) -> Result<u64> {
        self.flush_last_seen()?;
        let Kept::File { writer, .. } = &self.0.kept else { return Err(Fault::Failed("this vault is on PostgreSQL already".to_owned()).into()) };
        // Nobody writes meanwhile.
        let file = lock(writer);
        let (from, session) = (Db::File(&file), store.session()?);
        let to = Db::Server(&session);
        let mut count = 0;
        session.batch("begin")?;
        for table in tables(&from)? {
            let mut contents = Contents { rows: 0, digest: [0; 32] };
            each_page(&from, &table, &mut |rows| {
                rows.iter().for_each(|row| contents.add(row));
                rows.chunks(ROWS_MAX).try_for_each(|some| put(&to, &table, some))
            })?;
            let mut copied = Contents { rows: 0, digest: [0; 32] };
            each_page(&to, &table, &mut |rows| {
                rows.iter().for_each(|row| copied.add(row));
                Ok(())
            })?;
            if contents != copied {
                return Err(Fault::Damaged(format!("table {} of the vault is not what it was: {contents:?}, {copied:?}", table.name)).into());
            }
            count += contents.rows;
        }
        session.batch("commit")?;
        Ok(count)
    }
}

impl Contents {
    fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        let mut bytes = Vec::new();
        for cell in row {
            let (kind, value) = match cell {
                Cell::Null => (0, Vec::new()),
                Cell::Number(number) => (1, number.to_be_bytes().to_vec()),
                Cell::Text(text) => (2, text.clone().into_bytes()),
                Cell::Bytes(value) => (3, value.clone()),
            };
            bytes.push(kind);
            bytes.extend((value.len() as u64).to_be_bytes());
            bytes.extend(value);
        }
        // Added up as one large number: unlike with XOR, two rows alike do not cancel out.
        let mut carry = 0;
        for (sum, one) in self.digest.iter_mut().zip(sm3(&bytes)) {
            carry += u16::from(*sum) + u16::from(one);
            *sum = carry as u8;
            carry >>= 8;
        }
    }
}

fn tables(db: &Db<'_>) -> Result<Vec<Table>> {
    let names: Vec<String> = db.rows(TABLES, (), |row| row.get(0))?;
    let mut tables = Vec::new();
    for name in names {
        let columns: Vec<(String, i64)> = db.rows("select name, pk from pragma_table_info(?1) order by cid", (&name,), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut key: Vec<&(String, i64)> = columns.iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        let key = key.into_iter().map(|(column, _)| column.clone()).collect();
        tables.push(Table { name, columns: columns.into_iter().map(|(column, _)| column).collect(), key });
    }
    Ok(tables)
}

fn each_page(db: &Db<'_>, table: &Table, visit: &mut dyn FnMut(&[Vec<Cell>]) -> Result<()>) -> Result<()> {
    let (columns, key) = (table.columns.join(", "), table.key.join(", "));
    let places: Vec<usize> = table.key.iter().map(|wanted| table.columns.iter().position(|column| column == wanted).expect("a key is of columns")).collect();
    let behind = (1..=places.len()).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ");
    let first = format!("select {columns} from {} order by {key} limit {PAGE}", table.name);
    let next = format!("select {columns} from {} where ({key}) > ({behind}) order by {key} limit {PAGE}", table.name);
    let width = table.columns.len();
    let read = |sql: &str, values: Vec<Cell>| db.rows(sql, values, |row| (0..width).map(|column| row.get::<Cell>(column)).collect::<Result<Vec<Cell>>>());
    let mut rows = read(&first, Vec::new())?;
    while let Some(last) = rows.last() {
        let after = places.iter().map(|place| last[*place].clone()).collect();
        visit(&rows)?;
        rows = read(&next, after)?;
    }
    Ok(())
}

fn put(db: &Db<'_>, table: &Table, rows: &[Vec<Cell>]) -> Result<()> {
    let width = table.columns.len();
    let row = |row: usize| format!("({})", (1..=width).map(|column| format!("?{}", row * width + column)).collect::<Vec<_>>().join(", "));
    let values = (0..rows.len()).map(row).collect::<Vec<_>>().join(", ");
    let sql = format!("insert into {} ({}) values {values}", table.name, table.columns.join(", "));
    db.execute(&sql, rows.concat()).map(drop)
}
