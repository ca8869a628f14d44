//! The API under `/api/v1`, and its description.

pub mod asks;
pub mod auth;
pub mod codes;
pub mod document;
pub mod family;
pub mod lookup;
pub mod me;
pub mod payments;
pub mod premiums;
pub mod proofs;
pub mod recorded;
pub mod sandbox;
pub mod state;
pub mod statement;
pub mod transfers;
pub mod wallet;
pub mod wire;

pub use document::{document, openapi_json};

use crate::app::App;
use crate::problem::{Edge, Problem};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use std::sync::{Arc, LazyLock};
use utoipa_axum::router::OpenApiRouter;

static DOCUMENT_TEXT: LazyLock<String> = LazyLock::new(openapi_json);

/// Every route of the API; those of the sandbox only where there is one.
pub fn router(is_sandbox: bool) -> Router<Arc<App>> {
    let (router, _) = routes(is_sandbox).split_for_parts();
    router
        .method_not_allowed_fallback(|| async { Problem::from(Edge::MethodNotAllowed) })
        .route("/openapi.json", get(|| async { ([(CONTENT_TYPE, "application/json")], DOCUMENT_TEXT.as_str()).into_response() }))
        .route("/api/{*rest}", any(|| async { Problem::from(Edge::RouteUnknown) }))
}

fn routes(is_sandbox: bool) -> OpenApiRouter<Arc<App>> {
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
        .merge(asks::router())
        .merge(lookup::router())
        .merge(statement::router())
        .merge(state::router());
    OpenApiRouter::new().nest("/api/v1", if is_sandbox { routes.merge(sandbox::router()) } else { routes })
}
