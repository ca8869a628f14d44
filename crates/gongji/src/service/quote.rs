//! What somebody would pay here, by their code or at the keypad. Information alone; only a hold guarantees it.

use super::{Result, ServiceError, payment};
use crate::app::App;
use gongji_ledger::{Fen, HolderId, InstitutionId, Lot};
use gongji_store::seal::{equal_in_constant_time, from_base64url, to_base64url};
use gongji_wallet::Reason;
use gongji_wallet::day::day_of;
use gongji_wallet::event::{Payer, Quote};
use gongji_wallet::ids::{CodeId, OrderId};
use gongji_wallet::object::{Bill, Business, Holder, PayFirst, Purse};
use gongji_wallet::payment::{bill_reasons, payer_reasons, plan};

/// By what somebody who pays is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shower {
    Code(CodeId),
    /// With the password on the keypad.
    Person(HolderId),
}

/// Somebody who may pay here.
pub struct Shown {
    pub shower: Shower,
    pub payer: Holder,
    pub first: PayFirst,
    /// When the code ends (ms), where there is one.
    pub expires: Option<i64>,
}

impl Shown {
    /// How much of `own` they would pay now.
    pub fn payable(&self, own: Fen, now: i64) -> Fen {
        plan(&self.payer, own, self.first, now).iter().map(|(_, lot)| lot.amount).sum()
    }
}

/// Reads a code as [`payment::decode`] does, and tells whose it is.
///
/// # Errors
/// The reasons for which every hold with it would be refused here and now.
pub async fn by_code(app: &App, institution: InstitutionId, business: Option<Business>, text: &str) -> Result<Shown> {
    let (code, expires) = payment::decode(app, institution, business, text).await?;
    let payer = app.engine.holder(code.holder)?.ok_or(Reason::CodeUnknown)?;
    Ok(Shown { shower: Shower::Code(code.id), payer, first: code.first, expires: Some(expires) })
}

/// Somebody who has proved at the keypad who they are.
///
/// # Errors
/// As [`by_code`].
pub fn at_keypad(app: &App, institution: InstitutionId, holder: HolderId, first: PayFirst) -> Result<Shown> {
    let payer = app.engine.holder(holder)?.ok_or(Reason::NotFound)?;
    let (mut reasons, place) = payer_reasons(&payer);
    match app.directory().institutions.get(&institution).map(|known| known.area) {
        None => reasons.push(Reason::InstitutionUnknown),
        Some(area) if payer.wallet.is_some() && place != area => reasons.push(Reason::WrongPlace { place }),
        Some(_) => {}
    }
    let shown = Shown { shower: Shower::Person(holder), payer, first, expires: None };
    if reasons.is_empty() { Ok(shown) } else { Err(ServiceError::Refused { reasons, replayed: false }) }
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

/// A quote's id: the two sums, sealed for this institution, payer and bill. Nothing is kept of it; a hold brings it back, and the commit compares.
pub fn id(app: &App, institution: InstitutionId, quoted: &Quoted) -> String {
    let split = Quote { personal: quoted.personal(), wallet: quoted.wallet() };
    let mut id = sums(&split);
    id.extend(seal(app, institution, quoted.shown.shower, &quoted.bill, &split));
    to_base64url(&id)
}

/// The sums that a quote's id stands for.
///
/// # Errors
/// `QUOTE_STALE` where it is none of ours, or was made for another institution, code, person or bill.
pub fn named(app: &App, institution: InstitutionId, payer: &Payer, bill: &Bill, id: &str) -> Result<Quote> {
    let stale = || ServiceError::from(Reason::QuoteStale);
    let shower = match *payer {
        Payer::Code(code) => Shower::Code(code),
        Payer::Holder { holder, .. } => Shower::Person(holder),
    };
    let bytes = (id.len() <= 64).then(|| from_base64url(id)).flatten().ok_or_else(stale)?;
    let (personal, rest) = bytes.split_first_chunk::<8>().ok_or_else(stale)?;
    let (wallet, sealed) = rest.split_first_chunk::<8>().ok_or_else(stale)?;
    let split = Quote { personal: Fen(i64::from_be_bytes(*personal)), wallet: Fen(i64::from_be_bytes(*wallet)) };
    if equal_in_constant_time(sealed, &seal(app, institution, shower, bill, &split)) { Ok(split) } else { Err(stale()) }
}

fn sums(split: &Quote) -> Vec<u8> {
    [split.personal, split.wallet].iter().flat_map(|sum| sum.0.to_be_bytes()).collect()
}

fn seal(app: &App, institution: InstitutionId, shower: Shower, bill: &Bill, split: &Quote) -> [u8; SEAL_LEN] {
    let bill: Vec<u8> = [bill.total, bill.fund, bill.own, bill.institution].iter().flat_map(|part| part.0.to_be_bytes()).collect();
    let shower = match shower {
        Shower::Code(code) => code.0.to_vec(),
        Shower::Person(holder) => holder.0.to_be_bytes().to_vec(),
    };
    let mac = app.vault.keys().token_mac("quote", &[&institution.0.to_be_bytes(), &shower, &bill, &sums(split)]);
    let mut seal = [0; SEAL_LEN];
    seal.copy_from_slice(&mac[..SEAL_LEN]);
    seal
}

/// What stands against a bill, before anybody is asked who pays it.
///
/// # Errors
/// All reasons.
pub fn check_bill(app: &App, institution: InstitutionId, bill: &Bill) -> Result<()> {
    let reasons = bill_reasons(&app.directory(), OrderId { institution, number: [0; 16] }, bill);
    if reasons.is_empty() { Ok(()) } else { Err(ServiceError::Refused { reasons, replayed: false }) }
}

/// What this person would pay of a bill.
pub fn quote(app: &App, shown: Shown, bill: Bill) -> Quoted {
    let now = app.now();
    let place = shown.payer.wallet.as_ref().map_or(0, |wallet| wallet.place);
    let rule = app.directory().rules(place, day_of(now)).version;
    let taken = plan(&shown.payer, bill.own, shown.first, now);
    Quoted { shown, bill, taken, rule }
}

/// The name of a payer as a cashier may see it.
pub async fn payer_name(app: &App, payer: HolderId) -> Result<String> {
    let person = app.vault(move |vault| vault.person(payer.0)).await?;
    Ok(person.map_or_else(|| "**".to_owned(), |person| person.masked_name()))
}
