//! Quotes: what a bill would be paid from.

use crate::api::payments::{BillBody, Keypad, at_keypad, bill};
use crate::api::wire::{AreaRef, Kind, Money, Rule};
use crate::app::App;
use crate::problem::Problem;
use crate::service::quote::{self, Quoted};
use crate::time::rfc3339;
use crate::web::{InstitutionCaller, StrictJson};
use axum::Json;
use axum::extract::State;
use gongji_wallet::directory::Directory;
use gongji_wallet::object::Purse;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(make))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuoteRequest {
    /// The payment code that was scanned or typed. A quote does not use it up; from now on it is for this institution alone, as after decoding.
    #[schema(example = "0017F3K2M9Q0041BQ8X")]
    #[serde(default)]
    code: Option<String>,
    /// In place of a code, without a phone: as for a hold, which asks for the password again.
    #[serde(default)]
    keypad: Option<Keypad>,
    bill: BillBody,
}

/// What a bill would be paid from, as of now.
#[derive(Debug, Serialize, ToSchema)]
struct QuoteBody {
    /// To be named by a hold, which is refused with `QUOTE_STALE` where the sums below are no longer those that would be paid.
    #[schema(example = "AAAAAAAAJxAAAAAAAAAE0t3Yy0mYt8k6n2m3o0m1c9g")]
    quote: String,
    /// Masked.
    #[schema(example = "王**")]
    payer: String,
    bill: BillBody,
    /// The part from the payer's personal account.
    personal_account: Money,
    /// The part from the payer's wallet.
    wallet: Money,
    /// The wallet's part by where it came from, in the order of use. Never by whom.
    wallet_lots: Vec<QuoteLot>,
    /// What is left of `bill.own`: to be paid otherwise. Above nothing, a hold needs `partial`.
    cash: Money,
    as_of: String,
    /// The code ends then, and the quote with it. Left out at the keypad.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    rule: Rule,
}

#[derive(Debug, PartialEq, Serialize, ToSchema)]
struct QuoteLot {
    /// The area whose fund it comes from: who owes it in the clearing.
    area: AreaRef,
    kind: Kind,
    amount: Money,
}

/// Quote a bill
///
/// Own account, wallet and cash, in the order in which the payer chose to pay. Nothing is set aside: only a hold guarantees it.
#[utoipa::path(post, path = "/quotes", tag = "payments",
    request_body(content = QuoteRequest, example = json!({ "code": "0017F3K2M9Q0041BQ8X", "bill": { "total": { "amount": 30000, "currency": "CNY" }, "fund": { "amount": 18000, "currency": "CNY" }, "own": { "amount": 12000, "currency": "CNY" } } })),
    responses((status = 200, description = "What would be paid now", body = QuoteBody)), security(("institution" = [])))]
async fn make(State(app): State<Arc<App>>, institution: InstitutionCaller, StrictJson(asked): StrictJson<QuoteRequest>) -> Result<Json<QuoteBody>, Problem> {
    let bill = bill(&asked.bill)?;
    let shown = match (&asked.code, &asked.keypad) {
        (Some(code), None) => {
            quote::check_bill(&app, institution.id, &bill)?;
            quote::by_code(&app, institution.id, None, code).await?
        }
        (None, Some(keypad)) => {
            // Before anybody's password is tried.
            quote::check_bill(&app, institution.id, &bill)?;
            let (holder, _) = at_keypad(&app, keypad, [0; 16]).await?;
            quote::at_keypad(&app, institution.id, holder, keypad.first.into())?
        }
        _ => return Err(Problem::field("code", "code 和 keypad 要有一个,也只能有一个。", "exactly one of code and keypad is given")),
    };
    let quoted = quote::quote(&app, shown, bill);
    let payer = quote::payer_name(&app, quoted.shown.payer.id).await?;
    Ok(Json(QuoteBody {
        quote: quote::id(&app, institution.id, &quoted),
        payer,
        bill: quoted.bill.into(),
        personal_account: quoted.personal().into(),
        wallet: quoted.wallet().into(),
        wallet_lots: lots(&quoted, &app.directory()),
        cash: quoted.cash().into(),
        as_of: rfc3339(app.now()),
        expires_at: quoted.shown.expires.map(rfc3339),
        rule: Rule::new(quoted.rule),
    }))
}

/// Lots that differ by their contributor alone are one row: who gave is nobody's business at a counter.
fn lots(quoted: &Quoted, directory: &Directory) -> Vec<QuoteLot> {
    let mut rows: Vec<QuoteLot> = Vec::new();
    for (_, lot) in quoted.taken.iter().filter(|(purse, _)| *purse == Purse::Wallet) {
        let (area, kind) = (AreaRef::new(directory, lot.origin.area), Kind::from(lot.origin.kind));
        match rows.iter_mut().find(|row| row.area.code == area.code && row.kind == kind) {
            Some(row) => row.amount.amount += lot.amount.0,
            None => rows.push(QuoteLot { area, kind, amount: lot.amount.into() }),
        }
    }
    rows
}
