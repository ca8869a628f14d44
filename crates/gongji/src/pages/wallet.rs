//! The wallet itself: home, opening, place of use, where the money comes from, relations.

use super::account::problems_of;
use super::family::{self, Family};
use super::frame::{Member, Page, Refused, Said, Trouble, to, to_saying, tried};
use super::movements::Teller;
use super::typed::Typed;
use super::views::wallet::{EndingRelation, FamilyShare, Home, LotRow, Open, Origins, OwnAccount, Place, RelationRow, Relations, Trouble as Stuck, Waiting};
use super::views::{Choice, Link, Party, Problem, Section, Tone, format};
use super::words;
use crate::app::App;
use crate::service::{ServiceError, asking, key, person, transfer};
use crate::web::{parse_person_id, person_id};
use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::{get, post};
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId};
use gongji_wallet::Reason;
use gongji_wallet::command::place_binding;
use gongji_wallet::day::{day_of, ms_of_day};
use gongji_wallet::object::{Counterparty, EMPLOYEE, EndReason, Holder, LineCode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lines under "最近".
const RECENT_LEN: usize = 5;

/// Givers in the family line.
const GIVERS_LEN: usize = 5;

/// Version of the text under "确认书上写了什么".
pub const CONSENT_TEXT: &str = "open-wallet-2026-11";

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/wallet", get(home))
        .route("/wallet/open", get(open_form).post(open))
        .route("/place", get(place_form).post(place))
        .route("/origins", get(origins))
        .route("/relations", get(relations))
        .route("/relations/{id}/end", post(end_relation))
}

async fn home(member: Member) -> Page {
    let app = member.app();
    let now = member.visit.now;
    let holder = member.subject()?;
    let directory = app.directory();
    let lines = app.engine.lines(holder.id, None, RECENT_LEN, |_| true).await.map_err(ServiceError::from)?;
    let waiting = transfer::waiting_for(app, holder.id)?;
    let teller = Teller::new(app, &holder, &lines).await?;
    let senders = Family::load(app, waiting.iter().map(|incoming| incoming.transfer.sender)).await?;
    let family = &teller.family;
    let area = family::own_area(&directory, &holder);
    let owner = if member.is_acting() { Party::new(family.name(holder.id), "", area) } else { family.me(holder.id, &area) };

    let mut waits = Vec::new();
    for ask in asking::waiting_for(app, member.signed.me).await? {
        let Some(payer) = ask.payer else { continue };
        let name = Family::load(app, [payer]).await?.name(payer);
        waits.push(Waiting {
            tone: Tone::Wait,
            title: format!("{name}在{}付 {}", words::institution_name(&directory, ask.institution), format::yuan(ask.bill.own.0)),
            text: format!("没带手机,{} 前等你确认。", format::clock(ask.expires)),
            action: Link::new(format!("/pay/requests/{}", words::id_text(ask.id)), "去确认"),
        });
    }
    for incoming in &waiting {
        let transfer = &incoming.transfer;
        let is_returning = transfer::is_returning(incoming.state, transfer.deadline, now);
        let sender = format!("{} {}", senders.mirrored(transfer.relation, transfer.sender), senders.name(transfer.sender));
        waits.push(Waiting {
            tone: Tone::Wait,
            title: format!("{} 转来 {}", sender.trim(), format::yuan(transfer.amount().0)),
            text: if is_returning {
                "过了期限,正在退回。".to_owned()
            } else {
                format!("{} 前收下,过时自动退回。", format::when_from(transfer.deadline, now))
            },
            action: Link::new(format!("/transfers/{}", words::id_text(transfer.id.0)), if is_returning { "看一看" } else { "去收下" }),
        });
    }
    // What I have sent and nobody has taken is mine alone, whoever's wallet is shown.
    for id in if member.is_acting() { &[][..] } else { &holder.outgoing } {
        let Some(outgoing) = app.engine.outgoing(holder.id, *id).map_err(ServiceError::from)? else { continue };
        let transfer = &outgoing.transfer;
        let receiver = gongji_wallet::relation::RelationCode::try_new(transfer.relation).map_or("家人", |code| code.spoken());
        waits.push(Waiting {
            tone: Tone::Wait,
            title: format!("转给{receiver}的 {},等对方收下", format::yuan(transfer.amount().0)),
            text: format!("{} 前没有收下,钱自动退回来。", format::when_from(transfer.deadline, now)),
            action: Link::new(format!("/transfers/{}", words::id_text(id.0)), "看进度"),
        });
    }
    let recent = lines.iter().map(|line| teller.line(line)).collect::<Result<_, _>>()?;
    let own_rules = directory.rules(holder.enrolment.map_or(0, |enrolment| enrolment.area), day_of(now));
    let is_closed = own_rules.is_closed_at(ms_of_day(now)) && !member.is_acting();
    let closed_now = if is_closed {
        let opens = minute_words(own_rules.closed_to);
        format!("现在是 {},{opens} 后可以转账。收钱、付款不受影响。", format::clock(now))
    } else {
        String::new()
    };
    let layout = member.layout("我的钱包", Section::Wallet).await?;
    let view = Home {
        layout,
        owner,
        opened: holder.wallet.is_some(),
        balance: format::yuan(holder.wallet_total().0),
        place: holder.wallet.as_ref().map(|wallet| words::place(&directory, wallet.place)).unwrap_or_default(),
        held: if holder.held.is_positive() { format!("另有 {} 正在付款,暂时不能用", format::yuan(holder.held.0)) } else { String::new() },
        own_account: own_account(&directory, &holder),
        family: shares(&holder, family),
        waits,
        closed_now,
        trouble: trouble(&holder, &directory, now),
        recent,
    };
    member.visit.page(&view)
}

/// "6:00" of a minute of the day.
fn minute_words(minute: u16) -> String {
    format!("{}:{:02}", minute / 60, minute % 60)
}

fn own_account(directory: &gongji_wallet::directory::Directory, holder: &Holder) -> Option<OwnAccount> {
    let enrolment = holder.enrolment?;
    let is_employee = enrolment.insurance == EMPLOYEE && !enrolment.pooled_only;
    let total = holder.personal_total();
    if !is_employee && total.is_zero() {
        return None;
    }
    let balance = holder.current_account().map_or(Fen::ZERO, |account| account.balance);
    let elsewhere = total - balance;
    let note = if elsewhere.is_positive() { format!("另有 {} 在以前参保的地方", format::yuan(elsewhere.0)) } else { String::new() };
    Some(OwnAccount { balance: format::yuan(balance.0), area: words::insured_in(directory, &enrolment), note })
}

/// Who gave how much of what is in the wallet now.
fn shares(holder: &Holder, family: &Family) -> Vec<FamilyShare> {
    let mut sums: BTreeMap<(HolderId, bool), Fen> = BTreeMap::new();
    for lot in holder.wallet.iter().flat_map(|wallet| wallet.lots.as_slice()) {
        *sums.entry((lot.origin.contributor, lot.origin.kind == GrantKind::Quota)).or_default() += lot.amount;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
    let share = |((giver, is_quota), sum): ((HolderId, bool), Fen)| FamilyShare {
        party: family.party(holder, giver, ""),
        amount: format::yuan(sum.0),
        note: if is_quota { "额度,不能再转出".to_owned() } else { String::new() },
    };
    sums.into_iter().take(GIVERS_LEN).map(share).collect()
}

fn trouble(holder: &Holder, directory: &gongji_wallet::directory::Directory, now: i64) -> Option<Stuck> {
    if let Some(freeze) = &holder.freeze {
        return Some(Stuck {
            title: "钱包被暂时冻结了".to_owned(),
            text: format!("{} 起冻结。这段时间不能付款、转账,钱不会少。请带身份证到参保地医保经办窗口询问。", format::date(freeze.since)),
            next: Some(Link::new("/notices", "看消息")),
        });
    }
    let Some(enrolment) = holder.enrolment.filter(|enrolment| enrolment.is_active()) else {
        return Some(Stuck {
            title: "医保参保状态不正常".to_owned(),
            text: "没有查到正常的基本医保参保记录,暂时不能收家人转来的钱,也不能转出。".to_owned(),
            next: None,
        });
    };
    (!directory.is_open(enrolment.area, day_of(now))).then(|| Stuck {
        title: format!("{}还没有开通医保钱包", words::city(directory, enrolment.area)),
        text: "开通以后,才能收家人转来的钱、转给家人。".to_owned(),
        next: Some(Link::new("/", "查一查哪里开通了")),
    })
}

// Opening.

async fn open_form(member: Member) -> Page {
    let phone = own_phone(&member).await?;
    open_page(&member, phone, false, Vec::new()).await
}

async fn own_phone(member: &Member) -> Result<String, Trouble> {
    let subject = member.signed.subject;
    let person = member.app().vault(move |vault| vault.person(subject.0)).await?;
    Ok(person.and_then(|person| person.masked_phone()).unwrap_or_default())
}

async fn open_page(member: &Member, phone: String, consent: bool, problems: Vec<Problem>) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let directory = app.directory();
    let place = holder.enrolment.map_or(0, |enrolment| enrolment.area);
    let blocked = words::reasons(&person::opening_preview(app, holder.id, place)?, member.visit.now);
    let mut layout = member.layout("确认使用钱包", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let choice = |area: AreaCode| Choice::new(area.to_string(), directory.area_name(area), true);
    let places = holder.enrolment.iter().map(|enrolment| choice(enrolment.area).with_note(words::insured_in(&directory, enrolment))).collect();
    let view = Open { layout, key: key::fresh(), places, phone, consent, blocked };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

async fn open(member: Member, typed: Typed) -> Page {
    let app = member.app();
    let (me, subject, now) = (member.signed.me, member.signed.subject, member.visit.now);
    let mut problems = Vec::new();
    let place = words::known_area(&app.directory(), typed.get("place"));
    if place.is_none() {
        problems.push(Problem::of("place", "请选一个使用地。"));
    }
    if !typed.yes("consent") {
        problems.push(Problem::of("consent", "看过确认书,在这里打个勾。"));
    }
    let (Some(place), true) = (place, problems.is_empty()) else {
        let phone = own_phone(&member).await?;
        return open_page(&member, phone, typed.yes("consent"), problems).await;
    };
    let key = typed.key(subject, "open-wallet", &["place"])?;
    match person::open_wallet(app, subject, me, place, key).await {
        Ok(answered) => {
            if !answered.replayed {
                app.vault(move |vault| vault.put_consent(subject.0, me.0, "open-wallet", CONSENT_TEXT, now)).await?;
            }
            Ok(to_saying("/wallet", Said::WalletOpened))
        }
        Err(ServiceError::Refused { reasons, .. }) if reasons == [Reason::WalletExists] => Ok(to("/wallet")),
        Err(error) => Err(tried(Refused::new("钱包没有开通", "什么都没有变。", Link::new("/wallet", "回钱包")))(error)),
    }
}

// Place of use.

async fn place_form(member: Member) -> Page {
    place_page(&member, Vec::new()).await
}

async fn place_page(member: &Member, problems: Vec<Problem>) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let Some(wallet) = holder.wallet.as_ref() else { return Ok(to("/wallet/open")) };
    let directory = app.directory();
    let now = member.visit.now;
    let wanted = holder.enrolment.map(|enrolment| enrolment.area).filter(|area| *area != wallet.place);
    let blocked = match wanted {
        Some(area) => words::reasons(&person::place_preview(app, holder.id, area)?, now),
        None => Vec::new(),
    };
    let mut layout = member.layout("变更使用地", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let view = Place {
        layout,
        key: key::fresh(),
        current: words::place(&directory, wallet.place),
        since: format::date(wallet.place_changed_at.unwrap_or(wallet.opened_at)),
        places: wanted.iter().map(|area| Choice::new(area.to_string(), directory.area_name(*area), true)).collect(),
        blocked,
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

async fn place(member: Member, typed: Typed) -> Page {
    let app = member.app();
    let (me, subject, now) = (member.signed.me, member.signed.subject, member.visit.now);
    let Some(place) = words::known_area(&app.directory(), typed.get("place")) else {
        return place_page(&member, vec![Problem::of("place", "请选一个使用地。")]).await;
    };
    let key = typed.key(subject, "change-place", &["place"])?;
    let proof = match app.identity.step_up_password(me.0, &typed.secret("password"), place_binding(subject, place), now).await {
        Ok(proof) => proof,
        Err(error) => return place_page(&member, problems_of(error, "password")?).await,
    };
    let proof = app.vault.verify_proof(&proof, now).ok().map(Into::into);
    person::change_place(app, subject, me, place, proof, key).await.map_err(tried(Refused::new(
        "使用地没有换",
        "钱包还在原来的地方用。",
        Link::new("/place", "回去看看"),
    )))?;
    Ok(to_saying("/wallet", Said::PlaceChanged))
}

// Where the money comes from.

async fn origins(member: Member) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let directory = app.directory();
    let family = Family::of(app, &holder, []).await?;
    let lots = holder.wallet.iter().flat_map(|wallet| wallet.lots.as_slice());
    let row = |lot: &gongji_ledger::Lot| LotRow {
        party: family.party(&holder, lot.origin.contributor, ""),
        origin: format!("{} 职工医保个人账户", words::place(&directory, lot.origin.area)),
        since: format!("{} 收到", format::day(lot.since)),
        amount: format::yuan(lot.amount.0),
        kind: words::kind_of_money(lot.origin.kind).to_owned(),
        is_quota: lot.origin.kind == GrantKind::Quota,
    };
    let layout = member.layout("钱从哪里来", Section::Wallet).await?;
    let owner = family.me(holder.id, &family::own_area(&directory, &holder));
    member.visit.page(&Origins { layout, owner, balance: format::yuan(holder.wallet_total().0), lots: lots.map(row).collect() })
}

// Relations.

#[derive(Deserialize)]
struct Ending {
    end: Option<String>,
}

async fn relations(member: Member, Query(Ending { end }): Query<Ending>) -> Page {
    let app = member.app();
    let holder = member.subject()?;
    let directory = app.directory();
    let family = Family::of(app, &holder, []).await?;
    let ending = match end.as_deref().map(parse_person_id) {
        Some(other) => {
            let other = other.filter(|other| holder.has_confirmed(*other)).ok_or(Trouble::Missing)?;
            Some(ending_of(app, &holder, &family, other)?)
        }
        None => None,
    };
    let is_transfer = |code: LineCode| matches!(code, LineCode::TransferIn | LineCode::TransferOut | LineCode::TransferBack);
    let lines = app.engine.lines(holder.id, None, 2_000, |line| is_transfer(line.code)).await.map_err(ServiceError::from)?;
    let mut rows = Vec::new();
    for relation in &holder.relations {
        let of_other = lines.iter().filter(|line| line.other == Counterparty::Holder(relation.other));
        let (mut received, mut sent) = (Fen::ZERO, Fen::ZERO);
        for line in of_other {
            if line.code == LineCode::TransferIn { received += line.amount } else { sent -= line.amount }
        }
        let quota = quota_of(&holder, relation.other);
        rows.push(RelationRow {
            id: person_id(relation.other),
            party: family.party(&holder, relation.other, &family::area_of(app, &directory, &holder, relation.other)?),
            sent: format!("转给对方 {},对方转来 {}", format::yuan(sent.0), format::yuan(received.0)),
            since: format!("{} 第一次收下时确认", format::date(relation.since)),
            quota: if quota.is_positive() { format!("对方给的额度还剩 {},解除后会退回", format::yuan(quota.0)) } else { String::new() },
            state: match relation.ended {
                None => "有效".to_owned(),
                Some((at, EndReason::ByPerson)) => format!("{} 解除", format::date(at)),
                Some((at, _)) => format!("{} 自动解除", format::date(at)),
            },
            state_tone: if relation.ended.is_none() { Tone::Good } else { Tone::Plain },
            can_end: relation.ended.is_none(),
        });
    }
    let layout = member.layout("我的家人", Section::Wallet).await?;
    member.visit.page(&Relations { layout, key: key::fresh(), rows, ending })
}

/// Quota of `other` in this wallet.
fn quota_of(holder: &Holder, other: HolderId) -> Fen {
    let is_theirs = |lot: &gongji_ledger::Lot| lot.origin.kind == GrantKind::Quota && lot.origin.contributor == other;
    holder.wallet.as_ref().map_or(Fen::ZERO, |wallet| wallet.lots.total_where(is_theirs))
}

fn ending_of(app: &App, holder: &Holder, family: &Family, other: HolderId) -> Result<EndingRelation, Trouble> {
    let name = family.name(other);
    let mut consequences = vec![format!("以后你们之间再转账,要重新填关系、重新确认。")];
    let mine = quota_of(holder, other);
    if mine.is_positive() {
        consequences.push(format!("{name}给你的额度里没用完的 {},马上退回{name}的个人账户。", format::yuan(mine.0)));
    }
    let theirs = app.engine.holder(other).map_err(ServiceError::from)?.map_or(Fen::ZERO, |other| quota_of(&other, holder.id));
    if theirs.is_positive() {
        consequences.push(format!("你给{name}的额度里没用完的 {},马上退回你的个人账户。", format::yuan(theirs.0)));
    }
    if mine.is_zero() && theirs.is_zero() {
        consequences.push("已经收下的转账归收的人,不会退回。".to_owned());
    }
    consequences.push("已经付的款不受影响;以后有退费,还按原来的来处退。".to_owned());
    Ok(EndingRelation { id: person_id(other), party: family.party(holder, other, ""), consequences })
}

async fn end_relation(member: Member, Path(id): Path<String>, typed: Typed) -> Page {
    let (me, subject) = (member.signed.me, member.signed.subject);
    let other = parse_person_id(&id).ok_or(Trouble::Missing)?;
    let key = typed.key(subject, &format!("end-relation {id}"), &[])?;
    match person::end_relation(member.app(), subject, me, other, key).await {
        Ok(_) => Ok(to_saying("/relations", Said::RelationEnded)),
        Err(ServiceError::Refused { reasons, .. }) if reasons == [Reason::RelationEnded] => Ok(to("/relations")),
        Err(error) => Err(tried(Refused::new("关系没有解除", "什么都没有变。", Link::new("/relations", "回我的家人")))(error)),
    }
}
