//! Acting for a relative: opening on their behalf with their consent, and choosing for whom one acts.

use super::account::problems_of;
use super::family::Family;
use super::frame::{Member, Page, Refused, Said, Trouble, to, to_saying, tried};
use super::typed::Typed;
use super::views::account::{ActFor, ActForRow, CodeEntry};
use super::views::wallet::OpenFor;
use super::views::{Choice, Hidden, Link, Problem, Section, format};
use super::words;
use crate::app::App;
use crate::identity::{IdentityError, Started};
use crate::service::family::{OnBehalfError, acting_for, confirm_on_behalf, end_agent, start_on_behalf};
use crate::service::key;
use crate::web::{self, parse_person_id, person_id};
use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use gongji_ledger::HolderId;
use gongji_wallet::citizen::{CitizenNumber, PersonName};
use gongji_wallet::relation::{RELATION_CHOICES, RelationCode};
use std::sync::Arc;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/wallet/open-for", get(form).post(start))
        .route("/wallet/open-for/code", get(|| async { to("/wallet/open-for") }).post(confirm))
        .route("/act-for", get(act_for).post(choose))
        .route("/act-for/{id}/end", post(end))
}

/// The kinds of relation, as the forms offer them.
pub fn relation_choices(chosen: &str) -> Vec<Choice> {
    let choice = |offered: &gongji_wallet::relation::RelationChoice| {
        let code = offered.code.to_string();
        let is_chosen = code == chosen;
        Choice::new(code, offered.words, is_chosen)
    };
    RELATION_CHOICES.iter().map(choice).collect()
}

/// A relation from a form; what is wrong is told beside its field.
pub fn typed_relation(typed: &Typed, problems: &mut Vec<Problem>) -> Option<RelationCode> {
    if typed.get("relation").is_empty() {
        problems.push(Problem::of("relation", "请选家人是你的什么人。"));
        return None;
    }
    RelationCode::parse(typed.get("relation")).map_err(|error| problems.push(Problem::of("relation", error.message_zh()))).ok()
}

/// A relation that tells a sex other than the ID number's: one of the two is wrong.
pub fn sex_problem(number: &CitizenNumber, relation: RelationCode) -> Option<Problem> {
    let sex = relation.sex().filter(|sex| *sex != number.sex())?;
    let should = if sex == gongji_wallet::citizen::Sex::Male { "男" } else { "女" };
    Some(Problem::of("relation", format!("{}应该是{should}的,和身份证号对不上,两样都再核对一遍。", relation.spoken())))
}

async fn form(member: Member) -> Page {
    open_for_page(&member, None, Vec::new()).await
}

async fn open_for_page(member: &Member, typed: Option<&Typed>, problems: Vec<Problem>) -> Page {
    let directory = member.app().directory();
    let mut layout = member.layout("替家人开通", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let text = |field: &str| typed.map(|typed| typed.text(field)).unwrap_or_default();
    let view = OpenFor {
        layout,
        key: key::fresh(),
        name: text("name"),
        id_number: text("id_number"),
        relations: relation_choices(&text("relation")),
        places: words::area_groups(&directory, words::known_area(&directory, &text("place"))),
        consent: typed.is_some_and(|typed| typed.yes("consent")),
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

async fn start(member: Member, typed: Typed) -> Page {
    let app = member.app();
    let mut problems = Vec::new();
    if let Err(error) = PersonName::parse(typed.get("name")) {
        problems.push(Problem::of("name", error.message_zh()));
    }
    let number = CitizenNumber::parse(typed.get("id_number")).map_err(|error| problems.push(Problem::of("id_number", error.message_zh()))).ok();
    let relation = typed_relation(&typed, &mut problems);
    problems.extend(number.as_ref().zip(relation).and_then(|(number, relation)| sex_problem(number, relation)));
    if words::known_area(&app.directory(), typed.get("place")).is_none() {
        problems.push(Problem::of("place", "请选家人的使用地。"));
    }
    if !typed.yes("consent") {
        problems.push(Problem::of("consent", "要家人本人(或监护人)同意,才能代开通。"));
    }
    let (Some(relation), true) = (relation, problems.is_empty()) else {
        return open_for_page(&member, Some(&typed), problems).await;
    };
    let asked = start_on_behalf(app, member.signed.me, typed.get("name"), typed.get("id_number"), relation).await;
    match asked {
        Ok((started, is_own_phone)) => code_page(&member, &typed, &started, is_own_phone, Vec::new()).await,
        Err(error @ IdentityError::TooManyCodes { .. }) if !typed.get("ticket").is_empty() => {
            let kept = Started { ticket: typed.text("ticket"), expires_ms: 0, resend_ms: 0 };
            code_page(&member, &typed, &kept, typed.yes("own"), problems_of(error, "code")?).await
        }
        Err(error) => open_for_page(&member, Some(&typed), problems_of(error, "id_number")?).await,
    }
}

async fn code_page(member: &Member, typed: &Typed, started: &Started, is_own_phone: bool, problems: Vec<Problem>) -> Page {
    let mut layout = member.layout("家人的同意", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let mut hidden =
        vec![Hidden::new("ticket", started.ticket.as_str()), Hidden::new("consent", "yes"), Hidden::new("own", if is_own_phone { "yes" } else { "" })];
    hidden.extend(["name", "id_number", "relation", "place"].map(|field| Hidden::new(field, typed.get(field))));
    let view = CodeEntry {
        layout,
        key: key::fresh(),
        heading: if is_own_phone { "你手机上的验证码是多少?" } else { "家人手机上的验证码是多少?" }.to_owned(),
        sent_to: String::new(),
        action: "/wallet/open-for/code".to_owned(),
        resend: "/wallet/open-for".to_owned(),
        valid_until: if started.expires_ms == 0 { String::new() } else { format::clock(started.expires_ms) },
        hidden,
        new_password: false,
        submit: "替家人开通".to_owned(),
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

async fn confirm(member: Member, typed: Typed) -> Page {
    let app = member.app();
    let place = words::known_area(&app.directory(), typed.get("place")).ok_or(Trouble::Malformed)?;
    match confirm_on_behalf(app, member.signed.me, typed.get("ticket"), &typed.secret("code"), place).await {
        Ok(_) => Ok(to_saying("/act-for", Said::OpenedFor)),
        Err(OnBehalfError::Identity(error)) => {
            let kept = Started { ticket: typed.text("ticket"), expires_ms: 0, resend_ms: 0 };
            code_page(&member, &typed, &kept, typed.yes("own"), problems_of(error, "code")?).await
        }
        Err(error) => Err(tried(Refused::new("没有开通", "什么都没有变。", Link::new("/wallet/open-for", "回去改")))(error)),
    }
}

async fn act_for(member: Member) -> Page {
    let app = member.app();
    let me = member.visit.holder(member.signed.me)?;
    let relatives = acting_for(app, me.id).await?;
    let family = Family::of(app, &me, relatives.iter().copied()).await?;
    let row = |other: HolderId, may: &str| ActForRow {
        id: person_id(other),
        party: family.party(&me, other, ""),
        may: may.to_owned(),
        since: "本人同意".to_owned(),
        chosen: member.signed.subject == other && member.is_acting(),
    };
    let people = relatives.into_iter().map(|other| row(other, "可以替办:收钱、出示付款码、看明细")).collect();
    let helpers = me.agents.iter().map(|agent| row(*agent, "可以替我收钱、付款、看明细")).collect();
    let layout = member.layout("替家人办理", Section::Wallet).await?;
    member.visit.page(&ActFor { layout, key: key::fresh(), people, helpers })
}

async fn choose(member: Member, typed: Typed) -> Page {
    let app = &member.visit.app;
    if typed.get("person").is_empty() {
        let mut response = to_saying("/wallet", Said::ActingForMyself);
        web::clear_subject_cookie(app, response.headers_mut());
        return Ok(response);
    }
    let relative = parse_person_id(typed.get("person")).ok_or(Trouble::Missing)?;
    if !acting_for(app, member.signed.me).await?.contains(&relative) {
        return Err(Trouble::Missing);
    }
    let mut response = to_saying("/wallet", Said::ActingFor);
    web::set_subject_cookie(app, response.headers_mut(), relative);
    Ok(response)
}

/// Either side ends it: the relative takes the leave back, or the agent gives it up.
async fn end(member: Member, Path(id): Path<String>, typed: Typed) -> Page {
    let app = &member.visit.app;
    let me = member.signed.me;
    let other = parse_person_id(&id).ok_or(Trouble::Missing)?;
    let (holder, agent) = if member.visit.holder(me)?.agents.contains(&other) {
        (me, other)
    } else if acting_for(app, me).await?.contains(&other) {
        (other, me)
    } else {
        // Pressed twice, it is gone already: what was wanted holds.
        return Ok(to("/act-for"));
    };
    end_agent(app, holder, agent, typed.key(me, &format!("end-acting {id}"), &[])?).await?;
    let mut response = to_saying("/act-for", Said::ActingEnded);
    if member.signed.subject == other {
        web::clear_subject_cookie(app, response.headers_mut());
    }
    Ok(response)
}
