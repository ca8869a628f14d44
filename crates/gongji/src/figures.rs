//! What happened in the last month, by hour and region: transfers, payments, premiums, refusals. Read off the journals of all partitions when somebody
//! looks, from where the reading stood; kept in memory, and bounded by days × hours × pairs of regions that really met.

use crate::activity::before;
use crate::app::{App, AppError};
use gongji_ledger::{AreaCode, Fen, Move, Part};
use gongji_store::Fault;
use gongji_wallet::day::{DAY_MS, Day, day_of, instant};
use gongji_wallet::event::{Event, Fact, Outcome};
use gongji_wallet::ids::Key;
use gongji_wallet::object::{OrderState, Purpose};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Days that are kept.
pub const DAYS_MAX: i32 = 31;

/// Records read of one partition at a look; the next look goes on.
const RECORDS_MAX: usize = 20_000;

/// Records read at once.
const STEP: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Transfer,
    Payment,
    Refund,
    Premium,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Transfer, Kind::Payment, Kind::Refund, Kind::Premium];

    pub fn label(self) -> &'static str {
        match self {
            Kind::Transfer => "转账",
            Kind::Payment => "付款",
            Kind::Refund => "退费",
            Kind::Premium => "缴居民医保",
        }
    }
}

/// What was counted of one kind in one hour, from the money's origin to where it went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cell {
    pub day: Day,
    pub hour: u8,
    pub kind: Kind,
    pub from: AreaCode,
    pub to: AreaCode,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sum {
    pub count: u64,
    pub amount: Fen,
}

#[derive(Clone, Default)]
pub struct Counted {
    pub cells: BTreeMap<Cell, Sum>,
    /// Refusals by day and code.
    pub refused: BTreeMap<(Day, &'static str), u64>,
    /// Whether every journal has been read to its end.
    pub is_complete: bool,
    read: BTreeMap<Part, u64>,
}

/// What is known so far. One looks at a time; the others wait for that look.
#[derive(Default)]
pub struct Figures(Mutex<Counted>);

/// What waits the longest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pending {
    pub transfers: usize,
    pub payments: usize,
    pub orders: usize,
    /// The earliest deadline of what is still open (ms).
    pub first_due: Option<i64>,
}

/// The figures as of now.
pub async fn figures(app: &Arc<App>) -> Result<Counted, AppError> {
    let worker = Arc::clone(app);
    let counted = tokio::task::spawn_blocking(move || -> Result<Counted, Fault> {
        let mut known = worker.figures.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first_day = day_of(worker.now()) - DAYS_MAX + 1;
        known.is_complete = true;
        for part in 1..=worker.engine.parts() {
            catch_up(&worker, &mut known, part, first_day)?;
        }
        known.cells = known.cells.split_off(&Cell { day: first_day, hour: 0, kind: Kind::Transfer, from: 0, to: 0 });
        known.refused = known.refused.split_off(&(first_day, ""));
        Ok(known.clone())
    });
    Ok(counted.await??)
}

fn catch_up(app: &App, known: &mut Counted, part: Part, first_day: Day) -> Result<(), Fault> {
    let mut journal = app.engine.store().journal(part)?;
    let mut after = match known.read.get(&part) {
        Some(read) => *read,
        None => before(&mut *journal, instant(first_day, 0))?,
    };
    let mut left = RECORDS_MAX;
    loop {
        let records = journal.records(after, STEP.min(left))?;
        let Some(last) = records.last() else { break };
        after = last.head.seq;
        for record in &records {
            for event in record.events()? {
                count(app, known, record.head.stamp, &event)?;
            }
        }
        left -= records.len();
        if left == 0 {
            known.is_complete = false;
            break;
        }
    }
    known.read.insert(part, after);
    Ok(())
}

fn count(app: &App, known: &mut Counted, stamp: i64, event: &Event) -> Result<(), Fault> {
    let day = day_of(stamp);
    let hour = u8::try_from((stamp - instant(day, 0)) / (DAY_MS / 24)).unwrap_or(0);
    let lives =
        |holder| -> Result<AreaCode, Fault> { Ok(app.engine.holder(holder)?.and_then(|person| person.enrolment).map_or(0, |enrolment| enrolment.area)) };
    let (kind, to) = match &event.fact {
        Fact::TransferSubmitted(transfer) => (Kind::Transfer, lives(transfer.receiver)?),
        Fact::TransferMade { .. } => {
            let receiver = event.moves.first().and_then(|posting| posting.to.holder());
            (Kind::Transfer, receiver.map(lives).transpose()?.unwrap_or(0))
        }
        Fact::PaymentCaptured { payment, .. } | Fact::PaymentRefunded { payment, .. } => match app.engine.payment(*payment)?.map(|payment| payment.purpose) {
            Some(Purpose::Order { area, .. }) if matches!(event.fact, Fact::PaymentRefunded { .. }) => (Kind::Refund, area),
            Some(Purpose::Order { area, .. }) => (Kind::Payment, area),
            Some(Purpose::Premium { area, .. }) => (Kind::Premium, area),
            None => return Ok(()),
        },
        Fact::Answered { outcome: Outcome::Refused(reasons), .. } | Fact::OrderDecided { state: OrderState::Refused(reasons), .. } => {
            for reason in reasons {
                *known.refused.entry((day, reason.words().code)).or_default() += 1;
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    // A grant may come from several origins: each counts with its own sum, the act once, with the largest.
    let mut by_origin: BTreeMap<AreaCode, Fen> = BTreeMap::new();
    for lot in event.moves.iter().flat_map(|posting: &Move| &posting.lots) {
        *by_origin.entry(lot.origin.area).or_default() += lot.amount;
    }
    let main = by_origin.iter().max_by_key(|(_, amount)| **amount).map(|(area, _)| *area);
    for (from, amount) in by_origin {
        let sum = known.cells.entry(Cell { day, hour, kind, from, to }).or_default();
        sum.amount += amount;
        sum.count += u64::from(Some(from) == main);
    }
    Ok(())
}

/// What is open, and what of it is due first. Read from the books, which may lag by a moment.
pub async fn pending(app: &Arc<App>) -> Result<Pending, AppError> {
    let worker = Arc::clone(app);
    let pending = tokio::task::spawn_blocking(move || -> Result<Pending, Fault> {
        let mut pending = Pending::default();
        for part in 1..=worker.engine.parts() {
            for (due, key) in worker.engine.read(part, |books| books.due())? {
                match key {
                    Key::Incoming(_) => pending.transfers += 1,
                    Key::Payment(_) => pending.payments += 1,
                    Key::Order(_) => pending.orders += 1,
                    _ => continue,
                }
                pending.first_due = Some(pending.first_due.map_or(due, |first: i64| first.min(due)));
            }
        }
        Ok(pending)
    });
    Ok(pending.await??)
}
