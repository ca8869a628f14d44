//! The API under `/api/v1`, and its description.

pub mod asks;
pub mod auth;
pub mod codes;
pub mod document;
pub mod family;
pub mod institutions;
pub mod lookup;
pub mod me;
pub mod me_copy;
pub mod payments;
pub mod premiums;
pub mod proofs;
pub mod readiness;
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
use crate::sandbox::test_fault::test_fault;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use std::sync::{Arc, LazyLock};
use utoipa_axum::router::OpenApiRouter;

static DOCUMENT_TEXT: LazyLock<String> = LazyLock::new(openapi_json);

/// Every route of the API; those of the sandbox only where there is one.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let (router, _) = routes(app.sandbox.is_some()).split_for_parts();
    let (door, _) = of_institutions().split_for_parts();
    // Where payments were before institutions had a door of their own: still answered, documented at the new address alone.
    let (before, _) = payments::router().merge(asks::of_institutions()).split_for_parts();
    let mut institutions = door.nest("/api/v1", before);
    if app.sandbox.is_some() {
        institutions = institutions.layer(middleware::from_fn_with_state(Arc::clone(app), test_fault));
    }
    router
        .merge(institutions)
        .merge(crate::gateway::router(app))
        .method_not_allowed_fallback(|| async { Problem::from(Edge::MethodNotAllowed) })
        .route("/openapi.json", get(|| async { ([(CONTENT_TYPE, "application/json")], DOCUMENT_TEXT.as_str()).into_response() }))
        .route("/api/{*rest}", any(|| async { Problem::from(Edge::RouteUnknown) }))
        // Beside the gateway's own address: whoever mistypes it is told as on every other door.
        .route("/fsi/{*rest}", any(|| async { Problem::from(Edge::RouteUnknown) }))
}

fn routes(is_sandbox: bool) -> OpenApiRouter<Arc<App>> {
    let routes = OpenApiRouter::new()
        .merge(auth::router())
        .merge(me::router())
        .merge(me_copy::router())
        .merge(wallet::router())
        .merge(family::router())
        .merge(proofs::router())
        .merge(transfers::router())
        .merge(premiums::router())
        .merge(codes::router())
        .merge(asks::router())
        .merge(lookup::router())
        .merge(statement::router())
        .merge(state::router());
    OpenApiRouter::new().nest("/api/v1", if is_sandbox { routes.merge(sandbox::router()) } else { routes })
}

fn of_institutions() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api/v1/institutions", institutions::router())
}
