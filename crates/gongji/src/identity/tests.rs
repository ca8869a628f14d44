#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use gongji_store::vault::{CODE_MS, NewPerson, SandboxFace, WeakPassword};
use tokio::sync::Notify;

use super::*;

const NOW: i64 = 1_795_000_000_000;
const MINUTE: i64 = 60_000;

const ID_NUMBER: &str = "990101195802140026";
const NAME: &str = "李秀兰";
const PHONE: &str = "19900000001";
/// On nobody's file, with a right check digit.
const STRANGER: &str = "990101199003040019";
const PASSWORD: &str = "258036";

struct Fixture {
    identity: Identity,
    holder: u64,
    _dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Adapters::sandbox(), Some(PHONE))
    }

    fn with(adapters: Adapters, phone: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), 4).unwrap();
        let person = NewPerson { id_number: ID_NUMBER.into(), name: NAME.into(), phone: phone.map(Sensitive::from) };
        let holder = vault.put_person(&person, NOW).unwrap().holder();
        Self { identity: Identity::new(vault, adapters), holder, _dir: dir }
    }

    fn texts(&self) -> Vec<String> {
        let messages = self.identity.vault().newest_messages(50).unwrap();
        messages.iter().filter(|message| message.channel == Channel::Sms).map(|message| message.text.reveal().to_owned()).collect()
    }

    /// The code of the newest text.
    fn code(&self) -> Sensitive {
        let text = self.texts().into_iter().next().unwrap();
        text.split("验证码 ").nth(1).unwrap()[..6].into()
    }

    async fn registered(&self) -> LoggedIn {
        let started = self.identity.start_registration(ID_NUMBER, NAME, PHONE, NOW - 10 * MINUTE).await.unwrap();
        self.identity.confirm_registration(&started.ticket, &self.code(), &PASSWORD.into(), "手机", NOW - 10 * MINUTE).await.unwrap()
    }
}

#[tokio::test]
async fn a_person_registers_with_the_phone_on_file_and_is_logged_in() {
    let fixture = Fixture::new();
    let identity = &fixture.identity;
    let started = identity.start_registration("990101 19580214 0026", "李 秀兰", "+86 199-0000-0001", NOW).await.unwrap();
    assert_eq!((started.expires_ms, started.resend_ms), (NOW + CODE_MS, NOW + MINUTE));
    let code = fixture.code();
    let logged_in = identity.confirm_registration(&started.ticket, &code, &PASSWORD.into(), "安卓手机", NOW).await.unwrap();
    assert_eq!(identity.session(&logged_in.token, NOW).await.unwrap().holder, fixture.holder);
    assert!(identity.vault().person(fixture.holder).unwrap().unwrap().is_registered);
    let again = identity.confirm_registration(&started.ticket, &code, &"147025".into(), "手机", NOW).await;
    assert!(matches!(again, Err(IdentityError::CodeGone)), "one form, sent twice, registers once");
    identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "手机", NOW).await.unwrap();
}

#[tokio::test]
async fn the_answer_to_a_start_does_not_tell_who_exists() {
    let fixture = Fixture::new();
    let identity = &fixture.identity;
    let mut asked = 0;
    for (id_number, name, phone) in
        [(STRANGER, NAME, "19900000011"), (ID_NUMBER, "李秀", "19900000012"), (ID_NUMBER, NAME, "19900000013"), (ID_NUMBER, NAME, PHONE)]
    {
        asked += 1;
        let now_ms = NOW + asked * MINUTE;
        let started = identity.start_registration(id_number, name, phone, now_ms).await.unwrap();
        assert_eq!((started.ticket.len(), started.expires_ms, started.resend_ms), (24, now_ms + CODE_MS, now_ms + MINUTE));
        assert_eq!(fixture.texts().len(), usize::from(phone == PHONE), "only the last three fit together");
        if phone != PHONE {
            let wrong = identity.confirm_registration(&started.ticket, &"000000".into(), &PASSWORD.into(), "手机", now_ms).await;
            assert!(matches!(wrong, Err(IdentityError::WrongCode { attempts_left: 4 })));
        }
    }
    let known = identity.start_login_code(ID_NUMBER, NOW + 9 * MINUTE).await.unwrap();
    let unknown = identity.start_login_code(STRANGER, NOW + 9 * MINUTE).await.unwrap();
    assert_eq!((known.ticket.len(), known.expires_ms, known.resend_ms), (unknown.ticket.len(), unknown.expires_ms, unknown.resend_ms));
    assert_eq!(fixture.texts().len(), 1, "not registered: no code to log in with");
    for id_number in [ID_NUMBER, STRANGER] {
        let refused = identity.login_with_password(id_number, &PASSWORD.into(), "手机", NOW).await;
        assert!(matches!(refused, Err(IdentityError::LoginRefused { attempts_left: 4 })), "{id_number}");
    }
}

#[tokio::test]
async fn all_wrong_fields_are_told_at_once() {
    let fixture = Fixture::new();
    let error = fixture.identity.start_registration("990101195802140027", "李1", "123", NOW).await.unwrap_err();
    let IdentityError::Invalid(fields) = &error else { panic!("{error:?}") };
    assert_eq!(fields.iter().map(|field| field.field).collect::<Vec<_>>(), ["name", "id_number", "phone"]);
    assert_eq!(fields[1].message, "身份证号第 18 位不对,请再核对一遍。");
    assert_eq!((error.status(), error.words().code), (422, "FIELDS_INVALID"));
}

#[tokio::test]
async fn a_weak_password_does_not_use_the_code_up() {
    let fixture = Fixture::new();
    let started = fixture.identity.start_registration(ID_NUMBER, NAME, PHONE, NOW).await.unwrap();
    let code = fixture.code();
    for (password, weakness) in [("123456", WeakPassword::Straight), ("580214", WeakPassword::Birthday), ("000001", WeakPassword::InPhone)] {
        let refused = fixture.identity.confirm_registration(&started.ticket, &code, &password.into(), "手机", NOW).await;
        assert!(matches!(refused, Err(IdentityError::WeakPassword(found)) if found == weakness), "{password}: {refused:?}");
    }
    fixture.identity.confirm_registration(&started.ticket, &code, &PASSWORD.into(), "手机", NOW).await.unwrap();
}

#[tokio::test]
async fn a_lock_ends_with_a_code_to_the_phone() {
    let fixture = Fixture::new();
    fixture.registered().await;
    let identity = &fixture.identity;
    for _ in 0..5 {
        identity.login_with_password(ID_NUMBER, &"000000".into(), "手机", NOW).await.unwrap_err();
    }
    let locked = identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "手机", NOW).await.unwrap_err();
    assert_eq!((locked.status(), locked.words().code, locked.not_before()), (429, "PASSWORD_LOCKED", Some(NOW + 30 * MINUTE)));
    let refused = identity.step_up_password(fixture.holder, &PASSWORD.into(), [1; 16], NOW).await;
    assert!(matches!(refused, Err(IdentityError::Locked { .. })), "one budget for login and step-up");
    let started = identity.start_login_code(ID_NUMBER, NOW).await.unwrap();
    identity.confirm_login_code(&started.ticket, &fixture.code(), "手机", NOW).await.unwrap();
    identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "手机", NOW).await.unwrap();
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_and_logs_out_everyone_else() {
    let fixture = Fixture::new();
    let first = fixture.registered().await;
    let identity = &fixture.identity;
    let started = identity.start_forgot_password(ID_NUMBER, NOW).await.unwrap();
    let wrong_purpose = identity.confirm_login_code(&started.ticket, &fixture.code(), "手机", NOW).await;
    assert!(matches!(wrong_purpose, Err(IdentityError::CodeGone)));
    let second = identity.confirm_forgot_password(&started.ticket, &fixture.code(), &"147025".into(), "手机", NOW).await.unwrap();
    assert!(matches!(identity.session(&first.token, NOW).await, Err(IdentityError::LoginRequired)));
    assert!(identity.session(&second.token, NOW).await.is_ok());
    identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "手机", NOW).await.unwrap_err();
    identity.login_with_password(ID_NUMBER, &"147025".into(), "手机", NOW).await.unwrap();
}

#[tokio::test]
async fn a_changed_password_keeps_this_device_only() {
    let fixture = Fixture::new();
    let here = fixture.registered().await;
    let identity = &fixture.identity;
    let there = identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "平板", NOW).await.unwrap();
    let wrong = identity.change_password(&here.session, &"000000".into(), &"147025".into(), NOW).await;
    assert!(matches!(wrong, Err(IdentityError::WrongPassword { attempts_left: 4 })));
    identity.change_password(&here.session, &PASSWORD.into(), &"147025".into(), NOW).await.unwrap();
    assert!(identity.session(&here.token, NOW).await.is_ok());
    assert!(identity.session(&there.token, NOW).await.is_err());
}

#[tokio::test]
async fn devices_are_listed_and_revoked_by_their_owner() {
    let fixture = Fixture::new();
    let here = fixture.registered().await;
    let identity = &fixture.identity;
    let there = identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "平板", NOW).await.unwrap();
    let labels: Vec<_> = identity.sessions(fixture.holder, NOW).await.unwrap().into_iter().map(|device| device.label).collect();
    assert_eq!(labels, ["平板", "手机"]);
    assert!(matches!(identity.revoke_session(fixture.holder + 1, there.session.id).await, Err(IdentityError::NotFound)));
    identity.revoke_session(fixture.holder, there.session.id).await.unwrap();
    assert!(matches!(identity.session(&there.token, NOW).await, Err(IdentityError::LoginRequired)));
    identity.log_out(&here.token).await.unwrap();
    assert!(identity.sessions(fixture.holder, NOW).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_proof_is_bound_to_what_was_confirmed() {
    let fixture = Fixture::new();
    fixture.registered().await;
    let identity = &fixture.identity;
    let text = identity.step_up_password(fixture.holder, &PASSWORD.into(), [7; 16], NOW).await.unwrap();
    let proof = identity.vault().verify_proof(&text, NOW).unwrap();
    assert_eq!((proof.holder, proof.bound), (fixture.holder, [7; 16]));
    let wrong = identity.step_up_password(fixture.holder, &"000000".into(), [7; 16], NOW).await;
    assert!(matches!(wrong, Err(IdentityError::WrongPassword { attempts_left: 4 })));
    let (holder, _) = identity.step_up_at_cashier(ID_NUMBER, &PASSWORD.into(), |_| [9; 16], NOW).await.unwrap();
    assert_eq!(holder, fixture.holder);
    let unknown = identity.step_up_at_cashier(STRANGER, &PASSWORD.into(), |_| [9; 16], NOW).await;
    assert!(matches!(unknown, Err(IdentityError::LoginRefused { attempts_left: 4 })));
}

#[tokio::test]
async fn the_sandbox_face_answers_as_chosen() {
    let fixture = Fixture::new();
    let identity = &fixture.identity;
    let check = || identity.step_up_face(fixture.holder, "", [7; 16], NOW);
    assert!(identity.vault().verify_proof(&check().await.unwrap(), NOW).is_ok());
    identity.vault().set_sandbox_face(fixture.holder, SandboxFace::Fail).unwrap();
    assert!(matches!(check().await, Err(IdentityError::FaceFailed)));
    identity.vault().set_sandbox_face(fixture.holder, SandboxFace::Unavailable).unwrap();
    assert!(matches!(check().await, Err(IdentityError::FaceUnavailable)));
}

#[tokio::test]
async fn a_new_phone_needs_the_office_and_two_operators() {
    let fixture = Fixture::new();
    let old = fixture.registered().await;
    let identity = &fixture.identity;
    let new_phone = "19900000077";
    identity.start_registration(ID_NUMBER, NAME, new_phone, NOW).await.unwrap();
    assert_eq!(fixture.texts().len(), 1, "no text to a phone that nobody vouches for");
    let id = identity.request_recovery(ID_NUMBER, new_phone, "手机遗失", "op-zhang", NOW).await.unwrap();
    assert!(matches!(identity.confirm_recovery(id, "op-zhang", NOW).await, Err(IdentityError::SameOperator)));
    identity.confirm_recovery(id, "op-wang", NOW).await.unwrap();
    assert!(identity.session(&old.token, NOW).await.is_err(), "whoever has the old phone is out");
    let started = identity.start_registration(ID_NUMBER, NAME, new_phone, NOW + MINUTE).await.unwrap();
    identity.confirm_registration(&started.ticket, &fixture.code(), &PASSWORD.into(), "手机", NOW + MINUTE).await.unwrap();
    let person = identity.vault().person(fixture.holder).unwrap().unwrap();
    assert_eq!(person.phone.unwrap().reveal(), new_phone);
    assert!(matches!(identity.request_recovery(STRANGER, new_phone, "", "op-zhang", NOW).await, Err(IdentityError::NotFound)));
}

#[tokio::test]
async fn a_full_hashing_queue_says_busy() {
    let fixture = Fixture::new();
    let places: Vec<_> = (0..HASHING_QUEUE_MAX).map(|_| QueuePlace::take(&fixture.identity.hashing_queue).unwrap()).collect();
    let busy = fixture.identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "手机", NOW).await.unwrap_err();
    assert_eq!((busy.status(), busy.words().code, busy.words().retryable), (503, "BUSY", true));
    drop(places);
    let served = fixture.identity.login_with_password(ID_NUMBER, &PASSWORD.into(), "手机", NOW).await;
    assert!(matches!(served, Err(IdentityError::LoginRefused { .. })));
}

#[tokio::test]
async fn a_notice_is_kept_even_without_a_phone() {
    let fixture = Fixture::with(Adapters::sandbox(), None);
    fixture.identity.notify(fixture.holder, "家人为你开通了钱包。", true, NOW).await.unwrap();
    assert_eq!(fixture.identity.vault().unread_count(fixture.holder).unwrap(), 1);
    assert!(fixture.texts().is_empty());
}

#[test]
fn every_refusal_has_words_and_a_status() {
    let errors = [
        IdentityError::Invalid(Vec::new()),
        IdentityError::LoginRefused { attempts_left: 2 },
        IdentityError::WrongPassword { attempts_left: 2 },
        IdentityError::Locked { until_ms: 1, now_ms: 0 },
        IdentityError::WrongCode { attempts_left: 2 },
        IdentityError::CodeGone,
        IdentityError::TooManyCodes { retry_ms: 1, now_ms: 0 },
        IdentityError::FaceFailed,
        IdentityError::FaceUnavailable,
        IdentityError::RegistryUnavailable,
        IdentityError::Busy,
        IdentityError::LoginRequired,
        IdentityError::NotFound,
        IdentityError::SignOffOpen,
        IdentityError::SameOperator,
        IdentityError::Fault(VaultError::WrongKeys),
    ];
    for error in errors {
        let words = error.words();
        assert!(words.title.ends_with('。') && words.next_step.ends_with('。') && !words.title_en.is_empty(), "{}", words.code);
        assert!((400..=599).contains(&error.status()), "{}", words.code);
        assert_eq!(words.retryable, matches!(error.status(), 429 | 500 | 503), "{}", words.code);
    }
}

// The adapters against a fake service.

/// A service on a free port that answers `answers` one after the other (the last one for ever) and keeps what it was asked.
struct Fake {
    config: AdapterConfig,
    seen: Arc<Mutex<Vec<Seen>>>,
    asked: Arc<Notify>,
}

#[derive(Clone)]
struct Seen {
    path: String,
    authorization: String,
    body: serde_json::Value,
}

#[derive(Clone, Copy)]
enum Play {
    Say(u16, &'static str),
    Huge,
    Nothing,
}

#[derive(Clone)]
struct Script {
    answers: Vec<Play>,
    seen: Arc<Mutex<Vec<Seen>>>,
    asked: Arc<Notify>,
}

async fn play(State(script): State<Script>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let at = {
        let mut seen = script.seen.lock().unwrap();
        let authorization = headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
        seen.push(Seen { path: uri.path().to_owned(), authorization, body: serde_json::from_str(&body).unwrap() });
        seen.len() - 1
    };
    script.asked.notify_one();
    match script.answers[at.min(script.answers.len() - 1)] {
        Play::Say(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Play::Huge => format!("{{\"accepted\":true,\"padding\":\"{}\"}}", "x".repeat(20_000)).into_response(),
        Play::Nothing => std::future::pending().await,
    }
}

async fn fake(answers: &[Play]) -> Fake {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::new(Notify::new());
    let router = Router::new().fallback(play).with_state(Script { answers: answers.to_vec(), seen: Arc::clone(&seen), asked: Arc::clone(&asked) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    // Short only where nothing ever comes.
    let timeout_ms = if answers.iter().any(|answer| matches!(answer, Play::Nothing)) { 250 } else { 30_000 };
    Fake { config: AdapterConfig { url, token: Some("not-for-logs".into()), timeout_ms, attempts: 2 }, seen, asked }
}

impl Fake {
    fn adapter(&self) -> HttpAdapter {
        HttpAdapter::new("fake", &self.config).unwrap()
    }

    /// How often it was asked. Under load a question may run out of time before it is read, so silence counts as always two.
    fn count(&self, answer: Play) -> usize {
        if matches!(answer, Play::Nothing) { 2 } else { self.seen().len() }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

const UNWELL: &[(Play, AdapterError, usize)] = &[
    (Play::Nothing, AdapterError::Timeout, 2),
    (Play::Say(500, "oops"), AdapterError::Status(500), 2),
    (Play::Say(401, ""), AdapterError::Status(401), 1),
    (Play::Say(302, ""), AdapterError::Status(302), 1),
    (Play::Say(200, "<html>"), AdapterError::Garbage, 1),
    (Play::Say(200, "{}"), AdapterError::Garbage, 1),
    (Play::Say(422, "no"), AdapterError::Garbage, 1),
    (Play::Huge, AdapterError::Garbage, 1),
];

#[tokio::test]
async fn a_text_is_handed_to_the_gateway_with_one_number_for_all_attempts() {
    let gateway = fake(&[Play::Say(503, ""), Play::Say(200, r#"{"accepted":true,"new_field":1}"#)]).await;
    assert_eq!(sms::send(&gateway.adapter(), PHONE, "你好").await, Ok(()));
    let seen = gateway.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].body["request_id"], seen[1].body["request_id"]);
    assert_eq!((seen[1].path.as_str(), seen[1].authorization.as_str()), ("/v1/messages", "Bearer not-for-logs"));
    assert_eq!((&seen[1].body["phone"], &seen[1].body["text"]), (&PHONE.into(), &"你好".into()));
}

#[tokio::test]
async fn a_gateway_that_refuses_or_fails_is_told_apart_and_asked_again_only_if_it_may_help() {
    for (answer, expected) in [
        (Play::Say(422, r#"{"reason":"number_invalid"}"#), "number_invalid"),
        (Play::Say(422, r#"{"reason":"19900000001 is bad"}"#), "unspecified"),
        (Play::Say(200, r#"{"accepted":false}"#), "not_accepted"),
    ] {
        let gateway = fake(&[answer]).await;
        assert_eq!(sms::send(&gateway.adapter(), PHONE, "你好").await, Err(AdapterError::Refused(expected.to_owned())));
        assert_eq!(gateway.seen().len(), 1);
    }
    for (answer, expected, attempts) in UNWELL {
        let gateway = fake(&[*answer]).await;
        assert_eq!(sms::send(&gateway.adapter(), PHONE, "你好").await, Err(expected.clone()));
        assert_eq!(gateway.count(*answer), *attempts, "{expected}");
    }
}

#[tokio::test]
async fn the_reply_does_not_wait_for_the_text() {
    let mut gateway = fake(&[Play::Nothing]).await;
    gateway.config.timeout_ms = 30_000;
    let fixture = Fixture::with(Adapters { sms: Sms::Http(gateway.adapter()), ..Adapters::sandbox() }, Some(PHONE));
    fixture.identity.start_registration(ID_NUMBER, NAME, PHONE, NOW).await.unwrap();
    gateway.asked.notified().await;
    assert_eq!(gateway.seen()[0].body["phone"], PHONE);
    assert!(fixture.texts().is_empty(), "a code stands in no inbox where texts are real");
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = AdapterConfig { url, token: None, timeout_ms: 30_000, attempts: 2 };
    let adapter = HttpAdapter::new("sms", &config).unwrap();
    assert_eq!(sms::send(&adapter, PHONE, "你好").await, Err(AdapterError::Unreachable));
}

#[tokio::test]
async fn the_platform_decides_about_the_face() {
    let answer = |answer: Play| async move {
        let platform = fake(&[answer]).await;
        let fixture = Fixture::with(Adapters { face: Face::Http(platform.adapter()), ..Adapters::sandbox() }, Some(PHONE));
        let proof = fixture.identity.step_up_face(fixture.holder, "capture-1", [7; 16], NOW).await;
        (proof.map(|_| ()).map_err(|error| error.words().code), platform.count(answer), platform.seen())
    };
    let (passed, _, seen) = answer(Play::Say(200, r#"{"result":"pass","reference":"R1"}"#)).await;
    assert_eq!(passed, Ok(()));
    assert_eq!(seen[0].path, "/v1/face-checks");
    assert_eq!((&seen[0].body["name"], &seen[0].body["id_number"], &seen[0].body["capture"]), (&NAME.into(), &ID_NUMBER.into(), &"capture-1".into()));
    assert_eq!(answer(Play::Say(200, r#"{"result":"fail"}"#)).await.0, Err("FACE_FAILED"));
    assert_eq!(answer(Play::Say(422, r#"{"reason":"capture_expired"}"#)).await.0, Err("FACE_FAILED"));
    assert_eq!(answer(Play::Say(200, r#"{"result":"maybe"}"#)).await.0, Err("FACE_UNAVAILABLE"));
    for (play, error, attempts) in UNWELL {
        let (result, count, _) = answer(*play).await;
        assert_eq!((result, count), (Err("FACE_UNAVAILABLE"), *attempts), "{error}");
    }
}

#[tokio::test]
async fn a_device_without_a_capture_does_not_reach_the_platform() {
    let platform = fake(&[Play::Say(200, r#"{"result":"pass"}"#)]).await;
    let fixture = Fixture::with(Adapters { face: Face::Http(platform.adapter()), ..Adapters::sandbox() }, Some(PHONE));
    for capture in ["", &"x".repeat(5_000)] {
        let refused = fixture.identity.step_up_face(fixture.holder, capture, [7; 16], NOW).await;
        assert!(matches!(refused, Err(IdentityError::FaceFailed)));
    }
    assert!(platform.seen().is_empty());
}

#[tokio::test]
async fn the_register_decides_who_may_register() {
    let start = |answer: Play| async move {
        let register = fake(&[answer]).await;
        let fixture = Fixture::with(Adapters { registry: Registry::Http(register.adapter()), ..Adapters::sandbox() }, Some(PHONE));
        let mut results = Vec::new();
        for id_number in [ID_NUMBER, STRANGER] {
            let phone = if id_number == ID_NUMBER { PHONE } else { "19900000002" };
            let started = fixture.identity.start_registration(id_number, NAME, phone, NOW).await;
            results.push(started.map(|_| ()).map_err(|error| error.words().code));
        }
        assert_eq!(results[0], results[1], "the same answer for those on file and for strangers");
        (results[0], fixture.texts().len(), register.count(answer), register.seen())
    };
    let (result, texts, _, seen) = start(Play::Say(200, r#"{"is_enrolled":true,"phone_in_own_name":true}"#)).await;
    assert_eq!((result, texts), (Ok(()), 1));
    assert_eq!(seen[0].path, "/v1/enrolments/match");
    assert_eq!((&seen[0].body["name"], &seen[0].body["id_number"], &seen[0].body["phone"]), (&NAME.into(), &ID_NUMBER.into(), &PHONE.into()));
    assert_eq!(start(Play::Say(200, r#"{"is_enrolled":true}"#)).await.1, 1, "operators that do not tell are no obstacle");
    for no in [r#"{"is_enrolled":false}"#, r#"{"is_enrolled":true,"phone_in_own_name":false}"#] {
        let (result, texts, _, _) = start(Play::Say(200, no)).await;
        assert_eq!((result, texts), (Ok(()), 0), "{no}");
    }
    let (result, texts, _, _) = start(Play::Say(422, r#"{"reason":"unknown_person"}"#)).await;
    assert_eq!((result, texts), (Ok(()), 0));
    for (play, error, attempts) in UNWELL {
        let (result, texts, count, _) = start(*play).await;
        let both = if matches!(play, Play::Nothing) { *attempts } else { 2 * attempts };
        assert_eq!((result, texts, count), (Err("REGISTRY_UNAVAILABLE"), 0, both), "{error}: nobody is registered");
    }
}

#[test]
fn an_adapter_that_cannot_be_right_is_refused_by_name() {
    let config = |url: &str, timeout_ms, attempts| AdapterConfig { url: url.to_owned(), token: None, timeout_ms, attempts };
    for bad in [
        config("https://sms.example", 3_000, 2),
        config("sms.example", 3_000, 2),
        config("http://", 3_000, 2),
        config("http://user:word@host", 3_000, 2),
        config("http://host", 0, 2),
        config("http://host", 3_000, 9),
    ] {
        let error = HttpAdapter::new("sms", &bad).unwrap_err();
        assert!(error.starts_with("sms: "), "{error}");
    }
    let shown = format!("{:?}", HttpAdapter::new("sms", &AdapterConfig { token: Some("not-for-logs".into()), ..config("http://host", 1, 1) }).unwrap());
    assert!(!shown.contains("not-for-logs"), "{shown}");
}
