//! People: found by their full number, shown masked, in full only for a reason that is written down first; and what two operators do about them.

use super::blocks::{Block, Cell, Column, Field, Form, Row, Table};
use super::frame::{Answer, Filled, proposing, to};
use super::guard::{Desk, Desks, Needs, Place, parse_holder};
use super::regions::propose;
use super::words::iso_day;
use crate::pages::views::format;
use crate::problem::Problem;
use crate::service::operator::act;
use crate::web::person_id;
use axum::extract::Path;
use axum::http::Method;
use axum::routing::{get, post};
use gongji_ledger::{AreaCode, GrantKind, HolderId};
use gongji_store::vault::{KeepLast, Person};
use gongji_wallet::Reason;
use gongji_wallet::approval::Action;
use gongji_wallet::citizen::{CitizenNumber, Phone};
use gongji_wallet::day::day_of;
use gongji_wallet::object::{EMPLOYEE, EnrolmentStatus, FreezeReason, Holder, LineCode, RESIDENT};
use gongji_wallet::operator::{Deed, LookReason, Matter, Right, is_document};
use gongji_wallet::rules::Scope;

const SECTION: &str = "/console/people";

/// Movements on a person's page.
const MOVEMENTS: usize = 20;

/// Longest reason of a recovery (letters).
const RECOVERY_REASON_MAX: usize = 200;

pub fn routes(desks: Desks) -> Desks {
    let (see, reveal, make) = (Needs::Right(Right::SeePeople), Needs::Right(Right::Reveal), Needs::Right(Right::Make(Matter::People)));
    desks
        .at(Method::GET, "/console/people", see, Place::Own, get(page))
        .at(Method::POST, "/console/people/search", see, Place::Own, post(search))
        .at(Method::GET, "/console/people/{holder}", see, Place::Person, get(one))
        .at(Method::POST, "/console/people/{holder}/reveal", reveal, Place::Person, post(in_full))
        .at(Method::POST, "/console/people/{holder}/freeze", make, Place::Person, post(freeze))
        .at(Method::POST, "/console/people/{holder}/unfreeze", make, Place::Person, post(unfreeze))
        .at(Method::POST, "/console/people/{holder}/death", make, Place::Person, post(death))
        .at(Method::POST, "/console/people/{holder}/end-insurance", make, Place::Person, post(end_insurance))
        .at(Method::POST, "/console/people/{holder}/recovery", make, Place::Person, post(recovery))
}

fn search_form() -> Form {
    Form::post(format!("{SECTION}/search"), "查")
        .titled("按身份证号查", "查一次记一次。")
        .with(Field { kind: "search", ..Field::text("number", "身份证号", "", "号码不会出现在网址和日志里") })
}

async fn page(desk: Desk) -> Answer {
    desk.page(SECTION, "参保人", "平时只看打码的;要看完整的,写明理由", vec![Block::Form(search_form())]).await
}

async fn search(desk: Desk, filled: Filled) -> Answer {
    let number = match CitizenNumber::parse(filled.get("number")) {
        Ok(number) => number,
        Err(error) => return desk.wrong(SECTION, "参保人", "", vec![Block::Form(search_form())], &error.message_zh()).await,
    };
    let asked = number.as_str().to_owned();
    let found = desk.app.vault(move |vault| vault.find_by_id_number(&asked)).await?.map(HolderId);
    let person = found.map(|holder| desk.app.engine.holder(holder)).transpose()?.flatten();
    // Whether there is such a person elsewhere is told to nobody here.
    let here = person.filter(|person| match person.enrolment {
        Some(enrolment) => desk.covers(enrolment.area),
        None => desk.caller.operator.reach == Scope::Nation,
    });
    act(&desk.app, desk.caller.id(), Deed::Searched { found: u16::from(here.is_some()) }).await?;
    match here {
        Some(person) => Ok(to(&format!("{SECTION}/{}", person_id(person.id)))),
        None => {
            let blocks = vec![Block::Form(search_form())];
            desk.wrong(SECTION, "参保人", "", blocks, "没有查到,或者不在你的管辖地区参保。").await
        }
    }
}

struct Shown {
    holder: Holder,
    person: Option<Person>,
}

async fn asked(desk: &Desk, id: &str) -> Result<Shown, Problem> {
    let id = parse_holder(id).ok_or_else(Problem::not_found)?;
    let holder = desk.app.engine.holder(id)?.ok_or_else(Problem::not_found)?;
    let person = desk.app.vault(move |vault| vault.person(id.0)).await?;
    Ok(Shown { holder, person })
}

async fn one(desk: Desk, Path(id): Path<String>) -> Answer {
    let id = parse_holder(&id).ok_or_else(Problem::not_found)?;
    act(&desk.app, desk.caller.id(), Deed::Viewed { holder: id }).await?;
    let shown = asked(&desk, &person_id(id)).await?;
    person_page(&desk, &shown, None, "").await
}

async fn in_full(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let shown = asked(&desk, &id).await?;
    let document = filled.get("document").to_owned();
    if !is_document(&document) {
        return person_page(&desk, &shown, None, "写上依据的单号,里面不要有姓名、身份证号、手机号。").await;
    }
    let reason = filled.get("reason").parse().ok().and_then(|at: usize| LookReason::ALL.get(at).copied()).unwrap_or(LookReason::Complaint);
    act(&desk.app, desk.caller.id(), Deed::Revealed { holder: shown.holder.id, reason, document }).await?;
    let full = shown.person.as_ref().map(|person| {
        vec![
            ("姓名".to_owned(), person.name.reveal().to_owned()),
            ("身份证号".to_owned(), person.id_number.reveal().to_owned()),
            ("手机".to_owned(), person.phone.as_ref().map_or_else(|| "没有登记".to_owned(), |phone| phone.reveal().to_owned())),
        ]
    });
    person_page(&desk, &shown, full, "").await
}

fn insurance(desk: &Desk, holder: &Holder) -> String {
    let Some(enrolment) = holder.enrolment else { return "没有参保登记".to_owned() };
    let kind = match enrolment.insurance {
        EMPLOYEE if enrolment.pooled_only => "职工医保(单建统筹)",
        EMPLOYEE => "职工医保",
        RESIDENT => "居民医保",
        _ => "其他",
    };
    let status = match enrolment.status {
        EnrolmentStatus::Normal => "正常",
        EnrolmentStatus::Paused => "暂停",
        EnrolmentStatus::Ended => "终止",
    };
    format!("{} {kind},{status},{}起", desk.app.directory().area_name(enrolment.area), iso_day(enrolment.from))
}

async fn person_page(desk: &Desk, shown: &Shown, full: Option<Vec<(String, String)>>, problem: &str) -> Answer {
    let holder = &shown.holder;
    let directory = desk.app.directory();
    let masked = shown.person.as_ref().map_or_else(|| "没有名字".to_owned(), Person::masked_name);
    let mut blocks = Vec::new();
    match full {
        Some(full) => {
            blocks.push(Block::Note("wait", "下面是完整信息,这次查看已经记下。用完就关掉。".to_owned()));
            blocks.push(Block::Facts(full));
        }
        None => blocks.push(Block::Facts(vec![
            ("姓名".to_owned(), masked.clone()),
            ("身份证号".to_owned(), shown.person.as_ref().map(|person| person.masked_id_number(KeepLast::Four)).unwrap_or_default()),
            ("手机".to_owned(), shown.person.as_ref().and_then(Person::masked_phone).unwrap_or_else(|| "没有登记".to_owned())),
        ])),
    }
    let mut facts = vec![
        ("参保".to_owned(), insurance(desk, holder)),
        ("个人账户".to_owned(), format::yuan(holder.personal_total().0)),
        (
            "钱包".to_owned(),
            match &holder.wallet {
                Some(wallet) => format!("{},使用地 {}", format::yuan(holder.wallet_total().0), directory.area_name(wallet.place)),
                None => "没有确认使用".to_owned(),
            },
        ),
        ("还没办完".to_owned(), format!("转出 {} 笔,等接收 {} 笔,预占 {}", holder.outgoing.len(), holder.incoming.len(), format::yuan(holder.held.0))),
        ("亲属".to_owned(), format!("{} 位有确认的关系,{} 位可以代办", holder.relations.iter().filter(|one| one.ended.is_none()).count(), holder.agents.len())),
    ];
    if let Some(freeze) = &holder.freeze {
        facts.push(("冻结".to_owned(), format!("{},{}起;经办 {},复核 {}", freeze.reason.label(), format::when(freeze.since), freeze.maker, freeze.checker)));
    }
    if holder.died {
        facts.push(("状态".to_owned(), "已登记死亡".to_owned()));
    }
    blocks.push(Block::Facts(facts));
    if let Some(wallet) = &holder.wallet {
        blocks.push(Block::Table(lots(desk, holder, wallet.lots.as_slice())));
    }
    blocks.push(Block::Table(movements(desk, holder.id).await?));
    blocks.extend(forms(desk, holder));
    let title = format!("参保人 {masked}");
    if problem.is_empty() { desk.page(SECTION, &title, "", blocks).await } else { desk.wrong(SECTION, &title, "", blocks, problem).await }
}

fn lots(desk: &Desk, holder: &Holder, lots: &[gongji_ledger::Lot]) -> Table {
    let directory = desk.app.directory();
    let rows = lots.iter().map(|lot| Row {
        href: String::new(),
        cells: vec![
            Cell::text(directory.area_name(lot.origin.area)),
            Cell::text(if lot.origin.contributor == holder.id { "本人".to_owned() } else { format!("参保人 {}", person_id(lot.origin.contributor)) }),
            Cell::text(match lot.origin.kind {
                GrantKind::Own => "本人",
                GrantKind::Transfer => "转账",
                GrantKind::Quota => "共济额度",
            }),
            Cell::text(format::date(lot.since)),
            Cell::number(format::yuan(lot.amount.0)),
        ],
    });
    let mut columns: Vec<Column> = ["哪里的个人账户", "谁给的", "方式", "从几时"].map(Column::text).into();
    columns.push(Column::number("金额"));
    Table { title: "钱包里的钱从哪来".to_owned(), columns, rows: rows.collect(), empty: "钱包里没有钱。".to_owned(), ..Table::default() }
}

fn line_words(code: LineCode) -> &'static str {
    match code {
        LineCode::Contribution => "个账划入",
        LineCode::TransferOut => "转出",
        LineCode::TransferIn => "转入",
        LineCode::TransferBack => "转账退回",
        LineCode::PaymentHold => "就医购药",
        LineCode::PaymentRelease => "没收的退回",
        LineCode::PaymentRefund => "退费",
        LineCode::PremiumHold => "缴居民医保",
        LineCode::PremiumRelease => "缴费退回",
        LineCode::QuotaReturned => "额度退还",
        LineCode::CameBack => "退回个人账户",
    }
}

async fn movements(desk: &Desk, holder: HolderId) -> Result<Table, Problem> {
    let lines = desk.app.engine.lines(holder, None, MOVEMENTS, |_| true).await?;
    let rows = lines.iter().map(|line| Row {
        href: String::new(),
        cells: vec![
            Cell::text(format::when_from(line.at, desk.now)),
            Cell::text(line_words(line.code)),
            Cell::number(format::yuan_signed(line.amount.0)),
            Cell::number(format::yuan(line.wallet_after.0)),
            Cell::number(format::yuan(line.personal_after.0)),
            Cell::number(line.seq.to_string()),
        ],
    });
    let mut columns: Vec<Column> = ["几时", "什么"].map(Column::text).into();
    columns.extend(["金额", "钱包余额", "个人账户余额", "记录号"].map(Column::number));
    Ok(Table { title: format!("最近 {MOVEMENTS} 笔"), columns, rows: rows.collect(), empty: "还没有动过钱。".to_owned(), ..Table::default() })
}

fn forms(desk: &Desk, holder: &Holder) -> Vec<Block> {
    let path = format!("{SECTION}/{}", person_id(holder.id));
    let mut forms = Vec::new();
    if desk.caller.operator.has(Right::Reveal) {
        let reasons = LookReason::ALL.iter().enumerate().map(|(at, reason)| (at.to_string(), reason.label().to_owned(), at == 0)).collect();
        let form = Form::post(format!("{path}/reveal"), "看完整信息").titled("看完整信息", "先记下理由,再给你看。").toned("second");
        forms.push(Block::Form(form.with(Field::select("reason", "为什么看", reasons)).with(Field::document())));
    }
    let Some(enrolment) = holder.enrolment.filter(|enrolment| desk.may_make(Matter::People, Scope::Area(enrolment.area))) else { return forms };
    let submit = "提交,等同事复核";
    if holder.freeze.is_some() {
        forms.push(Block::Form(proposing(format!("{path}/unfreeze"), submit).titled("解除冻结", "").with(Field::document())));
    } else if !holder.died {
        let reasons = FreezeReason::ALL.iter().enumerate().map(|(at, reason)| (at.to_string(), reason.label().to_owned(), at == 0)).collect();
        let form = proposing(format!("{path}/freeze"), submit).titled("冻结钱包", "冻结以后不能转出、不能付款;等接收的转账照常退回。").toned("danger");
        forms.push(Block::Form(form.with(Field::select("reason", "原因", reasons)).with(Field::document())));
    }
    if !holder.died {
        let form =
            proposing(format!("{path}/recovery"), submit).titled("换手机、忘密码:恢复登录", "核对身份证原件以后办。本人再用新手机重新登记。").toned("second");
        let phone = Field { mode: "tel", ..Field::text("phone", "新手机号", "", "加密保存") };
        forms.push(Block::Form(form.with(phone).with(Field::text("why", "情况", "", "加密保存,最多 200 个字")).with(Field::document())));
        if enrolment.status == EnrolmentStatus::Normal {
            let form = proposing(format!("{path}/end-insurance"), submit).titled("停保登记", "没用完的共济额度和等接收的转账马上退回。").toned("second");
            forms.push(Block::Form(form.with(Field::date("from", "从哪天起", iso_day(day_of(desk.now)), "")).with(Field::document())));
        }
        let form = proposing(format!("{path}/death"), submit).titled("死亡登记", "不能撤销。没用完的共济额度和等接收的转账马上退回。").toned("danger");
        forms.push(Block::Form(form.with(Field::document())));
    }
    forms
}

/// The person in the address, and the region that answers for them.
fn insured(desk: &Desk, id: &str) -> Result<(HolderId, AreaCode), Problem> {
    let id = parse_holder(id).ok_or_else(Problem::not_found)?;
    let holder = desk.app.engine.holder(id)?.ok_or_else(Problem::not_found)?;
    Ok((id, holder.enrolment.ok_or(Reason::NotInsured)?.area))
}

async fn freeze(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let (holder, area) = insured(&desk, &id)?;
    let reason = filled.get("reason").parse().ok().and_then(|at: usize| FreezeReason::ALL.get(at).copied()).unwrap_or(FreezeReason::Other);
    propose(&desk, &filled, Action::Freeze { holder, area, reason }).await
}

async fn unfreeze(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let (holder, area) = insured(&desk, &id)?;
    propose(&desk, &filled, Action::Unfreeze { holder, area }).await
}

async fn death(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let (holder, area) = insured(&desk, &id)?;
    propose(&desk, &filled, Action::Death { holder, area }).await
}

async fn end_insurance(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let (holder, area) = insured(&desk, &id)?;
    let from = filled.day("from")?;
    propose(&desk, &filled, Action::EndInsurance { holder, area, from }).await
}

async fn recovery(desk: Desk, Path(id): Path<String>, filled: Filled) -> Answer {
    let (holder, area) = insured(&desk, &id)?;
    let phone = Phone::parse(filled.get("phone")).map_err(|error| Problem::field("phone", error.message_zh(), error.to_string()))?;
    let why = filled.get("why").to_owned();
    if why.is_empty() || why.chars().count() > RECOVERY_REASON_MAX {
        return Err(Problem::field("why", "写一句情况,最多 200 个字。", "A reason of at most 200 letters"));
    }
    let (maker, now) = (desk.caller.operator.login.clone(), desk.now);
    let request = desk.app.vault(move |vault| vault.request_recovery(holder.0, phone.as_str(), &why, &maker, now)).await?;
    propose(&desk, &filled, Action::Recovery { holder, area, request }).await
}
