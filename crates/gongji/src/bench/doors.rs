//! Payments over HTTP as institutions make them: a request that holds, a request that captures, each with a key of its own; unsigned, signed with
//! Ed25519 and signed with SM2 by turns, into one institution and spread over many. Beside each run what the signatures cost alone.
//!
//! The institutions' side of the work is done before the time counts: signing holds, and then, with the numbers that came back, signing captures. So
//! a run is two stretches, and a payment's time is the sum of both. The client's sockets share the cores with the server.

use super::country::{self, AREAS};
use super::figures::{Alone, Door, Doors, Ratio, Runs};
use super::http::{Driven, Keep, Requests, drive};
use super::{Plan, bar, quantile};
use crate::app::App;
use crate::identity::{Adapters, Identity};
use crate::server::{self, Profile as Served};
use crate::service::payment::{CodeText, parse_code};
use crate::trust;
use anyhow::{Context, ensure};
use gongji_files::signature::{
    CONTENT_DIGEST, IDEMPOTENCY_KEY, Profile, Request as Message, Response, SIGNATURE, SIGNATURE_INPUT, SigningKey, VerifyingKey, content_digest, sign_request,
    verify_response,
};
use gongji_ledger::{HolderId, InstitutionId, Part};
use gongji_store::clock::{MovableClock, system_now};
use gongji_store::seal::{Sensitive, random, to_base64url};
use gongji_store::sqlite::SqliteStore;
use gongji_store::vault::Vault;
use gongji_store::{Engine, Options};
use gongji_wallet::object::PayFirst;
use gongji_wallet::{Command, Request};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;

const PART: Part = 1;

/// Hospitals of the runs that are spread.
const INSTITUTIONS: u64 = 1_000;

const CONNECTIONS: usize = 256;

/// One answer in so many is checked as an institution would.
const CHECKED_EVERY: usize = 64;

const AUTHORITY: &str = "127.0.0.1";

/// How a run asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Bearer,
    Signed(Profile),
}

const WAYS: [Way; 3] = [Way::Bearer, Way::Signed(Profile::Ed25519), Way::Signed(Profile::Sm2)];

/// An institution with everything that it can show.
struct Asker {
    bearer: Sensitive,
    keys: [SigningKey; 2],
}

/// A request that is ready to be sent, and what was signed.
struct Ready {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    base: String,
    asker: usize,
}

pub(super) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Doors> {
    let clock = country::eve();
    let (app, askers) = open(plan, folder, clock.clone()).await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, app.metrics.clone(), server::router(app.clone(), Served::bench()), async move { drop(stopped.await) }));

    let bar = bar(plan.http_payments * plan.repeat as u64 * WAYS.len() as u64 * 2, "经 HTTP 付款");
    let mut round = Round { app: Arc::clone(&app), clock, address, askers, payers: plan.http_payments, day: 0 };
    let mut runs: [Vec<Turn>; 3] = Default::default();
    for _ in 0..plan.repeat {
        for (way, runs) in WAYS.into_iter().zip(&mut runs) {
            let many = round.run(way, round.askers.len()).await?;
            let one = round.run(way, 1).await?;
            bar.inc(plan.http_payments * 2);
            runs.push(Turn { many, one });
        }
    }
    bar.finish_and_clear();
    drop(round);
    let _ = stop.send(());
    serving.await??;
    Arc::into_inner(app).context("a request still holds the program")?.engine.stop();
    crate::verify::run(folder, true)?;
    let asked = plan.http_payments * plan.repeat as u64 * WAYS.len() as u64 * 2;
    let refused = runs.iter().flatten().map(|turn| turn.many.refused + turn.one.refused).sum();
    ensure!(refused * 1_000 <= asked, "{refused} of {asked} payments were refused");
    let [unsigned, ed25519, sm2] = &runs;
    let pairs = |ratio: fn(&Turn, &Turn) -> Ratio, of: &[Turn], beside: &[Turn]| {
        Ratio::median(of.iter().zip(beside).map(|(turn, beside)| ratio(turn, beside)).collect())
    };
    Ok(Doors {
        payments: plan.http_payments,
        institutions: INSTITUTIONS,
        connections: CONNECTIONS,
        refused,
        ed25519_to_unsigned: pairs(|turn, beside| Ratio::of(turn.many.per_s, beside.many.per_s), ed25519, unsigned),
        sm2_to_verification: pairs(|turn, _| Ratio::of(turn.many.per_s, turn.many.verifications_per_s / 2), sm2, sm2),
        sm2_to_signatures: pairs(|turn, _| Ratio::of(turn.many.per_s, turn.many.payments_by_signatures()), sm2, sm2),
        unsigned: door(unsigned),
        ed25519: door(ed25519),
        sm2: door(sm2),
    })
}

/// Neighbouring runs of one way.
struct Turn {
    many: Paid,
    one: Paid,
}

/// What one run came to.
struct Paid {
    per_s: u64,
    refused: u64,
    hold_p99: u64,
    capture_p99: u64,
    /// Nothing where nothing is signed.
    verifications_per_s: u64,
    signatures_per_s: u64,
}

impl Paid {
    /// Payments in a second if the cores did nothing but verify two requests and sign two answers for each.
    fn payments_by_signatures(&self) -> u64 {
        let (verify, sign) = (u128::from(self.verifications_per_s.max(1)), u128::from(self.signatures_per_s.max(1)));
        u64::try_from(verify * sign / (verify + sign) / 2).unwrap_or(u64::MAX)
    }
}

fn door(turns: &[Turn]) -> Door {
    let of = |figure: fn(&Turn) -> u64| Runs::of(turns.iter().map(figure).collect());
    Door {
        many_per_s: of(|turn| turn.many.per_s),
        one_per_s: of(|turn| turn.one.per_s),
        ratio: Ratio::median(turns.iter().map(|turn| Ratio::of(turn.one.per_s, turn.many.per_s)).collect()),
        hold_p99_us: of(|turn| turn.many.hold_p99),
        capture_p99_us: of(|turn| turn.many.capture_p99),
        alone: turns
            .iter()
            .any(|turn| turn.many.verifications_per_s > 0)
            .then(|| Alone { verifications_per_s: of(|turn| turn.many.verifications_per_s), signatures_per_s: of(|turn| turn.many.signatures_per_s) }),
    }
}

/// A fresh installation: people with money, hospitals with keys.
async fn open(plan: &Plan, folder: &Path, clock: Arc<MovableClock>) -> anyhow::Result<(Arc<App>, Vec<Asker>)> {
    let engine = Arc::new(Engine::start(Arc::new(SqliteStore::open(folder, 1)?), clock.clone(), Options::new(1))?);
    let vault = Vault::open(folder, 1)?;
    country::open_areas(&engine).await?;
    let institutions = country::open_institutions(&engine, INSTITUTIONS).await?;
    let making = bar(plan.http_payments, "建立参保人");
    country::file_people(&engine, PART, plan.http_payments, |_| AREAS[0], &making).await?;
    making.finish_and_clear();
    engine.flush().await;
    let (askers, rows) = askers(&vault, &institutions)?;
    vault.register_public_keys(&rows, system_now())?;
    let engine = Arc::into_inner(engine).expect("all chunks have come back");
    let identity = Identity::new(vault.clone(), Adapters::sandbox());
    let app = Arc::new(App::new(engine, vault, identity, clock));
    // Look-ups are warm, as they are for institutions that pay every day.
    for row in rows {
        ensure!(matches!(app.trust.known(&app, &row.key_id).await, Ok(Some(_))), "a key that was registered is not known");
    }
    Ok((app, askers))
}

fn askers(vault: &Vault, institutions: &[InstitutionId]) -> anyhow::Result<(Vec<Asker>, Vec<gongji_store::vault::PublicKey>)> {
    let (mut askers, mut rows) = (Vec::new(), Vec::new());
    let bar = bar(institutions.len() as u64, "登记机构密钥");
    for id in institutions {
        let bearer = vault.issue_institution_key(PART, &id.to_string(), system_now())?;
        vault.verify_institution_key(bearer.reveal())?;
        let keys =
            Profile::ALL.map(|profile| std::iter::repeat_with(|| SigningKey::from_seed(profile, &random())).flatten().next().expect("random bytes come"));
        rows.extend(keys.iter().map(|key| trust::public_key(*id, key.verifying_key(), None)));
        askers.push(Asker { bearer, keys });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((askers, rows))
}

struct Round {
    app: Arc<App>,
    clock: Arc<MovableClock>,
    address: SocketAddr,
    askers: Vec<Asker>,
    payers: u64,
    /// A run is a day.
    day: u64,
}

impl Round {
    /// Lets everybody pay once, at the first so many institutions by turns.
    async fn run(&mut self, way: Way, institutions: usize) -> anyhow::Result<Paid> {
        self.clock.set(country::morning(self.day));
        self.day += 1;
        let codes = self.show_codes().await?;
        let holds: Vec<Ready> = codes.iter().enumerate().map(|(at, code)| self.hold(way, at % institutions, at, &code.0)).collect();
        let held = self.drive(way, &holds).await?;
        let asked = holds.iter().zip(&held.answers);
        let captures: Vec<Ready> = asked.filter_map(|(hold, answer)| Some(self.capture(way, hold.asker, &payment(answer)?))).collect();
        let captured = self.drive(way, &captures).await?;
        self.app.engine.flush().await;
        let done = captured.done;
        let (verifications_per_s, signatures_per_s) = self.alone(way, holds.iter().chain(&captures))?;
        let elapsed = (held.elapsed_us + captured.elapsed_us).max(1);
        Ok(Paid {
            per_s: u64::try_from(u128::from(done) * 1_000_000 / elapsed)?,
            refused: self.payers - done,
            hold_p99: quantile(&held.latencies, 990),
            capture_p99: quantile(&captured.latencies, 990),
            verifications_per_s,
            signatures_per_s,
        })
    }

    async fn show_codes(&self) -> anyhow::Result<Vec<CodeText>> {
        let codes: Vec<CodeText> = (0..self.payers).map(|_| CodeText::fresh(PART)).collect();
        let show = |(code, serial): (&CodeText, u64)| {
            let (_, code) = parse_code(&code.0).expect("a fresh code is one");
            let holder = HolderId::new(PART, serial);
            Request { idempotency: None, command: Command::IssueCode { holder, by: holder, code, first: PayFirst::Personal } }
        };
        let requests: Vec<Request> = codes.iter().zip(1..).map(show).collect();
        self.app.engine.ask_all(PART, requests).await.into_iter().try_for_each(country::done)?;
        self.app.engine.flush().await;
        Ok(codes)
    }

    fn hold(&self, way: Way, asker: usize, at: usize, code: &str) -> Ready {
        let money = |amount: usize| serde_json::json!({ "amount": amount, "currency": "CNY" });
        let own = at % 997 + 1;
        let body = serde_json::json!({
            "order_no": format!("MZ{:04}{at:08}", self.day),
            "payer": { "code": code },
            "bill": { "total": money(own + 2_000), "fund": money(2_000), "own": money(own) },
        });
        self.ready(way, asker, "/api/v1/institutions/payments".to_owned(), body.to_string())
    }

    fn capture(&self, way: Way, asker: usize, payment: &str) -> Ready {
        self.ready(way, asker, format!("/api/v1/institutions/payments/{payment}/capture"), r#"{"last":true}"#.to_owned())
    }

    fn ready(&self, way: Way, asker: usize, path: String, body: String) -> Ready {
        let mut headers = vec![("content-type", "application/json".to_owned()), (IDEMPOTENCY_KEY, crate::service::key::fresh())];
        let mut base = String::new();
        match way {
            Way::Bearer => headers.push(("authorization", format!("Bearer {}", self.askers[asker].bearer.reveal()))),
            Way::Signed(profile) => {
                let key = self.key(asker, profile);
                headers.push((CONTENT_DIGEST, content_digest(profile, body.as_bytes())));
                let signed = message(&path, &headers, |message| sign_request(key, message, system_now() / 1_000, &to_base64url(&random::<18>())));
                headers.extend([(SIGNATURE_INPUT, signed.signature_input), (SIGNATURE, signed.signature)]);
                base = signed.base;
            }
        }
        Ready { path, headers, body, base, asker }
    }

    fn key(&self, asker: usize, profile: Profile) -> &SigningKey {
        self.askers[asker].keys.iter().find(|key| key.profile() == profile).expect("there is one of each profile")
    }

    async fn drive(&self, way: Way, ready: &[Ready]) -> anyhow::Result<Driven> {
        let requests: Requests = ready.iter().map(Ready::bytes).collect();
        let driven = drive(self.address, CONNECTIONS, Arc::new(requests), Keep::Answers).await?;
        if let Way::Signed(profile) = way {
            let key = trust::platform_key(&self.app.vault, profile, trust::Policy::sandbox().answer_key);
            for (ready, answer) in ready.iter().zip(&driven.answers).step_by(CHECKED_EVERY) {
                check(key.verifying_key(), ready, answer)?;
            }
        }
        Ok(driven)
    }

    /// Verifying these requests, and signing as many answers, on all cores and with nothing else to do.
    fn alone<'a>(&self, way: Way, ready: impl Iterator<Item = &'a Ready>) -> anyhow::Result<(u64, u64)> {
        let Way::Signed(profile) = way else { return Ok((0, 0)) };
        let signed: Vec<(&VerifyingKey, &str, &str)> = ready
            .map(|ready| {
                let signature = ready.headers.iter().find(|(name, _)| *name == SIGNATURE).map_or("", |(_, value)| value.as_str());
                let signature = signature.trim_start_matches("sig1=:").trim_end_matches(':');
                (self.key(ready.asker, profile).verifying_key(), ready.base.as_str(), signature)
            })
            .collect();
        let verifications = on_all_cores(&signed, |(key, base, signature)| key.verify_base64(base.as_bytes(), signature))?;
        let answering = trust::platform_key(&self.app.vault, profile, trust::Policy::sandbox().answer_key);
        let signatures = on_all_cores(&signed, |(_, base, _)| !answering.sign_base64(base.as_bytes()).is_empty())?;
        Ok((verifications, signatures))
    }
}

/// Does `work` once for each item, on as many threads as there are cores. How many in a second.
fn on_all_cores<T: Sync>(items: &[T], work: impl Fn(&T) -> bool + Sync) -> anyhow::Result<u64> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let begin = Instant::now();
    let all_right = std::thread::scope(|scope| {
        let threads: Vec<_> = items.chunks(items.len().div_ceil(cores).max(1)).map(|share| scope.spawn(|| share.iter().all(&work))).collect();
        threads.into_iter().all(|thread| thread.join().unwrap_or(false))
    });
    let elapsed = begin.elapsed();
    ensure!(all_right, "a signature of the bench itself is wrong");
    Ok(super::traffic::per_s(items.len() as u64, elapsed))
}

fn message<T>(path: &str, headers: &[(&'static str, String)], work: impl FnOnce(&Message<'_>) -> T) -> T {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    work(&Message { method: "POST", authority: AUTHORITY, path, query: "", headers: &headers })
}

impl Ready {
    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("POST {} HTTP/1.1\r\nhost: {AUTHORITY}\r\n", self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{}", self.body.len(), self.body));
        head.into_bytes()
    }
}

/// The payment's number in the answer to a hold; none where it was refused.
fn payment(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    body["payment"].as_str().map(str::to_owned)
}

/// What an institution does with an answer.
fn check(key: &VerifyingKey, asked: &Ready, answer: &[u8]) -> anyhow::Result<()> {
    let text = std::str::from_utf8(answer)?;
    let (head, body) = text.split_once("\r\n\r\n").context("an answer has a head")?;
    let headers: Vec<(String, &str)> =
        head.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim())).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let response = Response { status: head.get(9..12).context("a status line has a status")?.parse()?, headers: &headers };
    message(&asked.path, &asked.headers, |message| verify_response(key, &response, message, body.as_bytes())).context("an answer is not signed as it should be")
}
