//! What an action makes different, in words: what the checker reads before saying yes.

use super::Action;
use crate::command::binding;
use crate::day::{Day, date_of};
use crate::directory::Directory;
use crate::operator::{Operator, Operators};
use crate::rules::{Rules, Scope, Setting};
use gongji_ledger::{AreaCode, GrantKind};

/// One thing before and after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub what: String,
    pub before: String,
    pub after: String,
}

/// A digest of what was shown. A decision carries it, so that nobody approves something else than they have read.
pub fn seen(differences: &[Difference]) -> [u8; 16] {
    let fields: Vec<&[u8]> = differences.iter().flat_map(|one| [one.what.as_bytes(), one.before.as_bytes(), one.after.as_bytes()]).collect();
    binding("approval", &fields)
}

/// What the directory will say otherwise. Of a person it says what is asked for: how the person stands is known elsewhere.
pub fn difference(directory: &Directory, operators: &Operators, action: &Action) -> Vec<Difference> {
    let one = |what: &str, before: String, after: String| vec![Difference { what: what.to_owned(), before, after }];
    match action {
        Action::Opening { area, from, open } => {
            let before = directory.regions.get(area).map(|region| region.openings.clone()).unwrap_or_default();
            let mut after: Vec<(Day, bool)> = before.iter().copied().filter(|(day, _)| day != from).collect();
            after.push((*from, *open));
            after.sort_unstable();
            one(&directory.area_name(*area), openings_words(&before), openings_words(&after))
        }
        Action::ChangeOfUse { area, offered } => {
            let words = |offered: bool| if offered { "办理使用地变更" } else { "不办理使用地变更" }.to_owned();
            let before = directory.regions.get(area).is_some_and(|region| region.change_of_use);
            one(&directory.area_name(*area), words(before), words(*offered))
        }
        Action::Rules(change) => {
            let place = match change.scope {
                Scope::Nation => 0,
                Scope::Province(code) | Scope::Area(code) => code,
            };
            let before = directory.rules(place, change.from);
            let mut differences = one("适用", String::new(), format!("{},{}起", scope_words(directory, change.scope), date(change.from)));
            differences.extend(change.settings.iter().map(|setting| {
                let (what, after) = setting_words(setting);
                Difference { what: what.to_owned(), before: setting_words(&current(&before, setting)).1, after }
            }));
            differences
        }
        Action::Freeze { reason, .. } => one("钱包", "可以用".to_owned(), format!("冻结({})", reason.label())),
        Action::Unfreeze { .. } => one("钱包", "冻结".to_owned(), "可以用".to_owned()),
        Action::Death { .. } => one("参保人", "在世".to_owned(), "已去世;没用完的共济额度和等接收的转账马上退回".to_owned()),
        Action::EndInsurance { from, .. } => one("参保", "正常".to_owned(), format!("{}起停保;没用完的共济额度和等接收的转账马上退回", date(*from))),
        Action::Recovery { .. } => one("登录", "用原来的手机".to_owned(), "可以用新手机重新登记,原来的登录全部退出".to_owned()),
        Action::Operator(operator) => operator_difference(directory, operators.get(operator.id).map(|known| &**known), operator),
        Action::RevokeKeys { institution, .. } => {
            let name = directory.institutions.get(institution).map_or_else(|| institution.to_string(), |institution| institution.name.clone());
            one(&name, "密钥有效".to_owned(), "密钥全部停用,机构要重新登记才能收款".to_owned())
        }
    }
}

fn operator_difference(directory: &Directory, before: Option<&Operator>, after: &Operator) -> Vec<Difference> {
    let words = |operator: &Operator| {
        let roles = operator.roles.iter().map(|role| role.label()).collect::<Vec<_>>().join("、");
        [operator.login.clone(), scope_words(directory, operator.reach), roles, if operator.is_active { "在岗" } else { "停用" }.to_owned()]
    };
    let before = before.map(words).unwrap_or_default();
    let rows = ["登录名", "管辖", "角色", "状态"].into_iter().zip(before).zip(words(after));
    let rows = rows.map(|((what, before), after)| Difference { what: what.to_owned(), before, after });
    rows.filter(|row| row.before != row.after).collect()
}

/// A region as people call it.
pub fn scope_words(directory: &Directory, scope: Scope) -> String {
    match scope {
        Scope::Nation => "全国".to_owned(),
        Scope::Province(code) => {
            let province = directory.regions.values().find(|region| region.province_code == code).map(|region| region.province.clone());
            province.unwrap_or_else(|| directory.area_name(code))
        }
        Scope::Area(code) => directory.area_name(code as AreaCode),
    }
}

fn date(day: Day) -> String {
    let (year, month, day) = date_of(day);
    format!("{year}年{month}月{day}日")
}

fn openings_words(openings: &[(Day, bool)]) -> String {
    if openings.is_empty() {
        return "没有开通".to_owned();
    }
    openings.iter().map(|(day, open)| format!("{}起{}", date(*day), if *open { "开通" } else { "停用" })).collect::<Vec<_>>().join(";")
}

/// What the rules say now of what a setting sets.
fn current(rules: &Rules, setting: &Setting) -> Setting {
    match setting {
        Setting::DailyCountMax(_) => Setting::DailyCountMax(rules.daily_count_max),
        Setting::TransferMin(_) => Setting::TransferMin(rules.transfer_min),
        Setting::TransferMax(_) => Setting::TransferMax(rules.transfer_max),
        Setting::DailyTotalMax(_) => Setting::DailyTotalMax(rules.daily_total_max),
        Setting::ClosedHours { .. } => Setting::ClosedHours { from: rules.closed_from, to: rules.closed_to },
        Setting::ReturnAt(_) => Setting::ReturnAt(rules.return_at),
        Setting::OneAtATime(_) => Setting::OneAtATime(rules.one_at_a_time),
        Setting::ReturnedCounts(_) => Setting::ReturnedCounts(rules.returned_counts),
        Setting::Kind(_) => Setting::Kind(rules.kind),
        Setting::PlaceCooldownDays(_) => Setting::PlaceCooldownDays(rules.place_cooldown_days),
        Setting::CodeMs(_) => Setting::CodeMs(rules.code_ms),
        Setting::HoldMs(_) => Setting::HoldMs(rules.hold_ms),
        Setting::MutualAidInside(_) => Setting::MutualAidInside(rules.mutual_aid_inside),
        Setting::InpatientHoldMs(_) => Setting::InpatientHoldMs(rules.inpatient_hold_ms),
        Setting::DecodedMs(_) => Setting::DecodedMs(rules.decoded_ms),
    }
}

/// A setting and its value as people read them.
pub fn setting_words(setting: &Setting) -> (&'static str, String) {
    let clock = |minute: u16| format!("{}:{:02}", minute / 60, minute % 60);
    let yes = |yes: bool, one: &str, other: &str| if yes { one } else { other }.to_owned();
    match setting {
        Setting::DailyCountMax(count) => ("每天转账次数", format!("{count} 次")),
        Setting::TransferMin(amount) => ("单笔最少", crate::reason::yuan(*amount)),
        Setting::TransferMax(amount) => ("单笔最多", crate::reason::yuan(*amount)),
        Setting::DailyTotalMax(None) => ("每天合计", "不限".to_owned()),
        Setting::DailyTotalMax(Some(amount)) => ("每天合计", crate::reason::yuan(*amount)),
        Setting::ClosedHours { from, to } => ("暂停时段", format!("{} 到 {}", clock(*from), clock(*to))),
        Setting::ReturnAt(minute) => ("没人接收几时退回", format!("次日 {}", clock(*minute))),
        Setting::OneAtATime(one) => ("上一笔没结束能不能再转", yes(*one, "不能", "能")),
        Setting::ReturnedCounts(counts) => ("退回的算不算次数", yes(*counts, "算", "不算")),
        Setting::Kind(kind) => ("共济方式", yes(*kind == GrantKind::Quota, "共济额度", "转账")),
        Setting::PlaceCooldownDays(days) => ("使用地多久能变一次", format!("{days} 天")),
        Setting::CodeMs(life) => ("付款码有效", format!("{} 秒", life / 1_000)),
        Setting::HoldMs(life) => ("预占有效", format!("{} 分钟", life / 60_000)),
        Setting::InpatientHoldMs(life) => ("住院预占有效", format!("{} 小时", life / 3_600_000)),
        Setting::DecodedMs(life) => ("付款码解码后有效", format!("{} 秒", life / 1_000)),
        Setting::MutualAidInside(inside) => ("共济支付计入个人账户支付", yes(*inside, "计入", "另列")),
    }
}
