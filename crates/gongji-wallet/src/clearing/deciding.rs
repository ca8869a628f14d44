//! What may happen to a period, and when.

use super::*;
use crate::directory::Directory;
use crate::event::{Fact, Message};
use crate::ids::Key;
use crate::object::Object;
use crate::operator::has_long_number;
use crate::reason::Reason;
use crate::work::{Stop, Work};

/// A step of a period; asked of the directory's partition. `by`, `maker` and `checker` are operators.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ClearingCommand {
    /// Tells every partition that the month is over.
    Cut {
        period: Month,
        by: String,
    },
    /// Publishes what its lines come to.
    State {
        period: Month,
        statement: Statement,
        by: String,
    },
    /// A province agrees with everything that it has not disputed. `root`: of the statement that it has seen.
    Confirm {
        period: Month,
        side: AreaCode,
        root: [u8; 32],
        by: String,
    },
    /// `share` as the books have it.
    Dispute {
        period: Month,
        share: Share,
        side: AreaCode,
        reason: String,
        by: String,
    },
    /// The province that disputed a line takes it back.
    Agree {
        period: Month,
        line: LineId,
        side: AreaCode,
        by: String,
    },
    Release {
        period: Month,
        statement: Statement,
        dues: Vec<Due>,
        maker: String,
        checker: String,
    },
    Notice {
        period: Month,
        by: String,
    },
    /// A bank's receipt.
    Receive {
        period: Month,
        reference: String,
        from: AreaCode,
        to: AreaCode,
        amount: Fen,
        day: Day,
        by: String,
    },
    Fund {
        period: Month,
        maker: String,
        checker: String,
    },
    Close {
        period: Month,
        by: String,
    },
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Reason::Clearing(refusal).into()
    }
}

pub(crate) fn run(work: &mut Work, command: &ClearingCommand) -> Result<(), Stop> {
    assert!(work.part == 0, "periods are the directory's");
    let (period, change) = match command {
        ClearingCommand::Cut { period, by } => return cut(work, *period, by),
        ClearingCommand::State { period, statement, by } => {
            let known = in_state(work, *period, PeriodState::Cut)?;
            let carried = carried(work, *period)?;
            fits(statement, Period { carried: carried.clone(), ..known }.expected(false))?;
            (*period, PeriodChange::Stated { statement: statement.clone(), carried, by: text(by)? })
        }
        ClearingCommand::Confirm { period, side, root, by } => {
            let known = in_state(work, *period, PeriodState::Stated)?;
            let stated = known.stated.as_ref().expect("a period in this state has its statement");
            if stated.nets.iter().all(|(known, _)| known != side) {
                return Err(Refusal::SideUnknown.into());
            }
            if stated.root != *root {
                return Err(Refusal::StatementDiffers.into());
            }
            not_confirmed(&known, *side)?;
            (*period, PeriodChange::Confirmed { side: *side, by: text(by)? })
        }
        ClearingCommand::Dispute { period, share, side, reason, by } => {
            let known = in_state(work, *period, PeriodState::Stated)?;
            not_confirmed(&known, *side)?;
            if !belongs(&known, share, &work.directory, *side) {
                return Err(Refusal::SideUnknown.into());
            }
            if !is_within(work, &known, share)? {
                return Err(Refusal::LineUnknown.into());
            }
            if known.disputes.iter().any(|dispute| dispute.share.id == share.id) {
                return Err(Refusal::LineDisputed.into());
            }
            if known.disputes.len() >= DISPUTES_MAX {
                return Err(Reason::TooMany { max: DISPUTES_MAX as u16 }.into());
            }
            (*period, PeriodChange::Disputed { share: *share, side: *side, reason: text(reason)?, by: text(by)? })
        }
        ClearingCommand::Agree { period, line, side, by } => {
            let known = in_state(work, *period, PeriodState::Stated)?;
            if known.disputes.iter().all(|dispute| dispute.share.id != *line || dispute.side != *side) {
                return Err(Refusal::LineNotDisputed.into());
            }
            (*period, PeriodChange::Agreed { line: *line, by: text(by)? })
        }
        ClearingCommand::Release { period, statement, dues, maker, checker } => {
            let known = in_state(work, *period, PeriodState::Stated)?;
            two_persons(maker, checker)?;
            let silent = known.silent().len();
            if silent > 0 {
                return Err(Refusal::SidesSilent { count: u16::try_from(silent).unwrap_or(u16::MAX) }.into());
            }
            fits(statement, known.expected(true))?;
            if !settle(statement, dues) {
                return Err(Refusal::StatementDiffers.into());
            }
            (*period, PeriodChange::Released { statement: statement.clone(), dues: dues.clone(), maker: text(maker)?, checker: text(checker)? })
        }
        ClearingCommand::Notice { period, by } => {
            in_state(work, *period, PeriodState::Released)?;
            (*period, PeriodChange::Noticed { by: text(by)? })
        }
        ClearingCommand::Receive { period, reference, from, to, amount, day, by } => {
            let known = in_state(work, *period, PeriodState::Noticed)?;
            if known.receipts.iter().any(|receipt| receipt.reference == *reference) {
                return Err(Refusal::ReceiptRepeated.into());
            }
            let due = known.dues.iter().find(|due| (due.from, due.to) == (*from, *to)).ok_or(Refusal::ReceiptUnknown)?;
            let open = due.amount - known.received(*from, *to);
            if !amount.is_positive() {
                return Err(Reason::AmountTooSmall { min: Fen(1) }.into());
            }
            if *amount > open {
                return Err(Refusal::ReceiptTooLarge { max: open }.into());
            }
            if known.receipts.len() >= RECEIPTS_MAX {
                return Err(Reason::TooMany { max: RECEIPTS_MAX as u16 }.into());
            }
            (*period, PeriodChange::Received { reference: self::reference(reference)?, from: *from, to: *to, amount: *amount, day: *day, by: text(by)? })
        }
        ClearingCommand::Fund { period, maker, checker } => {
            let known = in_state(work, *period, PeriodState::Noticed)?;
            two_persons(maker, checker)?;
            let missing = known.dues.iter().map(|due| due.amount).sum::<Fen>() - known.receipts.iter().map(|receipt| receipt.amount).sum::<Fen>();
            if missing.is_positive() {
                return Err(Refusal::FundsMissing { missing }.into());
            }
            (*period, PeriodChange::Funded { maker: text(maker)?, checker: text(checker)? })
        }
        ClearingCommand::Close { period, by } => {
            in_state(work, *period, PeriodState::Funded)?;
            (*period, PeriodChange::Closed { by: text(by)? })
        }
    };
    work.emit(Fact::PeriodChanged { period, change }, Vec::new())
}

/// Cuts the month after the last one that was cut; the first may be any. Asking again for one that is cut or being cut changes nothing.
fn cut(work: &mut Work, period: Month, by: &str) -> Result<(), Stop> {
    let by = text(by)?;
    let begins = first_day(next_month(period)).filter(|_| first_day(period).is_some()).ok_or(Refusal::PeriodUnknown)?;
    if find(work, period)?.is_some() {
        return Ok(());
    }
    if !is_over(period, work.stamp) {
        return Err(Refusal::PeriodNotOver { ends_at: crate::day::instant(begins, 0) }.into());
    }
    if let Some(Object::LastPeriod(last)) = work.object(Key::LastPeriod)?.as_deref() {
        let last = *last;
        if period != next_month(last) {
            return Err(Refusal::PeriodOrder { next: next_month(last) }.into());
        }
        let state = find(work, last)?.expect("the last period is on file").state;
        if state == PeriodState::Cutting {
            return Err(Refusal::PeriodWaits { before: last }.into());
        }
    }
    let parts = work.parts;
    work.emit(Fact::PeriodChanged { period, change: PeriodChange::Cutting { by, parts } }, Vec::new())?;
    for part in 1..=parts {
        work.send(part, Message::PeriodCut { period })?;
    }
    Ok(())
}

/// A partition hears of the cut, and says where its takings of the period end.
pub(crate) fn mark(work: &mut Work, from: Part, period: Month) -> Result<(), Stop> {
    let counted = match work.object(Key::Counted)?.as_deref() {
        Some(Object::Counted(counted)) => *counted,
        _ => Counted::default(),
    };
    let mark = Mark { period, takings: work.partition()?.takings, at: work.stamp, totals: counted.open };
    work.emit(Fact::PeriodMarked { mark }, Vec::new())?;
    work.send(from, Message::PeriodMarked { mark })
}

/// The directory hears of a partition's mark.
pub(crate) fn mark_arrived(work: &mut Work, part: Part, mark: Mark) -> Result<(), Stop> {
    work.emit(Fact::PeriodChanged { period: mark.period, change: PeriodChange::Marked { part, mark } }, Vec::new())
}

fn find(work: &mut Work, period: Month) -> Result<Option<Period>, Stop> {
    Ok(match work.object(Key::Period(period))?.as_deref() {
        Some(Object::Period(period)) => Some(Period::clone(period)),
        _ => None,
    })
}

fn in_state(work: &mut Work, period: Month, state: PeriodState) -> Result<Period, Stop> {
    let known = find(work, period)?.ok_or(Refusal::PeriodUnknown)?;
    if known.state == state { Ok(known) } else { Err(Refusal::PeriodState { state: known.state }.into()) }
}

/// What the period before left in dispute.
fn carried(work: &mut Work, period: Month) -> Result<Vec<Share>, Stop> {
    let before = month_before(period);
    Ok(match find(work, before)? {
        None => Vec::new(),
        Some(known) if known.released.is_none() => return Err(Refusal::PeriodWaits { before }.into()),
        Some(known) => known.disputes.iter().map(|dispute| dispute.share).collect(),
    })
}

fn fits(statement: &Statement, (lines, amount): (u64, Fen)) -> Result<(), Stop> {
    let sum: Fen = statement.nets.iter().map(|(_, net)| *net).sum();
    let is_sorted = statement.nets.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let holds = (statement.lines, statement.amount) == (lines, amount) && sum.is_zero() && is_sorted;
    if holds { Ok(()) } else { Err(Refusal::StatementDiffers.into()) }
}

/// Whether the dues bring each province exactly what the statement gives it.
fn settle(statement: &Statement, dues: &[Due]) -> bool {
    let mut open = statement.nets.clone();
    let mut add = |side: AreaCode, amount: Fen| open.iter_mut().find(|(known, _)| *known == side).map(|(_, net)| *net -= amount);
    let are_known =
        dues.iter().all(|due| due.amount.is_positive() && due.from != due.to && add(due.from, -due.amount).is_some() && add(due.to, due.amount).is_some());
    are_known && open.iter().all(|(_, net)| net.is_zero())
}

fn not_confirmed(period: &Period, side: AreaCode) -> Result<(), Stop> {
    if period.confirmed.iter().any(|(known, ..)| *known == side) { Err(Refusal::SideConfirmed.into()) } else { Ok(()) }
}

/// Whether a line is one of this province's, on either side.
fn belongs(period: &Period, share: &Share, directory: &Directory, side: AreaCode) -> bool {
    let province = |area: AreaCode| directory.regions.get(&area).map(|region| region.province_code);
    let is_stated = period.stated.iter().flat_map(|stated| &stated.nets).any(|(known, _)| *known == side);
    is_stated && (province(share.debtor) == Some(side) || province(share.creditor) == Some(side))
}

/// Whether a line's taking is marked for the period, or the line was carried over into it.
fn is_within(work: &mut Work, period: &Period, share: &Share) -> Result<bool, Stop> {
    if period.carried.contains(share) {
        return Ok(true);
    }
    let Some((_, mark)) = period.marks.iter().find(|(part, _)| *part == share.id.part) else { return Ok(false) };
    let before = find(work, month_before(period.period))?;
    let after = before.iter().flat_map(|before| &before.marks).find(|(part, _)| *part == share.id.part).map_or(0, |(_, mark)| mark.takings);
    Ok(share.id.taking > after && share.id.taking <= mark.takings)
}

fn two_persons(maker: &str, checker: &str) -> Result<(), Stop> {
    if maker.trim() == checker.trim() { Err(Reason::SameOperator.into()) } else { Ok(()) }
}

/// A name or a reason, in one line and without the number of a person.
fn text(value: &str) -> Result<String, Stop> {
    if has_long_number(value) { Err(Refusal::TextMissing.into()) } else { reference(value) }
}

/// A bank's number may be long.
fn reference(value: &str) -> Result<String, Stop> {
    let value = value.trim();
    let is_plain = !value.is_empty() && value.chars().count() <= TEXT_MAX && !value.chars().any(char::is_control);
    if is_plain { Ok(value.to_owned()) } else { Err(Refusal::TextMissing.into()) }
}
