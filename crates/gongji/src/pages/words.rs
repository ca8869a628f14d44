//! How things of the wallet are called on a page: reasons, places, kinds of money.

use super::frame::Visit;
use super::views::{self, AreaGroup, Choice, Link, format};
use crate::problem::Problem;
use gongji_ledger::{AreaCode, GrantKind};
use gongji_wallet::Reason;
use gongji_wallet::directory::{Directory, RegionLevel};
use gongji_wallet::object::{EMPLOYEE, Enrolment};
use std::sync::Arc;

/// Provinces by the first two digits of their code, as people call them.
const SHORT_PROVINCES: [(u32, &str); 32] = [
    (11, "北京"),
    (12, "天津"),
    (13, "河北"),
    (14, "山西"),
    (15, "内蒙古"),
    (21, "辽宁"),
    (22, "吉林"),
    (23, "黑龙江"),
    (31, "上海"),
    (32, "江苏"),
    (33, "浙江"),
    (34, "安徽"),
    (35, "福建"),
    (36, "江西"),
    (37, "山东"),
    (41, "河南"),
    (42, "湖北"),
    (43, "湖南"),
    (44, "广东"),
    (45, "广西"),
    (46, "海南"),
    (50, "重庆"),
    (51, "四川"),
    (52, "贵州"),
    (53, "云南"),
    (54, "西藏"),
    (61, "陕西"),
    (62, "甘肃"),
    (63, "青海"),
    (64, "宁夏"),
    (65, "新疆"),
    (66, "兵团"),
];

/// The province of an area as people call it: "四川".
pub fn short_province(area: AreaCode) -> &'static str {
    SHORT_PROVINCES.iter().find(|(code, _)| *code == area / 10_000).map_or("", |(_, name)| name)
}

/// An area without its province and its kind: "泸州", "城口县".
pub fn city(directory: &Directory, area: AreaCode) -> String {
    match directory.regions.get(&area) {
        Some(region) if region.level == RegionLevel::Province => short_province(area).to_owned(),
        Some(region) => match region.name.strip_suffix('市') {
            Some(short) if short.chars().count() > 1 => short.to_owned(),
            _ => region.name.clone(),
        },
        None => format!("地区 {area}"),
    }
}

/// An area with its province: "四川泸州".
pub fn place(directory: &Directory, area: AreaCode) -> String {
    let (province, city) = (short_province(area), city(directory, area));
    if city.starts_with(province) { city } else { format!("{province}{city}") }
}

/// "山东济南 职工医保".
pub fn insured_in(directory: &Directory, enrolment: &Enrolment) -> String {
    let insurance = if enrolment.insurance == EMPLOYEE { "职工医保" } else { "居民医保" };
    format!("{} · {insurance}", place(directory, enrolment.area))
}

/// Every pooling area by province, one of them chosen; provinces without a list of areas stand for themselves.
pub fn area_groups(directory: &Directory, chosen: Option<AreaCode>) -> Vec<AreaGroup> {
    let mut groups: Vec<AreaGroup> = Vec::new();
    for region in directory.regions.values().filter(|region| region.level == RegionLevel::Province) {
        let below = directory.regions.values().filter(|area| area.province_code == region.code && area.code != region.code);
        let mut areas: Vec<Choice> = below.map(|area| Choice::new(area.code.to_string(), area.name.clone(), chosen == Some(area.code))).collect();
        if areas.is_empty() {
            areas.push(Choice::new(region.code.to_string(), region.name.clone(), chosen == Some(region.code)));
        }
        groups.push(AreaGroup { province: region.name.clone(), areas });
    }
    groups
}

/// An area code from a form, if it is on file.
pub fn known_area(directory: &Directory, text: &str) -> Option<AreaCode> {
    let code = gongji_wallet::area::Area::parse(text).ok()?.get();
    directory.regions.contains_key(&code).then_some(code)
}

/// What kind of money it is, for its owner.
pub fn kind_of_money(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Own => "自己的个人账户",
        GrantKind::Transfer => "转账:收下后归你,可以再转给家人",
        GrantKind::Quota => "额度:用不完会退回,不能再转",
    }
}

/// A reason with its next step, and when it works again.
pub fn reason(reason: &Reason, now: i64) -> views::Reason {
    let words = reason.words();
    let text = match reason {
        Reason::ClosedHours { opens_at } => format!("现在是 {},转账暂停,{} 以后可以转。", format::clock(now), format::when_from(*opens_at, now)),
        _ => words.title,
    };
    let mut next = words.next_step;
    match reason {
        Reason::ClosedHours { .. } => "收钱、付款不受影响。".clone_into(&mut next),
        _ => {
            if let Some(at) = reason.not_before() {
                next = format!("{next}最早 {}。", format::when_from(at, now));
            }
        }
    }
    views::Reason { text, next, link: link_of(words.code), code: words.code.to_owned() }
}

pub fn reasons(list: &[Reason], now: i64) -> Vec<views::Reason> {
    list.iter().map(|one| reason(one, now)).collect()
}

/// The reasons of a problem, whatever part of the program said no.
pub fn reasons_of(problem: &Problem) -> Vec<views::Reason> {
    let body = &problem.body;
    if body.reasons.is_empty() {
        let code = body.code.to_string();
        return vec![views::Reason { text: body.title.clone(), next: body.next_step.clone(), link: link_of(&code), code }];
    }
    let each = body.reasons.iter().map(|reason| views::Reason {
        text: reason.title.clone(),
        next: reason.next_step.clone(),
        link: link_of(reason.code),
        code: reason.code.to_owned(),
    });
    each.collect()
}

/// "今天 22:00 以后可以再办", where that is known.
pub fn again(problem: &Problem, now: i64) -> String {
    let at = problem.body.not_before.as_deref().and_then(crate::time::parse_rfc3339);
    at.map(|at| format!("{} 以后可以再办。", format::when_from(at, now))).unwrap_or_default()
}

/// Where the next step is done.
fn link_of(code: &str) -> Option<Link> {
    Some(match code {
        "WALLET_NOT_OPEN" => Link::new("/wallet/open", "确认使用钱包"),
        "WALLET_EXISTS" => Link::new("/wallet", "进入钱包"),
        "REGION_NOT_OPEN" | "RECEIVER_REGION_NOT_OPEN" => Link::new("/", "查一查哪里开通了"),
        "TRANSFER_PENDING" => Link::new("/wallet", "看上一笔"),
        "WRONG_PLACE" | "INSTITUTION_NOT_READY" => Link::new("/institutions", "看哪里能用"),
        "NOT_RELATED" => Link::new("/transfer", "转给家人"),
        "PASSWORD_LOCKED" => Link::new("/forgot", "重设密码"),
        "LOGIN_REQUIRED" => Link::new("/login", "去登录"),
        _ => return None,
    })
}

/// Where "home" leads.
pub fn home(visit: &Visit) -> &'static str {
    if visit.signed.is_some() { "/wallet" } else { "/" }
}

/// Elder mode says 您, wherever the sentence came from.
pub fn politely(html: &str) -> String {
    html.replace("你们", "\u{E000}").replace('你', "您").replace('\u{E000}', "你们")
}

/// The version of the rules as it stands on a receipt.
pub fn rule_words(version: u32) -> String {
    format!("规则第 {version} 版")
}

/// Uuid of an id as it stands in paths.
pub fn id_text(id: [u8; 16]) -> String {
    uuid::Uuid::from_bytes(id).to_string()
}

/// An id from a path.
pub fn id_from(text: &str) -> Option<[u8; 16]> {
    (text.len() == 36).then(|| uuid::Uuid::try_parse(text).ok().map(uuid::Uuid::into_bytes)).flatten()
}

/// Institutions are called by name; a code that left the directory by its code.
pub fn institution_name(directory: &Arc<Directory>, id: gongji_ledger::InstitutionId) -> String {
    directory.institutions.get(&id).map_or_else(|| id.to_string(), |institution| institution.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elder_mode_speaks_politely() {
        assert_eq!(politely("你好,你们的关系"), "您好,你们的关系");
    }

    #[test]
    fn provinces_have_short_names() {
        assert_eq!((short_province(510_500), short_province(660_800), short_province(990_000)), ("四川", "兵团", ""));
    }
}
