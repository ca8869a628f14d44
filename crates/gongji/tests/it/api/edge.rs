//! What holds for every request: host, cookies, cross-site, limits, headers.

use super::world::*;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use gongji::server::{Profile, Rates};
use serde_json::json;

fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "localhost:8080").header("content-type", "application/json")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_headers_that_protect_people() {
    let world = World::new(1).await;
    for path in ["/healthz", "/api/v1/state-machines", "/api/v1/nothing", "/assets/app.css", "/openapi.json"] {
        let reply = world.send(request(Method::GET, path).body(Body::empty()).unwrap()).await;
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(reply.headers["cross-origin-opener-policy"] == "same-origin" && policy.contains("object-src 'none'") && policy.contains("base-uri 'none'"));
        assert!(!reply.headers.contains_key("access-control-allow-origin") && !reply.headers.contains_key("server"), "{path}");
        assert!(reply.headers["x-content-type-options"] == "nosniff" && reply.headers["referrer-policy"] == "same-origin", "{path}");
        assert!(reply.headers.contains_key("x-request-id") && !reply.headers.contains_key("strict-transport-security"), "{path}");
        assert_eq!(reply.headers["cache-control"] == "no-store", !path.starts_with("/assets/"), "{path}");
    }
    world.send(request(Method::GET, "/api/v1/nothing").body(Body::empty()).unwrap()).await.refused(404, "ROUTE_UNKNOWN");
    world.send(request(Method::DELETE, "/api/v1/transfers").body(Body::empty()).unwrap()).await.refused(405, "METHOD_NOT_ALLOWED");
    // The echo route is the bench's alone.
    world.send(request(Method::POST, "/api/v1/echo").body("{}".into()).unwrap()).await.refused(404, "ROUTE_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_is_sent_once() {
    let world = World::new(1).await;
    let first = world.send(request(Method::GET, "/assets/app.css").body(Body::empty()).unwrap()).await.expect(StatusCode::OK);
    let again = request(Method::GET, "/assets/app.css").header(header::IF_NONE_MATCH, first.headers["etag"].clone());
    let again = world.send(again.body(Body::empty()).unwrap()).await.expect(StatusCode::NOT_MODIFIED);
    assert!(again.bytes.is_empty() && first.headers["content-type"] == "text/css; charset=utf-8");
    for path in ["/assets/nothing.css", "/assets/..%2fCargo.toml", "/assets/"] {
        assert!(world.send(request(Method::GET, path).body(Body::empty()).unwrap()).await.status.is_client_error(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_is_worth_nothing_from_another_site_or_by_another_name() {
    let world = World::new(1).await;
    let login = json!({ "id_number": SON.1, "password": password(SON.2) });
    let reply = world.send(request(Method::POST, "/api/v1/sessions").body(login.to_string().into()).unwrap()).await.expect(StatusCode::CREATED);
    let line = reply.headers["set-cookie"].to_str().unwrap();
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax") && line.contains("Path=/"), "{line}");
    let cookie = line.split(';').next().unwrap().to_owned();
    let read = |method: Method, site: &str| {
        request(method, "/api/v1/notices/read")
            .header("cookie", format!("other=1; {cookie}"))
            .header("sec-fetch-site", site.to_owned())
            .body(Body::empty())
            .unwrap()
    };
    world.send(read(Method::POST, "same-origin")).await.expect(StatusCode::OK);
    world.send(read(Method::POST, "cross-site")).await.refused(403, "CROSS_SITE");
    world.send(read(Method::POST, "same-site")).await.refused(403, "CROSS_SITE");
    let foreign =
        request(Method::POST, "/api/v1/notices/read").header("cookie", cookie.clone()).header("origin", "https://evil.example").body(Body::empty()).unwrap();
    world.send(foreign).await.refused(403, "CROSS_SITE");
    // DNS rebinding: the browser believes that it talks to another name.
    let rebound = Request::builder().uri("/api/v1/me").header("host", "evil.example").header("cookie", cookie).body(Body::empty()).unwrap();
    world.send(rebound).await.refused(421, "HOST_UNKNOWN");
    world.send(Request::builder().uri("/api/v1/me").body(Body::empty()).unwrap()).await.refused(421, "HOST_UNKNOWN");
    world.send(Request::builder().uri("/healthz").body(Body::empty()).unwrap()).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_never_rests_is_told_to() {
    // One a second after a burst of five: no test is slow enough to get a sixth.
    let rates = Rates { address_per_s: 1, address_burst: 5, person_per_s: 0, person_burst: 0, ..Rates::NONE };
    let world = World::with(1, Profile { rates, ..Profile::sandbox() }).await;
    let from = |address: &str| request(Method::GET, "/healthz").header("x-forwarded-for", address.to_owned()).body(Body::empty()).unwrap();
    let mut refused = 0;
    for _ in 0..200 {
        let reply = world.send(from("198.51.100.7")).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(reply.headers.contains_key("retry-after"));
            reply.refused(429, "RATE_LIMITED");
            refused += 1;
        }
    }
    assert!(refused > 0);
    // Another address has its own.
    world.send(from("198.51.100.8")).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_locked_out_is_told_for_how_long() {
    let world = World::new(1).await;
    let wrong = json!({ "id_number": SON.1, "password": "000000" });
    let mut reply = world.guest().post("/sessions", &wrong).await;
    for _ in 0..gongji_store::vault::ATTEMPTS_MAX {
        reply = world.guest().post("/sessions", &wrong).await;
    }
    let seconds: i64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    let body = reply.refused(429, "PASSWORD_LOCKED").body;
    // The clock stands.
    let until = gongji::time::parse_rfc3339(body["not_before"].as_str().unwrap()).unwrap();
    assert_eq!(until - start_of_clock(), seconds * 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_has_no_sandbox_and_insists_on_tls() {
    let world = World::production(vec!["wallet.example.cn".to_owned()]).await;
    let request =
        |method: Method, path: &str| Request::builder().method(method).uri(path).header("host", "wallet.example.cn").header("content-type", "application/json");
    for path in ["/sandbox/clock", "/sandbox/inbox", "/sandbox/logins", "/sandbox/institutions"] {
        world.send(request(Method::GET, &format!("/api/v1{path}")).body(Body::empty()).unwrap()).await.refused(404, "ROUTE_UNKNOWN");
    }
    let jump = json!({ "preset": "22:00" });
    world.send(request(Method::POST, "/api/v1/sandbox/clock").body(jump.to_string().into()).unwrap()).await.refused(404, "ROUTE_UNKNOWN");
    let login = json!({ "id_number": SON.1, "password": password(SON.2) });
    let reply = world.send(request(Method::POST, "/api/v1/sessions").body(login.to_string().into()).unwrap()).await.expect(StatusCode::CREATED);
    let line = reply.headers["set-cookie"].to_str().unwrap();
    assert!(line.starts_with("__Host-gongji=") && line.contains("; Secure") && !line.contains("Domain"), "{line}");
    assert!(reply.headers["strict-transport-security"].to_str().unwrap().contains("max-age=31536000"));
    // The pages' own cookies as well: a mode, a word.
    let form = |path: &str, cookie: &str, fields: String| {
        let form = Request::builder().method(Method::POST).uri(path).header("host", "wallet.example.cn").header("origin", "https://wallet.example.cn");
        form.header("content-type", "application/x-www-form-urlencoded").header("cookie", cookie).body(Body::from(fields)).unwrap()
    };
    let session = line.split(';').next().unwrap();
    let left = world.send(form("/logout", session, String::new())).await.expect(StatusCode::SEE_OTHER);
    let set: Vec<&str> = left.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    assert!(set.len() >= 3 && set.iter().any(|line| line.starts_with("gongji_said=")), "{set:?}");
    for line in set {
        assert!(line.matches("; Secure").count() == 1 && line.contains("; HttpOnly") && line.contains("; SameSite=Lax"), "{line}");
    }
    let numeric = Request::builder().uri("/api/v1/regions").header("host", "127.0.0.1").body(Body::empty()).unwrap();
    world.send(numeric).await.refused(421, "HOST_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_ends_the_session_that_the_browser_had() {
    let world = World::new(1).await;
    let login = |cookie: Option<&str>| {
        let body = json!({ "id_number": SON.1, "password": password(SON.2) }).to_string();
        let asked = request(Method::POST, "/api/v1/sessions").header("cookie", cookie.unwrap_or("other=1"));
        asked.body(Body::from(body)).unwrap()
    };
    let cookie = |reply: &Reply| reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let me = |cookie: &str| request(Method::GET, "/api/v1/me").header("cookie", cookie).body(Body::empty()).unwrap();
    let first = cookie(&world.send(login(None)).await.expect(StatusCode::CREATED));
    world.send(me(&first)).await.expect(StatusCode::OK);
    let second = cookie(&world.send(login(Some(&first))).await.expect(StatusCode::CREATED));
    assert_ne!(first, second);
    world.send(me(&first)).await.refused(401, "LOGIN_REQUIRED");
    world.send(me(&second)).await.expect(StatusCode::OK);
    // Another device has its own, and a form of the pages does the same.
    let other = cookie(&world.send(login(None)).await.expect(StatusCode::CREATED));
    world.send(me(&second)).await.expect(StatusCode::OK);
    let form = Request::builder().method(Method::POST).uri("/login").header("host", "localhost:8080").header("origin", "http://localhost:8080");
    let form = form.header("content-type", "application/x-www-form-urlencoded").header("cookie", &other);
    let fields = format!("account={}&password={}", SON.1, password(SON.2));
    let third = world.send(form.body(Body::from(fields)).unwrap()).await.expect(StatusCode::SEE_OTHER);
    world.send(me(&other)).await.refused(401, "LOGIN_REQUIRED");
    world.send(me(&cookie(&third))).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_answers_for_nobody_but_relatives() {
    use gongji::service::transfer::find_receiver;
    use gongji_ledger::HolderId;
    let world = World::new(1).await;
    let id = |number: &str| HolderId(world.app.vault.find_by_id_number(number).unwrap().unwrap());
    let son = id(SON.1);
    // Memory knows the mother from here on, and nobody has said that she is one. Another process gives her another name.
    assert_eq!(find_receiver(&world.app, son, MOTHER.0, MOTHER.1).await.unwrap(), id(MOTHER.1));
    let rename = |name: &str| {
        let keys = world.app.vault.keys().clone();
        let elsewhere = gongji_store::vault::Vault::open_with(world.folder.path(), keys, 1).unwrap();
        let person = gongji_store::vault::NewPerson { id_number: MOTHER.1.into(), name: name.into(), phone: None };
        elsewhere.put_person(&person, world.app.now()).unwrap();
    };
    rename("王秀岚");
    assert_eq!(find_receiver(&world.app, son, "王秀岚", MOTHER.1).await.unwrap(), id(MOTHER.1), "the disk was asked, as for a stranger");
    assert_ne!(find_receiver(&world.app, son, MOTHER.0, MOTHER.1).await.unwrap(), id(MOTHER.1));
    assert_eq!(find_receiver(&world.app, son, STRANGER.0, STRANGER.1).await.unwrap(), HolderId::nobody(world.app.vault.partition_of(STRANGER.1)));
    rename(MOTHER.0);
    // Once there is a relation, memory may answer: that she exists is no secret between the two.
    let mother = world.registered(&MOTHER).await;
    mother.ask("/wallet", &json!({ "place": "510500" })).await.expect(StatusCode::CREATED);
    let caller = world.logged_in(&SON).await;
    let body = caller.transfer_body(&SON, &MOTHER, "52", 10_000).await;
    let sent = caller.ask("/transfers", &body).await.expect(StatusCode::CREATED).text("id");
    mother.ask(&format!("/transfers/{sent}/accept"), &json!({})).await.expect(StatusCode::OK);
    // Her partition tells his; the preview waits for nothing.
    while world.app.engine.holder(son).unwrap().unwrap().relation(id(MOTHER.1)).is_none() {
        tokio::task::yield_now().await;
    }
    rename("王秀岚");
    assert_eq!(find_receiver(&world.app, son, MOTHER.0, MOTHER.1).await.unwrap(), id(MOTHER.1), "from memory");
}
