//! An institution's feed of events: what happened to its payments, in an order that never changes.
//!
//! Each partition of payers numbers what it does for an institution (its takings). A position in the feed is one such number for each partition, so
//! nothing is missed and nothing told twice, however the partitions overtake one another.

use crate::app::App;
use gongji_ledger::{InstitutionId, Part};
use gongji_store::Fault;
use gongji_wallet::object::{Payee, Taking};

/// As many of an institution's newest takings of a partition are looked at backwards; who is further behind is served by reading forwards.
const NEWEST_MAX: usize = 256;

/// As many takings of a partition, of whatever institution, are read forwards for one page at most.
const READ_MAX: usize = 50_000;

/// Where a reader stands: for each partition the number of the last taking read; from 1, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(Vec<u64>);

impl Position {
    /// Before everything.
    pub fn start(parts: Part) -> Position {
        Position(vec![0; usize::from(parts)])
    }

    /// Seven bits to a byte, the lowest first, the last byte of each number below 128.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 3);
        for number in &self.0 {
            let mut rest = *number;
            while rest > 0x7F {
                bytes.push(rest as u8 & 0x7F | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        bytes
    }

    /// Reads what [`Position::to_bytes`] wrote for as many partitions.
    pub fn parse(bytes: &[u8], parts: Part) -> Option<Position> {
        let (mut numbers, mut number, mut shift) = (Vec::new(), 0_u64, 0);
        for byte in bytes {
            let bits = u64::from(byte & 0x7F);
            // Shorter than it is written, or more than fits: not written here.
            if shift > 56 || (shift > 0 && *byte == 0) {
                return None;
            }
            number |= bits << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                numbers.push(number);
                (number, shift) = (0, 0);
            }
        }
        (shift == 0 && numbers.len() == usize::from(parts)).then_some(Position(numbers))
    }
}

/// A taking and the partition that numbered it.
pub struct Event {
    pub part: Part,
    pub taking: Taking,
}

/// What follows a position.
pub struct Page {
    pub events: Vec<Event>,
    /// Where the next page begins.
    pub next: Position,
    /// Whether there is more already.
    pub has_more: bool,
}

/// Where an institution's feed ends now.
///
/// # Errors
/// The books of a partition cannot be read.
pub fn end(app: &App, institution: InstitutionId) -> Result<Position, Fault> {
    (1..=app.engine.parts()).map(|part| app.engine.last_taking(part, Payee::Institution(institution))).collect::<Result<_, _>>().map(Position)
}

/// The first events behind `after`, at most `max` (not above [`NEWEST_MAX`]); `None` where the position lies behind the end of the feed, and so was
/// never given out for it.
///
/// # Errors
/// The books of a partition cannot be read.
pub fn read(app: &App, institution: InstitutionId, after: &Position, max: usize) -> Result<Option<Page>, Fault> {
    let end = end(app, institution)?;
    if end.0.iter().zip(&after.0).any(|(last, after)| after > last) {
        return Ok(None);
    }
    let mut next = after.clone();
    let mut events = Vec::new();
    for (part, at) in (1..=app.engine.parts()).zip(&mut next.0) {
        let left = max - events.len();
        if left == 0 {
            break;
        }
        let (found, read_to) = behind(app, part, institution, *at, left)?;
        *at = read_to;
        events.extend(found.into_iter().map(|taking| Event { part, taking }));
    }
    let has_more = next.0.iter().zip(&end.0).any(|(read, last)| read < last);
    Ok(Some(Page { events, next, has_more }))
}

/// An institution's takings of one partition behind a number, and up to which number that is all of them.
fn behind(app: &App, part: Part, institution: InstitutionId, after: u64, max: usize) -> Result<(Vec<Taking>, u64), Fault> {
    let payee = Payee::Institution(institution);
    let mut newest = app.engine.takings(part, payee, None, NEWEST_MAX, |taking| taking.number > after)?;
    if newest.last().is_none_or(|oldest| oldest.previous <= after) {
        newest.reverse();
        newest.truncate(max);
        let read_to = newest.last().map_or(after, |last| last.number);
        return Ok((newest, read_to));
    }
    let (mut found, mut read_to, mut count) = (Vec::new(), after, 0);
    app.engine.read(part, |books| {
        books.each_taking(after, &mut |taking| {
            (read_to, count) = (taking.number, count + 1);
            if taking.payee == payee {
                found.push(taking);
            }
            Ok(found.len() < max && count < READ_MAX)
        })
    })?;
    Ok((found, read_to))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_another_installations_is_not() {
        for numbers in [vec![0], vec![0, 1, 127, 128, 300], vec![u64::MAX >> 1, 0]] {
            let parts = numbers.len() as Part;
            let position = Position(numbers);
            assert_eq!(Position::parse(&position.to_bytes(), parts), Some(position.clone()));
            assert_eq!(Position::parse(&position.to_bytes(), parts + 1), None);
        }
        for wrong in [&[0x80][..], &[0x80, 0], &[0xFF; 12]] {
            assert_eq!(Position::parse(wrong, 1), None);
        }
    }
}
