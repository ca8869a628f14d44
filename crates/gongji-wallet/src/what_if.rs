//! What would have been: what happened, held against a change of rules that is not published yet.
//!
//! The events of a span are taken in the order of each partition; every transfer, payment and change of place that the new rules would have refused is
//! told, with all its reasons. What is refused here does not count any more to the limits of the same day. What was refused at the time left no event
//! and is not looked at: a change that allows more shows nothing.

use crate::day::{DAY_MS, day_of};
use crate::event::{Event, Fact};
use crate::ids::{CodeId, PaymentId, TransferId};
use crate::object::{Business, DayCount, PaymentState, Purpose, TransferState};
use crate::reason::Reason;
use crate::rules::{RuleChange, Rules, Scope, Setting, resolve_with};
use crate::transfer::{amount_reasons, moment_reasons};
use gongji_ledger::{AreaCode, Fen, HolderId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Cases told one by one; all are counted.
pub const CASES_MAX: usize = 1_000;

/// What somebody did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Doing {
    Transfer,
    Payment,
    /// A change of the place of use.
    Place,
}

impl Doing {
    pub fn label(self) -> &'static str {
        match self {
            Doing::Transfer => "转账",
            Doing::Payment => "付款",
            Doing::Place => "换使用地",
        }
    }
}

/// Something that would have been refused.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    pub holder: HolderId,
    pub at: i64,
    pub doing: Doing,
    pub amount: Fen,
    pub reasons: Vec<Reason>,
}

/// What came out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    /// What was done in the span where the change would hold, by kind.
    pub seen: BTreeMap<Doing, u64>,
    pub refused: BTreeMap<Doing, u64>,
    /// By the code of the reason; one case may have several.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Money that would not have moved.
    pub amount: Fen,
    pub people: u64,
    /// The first of them.
    pub cases: Vec<Case>,
}

impl Found {
    /// Takes in what came out of another partition.
    pub fn add(&mut self, other: Found) {
        for (doing, count) in other.seen {
            *self.seen.entry(doing).or_default() += count;
        }
        for (doing, count) in other.refused {
            *self.refused.entry(doing).or_default() += count;
        }
        for (code, count) in other.reasons {
            *self.reasons.entry(code).or_default() += count;
        }
        self.amount += other.amount;
        self.people += other.people;
        self.cases.extend(other.cases);
        self.cases.truncate(CASES_MAX);
    }
}

#[derive(Default)]
struct Person {
    day: DayCount,
    pending: Vec<(TransferId, i64, Fen)>,
    place_changed_at: Option<i64>,
}

/// One partition's events after another are held against the change.
pub struct WhatIf {
    published: Vec<RuleChange>,
    change: RuleChange,
    /// Before it one only looks, so that the first day's limits are right.
    from: i64,
    people: HashMap<HolderId, Person>,
    issued: HashMap<CodeId, i64>,
    held: HashMap<PaymentId, (i64, AreaCode, Business)>,
    refused_people: BTreeSet<HolderId>,
    found: Found,
}

impl WhatIf {
    /// `published` are the rules as they stand; `change` holds here from the first day on, whenever it is meant to begin.
    pub fn new(published: &[RuleChange], change: &RuleChange, from: i64) -> WhatIf {
        WhatIf {
            published: published.to_vec(),
            change: change.clone(),
            from,
            people: HashMap::new(),
            issued: HashMap::new(),
            held: HashMap::new(),
            refused_people: BTreeSet::new(),
            found: Found::default(),
        }
    }

    /// How long before the span (ms) one has to begin to look: a day for the limits, and as long as a place must stay.
    pub fn warm_up(change: &RuleChange) -> i64 {
        let days = change.settings.iter().map(|setting| match setting {
            Setting::PlaceCooldownDays(days) => i64::from(*days),
            _ => 1,
        });
        days.max().unwrap_or(1).max(1) * DAY_MS
    }

    fn rules(&self, area: AreaCode, stamp: i64) -> Rules {
        resolve_with(&self.published, Some(&self.change), area, day_of(stamp))
    }

    /// Takes one event. `area_of`: where a person is insured.
    ///
    /// # Errors
    /// Those of `area_of`.
    pub fn event<E>(&mut self, stamp: i64, event: &Event, mut area_of: impl FnMut(HolderId) -> Result<AreaCode, E>) -> Result<(), E> {
        match &event.fact {
            Fact::TransferSubmitted(transfer) => {
                let amount = transfer.amount();
                if self.transfer(transfer.sender, amount, stamp, area_of(transfer.sender)?) {
                    self.person(transfer.sender).pending.push((transfer.id, stamp, amount));
                }
            }
            Fact::TransferMade { .. } => {
                let posting = event.moves.first().expect("a transfer moves something");
                if let Some(sender) = posting.from.holder() {
                    self.transfer(sender, posting.amount(), stamp, area_of(sender)?);
                }
            }
            Fact::TransferSettled { id, sender, state, .. } => self.settled(*id, *sender, *state, area_of(*sender)?),
            Fact::CodeIssued(code) => drop(self.issued.insert(code.id, stamp)),
            Fact::PaymentHeld(payment) => {
                let Purpose::Order { area, visit, .. } = payment.purpose else { return Ok(()) };
                self.held.insert(payment.id, (stamp, area, visit.business));
                let life = self.rules(area, stamp).code_ms;
                let is_late = payment.code.and_then(|code| self.issued.get(&code)).is_some_and(|issued| stamp >= issued + life);
                let reasons = if is_late { vec![Reason::CodeExpired] } else { Vec::new() };
                self.look(Doing::Payment, area, payment.holder, payment.amount(), stamp, reasons);
            }
            Fact::PaymentCaptured { payment, holder, amount, .. } => {
                let Some((held_at, area, business)) = self.held.get(payment).copied() else { return Ok(()) };
                if self.change.scope.covers(Scope::Area(area)) && stamp >= held_at + self.rules(area, held_at).hold_ms_of(business) {
                    self.refuse(Doing::Payment, *holder, *amount, stamp, vec![Reason::PaymentFinal { state: PaymentState::Expired }]);
                }
            }
            Fact::PlaceChanged { holder, from, .. } => {
                let days = self.rules(*from, stamp).place_cooldown_days;
                let before = self.person(*holder).place_changed_at;
                let until = before.map(|at| at + i64::from(days) * DAY_MS).filter(|until| stamp < *until);
                if self.look(Doing::Place, *from, *holder, Fen::ZERO, stamp, until.map(|until| Reason::PlaceCooldown { until }).into_iter().collect()) {
                    self.person(*holder).place_changed_at = Some(stamp);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What came out of all that was taken.
    pub fn found(mut self) -> Found {
        self.found.people = self.refused_people.len() as u64;
        self.found
    }

    fn person(&mut self, holder: HolderId) -> &mut Person {
        self.people.entry(holder).or_default()
    }

    /// Whether it would have been made.
    fn transfer(&mut self, sender: HolderId, amount: Fen, stamp: i64, area: AreaCode) -> bool {
        let rules = self.rules(area, stamp);
        let person = self.person(sender);
        let used = person.day.on(day_of(stamp));
        let is_pending = !person.pending.is_empty();
        let reasons = amount_reasons(&rules, amount).chain(moment_reasons(&rules, amount, used, is_pending, stamp)).collect();
        let is_made = self.look(Doing::Transfer, area, sender, amount, stamp, reasons);
        if is_made {
            self.person(sender).day = DayCount { count: used.count + 1, total: used.total + amount, ..used };
        }
        is_made
    }

    fn settled(&mut self, id: TransferId, sender: HolderId, state: TransferState, area: AreaCode) {
        let person = self.person(sender);
        let Some(at) = person.pending.iter().position(|(pending, ..)| *pending == id) else { return };
        let (_, sent_at, amount) = person.pending.remove(at);
        let counts = match state {
            TransferState::Refused => false,
            TransferState::Returned => self.rules(area, sent_at).returned_counts,
            _ => true,
        };
        let person = self.person(sender);
        if !counts && person.day.day == day_of(sent_at) {
            person.day.count -= 1;
            person.day.total -= amount;
        }
    }

    /// Counts what was done, and refuses it if there are reasons. Whether it would have been done: always, where the change does not hold.
    fn look(&mut self, doing: Doing, area: AreaCode, holder: HolderId, amount: Fen, stamp: i64, reasons: Vec<Reason>) -> bool {
        if !self.change.scope.covers(Scope::Area(area)) {
            return true;
        }
        if stamp >= self.from {
            *self.found.seen.entry(doing).or_default() += 1;
        }
        let is_done = reasons.is_empty();
        if !is_done {
            self.refuse(doing, holder, amount, stamp, reasons);
        }
        is_done
    }

    fn refuse(&mut self, doing: Doing, holder: HolderId, amount: Fen, at: i64, reasons: Vec<Reason>) {
        if at < self.from {
            return;
        }
        *self.found.refused.entry(doing).or_default() += 1;
        for reason in &reasons {
            *self.found.reasons.entry(reason.code()).or_default() += 1;
        }
        self.found.amount += amount;
        self.refused_people.insert(holder);
        if self.found.cases.len() < CASES_MAX {
            self.found.cases.push(Case { holder, at, doing, amount, reasons });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::day::instant;
    use crate::object::{Purse, Transfer};
    use gongji_ledger::{GrantKind, Lot, Origin};

    const LUZHOU: AreaCode = 510_500;
    const LI: HolderId = HolderId(1);
    const FIRST: i32 = 20_000;

    fn change(scope: Scope, setting: Setting) -> RuleChange {
        RuleChange { version: 9, scope, from: FIRST + 100, settings: vec![setting] }
    }

    fn transfer(number: u8, at: i64, fen: i64) -> Event {
        let origin = Origin { contributor: LI, area: LUZHOU, kind: GrantKind::Transfer };
        let transfer = Transfer {
            id: TransferId([number; 16]),
            sender: LI,
            receiver: HolderId(2),
            relation: 51,
            source: Purse::Personal { area: LUZHOU },
            kind: GrantKind::Transfer,
            lots: vec![Lot { origin, amount: Fen(fen), since: at }],
            sent_at: at,
            deadline: at + DAY_MS,
            rule: 1,
        };
        Event { fact: Fact::TransferSubmitted(transfer), moves: Vec::new() }
    }

    fn settled(number: u8, state: TransferState) -> Event {
        let fact = Fact::TransferSettled { id: TransferId([number; 16]), sender: LI, receiver: HolderId(2), state, counts: true, reason: None };
        Event { fact, moves: Vec::new() }
    }

    fn play(published: &[RuleChange], change: &RuleChange, events: &[(i64, Event)]) -> Found {
        let mut what_if = WhatIf::new(published, change, instant(FIRST, 0));
        for (at, event) in events {
            what_if.event(*at, event, |_| Ok::<_, ()>(LUZHOU)).unwrap();
        }
        what_if.found()
    }

    #[test]
    fn who_sent_more_than_the_new_limit_is_told_and_what_is_refused_does_not_count() {
        let at = |minute: u16| instant(FIRST, minute);
        let events = [
            (at(600), transfer(1, at(600), 30_000)),
            (at(601), settled(1, TransferState::Credited)),
            (at(700), transfer(2, at(700), 90_000)),
            (at(701), settled(2, TransferState::Credited)),
            (at(800), transfer(3, at(800), 20_000)),
        ];
        let found = play(&[], &change(Scope::Area(LUZHOU), Setting::TransferMax(Fen(50_000))), &events);
        assert_eq!((found.seen[&Doing::Transfer], found.refused[&Doing::Transfer], found.amount, found.people), (3, 1, Fen(90_000), 1));
        assert_eq!((found.cases[0].at, found.cases[0].reasons[0].code()), (at(700), "AMOUNT_TOO_LARGE"));
        // 300 and 200 are within 500 a day: the 900 would not have been sent.
        let found = play(&[], &change(Scope::Nation, Setting::DailyTotalMax(Some(Fen(50_000)))), &events);
        assert_eq!((found.refused[&Doing::Transfer], found.amount), (1, Fen(90_000)));
        let found = play(&[], &change(Scope::Nation, Setting::DailyCountMax(1)), &events);
        assert_eq!((found.refused[&Doing::Transfer], found.reasons["DAILY_COUNT"], found.people), (2, 2, 1));
        assert_eq!(play(&[], &change(Scope::Area(370_100), Setting::DailyCountMax(1)), &events).refused.len(), 0, "another area's rule");
    }

    #[test]
    fn a_narrower_rule_that_is_published_stays_above_the_proposal_and_an_equal_one_does_not() {
        let published = |scope| RuleChange { version: 3, scope, from: FIRST - 50, settings: vec![Setting::TransferMax(Fen(100_000))] };
        let events = [(instant(FIRST, 600), transfer(1, instant(FIRST, 600), 90_000))];
        let proposed = change(Scope::Province(510_000), Setting::TransferMax(Fen(50_000)));
        assert!(play(&[published(Scope::Area(LUZHOU))], &proposed, &events).refused.is_empty());
        assert_eq!(play(&[published(Scope::Province(510_000))], &proposed, &events).refused[&Doing::Transfer], 1);
    }

    #[test]
    fn the_day_before_is_looked_at_and_not_told() {
        let before = instant(FIRST - 1, 1_300);
        let events = [(before, transfer(1, before, 1_000)), (instant(FIRST, 420), transfer(2, instant(FIRST, 420), 1_000))];
        let pending = change(Scope::Nation, Setting::OneAtATime(true));
        let found = play(&[], &pending, &events);
        assert_eq!((found.seen[&Doing::Transfer], found.reasons["TRANSFER_PENDING"]), (1, 1));
        let returned = [events[0].clone(), (instant(FIRST, 360), settled(1, TransferState::Returned)), events[1].clone()];
        assert!(play(&[], &pending, &returned).refused.is_empty());
        assert_eq!(WhatIf::warm_up(&pending), DAY_MS);
        assert_eq!(WhatIf::warm_up(&change(Scope::Nation, Setting::PlaceCooldownDays(90))), 90 * DAY_MS);
    }
}
