//! Who did what, newest first: out of the directory's journal, which nobody can change without breaking its chain.

use super::blocks::{Block, Cell, Column, Field, Form, Row, Table};
use super::frame::Answer;
use super::guard::{Desk, Desks, Needs, Place};
use super::words::{self, Names};
use crate::pages::views::format;
use crate::service::audit_log;
use axum::http::Method;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use gongji_wallet::directory::DirectoryChange;
use gongji_wallet::event::Fact;
use gongji_wallet::ids::OperatorId;
use gongji_wallet::operator::{Deed, Right};
use gongji_wallet::rules::Scope;

const SECTION: &str = "/console/audit";

/// Entries of one page, and of one file.
const PAGE: usize = 50;
const FILE_MAX: usize = 10_000;

pub fn routes(desks: Desks) -> Desks {
    let audit = Needs::Right(Right::Audit);
    desks.at(Method::GET, "/console/audit", audit, Place::Own, get(page)).at(Method::GET, "/console/audit.csv", audit, Place::Own, get(file))
}

/// What the form narrows by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Looks,
    Decisions,
    SignIns,
    Files,
}

const KINDS: [(Kind, &str, &str); 5] = [
    (Kind::All, "all", "全部"),
    (Kind::Looks, "looks", "看个人信息"),
    (Kind::Decisions, "decisions", "提交和复核"),
    (Kind::SignIns, "sign-ins", "登录和账号"),
    (Kind::Files, "files", "导入和导出"),
];

fn kind_of(fact: &Fact) -> Option<Kind> {
    Some(match fact {
        Fact::OperatorChanged { .. } => Kind::SignIns,
        Fact::ApprovalProposed { .. } | Fact::ApprovalDecided { .. } | Fact::ApprovalFollowed { .. } => Kind::Decisions,
        Fact::DirectoryChanged(DirectoryChange::Institution(_) | DirectoryChange::Region(_) | DirectoryChange::Premium(_)) => return None,
        Fact::DirectoryChanged(_) => Kind::Decisions,
        Fact::Acted { deed, .. } => match deed {
            Deed::Searched { .. } | Deed::Viewed { .. } | Deed::Revealed { .. } | Deed::Traced { .. } => Kind::Looks,
            Deed::Exported { .. } | Deed::Imported { .. } => Kind::Files,
            _ => Kind::SignIns,
        },
        _ => return None,
    })
}

fn operator_of(fact: &Fact) -> Option<OperatorId> {
    match fact {
        Fact::OperatorChanged { by, .. } => Some(*by),
        Fact::ApprovalProposed { maker, .. } => Some(*maker),
        Fact::ApprovalDecided { by, .. } => *by,
        Fact::Acted { operator, .. } => Some(*operator),
        _ => None,
    }
}

/// What this reader may see: a province's auditor sees what the province's operators did.
async fn entries(desk: &Desk, max: usize) -> Result<(audit_log::Stretch, Names), crate::problem::Problem> {
    let names = Names::load(&desk.app).await?;
    let kind = KINDS.iter().find(|(_, word, _)| *word == desk.query("kind")).map_or(Kind::All, |(kind, ..)| *kind);
    let wanted = desk.query("operator");
    let by = names.operators().of_login(wanted.trim()).map(|operator| operator.id);
    let nobody = !wanted.trim().is_empty() && by.is_none();
    let (reach, operators) = (desk.caller.operator.reach, names.operators().clone());
    let sees = move |fact: &Fact| {
        let is_kind = kind_of(fact).is_some_and(|of| kind == Kind::All || of == kind);
        let who = operator_of(fact);
        let is_by = by.is_none_or(|by| who == Some(by));
        let is_covered = reach == Scope::Nation || who.and_then(|who| operators.get(who)).is_some_and(|operator| reach.covers(operator.reach));
        is_kind && is_by && is_covered && !nobody
    };
    let before = desk.query("before").parse().ok();
    Ok((audit_log::read(&desk.app, before, max, sees).await?, names))
}

async fn page(desk: Desk) -> Answer {
    let (stretch, names) = entries(&desk, PAGE).await?;
    let directory = desk.app.directory();
    let rows = stretch.entries.iter().filter_map(|entry| {
        let (who, what, about) = words::logged(&directory, &names, &entry.fact)?;
        Some(Row {
            href: String::new(),
            cells: vec![
                Cell::text(format::date_and_clock(entry.at)),
                Cell::text(names.of_some(who)),
                Cell::text(what),
                Cell::text(about),
                Cell::number(entry.seq.to_string()),
            ],
        })
    });
    let chosen = desk.query("kind");
    let kinds = KINDS.iter().map(|(_, word, label)| ((*word).to_owned(), (*label).to_owned(), *word == chosen)).collect();
    let filter = Form::get(SECTION, "筛选").with(Field::search("operator", "登录名", desk.query("operator"))).with(Field::select("kind", "哪一类", kinds));
    let query = format!("operator={}&kind={}", crate::pages::encoded(&desk.query("operator")), crate::pages::encoded(&chosen));
    let mut columns: Vec<Column> = ["时间", "谁", "做了什么", "关于"].map(Column::text).into();
    columns.push(Column::number("记录号"));
    let table = Table {
        columns,
        rows: rows.collect(),
        empty: "没有符合的记录。".to_owned(),
        csv: format!("{SECTION}.csv?{query}"),
        next: stretch.before.map(|before| format!("{SECTION}?{query}&before={before}")).unwrap_or_default(),
        filter: Some(filter),
        ..Table::default()
    };
    desk.page(SECTION, "操作记录", "每一次办理、每一次查看个人信息,都在看到之前先记下;记录一环扣一环,改过、删过都会被核对发现", vec![Block::Table(table)]).await
}

async fn file(desk: Desk) -> Answer {
    let (stretch, names) = entries(&desk, FILE_MAX).await?;
    desk.exports("audit-log", stretch.entries.len()).await?;
    let directory = desk.app.directory();
    let mut table = gongji_files::CsvTable::new(&["time", "operator", "what", "about", "record"], gongji_files::Bom::With);
    for entry in &stretch.entries {
        if let Some((who, what, about)) = words::logged(&directory, &names, &entry.fact) {
            table.row(&[crate::time::rfc3339(entry.at), names.of_some(who), what, about, entry.seq.to_string()]);
        }
    }
    Ok(csv("gongji-audit-log.csv", table))
}

/// A list as a file.
pub fn csv(name: &str, table: gongji_files::CsvTable) -> axum::response::Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)], table.finish()).into_response()
}
