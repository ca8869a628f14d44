//! What people and institutions can do, one function each: pages, API, demo and bench all come through here.
//!
//! A service turns what was asked into a command with its idempotency key, asks the partition, and gives back the recorded outcome.

pub mod approval;
pub mod asking;
pub mod attempt;
pub mod audit_log;
pub mod clearing;
pub mod family;
pub mod feed;
pub mod key;
pub mod national;
pub mod operator;
pub mod payment;
pub mod person;
pub mod place_report;
pub mod premium;
pub mod quote;
pub mod readiness;
pub mod reconciliation;
pub mod rights;
pub mod sheet;
pub mod sign_in;
pub mod transfer;
pub mod webhook;
pub mod what_if;

use crate::app::{App, AppError};
use gongji_ledger::Part;
use gongji_wallet::{Command, Decision, Outcome, Reason, Request};
use key::IdempotencyKey;

/// A recorded outcome.
#[derive(Clone, Debug)]
pub struct Answered {
    pub outcome: Outcome,
    /// The same key and body had been answered before; this is that answer.
    pub replayed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A lawful no, with all its reasons.
    #[error("refused: {reasons:?}")]
    Refused { reasons: Vec<Reason>, replayed: bool },
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// A step in another partition is still open.
    #[error("a step in another partition is still open")]
    StillOpen,
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<Reason> for ServiceError {
    fn from(reason: Reason) -> ServiceError {
        ServiceError::Refused { reasons: vec![reason], replayed: false }
    }
}

impl From<gongji_store::Fault> for ServiceError {
    fn from(fault: gongji_store::Fault) -> ServiceError {
        ServiceError::App(fault.into())
    }
}

pub type Result<T> = std::result::Result<T, ServiceError>;

/// Asks a partition and sorts its answer.
pub async fn ask(app: &App, part: Part, key: IdempotencyKey, command: Command) -> Result<Answered> {
    let request = Request { idempotency: Some((key.key, key.fingerprint)), command };
    sort(app.engine.ask(part, request).await?.decision)
}

/// Sorts a decision into outcome and refusal.
pub fn sort(decision: Decision) -> Result<Answered> {
    let (outcome, replayed) = match decision {
        Decision::New(outcome) => (outcome, false),
        Decision::Replayed(outcome) => (outcome, true),
        Decision::KeyReused => return Err(ServiceError::KeyReused),
    };
    match outcome {
        Outcome::Refused(reasons) => Err(ServiceError::Refused { reasons, replayed }),
        outcome => Ok(Answered { outcome, replayed }),
    }
}
