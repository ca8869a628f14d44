//! Words of the console.

use crate::app::App;
use crate::pages::views::format;
use crate::problem::Problem;
use gongji_wallet::approval::{Action, Approval, ApprovalState, Verdict};
use gongji_wallet::directory::{Directory, DirectoryChange};
use gongji_wallet::event::Fact;
use gongji_wallet::ids::OperatorId;
use gongji_wallet::operator::{COMMAND_LINE, Deed, Operator, Operators};
use gongji_wallet::rules::Scope;

/// What a page may say of what was just done, by a word in its address.
pub const SAID: [(&str, &str); 12] = [
    ("proposed", "交上去了,等另一位同事复核。"),
    ("approved", "同意了。"),
    ("declined", "退回了。"),
    ("withdrawn", "撤回了。"),
    ("ended", "登录都退出了。"),
    ("passkey", "通行密钥登记好了,下次可以直接用。"),
    ("passkey-gone", "这个通行密钥不能再用了。"),
    ("welcome", "登记好了,欢迎。"),
    ("imported", "导入好了。"),
    ("nothing", "没有要做的。"),
    ("reset", "原来的登录方式都停用了。"),
    ("noted", "记下了。"),
];

/// Where a scope is, as people call it.
pub fn scope(directory: &Directory, scope: Scope) -> String {
    match scope {
        Scope::Nation => "全国".to_owned(),
        Scope::Province(code) => {
            directory.regions.values().find(|region| region.province_code == code).map_or_else(|| directory.area_name(code), |region| region.province.clone())
        }
        Scope::Area(code) => directory.area_name(code),
    }
}

/// "四川省泸州市 · 经办、复核".
pub fn post(app: &App, operator: &Operator) -> String {
    let roles = operator.roles.iter().map(|role| role.label()).collect::<Vec<_>>().join("、");
    format!("{} · {roles}", scope(&app.directory(), operator.reach))
}

/// Names of operators as pages show them: the name, or the login where none is on file.
pub struct Names {
    names: std::collections::BTreeMap<u32, String>,
    operators: Operators,
}

impl Names {
    pub async fn load(app: &App) -> Result<Names, Problem> {
        let names = app.vault(|vault| vault.operator_names()).await?;
        let names = names.into_iter().map(|(id, name)| (id, name.reveal().to_owned())).collect();
        Ok(Names { names, operators: crate::service::operator::operators(app)? })
    }

    pub fn of(&self, id: OperatorId) -> String {
        if id == COMMAND_LINE {
            return "命令行".to_owned();
        }
        let login = self.operators.get(id).map_or_else(|| id.0.to_string(), |operator| operator.login.clone());
        match self.names.get(&id.0) {
            Some(name) => format!("{name}({login})"),
            None => login,
        }
    }

    /// Whoever did something; the system where nobody is named: what was approved or imported takes its effect.
    pub fn of_some(&self, id: Option<OperatorId>) -> String {
        id.map_or_else(|| "系统".to_owned(), |id| self.of(id))
    }

    pub fn operators(&self) -> &Operators {
        &self.operators
    }
}

pub async fn name_of(app: &App, id: OperatorId) -> Result<String, Problem> {
    let names = app.vault(|vault| vault.operator_names()).await?;
    match names.get(&id.0) {
        Some(name) => Ok(name.reveal().to_owned()),
        None => Ok(crate::service::operator::operator(app, id)?.login.clone()),
    }
}

/// What an approval is about, in a line.
pub fn about(directory: &Directory, action: &Action) -> String {
    match action {
        Action::Opening { area, from, open } => {
            format!("{} {}起{}", directory.area_name(*area), day(*from), if *open { "开通" } else { "停用" })
        }
        Action::ChangeOfUse { area, offered } => format!("{}{}使用地变更", directory.area_name(*area), if *offered { "开办" } else { "停办" }),
        Action::Rules(change) => format!("{} {}起,{} 项", scope(directory, change.scope), day(change.from), change.settings.len()),
        Action::Operator(operator) => format!("{}({})", operator.login, scope(directory, operator.reach)),
        Action::RevokeKeys { institution, .. } => {
            directory.institutions.get(institution).map_or_else(|| institution.to_string(), |institution| institution.name.clone())
        }
        action => match (action.holder(), action.reach()) {
            (Some(holder), reach) => format!("参保人 {}({})", crate::web::person_id(holder), scope(directory, reach)),
            (None, reach) => scope(directory, reach),
        },
    }
}

pub fn state(state: &ApprovalState) -> (String, &'static str) {
    match state {
        ApprovalState::Open => (state.label().to_owned(), "wait"),
        ApprovalState::Approved => (state.label().to_owned(), "wait"),
        ApprovalState::Done => (state.label().to_owned(), "good"),
        ApprovalState::Failed(reasons) => (format!("{}:{}", state.label(), crate::trace::reasons_words(reasons)), "alarm"),
        ApprovalState::Declined(why) => (format!("{}:{}", state.label(), why.label()), "alarm"),
        ApprovalState::Withdrawn | ApprovalState::Expired => (state.label().to_owned(), ""),
    }
}

pub fn expires(approval: &Approval) -> String {
    format::when(approval.expires)
}

fn day(day: i32) -> String {
    let (year, month, date) = gongji_wallet::day::date_of(day);
    format!("{year}-{month:02}-{date:02}")
}

pub fn iso_day(of: i32) -> String {
    day(of)
}

/// A fact of the directory's journal as the audit log tells it: who, what, and about what. `None` for what no operator did.
pub fn logged(directory: &Directory, names: &Names, fact: &Fact) -> Option<(Option<OperatorId>, String, String)> {
    let holder = |holder: &gongji_ledger::HolderId| format!("参保人 {}", crate::web::person_id(*holder));
    Some(match fact {
        Fact::OperatorChanged { by, operator } => {
            let roles = operator.roles.iter().map(|role| role.label()).collect::<Vec<_>>().join("、");
            let what = if operator.is_active { "账号生效" } else { "账号停用" };
            (Some(*by), what.to_owned(), format!("{}:{},{roles}", operator.login, scope(directory, operator.reach)))
        }
        Fact::ApprovalProposed { maker, action, document, .. } => {
            (Some(*maker), format!("提交:{}", action.label()), format!("{}(依据 {document})", about(directory, action)))
        }
        Fact::ApprovalDecided { id, by, verdict } => {
            let what = match verdict {
                Verdict::Approved => "同意".to_owned(),
                Verdict::Declined(why) => format!("退回:{}", why.label()),
                Verdict::Withdrawn => "撤回".to_owned(),
                Verdict::Expired => "过期".to_owned(),
            };
            (*by, what, format!("复核单 {}", uuid::Uuid::from_bytes(id.0)))
        }
        Fact::ApprovalFollowed { id, refused } => {
            let what = if refused.is_empty() { "办结".to_owned() } else { format!("没有办成:{}", crate::trace::reasons_words(refused)) };
            (None, what, format!("复核单 {}", uuid::Uuid::from_bytes(id.0)))
        }
        Fact::DirectoryChanged(change) => (None, "目录变更".to_owned(), changed(directory, change)),
        Fact::Acted { operator, deed } => {
            let (what, about) = match deed {
                Deed::SignedIn { way } => (format!("登录({})", way.label()), String::new()),
                Deed::SignedOut => ("退出".to_owned(), String::new()),
                Deed::LockedOut => ("连续输错,暂时锁定".to_owned(), String::new()),
                Deed::CredentialAdded { way } => (format!("登记{}", way.label()), String::new()),
                Deed::CredentialsRemoved => ("取消一个登录方式".to_owned(), String::new()),
                Deed::SessionsEnded { of } => ("结束登录".to_owned(), names.of(*of)),
                Deed::Invited { who } => ("发首次登录信".to_owned(), names.of(*who)),
                Deed::Searched { found } => ("按号码查人".to_owned(), format!("查到 {found} 人")),
                Deed::Viewed { holder: who } => ("看参保人(打码)".to_owned(), holder(who)),
                Deed::Revealed { holder: who, reason, document } => {
                    ("看完整个人信息".to_owned(), format!("{},{}(依据 {document})", holder(who), reason.label()))
                }
                Deed::Traced { order } => ("看订单经过".to_owned(), format!("机构 {}", order.institution)),
                Deed::Exported { list, rows } => ("导出".to_owned(), format!("{list},{rows} 行")),
                Deed::Imported { kind, lines, applied, .. } => ("导入".to_owned(), format!("{kind},{lines} 行,办成 {applied} 行")),
            };
            (Some(*operator), what, about)
        }
        _ => return None,
    })
}

fn changed(directory: &Directory, change: &DirectoryChange) -> String {
    match change {
        DirectoryChange::Region(region) => format!("地区 {}", directory.area_name(region.code)),
        DirectoryChange::Opening { area, from, open } => {
            format!("{} {}起{}", directory.area_name(*area), day(*from), if *open { "开通" } else { "停用" })
        }
        DirectoryChange::Institution(institution) => format!("机构 {}", institution.name),
        DirectoryChange::Premium(premium) => format!("{} {} 年缴费标准", directory.area_name(premium.area), premium.year),
        DirectoryChange::Rules(change) => format!("规则第 {} 版,{}", change.version, scope(directory, change.scope)),
    }
}
