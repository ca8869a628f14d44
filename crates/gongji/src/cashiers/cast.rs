//! Who takes part: tills with their keys, and people with money who may pay there.

use super::book::{Book, Entry};
use super::story::Story;
use super::{Dice, Plan};
use crate::demo::client::{Answer, Caller, Client, Signer, fen, text};
use anyhow::{bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Whoever has less does not get through a busy day (fen).
const MONEY_MIN: i64 = 100_000;

/// An institution's till.
#[derive(Clone)]
pub struct Till {
    pub code: String,
    pub name: String,
    /// Its bearer key, where it does not sign.
    key: String,
    signer: Option<Signer>,
}

impl Till {
    pub fn caller<'a>(&self, client: &'a Client) -> Caller<'a> {
        match &self.signer {
            Some(signer) => client.signed_by(signer),
            None => client.with(&self.key),
        }
    }

    pub(super) fn signs_with(&mut self, signer: Signer) {
        self.signer = Some(signer);
    }

    /// "签名 sm2", or "机构密钥".
    pub fn way(&self) -> String {
        self.signer.as_ref().map_or_else(|| "机构密钥".to_owned(), |signer| format!("签名 {}", signer.key.profile().as_str()))
    }
}

/// Somebody who pays.
#[derive(Clone)]
pub struct Payer {
    pub id_number: String,
    pub password: String,
    token: String,
}

/// The tills of one area and the people whose wallets are used there.
pub struct Crew {
    pub(super) stage: Arc<Stage>,
    area: String,
    pub tills: Vec<Till>,
    payers: Vec<Payer>,
    /// A till of another area, where these wallets do not pay.
    pub(super) foreign: Option<Till>,
    pub(super) dice: Dice,
    pub book: Book,
    pub played: BTreeMap<Story, usize>,
    /// Codes that were taken out an hour ago.
    pub(super) old_codes: Vec<String>,
    /// Orders for the next day: till, number, payment, what is to happen.
    pub(super) left_over: Vec<(Till, String, String, Story)>,
    orders: usize,
}

/// Where it is played.
pub(super) struct Stage {
    pub client: Client,
    origin: String,
    run: String,
}

/// Finds institutions with keys and people with money for them, area by area, until there are enough.
pub async fn gather(client: &Client, plan: &Plan, run: &str) -> anyhow::Result<Vec<Crew>> {
    let stage = Arc::new(Stage { client: Client::new(&plan.target)?, origin: plan.target.clone(), run: run.to_owned() });
    let anybody = client.anybody();
    let mut tills: BTreeMap<String, Vec<Till>> = BTreeMap::new();
    for one in rows(anybody.get("/sandbox/institutions").await?, "institutions")? {
        let code = text(&one["code"]);
        let till = Till { name: text(&one["name"]), key: text(&one["key"]), signer: None, code };
        let place = anybody.get(&format!("/institutions/{}", till.code)).await?.ok()?;
        if place["readiness"] != "off" {
            tills.entry(text(&place["area"]["code"])).or_default().push(till);
        }
    }
    let mut crews: Vec<Crew> = Vec::new();
    for login in rows(anybody.get("/sandbox/logins").await?, "logins")? {
        let enough = crews.iter().map(|crew| crew.tills.len()).sum::<usize>() >= plan.institutions;
        if enough {
            break;
        }
        let Some((payer, area)) = ready_payer(client, &login).await? else { continue };
        if let Some(crew) = crews.iter_mut().find(|crew| crew.area == area) {
            crew.payers.push(payer);
        } else if let Some(own) = tills.remove(&area) {
            let left = plan.institutions - crews.iter().map(|crew| crew.tills.len()).sum::<usize>();
            let dice = Dice(plan.seed ^ area.parse::<u64>().unwrap_or_default());
            crews.push(Crew {
                stage: Arc::clone(&stage),
                area,
                tills: own.into_iter().take(left).collect(),
                payers: vec![payer],
                foreign: None,
                dice,
                book: Book::default(),
                played: BTreeMap::new(),
                old_codes: Vec::new(),
                left_over: Vec::new(),
                orders: 0,
            });
        }
    }
    ensure!(!crews.is_empty(), "沙箱里没有人有钱可付;换一个新的沙箱再试。");
    if let Some(signing) = &plan.signing {
        signing.hand_out(crews.iter_mut().flat_map(|crew| &mut crew.tills))?;
    }
    let first: Vec<Till> = crews.iter().map(|crew| crew.tills[0].clone()).collect();
    for (nth, crew) in crews.iter_mut().enumerate() {
        crew.foreign = (first.len() > 1).then(|| first[(nth + 1) % first.len()].clone());
    }
    Ok(crews)
}

fn rows(answer: Answer, field: &str) -> anyhow::Result<Vec<Value>> {
    Ok(answer.ok()?[field].as_array().cloned().unwrap_or_default())
}

/// Logs somebody in, opens the wallet where the person is insured, and looks whether there is money. `None`: not fit for a busy day.
async fn ready_payer(client: &Client, login: &Value) -> anyhow::Result<Option<(Payer, String)>> {
    let (id_number, password) = (text(&login["id_number"]), text(&login["password"]));
    let session = client.anybody().post("/sessions", json!({ "id_number": id_number, "password": password })).await?;
    // Whoever tried the sandbox may have changed the password.
    let Ok(session) = session.ok() else { return Ok(None) };
    let token = text(&session["token"]);
    let caller = client.with(&token);
    let wallet = caller.get("/wallet").await?.ok()?;
    let current = wallet["personal_accounts"].as_array().into_iter().flatten().find(|account| account["is_current"] == true).cloned().unwrap_or_default();
    let own = current["balance"]["amount"].as_i64().unwrap_or_default();
    let mut area = text(&wallet["place"]["code"]);
    if own + fen(&wallet["balance"]).max(0) < MONEY_MIN || wallet["frozen_since"].is_string() {
        return Ok(None);
    }
    if wallet["is_open"] != true {
        area = text(&current["area"]["code"]);
        if caller.post("/wallet", json!({ "place": area })).await?.ok().is_err() {
            return Ok(None);
        }
    }
    Ok(Some((Payer { id_number, password, token }, area)))
}

impl Crew {
    /// A till, and a fresh order number for it.
    pub(super) fn order(&mut self) -> (Till, String) {
        let till = self.tills[self.dice.roll(self.tills.len() as u64) as usize].clone();
        (till, self.number())
    }

    pub(super) fn number(&mut self) -> String {
        self.orders += 1;
        format!("{}-{}-{:04}", self.stage.run, self.area, self.orders)
    }

    pub(super) fn payer(&mut self) -> Payer {
        self.payers[self.dice.roll(self.payers.len() as u64) as usize].clone()
    }

    /// A bill with a small own share: (body, own).
    pub(super) fn bill(&mut self) -> (Value, i64) {
        let (own, fund, institution) = (self.dice.between(100, 2_000), self.dice.between(0, 6_000), self.dice.between(0, 300));
        (bill(own, fund, institution, own + fund + institution), own)
    }

    pub(super) async fn code(&mut self, payer: &Payer) -> anyhow::Result<String> {
        let caller = self.stage.client.with(&payer.token);
        Ok(text(&caller.post("/payment-codes", json!({ "first": "personal_account" })).await?.ok()?["code"]))
    }

    /// Before the clock moves on: one code for each story of the coming hour that needs an old one.
    pub async fn take_codes_early(&mut self, stories: &[Story]) -> anyhow::Result<()> {
        self.old_codes.clear();
        for _ in stories.iter().filter(|story| **story == Story::OldCode) {
            let payer = self.payer();
            let code = self.code(&payer).await?;
            self.old_codes.push(code);
        }
        Ok(())
    }

    pub async fn play(mut self, stories: Vec<Story>) -> anyhow::Result<Crew> {
        for story in stories {
            if let Err(error) = self.tell(story).await {
                bail!("“{}”没有按规矩走:{error:#}", story.label());
            }
            *self.played.entry(story).or_default() += 1;
        }
        Ok(self)
    }

    /// Sends a request and hangs up before the answer: nobody knows what became of it.
    pub(super) async fn lose(&self, till: &Till, path: &str, key: &str, body: &Value) -> anyhow::Result<()> {
        let address = self.stage.origin.trim_start_matches("http://").trim_end_matches('/');
        let headers = match &till.signer {
            Some(signer) => signer.message(address, path, Some(key), Some(body)).headers,
            None => [("content-type", "application/json"), ("idempotency-key", key), ("authorization", &format!("Bearer {}", till.key))]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        };
        let body = body.to_string();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("POST /api/v1{path} HTTP/1.1\r\nhost: {address}\r\n{lines}content-length: {}\r\n\r\n", body.len());
        let mut socket = tokio::net::TcpStream::connect(address).await?;
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(body.as_bytes()).await?;
        socket.flush().await?;
        Ok(())
    }

    pub(super) async fn post(&self, till: &Till, path: &str, key: &str, body: Value) -> anyhow::Result<Answer> {
        till.caller(&self.stage.client).post_keyed(path, key, body).await
    }

    /// What the platform says of an order; `None`: nothing.
    pub(super) async fn by_order(&self, till: &Till, order_no: &str) -> anyhow::Result<Option<Value>> {
        let answer = till.caller(&self.stage.client).get(&format!("/institutions/payments/by-order/{order_no}")).await?;
        if answer.status == 404 { Ok(None) } else { answer.ok().map(Some) }
    }

    pub(super) fn write(&mut self, till: &Till, order_no: &str, entry: Entry) {
        self.book.put(till, order_no, entry);
    }
}

pub fn bill(own: i64, fund: i64, institution: i64, total: i64) -> Value {
    let money = crate::demo::client::money;
    json!({ "total": money(total), "fund": money(fund), "own": money(own), "institution": money(institution) })
}
