//! Pages for people, rendered on the server.
//!
//! A handler reads the form, asks a service and fills a view; [`frame`] stands around all of them. Forms answer with
//! see-other once they have done their work, so that a page may be reloaded; one that only checks (before the identity
//! check, before a code) answers with the next page and carries what was typed in hidden fields, never in an address.

mod account;
mod acting;
mod cashier;
mod family;
mod frame;
mod lookup;
mod movements;
mod pay;
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
use axum::Router;
use axum::middleware;
use std::sync::Arc;
use frame::frame;
use recall::Recall;

pub use frame::humanely;

/// Every page.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let state = (Arc::clone(app), Recall::default());
    Router::new()
        .merge(lookup::routes())
        .merge(account::routes())
        .merge(security::routes())
        .merge(wallet::routes())
        .merge(acting::routes())
        .merge(transfer::routes())
        .merge(pay::routes())
        .merge(premium::routes())
        .merge(statement::routes())
        .merge(cashier::routes())
        .merge(sandbox::routes())
        .merge(reference::routes())
        .layer(middleware::from_fn_with_state(state, frame))
}
