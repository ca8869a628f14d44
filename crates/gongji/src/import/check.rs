//! What a line means: whether what it names exists, and fits what is on file. Reads only.

use crate::app::{App, AppError};
use gongji_files::{BadLine, ContributionRow, EnrolmentRow, EnrolmentStatus, InstitutionRow, Parsed, PremiumRow, RegionLevel, RegionRow, Row};
use gongji_ledger::HolderId;
use gongji_store::Fault;
use gongji_wallet::area::Area;
use gongji_wallet::citizen::CitizenNumber;
use gongji_wallet::directory::Directory;
use gongji_wallet::ids::Key;
use gongji_wallet::object::Object;
use std::collections::{HashMap, HashSet};

use super::apply::voucher_key;

/// People looked up at once.
const LOOK_UP_MAX: usize = 10_000;

pub(super) type Holders = HashMap<CitizenNumber, HolderId>;

/// Takes out the rows that `fault` finds something wrong with.
fn weed<R: Row>(file: &mut Parsed<R>, mut fault: impl FnMut(&R) -> Option<(&'static str, String, String)>) {
    let bad = &mut file.bad;
    file.rows.retain(|row| match fault(row) {
        None => true,
        Some((column, reason_zh, reason_en)) => {
            bad.push(BadLine { line: row.line(), column: Some(column), reason_zh, reason_en });
            false
        }
    });
}

pub(super) fn regions(app: &App, file: &mut Parsed<RegionRow>) {
    let directory = app.directory();
    let provinces: HashSet<Area> = file.rows.iter().filter(|row| row.level == RegionLevel::Province).map(|row| row.code).collect();
    weed(file, |row| {
        let is_known = provinces.contains(&row.province) || directory.regions.contains_key(&row.province.get());
        (!is_known).then(|| {
            let zh = format!("省级地区 {} 不在这个文件里,也没有导入过。", row.province);
            ("province_code", zh, format!("province {} is neither in this file nor on file", row.province))
        })
    });
}

/// A pooling area is on file, and is no heading over other areas.
fn area_fault(directory: &Directory, area: Area) -> Option<(&'static str, String, String)> {
    let code = area.get();
    let Some(region) = directory.regions.get(&code) else {
        return Some(("area", format!("没有地区 {area},请先导入地区。"), format!("area {area} is not on file; import regions first")));
    };
    let is_heading = area.is_province() && directory.regions.values().any(|other| other.province_code == code && other.code != code);
    is_heading.then(|| {
        let zh = format!("{area} 是{},要写到下面的统筹区。", region.name);
        ("area", zh, format!("{area} is a province; name the pooling area below it"))
    })
}

pub(super) fn institutions(app: &App, file: &mut Parsed<InstitutionRow>) {
    let directory = app.directory();
    weed(file, |row| area_fault(&directory, row.area));
}

pub(super) fn premiums(app: &App, file: &mut Parsed<PremiumRow>) {
    let directory = app.directory();
    weed(file, |row| {
        area_fault(&directory, row.area)
            .or_else(|| (!row.amount.is_positive()).then(|| ("amount_yuan", "金额要大于零。".to_owned(), "the amount must be above zero".to_owned())))
    });
}

/// The holders of all people named; whoever is not on file is missing.
async fn look_up(app: &App, people: impl Iterator<Item = CitizenNumber>) -> Result<Holders, AppError> {
    let mut wanted: Vec<CitizenNumber> = people.collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut holders = Holders::with_capacity(wanted.len());
    for chunk in wanted.chunks(LOOK_UP_MAX) {
        let chunk = chunk.to_vec();
        let found = app
            .vault(move |vault| {
                let look = |number: CitizenNumber| Ok(vault.find_by_id_number(number.as_str())?.map(|holder| (number, HolderId(holder))));
                chunk.into_iter().map(look).collect::<Result<Vec<_>, _>>()
            })
            .await?;
        holders.extend(found.into_iter().flatten());
    }
    Ok(holders)
}

fn person_fault() -> (&'static str, String, String) {
    ("id_number", "这个人没有导入过,请先导入参保人。".to_owned(), "this person is not on file; import persons first".to_owned())
}

pub(super) async fn enrolments(app: &App, file: &mut Parsed<EnrolmentRow>) -> Result<Holders, AppError> {
    let directory = app.directory();
    let holders = look_up(app, file.rows.iter().map(|row| row.id_number)).await?;
    let mut active_line: HashMap<CitizenNumber, u32> = HashMap::new();
    weed(file, |row| {
        if !holders.contains_key(&row.id_number) {
            return Some(person_fault());
        }
        if let Some(fault) = area_fault(&directory, row.area) {
            return Some(fault);
        }
        if row.status == EnrolmentStatus::Normal && matches!(row.insurance, 310 | 390) {
            let first = *active_line.entry(row.id_number).or_insert(row.line);
            if first != row.line {
                let zh = format!("与第 {first} 行是同一个人,基本医保只能有一处正常参保。");
                return Some(("status", zh, format!("the same person is in normal basic insurance on line {first} already")));
            }
        }
        None
    });
    Ok(holders)
}

pub(super) async fn contributions(app: &App, file: &mut Parsed<ContributionRow>) -> Result<Holders, AppError> {
    let directory = app.directory();
    let holders = look_up(app, file.rows.iter().map(|row| row.id_number)).await?;
    let mut failed: Option<Fault> = None;
    weed(file, |row| {
        let Some(&holder) = holders.get(&row.id_number) else { return Some(person_fault()) };
        if let Some(fault) = area_fault(&directory, row.area) {
            return Some(fault);
        }
        let key = voucher_key(holder, row);
        match (app.engine.holder(holder), app.engine.object(holder.part(), Key::Answer(key.key))) {
            (Ok(person), Ok(answer)) => {
                let is_pooled = person.and_then(|person| person.enrolment).is_some_and(|here| here.pooled_only && here.area == row.area.get());
                if is_pooled {
                    let zh = "这个人在这里是单建统筹,没有个人账户。".to_owned();
                    return Some(("area", zh, "pooled cover only: there is no personal account here".to_owned()));
                }
                match answer.as_deref() {
                    Some(Object::Answer(answer)) if answer.fingerprint != key.fingerprint => {
                        let zh = "这张凭证已经入过账,而且金额不同。要更正请另开凭证。".to_owned();
                        Some(("document", zh, "this voucher was entered before with another amount".to_owned()))
                    }
                    _ => None,
                }
            }
            (Err(fault), _) | (_, Err(fault)) => {
                failed = Some(fault);
                None
            }
        }
    });
    failed.map_or(Ok(holders), |fault| Err(fault.into()))
}
