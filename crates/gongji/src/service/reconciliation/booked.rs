//! Our lines of a business day, from the takings of every partition.

use crate::app::App;
use crate::service::national::{letters, psn_no};
use gongji_files::reconcile::{Class, Direction, Line, Listing};
use gongji_ledger::{Fen, InstitutionId};
use gongji_store::Fault;
use gongji_wallet::day::{Day, day_of, instant};
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::{Bill, Business, Payee, Payment, PaymentState, Purpose, Taking, TakingKind};
use std::collections::BTreeMap;

/// Takings read at once.
const PAGE: usize = 500;

/// Takings of an institution that are gone through for one day: those since, and those of it.
const TAKINGS_MAX: usize = 2_000_000;

/// How payments are numbered in `setl_id`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberForm {
    /// The payment's id, as our API writes it.
    Plain,
    /// In capital letters, as the national interface has room for; a refund's with its number behind.
    Letters,
}

impl NumberForm {
    /// The form in which a list writes them.
    pub fn of(listing: &Listing) -> NumberForm {
        let first = listing.iter().find(|line| !line.settlement.is_empty()).map_or(0, |line| line.settlement.len());
        if (26..=30).contains(&first) { NumberForm::Letters } else { NumberForm::Plain }
    }
}

/// Our lines of a day and of the days around it, and when each was made (ms).
pub struct Booked {
    pub listing: Listing,
    pub at: Vec<i64>,
}

/// 清算类别 and 险种 of a payment. Who had no insurance on file when they paid counts as resident.
pub fn class_of(business: Business, insurance: u16) -> Class {
    let clr_type = match business {
        Business::Outpatient => 11,
        Business::Inpatient => 21,
        Business::Pharmacy => 41,
    };
    Class { clr_type, insutype: if insurance == 310 { 310 } else { 390 } }
}

/// Reads them; blocks.
///
/// # Errors
/// `Failed` where the institution has more takings since than are gone through.
pub fn booked(app: &App, institution: InstitutionId, day: Day, form: NumberForm) -> Result<Booked, Fault> {
    let (from, to) = (instant(day - 1, 0), instant(day + 2, 0));
    let mut booked = Booked { listing: Listing::new(), at: Vec::new() };
    let mut read = 0;
    for part in 1..=app.engine.parts() {
        // When each payment was released, if it was.
        let mut payments: BTreeMap<PaymentId, Option<i64>> = BTreeMap::new();
        let mut before: Option<Taking> = None;
        loop {
            let page = app.engine.takings(part, Payee::Institution(institution), before.as_ref(), PAGE, |taking| taking.at >= from)?;
            read += page.len();
            if read > TAKINGS_MAX {
                return Err(Fault::Failed(format!("{institution} has more than {TAKINGS_MAX} takings since that day")));
            }
            for taking in page.iter().filter(|taking| taking.at < to && taking.kind != TakingKind::Held) {
                let released = payments.entry(taking.payment).or_default();
                if taking.kind == TakingKind::Released {
                    *released = Some(taking.at);
                }
            }
            if page.len() < PAGE {
                break;
            }
            before = page.last().cloned();
        }
        for (id, released) in payments {
            let payment = app.engine.payment(id)?.ok_or_else(|| Fault::Damaged("a payment that was taken is missing".to_owned()))?;
            lines_of(app, institution, &payment, released, from..to, form, &mut booked)?;
        }
    }
    Ok(booked)
}

fn lines_of(
    app: &App,
    institution: InstitutionId,
    payment: &Payment,
    released: Option<i64>,
    span: std::ops::Range<i64>,
    form: NumberForm,
    booked: &mut Booked,
) -> Result<(), Fault> {
    let Purpose::Order { order, bill, visit, insurance, .. } = payment.purpose else { return Ok(()) };
    let number = app.engine.order(order)?.ok_or_else(|| Fault::Damaged("the order of a payment is missing".to_owned()))?.number;
    let person = psn_no(app.vault.keys(), institution, payment.holder);
    let class = class_of(visit.business, insurance);
    let settlement = match form {
        NumberForm::Plain => uuid::Uuid::from_bytes(payment.id.0).to_string(),
        NumberForm::Letters => letters(&payment.id.0),
    };
    let mut put = |at: i64, settlement: &str, direction: Direction, is_undone: bool, own: Fen, total: Fen, fund: Fen| {
        if !span.contains(&at) {
            return;
        }
        booked.listing.push(&Line {
            row: u32::try_from(booked.at.len() + 1).expect("a day has less than 2^32 lines"),
            order_no: &number,
            settlement,
            person: &person,
            direction,
            day: Some(day_of(at)),
            class: Some(class),
            is_undone,
            own,
            total: Some(total),
            fund: Some(fund),
        });
        booked.at.push(at);
    };
    if let Some(at) = undone_at(payment, released) {
        let own = if payment.captured().is_zero() { payment.amount() } else { payment.captured() };
        put(at, &settlement, Direction::Payment, true, own, bill.total, bill.fund);
        return Ok(());
    }
    for (nth, (at, amount)) in payment.captures.iter().enumerate() {
        let Bill { total, fund, .. } = if nth == 0 { bill } else { Bill { total: Fen::ZERO, fund: Fen::ZERO, ..bill } };
        put(*at, &settlement, Direction::Payment, false, *amount, total, fund);
    }
    let mut before = Fen::ZERO;
    for (nth, (at, amount)) in payment.refunds.iter().enumerate() {
        // The refund that leaves nothing takes back what is left of the bill, so that an order comes to nothing.
        let is_last = before + *amount == payment.captured() && !payment.is_open();
        let (total, fund) = if is_last { (bill.total - before, bill.fund) } else { (*amount, Fen::ZERO) };
        let settlement = match form {
            NumberForm::Plain => settlement.clone(),
            NumberForm::Letters => format!("{settlement}R{}", nth + 1),
        };
        put(*at, &settlement, Direction::Refund, false, -*amount, -total, -fund);
        before += *amount;
    }
    Ok(())
}

/// When an order came to nothing on the day it was taken: released without a capture, or reversed on the day of its captures.
fn undone_at(payment: &Payment, released: Option<i64>) -> Option<i64> {
    let first = payment.captures.first().map(|(at, _)| *at);
    let Some(first) = first else { return released.filter(|_| !payment.is_open()) };
    let is_of_day = |steps: &[(i64, Fen)]| steps.iter().all(|(at, _)| day_of(*at) == day_of(first));
    let is_undone =
        payment.state == PaymentState::Reversed && payment.refunded() == payment.captured() && is_of_day(&payment.captures) && is_of_day(&payment.refunds);
    is_undone.then_some(first)
}
