//! 2601: undoing a message whose answer was lost. Reversing what never happened succeeds, and makes sure that it never will.
//!
//! | original | what a reversal does |
//! | --- | --- |
//! | 2102, 2207 | the order is reversed in the institution's partition, whatever became of it; if it has not come yet, it is refused when it does |
//! | 2103, 2208 not arrived | its number is taken out of use |
//! | 2103, 2208 arrived, nothing went back | its idempotency key is taken, so that it never will |
//! | 2103, 2208 done | refused: the money is the payer's again |

use super::envelope::compact;
use super::fields::Fields;
use super::node::Node;
use super::refusal::{Refusal, Wrong};
use super::{Call, key_of};
use crate::service::national::{bytes_of, psn_no};
use crate::service::payment;
use crate::service::{Answered, ServiceError};
use gongji_ledger::Fen;
use gongji_store::vault::NewGatewayMessage;
use gongji_wallet::ids::PaymentId;
use gongji_wallet::{Outcome, Reason};

/// What stands in place of a digest where a number was taken out of use before its message came.
const BARRED: [u8; 32] = [0; 32];

pub async fn reverse(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let said = data.text("psn_no", 30)?;
    let number = data.text("omsgid", 30)?;
    if number.len() != 30 || !number.starts_with(&call.code()) || number == call.sender.msgid {
        return Err(data.wrong("omsgid", Wrong::FieldFormat));
    }
    let was_done = match data.text("oinfno", 4)?.as_str() {
        "2102" | "2207" => settlement(call, &said, &number).await?,
        infno @ ("2103" | "2208") => cancel(call, &said, &number, infno).await?,
        _ => return Err(Wrong::NotReversible.into()),
    };
    Ok(Node::new().node("wlt", Node::new().text("omsgid", number).text("rvs_rslt", if was_done { "1" } else { "0" }).text("rvs_time", compact(call.now))))
}

/// Whether there was something to undo.
async fn settlement(call: &Call<'_>, said: &str, number: &str) -> Result<bool, Refusal> {
    match payment::payment_of(call.app, call.institution, number) {
        Ok((_, Some(payment))) if said != psn_no(call.app.vault.keys(), call.institution, payment.holder) => return Err(Wrong::PersonDiffers.into()),
        Ok(_) => {}
        Err(ServiceError::Refused { reasons, .. }) if reasons == [Reason::NotFound] => {}
        Err(error) => return Err(error.into()),
    }
    let answered = payment::reverse(call.app, call.institution, number, call.key("reverse")?).await?;
    Ok(matches!(answered.outcome, Outcome::Order { .. }))
}

async fn cancel(call: &Call<'_>, said: &str, number: &str, infno: &str) -> Result<bool, Refusal> {
    let (part, code, now) = (call.part(), call.code(), call.now);
    let (wanted, kind) = (number.to_owned(), infno.to_owned());
    let barred = call.app.vault(move |vault| {
        let bar = NewGatewayMessage { part, institution: &code, msgid: &wanted, infno: &kind, fingerprint: &BARRED, request: "" };
        vault.bar_gateway_message(&bar, now)
    });
    if barred.await? {
        return Ok(false);
    }
    let (part, code, wanted) = (call.part(), call.code(), number.to_owned());
    let Some(known) = call.app.vault(move |vault| vault.gateway_message(part, &code, &wanted)).await? else { return Ok(false) };
    if known.infno != infno {
        return Err(Wrong::NotReversible.into());
    }
    // Which settlement it was about; one that cannot be read was refused as well.
    let Some((payment, holder)) = about(call, known.request.reveal())? else { return Ok(false) };
    if said != psn_no(call.app.vault.keys(), call.institution, holder) {
        return Err(Wrong::PersonDiffers.into());
    }
    // Takes the key under which the cancel would give money back. Who comes first, wins; the books decide.
    let key = key_of(call.institution, "refund", number, &BARRED)?;
    match payment::refund(call.app, call.institution, payment, Fen::ZERO, key).await {
        Err(ServiceError::KeyReused) => refunded(call, payment, number),
        Err(ServiceError::Refused { .. }) => Ok(false),
        Ok(Answered { .. }) => unreachable!("nothing is refunded by an amount of nothing"),
        Err(error) => Err(error.into()),
    }
}

/// The cancel came first: it stands if it gave anything back.
fn refunded(call: &Call<'_>, payment: PaymentId, number: &str) -> Result<bool, Refusal> {
    let key = key_of(call.institution, "refund", number, &BARRED)?;
    let answer = call.app.engine.object(payment.part(), gongji_wallet::ids::Key::Answer(key.key))?;
    match answer.as_deref() {
        Some(gongji_wallet::object::Object::Answer(answer)) if matches!(answer.outcome, Outcome::Refused(_)) => Ok(false),
        _ => Err(Wrong::CancelStands.into()),
    }
}

/// The payment that a cancel was about, and whose it is.
fn about(call: &Call<'_>, request: &str) -> Result<Option<(PaymentId, gongji_ledger::HolderId)>, Refusal> {
    let setl_id = Fields::of_message(request).and_then(|message| message.node("input").and_then(|input| input.node("data")).ok());
    let setl_id = setl_id.and_then(|data| data.text("setl_id", 30).ok());
    let id = setl_id.as_deref().and_then(|text| text.get(..26)).and_then(bytes_of::<16>).map(PaymentId);
    let Some(id) = id.filter(|id| id.part() > 0 && id.part() <= call.app.engine.parts()) else { return Ok(None) };
    match payment::order_of(call.app, call.institution, id) {
        Ok((_, payment)) => Ok(Some((id, payment.holder))),
        Err(ServiceError::Refused { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
