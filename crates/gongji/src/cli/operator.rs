//! `gongji operator`: the first administrators, and what only whoever holds the machine may do: end an operator's work at once, and give a new letter
//! when everything was lost. Everything else is done on the console, by two administrators.

use super::office::Place;
use super::stopped::{Stopped, open};
use crate::app::App;
use crate::service::ServiceError;
use crate::service::operator::{appoint_first, operators, suspend};
use crate::service::sign_in;
use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use gongji_wallet::ids::OperatorId;
use gongji_wallet::operator::{COMMAND_LINE, Operator, Role};
use gongji_wallet::rules::Scope;

#[derive(Args)]
pub struct OperatorArgs {
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Subcommand)]
enum OperatorCommand {
    /// 设第一批管理员(至少两位,全国);已有管理员时改在经办台上由两位管理员办
    #[command(help_template = super::HELP, override_usage = "gongji operator add --admin <登录名:姓名> --admin <登录名:姓名> [选项]")]
    Add {
        /// 管理员,写成 登录名:姓名,例如 wang.fang:王芳
        #[arg(long = "admin", value_name = "登录名:姓名", required = true, help_heading = "选项")]
        admins: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// 列出全部经办人
    #[command(help_template = super::HELP, override_usage = "gongji operator list [选项]")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// 马上停用一个经办人,并在所有设备上退出
    #[command(help_template = super::HELP, override_usage = "gongji operator revoke --login <登录名> [选项]")]
    Revoke {
        /// 登录名
        #[arg(long, value_name = "登录名", help_heading = "选项")]
        login: String,
        #[command(flatten)]
        place: Place,
    },
    /// 发一封新的首次登录信;原来的登录方式马上停用
    #[command(help_template = super::HELP, override_usage = "gongji operator invite --login <登录名> [选项]")]
    Invite {
        /// 登录名
        #[arg(long, value_name = "登录名", help_heading = "选项")]
        login: String,
        #[command(flatten)]
        place: Place,
    },
}

pub async fn run(args: OperatorArgs) -> anyhow::Result<()> {
    super::log_for_people();
    match args.command {
        OperatorCommand::Add { admins, place } => add(&open(&place)?, &admins).await,
        OperatorCommand::List { place } => list(&open(&place)?).await,
        OperatorCommand::Revoke { login, place } => {
            let opened = open(&place)?;
            let id = of_login(&opened, &login)?;
            suspend(&opened, id).await.map_err(in_words)?;
            opened.vault(move |vault| vault.remove_operator_credentials(id.0)).await?;
            opened.engine.flush().await;
            super::say(&format!("{login} 停用了,所有设备都已退出。\n"));
            Ok(())
        }
        OperatorCommand::Invite { login, place } => {
            let opened = open(&place)?;
            let id = of_login(&opened, &login)?;
            letter(&opened, id, &login).await?;
            opened.engine.flush().await;
            Ok(())
        }
    }
}

async fn add(opened: &Stopped, admins: &[String]) -> anyhow::Result<()> {
    ensure!(admins.len() >= 2, "至少要两位管理员:一位提交,另一位复核。");
    let known = operators(opened)?;
    let mut id = known.next_id();
    let mut new = Vec::new();
    for admin in admins {
        let (login, name) = admin.split_once([':', ':']).with_context(|| format!("“{admin}”要写成 登录名:姓名。"))?;
        new.push((
            Operator { id, login: login.trim().to_lowercase(), reach: Scope::Nation, roles: vec![Role::Administrator], is_active: true },
            name.trim().to_owned(),
        ));
        id = OperatorId(id.0 + 1);
    }
    let refused = |error: ServiceError| match &error {
        ServiceError::Refused { reasons, .. } if reasons == &[gongji_wallet::Reason::NotAuthorised] => {
            anyhow::anyhow!("已经有管理员了:请在经办台上由两位管理员办。")
        }
        _ => in_words(error),
    };
    appoint_first(opened, new.iter().map(|(operator, _)| operator.clone()).collect()).await.map_err(refused)?;
    for (operator, name) in new {
        let id = operator.id;
        opened.vault(move |vault| vault.put_operator_name(id.0, &name)).await?;
        letter(opened, id, &operator.login).await?;
    }
    opened.engine.flush().await;
    Ok(())
}

async fn letter(app: &App, id: OperatorId, login: &str) -> anyhow::Result<()> {
    let letter = sign_in::invite(app, COMMAND_LINE, id).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    super::say(&format!("{login}\n  首次登录信(3 天内有效,只显示这一次):{}\n  打开 /console/first-time,登记手机验证器\n", letter.reveal()));
    Ok(())
}

async fn list(opened: &Stopped) -> anyhow::Result<()> {
    let names = opened.vault(|vault| vault.operator_names()).await?;
    let all = operators(opened)?;
    if all.by_id.is_empty() {
        super::say("还没有经办人。用 gongji operator add 设第一批管理员。\n");
    }
    for operator in all.by_id.values() {
        let reach = match operator.reach {
            Scope::Nation => "全国".to_owned(),
            Scope::Province(code) | Scope::Area(code) => opened.directory().area_name(code),
        };
        let roles = operator.roles.iter().map(|role| role.label()).collect::<Vec<_>>().join("、");
        let name = names.get(&operator.id.0).map_or("", |name| name.reveal());
        super::say(&format!("{} {name} {reach} {roles}{}\n", operator.login, if operator.is_active { "" } else { "(停用)" }));
    }
    Ok(())
}

fn of_login(app: &App, login: &str) -> anyhow::Result<OperatorId> {
    let known = operators(app)?;
    let operator = known.of_login(login.trim()).with_context(|| format!("没有登录名是 {login} 的经办人。用 gongji operator list 看有哪些。"))?;
    Ok(operator.id)
}

fn in_words(error: ServiceError) -> anyhow::Error {
    match &error {
        ServiceError::Refused { reasons, .. } => {
            let words = reasons.iter().map(|reason| reason.words()).map(|words| format!("{}{}", words.title, words.next_step)).collect::<String>();
            anyhow::anyhow!("{words}")
        }
        _ => error.into(),
    }
}
