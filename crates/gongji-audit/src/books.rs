//! Balances and lots of one partition, rebuilt posting by posting.

use crate::finding::{At, FindingKind, Result, Subject};
use crate::wire::{Account, AreaCode, Enrolment, HolderId, Id, Lot, Move, OrderId, Origin, Payee, Taking, part_of};
use std::collections::{HashMap, VecDeque};

/// A person's money.
#[derive(Default)]
pub(crate) struct Person {
    pub personal: Vec<Personal>,
    pub personal_total: i64,
    /// Place of use; `None` until the wallet is opened.
    pub place: Option<AreaCode>,
    pub lots: Vec<HeldLot>,
    /// The wallet's balance, kept apart from its lots.
    pub wallet: i64,
    pub held: i64,
    pub awaiting: i64,
    pub last_line: u64,
    pub enrolment: Option<Enrolment>,
    pub died: bool,
    pub frozen: bool,
    /// Record that said something of this person last, and the last that moved this person's money.
    pub seq: u64,
    pub money_seq: u64,
    pub seen: bool,
    pub held_seen: bool,
    pub awaiting_seen: bool,
}

pub(crate) struct Personal {
    pub area: AreaCode,
    pub balance: i64,
    pub seen: bool,
}

pub(crate) struct HeldLot {
    pub lot: Lot,
    pub seen: bool,
}

/// An account that is not a person's.
#[derive(Default)]
pub(crate) struct Balance {
    pub fen: i64,
    pub seq: u64,
    pub seen: bool,
}

pub(crate) struct OrderTrack {
    pub state: OrderStep,
    pub payment: Id,
    /// What the institution was told is held (fen).
    pub held: i64,
    pub line: u64,
    pub previous: u64,
    pub seq: u64,
    pub seen: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OrderStep {
    Placed,
    Held,
    Refused,
    ReversedBefore,
    Reversed,
    ReversedUnheard,
}

impl OrderStep {
    pub fn name(self) -> &'static str {
        match self {
            OrderStep::Placed => "placed",
            OrderStep::Held => "held",
            OrderStep::Refused => "refused",
            OrderStep::ReversedBefore => "reversed_before",
            OrderStep::Reversed => "reversed",
            OrderStep::ReversedUnheard => "reversed_unheard",
        }
    }
}

pub(crate) struct ClaimTrack {
    pub payment: Id,
    pub payer: HolderId,
    pub area: AreaCode,
    pub amount: i64,
    pub seq: u64,
    pub seen: bool,
}

/// A statement line in plain values; the auditor makes its own from the postings and compares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineRow {
    pub part: u16,
    /// The partition's line number; orders of institutions take numbers too.
    pub number: u64,
    pub holder: HolderId,
    /// The person's line before; 0 for none.
    pub previous: u64,
    /// Commit time (ms, UTC).
    pub at: i64,
    pub seq: u64,
    /// contribution 0, transfer out 1, in 2, back 3, payment hold 4, release 5, refund 6, premium hold 7, release 8, quota returned 9, came back 10.
    pub code: u8,
    /// Area of the personal account; `None` for the wallet.
    pub area: Option<AreaCode>,
    /// Signed fen.
    pub amount: i64,
    pub wallet_after: i64,
    pub personal_after: i64,
    /// Whom it is about: a person 1, an institution 2, an area 3, with the number.
    pub other: (u8, u64),
    /// Transfer or payment; zero for none.
    pub reference: Id,
    pub lots: Vec<Lot>,
}

/// How a posting reads on a statement.
#[derive(Clone, Copy)]
pub(crate) struct Caption {
    pub code: u8,
    pub other: (u8, u64),
    pub reference: Id,
}

/// The books of one partition.
#[derive(Default)]
pub(crate) struct Books {
    pub people: HashMap<HolderId, Person>,
    pub balances: HashMap<Account, Balance>,
    pub orders: HashMap<OrderId, OrderTrack>,
    pub claims: HashMap<(HolderId, u16), ClaimTrack>,
    pub answers: HashMap<Id, bool>,
    /// Number of the last movement and order line.
    pub lines: u64,
    /// Number of the last taking, and each payee's last.
    pub takings: u64,
    pub taken: HashMap<Payee, (u64, bool)>,
    /// Takings made and not compared yet; `None` where nobody will compare them.
    pub made_takings: Option<VecDeque<Taking>>,
    /// Last order line of each institution.
    pub tills: HashMap<u64, u64>,
    /// Lines made and not compared yet; `None` where nobody will compare them.
    pub made: Option<VecDeque<LineRow>>,
}

impl Books {
    pub fn person(&mut self, at: At, holder: HolderId) -> Result<&mut Person> {
        if part_of(holder) != at.part {
            return Err(at.finding(FindingKind::Elsewhere, Subject::Person(holder), at.part, part_of(holder)));
        }
        let person =
            self.people.get_mut(&holder).ok_or_else(|| at.finding(FindingKind::PersonUnknown, Subject::Person(holder), "a person on file", "nobody"))?;
        person.seq = at.seq;
        Ok(person)
    }

    /// Applies one posting: its lots leave `from` and enter `to`, and each side reads as its caption says.
    pub fn post(&mut self, at: At, posting: &Move, amount: i64, [leaves, enters]: [Option<Caption>; 2]) -> Result {
        self.change(at, posting.from, posting, -amount, leaves)?;
        self.change(at, posting.to, posting, amount, enters)
    }

    fn change(&mut self, at: At, account: Account, posting: &Move, amount: i64, caption: Option<Caption>) -> Result {
        if let Some(holder) = account.holder() {
            self.person(at, holder)?.money_seq = at.seq;
        }
        let below_zero = |balance: i64| at.finding(FindingKind::BelowZero, Subject::Account(account), "0 or more", balance);
        match account {
            Account::Personal { holder, area } => {
                let own = |lot: &&Lot| lot.origin.contributor != holder || lot.origin.area != area;
                if let Some(lot) = posting.lots.iter().find(own) {
                    let found = format!("{}-{} in {}", part_of(lot.origin.contributor), lot.origin.contributor & 0xFFFF_FFFF_FFFF, lot.origin.area);
                    return Err(at.finding(FindingKind::OriginForeign, Subject::Account(account), "the account's own person and area", found));
                }
                let person = self.person(at, holder)?;
                let place = match person.personal.iter().position(|personal| personal.area == area) {
                    Some(place) => place,
                    None => {
                        person.personal.reserve_exact(1);
                        person.personal.push(Personal { area, balance: 0, seen: false });
                        person.personal.len() - 1
                    }
                };
                let personal = &mut person.personal[place];
                at.add(account, &mut personal.balance, amount)?;
                if personal.balance < 0 {
                    return Err(below_zero(personal.balance));
                }
                at.add(account, &mut person.personal_total, amount)?;
                self.line(at, holder, Some(area), amount, posting, caption)
            }
            Account::Wallet { holder } => {
                let person = self.person(at, holder)?;
                if person.place.is_none() {
                    return Err(at.finding(FindingKind::PersonUnknown, Subject::Account(account), "an opened wallet", "none"));
                }
                at.add(account, &mut person.wallet, amount)?;
                for lot in &posting.lots {
                    person.change_lot(at, holder, lot, amount > 0)?;
                }
                if person.wallet < 0 {
                    return Err(below_zero(person.wallet));
                }
                let total: i64 = person.lots.iter().map(|held| held.lot.amount).sum();
                if total != person.wallet {
                    return Err(at.finding(FindingKind::LotsDiffer, Subject::Account(account), person.wallet, total));
                }
                self.line(at, holder, None, amount, posting, caption)
            }
            Account::Held { holder } => {
                let person = self.person(at, holder)?;
                at.add(account, &mut person.held, amount)?;
                if person.held < 0 { Err(below_zero(person.held)) } else { Ok(()) }
            }
            Account::Awaiting { holder } => {
                let person = self.person(at, holder)?;
                at.add(account, &mut person.awaiting, amount)?;
                if person.awaiting < 0 { Err(below_zero(person.awaiting)) } else { Ok(()) }
            }
            Account::Premium { .. } | Account::Unclaimed { .. } | Account::Payable { .. } | Account::Fund { .. } | Account::Transit { .. } => {
                let balance = self.balances.entry(account).or_default();
                balance.seq = at.seq;
                at.add(account, &mut balance.fen, amount)?;
                let may_be_negative = matches!(account, Account::Payable { .. } | Account::Fund { .. } | Account::Transit { .. });
                if balance.fen < 0 && !may_be_negative { Err(below_zero(balance.fen)) } else { Ok(()) }
            }
        }
    }

    fn line(&mut self, at: At, holder: HolderId, area: Option<AreaCode>, amount: i64, posting: &Move, caption: Option<Caption>) -> Result {
        let Some(caption) = caption else {
            return Err(at.finding(FindingKind::PostingsDiffer, Subject::Person(holder), "no posting of a person's money", "a posting"));
        };
        self.lines += 1;
        let number = self.lines;
        let person = self.people.get_mut(&holder).expect("a line is written for a person just changed");
        let previous = std::mem::replace(&mut person.last_line, number);
        if let Some(made) = &mut self.made {
            made.push_back(LineRow {
                part: at.part,
                number,
                holder,
                previous,
                at: at.stamp,
                seq: at.seq,
                code: caption.code,
                area,
                amount,
                wallet_after: person.wallet,
                personal_after: person.personal_total,
                other: caption.other,
                reference: caption.reference,
                lots: posting.lots.clone(),
            });
        }
        Ok(())
    }
}

impl Person {
    /// Lots of equal origin are one lot with the older date; one that is used up is gone.
    fn change_lot(&mut self, at: At, holder: HolderId, lot: &Lot, enters: bool) -> Result {
        let account = Account::Wallet { holder };
        let place = self.lots.iter().position(|own| own.lot.origin == lot.origin);
        match (place, enters) {
            (Some(place), true) => {
                let own = &mut self.lots[place].lot;
                own.since = own.since.min(lot.since);
                at.add(account, &mut own.amount, lot.amount)
            }
            (None, true) => {
                self.lots.reserve_exact(1);
                self.lots.push(HeldLot { lot: *lot, seen: false });
                Ok(())
            }
            (place, false) => {
                let held = place.map_or(0, |place| self.lots[place].lot.amount);
                let Some(place) = place.filter(|_| held >= lot.amount) else {
                    return Err(at.finding(FindingKind::LotMissing, lot_subject(holder, lot.origin), format!("{} or more", lot.amount), held));
                };
                self.lots[place].lot.amount -= lot.amount;
                if self.lots[place].lot.amount == 0 {
                    self.lots.swap_remove(place);
                }
                Ok(())
            }
        }
    }
}

pub(crate) fn lot_subject(holder: HolderId, origin: Origin) -> Subject {
    Subject::Lot { holder, origin }
}
