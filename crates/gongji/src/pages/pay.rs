//! Paying at an institution, seen by the payer: the code, and a relative's confirmation.

use super::account::problems_of;
use super::family::{self, Family};
use super::frame::{Member, Page, Refused, Said, Trouble, to, to_saying, tried};
use super::recall::ShownCode;
use super::typed::Typed;
use super::views::pay::{Attempt, Code, Request};
use super::views::{Choice, Fact, Link, Party, Problem, Report, Section, format};
use super::{places, words};
use crate::app::App;
use crate::service::asking::{self, Ask, AskAnswer};
use crate::service::attempt::{self, Attempt as RefusedAttempt};
use crate::service::payment;
use crate::service::{ServiceError, key, readiness};
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use gongji_ledger::{AreaCode, Fen, HolderId};
use gongji_wallet::object::{PayFirst, Payment, PaymentState, Purpose, Terminal};
use gongji_wallet::payment::payer_reasons;
use std::sync::Arc;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/pay", get(code).post(new_code))
        .route("/pay/requests/{id}", get(request))
        .route("/pay/requests/{id}/confirm", get(back_to_request).post(confirm))
        .route("/pay/requests/{id}/decline", get(back_to_request).post(decline))
}

fn first_of(text: &str) -> PayFirst {
    if text == "wallet" { PayFirst::Wallet } else { PayFirst::Personal }
}

async fn code(member: Member) -> Page {
    let app = member.app();
    let now = member.visit.now;
    let holder = member.subject()?;
    let directory = app.directory();
    let (reasons, place) = payer_reasons(&holder);
    let mut layout = member.layout("付款码", Section::Wallet).await?;
    let family = Family::load(app, [holder.id]).await?;
    let area = family::own_area(&directory, &holder);
    let owner = if member.is_acting() { Party::new(family.name(holder.id), "", area) } else { family.me(holder.id, &area) };
    if !reasons.is_empty() {
        let view = Code { layout, key: key::fresh(), owner, state: "blocked".to_owned(), blocked: words::reasons(&reasons, now), ..Code::default() };
        return member.visit.page(&view);
    }
    let shown = member.visit.recall.code(member.signed.session_id, holder.id);
    let known = match &shown {
        Some(shown) => payment::code_of(app, holder.id, &shown.text)?,
        None => None,
    };
    // Where somebody has read it, it pays there a while longer.
    let read_by = known.as_ref().and_then(|(_, decoding)| *decoding);
    let expires = read_by.map(|decoding| decoding.until).or_else(|| shown.as_ref().map(|shown| shown.expires)).unwrap_or(0);
    let paid = match known.and_then(|(code, _)| code.used) {
        Some(used) => app.engine.payment(used).map_err(ServiceError::from)?,
        None => None,
    };
    let live = shown.as_ref().filter(|_| paid.is_none() && now < expires);
    let (state, progress) = match (&paid, &shown) {
        (Some(payment), _) => (format!("{:?}", payment.state), progress(app, payment)),
        (None, Some(_)) if live.is_some() => match read_by {
            Some(decoding) => {
                let place = words::institution_name(&app.directory(), decoding.institution);
                ("read".to_owned(), format!("{place}扫了这个码,等着收款。不想付就换一个新码。"))
            }
            None => ("waiting".to_owned(), String::new()),
        },
        (None, Some(_)) => ("expired".to_owned(), String::new()),
        (None, None) => ("none".to_owned(), String::new()),
    };
    let account = holder.current_account().map_or(Fen::ZERO, |account| account.balance);
    let wallet = holder.wallet_total();
    let is_account_first = account.is_positive();
    let mut first = vec![Choice::new("wallet", "先用钱包", !is_account_first).with_note(format!("余额 {}", format::yuan(wallet.0)))];
    if is_account_first {
        first.insert(0, Choice::new("account", "先用个人账户", true).with_note(format!("余额 {}", format::yuan(account.0))));
    }
    let attempt = match (&shown, &paid) {
        (Some(shown), None) => attempt::of_code(app, holder.id, &shown.text)?,
        _ => None,
    };
    let report = report_of(app, paid.as_ref(), attempt.as_ref());
    // A code that was used up by a finished payment says so at the top.
    if paid.as_ref().is_some_and(|payment| !payment.is_open()) {
        layout.title = "付款结果".to_owned();
    }
    let view = Code {
        layout,
        key: key::fresh(),
        owner,
        qr_svg: live.and_then(|shown| gongji_files::qr_svg(&payment::CodeText(shown.text.clone()).qr_value(place), "付款码").ok()),
        code_text: live.map(|shown| payment::CodeText(shown.text.clone()).grouped()).unwrap_or_default(),
        valid_until: live.map(|_| format::clock_seconds(expires)).unwrap_or_default(),
        valid_until_ms: live.map_or(0, |_| expires),
        now_ms: now,
        usable: format::yuan((account + wallet).0),
        place: words::place(&directory, place),
        first,
        state,
        progress,
        blocked: Vec::new(),
        nearby: nearby_words(app, place, now),
        places_href: format!("/institutions?area={place}"),
        attempt_reasons: attempt.as_ref().map(|attempt| words::reasons(&attempt.reasons, now)).unwrap_or_default(),
        attempt: attempt.map(|attempt| Attempt {
            sentence: format!(
                "{} {} 想收 {},没有收成",
                words::institution_name(&directory, attempt.institution),
                format::clock(attempt.at),
                format::yuan(attempt.own.0)
            ),
            state: attempt.at.to_string(),
        }),
        report,
    };
    member.visit.page(&view)
}

/// How many places take the wallet, and at which terminals: "近处 6 家可用:窗口 6 家,自助机 3 家,手机 4 家。"
pub fn nearby_words(app: &App, area: AreaCode, now: i64) -> String {
    let nearby = readiness::nearby(app, area, now);
    let by_terminal = Terminal::ALL.into_iter().zip(nearby.terminals).map(|(one, tally)| format!("{} {} 家", places::terminal_label(one), tally.ready));
    match (nearby.all.ready, nearby.all.quiet) {
        (0, 0) => "近处还没有开通的医院药店。".to_owned(),
        (0, quiet) => format!("近处 {quiet} 家已开通,但近 7 天没有一家付成过,去之前先打电话问一句。"),
        (ready, _) => format!("近处 {ready} 家可用:{}。", by_terminal.collect::<Vec<_>>().join(",")),
    }
}

/// The form about an order that ended without a payment.
fn report_of(app: &App, paid: Option<&Payment>, attempt: Option<&RefusedAttempt>) -> Option<Report> {
    let form = |institution, payment: String| Report {
        place: words::institution_name(&app.directory(), institution),
        payment,
        back: "/pay".to_owned(),
        choices: places::report_choices().into_iter().map(|choice| Choice { chosen: choice.value == "refused", ..choice }).collect(),
    };
    match (paid, attempt) {
        (Some(payment), _) if !payment.is_open() && payment.state != PaymentState::Captured => match payment.purpose {
            Purpose::Order { order, .. } => Some(form(order.institution, words::id_text(payment.id.0))),
            Purpose::Premium { .. } => None,
        },
        (None, Some(attempt)) => Some(form(attempt.institution, String::new())),
        _ => None,
    }
}

fn progress(app: &App, payment: &Payment) -> String {
    let Purpose::Order { order, .. } = payment.purpose else { return String::new() };
    let place = words::institution_name(&app.directory(), order.institution);
    let captured = payment.captured();
    match payment.state {
        PaymentState::Held | PaymentState::PartlyCaptured => format!("{place}正在收款 {},等收银员确认。", format::yuan(payment.amount().0)),
        PaymentState::Captured if payment.refunded().is_positive() => {
            format!("{place}收了 {},退了 {}。", format::yuan(captured.0), format::yuan(payment.refunded().0))
        }
        PaymentState::Captured => format!("付好了:{place}收了 {}。", format::yuan(captured.0)),
        PaymentState::Voided | PaymentState::Expired | PaymentState::Reversed | PaymentState::Refused => format!("没有付成,钱已经退回。{place}没有收款。"),
    }
}

async fn new_code(member: Member, typed: Typed) -> Page {
    let (me, subject, now) = (member.signed.me, member.signed.subject, member.visit.now);
    let key = typed.key(subject, "pay-code", &["first"])?;
    match payment::issue_code(member.app(), subject, me, first_of(typed.get("first")), key).await {
        Ok((text, expires)) => member.visit.recall.show_code(member.signed.session_id, ShownCode { holder: subject, text: text.0, expires }, now),
        // Pressed twice: the first press made the code, and the page shows it.
        Err(ServiceError::KeyReused) => {}
        Err(error) => return Err(tried(Refused::new("付款码没有出", "钱没有动。", Link::new("/pay", "回去看看")))(error)),
    }
    Ok(to("/pay"))
}

// A relative without a phone pays; whoever may act for them confirms.

async fn ask_of(member: &Member, id: &str) -> Result<(Ask, HolderId), Trouble> {
    let id = words::id_from(id).ok_or(Trouble::Missing)?;
    Ok(asking::asked_of(member.app(), member.signed.me, &id).await?)
}

async fn request(member: Member, Path(id): Path<String>) -> Page {
    let (ask, payer) = ask_of(&member, &id).await?;
    request_page(&member, &ask, payer, key::fresh(), Vec::new()).await
}

async fn request_page(member: &Member, ask: &Ask, payer: HolderId, key: String, problems: Vec<Problem>) -> Page {
    let app = member.app();
    let directory = app.directory();
    let me = member.visit.holder(member.signed.me)?;
    let family = Family::of(app, &me, [payer]).await?;
    let mut layout = member.layout("替家人付款", Section::Wallet).await?;
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let open = ask.is_open(member.visit.now);
    let facts = vec![
        Fact::new("账单总额", format::yuan(ask.bill.total.0)),
        Fact::new("医保基金付", format::yuan(ask.bill.fund.0)),
        Fact::new("个人付", format::yuan(ask.bill.own.0)),
        Fact::new("订单号", ask.number.clone()),
    ];
    let outcome = match ask.answer {
        Some(AskAnswer::Confirmed) => outcome_of(app, ask)?,
        Some(AskAnswer::Declined) => "没有付".to_owned(),
        None => "过了时间,没有付".to_owned(),
    };
    let view = Request {
        layout,
        key,
        id: words::id_text(ask.id),
        hidden: Vec::new(),
        payer: family.party(&me, payer, ""),
        institution: words::institution_name(&directory, ask.institution),
        amount: format::yuan(ask.bill.own.0),
        facts,
        deadline: if open { format!("{} 前确认", format::clock(ask.expires)) } else { String::new() },
        open,
        outcome,
        next: vec![Link::new("/wallet", "回钱包")],
    };
    if is_wrong { member.visit.wrong(&view) } else { member.visit.page(&view) }
}

fn outcome_of(app: &App, ask: &Ask) -> Result<String, Trouble> {
    let (_, payment) = payment::payment_of(app, ask.institution, &ask.number)?;
    Ok(match payment.map(|payment| payment.state) {
        Some(PaymentState::Held | PaymentState::PartlyCaptured) => "确认好了,等收银员收款",
        Some(PaymentState::Captured) => "已付款",
        Some(_) => "没有付成,钱已退回",
        None => "没有付成",
    }
    .to_owned())
}

async fn back_to_request(Path(id): Path<String>) -> axum::response::Response {
    match words::id_from(&id) {
        Some(id) => to(&format!("/pay/requests/{}", words::id_text(id))),
        None => to("/wallet"),
    }
}

async fn confirm(member: Member, Path(id): Path<String>, typed: Typed) -> Page {
    let app = member.app();
    let (me, now) = (member.signed.me, member.visit.now);
    let (ask, payer) = ask_of(&member, &id).await?;
    let path = format!("/pay/requests/{}", words::id_text(ask.id));
    if !ask.is_open(now) {
        return Ok(to(&path));
    }
    let key = typed.key(me, &format!("pay-request {id}"), &[])?;
    let proof = match app.identity.step_up_password(me.0, &typed.secret("password"), ask.binding()?, now).await {
        Ok(proof) => proof,
        Err(error) => return request_page(&member, &ask, payer, typed.text("key"), problems_of(error, "password")?).await,
    };
    let proof = app.vault.verify_proof(&proof, now).map_err(|_| Trouble::Malformed)?;
    let refused = Refused::new("没有付成", "钱没有动。", Link::new("/wallet", "回钱包"));
    asking::confirm(app, &ask, payer, me, proof.into(), key).await.map_err(tried(refused))?;
    Ok(to(&path))
}

async fn decline(member: Member, Path(id): Path<String>) -> Page {
    let (ask, _) = ask_of(&member, &id).await?;
    asking::decline(member.app(), &ask);
    Ok(to_saying("/wallet", Said::AskDeclined))
}
