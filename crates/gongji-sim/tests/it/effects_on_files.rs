//! The same plays on files: a child process works on SQLite while one of its system calls fails, or is its last (strace), one call after the other.
//!
//! The child stops at the first fault it is told of. Then the files are opened anew, everything is asked again with the same keys, and must be as without a
//! fault; whatever the child had heard an answer to is answered the same.

use gongji_sim::effects::{Beat, State, UseCase, all, audit, morning, play};
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

const PARTS: u16 = 1;
const CASE: &str = "GONGJI_EFFECTS_CASE";
const FOLDER: &str = "GONGJI_EFFECTS_FOLDER";

/// What the child heard goes here, beside the folder with the files.
const HEARD: &str = "heard";

/// Calls that change files or make them last.
const CALLS: [&str; 3] = ["pwrite64", "fdatasync", "ftruncate"];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Strike {
    /// An I/O error, once.
    Error,
    /// No room for anything from here on.
    DiskFull,
    /// The call is the last thing that the process asks for.
    Kill,
}

fn open(folder: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&folder.join("files"), PARTS).unwrap())
}

#[test]
#[ignore = "the child of the loops over system calls; does nothing by itself"]
fn child() {
    let (Ok(folder), Ok(case)) = (std::env::var(FOLDER), std::env::var(CASE)) else { return };
    let folder = Path::new(&folder);
    let case = all(PARTS).into_iter().find(|known| known.name == case).unwrap();
    let mut heard = String::new();
    let store = SqliteStore::open(&folder.join("files"), PARTS);
    let tell = |heard: &str| std::fs::write(folder.join(HEARD), heard).unwrap();
    let Ok(store) = store else { return };
    let store: Arc<dyn Store> = Arc::new(store);
    // At once, since the next moment may be the last.
    let _ = play(&store, PARTS, morning(), &case.beats, &mut |answer| {
        writeln!(heard, "{answer}").unwrap();
        tell(&heard);
    });
}

/// A place for one run: the files as they were before the case.
fn copy(template: &Path) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for part in 0..=PARTS {
        let folder = place.path().join(format!("files/p{part:02}"));
        std::fs::create_dir_all(&folder).unwrap();
        for file in std::fs::read_dir(template.join(format!("files/p{part:02}"))).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    place
}

fn run(place: &Path, case: &UseCase, options: &[&str]) -> ExitStatus {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(place.join("log")).args(options).arg(std::env::current_exe().unwrap());
    strace.args(["--exact", "effects_on_files::child", "--ignored", "--test-threads", "1"]);
    strace.env(FOLDER, place).env(CASE, case.name).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    strace.status().expect("strace is there: cargo xtask test installs it")
}

/// How often the child makes each of the calls where nothing fails.
fn count(template: &Path, case: &UseCase) -> BTreeMap<&'static str, usize> {
    let place = copy(template);
    let status = run(place.path(), case, &["-e", &format!("trace={}", CALLS.join(","))]);
    assert!(status.success(), "{}", case.name);
    let log = std::fs::read_to_string(place.path().join("log")).unwrap();
    CALLS.into_iter().map(|call| (call, log.lines().filter(|line| line.contains(&format!("{call}("))).count())).collect()
}

fn answers(store: &Arc<dyn Store>, beats: &[Beat]) -> Vec<String> {
    let mut answers = Vec::new();
    play(store, PARTS, morning(), beats, &mut |answer| answers.push(answer)).unwrap();
    answers
}

/// Plays a case with each strike at every `step`-th of its calls. Returns how many plays those were.
fn strike_everywhere(case: &UseCase, step: usize) -> usize {
    let template = tempfile::tempdir().unwrap();
    answers(&open(template.path()), &case.before);
    let (expected_answers, expected) = {
        let place = copy(template.path());
        let store = open(place.path());
        let answers = answers(&store, &case.beats);
        (answers, State::of(&*store, PARTS).unwrap())
    };
    let mut plays = 0;
    for (call, count) in count(template.path(), case) {
        for at in (1..=count).step_by(step) {
            for strike in [Strike::Error, Strike::DiskFull, Strike::Kill] {
                let what = match strike {
                    Strike::Error => format!("inject={call}:error=EIO:when={at}"),
                    Strike::DiskFull if call == "fdatasync" => continue,
                    Strike::DiskFull => format!("inject={call}:error=ENOSPC:when={at}+"),
                    Strike::Kill => format!("inject={call}:signal=SIGKILL:when={at}"),
                };
                let told = format!("{}, {strike:?} at {call} {at} of {count}", case.name);
                let place = copy(template.path());
                let status = run(place.path(), case, &["-e", &format!("trace={call}"), "-e", &what]);
                assert!(status.success() || strike == Strike::Kill && status.signal() == Some(9), "{told}: {status}");
                let heard = std::fs::read_to_string(place.path().join(HEARD)).unwrap_or_default();
                let store = open(place.path());
                let answers = answers(&store, &case.beats);
                assert_eq!(answers, expected_answers, "{told}");
                assert!(heard.lines().zip(&answers).all(|(heard, answer)| heard == answer), "{told}: heard {heard}, then {answers:?}");
                State::of(&*store, PARTS).and_then(|state| state.check(&expected)).unwrap_or_else(|why| panic!("{told}: {why}"));
                audit(&*store, PARTS).unwrap_or_else(|why| panic!("{told}: {why}"));
                plays += 1;
            }
        }
    }
    assert!(plays > 0);
    plays
}

fn may_trace() -> bool {
    let may = Command::new("strace").args(["-qq", "-o", "/dev/null", "/bin/true"]).status().is_ok_and(|status| status.success());
    if !may {
        eprintln!("nobody may trace on this machine: no system call fails");
    }
    may
}

#[test]
fn a_system_call_that_fails_changes_nothing() {
    if may_trace() {
        let case = all(PARTS).into_iter().find(|case| case.name == "a payment is held and captured").unwrap();
        strike_everywhere(&case, 9);
    }
}

/// `GONGJI_EFFECTS_ONLY` picks those whose name contains it; `GONGJI_EFFECTS_STEP` takes every so-many-th call.
#[test]
#[ignore = "an hour: every system call of every use case; cargo nextest run -p gongji-sim system_call --run-ignored all --no-capture"]
fn any_system_call_that_fails_changes_nothing() {
    if !may_trace() {
        return;
    }
    let only = std::env::var("GONGJI_EFFECTS_ONLY").unwrap_or_default();
    let step = std::env::var("GONGJI_EFFECTS_STEP").map_or(1, |step| step.parse().unwrap());
    for case in all(PARTS).into_iter().filter(|case| case.name.contains(&only)) {
        println!("{:>6} plays  {}", strike_everywhere(&case, step), case.name);
    }
}
