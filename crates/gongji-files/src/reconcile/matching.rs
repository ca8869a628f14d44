//! The matcher: first what is equal in full, then what the numbers tie together, at last what merely looks alike.
//!
//! Later steps only see what earlier ones left. A line that was found to look like another is still a break, never a match.
//! Work is linear but for sorting; within one number's lines it is their product, which readers bound.

use super::breaks::BreakKind;
use super::listing::{Direction, Line, Listing, Scope, Totals};
use gongji_ledger::Fen;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Letters by which two order numbers may differ and still look alike, where no person ties them together.
const ALIKE_EDITS_MAX: usize = 2;

/// Lines that do not agree, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    pub kind: BreakKind,
    /// What the institution lists more than we do (fen, own share); negative where it lists less.
    pub difference: Fen,
    first: u32,
    theirs_len: u32,
    ours_len: u32,
}

/// What came out. Positions are those of the two listings.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// All lines of their file.
    pub theirs: Totals,
    /// Our lines within the scope.
    pub ours: Totals,
    /// Pairs that agree in full.
    pub matched: u64,
    /// In the order of their file; what only we have comes last.
    pub breaks: Vec<Break>,
    members: Vec<u32>,
}

impl Reconciled {
    /// Their lines of a break. Of a duplicate the second is the line that it repeats.
    pub fn theirs_of(&self, found: &Break) -> &[u32] {
        &self.members[found.first as usize..][..found.theirs_len as usize]
    }

    /// Our lines of a break. Of a double charge the second is the one they list.
    pub fn ours_of(&self, found: &Break) -> &[u32] {
        &self.members[(found.first + found.theirs_len) as usize..][..found.ours_len as usize]
    }

    pub fn count(&self, kind: BreakKind) -> u64 {
        self.breaks.iter().filter(|found| found.kind == kind).count() as u64
    }

    /// Whether there is nothing to put right: no break, or only ways of listing that differ.
    pub fn is_agreed(&self) -> bool {
        self.breaks.iter().all(|found| found.kind.is_note())
    }
}

/// Compares two lists. `ours` may hold lines of neighbouring days and of other classes: they are looked at, not counted.
///
/// # Panics
/// When the breaks do not explain the difference of the totals to the fen, which would be a bug here.
pub fn reconcile(scope: &Scope, theirs: &Listing, ours: &Listing) -> Reconciled {
    let out = Reconciled { theirs: theirs.totals(&Scope::default()), ours: ours.totals(scope), matched: 0, breaks: Vec::new(), members: Vec::new() };
    let (their_done, our_done) = (vec![false; theirs.len()], vec![false; ours.len()]);
    let mut matcher = Matcher { scope, theirs, ours, their_done, our_done, has_common_orders: false, out };
    matcher.by_order_and_settlement();
    matcher.second_chance();
    matcher.charged_twice();
    matcher.missing();
    let Matcher { mut out, .. } = matcher;
    let explained: Fen = out.breaks.iter().map(|found| found.difference).sum();
    assert!(explained == out.theirs.own - out.ours.own, "breaks explain {explained}, the totals differ by {}", out.theirs.own - out.ours.own);
    let members = std::mem::take(&mut out.members);
    out.breaks.sort_by_key(|found| (found.theirs_len == 0, members[found.first as usize]));
    out.members = members;
    out
}

struct Matcher<'a> {
    scope: &'a Scope,
    theirs: &'a Listing,
    ours: &'a Listing,
    their_done: Vec<bool>,
    our_done: Vec<bool>,
    /// Whether any order number stands on both sides. Where none does, their column has numbers of another kind (an HIS's visits), which say
    /// nothing about ours.
    has_common_orders: bool,
    out: Reconciled,
}

impl<'a> Matcher<'a> {
    fn their(&self, position: u32) -> Line<'a> {
        self.theirs.get(position)
    }

    fn our(&self, position: u32) -> Line<'a> {
        self.ours.get(position)
    }

    /// Whether a line of ours is in the totals.
    fn is_counted(&self, ours: &Line) -> bool {
        !ours.is_undone && self.scope.covers(ours)
    }

    fn open_theirs(&self, group: &[u32]) -> Vec<u32> {
        group.iter().copied().filter(|at| !self.their_done[*at as usize]).collect()
    }

    fn open_ours(&self, group: &[u32], wanted: impl Fn(&Line) -> bool) -> Vec<u32> {
        group.iter().copied().filter(|at| !self.our_done[*at as usize] && wanted(&self.our(*at))).collect()
    }

    fn pair(&mut self, theirs: u32, ours: u32) {
        (self.their_done[theirs as usize], self.our_done[ours as usize]) = (true, true);
        self.out.matched += 1;
    }

    fn put(&mut self, kind: BreakKind, theirs: &[u32], ours: &[u32], difference: Fen) {
        let position = |len: usize| u32::try_from(len).expect("lists have less than 2^32 lines");
        self.out.breaks.push(Break {
            kind,
            difference,
            first: position(self.out.members.len()),
            theirs_len: position(theirs.len()),
            ours_len: position(ours.len()),
        });
        self.out.members.extend_from_slice(theirs);
        self.out.members.extend_from_slice(ours);
        theirs.iter().for_each(|at| self.their_done[*at as usize] = true);
        ours.iter().for_each(|at| self.our_done[*at as usize] = true);
    }

    /// As [`Matcher::put`]; what of these lines is in the totals makes the difference.
    fn found(&mut self, kind: BreakKind, theirs: &[u32], ours: &[u32]) {
        let of_theirs: Fen = theirs.iter().map(|at| self.their(*at).own).sum();
        let of_ours: Fen = ours.iter().map(|at| self.our(*at)).filter(|line| self.is_counted(line)).map(|line| line.own).sum();
        self.put(kind, theirs, ours, of_theirs - of_ours);
    }

    fn by_order_and_settlement(&mut self) {
        let (all_theirs, all_ours) = (self.theirs, self.ours);
        let orders = (sorted_by(all_theirs, Listing::order_no), sorted_by(all_ours, Listing::order_no));
        for (theirs, ours) in groups(&orders, |at| all_theirs.order_no(at), |at| all_ours.order_no(at)) {
            self.has_common_orders |= !ours.is_empty();
            self.equal_in_full(theirs, ours, false);
        }
        let settlements = (sorted_by(all_theirs, Listing::settlement), sorted_by(all_ours, Listing::settlement));
        for (theirs, ours) in groups(&settlements, |at| all_theirs.settlement(at), |at| all_ours.settlement(at)) {
            self.equal_in_full(theirs, ours, true);
        }
        for (theirs, ours) in groups(&orders, |at| all_theirs.order_no(at), |at| all_ours.order_no(at)) {
            self.explain(theirs, ours);
        }
        for (theirs, ours) in groups(&settlements, |at| all_theirs.settlement(at), |at| all_ours.settlement(at)) {
            self.explain(theirs, ours);
        }
    }

    /// Pairs what is equal in everything both sides say. Under one settlement the order number may differ, and then it is a break.
    fn equal_in_full(&mut self, theirs: &[u32], ours: &[u32], by_settlement: bool) {
        // Among equals the one with the same settlement number first: the other may belong to another line.
        for strictly in [true, false] {
            for their_at in theirs {
                for our_at in ours {
                    if self.their_done[*their_at as usize] {
                        break;
                    }
                    if self.our_done[*our_at as usize] {
                        continue;
                    }
                    let (their, our) = (self.their(*their_at), self.our(*our_at));
                    let is_equal = self.is_counted(&our) && self.scope.covers(&their) && is_alike(&their, &our);
                    if !is_equal || (strictly && their.settlement != our.settlement) {
                        continue;
                    }
                    if by_settlement && self.has_common_orders && !their.order_no.is_empty() && their.order_no != our.order_no {
                        self.found(BreakKind::WrongNumber, &[*their_at], &[*our_at]);
                    } else {
                        self.pair(*their_at, *our_at);
                    }
                }
            }
        }
    }

    /// What is left of one number's lines.
    fn explain(&mut self, theirs: &[u32], ours: &[u32]) {
        self.reversed_signs(theirs, ours);
        self.elsewhere(theirs, ours);
        self.undone(theirs, ours);
        self.repeated(theirs);
        self.summed(theirs, ours);
        self.different(theirs, ours);
    }

    fn reversed_signs(&mut self, theirs: &[u32], ours: &[u32]) {
        for their_at in self.open_theirs(theirs) {
            let their = self.their(their_at);
            let is_mirror = |our: &Line| our.direction != their.direction && our.own == -their.own && same_person(&their, our) && self.is_counted(our);
            if let Some(our_at) = self.open_ours(ours, is_mirror).first().copied() {
                self.found(BreakKind::SignReversed, &[their_at], &[our_at]);
            }
        }
    }

    /// Equal but for the day or the class.
    fn elsewhere(&mut self, theirs: &[u32], ours: &[u32]) {
        for their_at in self.open_theirs(theirs) {
            let their = self.their(their_at);
            let candidates = self.open_ours(ours, |our| !our.is_undone && is_alike(&their, our));
            let counted = candidates.iter().copied().find(|at| self.is_counted(&self.our(*at)));
            let Some(our_at) = counted.or(candidates.first().copied()) else { continue };
            let our = self.our(our_at);
            let (scope, is_of_day) = (self.scope, our.day.is_none_or(|day| self.scope.day.is_none_or(|scope| scope == day)));
            let is_day = their.day.or(scope.day) != our.day.or(scope.day) || !is_of_day;
            self.found(if is_day { BreakKind::WrongDay } else { BreakKind::WrongClass }, &[their_at], &[our_at]);
        }
    }

    fn undone(&mut self, theirs: &[u32], ours: &[u32]) {
        let (open, undone) = (self.open_theirs(theirs), self.open_ours(ours, |our| our.is_undone));
        if open.is_empty() || undone.is_empty() || !self.open_ours(ours, |our| !our.is_undone).is_empty() {
            return;
        }
        let kept: Fen = open.iter().map(|at| self.their(*at).own).sum();
        if kept.is_zero() {
            // They list the payment and its reversal: nothing is kept there either.
            open.iter().for_each(|at| self.their_done[*at as usize] = true);
            undone.iter().for_each(|at| self.our_done[*at as usize] = true);
            self.out.matched += 1;
            return;
        }
        for their_at in open {
            self.found(BreakKind::UndoneListed, &[their_at], &undone[..1]);
        }
    }

    fn repeated(&mut self, theirs: &[u32]) {
        for their_at in self.open_theirs(theirs) {
            let line = Line { row: 0, ..self.their(their_at) };
            let Some(first) = theirs.iter().copied().find(|at| *at < their_at && Line { row: 0, ..self.their(*at) } == line) else { continue };
            let difference = line.own;
            let is_first_done = self.their_done[first as usize];
            self.put(BreakKind::DuplicateLine, &[their_at, first], &[], difference);
            self.their_done[first as usize] = is_first_done;
        }
    }

    /// One side lists in parts what the other lists in one sum.
    fn summed(&mut self, theirs: &[u32], ours: &[u32]) {
        let cases =
            [(BreakKind::CapturesSummed, Some(Direction::Payment)), (BreakKind::RefundsSummed, Some(Direction::Refund)), (BreakKind::RefundsSummed, None)];
        for (kind, direction) in cases {
            let is_of = |line: &Line| direction.is_none_or(|direction| line.direction == direction);
            let theirs: Vec<u32> = self.open_theirs(theirs).into_iter().filter(|at| is_of(&self.their(*at))).collect();
            let ours = self.open_ours(ours, |our| is_of(our) && self.is_counted(our));
            if theirs.is_empty() || ours.is_empty() || theirs.len() + ours.len() < 3 {
                continue;
            }
            let (mut of_theirs, mut of_ours) = (Sums::default(), Sums::default());
            theirs.iter().for_each(|at| of_theirs.add(&self.their(*at)));
            ours.iter().for_each(|at| of_ours.add(&self.our(*at)));
            let is_one_person = theirs.iter().all(|their| ours.iter().all(|our| same_person(&self.their(*their), &self.our(*our))));
            if is_one_person && of_theirs.agree(&of_ours) {
                self.found(kind, &theirs, &ours);
            }
        }
    }

    /// One number on both sides, and something else differs.
    fn different(&mut self, theirs: &[u32], ours: &[u32]) {
        for their_at in self.open_theirs(theirs) {
            let their = self.their(their_at);
            let candidates = self.open_ours(ours, |our| our.direction == their.direction && self.is_counted(our));
            let likeness = |at: &u32| {
                let our = self.our(*at);
                let is_same_settlement = !our.settlement.is_empty() && our.settlement == their.settlement;
                (!is_same_settlement, our.own != their.own, !same_person(&their, &our), (our.own.0 - their.own.0).abs())
            };
            let Some(our_at) = candidates.into_iter().min_by_key(likeness) else { continue };
            let our = self.our(our_at);
            let is_exchanged = Some(their.own) == our.fund && their.fund == Some(our.own) && their.own != our.own;
            let kind = if is_exchanged {
                BreakKind::SharesExchanged
            } else if same_money(&their, &our) {
                BreakKind::WrongPerson
            } else {
                BreakKind::AmountDiffers
            };
            self.found(kind, &[their_at], &[our_at]);
        }
    }

    /// No number ties them together, yet one line on each side is of the same person with the same amount: probably a number miscopied.
    /// Where several look alike nobody can tell, and all stay missing.
    fn second_chance(&mut self) {
        self.only_alike(|line| line.person, |their, our| !their.person.is_empty() && is_alike(their, our));
        self.only_alike(|_| "", |their, our| is_alike(their, our) && edits(their.order_no, our.order_no) <= ALIKE_EDITS_MAX);
    }

    fn only_alike(&mut self, person: impl for<'l> Fn(&Line<'l>) -> &'l str, is_same: impl Fn(&Line, &Line) -> bool) {
        let mut theirs: Vec<u32> = every(self.theirs).filter(|at| !self.their_done[*at as usize] && self.scope.covers(&self.their(*at))).collect();
        let mut ours: Vec<u32> = every(self.ours).filter(|at| !self.our_done[*at as usize] && self.is_counted(&self.our(*at))).collect();
        let order = |one: &Line, other: &Line| person(one).cmp(person(other)).then(one.own.cmp(&other.own));
        theirs.sort_by(|one, other| order(&self.their(*one), &self.their(*other)));
        ours.sort_by(|one, other| order(&self.our(*one), &self.our(*other)));
        let (mut their_at, mut our_at) = (0, 0);
        while their_at < theirs.len() && our_at < ours.len() {
            let (their, our) = (self.their(theirs[their_at]), self.our(ours[our_at]));
            match order(&their, &our) {
                Ordering::Less => their_at += 1,
                Ordering::Greater => our_at += 1,
                Ordering::Equal => {
                    let theirs_run = theirs[their_at..].iter().take_while(|at| order(&self.their(**at), &their).is_eq()).count();
                    let ours_run = ours[our_at..].iter().take_while(|at| order(&self.our(**at), &our).is_eq()).count();
                    let is_found = theirs_run == 1 && ours_run == 1 && is_same(&their, &our);
                    if is_found {
                        self.found(BreakKind::WrongNumber, &[theirs[their_at]], &[ours[our_at]]);
                    }
                    their_at += theirs_run;
                    our_at += ours_run;
                }
            }
        }
    }

    /// Of two payments alike of one person they list one.
    fn charged_twice(&mut self) {
        let mut open: HashMap<_, Vec<u32>> = HashMap::new();
        let key = |line: &Line<'a>| (line.person, line.own, line.total, line.fund);
        let is_charge = |line: &Line| line.direction == Direction::Payment && !line.person.is_empty();
        for at in every(self.ours).filter(|at| !self.our_done[*at as usize]) {
            let line = self.ours.get(at);
            if is_charge(&line) && self.is_counted(&line) {
                open.entry(key(&line)).or_default().push(at);
            }
        }
        if open.is_empty() {
            return;
        }
        let mut twins = Vec::new();
        for at in every(self.ours).filter(|at| self.our_done[*at as usize]) {
            let line = self.ours.get(at);
            if is_charge(&line)
                && self.is_counted(&line)
                && let Some(same) = open.remove(&key(&line))
            {
                twins.extend(same.into_iter().map(|twin| (twin, at)));
            }
        }
        for (charge, first) in twins {
            let difference = -self.our(charge).own;
            self.put(BreakKind::DuplicateCharge, &[], &[charge, first], difference);
        }
    }

    fn missing(&mut self) {
        for at in every(self.theirs).filter(|at| !self.their_done[*at as usize]).collect::<Vec<_>>() {
            let is_payment = self.their(at).direction == Direction::Payment;
            self.found(if is_payment { BreakKind::PaymentMissingOurs } else { BreakKind::RefundMissingOurs }, &[at], &[]);
        }
        for at in every(self.ours).filter(|at| !self.our_done[*at as usize]).collect::<Vec<_>>() {
            let our = self.our(at);
            if self.is_counted(&our) {
                let is_payment = our.direction == Direction::Payment;
                self.found(if is_payment { BreakKind::PaymentMissingTheirs } else { BreakKind::RefundMissingTheirs }, &[], &[at]);
            }
        }
    }
}

/// Sums of some lines; what one of them does not know the sum does not know.
struct Sums {
    own: Fen,
    total: Option<Fen>,
    fund: Option<Fen>,
}

impl Default for Sums {
    fn default() -> Sums {
        Sums { own: Fen::ZERO, total: Some(Fen::ZERO), fund: Some(Fen::ZERO) }
    }
}

impl Sums {
    fn add(&mut self, line: &Line) {
        let and = |sum: Option<Fen>, part: Option<Fen>| Some(sum? + part?);
        self.own += line.own;
        (self.total, self.fund) = (and(self.total, line.total), and(self.fund, line.fund));
    }

    fn agree(&self, other: &Sums) -> bool {
        self.own == other.own && agree(self.total, other.total) && agree(self.fund, other.fund)
    }
}

/// Equal where both know it.
fn agree(one: Option<Fen>, other: Option<Fen>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn same_money(their: &Line, our: &Line) -> bool {
    their.own == our.own && agree(their.total, our.total) && agree(their.fund, our.fund)
}

fn same_person(their: &Line, our: &Line) -> bool {
    their.person.is_empty() || our.person.is_empty() || their.person == our.person
}

fn is_alike(their: &Line, our: &Line) -> bool {
    their.direction == our.direction && same_money(their, our) && same_person(their, our)
}

fn every(listing: &Listing) -> impl Iterator<Item = u32> + use<> {
    0..u32::try_from(listing.len()).expect("a list has less than 2^32 lines")
}

/// Positions of the lines that have such a number, by number; equal ones in the order of their file.
fn sorted_by(listing: &Listing, number: impl Fn(&Listing, u32) -> &[u8]) -> Vec<u32> {
    let mut positions: Vec<u32> = every(listing).filter(|at| !number(listing, *at).is_empty()).collect();
    positions.sort_unstable_by(|one, other| number(listing, *one).cmp(number(listing, *other)).then(one.cmp(other)));
    positions
}

/// Their lines of each number, with ours of the same.
fn groups<'g>(
    (theirs, ours): &'g (Vec<u32>, Vec<u32>),
    their_number: impl Fn(u32) -> &'g [u8],
    our_number: impl Fn(u32) -> &'g [u8],
) -> Vec<(&'g [u32], &'g [u32])> {
    let mut found = Vec::new();
    let mut our_at = 0;
    for theirs in theirs.chunk_by(|one, other| their_number(*one) == their_number(*other)) {
        let number = their_number(theirs[0]);
        our_at += ours[our_at..].iter().take_while(|at| our_number(**at) < number).count();
        let len = ours[our_at..].iter().take_while(|at| our_number(**at) == number).count();
        found.push((theirs, &ours[our_at..our_at + len]));
        our_at += len;
    }
    found
}

/// Letters to put in, take out or change to make one text of the other.
fn edits(one: &str, other: &str) -> usize {
    let other = other.as_bytes();
    let mut costs: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.bytes().enumerate() {
        let mut diagonal = costs[0];
        costs[0] = row + 1;
        for (column, against) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != *against);
            diagonal = costs[column + 1];
            costs[column + 1] = change.min(diagonal + 1).min(costs[column] + 1);
        }
    }
    costs[other.len()]
}
