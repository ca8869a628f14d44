//! The door of institutions under `/api/v1/institutions`: what a cashier's software needs, with the institution's own key.

mod codes;
mod events;
mod quotes;
pub mod reconciliations;
mod webhooks;

use super::{asks, payments, readiness};
use crate::app::App;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

pub fn router() -> OpenApiRouter<Arc<App>> {
    let paying = OpenApiRouter::new().merge(codes::router()).merge(quotes::router()).merge(payments::router()).merge(asks::of_institutions());
    paying.merge(events::router()).merge(webhooks::router()).merge(reconciliations::router()).merge(readiness::router())
}
