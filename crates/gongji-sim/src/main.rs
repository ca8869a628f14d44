//! `gongji-sim --seed N` replays one run byte for byte; `gongji-sim --seeds N` runs many.

use clap::Parser;
use gongji_sim::effects::{Kind as FaultAtEffect, Play, all};
use gongji_sim::fault::{Counts, Kind};
use gongji_sim::{Span, planted, run};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

#[derive(Parser)]
#[command(name = "gongji-sim", about = "The whole system from one seed, with everything that can go wrong")]
struct Arguments {
    /// Replay this one run
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run so many, one seed after the other
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed of many
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Stop after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// Runs of twenty simulated years and more, instead of some busy days
    #[arg(long)]
    years: bool,
    /// Tell everything that happens in the one run
    #[arg(long, requires = "seed")]
    tell: bool,
    /// The planted bug to look for; only in a build with `--cfg planted`
    #[arg(long)]
    planted: Option<String>,
    /// Also what was asked and what was answered
    #[arg(long)]
    answers: bool,
    /// Names, issues and layers of the planted bugs
    #[arg(long)]
    list_planted: bool,
    /// Instead of runs from a seed: each use case with each kind of fault at each of its effects, as a table
    #[arg(long, conflicts_with_all = ["seed", "seeds", "years", "answers"])]
    effects: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    if arguments.list_planted {
        planted::ALL.iter().for_each(|bug| say(&format!("{} {} {:?}", bug.name, bug.issue, bug.layer)));
        return std::process::ExitCode::SUCCESS;
    }
    if let Some(name) = &arguments.planted
        && let Err(why) = plant(name)
    {
        eprintln!("{why}");
        return std::process::ExitCode::from(2);
    }
    if arguments.effects {
        return effects();
    }
    let span = if arguments.years { Span::Years } else { Span::Days };
    if let Some(seed) = arguments.seed {
        return one(seed, span, arguments.tell);
    }
    many(&arguments, span)
}

#[cfg(planted)]
fn plant(name: &str) -> Result<(), String> {
    if !planted::ALL.iter().any(|bug| bug.name == name) {
        return Err(format!("no planted bug is called {name}; --list-planted tells them"));
    }
    gongji_ledger::plant(name);
    Ok(())
}

#[cfg(not(planted))]
fn plant(_name: &str) -> Result<(), String> {
    Err("this build has no planted bugs: cargo xtask planted makes one that has".to_owned())
}

fn one(seed: u64, span: Span, is_told: bool) -> std::process::ExitCode {
    match run(seed, span, is_told) {
        Ok(report) => {
            say(&format!("seed {seed}: {} steps, {} requests, {} records, digest {:016x}", report.steps, report.requests, report.records, report.digest));
            table(&report.faults);
            std::process::ExitCode::SUCCESS
        }
        Err(failure) => {
            failure.last.iter().filter(|_| !is_told).for_each(|line| say(&format!("  {line}")));
            failed(seed, span, &failure.why, failure.digest);
            std::process::ExitCode::FAILURE
        }
    }
}

fn failed(seed: u64, span: Span, why: &str, digest: u64) {
    let commit = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output().ok().filter(|output| output.status.success());
    let commit = commit.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let years = if span == Span::Years { " --years" } else { "" };
    say(&format!("FAILED seed {seed} commit {commit} digest {digest:016x}: {why}"));
    say(&format!("replay: cargo run --package gongji-sim -- --seed {seed}{years} --tell"));
}

fn many(arguments: &Arguments, span: Span) -> std::process::ExitCode {
    let began = Instant::now();
    let (mut faults, mut steps, mut requests, mut records, mut days, mut done) = (Counts::default(), 0, 0, 0, 0, 0);
    let (mut transfers, mut payments) = (0, 0);
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    for seed in arguments.from..arguments.from + arguments.seeds {
        if arguments.seconds.is_some_and(|most| began.elapsed().as_secs() >= most) {
            break;
        }
        match run(seed, span, false) {
            Ok(report) => {
                faults.merge(&report.faults);
                steps += u64::from(report.steps);
                requests += report.requests;
                records += report.records;
                transfers += report.transfers;
                payments += report.payments;
                days += report.lasted / 86_400_000;
                for (told, count) in report.answers {
                    *answers.entry(told).or_insert(0) += count;
                }
                done += 1;
            }
            Err(failure) => {
                failed(seed, span, &failure.why, failure.digest);
                return std::process::ExitCode::FAILURE;
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        if !arguments.quiet && (done % 50 == 0 || seconds / done as f64 > 0.5) {
            print!("\r{done} of {} seeds, {:.0} a second, {} faults ", arguments.seeds, done as f64 / seconds, faults.total());
            let _ = std::io::stdout().flush();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    say(&format!(
        "\r{done} seeds in {seconds:.1} s: {steps} steps, {requests} requests, {transfers} transfers, {payments} payments, {records} records, {days} simulated days, {} faults",
        faults.total()
    ));
    table(&faults);
    for (told, count) in answers.iter().filter(|_| arguments.answers) {
        say(&format!("{count:>10}  {told}"));
    }
    std::process::ExitCode::SUCCESS
}

/// Plays each use case with each kind of fault at each of its effects.
fn effects() -> std::process::ExitCode {
    let began = Instant::now();
    let (mut cases, mut effects, mut plays) = (0, 0, 0);
    say("partitions  effects  plays  use case");
    for parts in [1, 3] {
        for case in all(parts) {
            let name = case.name;
            let played = Play::new(case, parts).and_then(|play| {
                (1..=play.points).try_for_each(|at| FaultAtEffect::ALL.iter().try_for_each(|kind| play.with_fault(*kind, at)))?;
                Ok(play.points)
            });
            let points = match played {
                Ok(points) => points,
                Err(why) => {
                    say(&format!("FAILED {why}"));
                    return std::process::ExitCode::FAILURE;
                }
            };
            let count = points * FaultAtEffect::ALL.len() as u64;
            say(&format!("{parts:>10}  {points:>7}  {count:>5}  {name}"));
            (cases, effects, plays) = (cases + 1, effects + points, plays + count);
        }
    }
    say(&format!("{cases} use cases, {effects} effects, {plays} plays in {:.1} s", began.elapsed().as_secs_f64()));
    std::process::ExitCode::SUCCESS
}

fn table(faults: &Counts) {
    for kind in Kind::ALL {
        say(&format!("{:>10}  {}", faults.of(kind), kind.name()));
    }
}

/// A line for whoever reads; nobody has to.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
