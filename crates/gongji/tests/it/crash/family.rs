//! One family as a client: what it asks day by day, what it was answered, and what must be on the books for it.
//!
//! A day is a plain function. Its answers are kept, so that after a crash the same day is gone through again from its beginning: what was
//! answered is not asked again, and the first thing without an answer is asked with the key it had. Everything is derived from answers, so the
//! day comes out where it was cut off.

use super::wire::{Answer, Asked, Gone, Wire};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Looks at something that another partition is about to change, before it counts as lost.
const LOOKS_MAX: usize = 3_000;

/// Acknowledged requests that are repeated after each crash.
const REPEATED: usize = 8;

/// Who they are; the sender is to the receiver what `relation` says of the receiver (GB/T 4761).
pub struct Cast {
    pub sender: &'static str,
    pub receiver: &'static str,
    pub relation: &'static str,
    pub institution: &'static str,
    pub place: &'static str,
    /// Year of a premium that can be paid for the receiver on the second day.
    pub premium: Option<u16>,
}

pub const CAST: [Cast; 8] = [
    Cast { sender: "李强", receiver: "王秀兰", relation: "52", institution: "H51050000001", place: "510500", premium: Some(2027) },
    Cast { sender: "黄丽华", receiver: "黄伯安", relation: "51", institution: "P45010000001", place: "450100", premium: Some(2027) },
    // A quota: its unused part goes back at the end of each day.
    Cast { sender: "马国栋", receiver: "马文华", relation: "51", institution: "H62050000001", place: "620500", premium: None },
    Cast {
        sender: "古丽娜尔·买买提", receiver: "买买提·吐尔逊", relation: "51", institution: "H65310000001", place: "653100", premium: Some(2026)
    },
    Cast { sender: "刘𬭚", receiver: "刘德厚", relation: "51", institution: "H50022900001", place: "500229", premium: Some(2026) },
    Cast { sender: "冯凯", receiver: "冯秀英", relation: "52", institution: "H41030000001", place: "410300", premium: Some(2027) },
    Cast { sender: "扎西顿珠", receiver: "卓玛拉姆", relation: "52", institution: "H54020000001", place: "540200", premium: Some(2027) },
    // All families of one hospital meet in its partition.
    Cast { sender: "林海", receiver: "林小禾", relation: "30", institution: "H51050000001", place: "510500", premium: None },
];

/// A person as the family knows them.
#[derive(Clone, Debug, Default)]
pub struct Member {
    pub name: String,
    pub id_number: String,
    pub password: String,
    pub token: String,
    pub id: String,
}

/// An order as the institution remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
    payment: String,
    state: &'static str,
    held: i64,
    captured: i64,
    refunded: i64,
    refunds: usize,
}

/// What the books must say; money in fen.
#[derive(Clone, Debug, Default)]
struct Expected {
    sender_personal: i64,
    receiver_wallet: i64,
    /// Transfers of the day: amount and last state.
    transfers: BTreeMap<String, (i64, &'static str)>,
    orders: BTreeMap<String, Order>,
    /// Quotas that went back.
    came_back: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accept,
    Decline,
    Cancel,
}

pub struct Family {
    pub cast: &'static Cast,
    pub sender: Member,
    pub receiver: Member,
    /// Key of the institution.
    till: String,
    seed: u64,
    /// Keys of what has been asked today, in order; empty where none is needed.
    keys: Vec<String>,
    /// What has been answered today.
    log: Vec<(Asked, Answer)>,
    /// As of this morning.
    morning: Expected,
    /// All orders and transfers of the days before.
    past: Vec<Expected>,
    /// The program has been started anew and has not been examined since.
    unexamined: bool,
    pub counts: Counts,
}

/// For the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub acknowledged: u64,
    /// Requests that were repeated because a crash had taken the answer.
    pub unanswered: u64,
    /// Of these: what had been done all the same.
    pub had_been_done: u64,
    /// Acknowledged requests repeated to see the first answer again.
    pub repeated: u64,
    pub transfers: u64,
    pub payments: u64,
}

/// A day under way.
struct Day<'a> {
    family: &'a mut Family,
    wire: &'a Wire,
    /// Next thing to be asked.
    at: usize,
    random: Random,
    expected: Expected,
    number: usize,
    /// Something is under way of which only the next look tells what became of it.
    is_open: bool,
}

/// Small and seeded (splitmix64): the same day every time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn fen(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from + 1).unsigned_abs()) as i64
    }
}

fn yuan(fen: i64) -> Value {
    json!({ "amount": fen, "currency": "CNY" })
}

fn fen(value: &Value) -> i64 {
    value["amount"].as_i64().unwrap_or_else(|| panic!("an amount: {value}"))
}

impl Family {
    /// Logs both in and brings them to where every day begins: a wallet with some money in it, and no relation in force.
    pub async fn gather(cast: &'static Cast, members: [Member; 2], till: String, seed: u64, wire: &Wire) -> Family {
        let [sender, receiver] = members;
        let mut family = Family {
            cast,
            sender,
            receiver,
            till,
            seed,
            keys: Vec::new(),
            log: Vec::new(),
            morning: Expected::default(),
            past: Vec::new(),
            unexamined: false,
            counts: Counts::default(),
        };
        for member in [&mut family.sender, &mut family.receiver] {
            let body = json!({ "id_number": member.id_number, "password": member.password });
            let asked = Asked { method: Method::POST, path: "/sessions".into(), token: String::new(), body: Some(body), key: None };
            member.token = wire.look(&asked).await.unwrap().done()["token"].as_str().unwrap().to_owned();
            let asked = Asked { method: Method::GET, path: "/me".into(), token: member.token.clone(), body: None, key: None };
            member.id = wire.look(&asked).await.unwrap().done()["id"].as_str().unwrap().to_owned();
        }
        let mut day = Day::begin(&mut family, wire, 0);
        day.eve().await.expect("nobody kills it yet");
        family.close_day();
        family.look_around(wire).await;
        family
    }

    /// Goes through a day from its beginning, and on from where a crash cut it off.
    pub async fn live(&mut self, wire: &Wire, number: usize) -> Result<(), Gone> {
        let mut day = Day::begin(self, wire, number);
        day.pass().await?;
        if day.family.unexamined {
            day.examine().await?;
        }
        Ok(())
    }

    /// The program has been started again.
    pub fn wake(&mut self) {
        self.unexamined = true;
    }

    pub fn close_day(&mut self) {
        self.keys.clear();
        self.log.clear();
    }

    /// Ends a day that was gone through: what is expected now is what the next day begins with.
    pub async fn sleep(&mut self, wire: &Wire, number: usize) {
        let mut day = Day::begin(self, wire, number);
        day.pass().await.expect("all of it has been answered");
        day.examine().await.expect("nobody kills it at night");
        let mut expected = std::mem::take(&mut day.expected);
        self.counts.transfers += expected.transfers.len() as u64;
        self.counts.payments += expected.orders.len() as u64;
        self.past.push(expected.clone());
        expected.transfers.clear();
        expected.orders.clear();
        self.morning = expected;
        self.close_day();
    }

    /// Takes what is there for given, once.
    async fn look_around(&mut self, wire: &Wire) {
        let read = |token: &str| Asked { method: Method::GET, path: "/wallet".into(), token: token.to_owned(), body: None, key: None };
        let sender = wire.look(&read(&self.sender.token)).await.unwrap().done();
        let receiver = wire.look(&read(&self.receiver.token)).await.unwrap().done();
        self.morning.sender_personal = personal(&sender);
        self.morning.receiver_wallet = fen(&receiver["balance"]);
        assert_eq!((sender["outgoing"].as_array().unwrap().len(), fen(&receiver["held"])), (0, 0), "{}", self.cast.sender);
    }

    /// At the very end: everything of all days, and each person's lines add up to the balance.
    pub async fn take_stock(&self, wire: &Wire) {
        for expected in &self.past {
            compare(self, wire, expected, false).await.expect("nobody kills it any more");
        }
        for member in [&self.sender, &self.receiver] {
            let wallet = read(wire, &member.token, "/wallet").await.expect("nobody kills it any more");
            let (mut in_wallet, mut in_accounts) = (0, 0);
            for line in lines(wire, &member.token).await.expect("nobody kills it any more") {
                *(if line["purse"] == "wallet" { &mut in_wallet } else { &mut in_accounts }) += fen(&line["amount"]);
            }
            assert_eq!((in_wallet, in_accounts), (fen(&wallet["balance"]), personal(&wallet)), "lines of {}", member.name);
        }
    }
}

fn personal(wallet: &Value) -> i64 {
    wallet["personal_accounts"].as_array().unwrap().iter().map(|account| fen(&account["balance"])).sum()
}

async fn read(wire: &Wire, token: &str, path: &str) -> Result<Value, Gone> {
    let asked = Asked { method: Method::GET, path: path.to_owned(), token: token.to_owned(), body: None, key: None };
    Ok(wire.look(&asked).await?.done())
}

/// The whole statement.
async fn lines(wire: &Wire, token: &str) -> Result<Vec<Value>, Gone> {
    let (mut lines, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = read(wire, token, &format!("/statement?limit=200{cursor}")).await?;
        lines.extend(page["movements"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(lines),
        }
    }
}

/// Holds the books against what is expected. Money between partitions may take its moment; what is acknowledged may not be missing.
async fn compare(family: &Family, wire: &Wire, expected: &Expected, with_balances: bool) -> Result<(), Gone> {
    let (sender, receiver) = (&family.sender, &family.receiver);
    if with_balances {
        let wanted = (expected.sender_personal, expected.receiver_wallet);
        let mut found = (0, 0);
        for _ in 0..LOOKS_MAX {
            let (one, other) = (read(wire, &sender.token, "/wallet").await?, read(wire, &receiver.token, "/wallet").await?);
            found = (personal(&one), fen(&other["balance"]));
            if found == wanted {
                break;
            }
        }
        assert_eq!(found, wanted, "(account of {}, wallet of {})", sender.name, receiver.name);
    }
    for (number, order) in &expected.orders {
        let mut found = read(wire, &family.till, &format!("/institutions/payments/by-order/{number}")).await?;
        for _ in 0..LOOKS_MAX {
            if found["state"] == order.state {
                break;
            }
            found = read(wire, &family.till, &format!("/institutions/payments/by-order/{number}")).await?;
        }
        let told = (found["state"].as_str().unwrap(), fen(&found["captured"]), fen(&found["refunded"]), found["payment"].as_str().unwrap());
        assert_eq!(told, (order.state, order.captured, order.refunded, order.payment.as_str()), "order {number}");
    }
    for (id, (_, state)) in &expected.transfers {
        let mut found = Value::Null;
        for _ in 0..LOOKS_MAX {
            found = read(wire, &sender.token, &format!("/transfers/{id}")).await?["state"].clone();
            if found == *state {
                break;
            }
        }
        assert_eq!(found, *state, "transfer {id} of {}", sender.name);
    }
    compare_lines(wire, sender, receiver, expected).await
}

/// Each effect has its line, once.
async fn compare_lines(wire: &Wire, sender: &Member, receiver: &Member, expected: &Expected) -> Result<(), Gone> {
    let (sent, received) = (lines(wire, &sender.token).await?, lines(wire, &receiver.token).await?);
    let of = |lines: &[Value], reference: &str, kind: &str| -> Vec<i64> {
        lines.iter().filter(|line| line["reference"] == reference && line["kind"] == kind).map(|line| fen(&line["amount"])).collect()
    };
    for (id, (amount, state)) in &expected.transfers {
        let back = if matches!(*state, "declined" | "cancelled" | "returned") { vec![*amount] } else { Vec::new() };
        let arrived = if *state == "credited" { vec![*amount] } else { Vec::new() };
        let found = (of(&sent, id, "transfer_out"), of(&sent, id, "transfer_back"), of(&received, id, "transfer_in"));
        assert_eq!(found, (vec![-amount], back, arrived), "lines of transfer {id}, {state}");
    }
    for (number, order) in &expected.orders {
        let holds = of(&received, &order.payment, "payment_hold");
        let (released, refunds) = (of(&received, &order.payment, "payment_release"), of(&received, &order.payment, "payment_refund"));
        assert_eq!((holds, refunds.len()), (vec![-order.held], order.refunds), "order {number}");
        let open = if matches!(order.state, "held" | "partly_captured") { order.held - order.captured } else { 0 };
        assert_eq!(refunds.iter().sum::<i64>(), order.refunded, "refunds of order {number}");
        assert_eq!(released.iter().sum::<i64>(), order.held - order.captured - open, "releases of order {number}");
    }
    Ok(())
}

impl<'a> Day<'a> {
    fn begin(family: &'a mut Family, wire: &'a Wire, number: usize) -> Day<'a> {
        let random = Random(family.seed ^ (number as u64) << 32);
        let expected = family.morning.clone();
        Day { family, wire, at: 0, random, expected, number, is_open: false }
    }

    /// Asks, or recalls what was answered before a crash.
    async fn ask(&mut self, method: Method, path: &str, token: &str, body: Option<Value>, keyed: bool) -> Result<Answer, Gone> {
        let at = self.at;
        self.at += 1;
        if let Some((asked, answer)) = self.family.log.get(at) {
            assert_eq!((&asked.method, asked.path.as_str()), (&method, path), "the day is gone through the same way again");
            return Ok(answer.clone());
        }
        let was_asked = at < self.family.keys.len();
        if self.family.unexamined && !was_asked && !self.is_open {
            self.examine().await?;
        }
        if !was_asked {
            // Keys with a time in them are looked up another way than those without.
            let key = if at.is_multiple_of(2) { uuid::Uuid::now_v7().to_string() } else { format!("{}-{}-{at}", self.family.seed, self.number) };
            self.family.keys.push(if keyed { key } else { String::new() });
        }
        let key = Some(self.family.keys[at].clone()).filter(|key| !key.is_empty());
        let asked = Asked { method, path: path.to_owned(), token: token.to_owned(), body, key };
        let answer = self.wire.ask(&asked).await?;
        if keyed {
            self.family.counts.acknowledged += u64::from(answer.is_done());
            self.family.counts.unanswered += u64::from(was_asked);
            self.family.counts.had_been_done += u64::from(was_asked && (answer.replayed || !answer.is_done()));
            assert!(was_asked || !answer.replayed, "{asked:?} was never asked before, yet {answer:?}");
        }
        self.family.log.push((asked, answer.clone()));
        Ok(answer)
    }

    async fn get(&mut self, path: &str, token: &str) -> Result<Value, Gone> {
        Ok(self.ask(Method::GET, path, token, None, false).await?.done())
    }

    async fn post(&mut self, path: &str, token: &str, body: Value) -> Result<Answer, Gone> {
        self.ask(Method::POST, path, token, Some(body), true).await
    }

    /// After a start: what was acknowledged is there, once, and its repeats are answered as at first.
    async fn examine(&mut self) -> Result<(), Gone> {
        let family = &mut *self.family;
        let written: Vec<&(Asked, Answer)> = family.log.iter().filter(|(asked, answer)| asked.key.is_some() && answer.is_done()).collect();
        let mut repeats: Vec<usize> = (written.len().saturating_sub(REPEATED / 2)..written.len()).collect();
        // Not the day's own numbers: they must come the same at each going through.
        let mut random = Random(family.seed ^ family.counts.repeated);
        repeats.extend((0..REPEATED / 2).filter(|_| !written.is_empty()).map(|_| random.below(written.len() as u64) as usize));
        for (asked, first) in repeats.into_iter().map(|at| written[at]) {
            let again = self.wire.look(asked).await?;
            if asked.path == "/payment-codes" {
                assert_eq!(again.code(), "CODE_SHOWN_ONCE", "{again:?}");
            } else {
                assert!(again.replayed, "{asked:?} → {again:?}");
                assert_eq!((again.status, &again.text), (first.status, &first.text), "{asked:?}");
            }
            family.counts.repeated += 1;
        }
        compare(family, self.wire, &self.expected, true).await?;
        family.unexamined = false;
        Ok(())
    }

    /// Before the first day.
    async fn eve(&mut self) -> Result<(), Gone> {
        self.end_relation().await?;
        let (token, place) = (self.family.receiver.token.clone(), self.family.cast.place);
        if self.get("/wallet", &token).await?["is_open"] == false {
            self.post("/wallet", &token, json!({ "place": place })).await?.done();
        }
        self.transfer(5_000, Fate::Accept).await?;
        self.end_relation().await
    }

    async fn pass(&mut self) -> Result<(), Gone> {
        let mut fates = [Fate::Accept, Fate::Decline, Fate::Cancel];
        for at in 0..fates.len() {
            let left = (fates.len() - at) as u64;
            fates.swap(at, at + self.random.below(left) as usize);
        }
        let premium = self.family.cast.premium.filter(|_| self.number == 2);
        for fate in fates {
            let amount = if premium.is_some() { 45_000 } else { self.random.fen(200, 500) };
            self.transfer(amount, fate).await?;
            for _ in 0..2 {
                self.payment().await?;
            }
        }
        if let Some(year) = premium {
            self.premium(year).await?;
        }
        self.end_relation().await
    }

    /// Once the relation of the day is confirmed, what follows is credited at once and nothing is left to its fate.
    async fn transfer(&mut self, amount: i64, fate: Fate) -> Result<(), Gone> {
        let (sender, receiver) = (self.family.sender.clone(), self.family.receiver.clone());
        let named = json!({ "name": receiver.name, "id_number": receiver.id_number });
        let bound = json!({ "receiver": named, "amount": yuan(amount), "source": "personal_account" });
        let proving = json!({ "method": "password", "password": sender.password, "for": { "transfer": bound } });
        let proof = self.ask(Method::POST, "/proofs", &sender.token, Some(proving), false).await?.done()["proof"].clone();
        let body = json!({ "receiver": named, "relation": self.family.cast.relation, "amount": yuan(amount), "source": "personal_account", "proof": proof });
        let id = self.post("/transfers", &sender.token, body).await?.done()["id"].as_str().unwrap().to_owned();
        self.expected.sender_personal -= amount;
        self.is_open = true;
        let state = self.settled(&id, &["awaiting_recipient", "credited"]).await?;
        self.is_open = false;
        if state == "credited" {
            self.credited(id, amount);
            return Ok(());
        }
        self.expected.transfers.insert(id.clone(), (amount, "awaiting_recipient"));
        let (verb, who, then) = match fate {
            Fate::Accept => ("accept", &receiver, "credited"),
            Fate::Decline => ("decline", &receiver, "declined"),
            Fate::Cancel => ("cancel", &sender, "cancelled"),
        };
        let answer = self.post(&format!("/transfers/{id}/{verb}"), &who.token, json!({})).await?.done();
        assert_eq!(answer["state"], then, "{answer}");
        if fate == Fate::Accept {
            self.credited(id.clone(), amount);
        } else {
            self.expected.sender_personal += amount;
            self.expected.transfers.insert(id.clone(), (amount, then));
        }
        // One at a time: the sender's side has to hear of it before the next one.
        self.settled(&id, &[then]).await?;
        Ok(())
    }

    fn credited(&mut self, id: String, amount: i64) {
        self.expected.receiver_wallet += amount;
        self.expected.transfers.insert(id, (amount, "credited"));
    }

    /// Looks until the sender sees one of these states.
    async fn settled(&mut self, id: &str, wanted: &[&str]) -> Result<String, Gone> {
        let token = self.family.sender.token.clone();
        for _ in 0..LOOKS_MAX {
            let state = self.get(&format!("/transfers/{id}"), &token).await?["state"].as_str().unwrap().to_owned();
            if wanted.contains(&state.as_str()) {
                return Ok(state);
            }
        }
        panic!("transfer {id} never came to {wanted:?}")
    }

    /// A code for the QR picture. Where a crash took the answer the code is lost for good, and a new one is asked for.
    async fn code(&mut self) -> Result<String, Gone> {
        let token = self.family.receiver.token.clone();
        for _ in 0..2 {
            let answer = self.post("/payment-codes", &token, json!({ "first": "wallet_only" })).await?;
            if answer.is_done() {
                return Ok(answer.done()["code"].as_str().unwrap().to_owned());
            }
            assert_eq!(answer.code(), "CODE_SHOWN_ONCE", "{answer:?}");
        }
        panic!("two codes in a row were shown before")
    }

    async fn payment(&mut self) -> Result<(), Gone> {
        let (till, receiver) = (self.family.till.clone(), self.family.receiver.clone());
        let (own, fund) = (self.random.fen(20, 150), self.random.fen(0, 900));
        let number = format!("{}-D{}-{}", self.family.seed % 1_000, self.number, self.expected.orders.len() + 1);
        let payer = if self.random.below(8) == 0 {
            json!({ "keypad": { "id_number": receiver.id_number, "password": receiver.password, "first": "wallet_only" } })
        } else {
            json!({ "code": self.code().await? })
        };
        let bill = json!({ "total": yuan(own + fund), "fund": yuan(fund), "own": yuan(own) });
        let held = self.post("/institutions/payments", &till, json!({ "order_no": number, "payer": payer, "bill": bill })).await?.done();
        assert_eq!(fen(&held["held"]), own);
        let payment = held["payment"].as_str().unwrap().to_owned();
        let path = format!("/institutions/payments/{payment}");
        self.expected.receiver_wallet -= own;
        self.expected.orders.insert(number.clone(), Order { payment, state: "held", held: own, captured: 0, refunded: 0, refunds: 0 });
        match self.random.below(8) {
            0 => {
                self.post(&format!("{path}/void"), &till, json!({})).await?.done();
                self.changed(&number, |order| order.state = "voided", own);
            }
            1 => self.reverse(&number).await?,
            choice => {
                let (part, rest) = (own / 3, self.random.fen(0, own - own / 3 - 1).max(1));
                self.post(&format!("{path}/capture"), &till, json!({ "amount": yuan(part) })).await?.done();
                self.changed(&number, |order| (order.state, order.captured) = ("partly_captured", part), 0);
                if choice == 2 {
                    return self.reverse(&number).await;
                }
                self.post(&format!("{path}/capture"), &till, json!({ "amount": yuan(rest), "last": true })).await?.done();
                self.changed(&number, |order| (order.state, order.captured) = ("captured", part + rest), own - part - rest);
                if choice == 3 {
                    return self.reverse(&number).await;
                }
                let back = self.random.fen(1, part + rest);
                let answer = self.post(&format!("{path}/refund"), &till, json!({ "amount": yuan(back) })).await?.done();
                self.changed(&number, |order| (order.refunded, order.refunds) = (back, 1), back);
                assert_eq!((fen(&answer["captured"]), fen(&answer["refunded"])), (part + rest, back));
            }
        }
        Ok(())
    }

    fn changed(&mut self, number: &str, change: impl FnOnce(&mut Order), into_wallet: i64) {
        change(self.expected.orders.get_mut(number).expect("it was placed"));
        self.expected.receiver_wallet += into_wallet;
    }

    /// Undoes an order by its number: what is held is released, what was captured is refunded.
    async fn reverse(&mut self, number: &str) -> Result<(), Gone> {
        let till = self.family.till.clone();
        let answer = self.post(&format!("/institutions/payments/by-order/{number}/reverse"), &till, json!({})).await?.done();
        assert_eq!(answer["outcome"], "reversed");
        let order = &self.expected.orders[number];
        let back = order.held - if order.state == "captured" { order.held - order.captured } else { 0 };
        self.changed(
            number,
            |order| {
                order.refunds += usize::from(order.captured > order.refunded);
                order.refunded = order.captured;
                order.state = "reversed";
            },
            back,
        );
        Ok(())
    }

    async fn premium(&mut self, year: u16) -> Result<(), Gone> {
        let receiver = self.family.receiver.clone();
        let what = json!({ "insured": receiver.id, "area": self.family.cast.place, "year": year });
        let proving = json!({ "method": "password", "password": receiver.password, "for": { "premium": what } });
        let proof = self.ask(Method::POST, "/proofs", &receiver.token, Some(proving), false).await?.done()["proof"].clone();
        let body = json!({ "insured": receiver.id, "area": self.family.cast.place, "year": year, "proof": proof });
        let answer = self.post("/premiums/payments", &receiver.token, body).await?.done();
        self.expected.receiver_wallet -= fen(&answer["amount"]);
        Ok(())
    }

    /// Ends the relation from the receiver's side and waits until the sender's side has heard of it. A quota goes back with it.
    async fn end_relation(&mut self) -> Result<(), Gone> {
        let (sender, receiver) = (self.family.sender.clone(), self.family.receiver.clone());
        let list = self.get("/wallet/relations", &receiver.token).await?;
        let is_on =
            |list: &Value, other: &str| list["relations"].as_array().unwrap().iter().any(|one| one["person"]["id"] == other && one.get("ended_at").is_none());
        if !is_on(&list, &sender.id) {
            return Ok(());
        }
        let wallet = self.get("/wallet", &receiver.token).await?;
        let is_quota = |lot: &&Value| lot["kind"] == "quota" && lot["contributor"]["id"] == sender.id.as_str();
        let quota: i64 = wallet["lots"].as_array().unwrap().iter().filter(is_quota).map(|lot| fen(&lot["amount"])).sum();
        self.post(&format!("/wallet/relations/{}/end", sender.id), &receiver.token, json!({})).await?.done();
        self.expected.receiver_wallet -= quota;
        self.expected.sender_personal += quota;
        self.expected.came_back += quota;
        for _ in 0..LOOKS_MAX {
            if !is_on(&self.get("/wallet/relations", &sender.token).await?, &receiver.id) {
                return Ok(());
            }
        }
        panic!("{} never heard that the relation is ended", sender.name)
    }
}
