//! Complaints: what readers report of places, and the whole way of an order through both partitions.

use super::blocks::{Block, Field, Form};
use super::frame::{Answer, Filled, to};
use super::guard::{Desk, Desks, Needs, Place};
use super::institutions::{REPORTS_MAX, report_table};
use crate::app::AppError;
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::operator::act;
use crate::service::payment::order_id;
use crate::trace;
use axum::extract::Path;
use axum::http::Method;
use axum::routing::{get, post};
use gongji_ledger::InstitutionId;
use gongji_store::vault::PlaceReport;
use gongji_wallet::operator::{Deed, Right};
use std::sync::Arc;

const SECTION: &str = "/console/complaints";

pub fn routes(desks: Desks) -> Desks {
    let see = Needs::Right(Right::SeePeople);
    desks.at(Method::GET, "/console/complaints", see, Place::Own, get(page)).at(Method::POST, "/console/complaints/order", see, Place::Own, post(find)).at(
        Method::GET,
        "/console/orders/{institution}/{number}",
        see,
        Place::Institution,
        get(order),
    )
}

async fn page(desk: Desk) -> Answer {
    let days = desk.query("days").parse().unwrap_or(30_i64).clamp(1, 180);
    let since = desk.now - days * 86_400_000;
    let reports = desk.app.vault(move |vault| vault.place_reports(since, REPORTS_MAX)).await?;
    let directory = desk.app.directory();
    let is_here = |report: &&PlaceReport| {
        let institution = InstitutionId::parse(&report.institution).and_then(|id| directory.institutions.get(&id));
        institution.is_some_and(|one| desk.covers(one.area))
    };
    let mut table = report_table(&desk, reports.iter().filter(is_here), "这里付不了");
    let choices = [7, 30, 90, 180].map(|count| (count.to_string(), format!("近 {count} 天"), count == days)).into();
    table.filter = Some(Form::get(SECTION, "看").with(Field::select("days", "多久以内", choices)));
    table.count = format!("{} 条", table.rows.len());
    let find = Form::post("/console/complaints/order", "看经过")
        .titled("查一张订单", "机构自己的单号;从下单到收款、退费,两个分区之间的消息都列出来。")
        .with(Field::text("institution", "机构代码", "", "例如 H51050000001"))
        .with(Field::text("number", "机构的订单号", "", ""));
    desk.page(SECTION, "反馈与订单", "", vec![Block::Table(table), Block::Form(find)]).await
}

async fn find(_: Desk, filled: Filled) -> Answer {
    let (institution, number) = (filled.get("institution"), filled.get("number"));
    if InstitutionId::parse(institution).is_none() || number.is_empty() {
        return Err(Problem::field("institution", "写上机构代码和订单号。", "Institution and order number are needed"));
    }
    Ok(to(&format!("/console/orders/{institution}/{}", crate::pages::encoded(number).replace('/', "%2F"))))
}

async fn order(desk: Desk, Path((institution, number)): Path<(String, String)>) -> Answer {
    let id = InstitutionId::parse(&institution).and_then(|institution| order_id(institution, &number)).ok_or_else(Problem::not_found)?;
    act(&desk.app, desk.caller.id(), Deed::Traced { order: id }).await?;
    let (store, parts) = (Arc::clone(desk.app.engine.store()), desk.app.engine.parts());
    let told = tokio::task::spawn_blocking(move || trace::trace(&*store, parts, id)).await.map_err(AppError::from)?.map_err(AppError::from)?;
    let directory = desk.app.directory();
    let name = directory.institutions.get(&id.institution).map_or_else(|| institution.clone(), |one| one.name.clone());
    let Some(told) = told else {
        let text = "账上没有这个单号。账单不对、机构没开通的,当场就拒绝,不立单;请机构查自己的记录。";
        return desk.page(SECTION, &format!("{name} · {number}"), "", vec![Block::Note("wait", text.to_owned())]).await;
    };
    let bill = told.order.bill;
    let yuan = |fen: gongji_ledger::Fen| format::yuan(fen.0);
    let mut facts = vec![
        ("现在".to_owned(), told.standing()),
        ("下单".to_owned(), format::when(told.order.placed_at)),
        ("账单".to_owned(), format!("总额 {},基金 {},个人 {},机构 {}", yuan(bill.total), yuan(bill.fund), yuan(bill.own), yuan(bill.institution))),
    ];
    let mut links = Vec::new();
    if let Some(payment) = &told.payment {
        let of = crate::web::person_id(payment.holder);
        facts.push(("付款人".to_owned(), format!("参保人 {of}")));
        links.push((format!("/console/people/{of}"), "看付款人(打码)".to_owned()));
    }
    let steps = told.steps.iter().map(|step| (format!("{} 分区 {} 记录 {}", format::clock_seconds(step.at), step.part, step.seq), step.what.clone()));
    let blocks = vec![Block::Facts(facts), Block::Heading("经过".to_owned()), Block::Steps(steps.collect()), Block::Links(links)];
    desk.page(SECTION, &format!("{name} · {number}"), "", blocks).await
}
