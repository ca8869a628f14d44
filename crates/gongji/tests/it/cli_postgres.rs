//! An installation on PostgreSQL: made there, moved there, audited there.

use crate::postgres_server::Database;
use gongji::sandbox::{self, Plan, Running};
use gongji::verify;
use gongji_ledger::HolderId;
use gongji_wallet::object::Holder;
use indicatif::ProgressBar;
use std::path::Path;
use std::process::Command;

async fn start(folder: &Path, store: Option<String>) -> Running {
    let plan = Plan { folder: folder.to_owned(), store, partitions: Some(2), clock: sandbox::start_of_clock(), with_history: true };
    sandbox::start(&plan, &|_| ProgressBar::hidden()).await.unwrap()
}

fn people(running: &Running) -> Vec<Holder> {
    let logins = &running.app.sandbox.as_ref().unwrap().logins;
    let holder = |id_number: &str| running.app.vault.find_by_id_number(id_number).unwrap().unwrap();
    logins.iter().map(|login| running.app.engine.holder(HolderId(holder(&login.id_number))).unwrap().unwrap()).collect()
}

fn gongji(args: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gongji")).args(args).env("RUST_BACKTRACE", "0").output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!err.contains("panicked"), "{err}");
    if output.status.success() { Ok(out) } else { Err(err) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_postgresql_whole_and_lives_on_there() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let (path, url) = (folder.path().to_str().unwrap(), database.url());
    let running = start(folder.path(), None).await;
    let (before, keys) = (people(&running), running.app.sandbox.as_ref().unwrap().institution_keys.clone());
    drop(running);
    let in_files = verify::run(folder.path(), true).unwrap();

    let told = gongji(&["copy", "--from", path, "--to", &url]).unwrap();
    assert!(told.contains("两边逐条比对一致"), "{told}");
    std::fs::remove_file(folder.path().join("vault.sqlite")).unwrap();
    std::fs::remove_dir_all(folder.path().join("p01")).unwrap();
    assert_eq!(verify::run(folder.path(), true).unwrap(), in_files);
    assert!(gongji(&["copy", "--from", path, "--to", &url]).unwrap_err().contains("已经在数据库里"));
    let other = tempfile::tempdir().unwrap();
    drop(start(other.path(), None).await);
    assert!(gongji(&["copy", "--from", other.path().to_str().unwrap(), "--to", &url]).unwrap_err().contains("已经有数据"));

    // The folder remembers where everything is now.
    let running = start(folder.path(), None).await;
    assert_eq!(people(&running), before);
    let owner = running.app.vault.verify_institution_key(&keys[0].2).unwrap();
    assert_eq!(owner.as_deref(), Some(keys[0].0.as_str()));
    assert!(before.iter().any(|person| !person.incoming.is_empty()));
    assert!(sandbox::set_clock(&running.app, sandbox::start_of_clock() + 20 * 3_600_000).await.unwrap());
    assert!(people(&running).iter().all(|person| person.incoming.is_empty()), "at six what nobody took goes back");
    drop(running);
    let report = verify::run(folder.path(), true).unwrap();
    assert!(report.records > in_files.records && report.undelivered == 0);
    let told = gongji(&["verify", "--data", path]).unwrap();
    assert!(told.contains("账本核对无误"), "{told}");

    let fewer = database.sql("delete from journal where part = 2 and seq = 3 returning seq");
    assert_eq!(fewer.trim(), "3");
    assert!(gongji(&["verify", "--data", path]).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_made_on_postgresql_keeps_nothing_but_its_keys_in_the_folder() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let running = start(folder.path(), Some(database.url())).await;
    let before = people(&running);
    drop(running);
    let mut names: Vec<String> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["installation.toml", "keys", "lock"]);
    let running = start(folder.path(), Some(database.url())).await;
    assert_eq!(people(&running), before);
    drop(running);
    let report = verify::run(folder.path(), true).unwrap();
    assert_eq!((report.partitions, report.people, report.undelivered), (2, 63, 0));
    // The keys of another folder open nothing here.
    let stranger = tempfile::tempdir().unwrap();
    let plan = Plan { folder: stranger.path().to_owned(), store: Some(database.url()), partitions: Some(2), clock: 0, with_history: false };
    assert!(sandbox::start(&plan, &|_| ProgressBar::hidden()).await.is_err());
}
