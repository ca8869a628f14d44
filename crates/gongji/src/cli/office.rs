//! `gongji office`: what two people do at the office for somebody who cannot log in any more.
//!
//! One records the new phone, another confirms it; then the person registers once more with that phone and no other.

use crate::config;
use crate::identity::{Adapters, Identity};
use crate::installation::{Profile, describe};
use clap::{Args, Subcommand};
use gongji_store::clock::system_now;
use gongji_store::seal::Keys;
use gongji_store::vault::{Vault, VaultError};
use std::path::{Path, PathBuf};

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
struct Place {
    /// 数据目录,默认 ./gongji-data
    #[arg(long, value_name = "目录", default_value = super::DATA_FOLDER, hide_default_value = true, conflicts_with = "config")]
    data: PathBuf,
    /// 正式环境的配置文件
    #[arg(long, value_name = "文件")]
    config: Option<PathBuf>,
}

pub async fn run(args: OfficeArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let OfficeCommand::Recover { step } = args.command;
    match step {
        Step::Request { id_number, phone, reason, operator, place } => {
            let (identity, now) = open(&place)?;
            let operator = named(&operator)?;
            let request = identity.request_recovery(&id_number, &phone, &reason, operator, now).await.map_err(in_words)?;
            println!("已登记,登记号 {request}。请另一位同事复核:");
            println!("  gongji office recover confirm --request {request} --operator <复核人>");
        }
        Step::Confirm { request, operator, place } => {
            let (identity, now) = open(&place)?;
            identity.confirm_recovery(request, named(&operator)?, now).await.map_err(in_words)?;
            println!("已复核。本人现在可以用新手机号重新注册,7 天内有效;原来的手机已经退出登录。");
        }
    }
    Ok(())
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

/// The vault takes several processes: the office works beside the running service.
fn open(place: &Place) -> anyhow::Result<(Identity, i64)> {
    let (folder, keys) = match &place.config {
        Some(path) => {
            let config = config::Config::read(path)?;
            (config.data_folder, config.keys_folder)
        }
        None => (place.data.clone(), None),
    };
    let (profile, parts) = describe(&folder)?;
    let vault = open_vault(&folder, keys.as_deref(), parts)?;
    let now = match profile {
        Profile::Production => system_now(),
        Profile::Sandbox => crate::sandbox::start_of_clock().max(last_stamp(&folder, parts)?),
    };
    Ok((Identity::new(vault, Adapters::sandbox()), now))
}

fn open_vault(folder: &Path, keys: Option<&Path>, parts: u16) -> Result<Vault, VaultError> {
    match keys {
        None => Vault::open(folder, parts),
        Some(keys) => Vault::open_with(folder, Keys::open(keys, false)?, parts),
    }
}

fn last_stamp(folder: &Path, parts: u16) -> anyhow::Result<i64> {
    // `Installation` would take the lock that the running service holds.
    Ok(gongji_store::sqlite::SqliteStore::last_stamp(folder, parts)?)
}
