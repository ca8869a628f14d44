use clap::Args;
use std::path::PathBuf;
#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct VerifyArgs {
    /// 数据目录
    #[arg(long, value_name = "目录", default_value = super::DATA_FOLDER)]
    data: PathBuf,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
}
pub fn run(args: &VerifyArgs) -> anyhow::Result<()> {
    anyhow::bail!("{} {}", args.data.display(), args.json)
}
