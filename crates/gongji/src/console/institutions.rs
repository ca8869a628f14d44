//! Institutions: whether they really take the wallet, what readers report of them, and their keys.

use super::blocks::{Block, Cell, Column, Field, Row, Table};
use super::frame::{Answer, Filled, proposing};
use super::guard::{Desk, Desks, Needs, Place};
use super::lists::{List, row};
use super::regions::propose;
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::place_report::Trouble;
use crate::service::readiness;
use axum::extract::Path;
use axum::http::Method;
use axum::routing::{get, post};
use gongji_ledger::InstitutionId;
use gongji_wallet::approval::Action;
use gongji_wallet::directory::{Institution, Readiness};
use gongji_wallet::operator::{Matter, Right};
use gongji_wallet::rules::Scope;
use std::sync::Arc;

const SECTION: &str = "/console/institutions";

/// Reports are listed from this long ago on (ms).
const REPORTS_MS: i64 = 30 * 86_400_000;

/// Reports read at once.
pub const REPORTS_MAX: usize = 5_000;

pub fn routes(desks: Desks) -> Desks {
    let (watch, make) = (Needs::Right(Right::Watch), Needs::Right(Right::Make(Matter::Keys)));
    desks
        .at(Method::GET, "/console/institutions", watch, Place::Own, get(page))
        .at(Method::GET, "/console/institutions.csv", watch, Place::Own, get(file))
        .at(Method::GET, "/console/institutions/{institution}", watch, Place::Institution, get(one))
        .at(Method::POST, "/console/institutions/{institution}/revoke-keys", make, Place::Institution, post(revoke_keys))
}

fn readiness_words(state: Readiness) -> Cell {
    match state {
        Readiness::Ready => Cell::toned("可用", "good"),
        Readiness::Quiet => Cell::toned("已开通,近 7 天没有成功支付", "wait"),
        Readiness::Off => Cell::text("未开通"),
    }
}

fn list(desk: &Desk) -> List {
    let directory = desk.app.directory();
    let rows = directory.institutions.values().filter(|one| desk.covers(one.area)).map(|one| {
        row(
            format!("{SECTION}/{}", one.id),
            vec![
                Cell::text(one.name.clone()),
                Cell::text(one.id.to_string()),
                Cell::text(directory.area_name(one.area)),
                Cell::text(if one.is_pharmacy { "药店" } else { "医院" }),
                readiness_words(readiness::standing(&desk.app, one, desk.now).state),
            ],
        )
    });
    let columns = ["机构", "代码", "地区", "类别", "钱包支付"].map(Column::text).into();
    List {
        path: SECTION, name: "institutions", title: "定点机构", columns, rows: rows.collect(), empty: "没有符合的机构。", search: "名称、代码、地区或状态"
    }
}

async fn page(desk: Desk) -> Answer {
    let directory = desk.app.directory();
    let mut tally = readiness::Tally::default();
    for one in directory.institutions.values().filter(|one| desk.covers(one.area)) {
        tally.count(readiness::standing(&desk.app, one, desk.now).state);
    }
    let lead = format!("可用 {},已开通但近 7 天没有成功支付 {},未开通 {}", tally.ready, tally.quiet, tally.off);
    desk.page(SECTION, "机构", &lead, vec![Block::Table(list(&desk).table(&desk))]).await
}

async fn file(desk: Desk) -> Answer {
    list(&desk).file(&desk).await
}

fn asked(desk: &Desk, code: &str) -> Result<Arc<Institution>, Problem> {
    let id = InstitutionId::parse(code).ok_or_else(Problem::not_found)?;
    desk.app.directory().institutions.get(&id).cloned().ok_or_else(Problem::not_found)
}

async fn one(desk: Desk, Path(code): Path<String>) -> Answer {
    let one = asked(&desk, &code)?;
    let standing = readiness::standing(&desk.app, &one, desk.now);
    let (part, since) = (desk.app.engine.institution_part(one.id), desk.now - REPORTS_MS);
    let word = one.id.to_string();
    let (keys, public, reports) =
        desk.app.vault(move |vault| Ok((vault.institution_keys(part, &word)?, vault.public_keys(&word)?, vault.place_reports(since, REPORTS_MAX)?))).await?;
    let live = (keys.iter().filter(|key| key.revoked_ms.is_none()).count(), public.iter().filter(|key| key.is_valid(desk.now)).count());
    let mut blocks = vec![
        Block::Facts(vec![
            ("代码".to_owned(), one.id.to_string()),
            ("地区".to_owned(), desk.app.directory().area_name(one.area)),
            ("地址".to_owned(), format!("{}{}", one.district, one.address)),
            ("钱包支付".to_owned(), readiness_words(standing.state).text),
            ("密钥".to_owned(), format!("有效的接口密钥 {} 把,签名公钥 {} 把", live.0, live.1)),
        ]),
        Block::Table(report_table(&desk, reports.iter().filter(|report| report.institution == one.id.to_string()), "近 30 天的反馈")),
    ];
    if desk.may_make(Matter::Keys, Scope::Area(one.area)) && live != (0, 0) {
        blocks.push(Block::Form(
            proposing(format!("{SECTION}/{}/revoke-keys", one.id), "提交,等另一位管理员复核")
                .titled("停用全部密钥", "密钥泄露时用。复核以后这家机构马上收不了款,要重新登记密钥。")
                .toned("danger")
                .with(Field::document()),
        ));
    }
    desk.page(SECTION, &one.name, "", blocks).await
}

async fn revoke_keys(desk: Desk, Path(code): Path<String>, filled: Filled) -> Answer {
    let one = asked(&desk, &code)?;
    propose(&desk, &filled, Action::RevokeKeys { institution: one.id, area: one.area }).await
}

/// What readers report, newest first; a row leads to the order's whole way.
pub fn report_table<'a>(desk: &Desk, reports: impl Iterator<Item = &'a gongji_store::vault::PlaceReport>, title: &str) -> Table {
    let directory = desk.app.directory();
    let rows = reports.map(|report| {
        let institution = InstitutionId::parse(&report.institution).and_then(|id| directory.institutions.get(&id));
        let what = Trouble::of_word(&report.what).map_or(report.what.as_str(), |what| what.label());
        let href = match &report.order_no {
            Some(number) if desk.caller.operator.has(Right::SeePeople) => {
                format!("/console/orders/{}/{}", report.institution, crate::pages::encoded(number).replace('/', "%2F"))
            }
            _ => String::new(),
        };
        Row {
            href,
            cells: vec![
                Cell::text(format::when_from(report.made_ms, desk.now)),
                Cell::text(institution.map_or_else(|| report.institution.clone(), |one| one.name.clone())),
                Cell::text(what),
                Cell::text(report.order_no.clone().unwrap_or_default()),
                Cell::text(if report.reporter.is_some() { "登录用户" } else { "未登录" }),
            ],
        }
    });
    Table {
        title: title.to_owned(),
        columns: ["几时", "机构", "什么情况", "单号", "谁反馈"].map(Column::text).into(),
        rows: rows.collect(),
        empty: "没有反馈。".to_owned(),
        ..Table::default()
    }
}
