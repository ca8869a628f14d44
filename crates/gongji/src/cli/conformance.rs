//! `gongji conformance`.

use crate::conformance::{self, Wanted};
use anyhow::{bail, ensure};
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct ConformanceArgs {
    /// 测哪个服务,比如 http://127.0.0.1:8080;要是沙箱
    #[arg(long, value_name = "网址")]
    target: String,
    /// 密钥说明;沙箱启动时写在数据目录的 institution-keys/conformance.json
    #[arg(long, value_name = "文件")]
    keys: PathBuf,
    /// 报告写到哪个目录:report.html 给人看,report.json 给程序看
    #[arg(long, value_name = "目录")]
    report: Option<PathBuf>,
    /// 只测这一项,可以写多个;名字在报告里
    #[arg(long = "case", value_name = "名字")]
    cases: Vec<String>,
}

pub async fn run(args: ConformanceArgs) -> anyhow::Result<()> {
    let wanted = if args.cases.is_empty() { Wanted::All } else { Wanted::Named(args.cases.into_iter().collect::<BTreeSet<_>>()) };
    if let Wanted::Named(names) = &wanted {
        let known: BTreeSet<String> = conformance::list().await.into_iter().flat_map(|group| group.cases).map(|case| case.name).collect();
        let unknown: Vec<&String> = names.iter().filter(|name| !known.contains(*name)).collect();
        ensure!(unknown.is_empty(), "没有叫 {unknown:?} 的测试项。");
    }
    let report = conformance::run(&args.target, &args.keys, &wanted).await?;
    for group in &report.groups {
        println!("{}  {} 项{}", group.title, group.cases.len(), if group.failed() == 0 { ",全部通过" } else { "" });
        for case in group.cases.iter().filter(|case| !case.is_passed()) {
            println!("  ✗ {}\n    {}\n    {}", case.name, case.says, case.why.as_deref().unwrap_or_default());
        }
    }
    println!("\n一共 {} 项,用时 {:.1} 秒。", report.count(), report.took.as_secs_f64());
    if let Some(folder) = args.report {
        let [html, json] = report.write(&folder)?;
        println!("报告 {} 和 {}", html.display(), json.display());
    }
    match report.failed().len() {
        0 => {
            println!("全部通过。");
            Ok(())
        }
        failed => bail!("{failed} 项没有通过。"),
    }
}
