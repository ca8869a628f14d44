//! `cargo xtask planted`: are the bugs that were planted on purpose found?
//!
//! The simulator is built once with `--cfg planted`, in a target folder of its own, and then searches for each bug, seed after seed, until it is
//! found or its time is over. At the end the same seeds run without any bug.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Seeds that must pass without any bug.
const SEEDS_WITHOUT: &str = "500";

struct Found {
    name: String,
    issue: String,
    layer: String,
    /// The seed that found it, how long it took, and what was seen.
    seed: Option<u64>,
    took: Duration,
    why: String,
}

/// Searches for every planted bug, or for those named; `minutes` is the most for one of them.
pub fn run(root: &Path, minutes: u64, only: &[String]) -> anyhow::Result<()> {
    let program = build(root)?;
    let list = Command::new(&program).arg("--list-planted").output().context("the simulator does not start")?;
    let list = String::from_utf8(list.stdout)?;
    let bugs: Vec<[&str; 3]> = list.lines().filter_map(|line| line.split(' ').collect::<Vec<_>>().try_into().ok()).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let mut all = Vec::new();
    for [name, issue, layer] in bugs.into_iter().filter(|[name, ..]| wanted(name)) {
        let found = search(&program, name, issue, layer, minutes)?;
        println!("{}", line(&found));
        all.push(found);
    }
    let clean = Command::new(&program).args(["--seeds", SEEDS_WITHOUT, "--quiet"]).output()?.status;
    let missed: Vec<&str> = all.iter().filter(|found| found.seed.is_none()).map(|found| found.name.as_str()).collect();
    println!("\n{} of {} planted bugs found; without any, {SEEDS_WITHOUT} seeds {}", all.len() - missed.len(), all.len(), passed(clean.success()));
    if missed.is_empty() && clean.success() {
        return Ok(());
    }
    bail!("NOT FOUND: {}", missed.join(", "))
}

fn passed(is_so: bool) -> &'static str {
    if is_so { "pass" } else { "FAIL" }
}

fn line(found: &Found) -> String {
    let result = match found.seed {
        Some(seed) => format!("seed {seed:>5} {:>7.1} s  {}", found.took.as_secs_f64(), found.why.chars().take(110).collect::<String>()),
        None => format!("NOT FOUND in {:.0} s", found.took.as_secs_f64()),
    };
    format!("{:<40} {:<40} {:<10} {result}", found.name, found.issue, found.layer)
}

fn build(root: &Path) -> anyhow::Result<std::path::PathBuf> {
    let target = root.join("target/planted");
    println!("building the simulator with planted bugs into {}", target.display());
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--profile", "sim", "--package", "gongji-sim", "--locked", "--quiet"]);
    let built = cargo.env("RUSTFLAGS", "--cfg planted").env("CARGO_TARGET_DIR", &target).status()?;
    if !built.success() {
        bail!("the simulator does not build with --cfg planted");
    }
    Ok(target.join("sim/gongji-sim"))
}

fn search(program: &Path, name: &str, issue: &str, layer: &str, minutes: u64) -> anyhow::Result<Found> {
    let began = Instant::now();
    let seconds = (minutes * 60).to_string();
    let output = Command::new(program).args(["--planted", name, "--seeds", "1000000", "--seconds", &seconds, "--quiet"]).output()?;
    if output.status.code() == Some(2) {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let told = String::from_utf8_lossy(&output.stdout);
    let failed = told.lines().find_map(|line| line.trim_start_matches('\r').strip_prefix("FAILED seed "));
    let seed = failed.and_then(|rest| rest.split(' ').next()).and_then(|seed| seed.parse().ok());
    let why = failed.and_then(|rest| rest.split_once(": ")).map_or("", |(_, why)| why).to_owned();
    Ok(Found { name: name.to_owned(), issue: issue.to_owned(), layer: layer.to_owned(), seed, took: began.elapsed(), why })
}
