//! `gongji office`: what two people do at the office for somebody who cannot log in any more, and what readers report of places.
//!
//! One records the new phone, another confirms it; then the person registers once more with that phone and no other.

use crate::config;
use crate::identity::{Adapters, Identity};
use crate::installation::{KEYS_FOLDER, Profile, describe, kept};
use crate::kept::Kept;
use crate::service::payment::order_id;
use crate::service::place_report::Trouble;
use crate::trace;
use clap::{Args, Subcommand};
use gongji_ledger::InstitutionId;
use gongji_store::clock::system_now;
use gongji_store::vault::{PlaceReport, Vault};
use gongji_wallet::ids::Key;
use gongji_wallet::object::Object;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Reports listed at once.
const REPORTS_MAX: usize = 10_000;

/// Orders traced at once: each is read out of the journal.
const TRACES_MAX: usize = 50;

#[derive(Args)]
pub struct OfficeArgs {
    #[command(subcommand)]
    command: OfficeCommand,
}

#[derive(Subcommand)]
enum OfficeCommand {
    /// 恢复登录:换手机或忘记密码,一个人登记,另一个人复核
    #[command(help_template = super::HELP, override_usage = "gongji office recover request|confirm [选项]", subcommand_help_heading = "命令", subcommand_value_name = "命令", disable_help_subcommand = true)]
    Recover {
        #[command(subcommand)]
        step: Step,
    },
    /// 看“这里付不了”的反馈:哪家机构、什么情况、几时
    #[command(help_template = super::HELP, override_usage = "gongji office reports [选项]")]
    Reports {
        /// 看最近几天的,默认 30 天
        #[arg(long, value_name = "天数", default_value_t = 30, hide_default_value = true, help_heading = "选项")]
        days: u16,
        #[command(flatten)]
        place: Place,
    },
    /// 按报文号找机构的一次交易:发来什么、回了什么;里面有个人信息,用完就关掉
    #[command(help_template = super::HELP, override_usage = "gongji office message <报文号> [选项]")]
    Message(MessageArgs),
}

#[derive(Args)]
struct MessageArgs {
    /// 报文号(msgid),30 位
    #[arg(value_name = "报文号")]
    msgid: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Step {
    /// 第一步:核对身份证原件后登记新手机号
    #[command(help_template = super::HELP, override_usage = "gongji office recover request --id-number <身份证号> --phone <手机号> --reason <原因> --operator <姓名或工号>")]
    Request {
        /// 身份证号
        #[arg(long, value_name = "身份证号", help_heading = "选项")]
        id_number: String,
        /// 新手机号
        #[arg(long, value_name = "手机号", help_heading = "选项")]
        phone: String,
        /// 原因,比如“手机丢了”
        #[arg(long, value_name = "原因", help_heading = "选项")]
        reason: String,
        /// 经办人
        #[arg(long, value_name = "姓名或工号", help_heading = "选项")]
        operator: String,
        #[command(flatten)]
        place: Place,
    },
    /// 第二步:另一个人复核
    #[command(help_template = super::HELP, override_usage = "gongji office recover confirm --request <登记号> --operator <姓名或工号>")]
    Confirm {
        /// 第一步给出的登记号
        #[arg(long, value_name = "登记号", help_heading = "选项")]
        request: u64,
        /// 复核人,不能是经办人
        #[arg(long, value_name = "姓名或工号", help_heading = "选项")]
        operator: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub(super) struct Place {
    /// 数据目录,默认 ./gongji-data
    #[arg(long, value_name = "目录", default_value = super::DATA_FOLDER, hide_default_value = true, conflicts_with = "config")]
    pub(super) data: PathBuf,
    /// 正式环境的配置文件
    #[arg(long, value_name = "文件")]
    pub(super) config: Option<PathBuf>,
}

pub async fn run(args: OfficeArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let step = match args.command {
        OfficeCommand::Recover { step } => step,
        OfficeCommand::Reports { days, place } => return reports(&open(&place)?, days),
        OfficeCommand::Message(MessageArgs { msgid, place }) => return message(&open(&place)?, &msgid),
    };
    match step {
        Step::Request { id_number, phone, reason, operator, place } => {
            let Office { identity, now, .. } = open(&place)?;
            let operator = named(&operator)?;
            let request = identity.request_recovery(&id_number, &phone, &reason, operator, now).await.map_err(in_words)?;
            println!("已登记,登记号 {request}。请另一位同事复核:");
            println!("  gongji office recover confirm --request {request} --operator <复核人>");
        }
        Step::Confirm { request, operator, place } => {
            let Office { identity, now, .. } = open(&place)?;
            identity.confirm_recovery(request, named(&operator)?, now).await.map_err(in_words)?;
            println!("已复核。本人现在可以用新手机号重新注册,7 天内有效;原来的手机已经退出登录。");
        }
    }
    Ok(())
}

/// What an institution sent under a number, and what it was answered.
fn message(office: &Office, msgid: &str) -> anyhow::Result<()> {
    // The number begins with the institution's code.
    let institution = msgid.get(..12).and_then(InstitutionId::parse);
    let institution = institution.ok_or_else(|| anyhow::anyhow!("报文号要 30 位,开头 12 位是机构编号。"))?;
    let part = gongji_wallet::event::institution_part(institution, office.vault.partition_count());
    let Some(message) = office.vault.gateway_message(part, &institution.to_string(), msgid)? else {
        anyhow::bail!("没有报文号 {msgid}:没有收到过,或已经过了保存期。");
    };
    println!("{} {} {} 收到", message.infno, message.msgid, crate::time::rfc3339(message.received_ms));
    println!("{}", message.request.reveal());
    match (&message.answer, message.answered_ms) {
        (Some(answer), Some(at)) => {
            println!("{} {}", crate::time::rfc3339(at), if message.is_final { "回答" } else { "暂时的回答,同一报文可以重发" });
            println!("{}", answer.reveal());
        }
        _ => println!("还没有回答:正在办,或办到一半停了;机构重发同一报文会接着办。"),
    }
    Ok(())
}

/// By institution, those with the most voices first.
fn reports(office: &Office, days: u16) -> anyhow::Result<()> {
    let since = office.now - i64::from(days) * 86_400_000;
    let reports = office.vault.place_reports(since, REPORTS_MAX)?;
    let names = names_of(&office.kept);
    let mut by_place: BTreeMap<&str, Vec<&PlaceReport>> = BTreeMap::new();
    for report in &reports {
        by_place.entry(&report.institution).or_default().push(report);
    }
    let mut by_place: Vec<_> = by_place.into_iter().collect();
    by_place.sort_by_key(|(_, reports)| std::cmp::Reverse(reports.len()));
    let mut traced = 0;
    println!("最近 {days} 天的反馈 {} 条,{} 家机构", reports.len(), by_place.len());
    for (code, reports) in by_place {
        println!("{code} {} {} 条", names.get(code).map_or("", String::as_str), reports.len());
        for report in reports {
            let what = Trouble::of_word(&report.what).map_or(report.what.as_str(), |what| what.label());
            let who = if report.reporter.is_some() { "登录用户" } else { "未登录" };
            println!("  {}  {what}  {who}", crate::time::rfc3339(report.made_ms));
            if let Some(number) = &report.order_no {
                traced += 1;
                if traced <= TRACES_MAX {
                    tell_order(&office.kept, &report.institution, number)?;
                } else {
                    println!("    订单 {number}(经过没有列出;用 --days 看少几天的)");
                }
            }
        }
    }
    if reports.len() == REPORTS_MAX {
        println!("……更早的没有列出;用 --days 看少几天的。");
    }
    Ok(())
}

/// The whole way of the order that a report is about.
fn tell_order(kept: &Kept, institution: &str, number: &str) -> anyhow::Result<()> {
    let id = InstitutionId::parse(institution).and_then(|institution| order_id(institution, number));
    let trace = match id {
        Some(id) => trace::trace(&*kept.store()?, kept.parts(), id)?,
        None => None,
    };
    let Some(trace) = trace else {
        println!("    订单 {number}:账上没有这个单号。账单不对、机构没开通的,当场就拒绝,不立单;请机构查自己的记录。");
        return Ok(());
    };
    println!("    订单 {number}:{}", trace.standing());
    for step in trace.steps {
        println!("      {}  分区 {}  记录 {}  {}", crate::time::rfc3339(step.at), step.part, step.seq, step.what);
    }
    Ok(())
}

/// Names of institutions, as far as the books are there to be read: a code alone serves too.
fn names_of(kept: &Kept) -> BTreeMap<String, String> {
    let read = || {
        let mut books = kept.store().ok()?.books(0).ok()?;
        match books.load(&Key::Directory).ok()?? {
            Object::Directory(directory) => Some(directory.institutions.values().map(|one| (one.id.to_string(), one.name.clone())).collect()),
            _ => None,
        }
    };
    read().unwrap_or_default()
}

fn named(operator: &str) -> anyhow::Result<&str> {
    let operator = operator.trim();
    anyhow::ensure!(!operator.is_empty() && operator.chars().count() <= 64, "请写清楚是谁办的(--operator,最多 64 个字)。");
    Ok(operator)
}

fn in_words(error: crate::identity::IdentityError) -> anyhow::Error {
    if let crate::identity::IdentityError::Invalid(fields) = &error {
        return anyhow::anyhow!("{}", fields.iter().map(|field| field.message.as_str()).collect::<Vec<_>>().join(" "));
    }
    let words = error.words();
    anyhow::anyhow!("{}{}", words.title, words.next_step)
}

struct Office {
    identity: Identity,
    vault: Vault,
    kept: Kept,
    now: i64,
}

/// The vault alone.
pub(super) fn vault_of(place: &Place) -> anyhow::Result<Vault> {
    Ok(folder_of(place)?.2)
}

/// The vault takes several processes: the office works beside the running service.
fn folder_of(place: &Place) -> anyhow::Result<(Profile, Kept, Vault)> {
    let (folder, keys) = folders_of(place)?;
    let (profile, _) = describe(&folder)?;
    // `Installation` would take the lock that the running service holds.
    let kept = kept(&folder)?;
    let vault = kept.vault(&keys)?;
    Ok((profile, kept, vault))
}

/// Where the data is, and where its keys are.
pub(super) fn folders_of(place: &Place) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (folder, keys) = match &place.config {
        Some(path) => {
            let config = config::Config::read(path)?;
            (config.data_folder, config.keys_folder)
        }
        None => (place.data.clone(), None),
    };
    let keys = keys.unwrap_or_else(|| folder.join(KEYS_FOLDER));
    Ok((folder, keys))
}

fn open(place: &Place) -> anyhow::Result<Office> {
    let (profile, kept, vault) = folder_of(place)?;
    let now = business_now(profile, &kept)?;
    Ok(Office { identity: Identity::new(vault.clone(), Adapters::sandbox()), vault, kept, now })
}

/// The vault, and the business clock (ms).
pub(super) fn clock_and_vault(place: &Place) -> anyhow::Result<(i64, Vault)> {
    let (profile, kept, vault) = folder_of(place)?;
    Ok((business_now(profile, &kept)?, vault))
}

/// The sandbox's clock runs in its own process; from outside it is as late as what was committed last.
fn business_now(profile: Profile, kept: &Kept) -> anyhow::Result<i64> {
    Ok(match profile {
        Profile::Production => system_now(),
        Profile::Sandbox => crate::sandbox::start_of_clock().max(kept.last_stamp()?),
    })
}
