//! A copy of an installation on SQLite, taken while it serves.
//!
//! All journals are copied as they stood at one moment: no message has been received there that was not sent there. The vault is copied after
//! them, so that it knows everybody the journals name. The books are not copied: they are rebuilt at the first start. Keys are never copied
//! here, because whoever finds both can read everything.

use crate::fault::Fault;
use crate::vault::VAULT_FILE;
use gongji_ledger::Part;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages copied in one go; a journal's copy holds nobody up between them.
const PAGES: i32 = 1_024;

/// How long to wait for a partition that is committing.
const BUSY: Duration = Duration::from_secs(10);

/// Copies an installation of `parts` partitions into the folder `to`, which must not exist. `progress` is told how many of how many files are done.
///
/// # Errors
/// `Failed`, and there is no `to` then: it appears only when everything in it is there and synced.
pub fn copy(folder: &Path, parts: Part, to: &Path, mut progress: impl FnMut(u64, u64)) -> Result<(), Fault> {
    if to.exists() {
        return Err(Fault::Failed(format!("{} exists", to.display())));
    }
    let beside = beside(to)?;
    if beside.exists() {
        // Of a copy that was broken off.
        std::fs::remove_dir_all(&beside)?;
    }
    std::fs::create_dir_all(&beside)?;
    let files = u64::from(parts) + 2;
    let journals = at_one_moment(folder, parts)?;
    for ((part, journal), done) in journals.iter().zip(1..) {
        let into = beside.join(part_folder(*part));
        std::fs::create_dir_all(&into)?;
        copy_file(journal, &into.join(JOURNAL))?;
        sync(&into)?;
        progress(done, files);
    }
    drop(journals);
    let vault = folder.join(VAULT_FILE);
    if vault.exists() {
        copy_file(&open(&vault)?, &beside.join(VAULT_FILE))?;
    }
    let about = folder.join("installation.toml");
    if about.exists() {
        std::fs::copy(&about, beside.join("installation.toml"))?;
        File::open(beside.join("installation.toml"))?.sync_all()?;
    }
    sync(&beside)?;
    std::fs::rename(&beside, to)?;
    sync(to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    progress(files, files);
    Ok(())
}

const JOURNAL: &str = "journal.sqlite";

fn part_folder(part: Part) -> String {
    format!("p{part:02}")
}

fn beside(to: &Path) -> Result<PathBuf, Fault> {
    let name = to.file_name().ok_or_else(|| Fault::Failed(format!("{} is no name for a folder", to.display())))?;
    let mut name = name.to_owned();
    name.push(".incomplete");
    Ok(to.with_file_name(name))
}

fn open(file: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// A reader of each journal, all of them standing at one moment. Commits wait for as long as it takes to look.
fn at_one_moment(folder: &Path, parts: Part) -> Result<Vec<(Part, Connection)>, Fault> {
    let file = |part: Part| folder.join(part_folder(part)).join(JOURNAL);
    let there: Vec<Part> = (0..=parts).filter(|part| file(*part).exists()).collect();
    let holding = there.iter().map(|part| open(&file(*part))).collect::<Result<Vec<_>, _>>()?;
    let reading = there.iter().map(|part| Ok((*part, open(&file(*part))?))).collect::<Result<Vec<_>, Fault>>()?;
    for connection in &holding {
        connection.execute_batch("begin immediate")?;
    }
    for (_, connection) in &reading {
        connection.execute_batch("begin")?;
        // The moment is that of the first read.
        connection.query_row("select count(*) from ledger_part", [], |_| Ok(()))?;
    }
    Ok(reading)
}

/// Copies what a connection sees: where it is in a transaction, as of that transaction.
fn copy_file(from: &Connection, to: &Path) -> Result<(), Fault> {
    let mut copy = Connection::open(to)?;
    copy.pragma_update(None, "synchronous", "FULL")?;
    Backup::new(from, &mut copy)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    let found: String = copy.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(to)?.sync_all()?;
    if found == "ok" { Ok(()) } else { Err(Fault::Damaged(format!("the copy {} is damaged: {found}", to.display()))) }
}

#[cfg(unix)]
fn sync(folder: &Path) -> Result<(), Fault> {
    Ok(File::open(folder)?.sync_all()?)
}

#[cfg(not(unix))]
fn sync(_folder: &Path) -> Result<(), Fault> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn journal(folder: &Path, part: Part, seq: u64) -> Connection {
        std::fs::create_dir_all(folder.join(part_folder(part))).unwrap();
        let connection = Connection::open(folder.join(part_folder(part)).join(JOURNAL)).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("create table if not exists ledger_part (seq integer)").unwrap();
        connection.execute("insert into ledger_part values (?1)", [seq]).unwrap();
        connection
    }

    fn records(folder: &Path, part: Part) -> u64 {
        let connection = Connection::open(folder.join(part_folder(part)).join(JOURNAL)).unwrap();
        connection.query_row("select count(*) from ledger_part", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_journal_is_copied_as_it_stood_when_all_were_held() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let writers = [journal(&data, 0, 1), journal(&data, 1, 1)];
        let reading = at_one_moment(&data, 1).unwrap();
        // Both go on at once, and what they write now is not of that moment.
        for writer in &writers {
            writer.execute("insert into ledger_part values (2)", []).unwrap();
        }
        for (part, connection) in &reading {
            let into = folder.path().join(part_folder(*part));
            std::fs::create_dir_all(&into).unwrap();
            copy_file(connection, &into.join(JOURNAL)).unwrap();
            assert_eq!((records(folder.path(), *part), records(&data, *part)), (1, 2));
        }
    }

    #[test]
    fn a_copy_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let (data, to) = (folder.path().join("data"), folder.path().join("copy"));
        drop(journal(&data, 0, 1));
        std::fs::write(data.join(VAULT_FILE), "no database at all, and long enough to be looked at").unwrap();
        assert!(copy(&data, 0, &to, |_, _| {}).is_err());
        assert!(!to.exists());
        std::fs::remove_file(data.join(VAULT_FILE)).unwrap();
        copy(&data, 0, &to, |_, _| {}).unwrap();
        assert_eq!(records(&to, 0), 1);
        assert!(copy(&data, 0, &to, |_, _| {}).is_err(), "a copy is not written over");
        assert!(!folder.path().join("copy.incomplete").exists());
    }
}
