//! The console (经办台): where operators work, by role and region.
//!
//! Every route is put up through [`guard::Desks`], which wants its rule: what right it needs and where. The guard asks the rule before the handler
//! runs; handlers ask nothing. Pages are made of a few blocks ([`blocks`]), rendered by one template.

mod approvals;
mod audit;
mod blocks;
mod frame;
pub mod guard;
mod institutions;
mod lists;
mod me;
mod operators;
mod orders;
mod people;
mod regions;
mod rules;
mod sign_in;
mod watch;
mod words;

use crate::app::App;
use axum::{Router, middleware};
use guard::Desks;
use std::sync::Arc;

/// Every route with its rule: what the router is made of, and what the table of rights is printed from.
pub fn desks(app: &Arc<App>) -> Desks {
    let desks = Desks::new(app);
    let desks = sign_in::routes(desks);
    let desks = approvals::routes(desks);
    let desks = regions::routes(desks);
    let desks = institutions::routes(desks);
    let desks = people::routes(desks);
    let desks = orders::routes(desks);
    let desks = rules::routes(desks);
    let desks = watch::routes(desks);
    let desks = operators::routes(desks);
    let desks = audit::routes(desks);
    me::routes(desks)
}

pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    desks(app).into_router().layer(middleware::from_fn_with_state(Arc::clone(app), frame::humanely))
}
