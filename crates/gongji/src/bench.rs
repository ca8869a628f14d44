//! `gongji bench`: honest load, measured figures, verified books.
//!
//! Every transfer is lawful and none is like another: a holder sends to a confirmed relative, once a day, with a proof of its own; the bench's clock
//! advances a day for each round through all holders. All rules, limits, lots, idempotency and the journal are at work, and a transfer counts when its
//! commit is durable. At the end the auditor verifies the books of every installation that the bench wrote.

mod child;
mod country;
mod doors;
mod figures;
mod http;
mod large;
mod machine;
mod memory;
mod payments;
mod single;
mod traffic;
mod transfers;
mod under_way;

pub use child::run as run_task;

use figures::Report;
use gongji_ledger::Part;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    Core,
    Payments,
    Http,
    Single,
    Restart,
    Memory,
    Statement,
    Growth,
}

impl Scenario {
    /// By the names that are typed, in the order in which they are measured.
    pub const ALL: [(&'static str, Scenario); 8] = [
        ("core", Scenario::Core),
        ("payments", Scenario::Payments),
        ("http", Scenario::Http),
        ("single", Scenario::Single),
        ("memory", Scenario::Memory),
        ("growth", Scenario::Growth),
        ("statement", Scenario::Statement),
        ("restart", Scenario::Restart),
    ];
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the bench keeps its installations; a temporary folder if none is given, and then each goes when it has been measured.
    pub folder: Option<PathBuf>,
    pub only: Vec<Scenario>,
    /// Runs of each measured part; their medians count.
    pub repeat: usize,
    /// People of the core part.
    pub holders: u64,
    /// Transfers of each run.
    pub transfers: u64,
    /// Payments of each run, and people who pay.
    pub payments: u64,
    /// Payments of each run over HTTP, and people who pay there.
    pub http_payments: u64,
    /// People who act in the HTTP part.
    pub http_holders: u64,
    /// Transfers of each HTTP run; as many as those people may make in a day if not given.
    pub http_transfers: Option<u64>,
    /// Transfers of each run of the single caller.
    pub single: u64,
    pub memory_holders: u64,
    /// People and movements behind growth, statement and restart.
    pub growth_holders: u64,
    pub growth_movements: u64,
    /// People kept in memory there; as many as ever if not given.
    pub people: Option<usize>,
    /// Statement pages.
    pub pages: u64,
    /// Measure the core on PostgreSQL instead of files, and nothing else.
    pub database: Option<DatabasePlan>,
    pub json: bool,
}

/// An empty database to measure in.
#[derive(Clone, Debug)]
pub struct DatabasePlan {
    pub url: String,
    pub partitions: Part,
}

impl Plan {
    fn wants(&self, scenario: Scenario) -> bool {
        self.only.contains(&scenario)
    }
}

/// Runs the plan.
///
/// # Errors
/// When the program cannot work, when more than one transfer in a thousand is refused, or when the books do not verify.
pub async fn run(plan: Plan) -> anyhow::Result<()> {
    let folder = plan.folder.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("gongji-bench-{}", std::process::id())));
    anyhow::ensure!(!folder.exists(), "{} exists already; the bench wants a folder of its own", folder.display());
    std::fs::create_dir_all(&folder)?;
    let result = measure(&plan, &folder).await;
    if plan.folder.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    let report = result?;
    let text = if plan.json { serde_json::to_string_pretty(&report)? + "\n" } else { figures::table(&report) };
    crate::cli::say(&text);
    Ok(())
}

async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report {
        date: crate::time::rfc3339(gongji_store::clock::system_now()),
        commit: machine::commit(),
        machine: machine::describe(),
        is_optimised: !cfg!(debug_assertions),
        repeat: plan.repeat,
        core: None,
        payments: None,
        doors: None,
        http: Vec::new(),
        single: None,
        memory: None,
        growth: None,
        statement: None,
        restart: None,
        books: "verified",
    };
    if let Some(database) = &plan.database {
        report.core = Some(transfers::on_database(plan, database).await?);
        return Ok(report);
    }
    for (name, scenario) in Scenario::ALL {
        if !plan.wants(scenario) {
            continue;
        }
        let own = folder.join(name);
        match scenario {
            Scenario::Core => report.core = Some(transfers::on_files(plan, &own).await?),
            Scenario::Payments => {
                report.payments = Some(payments::measure(plan, &own).await?);
                report.doors = Some(doors::measure(plan, &own.with_extension("doors")).await?);
            }
            Scenario::Http => report.http = http::measure(plan, &own).await?,
            Scenario::Single => report.single = Some(single::measure(plan, &own).await?),
            Scenario::Memory => report.memory = Some(memory::measure(plan, &own).await?),
            // These three look at one country, which takes long to make.
            Scenario::Growth | Scenario::Statement | Scenario::Restart => {
                if report.growth.is_none() && report.statement.is_none() && report.restart.is_none() {
                    let core = report.core.as_ref().map(|core| core.transfers_per_s.median);
                    let figures = large::measure(plan, &own, core).await?;
                    (report.growth, report.statement, report.restart) = (figures.growth, figures.statement, figures.restart);
                }
            }
        }
        for own in [own.with_extension("doors"), own] {
            if plan.folder.is_none() && own.exists() {
                std::fs::remove_dir_all(own)?;
            }
        }
    }
    Ok(report)
}

fn bar(count: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} 剩 {eta}").expect("the template is well formed");
    ProgressBar::new(count).with_style(style).with_message(what)
}

fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// The value below which `thousandths` of the sorted samples lie.
fn quantile(sorted: &[u64], thousandths: usize) -> u64 {
    sorted.get((sorted.len() * thousandths / 1000).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
