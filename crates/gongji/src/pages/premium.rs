//! The yearly premium of the resident insurance (居民医保参保缴费), from the wallet.

use super::account::problems_of;
use super::family::{self, Family};
use super::frame::{Member, Page, Refused, Trouble, to, tried};
use super::typed::Typed;
use super::views::premium::{Confirm, Form, InsuredChoice, Receipt};
use super::views::{Choice, Fact, Hidden, Link, Problem, Section, StepState, TimelineStep, Tone, format};
use super::words;
use crate::app::App;
use crate::service::premium::{self, Wish};
use crate::service::{ServiceError, key};
use crate::web::{parse_person_id, person_id};
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use gongji_ledger::{AreaCode, HolderId};
use gongji_wallet::Outcome;
use gongji_wallet::Reason;
use gongji_wallet::day::{day_of, instant};
use gongji_wallet::directory::{Directory, Premium};
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::{Holder, LineCode, PaymentState, Purpose, RESIDENT};
use gongji_wallet::payment::payer_reasons;
use std::collections::BTreeSet;
use std::sync::Arc;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/premium", get(form).post(check))
        .route("/premium/confirm", get(|| async { to("/premium") }).post(confirm))
        .route("/premium/{id}", get(receipt))
}

/// Somebody whose premium may be paid from this wallet, and where they are insured.
struct Insured {
    id: HolderId,
    area: AreaCode,
}

/// The person and confirmed relatives, as far as they have resident insurance.
fn insured(app: &App, payer: &Holder) -> Result<Vec<Insured>, Trouble> {
    let relatives = payer.relations.iter().filter(|relation| relation.ended.is_none()).map(|relation| relation.other);
    let mut found = Vec::new();
    for id in std::iter::once(payer.id).chain(relatives) {
        let person = app.engine.holder(id).map_err(ServiceError::from)?;
        if let Some(enrolment) = person.filter(|person| !person.died).and_then(|person| person.enrolment).filter(|enrolment| enrolment.insurance == RESIDENT) {
            found.push(Insured { id, area: enrolment.area });
        }
    }
    Ok(found)
}

/// Years of an area whose window has not closed, the earliest first.
fn open_years(directory: &Directory, area: AreaCode, now: i64) -> Vec<Arc<Premium>> {
    let today = day_of(now);
    let of_area = directory.premiums.range((area, 0)..=(area, u16::MAX)).map(|(_, premium)| premium);
    of_area.filter(|premium| premium.closes >= today).cloned().collect()
}

fn window(premium: &Premium) -> String {
    format!("{} 到 {} 可缴", format::date(instant(premium.opens, 0)), format::date(instant(premium.closes, 0)))
}

async fn form(member: Member) -> Page {
    form_page(&member, "", "", Vec::new()).await
}

async fn form_page(member: &Member, chosen: &str, year: &str, problems: Vec<Problem>) -> Page {
    let app = member.app();
    let now = member.visit.now;
    let payer = member.subject()?;
    let directory = app.directory();
    let family = Family::of(app, &payer, []).await?;
    let (mut choices, mut years) = (Vec::new(), BTreeSet::new());
    for insured in insured(app, &payer)? {
        let open = open_years(&directory, insured.area, now);
        let mut notes = Vec::new();
        let mut can_pay = false;
        for premium in &open {
            let is_paid = app.engine.claim(insured.id, premium.year).map_err(ServiceError::from)?.is_some();
            let is_today = premium.opens <= day_of(now);
            notes.push(if is_paid {
                format!("{} 年已经缴过了", premium.year)
            } else {
                format!("{} 年 · {} · {}", premium.year, format::yuan(premium.amount.0), window(premium))
            });
            if !is_paid && is_today {
                can_pay = true;
                years.insert(premium.year);
            }
        }
        let id = person_id(insured.id);
        choices.push(InsuredChoice {
            party: family.party(&payer, insured.id, &words::place(&directory, insured.area)),
            note: if notes.is_empty() { "当地还没有公布缴费标准".to_owned() } else { notes.join(";") },
            chosen: can_pay && id == chosen,
            disabled: !can_pay,
            id,
        });
    }
    if !choices.iter().any(|choice| choice.chosen)
        && let Some(first) = choices.iter_mut().find(|choice| !choice.disabled)
    {
        first.chosen = true;
    }
    let mut blocked = words::reasons(&payer_reasons(&payer).0, now);
    if choices.is_empty() {
        blocked.push(super::views::Reason {
            text: "没有可以缴的人。".to_owned(),
            next: "你和已确认关系的家人里,没有参加居民医保的。先给家人转一笔,家人收下后就能在这里看到。".to_owned(),
            link: Some(Link::new("/transfer", "转给家人")),
            code: String::new(),
        });
    } else if years.is_empty() {
        blocked.push(super::views::Reason {
            text: "现在没有可以缴的年度。".to_owned(),
            next: "每个人上面写着为什么、什么时候可以缴。".to_owned(),
            link: None,
            code: String::new(),
        });
    }
    let default_year = years.last().map(u16::to_string).unwrap_or_default();
    let year = if years.iter().any(|known| known.to_string() == year) { year.to_owned() } else { default_year };
    let years = years.iter().rev().map(|known| Choice::new(known.to_string(), format!("{known} 年"), known.to_string() == year)).collect();
    let mut layout = member.layout("缴居民医保", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let view = Form { layout, insured: choices, years, balance: format::yuan(payer.wallet_total().0), blocked };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

/// What the two fields of the form mean.
fn wish(member: &Member, payer: &Holder, typed: &Typed) -> Result<Result<Wish, Vec<Problem>>, Trouble> {
    let mut problems = Vec::new();
    let wanted = parse_person_id(typed.get("insured"));
    let insured = insured(member.app(), payer)?.into_iter().find(|insured| Some(insured.id) == wanted);
    if insured.is_none() {
        problems.push(Problem::of("insured", "请选给谁缴。"));
    }
    let year = typed.get("year").parse::<u16>().ok().filter(|year| (2000..=2999).contains(year));
    if year.is_none() {
        problems.push(Problem::of("year", "请选缴哪一年的。"));
    }
    Ok(match (insured, year) {
        (Some(insured), Some(year)) => Ok(Wish { payer: payer.id, by: member.signed.me, insured: insured.id, area: insured.area, year }),
        _ => Err(problems),
    })
}

async fn check(member: Member, typed: Typed) -> Page {
    let payer = member.subject()?;
    match wish(&member, &payer, &typed)? {
        Ok(wish) => confirm_page(&member, &payer, &wish, key::fresh(), Vec::new()).await,
        Err(problems) => form_page(&member, typed.get("insured"), typed.get("year"), problems).await,
    }
}

async fn confirm_page(member: &Member, payer: &Holder, wish: &Wish, key: String, problems: Vec<Problem>) -> Page {
    let app = member.app();
    let now = member.visit.now;
    let directory = app.directory();
    let family = Family::of(app, payer, []).await?;
    let mut reasons = premium::preview(app, wish)?;
    if app.engine.claim(wish.insured, wish.year).map_err(ServiceError::from)?.is_some() {
        reasons.push(Reason::PremiumPaid);
    }
    let table = directory.premiums.get(&(wish.area, wish.year));
    let city = words::place(&directory, wish.area);
    let mut facts = vec![Fact::new("年度", format!("{} 年", wish.year)), Fact::new("参保地", city.clone())];
    if let Some(premium) = table {
        facts.push(Fact::new("缴费时间", window(premium)));
    }
    facts.push(Fact::new("从哪里付", "医保钱包"));
    let mut layout = member.layout("再看一遍", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let view = Confirm {
        layout,
        key,
        hidden: vec![Hidden::new("insured", person_id(wish.insured)), Hidden::new("year", wish.year.to_string())],
        payer: family.party(payer, payer.id, &family::own_area(&directory, payer)),
        insured: family.party(payer, wish.insured, &city),
        year: wish.year.to_string(),
        amount: table.map(|premium| format::yuan(premium.amount.0)).unwrap_or_default(),
        facts,
        instructions: table.map(|premium| paragraphs(&premium.instructions)).unwrap_or_default(),
        office: String::new(),
        blocked: words::reasons(&reasons, now),
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

fn paragraphs(text: &str) -> Vec<String> {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

async fn confirm(member: Member, typed: Typed) -> Page {
    let app = member.app();
    let now = member.visit.now;
    let payer = member.subject()?;
    let wish = match wish(&member, &payer, &typed)? {
        Ok(wish) => wish,
        Err(problems) => return form_page(&member, typed.get("insured"), typed.get("year"), problems).await,
    };
    let key = typed.key(payer.id, "premium", &["insured", "year"])?;
    let proof = match app.identity.step_up_password(member.signed.me.0, &typed.secret("password"), wish.binding(), now).await {
        Ok(proof) => app.vault.verify_proof(&proof, now).ok().map(Into::into),
        Err(error) => return confirm_page(&member, &payer, &wish, typed.text("key"), problems_of(error, "password")?).await,
    };
    let refused = Refused::new("没有缴成", "钱还在钱包里,一分没动。", Link::new("/premium", "回去看看"));
    let answered = premium::pay(app, &wish, proof, key).await.map_err(tried(refused))?;
    match answered.outcome {
        Outcome::Premium { payment, .. } => Ok(to(&format!("/premium/{}", words::id_text(payment.0)))),
        other => unreachable!("a premium answers with a premium, not {other:?}"),
    }
}

async fn receipt(member: Member, Path(id): Path<String>) -> Page {
    let app = member.app();
    let payer = member.subject()?;
    let id = PaymentId(words::id_from(&id).ok_or(Trouble::Missing)?);
    if id.part() != payer.id.part() {
        return Err(Trouble::Missing);
    }
    let payment = premium::payment(app, payer.id, id).await?.ok_or(Trouble::Missing)?;
    let Purpose::Premium { insured, area, year } = payment.purpose else { return Err(Trouble::Missing) };
    let directory = app.directory();
    let family = Family::of(app, &payer, [insured]).await?;
    let city = words::place(&directory, area);
    let (heading, tone) = match payment.state {
        PaymentState::Captured => (format!("{year} 年居民医保缴好了"), Tone::Good),
        PaymentState::Held | PaymentState::PartlyCaptured => ("正在核对参保登记".to_owned(), Tone::Wait),
        _ => ("没有缴成,钱已退回钱包".to_owned(), Tone::Alarm),
    };
    let step = |label: &str, at: String, state: StepState| TimelineStep { label: label.to_owned(), at, note: String::new(), state };
    let mut steps = vec![step("已提交", format::when(payment.held_at), StepState::Done)];
    match payment.state {
        PaymentState::Captured => {
            let at = payment.captures.first().map(|(at, _)| format::when(*at)).unwrap_or_default();
            steps.push(step("当地医保已登记", at, StepState::Done));
        }
        PaymentState::Held | PaymentState::PartlyCaptured => {
            steps.push(step("核对参保登记", String::new(), StepState::Now));
            steps.push(step("登记好", String::new(), StepState::Ahead));
        }
        _ => steps.push(step("钱退回钱包", String::new(), StepState::Ended)),
    }
    let mut facts = vec![
        Fact::new("年度", format!("{year} 年")),
        Fact::new("参保地", city.clone()),
        Fact::new("办理规则", words::rule_words(payment.rule)),
        Fact::new("编号", words::id_text(id.0)),
    ];
    if let Some(reason) = &payment.refusal {
        let words = reason.words();
        facts.insert(0, Fact::new("原因", format!("{}{}", words.title, words.next_step)));
    }
    let lines = app.engine.lines(payer.id, None, 1, |line| line.reference == id.0 && line.code == LineCode::PremiumHold).await.map_err(ServiceError::from)?;
    let instructions = directory.premiums.get(&(area, year)).map(|premium| paragraphs(&premium.instructions)).unwrap_or_default();
    let layout = member.layout("缴费结果", Section::Wallet).await?;
    member.visit.page(&Receipt {
        layout,
        heading,
        tone,
        payer: family.party(&payer, payer.id, &family::own_area(&directory, &payer)),
        insured: family.party(&payer, insured, &city),
        amount: format::yuan(payment.amount().0),
        steps,
        facts,
        instructions,
        state: format!("{:?}", payment.state),
        waiting: payment.is_open(),
        receipt_href: lines.first().map(|line| format!("/movements/{}", line.number)),
        next: vec![Link::new("/premium", "给别的家人缴"), Link::new("/wallet", "回钱包")],
    })
}
