//! Payments, as an institution asks for them: hold, capture, void, refund, reverse.

use super::codes::First;
use super::recorded::{Keyed, Nothing, Recorded, refusal};
use super::state::{self, Action};
use super::wire::{AreaRef, Money, Rule, id_from, id_text};
use crate::app::App;
use crate::identity::IdentityError;
use crate::problem::{Problem, ReasonBody};
use crate::service::payment::{self, Hold};
use crate::service::{Answered, quote};
use crate::time::rfc3339;
use crate::web::{InstitutionCaller, KeyedJson, StrictPath, StrictQuery};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::seal::Sensitive;
use gongji_wallet::command::keypad_binding;
use gongji_wallet::event::Payer;
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::{Bill, Business, Order, OrderState, Payment, PaymentState, Purse, Terminal, Visit};
use gongji_wallet::{Outcome, Proof, Reason};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(hold, list))
        .routes(routes!(by_order))
        .routes(routes!(reverse))
        .routes(routes!(show))
        .routes(routes!(capture))
        .routes(routes!(void))
        .routes(routes!(refund))
}

/// A bill: total = fund + own + institution.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BillBody {
    pub total: Money,
    /// Paid by the pooled fund.
    pub fund: Money,
    /// The person's own share: what the wallet may pay.
    pub own: Money,
    /// Borne by the institution; nothing unless given.
    #[serde(default = "nothing")]
    pub institution: Money,
}

fn nothing() -> Money {
    Fen::ZERO.into()
}

impl From<Bill> for BillBody {
    fn from(bill: Bill) -> BillBody {
        BillBody { total: bill.total.into(), fund: bill.fund.into(), own: bill.own.into(), institution: bill.institution.into() }
    }
}

/// Who pays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PayerBody {
    /// The payment code that was scanned or typed.
    Code(String),
    /// Without a phone: identity number and 医保码 password, typed by the person at the cashier's keypad.
    Keypad(Keypad),
}

/// What a person types at the cashier's keypad.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Keypad {
    #[schema(example = "990151195203150023")]
    id_number: String,
    #[schema(value_type = String, format = Password)]
    password: Sensitive,
    pub first: First,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HoldRequest {
    /// The institution's own number, 1 to 64 printable ASCII characters; used once.
    #[schema(example = "MZ20261123-0007")]
    order_no: String,
    payer: PayerBody,
    bill: BillBody,
    /// Take what there is and leave the rest to cash.
    #[serde(default)]
    partial: bool,
    /// From a quote for this code and bill: hold exactly what it says, or refuse with `QUOTE_STALE`.
    #[serde(default)]
    quote: Option<String>,
    /// Kind of care; by the kind of institution unless given.
    #[serde(default)]
    business: Option<BusinessKind>,
    /// Where the person pays; the counter unless given.
    #[serde(default)]
    terminal: Option<TerminalKind>,
    /// The institution's business day, at most 31 days ago; today unless given.
    #[schema(example = "2026-11-23")]
    #[serde(default)]
    business_day: Option<String>,
}

/// Kind of care a bill is for (national clr_type 11, 21, 41).
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BusinessKind {
    Outpatient,
    Inpatient,
    Pharmacy,
}

impl From<BusinessKind> for Business {
    fn from(kind: BusinessKind) -> Business {
        match kind {
            BusinessKind::Outpatient => Business::Outpatient,
            BusinessKind::Inpatient => Business::Inpatient,
            BusinessKind::Pharmacy => Business::Pharmacy,
        }
    }
}

impl From<Business> for BusinessKind {
    fn from(business: Business) -> BusinessKind {
        match business {
            Business::Outpatient => BusinessKind::Outpatient,
            Business::Inpatient => BusinessKind::Inpatient,
            Business::Pharmacy => BusinessKind::Pharmacy,
        }
    }
}

/// Where at an institution a person pays.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TerminalKind {
    Counter,
    Kiosk,
    Mobile,
}

impl From<Terminal> for TerminalKind {
    fn from(terminal: Terminal) -> TerminalKind {
        match terminal {
            Terminal::Counter => TerminalKind::Counter,
            Terminal::Kiosk => TerminalKind::Kiosk,
            Terminal::Mobile => TerminalKind::Mobile,
        }
    }
}

impl From<TerminalKind> for Terminal {
    fn from(kind: TerminalKind) -> Terminal {
        match kind {
            TerminalKind::Counter => Terminal::Counter,
            TerminalKind::Kiosk => Terminal::Kiosk,
            TerminalKind::Mobile => Terminal::Mobile,
        }
    }
}

/// What the record says of a hold.
#[derive(Debug, Serialize, ToSchema)]
struct HoldAnswer {
    payment: String,
    order_no: String,
    #[schema(example = "held")]
    state: &'static str,
    next_actions: Vec<Action>,
    /// What is held; less than `bill.own` only if `partial` was asked for.
    held: Money,
    /// The part from the payer's personal account.
    personal_account: Money,
    /// The part from the payer's wallet.
    wallet: Money,
    bill: BillBody,
    occurred_at: String,
    /// After this instant the hold gives the money back by itself.
    deadline: String,
    rule: Rule,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CaptureRequest {
    /// Everything that is still held unless given.
    #[serde(default)]
    amount: Option<Money>,
    /// The last capture: what is still held after it goes back.
    #[serde(default)]
    last: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundRequest {
    /// Everything that was captured and not refunded unless given.
    #[serde(default)]
    amount: Option<Money>,
}

/// What the record says of a payment after a step.
#[derive(Debug, Serialize, ToSchema)]
struct PaymentAnswer {
    payment: String,
    #[schema(example = "captured")]
    state: &'static str,
    /// Rises with each step.
    version: u64,
    next_actions: Vec<Action>,
    captured: Money,
    refunded: Money,
    /// Still held.
    remaining: Money,
}

/// What became of a reversal.
#[derive(Debug, Serialize, ToSchema)]
struct Reversal {
    order_no: String,
    /// `reversed`: nothing is held or kept any more. `nothing_to_reverse`: the number was never used, and never can be.
    outcome: ReversalOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReversalOutcome {
    Reversed,
    NothingToReverse,
}

/// An order, and the payment behind it.
#[derive(Debug, Serialize, ToSchema)]
struct OrderBody {
    order_no: String,
    /// Left out where the number was reversed before any payment came.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    /// A payment's state; `placed` while the payer's side is asked.
    #[schema(example = "captured")]
    state: &'static str,
    /// Whether it is known what became of the hold.
    outcome: HoldOutcome,
    /// While the outcome is `open`: at the latest then it is `definite`.
    #[serde(skip_serializing_if = "Option::is_none")]
    definite_at: Option<String>,
    version: u64,
    next_actions: Vec<Action>,
    bill: BillBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Money>,
    captured: Money,
    refunded: Money,
    /// Still held.
    remaining: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<AreaRef>,
    occurred_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    steps: Vec<Step>,
    /// Why the payer's side refused it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<ReasonBody>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HoldOutcome {
    /// Held or not held, for good.
    Definite,
    /// The payer's side has not answered yet: ask again, or reverse.
    Open,
}

/// A capture or refund.
#[derive(Debug, Serialize, ToSchema)]
struct Step {
    step: Action,
    amount: Money,
    occurred_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct OrderList {
    orders: Vec<OrderBody>,
    as_of: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Last {
    /// Rows, 1 to 200; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
}

fn scope(institution: InstitutionCaller) -> String {
    format!("institution:{}", institution.id)
}

/// # Errors
/// An amount is beyond anything that exists.
pub fn bill(body: &BillBody) -> Result<Bill, Problem> {
    Ok(Bill {
        total: body.total.fen("bill.total")?,
        fund: body.fund.fen("bill.fund")?,
        own: body.own.fen("bill.own")?,
        institution: body.institution.fen("bill.institution")?,
    })
}

/// Who pays, and in which partition.
async fn payer(app: &App, institution: InstitutionCaller, request: &HoldRequest, own: Fen) -> Result<(Payer, Part), Problem> {
    match &request.payer {
        PayerBody::Code(text) => {
            let (part, code) = payment::parse_code(text).ok_or(Reason::CodeUnknown)?;
            Ok((Payer::Code(code), part))
        }
        PayerBody::Keypad(keypad) => {
            let order = payment::order_id(institution.id, &request.order_no).ok_or_else(order_number_wrong)?;
            let (holder, proof) = at_keypad(app, keypad, keypad_binding(order, own)).await?;
            Ok((Payer::Holder { holder, by: holder, first: keypad.first.into(), proof }, holder.part()))
        }
    }
}

/// Who typed their number and password, and the proof of it for what `bound` stands for.
///
/// # Errors
/// The password is wrong, or was wrong too often.
pub async fn at_keypad(app: &App, keypad: &Keypad, bound: [u8; 16]) -> Result<(HolderId, Proof), Problem> {
    let now = app.now();
    let proven = app.identity.step_up_at_cashier(&keypad.id_number, &keypad.password, |_| bound, now).await;
    let (holder, proof) = proven.map_err(|error| {
        let is_wrong = matches!(error, IdentityError::LoginRefused { .. });
        let mut problem = Problem::from(error);
        if is_wrong {
            // 401 would say that the institution's own key is wrong.
            problem.status = StatusCode::FORBIDDEN;
            problem.body.status = StatusCode::FORBIDDEN.as_u16();
        }
        problem
    })?;
    let proof = app.vault.verify_proof(&proof, now).map_err(|_| Reason::ProofExpired)?;
    Ok((HolderId(holder), proof.into()))
}

fn visit(app: &App, institution: InstitutionCaller, request: &HoldRequest) -> Result<Visit, Problem> {
    let usual = payment::usual_visit(app, institution.id);
    let wrong = || Problem::field("business_day", "业务日期要写成 2026-11-23 这样。", "business_day is a date like 2026-11-23");
    Ok(Visit {
        business: request.business.map_or(usual.business, Business::from),
        terminal: request.terminal.map_or(usual.terminal, Terminal::from),
        day: request.business_day.as_deref().map(|day| gongji_files::parse_date(day).ok_or_else(wrong)).transpose()?.unwrap_or(usual.day),
    })
}

pub fn order_number_wrong() -> Problem {
    Problem::field("order_no", "单号要 1 到 64 个英文字母、数字或符号。", "order_no has 1 to 64 printable ASCII characters")
}

/// Hold money for a bill
///
/// The answer is final: held or refused. Where the payer's side takes longer than three seconds, it is 409 `STILL_OPEN`: repeat with the same
/// key, or ask `GET /institutions/payments/by-order/{order_no}`.
#[utoipa::path(post, path = "/payments", tag = "payments", params(Keyed),
    request_body(content = HoldRequest, example = json!({ "order_no": "MZ20261123-0007", "payer": { "code": "0017F3K2M9Q0041BQ8X" }, "bill": { "total": { "amount": 30000, "currency": "CNY" }, "fund": { "amount": 18000, "currency": "CNY" }, "own": { "amount": 12000, "currency": "CNY" } } })),
    responses((status = 201, description = "The money is held", body = HoldAnswer)), security(("institution" = [])))]
async fn hold(State(app): State<Arc<App>>, institution: InstitutionCaller, request: KeyedJson<HoldRequest>) -> Result<Recorded<HoldAnswer>, Problem> {
    let key = request.key(&scope(institution), "hold")?;
    let body = &request.body;
    payment::order_id(institution.id, &body.order_no).ok_or_else(order_number_wrong)?;
    let bill = bill(&body.bill)?;
    let (payer, part) = payer(&app, institution, body, bill.own).await?;
    let visit = visit(&app, institution, body)?;
    let quote = body.quote.as_deref().map(|id| quote::named(&app, institution.id, &payer, &bill, id)).transpose()?;
    let hold = Hold { institution: institution.id, number: body.order_no.clone(), payer, part, bill, partial: body.partial, visit, quote };
    let (_, replayed) = payment::hold(&app, &hold, key).await.map_err(refusal(&key))?;
    let (order, payment) = payment::payment_of(&app, institution.id, &body.order_no)?;
    let payment = payment.ok_or(Reason::NotFound)?;
    Ok(Recorded::created(format!("/api/v1/institutions/payments/{}", id_text(payment.id.0)), held(&order, &payment), replayed))
}

/// Made from what never changes, so that a repeat gets the same words.
fn held(order: &Order, payment: &Payment) -> HoldAnswer {
    let of = |wallet: bool| payment.slices.iter().filter(|slice| (slice.purse == Purse::Wallet) == wallet).map(|slice| slice.lot.amount).sum::<Fen>();
    HoldAnswer {
        payment: id_text(payment.id.0),
        order_no: order.number.clone(),
        state: state::payment_word(PaymentState::Held),
        next_actions: state::payment_actions(PaymentState::Held),
        held: payment.amount().into(),
        personal_account: of(false).into(),
        wallet: of(true).into(),
        bill: order.bill.into(),
        occurred_at: rfc3339(payment.held_at),
        deadline: rfc3339(payment.expires),
        rule: Rule::new(payment.rule),
    }
}

fn version(state: PaymentState, captured: Fen, refunded: Fen) -> u64 {
    // Both sums only rise, and a payment closes once.
    let closed = u64::from(!matches!(state, PaymentState::Held | PaymentState::PartlyCaptured));
    1 + captured.0.unsigned_abs() + refunded.0.unsigned_abs() + closed
}

fn answer(answered: Answered) -> Recorded<PaymentAnswer> {
    let Outcome::Payment { payment, state, captured, refunded, remaining } = answered.outcome else {
        unreachable!("a step of a payment is answered with a payment, not {:?}", answered.outcome)
    };
    let body = PaymentAnswer {
        payment: id_text(payment.0),
        state: state::payment_word(state),
        version: version(state, captured, refunded),
        next_actions: state::payment_actions(state),
        captured: captured.into(),
        refunded: refunded.into(),
        remaining: remaining.into(),
    };
    Recorded::ok(body, answered.replayed)
}

/// Capture held money
///
/// In parts if need be; `last` gives back what is still held.
#[utoipa::path(post, path = "/payments/{id}/capture", tag = "payments", params(Keyed, ("id" = String, Path, description = "The payment's id")), request_body(content = CaptureRequest, example = json!({ "amount": { "amount": 5000, "currency": "CNY" }, "last": false })),
    responses((status = 200, description = "The institution is owed this much", body = PaymentAnswer)), security(("institution" = [])))]
async fn capture(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<CaptureRequest>,
) -> Result<Recorded<PaymentAnswer>, Problem> {
    let (id, key) = (PaymentId(id_from(&id)?), request.key(&scope(institution), "capture")?);
    let (_, known) = payment::order_of(&app, institution.id, id)?;
    let CaptureRequest { amount, last } = request.body;
    let amount = amount.map_or(Ok(known.remaining()), |amount| amount.fen("amount"))?;
    Ok(answer(payment::capture(&app, institution.id, id, amount, last, key).await.map_err(refusal(&key))?))
}

/// Void a hold
///
/// What is still held goes back; what was captured already stays.
#[utoipa::path(post, path = "/payments/{id}/void", tag = "payments", params(Keyed, ("id" = String, Path, description = "The payment's id")), request_body = Nothing,
    responses((status = 200, description = "The money is back", body = PaymentAnswer)), security(("institution" = [])))]
async fn void(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<PaymentAnswer>, Problem> {
    let (id, key) = (PaymentId(id_from(&id)?), request.key(&scope(institution), "void")?);
    Ok(answer(payment::void(&app, institution.id, id, key).await.map_err(refusal(&key))?))
}

/// Refund captured money
///
/// To the origins it came from, in reverse order of use.
#[utoipa::path(post, path = "/payments/{id}/refund", tag = "payments", params(Keyed, ("id" = String, Path, description = "The payment's id")), request_body(content = RefundRequest, example = json!({ "amount": { "amount": 2000, "currency": "CNY" } })),
    responses((status = 200, description = "The money is back", body = PaymentAnswer)), security(("institution" = [])))]
async fn refund(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(id): StrictPath<String>,
    request: KeyedJson<RefundRequest>,
) -> Result<Recorded<PaymentAnswer>, Problem> {
    let (id, key) = (PaymentId(id_from(&id)?), request.key(&scope(institution), "refund")?);
    let (_, known) = payment::order_of(&app, institution.id, id)?;
    let amount = request.body.amount.map_or(Ok(known.captured() - known.refunded()), |amount| amount.fen("amount"))?;
    Ok(answer(payment::refund(&app, institution.id, id, amount, key).await.map_err(refusal(&key))?))
}

/// Reverse an order, whatever became of it
///
/// For when an answer was lost: void or refund is picked, and a number that never arrived can never be held afterwards.
#[utoipa::path(post, path = "/payments/by-order/{order_no}/reverse", tag = "payments", params(Keyed, ("order_no" = String, Path, description = "The institution's own number")), request_body = Nothing,
    responses((status = 200, description = "Nothing is held or kept", body = Reversal)), security(("institution" = [])))]
async fn reverse(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictPath(order_no): StrictPath<String>,
    request: KeyedJson<Nothing>,
) -> Result<Recorded<Reversal>, Problem> {
    let key = request.key(&scope(institution), "reverse")?;
    payment::order_id(institution.id, &order_no).ok_or_else(order_number_wrong)?;
    let answered = payment::reverse(&app, institution.id, &order_no, key).await.map_err(refusal(&key))?;
    let payment = match answered.outcome {
        Outcome::Order { payment, .. } => Some(id_text(payment.0)),
        _ => None,
    };
    let outcome = if payment.is_some() { ReversalOutcome::Reversed } else { ReversalOutcome::NothingToReverse };
    Ok(Recorded::ok(Reversal { order_no, outcome, payment }, answered.replayed))
}

/// An order by the institution's own number
///
/// For when an answer was lost: 404 `NOT_FOUND` (nothing was recorded, and a payment may still arrive: reverse the number to make sure that it
/// cannot), `definite`, or `open` with the instant at which it is definite at the latest.
#[utoipa::path(get, path = "/payments/by-order/{order_no}", tag = "payments", params(("order_no" = String, Path, description = "The institution's own number")),
    responses((status = 200, description = "The order", body = OrderBody)), security(("institution" = [])))]
async fn by_order(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(order_no): StrictPath<String>) -> Result<Json<OrderBody>, Problem> {
    let (order, payment) = payment::payment_of(&app, institution.id, &order_no)?;
    Ok(Json(order_body(&app, &order, payment.as_ref())))
}

/// A payment at this institution
#[utoipa::path(get, path = "/payments/{id}", tag = "payments", params(("id" = String, Path, description = "The payment's id")),
    responses((status = 200, description = "The payment and its order", body = OrderBody)), security(("institution" = [])))]
async fn show(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictPath(id): StrictPath<String>) -> Result<Json<OrderBody>, Problem> {
    let (order, payment) = payment::order_of(&app, institution.id, PaymentId(id_from(&id)?))?;
    let order = app.engine.order(order)?.ok_or(Reason::NotFound)?;
    Ok(Json(order_body(&app, &order, Some(&payment))))
}

/// The institution's last orders, newest first
#[utoipa::path(get, path = "/payments", tag = "payments", params(Last), responses((status = 200, description = "The last orders", body = OrderList)), security(("institution" = [])))]
async fn list(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictQuery(asked): StrictQuery<Last>) -> Result<Json<OrderList>, Problem> {
    let orders = app.engine.orders(institution.id, super::wire::page_len(asked.limit)?).await?;
    let mut bodies = Vec::with_capacity(orders.len());
    for order in &orders {
        bodies.push(order_body(&app, order, app.engine.payment(order.payment)?.as_ref()));
    }
    Ok(Json(OrderList { orders: bodies, as_of: rfc3339(app.now()) }))
}

fn order_body(app: &App, order: &Order, payment: Option<&Payment>) -> OrderBody {
    let reasons = match &order.state {
        OrderState::Refused(reasons) => reasons.iter().map(ReasonBody::from).collect(),
        _ => Vec::new(),
    };
    let payment_state = payment.map(|payment| payment.state);
    // What the institution's side has decided stands, also while the payer's side has yet to hear of it.
    let state = match (&order.state, payment_state) {
        (OrderState::Placed, _) => None,
        (OrderState::Refused(_), _) => Some(PaymentState::Refused),
        (OrderState::Held { .. }, state) => state,
        (_, Some(state @ (PaymentState::Voided | PaymentState::Expired))) => Some(state),
        (OrderState::Reversed | OrderState::ReversedUnheard | OrderState::ReversedBefore, _) => Some(PaymentState::Reversed),
    };
    let is_open = order.state == OrderState::Placed;
    let steps = payment.map_or_else(Vec::new, |payment| {
        let mut steps: Vec<(i64, Action, Fen)> = payment.captures.iter().map(|(at, amount)| (*at, Action::Capture, *amount)).collect();
        steps.extend(payment.refunds.iter().map(|(at, amount)| (*at, Action::Refund, *amount)));
        steps.sort_by_key(|(at, _, _)| *at);
        steps.into_iter().map(|(at, step, amount)| Step { step, amount: amount.into(), occurred_at: rfc3339(at) }).collect()
    });
    let (captured, refunded) = payment.map_or((Fen::ZERO, Fen::ZERO), |payment| (payment.captured(), payment.refunded()));
    let area = app.directory().institutions.get(&order.id.institution).map(|institution| AreaRef::new(&app.directory(), institution.area));
    OrderBody {
        order_no: order.number.clone(),
        payment: (order.state != OrderState::ReversedBefore).then(|| id_text(order.payment.0)),
        state: state.map_or("placed", state::payment_word),
        outcome: if is_open { HoldOutcome::Open } else { HoldOutcome::Definite },
        definite_at: is_open.then(|| rfc3339(order.placed_at + payment::DEFINITE_MS)),
        version: payment_state.map_or(0, |state| version(state, captured, refunded)),
        next_actions: state.map_or_else(|| vec![Action::Reverse], state::payment_actions),
        bill: order.bill.into(),
        held: payment.map(|payment| payment.amount().into()),
        captured: captured.into(),
        refunded: refunded.into(),
        remaining: payment.map_or(Fen::ZERO, Payment::remaining).into(),
        area,
        occurred_at: rfc3339(order.placed_at),
        deadline: payment.map(|payment| rfc3339(payment.expires)),
        steps,
        reasons,
    }
}
