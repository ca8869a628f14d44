//! Sending money to a relative: the form, the check before it moves, the result.

use super::account::problems_of;
use super::acting::{relation_choices, sex_problem, typed_relation};
use super::family::{self, Family};
use super::frame::{Member, Page, Refused, Trouble, to, tried};
use super::typed::Typed;
use super::views::transfer::{Confirm, Form, KnownReceiver, Nearby, Show};
use super::views::{AreaGroup, Choice, Fact, Hidden, Link, Party, Problem, Section, StepState, TimelineStep, Tone, format};
use super::{places, words};
use crate::app::App;
use crate::service::readiness::{self, Tally};
use crate::service::transfer::{self, Wish};
use crate::service::{ServiceError, key, person};
use crate::web::{parse_person_id, person_id};
use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::get;
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId};
use gongji_wallet::citizen::{CitizenNumber, PersonName};
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::{Counterparty, EMPLOYEE, Holder, LineCode, Purse, Terminal, Transfer, TransferState};
use gongji_wallet::relation::RelationCode;
use gongji_wallet::{Outcome, Reason};
use serde::Deserialize;
use std::sync::Arc;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/transfer", get(form).post(check))
        .route("/transfer/confirm", get(|| async { to("/transfer") }).post(confirm))
        .route("/transfers/{id}", get(show))
        .route("/transfers/{id}/accept", get(back_to_transfer).post(accept))
        .route("/transfers/{id}/decline", get(back_to_transfer).post(decline))
        .route("/transfers/{id}/cancel", get(back_to_transfer).post(cancel))
}

#[derive(Deserialize)]
struct Preset {
    receiver: Option<String>,
}

/// Nobody sends on behalf of another: while acting the page says so instead of sending from the wrong wallet.
fn own(member: &Member) -> Result<Holder, Trouble> {
    if member.is_acting() {
        let refused = Refused::new("转账要本人来办", "什么都没有转。", Link::new("/act-for", "换成自己再转"));
        return Err(tried(refused)(Reason::NotYours));
    }
    member.visit.holder(member.signed.me)
}

async fn form(member: Member, Query(preset): Query<Preset>) -> Page {
    let me = own(&member)?;
    let receiver = preset.receiver.unwrap_or_default();
    form_page(&member, &me, None, &receiver, Vec::new()).await
}

async fn form_page(member: &Member, me: &Holder, typed: Option<&Typed>, receiver: &str, problems: Vec<Problem>) -> Page {
    let app = member.app();
    let directory = app.directory();
    let now = member.visit.now;
    let family = Family::of(app, me, []).await?;
    let text = |field: &str| typed.map(|typed| typed.text(field)).unwrap_or_default();
    let lines = app.engine.lines(me.id, None, 500, |line| line.code == LineCode::TransferOut).await.map_err(ServiceError::from)?;
    let mut known = Vec::new();
    for relation in me.relations.iter().filter(|relation| relation.ended.is_none()) {
        let last = lines.iter().find(|line| line.other == Counterparty::Holder(relation.other));
        let tail = family.person(relation.other).map(|person| person.id_number.reveal()).unwrap_or_default();
        let tail = &tail[tail.len().saturating_sub(4)..];
        let last = last.map(|line| format!(" · 上次 {} {}", format::day(line.at), format::yuan(-line.amount.0))).unwrap_or_default();
        let id = person_id(relation.other);
        known.push(KnownReceiver {
            chosen: id == receiver,
            party: family.party(me, relation.other, &family::area_of(app, &directory, me, relation.other)?),
            note: format!("尾号 {tail}{last}"),
            nearby: match place_of(app, relation.other)? {
                Some(area) => nearby_in_few_words(app, &words::city(&directory, area), area, now),
                None => String::new(),
            },
            id,
        });
    }
    let new_chosen = known.is_empty() || receiver == "new" || !known.iter().any(|known| known.chosen) && !receiver.is_empty();
    if !new_chosen && !known.iter().any(|known| known.chosen) {
        known[0].chosen = true;
    }
    let (limits, blocked) = today(app, me, now);
    let mut layout = member.layout("转给家人", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let near = words::known_area(&directory, &text("near"));
    let view = Form {
        layout,
        me: family.me(me.id, &family::own_area(&directory, me)),
        known,
        new_chosen,
        name: text("name"),
        id_number: text("id_number"),
        relations: relation_choices(&text("relation")),
        near: words::area_groups(&directory, near),
        sources: sources(me, &text("source")),
        amount: text("amount"),
        limits,
        blocked,
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

fn nearby_in_few_words(app: &App, city: &str, area: AreaCode, now: i64) -> String {
    match readiness::nearby(app, area, now).all {
        Tally { ready: 0, quiet: 0, .. } => format!("{city}:近处还没有可用的"),
        Tally { ready: 0, .. } => format!("{city}:近处近 7 天没有一家付成过"),
        Tally { ready, .. } => format!("{city}:近处 {ready} 家可用"),
    }
}

fn sources(me: &Holder, chosen: &str) -> Vec<Choice> {
    let mut sources = Vec::new();
    let account = me.current_account().map_or(Fen::ZERO, |account| account.balance);
    let is_employee = me.enrolment.is_some_and(|enrolment| enrolment.insurance == EMPLOYEE && !enrolment.pooled_only);
    let passable = me.wallet.as_ref().map_or(Fen::ZERO, |wallet| wallet.lots.total_where(|lot| lot.origin.kind != GrantKind::Quota));
    let is_account_first = chosen != "wallet" && is_employee;
    if is_employee || account.is_positive() {
        sources.push(Choice::new("account", "我的个人账户", is_account_first).with_note(format!("余额 {}", format::yuan(account.0))));
    } else {
        let note = if me.enrolment.is_some_and(|enrolment| enrolment.pooled_only) {
            "单建统筹职工医保没有个人账户"
        } else {
            "居民医保没有个人账户"
        };
        sources.push(Choice { disabled: true, ..Choice::new("account", "我的个人账户", false).with_note(note) });
    }
    sources.push(match me.wallet {
        Some(_) => Choice::new("wallet", "我的钱包", !is_account_first).with_note(format!("可以转的有 {}", format::yuan(passable.0))),
        None => Choice { disabled: true, ..Choice::new("wallet", "我的钱包", false).with_note("还没有确认使用") },
    });
    sources
}

/// Today's limits in words, and what stands against any transfer now, whomever it is for.
fn today(app: &App, me: &Holder, now: i64) -> (String, Vec<super::views::Reason>) {
    // A cent to an imagined child: what is left of the reasons holds for every receiver and sum.
    let probe = Wish { sender: me.id, receiver: HolderId::nobody(me.id.part()), relation: 20, amount: Fen(1), from_wallet: false };
    let Ok(preview) = transfer::preview(app, &probe) else { return (String::new(), Vec::new()) };
    let general = |reason: &&Reason| {
        matches!(
            reason,
            Reason::PersonDied
                | Reason::Frozen
                | Reason::NotInsured
                | Reason::InsuranceNotNormal
                | Reason::RegionClosed { .. }
                | Reason::ClosedHours { .. }
                | Reason::DailyCount { .. }
                | Reason::DailyTotal { .. }
                | Reason::TransferPending
        )
    };
    let mut blocked = Vec::new();
    for reason in preview.reasons.iter().filter(general) {
        let mut shown = words::reason(reason, now);
        if let (Reason::TransferPending, Some(id)) = (reason, me.outgoing.first()) {
            shown.link = Some(Link::new(format!("/transfers/{}", words::id_text(id.0)), "看上一笔"));
        }
        blocked.push(shown);
    }
    let limits = format!("今天还能转 {} 次,每次最多 {}。", preview.transfers_left, format::yuan(preview.transfer_max.0));
    let limits = match preview.daily_total_left {
        Some(left) => format!("{limits}今天一共还能转 {}。", format::yuan(left.0)),
        None => limits,
    };
    (limits, blocked)
}

/// A draft that can be shown once more; it travels in hidden fields, never in an address.
const DRAFT: [&str; 7] = ["receiver", "name", "id_number", "relation", "near", "source", "amount"];

struct Draft {
    wish: Wish,
    /// As the sender calls the receiver.
    to: Party,
    spoken: &'static str,
    near: Option<AreaCode>,
}

/// Reads the form. The problems tell what is wrong with it in itself; what the rules say comes later.
async fn draft(app: &App, me: &Holder, typed: &Typed) -> Result<Result<Draft, Vec<Problem>>, Trouble> {
    let directory = app.directory();
    let mut problems = Vec::new();
    let near = words::known_area(&directory, typed.get("near"));
    let mut receiver = None;
    if typed.get("receiver") == "new" || typed.get("receiver").is_empty() {
        let name = PersonName::parse(typed.get("name")).map_err(|error| problems.push(Problem::of("name", error.message_zh()))).ok();
        let number = CitizenNumber::parse(typed.get("id_number")).map_err(|error| problems.push(Problem::of("id_number", error.message_zh()))).ok();
        let relation = typed_relation(typed, &mut problems);
        problems.extend(number.as_ref().zip(relation).and_then(|(number, relation)| sex_problem(number, relation)));
        if let (Some(name), Some(number), Some(relation)) = (name, number, relation) {
            let found = transfer::find_receiver(app, me.id, name.as_str(), number.as_str()).await?;
            let area = near.map(|area| words::place(&directory, area)).unwrap_or_default();
            receiver = Some((found, relation, Party::new(name.as_str(), relation.label(), area), near));
        }
    } else {
        let other = parse_person_id(typed.get("receiver")).filter(|other| me.has_confirmed(*other));
        let Some(other) = other else { return Ok(Err(vec![Problem::of("receiver", "请选转给哪位家人。")])) };
        let family = Family::of(app, me, []).await?;
        let relation = family.relation(me, other).ok_or(Trouble::Missing)?;
        let near = place_of(app, other)?;
        let area = near.map(|area| words::place(&directory, area)).unwrap_or_default();
        receiver = Some((other, relation, family.party(me, other, &area), near));
    }
    let from_wallet = match typed.get("source") {
        "account" => false,
        "wallet" => true,
        _ => {
            problems.push(Problem::of("source", "请选从哪里转。"));
            false
        }
    };
    let amount = typed.yuan("amount", &mut problems);
    match receiver {
        Some((receiver, relation, to, near)) if problems.is_empty() => {
            let wish = Wish { sender: me.id, receiver, relation: relation.get(), amount, from_wallet };
            Ok(Ok(Draft { wish, to, spoken: relation.spoken(), near }))
        }
        _ => Ok(Err(problems)),
    }
}

async fn check(member: Member, typed: Typed) -> Page {
    let me = own(&member)?;
    if typed.yes("edit") {
        return form_page(&member, &me, Some(&typed), typed.get("receiver"), Vec::new()).await;
    }
    match draft(member.app(), &me, &typed).await? {
        Ok(draft) => confirm_page(&member, &me, &typed, &draft, Vec::new(), None).await,
        Err(problems) => form_page(&member, &me, Some(&typed), typed.get("receiver"), problems).await,
    }
}

async fn confirm_page(member: &Member, me: &Holder, typed: &Typed, draft: &Draft, problems: Vec<Problem>, key: Option<String>) -> Page {
    let app = member.app();
    let now = member.visit.now;
    let directory = app.directory();
    let preview = transfer::preview(app, &draft.wish)?;
    let family = Family::load(app, [me.id]).await?;
    let mut layout = member.layout("再看一遍", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let spoken = draft.spoken;
    let receiver = app.engine.holder(draft.wish.receiver).map_err(ServiceError::from)?;
    let is_immediate = preview.is_confirmed && receiver.is_some_and(|receiver| receiver.wallet.is_some());
    let deadline = format::when_from(preview.deadline, now);
    let (outcome, outcome_tone) = if is_immediate {
        (format!("{spoken}确认过和你的关系,确认后马上到账。到账以后不能要回。"), Tone::Good)
    } else {
        (format!("要等{spoken}收下才到账。{deadline} 前没有收下,钱自动退回来。收下之前你可以取消。"), Tone::Wait)
    };
    let kind = match preview.kind {
        GrantKind::Quota if !draft.wish.from_wallet => "共济额度:用不完、解除关系时退回",
        _ => "转账:收下后归对方",
    };
    let source = if draft.wish.from_wallet { "我的钱包" } else { "我的个人账户" };
    let facts =
        vec![Fact::new("从哪里转", source), Fact::new("关系", draft.to.relation.clone()), Fact::new("怎么转", kind), Fact::new("最晚收下", deadline.clone())];
    let nearby = draft.near.map(|area| nearby(app, &directory, area)).unwrap_or_default();
    let hidden = DRAFT.map(|field| Hidden::new(field, typed.get(field))).to_vec();
    let left = preview.transfers_left.saturating_sub(1);
    let limits = format!("转完这一次,今天还能转 {left} 次。");
    let blocked = words::reasons(&preview.reasons, now);
    let view = Confirm {
        layout,
        key: key.unwrap_or_else(key::fresh),
        hidden,
        from: family.me(me.id, &family::own_area(&directory, me)),
        to: draft.to.clone(),
        amount: format::yuan(draft.wish.amount.0),
        facts,
        blocked,
        outcome,
        outcome_tone,
        nearby,
        limits,
        face: true,
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

fn nearby(app: &App, directory: &gongji_wallet::directory::Directory, area: AreaCode) -> Nearby {
    let place = words::city(directory, area);
    let counted = readiness::nearby(app, area, app.now());
    let Tally { ready, quiet, off } = counted.all;
    let pharmacies = counted.pharmacies_ready;
    let (sentence, tone) = match (ready, quiet) {
        (0, 0) => (format!("{place}还没有医院、药店能用钱包付款。转过去之前,先问问当地。"), Tone::Alarm),
        (0, _) => (format!("{place}近 7 天没有一家成功收过钱包的款,去之前先打电话问一句。"), Tone::Wait),
        _ => (format!("近处 {ready} 家可用:医院 {} 家,药店 {pharmacies} 家。", ready - pharmacies), Tone::Good),
    };
    let by_terminal = Terminal::ALL.into_iter().zip(counted.terminals).map(|(one, tally)| format!("{} {} 家", places::terminal_label(one), tally.ready));
    let ways = if ready > 0 { format!("{}能付。", by_terminal.collect::<Vec<_>>().join(",")) } else { String::new() };
    let (ready, quiet, closed) = (ready.to_string(), quiet.to_string(), off.to_string());
    Nearby { place, sentence, ways, tone, ready, quiet, closed, href: format!("/institutions?area={area}") }
}

/// Where a relative's wallet pays, or will once it is open.
fn place_of(app: &App, other: HolderId) -> Result<Option<AreaCode>, Trouble> {
    let other = app.engine.holder(other).map_err(ServiceError::from)?;
    Ok(other.and_then(|other| other.wallet.map(|wallet| wallet.place).or(other.enrolment.map(|enrolment| enrolment.area))))
}

async fn confirm(member: Member, typed: Typed) -> Page {
    let app = member.app();
    let now = member.visit.now;
    let me = own(&member)?;
    let draft = match draft(app, &me, &typed).await? {
        Ok(draft) => draft,
        Err(problems) => return form_page(&member, &me, Some(&typed), typed.get("receiver"), problems).await,
    };
    let key = typed.key(me.id, "transfer", &DRAFT)?;
    let bound = draft.wish.binding();
    let checked = match typed.get("check") {
        "face" => app.identity.step_up_face(me.id.0, "", bound, now).await,
        _ => app.identity.step_up_password(me.id.0, &typed.secret("password"), bound, now).await,
    };
    let proof = match checked {
        Ok(proof) => app.vault.verify_proof(&proof, now).ok().map(Into::into),
        // Nothing was asked of the wallet yet: the same key may go on.
        Err(error) => return confirm_page(&member, &me, &typed, &draft, problems_of(error, "password")?, Some(typed.text("key"))).await,
    };
    let refused = Refused::new("钱没有转出", "钱还在原处,一分没动。", Link::new("/transfer", "回去改"));
    let answered = transfer::submit(app, &draft.wish, proof, key).await.map_err(tried(refused))?;
    match answered.outcome {
        Outcome::Transfer { id, .. } => Ok(to(&format!("/transfers/{}", words::id_text(id.0)))),
        other => unreachable!("a transfer answers with a transfer, not {other:?}"),
    }
}

/// A transfer as the reader sees it.
enum Seen {
    /// Sent by the signed-in person.
    Sent { transfer: Transfer, state: TransferState, decided_at: Option<i64>, reason: Option<Reason> },
    /// Sent to the person whose wallet is shown.
    Received { transfer: Transfer, state: TransferState, decided_at: Option<i64> },
}

/// Ids of transfers are shared by two people; for everybody else there is no such page.
async fn seen(member: &Member, id: &str) -> Result<Seen, Trouble> {
    let app = member.app();
    let id = TransferId(words::id_from(id).ok_or(Trouble::Missing)?);
    if !member.is_acting()
        && let Some(outgoing) = transfer::outgoing(app, member.signed.me, id).await?
    {
        return Ok(Seen::Sent { transfer: outgoing.transfer, state: outgoing.state, decided_at: outgoing.decided_at, reason: outgoing.reason });
    }
    let incoming = transfer::incoming(app, member.signed.subject, id)?.ok_or(Trouble::Missing)?;
    // What was refused or returned on arrival never reached this person.
    if incoming.state == TransferState::Refused {
        return Err(Trouble::Missing);
    }
    Ok(Seen::Received { transfer: incoming.transfer, state: incoming.state, decided_at: incoming.decided_at })
}

async fn show(member: Member, Path(id): Path<String>) -> Page {
    show_page(&member, &id, Vec::new()).await
}

async fn show_page(member: &Member, id: &str, problems: Vec<Problem>) -> Page {
    let mut view = match seen(member, id).await? {
        Seen::Sent { transfer, state, decided_at, reason } => sent_view(member, &transfer, state, decided_at, reason.as_ref()).await?,
        Seen::Received { transfer, state, decided_at } => received_view(member, &transfer, state, decided_at).await?,
    };
    let is_wrong = !problems.is_empty();
    view.layout = member.layout("这一笔转账", Section::Wallet).await?;
    view.layout.problems = problems;
    view.key = key::fresh();
    view.id = id.to_owned();
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

fn step(label: impl Into<String>, at: String, state: StepState) -> TimelineStep {
    TimelineStep { label: label.into(), at, note: String::new(), state }
}

fn when_decided(at: Option<i64>) -> String {
    at.map(format::when).unwrap_or_default()
}

/// The receipt of the line that a transfer wrote for this person.
async fn receipt_of(app: &App, holder: HolderId, id: TransferId, code: LineCode) -> Result<Option<String>, Trouble> {
    let lines = app.engine.lines(holder, None, 1, |line| line.reference == id.0 && line.code == code).await.map_err(ServiceError::from)?;
    Ok(lines.first().map(|line| format!("/movements/{}", line.number)))
}

async fn sent_view(member: &Member, transfer: &Transfer, state: TransferState, decided_at: Option<i64>, reason: Option<&Reason>) -> Result<Show, Trouble> {
    let app = member.app();
    let now = member.visit.now;
    let me = member.visit.holder(member.signed.me)?;
    let directory = app.directory();
    let family = Family::of(app, &me, [transfer.receiver]).await?;
    let relation = RelationCode::try_new(transfer.relation).ok();
    let spoken = relation.map_or("家人", |code| code.spoken());
    // Somebody who could not receive is not named: the answer must not tell who exists.
    let is_known = me.relation(transfer.receiver).is_some() || !matches!(state, TransferState::Submitted | TransferState::Refused);
    let name = if is_known { family.name(transfer.receiver) } else { spoken.to_owned() };
    let to = Party::new(name, relation.map_or("", |code| code.label()), family::area_of(app, &directory, &me, transfer.receiver)?);
    let is_returning = transfer::is_returning(state, transfer.deadline, now);
    let deadline = format::when_from(transfer.deadline, now);
    let (heading, tone) = match state {
        _ if is_returning => (format!("{spoken}没有收下,钱正在退回"), Tone::Wait),
        TransferState::Submitted => ("正在送过去".to_owned(), Tone::Wait),
        TransferState::AwaitingRecipient => (format!("等{spoken}收下"), Tone::Wait),
        TransferState::Credited => (format!("{spoken}已收到"), Tone::Good),
        TransferState::Declined => (format!("{spoken}没有收,钱已退回"), Tone::Plain),
        TransferState::Cancelled => ("已取消,钱已退回".to_owned(), Tone::Plain),
        TransferState::Returned => ("过了期限没人收,钱已退回".to_owned(), Tone::Plain),
        TransferState::Refused => ("没有转成,钱已退回".to_owned(), Tone::Alarm),
    };
    let mut steps = vec![step("已提交", format::when(transfer.sent_at), StepState::Done)];
    match state {
        TransferState::Submitted | TransferState::AwaitingRecipient => {
            steps.push(step(format!("等{spoken}收下"), format!("{deadline} 前"), StepState::Now));
            steps.push(step("到账", String::new(), StepState::Ahead));
        }
        TransferState::Credited => steps.push(step(format!("{spoken}收下,已到账"), when_decided(decided_at), StepState::Done)),
        _ => steps.push(step("钱退回原处", when_decided(decided_at), StepState::Ended)),
    }
    let mut facts = facts_of(transfer, state, id_of(transfer));
    if let Some(reason) = reason {
        let words = reason.words();
        facts.insert(0, Fact::new("原因", format!("{}{}", words.title, words.next_step)));
    }
    let is_open = !state.is_final() && !is_returning;
    let mut next = vec![Link::new("/wallet", "回钱包")];
    if state.is_final() {
        next.insert(0, Link::new("/transfer", "再转一笔"));
    }
    Ok(Show {
        heading,
        tone,
        from: family.me(me.id, &family::own_area(&directory, &me)),
        to,
        amount: format::yuan(transfer.amount().0),
        deadline: if is_open { format!("{deadline} 前没有收下,钱会自动退回。") } else { String::new() },
        steps,
        facts,
        state: format!("{state:?}"),
        waiting: !state.is_final(),
        can_cancel: state == TransferState::AwaitingRecipient && !is_returning,
        receipt_href: receipt_of(app, me.id, transfer.id, LineCode::TransferOut).await?,
        next,
        ..Show::default()
    })
}

fn id_of(transfer: &Transfer) -> String {
    words::id_text(transfer.id.0)
}

fn facts_of(transfer: &Transfer, state: TransferState, number: String) -> Vec<Fact> {
    let source = match transfer.source {
        Purse::Wallet => "钱包",
        Purse::Personal { .. } => "个人账户",
    };
    let mut facts = vec![Fact::new("从哪里转出", source)];
    if state != TransferState::Refused {
        facts.push(Fact::new("性质", if transfer.kind == GrantKind::Quota { "共济额度:用不完会退回" } else { "转账:收下后归收的人" }));
    }
    facts.push(Fact::new("办理规则", words::rule_words(transfer.rule)));
    facts.push(Fact::new("编号", number));
    facts
}

async fn received_view(member: &Member, transfer: &Transfer, state: TransferState, decided_at: Option<i64>) -> Result<Show, Trouble> {
    let app = member.app();
    let now = member.visit.now;
    let subject = member.subject()?;
    let directory = app.directory();
    let family = Family::of(app, &subject, [transfer.sender]).await?;
    let sender = family.name(transfer.sender);
    let relation = family.mirrored(transfer.relation, transfer.sender);
    let from = Party::new(sender.clone(), relation.clone(), family::area_of(app, &directory, &subject, transfer.sender)?);
    let to = if member.is_acting() {
        Party::new(family.name(subject.id), "", family::own_area(&directory, &subject))
    } else {
        family.me(subject.id, &family::own_area(&directory, &subject))
    };
    let is_returning = transfer::is_returning(state, transfer.deadline, now);
    let deadline = format::when_from(transfer.deadline, now);
    let is_waiting = state == TransferState::AwaitingRecipient && !is_returning;
    let (heading, tone) = match state {
        _ if is_returning => ("过了期限,钱正在退回".to_owned(), Tone::Wait),
        TransferState::Submitted | TransferState::AwaitingRecipient => (format!("{relation}{sender}转来一笔钱"), Tone::Wait),
        TransferState::Credited => ("收下了,已到账".to_owned(), Tone::Good),
        TransferState::Declined => ("没有收,钱已退回".to_owned(), Tone::Plain),
        TransferState::Cancelled => ("对方取消了这一笔".to_owned(), Tone::Plain),
        TransferState::Returned | TransferState::Refused => ("过了期限没有收,钱已退回".to_owned(), Tone::Plain),
    };
    let mut steps = vec![step(format!("{sender}转出"), format::when(transfer.sent_at), StepState::Done)];
    match state {
        TransferState::Submitted | TransferState::AwaitingRecipient => {
            steps.push(step("等收下", format!("{deadline} 前"), StepState::Now));
            steps.push(step("到账", String::new(), StepState::Ahead));
        }
        TransferState::Credited => steps.push(step("收下,已到账", when_decided(decided_at), StepState::Done)),
        _ => steps.push(step("钱退回去了", when_decided(decided_at), StepState::Ended)),
    }
    let places = match (is_waiting && subject.wallet.is_none(), subject.enrolment) {
        (true, Some(enrolment)) => {
            let name = directory.regions.get(&enrolment.area).map(|region| (region.province.clone(), region.name.clone())).unwrap_or_default();
            vec![AreaGroup { province: name.0, areas: vec![Choice::new(enrolment.area.to_string(), name.1, true)] }]
        }
        _ => Vec::new(),
    };
    let accept_note = if is_waiting && !subject.has_confirmed(transfer.sender) {
        format!(
            "收下这一笔,就等于确认{sender}是{}。以后{sender}再转,马上到账。不认识就不要收。",
            if relation.is_empty() { "家人".to_owned() } else { format!("你的{relation}") }
        )
    } else {
        String::new()
    };
    Ok(Show {
        heading,
        tone,
        from,
        to,
        amount: format::yuan(transfer.amount().0),
        deadline: if is_waiting { format!("{deadline} 前没有收下,钱会自动退回。") } else { String::new() },
        steps,
        facts: facts_of(transfer, state, id_of(transfer)),
        state: format!("{state:?}"),
        waiting: !state.is_final(),
        can_accept: is_waiting,
        can_decline: is_waiting,
        accept_note,
        receipt_href: receipt_of(app, subject.id, transfer.id, LineCode::TransferIn).await?,
        next: if is_waiting { Vec::new() } else { vec![Link::new("/wallet", "去钱包看看"), Link::new("/institutions", "在哪里能用")] },
        places,
        ..Show::default()
    })
}

async fn back_to_transfer(Path(id): Path<String>) -> axum::response::Response {
    match words::id_from(&id) {
        Some(id) => to(&format!("/transfers/{}", words::id_text(id))),
        None => to("/wallet"),
    }
}

async fn accept(member: Member, Path(id): Path<String>, typed: Typed) -> Page {
    let app = member.app();
    let (me, subject, now) = (member.signed.me, member.subject()?, member.visit.now);
    let Seen::Received { transfer, .. } = seen(&member, &id).await? else { return Err(Trouble::Missing) };
    if subject.wallet.is_none() {
        let Some(place) = words::known_area(&app.directory(), typed.get("place")) else {
            return show_page(&member, &id, vec![Problem::of("place", "请选在哪里用这笔钱。")]).await;
        };
        let refused = Refused::new("钱包没有开通,钱还没收下", "这笔钱还在等你。", Link::new(format!("/transfers/{id}"), "回去看看"));
        let key = typed.key(subject.id, &format!("accept-open {id}"), &["place"])?;
        let opened = person::open_wallet(app, subject.id, me, place, key).await.map_err(tried(refused))?;
        if !opened.replayed {
            let subject = subject.id;
            app.vault(move |vault| vault.put_consent(subject.0, me.0, "open-wallet", super::wallet::CONSENT_TEXT, now)).await?;
        }
    }
    let key = typed.key(subject.id, &format!("accept {id}"), &[])?;
    settled(&id, "这一笔没有收下", transfer::accept(app, transfer.id, subject.id, me, key).await)
}

async fn decline(member: Member, Path(id): Path<String>, typed: Typed) -> Page {
    let Seen::Received { transfer, .. } = seen(&member, &id).await? else { return Err(Trouble::Missing) };
    let (me, subject) = (member.signed.me, member.signed.subject);
    let key = typed.key(subject, &format!("decline {id}"), &[])?;
    settled(&id, "这一笔没有退回", transfer::decline(member.app(), transfer.id, subject, me, key).await)
}

async fn cancel(member: Member, Path(id): Path<String>, typed: Typed) -> Page {
    let me = own(&member)?.id;
    let Seen::Sent { transfer, .. } = seen(&member, &id).await? else { return Err(Trouble::Missing) };
    let key = typed.key(me, &format!("cancel {id}"), &[])?;
    settled(&id, "这一笔没有取消", transfer::cancel(member.app(), transfer.id, me, key).await)
}

/// What is final by now shows itself on the transfer's page, whoever was quicker.
fn settled(id: &str, heading: &str, result: crate::service::Result<crate::service::Answered>) -> Page {
    let path = format!("/transfers/{id}");
    match result {
        Ok(_) => Ok(to(&path)),
        Err(ServiceError::Refused { reasons, .. }) if matches!(reasons[..], [Reason::TransferFinal { .. } | Reason::TransferOverdue]) => Ok(to(&path)),
        Err(error) => Err(tried(Refused::new(heading, "", Link::new(path, "回去看看")))(error)),
    }
}
