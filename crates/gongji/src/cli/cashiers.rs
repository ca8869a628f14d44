//! `gongji cashiers`.

use crate::cashiers::{self, ORDERS_MAX, Plan};
use crate::demo::on_a_sandbox_of_its_own;
use clap::Args;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct CashiersArgs {
    /// 对着哪个沙箱,写 http://127.0.0.1:8080;不写就在临时目录里启动一个,演完还审计账本
    #[arg(long, value_name = "网址")]
    target: Option<String>,
    /// 种子:同样的种子演同样的一天,默认 1
    #[arg(long, value_name = "数字", default_value_t = 1, hide_default_value = true)]
    seed: u64,
    /// 一天多少单,最多 600,默认 240
    #[arg(long, value_name = "单数", default_value_t = 240, hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=ORDERS_MAX as i64))]
    orders: u16,
    /// 多少家机构,默认 20
    #[arg(long, value_name = "家数", default_value_t = 20, hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..))]
    institutions: u16,
}

pub async fn run(args: CashiersArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let plan = |target: String| Plan {
        target: target.trim_end_matches('/').to_owned(),
        seed: args.seed,
        orders: usize::from(args.orders),
        institutions: usize::from(args.institutions),
    };
    let outcome = match args.target {
        Some(target) => {
            anyhow::ensure!(target.starts_with("http://"), "网址要以 http:// 开头:收银台只对着沙箱演。");
            cashiers::play(&plan(target)).await?
        }
        None => on_a_sandbox_of_its_own(4, true, async |origin| cashiers::play(&plan(origin)).await).await?,
    };
    anyhow::ensure!(outcome.differences.is_empty(), "机构的账和平台不一致。");
    Ok(())
}
