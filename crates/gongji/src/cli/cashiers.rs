//! `gongji cashiers`.

use crate::cashiers::{self, ORDERS_MAX, Plan, Share, Signing};
use crate::demo::on_a_sandbox_of_its_own;
use crate::sandbox::{CONFORMANCE_FILE, SIGNING_KEYS_FOLDER};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct CashiersArgs {
    /// 对着哪个沙箱,写 http://127.0.0.1:8080;不写就在临时目录里启动一个,演完还审计账本
    #[arg(long, value_name = "网址")]
    target: Option<String>,
    /// 用机构自己的密钥签名,写沙箱打印的密钥说明(数据目录的 institution-keys/conformance.json);不写就用机构密钥。自己启动沙箱时,三家里有两家签名
    #[arg(long, value_name = "密钥说明", requires = "target")]
    keys: Option<PathBuf>,
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
    let plan = |target: String, signing: Option<Signing>| Plan {
        target: target.trim_end_matches('/').to_owned(),
        seed: args.seed,
        orders: usize::from(args.orders),
        institutions: usize::from(args.institutions),
        signing,
    };
    let outcome = match args.target {
        Some(target) => {
            anyhow::ensure!(target.starts_with("http://"), "网址要以 http:// 开头:收银台只对着沙箱演。");
            cashiers::play(&plan(target, args.keys.as_deref().map(|keys| Signing::read(keys, Share::All)).transpose()?)).await?
        }
        None => {
            let play = async |origin: String, folder: &Path| {
                let keys = folder.join(SIGNING_KEYS_FOLDER).join(CONFORMANCE_FILE);
                cashiers::play(&plan(origin, Some(Signing::read(&keys, Share::TwoOfThree)?))).await
            };
            on_a_sandbox_of_its_own(4, true, play).await?
        }
    };
    anyhow::ensure!(outcome.differences.is_empty(), "机构的账和平台不一致。");
    Ok(())
}
