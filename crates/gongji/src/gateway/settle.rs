//! Settling a bill: 2206–2208 outpatient, 2101–2103 pharmacy, and 5203, which tells what became of one.
//!
//! A settlement is a hold and its capture in one message; the order number is the `msgid`. `setl_id` is the payment's id in letters, so that
//! query and cancel find it without a table.

use super::Call;
use super::certificate::{Certificate, Known};
use super::envelope::time;
use super::fields::Fields;
use super::node::Node;
use super::person::Shown;
use super::refusal::{Refusal, Wrong};
use super::split::{Shares, Split};
use super::upstream;
use crate::service::ServiceError;
use crate::service::national::{bytes_of, letters, psn_no};
use crate::service::payment::{self, Hold};
use gongji_ledger::{Fen, Lot};
use gongji_wallet::Reason;
use gongji_wallet::day::day_of;
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::{Business, Order, OrderState, Payment, PaymentState, Purse};
use gongji_wallet::payment::{bill_reasons, plan};

/// Kinds of insurance. 依据：国家医保信息业务编码 insutype。
pub const INSURANCES: [&str; 14] = ["310", "320", "330", "340", "350", "360", "370", "380", "390", "391", "392", "399", "410", "510"];

/// One family of transactions.
#[derive(Clone, Copy)]
pub struct Family {
    pub business: Business,
    /// The node of `input` that has the bill.
    node: &'static str,
    clr_type: &'static str,
    /// The first two digits of `med_type`; regions put up to four behind.
    med_types: &'static [&'static str],
}

pub const OUTPATIENT: Family = Family { business: Business::Outpatient, node: "data", clr_type: "11", med_types: &["11", "12", "13", "14", "51"] };

pub const PHARMACY: Family = Family { business: Business::Pharmacy, node: "druginfo", clr_type: "41", med_types: &["41"] };

impl Family {
    pub fn of(business: Business) -> Family {
        if business == Business::Pharmacy { PHARMACY } else { OUTPATIENT }
    }

    fn check(self, call: &Call<'_>) -> Result<(), Refusal> {
        let is_pharmacy = self.business == Business::Pharmacy;
        if is_pharmacy == call.institution.is_pharmacy() { Ok(()) } else { Err(Wrong::BusinessDiffers.into()) }
    }

    /// The kind of care of an order from a phone.
    pub fn check_mobile(self, data: &Fields<'_>) -> Result<(), Refusal> {
        self.med_type(data, "medType").map(drop)
    }

    fn med_type(self, data: &Fields<'_>, field: &str) -> Result<String, Refusal> {
        let med_type = data.text(field, 6)?;
        if !matches!(med_type.len(), 2 | 4..=6) || !med_type.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(data.wrong(field, Wrong::CodeTable));
        }
        if self.med_types.contains(&&med_type[..2]) { Ok(med_type) } else { Err(Wrong::BusinessDiffers.into()) }
    }
}

/// A bill as it was asked.
pub struct Asked {
    pub split: Split,
    psn_no: String,
    mdtrt_id: Option<String>,
    insutype: String,
    pub med_type: String,
    cert_type: String,
    invono: String,
}

impl Asked {
    /// `given`: where the fund's split stands.
    fn read<'a>(input: &Fields<'a>, given: &Fields<'_>, family: Family) -> Result<(Asked, Fields<'a>), Refusal> {
        let data = match input.node_if(family.node)? {
            Some(data) => data,
            None => input.node("data")?,
        };
        let psn_no = data.text("psn_no", 30)?;
        let med_type = family.med_type(&data, "med_type")?;
        data.text_if("psn_setlway", 6)?;
        data.text_if("chrg_bchno", 30)?;
        if data.text("acct_used_flag", 3)? != "1" {
            return Err(Wrong::AccountNotUsed.into());
        }
        let mdtrt_id = if family.business == Business::Pharmacy { data.text_if("mdtrt_id", 30)? } else { Some(data.text("mdtrt_id", 30)?) };
        let asked = Asked {
            split: Split::read(&data, given, "medfee_sumamt")?,
            psn_no,
            mdtrt_id,
            insutype: data.code("insutype", &INSURANCES)?,
            med_type,
            cert_type: data.text("mdtrt_cert_type", 3)?,
            invono: data.text_if("invono", 20)?.unwrap_or_default(),
        };
        Ok((asked, data))
    }
}

pub async fn quote(call: &Call<'_>, family: Family) -> Result<Node, Refusal> {
    family.check(call)?;
    let upstream = upstream::split(call).await?;
    let (asked, data) = Asked::read(&call.input, &upstream::given(call, upstream.as_deref())?, family)?;
    let certificate = Certificate::read(call, &data, &[family.business])?;
    let known = certificate.known(call).await?;
    known.check(call, Some(&asked.psn_no))?;
    known.may_pay(call)?;
    let bill = asked.split.bill;
    let order = payment::order_id(call.institution, &call.sender.msgid).ok_or(Wrong::MsgidMalformed)?;
    let reasons = bill_reasons(&call.app.directory(), order, &bill);
    if !reasons.is_empty() {
        return Err(crate::problem::Problem::refused(&reasons).into());
    }
    let taken = plan(&known.holder, bill.own, known.first, call.now);
    let shares = shares(call, bill.own, &taken, call.now);
    if shares.cash == bill.own {
        return Err(Reason::InsufficientFunds { available: Fen::ZERO }.into());
    }
    let shown = Shown::of(call, &known).await?;
    let node = head(call, &asked, &shown, &call.sender.msgid, "", call.now);
    let info = asked.split.write(node, &shares, "psn_cash_pay").yuan("balc", known.balance() - shares.personal);
    Ok(whole(tail(call, family, info, &asked, &call.sender.msgid), &asked, &shares))
}

pub async fn settle(call: &Call<'_>, family: Family) -> Result<Node, Refusal> {
    family.check(call)?;
    let upstream = upstream::split(call).await?;
    let (asked, data) = Asked::read(&call.input, &upstream::given(call, upstream.as_deref())?, family)?;
    let certificate = Certificate::read(call, &data, &[family.business])?;
    let number = call.sender.msgid.clone();
    let (known, payment) = pay(call, &asked.split, &certificate, &number, Some(&asked.psn_no)).await?;
    let shares = shares_of(call, asked.split.bill.own, &payment);
    let shown = Shown::of(call, &known).await?;
    let node = head(call, &asked, &shown, &number, &setl_id(payment.id), payment.held_at);
    let info = asked.split.write(node, &shares, "psn_cash_pay").yuan("balc", balance(call, &payment)?);
    Ok(whole(tail(call, family, info, &asked, &number), &asked, &shares))
}

/// Holds what accounts can pay of the own share, and captures it. Sent again it goes on where it stood.
pub async fn pay(call: &Call<'_>, split: &Split, certificate: &Certificate, number: &str, psn_no: Option<&str>) -> Result<(Known, Payment), Refusal> {
    let bill = split.bill;
    let (payer, part, known) = certificate.payer(call, number, bill.own).await?;
    known.check(call, psn_no)?;
    let visit = call.visit(if call.institution.is_pharmacy() { Business::Pharmacy } else { Business::Outpatient });
    let hold = Hold { institution: call.institution, number: number.to_owned(), payer, part, bill, partial: true, visit, quote: None };
    payment::hold(call.app, &hold, call.key("hold")?).await?;
    let (_, held) = payment::payment_of(call.app, call.institution, number)?;
    let held = held.ok_or(Reason::NotFound)?;
    if held.state != PaymentState::Captured {
        payment::capture(call.app, call.institution, held.id, held.remaining(), true, call.key("capture")?).await?;
    }
    let payment = call.app.engine.payment(held.id)?.ok_or(Reason::NotFound)?;
    Ok((known, payment))
}

/// Everything that was captured and not given back yet goes back.
pub async fn cancel(call: &Call<'_>, family: Family) -> Result<Node, Refusal> {
    family.check(call)?;
    let data = call.input.node("data")?;
    let (order, payment) = settlement(call, &data.text("setl_id", 30)?)?;
    check_person(call, &data, &payment)?;
    let mdtrt_id = data.text_if("mdtrt_id", 30)?;
    let left = payment.captured() - payment.refunded();
    // Where nothing is left, this very message may have taken it: its key knows.
    let amount = if left.is_positive() { left } else { payment.captured() };
    match payment::refund(call.app, call.institution, payment.id, amount, call.key("refund")?).await {
        Ok(_) => {}
        Err(ServiceError::Refused { reasons, .. }) if matches!(reasons[..], [Reason::RefundTooLarge { .. }]) => return Err(Wrong::AlreadyCancelled.into()),
        Err(error) => return Err(error.into()),
    }
    let payment = call.app.engine.payment(payment.id)?.ok_or(Reason::NotFound)?;
    let asked = asked_of(call, &order).await?;
    let known = known_of(call, &payment)?;
    let shown = Shown::of(call, &known).await?;
    let asked = asked.unwrap_or_else(|| Asked::of_order(&order, &known, &shown.psn_no, mdtrt_id));
    let split = asked.split.negated();
    let shares = shares_of(call, asked.split.bill.own, &payment).negated();
    let node = head(call, &asked, &shown, &order.number, &refund_id(&payment), call.now);
    let info = split.write(node, &shares, "psn_cash_pay").yuan("pdn_cash_pay", shares.cash).yuan("balc", balance(call, &payment)?);
    let info = tail(call, family, info, &asked, &call.sender.msgid).text("refd_setl_flag", "1");
    Ok(Node::new()
        .node("setlinfo", info)
        .nodes("setldetail", split.details(&shares))
        .node("wlt", shares.extension().yuan("refd_amt", amount).text("init_setl_id", setl_id(payment.id))))
}

/// What became of a settlement. Found by `setl_id`, or by the `msgid` of the settlement where its answer was lost.
pub async fn query(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let (order, payment) = match data.text_if("setl_id", 30)? {
        Some(setl_id) => settlement(call, &setl_id)?,
        None => {
            let number = data.text("medins_setl_id", 30)?;
            let (order, payment) = payment::payment_of(call.app, call.institution, &number).map_err(unknown)?;
            match (payment, &order.state) {
                (Some(payment), _) => (order, payment),
                (None, OrderState::Placed) => return Err(ServiceError::StillOpen.into()),
                (None, OrderState::Refused(reasons)) => return Err(crate::problem::Problem::refused(reasons).into()),
                (None, OrderState::Held { .. }) => return Err(ServiceError::StillOpen.into()),
                (None, OrderState::Reversed | OrderState::ReversedBefore | OrderState::ReversedUnheard) => return Err(Reason::OrderReversed.into()),
            }
        }
    };
    check_person(call, &data, &payment)?;
    let known = known_of(call, &payment)?;
    let shown = Shown::of(call, &known).await?;
    let family = Family::of(if call.institution.is_pharmacy() { Business::Pharmacy } else { Business::Outpatient });
    let asked = match asked_of(call, &order).await? {
        Some(asked) => asked,
        None => Asked::of_order(&order, &known, &shown.psn_no, data.text_if("mdtrt_id", 30)?),
    };
    let shares = shares_of(call, asked.split.bill.own, &payment);
    let left = payment.captured() - payment.refunded();
    let is_refunded = payment.captured().is_positive() && left.is_zero();
    let node = head(call, &asked, &shown, &order.number, &setl_id(payment.id), payment.held_at);
    let info = asked
        .split
        .write(node, &shares, "psn_cash_pay")
        .yuan("cash_payamt", shares.cash)
        .yuan("psn_pay", asked.split.bill.own)
        .yuan("balc", balance(call, &payment)?)
        .text("invono", &asked.invono)
        .text("fixmedins_code", call.code());
    let info = tail(call, family, info, &asked, &order.number).text("refd_setl_flag", if is_refunded { "1" } else { "0" });
    let state = shares.extension().text("setl_stas", crate::api::state::payment_word(payment.state)).yuan("refd_amt", payment.refunded());
    Ok(Node::new().node("setlinfo", info).nodes("setldetail", asked.split.details(&shares)).node("wlt", state))
}

// Finding.

/// A payment's id in 26 letters.
pub fn setl_id(payment: PaymentId) -> String {
    letters(&payment.0)
}

/// Letters of a `setl_id` before the number of the refund.
const SETL_ID_LEN: usize = 26;

/// The `setl_id` of a payment's last refund: the settlement's with the refund's number behind.
fn refund_id(payment: &Payment) -> String {
    format!("{}R{}", setl_id(payment.id), payment.refunds.len())
}

/// A settlement of this institution, by its `setl_id` or that of a refund.
fn settlement(call: &Call<'_>, text: &str) -> Result<(Order, Payment), Refusal> {
    let (id, refund) = text.split_at_checked(SETL_ID_LEN).ok_or(Wrong::SettlementUnknown)?;
    let is_refund = refund.strip_prefix('R').is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    let id = bytes_of::<16>(id).filter(|_| refund.is_empty() || is_refund).map(PaymentId).ok_or(Wrong::SettlementUnknown)?;
    if id.part() == 0 || id.part() > call.app.engine.parts() {
        return Err(Wrong::SettlementUnknown.into());
    }
    let (order, payment) = payment::order_of(call.app, call.institution, id).map_err(unknown)?;
    let order = call.app.engine.order(order)?.ok_or(Wrong::SettlementUnknown)?;
    Ok((order, payment))
}

pub fn unknown(error: ServiceError) -> Refusal {
    match error {
        ServiceError::Refused { reasons, .. } if reasons == [Reason::NotFound] => Wrong::SettlementUnknown.into(),
        error => error.into(),
    }
}

fn check_person(call: &Call<'_>, data: &Fields<'_>, payment: &Payment) -> Result<(), Refusal> {
    let said = data.text("psn_no", 30)?;
    if said == psn_no(call.app.vault.keys(), call.institution, payment.holder) { Ok(()) } else { Err(Wrong::PersonDiffers.into()) }
}

fn known_of(call: &Call<'_>, payment: &Payment) -> Result<Known, Refusal> {
    let holder = call.app.engine.holder(payment.holder)?.ok_or(Reason::NotFound)?;
    Ok(Known { holder, first: gongji_wallet::object::PayFirst::Personal, code: None })
}

fn balance(call: &Call<'_>, payment: &Payment) -> Result<Fen, Refusal> {
    Ok(known_of(call, payment)?.balance())
}

/// The bill as the settling message had it, where that message is still kept.
async fn asked_of(call: &Call<'_>, order: &Order) -> Result<Option<Asked>, Refusal> {
    let (part, code, number) = (call.part(), call.code(), order.number.clone());
    let Some(kept) = call.app.vault(move |vault| vault.gateway_message(part, &code, &number)).await? else { return Ok(None) };
    let family = match kept.infno.as_str() {
        "2207" => OUTPATIENT,
        "2102" => PHARMACY,
        _ => return Ok(None),
    };
    let input = Fields::of_message(kept.request.reveal()).and_then(|message| message.node("input").ok());
    Ok(input.and_then(|input| Asked::read(&input, &input, family).ok().map(|(asked, _)| asked)))
}

impl Asked {
    /// What the books alone know of a bill.
    fn of_order(order: &Order, known: &Known, psn_no: &str, mdtrt_id: Option<String>) -> Asked {
        Asked {
            split: Split::of_bill(order.bill),
            psn_no: psn_no.to_owned(),
            mdtrt_id,
            insutype: known.holder.enrolment.map(|enrolment| enrolment.insurance.to_string()).unwrap_or_default(),
            med_type: String::new(),
            cert_type: String::new(),
            invono: String::new(),
        }
    }
}

// Amounts and answers.

/// Who pays the own share, under the rule that the institution's region had at `at`.
pub fn shares(call: &Call<'_>, own: Fen, taken: &[(Purse, Lot)], at: i64) -> Shares {
    let rules = call.app.directory().rules(call.area, day_of(at));
    Shares::of(own, taken, rules.mutual_aid_inside, rules.version)
}

/// What a payment took, whatever went back since.
pub fn shares_of(call: &Call<'_>, own: Fen, payment: &Payment) -> Shares {
    let captured = payment.slices.iter().filter(|slice| slice.captured.is_positive());
    let taken: Vec<(Purse, Lot)> = captured.map(|slice| (slice.purse, Lot { amount: slice.captured, ..slice.lot })).collect();
    shares(call, own, &taken, payment.held_at)
}

fn head(call: &Call<'_>, asked: &Asked, shown: &Shown, number: &str, setl_id: &str, at: i64) -> Node {
    let mdtrt_id = asked.mdtrt_id.as_deref().unwrap_or(number);
    shown
        .write(call, Node::new().text("mdtrt_id", mdtrt_id).text("setl_id", setl_id))
        .text("insutype", &asked.insutype)
        .text("psn_type", "")
        .text("cvlserv_flag", "0")
        .text("setl_time", time(at))
        .text("mdtrt_cert_type", &asked.cert_type)
        .text("med_type", &asked.med_type)
}

fn tail(call: &Call<'_>, family: Family, info: Node, asked: &Asked, number: &str) -> Node {
    info.text("medins_setl_id", number).text("clr_optins", format!("{:06}", call.area)).text("clr_way", asked.split.way()).text("clr_type", family.clr_type)
}

fn whole(info: Node, asked: &Asked, shares: &Shares) -> Node {
    Node::new().node("setlinfo", info).nodes("setldetail", asked.split.details(shares)).node("wlt", shares.extension())
}
