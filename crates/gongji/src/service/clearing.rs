//! Clearing: the steps of a period, and what its lines come to.
//!
//! Each step is one command to the directory's partition, which says whether it may be; what a statement comes to is summed here from the takings of
//! all partitions, as the marks delimit them.

mod export;
mod summing;

pub use export::{Exported, export, name_of};
pub use summing::{Files, Summed, sum_up};

use super::operator::in_directory;
use super::{Result, ServiceError};
use crate::app::App;
use gongji_files::clearing::{Cleared, StatementKind};
use gongji_ledger::{AreaCode, Fen};
use gongji_wallet::clearing::{
    ClearingCommand, LineId, Month, Period, PeriodState, Refusal, Share, Statement, first_day, month_before, month_of, next_month, shares,
};
use gongji_wallet::day::{Day, day_of, instant};
use gongji_wallet::ids::Key;
use gongji_wallet::object::Object;
use gongji_wallet::{Command, Reason};
use std::sync::Arc;
use std::time::Duration;

/// How long whoever cuts waits for all marks; the cut goes on by itself.
const CUT_WAIT: Duration = Duration::from_secs(10);

/// Periods listed at once: five years.
pub const PERIODS_MAX: usize = 60;

/// A bank's receipt for money of a notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BankReceipt {
    /// The bank's number.
    pub reference: String,
    pub from: AreaCode,
    pub to: AreaCode,
    pub amount: Fen,
    pub day: Day,
}

/// One period; `PERIOD_UNKNOWN` where it was not cut.
pub fn period(app: &App, month: Month) -> Result<Period> {
    find(app, month)?.ok_or_else(|| Reason::Clearing(Refusal::PeriodUnknown).into())
}

fn find(app: &App, month: Month) -> Result<Option<Period>> {
    Ok(match app.engine.object(0, Key::Period(month))?.as_deref() {
        Some(Object::Period(period)) => Some(Period::clone(period)),
        _ => None,
    })
}

/// Those that were cut, newest first.
pub fn periods(app: &App) -> Result<Vec<Period>> {
    let Some(Object::LastPeriod(last)) = app.engine.object(0, Key::LastPeriod)?.as_deref().cloned() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    let mut month = last;
    while let Some(period) = find(app, month)?.filter(|_| all.len() < PERIODS_MAX) {
        all.push(period);
        month = month_before(month);
    }
    Ok(all)
}

/// The month that is to be cut next: after the last, or the one before today's where none was cut.
pub fn next(app: &App) -> Result<Month> {
    Ok(match app.engine.object(0, Key::LastPeriod)?.as_deref() {
        Some(Object::LastPeriod(last)) => next_month(*last),
        _ => month_before(month_of(day_of(app.now()))),
    })
}

async fn step(app: &App, command: ClearingCommand) -> Result<()> {
    in_directory(app, Command::Clearing(Box::new(command))).await
}

/// Cuts a month, and waits a little for the marks of all partitions.
///
/// # Errors
/// `PERIOD_NOT_OVER`, `PERIOD_ORDER`, `PERIOD_WAITS`. Asking again for one that is cut is no error.
pub async fn cut(app: &App, month: Month, by: &str) -> Result<Period> {
    let mut changes = app.engine.changes(0);
    step(app, ClearingCommand::Cut { period: month, by: by.to_owned() }).await?;
    let until = tokio::time::Instant::now() + CUT_WAIT;
    loop {
        changes.mark_unchanged();
        let known = period(app, month)?;
        if known.state != PeriodState::Cutting || tokio::time::timeout_at(until, changes.changed()).await.is_err() {
            return Ok(known);
        }
    }
}

/// Who is named where nobody asked for a cut.
const BY_ITSELF: &str = "月初自动切账";

/// Cuts every month that is over, one after the other; the first one ever is for people to begin with. Returns how many.
///
/// What is paid between the month's end and its cut belongs to that month's period, with its own business date.
pub async fn cut_due(app: &App) -> std::result::Result<usize, crate::app::AppError> {
    let mut count = 0;
    while let Some(Object::LastPeriod(last)) = app.engine.object(0, Key::LastPeriod)?.as_deref() {
        let month = next_month(*last);
        let ends = first_day(next_month(month)).map(|day| instant(day, 0));
        if ends.is_none_or(|ends| app.now() < ends) {
            break;
        }
        match cut(app, month, BY_ITSELF).await {
            Ok(period) if period.state != PeriodState::Cutting => count += 1,
            // Not every partition has answered yet: the next one waits for its turn.
            Ok(_) => return Err(gongji_store::Fault::Failed(format!("{month} is still being cut")).into()),
            Err(ServiceError::App(error)) => return Err(error),
            Err(refused) => return Err(gongji_store::Fault::Failed(refused.to_string()).into()),
        }
    }
    Ok(count)
}

fn statement(cleared: &Cleared) -> Statement {
    Statement { root: cleared.root, lines: cleared.lines, amount: cleared.amount, nets: cleared.nets.clone() }
}

/// Sums the period up and publishes its statement to the provinces.
///
/// # Errors
/// `PERIOD_STATE`, `PERIOD_WAITS`; `STATEMENT_DIFFERS` where the takings are not those that were marked.
pub async fn state(app: &Arc<App>, month: Month, by: &str) -> Result<Statement> {
    let known = period(app, month)?;
    if known.state != PeriodState::Cut {
        return Err(Reason::Clearing(Refusal::PeriodState { state: known.state }).into());
    }
    if find(app, month_before(month))?.is_some_and(|before| before.released.is_none()) {
        return Err(Reason::Clearing(Refusal::PeriodWaits { before: month_before(month) }).into());
    }
    let summed = sum_up(app, month, StatementKind::Stated, Files::None, |_| {}).await?;
    let statement = statement(&summed.cleared);
    step(app, ClearingCommand::State { period: month, statement: statement.clone(), by: by.to_owned() }).await?;
    Ok(statement)
}

/// A province agrees with all lines that it has not disputed.
///
/// # Errors
/// `SIDE_UNKNOWN`, `SIDE_CONFIRMED`, `PERIOD_STATE`; `STATEMENT_DIFFERS` where it has seen another one.
pub async fn confirm(app: &App, month: Month, side: AreaCode, root: [u8; 32], by: &str) -> Result<()> {
    step(app, ClearingCommand::Confirm { period: month, side, root, by: by.to_owned() }).await
}

/// A line as the books have it; `LINE_UNKNOWN` where there is none.
pub fn line(app: &App, id: LineId) -> Result<Share> {
    let unknown = || ServiceError::from(Reason::Clearing(Refusal::LineUnknown));
    if id.part == 0 || id.part > app.engine.parts() {
        return Err(unknown());
    }
    let taking = app.engine.taking(id.part, id.taking)?.ok_or_else(unknown)?;
    shares(id.part, &taking).find(|share| share.id == id).ok_or_else(unknown)
}

/// A province disputes a line: it is held out of the release and carried over into the next period.
///
/// # Errors
/// `LINE_UNKNOWN`, `SIDE_UNKNOWN`, `SIDE_CONFIRMED`, `LINE_DISPUTED`, `TEXT_MISSING`, `PERIOD_STATE`.
pub async fn dispute(app: &App, month: Month, side: AreaCode, id: LineId, reason: &str, by: &str) -> Result<()> {
    let share = line(app, id)?;
    step(app, ClearingCommand::Dispute { period: month, share, side, reason: reason.to_owned(), by: by.to_owned() }).await
}

/// The province takes a dispute back.
///
/// # Errors
/// `LINE_NOT_DISPUTED`, `PERIOD_STATE`.
pub async fn agree(app: &App, month: Month, side: AreaCode, line: LineId, by: &str) -> Result<()> {
    step(app, ClearingCommand::Agree { period: month, line, side, by: by.to_owned() }).await
}

/// Sums the period up without the lines in dispute and releases it, by two persons.
///
/// # Errors
/// `SAME_OPERATOR`, `SIDES_SILENT`, `PERIOD_STATE`; `STATEMENT_DIFFERS` where somebody disputed a line meanwhile: ask again.
pub async fn release(app: &Arc<App>, month: Month, maker: &str, checker: &str) -> Result<Period> {
    let known = period(app, month)?;
    if known.state != PeriodState::Stated {
        return Err(Reason::Clearing(Refusal::PeriodState { state: known.state }).into());
    }
    let summed = sum_up(app, month, StatementKind::Released, Files::None, |_| {}).await?;
    let (statement, dues) = (statement(&summed.cleared), summed.cleared.dues);
    let (maker, checker) = (maker.to_owned(), checker.to_owned());
    step(app, ClearingCommand::Release { period: month, statement, dues, maker, checker }).await?;
    period(app, month)
}

/// The notices to pay and to collect are out.
///
/// # Errors
/// `PERIOD_STATE`.
pub async fn notice(app: &App, month: Month, by: &str) -> Result<()> {
    step(app, ClearingCommand::Notice { period: month, by: by.to_owned() }).await
}

/// Money of a notice has arrived. A receipt counts once, by the bank's number; the same one again is no error.
///
/// # Errors
/// `RECEIPT_UNKNOWN`, `RECEIPT_TOO_LARGE`, `PERIOD_STATE`; `RECEIPT_REPEATED` where the number stands for something else.
pub async fn receive(app: &App, month: Month, receipt: &BankReceipt, by: &str) -> Result<bool> {
    let BankReceipt { reference, from, to, amount, day } = receipt.clone();
    let is_known = |period: &Period| {
        period.receipts.iter().any(|known| (&known.reference, known.from, known.to, known.amount, known.day) == (&reference, from, to, amount, day))
    };
    if is_known(&period(app, month)?) {
        return Ok(false);
    }
    step(app, ClearingCommand::Receive { period: month, reference, from, to, amount, day, by: by.to_owned() }).await.map(|()| true)
}

/// All money has arrived, say two persons.
///
/// # Errors
/// `SAME_OPERATOR`, `FUNDS_MISSING`, `PERIOD_STATE`.
pub async fn fund(app: &App, month: Month, maker: &str, checker: &str) -> Result<()> {
    step(app, ClearingCommand::Fund { period: month, maker: maker.to_owned(), checker: checker.to_owned() }).await
}

/// Ends the period: from here on nothing of it changes.
///
/// # Errors
/// `PERIOD_STATE`.
pub async fn close(app: &App, month: Month, by: &str) -> Result<()> {
    step(app, ClearingCommand::Close { period: month, by: by.to_owned() }).await
}
