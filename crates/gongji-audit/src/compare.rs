//! Comparing the projections, row by row, in plain values; and what the projections lack.

use crate::auditor::Auditor;
use crate::books::{Books, Person, lot_subject};
use crate::finding::{At, Finding, FindingKind, Result, Subject};
use crate::wire::{Account, AreaCode, Enrolment, GrantKind, HolderId, Id, OrderId, Origin, part_of};

/// Which side of a transfer a row tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Sender,
    Receiver,
}

/// What a person's row says besides money.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonRow {
    pub holder: HolderId,
    pub died: bool,
    pub frozen: bool,
    /// Place of use; `None` without a wallet.
    pub place: Option<AreaCode>,
    pub enrolment: Option<Enrolment>,
    /// Number of the last statement line.
    pub last_line: u64,
}

/// A payment's row (fen). States by their name of the interface: `held`, `partly_captured`, …
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PaymentRow<'a> {
    pub id: Id,
    pub holder: HolderId,
    pub state: &'a str,
    pub held: i64,
    pub captured: i64,
    pub released: i64,
    pub refunded: i64,
}

/// An institution's order. States: `placed`, `held`, `refused`, `reversed_before`, `reversed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRow<'a> {
    pub part: u16,
    pub institution: u64,
    pub number: [u8; 16],
    pub payment: Id,
    pub state: &'a str,
    /// Line number of the institution's order before; 0 for none.
    pub previous: u64,
}

/// Kinds of rows that [`Auditor::missing`] looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rows {
    /// Persons with their personal accounts, lots, held and awaiting money.
    People,
    /// Accounts that are not a person's.
    Balances,
    Transfers,
    Payments,
    Orders,
    Claims,
    Answers,
    Lines,
    Takings,
    /// Which taking is each payee's last.
    Payees,
    /// Clearing periods and their marks.
    Periods,
}

impl Rows {
    pub const ALL: [Rows; 11] = [
        Rows::People,
        Rows::Balances,
        Rows::Transfers,
        Rows::Payments,
        Rows::Orders,
        Rows::Claims,
        Rows::Answers,
        Rows::Lines,
        Rows::Takings,
        Rows::Payees,
        Rows::Periods,
    ];
}

fn compare(at: At, account: Account, expected: i64, found: i64) -> Result {
    if expected == found { Ok(()) } else { Err(at.finding(FindingKind::BalanceDiffers, Subject::Account(account), expected, found)) }
}

/// Marks a row; the second of its kind is one too many.
fn mark(at: At, seen: &mut bool, subject: Subject) -> Result {
    if std::mem::replace(seen, true) { Err(at.finding(FindingKind::RowRepeated, subject, "one row", "another")) } else { Ok(()) }
}

impl Auditor {
    pub(crate) fn books_of(&mut self, part: u16, subject: Subject) -> Result<&mut Books> {
        let books = self.reading.get_mut(usize::from(part)).map(|reading| &mut reading.books);
        books.ok_or_else(|| At::part(part).finding(FindingKind::RowUnknown, subject, "no such partition", part))
    }

    fn person_of(&mut self, holder: HolderId, subject: Subject) -> Result<(At, &mut Person)> {
        let part = part_of(holder);
        match self.books_of(part, subject)?.people.get_mut(&holder) {
            Some(person) => Ok((At { part, seq: person.money_seq, stamp: 0 }, person)),
            None => Err(At::part(part).finding(FindingKind::RowUnknown, subject, "no such person", "a row")),
        }
    }

    /// A person's row: death, freeze, place of use, enrolment, last statement line.
    ///
    /// # Errors
    /// The first field that differs from the journal; likewise for every `expect_…` below.
    pub fn expect_person(&mut self, row: &PersonRow) -> Result {
        let subject = Subject::Person(row.holder);
        let (at, person) = self.person_of(row.holder, subject)?;
        let at = At { seq: person.seq, ..at };
        mark(at, &mut person.seen, subject)?;
        let own = PersonRow {
            holder: row.holder,
            died: person.died,
            frozen: person.frozen,
            place: person.place,
            enrolment: person.enrolment.clone(),
            last_line: person.last_line,
        };
        if own == *row { Ok(()) } else { Err(at.finding(FindingKind::StateDiffers, subject, format!("{own:?}"), format!("{row:?}"))) }
    }

    /// The balance of a personal account (fen).
    pub fn expect_personal(&mut self, holder: HolderId, area: AreaCode, fen: i64) -> Result {
        let account = Account::Personal { holder, area };
        let (at, person) = self.person_of(holder, Subject::Account(account))?;
        match person.personal.iter_mut().find(|personal| personal.area == area) {
            Some(personal) => {
                mark(at, &mut personal.seen, Subject::Account(account))?;
                compare(at, account, personal.balance, fen)
            }
            None => compare(at, account, 0, fen),
        }
    }

    /// One lot of a wallet. `kind`: 0 own, 1 transfer, 2 quota; `since` in ms, `fen` its amount.
    pub fn expect_wallet_lot(&mut self, holder: HolderId, contributor: HolderId, area: AreaCode, kind: u8, since: i64, fen: i64) -> Result {
        let account = Subject::Account(Account::Wallet { holder });
        let (at, person) = self.person_of(holder, account)?;
        let kind = match kind {
            0 => GrantKind::Own,
            1 => GrantKind::Transfer,
            2 => GrantKind::Quota,
            other => return Err(at.finding(FindingKind::RowUnknown, account, "a kind of grant, 0 to 2", other)),
        };
        let origin = Origin { contributor, area, kind };
        let subject = lot_subject(holder, origin);
        let Some(held) = person.lots.iter_mut().find(|held| held.lot.origin == origin) else {
            return Err(at.finding(FindingKind::RowUnknown, subject, "no such lot", format!("{fen} fen")));
        };
        mark(at, &mut held.seen, subject)?;
        if (held.lot.amount, held.lot.since) == (fen, since) {
            return Ok(());
        }
        let told = |fen: i64, since: i64| format!("{fen} fen since {since} ms");
        Err(at.finding(FindingKind::LotDiffers, subject, told(held.lot.amount, held.lot.since), told(fen, since)))
    }

    /// What payments of this person hold (fen).
    pub fn expect_held(&mut self, holder: HolderId, fen: i64) -> Result {
        let account = Account::Held { holder };
        let (at, person) = self.person_of(holder, Subject::Account(account))?;
        mark(at, &mut person.held_seen, Subject::Account(account))?;
        compare(at, account, person.held, fen)
    }

    /// What waits for this person (fen).
    pub fn expect_awaiting(&mut self, holder: HolderId, fen: i64) -> Result {
        let account = Account::Awaiting { holder };
        let (at, person) = self.person_of(holder, Subject::Account(account))?;
        mark(at, &mut person.awaiting_seen, Subject::Account(account))?;
        compare(at, account, person.awaiting, fen)
    }

    /// The balance of an account that is not a person's, in one partition (fen).
    pub fn expect_balance(&mut self, part: u16, account: Account, fen: i64) -> Result {
        let subject = Subject::Account(account);
        match self.books_of(part, subject)?.balances.get_mut(&account) {
            Some(balance) => {
                let at = At { part, seq: balance.seq, stamp: 0 };
                mark(at, &mut balance.seen, subject)?;
                compare(at, account, balance.fen, fen)
            }
            None => compare(At::part(part), account, 0, fen),
        }
    }

    /// A transfer as one side's row has it in partition `part`, by the state's name of the interface.
    pub fn expect_transfer(&mut self, part: u16, id: Id, side: Side, state: &str) -> Result {
        let subject = Subject::Transfer(id);
        let Some((outgoing, incoming, seq, seen)) = self.transfers.sides(&id) else {
            return Err(At::part(part).finding(FindingKind::RowUnknown, subject, "no such transfer", state));
        };
        let at = At { part, seq, stamp: 0 };
        let (own, seen) = match side {
            Side::Sender => (outgoing, &mut seen.outgoing),
            Side::Receiver => (incoming, &mut seen.incoming),
        };
        mark(at, seen, subject)?;
        match own {
            Some(own) if own.name() == state => Ok(()),
            Some(own) => Err(at.finding(FindingKind::StateDiffers, subject, own.name(), state)),
            None => Err(at.finding(FindingKind::RowUnknown, subject, "nothing on this side", state)),
        }
    }

    pub fn expect_payment(&mut self, row: &PaymentRow) -> Result {
        let subject = Subject::Payment(row.id);
        let part = part_of(row.holder);
        let Some(paid) = self.payments.get_mut(&row.id) else {
            return Err(At::part(part).finding(FindingKind::RowUnknown, subject, "no such payment", row.state));
        };
        let at = At { part, seq: paid.seq, stamp: 0 };
        mark(at, &mut paid.seen, subject)?;
        let own = PaymentRow {
            id: row.id,
            holder: paid.holder,
            state: paid.state.name(),
            held: paid.held,
            captured: paid.captured,
            released: paid.released,
            refunded: paid.refunded,
        };
        if own == *row {
            return Ok(());
        }
        let told = |row: &PaymentRow| format!("{} held {} captured {} released {} refunded {}", row.state, row.held, row.captured, row.released, row.refunded);
        Err(at.finding(FindingKind::StateDiffers, subject, told(&own), told(row)))
    }

    pub fn expect_order(&mut self, row: &OrderRow) -> Result {
        let id = OrderId { institution: row.institution, number: row.number };
        let subject = Subject::Order(id);
        let Some(order) = self.books_of(row.part, subject)?.orders.get_mut(&id) else {
            return Err(At::part(row.part).finding(FindingKind::RowUnknown, subject, "no such order", row.state));
        };
        let at = At { part: row.part, seq: order.seq, stamp: 0 };
        mark(at, &mut order.seen, subject)?;
        let own = OrderRow { payment: order.payment, state: order.state.name(), previous: order.previous, ..*row };
        if own == *row {
            return Ok(());
        }
        let told = |row: &OrderRow| format!("{}, payment {}, after line {}", row.state, crate::finding::hex(&row.payment), row.previous);
        Err(at.finding(FindingKind::StateDiffers, subject, told(&own), told(row)))
    }

    /// The premium of one person and year, and the payment that claimed it.
    pub fn expect_claim(&mut self, insured: HolderId, year: u16, payment: Id, fen: i64) -> Result {
        let subject = Subject::Claim { insured, year };
        let part = part_of(insured);
        let Some(claim) = self.books_of(part, subject)?.claims.get_mut(&(insured, year)) else {
            return Err(At::part(part).finding(FindingKind::RowUnknown, subject, "no such claim", fen));
        };
        let at = At { part, seq: claim.seq, stamp: 0 };
        mark(at, &mut claim.seen, subject)?;
        if (claim.payment, claim.amount) == (payment, fen) {
            return Ok(());
        }
        let told = |payment: &Id, fen: i64| format!("{fen} fen by payment {}", crate::finding::hex(payment));
        Err(at.finding(FindingKind::StateDiffers, subject, told(&claim.payment, claim.amount), told(&payment, fen)))
    }

    /// The recorded answer to a request.
    pub fn expect_answer(&mut self, part: u16, key: Id) -> Result {
        let subject = Subject::Key(key);
        match self.books_of(part, subject)?.answers.get_mut(&key) {
            Some(seen) => mark(At::part(part), seen, subject),
            None => Err(At::part(part).finding(FindingKind::RowUnknown, subject, "no such answer", "a row")),
        }
    }

    /// A partition's counters: last line, last taking, last message sent to and received from each partition.
    pub fn expect_counters(&mut self, part: u16, lines: u64, takings: u64, sent: &[(u16, u64)], received: &[(u16, u64)]) -> Result {
        let seq = self.reading.get(usize::from(part)).map_or(0, |reading| reading.seq);
        let at = At { part, seq, stamp: 0 };
        let books = self.books_of(part, Subject::Books)?;
        let (own, own_takings) = (books.lines, books.takings);
        if own != lines {
            return Err(at.finding(FindingKind::StateDiffers, Subject::Line { part, number: own.max(lines), field: "number" }, own, lines));
        }
        if own_takings != takings {
            let subject = Subject::Taking { part, number: own_takings.max(takings), field: "number" };
            return Err(at.finding(FindingKind::StateDiffers, subject, own_takings, takings));
        }
        for other in 0..self.reading.len() as u16 {
            let told = |marks: &[(u16, u64)]| marks.iter().find(|(known, _)| *known == other).map_or(0, |(_, number)| *number);
            let pairs = [(part, other, self.messages.sent(part, other), told(sent)), (other, part, self.messages.received(other, part), told(received))];
            for (from, to, expected, found) in pairs {
                if expected != found {
                    return Err(at.finding(FindingKind::StateDiffers, Subject::Message { from, to, number: expected.max(found) }, expected, found));
                }
            }
        }
        Ok(())
    }

    /// What the journal has and no row named. Accounts at zero need no row.
    ///
    /// # Errors
    /// The first missing row, by partition and number.
    pub fn missing(&self, rows: &[Rows]) -> Result {
        (0..self.reading.len() as u16).try_for_each(|part| self.missing_of(part, rows))
    }

    /// The same for one partition: its rows may be of an earlier record than those of the others, and are looked for when its reading stands there.
    pub fn missing_of(&self, part: u16, rows: &[Rows]) -> Result {
        let Some(reading) = self.reading.get(usize::from(part)) else { return Ok(()) };
        if let Some(finding) = rows.iter().find_map(|rows| missing_in(part, &reading.books, *rows)) {
            return Err(finding);
        }
        if rows.contains(&Rows::Transfers)
            && let Some((id, side)) = self.transfers.unseen(part)
        {
            return Err(At::part(part).finding(FindingKind::RowMissing, Subject::Transfer(id), side, "none"));
        }
        if rows.contains(&Rows::Periods) {
            self.missing_period(part)?;
        }
        if rows.contains(&Rows::Payments)
            && let Some((id, paid)) = self.payments.iter().filter(|(_, paid)| !paid.seen && part_of(paid.holder) == part).min_by_key(|(id, _)| **id)
        {
            let at = At { part, seq: paid.seq, stamp: 0 };
            return Err(at.finding(FindingKind::RowMissing, Subject::Payment(*id), paid.state.name(), "none"));
        }
        Ok(())
    }
}

fn missing_in(part: u16, books: &Books, rows: Rows) -> Option<Finding> {
    let lacks = |seq: u64, subject: Subject, expected: String| Some(At { part, seq, stamp: 0 }.finding(FindingKind::RowMissing, subject, expected, "none"));
    match rows {
        Rows::People => {
            let missing = books.people.iter().filter_map(|(holder, person)| Some((*holder, person.money_seq, missing_of(*holder, person)?)));
            let (_, seq, (subject, fen)) = missing.min_by_key(|(holder, ..)| *holder)?;
            lacks(seq, subject, fen.map_or_else(|| "a row".to_owned(), |fen| format!("{fen} fen")))
        }
        Rows::Balances => {
            let (account, balance) = books.balances.iter().filter(|(_, balance)| !balance.seen && balance.fen != 0).min_by_key(|(account, _)| **account)?;
            lacks(balance.seq, Subject::Account(*account), format!("{} fen", balance.fen))
        }
        Rows::Orders => {
            let (id, order) = books.orders.iter().filter(|(_, order)| !order.seen).min_by_key(|(_, order)| order.line)?;
            lacks(order.seq, Subject::Order(*id), order.state.name().to_owned())
        }
        Rows::Claims => {
            let ((insured, year), claim) = books.claims.iter().filter(|(_, claim)| !claim.seen).min_by_key(|(key, _)| **key)?;
            lacks(claim.seq, Subject::Claim { insured: *insured, year: *year }, format!("{} fen", claim.amount))
        }
        Rows::Answers => {
            let key = books.answers.iter().filter(|(_, seen)| !**seen).map(|(key, _)| *key).min()?;
            lacks(0, Subject::Key(key), "an answer".to_owned())
        }
        Rows::Lines => {
            let line = books.made.as_ref()?.front()?;
            lacks(line.seq, Subject::Line { part, number: line.number, field: "number" }, format!("{} fen", line.amount))
        }
        Rows::Takings => {
            let taking = books.made_takings.as_ref()?.front()?;
            lacks(taking.seq, Subject::Taking { part, number: taking.number, field: "number" }, format!("{:?}", taking.kind))
        }
        Rows::Payees => {
            let (_, (last, _)) = books.taken.iter().filter(|(_, (_, seen))| !seen).min_by_key(|(payee, _)| **payee)?;
            lacks(0, Subject::Taking { part, number: *last, field: "last" }, "a payee's last taking".to_owned())
        }
        Rows::Transfers | Rows::Payments | Rows::Periods => None,
    }
}

/// What of a person no row named: the person, an account with money, a lot.
fn missing_of(holder: HolderId, person: &Person) -> Option<(Subject, Option<i64>)> {
    if !person.seen {
        return Some((Subject::Person(holder), None));
    }
    if let Some(personal) = person.personal.iter().filter(|personal| !personal.seen && personal.balance != 0).min_by_key(|personal| personal.area) {
        return Some((Subject::Account(Account::Personal { holder, area: personal.area }), Some(personal.balance)));
    }
    if let Some(held) = person.lots.iter().filter(|held| !held.seen).min_by_key(|held| held.lot.origin) {
        return Some((lot_subject(holder, held.lot.origin), Some(held.lot.amount)));
    }
    if !person.held_seen && person.held != 0 {
        return Some((Subject::Account(Account::Held { holder }), Some(person.held)));
    }
    if !person.awaiting_seen && person.awaiting != 0 {
        return Some((Subject::Account(Account::Awaiting { holder }), Some(person.awaiting)));
    }
    None
}
