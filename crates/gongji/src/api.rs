//! The API under `/api/v1`, and its description.

pub mod state;

use crate::app::App;
use axum::Router;
use std::sync::Arc;

/// Every route of the API; those of the sandbox only where there is one.
pub fn router(_is_sandbox: bool) -> Router<Arc<App>> {
    Router::new()
}
