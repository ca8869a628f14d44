//! Payment codes, as an institution reads them.

use crate::api::payments::BusinessKind;
use crate::api::wire::Money;
use crate::app::App;
use crate::problem::Problem;
use crate::service::quote;
use crate::time::rfc3339;
use crate::web::{InstitutionCaller, StrictJson};
use axum::Json;
use axum::extract::State;
use gongji_wallet::object::Business;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(decode))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecodeRequest {
    /// As it was scanned or typed.
    #[schema(example = "0017F3K2M9Q0041BQ8X")]
    code: String,
    /// The own share that is to be paid, if it is known yet.
    #[serde(default)]
    own: Option<Money>,
    /// The kind of care that will be paid: then the code is good for no other. Of any kind unless given.
    #[serde(default)]
    business: Option<BusinessKind>,
}

/// Who shows this code, as much of it as a payment needs.
#[derive(Debug, Serialize, ToSchema)]
struct DecodedCode {
    /// Masked: to greet by, and to see that it is the right person.
    #[schema(example = "王**")]
    payer: String,
    /// How much of `own` this code pays here, personal account and wallet together. Left out where no `own` was given: a balance is not
    /// told.
    #[serde(skip_serializing_if = "Option::is_none")]
    payable: Option<Money>,
    /// The code is worth nothing after this instant: five minutes after it was first decoded, unless the region says otherwise.
    expires_at: String,
}

/// Decode a payment code
///
/// Does not use it up. From now on it is for this institution alone, and for this kind of care if one was given; whoever else has it is refused with
/// `CODE_ELSEWHERE`. Decoding it again changes nothing. A code that cannot pay here is refused as a hold would be, and stays free: unknown, used,
/// expired, or its wallet is for another place.
#[utoipa::path(post, path = "/codes/decode", tag = "payments",
    request_body(content = DecodeRequest, example = json!({ "code": "0017F3K2M9Q0041BQ8X", "own": { "amount": 12000, "currency": "CNY" } })),
    responses((status = 200, description = "A code that may pay here", body = DecodedCode)), security(("institution" = [])))]
async fn decode(
    State(app): State<Arc<App>>,
    institution: InstitutionCaller,
    StrictJson(asked): StrictJson<DecodeRequest>,
) -> Result<Json<DecodedCode>, Problem> {
    let own = asked.own.map(|own| own.fen("own")).transpose()?;
    let shown = quote::by_code(&app, institution.id, asked.business.map(Business::from), &asked.code).await?;
    let payer = quote::payer_name(&app, shown.payer.id).await?;
    let payable = own.map(|own| shown.payable(own, app.now()).into());
    let expires_at = shown.expires.map(rfc3339).unwrap_or_default();
    Ok(Json(DecodedCode { payer, payable, expires_at }))
}
