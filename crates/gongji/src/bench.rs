//! `gongji bench`: honest load, measured figures, verified books.
//!
//! Every transfer is lawful and none is like another: a holder sends to a confirmed relative, once a day, with a proof of its own; the bench's clock
//! advances a day for each round through all holders. All rules, limits, lots, idempotency and the journal are at work, and a transfer counts when its
//! commit is durable. At the end the auditor verifies the books.

mod country;
mod database;
mod http;
mod partition;

use gongji_ledger::Part;
use serde::Serialize;
use std::path::PathBuf;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the bench keeps its installations while it runs; a temporary folder if none is given.
    pub folder: Option<PathBuf>,
    pub holders: u64,
    pub transfers: u64,
    /// People who act in the HTTP part.
    pub http_holders: u64,
    /// Transfers of each HTTP run.
    pub http_transfers: u64,
    pub skip_http: bool,
    /// Measure the core on PostgreSQL instead of files; the HTTP part is left out.
    pub database: Option<DatabasePlan>,
    pub json: bool,
}

/// An empty database to measure in.
#[derive(Clone, Debug)]
pub struct DatabasePlan {
    pub url: String,
    pub partitions: Part,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            folder: None,
            holders: 1_000_000,
            transfers: 2_000_000,
            http_holders: 60_000,
            http_transfers: 80_000,
            skip_http: false,
            database: None,
            json: false,
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub core: CoreFigures,
    pub http: Vec<HttpFigures>,
    /// "verified", or this report is not printed at all.
    pub books: &'static str,
}

#[derive(Debug, Serialize)]
pub struct CoreFigures {
    pub holders: u64,
    pub transfers: u64,
    pub refused: u64,
    pub transfers_per_s: u64,
    /// From handing a batch in to having all its answers (µs).
    pub p50_us: u64,
    pub p99_us: u64,
    /// Writing the books to the end after the last transfer (ms).
    pub catch_up_ms: u64,
    pub journal_bytes_per_transfer: u64,
    pub books_bytes_per_transfer: u64,
}

#[derive(Debug, Serialize)]
pub struct HttpFigures {
    pub connections: usize,
    pub transfers_per_s: u64,
    pub echo_per_s: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub refused: u64,
}

/// Runs the plan.
///
/// # Errors
/// When the program cannot work, when more than one transfer in a thousand is refused, or when the books do not verify.
pub async fn run(plan: Plan) -> anyhow::Result<()> {
    let temporary;
    let folder = match &plan.folder {
        Some(folder) => folder.clone(),
        None => {
            temporary = std::env::temp_dir().join(format!("gongji-bench-{}", std::process::id()));
            temporary.clone()
        }
    };
    anyhow::ensure!(!folder.exists(), "{} exists already; the bench wants a folder of its own", folder.display());
    std::fs::create_dir_all(&folder)?;
    let result = measure(&plan, &folder).await;
    if plan.folder.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    let report = result?;
    if plan.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

async fn measure(plan: &Plan, folder: &std::path::Path) -> anyhow::Result<Report> {
    if let Some(database) = &plan.database {
        return Ok(Report { core: database::measure(plan, database).await?, http: Vec::new(), books: "verified" });
    }
    let core = partition::measure(plan, &folder.join("core")).await?;
    let http = if plan.skip_http { Vec::new() } else { http::measure(plan, &folder.join("http")).await? };
    Ok(Report { core, http, books: "verified" })
}

fn print(report: &Report) {
    let core = &report.core;
    println!("{:<34}{:>12}{:>12}{:>12}{:>12}", "", "笔/秒", "p50 µs", "p99 µs", "echo/秒");
    println!("{:<34}{:>12}{:>12}{:>12}", format!("核心,{} 人", core.holders), core.transfers_per_s, core.p50_us, core.p99_us);
    for http in &report.http {
        let name = format!("HTTP 一笔一请求,{} 连接", http.connections);
        println!("{:<34}{:>12}{:>12}{:>12}{:>12}", name, http.transfers_per_s, http.p50_us, http.p99_us, http.echo_per_s);
    }
    println!("每笔字节:日志 {},账册 {};账册补齐 {} ms;账册:已核对", core.journal_bytes_per_transfer, core.books_bytes_per_transfer, core.catch_up_ms);
}

/// The value below which `share` (0..=1000 thousandths) of the sorted samples lie.
fn quantile(sorted: &[u64], thousandths: usize) -> u64 {
    sorted.get((sorted.len() * thousandths / 1000).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
