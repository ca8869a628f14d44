//! `gongji backup`: a copy of the installation while it serves, proven before it is called one.

use crate::config;
use crate::installation;
use crate::kept::Kept;
use crate::verify;
use clap::Args;
use gongji_store::backup;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct BackupArgs {
    /// 备份放到哪个新目录
    #[arg(long, value_name = "目录")]
    to: PathBuf,
    /// 数据目录,默认 ./gongji-data
    #[arg(long, value_name = "目录", default_value = super::DATA_FOLDER, hide_default_value = true, conflicts_with = "config")]
    data: PathBuf,
    /// 正式环境的配置文件,数据目录从里面读
    #[arg(long, value_name = "文件")]
    config: Option<PathBuf>,
}

pub fn run(args: &BackupArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let folder = match &args.config {
        Some(path) => config::Config::read(path)?.data_folder,
        None => args.data.clone(),
    };
    let Kept::Files { parts, .. } = installation::kept(&folder)? else {
        anyhow::bail!("账本在 PostgreSQL 里,用数据库自己的备份,见 docs/operating/postgresql.md。");
    };
    anyhow::ensure!(!args.to.exists(), "{} 已经存在;备份要写到新目录里。", args.to.display());
    let bar = super::bar("备份");
    let copied = backup::copy(&folder, parts, &args.to, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    copied.map_err(|fault| anyhow::anyhow!("备份没有做成:{fault}。原来的数据没有动。"))?;
    // A copy that cannot be audited is no backup.
    let report = verify::run(&args.to, false)?;
    super::say(&format!("备份好了,并且核对过:{}\n", args.to.display()));
    super::say(&format!("  {} 条记录,{} 人,{} 笔转账,{} 笔支付和缴费\n", report.records, report.people, report.transfers, report.payments));
    super::say("  各分区到第几条记录、指纹(抄到别处,以后可以证明日志没有被改过):\n");
    for head in &report.heads {
        super::say(&format!("    分区 {} 第 {} 条 {}\n", head.part, head.seq, head.hash));
    }
    super::say("  密钥不在里面,要另外备份,分开放。\n");
    Ok(())
}
