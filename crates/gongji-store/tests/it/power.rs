//! Power cuts: what `kill -9` cannot show, because it leaves the system's cache alone.
//!
//! A child process works while every write and sync of it is recorded (strace). Then for each answer it gave, the files are built as a cut at that very
//! moment may leave them: what was synced by then, and of the rest nothing or any part. Whatever was acknowledged must be there, and everything must start.

use crate::country::*;
use gongji_ledger::{Fen, GENESIS, link};
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use gongji_wallet::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

const FOLDER: &str = "GONGJI_POWER_FOLDER";
const STEPS: &str = "GONGJI_POWER_STEPS";

/// What the child acknowledges goes here, one record for each answer.
const ACKS: &str = "acks";

/// Cuts at each answer: nothing beyond the syncs, or some.
const WAYS: u64 = 4;

#[tokio::test]
#[ignore = "the child of the power cuts; does nothing by itself"]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let steps: u64 = std::env::var(STEPS).unwrap().parse().unwrap();
    let people = People::of(1);
    let mut acks = std::fs::File::create(folder.join(ACKS)).unwrap();
    let engine = start(Arc::new(SqliteStore::open(&folder, 1).unwrap()), &clock(), 1, None).unwrap();
    walk(&engine, &founding(&people)).await;
    for number in 100..100 + steps {
        let command = Command::Contribute { holder: people.wang, area: JINAN, amount: Fen(1), month: 202_702 };
        let decided = engine.ask(1, step(1, number, command).request).await.unwrap();
        acks.write_all(format!("{} {}", decided.seq, number - 99).as_bytes()).unwrap();
        if number % 7 == 0 {
            engine.flush().await;
        }
    }
}

enum Effect {
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate(usize),
    Sync,
    Unlink,
    /// Sequence and count of the contributions that are acknowledged.
    Ack(u64, i64),
}

/// One system call; times in nanoseconds.
struct Call {
    begin: u128,
    end: u128,
    path: PathBuf,
    effect: Effect,
}

fn unescape(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|byte| u8::from_str_radix(&byte[..2], 16).unwrap()).collect()
}

fn path(text: &str) -> PathBuf {
    PathBuf::from(String::from_utf8(unescape(text)).unwrap())
}

fn nanoseconds(seconds: &str) -> u128 {
    let (whole, part) = seconds.split_once('.').unwrap();
    whole.parse::<u128>().unwrap() * 1_000_000_000 + format!("{part:0<9}").parse::<u128>().unwrap()
}

/// Reads a line as `1795344376.696026312 pwrite64(3<\x2f…>, "\x61…", 4, 3) = 4 <0.000023>`; nothing for calls that failed.
fn call(line: &str) -> Option<Call> {
    let (begin, rest) = line.split_once(' ')?;
    let (name, rest) = rest.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let (result, took) = result.split_once(" <")?;
    let arguments = arguments.trim_end().trim_end_matches(')');
    if result.starts_with('-') {
        return None;
    }
    let file = || arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(file, _)| path(file));
    let begin = nanoseconds(begin);
    let end = begin + nanoseconds(took.trim_end_matches('>'));
    let (path, effect) = match name {
        "pwrite64" => {
            let mut fields = arguments.rsplit(", ");
            let (at, _, bytes) = (fields.next()?.parse().unwrap(), fields.next()?, unescape(fields.next()?));
            assert_eq!(bytes.len(), result.parse::<usize>().unwrap(), "a short write: {line}");
            (file()?, Effect::Write { at, bytes })
        }
        "ftruncate" => (file()?, Effect::Truncate(arguments.rsplit(", ").next()?.parse().unwrap())),
        "fdatasync" | "fsync" => (file()?, Effect::Sync),
        "unlink" | "unlinkat" => (self::path(arguments.split('"').nth(1)?), Effect::Unlink),
        "write" if file().is_some_and(|file| file.ends_with(ACKS)) => {
            let text = String::from_utf8(unescape(arguments.rsplit(", ").nth(1)?)).unwrap();
            let (seq, count) = text.split_once(' ').unwrap();
            (file()?, Effect::Ack(seq.parse().unwrap(), count.parse().unwrap()))
        }
        _ => return None,
    };
    Some(Call { begin, end, path, effect })
}

/// Runs the child under strace. `None` where this machine lets nobody trace.
fn record(folder: &Path, steps: u64) -> Option<Vec<Call>> {
    let logs = tempfile::tempdir().unwrap();
    let trace = |program: &Path| {
        let mut strace = process::Command::new("strace");
        strace.args(["-ff", "-qq", "-xx", "-s", "10000000", "-y", "-T", "--absolute-timestamps=format:unix,precision:ns"]);
        strace.args(["-e", "trace=pwrite64,write,fdatasync,fsync,ftruncate,unlink,unlinkat", "-o"]);
        strace.arg(logs.path().join("log")).arg(program);
        strace
    };
    let may_trace = trace(Path::new("/bin/true")).status().expect("strace is there: cargo xtask test installs it");
    if !may_trace.success() {
        eprintln!("nobody may trace on this machine: no power cuts");
        return None;
    }
    let child = trace(&std::env::current_exe().unwrap())
        .args(["--exact", "power::child", "--ignored", "--test-threads", "1"])
        .env(FOLDER, folder)
        .env(STEPS, steps.to_string())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let mut calls = Vec::new();
    for log in std::fs::read_dir(logs.path()).unwrap() {
        calls.extend(std::fs::read_to_string(log.unwrap().path()).unwrap().lines().filter_map(call));
    }
    calls.retain(|call| call.path.starts_with(folder));
    calls.sort_by_key(|call| call.begin);
    Some(calls)
}

/// The files as a power cut at `cut` may leave them. `way` 0 keeps what was synced; others keep some of the rest.
fn after_cut(calls: &[Call], cut: u128, way: u64) -> BTreeMap<&Path, Vec<u8>> {
    let past: Vec<&Call> = calls.iter().filter(|call| call.begin < cut).collect();
    let mut synced: BTreeMap<&Path, u128> = BTreeMap::new();
    for call in past.iter().filter(|call| matches!(call.effect, Effect::Sync) && call.end <= cut) {
        let last = synced.entry(&call.path).or_default();
        *last = call.begin.max(*last);
    }
    let mut files: BTreeMap<&Path, Vec<u8>> = BTreeMap::new();
    let mut chance = way.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ cut as u64;
    for call in past {
        let is_synced = synced.get(&*call.path).is_some_and(|sync| call.end <= *sync);
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let is_kept = is_synced || (way > 0 && chance >> 62 < way);
        match &call.effect {
            Effect::Write { at, bytes } if is_kept => {
                // Of what nobody synced perhaps only the first sectors.
                let kept = if is_synced || chance >> 60 & 1 == 0 { bytes.len() } else { bytes.len() / 2 / 512 * 512 };
                let file = files.entry(&call.path).or_default();
                if file.len() < at + kept {
                    file.resize(at + kept, 0);
                }
                file[*at..at + kept].copy_from_slice(&bytes[..kept]);
            }
            Effect::Truncate(length) if is_kept => files.entry(&call.path).or_default().resize(*length, 0),
            Effect::Unlink => drop(files.remove(&*call.path)),
            _ => {}
        }
    }
    files
}

async fn cut_everywhere(steps: u64) {
    let folder = tempfile::tempdir().unwrap();
    let Some(calls) = record(folder.path(), steps) else { return };
    let people = People::of(1);
    let acks: Vec<(u128, u64, i64)> =
        calls.iter().filter_map(|call| if let Effect::Ack(seq, count) = call.effect { Some((call.begin, seq, count)) } else { None }).collect();
    assert_eq!(acks.len() as u64, steps);
    let mut syncs = BTreeSet::new();
    for (cut, acknowledged, count) in acks {
        // A sync of the journal ended between this answer and the one before.
        let last = calls.iter().filter(|call| matches!(call.effect, Effect::Sync) && call.end <= cut && call.path.ends_with("p01/journal.sqlite-wal"));
        assert!(syncs.insert(last.map(|call| call.end).max()), "record {acknowledged} was acknowledged without a sync of its own");
        for way in 0..WAYS {
            let rebuilt = tempfile::tempdir().unwrap();
            for (path, bytes) in after_cut(&calls, cut, way) {
                let path = rebuilt.path().join(path.strip_prefix(folder.path()).unwrap());
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            let store = Arc::new(SqliteStore::open(rebuilt.path(), 1).unwrap());
            let records = store.journal(1).unwrap().records(0, usize::MAX >> 1).unwrap();
            assert!(records.len() as u64 >= acknowledged, "record {acknowledged} was acknowledged, {} are left (way {way})", records.len());
            let mut hash = GENESIS;
            for record in &records {
                assert_eq!(link(&hash, &record.head, &record.payload), record.hash);
                hash = record.hash;
            }
            let engine = start(store.clone(), &clock(), 1, None).unwrap();
            let found = engine.holder(people.wang).unwrap().unwrap().personal_total();
            assert!(found >= Fen(500_000 + count), "{found} after {count} contributions (way {way})");
            drop(engine);
            check_balanced(&dump(&*store, 1));
        }
    }
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    cut_everywhere(25).await;
}

#[tokio::test]
#[ignore = "1,200 cuts: cargo xtask test --all"]
async fn many_power_cuts_lose_nothing_that_was_acknowledged() {
    cut_everywhere(300).await;
}
