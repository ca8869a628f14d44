//! What the pages remember for minutes, in memory alone.
//!
//! A payment code is stored nowhere but as a digest, yet the page that shows it is loaded again and again while the
//! cashier looks for the scanner; and a cashier's question to a relative is an offer, not a fact: the fact begins with
//! the hold. A restart forgets both, and both are simply asked for again.

use gongji_ledger::{Fen, HolderId, InstitutionId};
use gongji_wallet::object::Bill;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

/// A question to a relative is open for this long.
pub const ASK_MS: i64 = 5 * 60_000;

/// Things remembered of one kind at most; beyond that the oldest go.
const REMEMBERED_MAX: usize = 100_000;

/// Shared by all pages.
#[derive(Clone, Default)]
pub struct Recall(Arc<Inner>);

#[derive(Default)]
struct Inner {
    codes: Mutex<Memory<u64, ShownCode>>,
    asks: Mutex<Memory<[u8; 16], Ask>>,
}

/// A payment code that one session shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownCode {
    pub holder: HolderId,
    pub text: String,
    pub expires: i64,
}

/// A cashier asks: may this person, who has no phone here, pay? Answered by a relative who may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub id: [u8; 16],
    pub institution: InstitutionId,
    pub number: String,
    /// `None` where nobody can be asked; the cashier is not told.
    pub payer: Option<HolderId>,
    pub bill: Bill,
    pub partial: bool,
    pub asked_at: i64,
    pub expires: i64,
    pub answer: Option<AskAnswer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskAnswer {
    /// The hold was asked for; the order tells the rest.
    Confirmed,
    Declined,
}

impl Ask {
    pub fn is_open(&self, now: i64) -> bool {
        self.answer.is_none() && now < self.expires
    }

    pub fn own(&self) -> Fen {
        self.bill.own
    }
}

struct Memory<K, V>(HashMap<K, (i64, V)>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Memory(HashMap::new())
    }
}

impl<K: Hash + Eq + Copy, V> Memory<K, V> {
    /// Keeps a value until `ends` (ms); what has ended before `now` goes.
    fn put(&mut self, key: K, value: V, ends: i64, now: i64) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, (ends, _)| *ends > now);
        }
        if self.0.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.0.iter().min_by_key(|(_, (ends, _))| *ends).map(|(key, _)| *key)
        {
            self.0.remove(&oldest);
        }
        self.0.insert(key, (ends, value));
    }
}

impl Recall {
    /// The code that this session shows for this person now.
    pub fn code(&self, session: u64, holder: HolderId) -> Option<ShownCode> {
        let codes = self.0.codes.lock().expect("no holder of the codes panics");
        codes.0.get(&session).map(|(_, code)| code.clone()).filter(|code| code.holder == holder)
    }

    pub fn show_code(&self, session: u64, code: ShownCode, now: i64) {
        let ends = code.expires + ASK_MS;
        self.0.codes.lock().expect("no holder of the codes panics").put(session, code, ends, now);
    }

    pub fn put_ask(&self, ask: Ask, now: i64) {
        // Long enough that the cashier still sees what became of it.
        let ends = ask.expires + 12 * ASK_MS;
        self.0.asks.lock().expect("no holder of the asks panics").put(ask.id, ask, ends, now);
    }

    pub fn ask(&self, id: &[u8; 16]) -> Option<Ask> {
        self.0.asks.lock().expect("no holder of the asks panics").0.get(id).map(|(_, ask)| ask.clone())
    }

    /// The newest question of an institution's order.
    pub fn ask_of_order(&self, institution: InstitutionId, number: &str) -> Option<Ask> {
        let asks = self.0.asks.lock().expect("no holder of the asks panics");
        let of_order = asks.0.values().map(|(_, ask)| ask).filter(|ask| ask.institution == institution && ask.number == number);
        of_order.max_by_key(|ask| ask.asked_at).cloned()
    }

    /// The open questions about the people of `payers`, oldest first.
    pub fn asks_about(&self, payers: &[HolderId], now: i64) -> Vec<Ask> {
        let asks = self.0.asks.lock().expect("no holder of the asks panics");
        let about = asks.0.values().map(|(_, ask)| ask).filter(|ask| ask.is_open(now) && ask.payer.is_some_and(|payer| payers.contains(&payer)));
        let mut about: Vec<Ask> = about.cloned().collect();
        about.sort_by_key(|ask| ask.asked_at);
        about
    }

    /// Answers a question; the first answer stands.
    pub fn answer(&self, id: &[u8; 16], answer: AskAnswer) {
        if let Some((_, ask)) = self.0.asks.lock().expect("no holder of the asks panics").0.get_mut(id) {
            ask.answer.get_or_insert(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(id: u8, payer: Option<u64>) -> Ask {
        let bill = Bill { total: Fen(100), fund: Fen(0), own: Fen(100), institution: Fen(0) };
        let institution = InstitutionId(51_050_000_001);
        Ask { id: [id; 16], institution, number: "1".to_owned(), payer: payer.map(HolderId), bill, partial: false, asked_at: 0, expires: ASK_MS, answer: None }
    }

    #[test]
    fn a_question_is_open_until_it_is_answered_or_over() {
        let recall = Recall::default();
        recall.put_ask(ask(1, Some(7)), 0);
        recall.put_ask(ask(2, None), 0);
        assert_eq!(recall.asks_about(&[HolderId(7)], ASK_MS - 1).len(), 1);
        assert!(recall.asks_about(&[HolderId(7)], ASK_MS).is_empty());
        recall.answer(&[1; 16], AskAnswer::Declined);
        recall.answer(&[1; 16], AskAnswer::Confirmed);
        assert_eq!(recall.ask(&[1; 16]).and_then(|ask| ask.answer), Some(AskAnswer::Declined));
        assert!(recall.asks_about(&[HolderId(7)], 0).is_empty());
    }

    #[test]
    fn a_session_shows_its_own_code_alone() {
        let recall = Recall::default();
        recall.show_code(1, ShownCode { holder: HolderId(7), text: "X".to_owned(), expires: 60_000 }, 0);
        assert!(recall.code(1, HolderId(7)).is_some());
        assert!(recall.code(1, HolderId(8)).is_none() && recall.code(2, HolderId(7)).is_none());
    }
}
