//! One transfer per HTTP request, with everything a real one has: session, JSON, idempotency key, proof, rules, durable commit.
//!
//! The client shares the machine with the server, so it is as plain as can be: one task and one socket for each connection, requests made beforehand.

use super::figures::{Http, Ratio, Runs};
use super::{Plan, country, micros, quantile};
use crate::app::App;
use crate::identity::{Adapters, Identity};
use crate::server::{self, Profile};
use anyhow::{Context, bail, ensure};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::seal::Sensitive;
use gongji_store::sqlite::SqliteStore;
use gongji_store::vault::{NewPerson, SessionToken, Vault};
use gongji_store::{Engine, Options};
use gongji_wallet::command::transfer_binding;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PART: Part = 1;

/// Connections of each run.
const CONNECTIONS: [usize; 2] = [64, 256];

/// Transfers of one person on the bench's one day.
const EACH_MAX: u64 = 3;

pub(super) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Vec<Http>> {
    let runs = (CONNECTIONS.len() * plan.repeat) as u64;
    let transfers_of_a_run = plan.http_transfers.unwrap_or(plan.http_holders * EACH_MAX / runs);
    ensure!(
        transfers_of_a_run * runs <= plan.http_holders * EACH_MAX,
        "{} people may not send {} transfers in a day",
        plan.http_holders,
        transfers_of_a_run * runs
    );
    let clock = country::eve();
    let app = open(plan, folder, clock.clone()).await?;
    clock.set(country::first_morning());
    let tokens = log_in(&app, plan)?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, app.metrics.clone(), server::router(app.clone(), Profile::bench()), async move { drop(stopped.await) }));
    let bar = super::bar(transfers_of_a_run * runs, "HTTP");
    let mut told = CONNECTIONS.map(|_| Vec::new());
    let mut number = 0;
    for _ in 0..plan.repeat {
        for (connections, told) in CONNECTIONS.into_iter().zip(&mut told) {
            let (transfers, echo) = prepare(&app, &tokens, number..number + transfers_of_a_run)?;
            number += transfers_of_a_run;
            let echoed = drive(address, connections, Arc::new(echo), Keep::Nothing).await?;
            ensure!(echoed.refused == 0, "the echo route refused {} requests", echoed.refused);
            let moved = drive(address, connections, Arc::new(transfers), Keep::Nothing).await?;
            ensure!(moved.refused * 1_000 <= transfers_of_a_run, "{} of {transfers_of_a_run} transfers were refused", moved.refused);
            app.engine.flush().await;
            bar.inc(transfers_of_a_run);
            told.push((moved, echoed));
        }
    }
    bar.finish_and_clear();
    let _ = stop.send(());
    serving.await??;
    Arc::into_inner(app).context("a request still holds the program")?.engine.stop();
    crate::verify::run(folder, true)?;
    Ok(CONNECTIONS.into_iter().zip(told).map(|(connections, told)| figures(connections, transfers_of_a_run, &told)).collect())
}

/// Of some runs: transfers, and the echo beside.
fn figures(connections: usize, transfers: u64, told: &[(Driven, Driven)]) -> Http {
    let of = |figure: &dyn Fn(&Driven) -> u64| Runs::of(told.iter().map(|(moved, _)| figure(moved)).collect());
    Http {
        connections,
        transfers,
        transfers_per_s: of(&Driven::per_s),
        echo_per_s: Runs::of(told.iter().map(|(_, echoed)| echoed.per_s()).collect()),
        ratio: Ratio::median(told.iter().map(|(moved, echoed)| Ratio::of(moved.per_s(), echoed.per_s())).collect()),
        p50_us: of(&|moved| quantile(&moved.latencies, 500)),
        p99_us: of(&|moved| quantile(&moved.latencies, 990)),
        refused: told.iter().map(|(moved, _)| moved.refused).sum(),
    }
}

/// A fresh installation with people in the vault and in the books.
async fn open(plan: &Plan, folder: &Path, clock: Arc<MovableClock>) -> anyhow::Result<Arc<App>> {
    let store = Arc::new(SqliteStore::open(folder, 1)?);
    let engine = Arc::new(Engine::start(store, clock.clone(), Options::new(1))?);
    let vault = Vault::open(folder, 1)?;
    let people: Vec<NewPerson> = (1..=plan.http_holders)
        .map(|serial| NewPerson { id_number: Sensitive::new(id_number(serial)), name: Sensitive::new(name(serial)), phone: None })
        .collect();
    let now = clock.now();
    for (chunk, first) in people.chunks(5_000).zip((1_u64..).step_by(5_000)) {
        let put = vault.put_persons(chunk, now)?;
        let expected = |at: usize| HolderId::new(PART, first + at as u64).0;
        ensure!(put.iter().enumerate().all(|(at, put)| put.holder() == expected(at)), "the vault numbers people in the order they come");
    }
    country::open_areas(&engine).await?;
    let bar = super::bar(plan.http_holders, "建立参保人");
    country::settle_people(&engine, PART, plan.http_holders, now, &bar).await?;
    bar.finish_and_clear();
    engine.flush().await;
    let engine = Arc::into_inner(engine).expect("all chunks have come back");
    let identity = Identity::new(vault.clone(), Adapters::sandbox());
    Ok(Arc::new(App::new(engine, vault, identity, clock)))
}

/// A number in the test range with a valid check digit (GB 11643).
fn id_number(serial: u64) -> String {
    let day = serial / 1_000 % 28 + 1;
    let month = serial / 28_000 % 12 + 1;
    let digits = format!("990101{}{month:02}{day:02}{:03}", 1950 + serial / 336_000 % 50, serial % 1_000);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: usize = digits.bytes().zip(weights).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
    format!("{digits}{}", char::from(b"10X98765432"[sum % 11]))
}

fn name(serial: u64) -> String {
    let letters: Vec<char> = "安邦诚德恩福广和嘉康乐明宁平庆瑞顺泰文祥".chars().collect();
    let at = |step: u64| letters[usize::try_from(serial / step % 20).expect("below 20")];
    ["张", "李"][usize::from(serial.is_multiple_of(2))].chars().chain([at(1), at(20)]).collect()
}

/// Requests as they are sent.
pub(super) type Requests = Vec<Vec<u8>>;

/// A session for everybody.
fn log_in(app: &App, plan: &Plan) -> anyhow::Result<Vec<SessionToken>> {
    let now = app.now();
    let bar = super::bar(plan.http_holders, "登录");
    let mut tokens = Vec::new();
    for serial in 1..=plan.http_holders {
        let (token, _) = app.vault.start_session(HolderId::new(PART, serial).0, "bench", now)?;
        // Look-ups are warm, as they are for people who use the service.
        app.vault.session(&token, now)?;
        app.vault.match_person(&id_number(serial), &name(serial))?;
        tokens.push(token);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(tokens)
}

/// The requests of a run, transfers of those numbers, and the same for the echo route: proofs issued, bodies written.
fn prepare(app: &App, tokens: &[SessionToken], numbers: Range<u64>) -> anyhow::Result<(Requests, Requests)> {
    let now = app.now();
    let (mut transfers, mut echo) = (Vec::new(), Vec::new());
    for number in numbers {
        let serial = number % tokens.len() as u64 + 1;
        let sender = HolderId::new(PART, serial);
        let receiver = country::relative(sender);
        let amount = Fen(i64::try_from(number % 997 + 1)?);
        let proof = app.vault.issue_proof(sender.0, transfer_binding(receiver, amount, false), now);
        let body = serde_json::json!({
            "receiver": { "name": name(receiver.serial()), "id_number": id_number(receiver.serial()) },
            "relation": "73",
            "amount": { "amount": amount.0, "currency": "CNY" },
            "source": "personal_account",
            "proof": proof,
        })
        .to_string();
        let token = tokens[usize::try_from(serial - 1)?].reveal();
        let key = uuid::Uuid::now_v7();
        let to = |path: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        };
        transfers.push(to("/api/v1/transfers"));
        echo.push(to("/api/v1/echo"));
    }
    Ok((transfers, echo))
}

pub(super) struct Driven {
    pub elapsed_us: u128,
    pub done: u64,
    pub refused: u64,
    pub latencies: Vec<u64>,
    /// Answers, head and body, in the order of their requests; none unless they were to be kept.
    pub answers: Vec<Vec<u8>>,
}

/// Whether answers are wanted after the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Nothing,
    Answers,
}

impl Driven {
    pub fn per_s(&self) -> u64 {
        u64::try_from(u128::from(self.done) * 1_000_000 / self.elapsed_us.max(1)).unwrap_or(u64::MAX)
    }
}

/// Sends every request once over so many connections, each one at a time.
pub(super) async fn drive(address: SocketAddr, connections: usize, requests: Arc<Requests>, keep: Keep) -> anyhow::Result<Driven> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut sockets = Vec::new();
    for _ in 0..connections {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    let begin = Instant::now();
    let tasks: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(caller(socket, next.clone(), requests.clone(), keep))).collect();
    let (mut done, mut refused, mut latencies) = (0, 0, Vec::with_capacity(requests.len()));
    let mut kept = Vec::new();
    for task in tasks {
        let called = task.await??;
        done += called.done;
        refused += called.refused;
        latencies.extend(called.latencies);
        kept.extend(called.kept);
    }
    let elapsed_us = begin.elapsed().as_micros();
    latencies.sort_unstable();
    kept.sort_unstable_by_key(|(at, _)| *at);
    Ok(Driven { elapsed_us, done, refused, latencies, answers: kept.into_iter().map(|(_, answer)| answer).collect() })
}

/// What one connection did.
#[derive(Default)]
struct Called {
    done: u64,
    refused: u64,
    latencies: Vec<u64>,
    kept: Vec<(usize, Vec<u8>)>,
}

async fn caller(mut socket: TcpStream, next: Arc<AtomicUsize>, requests: Arc<Requests>, keep: Keep) -> anyhow::Result<Called> {
    let mut answer = Vec::with_capacity(4_096);
    let mut called = Called::default();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(at) else { return Ok(called) };
        let asked = Instant::now();
        socket.write_all(request).await?;
        answer.clear();
        let status = loop {
            ensure!(socket.read_buf(&mut answer).await? > 0, "the server closed the connection");
            if let Some(status) = complete(&answer)? {
                break status;
            }
        };
        called.latencies.push(micros(asked.elapsed()));
        match status {
            200..=299 => called.done += 1,
            400..=499 => called.refused += 1,
            _ => bail!("the server answered {status}: {}", String::from_utf8_lossy(&answer)),
        }
        if keep == Keep::Answers {
            called.kept.push((at, answer.clone()));
        }
    }
}

/// The status, once head and body are there.
fn complete(answer: &[u8]) -> anyhow::Result<Option<u16>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?;
    let status = head.get(9..12).context("a status line has a status")?.parse()?;
    let length = head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.context("an answer says its length")?.1.trim().parse()?;
    Ok((answer.len() >= end + 4 + length).then_some(status))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_body_is() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(complete(answer).unwrap(), Some(201));
        assert_eq!(complete(&answer[..answer.len() - 1]).unwrap(), None);
        assert_eq!(complete(b"HTTP/1.1 20").unwrap(), None);
    }

    #[test]
    fn numbers_of_the_test_range_are_valid_and_unlike() {
        let numbers: std::collections::BTreeSet<String> = (1..5_000).map(id_number).collect();
        assert_eq!(numbers.len(), 4_999);
        for number in numbers {
            gongji_wallet::citizen::CitizenNumber::parse(&number).unwrap();
        }
    }
}
