//! A cashier asks a relative: may this person, who has no phone here, pay?
//!
//! A question is an offer, not a fact: the fact begins with the hold, which carries the relative's proof. So questions stand in memory
//! alone, for minutes; a restart forgets them and the cashier asks again. The cashier is answered the same whether there is such a
//! person or not, and whether anybody may act for them.

use super::family::{OnBehalfError, acting_for};
use super::key::IdempotencyKey;
use super::payment::{self, Hold};
use super::{Result, ServiceError};
use crate::app::{App, AppError};
use crate::identity::IdentityError;
use gongji_ledger::{HolderId, InstitutionId};
use gongji_store::seal::random;
use gongji_store::vault::Channel;
use gongji_wallet::citizen::CitizenNumber;
use gongji_wallet::command::keypad_binding;
use gongji_wallet::event::Payer;
use gongji_wallet::object::{Bill, Order, PayFirst};
use gongji_wallet::{Proof, Reason};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

/// A question is open for this long (ms).
pub const ASK_MS: i64 = 5 * 60_000;

/// What became of it can be looked up for this long after (ms).
const KEPT_MS: i64 = 60 * 60_000;

/// Things remembered of one kind at most; beyond that the oldest go.
const REMEMBERED_MAX: usize = 100_000;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub id: [u8; 16],
    pub institution: InstitutionId,
    /// The institution's own order number.
    pub number: String,
    /// `None` where nobody can be asked.
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

    /// What a proof of identity for this question is bound to: the order and the own share.
    ///
    /// # Errors
    /// Its number cannot be one of an order.
    pub fn binding(&self) -> std::result::Result<[u8; 16], Reason> {
        let order = payment::order_id(self.institution, &self.number).ok_or(Reason::NotFound)?;
        Ok(keypad_binding(order, self.bill.own))
    }
}

/// The questions of this process.
#[derive(Default)]
pub struct Asks(Mutex<Remembered<[u8; 16], Ask>>);

impl Asks {
    fn put(&self, ask: Ask, now: i64) {
        let ends = ask.expires + KEPT_MS;
        self.0.lock().expect("no holder of the questions panics").put(ask.id, ask, ends, now);
    }

    /// For the institution that asked.
    pub fn of_institution(&self, institution: InstitutionId, id: &[u8; 16]) -> Option<Ask> {
        self.get(id).filter(|ask| ask.institution == institution)
    }

    /// The newest question of an institution's order.
    pub fn of_order(&self, institution: InstitutionId, number: &str) -> Option<Ask> {
        let asks = self.0.lock().expect("no holder of the questions panics");
        let of_order = asks.values().filter(|ask| ask.institution == institution && ask.number == number);
        of_order.max_by_key(|ask| ask.asked_at).cloned()
    }

    fn get(&self, id: &[u8; 16]) -> Option<Ask> {
        self.0.lock().expect("no holder of the questions panics").get(id).cloned()
    }

    /// The open questions about these people, oldest first.
    fn about(&self, payers: &[HolderId], now: i64) -> Vec<Ask> {
        let asks = self.0.lock().expect("no holder of the questions panics");
        let about = asks.values().filter(|ask| ask.is_open(now) && ask.payer.is_some_and(|payer| payers.contains(&payer)));
        let mut about: Vec<Ask> = about.cloned().collect();
        about.sort_by_key(|ask| ask.asked_at);
        about
    }

    /// The first answer stands.
    fn answer(&self, id: &[u8; 16], answer: AskAnswer) {
        if let Some(ask) = self.0.lock().expect("no holder of the questions panics").get_mut(id) {
            ask.answer.get_or_insert(answer);
        }
    }
}

/// Why a question could not be put or answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<OnBehalfError> for AskError {
    fn from(error: OnBehalfError) -> AskError {
        match error {
            OnBehalfError::Identity(error) => error.into(),
            OnBehalfError::Service(error) => error.into(),
        }
    }
}

/// Puts the question to everybody who may act for the person of this number. The same order asked once more is the same question.
pub async fn ask(app: &App, institution: InstitutionId, payer: &CitizenNumber, number: &str, bill: Bill, partial: bool) -> std::result::Result<Ask, AskError> {
    let now = app.now();
    if let Some(known) = app.asks.of_order(institution, number).filter(|ask| ask.is_open(now)) {
        return Ok(known);
    }
    let wanted = payer.as_str().to_owned();
    let holder = app.vault(move |vault| vault.find_by_id_number(&wanted)).await.map_err(ServiceError::from)?;
    let holder = match holder {
        Some(holder) => app.engine.holder(HolderId(holder)).map_err(ServiceError::from)?,
        None => None,
    };
    let agents = holder.as_ref().map(|holder| holder.agents.clone()).unwrap_or_default();
    let payer = holder.filter(|_| !agents.is_empty()).map(|holder| holder.id);
    let (id, expires) = (random(), now + ASK_MS);
    let ask = Ask { id, institution, number: number.to_owned(), payer, bill, partial, asked_at: now, expires, answer: None };
    app.asks.put(ask.clone(), now);
    tell(app, &ask, agents).await?;
    Ok(ask)
}

async fn tell(app: &App, ask: &Ask, agents: Vec<HolderId>) -> std::result::Result<(), AskError> {
    let directory = app.directory();
    let place = directory.institutions.get(&ask.institution).map_or_else(|| ask.institution.to_string(), |institution| institution.name.clone());
    let sum = gongji_files::format_yuan(ask.bill.own);
    let until = crate::pages::views::format::clock(ask.expires);
    let notice = format!("家人在{place}付 {sum},等你确认\n{until} 前在钱包首页确认,不认识就不要付。\n/pay/requests/{}\nwait", uuid::Uuid::from_bytes(ask.id));
    for agent in agents {
        let (notice, at) = (notice.clone(), ask.asked_at);
        app.vault(move |vault| vault.put_message(agent.0, Channel::Notice, None, &notice, at)).await.map_err(ServiceError::from)?;
        app.identity.text(agent.0, &format!("家人在{place}付 {sum},请打开医保钱包确认。不认识就不要付。"), at).await?;
    }
    Ok(())
}

/// The open questions that wait for `agent`.
pub async fn waiting_for(app: &App, agent: HolderId) -> std::result::Result<Vec<Ask>, AskError> {
    let relatives = acting_for(app, agent).await?;
    Ok(app.asks.about(&relatives, app.now()))
}

/// A question and its payer, if `agent` may answer it.
///
/// # Errors
/// `NOT_FOUND` for everybody else.
pub async fn asked_of(app: &App, agent: HolderId, id: &[u8; 16]) -> std::result::Result<(Ask, HolderId), AskError> {
    let missing = || ServiceError::from(Reason::NotFound);
    let ask = app.asks.get(id).ok_or_else(missing)?;
    let payer = ask.payer.ok_or_else(missing)?;
    if acting_for(app, agent).await?.contains(&payer) { Ok((ask, payer)) } else { Err(missing().into()) }
}

/// The relative says yes: the bill is held, on the payer's money, in the relative's name.
pub async fn confirm(app: &App, ask: &Ask, payer: HolderId, by: HolderId, proof: Proof, key: IdempotencyKey) -> Result<(Order, bool)> {
    let side = Payer::Holder { holder: payer, by, first: PayFirst::Personal, proof };
    // The hold would refuse it too; but a refused order is over, and this one may still be confirmed rightly.
    if proof.holder != by || proof.bound != ask.binding()? {
        return Err(Reason::ProofMismatch.into());
    }
    let hold = Hold {
        institution: ask.institution,
        number: ask.number.clone(),
        payer: side,
        part: payer.part(),
        bill: ask.bill,
        partial: ask.partial,
        visit: payment::usual_visit(app, ask.institution),
        quote: None,
    };
    let held = payment::hold(app, &hold, key).await;
    // A refusal is an answer too: it stands with the order.
    if !matches!(held, Err(ServiceError::App(AppError::Fault(_) | AppError::Vault(_) | AppError::Job(_)) | ServiceError::StillOpen)) {
        app.asks.answer(&ask.id, AskAnswer::Confirmed);
    }
    held
}

/// The relative says no.
pub fn decline(app: &App, ask: &Ask) {
    app.asks.answer(&ask.id, AskAnswer::Declined);
}

/// A bounded memory of things that end.
pub struct Remembered<K, V>(HashMap<K, (i64, V)>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Remembered(HashMap::new())
    }
}

impl<K: Hash + Eq + Copy, V> Remembered<K, V> {
    /// Keeps a value until `ends` (ms); beyond the bound what has ended before `now` goes, then what ends first.
    pub fn put(&mut self, key: K, value: V, ends: i64, now: i64) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, (ends, _)| *ends > now);
        }
        if self.0.len() >= REMEMBERED_MAX
            && let Some(first) = self.0.iter().min_by_key(|(_, (ends, _))| *ends).map(|(key, _)| *key)
        {
            self.0.remove(&first);
        }
        self.0.insert(key, (ends, value));
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|(_, value)| value)
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key).map(|(_, value)| value)
    }

    fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gongji_ledger::Fen;

    fn question(id: u8, payer: Option<u64>) -> Ask {
        let bill = Bill { total: Fen(100), fund: Fen(0), own: Fen(100), institution: Fen(0) };
        let institution = InstitutionId(51_050_000_001);
        Ask { id: [id; 16], institution, number: "1".to_owned(), payer: payer.map(HolderId), bill, partial: false, asked_at: 0, expires: ASK_MS, answer: None }
    }

    #[test]
    fn a_question_is_open_until_it_is_answered_or_over() {
        let asks = Asks::default();
        asks.put(question(1, Some(7)), 0);
        asks.put(question(2, None), 0);
        assert_eq!(asks.about(&[HolderId(7)], ASK_MS - 1).len(), 1);
        assert!(asks.about(&[HolderId(7)], ASK_MS).is_empty());
        asks.answer(&[1; 16], AskAnswer::Declined);
        asks.answer(&[1; 16], AskAnswer::Confirmed);
        assert_eq!(asks.get(&[1; 16]).and_then(|ask| ask.answer), Some(AskAnswer::Declined));
        assert!(asks.about(&[HolderId(7)], 0).is_empty());
    }

    #[test]
    fn only_the_institution_that_asked_sees_it() {
        let asks = Asks::default();
        asks.put(question(1, Some(7)), 0);
        assert!(asks.of_institution(InstitutionId(51_050_000_001), &[1; 16]).is_some());
        assert!(asks.of_institution(InstitutionId(51_050_000_002), &[1; 16]).is_none());
    }

    #[test]
    fn a_proof_for_another_order_or_sum_does_not_fit() {
        let one = question(1, Some(7));
        let other = Ask { number: "2".to_owned(), ..one.clone() };
        let dearer = Ask { bill: Bill { own: Fen(101), ..one.bill }, ..one.clone() };
        assert_ne!(one.binding(), other.binding());
        assert_ne!(one.binding(), dearer.binding());
    }
}
