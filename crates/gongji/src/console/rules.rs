//! Rules by region and date: what holds, what was changed when, proposing a change, and what it would have meant for the last month.

use super::blocks::{Block, Cell, Column, Field, Form, Row, Table};
use super::frame::{Answer, Filled, proposing};
use super::guard::{Desk, Desks, Needs, Place, scope_of, scope_word};
use super::regions::propose;
use super::words::{self, iso_day};
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::{approval, what_if};
use crate::web::person_id;
use axum::extract::Path;
use axum::http::Method;
use axum::routing::{get, post};
use gongji_ledger::GrantKind;
use gongji_wallet::approval::{Action, setting_words};
use gongji_wallet::day::day_of;
use gongji_wallet::operator::{Matter, Right};
use gongji_wallet::rules::{RuleChange, Rules, Scope, Setting};
use gongji_wallet::what_if::{Doing, Found};
use std::collections::BTreeMap;

const SECTION: &str = "/console/rules";

/// Days that a change is tried out on.
const REPLAYED_DAYS: i32 = 30;

/// Cases on the page.
const ROWS_MAX: usize = 50;

/// Longest cooldown that a form takes (days).
const DAYS_MAX: u16 = 3_650;

pub fn routes(desks: Desks) -> Desks {
    let (watch, make) = (Needs::Right(Right::Watch), Needs::Right(Right::Make(Matter::Rules)));
    desks
        .at(Method::GET, "/console/rules", watch, Place::Own, get(page))
        .at(Method::GET, "/console/rules/{scope}", watch, Place::Scope, get(one))
        .at(Method::POST, "/console/rules/{scope}/what-if", make, Place::Scope, post(try_out))
        .at(Method::POST, "/console/rules/{scope}/propose", make, Place::Scope, post(propose_change))
}

async fn page(desk: Desk) -> Answer {
    let directory = desk.app.directory();
    let reach = desk.caller.operator.reach;
    let sees = |change: &&RuleChange| reach.covers(change.scope) || change.scope.covers(reach);
    let mut changes: Vec<&RuleChange> = directory.rule_changes.iter().filter(sees).collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.version));
    let rows = changes.iter().map(|change| Row {
        href: if reach.covers(change.scope) { format!("{SECTION}/{}", scope_word(change.scope)) } else { String::new() },
        cells: vec![
            Cell::text(format!("第 {} 版", change.version)),
            Cell::text(words::scope(&directory, change.scope)),
            Cell::text(format!("{}起", iso_day(change.from))),
            Cell::text(
                change.settings.iter().map(|setting| setting_words(setting)).map(|(what, value)| format!("{what} {value}")).collect::<Vec<_>>().join(";"),
            ),
        ],
    });
    let table = Table {
        title: "改过的规则".to_owned(),
        columns: ["版本", "适用", "从哪天起", "改成什么"].map(Column::text).into(),
        rows: rows.collect(),
        empty: "都是默认规则。".to_owned(),
        ..Table::default()
    };
    let mine = format!("{SECTION}/{}", scope_word(reach));
    let blocks = vec![Block::Links(vec![(mine, format!("{}的规则", words::scope(&directory, reach)))]), Block::Table(table)];
    desk.page(SECTION, "规则", "窄的盖过宽的,晚的盖过早的;每笔业务都记着按哪一版办的", blocks).await
}

/// Everything that can be set, with what holds.
fn settings(rules: &Rules) -> Vec<Setting> {
    vec![
        Setting::DailyCountMax(rules.daily_count_max),
        Setting::TransferMin(rules.transfer_min),
        Setting::TransferMax(rules.transfer_max),
        Setting::DailyTotalMax(rules.daily_total_max),
        Setting::ClosedHours { from: rules.closed_from, to: rules.closed_to },
        Setting::ReturnAt(rules.return_at),
        Setting::OneAtATime(rules.one_at_a_time),
        Setting::ReturnedCounts(rules.returned_counts),
        Setting::Kind(rules.kind),
        Setting::PlaceCooldownDays(rules.place_cooldown_days),
        Setting::CodeMs(rules.code_ms),
        Setting::HoldMs(rules.hold_ms),
    ]
}

fn code_of(scope: Scope) -> u32 {
    match scope {
        Scope::Nation => 0,
        Scope::Province(code) | Scope::Area(code) => code,
    }
}

fn asked(desk: &Desk, word: &str) -> Result<Scope, Problem> {
    scope_of(&desk.app, word).ok_or_else(Problem::not_found)
}

async fn one(desk: Desk, Path(word): Path<String>) -> Answer {
    let scope = asked(&desk, &word)?;
    one_page(&desk, scope, None, None).await
}

async fn one_page(desk: &Desk, scope: Scope, filled: Option<&Filled>, replay: Option<(RuleChange, Found)>) -> Answer {
    let directory = desk.app.directory();
    let today = day_of(desk.now);
    let rules = directory.rules(code_of(scope), today);
    let rows = settings(&rules).into_iter().map(|setting| {
        let (what, value) = setting_words(&setting);
        Row { href: String::new(), cells: vec![Cell::text(what), Cell::text(value)] }
    });
    let mut blocks = vec![Block::Table(Table {
        title: format!("现在的规则(第 {} 版)", rules.version),
        columns: ["内容", "现在"].map(Column::text).into(),
        rows: rows.collect(),
        ..Table::default()
    })];
    if let Some((change, replay)) = replay {
        blocks.extend(replayed(desk, scope, &change, &replay));
    }
    if desk.may_make(Matter::Rules, scope) {
        blocks.push(Block::Form(change_form(scope, today, filled)));
    }
    desk.page(SECTION, &format!("{}的规则", words::scope(&directory, scope)), "", blocks).await
}

fn change_form(scope: Scope, today: i32, filled: Option<&Filled>) -> Form {
    let typed = |name: &str| filled.map(|filled| filled.get(name).to_owned()).unwrap_or_default();
    let choice = |name: &str, choices: &[(&str, &str)]| {
        let all = std::iter::once(&("", "不改")).chain(choices);
        all.map(|(value, label)| ((*value).to_owned(), (*label).to_owned(), *value == typed(name))).collect()
    };
    let from = filled.map_or_else(|| iso_day(today + 7), |_| typed("from"));
    Form::post(format!("{SECTION}/{}/what-if", scope_word(scope)), "先试算:上个月会拒绝谁")
        .titled("改规则", "空着的不改。先试算,再提交。")
        .with(Field::date("from", "从哪天起", from, "不能早于今天"))
        .with(Field::text("count", "每天转账次数", typed("count"), "例如 3"))
        .with(Field::text("min", "单笔最少(元)", typed("min"), ""))
        .with(Field::text("max", "单笔最多(元)", typed("max"), ""))
        .with(Field::text("total", "每天合计最多(元)", typed("total"), ""))
        .with(Field::text("closed_from", "暂停时段从", typed("closed_from"), "例如 22:00;和下一栏一起填"))
        .with(Field::text("closed_to", "到", typed("closed_to"), "例如 6:00"))
        .with(Field::select("kind", "共济方式", choice("kind", &[("transfer", "转账"), ("quota", "共济额度")])))
        .with(Field::select("one", "上一笔没结束能不能再转", choice("one", &[("yes", "不能"), ("no", "能")])))
        .with(Field::select("returned", "退回的算不算次数", choice("returned", &[("yes", "算"), ("no", "不算")])))
        .with(Field::text("cooldown", "使用地多久能变一次(天)", typed("cooldown"), ""))
}

/// The change as filled in.
fn change_of(desk: &Desk, scope: Scope, filled: &Filled) -> Result<RuleChange, Problem> {
    let mut settings = Vec::new();
    let is_set = |name: &str| !filled.get(name).is_empty();
    let yuan = |name: &'static str| gongji_files::parse_typed_yuan(filled.get(name)).map_err(|error| Problem::field(name, error.message_zh(), "Not an amount"));
    let number = |name: &'static str, max: u16| {
        let value = filled.get(name).parse::<u16>().ok().filter(|value| *value <= max);
        value.ok_or_else(|| Problem::field(name, format!("写一个不超过 {max} 的数。"), "Not a number in range"))
    };
    let minute = |name: &'static str| {
        let parsed = filled.get(name).split_once([':', ':']).and_then(|(hour, minute)| Some((hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?)));
        parsed
            .filter(|(hour, minute)| *hour < 24 && *minute < 60)
            .map(|(hour, minute)| hour * 60 + minute)
            .ok_or_else(|| Problem::field(name, "时间写成 22:00 这样。", "Not a time of day"))
    };
    if is_set("count") {
        settings.push(Setting::DailyCountMax(number("count", 1_000)?));
    }
    if is_set("min") {
        settings.push(Setting::TransferMin(yuan("min")?));
    }
    if is_set("max") {
        settings.push(Setting::TransferMax(yuan("max")?));
    }
    if is_set("total") {
        settings.push(Setting::DailyTotalMax(Some(yuan("total")?)));
    }
    if is_set("closed_from") || is_set("closed_to") {
        settings.push(Setting::ClosedHours { from: minute("closed_from")?, to: minute("closed_to")? });
    }
    if is_set("kind") {
        settings.push(Setting::Kind(if filled.get("kind") == "quota" { GrantKind::Quota } else { GrantKind::Transfer }));
    }
    if is_set("one") {
        settings.push(Setting::OneAtATime(filled.get("one") == "yes"));
    }
    if is_set("returned") {
        settings.push(Setting::ReturnedCounts(filled.get("returned") == "yes"));
    }
    if is_set("cooldown") {
        settings.push(Setting::PlaceCooldownDays(number("cooldown", DAYS_MAX)?));
    }
    if settings.is_empty() {
        return Err(gongji_wallet::Reason::NothingToChange.into());
    }
    // Above every version on file, and above those that wait.
    let known = desk.app.directory().rule_changes.iter().map(|change| change.version).max().unwrap_or(1);
    let waiting = approval::open(&desk.app)?.iter().filter_map(|one| if let Action::Rules(change) = &one.action { Some(change.version) } else { None }).max();
    Ok(RuleChange { version: known.max(waiting.unwrap_or(1)) + 1, scope, from: filled.day("from")?, settings })
}

async fn try_out(desk: Desk, Path(word): Path<String>, filled: Filled) -> Answer {
    let scope = asked(&desk, &word)?;
    let change = change_of(&desk, scope, &filled)?;
    let yesterday = day_of(desk.app.now()) - 1;
    let found = what_if::replay(&desk.app, change.clone(), yesterday - REPLAYED_DAYS + 1, yesterday).await?;
    one_page(&desk, scope, Some(&filled), Some((change, found))).await
}

/// What the last month would have been, and handing the change in.
fn replayed(desk: &Desk, scope: Scope, change: &RuleChange, found: &Found) -> Vec<Block> {
    let of = |counts: &BTreeMap<Doing, u64>| counts.iter().map(|(doing, count)| format!("{} {count} 笔", doing.label())).collect::<Vec<_>>().join(",");
    let or_none = |words: String| if words.is_empty() { "没有".to_owned() } else { words };
    let mut facts = vec![
        (format!("到昨天为止的 {REPLAYED_DAYS} 天,这里办成的"), or_none(of(&found.seen))),
        ("按新规则会拒绝".to_owned(), or_none(of(&found.refused))),
        ("涉及".to_owned(), format!("{} 人,¥{}", found.people, format::yuan(found.amount.0))),
    ];
    let mut told: BTreeMap<&str, String> = BTreeMap::new();
    for reason in found.cases.iter().flat_map(|case| &case.reasons) {
        told.entry(reason.code()).or_insert_with(|| reason.words().title);
    }
    facts.extend(found.reasons.iter().map(|(code, count)| (told.get(code).cloned().unwrap_or_else(|| (*code).to_owned()), format!("{count} 次"))));
    let mut blocks = vec![Block::Heading("试算".to_owned()), Block::Facts(facts)];
    if found.refused.values().sum::<u64>() > ROWS_MAX as u64 {
        blocks.push(Block::Note("wait", format!("下面只列最早的 {ROWS_MAX} 笔,上面的数是全部。")));
    }
    let sees = desk.caller.operator.has(Right::SeePeople);
    let rows = found.cases.iter().take(ROWS_MAX).map(|case| Row {
        href: if sees { format!("/console/people/{}", person_id(case.holder)) } else { String::new() },
        cells: vec![
            Cell::text(format!("参保人 {}", person_id(case.holder))),
            Cell::text(format!("{},{}", format::date_and_clock(case.at), case.doing.label())),
            Cell::number(format::yuan(case.amount.0)),
            Cell::text(case.reasons.iter().map(|reason| reason.words().title).collect::<String>()),
        ],
    });
    let columns = vec![Column::text("谁"), Column::text("几时,办什么"), Column::number("金额"), Column::text("为什么")];
    blocks.push(Block::Table(Table {
        title: "会被拒绝的".to_owned(),
        columns,
        rows: rows.collect(),
        empty: "上个月办成的,按新规则也都能办成。".to_owned(),
        ..Table::default()
    }));
    let differences = approval::shown_of(&desk.app, &Action::Rules(change.clone())).map(|(differences, _)| differences).unwrap_or_default();
    blocks.push(Block::Changes(differences.into_iter().map(|one| (one.what, one.before, one.after)).collect()));
    let mut form = proposing(format!("{SECTION}/{}/propose", scope_word(scope)), "提交,等同事复核").with(Field::document());
    for (name, value) in hidden(change) {
        form = form.hiding(name, value);
    }
    blocks.push(Block::Form(form));
    blocks
}

/// The change in the words of the form.
fn hidden(change: &RuleChange) -> Vec<(&'static str, String)> {
    let clock = |minute: u16| format!("{}:{:02}", minute / 60, minute % 60);
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut fields = vec![("from", iso_day(change.from))];
    for setting in &change.settings {
        match setting {
            Setting::DailyCountMax(count) => fields.push(("count", count.to_string())),
            Setting::TransferMin(amount) => fields.push(("min", gongji_files::yuan(*amount))),
            Setting::TransferMax(amount) => fields.push(("max", gongji_files::yuan(*amount))),
            Setting::DailyTotalMax(Some(amount)) => fields.push(("total", gongji_files::yuan(*amount))),
            Setting::ClosedHours { from, to } => {
                fields.push(("closed_from", clock(*from)));
                fields.push(("closed_to", clock(*to)));
            }
            Setting::Kind(kind) => fields.push(("kind", if *kind == GrantKind::Quota { "quota" } else { "transfer" }.to_owned())),
            Setting::OneAtATime(one) => fields.push(("one", yes(*one))),
            Setting::ReturnedCounts(counts) => fields.push(("returned", yes(*counts))),
            Setting::PlaceCooldownDays(days) => fields.push(("cooldown", days.to_string())),
            // No field of the form sets these.
            _ => {}
        }
    }
    fields
}

async fn propose_change(desk: Desk, Path(word): Path<String>, filled: Filled) -> Answer {
    let scope = asked(&desk, &word)?;
    let change = change_of(&desk, scope, &filled)?;
    propose(&desk, &filled, Action::Rules(change)).await
}
