//! 6201–6401, paying from a phone: an order is uploaded, paid by an e-code's token, asked after, refunded in part, or revoked.
//!
//! `payOrdId` is the `msgid` of the upload, and the order number of the payment. Nothing is set aside before 6202.

use super::Call;
use super::certificate::Certificate;
use super::fields::Fields;
use super::node::Node;
use super::refusal::{Refusal, Wrong};
use super::settle::{self, Family, setl_id, shares_of};
use super::split::{Shares, Split};
use crate::service::ServiceError;
use crate::service::national::letters;
use crate::service::payment;
use gongji_ledger::Fen;
use gongji_wallet::Reason;
use gongji_wallet::object::{Business, Order, OrderState, Payment, PaymentState};

/// States of an order (`ordStas`).
mod state {
    pub const SAVED: &str = "0";
    pub const SETTLING: &str = "2";
    pub const SETTLED: &str = "6";
    pub const REFUNDED: &str = "7";
    pub const REVOKED: &str = "12";
    pub const FAILED: &str = "15";
}

/// An uploaded order.
struct Uploaded {
    number: String,
    split: Split,
}

fn family(call: &Call<'_>) -> Family {
    Family::of(if call.institution.is_pharmacy() { Business::Pharmacy } else { Business::Outpatient })
}

fn pay_token(call: &Call<'_>, number: &str) -> String {
    letters(&call.app.vault.keys().token_mac("gateway order", &[call.code().as_bytes(), number.as_bytes()])[..15])
}

fn read(input: &Fields<'_>) -> Result<Split, Refusal> {
    let data = input.node("data")?;
    data.text("medOrgOrd", 64)?;
    data.text("medType", 6)?;
    Split::read(&data, input, "feeSumamt")
}

pub async fn upload(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    if data.text("orgCodg", 30)? != call.code() {
        return Err(Wrong::InstitutionDiffers.into());
    }
    family(call).check_mobile(&data)?;
    read(&call.input)?;
    let number = &call.sender.msgid;
    Ok(Node::new().text("payOrdId", number).text("payToken", pay_token(call, number)).text("ordStas", state::SAVED))
}

/// The upload behind `payOrdId`.
async fn uploaded(call: &Call<'_>, data: &Fields<'_>) -> Result<Uploaded, Refusal> {
    let number = data.text("payOrdId", 30)?;
    let (part, code, wanted) = (call.part(), call.code(), number.clone());
    let kept = call.app.vault(move |vault| vault.gateway_message(part, &code, &wanted)).await?;
    let kept = kept.filter(|kept| kept.infno == "6201" && kept.is_final).ok_or(Wrong::OrderUnknown)?;
    let input = Fields::of_message(kept.request.reveal()).and_then(|message| message.node("input").ok()).ok_or(Wrong::OrderUnknown)?;
    // One that was refused is no order.
    let split = read(&input).map_err(|_| Wrong::OrderUnknown)?;
    Ok(Uploaded { number, split })
}

pub async fn pay(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let order = uploaded(call, &data).await?;
    if data.text("payToken", 64)? != pay_token(call, &order.number) {
        return Err(Wrong::OrderUnknown.into());
    }
    let certificate = Certificate::of_token(call, &data.text("ecToken", 64)?, &[family(call).business])?;
    let (_, payment) = settle::pay(call, &order.split, &certificate, &order.number, None).await?;
    let shares = shares_of(call, order.split.bill.own, &payment);
    let node = Node::new().text("payAuthNo", setl_id(payment.id)).text("payOrdId", &order.number).text("payToken", pay_token(call, &order.number));
    Ok(amounts(node.text("ordStas", state::SETTLED), &order.split, &shares))
}

/// What is paid from where, by the names of mobile payment.
fn amounts(node: Node, split: &Split, shares: &Shares) -> Node {
    let bill = split.bill;
    node.yuan("feeSumamt", bill.total)
        .yuan("ownPayAmt", shares.cash)
        .yuan("psnAcctPay", shares.acct_pay())
        .yuan("fundPay", bill.fund)
        .yuan("deposit", Fen::ZERO)
        .yuan("acctMulaidPay", shares.wallet)
        .yuan("selfAcctPay", shares.personal)
        .yuan("hospPartAmt", bill.institution)
        .yuan("othFeeAmt", Fen::ZERO)
        .yuan("delvFee", Fen::ZERO)
        .node("extData", Node::new().node("wlt", shares.extension()))
}

/// The payment of an order, if there is one.
fn paid(call: &Call<'_>, number: &str) -> Result<Option<(Order, Option<Payment>)>, Refusal> {
    match payment::payment_of(call.app, call.institution, number) {
        Ok(found) => Ok(Some(found)),
        Err(ServiceError::Refused { reasons, .. }) if reasons == [Reason::NotFound] => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub async fn query(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let order = uploaded(call, &data).await?;
    let found = paid(call, &order.number)?;
    let payment = found.as_ref().and_then(|(_, payment)| payment.as_ref());
    let word = match (payment, found.as_ref().map(|(order, _)| &order.state)) {
        (_, None) => state::SAVED,
        (_, Some(OrderState::Reversed | OrderState::ReversedBefore | OrderState::ReversedUnheard)) => state::REVOKED,
        (None, Some(OrderState::Refused(_))) => state::FAILED,
        (None, Some(_)) => state::SETTLING,
        (Some(payment), _) => match payment.state {
            PaymentState::Held | PaymentState::PartlyCaptured => state::SETTLING,
            PaymentState::Captured if payment.refunded() == payment.captured() => state::REFUNDED,
            PaymentState::Captured => state::SETTLED,
            PaymentState::Reversed => state::REVOKED,
            PaymentState::Voided | PaymentState::Expired | PaymentState::Refused => state::FAILED,
        },
    };
    let node = Node::new().text("payOrdId", &order.number).text("ordStas", word);
    let Some(payment) = payment else {
        let nothing = settle::shares(call, order.split.bill.own, &[], call.now);
        return Ok(amounts(node, &order.split, &nothing));
    };
    let shares = shares_of(call, order.split.bill.own, payment);
    Ok(amounts(node.text("payAuthNo", setl_id(payment.id)).yuan("psnAcctRefdAmt", payment.refunded()), &order.split, &shares))
}

/// Gives part of the own share back. The fund's part and cash go back where they were paid.
pub async fn refund(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let order = uploaded(call, &data).await?;
    let serial = data.text("appRefdSn", 64)?;
    data.text_if("refdType", 6)?;
    let [total, account, fund, cash] = ["totlRefdAmt", "psnAcctRefdAmt", "fundRefdAmt", "cashRefdAmt"].map(|field| data.yuan(field));
    let (total, account, fund, cash) = (total?, account?, fund?, cash?);
    if total != account + fund + cash || !account.is_positive() {
        return Err(Wrong::RefundUnbalanced.into());
    }
    let payment = paid(call, &order.number)?.and_then(|(_, payment)| payment).ok_or(Wrong::OrderUnknown)?;
    payment::refund(call.app, call.institution, payment.id, account, call.key("refund")?).await?;
    let payment = call.app.engine.payment(payment.id)?.ok_or(Reason::NotFound)?;
    Ok(Node::new()
        .text("payOrdId", &order.number)
        .text("appRefdSn", serial)
        .text("refdStas", "1")
        .yuan("psnAcctRefdAmt", account)
        .yuan("refdSumamt", payment.refunded()))
}

/// Takes an order back that was not paid. One that is just being paid is undone.
pub async fn revoke(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let order = uploaded(call, &data).await?;
    let is_paid = paid(call, &order.number)?.is_some_and(|(known, payment)| {
        !matches!(known.state, OrderState::Reversed | OrderState::ReversedUnheard) && payment.is_some_and(|payment| payment.state == PaymentState::Captured)
    });
    if is_paid {
        return Err(Wrong::OrderPaid.into());
    }
    payment::reverse(call.app, call.institution, &order.number, call.key("revoke")?).await?;
    Ok(Node::new().text("payOrdId", &order.number).text("ordStas", state::REVOKED))
}
