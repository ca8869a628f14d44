//! A small country on an engine: two regions, one pharmacy, three people, and requests with keys that can be repeated.

use gongji_ledger::{Account, AreaCode, Fen, HolderId, InstitutionId, Part};
use gongji_store::clock::MovableClock;
use gongji_store::store::Store;
use gongji_store::{DisturbMessages, Engine, Fault, Limits, Options};
use gongji_wallet::command::{Command, PlaceOrder, Proof, RequestTransfer, premium_binding, transfer_binding};
use gongji_wallet::day::{Day, HOUR_MS, day_from_date, day_of, instant};
use gongji_wallet::directory::{Coverage, DirectoryChange, Institution, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::event::{Outcome, Payer, institution_part};
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::{Bill, EMPLOYEE, Enrolment, EnrolmentStatus, Line, Object, PayFirst, RESIDENT, Taking, Visit};
use gongji_wallet::{Decision, Request};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const LUZHOU: AreaCode = 510_500;
pub const JINAN: AreaCode = 370_100;
pub const YEAR: u16 = 2027;
pub const PREMIUM: Fen = Fen(40_000);

/// The day on which everything begins, at ten in the morning.
pub fn today() -> Day {
    day_from_date(2027, 3, 1).unwrap()
}

pub fn morning() -> i64 {
    instant(today(), 10 * 60)
}

/// A request with the partition that it is asked of.
#[derive(Clone, Debug)]
pub struct Step {
    pub part: Part,
    pub request: Request,
}

/// Where the people live: as far apart as the partitions allow.
#[derive(Clone, Copy, Debug)]
pub struct People {
    pub parts: Part,
    /// Employee in Jinan, with a personal account.
    pub wang: HolderId,
    /// Wang's mother, a resident of Luzhou.
    pub li: HolderId,
    /// Wang's child, a resident of Luzhou.
    pub bao: HolderId,
}

impl People {
    pub fn of(parts: Part) -> People {
        let at = |part: Part, serial| HolderId::new(part % parts + 1, serial);
        People { parts, wang: at(0, 1), li: at(1, 2), bao: at(2, 3) }
    }
}

pub fn pharmacy() -> InstitutionId {
    InstitutionId::parse("P51050000012").unwrap()
}

pub fn pharmacy_part(parts: Part) -> Part {
    institution_part(pharmacy(), parts)
}

/// Sixteen bytes that look like a UUIDv7 made on that day, numbered.
pub fn id(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&(morning() as u64 + number).to_be_bytes()[2..]);
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// A keyed step. The key is made of the number; the fingerprint of the command, as the program makes it of the body.
pub fn step(part: Part, number: u64, command: Command) -> Step {
    let fingerprint = gongji_wallet::command::binding("body", &[format!("{command:?}").as_bytes()]);
    Step { part, request: Request { idempotency: Some((RequestKey(id(number)), fingerprint)), command } }
}

fn region(code: AreaCode, name: &str, province: &str) -> DirectoryChange {
    DirectoryChange::Region(Region {
        code,
        name: name.to_owned(),
        province_code: code / 10_000 * 10_000,
        province: province.to_owned(),
        level: RegionLevel::Prefecture,
        openings: vec![(today() - 100, true)],
        change_of_use: true,
        coverage: Coverage::Area,
    })
}

pub fn directory_changes() -> Vec<DirectoryChange> {
    let pharmacy = Institution {
        id: pharmacy(),
        name: "泸州测试药房".to_owned(),
        area: LUZHOU,
        is_pharmacy: true,
        level: String::new(),
        address: "测试路 1 号".to_owned(),
        district: "江阳区".to_owned(),
        readiness: Readiness::Ready,
        counter: true,
        kiosk: false,
        mobile: false,
        position: None,
    };
    let premium =
        Premium { area: LUZHOU, year: YEAR, amount: PREMIUM, opens: today() - 10, closes: today() + 10, relatives: true, instructions: String::new() };
    vec![region(LUZHOU, "泸州市", "四川省"), region(JINAN, "济南市", "山东省"), DirectoryChange::Institution(pharmacy), DirectoryChange::Premium(premium)]
}

pub fn enrolment(area: AreaCode, insurance: u16) -> Enrolment {
    Enrolment { area, insurance, status: EnrolmentStatus::Normal, from: today() - 1000, pooled_only: false }
}

/// Regions, people, their insurance and their money. Keys 1 to 99.
pub fn founding(people: &People) -> Vec<Step> {
    let mut steps = vec![step(0, 1, Command::ChangeDirectory(directory_changes()))];
    for (at, (holder, enrolment)) in
        [(people.wang, enrolment(JINAN, EMPLOYEE)), (people.li, enrolment(LUZHOU, RESIDENT)), (people.bao, enrolment(LUZHOU, RESIDENT))].into_iter().enumerate()
    {
        let number = 10 + 10 * at as u64;
        steps.push(step(holder.part(), number, Command::CreateHolder { holder }));
        steps.push(step(holder.part(), number + 1, Command::SetEnrolment { holder, enrolment }));
    }
    let (holder, area) = (people.wang, JINAN);
    steps.push(step(holder.part(), 50, Command::Contribute { holder, area, amount: Fen(500_000), month: 202_702 }));
    for (number, holder, place) in [(60, people.wang, JINAN), (61, people.li, LUZHOU)] {
        steps.push(step(holder.part(), number, Command::OpenWallet { holder, by: holder, place }));
    }
    steps
}

pub fn proof(number: u64, holder: HolderId, bound: [u8; 16]) -> Option<Proof> {
    Some(Proof { id: number, holder, bound, expires: morning() + 100 * HOUR_MS })
}

/// A transfer from the personal account of `sender`; `relation` as in GB/T 4761.
pub fn send(number: u64, sender: HolderId, receiver: HolderId, relation: u8, amount: Fen) -> Step {
    let proof = proof(number, sender, transfer_binding(receiver, amount, false));
    let request = RequestTransfer { id: TransferId(id(number)), sender, receiver, relation, amount, from_wallet: false, proof };
    step(sender.part(), number, Command::RequestTransfer(request))
}

/// The same from the sender's wallet.
pub fn send_from_wallet(number: u64, sender: HolderId, receiver: HolderId, relation: u8, amount: Fen) -> Step {
    let proof = proof(number, sender, transfer_binding(receiver, amount, true));
    let request = RequestTransfer { id: TransferId(id(number)), sender, receiver, relation, amount, from_wallet: true, proof };
    step(sender.part(), number, Command::RequestTransfer(request))
}

pub fn accept(number: u64, transfer: u64, receiver: HolderId) -> Step {
    step(receiver.part(), number, Command::AcceptTransfer { id: TransferId(id(transfer)), receiver, by: receiver })
}

pub fn code_of(number: u64) -> CodeId {
    CodeId(id(number))
}

pub fn issue_code(number: u64, holder: HolderId, first: PayFirst) -> Step {
    step(holder.part(), number, Command::IssueCode { holder, by: holder, code: code_of(number), first })
}

pub fn order_of(number: u64) -> OrderId {
    OrderId { institution: pharmacy(), number: id(number) }
}

pub fn payment_of(number: u64, payer: HolderId) -> PaymentId {
    PaymentId::new(id(number), payer.part())
}

/// A bill of `own` fen out of pocket, paid with the code of `code`.
pub fn place_order(number: u64, code: u64, payer: HolderId, own: Fen, parts: Part) -> Step {
    let bill = Bill { total: own + Fen(1_000), fund: Fen(1_000), own, institution: Fen::ZERO };
    let order = PlaceOrder {
        order: order_of(number),
        number: number.to_string(),
        payment: payment_of(number, payer),
        payer: Payer::Code(code_of(code)),
        bill,
        partial: false,
        visit: Visit::at_counter(day_of(morning())),
        quote: None,
    };
    step(pharmacy_part(parts), number, Command::PlaceOrder(order))
}

pub fn capture(number: u64, order: u64, payer: HolderId, amount: Fen) -> Step {
    let command = Command::Capture { payment: payment_of(order, payer), order: order_of(order), amount, last: true };
    step(payer.part(), number, command)
}

pub fn refund(number: u64, order: u64, payer: HolderId, amount: Fen) -> Step {
    step(payer.part(), number, Command::Refund { payment: payment_of(order, payer), order: order_of(order), amount })
}

pub fn pay_premium(number: u64, payer: HolderId, insured: HolderId) -> Step {
    let proof = proof(number, payer, premium_binding(payer, insured, LUZHOU, YEAR));
    let command = Command::PayPremium { payment: payment_of(number, payer), payer, by: payer, insured, area: LUZHOU, year: YEAR, proof };
    step(payer.part(), number, command)
}

pub fn clock() -> Arc<MovableClock> {
    Arc::new(MovableClock::standing(morning()))
}

pub fn start(store: Arc<dyn Store>, clock: &Arc<MovableClock>, parts: Part, disturb: Option<DisturbMessages>) -> Result<Engine, Fault> {
    Engine::start(store, clock.clone(), Options { disturb, ..Options::new(parts) })
}

/// An engine that forgets whatever it may.
pub fn start_forgetful(store: Arc<dyn Store>, clock: &Arc<MovableClock>, parts: Part) -> Result<Engine, Fault> {
    Engine::start(store, clock.clone(), Options { limits: Limits { people: 0, settled: 0 }, ..Options::new(parts) })
}

#[track_caller]
pub fn outcome(reply: Result<gongji_store::Decided, Fault>) -> Outcome {
    match reply.unwrap().decision {
        Decision::New(outcome) | Decision::Replayed(outcome) => outcome,
        Decision::KeyReused => panic!("a key was used twice"),
    }
}

/// Asks each step in turn, each after everything that the one before set off.
pub async fn walk(engine: &Engine, steps: &[Step]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for step in steps {
        outcomes.push(outcome(engine.ask(step.part, step.request.clone()).await));
        engine.settle().await.unwrap();
    }
    outcomes
}

/// Everything a partition's books say.
#[derive(PartialEq, Debug)]
pub struct Dump {
    pub objects: BTreeMap<Key, Object>,
    pub lines: Vec<Line>,
    pub orders: Vec<Key>,
    pub takings: Vec<Taking>,
}

pub fn dump_part(store: &dyn Store, part: Part) -> Dump {
    let mut books = store.books(part).unwrap();
    let mut dump = Dump { objects: BTreeMap::new(), lines: Vec::new(), orders: Vec::new(), takings: Vec::new() };
    books
        .each_object(&mut |key, object| {
            assert!(dump.objects.insert(key, object).is_none());
            Ok(())
        })
        .unwrap();
    books
        .each_line(&mut |line| {
            dump.lines.push(line);
            Ok(())
        })
        .unwrap();
    books
        .each_taking(0, &mut |taking| {
            dump.takings.push(taking);
            Ok(true)
        })
        .unwrap();
    let (counted, taken) = match dump.objects.get(&Key::Partition) {
        Some(Object::Partition(partition)) => (partition.lines, partition.takings),
        _ => (0, 0),
    };
    assert!(dump.takings.iter().map(|taking| taking.number).eq(1..=taken), "every number is a taking");
    for number in 1..=counted {
        dump.orders.extend(books.order_line(number).unwrap());
    }
    assert_eq!(counted, (dump.lines.len() + dump.orders.len()) as u64, "every number is a line or an order");
    dump
}

/// The books of every partition, the directory first.
pub fn dump(store: &dyn Store, parts: Part) -> Vec<Dump> {
    (0..=parts).map(|part| dump_part(store, part)).collect()
}

/// Every account with money, over all partitions.
pub fn accounts(dumps: &[Dump]) -> BTreeMap<Account, Fen> {
    let mut accounts = BTreeMap::new();
    let mut add = |account, amount: Fen| *accounts.entry(account).or_insert(Fen::ZERO) += amount;
    for dump in dumps {
        for (key, object) in &dump.objects {
            match (key, object) {
                (Key::Holder(id), Object::Holder(person)) => {
                    let holder = *id;
                    for account in &person.accounts {
                        add(Account::Personal { holder, area: account.area }, account.balance);
                    }
                    add(Account::Wallet { holder }, person.wallet_total());
                    add(Account::Held { holder }, person.held);
                    add(Account::Awaiting { holder }, person.awaiting);
                }
                (Key::Balance(account), Object::Balance(balance)) => {
                    // Each side of a way between two partitions has its own account for it; together they are one.
                    let account = if matches!(account, Account::Transit { .. }) { Account::Transit { part: 0 } } else { *account };
                    add(account, *balance);
                }
                _ => {}
            }
        }
    }
    accounts.retain(|_, amount| !amount.is_zero());
    accounts
}

/// Nothing is created and nothing is lost, and nothing is on its way.
#[track_caller]
pub fn check_balanced(dumps: &[Dump]) -> BTreeMap<Account, Fen> {
    for (part, dump) in dumps.iter().enumerate() {
        // Every posting stays in one partition, so each is balanced by itself.
        let alone: Fen = accounts(std::slice::from_ref(dump)).into_values().sum();
        assert_eq!(alone, Fen::ZERO, "partition {part} is not balanced");
    }
    let accounts = accounts(dumps);
    assert_eq!(accounts.get(&Account::Transit { part: 0 }), None, "money is still on its way");
    accounts
}
