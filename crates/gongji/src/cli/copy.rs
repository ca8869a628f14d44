//! `gongji copy`: moves an installation from files to PostgreSQL, and proves that both are the same.

use crate::installation::{Installation, KEYS_FOLDER};
use crate::kept::Kept;
use crate::{config, verify};
use anyhow::ensure;
use clap::Args;
use gongji_store::postgres::PostgresStore;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct CopyArgs {
    /// 从哪个数据目录搬;程序要先停下
    #[arg(long, value_name = "目录")]
    from: PathBuf,
    /// 搬到哪个空的 PostgreSQL 数据库,写 postgres://用户@主机/库名
    #[arg(long, value_name = "数据库地址")]
    to: String,
    /// 正式环境的配置文件,密钥不在数据目录里时要写
    #[arg(long, value_name = "文件")]
    config: Option<PathBuf>,
}

pub fn run(args: &CopyArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let keys = args.config.as_deref().map(config::Config::read).transpose()?.and_then(|config| config.keys_folder);
    // The lock: nobody else works here until it is done.
    let mut installation = Installation::open(&args.from)?;
    let source = installation.kept()?;
    ensure!(matches!(source, Kept::Files { .. }), "{} 的账本已经在数据库里了。", args.from.display());
    // What is wrong already is not carried on.
    let before = verify::run_on(&source, true)?;
    let parts = source.parts();
    let target = PostgresStore::open(&args.to, parts)?;
    ensure!(target.is_empty()?, "这个数据库里已经有数据。请换一个空的数据库;上次没有搬完的,删掉重建再搬。");

    let vault = source.vault(&keys.unwrap_or_else(|| args.from.join(KEYS_FOLDER)))?;
    let bar = super::bar("日志");
    bar.set_length(before.records);
    let store = source.store()?;
    // The directory last: its fence says that all of it is here.
    for part in (0..=parts).rev() {
        target.take_in(&*store, part, &mut |count| bar.inc(count))?;
    }
    bar.finish_and_clear();
    let rows = vault.copy_to(&target)?;
    target.settle_statistics()?;

    let after = verify::run_on(&Kept::database(&args.to, parts)?, true)?;
    ensure!(before == after, "两边的核对结果不一样,搬迁没有完成:{before:?} {after:?}");
    installation.move_to(&args.to)?;
    super::say(&format!(
        "已搬完,两边逐条比对一致:{} 条记录({} 个事件),{} 行状态,{} 条明细,个人信息库 {rows} 行;两边都经独立审计核对。\n\
         {} 以后用这个数据库;里面的旧文件没有动,确认无误后可以删除(密钥不要删)。\n",
        after.records,
        after.events,
        after.rows,
        after.lines,
        args.from.display()
    ));
    Ok(())
}
