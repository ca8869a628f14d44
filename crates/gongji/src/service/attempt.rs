//! What an institution tried with a payment code and was refused. The payer stands at the counter and sees only a code: here is why it was not taken.
//!
//! Kept in memory for minutes, like the code itself; the order, where there is one, is on record.

use super::asking::Remembered;
use super::payment::Hold;
use super::{Result, ServiceError};
use crate::app::App;
use gongji_ledger::{Fen, HolderId, InstitutionId};
use gongji_wallet::Reason;
use gongji_wallet::ids::CodeId;
use std::sync::{Mutex, PoisonError};

/// An attempt can be looked up for this long (ms).
const KEPT_MS: i64 = 15 * 60_000;

/// One refused attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub institution: InstitutionId,
    /// The institution's own order number.
    pub number: String,
    /// The own share that was asked for.
    pub own: Fen,
    pub reasons: Vec<Reason>,
    /// When it was refused (ms).
    pub at: i64,
}

/// The last refused attempt with each code, of this process.
#[derive(Default)]
pub struct Attempts(Mutex<Remembered<CodeId, Attempt>>);

/// Notes a refusal, if it was about a code that exists.
pub(super) fn note(app: &App, hold: &Hold, code: CodeId, reasons: &[Reason]) -> Result<()> {
    if app.engine.code(hold.part, code)?.is_none() {
        return Ok(());
    }
    let now = app.now();
    let attempt = Attempt { institution: hold.institution, number: hold.number.clone(), own: hold.bill.own, reasons: reasons.to_vec(), at: now };
    app.attempts.0.lock().unwrap_or_else(PoisonError::into_inner).put(code, attempt, now + KEPT_MS, now);
    Ok(())
}

/// The last refused attempt with a code that `holder` was given.
pub fn of_code(app: &App, holder: HolderId, text: &str) -> Result<Option<Attempt>> {
    let Some((part, id)) = super::payment::parse_code(text) else { return Ok(None) };
    let is_own = app.engine.code(part, id).map_err(ServiceError::from)?.is_some_and(|(code, _)| code.holder == holder);
    let attempts = app.attempts.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(attempts.get(&id).filter(|attempt| is_own && app.now() - attempt.at < KEPT_MS).cloned())
}
