//! The canary of the whole suite: whatever a test does, no ID number, phone, name, token or key is in what the program logs, in the addresses it sends
//! people to, or in its journals. `canary.rs` looks at everything after one long journey; this looks at these after every test there is.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// Everything that was logged in this process.
static HEARD: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Secrets that the program has given out here: tokens, tickets, proofs, codes.
static GIVEN_OUT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Fields of answers that hold a secret, and their shortest length: shorter ones may well be part of something else.
const SECRET_FIELDS: [&str; 6] = ["token", "ticket", "proof", "secret", "qr", "ecToken"];
const SECRET_LEN_MIN: usize = 16;

struct Heard;

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        HEARD.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Listens to all logs, and looks when it is dropped, at the end of a test.
pub struct Silence {
    folder: PathBuf,
}

impl Silence {
    /// `folder` is where the journals are.
    pub fn new(folder: &Path) -> Silence {
        let logging = tracing_subscriber::fmt().with_env_filter("info,gongji=debug,gongji_store=debug").with_ansi(false).with_writer(|| Heard);
        // The tests of one process share it.
        let _ = logging.try_init();
        Silence { folder: folder.to_owned() }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let heard = std::mem::take(&mut *HEARD.lock().unwrap());
        check("the log", &heard);
        for journal in journals(&self.folder) {
            check(&journal.display().to_string(), &std::fs::read(&journal).unwrap_or_default());
        }
    }
}

/// Remembers the secrets in an answer.
pub fn remember(body: &serde_json::Value) {
    let Some(fields) = body.as_object() else { return };
    for (name, value) in fields {
        match value.as_str() {
            Some(secret) if SECRET_FIELDS.contains(&name.as_str()) && secret.len() >= SECRET_LEN_MIN => {
                GIVEN_OUT.lock().unwrap().insert(secret.to_owned());
            }
            _ => remember(value),
        }
    }
}

/// Panics where something personal stands in a text that others read.
#[track_caller]
pub fn check(place: &str, text: &[u8]) {
    if let Some(found) = found_in(text) {
        panic!("{place} tells of somebody: {found}");
    }
}

fn found_in(text: &[u8]) -> Option<String> {
    let number = text.chunk_by(|left, right| left.is_ascii_alphanumeric() == right.is_ascii_alphanumeric()).find(|word| is_of_a_person(word));
    let given_out = GIVEN_OUT.lock().unwrap().iter().map(|secret| (secret.clone(), "a secret that was given out")).collect::<Vec<_>>();
    let secrets: Vec<_> = names().iter().cloned().chain(given_out).collect();
    let found = || Needles::new(&secrets).found_in(text).map(|(secret, what)| format!("{what}: {secret}"));
    number.map(|word| String::from_utf8_lossy(word).into_owned()).or_else(found)
}

/// Secrets by their first two bytes, so that megabytes are gone through once.
pub struct Needles<'a> {
    by_beginning: Vec<Vec<&'a (String, &'static str)>>,
}

impl<'a> Needles<'a> {
    pub fn new(secrets: &'a [(String, &'static str)]) -> Needles<'a> {
        let mut by_beginning = vec![Vec::new(); 1 << 16];
        for secret in secrets {
            let bytes = secret.0.as_bytes();
            by_beginning[usize::from(bytes[0]) << 8 | usize::from(bytes[1])].push(secret);
        }
        Needles { by_beginning }
    }

    pub fn found_in(&self, text: &[u8]) -> Option<&'a (String, &'static str)> {
        let begins = |at: usize| usize::from(text[at]) << 8 | usize::from(text[at + 1]);
        (1..text.len()).map(|end| end - 1).find_map(|at| self.by_beginning[begins(at)].iter().copied().find(|secret| stands(text, at, &secret.0)))
    }
}

/// Whether it stands there; a short number by itself only: six digits may well be part of something longer.
fn stands(text: &[u8], at: usize, secret: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_alone = || !is_word(at.checked_sub(1).and_then(|before| text.get(before))) && !is_word(text.get(at + secret.len()));
    text[at..].starts_with(secret.as_bytes()) && (secret.len() > 6 || !secret.is_ascii() || is_alone())
}

/// The ID numbers of all test people begin with 99, an unassigned province; their phones with 199.
fn is_of_a_person(word: &[u8]) -> bool {
    let digits = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
    match word.len() {
        18 => word.starts_with(b"99") && digits(&word[..17]) && matches!(word[17], b'0'..=b'9' | b'X' | b'x'),
        11 => word.starts_with(b"1990000") && digits(word),
        _ => false,
    }
}

/// Of the sandbox's people, who are also those of the other tests; and the secret in the keys of their institutions.
fn names() -> &'static [(String, &'static str)] {
    static NAMES: OnceLock<Vec<(String, &str)>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let persons = include_str!("../../../../data/sandbox/persons.csv");
        let names = persons.lines().skip(1).filter_map(|line| line.split(',').nth(1)).filter(|name| !name.is_empty());
        names.map(|name| (name.to_owned(), "a name")).chain([("a-secret-that-is-long-enough".to_owned(), "an institution's key")]).collect()
    })
}

fn journals(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(journals(&path));
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal.sqlite")) {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_canary_of_the_suite_finds_what_it_is_there_for() {
    for (text, is_found) in [
        ("a refusal for 990151195203150023 came", true),
        ("id=99011319810130009X,", true),
        ("texted 19900000002", true),
        ("王秀兰 came", true),
        ("gk.0001.a-secret-that-is-long-enough", true),
        ("H51050000001202611231000000005", false),
        ("x990151195203150023", false),
        ("trace_id=019345a0000070008000000000000001 status=500", false),
        ("泸州安和医院", false),
    ] {
        assert_eq!(found_in(text.as_bytes()).is_some(), is_found, "{text}");
    }
    assert!(names().len() > 30);
    remember(&serde_json::json!({ "person": { "token": "0123456789abcdef", "code": "123456" } }));
    assert!(found_in(b"token=0123456789abcdef").is_some());
}
