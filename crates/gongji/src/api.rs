//! The API under `/api/v1`, and its description.

pub mod auth;
pub mod codes;
pub mod family;
pub mod lookup;
pub mod me;
pub mod payments;
pub mod premiums;
pub mod proofs;
pub mod recorded;
pub mod state;
pub mod statement;
pub mod transfers;
pub mod wallet;
pub mod wire;

use crate::app::App;
use axum::Router;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// Every route of the API; those of the sandbox only where there is one.
pub fn router(_is_sandbox: bool) -> Router<Arc<App>> {
    let routes = OpenApiRouter::new()
        .merge(auth::router())
        .merge(me::router())
        .merge(wallet::router())
        .merge(family::router())
        .merge(proofs::router())
        .merge(transfers::router())
        .merge(premiums::router())
        .merge(codes::router())
        .merge(payments::router())
        .merge(lookup::router())
        .merge(statement::router())
        .merge(state::router());
    OpenApiRouter::new().nest("/api/v1", routes).split_for_parts().0
}
