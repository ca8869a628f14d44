//! Rules that are read off the text of single files.

use super::Finding;
use super::tree::{Tree, code_lines, has_word};

/// Longer than this, and a file is two rooms.
const FILE_LINES_MAX: usize = 900;

/// What is written by hand and read by people; data, snapshots and generated files may be any length.
const READ_BY_PEOPLE: &[&str] = &[".rs", ".html", ".css", ".js", ".mjs", ".ts", ".sql", ".md", ".toml", ".sh"];

/// Names under which anything could be put, and so nothing is found.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "types", "core", "misc"];

/// Where money is counted. `gongji-files` draws and formats, and the program measures; neither counts.
const MONEY_CRATES: &[&str] = &["crates/gongji-ledger/", "crates/gongji-wallet/", "crates/gongji-audit/"];

/// Reading the machine's clock. `Instant` is not among them: it measures how long, and knows no date.
const CLOCK_READINGS: &[&str] = &["SystemTime::now", "Timestamp::now", "Zoned::now", "Utc::now", "Local::now"];

/// The one module with the system clock, and the bench, which reports when it was measured.
const CLOCK_MODULE: &str = "clock.rs";
const BENCH: &str = "crates/gongji/src/bench";

fn is_vendored(path: &str) -> bool {
    path.contains("/vendor/") || path.contains("/vendored/")
}

fn rust_sources(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    // The rules' own words are not breaches of them.
    tree.files().filter(|(path, _)| path.ends_with(".rs") && !path.starts_with("crates/xtask/src/tidy"))
}

/// Findings at each line of code of which `told` has something to say.
fn in_lines<'a>(files: impl Iterator<Item = (&'a str, &'a str)>, told: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files {
        findings.extend(code_lines(text).filter_map(|(number, line)| Some(Finding::new(format!("{path}:{number}"), told(line)?))));
    }
    findings
}

pub fn no_floating_point_in_money(tree: &Tree) -> Vec<Finding> {
    let files = rust_sources(tree).filter(|(path, _)| MONEY_CRATES.iter().any(|money| path.starts_with(money)));
    in_lines(files, |line| {
        ["f32", "f64"].into_iter().find(|float| has_word(line, float)).map(|float| format!("{float} where money is counted; money is integer fen"))
    })
}

pub fn one_clock(tree: &Tree) -> Vec<Finding> {
    let may_read = |path: &str| path.ends_with(&format!("/{CLOCK_MODULE}")) || path.starts_with(BENCH);
    let mut findings = in_lines(rust_sources(tree).filter(|(path, _)| !may_read(path)), |line| {
        CLOCK_READINGS.iter().find(|reading| line.contains(*reading)).map(|reading| format!("{reading} outside the clock module; take the time as an argument"))
    });
    let clocks: Vec<&str> = rust_sources(tree)
        .filter(|(path, text)| path.ends_with(&format!("/{CLOCK_MODULE}")) && CLOCK_READINGS.iter().any(|reading| text.contains(reading)))
        .map(|(path, _)| path)
        .collect();
    if clocks.len() > 1 {
        findings.push(Finding::new(clocks[1], format!("a second module reads the system clock; the first is {}", clocks[0])));
    }
    findings
}

pub fn tests_do_not_sleep(tree: &Tree) -> Vec<Finding> {
    let in_tests = rust_sources(tree).filter(|(path, _)| path.contains("/tests/") || path.ends_with("/tests.rs"));
    let mut findings = in_lines(in_tests, sleeps);
    for (path, text) in rust_sources(tree) {
        if let Some(at) = text.find("#[cfg(test)]\nmod ") {
            let lines_above = text[..at].lines().count();
            findings.extend(code_lines(&text[at..]).filter_map(|(number, line)| Some(Finding::new(format!("{path}:{}", lines_above + number), sleeps(line)?))));
        }
    }
    findings
}

fn sleeps(line: &str) -> Option<String> {
    ["thread::sleep", "time::sleep"].iter().find(|sleep| line.contains(*sleep)).map(|sleep| format!("{sleep} in a test; wait for what you wait for"))
}

pub fn nothing_unfinished(tree: &Tree) -> Vec<Finding> {
    // Spelt in two halves, so that this file holds none of them.
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!("), concat!("FIX", "ME"), concat!("XX", "X:")];
    let scripts = tree.files().filter(|(path, _)| (path.ends_with(".mjs") || path.ends_with(".html")) && !is_vendored(path));
    let mut findings = Vec::new();
    for (path, text) in rust_sources(tree).chain(scripts) {
        for (number, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(*mark)) {
                findings.push(Finding::new(format!("{path}:{}", number + 1), format!("{mark} is a promise to nobody; finish it or file it")));
            }
        }
    }
    findings
}

pub fn file_sizes(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX && READ_BY_PEOPLE.iter().any(|ending| path.ends_with(ending)) && !is_vendored(path) {
            findings.push(Finding::new(path, format!("{lines} lines, {FILE_LINES_MAX} at most; split it by concept")));
        }
    }
    findings
}

pub fn no_mod_files(tree: &Tree) -> Vec<Finding> {
    tree.files()
        .filter(|(path, _)| path.ends_with("/mod.rs"))
        .map(|(path, _)| Finding::new(path, format!("call it {}.rs", path.trim_end_matches("/mod.rs"))))
        .collect()
}

pub fn no_empty_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree.files().filter(|(path, _)| (path.starts_with("crates/") || path.starts_with("e2e/")) && !is_vendored(path)) {
        let empty = path.split('/').find(|part| {
            let stem = part.split_once('.').map_or(*part, |(stem, _)| stem);
            EMPTY_NAMES.contains(&stem.to_ascii_lowercase().as_str())
        });
        if let Some(part) = empty {
            findings.push(Finding::new(path, format!("{part} says nothing of what is inside; name it after the domain")));
        }
    }
    findings
}

pub fn no_places_of_one_machine(tree: &Tree) -> Vec<Finding> {
    // Spelt in two halves, so that this file holds none of them.
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/fa", "rm/"),
        concat!("/tmp/", "peers"),
        concat!("index.", "crates.io"),
        concat!("static.", "crates.io"),
        concat!("registry.", "npmjs"),
        concat!("pypi", ".org"),
        concat!("files.", "pythonhosted"),
        concat!("deb.", "debian.org"),
    ];
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !is_vendored(path)) {
        for (number, line) in text.lines().enumerate() {
            // `crates/network/…` ends like the first of them and is a path of ours.
            let found = places.iter().find(|place| {
                line.match_indices(*place).any(|(at, _)| !place.starts_with('/') || !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '.'))
            });
            if let Some(place) = found {
                findings.push(Finding::new(format!("{path}:{}", number + 1), format!("{place} is not on everybody's machine")));
            }
        }
    }
    findings
}

pub fn lock_files_without_addresses(tree: &Tree) -> Vec<Finding> {
    // The name of the index, the same in every lock file that cargo writes; nothing is fetched from that address.
    const INDEX: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        let is_npm = path.ends_with("package-lock.json");
        let is_cargo = path.ends_with("Cargo.lock");
        for (number, line) in text.lines().enumerate() {
            if (is_npm && line.contains("\"resolved\"")) || (is_cargo && line.starts_with("source = ") && line != INDEX) {
                findings.push(Finding::new(format!("{path}:{}", number + 1), "an address in a lock file"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_float_in_the_ledger_is_found_and_one_in_a_comment_is_not() {
        check(
            no_floating_point_in_money,
            &[("crates/gongji-ledger/src/fen.rs", "// never f64\nfn share(x: f64) {}\n"), ("crates/gongji/src/bench.rs", "let rate: f64 = 1.0;")],
            &["crates/gongji-ledger/src/fen.rs:2"],
        );
    }

    #[test]
    fn a_second_clock_is_found() {
        let reads = "pub fn now() { SystemTime::now(); }\n";
        check(one_clock, &[("crates/gongji/src/clock.rs", reads), ("crates/gongji/src/bench/run.rs", reads)], &[]);
        check(one_clock, &[("crates/gongji/src/jobs.rs", reads)], &["crates/gongji/src/jobs.rs:1"]);
        check(one_clock, &[("crates/a/src/clock.rs", reads), ("crates/b/src/clock.rs", reads)], &["crates/b/src/clock.rs"]);
    }

    #[test]
    fn a_sleeping_test_is_found_wherever_it_lies() {
        check(tests_do_not_sleep, &[("crates/gongji/tests/it/kill.rs", "std::thread::sleep(x);")], &["crates/gongji/tests/it/kill.rs:1"]);
        check(
            tests_do_not_sleep,
            &[("crates/gongji/src/a.rs", "thread::sleep(a);\n#[cfg(test)]\nmod tests {\n  thread::sleep(b);\n}\n")],
            &["crates/gongji/src/a.rs:4"],
        );
    }

    #[test]
    fn long_files_are_found_unless_they_are_vendored_or_data() {
        let long = "x\n".repeat(FILE_LINES_MAX + 1);
        let fits = "x\n".repeat(FILE_LINES_MAX);
        check(
            file_sizes,
            &[("a.rs", long.as_str()), ("b.rs", fits.as_str()), ("data/regions.csv", long.as_str()), ("crates/gongji/assets/vendor/chart.js", long.as_str())],
            &["a.rs"],
        );
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        check(no_mod_files, &[("crates/a/src/pay/mod.rs", ""), ("crates/a/src/pay.rs", "")], &["crates/a/src/pay/mod.rs"]);
        check(
            no_empty_names,
            &[("crates/a/src/utils.rs", ""), ("crates/a/src/common/x.rs", ""), ("crates/a/src/utility_bill.rs", "")],
            &["crates/a/src/common/x.rs", "crates/a/src/utils.rs"],
        );
    }

    #[test]
    fn marks_of_unfinished_work_are_found() {
        let unfinished = format!("fn a() {{ {}) }}\n", concat!("todo", "!("));
        check(nothing_unfinished, &[("crates/a/src/lib.rs", &unfinished)], &["crates/a/src/lib.rs:1"]);
    }

    #[test]
    fn places_of_one_machine_are_found() {
        let home = format!("see {}notes\n", concat!("/ro", "ot/"));
        let inner = format!("see net{}notes\n", concat!("/wo", "rk/"));
        check(no_places_of_one_machine, &[("README.md", &home), ("docs/a.md", &inner)], &["README.md:1"]);
    }

    #[test]
    fn an_address_in_a_lock_file_is_found() {
        check(lock_files_without_addresses, &[("e2e/package-lock.json", "{\n\"resolved\": \"x\"\n}")], &["e2e/package-lock.json:2"]);
        check(lock_files_without_addresses, &[("Cargo.lock", "source = \"git+https://example.org/x\"\n")], &["Cargo.lock:1"]);
        check(lock_files_without_addresses, &[("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n")], &[]);
    }
}
