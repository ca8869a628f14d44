//! What waits for a second person, and deciding it.

use super::blocks::{Block, Cell, Column, Field, Form, Row, Table};
use super::frame::{Answer, Filled, to_saying};
use super::guard::{Desk, Desks, Needs, Place, approval_path, parse_approval};
use super::words::{self, Names};
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::{approval, audit_log};
use axum::extract::Path;
use axum::http::Method;
use axum::routing::{get, post};
use gongji_wallet::approval::{Approval, ApprovalState, DeclineReason, Verdict};
use gongji_wallet::event::Fact;
use gongji_wallet::operator::Right;
use std::fmt::Write as _;

/// Decided ones on the first page.
const RECENT_MAX: usize = 20;

pub fn routes(desks: Desks) -> Desks {
    desks
        .at(Method::GET, "/console", Needs::SignedIn, Place::Own, get(home))
        .at(Method::GET, "/console/approvals/{approval}", Needs::SeeIt, Place::Approval, get(one))
        .at(Method::POST, "/console/approvals/{approval}/approve", Needs::CheckIt, Place::Approval, post(approve))
        .at(Method::POST, "/console/approvals/{approval}/decline", Needs::CheckIt, Place::Approval, post(decline))
        .at(Method::POST, "/console/approvals/{approval}/withdraw", Needs::MakeIt, Place::Approval, post(withdraw))
}

async fn home(desk: Desk) -> Answer {
    let me = desk.caller.operator.clone();
    let names = Names::load(&desk.app).await?;
    let open = approval::open(&desk.app)?;
    let mine = |one: &&Approval| one.maker == me.id;
    let for_me = |one: &&Approval| one.state.is_open() && one.maker != me.id && me.may(Right::Check(one.action.matter()), one.action.reach());
    let mut blocks = vec![
        Block::Table(table(&desk, &names, "等我复核", "现在没有等你复核的。", open.iter().filter(for_me))),
        Block::Table(table(&desk, &names, "我提交的", "你提交的都办完了。", open.iter().filter(mine))),
    ];
    // Those decided lately that this operator may see.
    let log = audit_log::read(&desk.app, None, RECENT_MAX * 3, |fact| matches!(fact, Fact::ApprovalDecided { .. })).await?;
    let mut decided = Vec::new();
    for entry in log.entries {
        let Fact::ApprovalDecided { id, .. } = entry.fact else { continue };
        let one = approval::approval(&desk.app, id)?;
        if may_see(&desk, &one) && decided.len() < RECENT_MAX {
            decided.push(one);
        }
    }
    blocks.push(Block::Table(table(&desk, &names, "最近办结", "还没有办结的。", decided.iter())));
    desk.page("/console", "待复核", "两个人办的事:一个提交,另一个看清楚再同意", blocks).await
}

fn may_see(desk: &Desk, one: &Approval) -> bool {
    let (me, matter, reach) = (&desk.caller.operator, one.action.matter(), one.action.reach());
    one.maker == me.id || [Right::Make(matter), Right::Check(matter), Right::Audit].into_iter().any(|right| me.may(right, reach))
}

fn table<'a>(desk: &Desk, names: &Names, title: &str, empty: &str, approvals: impl Iterator<Item = &'a Approval>) -> Table {
    let directory = desk.app.directory();
    let rows = approvals.map(|one| {
        let (state, tone) = words::state(&one.state);
        Row {
            href: approval_path(one.id),
            cells: vec![
                Cell::text(one.action.label()),
                Cell::text(words::about(&directory, &one.action)),
                Cell::text(names.of(one.maker)),
                Cell::text(format::when_from(one.made_at, desk.now)),
                Cell::toned(state, tone),
                Cell::text(if one.state.is_open() { words::expires(one) } else { String::new() }),
            ],
        }
    });
    Table {
        title: title.to_owned(),
        columns: ["办什么", "内容", "谁提交", "几时", "到哪一步", "几时过期"].map(Column::text).into(),
        rows: rows.collect(),
        empty: empty.to_owned(),
        ..Table::default()
    }
}

fn asked(desk: &Desk, id: &str) -> Result<Approval, Problem> {
    Ok(approval::approval(&desk.app, parse_approval(id).ok_or_else(Problem::not_found)?)?)
}

async fn one(desk: Desk, Path(id): Path<String>) -> Answer {
    let one = asked(&desk, &id)?;
    let names = Names::load(&desk.app).await?;
    let directory = desk.app.directory();
    let (me, (matter, reach)) = (&desk.caller.operator, (one.action.matter(), one.action.reach()));
    let (state, tone) = words::state(&one.state);
    let mut facts = vec![
        ("内容".to_owned(), words::about(&directory, &one.action)),
        ("依据".to_owned(), one.document.clone()),
        ("提交".to_owned(), format!("{},{}", names.of(one.maker), format::when(one.made_at))),
    ];
    if let Some(at) = one.decided_at {
        facts.push(("复核".to_owned(), format!("{},{}", one.checker.map_or_else(|| "没有人".to_owned(), |id| names.of(id)), format::when(at))));
    } else {
        facts.push(("过期".to_owned(), words::expires(&one)));
    }
    facts.push(("到哪一步".to_owned(), state));
    let mut blocks = vec![Block::Facts(facts)];
    if tone == "alarm" {
        blocks.push(Block::Note("alarm", "没有办成的,要改好再重新提交。".to_owned()));
    }
    let (differences, shown) = approval::shown_of(&desk.app, &one.action)?;
    if one.state.is_open() || one.state == ApprovalState::Approved {
        blocks.push(Block::Changes(differences.into_iter().map(|one| (one.what, one.before, one.after)).collect()));
        if let Some(holder) = one.action.holder()
            && me.has(Right::SeePeople)
        {
            blocks.push(Block::Links(vec![(format!("/console/people/{}", crate::web::person_id(holder)), "看这位参保人现在的情况(打码)".to_owned())]));
        }
    }
    if one.state.is_open() && one.maker != me.id && me.may(Right::Check(matter), reach) {
        let mut hex = String::new();
        shown.iter().for_each(|byte| write!(hex, "{byte:02x}").expect("a string takes every write"));
        let path = approval_path(one.id);
        blocks.push(Block::Form(Form::post(format!("{path}/approve"), "同意,马上生效").titled("同意", "按上面“会变什么”办。").hiding("seen", hex)));
        let reasons = DeclineReason::ALL.iter().enumerate().map(|(at, why)| (at.to_string(), why.label().to_owned(), at == 0)).collect();
        let decline = Form::post(format!("{path}/decline"), "退回").titled("退回", "退回以后什么都不变。").toned("second");
        blocks.push(Block::Form(decline.with(Field::select("why", "为什么", reasons))));
    } else if one.state.is_open() && one.maker == me.id {
        blocks.push(Block::Note("wait", "你提交的,要由另一位同事复核。".to_owned()));
        blocks.push(Block::Form(Form::post(format!("{}/withdraw", approval_path(one.id)), "撤回").toned("second")));
    }
    desk.page("/console", one.action.label(), "", blocks).await
}

/// What the checker was shown, as the form carries it.
fn seen_of(filled: &Filled) -> [u8; 16] {
    let text = filled.get("seen");
    let mut seen = [0; 16];
    if text.len() == 32 && text.is_ascii() {
        for (at, byte) in seen.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap_or(0);
        }
    }
    seen
}

async fn approve(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let one = asked(&desk, &id)?;
    approval::decide(&desk.app, one.id, desk.caller.id(), Verdict::Approved, seen_of(&filled)).await?;
    Ok(to_saying(&approval_path(one.id), "approved"))
}

async fn decline(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let one = asked(&desk, &id)?;
    let why = filled.get("why").parse().ok().and_then(|at: usize| DeclineReason::ALL.get(at).copied()).unwrap_or(DeclineReason::Details);
    approval::decide(&desk.app, one.id, desk.caller.id(), Verdict::Declined(why), [0; 16]).await?;
    Ok(to_saying(&approval_path(one.id), "declined"))
}

async fn withdraw(desk: Desk, Path(id): Path<String>) -> Answer {
    let one = asked(&desk, &id)?;
    approval::decide(&desk.app, one.id, desk.caller.id(), Verdict::Withdrawn, [0; 16]).await?;
    Ok(to_saying(&approval_path(one.id), "withdrawn"))
}
