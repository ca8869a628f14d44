//! The conformance kit against the right server, and against one that is wrong on purpose, one wrong at a time: a proxy before the right server plants them.
//!
//! Most wrongs are in what is said or done, so the proxy signs anew what it has changed, with the institutions' and the platform's own keys: otherwise
//! every wrong would be found by the signature alone.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use gongji::conformance::{self, Wanted};
use gongji::sandbox::{self, CONFORMANCE_FILE, Plan, Running, SIGNING_KEYS_FOLDER, signing_key};
use gongji::server::{self, Profile as Edge};
use gongji::trust::platform_key;
use gongji_files::signature::{
    CONTENT_DIGEST, IDEMPOTENCY_KEY, Profile, Request as Signable, Response as SignedAnswer, SIGNATURE, SIGNATURE_INPUT, SigningKey, content_digest,
    sign_request, sign_response,
};
use gongji_ledger::InstitutionId;
use gongji_store::clock::system_now;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tower::Service;

const HOSPITAL: &str = "H41010000001";
const PHARMACY: &str = "P41010000001";
const PAYMENTS: &str = "/api/v1/institutions/payments";

/// A request on its way through the proxy.
struct Asked {
    method: Method,
    /// With its query.
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Whose signature it has; an institution's code.
    signer: Option<&'static str>,
    /// Sign it anew before it goes on.
    anew: bool,
}

/// An answer on its way back.
struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
    sign: Sign,
}

/// How an answer is signed again.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Right,
    Not,
    /// By a key that is not the platform's.
    Foreign,
    Long,
    /// Before something in the body was changed.
    Before,
}

/// What a wrong does with a request; an answer of its own ends it there.
type Ask = fn(&mut Asked) -> Option<(StatusCode, Value)>;
type Tell = fn(&Asked, &mut Told);

struct Wrong {
    what: &'static str,
    /// The case that must find it.
    case: &'static str,
    ask: Ask,
    tell: Option<Tell>,
}

const fn asks(what: &'static str, case: &'static str, ask: Ask) -> Wrong {
    Wrong { what, case, ask, tell: None }
}

const fn tells(what: &'static str, case: &'static str, tell: Tell) -> Wrong {
    Wrong { what, case, ask: |_| None, tell: Some(tell) }
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self.anew = true;
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut body = self.json();
        if body.is_object() {
            change(&mut body);
            self.body = body.to_string().into_bytes();
            self.anew = true;
        }
    }

    fn is_step(&self, verb: &str) -> bool {
        self.path.starts_with(PAYMENTS) && self.path.ends_with(verb)
    }

    fn is_gateway(&self) -> bool {
        self.path.starts_with("/fsi/")
    }

    /// Transaction of a national message.
    fn infno(&self) -> String {
        if self.is_gateway() { self.json()["infno"].as_str().unwrap_or_default().to_owned() } else { String::new() }
    }

    fn is_hold(&self) -> bool {
        self.method == Method::POST && self.path == PAYMENTS
    }

    fn is_look_up(&self) -> bool {
        self.method == Method::GET && self.path.starts_with(&format!("{PAYMENTS}/by-order/"))
    }
}

impl Told {
    fn add(&mut self, pointer: &str, fen: i64) {
        if let Some(value) = self.body.pointer_mut(pointer) {
            *value = json!(value.as_i64().unwrap_or_default() + fen);
        }
    }

    fn put(&mut self, pointer: &str, new: Value) {
        if let Some(value) = self.body.pointer_mut(pointer) {
            *value = new;
        }
    }

    /// An amount of a national answer, as text that is a number.
    fn yuan(&mut self, pointer: &str, new: &str) {
        self.put(pointer, serde_json::from_str(new).unwrap());
    }

    fn is_problem(&self) -> bool {
        self.body["code"].is_string()
    }
}

/// A message number that nobody has used: the same with another end.
fn fresh_msgid(msgid: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}X{:03}", msgid.get(..26).unwrap_or_default(), NEXT.fetch_add(1, Ordering::Relaxed) % 1_000)
}

/// At most this much (fen): a server that takes what it can get instead of refusing.
fn clipped(asked: &mut Asked, verb: &str) -> Option<(StatusCode, Value)> {
    if asked.is_step(verb) {
        asked.change(|body| {
            if body["amount"]["amount"].as_i64() > Some(1_000) {
                body["amount"]["amount"] = json!(1_000);
            }
        });
    }
    None
}

static COUNT: AtomicU64 = AtomicU64::new(0);

fn fresh() -> String {
    format!("wrong-server-number-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Everything that is planted, with the case that has to find it.
const WRONGS: &[Wrong] = &[
    asks("a repeated key is carried out anew", "capture.same-key-same-answer", |asked| {
        let key = fresh();
        if asked.is_step("capture") {
            asked.set(IDEMPOTENCY_KEY, &key);
        }
        None
    }),
    tells("a repeat does not say that it is one", "hold.same-key-same-answer", |_, told| {
        told.headers.remove("idempotency-replayed");
    }),
    asks("another body passes under the same key", "refund.same-key-other-body", |asked| {
        let key = format!("{}-{}", asked.header(IDEMPOTENCY_KEY).unwrap_or_default(), asked.json()["amount"]["amount"]);
        if asked.is_step("refund") {
            asked.set(IDEMPOTENCY_KEY, &key);
        }
        None
    }),
    asks("a missing key is made up", "hold.key-missing", |asked| {
        if asked.is_hold() && asked.header(IDEMPOTENCY_KEY).is_none() {
            let key = fresh();
            asked.set(IDEMPOTENCY_KEY, &key);
        }
        None
    }),
    tells("a quote's parts do not add up", "quote.adds-up", |_, told| told.add("/personal_account/amount", 1)),
    tells("more is said to be held than was", "hold.held", |asked, told| {
        if asked.is_hold() {
            told.add("/held/amount", 1);
        }
    }),
    tells("the parts of a hold do not add up", "hold.adds-up", |asked, told| {
        if asked.is_hold() {
            told.add("/wallet/amount", 1);
        }
    }),
    tells("a capture leaves the state as it was", "capture.whole", |asked, told| {
        if asked.is_step("capture") {
            told.put("/state", json!("held"));
        }
    }),
    asks("a void is answered and not done", "void.money-back", |asked| {
        let nothing = json!({ "amount": 0, "currency": "CNY" });
        asked.is_step("void").then(|| (StatusCode::OK, json!({ "state": "voided", "remaining": nothing, "next_actions": [] })))
    }),
    asks("a refund is answered and not done", "refund.part", |asked| {
        let sum = |fen: i64| json!({ "amount": fen, "currency": "CNY" });
        asked.is_step("refund").then(|| (StatusCode::OK, json!({ "state": "captured", "captured": sum(1_000), "refunded": sum(300) })))
    }),
    tells("answers are not signed", "signature.ed25519", |_, told| told.sign = Sign::Not),
    tells("answers are signed by somebody else", "signature.sm2", |_, told| told.sign = Sign::Foreign),
    tells("an answer is changed after it was signed", "by-order.captured", |asked, told| {
        if asked.is_look_up() {
            told.sign = Sign::Before;
        }
    }),
    tells("an old signature stands under an answer", "signature.answer-fresh", |_, told| told.sign = Sign::Long),
    tells("refusals are not signed", "signature.refusal-signed", |_, told| {
        if told.is_problem() {
            told.sign = Sign::Not;
        }
    }),
    tells("the platform's next key is not published", "signature.keys-published", |_, told| {
        if let Some(keys) = told.body["keys"].as_array_mut() {
            keys.retain(|key| key["state"] == "current");
        }
    }),
    asks("a body that was changed on the way passes", "signature.body-changed", |asked| {
        asked.anew = true;
        None
    }),
    asks("a key that was changed on the way passes", "signature.key-header-changed", |asked| {
        asked.anew = true;
        None
    }),
    asks("a signature that leaves out the host passes", "signature.host-uncovered", |asked| {
        asked.anew = true;
        None
    }),
    asks("an old signature passes", "signature.stale", |asked| {
        asked.anew = true;
        None
    }),
    asks("the same bytes pass twice", "signature.nonce-replayed", |asked| {
        asked.anew = true;
        None
    }),
    asks("a revoked key passes", "signature.revoked-key", |asked| {
        asked.signer = Some(HOSPITAL);
        asked.anew = true;
        None
    }),
    tells("something broke over a strange code", "decode.garbage", |_, told| {
        told.status = StatusCode::INTERNAL_SERVER_ERROR;
        told.body = json!({ "error": "internal" });
    }),
    tells("a refusal is a page, not a problem document", "limits.not-json", |_, told| {
        told.headers.insert("content-type", HeaderValue::from_static("text/html"));
    }),
    tells("a refusal has another code", "hold.not-enough", |_, told| {
        if told.body["code"] == "INSUFFICIENT_FUNDS" {
            told.put("/code", json!("REFUSED"));
            told.put("/reasons/0/code", json!("REFUSED"));
        }
    }),
    tells("a refusal is 200", "hold.code-once", |_, told| {
        if told.is_problem() {
            told.status = StatusCode::OK;
        }
    }),
    asks("another institution's order is shown", "isolation.by-order", |asked| {
        if asked.signer == Some(PHARMACY) {
            asked.signer = Some(HOSPITAL);
            asked.anew = true;
        }
        None
    }),
    asks("another institution's list is shown", "isolation.list", |asked| {
        if asked.signer == Some(PHARMACY) {
            asked.signer = Some(HOSPITAL);
            asked.anew = true;
        }
        None
    }),
    asks("one institution captures another's payment", "isolation.capture", |asked| {
        if asked.signer == Some(PHARMACY) {
            asked.signer = Some(HOSPITAL);
            asked.anew = true;
        }
        None
    }),
    asks("a stale quote is ignored", "quote.stale", |asked| {
        if asked.is_hold() {
            asked.change(|body| drop(body.as_object_mut().unwrap().remove("quote")));
        }
        None
    }),
    asks("a quote for another bill is ignored", "quote.other-bill", |asked| {
        if asked.is_hold() {
            asked.change(|body| drop(body.as_object_mut().unwrap().remove("quote")));
        }
        None
    }),
    tells("the feed leaves an event out", "events.whole-life", |asked, told| {
        if asked.path.contains("/events")
            && let Some(events) = told.body["events"].as_array_mut().filter(|events| events.len() > 1)
        {
            events.remove(1);
        }
    }),
    tells("the feed tells an event twice", "events.ids-differ", |asked, told| {
        if asked.path.contains("/events")
            && let Some(events) = told.body["events"].as_array_mut().filter(|events| !events.is_empty())
        {
            events.push(events[0].clone());
        }
    }),
    tells("the feed has other amounts than the orders", "totals.feed-and-orders", |_, told| told.add("/events/1/amount/amount", 1)),
    tells("a full name is shown at the counter", "decode.payer-masked", |_, told| told.put("/payer", json!("孙淑贞"))),
    tells("a balance is told to whoever did not ask", "decode.no-balance", |_, told| {
        told.body["payable"] = json!({ "amount": 940_000, "currency": "CNY" });
    }),
    asks("fields that nobody knows are dropped", "limits.unknown-field", |asked| {
        if asked.is_hold() {
            asked.change(|body| drop(body.as_object_mut().unwrap().remove("amount")));
        }
        None
    }),
    asks("another currency is taken for yuan", "limits.currency", |asked| {
        if asked.is_hold() {
            asked.change(|body| body["bill"]["own"]["currency"] = json!("CNY"));
        }
        None
    }),
    tells("reversing what never happened fails", "reverse.never-happened", |asked, told| {
        if asked.is_step("reverse") {
            told.status = StatusCode::NOT_FOUND;
        }
    }),
    asks("a reversal before the payment is forgotten", "reverse.before-the-payment", |asked| {
        asked.is_step("reverse").then(|| (StatusCode::OK, json!({ "outcome": "nothing_to_reverse" })))
    }),
    asks("more than was held is taken for all", "capture.too-much", |asked| clipped(asked, "capture")),
    asks("more than was taken is refunded as all", "refund.too-much", |asked| clipped(asked, "refund")),
    asks("trouble that was ordered does not come", "decline.funds", |asked| {
        asked.headers.remove("test-fault");
        None
    }),
    tells("an order's steps are not told", "by-order.steps", |asked, told| {
        if asked.is_look_up() {
            told.put("/steps", json!([]));
        }
    }),
    tells("a list begins with the oldest", "list.newest-first", |_, told| {
        if let Some(orders) = told.body["orders"].as_array_mut() {
            orders.reverse();
        }
    }),
    asks("a limit out of range is quietly another one", "list.limit-zero", |asked| {
        asked.path = asked.path.replace("limit=0", "limit=50");
        asked.anew = true;
        None
    }),
    tells("a refusal speaks English", "problem.words", |_, told| told.put("/title", json!("Insufficient funds"))),
    tells("a refusal has no number to quote", "problem.trace", |_, told| told.put("/trace_id", json!(""))),
    tells("a repeated refusal has another number", "key.refusal-repeats", |_, told| {
        let number = fresh();
        told.put("/trace_id", json!(number));
    }),
    tells("a refusal does not say the state", "capture.after-void", |_, told| told.put("/current_state", Value::Null)),
    tells("the version does not rise", "capture.version-rises", |_, told| told.put("/version", json!(1))),
    tells("a wrong password is told as a wrong key", "hold.keypad-wrong", |_, told| {
        if told.body["code"] == "LOGIN_REFUSED" {
            told.status = StatusCode::UNAUTHORIZED;
        }
    }),
    tells("a settlement says a fen more in cash", "gateway.settle-balances", |asked, told| {
        if asked.infno() == "2207" {
            told.yuan("/output/setlinfo/psn_cash_pay", "0.01");
        }
    }),
    tells("a settlement hides the institution's share of the total", "gateway.settle-total", |asked, told| {
        if asked.infno() == "2207" {
            told.yuan("/output/setlinfo/medfee_sumamt", "30.01");
        }
    }),
    asks("another input goes under a known message number", "gateway.same-msgid-other-input", |asked| {
        if asked.infno() == "2207" {
            asked.change(|body| body["msgid"] = json!(fresh_msgid(body["msgid"].as_str().unwrap_or_default())));
        }
        None
    }),
    tells("a reversal of what never came is refused", "gateway.reverse-before", |asked, told| {
        if asked.infno() == "2601" && told.body.pointer("/output/wlt/rvs_rslt").is_some_and(|told| told == "0") {
            told.put("/infcode", json!(-1));
        }
    }),
    tells("a refusal has no code", "gateway.head-infno", |asked, told| {
        if asked.is_gateway() {
            told.put("/err_msg", json!("没有办成"));
        }
    }),
    tells("decoding tells the whole name", "gateway.decode", |asked, told| {
        if asked.infno() == "1162" {
            told.put("/output/userName", json!("孙淑贞"));
        }
    }),
];

/// The proxy's side of it.
struct Proxy {
    router: Router,
    /// Keys by their id, and whose they are.
    institutions: Vec<(&'static str, SigningKey)>,
    platform: Vec<SigningKey>,
    foreign: Vec<SigningKey>,
    wrong: Mutex<Option<&'static Wrong>>,
}

impl Proxy {
    fn new(running: &Running) -> Proxy {
        let vault = &running.app.vault;
        let keys_of = |code: &'static str| Profile::ALL.map(|profile| (code, signing_key(vault, InstitutionId::parse(code).unwrap(), profile)));
        let platform = Profile::ALL.map(|profile| platform_key(vault, profile, 1)).into();
        let foreign = Profile::ALL.map(|profile| SigningKey::from_seed(profile, &[9; 32]).unwrap()).into();
        let router = server::router(Arc::clone(&running.app), Edge::sandbox());
        Proxy { router, institutions: [HOSPITAL, PHARMACY, "H51050000001"].into_iter().flat_map(keys_of).collect(), platform, foreign, wrong: Mutex::new(None) }
    }

    /// The right server's answer to a request, spoiled as planted.
    async fn serve(self: Arc<Proxy>, request: Request) -> Response {
        // Only the door of institutions is wrong; the payer's phone works.
        let is_door = ["/api/v1/institutions", "/.well-known", "/fsi/"].iter().any(|door| request.uri().path().starts_with(door));
        let wrong = *self.wrong.lock().unwrap();
        let Some(wrong) = wrong.filter(|_| is_door) else { return self.router.clone().call(request).await.unwrap() };
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let key_id = parts.headers.get(SIGNATURE_INPUT).and_then(|input| input.to_str().ok()?.split("keyid=\"").nth(1)?.split('"').next());
        let signer = self.institutions.iter().find(|(_, key)| Some(key.verifying_key().key_id()) == key_id).map(|(code, _)| *code);
        let path = parts.uri.path_and_query().unwrap().to_string();
        let original = Asked { method: parts.method.clone(), path, headers: parts.headers.clone(), body, signer, anew: false };
        let mut asked = Asked { method: parts.method, path: original.path.clone(), headers: parts.headers, body: original.body.clone(), signer, anew: false };
        let canned = (wrong.ask)(&mut asked);
        let (answer, is_signed) = match canned {
            Some((status, body)) => {
                let mut headers = HeaderMap::new();
                headers.insert("content-type", HeaderValue::from_static("application/json"));
                (Told { status, headers, body, sign: Sign::Right }, true)
            }
            None => {
                if asked.anew {
                    self.sign_request(&mut asked);
                }
                let mut request = Request::builder().method(asked.method.clone()).uri(&asked.path).body(Body::from(asked.body.clone())).unwrap();
                *request.headers_mut() = asked.headers.clone();
                let response = self.router.clone().call(request).await.unwrap();
                let is_signed = response.headers().contains_key(SIGNATURE);
                if !is_signed && wrong.tell.is_none() {
                    return response;
                }
                let (parts, body) = response.into_parts();
                let bytes = to_bytes(body, usize::MAX).await.unwrap_or_else(|_| Bytes::from_static(b"null"));
                let Ok(body) = serde_json::from_slice(&bytes) else { return Response::from_parts(parts, Body::from(bytes)) };
                (Told { status: parts.status, headers: parts.headers, body, sign: Sign::Right }, is_signed)
            }
        };
        self.answered(wrong, &original, answer, is_signed)
    }

    fn answered(&self, wrong: &Wrong, original: &Asked, mut told: Told, is_signed: bool) -> Response {
        if let Some(tell) = wrong.tell {
            tell(original, &mut told);
        }
        let bytes = told.body.to_string().into_bytes();
        told.headers.remove("content-length");
        for name in [SIGNATURE, SIGNATURE_INPUT, CONTENT_DIGEST] {
            told.headers.remove(name);
        }
        if is_signed && told.sign != Sign::Not && original.header(SIGNATURE).is_some() {
            self.sign_answer(original, &mut told, &bytes);
        }
        let bytes = if told.sign == Sign::Before { [&bytes[..], b" "].concat() } else { bytes };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = told.status;
        *response.headers_mut() = told.headers;
        response
    }

    /// As the institution would have, with a fresh nonce.
    fn sign_request(&self, asked: &mut Asked) {
        let Some(code) = asked.signer else { return };
        let key = &self.institutions.iter().find(|(known, _)| *known == code).unwrap().1;
        for name in [SIGNATURE, SIGNATURE_INPUT, CONTENT_DIGEST] {
            asked.headers.remove(name);
        }
        let mut more = Vec::new();
        if !asked.body.is_empty() {
            more.push((CONTENT_DIGEST, content_digest(key.profile(), &asked.body)));
        }
        let headers: Vec<(&str, &str)> = asked.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let headers: Vec<(&str, &str)> = headers.into_iter().chain(more.iter().map(|(name, value)| (*name, value.as_str()))).collect();
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let message = Signable { method: asked.method.as_str(), authority: asked.header("host").unwrap(), path, query, headers: &headers };
        let signed = sign_request(key, &message, system_now() / 1_000, &fresh());
        more.push((SIGNATURE_INPUT, signed.signature_input));
        more.push((SIGNATURE, signed.signature));
        for (name, value) in more {
            asked.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
    }

    /// As the platform would have, for the request as the institution sent it.
    fn sign_answer(&self, original: &Asked, told: &mut Told, bytes: &[u8]) {
        let asked_with = original.header(CONTENT_DIGEST).unwrap_or_default();
        let is_sm2 = asked_with.starts_with("sm3")
            || self.institutions.iter().any(|(_, key)| {
                key.profile() == Profile::Sm2 && original.header(SIGNATURE_INPUT).is_some_and(|input| input.contains(key.verifying_key().key_id()))
            });
        let profile = if is_sm2 { Profile::Sm2 } else { Profile::Ed25519 };
        let keys = if told.sign == Sign::Foreign { &self.foreign } else { &self.platform };
        let key = keys.iter().find(|key| key.profile() == profile).unwrap();
        let digest = content_digest(profile, bytes);
        let headers: Vec<(&str, &str)> = original.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let (path, query) = original.path.split_once('?').unwrap_or((&original.path, ""));
        let message = Signable { method: original.method.as_str(), authority: original.header("host").unwrap(), path, query, headers: &headers };
        let answer = [(CONTENT_DIGEST, digest.as_str())];
        let created = system_now() / 1_000 - if told.sign == Sign::Long { 1_000 } else { 0 };
        let signed = sign_response(key, &SignedAnswer { status: told.status.as_u16(), headers: &answer }, &message, created);
        for (name, value) in [(CONTENT_DIGEST, &digest), (SIGNATURE_INPUT, &signed.signature_input), (SIGNATURE, &signed.signature)] {
            told.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kit_passes_the_right_server_and_finds_every_wrong_that_is_planted() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { folder: folder.path().to_owned(), store: None, partitions: Some(2), clock: sandbox::start_of_clock(), with_history: true };
    let running = sandbox::start(&plan, &|_| indicatif::ProgressBar::hidden()).await.unwrap();
    let proxy = Arc::new(Proxy::new(&running));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(|State(proxy): State<Arc<Proxy>>, request: Request| proxy.serve(request)).with_state(Arc::clone(&proxy));
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let keys = folder.path().join(SIGNING_KEYS_FOLDER).join(CONFORMANCE_FILE);

    let report = conformance::run(&target, &keys, &Wanted::All).await.unwrap();
    let failed: Vec<_> = report.failed().into_iter().map(|case| (case.name.clone(), case.why.clone())).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.count() >= 150, "{} cases", report.count());
    let names: BTreeSet<&str> = report.groups.iter().flat_map(|group| &group.cases).map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), report.count(), "names are unique");

    let [html, json] = report.write(&folder.path().join("report")).unwrap();
    let page = std::fs::read_to_string(html).unwrap();
    assert!(page.contains("全部通过") && !page.contains("<script") && !page.contains("src=") && !page.contains("href=\"http"), "one page, on its own");
    let told: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((told["cases"].as_u64(), told["failed"].as_u64()), (Some(report.count() as u64), Some(0)));

    let mut missed = Vec::new();
    for wrong in WRONGS {
        assert!(names.contains(wrong.case), "there is no case {}", wrong.case);
        *proxy.wrong.lock().unwrap() = Some(wrong);
        let report = conformance::run(&target, &keys, &Wanted::Named(BTreeSet::from([wrong.case.to_owned()]))).await.unwrap();
        if report.failed().is_empty() {
            missed.push((wrong.what, wrong.case));
        }
        *proxy.wrong.lock().unwrap() = None;
    }
    assert!(missed.is_empty(), "not found: {missed:#?}");
    assert!(WRONGS.iter().map(|wrong| wrong.case).collect::<BTreeSet<_>>().len() >= 20);
    serving.abort();
}
