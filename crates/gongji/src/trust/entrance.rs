//! The entrance: signed requests come in together, in one transaction of the vault for all that wait.
//!
//! A commit costs the same for one as for two hundred; and only the vault, not the memory of one process, knows every nonce and revocation.

use crate::problem::{Edge, Problem};
use gongji_store::clock::Clock;
use gongji_store::vault::{Admission, Arrival, Vault};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Requests that wait at the entrance; one more is told that we are busy.
const WAITING_MAX: usize = 4_096;

/// Requests of one transaction.
const TOGETHER_MAX: usize = 256;

/// How often nonces that count no more are forgotten (ms).
const FORGET_MS: i64 = 60_000;

struct Waiting {
    arrival: Arrival,
    answer: oneshot::Sender<Result<Admission, Problem>>,
}

pub struct Entrance(mpsc::Sender<Waiting>);

impl Entrance {
    /// Opens it; it closes when this is dropped.
    pub fn open(vault: Vault, clock: Arc<dyn Clock>) -> Entrance {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(stand(receiver, vault, clock));
        Entrance(sender)
    }

    /// Whether a request comes in.
    ///
    /// # Errors
    /// Too many wait, or the vault cannot be written: the request has not come in.
    pub async fn ask(&self, arrival: Arrival) -> Result<Admission, Problem> {
        let (answer, told) = oneshot::channel();
        self.0.try_send(Waiting { arrival, answer }).map_err(|_| Problem::from(Edge::Busy))?;
        told.await.map_err(|_| Problem::from(Edge::Unavailable))?
    }
}

async fn stand(mut receiver: mpsc::Receiver<Waiting>, vault: Vault, clock: Arc<dyn Clock>) {
    let mut forgotten_ms = 0;
    let mut waiting = Vec::with_capacity(TOGETHER_MAX);
    while receiver.recv_many(&mut waiting, TOGETHER_MAX).await > 0 {
        let (arrivals, answers): (Vec<Arrival>, Vec<_>) = waiting.drain(..).map(|waiting| (waiting.arrival, waiting.answer)).unzip();
        let (vault, now_ms) = (vault.clone(), clock.now());
        let forget = now_ms - forgotten_ms >= FORGET_MS;
        if forget {
            forgotten_ms = now_ms;
        }
        let work = tokio::task::spawn_blocking(move || {
            let admissions = vault.admit(&arrivals);
            if forget && let Err(error) = vault.forget_nonces(now_ms) {
                tracing::warn!(%error, "old nonces could not be forgotten; it is tried again in a minute");
            }
            admissions
        });
        match work.await {
            Ok(Ok(admissions)) => {
                for (answer, admission) in answers.into_iter().zip(admissions) {
                    // Whoever has gone away meanwhile is not told.
                    let _ = answer.send(Ok(admission));
                }
            }
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    Err(error) => error.to_string(),
                    Ok(Ok(_)) => unreachable!("answered above"),
                };
                tracing::error!(why, "signed requests could not be let in");
                for answer in answers {
                    let _ = answer.send(Err(Edge::Unavailable.into()));
                }
            }
        }
    }
}
