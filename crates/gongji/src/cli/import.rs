//! `gongji import`: a file into a stopped installation.

use crate::config;
use crate::identity::Adapters;
use crate::import::{ImportError, Summary, import};
use crate::installation::{Installation, Profile};
use clap::{Args, ValueEnum};
use gongji_files::{BadLine, ImportKind};
use gongji_store::clock::{Clock, MovableClock, SystemClock};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// Bad lines shown; the rest are counted.
const SHOWN_MAX: usize = 200;

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Regions,
    Persons,
    Enrolments,
    Contributions,
    Institutions,
    Premiums,
}

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct ImportArgs {
    /// 文件里是什么:regions 地区,institutions 医院和药店,premiums 居民缴费标准,persons 参保人,enrolments 参保关系,contributions 个人账户入账
    #[arg(value_enum, value_name = "种类", hide_possible_values = true)]
    kind: Kind,
    /// CSV 文件(UTF-8,第一行是表头)
    #[arg(value_name = "文件")]
    file: PathBuf,
    /// 数据目录,默认 ./gongji-data
    #[arg(long, value_name = "目录", default_value = super::DATA_FOLDER, hide_default_value = true, conflicts_with = "config")]
    data: PathBuf,
    /// 正式环境的配置文件,数据目录和密钥目录从里面读
    #[arg(long, value_name = "文件")]
    config: Option<PathBuf>,
    /// 跳过错误的行,导入其余的行
    #[arg(long)]
    skip_bad: bool,
}

pub async fn run(args: ImportArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let (folder, keys) = match &args.config {
        Some(path) => {
            let config = config::Config::read(path)?;
            (config.data_folder, config.keys_folder)
        }
        None => (args.data, None),
    };
    let file = File::open(&args.file).map_err(|error| anyhow::anyhow!("文件 {} 打不开:{error}", args.file.display()))?;
    let installation = Installation::open(&folder)?;
    let clock: Arc<dyn Clock> = match installation.profile() {
        Profile::Production => Arc::new(SystemClock),
        // A sandbox lives in a time of its own.
        Profile::Sandbox => Arc::new(MovableClock::standing(crate::sandbox::start_of_clock().max(installation.last_stamp()?))),
    };
    // Nobody logs in meanwhile: the adapters are not asked.
    let app = Arc::new(installation.start(clock, None, Adapters::sandbox(), keys.as_deref())?);
    let kind = match args.kind {
        Kind::Regions => ImportKind::Regions,
        Kind::Persons => ImportKind::Persons,
        Kind::Enrolments => ImportKind::Enrolments,
        Kind::Contributions => ImportKind::Contributions,
        Kind::Institutions => ImportKind::Institutions,
        Kind::Premiums => ImportKind::Premiums,
    };
    let bar = super::bar(kind.label());
    let done = import(&app, kind, std::io::BufReader::new(file), args.skip_bad, &bar).await;
    bar.finish_and_clear();
    app.engine.settle().await?;
    app.engine.flush().await;
    match done {
        Ok(summary) => report(&summary),
        Err(error) => {
            match &error {
                ImportError::BadLines(bad) => show(bad),
                // The last is what made the file unusable; the error itself says it.
                ImportError::Unusable(bad) => show(&bad[..bad.len().saturating_sub(1)]),
                _ => {}
            }
            Err(error.into())
        }
    }
}

fn report(summary: &Summary) -> anyhow::Result<()> {
    show(&summary.skipped);
    show(&summary.refused);
    super::say(&format!("{}:{} 行\n", summary.kind.label(), summary.lines));
    super::say(&format!("  新导入 {} 行,以前导入过 {} 行\n", summary.applied, summary.known));
    if summary.outdated > 0 {
        super::say(&format!("  {} 行已有更新的参保关系,没有采用\n", summary.outdated));
    }
    if !summary.skipped.is_empty() {
        let mut lines: Vec<u32> = summary.skipped.iter().map(|bad| bad.line).collect();
        lines.dedup();
        super::say(&format!("  跳过 {} 行(见上)\n", lines.len()));
    }
    super::say(&format!("  文件指纹 SM3 {}\n", summary.digest));
    if summary.refused.is_empty() { Ok(()) } else { anyhow::bail!("有 {} 处被规则拒绝(见上),其余的行已经导入。", summary.refused.len()) }
}

fn show(bad: &[BadLine]) {
    for one in bad.iter().take(SHOWN_MAX) {
        let column = one.column.map(|column| format!(",{column}")).unwrap_or_default();
        eprintln!("第 {} 行{column}:{}({})", one.line, one.reason_zh, one.reason_en);
    }
    if bad.len() > SHOWN_MAX {
        eprintln!("……还有 {} 处", bad.len() - SHOWN_MAX);
    }
}
