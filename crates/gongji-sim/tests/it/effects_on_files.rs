//! The same plays on files: a child process works on SQLite while one of its system calls fails, or is its last (strace), one call after the other; and the
//! files as a power cut leaves them after each of the calls.
//!
//! The child stops at the first fault it is told of. Then the files are opened anew, everything is asked again with the same keys, and must be as without a
//! fault; whatever the child had heard an answer to is answered the same.

use gongji_sim::effects::{State, UseCase, all, audit, morning, play, told};
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::Store;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
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
    let _ = play(&store, PARTS, morning(), &case.beats, &mut |decision| {
        writeln!(heard, "{}", told(decision)).unwrap();
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

/// A case and what it comes to where nothing fails.
struct Play {
    case: UseCase,
    template: tempfile::TempDir,
    answers: Vec<String>,
    expected: State,
}

impl Play {
    fn new(case: UseCase) -> Play {
        let template = tempfile::tempdir().unwrap();
        play(&open(template.path()), PARTS, morning(), &case.before, &mut |_| {}).unwrap();
        let place = copy(template.path());
        let store = open(place.path());
        let mut answers = Vec::new();
        play(&store, PARTS, morning(), &case.beats, &mut |decision| answers.push(told(decision))).unwrap();
        Play { answers, expected: State::of(&*store, PARTS).unwrap(), case, template }
    }

    /// Opens what is left, and asks everything again: the first `heard` answers were given, and are known.
    fn check(&self, place: &Path, heard: usize, what: &str) {
        let store = open(place);
        let mut answers = Vec::new();
        let again = play(&store, PARTS, morning(), &self.case.beats, &mut |decision| {
            let is_known = !matches!(decision, gongji_wallet::Decision::New(_));
            assert!(is_known || answers.len() >= heard, "{what}: answer {} was heard and is lost", answers.len() + 1);
            answers.push(told(decision));
        });
        assert_eq!(again, Ok(()), "{what}");
        assert_eq!(answers, self.answers, "{what}");
        State::of(&*store, PARTS).and_then(|state| state.check(&self.expected)).unwrap_or_else(|why| panic!("{what}: {why}"));
        audit(&*store, PARTS).unwrap_or_else(|why| panic!("{what}: {why}"));
    }

    /// Each strike at every `step`-th of the calls. Returns how many that were.
    fn strike_everywhere(&self, step: usize) -> usize {
        let mut plays = 0;
        for (call, count) in count(self.template.path(), &self.case) {
            for at in (1..=count).step_by(step) {
                for strike in [Strike::Error, Strike::DiskFull, Strike::Kill] {
                    let inject = match strike {
                        Strike::Error => format!("inject={call}:error=EIO:when={at}"),
                        Strike::DiskFull if call == "fdatasync" => continue,
                        Strike::DiskFull => format!("inject={call}:error=ENOSPC:when={at}+"),
                        Strike::Kill => format!("inject={call}:signal=SIGKILL:when={at}"),
                    };
                    let what = format!("{}, {strike:?} at {call} {at} of {count}", self.case.name);
                    let place = copy(self.template.path());
                    let status = run(place.path(), &self.case, &["-e", &format!("trace={call}"), "-e", &inject]);
                    assert!(status.success() || strike == Strike::Kill && status.signal() == Some(9), "{what}: {status}");
                    let heard = std::fs::read_to_string(place.path().join(HEARD)).unwrap_or_default();
                    assert!(heard.lines().zip(&self.answers).all(|(heard, answer)| heard == answer), "{what}: heard {heard}");
                    self.check(place.path(), heard.lines().count(), &what);
                    plays += 1;
                }
            }
        }
        assert!(plays > 0);
        plays
    }

    /// A power cut after every `step`-th of the calls: of each file only what its last sync made last. Returns how many that were.
    fn cut_everywhere(&self, step: usize) -> usize {
        let place = copy(self.template.path());
        let status = run(place.path(), &self.case, &["-xx", "-s", "10000000", "-y", "-e", "trace=pwrite64,fdatasync,fsync,ftruncate,unlink,write"]);
        assert!(status.success(), "{}", self.case.name);
        let log = std::fs::read_to_string(place.path().join("log")).unwrap();
        let calls: Vec<Call> = log.lines().filter_map(|line| call(line, place.path())).collect();
        assert_eq!(calls.iter().filter(|call| matches!(call, Call::Heard)).count(), self.answers.len(), "{}", self.case.name);
        let mut cuts = 0;
        for cut in (1..=calls.len()).step_by(step) {
            let after = copy(self.template.path());
            let heard = leave_synced(&calls[..cut], after.path());
            self.check(after.path(), heard, &format!("{}, power cut after call {cut} of {}", self.case.name, calls.len()));
            cuts += 1;
        }
        assert!(cuts > 0);
        cuts
    }
}

enum Call {
    Write { file: PathBuf, at: usize, bytes: Vec<u8> },
    Truncate(PathBuf, usize),
    Sync(PathBuf),
    Unlink(PathBuf),
    Heard,
}

fn unescape(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|byte| u8::from_str_radix(&byte[..2], 16).unwrap()).collect()
}

/// Reads a line as `1234 pwrite64(3<\x2f…>, "\x61…", 4, 3) = 4`; files relative to `place`. Nothing for calls that failed or concern nothing of ours.
fn call(line: &str, place: &Path) -> Option<Call> {
    let (head, result) = line.rsplit_once(" = ")?;
    let (name, arguments) = head.split_once('(')?;
    let name = name.rsplit(' ').next()?;
    let arguments = arguments.trim_end().trim_end_matches(')');
    if result.starts_with('-') {
        return None;
    }
    let path = |text: &str| PathBuf::from(String::from_utf8(unescape(text)).unwrap()).strip_prefix(place).ok().map(Path::to_owned);
    let file = || arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).and_then(|(file, _)| path(file));
    Some(match name {
        "pwrite64" => {
            let mut fields = arguments.rsplit(", ");
            let (at, _, bytes) = (fields.next()?.parse().unwrap(), fields.next()?, unescape(fields.next()?));
            Call::Write { file: file()?, at, bytes }
        }
        "ftruncate" => Call::Truncate(file()?, arguments.rsplit(", ").next()?.parse().unwrap()),
        "fdatasync" | "fsync" => Call::Sync(file()?),
        "unlink" => Call::Unlink(path(arguments.split('"').nth(1)?)?),
        "write" if file()?.ends_with(HEARD) => Call::Heard,
        _ => return None,
    })
}

/// Does to the files what the calls did and a sync made last. Returns how many answers were heard by then.
fn leave_synced(calls: &[Call], place: &Path) -> usize {
    let synced = |file: &Path, at: usize| calls[at..].iter().any(|call| matches!(call, Call::Sync(synced) if synced == file));
    let edit = |file: &Path| std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(place.join(file)).unwrap();
    let mut heard = 0;
    for (at, call) in calls.iter().enumerate() {
        match call {
            Call::Write { file, at: offset, bytes } if synced(file, at) => edit(file).write_all_at(bytes, *offset as u64).unwrap(),
            Call::Truncate(file, length) if synced(file, at) => edit(file).set_len(*length as u64).unwrap(),
            Call::Unlink(file) => drop(std::fs::remove_file(place.join(file))),
            Call::Heard => heard += 1,
            _ => {}
        }
    }
    heard
}

fn may_trace() -> bool {
    let may = Command::new("strace").args(["-qq", "-o", "/dev/null", "/bin/true"]).status().is_ok_and(|status| status.success());
    if !may {
        eprintln!("nobody may trace on this machine: no system call fails");
    }
    may
}

#[test]
fn a_system_call_that_fails_and_a_power_cut_change_nothing() {
    if may_trace() {
        let case = all(PARTS).into_iter().find(|case| case.name == "a payment is held and captured").unwrap();
        let play = Play::new(case);
        play.strike_everywhere(12);
        play.cut_everywhere(2);
    }
}

/// `GONGJI_EFFECTS_ONLY` picks those whose name contains it; `GONGJI_EFFECTS_STEP` takes every so-many-th call.
#[test]
#[ignore = "an hour: every system call of every use case; cargo nextest run -p gongji-sim system_call --run-ignored all --no-capture"]
fn any_system_call_that_fails_and_any_power_cut_change_nothing() {
    if !may_trace() {
        return;
    }
    let only = std::env::var("GONGJI_EFFECTS_ONLY").unwrap_or_default();
    let step = std::env::var("GONGJI_EFFECTS_STEP").map_or(1, |step| step.parse().unwrap());
    for case in all(PARTS).into_iter().filter(|case| case.name.contains(&only)) {
        let play = Play::new(case);
        let (strikes, cuts) = (play.strike_everywhere(step), play.cut_everywhere(1));
        println!("{strikes:>6} calls that fail {cuts:>6} power cuts  {}", play.case.name);
    }
}
