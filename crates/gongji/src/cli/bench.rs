//! `gongji bench`.

use crate::bench::{self, DatabasePlan, Plan, Scenario};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct BenchArgs {
    /// 只测哪些,和 --only 一样,比如 gongji bench payments
    #[arg(value_name = "项目", value_parser = parse_scenario, conflicts_with = "store")]
    parts: Vec<Scenario>,
    /// 只测哪些,用逗号隔开:core 核心,payments 支付,http 一笔一请求,single 一次一笔,memory 内存,growth 人多账多,statement 明细第一页,restart 杀掉后重启;不写就都测
    #[arg(long, value_name = "项目", value_delimiter = ',', value_parser = parse_scenario)]
    only: Vec<Scenario>,
    /// 每项测几次,取中位数,默认 3
    #[arg(long, default_value_t = 3, hide_default_value = true, value_name = "次数", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    repeat: u16,
    /// 核心部分的参保人数,默认一百万
    #[arg(long, default_value_t = 1_000_000, hide_default_value = true, value_name = "人数", value_parser = parse_count)]
    holders: u64,
    /// 每次的转账笔数,默认一百万
    #[arg(long, default_value_t = 1_000_000, hide_default_value = true, value_name = "笔数", value_parser = parse_count)]
    transfers: u64,
    /// 每次的支付笔数,默认二十万
    #[arg(long, default_value_t = 200_000, hide_default_value = true, value_name = "笔数", value_parser = parse_count)]
    payments: u64,
    /// 经 HTTP 签名付款每次的笔数,默认两万
    #[arg(long, default_value_t = 20_000, hide_default_value = true, value_name = "笔数", value_parser = parse_count)]
    http_payments: u64,
    /// HTTP 部分的参保人数,默认六万;每人要登录一次,一天最多转三笔
    #[arg(long, default_value_t = 60_000, hide_default_value = true, value_name = "人数", value_parser = parse_count)]
    http_holders: u64,
    /// HTTP 部分每次的转账笔数;不写就让每个人转满三笔
    #[arg(long, value_name = "笔数", value_parser = parse_count)]
    http_transfers: Option<u64>,
    /// 一次一笔的每次笔数,默认一千
    #[arg(long, default_value_t = 1_000, hide_default_value = true, value_name = "笔数", value_parser = parse_count)]
    single: u64,
    /// 内存部分的参保人数,默认四十万
    #[arg(long, default_value_t = 400_000, hide_default_value = true, value_name = "人数", value_parser = parse_count)]
    memory_holders: u64,
    /// growth、statement、restart 的参保人数,默认二十万
    #[arg(long, default_value_t = 200_000, hide_default_value = true, value_name = "人数", value_parser = parse_count)]
    growth_holders: u64,
    /// growth、statement、restart 之前已有的转账笔数,默认一百万
    #[arg(long, default_value_t = 1_000_000, hide_default_value = true, value_name = "笔数", value_parser = parse_count)]
    growth_movements: u64,
    /// 这三项里内存最多留多少人,不写就用平常的上限
    #[arg(long, value_name = "人数")]
    people: Option<usize>,
    /// statement 翻多少页,每秒 200 页,默认两千
    #[arg(long, default_value_t = 2_000, hide_default_value = true, value_name = "页数", value_parser = parse_count)]
    pages: u64,
    /// 在这个空的 PostgreSQL 数据库里测核心,写 postgres://用户@主机/库名
    #[arg(long, value_name = "数据库地址", conflicts_with = "only")]
    store: Option<String>,
    /// 在数据库里测时用几个分区,默认 1
    #[arg(long, value_name = "个数", requires = "store")]
    partitions: Option<u16>,
    /// 数据放在哪里;不写就用临时目录,测完就删
    #[arg(long, value_name = "目录")]
    data: Option<PathBuf>,
    /// 只输出 JSON
    #[arg(long)]
    json: bool,
    /// Of the bench itself: what a process of its own is to do.
    #[arg(long, hide = true)]
    task: Option<String>,
}

fn parse_scenario(text: &str) -> Result<Scenario, String> {
    let found = Scenario::ALL.into_iter().find(|(name, _)| *name == text.trim());
    let names = || Scenario::ALL.map(|(name, _)| name).join("、");
    found.map(|(_, scenario)| scenario).ok_or_else(|| format!("可以写:{}", names()))
}

/// A number of people or transfers to bench with: a pair is the least.
fn parse_count(text: &str) -> Result<u64, String> {
    let count: u64 = text.parse().map_err(|_| "要写一个整数".to_owned())?;
    if count < 2 { Err("至少要 2".to_owned()) } else { Ok(count) }
}

pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    if let Some(task) = &args.task {
        return bench::run_task(task).await;
    }
    let named = [args.parts, args.only].concat();
    let only = if named.is_empty() { Scenario::ALL.map(|(_, scenario)| scenario).to_vec() } else { named };
    bench::run(Plan {
        folder: args.data,
        only,
        repeat: usize::from(args.repeat),
        holders: args.holders.next_multiple_of(2),
        transfers: args.transfers,
        payments: args.payments,
        http_payments: args.http_payments,
        http_holders: args.http_holders.next_multiple_of(2),
        http_transfers: args.http_transfers,
        single: args.single,
        memory_holders: args.memory_holders,
        growth_holders: args.growth_holders.next_multiple_of(2),
        growth_movements: args.growth_movements,
        people: args.people,
        pages: args.pages,
        database: args.store.map(|url| DatabasePlan { url, partitions: args.partitions.unwrap_or(1) }),
        json: args.json,
    })
    .await
}
