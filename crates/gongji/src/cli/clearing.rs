//! `gongji clearing`: the month's end. `verify` is the province's side and needs no data folder; everything else works on a stopped installation,
//! or beside running processes on PostgreSQL.

use super::office::Place;
use super::stopped::open;
use crate::app::App;
use crate::service::ServiceError;
use crate::service::clearing::{self, BankReceipt};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use gongji_files::clearing::{Calendar, DailyStatements, Holidays, Progress, parse_line_id, verify};
use gongji_files::signature::VerifyingKey;
use gongji_files::{hex, parse_date, parse_yuan, yuan};
use gongji_ledger::AreaCode;
use gongji_wallet::clearing::{LineId, Month, Period, PeriodState};
use gongji_wallet::day::{date_of, day_of};
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args)]
pub struct ClearingArgs {
    #[command(subcommand)]
    command: ClearingCommand,
}

/// A period and who works on it.
#[derive(Args)]
#[command(next_help_heading = "选项")]
struct Step {
    /// 清算期,年月六位,比如 202610
    #[arg(value_name = "清算期")]
    period: Month,
    /// 经办人
    #[arg(long, value_name = "姓名或工号")]
    operator: String,
    #[command(flatten)]
    place: Place,
}

/// The same, by two persons.
#[derive(Args)]
#[command(next_help_heading = "选项")]
struct TwoPersons {
    #[command(flatten)]
    step: Step,
    /// 复核人,不能是经办人
    #[arg(long, value_name = "姓名或工号")]
    checker: String,
}

/// What one province says of one line.
#[derive(Args)]
#[command(next_help_heading = "选项")]
struct OfLine {
    #[command(flatten)]
    step: Step,
    /// 省份代码
    #[arg(long, value_name = "省份代码")]
    province: AreaCode,
    /// 明细编号,比如 1-204-0
    #[arg(long, value_name = "明细编号", value_parser = line_id)]
    line: LineId,
}

#[derive(Subcommand)]
enum ClearingCommand {
    /// 切账:一个月过完以后,每个分区记下这个月到哪一笔为止
    #[command(help_template = super::HELP, override_usage = "gongji clearing cut <清算期> --operator <姓名或工号> [选项]")]
    Cut(Step),
    /// 看各清算期办到哪一步、哪一步逾期
    #[command(help_template = super::HELP, override_usage = "gongji clearing show [选项]")]
    Show {
        /// 节假日文件;不写就只按周末算工作日
        #[arg(long, value_name = "文件", help_heading = "选项")]
        holidays: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// 出结算单:汇总各统筹区之间的往来,请各省确认
    #[command(help_template = super::HELP, override_usage = "gongji clearing state <清算期> --operator <姓名或工号> [选项]")]
    State(Step),
    /// 一个省确认:除了它提出争议的明细,都认可
    #[command(help_template = super::HELP, override_usage = "gongji clearing confirm <清算期> --province <省份代码> --root <总根> --operator <姓名或工号> [选项]")]
    Confirm {
        #[command(flatten)]
        step: Step,
        /// 省份代码
        #[arg(long, value_name = "省份代码", help_heading = "选项")]
        province: AreaCode,
        /// 这个省核对过的清算文件上的总根,verify 会显示
        #[arg(long, value_name = "总根", value_parser = root, help_heading = "选项")]
        root: [u8; 32],
    },
    /// 一个省对一条明细提出争议:这一期先不算,转到下一期
    #[command(help_template = super::HELP, override_usage = "gongji clearing dispute <清算期> --province <省份代码> --line <明细编号> --reason <原因> --operator <姓名或工号> [选项]")]
    Dispute {
        #[command(flatten)]
        of: OfLine,
        /// 原因
        #[arg(long, value_name = "原因", help_heading = "选项")]
        reason: String,
    },
    /// 撤回争议
    #[command(help_template = super::HELP, override_usage = "gongji clearing agree <清算期> --province <省份代码> --line <明细编号> --operator <姓名或工号> [选项]")]
    Agree(OfLine),
    /// 放行:各省都确认以后,由两个人办
    #[command(help_template = super::HELP, override_usage = "gongji clearing release <清算期> --operator <经办人> --checker <复核人> [选项]")]
    Release(TwoPersons),
    /// 付款、收款通知书已经发给财政
    #[command(help_template = super::HELP, override_usage = "gongji clearing notice <清算期> --operator <姓名或工号> [选项]")]
    Notice(Step),
    /// 登记银行回单:CSV,每行 流水号,付款省,收款省,金额(元),到账日期;第一行是表头
    #[command(help_template = super::HELP, override_usage = "gongji clearing receipts <清算期> <回单文件> --operator <姓名或工号> [选项]")]
    Receipts {
        #[command(flatten)]
        step: Step,
        /// 回单文件
        #[arg(value_name = "回单文件")]
        file: PathBuf,
    },
    /// 确认资金到齐,由两个人办
    #[command(help_template = super::HELP, override_usage = "gongji clearing fund <清算期> --operator <经办人> --checker <复核人> [选项]")]
    Fund(TwoPersons),
    /// 关账:此后这一期不再改,更正走下一期的明细
    #[command(help_template = super::HELP, override_usage = "gongji clearing close <清算期> --operator <姓名或工号> [选项]")]
    Close(Step),
    /// 导出:每个省一份可自行核对的清算文件,加上合计、轧差、通知书和公钥
    #[command(help_template = super::HELP, override_usage = "gongji clearing export <清算期> --out <目录> [选项]")]
    Export {
        /// 清算期,年月六位
        #[arg(value_name = "清算期")]
        period: Month,
        /// 写到哪个目录
        #[arg(long, value_name = "目录", help_heading = "选项")]
        out: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// 核对清算文件:只凭文件和公钥重算全部内容;哪里不对就说哪里
    #[command(help_template = super::HELP, override_usage = "gongji clearing verify <清算文件> --key <公钥文件> [选项]")]
    Verify {
        /// 清算文件
        #[arg(value_name = "清算文件")]
        file: PathBuf,
        /// 出具方的公钥文件(PEM)
        #[arg(long, value_name = "公钥文件", help_heading = "选项")]
        key: PathBuf,
        /// 本省机构每日确认单(CSV):日期,机构编码,支付编号,payment 或 refund,金额(元);漏掉的明细会点名
        #[arg(long, value_name = "文件", help_heading = "选项")]
        daily: Option<PathBuf>,
    },
}

fn line_id(text: &str) -> Result<LineId, String> {
    parse_line_id(text).ok_or_else(|| "明细编号写成 分区-收款号-批次,比如 1-204-0".to_owned())
}

fn root(text: &str) -> Result<[u8; 32], String> {
    let byte = |at: usize| text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| "总根是 64 位十六进制".to_owned())
}

pub async fn run(args: ClearingArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let told = match args.command {
        ClearingCommand::Verify { file, key, daily } => verified(&file, &key, daily.as_deref())?,
        ClearingCommand::Show { holidays, place } => {
            let holidays = match holidays {
                Some(path) => Holidays::parse(&read(&path)?)?,
                None => Holidays::default(),
            };
            shown(&*open(&place)?, &holidays)?
        }
        ClearingCommand::Cut(Step { period, operator, place }) => {
            let known = in_words(clearing::cut(&*open(&place)?, period, &operator).await)?;
            let totals = known.totals();
            format!("{period} {}:{} 条明细,合计 {} 元\n", known.state.zh(), totals.lines, yuan(totals.amount()))
        }
        ClearingCommand::State(Step { period, operator, place }) => {
            let statement = in_words(clearing::state(&*open(&place)?, period, &operator).await)?;
            format!("{period} 结算单:{} 条明细,合计 {} 元\n总根 {}\n", statement.lines, yuan(statement.amount), hex(&statement.root))
        }
        ClearingCommand::Confirm { step: Step { period, operator, place }, province, root } => {
            in_words(clearing::confirm(&*open(&place)?, period, province, root, &operator).await)?;
            format!("{province} 已确认 {period}\n")
        }
        ClearingCommand::Dispute { of: OfLine { step: Step { period, operator, place }, province, line }, reason } => {
            in_words(clearing::dispute(&*open(&place)?, period, province, line, &reason, &operator).await)?;
            "已登记争议:这一条先不结算,转到下一期。\n".to_owned()
        }
        ClearingCommand::Agree(OfLine { step: Step { period, operator, place }, province, line }) => {
            in_words(clearing::agree(&*open(&place)?, period, province, line, &operator).await)?;
            "争议已撤回。\n".to_owned()
        }
        ClearingCommand::Release(TwoPersons { step: Step { period, operator, place }, checker }) => {
            let app = open(&place)?;
            dues(&app, &in_words(clearing::release(&app, period, &operator, &checker).await)?)
        }
        ClearingCommand::Notice(Step { period, operator, place }) => {
            in_words(clearing::notice(&*open(&place)?, period, &operator).await)?;
            format!("{period} 的通知书已登记发出。\n")
        }
        ClearingCommand::Receipts { step: Step { period, operator, place }, file } => received(&*open(&place)?, period, &operator, &file).await?,
        ClearingCommand::Fund(TwoPersons { step: Step { period, operator, place }, checker }) => {
            in_words(clearing::fund(&*open(&place)?, period, &operator, &checker).await)?;
            format!("{period} 资金已到齐。\n")
        }
        ClearingCommand::Close(Step { period, operator, place }) => {
            in_words(clearing::close(&*open(&place)?, period, &operator).await)?;
            format!("{period} 已关账。\n")
        }
        ClearingCommand::Export { period, out, place } => exported(&*open(&place)?, period, &out).await?,
    };
    super::say(&told);
    Ok(())
}

/// A refusal as its sentences.
fn in_words<T>(done: Result<T, ServiceError>) -> anyhow::Result<T> {
    done.map_err(|error| match error {
        ServiceError::Refused { reasons, .. } => {
            let told = |reason: &gongji_wallet::Reason| {
                let words = reason.words();
                format!("{}{}({})", words.title, words.next_step, words.code)
            };
            anyhow::anyhow!("{}", reasons.iter().map(told).collect::<Vec<_>>().join("\n"))
        }
        error => error.into(),
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("文件 {} 读不了", path.display()))
}

fn day_words(day: i32) -> String {
    let (year, month, day) = date_of(day);
    format!("{year}-{month:02}-{day:02}")
}

fn shown(app: &App, holidays: &Holidays) -> anyhow::Result<String> {
    let mut text = String::new();
    let (calendar, today) = (Calendar::default(), day_of(app.now()));
    let _ = writeln!(text, "接下来该切的是 {}", in_words(clearing::next(app))?);
    for period in in_words(clearing::periods(app))? {
        let _ = writeln!(text, "{} {}", period.period, period.state.zh());
        for step in calendar.steps(holidays, period.period, Some(&period), today) {
            let told = match step.progress {
                Progress::Done { on } => format!("{} 办完", day_words(on)),
                Progress::Open => format!("{} 前要办", day_words(step.by)),
                Progress::Overdue { days } => format!("应在 {} 前办,已逾期 {days} 天", day_words(step.by)),
            };
            let _ = writeln!(text, "  {}:{told}", step.state.zh());
        }
        if period.state == PeriodState::Stated {
            let due = day_words(calendar.confirm_due(period.period));
            let _ = writeln!(text, "  还没有确认的省({due} 前要确认):{:?};争议 {} 条", period.silent(), period.disputes.len());
        }
        text += &dues(app, &period);
    }
    Ok(text)
}

fn dues(app: &App, period: &Period) -> String {
    let mut text = String::new();
    for due in &period.dues {
        let arrived = period.received(due.from, due.to);
        let [from, to] = [due.from, due.to].map(|code| clearing::name_of(app, code));
        let _ = writeln!(text, "  {from} 付给 {to} {} 元,已到 {} 元", yuan(due.amount), yuan(arrived));
    }
    text
}

async fn received(app: &App, period: Month, operator: &str, file: &Path) -> anyhow::Result<String> {
    let text = read(file)?;
    let mut receipts = Vec::new();
    // The whole file first: one bad line, and nothing is entered.
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let read = || {
            let [reference, from, to, amount, day] = cells[..] else { return None };
            let amount = parse_yuan(amount).ok()?;
            Some(BankReceipt { reference: reference.to_owned(), from: from.parse().ok()?, to: to.parse().ok()?, amount, day: parse_date(day)? })
        };
        let Some(receipt) = read() else { bail!("回单文件第 {} 行读不懂,一条也没有登记。", at + 1) };
        receipts.push(receipt);
    }
    let mut fresh = 0;
    for receipt in &receipts {
        let entered = in_words(clearing::receive(app, period, receipt, operator).await);
        fresh += usize::from(entered.with_context(|| format!("流水号 {}:没有登记;它前面的 {fresh} 条已经登记", receipt.reference))?);
    }
    Ok(format!("登记 {fresh} 条,以前登记过 {} 条\n", receipts.len() - fresh))
}

async fn exported(app: &Arc<App>, period: Month, out: &Path) -> anyhow::Result<String> {
    let bar = super::bar("导出");
    let known = in_words(clearing::period(app, period))?;
    bar.set_length(known.totals().lines);
    let shown = bar.clone();
    let exported = in_words(clearing::export(app, period, out, move |done| shown.set_position(done)).await)?;
    bar.finish_and_clear();
    let cleared = &exported.summed.cleared;
    let mut text = format!("{period}:{} 条明细,合计 {} 元\n总根 {}\n", cleared.lines, yuan(cleared.amount), hex(&cleared.root));
    for (province, path) in &exported.summed.written {
        let _ = writeln!(text, "  {} {}", clearing::name_of(app, *province), path.display());
    }
    for path in &exported.tables {
        let _ = writeln!(text, "  {}", path.display());
    }
    Ok(text)
}

fn verified(file: &Path, key: &Path, daily: Option<&Path>) -> anyhow::Result<String> {
    let key = VerifyingKey::from_pem(&read(key)?).with_context(|| format!("公钥文件 {} 不能用", key.display()))?;
    let daily = daily.map(|path| anyhow::Ok(DailyStatements::parse(&read(path)?)?)).transpose()?;
    let opened = File::open(file).with_context(|| format!("清算文件 {} 打不开", file.display()))?;
    let found = verify(BufReader::new(opened), &key, daily.as_ref())?;
    let kind = if found.is_released { "已放行" } else { "待确认" };
    let mut text = format!("{} {} 的清算文件核对无误({kind})\n", found.period, found.province);
    let _ = writeln!(text, "  本省明细 {} 条,全国 {} 条,争议 {} 条", found.own_lines, found.lines, found.held.len());
    for (province, net) in found.nets.iter().filter(|(province, _)| *province == found.province) {
        let verb = if net.is_negative() { "应付" } else { "应收" };
        let _ = writeln!(text, "  {province} {verb} {} 元", yuan(gongji_ledger::Fen(net.0.abs())));
    }
    for (from, to, amount) in found.dues.iter().filter(|(from, to, _)| [*from, *to].contains(&found.province)) {
        let _ = writeln!(text, "  {from} 付给 {to} {} 元", yuan(*amount));
    }
    if daily.is_some() {
        let _ = writeln!(text, "  每日确认单 {} 条,都对得上", found.confirmed);
    }
    let _ = writeln!(text, "  总根 {}", hex(&found.root));
    Ok(text)
}
