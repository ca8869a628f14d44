//! The resident premium.

use super::key::IdempotencyKey;
use super::transfer::OUTCOME_WAIT;
use super::{Answered, Result, ask};
use crate::app::App;
use gongji_ledger::{AreaCode, HolderId};
use gongji_wallet::command::premium_binding;
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::Payment;
use gongji_wallet::premium::payer_side;
use gongji_wallet::{Command, Proof, Reason};

#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub payer: HolderId,
    pub by: HolderId,
    pub insured: HolderId,
    pub area: AreaCode,
    pub year: u16,
}

impl Wish {
    pub fn binding(&self) -> [u8; 16] {
        premium_binding(self.payer, self.insured, self.area, self.year)
    }
}

/// What stands against paying, on the payer's side. It binds nobody.
pub fn preview(app: &App, wish: &Wish) -> Result<Vec<Reason>> {
    let payer = app.engine.holder(wish.payer)?.ok_or(Reason::NotFound)?;
    Ok(payer_side(&payer, &app.directory(), wish.insured, wish.area, wish.year, app.now()))
}

pub async fn pay(app: &App, wish: &Wish, proof: Option<Proof>, key: IdempotencyKey) -> Result<Answered> {
    let payment = PaymentId::new(*uuid::Uuid::now_v7().as_bytes(), wish.payer.part());
    let Wish { payer, by, insured, area, year } = *wish;
    ask(app, payer.part(), key, Command::PayPremium { payment, payer, by, insured, area, year, proof }).await
}

/// A premium payment of `payer`, after waiting a little for the insured person's side.
pub async fn payment(app: &App, payer: HolderId, id: PaymentId) -> Result<Option<Payment>> {
    let mut changes = app.engine.changes(payer.part());
    let waiting = async {
        loop {
            changes.mark_unchanged();
            match app.engine.payment(id)?.filter(|payment| payment.holder == payer) {
                Some(payment) if payment.is_open() => {}
                found => return Ok::<_, gongji_store::Fault>(found),
            }
            if changes.changed().await.is_err() {
                return app.engine.payment(id);
            }
        }
    };
    match tokio::time::timeout(OUTCOME_WAIT, waiting).await {
        Ok(found) => Ok(found?),
        Err(_) => Ok(app.engine.payment(id)?.filter(|payment| payment.holder == payer)),
    }
}
