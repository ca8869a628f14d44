//! What was measured, as JSON and as a table.

use super::machine::Machine;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// One figure of several runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Runs {
    pub median: u64,
    /// In the order in which they ran.
    pub runs: Vec<u64>,
}

impl Runs {
    pub fn of(runs: Vec<u64>) -> Runs {
        let mut sorted = runs.clone();
        sorted.sort_unstable();
        Runs { median: sorted.get(sorted.len() / 2).copied().unwrap_or_default(), runs }
    }
}

/// A ratio, to the thousandth.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(pub f64);

impl Ratio {
    pub fn of(one: u64, other: u64) -> Ratio {
        Ratio((one as f64 / other.max(1) as f64 * 1_000.0).round() / 1_000.0)
    }

    pub fn median(mut ratios: Vec<Ratio>) -> Ratio {
        ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
        ratios.get(ratios.len() / 2).copied().unwrap_or(Ratio(0.0))
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    /// When it began, at China's offset.
    pub date: String,
    /// Of the sources, with `-dirty` where they differ from it.
    pub commit: Option<String>,
    pub machine: Machine,
    /// Built with optimisation; figures of any other build say nothing.
    pub is_optimised: bool,
    /// Runs of each measured part.
    pub repeat: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core: Option<Core>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payments: Option<Payments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doors: Option<Doors>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<Http>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<Single>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// "verified", or this report is not printed at all.
    pub books: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Core {
    pub holders: u64,
    /// Of each run.
    pub transfers: u64,
    /// In all runs.
    pub refused: u64,
    pub transfers_per_s: Runs,
    /// From handing a chunk in to having all its answers (µs).
    pub p50_us: Runs,
    pub p99_us: Runs,
    /// Writing the books to the end after the last transfer (ms).
    pub catch_up_ms: Runs,
    pub journal_bytes_per_transfer: u64,
    pub books_bytes_per_transfer: u64,
    /// Both: what a transfer costs on disk, with its indexes.
    pub bytes_per_transfer: u64,
}

#[derive(Debug, Serialize)]
pub struct Payments {
    /// Payments of each run: order placed, held and captured.
    pub payments: u64,
    pub institutions: u64,
    pub refused: u64,
    pub one_per_s: Runs,
    pub many_per_s: Runs,
    /// All into one institution, to spread over many.
    pub ratio: Ratio,
}

/// Payments as institutions make them, over HTTP.
#[derive(Debug, Serialize)]
pub struct Doors {
    /// Of each run: held by one request, captured by another.
    pub payments: u64,
    pub institutions: u64,
    pub connections: usize,
    pub refused: u64,
    /// With a bearer key and nothing signed.
    pub unsigned: Door,
    pub ed25519: Door,
    pub sm2: Door,
    /// Signed with Ed25519, to unsigned.
    pub ed25519_to_unsigned: Ratio,
    /// Signed with SM2, to what verifying two SM2 signatures for each payment allows.
    pub sm2_to_verification: Ratio,
    /// The same, to what verifying the two requests and signing the two answers allow.
    pub sm2_to_signatures: Ratio,
}

/// One way of asking.
#[derive(Debug, Serialize)]
pub struct Door {
    /// Spread over all institutions.
    pub many_per_s: Runs,
    /// All into one.
    pub one_per_s: Runs,
    /// All into one, to spread.
    pub ratio: Ratio,
    /// Of one request (µs).
    pub hold_p99_us: Runs,
    pub capture_p99_us: Runs,
    /// This profile's work alone, on all cores; absent where nothing is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<Alone>,
}

/// What the cores do when they do nothing else.
#[derive(Debug, Serialize)]
pub struct Alone {
    pub verifications_per_s: Runs,
    pub signatures_per_s: Runs,
}

#[derive(Debug, Serialize)]
pub struct Http {
    pub connections: usize,
    /// Of each run.
    pub transfers: u64,
    pub transfers_per_s: Runs,
    /// The same requests to a route that only answers.
    pub echo_per_s: Runs,
    pub ratio: Ratio,
    pub p50_us: Runs,
    pub p99_us: Runs,
    pub refused: u64,
}

#[derive(Debug, Serialize)]
pub struct Single {
    /// Of each run.
    pub transfers: u64,
    /// Bytes of the record of one transfer, and of each append beside it.
    pub record_bytes: u64,
    pub p50_us: Runs,
    pub p99_us: Runs,
    pub append_p50_us: Runs,
    pub ratio: Ratio,
}

#[derive(Debug, Serialize)]
pub struct Memory {
    pub holders: u64,
    /// Of each.
    pub lots: usize,
    pub relations: usize,
    pub bytes_per_holder: u64,
    /// By how much the process grew while all were taken into memory (bytes).
    pub grown: u64,
    /// The same where the setting lets `limit` people stay: after half of them and after all (bytes).
    pub limit: u64,
    pub limited_half: u64,
    pub limited_all: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Growth {
    pub holders: u64,
    /// Transfers made before the measured ones.
    pub movements: u64,
    pub transfers_per_s: Runs,
    /// To the core figure of the same report; absent where that was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Statement {
    pub holders: u64,
    pub pages: u64,
    /// Lines on all those pages.
    pub lines: u64,
    /// The writer's pace: half of what it reached alone just before.
    pub wanted_per_s: u64,
    pub written_per_s: u64,
    /// From the moment at which a page was due to having its lines (µs).
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

#[derive(Debug, Serialize)]
pub struct Restart {
    pub holders: u64,
    /// Transfers made before the first kill.
    pub movements: u64,
    /// From opening the files after SIGKILL to having read a person and made a transfer (ms).
    pub serving_ms: Runs,
    pub slowest_ms: u64,
    /// Records, and events in them, that the books lacked.
    pub tail_records: Runs,
    pub tail_events: Runs,
}

pub fn table(report: &Report) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut row = |what: String, figure: String, goal: &str| rows.push([what, figure, goal.to_owned()]);
    if let Some(core) = &report.core {
        row(format!("核心,{} 人", core.holders), per_s(&core.transfers_per_s), "≥ 300000 笔/秒");
        row(format!("  每 {} 笔一批,p50 / p99", super::under_way::CHUNK), format!("{} / {} µs", core.p50_us.median, core.p99_us.median), "");
        row("  账册补齐".to_owned(), format!("{} ms", core.catch_up_ms.median), "");
        let parts = format!("{} = 日志 {} + 账册 {} 字节", core.bytes_per_transfer, core.journal_bytes_per_transfer, core.books_bytes_per_transfer);
        row("  每笔占磁盘".to_owned(), parts, "≤ 400 字节");
    }
    if let Some(payments) = &report.payments {
        row(format!("支付,分到 {} 家", payments.institutions), per_s(&payments.many_per_s), "");
        row("支付,全到一家".to_owned(), format!("{},{} 倍", per_s(&payments.one_per_s), payments.ratio.0), "≥ 0.9 倍");
    }
    if let Some(doors) = &report.doors {
        row(format!("经 HTTP 付款(占款 + 收款),{} 连接,不签名", doors.connections), per_s(&doors.unsigned.many_per_s), "");
        row("  全到一家".to_owned(), format!("{},{} 倍", per_s(&doors.unsigned.one_per_s), doors.unsigned.ratio.0), "≥ 0.9 倍");
        let figure = format!("{},不签名的 {} 倍", per_s(&doors.ed25519.many_per_s), doors.ed25519_to_unsigned.0);
        row("  Ed25519 签名".to_owned(), figure, "≥ 0.5 倍");
        if let Some(alone) = &doors.sm2.alone {
            let allowed = alone.verifications_per_s.median / 2;
            let figure = format!("{},只验签 {allowed} 笔/秒的 {} 倍", per_s(&doors.sm2.many_per_s), doors.sm2_to_verification.0);
            row("  SM2 签名".to_owned(), figure, "≥ 0.7 倍");
            row("    比请求验签加回答签名".to_owned(), format!("{} 倍", doors.sm2_to_signatures.0), "");
        }
    }
    for http in &report.http {
        let figure = format!("{},echo {},{} 倍", per_s(&http.transfers_per_s), http.echo_per_s.median, http.ratio.0);
        row(format!("HTTP 一笔一请求,{} 连接", http.connections), figure, if http.connections == 256 { "≥ 0.6 倍" } else { "" });
        row("  p50 / p99".to_owned(), format!("{} / {} µs", http.p50_us.median, http.p99_us.median), "p99 ≤ 50000 µs");
    }
    if let Some(single) = &report.single {
        let figure = format!("{} µs,落盘一次 {} µs,{} 倍", single.p50_us.median, single.append_p50_us.median, single.ratio.0);
        row("一个人,一次一笔".to_owned(), figure, "≤ 1.5 倍");
    }
    if let Some(growth) = &report.growth {
        let ratio = growth.ratio.map(|ratio| format!(",{} 倍", ratio.0)).unwrap_or_default();
        row(format!("{} 人,已有 {} 笔", growth.holders, growth.movements), per_s(&growth.transfers_per_s) + &ratio, "≥ 0.7 倍");
    }
    if let Some(statement) = &report.statement {
        let figure = format!("p50 {} / p99 {} µs,同时写 {} 笔/秒", statement.p50_us, statement.p99_us, statement.written_per_s);
        row(format!("第一页明细,{} 人", statement.holders), figure, "p99 ≤ 5000 µs");
    }
    if let Some(restart) = &report.restart {
        let figure = format!("{} ms,最慢 {} ms,补 {} 个事件", restart.serving_ms.median, restart.slowest_ms, restart.tail_events.median);
        row(format!("kill -9 后重启,已有 {} 笔", restart.movements), figure, "≤ 3000 ms");
    }
    if let Some(memory) = &report.memory {
        row(format!("内存,每人 {} 份来源 {} 个亲属", memory.lots, memory.relations), format!("{} 字节/人", memory.bytes_per_holder), "≤ 250 字节");
        let figure = format!("读一半 {} MiB,读完 {} MiB", memory.limited_half >> 20, memory.limited_all >> 20);
        row(format!("  只许留 {} 人", memory.limit), figure, "不再长");
    }
    let width = |text: &str| text.chars().map(|letter| if letter.is_ascii() || "µ≤≥".contains(letter) { 1 } else { 2 }).sum::<usize>();
    let widest = |at: usize| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0);
    let widths = [widest(0), widest(1)];
    let mut out = String::new();
    for [what, figure, goal] in &rows {
        let gap = |text: &str, at: usize| " ".repeat(widths[at] - width(text) + 2);
        let goal = if goal.is_empty() { String::new() } else { format!("目标 {goal}") };
        let line = format!("{what}{}{figure}{}{goal}", gap(what, 0), gap(figure, 1));
        writeln!(out, "{}", line.trim_end()).expect("a string takes every write");
    }
    let commit = report.commit.as_deref().unwrap_or("版本不明");
    let speed = if report.is_optimised { "" } else { ";没有优化的程序,数字不作数" };
    writeln!(out, "{} 核,{},{commit},中位数,各 {} 次;账册:已核对{speed}", report.machine.cores, report.date, report.repeat)
        .expect("a string takes every write");
    out
}

fn per_s(runs: &Runs) -> String {
    format!("{} 笔/秒", runs.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(Runs::of(vec![9, 1, 5]), Runs { median: 5, runs: vec![9, 1, 5] });
        assert_eq!(Runs::of(Vec::new()).median, 0);
        assert_eq!(Ratio::median(vec![Ratio::of(3, 1), Ratio::of(1, 3), Ratio::of(2, 3)]), Ratio(0.667));
    }
}
