//! Each fact's postings: what is debited and credited with it, and nothing else.
//!
//! The table is in `docs/journal-format.md`. Facts that are not named there move no money.

use crate::finding::{At, FindingKind, Result, Subject};
use crate::messages::sum;
use crate::wire::{Account, Lot, Move, Purse};

/// No money moves with this fact.
pub(crate) fn none(at: At, subject: Subject, moves: &[Move]) -> Result {
    if moves.is_empty() { Ok(()) } else { Err(differs(at, subject, "no posting", moves)) }
}

/// Exactly these lots go from one account to another.
pub(crate) fn one(at: At, subject: Subject, moves: &[Move], from: Account, to: Account, lots: &[Lot]) -> Result {
    match moves {
        [posting] if posting.from == from && posting.to == to && posting.lots == lots => Ok(()),
        _ => Err(differs(at, subject, &named(at, from, to, lots), moves)),
    }
}

/// Lots of several purses: one posting for each purse, in the order in which the purses appear. `way` makes a purse's posting.
pub(crate) fn by_purse(at: At, subject: Subject, moves: &[Move], lots: &[(Purse, Lot)], way: impl Fn(Purse) -> (Account, Account)) -> Result {
    let mut expected: Vec<(Purse, Vec<Lot>)> = Vec::with_capacity(2);
    for (purse, lot) in lots {
        match expected.iter_mut().find(|(known, _)| known == purse) {
            Some((_, lots)) => lots.push(*lot),
            None => expected.push((*purse, vec![*lot])),
        }
    }
    let same = moves.len() == expected.len()
        && moves.iter().zip(&expected).all(|(posting, (purse, lots))| (posting.from, posting.to) == way(*purse) && posting.lots == *lots);
    if same {
        return Ok(());
    }
    let told: Vec<String> = expected
        .iter()
        .map(|(purse, lots)| {
            let (from, to) = way(*purse);
            named(at, from, to, lots)
        })
        .collect();
    Err(differs(at, subject, &told.join(" + "), moves))
}

/// Checks what holds for every posting and returns its amount (fen).
pub(crate) fn amount(at: At, posting: &Move) -> Result<i64> {
    if let Some(lot) = posting.lots.iter().find(|lot| lot.amount <= 0) {
        return Err(at.finding(FindingKind::AmountNotPositive, Subject::Account(posting.from), "more than 0", lot.amount));
    }
    if posting.lots.is_empty() {
        return Err(at.finding(FindingKind::AmountNotPositive, Subject::Account(posting.from), "more than 0", "nothing"));
    }
    sum(at, &posting.lots)
}

pub(crate) fn differs(at: At, subject: Subject, expected: &str, moves: &[Move]) -> crate::Finding {
    let found: Vec<String> = moves.iter().map(|posting| named(at, posting.from, posting.to, &posting.lots)).collect();
    let found = if found.is_empty() { "no posting".to_owned() } else { found.join(" + ") };
    // Where the amounts are the same, the difference lies in the lots' origins or dates.
    let found =
        if found == expected { format!("{found} of other lots: {:?}", moves.iter().flat_map(|posting| &posting.lots).collect::<Vec<_>>()) } else { found };
    at.finding(FindingKind::PostingsDiffer, subject, expected, found)
}

fn named(at: At, from: Account, to: Account, lots: &[Lot]) -> String {
    let amount = sum(at, lots).map_or_else(|_| "too many".to_owned(), |amount| amount.to_string());
    format!("{amount} fen from {from} to {to}")
}
