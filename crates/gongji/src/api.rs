//! The API under `/api/v1`, and its description.

pub mod recorded;
pub mod state;
pub mod transfers;
pub mod wire;

use crate::app::App;
use axum::Router;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// Every route of the API; those of the sandbox only where there is one.
pub fn router(_is_sandbox: bool) -> Router<Arc<App>> {
    OpenApiRouter::new().nest("/api/v1", OpenApiRouter::new().merge(transfers::router()).merge(state::router())).split_for_parts().0
}
