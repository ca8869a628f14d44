//! A PostgreSQL that loses its machine: with a synchronous standby nothing acknowledged is lost, and a backup with its archive goes back to a moment.

use crate::country::{clock, id};
use crate::postgres_server::{Keeper, programs};
use gongji_ledger::HolderId;
use gongji_store::postgres::PostgresStore;
use gongji_store::store::Store;
use gongji_store::{Engine, Fault, Options};
use gongji_wallet::ids::RequestKey;
use gongji_wallet::{Command, Decision, Outcome, Request};
use std::path::Path;
use std::sync::Arc;

/// A first server that archives its log, and a copy of it that follows. `$1` is where the programs are.
const PAIR: &str = r#"
set -eu
trap '' INT TERM HUP
dir=$(mktemp -d --suffix=.gongji-test-postgres)
chmod 755 "$dir"
mkdir "$dir/first" "$dir/second" "$dir/archive" "$dir/restored"
{
    "$1/initdb" -D "$dir/first/data" -U gongji -A trust -E UTF8 --locale=C --no-sync
    settings="-c listen_addresses= -c shared_buffers=32MB -c autovacuum=off"
    archive="-c archive_mode=on -c archive_command='cp %p $dir/archive/%f'"
    "$1/pg_ctl" -D "$dir/first/data" -l "$dir/first/log" -w -o "$settings $archive -k $dir/first" start
    "$1/createdb" -h "$dir/first" -U gongji ledger
    "$1/pg_basebackup" -d "host=$dir/first user=gongji application_name=standby" -D "$dir/second/data" -R -X stream -c fast
    cp -r "$dir/second/data" "$dir/restored/data"
    rm "$dir/restored/data/standby.signal"
    "$1/pg_ctl" -D "$dir/second/data" -l "$dir/second/log" -w -o "$settings -k $dir/second" start
} >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
echo "$dir"
read -r _ || true
for one in first second restored; do "$1/pg_ctl" -D "$dir/$one/data" -m immediate stop >/dev/null 2>&1 || true; done
rm -rf "$dir"
"#;

struct Pair(Keeper);

impl Pair {
    fn start() -> Pair {
        Pair(Keeper::start(PAIR, ""))
    }

    fn socket(&self, server: &str) -> String {
        self.0.folder.join(server).to_str().unwrap().to_owned()
    }

    fn sql(&self, server: &str, sql: &str) -> String {
        let args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "ledger", "-c", sql];
        self.0.run_on(Path::new(&self.socket(server)), "psql", &args).trim().to_owned()
    }

    fn wait_until(&self, server: &str, sql: &str, wanted: &str) {
        while self.sql(server, sql) != wanted {}
    }

    fn signal<'a>(signal: &str, processes: impl Iterator<Item = &'a str>) {
        assert!(std::process::Command::new("kill").arg(signal).args(processes).status().unwrap().success());
    }
}

fn create(serial: u64) -> Request {
    Request { idempotency: Some((RequestKey(id(serial)), [0; 16])), command: Command::CreateHolder { holder: HolderId::new(1, serial) } }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_standby_has_everything_that_was_acknowledged_and_nothing_that_was_called_failed() {
    let pair = Pair::start();
    pair.sql("first", "alter system set synchronous_standby_names = 'ANY 1 (standby)'");
    pair.sql("first", "select pg_reload_conf()");
    pair.wait_until("first", "select count(*) from pg_stat_replication where sync_state = 'quorum'", "1");
    let url = format!("host={},{} user=gongji dbname=ledger target_session_attrs=read-write", pair.socket("first"), pair.socket("second"));
    let store = Arc::new(PostgresStore::open(&url, 1).unwrap());
    let engine = Arc::new(Engine::start(store, clock(), Options::new(1)).unwrap());
    for serial in 1..=50 {
        assert_eq!(engine.ask(1, create(serial)).await.unwrap().decision, Decision::New(Outcome::Done));
    }
    let receiver = pair.sql("second", "select pid from pg_stat_wal_receiver");
    Pair::signal("-STOP", receiver.lines());
    let asked = |serial| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.ask(1, create(serial)).await })
    };
    let hanging: Vec<_> = (51..=60).map(asked).collect();
    // Written on the first, and nobody is told.
    pair.wait_until("first", "select count(*) > 0 from pg_stat_activity where wait_event = 'SyncRep'", "t");
    assert!(hanging.iter().all(|asked| !asked.is_finished()));
    // All of it at once: one that sends the log must not hear of the copy once the others are gone.
    let all = pair.sql("first", "select pid from pg_stat_activity where pid <> pg_backend_pid()");
    let postmaster = std::fs::read_to_string(pair.0.folder.join("first/data/postmaster.pid")).unwrap();
    Pair::signal("-KILL", postmaster.lines().take(1).chain(all.lines()));
    Pair::signal("-CONT", receiver.lines());
    pair.0.run_as_server("pg_ctl", &["-D", pair.0.folder.join("second/data").to_str().unwrap(), "-w", "promote"]);

    let mut refused = Vec::new();
    for (serial, asked) in (51..).zip(hanging) {
        match asked.await.unwrap() {
            Ok(_) => {}
            Err(Fault::Failed(_)) => refused.push(serial),
            Err(other) => panic!("the second server knows what became of it: {other:?}"),
        }
    }
    let is_there = |serial| engine.holder(HolderId::new(1, serial)).unwrap().is_some();
    for serial in 1..=60 {
        assert_eq!(is_there(serial), !refused.contains(&serial), "{serial} of {refused:?}");
    }
    // The same again finds its answer, or is done now; and the work goes on.
    for serial in 1..=70 {
        let again = engine.ask(1, create(serial)).await.unwrap().decision;
        let is_new = serial > 60 || refused.contains(&serial);
        assert_eq!(again, if is_new { Decision::New(Outcome::Done) } else { Decision::Replayed(Outcome::Done) }, "{serial}");
    }
    engine.stop();
    let store = PostgresStore::open(&url, 1).unwrap();
    let (mut journal, head) = store.take_over(1).unwrap();
    let records = journal.records(0, usize::MAX).unwrap();
    assert_eq!(records.len() as u64, head.seq);
    let created: usize = records.iter().map(|record| record.events().unwrap().iter().filter(|event| is_creation(event)).count()).sum();
    assert_eq!(created, 70, "each exactly once");
}

fn is_creation(event: &gongji_wallet::Event) -> bool {
    matches!(event.fact, gongji_wallet::event::Fact::HolderCreated { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_and_its_archive_go_back_to_a_moment() {
    let pair = Pair::start();
    let url = |server: &str| format!("host={} user=gongji dbname=ledger", pair.socket(server));
    let engine = Engine::start(Arc::new(PostgresStore::open(&url("first"), 1).unwrap()), clock(), Options::new(1)).unwrap();
    for serial in 1..=20 {
        engine.ask(1, create(serial)).await.unwrap();
    }
    engine.flush().await;
    pair.sql("first", "select pg_create_restore_point('before_the_mistake')");
    for serial in 21..=30 {
        engine.ask(1, create(serial)).await.unwrap();
    }
    engine.stop();
    // What is archived is whole segments; the last one is closed for it.
    let segment = pair.sql("first", "select pg_walfile_name(pg_switch_wal())");
    pair.wait_until("first", &format!("select count(*) from pg_stat_archiver where last_archived_wal >= '{segment}'"), "1");

    let data = pair.0.folder.join("restored/data");
    let recovery = format!(
        "restore_command = 'cp {}/archive/%f %p'\nrecovery_target_name = 'before_the_mistake'\nrecovery_target_action = 'promote'\n",
        pair.0.folder.display()
    );
    pair.0.write_as_server(&data.join("postgresql.auto.conf"), &recovery);
    pair.0.write_as_server(&data.join("recovery.signal"), "");
    let (data, socket) = (data.to_str().unwrap(), pair.socket("restored"));
    let settings = format!("-c listen_addresses= -c shared_buffers=32MB -k {socket}");
    pair.0.run_as_server("pg_ctl", &["-D", data, "-l", &format!("{socket}/log"), "-w", "-o", &settings, "start"]);
    pair.wait_until("restored", "select pg_is_in_recovery()", "f");

    let engine = Engine::start(Arc::new(PostgresStore::open(&url("restored"), 1).unwrap()), clock(), Options::new(1)).unwrap();
    for serial in 1..=30 {
        assert_eq!(engine.holder(HolderId::new(1, serial)).unwrap().is_some(), serial <= 20, "{serial}");
    }
    assert_eq!(engine.ask(1, create(20)).await.unwrap().decision, Decision::Replayed(Outcome::Done));
    assert_eq!(engine.ask(1, create(21)).await.unwrap().decision, Decision::New(Outcome::Done));
    assert!(programs().join("pg_verifybackup").exists(), "the runbook checks a backup with it");
}
