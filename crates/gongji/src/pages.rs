//! Pages for people, rendered on the server.
//!
//! A handler reads the form, asks a service and fills a view; [`frame`] stands around all of them. Forms answer with
//! see-other once they have done their work, so that a page may be reloaded; one that only checks (before the identity
//! check, before a code) answers with the next page and carries what was typed in hidden fields, never in an address.

mod account;
mod acting;
mod cashier;
mod check;
mod family;
mod frame;
mod institution;
mod lookup;
mod movements;
mod pay;
mod places;
mod premium;
pub mod preview;
mod recall;
mod reference;
mod sandbox;
mod security;
mod statement;
mod transfer;
mod typed;
pub mod views;
mod wallet;
mod words;

use crate::app::App;
use crate::problem::Edge;
use axum::Router;
use axum::middleware;
use frame::{Trouble, frame};
use recall::Recall;
use std::sync::Arc;

pub use frame::{encoded, humanely};
pub use words::short_province;

/// Every page; what no other route of the server knows is a page that does not exist.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let state = (Arc::clone(app), Recall::default());
    Router::new()
        .merge(lookup::routes())
        .merge(places::routes())
        .merge(account::routes())
        .merge(security::routes())
        .merge(wallet::routes())
        .merge(acting::routes())
        .merge(transfer::routes())
        .merge(pay::routes())
        .merge(premium::routes())
        .merge(statement::routes())
        .merge(check::routes())
        .merge(cashier::routes())
        .merge(institution::routes())
        .merge(sandbox::routes())
        .merge(reference::routes())
        .fallback(|| async { Trouble::Missing })
        .method_not_allowed_fallback(|| async { Trouble::from(Edge::MethodNotAllowed) })
        .layer(middleware::from_fn_with_state(state, frame))
}
