//! "这里付不了": what readers report of a place where the wallet does not work. Read at the office (`gongji office reports`).
//!
//! A report may carry the order that was tried: the institution's own number, which leads the office to what really happened. Nothing else of
//! the visit is written down.

use super::Result;
use super::payment::ORDER_NUMBER_LEN_MAX;
use crate::app::App;
use gongji_ledger::{HolderId, InstitutionId};
use gongji_store::vault::PlaceReport;
use gongji_wallet::Reason;
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::Purpose;

/// What may be wrong: one word of a list and no text, so that nothing personal gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlaceTrouble)]
pub enum Trouble {
    /// The counter says that it does not take the wallet.
    Counter,
    /// The kiosk cannot be paid at.
    Machine,
    /// The payment code is not read.
    Code,
    /// It was tried, and not taken.
    Refused,
    Other,
}

impl Trouble {
    pub const ALL: [Trouble; 5] = [Trouble::Counter, Trouble::Machine, Trouble::Code, Trouble::Refused, Trouble::Other];

    /// As it stands on file and in forms.
    pub fn word(self) -> &'static str {
        match self {
            Trouble::Counter => "counter",
            Trouble::Machine => "machine",
            Trouble::Code => "code",
            Trouble::Refused => "refused",
            Trouble::Other => "other",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Trouble::Counter => "窗口说不能用钱包",
            Trouble::Machine => "自助机付不了",
            Trouble::Code => "付款码扫不出来",
            Trouble::Refused => "扫了码,没有付成",
            Trouble::Other => "别的情况",
        }
    }

    pub fn of_word(word: &str) -> Option<Trouble> {
        Trouble::ALL.into_iter().find(|trouble| trouble.word() == word)
    }
}

/// Where it happened, and with which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where {
    pub institution: InstitutionId,
    pub order_no: Option<String>,
}

impl Where {
    pub fn at(institution: InstitutionId) -> Where {
        Where { institution, order_no: None }
    }

    /// The order behind a payment of `payer`.
    ///
    /// # Errors
    /// `NOT_FOUND`: there is none, or it is somebody else's.
    pub fn of_payment(app: &App, payer: HolderId, payment: PaymentId) -> Result<Where> {
        let payment = app.engine.payment(payment)?.filter(|payment| payment.holder == payer).ok_or(Reason::NotFound)?;
        let Purpose::Order { order, .. } = payment.purpose else { return Err(Reason::NotFound.into()) };
        let order_no = app.engine.order(order)?.map(|order| order.number);
        Ok(Where { institution: order.institution, order_no })
    }
}

/// Writes a report down. One voice counts once a day for each order; of more than enough voices the rest are let go.
///
/// # Errors
/// `INSTITUTION_UNKNOWN`, or the vault cannot be written.
pub async fn report(app: &App, place: Where, what: Trouble, reporter: Option<HolderId>) -> Result<()> {
    if !app.directory().institutions.contains_key(&place.institution) {
        return Err(Reason::InstitutionUnknown.into());
    }
    let report = PlaceReport {
        institution: place.institution.to_string(),
        what: what.word().to_owned(),
        reporter: reporter.map(|holder| holder.0),
        order_no: place.order_no.filter(|number| number.len() <= ORDER_NUMBER_LEN_MAX),
        made_ms: app.now(),
    };
    app.vault(move |vault| vault.put_place_report(&report)).await?;
    Ok(())
}
