//! The resident premium (居民医保个人缴费), from a wallet.
//!
//! | step | partition | debit | credit |
//! | --- | --- | --- | --- |
//! | `PREMIUM_HOLD` | payer | wallet | held |
//! | claim of (person, year) | insured | – | – |
//! | `PREMIUM_CAPTURE` | payer | held | premium income of area and year |
//! | `PREMIUM_RELEASE` | payer | held | wallet |

use crate::command::{Command, premium_binding};
use crate::day::{day_of, instant};
use crate::decide::Reply;
use crate::directory::Directory;
use crate::event::{Fact, Message};
use crate::ids::{Key, PaymentId};
use crate::object::*;
use crate::payment::{emit_capture, emit_hold, new_payment, payer_reasons, plan, release};
use crate::reason::Reason;
use crate::transfer::use_proof;
use crate::work::{Stop, Work};
use gongji_ledger::{Account, AreaCode, HolderId, planted};

/// What stands against paying this premium on the payer's side, but for the proof of identity.
pub fn payer_side(payer: &Holder, directory: &Directory, insured: HolderId, area: AreaCode, year: u16, stamp: i64) -> Vec<Reason> {
    let (mut reasons, _) = payer_reasons(payer);
    let day = day_of(stamp);
    if insured != payer.id && !payer.has_confirmed(insured) {
        reasons.push(Reason::NotRelated);
    }
    match directory.premiums.get(&(area, year)) {
        None => reasons.push(Reason::PremiumUnknown),
        Some(premium) => {
            if day < premium.opens {
                reasons.push(Reason::PremiumNotOpen { opens_at: instant(premium.opens, 0) });
            }
            if day > premium.closes || (planted("last-day-is-over") && day == premium.closes) {
                reasons.push(Reason::PremiumClosed);
            }
            if insured != payer.id && !premium.relatives {
                reasons.push(Reason::PremiumNotForRelatives);
            }
            if payer.wallet.is_some() && payer.wallet_total() < premium.amount {
                reasons.push(Reason::InsufficientFunds { available: payer.wallet_total() });
            }
        }
    }
    reasons
}

pub(crate) fn pay(work: &mut Work, command: &Command) -> Result<Reply, Stop> {
    let Command::PayPremium { payment, payer, by, insured, area, year, proof } = command else { unreachable!("asked to pay a premium") };
    let (holder, insured) = (*payer, *insured);
    let mut reasons = Vec::new();
    let proof = use_proof(work, holder, *by, proof.as_ref(), premium_binding(holder, insured, *area, *year), &mut reasons)?;
    let person = work.known_holder(holder)?;
    if !person.may_act(*by) {
        return Err(Reason::NotYours.into());
    }
    reasons.extend(payer_side(&person, &work.directory, insured, *area, *year, work.stamp));
    if !reasons.is_empty() {
        return Err(Stop::Refused(reasons));
    }
    let amount = work.directory.premiums[&(*area, *year)].amount;
    let taken = plan(&person, amount, PayFirst::WalletOnly, work.stamp);
    drop(person);
    work.emit(proof.expect("a proof without objection is there"), Vec::new())?;
    let rule = work.directory.rules(*area, day_of(work.stamp)).version;
    let purpose = Purpose::Premium { insured, area: *area, year: *year };
    // It has no deadline of its own: the insured person's side answers, and nobody else can end it.
    emit_hold(work, new_payment(*payment, holder, *by, None, purpose, &taken, work.stamp, i64::MAX, rule), &taken)?;
    let claim = Claim { insured, year: *year, area: *area, amount, payer: holder, payment: *payment, at: work.stamp };
    work.send(insured.part(), Message::PremiumAsked(claim))?;
    Ok(Reply::Payment(*payment))
}

/// The insured person's side takes the claim of (person, year), once.
pub(crate) fn asked(work: &mut Work, claim: Claim) -> Result<(), Stop> {
    let (payment, payer) = (claim.payment, claim.payer);
    let person = work.holder(claim.insured)?;
    let on_file = |enrolment: Enrolment| enrolment.insurance == RESIDENT && enrolment.area == claim.area;
    let refused = match person.as_ref() {
        None => Some(Reason::PremiumNotResident),
        Some(person) if person.died || !person.enrolment.is_some_and(on_file) => Some(Reason::PremiumNotResident),
        Some(_) if planted("premium-is-paid-twice") => None,
        Some(_) => work.object(Key::Claim(claim.insured, claim.year))?.is_some().then_some(Reason::PremiumPaid),
    };
    drop(person);
    if refused.is_none() {
        work.emit(Fact::PremiumClaimed(claim), Vec::new())?;
    }
    work.send(payer.part(), Message::PremiumAnswered { payment, payer, refused })
}

pub(crate) fn answered(work: &mut Work, id: PaymentId, payer: HolderId, refused: Option<Reason>) -> Result<(), Stop> {
    let payment = work.payment(id)?.expect("a premium that was answered is held here");
    assert!(payment.holder == payer, "a premium is answered to its payer");
    let Purpose::Premium { area, year, .. } = payment.purpose else { unreachable!("a premium's payment is for a premium") };
    match refused {
        None => emit_capture(work, &payment, payment.amount(), Account::Premium { area, year }, true),
        Some(reason) => {
            work.emit(Fact::PremiumRefused { payment: id, reason }, Vec::new())?;
            if planted("refused-premium-stays-held") { Ok(()) } else { release(work, &payment, PaymentState::Refused) }
        }
    }
}
