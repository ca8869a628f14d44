//! Regions: which are open since when, what waits to open or close, and proposing it.

use super::blocks::{Block, Cell, Column, Field, Row, Table, Tile};
use super::frame::{Answer, Filled, proposing, to_saying};
use super::guard::{Desk, Desks, Needs, Place, approval_path, parse_approval};
use super::lists::{List, row};
use super::words::iso_day;
use crate::pages::short_province;
use crate::problem::Problem;
use crate::service::{approval, readiness};
use axum::extract::Path;
use axum::http::Method;
use axum::routing::{get, post};
use gongji_ledger::AreaCode;
use gongji_wallet::approval::Action;
use gongji_wallet::day::{Day, day_of};
use gongji_wallet::directory::{Directory, Region, RegionLevel};
use gongji_wallet::operator::{Matter, Right};
use gongji_wallet::rules::Scope;
use std::sync::Arc;

const SECTION: &str = "/console/regions";

pub fn routes(desks: Desks) -> Desks {
    let (watch, make) = (Needs::Right(Right::Watch), Needs::Right(Right::Make(Matter::Regions)));
    desks
        .at(Method::GET, "/console/regions", watch, Place::Own, get(page))
        .at(Method::GET, "/console/regions.csv", watch, Place::Own, get(file))
        .at(Method::GET, "/console/regions/{area}", watch, Place::Area, get(one))
        .at(Method::POST, "/console/regions/{area}/opening", make, Place::Area, post(propose_opening))
        .at(Method::POST, "/console/regions/{area}/change-of-use", make, Place::Area, post(propose_change_of_use))
}

/// Pooling areas: every row but a province that has areas below it.
fn areas(directory: &Directory) -> impl Iterator<Item = &Arc<Region>> {
    directory.regions.values().filter(|region| {
        region.level != RegionLevel::Province || !directory.regions.values().any(|other| other.province_code == region.code && other.code != region.code)
    })
}

/// How it stands on a day, since when or from when on.
fn standing(region: &Region, today: Day) -> (String, &'static str) {
    let since = region.openings.iter().rev().find(|(day, _)| *day <= today);
    let next = region.openings.iter().find(|(day, _)| *day > today);
    let ahead = next.map(|(day, open)| format!(",{}起{}", iso_day(*day), if *open { "开通" } else { "停用" })).unwrap_or_default();
    match since {
        Some((day, true)) => (format!("{}起开通{ahead}", iso_day(*day)), if next.is_some() { "wait" } else { "good" }),
        Some((day, false)) => (format!("{}起停用{ahead}", iso_day(*day)), "alarm"),
        None if next.is_some() => (format!("还没开通{ahead}"), "wait"),
        None => ("没有开通".to_owned(), ""),
    }
}

fn list(desk: &Desk) -> List {
    let (directory, today) = (desk.app.directory(), day_of(desk.now));
    let rows = areas(&directory).filter(|region| desk.covers(region.code)).map(|region| {
        let (words, tone) = standing(region, today);
        let near = readiness::nearby(&desk.app, region.code, desk.now).all;
        row(
            format!("{SECTION}/{}", region.code),
            vec![
                Cell::text(region.name.clone()),
                Cell::text(region.province.clone()),
                Cell::text(region.code.to_string()),
                Cell::toned(words, tone),
                Cell::text(if region.change_of_use { "办理" } else { "不办理" }),
                Cell::number(near.ready.to_string()),
                Cell::number(near.quiet.to_string()),
                Cell::number(near.off.to_string()),
            ],
        )
    });
    let mut columns: Vec<Column> = ["统筹区", "省份", "代码", "钱包", "使用地变更"].map(Column::text).into();
    columns.extend(["可用机构", "近 7 天没有成功支付", "未开通"].map(Column::number));
    List {
        path: SECTION, name: "regions", title: "统筹区", columns, rows: rows.collect(), empty: "没有符合的地区。", search: "名称、代码或状态"
    }
}

async fn page(desk: Desk) -> Answer {
    let (directory, today) = (desk.app.directory(), day_of(desk.now));
    let mut tiles = Vec::new();
    let (mut open_all, mut all_all) = (0, 0);
    for province in directory.regions.values().filter(|region| region.level == RegionLevel::Province) {
        let below: Vec<&Arc<Region>> = areas(&directory).filter(|region| region.province_code == province.code).collect();
        let (open, all) = (below.iter().filter(|region| region.is_open(today)).count(), below.len().max(1));
        (open_all, all_all) = (open_all + open, all_all + all);
        let shade = if open == 0 { 0 } else { (open * 3 / all + 1).min(4) };
        tiles.push(Tile {
            code: format!("{:02}", province.code / 10_000),
            name: short_province(province.code).to_owned(),
            note: format!("{open}/{all}"),
            href: format!("{SECTION}?q={}", crate::pages::encoded(&province.name)),
            shade: u8::try_from(shade).unwrap_or(4),
        });
    }
    let lead = format!("名册上 {all_all} 个统筹区,开通了 {open_all} 个({}%);没有公布名单的省按一个算", open_all * 100 / all_all.max(1));
    let blocks = vec![Block::Tiles(tiles), Block::Table(list(&desk).table(&desk))];
    desk.page(SECTION, "地区", &lead, blocks).await
}

async fn file(desk: Desk) -> Answer {
    list(&desk).file(&desk).await
}

async fn one(desk: Desk, Path(area): Path<AreaCode>) -> Answer {
    let (directory, today) = (desk.app.directory(), day_of(desk.now));
    let region = directory.regions.get(&area).ok_or_else(Problem::not_found)?;
    let near = readiness::nearby(&desk.app, area, desk.now).all;
    let mut blocks = vec![
        Block::Facts(vec![
            ("代码".to_owned(), region.code.to_string()),
            ("现在".to_owned(), standing(region, today).0),
            ("使用地变更".to_owned(), if region.change_of_use { "办理" } else { "不办理" }.to_owned()),
            ("机构".to_owned(), format!("可用 {},近 7 天没有成功支付 {},未开通 {}", near.ready, near.quiet, near.off)),
        ]),
        Block::Table(Table {
            title: "开通和停用".to_owned(),
            columns: ["从哪天起", "怎样"].map(Column::text).into(),
            rows: region
                .openings
                .iter()
                .rev()
                .map(|(day, open)| Row { href: String::new(), cells: vec![Cell::text(iso_day(*day)), Cell::text(if *open { "开通" } else { "停用" })] })
                .collect(),
            empty: "还没有开通过。".to_owned(),
            ..Table::default()
        }),
        Block::Links(vec![
            (format!("/console/institutions?q={}", crate::pages::encoded(&region.name)), "这里的机构".to_owned()),
            (format!("/console/rules/{area}"), "这里的规则".to_owned()),
        ]),
    ];
    if desk.may_make(Matter::Regions, Scope::Area(area)) {
        let is_open = region.is_open(today);
        let what = vec![("open".to_owned(), "开通".to_owned(), !is_open), ("close".to_owned(), "停用".to_owned(), is_open)];
        blocks.push(Block::Form(
            proposing(format!("{SECTION}/{area}/opening"), "提交,等同事复核")
                .titled("开通或停用", "停用以后,钱还在各人钱包里;等接收的转账照常能收、能退。")
                .with(Field::select("what", "怎样", what))
                .with(Field::date("from", "从哪天起", iso_day(today + 7), "不能早于今天"))
                .with(Field::document()),
        ));
        let offered = if region.change_of_use { ("no", "停办使用地变更") } else { ("yes", "开办使用地变更") };
        blocks.push(Block::Form(
            proposing(format!("{SECTION}/{area}/change-of-use"), &format!("提交:{}", offered.1))
                .hiding("offered", offered.0)
                .toned("second")
                .with(Field::document()),
        ));
    }
    desk.page(SECTION, &directory.area_name(area), "", blocks).await
}

async fn propose_opening(desk: Desk, Path(area): Path<AreaCode>, filled: Filled) -> Answer {
    let from = filled.day("from")?;
    propose(&desk, &filled, Action::Opening { area, from, open: filled.get("what") == "open" }).await
}

async fn propose_change_of_use(desk: Desk, Path(area): Path<AreaCode>, filled: Filled) -> Answer {
    propose(&desk, &filled, Action::ChangeOfUse { area, offered: filled.get("offered") == "yes" }).await
}

/// Hands a filled form in, and leads to what waits for the checker.
pub async fn propose(desk: &Desk, filled: &Filled, action: Action) -> Answer {
    let id = parse_approval(filled.get("key")).ok_or_else(|| Problem::field("key", "这张表不完整,请重新打开再填。", "The form lacks its number"))?;
    if filled.get("document").is_empty() {
        return Err(Problem::field("document", "写上依据的文号或单号。", "The number of the paper is missing"));
    }
    let one = approval::propose(&desk.app, id, desk.caller.id(), action, filled.get("document")).await?;
    Ok(to_saying(&approval_path(one.id), "proposed"))
}
