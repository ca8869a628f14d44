//! Paying at institutions: payment codes, orders, captures, refunds.

use super::key::IdempotencyKey;
use super::transfer::OUTCOME_WAIT;
use super::{Answered, Result, ServiceError, ask, attempt};
use crate::app::App;
use gongji_ledger::{AreaCode, Fen, HolderId, InstitutionId, Part};
use gongji_store::seal::{random, sm3};
use gongji_wallet::command::PlaceOrder;
use gongji_wallet::day::day_of;
use gongji_wallet::event::{Payer, Quote};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId};
use gongji_wallet::object::{Bill, Business, Code, Decoding, Order, OrderState, PayFirst, Payment, Visit};
use gongji_wallet::{Command, Outcome, Reason, Request};

/// Letters of payment codes: no I, L, O, U, which are misread and mistyped.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Letters of a payment code: three for its partition, the rest random (80 bits).
pub const CODE_LEN: usize = 19;

/// Characters of the QR value: `424`, the code, two digits of the province, `0000`.
/// 依据：医保电子凭证二维码 28 位的写法（domain.md 第 4 节）。
const QR_LEN: usize = 28;
const QR_HEAD: &str = "424";
const QR_TAIL: &str = "0000";

/// Longest order number.
pub const ORDER_NUMBER_LEN_MAX: usize = 64;

/// A hold is definite after this time (ms): the payer's side has answered, or the order was given up ([`gongji_wallet::payment::ORDER_MS`], and a look
/// at the clock).
pub const DEFINITE_MS: i64 = 10_000;

/// A payment code's text. It is shown once as a QR code and never stored.
pub struct CodeText(pub String);

impl CodeText {
    pub(crate) fn fresh(part: Part) -> CodeText {
        let mut text: Vec<u8> = [part >> 10, part >> 5, part].iter().map(|bits| ALPHABET[usize::from(bits & 31)]).collect();
        text.extend(random::<16>().iter().map(|byte| ALPHABET[usize::from(byte & 31)]));
        CodeText(String::from_utf8(text).expect("the alphabet is ASCII"))
    }

    /// What the QR says: the code in the form of an e-code, so that one picture serves every scanner. `place` is the wallet's place of use.
    pub fn qr_value(&self, place: AreaCode) -> String {
        format!("{QR_HEAD}{}{:02}{QR_TAIL}", self.0, place / 10_000 % 100)
    }

    /// In groups, for people who read it out.
    pub fn grouped(&self) -> String {
        let groups: Vec<String> = self.0.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        groups.join(" ")
    }
}

/// What a cashier scanned or typed, as its partition and id.
pub fn parse_code(typed: &str) -> Option<(Part, CodeId)> {
    let text = code_text(typed)?;
    let digits: Option<Vec<u16>> = text.bytes().map(|byte| ALPHABET.iter().position(|letter| *letter == byte).and_then(|at| u16::try_from(at).ok())).collect();
    let digits = digits?;
    Some((digits[0] << 10 | digits[1] << 5 | digits[2], code_id(&text)))
}

/// The code in what was scanned or typed, as it was issued: spaces and hyphens ignored, letters in either case, look-alikes read as what was
/// meant, the value of a QR taken apart.
pub fn code_text(typed: &str) -> Option<String> {
    let mut text: String = typed
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '-')
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    if text.len() == QR_LEN
        && let Some(inside) = text.strip_prefix(QR_HEAD).and_then(|rest| rest.strip_suffix(QR_TAIL))
        && inside.get(CODE_LEN..).is_some_and(|province| province.bytes().all(|byte| byte.is_ascii_digit()))
    {
        text = inside[..CODE_LEN].to_owned();
    }
    (text.len() == CODE_LEN && text.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(text)
}

fn code_id(text: &str) -> CodeId {
    let digest = sm3(text.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    CodeId(id)
}

/// An order's id, from the institution's own number.
pub fn order_id(institution: InstitutionId, number: &str) -> Option<OrderId> {
    let is_plain = !number.is_empty() && number.len() <= ORDER_NUMBER_LEN_MAX && number.bytes().all(|byte| byte.is_ascii_graphic());
    let digest = sm3(number.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    is_plain.then_some(OrderId { institution, number: half })
}

/// Issues a payment code for `holder`, asked by `by`. Returns the code and when it expires (ms).
pub async fn issue_code(app: &App, holder: HolderId, by: HolderId, first: PayFirst, key: IdempotencyKey) -> Result<(CodeText, i64)> {
    let code = CodeText::fresh(holder.part());
    let answered = ask(app, holder.part(), key, Command::IssueCode { holder, by, code: code_id(&code.0), first }).await?;
    match answered.outcome {
        // A repeated request cannot show the first code again: only its digest was kept.
        Outcome::Code { .. } if answered.replayed => Err(ServiceError::KeyReused),
        Outcome::Code { expires } => Ok((code, expires)),
        other => unreachable!("issuing a code answers with a code, not {other:?}"),
    }
}

/// A holder's code, and who has read it: what the payer's page asks while it shows the code.
pub fn code_of(app: &App, holder: HolderId, text: &str) -> Result<Option<(Code, Option<Decoding>)>> {
    let Some((part, id)) = parse_code(text) else { return Ok(None) };
    Ok(app.engine.code(part, id)?.filter(|(code, _)| code.holder == holder))
}

/// Reads a code for an institution, for one kind of care if `business` is said: from now on it is for them alone, until the moment (ms) that is
/// returned with it. Reading it again changes nothing.
///
/// # Errors
/// The reasons for which every hold with it would be refused here and now.
pub async fn decode(app: &App, institution: InstitutionId, business: Option<Business>, text: &str) -> Result<(Code, i64)> {
    let (part, code) = parse_code(text).filter(|(part, _)| (1..=app.engine.parts()).contains(part)).ok_or(Reason::CodeUnknown)?;
    // Without a key: asked twice it is done once, and its answer is not worth keeping.
    let asked = Request { idempotency: None, command: Command::DecodeCode { code, institution, business } };
    let answered = super::sort(app.engine.ask(part, asked).await?.decision)?;
    let Outcome::Code { expires } = answered.outcome else { unreachable!("reading a code answers with a code, not {:?}", answered.outcome) };
    let (code, _) = app.engine.code(part, code)?.ok_or(Reason::CodeUnknown)?;
    Ok((code, expires))
}

/// A bill to be held.
#[derive(Clone, Debug)]
pub struct Hold {
    pub institution: InstitutionId,
    pub number: String,
    pub payer: Payer,
    /// The payer's partition: from the code, or from the holder.
    pub part: Part,
    pub bill: Bill,
    pub partial: bool,
    pub visit: Visit,
    /// Hold only what was quoted.
    pub quote: Option<Quote>,
}

/// A bill's visit where the institution says nothing of it: by its kind, at the counter, today.
pub fn usual_visit(app: &App, institution: InstitutionId) -> Visit {
    let is_pharmacy = app.directory().institutions.get(&institution).is_some_and(|institution| institution.is_pharmacy);
    let business = if is_pharmacy { Business::Pharmacy } else { Business::Outpatient };
    Visit { business, ..Visit::at_counter(day_of(app.now())) }
}

/// Places an order and waits for the payer's side. The order's state is final or `StillOpen`. What is refused is told to whoever shows the code.
pub async fn hold(app: &App, hold: &Hold, key: IdempotencyKey) -> Result<(Order, bool)> {
    let placed = place(app, hold, key).await;
    if let (Err(ServiceError::Refused { reasons, .. }), Payer::Code(code)) = (&placed, hold.payer) {
        attempt::note(app, hold, code, reasons)?;
    }
    placed
}

async fn place(app: &App, hold: &Hold, key: IdempotencyKey) -> Result<(Order, bool)> {
    let id = order_id(hold.institution, &hold.number).ok_or(Reason::NotFound)?;
    if hold.part == 0 || hold.part > app.engine.parts() {
        return Err(Reason::CodeUnknown.into());
    }
    let payment = PaymentId::new(*uuid::Uuid::now_v7().as_bytes(), hold.part);
    let order = PlaceOrder {
        order: id,
        number: hold.number.clone(),
        payment,
        payer: hold.payer,
        bill: hold.bill,
        partial: hold.partial,
        visit: hold.visit,
        quote: hold.quote,
    };
    let part = app.engine.institution_part(hold.institution);
    let mut changes = app.engine.changes(part);
    let answered = ask(app, part, key, Command::PlaceOrder(order)).await?;
    let waiting = async {
        loop {
            changes.mark_unchanged();
            let order = app.engine.order(id)?.ok_or_else(|| gongji_store::Fault::Damaged("an order that was placed is missing".to_owned()))?;
            if order.state != OrderState::Placed {
                return Ok::<_, gongji_store::Fault>(order);
            }
            if changes.changed().await.is_err() {
                return Err(gongji_store::Fault::Stopped(part));
            }
        }
    };
    let order = tokio::time::timeout(OUTCOME_WAIT, waiting).await.map_err(|_| ServiceError::StillOpen)??;
    match order.state {
        OrderState::Refused(ref reasons) => Err(ServiceError::Refused { reasons: reasons.clone(), replayed: answered.replayed }),
        OrderState::ReversedUnheard | OrderState::ReversedBefore => {
            Err(ServiceError::Refused { reasons: vec![Reason::OrderReversed], replayed: answered.replayed })
        }
        // What was held and has been reversed since: who asked for the hold was told that it is held, and is told so again.
        _ => Ok((order, answered.replayed)),
    }
}

/// The payment behind an institution's order.
pub fn payment_of(app: &App, institution: InstitutionId, number: &str) -> Result<(Order, Option<Payment>)> {
    let id = order_id(institution, number).ok_or(Reason::NotFound)?;
    let order = app.engine.order(id)?.ok_or(Reason::NotFound)?;
    let payment = app.engine.payment(order.payment)?;
    Ok((order, payment))
}

/// The order of a payment, if it is this institution's.
pub fn order_of(app: &App, institution: InstitutionId, payment: PaymentId) -> Result<(OrderId, Payment)> {
    let payment = app.engine.payment(payment)?.ok_or(Reason::NotFound)?;
    match payment.purpose {
        gongji_wallet::object::Purpose::Order { order, .. } if order.institution == institution => Ok((order, payment)),
        _ => Err(Reason::NotFound.into()),
    }
}

pub async fn capture(app: &App, institution: InstitutionId, payment: PaymentId, amount: Fen, last: bool, key: IdempotencyKey) -> Result<Answered> {
    let (order, _) = order_of(app, institution, payment)?;
    ask(app, payment.part(), key, Command::Capture { payment, order, amount, last }).await
}

pub async fn void(app: &App, institution: InstitutionId, payment: PaymentId, key: IdempotencyKey) -> Result<Answered> {
    let (order, _) = order_of(app, institution, payment)?;
    ask(app, payment.part(), key, Command::Void { payment, order }).await
}

pub async fn refund(app: &App, institution: InstitutionId, payment: PaymentId, amount: Fen, key: IdempotencyKey) -> Result<Answered> {
    let (order, _) = order_of(app, institution, payment)?;
    ask(app, payment.part(), key, Command::Refund { payment, order, amount }).await
}

/// Undoes an order by its number, whatever became of it, and waits until the payer's side has done it.
pub async fn reverse(app: &App, institution: InstitutionId, number: &str, key: IdempotencyKey) -> Result<Answered> {
    let order = order_id(institution, number).ok_or(Reason::NotFound)?;
    let answered = ask(app, app.engine.institution_part(institution), key, Command::ReverseOrder { order, number: number.to_owned() }).await?;
    if let Outcome::Order { payment, .. } = answered.outcome {
        let mut changes = app.engine.changes(payment.part());
        let waiting = async {
            loop {
                changes.mark_unchanged();
                let is_undone = app.engine.payment(payment)?.is_none_or(|payment| !payment.is_open() && payment.refunded() == payment.captured());
                if is_undone || changes.changed().await.is_err() {
                    return Ok::<_, gongji_store::Fault>(());
                }
            }
        };
        // The reversal is on record and will be carried out; waiting longer would not change that.
        if let Ok(result) = tokio::time::timeout(OUTCOME_WAIT, waiting).await {
            result?;
        }
    }
    Ok(answered)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn codes_carry_their_partition_and_forgive_typing() {
        for part in [1, 31, 32, 1023, 4096] {
            let code = CodeText::fresh(part);
            let parsed = parse_code(&code.0).unwrap();
            assert_eq!(parsed.0, part);
            assert_eq!(parse_code(&code.grouped().to_lowercase()), Some(parsed));
            let qr = code.qr_value(510_500);
            assert!(qr.len() == QR_LEN && qr.starts_with("424") && qr.ends_with("510000"), "{qr}");
            assert_eq!(parse_code(&qr), Some(parsed));
            assert_eq!(parse_code(&qr.replacen("424", "423", 1)), None);
            assert_eq!(parse_code(&qr[..QR_LEN - 1]), None);
        }
        assert_eq!(parse_code("0O1IL00000000000000").map(|(_, id)| id), parse_code("0011100000000000000").map(|(_, id)| id));
        for wrong in ["", "0", "中文", "00000000000000000000", "!000000000000000000"] {
            assert_eq!(parse_code(wrong), None, "{wrong}");
        }
    }
}
