//! `gongji verify`: reads an installation's files for the independent auditor, which rebuilds every balance, lot and line from the journal and
//! compares them with every row of the books.
//!
//! It works beside the running program and changes nothing. The journals are read up to heads taken at one moment; each partition's books are read
//! at a moment of their own, and compared when the reading of its journal stands where they stood: books may lag, and what they say must still be true.

mod rows;

use crate::kept::Kept;
use gongji_audit::wire::{Taking, same};
use gongji_audit::{Auditor, Finding, LineRow, Rows};
use gongji_ledger::Part;
use gongji_store::sqlite::SqliteStore;
use gongji_store::store::{Journal, Projected, Record, Store};
use gongji_store::{Books, Fault};
use gongji_wallet::ids::Key;
use gongji_wallet::object::Object;
use indicatif::ProgressBar;
use serde::Serialize;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

/// Records read at once.
const RECORDS_MAX: usize = 64;

/// Statement lines, and takings, read ahead of the journal.
const LINES_AHEAD_MAX: usize = 4_096;

/// Rows that tell the state as of one record; lines and takings are compared as the journal is read.
const STATE_ROWS: [Rows; 9] =
    [Rows::People, Rows::Balances, Rows::Transfers, Rows::Payments, Rows::Orders, Rows::Claims, Rows::Answers, Rows::Payees, Rows::Periods];

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The books or the journal are not what the journal says: the first difference.
    #[error("账本对不上。{}", .0.zh())]
    Differs(Box<Finding>),
    #[error("{0} 里没有 gongji 的账本。")]
    Missing(PathBuf),
    #[error("分区 {part} 的账本不见了,别的分区却有记录。请从备份恢复 {}/p{part:02}。", folder.display())]
    PartitionLost { folder: PathBuf, part: Part },
    #[error("数据库里分区 {0} 的账本不见了,别的分区却有记录。请恢复数据库的备份。")]
    PartitionLostInDatabase(Part),
    #[error("账本读不出来:{0}")]
    Fault(#[from] Fault),
}

impl From<Finding> for VerifyError {
    fn from(finding: Finding) -> VerifyError {
        VerifyError::Differs(Box::new(finding))
    }
}

/// What was read and found right.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    pub books: &'static str,
    pub partitions: Part,
    pub records: u64,
    pub events: u64,
    pub people: u64,
    pub transfers: u64,
    pub payments: u64,
    pub lots: u64,
    /// Statement lines compared.
    pub lines: u64,
    /// Takings of payees compared.
    pub takings: u64,
    /// Rows of the books compared, besides lines and takings.
    pub rows: u64,
    /// Messages between partitions that are still under way.
    pub undelivered: u64,
    pub heads: Vec<HeadReport>,
    pub trial: Vec<TrialReport>,
}

/// Where one partition's journal ends, and how far its books have come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HeadReport {
    pub part: Part,
    pub seq: u64,
    /// SM3 of the chain so far: export it, and nobody can rewrite what lies before.
    pub hash: String,
    /// `None`: deleted, to be made anew at the next start.
    pub books_seq: Option<u64>,
}

/// A line of the trial balance (fen).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrialReport {
    pub kind: &'static str,
    pub name: &'static str,
    pub debits: i128,
    pub credits: i128,
    pub balance: i128,
}

/// One partition while its journal is read.
struct Reading {
    part: Part,
    journal: Box<dyn Journal>,
    /// The last record to be read.
    head: u64,
    ahead: VecDeque<Record>,
    /// The last record asked for.
    asked: u64,
    books: Option<Standing>,
}

/// Books that stand still.
struct Standing {
    /// State as of `objects_seq`.
    objects: Books,
    objects_at: Projected,
    /// What was made once, after `objects_seq`: such rows are written with the lines.
    later: Vec<(Key, Object)>,
    lines: Ahead<LineRow>,
    takings: Ahead<Taking>,
}

/// Rows in the order of their records, read ahead on a thread of its own: the books hand them over one by one, the journal asks for them record by record.
struct Ahead<T> {
    rows: Receiver<Result<T, Fault>>,
    next: Option<T>,
    /// They are complete up to this record.
    seq: u64,
}

/// Hands each row over; ends where nobody listens any more.
type Hand<'a, T> = &'a mut dyn FnMut(T) -> Result<(), Fault>;

impl<T: Send + 'static> Ahead<T> {
    fn open(store: &dyn Store, part: Part, name: &str, read: fn(Part, &mut Books, Hand<T>) -> Result<(), Fault>) -> Result<Ahead<T>, Fault> {
        let mut books = store.books(part)?;
        books.hold_still()?;
        let seq = books.projected()?.lines_seq;
        let (sender, rows) = sync_channel(LINES_AHEAD_MAX);
        std::thread::Builder::new().name(format!("{name}-{part}")).spawn(move || {
            let read = read(part, &mut books, &mut |row| sender.send(Ok(row)).map_err(|_| Fault::Stopped(part)));
            if let Err(fault) = read {
                // Nobody listens any more where the audit has ended.
                let _ = sender.send(Err(fault));
            }
        })?;
        Ok(Ahead { rows, next: None, seq })
    }

    /// The next row of the record just read. One of a later record waits for it, and one beyond the journal for its end.
    fn next(&mut self, seq: u64, head: u64, seq_of: fn(&T) -> u64) -> Result<Option<T>, Fault> {
        if self.next.is_none() {
            self.next = self.rows.recv().ok().transpose()?;
        }
        let end = self.seq;
        Ok(self.next.take_if(|row| seq_of(row) <= seq || (seq >= end && seq >= head)))
    }
}

/// Audits the installation in `folder`. Quiet: without a progress bar.
///
/// # Errors
/// [`VerifyError::Differs`] with the first difference.
pub fn run(folder: &Path, quiet: bool) -> Result<Report, VerifyError> {
    run_against(folder, quiet, &[])
}

/// A head that was exported: partition, record, hash of the chain up to there.
pub type Exported = (Part, u64, [u8; 32]);

/// As [`run`], and holds the journals to heads that were exported earlier.
///
/// # Errors
/// [`VerifyError::Differs`] also where a chain was rewritten or its tail is gone.
pub fn run_against(folder: &Path, quiet: bool, heads: &[Exported]) -> Result<Report, VerifyError> {
    if let Ok(kept @ Kept::Database { .. }) = crate::installation::kept(folder) {
        return run_on_against(&kept, quiet, heads);
    }
    // Files tell their own count: a ledger without its installation can be audited too.
    let Some(parts) = SqliteStore::parts_of(folder)? else { return Err(VerifyError::Missing(folder.to_owned())) };
    run_on_against(&Kept::files(folder, parts), quiet, heads)
}

/// Audits a ledger where it is kept.
///
/// # Errors
/// [`VerifyError::Differs`] with the first difference.
pub fn run_on(kept: &Kept, quiet: bool) -> Result<Report, VerifyError> {
    run_on_against(kept, quiet, &[])
}

fn run_on_against(kept: &Kept, quiet: bool, heads: &[Exported]) -> Result<Report, VerifyError> {
    let parts = kept.parts();
    if let Some(part) = kept.lost_part()? {
        return Err(match kept {
            Kept::Files { folder, .. } => VerifyError::PartitionLost { folder: folder.clone(), part },
            Kept::Database { .. } => VerifyError::PartitionLostInDatabase(part),
        });
    }
    let store = kept.store()?;
    let mut readings = (0..=parts).map(|part| open(&*store, kept, part)).collect::<Result<Vec<_>, _>>()?;
    // After the books: whatever they know is in the journals by now.
    for (reading, head) in readings.iter_mut().zip(kept.heads_at_once()?) {
        reading.head = head;
    }
    let total = readings.iter().map(|reading| reading.head).sum();
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(total) };
    let mut audit = Audit { auditor: Auditor::new(parts), rows: 0, lines: 0, takings: 0 };
    for (part, seq, hash) in heads {
        audit.auditor.check_head(*part, *seq, hash)?;
    }
    for reading in &mut readings {
        audit.compare_at(reading, 0)?;
    }
    // By commit time, so that little has to be remembered of what is under way between partitions.
    while let Some(next) = next_of(&mut readings)? {
        let reading = &mut readings[next];
        let record = reading.ahead.pop_front().expect("the next record was looked at");
        let head = &record.head;
        audit.auditor.record(reading.part, head.seq, head.stamp, head.directory, &record.payload, &record.hash)?;
        audit.compare_at(reading, head.seq)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let summary = audit.auditor.finish()?;
    let standing = |part: Part| readings[usize::from(part)].books.as_ref().map(|books| books.objects_at.objects_seq);
    Ok(Report {
        books: "verified",
        partitions: parts,
        records: summary.records,
        events: summary.events,
        people: summary.people,
        transfers: summary.transfers,
        payments: summary.payments,
        lots: summary.lots,
        lines: audit.lines,
        takings: audit.takings,
        rows: audit.rows,
        undelivered: summary.undelivered,
        heads: summary
            .heads
            .iter()
            .map(|head| HeadReport { part: head.part, seq: head.seq, hash: gongji_files::hex(&head.hash), books_seq: standing(head.part) })
            .collect(),
        trial: summary
            .trial
            .iter()
            .map(|line| TrialReport { kind: kind_word(line.kind), name: line.kind.zh(), debits: line.debits, credits: line.credits, balance: line.balance })
            .collect(),
    })
}

fn kind_word(kind: gongji_audit::AccountKind) -> &'static str {
    use gongji_audit::AccountKind::*;
    match kind {
        Personal => "personal",
        Wallet => "wallet",
        Held => "held",
        Awaiting => "awaiting",
        Payable => "payable",
        Premium => "premium",
        Fund => "fund",
        Unclaimed => "unclaimed",
        Transit => "transit",
    }
}

fn open(store: &dyn Store, kept: &Kept, part: Part) -> Result<Reading, Fault> {
    let books = kept.has_books(part)?.then(|| stand_still(store, part)).transpose()?;
    Ok(Reading { part, journal: store.journal(part)?, head: 0, ahead: VecDeque::new(), asked: 0, books })
}

fn stand_still(store: &dyn Store, part: Part) -> Result<Standing, Fault> {
    let mut objects = store.books(part)?;
    objects.hold_still()?;
    let objects_at = objects.projected()?;
    let lines = Ahead::open(store, part, "lines", |part, books, hand| books.each_line(&mut |line| hand(rows::line(part, &line))))?;
    let takings = Ahead::open(store, part, "takings", |_, books, hand| books.each_taking(0, &mut |taking| hand(same(&taking)).map(|()| true)))?;
    Ok(Standing { objects, objects_at, later: Vec::new(), lines, takings })
}

/// The partition whose next record was committed first.
fn next_of(readings: &mut [Reading]) -> Result<Option<usize>, Fault> {
    let mut first: Option<(i64, usize)> = None;
    for (at, reading) in readings.iter_mut().enumerate() {
        if reading.ahead.is_empty() && reading.asked < reading.head {
            let max = RECORDS_MAX.min(usize::try_from(reading.head - reading.asked).unwrap_or(RECORDS_MAX));
            reading.ahead.extend(reading.journal.records(reading.asked, max)?);
            let Some(last) = reading.ahead.back() else {
                return Err(Fault::Damaged(format!("partition {}: the journal ends at {}, not at {}", reading.part, reading.asked, reading.head)));
            };
            reading.asked = last.head.seq;
        }
        if let Some(record) = reading.ahead.front()
            && first.is_none_or(|(stamp, _)| record.head.stamp < stamp)
        {
            first = Some((record.head.stamp, at));
        }
    }
    Ok(first.map(|(_, at)| at))
}

struct Audit {
    auditor: Auditor,
    rows: u64,
    lines: u64,
    takings: u64,
}

impl Audit {
    /// Compares what the books say of the record just read.
    fn compare_at(&mut self, reading: &mut Reading, seq: u64) -> Result<(), VerifyError> {
        let part = reading.part;
        let Some(books) = &mut reading.books else { return Ok(()) };
        while let Some(line) = books.lines.next(seq, reading.head, |line| line.seq)? {
            self.auditor.expect_line(&line)?;
            self.lines += 1;
        }
        if seq == books.lines.seq {
            self.auditor.missing_of(part, &[Rows::Lines])?;
        }
        while let Some(taking) = books.takings.next(seq, reading.head, |taking| taking.seq)? {
            self.auditor.expect_taking(part, &taking)?;
            self.takings += 1;
        }
        if seq == books.takings.seq {
            self.auditor.missing_of(part, &[Rows::Takings])?;
        }
        if seq == books.objects_at.objects_seq {
            let (count, later) = rows::compare(&mut self.auditor, part, &mut books.objects)?;
            self.rows += count;
            books.later = later;
            self.auditor.missing_of(part, &STATE_ROWS)?;
        }
        if seq == books.objects_at.lines_seq {
            for (key, object) in books.later.drain(..) {
                rows::object_as_expected(&mut self.auditor, part, &key, &object)?;
            }
            self.auditor.missing_of(part, &[Rows::Answers])?;
        }
        if seq == reading.head && seq < books.lines.seq.max(books.takings.seq).max(books.objects_at.objects_seq) {
            return Err(Fault::Damaged(format!("partition {part}: the books are ahead of the journal, which ends at {seq}")).into());
        }
        Ok(())
    }
}
