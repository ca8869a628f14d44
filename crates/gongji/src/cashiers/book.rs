//! What an institution believes of its orders, and whether the platform agrees.

use super::cast::Till;
use crate::demo::client::{Client, fen, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The platform's list of an institution's orders ends here; older ones are asked for one by one.
const LIST_MAX: usize = 200;

/// An order as its institution believes it to be. Money in fen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// A state's word; empty where the platform never took the order down.
    pub state: &'static str,
    pub captured: i64,
    pub refunded: i64,
    /// Still held.
    pub remaining: i64,
}

impl Entry {
    /// Refused before anything was written down: the number stays free.
    pub const NEVER: Entry = Entry { state: "", captured: 0, refunded: 0, remaining: 0 };

    pub fn closed(state: &'static str) -> Entry {
        Entry { state, ..Entry::NEVER }
    }
}

/// All orders by institution and order number.
#[derive(Default)]
pub struct Book(BTreeMap<(String, String), Entry>);

impl Book {
    pub fn put(&mut self, till: &Till, order_no: &str, entry: Entry) {
        self.0.insert((till.code.clone(), order_no.to_owned()), entry);
    }

    pub fn get(&self, till: &Till, order_no: &str) -> Entry {
        self.0.get(&(till.code.clone(), order_no.to_owned())).copied().unwrap_or(Entry::NEVER)
    }

    pub fn merge(&mut self, other: Book) {
        self.0.extend(other.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Captured and refunded of all.
    pub fn totals(&self) -> (i64, i64) {
        self.0.values().fold((0, 0), |(captured, refunded), one| (captured + one.captured, refunded + one.refunded))
    }

    /// Orders, captured and refunded of one institution.
    pub fn of(&self, code: &str) -> (usize, i64, i64) {
        let own = self.0.iter().filter(|((till, _), _)| till == code);
        own.fold((0, 0, 0), |(orders, captured, refunded), (_, one)| (orders + 1, captured + one.captured, refunded + one.refunded))
    }

    /// What the platform says otherwise: of each order by its number, of the feed of events added up, and of the list that it gives.
    pub async fn compare(&self, client: &Client, till: &Till, run: &str) -> anyhow::Result<Vec<String>> {
        let caller = till.caller(client);
        let mut differences = Vec::new();
        let mut own = BTreeSet::new();
        for ((_, order_no), entry) in self.0.iter().filter(|((code, _), _)| *code == till.code) {
            let answer = caller.get(&format!("/institutions/payments/by-order/{order_no}")).await?;
            let found = match answer.status {
                404 => "没有这一单".to_owned(),
                _ => words(&answer.ok()?),
            };
            let expected = if entry.state.is_empty() { "没有这一单".to_owned() } else { words_of(entry) };
            if found != expected {
                differences.push(format!("{} {order_no}:自己的账是“{expected}”,平台是“{found}”", till.code));
            }
            if !entry.state.is_empty() {
                own.insert(order_no.clone());
            }
        }
        differences.extend(self.compare_feed(client, till, run).await?);
        let list = caller.get(&format!("/institutions/payments?limit={LIST_MAX}")).await?.ok()?;
        let orders = list["orders"].as_array().cloned().unwrap_or_default();
        let of_run: BTreeSet<String> = orders.iter().map(|order| text(&order["order_no"])).filter(|number| number.starts_with(run)).collect();
        let is_whole = orders.len() < LIST_MAX;
        for unknown in of_run.difference(&own) {
            differences.push(format!("{} {unknown}:平台的清单里有,自己的账里没有", till.code));
        }
        for missing in own.difference(&of_run).filter(|_| is_whole) {
            differences.push(format!("{} {missing}:自己的账里有,平台的清单里没有", till.code));
        }
        Ok(differences)
    }

    /// The same by the feed of events: what was held, captured, released and refunded of each order, added up.
    async fn compare_feed(&self, client: &Client, till: &Till, run: &str) -> anyhow::Result<Vec<String>> {
        let caller = till.caller(client);
        let mut sums: BTreeMap<String, Entry> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = caller.get(&format!("/institutions/events?limit={LIST_MAX}{after}")).await?.ok()?;
            for event in page["events"].as_array().into_iter().flatten() {
                let sum = sums.entry(text(&event["order_no"])).or_insert(Entry::NEVER);
                let amount = fen(&event["amount"]);
                match event["type"].as_str().unwrap_or_default() {
                    "payment.held" => sum.remaining += amount,
                    "payment.captured" => (sum.captured, sum.remaining) = (sum.captured + amount, sum.remaining - amount),
                    "payment.released" => sum.remaining -= amount,
                    "payment.refunded" => sum.refunded += amount,
                    other => anyhow::bail!("事件流里有认不得的“{other}”"),
                }
            }
            if page["has_more"] != true {
                break;
            }
            after = format!("&after={}", text(&page["next"]));
        }
        let mut differences = Vec::new();
        let own = |order_no: &String| self.0.get(&(till.code.clone(), order_no.clone())).copied().unwrap_or(Entry::NEVER);
        let numbers = self.0.keys().filter(|(code, _)| *code == till.code).map(|(_, number)| number);
        let numbers: BTreeSet<&String> = numbers.chain(sums.keys().filter(|number| number.starts_with(run))).collect();
        for order_no in numbers {
            let (own, found) = (own(order_no), sums.get(order_no).copied().unwrap_or(Entry::NEVER));
            let (own, found) = (Entry { state: "", ..own }, Entry { state: "", ..found });
            if own != found {
                differences.push(format!("{} {order_no}:自己的账是“{}”,事件流加起来是“{}”", till.code, words_of(&own).trim(), words_of(&found).trim()));
            }
        }
        Ok(differences)
    }
}

fn words_of(entry: &Entry) -> String {
    format!("{} 收 {} 退 {} 还占着 {}", entry.state, entry.captured, entry.refunded, entry.remaining)
}

fn words(order: &Value) -> String {
    let sum = |field: &str| fen(&order[field]);
    format!("{} 收 {} 退 {} 还占着 {}", text(&order["state"]), sum("captured"), sum("refunded"), sum("remaining"))
}
