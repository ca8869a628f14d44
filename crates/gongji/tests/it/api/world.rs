//! A small country: two open areas, one that is not, two families, a hospital and a pharmacy.

use crate::silence::{self, Silence};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use gongji::app::{App, SampleLogin, Sandbox};
use gongji::identity::{Adapters, Identity};
use gongji::installation::{Installation, Profile};
use gongji::server::{self, Profile as Edge};
use gongji::trust::Trust;
use gongji_ledger::{Fen, HolderId, InstitutionId};
use gongji_store::clock::MovableClock;
use gongji_store::seal::{Keys, Sensitive};
use gongji_store::sqlite::SqliteStore;
use gongji_store::vault::{NewPerson, Vault};
use gongji_store::{DisturbMessages, Engine, Options};
use gongji_wallet::command::Request as Asked;
use gongji_wallet::day::{day_from_date, instant};
use gongji_wallet::directory::{Coverage, DirectoryChange, Institution, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::object::{EMPLOYEE, Enrolment, EnrolmentStatus, RESIDENT};
use gongji_wallet::{Command, Decision, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tower::Service;

pub const JINAN: u32 = 370_100;
pub const LUZHOU: u32 = 510_500;
pub const BEIJING: u32 = 110_000;

/// Hospital in Luzhou; every key has the same secret.
pub const HOSPITAL: &str = "H51050000001";
pub const PHARMACY: &str = "P37010000001";

/// Name, ID number, phone, area, insurance, money in the personal account (fen), registered.
pub struct Sample(pub &'static str, pub &'static str, pub &'static str, pub u32, pub u16, pub i64, pub bool);

pub const SON: Sample = Sample("李强", "990137198405120013", "19900000001", JINAN, EMPLOYEE, 600_000, true);
pub const MOTHER: Sample = Sample("王秀兰", "990151195203150023", "19900000002", LUZHOU, RESIDENT, 0, false);
pub const WIFE: Sample = Sample("陈静", "990132198609200021", "19900000004", LUZHOU, EMPLOYEE, 300_000, true);
pub const CHILD: Sample = Sample("李沐阳", "990132201604080010", "", LUZHOU, RESIDENT, 0, false);
pub const RARE: Sample = Sample("刘𬭚", "990142199002280018", "19900000015", LUZHOU, RESIDENT, 0, false);
pub const DOTTED: Sample = Sample("古丽娜尔·买买提", "990165198803210028", "19900000011", LUZHOU, RESIDENT, 0, false);
/// Insured where nothing has opened.
pub const FAR: Sample = Sample("何雨晴", "990111198904140023", "19900000025", BEIJING, EMPLOYEE, 700_000, true);

/// A valid number that belongs to nobody here.
pub const STRANGER: (&str, &str) = ("孙浩", "990134198708150018");

/// Lets messages between partitions through, or holds back what some of them send.
#[derive(Default)]
pub struct Gate(Mutex<BTreeSet<u16>>);

impl Gate {
    /// What this partition sends waits from now on.
    pub fn close(&self, part: u16) {
        self.0.lock().unwrap().insert(part);
    }

    pub fn open(&self) {
        self.0.lock().unwrap().clear();
    }

    fn is_closed(&self, part: u16) -> bool {
        self.0.lock().unwrap().contains(&part)
    }
}

pub struct World {
    /// First, so that it looks while everything is still there.
    _silence: Silence,
    pub folder: TempDir,
    pub gate: Arc<Gate>,
    pub app: Arc<App>,
    pub clock: Arc<MovableClock>,
    pub router: Router,
    _installation: Installation,
    keys: AtomicU64,
}

/// Monday 2026-11-23 10:00 in China.
pub fn start_of_clock() -> i64 {
    instant(day_from_date(2026, 11, 23).unwrap(), 10 * 60)
}

fn region(code: u32, name: &str, province: &str, is_open: bool) -> DirectoryChange {
    let province_code = code / 10_000 * 10_000;
    let openings = if is_open { vec![(day_from_date(2025, 1, 1).unwrap(), true)] } else { Vec::new() };
    let (level, coverage) = (RegionLevel::Prefecture, Coverage::Area);
    DirectoryChange::Region(Region {
        code,
        name: name.to_owned(),
        province_code,
        province: province.to_owned(),
        level,
        openings,
        change_of_use: true,
        coverage,
    })
}

fn institution(code: &str, area: u32) -> DirectoryChange {
    let id = InstitutionId::parse(code).unwrap();
    DirectoryChange::Institution(Institution {
        id,
        name: format!("机构 {code}"),
        area,
        is_pharmacy: id.is_pharmacy(),
        level: "三级甲等".to_owned(),
        address: "和平路 1 号".to_owned(),
        district: "江阳区".to_owned(),
        readiness: Readiness::Ready,
        counter: true,
        kiosk: false,
        mobile: false,
        position: None,
    })
}

fn premium(area: u32, relatives: bool) -> DirectoryChange {
    let (opens, closes) = (day_from_date(2026, 9, 1).unwrap(), day_from_date(2026, 12, 31).unwrap());
    DirectoryChange::Premium(Premium { area, year: 2027, amount: Fen(42_000), opens, closes, relatives, instructions: "集中缴费期".to_owned() })
}

pub fn institution_key(code: &str, parts: u16) -> String {
    let part = gongji_wallet::event::institution_part(InstitutionId::parse(code).unwrap(), parts);
    format!("gk.{part:04x}{}.a-secret-that-is-long-enough", &code[1..])
}

impl World {
    pub async fn new(parts: u16) -> World {
        World::with(parts, Edge::sandbox()).await
    }

    /// The same people behind the production profile's edge, without what only a sandbox has.
    pub async fn production(hosts: Vec<String>) -> World {
        World::start(1, Edge::production(hosts), false, Default::default()).await
    }

    /// As [`World::production`], where a bearer key alone opens the door.
    pub async fn production_by_bearer(hosts: Vec<String>) -> World {
        let mut edge = Edge::production(hosts);
        edge.policy.bearer_alone = true;
        World::start(1, edge, false, Default::default()).await
    }

    pub async fn with(parts: u16, edge: Edge) -> World {
        World::start(parts, edge, true, Default::default()).await
    }

    /// With somebody to ask for a fund's split.
    pub async fn with_gateway(settings: gongji::gateway::Settings) -> World {
        World::start(1, Edge::sandbox(), true, settings).await
    }

    async fn start(parts: u16, edge: Edge, is_sandbox: bool, settings: gongji::gateway::Settings) -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(MovableClock::standing(start_of_clock()));
        let installation = Installation::open_or_create(folder.path(), Profile::Sandbox, Some(parts)).unwrap();
        let sample = |Sample(name, id_number, phone, ..): &Sample| SampleLogin {
            name: (*name).to_owned(),
            id_number: (*id_number).to_owned(),
            password: password(phone),
            story: String::new(),
        };
        let keys = [HOSPITAL, PHARMACY].map(|code| (code.to_owned(), code.to_owned(), institution_key(code, parts)));
        let sandbox = Sandbox { clock: Arc::clone(&clock), institution_keys: keys.to_vec(), logins: [SON, WIFE, FAR].iter().map(sample).collect() };
        // Keys that are the same at every run, and with them everybody's partition: where there are several, payer, receiver and
        // institution stand apart.
        let hospital = gongji_wallet::event::institution_part(InstitutionId::parse(HOSPITAL).unwrap(), parts);
        let is_apart = |keys: &Keys| {
            let [son, mother, wife] = [SON, MOTHER, WIFE].map(|sample| keys.partition_of(sample.1, parts));
            son != mother && (parts < 3 || ![son, mother, wife].contains(&hospital))
        };
        let keys_of_all = (1..=u8::MAX).map(Keys::for_tests).find(|keys| parts == 1 || is_apart(keys)).unwrap();
        let vault = Vault::open_with(folder.path(), keys_of_all, parts).unwrap();
        let store = Arc::new(SqliteStore::open(folder.path(), parts).unwrap());
        let gate = Arc::new(Gate::default());
        let guard = Arc::clone(&gate);
        let disturb: DisturbMessages = Arc::new(move |part, envelopes| if guard.is_closed(part) { Vec::new() } else { envelopes });
        let engine = Engine::start(store, clock.clone(), Options { disturb: Some(disturb), ..Options::new(parts) }).unwrap();
        let identity = Identity::new(vault.clone(), Adapters::sandbox());
        let app = Arc::new(App {
            trust: Trust::with_clock(clock.clone()),
            gateway: settings,
            sandbox: is_sandbox.then_some(sandbox),
            ..App::new(engine, vault, identity, clock.clone())
        });
        let silence = Silence::new(folder.path());
        let world = World {
            _silence: silence,
            folder,
            gate,
            router: server::router(Arc::clone(&app), edge),
            app,
            clock,
            _installation: installation,
            keys: AtomicU64::new(0),
        };
        world.settle_country(&keys).await;
        world
    }

    async fn settle_country(&self, keys: &[(String, String, String)]) {
        let changes = vec![
            region(JINAN, "济南市", "山东省", true),
            region(LUZHOU, "泸州市", "四川省", true),
            region(BEIJING, "北京市", "北京市", false),
            institution(HOSPITAL, LUZHOU),
            institution(PHARMACY, JINAN),
            premium(LUZHOU, true),
        ];
        self.ask(0, Command::ChangeDirectory(changes)).await;
        for (code, _, key) in keys {
            self.app.vault.put_institution_key(code, &Sensitive::new(key.as_str()), self.app.now()).unwrap();
        }
        for Sample(name, id_number, phone, area, insurance, money, is_registered) in [SON, MOTHER, WIFE, CHILD, RARE, DOTTED, FAR] {
            let phone = (!phone.is_empty()).then_some(phone);
            let person = NewPerson { id_number: id_number.into(), name: name.into(), phone: phone.map(Into::into) };
            let holder = HolderId(self.app.vault.put_person(&person, self.app.now()).unwrap().holder());
            self.ask(holder.part(), Command::CreateHolder { holder }).await;
            let from = day_from_date(2020, 1, 1).unwrap();
            let enrolment = Enrolment { area, insurance, status: EnrolmentStatus::Normal, from, pooled_only: false };
            self.ask(holder.part(), Command::SetEnrolment { holder, enrolment }).await;
            if money > 0 {
                self.ask(holder.part(), Command::Contribute { holder, area, amount: Fen(money), month: 202_610 }).await;
            }
            if is_registered {
                let phone = phone.unwrap();
                self.app.vault.register(holder.0, phone, &password(phone).into(), None, self.app.now()).unwrap();
            }
        }
    }

    async fn ask(&self, part: u16, command: Command) {
        let decided = self.app.engine.ask(part, Asked { idempotency: None, command }).await.unwrap();
        assert_eq!(decided.decision, Decision::New(Outcome::Done));
    }

    /// A fresh idempotency key; the same sequence at every run.
    pub fn key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().call(request).await.unwrap();
        if let Some(address) = response.headers().get("location") {
            silence::check("an address", address.as_bytes());
        }
        let reply = Reply::read(response).await;
        silence::remember(&reply.body);
        reply
    }

    pub fn guest(&self) -> Caller<'_> {
        Caller { world: self, token: None, acting_for: None }
    }

    pub fn institution(&self, code: &str) -> Caller<'_> {
        Caller { world: self, token: Some(institution_key(code, self.app.engine.parts())), acting_for: None }
    }

    pub async fn logged_in(&self, Sample(_, id_number, phone, ..): &Sample) -> Caller<'_> {
        let body = json!({ "id_number": id_number, "password": password(phone) });
        let reply = self.guest().post("/sessions", &body).await.expect(StatusCode::CREATED);
        Caller { world: self, token: Some(reply.text("token")), acting_for: None }
    }

    /// Registers somebody by the code that the inbox shows.
    pub async fn registered(&self, Sample(name, id_number, phone, ..): &Sample) -> Caller<'_> {
        let body = json!({ "name": name, "id_number": id_number, "phone": phone });
        let started = self.guest().post("/registrations", &body).await.expect(StatusCode::ACCEPTED);
        let code = self.code_for(id_number).await;
        let body = json!({ "ticket": started.text("ticket"), "code": code, "password": password(phone) });
        let reply = self.guest().post("/registrations/confirm", &body).await.expect(StatusCode::CREATED);
        Caller { world: self, token: Some(reply.text("token")), acting_for: None }
    }

    /// The newest one-time code that went to a person.
    pub async fn code_for(&self, id_number: &str) -> String {
        let inbox = self.guest().get(&format!("/sandbox/inbox?id_number={id_number}")).await.expect(StatusCode::OK);
        let messages = inbox.body["messages"].as_array().unwrap().clone();
        messages.iter().find_map(|message| message["code"].as_str()).unwrap().to_owned()
    }

    /// Stops everything and lets the auditor look at the books.
    pub fn verify(self) {
        let World { folder, app, router, _installation, _silence, .. } = self;
        drop(_silence);
        drop((router, app, _installation));
        gongji::verify::run(folder.path(), true).unwrap();
    }
}

pub fn password(phone: &str) -> String {
    format!("26{}", &phone[phone.len() - 4..])
}

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Caller<'world> {
    pub world: &'world World,
    pub token: Option<String>,
    pub acting_for: Option<String>,
}

impl Caller<'_> {
    pub fn request(&self, method: Method, path: &str, key: Option<&str>, body: Body) -> Request<Body> {
        let mut request =
            Request::builder().method(method).uri(format!("/api/v1{path}")).header("host", "localhost").header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(relative) = &self.acting_for {
            request = request.header("gongji-for", relative);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        request.body(body).unwrap()
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.world.send(self.request(Method::GET, path, None, Body::empty())).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.world.send(self.request(Method::DELETE, path, None, Body::empty())).await
    }

    /// Something that changes no money.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.world.send(self.request(Method::POST, path, None, body.to_string().into())).await
    }

    /// Something that changes money, with a fresh key.
    pub async fn ask(&self, path: &str, body: &Value) -> Reply {
        self.ask_as(&self.world.key(), path, body).await
    }

    pub async fn ask_as(&self, key: &str, path: &str, body: &Value) -> Reply {
        self.world.send(self.request(Method::POST, path, Some(key), body.to_string().into())).await
    }

    /// Any bytes at all.
    pub async fn raw(&self, path: &str, body: impl Into<Body>) -> Reply {
        self.world.send(self.request(Method::POST, path, Some(&self.world.key()), body.into())).await
    }

    /// A proof by password for a transfer from the personal account.
    pub async fn transfer_body(&self, sample: &Sample, receiver: &Sample, relation: &str, fen: i64) -> Value {
        let amount = json!({ "amount": fen, "currency": "CNY" });
        let receiver = json!({ "name": receiver.0, "id_number": receiver.1 });
        let what = json!({ "transfer": { "receiver": receiver, "amount": amount, "source": "personal_account" } });
        let proof = self.proof(sample, &what).await;
        json!({ "receiver": receiver, "relation": relation, "amount": amount, "source": "personal_account", "proof": proof })
    }

    pub async fn proof(&self, sample: &Sample, what: &Value) -> String {
        let body = json!({ "method": "password", "password": password(sample.2), "for": what });
        self.post("/proofs", &body).await.expect(StatusCode::CREATED).text("proof")
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    pub body: Value,
}

impl Reply {
    pub async fn read(response: Response<Body>) -> Reply {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply { status: parts.status, headers: parts.headers, bytes, body }
    }

    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Reply {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    /// A refusal with this status and code, in the form that is documented.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Reply {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!((self.text("code"), self.body["status"].as_u64()), (code.to_owned(), Some(u64::from(status))), "{}", self.body);
        assert_eq!(self.text("type"), format!("urn:gongji:error:{code}"));
        for words in ["title", "title_en", "next_step", "trace_id"] {
            assert!(!self.text(words).is_empty(), "{words} of {code}");
        }
        self
    }

    #[track_caller]
    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no text {field} in {}", self.body)).to_owned()
    }

    #[track_caller]
    pub fn fen(&self, pointer: &str) -> i64 {
        self.body.pointer(pointer).and_then(|money| money["amount"].as_i64()).unwrap_or_else(|| panic!("no money {pointer} in {}", self.body))
    }

    pub fn codes(&self) -> Vec<String> {
        self.body["reasons"].as_array().into_iter().flatten().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
    }
}
