//! Step-up: a proof that this person has just confirmed exactly this.

use super::transfers::wish;
use super::wire::{Money, NamedPerson, Source, area, id_from};
use crate::app::App;
use crate::problem::Problem;
use crate::service::{asking, person, premium};
use crate::time::rfc3339;
use crate::web::{Citizen, StrictJson};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gongji_store::seal::Sensitive;
use gongji_store::vault::STEP_UP_MS;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(prove))
}

/// How the person shows who they are, and for what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proving {
    method: Method,
    /// With method `password`: the 医保码 password.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Sensitive>,
    /// With method `face`: what the trusted platform handed to the device. The sandbox does not read it.
    #[serde(default)]
    capture: Option<String>,
    #[serde(rename = "for")]
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    Password,
    Face,
}

/// What the proof is bound to: it is good for this and nothing else.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    Transfer(ForTransfer),
    Premium(ForPremium),
    Place(ForPlace),
    PaymentRequest(ForPaymentRequest),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForTransfer {
    receiver: NamedPerson,
    amount: Money,
    source: Source,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForPremium {
    /// Id of the insured person, as `GET /me` or `GET /wallet/relations` tells it.
    insured: String,
    area: String,
    year: u16,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForPlace {
    place: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForPaymentRequest {
    /// Its id, as `GET /me/payment-requests` tells it.
    request: String,
}

/// Good for one use within five minutes.
#[derive(Debug, Serialize, ToSchema)]
struct ProofBody {
    proof: String,
    expires_at: String,
}

/// Confirm who is asking, before money moves
#[utoipa::path(post, path = "/proofs", tag = "proofs", request_body = Proving,
    responses((status = 201, description = "The proof, bound to what was confirmed", body = ProofBody)), security(("session" = [])))]
async fn prove(State(app): State<Arc<App>>, citizen: Citizen, StrictJson(asked): StrictJson<Proving>) -> Result<(StatusCode, Json<ProofBody>), Problem> {
    let bound = match &asked.what {
        What::Transfer(ForTransfer { receiver, amount, source }) => wish(&app, citizen.own()?, receiver, None, *amount, *source).await?.binding(),
        What::Premium(ForPremium { insured, area: place, year }) => {
            let area = area(&app.directory(), place, "for.premium.area")?;
            premium::Wish { payer: citizen.subject, by: citizen.holder, insured: super::premiums::insured(insured, "for.premium.insured")?, area, year: *year }
                .binding()
        }
        What::PaymentRequest(ForPaymentRequest { request }) => asking::asked_of(&app, citizen.holder, &id_from(request)?).await?.0.binding()?,
        What::Place(ForPlace { place }) => person::place_proof_binding(citizen.subject, area(&app.directory(), place, "for.place.place")?),
    };
    let now = app.now();
    let missing = |field: &str| Problem::field(field, "还没有填。", "required for this method");
    let proof = match asked.method {
        Method::Password => {
            let password = asked.password.as_ref().ok_or_else(|| missing("password"))?;
            app.identity.step_up_password(citizen.holder.0, password, bound, now).await?
        }
        Method::Face => app.identity.step_up_face(citizen.holder.0, asked.capture.as_deref().unwrap_or_default(), bound, now).await?,
    };
    Ok((StatusCode::CREATED, Json(ProofBody { proof, expires_at: rfc3339(now + STEP_UP_MS) })))
}
