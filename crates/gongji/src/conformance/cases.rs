//! The cases, group by group. Names never change their meaning: institutions quote them.

mod codes;
mod events;
mod gateway;
mod idempotency;
mod isolation;
mod limits;
mod payments;
mod problems;
mod reversal;
mod signatures;
mod unclear;

use super::Run;

pub async fn play(run: &mut Run<'_>) {
    signatures::play(run).await;
    codes::play(run).await;
    payments::play(run).await;
    reversal::play(run).await;
    idempotency::play(run).await;
    unclear::play(run).await;
    limits::play(run).await;
    isolation::play(run).await;
    events::play(run).await;
    problems::play(run).await;
    gateway::play(run).await;
}
