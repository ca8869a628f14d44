//! Any request to the whole sandbox in process: pages, forms, API, with and without a session or an institution's key. A lawful answer, never a 500.
//!
//! The first byte says who asks, the first line is method and address, the second the content type; the rest is the body.
#![no_main]

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use gongji::sandbox::{Plan, Running, start, start_of_clock};
use gongji::server::{Profile, router};
use gongji::web::session_cookie_name;
use indicatif::ProgressBar;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;
use tokio::runtime::Runtime;
use tower::ServiceExt;

struct Site {
    runtime: Runtime,
    running: Running,
    router: Router,
    /// Cookie of a person who is logged in.
    citizen: String,
    key: String,
}

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let folder = Path::new("/dev/shm").join(format!("gongji-fuzz-site-{}", std::process::id()));
    let plan = Plan { folder, store: None, partitions: Some(1), clock: start_of_clock(), with_history: true };
    let running = runtime.block_on(start(&plan, &|_| ProgressBar::hidden())).expect("a sandbox starts");
    let app = &running.app;
    let sandbox = app.sandbox.as_ref().expect("it is a sandbox");
    let login = &sandbox.logins[0];
    let person = app.vault.match_person(&login.id_number, &login.name).expect("the vault is there").expect("a sample person");
    let (token, _) = app.vault.start_session(person, "fuzz", app.now()).expect("a session starts");
    let citizen = format!("{}={}", session_cookie_name(app), token.reveal());
    let key = sandbox.institution_keys[0].2.clone();
    let router = router(app.clone(), Profile::bench());
    Site { runtime, router, citizen, key, running }
});

fuzz_target!(|bytes: &[u8]| {
    let Some((who, rest)) = bytes.split_first() else { return };
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let (Some(first), kind, body) = (lines.next(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default()) else { return };
    let Ok(first) = std::str::from_utf8(first) else { return };
    let Some((method, address)) = first.split_once(' ') else { return };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let Ok(mut request) = Request::builder().method(method).uri(address).header(HOST, "localhost").body(Body::from(body.to_vec())) else { return };
    let site = &*SITE;
    let headers = request.headers_mut();
    if let Ok(kind) = HeaderValue::from_bytes(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    match who % 4 {
        0 => {}
        1 => drop(headers.insert(COOKIE, HeaderValue::from_str(&site.citizen).expect("a token is ASCII"))),
        2 => drop(headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", site.key)).expect("a key is ASCII"))),
        _ => drop(headers.insert(COOKIE, HeaderValue::from_str(&format!("gongji_till={}", site.key)).expect("a key is ASCII"))),
    }
    headers.insert(HeaderName::from_static("idempotency-key"), HeaderValue::from_static("0190b6f4-1f7e-7000-8000-000000000001"));
    let response = site.runtime.block_on(site.router.clone().oneshot(request)).expect("the router answers");
    assert_ne!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(site.running.app.now() > 0);
});
