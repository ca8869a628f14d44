//! Payments at the core: order placed, held in the same commit, captured. All of them into one hospital, and spread over many: a hospital's
//! balance must not be what everybody waits for.

use super::country::{self, AREAS};
use super::figures::{Payments, Ratio, Runs};
use super::traffic::per_s;
use super::under_way::{CHUNK, UnderWay};
use super::{Plan, bar};
use anyhow::{Context, bail, ensure};
use gongji_ledger::{Fen, HolderId, InstitutionId, Part};
use gongji_store::clock::MovableClock;
use gongji_store::seal::sm3;
use gongji_store::sqlite::SqliteStore;
use gongji_store::{Engine, Options, Reply};
use gongji_wallet::command::{PlaceOrder, binding};
use gongji_wallet::day::day_of;
use gongji_wallet::event::Payer;
use gongji_wallet::ids::{CodeId, PaymentId};
use gongji_wallet::object::{Bill, OrderState, PayFirst, PaymentState, Visit};
use gongji_wallet::{Command, Decision, Outcome, Request};
use indicatif::ProgressBar;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const PART: Part = 1;

/// Hospitals of the run that is spread.
const INSTITUTIONS: u64 = 1_000;

pub(super) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Payments> {
    let clock = country::eve();
    let engine = Arc::new(Engine::start(Arc::new(SqliteStore::open(folder, 1)?), clock.clone(), Options::new(1))?);
    country::open_areas(&engine).await?;
    let institutions = country::open_institutions(&engine, INSTITUTIONS).await?;
    let making = bar(plan.payments, "建立参保人");
    country::file_people(&engine, PART, plan.payments, |_| AREAS[0], &making).await?;
    making.finish_and_clear();
    engine.flush().await;

    let bar = bar(plan.payments * plan.repeat as u64 * 2, "支付");
    let mut round = Round { engine: engine.clone(), clock, payers: plan.payments, number: 0 };
    let (mut one, mut many, mut ratios, mut refused) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..plan.repeat {
        let (one_per_s, one_refused) = round.run(&institutions[..1], &bar).await?;
        let (many_per_s, many_refused) = round.run(&institutions, &bar).await?;
        refused += one_refused + many_refused;
        ratios.push(Ratio::of(one_per_s, many_per_s));
        one.push(one_per_s);
        many.push(many_per_s);
    }
    bar.finish_and_clear();
    let asked = plan.payments * plan.repeat as u64 * 2;
    ensure!(refused * 1_000 <= asked, "{refused} of {asked} payments were refused");
    drop(round);
    engine.stop();
    crate::verify::run(folder, true)?;
    Ok(Payments {
        payments: plan.payments,
        institutions: INSTITUTIONS,
        refused,
        one_per_s: Runs::of(one),
        many_per_s: Runs::of(many),
        ratio: Ratio::median(ratios),
    })
}

struct Round {
    engine: Arc<Engine>,
    clock: Arc<MovableClock>,
    payers: u64,
    /// Number of the next payment; a round is a day.
    number: u64,
}

impl Round {
    /// Lets everybody pay once, in these institutions by turns. Payments in a second, and how many were refused.
    async fn run(&mut self, institutions: &[InstitutionId], bar: &ProgressBar) -> anyhow::Result<(u64, u64)> {
        let now = country::morning(self.number / self.payers);
        self.clock.set(now);
        let numbers: Vec<u64> = (self.number..self.number + self.payers).collect();
        self.number += self.payers;
        // Payers show their codes before the time begins to count, and orders are made: that is not the institution's work.
        let codes: Vec<Request> = numbers.iter().map(|number| self.show_code(*number)).collect();
        self.engine.ask_all(PART, codes).await.into_iter().try_for_each(country::done)?;
        self.engine.flush().await;
        let of_turn = |number: &u64| order(*number, institutions[usize::try_from(*number % institutions.len() as u64).expect("few")], now);
        let chunks: Vec<Vec<Request>> =
            numbers.chunks(CHUNK).map(|chunk| chunk.iter().map(of_turn).collect::<anyhow::Result<_>>()).collect::<anyhow::Result<_>>()?;
        let begin = Instant::now();
        let mut under_way = UnderWay::new();
        let mut refused = 0;
        for chunk in chunks {
            refused += under_way.add(pay(self.engine.clone(), chunk, bar.clone())).await?.unwrap_or(0);
        }
        while let Some(of_chunk) = under_way.next().await? {
            refused += of_chunk;
        }
        let elapsed = begin.elapsed();
        self.engine.flush().await;
        Ok((per_s(self.payers - refused, elapsed), refused))
    }

    fn show_code(&self, number: u64) -> Request {
        let holder = HolderId::new(PART, number % self.payers + 1);
        Request { idempotency: None, command: Command::IssueCode { holder, by: holder, code: code_id(number), first: PayFirst::Personal } }
    }
}

/// As the digest of a code's text: without any order.
fn code_id(number: u64) -> CodeId {
    let mut id = [0; 16];
    id.copy_from_slice(&sm3(&number.to_be_bytes())[..16]);
    CodeId(id)
}

fn order(number: u64, institution: InstitutionId, now: i64) -> anyhow::Result<Request> {
    let own = Fen(i64::try_from(number % 997 + 1)?);
    let bill = Bill { total: own, fund: Fen::ZERO, own, institution: Fen::ZERO };
    let text = format!("MZ{number:012}");
    let order = crate::service::payment::order_id(institution, &text).context("the number is plain")?;
    let payment = PaymentId::new(country::timed_id(now, number), PART);
    let order = PlaceOrder {
        order,
        number: text,
        payment,
        payer: Payer::Code(code_id(number)),
        bill,
        partial: false,
        visit: Visit::at_counter(day_of(now)),
        quote: None,
    };
    let fingerprint = binding("hold", &[&number.to_be_bytes()]);
    Ok(Request { idempotency: Some((country::key(number * 2 + 1), fingerprint)), command: Command::PlaceOrder(order) })
}

/// Places orders and captures what was held, each with a key of its own. Tells how many were refused.
async fn pay(engine: Arc<Engine>, orders: Vec<Request>, bar: ProgressBar) -> anyhow::Result<u64> {
    let count = orders.len() as u64;
    let captures: Vec<Request> = orders.iter().filter_map(capture).collect();
    let mut held = Vec::with_capacity(captures.len());
    for (reply, capture) in engine.ask_all(PART, orders).await.into_iter().zip(captures) {
        if is_done(reply)? {
            held.push(capture);
        }
    }
    let mut captured = 0;
    for reply in engine.ask_all(PART, held).await {
        captured += u64::from(is_done(reply)?);
    }
    bar.inc(count);
    Ok(count - captured)
}

fn capture(placed: &Request) -> Option<Request> {
    let (Command::PlaceOrder(order), Some((key, _))) = (&placed.command, placed.idempotency) else { return None };
    let number = u64::from_be_bytes(key.0[..8].try_into().expect("eight bytes"));
    let command = Command::Capture { payment: order.payment, order: order.order, amount: order.bill.own, last: true };
    Some(Request { idempotency: Some((country::key(number + 1), binding("capture", &[&number.to_be_bytes()]))), command })
}

/// Whether an order was held or captured; refusals are counted, everything else is an error.
fn is_done(reply: Reply) -> anyhow::Result<bool> {
    match reply.context("the partition failed")?.decision {
        Decision::New(Outcome::Order { state: OrderState::Held { .. }, .. } | Outcome::Payment { state: PaymentState::Captured, .. }) => Ok(true),
        Decision::New(Outcome::Order { state: OrderState::Refused(_), .. } | Outcome::Refused(_)) => Ok(false),
        other => bail!("a payment of the bench came to {other:?}"),
    }
}
