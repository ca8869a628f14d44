//! What holds over all partitions together, and the trial balance.

use crate::auditor::{Auditor, Head};
use crate::books::{OrderStep, lot_subject};
use crate::finding::{At, FindingKind, Result, Subject, hex};
use crate::payments::PaidFor;
use crate::wire::{Account, AreaCode, HolderId, Move, PaymentState, TransferState, part_of};
use std::collections::{BTreeMap, HashMap};

/// The kinds of accounts, in the order of the journal's format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AccountKind {
    Personal,
    Wallet,
    Held,
    Awaiting,
    Payable,
    Premium,
    Fund,
    Unclaimed,
    Transit,
}

impl AccountKind {
    pub const ALL: [AccountKind; 9] = [
        AccountKind::Personal,
        AccountKind::Wallet,
        AccountKind::Held,
        AccountKind::Awaiting,
        AccountKind::Payable,
        AccountKind::Premium,
        AccountKind::Fund,
        AccountKind::Unclaimed,
        AccountKind::Transit,
    ];

    pub fn of(account: Account) -> AccountKind {
        match account {
            Account::Personal { .. } => AccountKind::Personal,
            Account::Wallet { .. } => AccountKind::Wallet,
            Account::Held { .. } => AccountKind::Held,
            Account::Awaiting { .. } => AccountKind::Awaiting,
            Account::Payable { .. } => AccountKind::Payable,
            Account::Premium { .. } => AccountKind::Premium,
            Account::Fund { .. } => AccountKind::Fund,
            Account::Unclaimed { .. } => AccountKind::Unclaimed,
            Account::Transit { .. } => AccountKind::Transit,
        }
    }

    /// How a trial balance names it to people.
    pub fn zh(self) -> &'static str {
        match self {
            AccountKind::Personal => "个人账户",
            AccountKind::Wallet => "医保钱包",
            AccountKind::Held => "预占",
            AccountKind::Awaiting => "等家人接收",
            AccountKind::Payable => "应付定点机构",
            AccountKind::Premium => "居民医保个人缴费",
            AccountKind::Fund => "基金划入",
            AccountKind::Unclaimed => "无主款",
            AccountKind::Transit => "分区之间在途",
        }
    }
}

/// One row of the trial balance (fen). Credits raise what is owed to the account's owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrialLine {
    pub kind: AccountKind,
    pub debits: i128,
    pub credits: i128,
    /// Credits less debits.
    pub balance: i128,
}

/// Where the money of one origin area is now (fen, by kind of account); the row adds up to zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginTotals {
    pub area: AreaCode,
    pub by_kind: [i128; 9],
}

/// What an audit that found nothing has read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    pub records: u64,
    pub events: u64,
    pub people: u64,
    pub transfers: u64,
    pub payments: u64,
    pub lots: u64,
    /// Messages sent and not received yet.
    pub undelivered: u64,
    pub heads: Vec<Head>,
    pub trial: Vec<TrialLine>,
    pub origins: Vec<OriginTotals>,
}

/// Sums that are kept while reading, to be compared with what stands in the accounts at the end.
#[derive(Default)]
pub(crate) struct Totals {
    debits: [i128; 9],
    credits: [i128; 9],
    origins: HashMap<AreaCode, [i128; 9]>,
}

impl Totals {
    pub fn post(&mut self, posting: &Move) {
        let (from, to) = (AccountKind::of(posting.from) as usize, AccountKind::of(posting.to) as usize);
        for lot in &posting.lots {
            let amount = i128::from(lot.amount);
            self.debits[from] += amount;
            self.credits[to] += amount;
            let row = self.origins.entry(lot.origin.area).or_default();
            row[from] -= amount;
            row[to] += amount;
        }
    }
}

impl Auditor {
    /// What holds when every record of every partition has been read.
    ///
    /// # Errors
    /// The first difference: an exported head that was not reached, a message received and never sent, transit that is not the undelivered messages, held
    /// or awaiting money without its payment or transfer, a premium and its claim or an order and its payment that disagree, a sum that is not zero.
    pub fn finish(&mut self) -> Result<Summary> {
        self.check_reach()?;
        self.messages.check_all_sent()?;
        self.check_transit()?;
        self.check_awaiting()?;
        self.check_held()?;
        self.check_claims()?;
        self.check_orders()?;
        self.clearing.finish()?;
        self.check_totals()?;
        let trial = AccountKind::ALL.into_iter().map(|kind| {
            let (debits, credits) = (self.totals.debits[kind as usize], self.totals.credits[kind as usize]);
            TrialLine { kind, debits, credits, balance: credits - debits }
        });
        let mut origins: Vec<OriginTotals> = self.totals.origins.iter().map(|(area, by_kind)| OriginTotals { area: *area, by_kind: *by_kind }).collect();
        origins.sort_unstable_by_key(|row| row.area);
        let people = self.reading.iter().map(|reading| reading.books.people.len() as u64).sum();
        let lots = self.reading.iter().flat_map(|reading| reading.books.people.values()).map(|person| person.lots.len() as u64).sum();
        Ok(Summary {
            records: self.records,
            events: self.events,
            people,
            transfers: self.transfers.len(),
            payments: self.payments.len(),
            lots,
            undelivered: self.messages.undelivered(),
            heads: (0..self.reading.len()).filter_map(|part| self.head(part as u16)).collect(),
            trial: trial.collect(),
            origins,
        })
    }

    fn check_reach(&self) -> Result {
        for (part, reading) in (0_u16..).zip(&self.reading) {
            if let Some((seq, hash)) = reading.heads.first_key_value() {
                let found = format!("the journal ends at record {}", reading.seq);
                return Err(At { part, seq: *seq, stamp: 0 }.finding(FindingKind::HeadMissing, Subject::Record, hex(hash), found));
            }
            let (directory, seq) = reading.directory;
            let last = self.reading[0].seq;
            if directory > last {
                return Err(At { part, seq, stamp: 0 }.finding(FindingKind::DirectoryAhead, Subject::Record, format!("{last} or earlier"), directory));
            }
        }
        Ok(())
    }

    fn transit(&self, part: u16, with: u16) -> i128 {
        self.reading[usize::from(part)].books.balances.get(&Account::Transit { part: with }).map_or(0, |balance| balance.fen.into())
    }

    fn check_transit(&self) -> Result {
        let last = self.reading.len() as u16;
        for (part, reading) in (0_u16..).zip(&self.reading) {
            let strange = |account: &&Account| matches!(account, Account::Transit { part } if *part >= last);
            if let Some(account) = reading.books.balances.keys().filter(strange).min() {
                return Err(At::part(part).finding(FindingKind::PartUnknown, Subject::Account(*account), "a partition", "none such"));
            }
            if self.transit(part, part) != 0 {
                let subject = Subject::Account(Account::Transit { part });
                return Err(At::part(part).finding(FindingKind::TransitDiffers, subject, 0, self.transit(part, part)));
            }
            for other in part + 1..last {
                let expected = self.messages.under_way(part, other) + self.messages.under_way(other, part);
                let found = self.transit(part, other) + self.transit(other, part);
                if expected != found {
                    return Err(At::part(part).finding(FindingKind::TransitDiffers, Subject::Pair { one: part, other }, expected, found));
                }
            }
        }
        Ok(())
    }

    fn check_awaiting(&self) -> Result {
        let mut expected: HashMap<HolderId, i128> = HashMap::new();
        for (_, moving) in self.transfers.open_transfers() {
            if moving.incoming == Some(TransferState::AwaitingRecipient) {
                *expected.entry(moving.receiver).or_default() += moving.lots.iter().map(|lot| i128::from(lot.amount)).sum::<i128>();
            }
        }
        self.check_people(FindingKind::BalanceDiffers, &expected, |holder| Account::Awaiting { holder }, |person| person.awaiting)
    }

    fn check_held(&self) -> Result {
        let mut expected: HashMap<HolderId, i128> = HashMap::new();
        for (_, paid) in self.payments.iter() {
            *expected.entry(paid.holder).or_default() += i128::from(paid.remaining());
        }
        self.check_people(FindingKind::BalanceDiffers, &expected, |holder| Account::Held { holder }, |person| person.held)
    }

    fn check_people(
        &self,
        kind: FindingKind,
        expected: &HashMap<HolderId, i128>,
        account: impl Fn(HolderId) -> Account,
        balance: impl Fn(&crate::books::Person) -> i64,
    ) -> Result {
        let people = self.reading.iter().flat_map(|reading| &reading.books.people);
        let differs = people.filter_map(|(holder, person)| {
            let (expected, found) = (expected.get(holder).copied().unwrap_or(0), i128::from(balance(person)));
            (expected != found).then_some((*holder, person.money_seq, expected, found))
        });
        match differs.min() {
            None => Ok(()),
            Some((holder, seq, expected, found)) => {
                Err(At { part: part_of(holder), seq, stamp: 0 }.finding(kind, Subject::Account(account(holder)), expected, found))
            }
        }
    }

    /// Every premium that was taken is claimed at the insured person's side by that very payment, and every claim is of a premium that was not refused.
    fn check_claims(&self) -> Result {
        let mut differs = Vec::new();
        for (part, reading) in (0_u16..).zip(&self.reading) {
            for ((insured, year), claim) in &reading.books.claims {
                let holds = self.payments.get(&claim.payment).is_some_and(|paid| {
                    paid.purpose == PaidFor::Premium { insured: *insured, area: claim.area, year: *year }
                        && (paid.holder, paid.held) == (claim.payer, claim.amount)
                        && matches!(paid.state, PaymentState::Held | PaymentState::Captured)
                });
                if !holds {
                    differs.push((part, claim.seq, (*insured, *year), claim.payment, "a held or captured premium of the same amount"));
                }
            }
        }
        for (id, paid) in self.payments.iter() {
            if let (PaidFor::Premium { insured, year, .. }, PaymentState::Captured) = (paid.purpose, paid.state) {
                let claims = self.reading.get(usize::from(part_of(insured))).map(|reading| &reading.books.claims);
                if claims.and_then(|claims| claims.get(&(insured, year))).is_none_or(|claim| claim.payment != *id) {
                    differs.push((part_of(paid.holder), paid.seq, (insured, year), *id, "a claim by this payment"));
                }
            }
        }
        match differs.into_iter().min() {
            None => Ok(()),
            Some((part, seq, (insured, year), payment, expected)) => {
                let found = format!("payment {}", hex(&payment));
                Err(At { part, seq, stamp: 0 }.finding(FindingKind::ClaimDiffers, Subject::Claim { insured, year }, expected, found))
            }
        }
    }

    /// What an institution was told is held is what the payer's side holds.
    fn check_orders(&self) -> Result {
        let mut differs = Vec::new();
        for (part, reading) in (0_u16..).zip(&self.reading) {
            for (id, order) in reading.books.orders.iter().filter(|(_, order)| order.state == OrderStep::Held) {
                let paid = self.payments.get(&order.payment);
                let purpose = PaidFor::Order { institution: id.institution, number: id.number };
                if paid.is_none_or(|paid| paid.purpose != purpose || paid.held != order.held) {
                    differs.push((part, order.seq, *id, order.held, paid.map_or(0, |paid| paid.held)));
                }
            }
        }
        match differs.into_iter().min() {
            None => Ok(()),
            Some((part, seq, id, told, held)) => Err(At { part, seq, stamp: 0 }.finding(FindingKind::StateDiffers, Subject::Order(id), held, told)),
        }
    }

    /// What stands in the accounts adds up to zero, by kind to what was posted, and by origin to what was traced.
    fn check_totals(&self) -> Result {
        let mut kinds = [0_i128; 9];
        let mut origins: BTreeMap<AreaCode, [i128; 2]> = BTreeMap::new();
        for reading in &self.reading {
            for (holder, person) in &reading.books.people {
                for personal in &person.personal {
                    kinds[AccountKind::Personal as usize] += i128::from(personal.balance);
                    origins.entry(personal.area).or_default()[0] += i128::from(personal.balance);
                }
                let mut wallet = 0;
                for held in &person.lots {
                    wallet += i128::from(held.lot.amount);
                    origins.entry(held.lot.origin.area).or_default()[1] += i128::from(held.lot.amount);
                    if held.lot.amount <= 0 {
                        let at = At { part: part_of(*holder), seq: person.money_seq, stamp: 0 };
                        return Err(at.finding(FindingKind::BelowZero, lot_subject(*holder, held.lot.origin), "more than 0", held.lot.amount));
                    }
                }
                kinds[AccountKind::Wallet as usize] += wallet;
                kinds[AccountKind::Held as usize] += i128::from(person.held);
                kinds[AccountKind::Awaiting as usize] += i128::from(person.awaiting);
            }
            for (account, balance) in &reading.books.balances {
                kinds[AccountKind::of(*account) as usize] += i128::from(balance.fen);
            }
        }
        let sum: i128 = kinds.iter().sum();
        if sum != 0 {
            return Err(At::part(0).finding(FindingKind::SumNotZero, Subject::Books, 0, sum));
        }
        for kind in AccountKind::ALL {
            let posted = self.totals.credits[kind as usize] - self.totals.debits[kind as usize];
            if posted != kinds[kind as usize] {
                let found = format!("{} in {kind:?}", kinds[kind as usize]);
                return Err(At::part(0).finding(FindingKind::SumNotZero, Subject::Books, posted, found));
            }
        }
        let mut areas: Vec<AreaCode> = self.totals.origins.keys().copied().collect();
        areas.sort_unstable();
        for area in areas {
            let traced = &self.totals.origins[&area];
            let stands = origins.get(&area).copied().unwrap_or_default();
            let expected = [traced[AccountKind::Personal as usize], traced[AccountKind::Wallet as usize]];
            if expected != stands || traced.iter().sum::<i128>() != 0 {
                return Err(At::part(0).finding(FindingKind::LotsDiffer, Subject::OriginArea(area), format!("{expected:?}"), format!("{stands:?}")));
            }
        }
        Ok(())
    }
}
