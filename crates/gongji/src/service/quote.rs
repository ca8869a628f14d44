//! What a payment code would pay here: looked at, never used. Information alone; only a hold guarantees it.

use super::payment::parse_code;
use super::{Result, ServiceError};
use crate::app::App;
use gongji_ledger::{Fen, HolderId, InstitutionId, Lot};
use gongji_store::seal::{equal_in_constant_time, from_base64url, to_base64url};
use gongji_wallet::Reason;
use gongji_wallet::day::day_of;
use gongji_wallet::event::{Payer, Quote};
use gongji_wallet::ids::{CodeId, OrderId};
use gongji_wallet::object::{Bill, Code, Holder, Purse};
use gongji_wallet::payment::{bill_reasons, payer_reasons, plan};

/// A code that may pay here, and whose it is.
pub struct Shown {
    pub code: Code,
    pub payer: Holder,
}

impl Shown {
    /// How much of `own` it would pay now.
    pub fn payable(&self, own: Fen, now: i64) -> Fen {
        plan(&self.payer, own, self.code.first, now).iter().map(|(_, lot)| lot.amount).sum()
    }
}

/// Looks at a code as a hold would, and leaves it unused.
///
/// # Errors
/// The reasons for which every hold with it would be refused here and now.
pub fn look(app: &App, institution: InstitutionId, text: &str) -> Result<Shown> {
    let (part, id) = parse_code(text).ok_or(Reason::CodeUnknown)?;
    let code = app.engine.code(part, id)?.ok_or(Reason::CodeUnknown)?;
    if code.used.is_some() {
        return Err(Reason::CodeUsed.into());
    }
    let payer = app.engine.holder(code.holder)?.ok_or(Reason::CodeUnknown)?;
    if app.now() >= code.expires || payer.code != Some(id) || !payer.may_act(code.by) {
        return Err(Reason::CodeExpired.into());
    }
    let (mut reasons, place) = payer_reasons(&payer);
    match app.directory().institutions.get(&institution).map(|known| known.area) {
        None => reasons.push(Reason::InstitutionUnknown),
        Some(area) if payer.wallet.is_some() && place != area => reasons.push(Reason::WrongPlace { place }),
        Some(_) => {}
    }
    if reasons.is_empty() { Ok(Shown { code, payer }) } else { Err(ServiceError::Refused { reasons, replayed: false }) }
}

/// What a bill would be paid from.
pub struct Quoted {
    pub shown: Shown,
    pub bill: Bill,
    /// In the order of use.
    pub taken: Vec<(Purse, Lot)>,
    /// Version of the rules it was made under.
    pub rule: u32,
}

impl Quoted {
    pub fn personal(&self) -> Fen {
        self.sum(|purse| purse != Purse::Wallet)
    }

    pub fn wallet(&self) -> Fen {
        self.sum(|purse| purse == Purse::Wallet)
    }

    /// What is left to pay otherwise.
    pub fn cash(&self) -> Fen {
        self.bill.own - self.personal() - self.wallet()
    }

    fn sum(&self, wanted: impl Fn(Purse) -> bool) -> Fen {
        self.taken.iter().filter(|(purse, _)| wanted(*purse)).map(|(_, lot)| lot.amount).sum()
    }
}

/// Bytes of the seal inside a quote's id.
const SEAL_LEN: usize = 16;

/// A quote's id: the two sums, sealed for this institution, code and bill. Nothing is kept of it; a hold brings it back, and the commit compares.
pub fn id(app: &App, institution: InstitutionId, quoted: &Quoted) -> String {
    let split = Quote { personal: quoted.personal(), wallet: quoted.wallet() };
    let mut id = sums(&split);
    id.extend(seal(app, institution, quoted.shown.code.id, &quoted.bill, &split));
    to_base64url(&id)
}

/// The sums that a quote's id stands for.
///
/// # Errors
/// `QUOTE_STALE` where it is none of ours, or was made for another institution, code or bill.
pub fn named(app: &App, institution: InstitutionId, payer: &Payer, bill: &Bill, id: &str) -> Result<Quote> {
    let stale = || ServiceError::from(Reason::QuoteStale);
    let Payer::Code(code) = payer else { return Err(stale()) };
    let bytes = (id.len() <= 64).then(|| from_base64url(id)).flatten().ok_or_else(stale)?;
    let (personal, rest) = bytes.split_first_chunk::<8>().ok_or_else(stale)?;
    let (wallet, sealed) = rest.split_first_chunk::<8>().ok_or_else(stale)?;
    let split = Quote { personal: Fen(i64::from_be_bytes(*personal)), wallet: Fen(i64::from_be_bytes(*wallet)) };
    if equal_in_constant_time(sealed, &seal(app, institution, *code, bill, &split)) { Ok(split) } else { Err(stale()) }
}

fn sums(split: &Quote) -> Vec<u8> {
    [split.personal, split.wallet].iter().flat_map(|sum| sum.0.to_be_bytes()).collect()
}

fn seal(app: &App, institution: InstitutionId, code: CodeId, bill: &Bill, split: &Quote) -> [u8; SEAL_LEN] {
    let bill: Vec<u8> = [bill.total, bill.fund, bill.own, bill.institution].iter().flat_map(|part| part.0.to_be_bytes()).collect();
    let mac = app.vault.keys().token_mac("quote", &[&institution.0.to_be_bytes(), &code.0, &bill, &sums(split)]);
    let mut seal = [0; SEAL_LEN];
    seal.copy_from_slice(&mac[..SEAL_LEN]);
    seal
}

/// What the person behind a code would pay of a bill.
///
/// # Errors
/// As [`look`], and what stands against the bill.
pub fn quote(app: &App, institution: InstitutionId, text: &str, bill: Bill) -> Result<Quoted> {
    let reasons = bill_reasons(&app.directory(), OrderId { institution, number: [0; 16] }, &bill);
    if !reasons.is_empty() {
        return Err(ServiceError::Refused { reasons, replayed: false });
    }
    let shown = look(app, institution, text)?;
    let now = app.now();
    let place = shown.payer.wallet.as_ref().map_or(0, |wallet| wallet.place);
    let rule = app.directory().rules(place, day_of(now)).version;
    let taken = plan(&shown.payer, bill.own, shown.code.first, now);
    Ok(Quoted { shown, bill, taken, rule })
}

/// The name of a payer as a cashier may see it.
pub async fn payer_name(app: &App, payer: HolderId) -> Result<String> {
    let person = app.vault(move |vault| vault.person(payer.0)).await?;
    Ok(person.map_or_else(|| "**".to_owned(), |person| person.masked_name()))
}
