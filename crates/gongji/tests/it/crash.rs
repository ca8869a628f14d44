//! `kill -9` of the real server under load: nothing acknowledged is lost, nothing happens twice.
//!
//! Families are clients of their own: each sends money, pays at its hospital, and knows to the fen what its books must say. The program is killed
//! when a seeded count of requests has been acknowledged, whatever the others have under way at that moment, and started again on the same
//! folder. Then each family repeats its unanswered request with the same key, holds its books against what it was told, and goes on with
//! its day. Each day is a new one by the sandbox's clock.

mod family;
mod restore;
mod wire;

use crate::postgres_server::Database;
use crate::program::{Program, verified};
use family::{CAST, Cast, Counts, Family, Member, Random};
use gongji::installation::{Installation, Profile};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use wire::{Asked, Blow, Wire};

/// Kills in a day.
const KILLS_A_DAY: usize = 2;

/// Requests of a day that all families together surely acknowledge.
const REQUESTS_A_DAY: u64 = 25 * CAST.len() as u64;

/// Monday 2026-11-23, 10:00: the eve.
const FIRST_MORNING: i64 = 1_795_399_200_000;
const DAY_MS: i64 = 24 * 3_600_000;

async fn sandbox(wire: &Wire, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
    let asked = Asked { method, path: format!("/sandbox{path}"), token: String::new(), body, key: None };
    wire.look(&asked).await.expect("nobody kills it now").done()
}

/// Starts the program, to be killed at a count of acknowledged requests.
fn start(folder: &Path, partitions: &str, blow_at: u64) -> (Program, Arc<Blow>, Wire) {
    let program = Program::sandbox(folder, &["--partitions", partitions], "warn");
    let blow = Blow::new(&program, blow_at);
    let wire = Wire::new(&program, &blow);
    (program, blow, wire)
}

/// The morning of a day, counted from the eve.
async fn move_to_morning(wire: &Wire, day: usize) {
    let morning = gongji::time::rfc3339(FIRST_MORNING + day as i64 * DAY_MS);
    sandbox(wire, reqwest::Method::POST, "/clock", Some(json!({ "to": morning }))).await;
}

async fn gather(wire: &Wire, cast: &'static [Cast], seed: u64) -> Vec<Family> {
    let logins = sandbox(wire, reqwest::Method::GET, "/logins", None).await;
    let tills = sandbox(wire, reqwest::Method::GET, "/institutions", None).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let member = |name: &str| {
        let login = logins["logins"].as_array().unwrap().iter().find(|login| login["name"] == name).unwrap_or_else(|| panic!("{name} has no login"));
        Member { name: name.to_owned(), id_number: text(&login["id_number"]), password: text(&login["password"]), ..Member::default() }
    };
    let mut families = Vec::new();
    for (at, cast) in cast.iter().enumerate() {
        let till = tills["institutions"].as_array().unwrap().iter().find(|till| till["code"] == cast.institution).unwrap();
        let members = [member(cast.sender), member(cast.receiver)];
        families.push(Family::gather(cast, members, text(&till["key"]), seed + at as u64, wire).await);
    }
    families
}

/// Lets all families live at once, until each has ended its day or has seen the program die.
async fn live(mut families: Vec<Family>, wire: &Wire, day: usize) -> (Vec<Family>, bool) {
    let mut living = Vec::new();
    for mut family in families.drain(..) {
        let wire = wire.clone();
        living.push(tokio::spawn(async move {
            let ended = family.live(&wire, day).await.is_ok();
            (family, ended)
        }));
    }
    let mut all_ended = true;
    for one in living {
        let (family, ended) = one.await.unwrap();
        families.push(family);
        all_ended &= ended;
    }
    (families, all_ended)
}

async fn kill_and_restart(folder: &Path, kills: usize, seed: u64) {
    let mut random = Random(seed);
    let (program, _, wire) = start(folder, "4", u64::MAX);
    let mut families = gather(&wire, &CAST, seed).await;
    assert!(program.stop().status.success());

    let (mut killed, mut day, mut under_way) = (0, 1, 0);
    while killed < kills {
        for kill in 0..=KILLS_A_DAY {
            // The last start of a day lets everybody end it.
            let is_kill = kill < KILLS_A_DAY && killed < kills;
            let blow_at = if is_kill { 1 + random.below(REQUESTS_A_DAY / (KILLS_A_DAY as u64 + 1)) } else { u64::MAX };
            let (program, blow, wire) = start(folder, "4", blow_at);
            if kill == 0 {
                move_to_morning(&wire, day).await;
            }
            families.iter_mut().for_each(Family::wake);
            let ended;
            (families, ended) = live(families, &wire, day).await;
            if is_kill {
                assert!(blow.has_fallen() && !ended, "the day was over before the program was to be killed");
                let said = program.wait();
                assert!(!said.status.success() && !said.stderr.contains("panic"), "{}", said.stderr);
                killed += 1;
                // What it left behind is in order before anybody repairs it.
                under_way += verified(folder)["undelivered"].as_u64().unwrap();
                continue;
            }
            assert!(ended, "nobody killed it");
            for family in &mut families {
                family.sleep(&wire, day).await;
            }
            let said = program.stop();
            assert!(said.status.success() && said.stderr.is_empty(), "{}\n{}", said.status, said.stderr);
        }
        day += 1;
    }
    let (program, _, wire) = start(folder, "4", u64::MAX);
    for family in &families {
        family.take_stock(&wire).await;
    }
    assert!(program.stop().status.success());
    let report = verified(folder);

    let sum = |of: fn(&Counts) -> u64| families.iter().map(|family| of(&family.counts)).sum::<u64>();
    println!(
        "killed {killed} times in {} days; acknowledged {}, unanswered and repeated {} (done before all the same: {}), first answers seen again {}, \
         transfers {}, payments {}, messages under way at a kill {under_way}; books: {} records, {} lines, {}",
        day - 1,
        sum(|counts| counts.acknowledged),
        sum(|counts| counts.unanswered),
        sum(|counts| counts.had_been_done),
        sum(|counts| counts.repeated),
        sum(|counts| counts.transfers),
        sum(|counts| counts.payments),
        report["records"],
        report["lines"],
        report["books"],
    );
    assert_eq!(report["undelivered"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_lose_nothing_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    kill_and_restart(&folder.path().join("data"), 10, 20_261_123).await;
}

/// The database lives on and may still commit what the dead had sent: the next start finds it, and nobody is told otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_kills_lose_nothing_and_repeat_nothing_on_postgresql() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let data = folder.path().join("data");
    Installation::open_or_create(&data, Profile::Sandbox, Some(4)).unwrap().keep_in(&database.url()).unwrap();
    kill_and_restart(&data, 4, 20_261_124).await;
}

/// `GONGJI_SEED` picks other moments to die.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a hundred kills take minutes; cargo xtask test --all runs it"]
async fn a_hundred_kills_lose_nothing_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::env::var("GONGJI_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    kill_and_restart(&folder.path().join("data"), 100, seed).await;
}

/// The check itself: where a commit is missing that was acknowledged, the families notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_commit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (program, _, wire) = start(&data, "1", u64::MAX);
    let mut families = gather(&wire, &CAST[..1], 7).await;
    move_to_morning(&wire, 1).await;
    let ended;
    (families, ended) = live(families, &wire, 1).await;
    assert!(ended && program.stop().status.success());

    let journal = rusqlite::Connection::open(data.join("p01/journal.sqlite")).unwrap();
    journal
        .execute_batch("delete from journal where seq = (select max(seq) from journal); update ledger_part set seq = (select max(seq) from journal)")
        .unwrap();
    drop(journal);
    for file in ["books.sqlite", "books.sqlite-wal", "books.sqlite-shm"] {
        let _ = std::fs::remove_file(data.join("p01").join(file));
    }
    let (_program, _, wire) = start(&data, "1", u64::MAX);
    let mut family = families.pop().unwrap();
    family.wake();
    let noticed = tokio::spawn(async move { family.live(&wire, 1).await }).await;
    assert!(noticed.is_err_and(|error| error.is_panic()));
}
