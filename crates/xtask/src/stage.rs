//! One stage of the suite: a command whose output is shown as it comes and read for its closing counts.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;

/// How many tests a stage ran, as its own runner reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Counts {
    pub fn plus(self, other: Counts) -> Counts {
        Counts { passed: self.passed + other.passed, failed: self.failed + other.failed, skipped: self.skipped + other.skipped }
    }
}

/// What came of a stage.
pub struct Outcome {
    pub name: &'static str,
    pub ok: bool,
    pub took: Duration,
    /// `None` for a stage that is a check and not a test runner.
    pub counts: Option<Counts>,
}

/// Who prints the closing counts, and so how they are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// Passes or fails as a whole.
    Check,
    Nextest,
    CargoTest,
    Node,
}

/// Run `command`, forward each line of both its streams at once, and read the counts from them.
pub fn run(name: &'static str, runner: Runner, mut command: Command) -> anyhow::Result<Outcome> {
    println!("\n── {name} ── {}", shown(&command));
    std::io::stdout().flush()?;
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} could not be started", command.get_program().to_string_lossy()))?;
    let (lines, heard) = mpsc::channel();
    let out = forward(child.stdout.take().expect("stdout is piped"), lines.clone());
    let err = forward(child.stderr.take().expect("stderr is piped"), lines);
    let mut counts = Counts::default();
    for line in heard {
        println!("{line}");
        counts = counts.plus(read_counts(runner, &line));
    }
    for reader in [out, err] {
        reader.join().map_err(|_| anyhow::anyhow!("a reader of {name} stopped"))?;
    }
    let ok = child.wait()?.success();
    Ok(Outcome { name, ok, took: start.elapsed(), counts: (runner != Runner::Check).then_some(counts) })
}

fn forward(stream: impl Read + Send + 'static, lines: mpsc::Sender<String>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_string();
            if lines.send(text).is_err() {
                return;
            }
            line.clear();
        }
    })
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The counts that one line of a runner's output adds; nearly always none.
fn read_counts(runner: Runner, line: &str) -> Counts {
    let line = line.trim();
    match runner {
        Runner::Check => Counts::default(),
        Runner::Nextest if line.starts_with("Summary [") => Counts {
            passed: number_before(line, "passed"),
            failed: number_before(line, "failed") + number_before(line, "timed out") + number_before(line, "exec failed"),
            skipped: number_before(line, "skipped"),
        },
        Runner::CargoTest if line.starts_with("test result:") => {
            Counts { passed: number_before(line, "passed"), failed: number_before(line, "failed"), skipped: number_before(line, "ignored") }
        }
        Runner::Node => {
            let (word, number) = match line.strip_prefix(['ℹ', '#']).map(|rest| rest.trim().split_once(' ')) {
                Some(Some((word, number))) => (word, number.parse().unwrap_or(0)),
                _ => return Counts::default(),
            };
            match word {
                "pass" => Counts { passed: number, ..Counts::default() },
                "fail" | "cancelled" => Counts { failed: number, ..Counts::default() },
                "skipped" | "todo" => Counts { skipped: number, ..Counts::default() },
                _ => Counts::default(),
            }
        }
        Runner::Nextest | Runner::CargoTest => Counts::default(),
    }
}

/// The number that stands before `word`: 12 in "12 passed".
fn number_before(line: &str, word: &str) -> u64 {
    let Some(end) = line.find(&format!(" {word}")) else { return 0 };
    let digits = line[..end].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(runner: Runner, line: &str, passed: u64, failed: u64, skipped: u64) {
        assert_eq!(read_counts(runner, line), Counts { passed, failed, skipped });
    }

    #[test]
    fn the_closing_line_of_each_runner_is_understood() {
        check(Runner::Nextest, "     Summary [   1.234s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped", 11, 1, 3);
        check(Runner::Nextest, "     Summary [  61.000s] 4 tests run: 3 passed, 1 timed out, 0 skipped", 3, 1, 0);
        check(Runner::CargoTest, "test result: ok. 7 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s", 7, 0, 2);
        check(Runner::Node, "ℹ pass 5", 5, 0, 0);
        check(Runner::Node, "# fail 2", 0, 2, 0);
        check(Runner::Node, "ℹ cancelled 1", 0, 1, 0);
    }

    #[test]
    fn other_lines_count_nothing() {
        check(Runner::Nextest, "PASS [ 0.01s] 3 passed and so on", 0, 0, 0);
        check(Runner::Node, "ℹ duration_ms 812", 0, 0, 0);
        check(Runner::Check, "Summary [ 1s] 4 tests run: 4 passed", 0, 0, 0);
    }
}
