//! What an operator watches: counters of the edge and of the partitions, served as Prometheus text.
//!
//! Counting costs a request a few additions to atomics: no lock, no allocation after a route's first answer, and nothing in the partitions
//! beyond [`gongji_store::gauges`]. Every label comes from a list that the program itself knows (routes, methods, states, refusal codes,
//! partitions), so that no caller can make the number of series grow, and none of them tells of a person.

mod books;
mod machine;
mod names;
mod text;

pub use books::{add_up, watch as watch_books};

use crate::app::App;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gongji_store::gauges::{Histogram, TIME_BOUNDS};
use names::Names;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Methods that are told apart.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// States that the program answers with; any other is counted as 0.
const STATES: [u16; 22] = [200, 201, 202, 204, 303, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 421, 422, 429, 500, 503, 0];

/// Of what no route answered.
const UNROUTED: &str = "(none)";

/// What this process has counted since it started.
pub struct Metrics {
    routes: Names<RouteCount>,
    refusals: Names<AtomicU64>,
    /// Connections open now.
    pub connections: AtomicU64,
    /// Hung up on because [`crate::server::CONNECTIONS_MAX`] were open.
    pub connections_refused: AtomicU64,
    /// Cut off because the caller took too long.
    pub connections_cut: AtomicU64,
    books: books::Sums,
}

struct RouteCount {
    states: [AtomicU64; STATES.len()],
    /// From the request's head to the answer's (µs).
    times: Histogram,
}

impl Default for RouteCount {
    fn default() -> RouteCount {
        RouteCount { states: Default::default(), times: Histogram::new(TIME_BOUNDS) }
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            routes: Names::new(1_024),
            refusals: Names::new(256),
            connections: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            connections_cut: AtomicU64::new(0),
            books: books::Sums::default(),
        }
    }
}

impl Metrics {
    /// Counts one answer. `route` is the pattern, never an address.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let is_known = METHODS.contains(method) && status != StatusCode::METHOD_NOT_ALLOWED && !route.is_empty();
        // Whoever tries methods and addresses fills no table.
        let (method, route) = if is_known { (method.as_str(), route) } else { ("", UNROUTED) };
        let count = self.routes.of(method, route);
        let state = STATES.iter().position(|state| *state == status.as_u16()).unwrap_or(STATES.len() - 1);
        count.states[state].fetch_add(1, Relaxed);
        count.times.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts one refusal by its code.
    pub fn refused(&self, code: &str) {
        self.refusals.of("", code).fetch_add(1, Relaxed);
    }
}

/// The page that Prometheus reads.
pub async fn page(State(app): State<Arc<App>>) -> Response {
    let now = app.now();
    // Tells nothing about who; a vault that cannot be read shows as a missing line.
    let locked = app.vault(move |vault| vault.locked_count(now)).await.ok();
    let jobs = app.vault(|vault| vault.jobs()).await.map(|known| crate::jobs::standings(&known, now)).unwrap_or_default();
    let machine = machine::read();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text::render(&app, now, locked, &jobs, &machine)).into_response()
}

/// What is served beside the people's address, to those who watch: no limits, no cookies, nothing that changes anything.
pub fn router(app: Arc<App>) -> Router {
    Router::new().route("/metrics", get(page)).with_state(app)
}
