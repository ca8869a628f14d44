//! The cashier page of a designated institution (收银台).

use super::frame::{Page, Trouble, Visit, to};
use super::typed::Typed;
use super::views::cashier::{Amounts, Counter, Desk, Login, NoPhone, Order as OrderPage, OrderLine};
use super::views::{Fact, Problem, Section, StepState, TimelineStep, Tone, format};
use super::words;
use crate::app::App;
use crate::identity::IdentityError;
use crate::service::asking::{self, Ask, AskAnswer};
use crate::service::payment::{self, Hold};
use crate::service::{ServiceError, key};
use crate::web;
use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use gongji_ledger::{Fen, HolderId, InstitutionId};
use gongji_store::seal::sm3;
use gongji_wallet::Reason;
use gongji_wallet::citizen::CitizenNumber;
use gongji_wallet::command::keypad_binding;
use gongji_wallet::day::day_of;
use gongji_wallet::event::Payer;
use gongji_wallet::object::{Bill, Order, OrderState, PayFirst, Payment, PaymentState};
use std::collections::HashMap;
use std::sync::Arc;

/// Orders on the counter's page.
const RECENT_LEN: usize = 10;

/// Orders looked through for the day's sum.
const TODAY_MAX: usize = 500;

/// Letters of an order number that somebody types; they also stand in an address.
const TYPED_NUMBER_LEN_MAX: usize = 40;

const DESK: &str = "/cashier";
const INSTITUTION: &str = "/institution";

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/cashier", get(desk))
        .route("/cashier/login", get(login_form).post(login))
        .route("/cashier/logout", get(|| async { to("/cashier") }).post(logout))
        .route("/cashier/hold", get(|| async { to("/cashier") }).post(hold))
        .route("/cashier/no-phone", get(no_phone_form).post(no_phone))
        .route("/cashier/orders/{number}", get(order))
        .route("/cashier/orders/{number}/capture", get(back_to_order).post(capture))
        .route("/cashier/orders/{number}/void", get(back_to_order).post(void))
        .route("/cashier/orders/{number}/refund", get(back_to_order).post(refund))
        .route("/cashier/orders/{number}/reverse", get(back_to_order).post(reverse))
}

/// A visit from an institution's counter.
pub(super) struct Till {
    pub(super) visit: Visit,
    pub(super) id: InstitutionId,
}

impl FromRequestParts<Arc<App>> for Till {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Till, Trouble> {
        let visit = Visit::from_request_parts(parts, app).await?;
        match web::InstitutionCaller::from_request_parts(parts, app).await {
            Ok(caller) => Ok(Till { visit, id: caller.id }),
            Err(problem) if problem.status.as_u16() == 401 => Err(Trouble::CashierLogin),
            Err(problem) => Err(problem.into()),
        }
    }
}

impl Till {
    fn app(&self) -> &App {
        &self.visit.app
    }

    pub(super) fn counter(&self) -> Counter {
        let directory = self.app().directory();
        let note = directory.institutions.get(&self.id).map(|institution| {
            let kind = if institution.is_pharmacy { "药店".to_owned() } else { format!("{}医院", institution.level) };
            format!("{} · {kind}", words::place(&directory, institution.area))
        });
        Counter { institution: words::institution_name(&directory, self.id), note: note.unwrap_or_default() }
    }

    fn caller(&self) -> String {
        format!("institution {}", self.id)
    }
}

async fn login_form(visit: Visit) -> Page {
    // Where the key is asked for on the way to an institution's page, that page is what opens.
    let back = if visit.path.contains("back=/institution") { INSTITUTION } else { DESK };
    login_page(&visit, back, Vec::new())
}

fn login_page(visit: &Visit, back: &str, problems: Vec<Problem>) -> Page {
    let mut layout = visit.public_layout("收银台", Section::None);
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let keys = visit.app.sandbox.iter().flat_map(|sandbox| &sandbox.institution_keys);
    let samples = keys.map(|(_, name, key)| Fact::new(name.clone(), key.clone())).collect();
    let view = Login { layout, key: key::fresh(), samples, back: back.to_owned() };
    if is_wrong { visit.wrong(&view) } else { visit.page(&view) }
}

async fn login(visit: Visit, typed: Typed) -> Page {
    let (typed_key, back) = (typed.get("institution_key").trim(), typed.get("back"));
    match web::institution_of_key(&visit.app, typed_key).await? {
        Some(_) => {
            let mut response = to(if back == INSTITUTION { INSTITUTION } else { DESK });
            web::set_till_cookie(&visit.app, response.headers_mut(), typed_key);
            Ok(response)
        }
        None => login_page(&visit, back, vec![Problem::of("institution_key", "密钥不对,或者已经停用。核对一遍再试。")]),
    }
}

async fn logout(visit: Visit) -> Page {
    let mut response = to("/cashier/login");
    web::clear_till_cookie(&visit.app, response.headers_mut());
    Ok(response)
}

// The counter.

async fn desk(till: Till) -> Page {
    desk_page(&till, None, Vec::new()).await
}

async fn desk_page(till: &Till, typed: Option<&Typed>, problems: Vec<Problem>) -> Page {
    let app = till.app();
    let mut layout = till.visit.public_layout("收银台", Section::None);
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let orders = app.engine.orders(till.id, TODAY_MAX).await.map_err(ServiceError::from)?;
    let today = day_of(till.visit.now);
    let (mut count, mut sum) = (0, Fen::ZERO);
    let mut payments = HashMap::new();
    for (at, order) in orders.iter().enumerate() {
        let is_today = day_of(order.placed_at) == today;
        if !is_today && at >= RECENT_LEN {
            break;
        }
        let Some(payment) = app.engine.payment(order.payment).map_err(ServiceError::from)? else { continue };
        if is_today && payment.captured().is_positive() {
            count += 1;
            sum += payment.captured() - payment.refunded();
        }
        if at < RECENT_LEN {
            payments.insert(order.payment, payment);
        }
    }
    let holders: Vec<u64> = payments.values().map(|payment| payment.holder.0).collect();
    let people = app.vault(move |vault| vault.people(&holders)).await?;
    let names: HashMap<u64, String> = people.iter().map(|person| (person.holder, person.masked_name())).collect();
    let recent = orders.iter().take(RECENT_LEN).map(|order| {
        let payment = payments.get(&order.payment);
        let (state, tone) = order_words(order, payment);
        OrderLine {
            order_no: order.number.clone(),
            at: format::when_from(order.placed_at, till.visit.now),
            payer: payment.and_then(|payment| names.get(&payment.holder.0).cloned()).unwrap_or_else(|| "没有付成".to_owned()),
            amount: format::yuan(payment.map_or(order.bill.own, shown_amount).0),
            state,
            tone,
        }
    });
    let text = |field: &str| typed.map(|typed| typed.text(field)).unwrap_or_default();
    let view = Desk {
        layout,
        counter: till.counter(),
        key: key::fresh(),
        code: text("code"),
        amounts: amounts(typed),
        order_no: text("order_no"),
        recent: recent.collect(),
        today: if count == 0 { String::new() } else { format!("今天 {count} 笔,钱包支付 {}", format::yuan(sum.0)) },
    };
    if is_wrong { till.visit.wrong(&view) } else { till.visit.page(&view) }
}

fn amounts(typed: Option<&Typed>) -> Amounts {
    let text = |field: &str| typed.map(|typed| typed.text(field)).unwrap_or_default();
    Amounts {
        total: text("total"),
        fund: text("fund"),
        own: text("own"),
        institution: typed.map_or_else(|| "0".to_owned(), |typed| typed.text("institution")),
        rest_in_cash: typed.is_some_and(|typed| typed.yes("rest_in_cash")),
    }
}

/// Money of a payment as the counter cares for it.
fn shown_amount(payment: &Payment) -> Fen {
    if payment.captured().is_positive() { payment.captured() - payment.refunded() } else { payment.amount() }
}

fn order_words(order: &Order, payment: Option<&Payment>) -> (String, Tone) {
    let words = match (&order.state, payment) {
        (OrderState::Placed, _) => ("正在问付款人那边", Tone::Wait),
        (OrderState::Refused(_), _) => ("没有付成", Tone::Alarm),
        (OrderState::ReversedBefore | OrderState::Reversed | OrderState::ReversedUnheard, _) => ("已冲正", Tone::Plain),
        (OrderState::Held { .. }, Some(payment)) => match payment.state {
            PaymentState::Held => ("已预占,等确认", Tone::Wait),
            PaymentState::PartlyCaptured => ("收了一部分", Tone::Wait),
            PaymentState::Captured if payment.refunded() == payment.captured() => ("已全退", Tone::Plain),
            PaymentState::Captured if payment.refunded().is_positive() => ("退了一部分", Tone::Good),
            PaymentState::Captured => ("已收", Tone::Good),
            PaymentState::Voided => ("已撤销", Tone::Plain),
            PaymentState::Expired => ("超时,已退回", Tone::Plain),
            PaymentState::Reversed => ("已冲正", Tone::Plain),
            PaymentState::Refused => ("没有付成", Tone::Alarm),
        },
        (OrderState::Held { .. }, None) => ("已预占,等确认", Tone::Wait),
    };
    (words.0.to_owned(), words.1)
}

/// The bill as typed; empty parts are nothing.
fn bill(typed: &Typed, problems: &mut Vec<Problem>) -> Bill {
    let mut part = |field: &str| {
        if field != "total" && field != "own" && typed.get(field).trim().is_empty() { Fen::ZERO } else { typed.yuan(field, problems) }
    };
    let bill = Bill { total: part("total"), fund: part("fund"), own: part("own"), institution: part("institution") };
    if problems.is_empty() && bill.total != bill.fund + bill.own + bill.institution {
        problems.push(Problem::of("amounts", "总额不等于医保基金付、个人付、机构承担之和,核对一遍。"));
    }
    if problems.is_empty() && !bill.own.is_positive() {
        problems.push(Problem::of("own", "个人付要大于 0,钱包只付个人付的部分。"));
    }
    bill
}

/// The order's number as typed, or one made from the form's key: the same form makes the same number.
fn order_number(till: &Till, typed: &Typed, problems: &mut Vec<Problem>) -> String {
    let number = typed.get("order_no").trim();
    if number.is_empty() {
        let digest = sm3(typed.get("key").as_bytes());
        let tail: String = digest.iter().take(4).map(|byte| format!("{byte:02X}")).collect();
        let (_, month, day) = gongji_wallet::day::date_of(day_of(till.visit.now));
        return format!("T{month:02}{day:02}-{tail}");
    }
    let is_plain = number.len() <= TYPED_NUMBER_LEN_MAX && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if !is_plain {
        problems.push(Problem::of("order_no", "订单号用字母、数字和 - . _,最多 40 个。"));
    }
    number.to_owned()
}

const HOLD_FIELDS: [&str; 7] = ["code", "total", "fund", "own", "institution", "rest_in_cash", "order_no"];

async fn hold(till: Till, typed: Typed) -> Page {
    let mut problems = Vec::new();
    let code = payment::parse_code(typed.get("code"));
    if code.is_none() {
        let text = if typed.get("code").trim().is_empty() { "先扫付款人的码。" } else { "这个码不对,请付款人刷新后再扫一次。" };
        problems.push(Problem::of("code", text));
    }
    let bill = bill(&typed, &mut problems);
    let number = order_number(&till, &typed, &mut problems);
    let (Some((part, code)), true) = (code, problems.is_empty()) else {
        return desk_page(&till, Some(&typed), problems).await;
    };
    let visit = payment::usual_visit(till.app(), till.id);
    let hold = Hold { institution: till.id, number, payer: Payer::Code(code), part, bill, partial: typed.yes("rest_in_cash"), visit, quote: None };
    let key = typed.key_of(&till.caller(), "hold", &HOLD_FIELDS)?;
    held(&till, &typed, &hold, key).await
}

async fn held(till: &Till, typed: &Typed, hold: &Hold, key: crate::service::key::IdempotencyKey) -> Page {
    let path = order_path(&hold.number);
    match payment::hold(till.app(), hold, key).await {
        Ok(_) | Err(ServiceError::StillOpen) => Ok(to(&path)),
        Err(ServiceError::Refused { reasons, .. }) => {
            // What the payer's side refused stands with its order; what was never placed is put right on this page.
            let id = payment::order_id(hold.institution, &hold.number);
            let is_placed = match id {
                Some(id) => till.app().engine.order(id).map_err(ServiceError::from)?.is_some_and(|order| matches!(order.state, OrderState::Refused(_))),
                None => false,
            };
            if is_placed && !reasons.contains(&Reason::OrderConflict) {
                return Ok(to(&path));
            }
            let problem = |reason: &Reason| {
                let words = reason.words();
                let text = format!("{}{}", words.title, words.next_step);
                match reason {
                    Reason::CodeUnknown | Reason::CodeExpired | Reason::CodeUsed | Reason::CodeElsewhere => Problem::of("code", text),
                    Reason::OrderConflict | Reason::OrderReversed => Problem::of("order_no", text),
                    Reason::BillUnbalanced | Reason::BillTooLarge { .. } => Problem::of("amounts", text),
                    _ => Problem::general(text),
                }
            };
            desk_page(till, Some(typed), reasons.iter().map(problem).collect()).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn order_path(number: &str) -> String {
    format!("/cashier/orders/{}", super::frame::encoded(number).replace('/', "%2F"))
}

// Without a phone.

async fn no_phone_form(till: Till) -> Page {
    no_phone_page(&till, None, Vec::new())
}

fn no_phone_page(till: &Till, typed: Option<&Typed>, problems: Vec<Problem>) -> Page {
    let mut layout = till.visit.public_layout("没带手机", Section::None);
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let text = |field: &str| typed.map(|typed| typed.text(field)).unwrap_or_default();
    let (key, counter) = (key::fresh(), till.counter());
    let view = NoPhone { layout, counter, key, id_number: text("id_number"), amounts: amounts(typed), order_no: text("order_no") };
    if is_wrong { till.visit.wrong(&view) } else { till.visit.page(&view) }
}

async fn no_phone(till: Till, typed: Typed) -> Page {
    let app = till.app();
    let now = till.visit.now;
    let mut problems = Vec::new();
    let number = CitizenNumber::parse(typed.get("id_number")).map_err(|error| problems.push(Problem::of("id_number", error.message_zh()))).ok();
    let bill = bill(&typed, &mut problems);
    let order_number = order_number(&till, &typed, &mut problems);
    let order = payment::order_id(till.id, &order_number);
    let asks_relative = typed.get("ask") == "relative";
    if !asks_relative && typed.get("password").trim().is_empty() && problems.is_empty() {
        problems.push(Problem::of("password", "请付款人自己输医保码密码,或者请家人在手机上确认。"));
    }
    let (Some(number), Some(order), true) = (number, order, problems.is_empty()) else {
        return no_phone_page(&till, Some(&typed), problems);
    };
    if asks_relative {
        let ask = asking::ask(app, till.id, &number, &order_number, bill, typed.yes("rest_in_cash")).await?;
        return Ok(to(&order_path(&ask.number)));
    }
    let bound = |_: u64| keypad_binding(order, bill.own);
    let (holder, proof) = match app.identity.step_up_at_cashier(typed.get("id_number"), &typed.secret("password"), bound, now).await {
        Ok(proven) => proven,
        Err(error @ (IdentityError::Fault(_) | IdentityError::Busy)) => return Err(error.into()),
        Err(error) => {
            let words = error.words();
            return no_phone_page(&till, Some(&typed), vec![Problem::of("password", format!("{}{}", words.title, words.next_step))]);
        }
    };
    let proof = app.vault.verify_proof(&proof, now).map_err(|_| Trouble::Malformed)?;
    let holder = HolderId(holder);
    let payer = Payer::Holder { holder, by: holder, first: PayFirst::Personal, proof: proof.into() };
    let visit = payment::usual_visit(app, till.id);
    let hold = Hold { institution: till.id, number: order_number, payer, part: holder.part(), bill, partial: typed.yes("rest_in_cash"), visit, quote: None };
    let key = typed.key_of(&till.caller(), "keypad-hold", &["id_number", "total", "fund", "own", "institution", "rest_in_cash", "order_no"])?;
    match payment::hold(app, &hold, key).await {
        Ok(_) | Err(ServiceError::StillOpen) => Ok(to(&order_path(&hold.number))),
        Err(ServiceError::Refused { reasons, .. }) => {
            let is_placed = app.engine.order(order).map_err(ServiceError::from)?.is_some_and(|order| matches!(order.state, OrderState::Refused(_)));
            if is_placed && !reasons.contains(&Reason::OrderConflict) {
                return Ok(to(&order_path(&hold.number)));
            }
            let problems = reasons.iter().map(Reason::words).map(|words| Problem::general(format!("{}{}", words.title, words.next_step))).collect();
            no_phone_page(&till, Some(&typed), problems)
        }
        Err(error) => Err(error.into()),
    }
}

// One order.

async fn order(till: Till, Path(number): Path<String>) -> Page {
    order_page(&till, &number, Vec::new()).await
}

async fn order_page(till: &Till, number: &str, problems: Vec<Problem>) -> Page {
    let app = till.app();
    let mut layout = till.visit.public_layout("订单", Section::None);
    let is_wrong = !problems.is_empty();
    layout.problems = problems;
    let id = payment::order_id(till.id, number).ok_or(Trouble::Missing)?;
    let view = match app.engine.order(id).map_err(ServiceError::from)? {
        Some(order) => {
            let payment = app.engine.payment(order.payment).map_err(ServiceError::from)?;
            placed_view(till, &order, payment.as_ref(), layout).await?
        }
        None => {
            let ask = app.asks.of_order(till.id, number).ok_or(Trouble::Missing)?;
            asked_view(till, &ask, layout)
        }
    };
    if is_wrong { till.visit.wrong(&view) } else { till.visit.page(&view) }
}

fn asked_view(till: &Till, ask: &Ask, layout: super::views::Layout) -> OrderPage {
    let is_open = ask.is_open(till.visit.now);
    let (heading, tone) = match ask.answer {
        Some(AskAnswer::Declined) => ("家人没有同意付", Tone::Alarm),
        Some(AskAnswer::Confirmed) => ("家人确认了,没有付成", Tone::Alarm),
        None if is_open => ("等家人在手机上确认", Tone::Wait),
        None => ("没有人确认,没有付成", Tone::Alarm),
    };
    OrderPage {
        layout,
        counter: till.counter(),
        key: key::fresh(),
        order_no: ask.number.clone(),
        heading: heading.to_owned(),
        tone,
        amount: format::yuan(ask.bill.own.0),
        payer: "没带手机的付款人".to_owned(),
        facts: bill_facts(&ask.bill),
        waiting: is_open,
        state: format!("asked {:?} {is_open}", ask.answer),
        ..OrderPage::default()
    }
}

fn bill_facts(bill: &Bill) -> Vec<Fact> {
    vec![
        Fact::new("总额", format::yuan(bill.total.0)),
        Fact::new("医保基金付", format::yuan(bill.fund.0)),
        Fact::new("个人付", format::yuan(bill.own.0)),
        Fact::new("机构承担", format::yuan(bill.institution.0)),
    ]
}

async fn placed_view(till: &Till, order: &Order, payment: Option<&Payment>, layout: super::views::Layout) -> Result<OrderPage, Trouble> {
    let app = till.app();
    let payer = match payment.map(|payment| payment.holder) {
        Some(holder) => app.vault(move |vault| vault.person(holder.0)).await?.map(|person| person.masked_name()),
        None => None,
    };
    let mut view = OrderPage {
        layout,
        counter: till.counter(),
        key: key::fresh(),
        order_no: order.number.clone(),
        payer: payer.unwrap_or_else(|| "没有付成".to_owned()),
        facts: bill_facts(&order.bill),
        state: format!("{:?}", order.state),
        ..OrderPage::default()
    };
    let sum = |amount: Fen| format::yuan(amount.0);
    view.steps.push(TimelineStep { label: "下单".to_owned(), at: format::when(order.placed_at), state: StepState::Done, ..TimelineStep::default() });
    let Some(payment) = payment.filter(|_| !matches!(order.state, OrderState::Refused(_))) else {
        (view.heading, view.tone) = match &order.state {
            OrderState::Placed => ("正在问付款人那边".to_owned(), Tone::Wait),
            OrderState::Refused(_) => ("没有付成".to_owned(), Tone::Alarm),
            _ => ("这个单号已冲正".to_owned(), Tone::Plain),
        };
        if let OrderState::Refused(reasons) = &order.state {
            view.reasons = words::reasons(reasons, till.visit.now);
            // The cashier cannot follow a payer's links.
            for reason in &mut view.reasons {
                reason.link = None;
            }
        }
        view.waiting = order.state == OrderState::Placed;
        view.amount = sum(order.bill.own);
        return Ok(view);
    };
    let (captured, refunded, remaining) = (payment.captured(), payment.refunded(), payment.remaining());
    let cash = order.bill.own - payment.amount();
    if cash.is_positive() {
        view.cash = format!("请另收现金 {}", sum(cash));
    }
    (view.heading, view.tone) = match payment.state {
        PaymentState::Held => ("已预占,请确认收款".to_owned(), Tone::Wait),
        PaymentState::PartlyCaptured => (format!("已收 {},还可以收 {}", sum(captured), sum(remaining)), Tone::Wait),
        PaymentState::Captured if refunded == captured => (format!("已收 {},已全部退费", sum(captured)), Tone::Plain),
        PaymentState::Captured if refunded.is_positive() => (format!("已收 {},已退 {}", sum(captured), sum(refunded)), Tone::Good),
        PaymentState::Captured => ("已收款".to_owned(), Tone::Good),
        PaymentState::Voided => ("已撤销,钱退回付款人".to_owned(), Tone::Plain),
        PaymentState::Expired => ("超时没有确认,钱退回付款人".to_owned(), Tone::Plain),
        PaymentState::Reversed => ("已冲正,钱退回付款人".to_owned(), Tone::Plain),
        PaymentState::Refused => ("没有付成".to_owned(), Tone::Alarm),
    };
    view.amount = sum(shown_amount(payment));
    let step = |label: String, at: i64| TimelineStep { label, at: format::when(at), state: StepState::Done, ..TimelineStep::default() };
    view.steps.push(step(format!("预占 {}", sum(payment.amount())), payment.held_at));
    let captures = payment.captures.iter().map(|(at, amount)| (*at, format!("收款 {}", sum(*amount))));
    let refunds = payment.refunds.iter().map(|(at, amount)| (*at, format!("退费 {}", sum(*amount))));
    let mut acts: Vec<(i64, String)> = captures.chain(refunds).collect();
    acts.sort_by_key(|(at, _)| *at);
    view.steps.extend(acts.into_iter().map(|(at, label)| step(label, at)));
    if payment.is_open() {
        let label = format!("不确认的话,{} 自动退回", format::when(payment.expires));
        view.steps.push(TimelineStep { label, state: StepState::Ahead, ..TimelineStep::default() });
    }
    let is_open = payment.is_open() && till.visit.now < payment.expires;
    view.capture_left = is_open.then(|| format::yuan_typed(remaining.0));
    view.refund_left = (captured > refunded && payment.state != PaymentState::Reversed).then(|| format::yuan_typed((captured - refunded).0));
    view.can_void = is_open;
    view.can_reverse = is_open || captured > refunded;
    view.state = format!("{:?} {} {}", payment.state, captured.0, refunded.0);
    Ok(view)
}

async fn back_to_order(Path(number): Path<String>) -> Response {
    to(&order_path(&number))
}

/// The payment behind a typed order number.
fn payment_of(till: &Till, number: &str) -> Result<Payment, Trouble> {
    let (_, payment) = payment::payment_of(till.app(), till.id, number)?;
    payment.ok_or(Trouble::Missing)
}

/// What the form's amount means: empty is all that is left.
fn amount_or(typed: &Typed, all: Fen) -> Result<Fen, Vec<Problem>> {
    if typed.get("amount").trim().is_empty() {
        return Ok(all);
    }
    let mut problems = Vec::new();
    let amount = typed.yuan("amount", &mut problems);
    if problems.is_empty() { Ok(amount) } else { Err(problems) }
}

/// Shows the order again; a lawful no stands above it.
async fn acted(till: &Till, number: &str, result: crate::service::Result<crate::service::Answered>) -> Page {
    match result {
        Ok(_) => Ok(to(&order_path(number))),
        Err(ServiceError::Refused { reasons, .. }) => {
            let problems = reasons.iter().map(Reason::words).map(|words| Problem::general(format!("{}{}", words.title, words.next_step))).collect();
            order_page(till, number, problems).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn capture(till: Till, Path(number): Path<String>, typed: Typed) -> Page {
    let payment = payment_of(&till, &number)?;
    let amount = match amount_or(&typed, payment.remaining()) {
        Ok(amount) => amount,
        Err(problems) => return order_page(&till, &number, problems).await,
    };
    let key = typed.key_of(&till.caller(), &format!("capture {number}"), &["amount"])?;
    // What is left may be captured later; the last of it ends the hold.
    let last = amount == payment.remaining();
    let result = payment::capture(till.app(), till.id, payment.id, amount, last, key).await;
    acted(&till, &number, result).await
}

async fn void(till: Till, Path(number): Path<String>, typed: Typed) -> Page {
    let payment = payment_of(&till, &number)?;
    let key = typed.key_of(&till.caller(), &format!("void {number}"), &[])?;
    let result = payment::void(till.app(), till.id, payment.id, key).await;
    acted(&till, &number, result).await
}

async fn refund(till: Till, Path(number): Path<String>, typed: Typed) -> Page {
    let payment = payment_of(&till, &number)?;
    let amount = match amount_or(&typed, payment.captured() - payment.refunded()) {
        Ok(amount) => amount,
        Err(problems) => return order_page(&till, &number, problems).await,
    };
    let key = typed.key_of(&till.caller(), &format!("refund {number}"), &["amount"])?;
    let result = payment::refund(till.app(), till.id, payment.id, amount, key).await;
    acted(&till, &number, result).await
}

async fn reverse(till: Till, Path(number): Path<String>, typed: Typed) -> Page {
    let key = typed.key_of(&till.caller(), &format!("reverse {number}"), &[])?;
    let result = payment::reverse(till.app(), till.id, &number, key).await;
    acted(&till, &number, result).await
}
