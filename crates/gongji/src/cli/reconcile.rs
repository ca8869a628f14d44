//! `gongji reconcile`: an institution's file beside ours, without an installation.

use clap::{Args, ValueEnum};
use gongji_files::reconcile::{BreakKind, Class, Encoding, ReadLimits, ReadList, Report, Scope, Totals, read_list, reconcile};
use gongji_files::{BadLine, format_yuan};
use gongji_wallet::day::Day;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Breaks told at the terminal; `--out` takes them all.
const SHOWN_MAX: usize = 20;

#[derive(Clone, Copy, ValueEnum)]
enum Charset {
    #[value(name = "utf-8-bom")]
    Utf8Bom,
    #[value(name = "utf-8")]
    Utf8,
    Gbk,
}

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct ReconcileArgs {
    /// 机构的明细文件:CSV,或国家明细的制表符格式;UTF-8 或 GBK
    #[arg(value_name = "机构文件")]
    theirs: PathBuf,
    /// 平台的明细文件,从机构网页或接口下载
    #[arg(value_name = "平台文件")]
    ours: PathBuf,
    /// 对哪一天,比如 2026-11-22;平台文件里前后两天的行只用来找放错日子的
    #[arg(long, value_name = "日期", value_parser = day)]
    day: Option<Day>,
    /// 对哪一类:清算类别和险种,比如 11-310(门诊、职工医保)
    #[arg(long, value_name = "类别", value_parser = class)]
    class: Option<Class>,
    /// 把全部差异写成 CSV 文件
    #[arg(long, value_name = "文件")]
    out: Option<PathBuf>,
    /// 差异文件的编码:utf-8-bom(默认)、utf-8、gbk
    #[arg(long, value_enum, default_value = "utf-8-bom", hide_default_value = true, hide_possible_values = true, value_name = "编码")]
    encoding: Charset,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
}

fn day(text: &str) -> Result<Day, String> {
    gongji_files::parse_date(text).ok_or_else(|| "日期写成 2026-11-22 这样".to_owned())
}

fn class(text: &str) -> Result<Class, String> {
    let parts = text.split_once('-').and_then(|(clr_type, insutype)| clr_type.parse().ok().zip(insutype.parse().ok()));
    parts.and_then(|(clr_type, insutype)| Class::of(clr_type, insutype)).ok_or_else(|| "类别是 11、21 或 41,险种是 310 或 390,写成 11-310 这样".to_owned())
}

pub fn run(args: &ReconcileArgs) -> anyhow::Result<()> {
    let theirs = read(&args.theirs, "机构文件")?;
    let ours = read(&args.ours, "平台文件")?;
    let scope = Scope { day: args.day, class: args.class };
    let found = reconcile(&scope, &theirs.listing, &ours.listing);
    let shown_max = if args.out.is_some() || args.json { usize::MAX } else { SHOWN_MAX };
    let report = Report::new(&scope, &theirs.listing, &ours.listing, &found, theirs.unpaid, shown_max);
    if let Some(path) = &args.out {
        let encoding = match args.encoding {
            Charset::Utf8Bom => Encoding::Utf8Bom,
            Charset::Utf8 => Encoding::Utf8,
            Charset::Gbk => Encoding::Gbk,
        };
        std::fs::write(path, report.breaks_file(encoding)).map_err(|error| anyhow::anyhow!("文件 {} 写不了:{error}", path.display()))?;
    }
    super::say(&if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { told(&report, args.out.as_deref()) });
    match report.open_count() {
        0 => Ok(()),
        count => anyhow::bail!("有 {count} 处差异要核对。"),
    }
}

fn read(path: &Path, what: &str) -> anyhow::Result<ReadList> {
    let file = File::open(path).map_err(|error| anyhow::anyhow!("{what} {} 打不开:{error}", path.display()))?;
    let list = read_list(file, &ReadLimits::default()).map_err(|error| anyhow::anyhow!("{what} {} 读不下去:{error}", path.display()))?;
    if list.bad.is_empty() {
        return Ok(list);
    }
    for BadLine { line, column, reason_zh, reason_en } in &list.bad {
        let column = column.map(|column| format!(",{column}")).unwrap_or_default();
        eprintln!("第 {line} 行{column}:{reason_zh}({reason_en})");
    }
    anyhow::bail!("{what} {} 有 {} 处不对(见上),没有对账。", path.display(), list.bad.len())
}

fn told(report: &Report, out: Option<&Path>) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("a string takes every write");
    let side = |name: &str, totals: &Totals| {
        format!(
            "{name}:{} 笔(其中退费 {} 笔),钱包支付 {},总额 {},统筹 {}",
            totals.lines,
            totals.refunds,
            format_yuan(totals.own),
            format_yuan(totals.total),
            format_yuan(totals.fund)
        )
    };
    line(side("机构", &report.theirs));
    line(side("平台", &report.ours));
    line(format!("两边一致 {} 笔,机构比平台多 {}", report.matched, format_yuan(report.difference())));
    if report.unpaid > 0 {
        line(format!("机构文件里 {} 行钱包没有付钱,没有算进来", report.unpaid));
    }
    if report.counts.is_empty() {
        line("没有差异。".to_owned());
    }
    for (kind, count) in &report.counts {
        line(format!("  {} 处 {}({})", count, kind.title(), kind.code()));
    }
    if let Some(path) = out {
        line(format!("全部差异写在 {}", path.display()));
        return text;
    }
    for found in &report.breaks {
        let at = found.theirs.first().map_or("平台".to_owned(), |line| format!("第 {} 行", line.row));
        let number = found.theirs.first().or(found.ours.first()).map_or("", |line| line.order_no.as_str());
        line(format!("- {at} {number}:{} 建议:{}", found.cause_zh, BreakKind::proposal(found.kind).sentence()));
    }
    if report.left_out > 0 {
        line(format!("……还有 {} 处,加 --out 差异.csv 看全部", report.left_out));
    }
    text
}
