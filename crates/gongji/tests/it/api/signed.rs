//! Requests that institutions sign, and the signatures under their answers.

use super::world::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use gongji::server::{Profile as Edge, Rates};
use gongji::trust::{WELL_KNOWN, platform_key};
use gongji_files::signature::{self, Profile, Request as Message, Response as Answer, SigningKey, VerifyingKey, content_digest};
use gongji_ledger::InstitutionId;
use gongji_store::vault::{Access, PublicKey, Registered};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::Service as _;

const HOST: &str = "wallet.example.cn";

/// An institution's program.
struct Signer<'world> {
    world: &'world World,
    key: SigningKey,
    nonces: AtomicU64,
    host: &'static str,
}

/// A request that can be changed after it was signed.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    host: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn key(profile: Profile, first: u8) -> SigningKey {
    SigningKey::from_seed(profile, &[first; 32]).unwrap()
}

fn register(world: &World, institution: &str, key: &SigningKey, expires_ms: Option<i64>) -> Registered {
    let public = key.verifying_key();
    let row = PublicKey {
        key_id: public.key_id().to_owned(),
        institution: institution.to_owned(),
        profile: public.profile().as_str().to_owned(),
        pem: public.to_pem(),
        made_ms: 0,
        expires_ms,
        revoked_ms: None,
    };
    world.app.vault.register_public_key(&row, world.app.now()).unwrap()
}

fn signer<'world>(world: &'world World, institution: &str, profile: Profile, first: u8) -> Signer<'world> {
    let key = key(profile, first);
    assert_eq!(register(world, institution, &key, None), Registered::Done);
    Signer { world, key, nonces: AtomicU64::new(0), host: "localhost" }
}

impl Signer<'_> {
    fn sign(&self, method: &'static str, path: &str, idempotency_key: Option<&str>, body: &str, created: i64) -> Sent {
        let nonce = format!("nonce-of-a-test-{:04}", self.nonces.fetch_add(1, Ordering::Relaxed));
        let mut headers = vec![("host", self.host.to_owned()), ("content-type", "application/json".to_owned())];
        if !body.is_empty() {
            headers.push(("content-digest", content_digest(self.key.profile(), body.as_bytes())));
        }
        headers.extend(idempotency_key.map(|key| ("idempotency-key", key.to_owned())));
        let mut sent = Sent { method, host: self.host, path: format!("/api/v1{path}"), headers, body: body.to_owned() };
        let signed = sent.with(|message| signature::sign_request(&self.key, message, created, &nonce));
        sent.headers.extend([("signature-input", signed.signature_input), ("signature", signed.signature)]);
        sent
    }

    fn now(&self) -> i64 {
        self.world.app.now() / 1_000
    }

    fn get(&self, path: &str) -> Sent {
        self.sign("GET", path, None, "", self.now())
    }

    fn reverse(&self, order: &str, key: &str) -> Sent {
        self.sign("POST", &format!("/institutions/payments/by-order/{order}/reverse"), Some(key), "{}", self.now())
    }

    /// Sends, and sees that the answer is the platform's to this very request.
    async fn send(&self, sent: &Sent) -> Reply {
        let reply = self.world.send(sent.request()).await;
        assert_eq!(sent.is_answered_by(&platform(self.world, self.key.profile()), &reply), Ok(()), "{}", reply.body);
        reply
    }
}

fn platform(world: &World, profile: Profile) -> VerifyingKey {
    platform_key(&world.app.vault, profile, 1).verifying_key().clone()
}

impl Sent {
    fn with<T>(&self, work: impl FnOnce(&Message<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        work(&Message { method: self.method, authority: self.host, path, query, headers: &headers })
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(self.body.clone().into()).unwrap()
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Sent {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| *known == name).unwrap().1
    }

    fn is_answered_by(&self, key: &VerifyingKey, reply: &Reply) -> Result<(), signature::Refused> {
        let headers: Vec<(&str, &str)> = reply.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let answer = Answer { status: reply.status.as_u16(), headers: &headers };
        self.with(|message| signature::verify_response(key, &answer, message, &reply.bytes))
    }
}

fn is_unsigned(reply: &Reply) -> bool {
    !reply.headers.contains_key("signature") && !reply.headers.contains_key("signature-input")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_stands_for_the_institution_and_the_answer_is_signed_too() {
    let world = World::new(2).await;
    for (profile, first, order) in [(Profile::Ed25519, 1, "E-1"), (Profile::Sm2, 2, "S-1")] {
        let hospital = signer(&world, HOSPITAL, profile, first);
        let done = hospital.send(&hospital.reverse(order, order)).await.expect(StatusCode::OK);
        assert_eq!(done.text("outcome"), "nothing_to_reverse");
        let listed = hospital.send(&hospital.get("/institutions/payments?limit=10")).await.expect(StatusCode::OK);
        assert!(listed.body["orders"].as_array().unwrap().iter().any(|one| one["order_no"] == order));
        // Refusals are answers.
        hospital.send(&hospital.get("/institutions/payments/by-order/unknown")).await.refused(404, "NOT_FOUND");
        hospital.send(&hospital.get("/no-such-address")).await.refused(404, "ROUTE_UNKNOWN");
        hospital.send(&hospital.sign("POST", "/institutions/payments", Some("k"), "{", hospital.now())).await.refused(400, "JSON_MALFORMED");
    }
    // What was changed on the way back is noticed.
    let hospital = signer(&world, HOSPITAL, Profile::Ed25519, 3);
    let (one, other) = (hospital.get("/institutions/payments"), hospital.get("/institutions/payments"));
    let mut reply = hospital.send(&one).await;
    let platform = platform(&world, Profile::Ed25519);
    assert_eq!(other.is_answered_by(&platform, &reply), Err(signature::Refused::Differs), "the answer to another request");
    reply.bytes.push(b' ');
    assert_eq!(one.is_answered_by(&platform, &reply), Err(signature::Refused::DigestDiffers));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_does_not_fit_does_nothing_and_the_sandbox_shows_what_would() {
    let world = World::new(1).await;
    for (profile, first, order) in [(Profile::Ed25519, 1, "T-1"), (Profile::Sm2, 2, "T-2")] {
        let hospital = signer(&world, HOSPITAL, profile, first);
        let sent = hospital.reverse(order, order);
        let body = Sent { body: r#"{ }"#.to_owned(), ..sent.clone() };
        let path = Sent { path: sent.path.replace(order, "T-9"), ..sent.clone() };
        let method = Sent { method: "PUT", ..sent.clone() };
        let other = signer(&world, PHARMACY, profile, first + 10);
        let stolen = sent.header("signature-input").replace(hospital.key.verifying_key().key_id(), other.key.verifying_key().key_id());
        let cases = [
            ("content-digest", body),
            ("signature", path),
            ("signature", method),
            ("signature", sent.clone().set("host", "127.0.0.1")),
            ("signature", sent.clone().set("idempotency-key", "another")),
            ("signature", sent.clone().set("signature-input", stolen)),
            ("signature-input", sent.clone().set("signature-input", sent.header("signature-input").replace(" \"content-digest\"", ""))),
            ("signature-input", Sent { headers: sent.headers.iter().filter(|(name, _)| *name != "signature-input").cloned().collect(), ..sent.clone() }),
            ("signature", Sent { headers: sent.headers.iter().filter(|(name, _)| *name != "signature").cloned().collect(), ..sent.clone() }),
            ("signature", sent.clone().set("signature", "sig1=:AAAA:")),
        ];
        for (at, (field, case)) in cases.iter().enumerate() {
            let reply = world.send(case.request()).await.refused(401, "SIGNATURE_INVALID");
            assert_eq!(reply.body["fields"][0]["field"], *field, "{at}: {}", reply.body);
            assert!(is_unsigned(&reply), "the platform vouches for nothing here");
        }
        let expected = world.send(cases[4].1.request()).await.body["expected"].clone();
        let base = cases[4].1.with(|message| signature::Presented::read(message).unwrap().base);
        assert_eq!(expected, json!({ "signature_base": base, "content_digest": content_digest(profile, b"{}") }));
        let unknown = Signer { world: &world, key: key(profile, first + 20), nonces: AtomicU64::new(0), host: "localhost" };
        assert!(is_unsigned(&world.send(unknown.get("/institutions/payments").request()).await.refused(401, "KEY_UNKNOWN")));
        hospital.send(&hospital.get(&format!("/institutions/payments/by-order/{order}"))).await.refused(404, "NOT_FOUND");
        // The same bytes, unchanged, are still good.
        hospital.send(&sent).await.expect(StatusCode::OK);
        world.app.vault.revoke_public_key(hospital.key.verifying_key().key_id(), 0).unwrap();
        hospital.send(&hospital.get("/institutions/payments")).await.refused(401, "KEY_REVOKED");
        // What one institution reversed is nothing that another one sees.
        other.send(&other.get(&format!("/institutions/payments/by-order/{order}"))).await.refused(404, "NOT_FOUND");
        other.send(&other.reverse(order, &format!("mine-{order}"))).await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_refused_and_a_repeat_gets_the_first_answer() {
    let world = World::new(1).await;
    let hospital = signer(&world, HOSPITAL, Profile::Sm2, 1);
    let first = hospital.reverse("R-1", "key-1");
    let done = hospital.send(&first).await.expect(StatusCode::OK);
    hospital.send(&first).await.refused(401, "NONCE_REUSED");
    let again = hospital.send(&hospital.reverse("R-1", "key-1")).await.expect(StatusCode::OK);
    assert_eq!((again.body, again.headers["idempotency-replayed"].to_str().unwrap()), (done.body, "true"));
    let read = hospital.get("/institutions/payments");
    hospital.send(&read).await.expect(StatusCode::OK);
    hospital.send(&read).await.refused(401, "NONCE_REUSED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_lost_and_signing_anew_brings_it() {
    let world = World::new(1).await;
    let hospital = signer(&world, HOSPITAL, Profile::Ed25519, 1);
    let lost = hospital.reverse("F-1", "key-1").set("test-fault", "lost-reply");
    let answer = world.router.clone().call(lost.request()).await.unwrap();
    assert!(axum::body::to_bytes(answer.into_body(), 1_024).await.is_err(), "the connection breaks; nothing is said in the platform's name");
    let again = hospital.send(&hospital.reverse("F-1", "key-1")).await.expect(StatusCode::OK);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    // The same request twice at once is let in once.
    let twice = hospital.reverse("F-2", "key-2").set("test-fault", "duplicate");
    hospital.send(&twice).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_may_differ_by_five_minutes() {
    let world = World::new(1).await;
    let hospital = signer(&world, HOSPITAL, Profile::Ed25519, 1);
    let now = hospital.now();
    for (created, is_timely) in [(now - 300, true), (now + 300, true), (now - 301, false), (now + 301, false), (0, false), (999_999_999_999_999, false)] {
        let reply = hospital.send(&hospital.sign("GET", "/institutions/payments", None, "", created)).await;
        if is_timely {
            reply.expect(StatusCode::OK);
        } else {
            let reply = reply.refused(401, "SIGNATURE_STALE");
            let told = reply.body["fields"][0]["message"].as_str().unwrap();
            assert!(told.contains("我们的时间 2026-11-23T10:00:00"), "our time is told: {told}");
        }
    }
    // A request that was held up does not become good again, and its nonce need not be remembered for it.
    let held_up = hospital.reverse("L-1", "late");
    assert!(world.clock.set(world.app.now() + 301_000));
    hospital.send(&held_up).await.refused(401, "SIGNATURE_STALE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_hold_while_they_are_changed_and_none_after_its_end() {
    let world = World::new(1).await;
    let old = signer(&world, HOSPITAL, Profile::Ed25519, 1);
    let new = signer(&world, HOSPITAL, Profile::Ed25519, 2);
    for one in [&old, &new] {
        one.send(&one.get("/institutions/payments")).await.expect(StatusCode::OK);
    }
    assert_eq!(register(&world, HOSPITAL, &key(Profile::Ed25519, 3), None), Registered::TooMany);
    world.app.vault.revoke_public_key(old.key.verifying_key().key_id(), world.app.now()).unwrap();
    old.send(&old.get("/institutions/payments")).await.refused(401, "KEY_REVOKED");
    new.send(&new.get("/institutions/payments")).await.expect(StatusCode::OK);
    let short = key(Profile::Ed25519, 4);
    assert_eq!(register(&world, HOSPITAL, &short, Some(world.app.now() + 1_000)), Registered::Done);
    let short = Signer { world: &world, key: short, nonces: AtomicU64::new(0), host: "localhost" };
    short.send(&short.get("/institutions/payments")).await.expect(StatusCode::OK);
    assert!(world.clock.set(world.app.now() + 1_000));
    short.send(&short.get("/institutions/payments")).await.refused(401, "KEY_EXPIRED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_institution_asks_from_its_own_networks_and_with_its_own_certificate() {
    let mut edge = Edge::sandbox();
    edge.policy.certificate_header = Some("x-client-cert-sha256".parse().unwrap());
    let world = World::with(1, edge).await;
    let hospital = signer(&world, HOSPITAL, Profile::Ed25519, 1);
    let print = "ab".repeat(32);
    let access = Access { addresses: vec!["192.0.2.0/24".to_owned()], certificates: vec![print.clone()] };
    world.app.vault.set_institution_access(HOSPITAL, &access).unwrap();
    // Colons and capitals, as OpenSSL prints it.
    let shown = print.to_uppercase().as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap().to_owned()).collect::<Vec<_>>().join(":");
    let from =
        |address: &str, certificate: &str| hospital.get("/institutions/payments").set("x-forwarded-for", address).set("x-client-cert-sha256", certificate);
    hospital.send(&from("192.0.2.9", &shown)).await.expect(StatusCode::OK);
    hospital.send(&from("203.0.113.1, 192.0.2.9", &print)).await.expect(StatusCode::OK);
    hospital.send(&from("192.0.2.9, 203.0.113.1", &print)).await.refused(403, "ADDRESS_NOT_ALLOWED");
    hospital.send(&from("192.0.2.9", &"cd".repeat(32))).await.refused(403, "CERTIFICATE_NOT_ALLOWED");
    hospital.send(&from("192.0.2.9", "nonsense")).await.refused(403, "CERTIFICATE_NOT_ALLOWED");
    hospital.send(&hospital.get("/institutions/payments").set("x-forwarded-for", "192.0.2.9")).await.refused(403, "CERTIFICATE_NOT_ALLOWED");
    // A bearer key is bound to the same places.
    let bearer = |address: &str| {
        let request = world.institution(HOSPITAL).request(axum::http::Method::GET, "/institutions/payments", None, Body::empty());
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("x-forwarded-for", address.parse().unwrap());
        parts.headers.insert("x-client-cert-sha256", print.parse().unwrap());
        Request::from_parts(parts, body)
    };
    world.send(bearer("192.0.2.9")).await.expect(StatusCode::OK);
    world.send(bearer("203.0.113.1")).await.refused(403, "ADDRESS_NOT_ALLOWED");
    // Others are not concerned, until a certificate is asked of everybody.
    world.institution(PHARMACY).get("/institutions/payments").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_asks_for_a_signature_and_keeps_its_secrets() {
    let world = World::production(vec![HOST.to_owned()]).await;
    let hospital = Signer { host: HOST, ..signer(&world, HOSPITAL, Profile::Sm2, 1) };
    hospital.send(&hospital.get("/institutions/payments")).await.expect(StatusCode::OK);
    let key = institution_key(HOSPITAL, 1);
    let request = |name: &str, value: String| {
        Request::builder().uri("/api/v1/institutions/payments").header("host", HOST).header(name, value).body(Body::empty()).unwrap()
    };
    world.send(request("authorization", format!("Bearer {key}"))).await.refused(401, "SIGNATURE_REQUIRED");
    world.send(request("cookie", format!("__Host-gongji_till={key}"))).await.refused(401, "SIGNATURE_REQUIRED");
    world.send(request("accept", "application/json".to_owned())).await.refused(401, "SIGNATURE_REQUIRED");
    let tampered = hospital.reverse("P-1", "k").set("idempotency-key", "other");
    assert!(world.send(tampered.request()).await.refused(401, "SIGNATURE_INVALID").body.get("expected").is_none());
    // A request for another platform that knows the same key.
    let elsewhere = Signer { host: "other.example.cn", world: &world, key: hospital.key, nonces: AtomicU64::new(50) };
    let sent = elsewhere.get("/institutions/payments").set("host", HOST);
    world.send(sent.request()).await.refused(401, "SIGNATURE_INVALID");
}

/// Whoever signs may send what others may send: a list for reconciliation of megabytes, a file at the gateway; elsewhere 64 KiB. A large body is read only
/// once the signature over its digest was right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_list_may_be_as_large_as_any_other() {
    let world = World::new(1).await;
    let mut list = "setl_id,mdtrt_id,psn_no,medfee_sumamt,fund_pay_sumamt,acct_pay,refd_setl_flag\n".to_owned();
    for row in 0..8_000 {
        list.push_str(&format!(",LIST-{row:06},0001000000000007,120.00,83.50,36.50,0\n"));
    }
    assert!(list.len() > 4 * 64 * 1024);
    let path = "/institutions/reconciliations?day=2026-11-23&clr_type=11&insutype=310";
    for (profile, first) in [(Profile::Ed25519, 1), (Profile::Sm2, 2)] {
        let hospital = signer(&world, HOSPITAL, profile, first);
        let sent = hospital.sign("POST", path, None, &list, hospital.now()).set("content-type", "text/csv");
        let other = Sent { body: list.replace("36.50,0\n", "36.51,0\n"), ..sent.clone() };
        let refused = world.send(other.request()).await.refused(401, "SIGNATURE_INVALID");
        assert!(is_unsigned(&refused) && refused.body["fields"][0]["field"] == "content-digest");
        let forged = sent.clone().set("signature", format!("sig1=:{}:", "A".repeat(86) + "=="));
        world.send(forged.request()).await.refused(401, "SIGNATURE_INVALID");
        let undigested = Sent { headers: sent.headers.iter().filter(|(name, _)| *name != "content-digest").cloned().collect(), ..sent.clone() };
        assert!(is_unsigned(&world.send(undigested.request()).await.refused(401, "SIGNATURE_INVALID")));
        let compared = hospital.send(&sent).await;
        assert!(compared.status.is_success(), "{}", compared.body);
        hospital.send(&sent).await.refused(401, "NONCE_REUSED");
        // Nowhere else.
        let large = format!("{{\"note\":\"{}\"}}", "x".repeat(64 * 1024));
        let elsewhere = hospital.sign("POST", "/institutions/payments", Some("large"), &large, hospital.now());
        assert!(is_unsigned(&world.send(elsewhere.request()).await.refused(413, "BODY_TOO_LARGE")));
    }
    let part = gongji_wallet::event::institution_part(InstitutionId::parse(HOSPITAL).unwrap(), 1);
    let kept = world.app.vault.signed_requests(part, HOSPITAL, "nonce-of-a-test-0000").unwrap();
    assert!(kept.iter().all(|kept| kept.text.reveal().len() < 2_000), "what was signed is kept, not the file");
}

/// At every address of the interface, those that are none included, the answer to a signed request is the platform's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_answers_a_signed_request_without_a_signature() {
    let world = World::new(1).await;
    let hospital = signer(&world, HOSPITAL, Profile::Ed25519, 1);
    let at = |method: &'static str, path: &str| {
        let mut sent = hospital.sign(method, path, None, "", hospital.now());
        // Signed for the whole address, which is not below the interface here.
        if let Some(outside) = path.strip_prefix("!") {
            sent = Sent { path: outside.to_owned(), headers: vec![("host", "localhost".to_owned())], ..sent };
            let nonce = format!("nonce-outside-{:04}", hospital.nonces.fetch_add(1, Ordering::Relaxed));
            let signed = sent.with(|message| signature::sign_request(&hospital.key, message, hospital.now(), &nonce));
            sent.headers.extend([("signature-input", signed.signature_input), ("signature", signed.signature)]);
        }
        sent
    };
    for (method, path, status, code) in [
        ("GET", "/fsi/no-such", 404, "ROUTE_UNKNOWN"),
        ("GET", "/institution", 404, "ROUTE_UNKNOWN"),
        ("GET", "/institutions/no/such", 404, "ROUTE_UNKNOWN"),
        ("DELETE", "/institutions/payments", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/fsi", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "!/fsi/api/callFsiService/callService", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "!/fsi/api/callFsiService", 404, "ROUTE_UNKNOWN"),
        ("GET", "!/fsi/else", 404, "ROUTE_UNKNOWN"),
    ] {
        hospital.send(&at(method, path)).await.refused(status, code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_is_kept_and_still_proves_itself() {
    let world = World::new(1).await;
    let hospital = signer(&world, HOSPITAL, Profile::Sm2, 1);
    let body = r#"{"order_no":"K-1","payer":{"keypad":{"id_number":"990137198405120013","password":"260001"}},"bill":{}}"#;
    hospital.send(&hospital.sign("POST", "/institutions/payments", Some("kept-1"), body, hospital.now())).await;
    hospital.send(&hospital.reverse("K-1", "kept-2")).await.expect(StatusCode::OK);
    hospital.send(&hospital.get("/institutions/payments")).await.expect(StatusCode::OK);
    let part = gongji_wallet::event::institution_part(InstitutionId::parse(HOSPITAL).unwrap(), 1);
    let kept = |wanted: &str| world.app.vault.signed_requests(part, HOSPITAL, wanted).unwrap();
    let reversed = kept("kept-2").remove(0);
    let text = reversed.text.reveal();
    let (base, rest) = text.split_once("\n\n").unwrap();
    let (line, body) = rest.split_once("\n\n").unwrap();
    let signature = line.strip_prefix("sig1=:").unwrap().strip_suffix(':').unwrap();
    assert!(hospital.key.verifying_key().verify_base64(base.as_bytes(), signature));
    assert!(base.contains(&content_digest(Profile::Sm2, body.as_bytes())) && base.contains("/by-order/K-1/reverse"));
    assert_eq!(kept(&reversed.nonce).len(), 1);
    let held = kept("kept-1").remove(0);
    assert!(!held.text.reveal().contains("260001") && held.text.reveal().contains("***"), "nobody keeps a person's password");
    assert!(kept("unknown").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_publishes_what_its_answers_are_checked_with() {
    let world = World::new(1).await;
    let request = Request::builder().uri(WELL_KNOWN).header("host", "localhost").body(Body::empty()).unwrap();
    let reply = world.send(request).await.expect(StatusCode::OK);
    let keys = reply.body["keys"].as_array().unwrap().clone();
    assert_eq!(
        keys.iter().map(|key| (key["state"].as_str().unwrap(), key["profile"].as_str().unwrap())).collect::<Vec<_>>(),
        [("current", "ed25519"), ("current", "sm2"), ("next", "ed25519"), ("next", "sm2")]
    );
    for (key, profile) in keys.iter().zip(Profile::ALL) {
        let read = VerifyingKey::from_pem(key["public_key"].as_str().unwrap()).unwrap();
        assert_eq!((&read, key["key_id"].as_str()), (&platform(&world, profile), Some(read.key_id())));
    }
    assert!(!String::from_utf8_lossy(&reply.bytes).contains("PRIVATE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_institution_does_not_take_the_place_of_the_others() {
    let mut edge = Edge::sandbox();
    edge.rates = Rates { institution_per_s: 1, institution_burst: 2, ..Rates::NONE };
    let world = World::with(1, edge).await;
    let (hospital, pharmacy) = (signer(&world, HOSPITAL, Profile::Ed25519, 1), signer(&world, PHARMACY, Profile::Ed25519, 2));
    let mut refused = None;
    // A second of the machine may pass in between, hundreds may not.
    for _ in 0..200 {
        let reply = hospital.send(&hospital.get("/institutions/payments")).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.unwrap().refused(429, "RATE_LIMITED");
    assert!(refused.headers.contains_key("retry-after"));
    pharmacy.send(&pharmacy.get("/institutions/payments")).await.expect(StatusCode::OK);
}
