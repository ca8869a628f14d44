//! What the cases share: an institution's software, and the phone of somebody who pays.

use super::Checked;
use super::client::{Answer, Client, Message, is, money};
use super::keys::{Keys, Payer, Signer};
use anyhow::Context;
use gongji_files::signature::SigningKey;
use gongji_store::seal::random;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};

pub const DOOR: &str = "/api/v1/institutions";
pub const PAYMENTS: &str = "/api/v1/institutions/payments";

/// What the payer must have at least, in each purse (fen).
const MONEY_MIN: i64 = 5_000;

pub struct Kit {
    pub client: Client,
    pub us: Signer,
    pub other: Signer,
    pub elsewhere: Signer,
    pub revoked: SigningKey,
    pub payer: Payer,
    /// Session of the payer's phone.
    session: String,
    /// The operator's sign-in at the national gateway, once there is one.
    pub sign_no: RefCell<Option<String>>,
    /// Of this run, in all numbers that it makes.
    run: String,
    /// A time of day that the numbers of this run's messages carry.
    time: String,
    /// The sandbox's day, as `20261123`.
    pub day: String,
    count: Cell<u32>,
    /// Order numbers of the case under way.
    numbers: RefCell<Vec<String>>,
}

/// A bill whose money is held.
pub struct Held {
    pub number: String,
    pub payment: String,
    pub key: String,
    pub body: Value,
    pub answer: Answer,
}

impl Kit {
    /// Logs the payer in and looks whether there is money to play with.
    ///
    /// # Errors
    /// The server does not answer, or the payer cannot pay there.
    pub async fn open(target: &str, keys: Keys) -> anyhow::Result<Kit> {
        let Keys { institution: us, other, elsewhere, revoked, platform, payer } = keys;
        let client = Client::new(target, platform)?;
        let login = Message::post("/api/v1/sessions", &json!({ "id_number": payer.id_number, "password": payer.password }));
        let answer = client.send(&login).await.answer().map_err(anyhow::Error::msg).with_context(|| format!("{target} 连不上"))?;
        let session = answer.ok(201).and_then(|answer| answer.text("/token")).map_err(anyhow::Error::msg).context("付款人登录不了")?;
        let clock =
            client.send(&Message::get("/api/v1/sandbox/clock")).await.answer().and_then(|answer| answer.ok(200)?.text("/now")).map_err(anyhow::Error::msg)?;
        let day: String = clock.chars().take(10).filter(char::is_ascii_digit).collect();
        anyhow::ensure!(day.len() == 8, "沙箱的时钟读不懂:{clock}");
        let [hour, minute, second] = random::<3>();
        let time = format!("{:02}{:02}{:02}", hour % 24, minute % 60, second % 60);
        let run: String = random::<4>().iter().map(|byte| format!("{byte:02X}")).collect();
        let (count, numbers) = (Cell::new(0), RefCell::default());
        let kit = Kit { client, us, other, elsewhere, revoked, payer, session, run, time, day, count, numbers, sign_no: RefCell::default() };
        let (personal, wallet) = kit.has().await.map_err(anyhow::Error::msg)?;
        anyhow::ensure!(
            personal >= MONEY_MIN && wallet >= MONEY_MIN,
            "付款人 {} 的个人账户和钱包里各要有至少 50 元才能测。沙箱不要用 --no-history,或换一个新的数据目录。",
            kit.payer.name
        );
        Ok(kit)
    }

    pub fn begin(&self) {
        self.client.begin();
        self.numbers.borrow_mut().clear();
    }

    pub fn exchanges(&self) -> Vec<String> {
        self.client.exchanges()
    }

    /// Whatever the case has held or taken goes back, so that a run can be repeated. What cannot be given back shows in the next case.
    pub async fn give_back(&self) {
        let numbers = self.numbers.take();
        for number in numbers {
            let _ = self.post(&format!("{PAYMENTS}/by-order/{number}/reverse"), &json!({})).await;
        }
    }

    fn next(&self) -> u32 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    /// An order number that was never used; its money goes back when the case ends.
    pub fn number(&self) -> String {
        let number = format!("CK{}-{}", self.run, self.next());
        self.numbers.borrow_mut().push(number.clone());
        number
    }

    /// An idempotency key that was never used.
    pub fn key(&self) -> String {
        format!("ck-{}-{}", self.run, self.next())
    }

    /// A message number of the gateway that was never used; what is settled under it goes back when the case ends.
    pub fn msgid(&self) -> String {
        let msgid = format!("{}{}{}{:04}", self.us.code, self.day, self.time, self.next() % 10_000);
        self.numbers.borrow_mut().push(msgid.clone());
        msgid
    }

    // --- the payer's phone ---

    async fn phone(&self, message: Message) -> Checked<Answer> {
        self.client.send(&message.header("authorization", &format!("Bearer {}", self.session))).await.answer()
    }

    /// A fresh payment code: the personal account first, then the wallet.
    pub async fn code(&self) -> Checked<String> {
        self.code_with("personal_account").await
    }

    pub async fn code_with(&self, first: &str) -> Checked<String> {
        let message = Message::post("/api/v1/payment-codes", &json!({ "first": first })).key(&self.key());
        self.phone(message).await?.ok(201)?.text("/code")
    }

    /// What is free in the payer's personal account and wallet (fen).
    pub async fn has(&self) -> Checked<(i64, i64)> {
        let wallet = self.phone(Message::get("/api/v1/wallet")).await?.ok(200)?;
        let accounts = wallet.at("/personal_accounts").as_array().cloned().unwrap_or_default();
        let current = accounts.iter().find(|account| account["is_current"] == true);
        Ok((current.and_then(|account| account["balance"]["amount"].as_i64()).unwrap_or(0), wallet.fen("/balance")?))
    }

    /// Runs `work` and checks that the payer's free money has changed by exactly so much (fen) in all.
    pub async fn moved(&self, before: (i64, i64), by: i64) -> Checked {
        let after = self.has().await?;
        let found = after.0 + after.1 - before.0 - before.1;
        is(found == by, format!("付款人的钱应该变动 {by} 分,实际变动 {found} 分"))
    }

    // --- the institution's software ---

    /// A message signed by the institution.
    pub fn signed(&self, message: Message) -> Message {
        message.signed(&self.us.ed25519, &self.client.authority)
    }

    pub async fn send(&self, message: Message) -> Checked<Answer> {
        self.client.send(&self.signed(message)).await.answer()
    }

    pub async fn send_as(&self, who: &Signer, message: Message) -> Checked<Answer> {
        self.client.send(&message.signed(&who.ed25519, &self.client.authority)).await.answer()
    }

    pub async fn get(&self, path: &str) -> Checked<Answer> {
        self.send(Message::get(path)).await
    }

    /// With a fresh key.
    pub async fn post(&self, path: &str, body: &Value) -> Checked<Answer> {
        self.post_keyed(&self.key(), path, body).await
    }

    pub async fn post_keyed(&self, key: &str, path: &str, body: &Value) -> Checked<Answer> {
        self.send(Message::post(path, body).key(key)).await
    }

    pub async fn by_order(&self, number: &str) -> Checked<Answer> {
        self.get(&by_order(number)).await
    }

    /// Holds `own` fen of a fresh bill, of which the fund bears 20 yuan more.
    pub async fn hold(&self, own: i64) -> Checked<Held> {
        let code = self.code().await?;
        self.hold_with(&code, own).await
    }

    pub async fn hold_with(&self, code: &str, own: i64) -> Checked<Held> {
        let (number, key) = (self.number(), self.key());
        let body = order(&number, code, own);
        let answer = self.post_keyed(&key, PAYMENTS, &body).await?.ok(201)?;
        let payment = answer.text("/payment")?;
        Ok(Held { number, payment, key, body, answer })
    }

    /// Holds and captures everything.
    pub async fn captured(&self, own: i64) -> Checked<Held> {
        let held = self.hold(own).await?;
        self.post(&held.step("capture"), &json!({})).await?.ok(200)?.has(&[("/state", json!("captured"))])?;
        Ok(held)
    }

    pub async fn reverse(&self, number: &str) -> Checked<Answer> {
        self.post(&reverse(number), &json!({})).await
    }
}

impl Held {
    pub fn step(&self, verb: &str) -> String {
        format!("{PAYMENTS}/{}/{verb}", self.payment)
    }
}

pub fn by_order(number: &str) -> String {
    format!("{PAYMENTS}/by-order/{number}")
}

pub fn reverse(number: &str) -> String {
    format!("{PAYMENTS}/by-order/{number}/reverse")
}

/// A bill of which the fund bears 20 yuan.
pub fn bill(own: i64) -> Value {
    json!({ "total": money(own + 2_000), "fund": money(2_000), "own": money(own) })
}

pub fn order(number: &str, code: &str, own: i64) -> Value {
    json!({ "order_no": number, "payer": { "code": code }, "bill": bill(own) })
}

/// Only the amount, or nothing: what a capture or refund asks for.
pub fn amount(fen: i64) -> Value {
    json!({ "amount": money(fen) })
}
