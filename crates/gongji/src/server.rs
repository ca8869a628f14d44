//! The server around pages and API: what holds for every request.
//!
//! From outside in: request number, panics, host, rate limit, security headers and one log line; then time-out, size of the
//! body, compression, cross-site check; then the routes. A log line has the number, method, route, status and a refusal's code: no
//! query, no address of a person's page, no body. The number is in the answer's header, and in the body of whatever was refused.

mod assets;
mod connection;
mod limits;
mod profile;

pub use connection::CONNECTIONS_MAX;
pub use limits::{Limits, Rates};
pub use profile::Profile;

use crate::app::App;
use crate::metrics::{self, Metrics};
use crate::problem::{Edge, Problem, Told};
use crate::{api, console, pages, trust};
use axum::body::Body;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Version};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use connection::{Guard, Peer, origin};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_http::timeout::TimeoutLayer;

/// Largest body of a request.
pub const BODY_LEN_MAX: usize = 64 * 1024;

/// A request that takes longer is answered without its outcome.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_secs(15);

/// What is under way when the server stops may end within this time.
pub const STOP_WAIT_MAX: Duration = Duration::from_secs(20);

/// Smaller answers gain nothing by compression.
const COMPRESS_LEN_MIN: u64 = 1024;

const HEALTH: &str = "/healthz";

const METRICS: &str = "/metrics";

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const CONTENT_SECURITY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; media-src 'self' blob:; \
                                form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";

tokio::task_local! {
    static TRACE_ID: uuid::Uuid;
}

/// Number of the request being served, to quote. A fresh one outside of requests.
pub fn trace_id() -> String {
    request_number().unwrap_or_else(|| uuid::Uuid::now_v7().simple().to_string())
}

/// Number of the request being served, for log lines of what may also happen outside of requests.
pub fn request_number() -> Option<String> {
    TRACE_ID.try_with(|id| id.simple().to_string()).ok()
}

/// Lets something go on though its caller hangs up, under the number of the caller's request.
pub fn outliving<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    let id = TRACE_ID.try_with(|id| *id).unwrap_or_else(|_| uuid::Uuid::now_v7());
    tokio::spawn(TRACE_ID.scope(id, work))
}

struct Gate {
    metrics: Arc<Metrics>,
    profile: Profile,
    policy: Arc<trust::Policy>,
    limits: Arc<Limits>,
}

/// Everything that is served, with the layers around it.
pub fn router(app: Arc<App>, profile: Profile) -> Router {
    let is_bench = profile.is_bench;
    let limits = Arc::new(Limits::new(profile.rates));
    let policy = Arc::new(profile.policy.clone());
    let gate = Arc::new(Gate { metrics: Arc::clone(&app.metrics), profile, policy, limits });
    let signed = middleware::from_fn_with_state(Arc::clone(&app), trust::check);
    let api = api::router(&app).layer(signed).route(trust::WELL_KNOWN, get(trust::platform_keys));
    let mut routes = Router::new().merge(api).merge(console::router(&app)).merge(pages::router(&app)).route("/assets/{*path}", get(assets::serve));
    if is_bench {
        routes = routes.route("/api/v1/echo", post(echo));
    }
    if app.sandbox.is_some() {
        // Production shows it to those who watch alone, at an address of its own.
        routes = routes.route(METRICS, get(metrics::page));
    }
    let compress = SizeAbove::new(COMPRESS_LEN_MIN).and(NotForContentType::IMAGES).and(is_unsigned);
    let people = middleware::from_fn_with_state(Arc::clone(&app), pages::humanely);
    routes
        .route(HEALTH, get(health))
        .with_state(app)
        .layer(CsrfLayer::new().with_rejection_response(|_: ProtectionError| Problem::from(Edge::CrossSite).into_response()))
        .layer(CompressionLayer::new().compress_when(compress))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_WAIT_MAX))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(people)
        .layer(middleware::from_fn_with_state(gate, admit))
}

/// Serves until `shutdown` resolves, then lets what is under way end.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, router: Router, shutdown: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    let listener = Guard { listener, metrics };
    let service: IntoMakeServiceWithConnectInfo<Router, Peer> = router.into_make_service_with_connect_info();
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        shutdown.await;
        let _ = stopping.send(true);
    });
    tokio::select! {
        served = async { serving.await } => served,
        () = async {
            if stopped.wait_for(|stopping| *stopping).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(STOP_WAIT_MAX).await;
        } => Ok(()),
    }
}

/// The outermost layer.
async fn admit(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7();
    let is_personal = !request.uri().path().starts_with("/assets/");
    TRACE_ID
        .scope(id, async move {
            let begun = Instant::now();
            let method = request.method().clone();
            // The pattern of the route, never the address: an address may name a person.
            let pattern = request.extensions().get::<MatchedPath>().cloned();
            let mut response = match gate.check(&mut request) {
                Ok(()) => next.run(request).await,
                Err(problem) => problem.into_response(),
            };
            let route = pattern.as_ref().map_or("", MatchedPath::as_str);
            if response.status() == StatusCode::SERVICE_UNAVAILABLE && response.headers().get(header::CONTENT_TYPE).is_none() {
                response = Problem::from(Edge::TimedOut).into_response();
            }
            let told = response.extensions_mut().remove::<Told>();
            let took = begun.elapsed();
            gate.metrics.answered(&method, route, response.status(), took);
            if let Some(told) = &told {
                gate.metrics.refused(&told.code);
            }
            log(id, &method, route, response.status(), took, told.as_ref());
            gate.protect(response.headers_mut(), id, is_personal);
            response
        })
        .await
}

/// One line for each answer. A refusal has the number that the caller was given to quote, which is not always that of the request.
fn log(id: uuid::Uuid, method: &Method, route: &str, status: StatusCode, took: Duration, told: Option<&Told>) {
    let (trace_id, status, duration_ms) = (id.simple(), status.as_u16(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let (code, quoted) = told.map_or(("", ""), |told| (&told.code, &told.number));
    if status >= 500 {
        tracing::warn!(%trace_id, %method, route, status, duration_ms, code, quoted, "answered");
    } else if told.is_some() && status != 429 {
        tracing::info!(%trace_id, %method, route, status, duration_ms, code, quoted, "refused");
    } else {
        // Whoever asks too often does not fill the log as well.
        tracing::debug!(%trace_id, %method, route, status, duration_ms, "answered");
    }
}

impl Gate {
    fn check(&self, request: &mut Request) -> Result<(), Problem> {
        // Whoever watches the service asks by address, and learns nothing.
        // Of two names a proxy may have looked at the other one.
        let is_one = request.headers().get_all(header::HOST).iter().count() <= 1;
        if !is_one || request.uri().path() != HEALTH && !self.profile.knows_host(host(request)) {
            return Err(Edge::HostUnknown.into());
        }
        let origin = origin(request, &self.policy);
        self.limits.address(origin.address)?;
        let extensions = request.extensions_mut();
        extensions.insert(origin);
        extensions.insert(Arc::clone(&self.policy));
        extensions.insert(self.limits.clone());
        Ok(())
    }

    fn protect(&self, headers: &mut HeaderMap, id: uuid::Uuid, is_personal: bool) {
        if self.profile.is_secure {
            secure_cookies(headers);
        }
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::REFERRER_POLICY, "same-origin");
        set(HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=(self), payment=()");
        set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        if self.profile.is_secure {
            set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
        }
        if is_personal && !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        headers.insert(REQUEST_ID, HeaderValue::try_from(id.simple().to_string()).expect("hexadecimal digits are ASCII"));
    }
}

/// No cookie travels without TLS, whoever has set it.
fn secure_cookies(headers: &mut HeaderMap) {
    if let header::Entry::Occupied(mut cookies) = headers.entry(header::SET_COOKIE) {
        for cookie in cookies.iter_mut().filter(|cookie| !cookie.as_bytes().ends_with(b"; Secure") && !has(cookie.as_bytes(), b"; Secure;")) {
            let line = [cookie.as_bytes(), b"; Secure"].concat();
            let is_sensitive = cookie.is_sensitive();
            *cookie = HeaderValue::from_bytes(&line).expect("a line with more letters is one");
            cookie.set_sensitive(is_sensitive);
        }
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A signature covers the bytes as they are.
fn is_unsigned(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    !headers.contains_key(gongji_files::signature::SIGNATURE)
}

/// The name under which the service was asked.
pub(crate) fn host(request: &Request) -> Option<&str> {
    let named = request.uri().authority().map(|authority| authority.as_str());
    named.or_else(|| request.headers().get(header::HOST)?.to_str().ok())
}

fn panicked(reason: Box<dyn Any + Send>) -> Response<Body> {
    let text = reason.downcast_ref::<String>().map(String::as_str).or_else(|| reason.downcast_ref::<&str>().copied()).unwrap_or("no text");
    let problem = Problem::from(Edge::Internal);
    tracing::error!(trace_id = problem.body.trace_id, panic = text, "a request met a bug");
    problem.into_response()
}

/// Says whether the program works. While some partitions have stopped it is still the place to ask for those of the others.
async fn health(State(app): State<Arc<App>>) -> (StatusCode, Json<serde_json::Value>) {
    let parts = app.engine.parts();
    let stopped: Vec<u16> = (0..=parts).filter(|part| !app.engine.is_served(*part)).collect();
    let (status, word) = match stopped.len() {
        0 => (StatusCode::OK, "ok"),
        some if some <= usize::from(parts) => (StatusCode::OK, "partly"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "stopped"),
    };
    (status, Json(serde_json::json!({ "status": word, "partitions": parts, "stopped": stopped })))
}

/// What the bench compares a transfer with: the same server and layers, a body read and sent back.
async fn echo(Json(body): Json<serde_json::Value>) -> Json<serde_json::Value> {
    Json(body)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bug_is_answered_as_a_problem_with_a_number() {
        let broken = get(|| async {
            if true {
                panic!("an invariant does not hold")
            }
        });
        let mut router: Router = Router::new().route("/", broken).layer(CatchPanicLayer::custom(panicked));
        let response = tower::Service::call(&mut router, Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), BODY_LEN_MAX).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "INTERNAL");
        assert!(!String::from_utf8_lossy(&body).contains("invariant"), "what broke is for the log");
    }
}
