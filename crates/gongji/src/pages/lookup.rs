//! Looking up without signing in: is it open?

use super::frame::{Page, Trouble, Visit, own_path, to, to_with_elder};
use super::typed::Typed;
use super::views::lookup::{Answer, AnswerSide, AreaRow, ProvinceTile, Regions, Start, TileState, Verdict};
use super::views::{Link, Problem, Section, format};
use super::words;
use crate::app::App;
use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::get;
use gongji_ledger::AreaCode;
use gongji_wallet::day::{Day, day_of, instant};
use gongji_wallet::directory::{Coverage, Directory, Region, RegionLevel};
use serde::Deserialize;
use std::sync::Arc;

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/", get(start)).route("/elder", get(|| async { to("/") }).post(elder)).route("/regions/{province}", get(regions))
}

#[derive(Deserialize)]
struct Asked {
    mine: Option<String>,
    family: Option<String>,
}

async fn start(visit: Visit, Query(asked): Query<Asked>) -> Page {
    let directory = visit.app.directory();
    let today = day_of(visit.now);
    let mut layout = visit.layout("查一查能不能用", Section::Lookup).await?;
    let area = |text: &Option<String>| text.as_deref().and_then(|text| words::known_area(&directory, text));
    let (mine, family) = (area(&asked.mine), area(&asked.family));
    if asked.mine.is_some() || asked.family.is_some() {
        if mine.is_none() {
            layout.problems.push(Problem::of("mine", "请选你参保的城市。"));
        }
        if family.is_none() {
            layout.problems.push(Problem::of("family", "请选家人参保的城市。"));
        }
    }
    let answer = mine.zip(family).map(|(mine, family)| answer(&directory, mine, family, today, visit.signed.is_some()));
    let (tiles, tally) = tiles(&directory, today);
    let tally = format!("到 {},{tally}", format::date(visit.now));
    visit.page(&Start { layout, mine: words::area_groups(&directory, mine), family: words::area_groups(&directory, family), answer, tiles, tally })
}

fn answer(directory: &Directory, mine: AreaCode, family: AreaCode, today: Day, is_signed: bool) -> Answer {
    let (mine_side, family_side) = (side(directory, mine, today), side(directory, family, today));
    let (here, there) = (words::city(directory, mine), words::city(directory, family));
    let verdict = match (mine_side.verdict, family_side.verdict) {
        (Verdict::Yes, Verdict::Yes) => Verdict::Yes,
        (Verdict::No, _) | (_, Verdict::No) => Verdict::No,
        _ => Verdict::Unknown,
    };
    let sentence = match (mine_side.verdict, family_side.verdict) {
        (Verdict::Yes, Verdict::Yes) if mine == family => format!("可以。{here}已开通:钱能转给家人,家人在{here}看病、买药、缴居民医保都能用。"),
        (Verdict::Yes, Verdict::Yes) => format!("可以。{here}和{there}都已开通:钱能转过去,家人在{there}看病、买药、缴居民医保都能用。"),
        (Verdict::No, Verdict::No) => format!("还不行。{here}和{there}都没有开通。"),
        (Verdict::No, _) => format!("还不行。{here}没有开通,钱转不出去。"),
        (_, Verdict::No) => format!("还不行。{there}没有开通,钱转不过去。"),
        _ => format!("说不准。{}的开通名单没有公布,转之前先打当地医保电话问一句。", if mine_side.verdict == Verdict::Yes { &there } else { &here }),
    };
    let mut next = Vec::new();
    if verdict == Verdict::Yes {
        next.push(if is_signed { Link::new("/transfer", "转给家人") } else { Link::new("/login?back=/transfer", "登录,转给家人") });
    }
    next.push(Link::new(format!("/institutions?area={family}"), format!("看{there}哪里能用")));
    Answer { verdict, sentence, mine: mine_side, family: family_side, next }
}

fn side(directory: &Directory, area: AreaCode, today: Day) -> AnswerSide {
    let city = words::place(directory, area);
    let Some(region) = directory.regions.get(&area) else { return AnswerSide { city, ..AnswerSide::default() } };
    let (verdict, state) = verdict(directory, region, today);
    AnswerSide { city, state, verdict }
}

/// Whether an area is open, and since or from when.
fn verdict(directory: &Directory, region: &Region, today: Day) -> (Verdict, String) {
    if region.is_open(today) {
        let since = region.openings.iter().rev().find(|(from, open)| *from <= today && *open).map(|(from, _)| format::date(instant(*from, 0)));
        return (Verdict::Yes, since.map(|since| format!("{since} 起")).unwrap_or_default());
    }
    if let Some(day) = region.opens_after(today) {
        return (Verdict::No, format!("{} 开通", format::date(instant(day, 0))));
    }
    let province = directory.regions.get(&region.province_code);
    if province.is_some_and(|province| province.coverage == Coverage::Unlisted) {
        return (Verdict::Unknown, "省里已宣布开通,名单没有公布".to_owned());
    }
    let closed = region.openings.iter().rev().find(|(from, open)| *from <= today && !*open).map(|(from, _)| format::date(instant(*from, 0)));
    (Verdict::No, closed.map(|day| format!("{day} 起停办")).unwrap_or_default())
}

struct ProvinceCount {
    state: TileState,
    open: usize,
    all: usize,
}

fn areas_of(directory: &Directory, province: AreaCode) -> impl Iterator<Item = &Arc<Region>> {
    directory.regions.values().filter(move |region| region.province_code == province && region.code != province)
}

fn count(directory: &Directory, province: &Region, today: Day) -> ProvinceCount {
    let (mut open, mut all) = (0, 0);
    for area in areas_of(directory, province.code) {
        all += 1;
        open += usize::from(area.is_open(today));
    }
    if all == 0 {
        all = 1;
        open = usize::from(province.is_open(today));
    }
    let state = match province.coverage {
        Coverage::Unlisted if open == 0 => TileState::Unlisted,
        Coverage::Full if open == all => TileState::Full,
        _ if open > 0 => TileState::Part,
        _ => TileState::Closed,
    };
    ProvinceCount { state, open, all }
}

fn tiles(directory: &Directory, today: Day) -> (Vec<ProvinceTile>, String) {
    let (mut tiles, mut provinces, mut areas) = (Vec::new(), 0, 0);
    for province in directory.regions.values().filter(|region| region.level == RegionLevel::Province) {
        let ProvinceCount { state, open, .. } = count(directory, province, today);
        provinces += usize::from(open > 0);
        areas += open;
        tiles.push(ProvinceTile {
            code: format!("{:02}", province.code / 10_000),
            name: province.name.clone(),
            short: words::short_province(province.code).to_owned(),
            state,
            note: if open > 0 { format!("{open} 个地区已开通") } else { String::new() },
            href: format!("/regions/{}", province.code),
        });
    }
    (tiles, format!("{provinces} 个省级地区里有 {areas} 个统筹区已开通。"))
}

async fn regions(visit: Visit, Path(province): Path<String>) -> Page {
    let directory = visit.app.directory();
    let today = day_of(visit.now);
    let code = words::known_area(&directory, &province).ok_or(Trouble::Missing)?;
    let region = directory.regions.get(&code).filter(|region| region.level == RegionLevel::Province).ok_or(Trouble::Missing)?;
    let ProvinceCount { state, open, all } = count(&directory, region, today);
    let name = &region.name;
    let has_list = areas_of(&directory, code).next().is_some();
    let sentence = match state {
        TileState::Full if has_list => format!("{name} {all} 个统筹区都已开通。"),
        TileState::Full => format!("{name}已开通。"),
        TileState::Part => format!("{name}有 {open} 个统筹区已开通,其余的还没有或没有公布。"),
        TileState::Unlisted => format!("{name}已宣布开通,开通了哪些地方没有公布。"),
        TileState::Closed => format!("{name}还没有开通。"),
    };
    let listed: Vec<&Arc<Region>> = if has_list { areas_of(&directory, code).collect() } else { vec![region] };
    let areas = listed.into_iter().map(|area| {
        let (verdict, since) = verdict(&directory, area, today);
        AreaRow {
            name: area.name.clone(),
            level: level(area.level).to_owned(),
            verdict,
            since,
            change_of_use: area.change_of_use,
            href: format!("/institutions?area={}", area.code),
        }
    });
    let others = directory.regions.values().filter(|other| other.level == RegionLevel::Province && other.code != code);
    let others = others.map(|other| Link::new(format!("/regions/{}", other.code), words::short_province(other.code))).collect();
    let layout = visit.layout(&format!("{name}哪些地方开通了"), Section::Lookup).await?;
    visit.page(&Regions { layout, province: name.clone(), state, sentence, areas: areas.collect(), others })
}

fn level(level: RegionLevel) -> &'static str {
    match level {
        RegionLevel::Province => "省级",
        RegionLevel::Prefecture => "地级市、州、盟",
        RegionLevel::County => "县、区",
        RegionLevel::ProvincialDirect => "省本级",
        RegionLevel::Division => "兵团师",
        RegionLevel::Enterprise => "企业统筹",
    }
}

async fn elder(_visit: Visit, typed: Typed) -> Page {
    Ok(to_with_elder(own_path(typed.get("back"), "/"), typed.yes("on")))
}
