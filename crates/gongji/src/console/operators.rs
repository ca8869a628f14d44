//! Operators: who they are, what they may do where, and the letter of the first time. By administrators, two of them.

use super::blocks::{Block, Cell, Column, Field, Row, Table};
use super::frame::{Answer, Filled, proposing, to_saying};
use super::guard::{Desk, Desks, Needs, Place, approval_path, parse_approval, scope_of, scope_word};
use super::words::{self, Names};
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::{approval, operator, sign_in};
use axum::extract::Path;
use axum::http::Method;
use axum::routing::{get, post};
use gongji_wallet::approval::Action;
use gongji_wallet::ids::OperatorId;
use gongji_wallet::operator::{Matter, Operator, Right, Role};
use std::sync::Arc;

const SECTION: &str = "/console/operators";

/// Longest name of a person.
const NAME_LEN_MAX: usize = 50;

pub fn routes(desks: Desks) -> Desks {
    let make = Needs::Right(Right::Make(Matter::Operators));
    desks
        .at(Method::GET, "/console/operators", Needs::Right(Right::SeeOperators), Place::Own, get(list))
        .at(Method::POST, "/console/operators/new/{scope}", make, Place::Scope, post(propose_new))
        .at(Method::GET, "/console/operators/{operator}", Needs::Right(Right::SeeOperators), Place::Operator, get(one))
        .at(Method::POST, "/console/operators/{operator}/change", make, Place::Operator, post(propose_change))
        .at(Method::POST, "/console/operators/{operator}/invite", make, Place::Operator, post(invite))
        .at(Method::POST, "/console/operators/{operator}/end-sessions", make, Place::Operator, post(end_sessions))
}

async fn list(desk: Desk) -> Answer {
    let (names, directory) = (Names::load(&desk.app).await?, desk.app.directory());
    let me = &desk.caller.operator;
    let wanted = desk.query("q").to_lowercase();
    let rows = names.operators().by_id.values().filter(|one| me.reach.covers(one.reach)).filter_map(|one| {
        let cells = vec![
            Cell::text(names.of(one.id)),
            Cell::text(words::scope(&directory, one.reach)),
            Cell::text(roles(one)),
            if one.is_active { Cell::toned("在岗", "good") } else { Cell::text("停用") },
        ];
        let is_wanted = wanted.is_empty() || cells.iter().any(|cell| cell.text.to_lowercase().contains(&wanted));
        is_wanted.then(|| Row { href: format!("{SECTION}/{}", one.id.0), cells })
    });
    let rows: Vec<Row> = rows.collect();
    let mut blocks = vec![Block::Table(Table {
        count: format!("{} 人", rows.len()),
        columns: ["经办人", "管辖", "角色", "状态"].map(Column::text).into(),
        rows,
        empty: "没有符合的经办人。".to_owned(),
        filter: Some(super::blocks::Form::get(SECTION, "查找").with(Field::search("q", "登录名、姓名或地区", desk.query("q")))),
        ..Table::default()
    })];
    if desk.may_make(Matter::Operators, me.reach) {
        let form = proposing(format!("{SECTION}/new/{}", scope_word(me.reach)), "提交,等另一位管理员复核")
            .titled("新经办人", "复核以后给他一封首次登录信。")
            .with(Field::text("login", "登录名", "", "小写字母、数字、点和短横,3 到 32 位;以后不能改"))
            .with(Field::text("name", "姓名", "", "只给同事看,加密保存"))
            .with(Field::text("reach", "管辖", scope_word(me.reach), "nation 是全国;省或统筹区写 6 位代码"))
            .with(Field::checks("roles", "角色", role_choices(&[])))
            .with(Field::document());
        blocks.push(Block::Form(form));
    }
    desk.page(SECTION, "经办人", "谁在哪里能办什么;增减和改动由两位管理员办", blocks).await
}

fn roles(operator: &Operator) -> String {
    operator.roles.iter().map(|role| role.label()).collect::<Vec<_>>().join("、")
}

fn role_choices(chosen: &[Role]) -> Vec<(String, String, bool)> {
    Role::ALL.iter().map(|role| (role.word().to_owned(), role.label().to_owned(), chosen.contains(role))).collect()
}

fn asked(desk: &Desk, id: &str) -> Result<Arc<Operator>, Problem> {
    Ok(operator::operator(&desk.app, OperatorId(id.parse().map_err(|_| Problem::not_found())?))?)
}

async fn one(desk: Desk, Path(id): Path<String>) -> Answer {
    let one = asked(&desk, &id)?;
    one_page(&desk, &one, None).await
}

async fn one_page(desk: &Desk, one: &Operator, letter: Option<String>) -> Answer {
    let names = Names::load(&desk.app).await?;
    let (passkeys, has_code, recovery) = sign_in::credential_counts(&desk.app, one.id).await?;
    let (id, now) = (one.id, desk.now);
    let sessions = desk.app.vault(move |vault| vault.operator_sessions(Some(id.0), now)).await?;
    let facts = vec![
        ("登录名".to_owned(), one.login.clone()),
        ("管辖".to_owned(), words::scope(&desk.app.directory(), one.reach)),
        ("角色".to_owned(), roles(one)),
        ("状态".to_owned(), if one.is_active { "在岗" } else { "停用" }.to_owned()),
        ("登录方式".to_owned(), format!("通行密钥 {passkeys} 个,{},恢复码剩 {recovery} 个", if has_code { "有动态码" } else { "没有动态码" })),
    ];
    let mut blocks = Vec::new();
    if let Some(letter) = letter {
        blocks.push(Block::Note("good", "首次登录信只显示这一次,请当面交给本人,3 天内有效。".to_owned()));
        blocks.push(Block::Codes(vec![letter]));
    }
    blocks.push(Block::Facts(facts));
    blocks.push(Block::Table(super::me::session_table(&sessions, desk.now)));
    if desk.may_make(Matter::Operators, one.reach) && one.id != desk.caller.id() {
        let path = format!("{SECTION}/{}", one.id.0);
        if one.is_active {
            if (passkeys, has_code, recovery) == (0, false, 0) {
                blocks.push(Block::Form(
                    super::blocks::Form::post(format!("{path}/invite"), "发首次登录信").titled("首次登录", "还没有登记过登录方式。").toned("second"),
                ));
            } else {
                let why = "手机和恢复码都丢了:一个人不能在这里让同事的登录作废。请在服务器上停下服务,两个人在场,用 gongji operator invite 发信。";
                blocks.push(Block::Note("wait", why.to_owned()));
            }
            blocks.push(Block::Form(
                super::blocks::Form::post(format!("{path}/end-sessions"), "全部退出").titled("让他退出", "在所有设备上马上退出。").toned("second"),
            ));
        }
        let active = vec![("yes".to_owned(), "在岗".to_owned(), one.is_active), ("no".to_owned(), "停用".to_owned(), !one.is_active)];
        let form = proposing(format!("{path}/change"), "提交,等另一位管理员复核")
            .titled("改管辖、角色或停用", "")
            .with(Field::text("reach", "管辖", scope_word(one.reach), "nation 是全国;省或统筹区写 6 位代码"))
            .with(Field::checks("roles", "角色", role_choices(&one.roles)))
            .with(Field::select("active", "状态", active))
            .with(Field::document());
        blocks.push(Block::Form(form));
    }
    desk.page(SECTION, &names.of(one.id), "", blocks).await
}

/// Roles as ticked; unknown words are nobody's.
fn ticked(filled: &Filled) -> Vec<Role> {
    Role::ALL.into_iter().filter(|role| filled.all("roles").contains(&role.word())).collect()
}

async fn propose_new(desk: Desk, filled: Filled) -> Answer {
    let name = filled.get("name").to_owned();
    if name.is_empty() || name.chars().count() > NAME_LEN_MAX {
        return Err(Problem::field("name", "写上姓名,最多 50 个字。", "A name of at most 50 letters"));
    }
    let known = operator::operators(&desk.app)?;
    let reach = scope_of(&desk.app, filled.get("reach")).ok_or_else(|| Problem::field("reach", "没有这个地区代码。", "No such region"))?;
    let new = Operator { id: known.next_id(), login: filled.get("login").to_lowercase(), reach, roles: ticked(&filled), is_active: true };
    let id = new.id;
    let answer = propose(&desk, &filled, new).await?;
    // The name alone says nothing: no right comes with it.
    desk.app.vault(move |vault| vault.put_operator_name(id.0, &name)).await?;
    Ok(answer)
}

async fn propose_change(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let before = asked(&desk, &id)?;
    let reach = scope_of(&desk.app, filled.get("reach")).ok_or_else(|| Problem::field("reach", "没有这个地区代码。", "No such region"))?;
    let after = Operator { reach, roles: ticked(&filled), is_active: filled.get("active") == "yes", ..Operator::clone(&before) };
    propose(&desk, &filled, after).await
}

async fn propose(desk: &Desk, filled: &Filled, operator: Operator) -> Answer {
    let id = parse_approval(filled.get("key")).ok_or_else(Problem::not_found)?;
    let one = approval::propose(&desk.app, id, desk.caller.id(), Action::Operator(operator), filled.get("document")).await?;
    Ok(to_saying(&approval_path(one.id), "proposed"))
}

async fn invite(desk: Desk, Path(id): Path<String>) -> Answer {
    let one = asked(&desk, &id)?;
    if one.id == desk.caller.id() || !one.is_active {
        return Err(gongji_wallet::Reason::SameOperator.into());
    }
    let letter = sign_in::invite(&desk.app, desk.caller.id(), one.id).await.map_err(crate::service::ServiceError::from)?;
    one_page(&desk, &one, Some(letter.reveal().to_owned())).await
}

async fn end_sessions(desk: Desk, Path(id): Path<String>) -> Answer {
    let one = asked(&desk, &id)?;
    sign_in::end_sessions(&desk.app, desk.caller.id(), one.id, None).await?;
    Ok(to_saying(&format!("{SECTION}/{}", one.id.0), "ended"))
}

/// When a session was used, for lists.
pub fn used(ms: i64, now: i64) -> String {
    format::when_from(ms, now)
}
