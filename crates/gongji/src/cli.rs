//! The command line: one program, subcommands with English names, help in plain Chinese.

mod backup;
mod bench;
mod cashiers;
mod clearing;
mod complaint;
mod conformance;
mod copy;
mod heads;
mod import;
mod institution;
mod jobs;
mod keys;
mod office;
mod operator;
mod reconcile;
mod sandbox;
mod serve;
mod stopped;
mod verify;

pub(crate) use complaint::failed;

use clap::builder::styling::Styles;
use clap::{Args, Parser, Subcommand};
use std::io::IsTerminal;

/// `{name}` and the rest are filled in by the parser of the command line.
const HELP: &str = "{about-with-newline}\n用法:{usage}\n\n{all-args}{after-help}";

/// Where the sandbox keeps its data unless told otherwise.
const DATA_FOLDER: &str = "./gongji-data";

#[derive(Parser)]
#[command(
    name = "gongji",
    version,
    about = "共济:跨省医保钱包。一个程序,里面有网页、接口、账本和审计。",
    after_help = "第一次用?运行 gongji sandbox,再用浏览器打开它显示的网址。",
    help_template = HELP,
    subcommand_help_heading = "命令",
    subcommand_value_name = "命令",
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true,
    styles = Styles::plain(),
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
    /// 显示版本
    #[arg(long, action = clap::ArgAction::Version, help_heading = "选项")]
    version: Option<bool>,
}

#[derive(Args)]
struct Common {
    /// 显示帮助
    #[arg(short, long, global = true, action = clap::ArgAction::Help, help_heading = "选项")]
    help: Option<bool>,
}

#[derive(Subcommand)]
enum Command {
    /// 启动沙箱:真实的地区、虚构的家庭、可以拨动的时钟
    #[command(help_template = HELP, override_usage = "gongji sandbox [选项]")]
    Sandbox(sandbox::SandboxArgs),
    /// 启动正式环境;设置不安全或缺少外部服务时会说明原因并拒绝启动
    #[command(help_template = HELP, override_usage = "gongji serve --config <文件>")]
    Serve(serve::ServeArgs),
    /// 导入一个 CSV 文件;有一行错就什么都不改
    #[command(help_template = HELP, override_usage = "gongji import <种类> <文件> [选项]")]
    Import(import::ImportArgs),
    /// 独立审计:从日志重算每一笔余额和来源,与账本逐行核对
    #[command(help_template = HELP, override_usage = "gongji verify [选项]")]
    Verify(verify::VerifyArgs),
    /// 备份:服务不停,抄一份数据并核对
    #[command(help_template = HELP, override_usage = "gongji backup --to <目录> [选项]")]
    Backup(backup::BackupArgs),
    /// 搬家:把一个数据目录里的账本和个人信息库搬到 PostgreSQL,并证明两边一样
    #[command(help_template = HELP, override_usage = "gongji copy --from <目录> --to <数据库地址>")]
    Copy(copy::CopyArgs),
    /// 演示:在临时目录里把整个流程走一遍,一步一步讲给你听
    #[command(help_template = HELP, override_usage = "gongji demo [选项]")]
    Demo(DemoArgs),
    /// 收银模拟:20 家机构过一个忙日子,答复丢失、重复、冲正样样有,最后逐单对账
    #[command(help_template = HELP, override_usage = "gongji cashiers [选项]")]
    Cashiers(cashiers::CashiersArgs),
    /// 检查点:把各分区日志的末尾签上名,加到数据库外面的文件里;verify --heads 用它查出改写和截断
    #[command(help_template = HELP, override_usage = "gongji heads [--to <文件>] [选项]")]
    Heads(heads::HeadsArgs),
    /// 压力测试:合规的转账,量出每秒笔数,最后核对账本
    #[command(help_template = HELP, override_usage = "gongji bench [选项]")]
    Bench(Box<bench::BenchArgs>),
    /// 窗口业务:为丢了密码、换了手机的人恢复登录,要两个人办;看“这里付不了”的反馈;按报文号找机构的交易
    #[command(help_template = HELP, override_usage = "gongji office recover request|confirm [选项]\n      gongji office reports [选项]\n      gongji office message <报文号> [选项]", subcommand_help_heading = "命令", subcommand_value_name = "命令", disable_help_subcommand = true)]
    Office(office::OfficeArgs),
    /// 到点自动做的事:各做到了哪里,上次怎样,下次什么时候
    #[command(help_template = HELP, override_usage = "gongji jobs [选项]")]
    Jobs(jobs::JobsArgs),
    /// 换封存密钥:加一把新的,重新封存,移走旧的
    #[command(help_template = HELP, override_usage = "gongji keys status|rotate|reseal|retire [选项]", subcommand_help_heading = "命令", subcommand_value_name = "命令", disable_help_subcommand = true)]
    Keys(keys::KeysArgs),
    /// 经办人:设第一批管理员、列出、马上停用、重发首次登录信;服务要先停下
    #[command(help_template = HELP, override_usage = "gongji operator add|list|revoke|invite [选项]", subcommand_help_heading = "命令", subcommand_value_name = "命令", disable_help_subcommand = true)]
    Operator(operator::OperatorArgs),
    /// 对账:机构的明细文件和平台的逐笔比,列出差异、可能的原因和建议;不需要数据目录
    #[command(help_template = HELP, override_usage = "gongji reconcile <机构文件> <平台文件> [选项]")]
    Reconcile(reconcile::ReconcileArgs),
    /// 清算:切账、出结算单、确认与争议、放行、通知书、回单、关账;导出每省可自行核对的文件
    #[command(help_template = HELP, override_usage = "gongji clearing cut|show|state|confirm|dispute|agree|release|notice|receipts|fund|close|export|verify [选项]", subcommand_help_heading = "命令", subcommand_value_name = "命令", disable_help_subcommand = true)]
    Clearing(Box<clearing::ClearingArgs>),
    /// 医院和药店的签名:生成、登记、停用密钥,限定网络和证书,给请求签名
    #[command(help_template = HELP, override_usage = "gongji institution keygen|register|revoke|keys|allow|signed|sign|call [选项]", subcommand_help_heading = "命令", subcommand_value_name = "命令", disable_help_subcommand = true)]
    Institution(Box<institution::InstitutionArgs>),
    /// 一致性测试:装成一家机构的软件,把接口的每种情形都试一遍,写出报告;只测沙箱
    #[command(help_template = HELP, override_usage = "gongji conformance --target <网址> --keys <文件> [选项]")]
    Conformance(conformance::ConformanceArgs),
    /// 打印带说明的默认配置
    #[command(help_template = HELP)]
    Config,
    /// 打印接口说明(OpenAPI 3.1,JSON)
    #[command(help_template = HELP)]
    Openapi,
}

#[derive(Args)]
struct DemoArgs {
    /// 分区数,默认 1;多于 1 个时付款人、收款人和医院会分在不同的分区里
    #[arg(long, default_value_t = 1, hide_default_value = true, value_name = "个数", help_heading = "选项")]
    partitions: u16,
}

/// Runs the program and gives its exit code.
pub fn run() -> i32 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return complaint::typed(&error),
    };
    let _ = cli.version;
    let _ = cli.common.help;
    let done = match cli.command {
        Command::Sandbox(args) => within_runtime(sandbox::run(args)),
        Command::Serve(args) => serve::run(args),
        Command::Import(args) => within_runtime(import::run(args)),
        Command::Verify(args) => verify::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Copy(args) => copy::run(&args),
        Command::Demo(args) => within_runtime(crate::demo::run(args.partitions)),
        Command::Cashiers(args) => within_runtime(cashiers::run(args)),
        Command::Heads(args) => heads::run(&args),
        Command::Bench(args) => within_runtime(bench::run(*args)),
        Command::Office(args) => within_runtime(office::run(args)),
        Command::Jobs(args) => jobs::run(&args),
        Command::Keys(args) => keys::run(args),
        Command::Operator(args) => within_runtime(operator::run(args)),
        Command::Reconcile(args) => reconcile::run(&args),
        Command::Clearing(args) => within_runtime(clearing::run(*args)),
        Command::Institution(args) => within_runtime(institution::run(*args)),
        Command::Conformance(args) => within_runtime(conformance::run(args)),
        Command::Config => {
            say(crate::config::DEFAULT);
            Ok(())
        }
        Command::Openapi => {
            say(&format!("{}\n", crate::api::openapi_json().trim_end()));
            Ok(())
        }
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{}", failed(&error));
            1
        }
    }
}

fn within_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Logs for people: warnings and worse on standard error, more with `GONGJI_LOG=info`.
fn log_for_people() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("GONGJI_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A second subscriber in one process is a test's.
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(std::io::stderr().is_terminal());
    let _ = logging.with_writer(std::io::stderr).try_init();
}

/// A progress bar that shows itself on a terminal and nowhere else.
fn bar(label: &str) -> indicatif::ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta}").expect("a sound template");
    indicatif::ProgressBar::new(0).with_style(style.progress_chars("━╸─")).with_prefix(label.to_owned())
}

/// Prints; whoever closed the pipe has seen enough.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// What `verify` says of books that are right.
pub(crate) fn tell_verified(report: &crate::verify::Report) {
    verify::print(report);
}

/// Resolves when the process is asked to stop: Ctrl-C, or the signal of a service manager.
/// Turns true when the program is asked to stop, from now on: also where nobody looks in that very moment.
fn stopping() -> tokio::sync::watch::Receiver<bool> {
    let (tell, stopping) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        asked_to_stop().await;
        tell.send_replace(true);
    });
    stopping
}

async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            },
            Err(_) => drop(interrupted.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_and_option_is_explained_in_chinese() {
        fn check(command: &clap::Command) {
            let is_chinese = |text: String| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            assert!(is_chinese(command.get_about().map(ToString::to_string).unwrap_or_default()), "{}", command.get_name());
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(is_chinese(argument.get_help().map(ToString::to_string).unwrap_or_default()), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        Cli::command().debug_assert();
        check(&Cli::command());
    }
}
