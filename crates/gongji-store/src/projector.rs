//! Writes behind: turns committed batches into books, on a thread of its own for each partition.

use crate::books::Books;
use crate::fault::Fault;
use crate::packed::{LatestPeople, PackedPeople};
use crate::shared::Shared;
use crate::store::{Objects, Projection};
use gongji_ledger::{Part, planted};
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Envelope, Line, Object, Taking};
use gongji_wallet::work::KeyMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::watch;

/// Changes of people, and changed objects, that wait in memory before they are written although the partition is busy: a restart does what made them once
/// more.
pub const DIRTY_MAX: usize = 500_000;

/// Lines written in one transaction.
const LINES_MAX: usize = 50_000;

/// Lines that wait in memory while the books cannot be written.
const LATE_LINES_MAX: usize = 1_000_000;

/// How long the partition must have been quiet before its changed objects are written.
const QUIET: Duration = Duration::from_millis(100);

/// What a commit changed.
pub struct Committed {
    pub seq: u64,
    pub lines: Arc<Vec<Line>>,
    pub takings: Arc<Vec<Taking>>,
    pub orders: Vec<(u64, Key)>,
    pub outbox: Vec<Envelope>,
    pub people: PackedPeople,
    pub objects: Objects,
}

pub enum Item {
    Committed(Committed),
    /// Messages up to this number have been applied at their destination.
    Delivered(Part, u64),
    /// Write everything now and tell.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// How far the books have come, for readers that wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Lines, orders and outbox are complete up to this record.
    pub lines_seq: u64,
    /// The last attempt to write failed: whoever waits is told so.
    pub is_stuck: bool,
}

pub struct Projector {
    pub part: Part,
    pub books: Books,
    pub shared: Arc<Shared>,
    pub progress: watch::Sender<Progress>,
    pub dirty: KeyMap<Arc<Object>>,
    /// Batch by batch.
    pub dirty_people: Vec<PackedPeople>,
    pub delivered: HashMap<Part, u64>,
    pub pending: Projection,
    /// A projection whose transaction failed. It may have been written all the same.
    pub late: Option<Projection>,
    /// Last record whose objects are in `dirty` or written.
    pub seq: u64,
    /// Writes no more: fenced off, or too far behind.
    pub given_up: bool,
}

impl Projector {
    /// Runs until the partition closes its end. What is left is written then.
    pub fn run(mut self, items: Receiver<Item>) {
        loop {
            let waiting = !self.given_up && (self.dirty_count() > 0 || self.late.is_some() || self.has_lines());
            let first = if waiting { items.recv_timeout(QUIET) } else { items.recv().map_err(|_| RecvTimeoutError::Disconnected) };
            let closed = matches!(first, Err(RecvTimeoutError::Disconnected));
            self.turn(first, &items);
            if closed {
                return;
            }
        }
    }

    /// Takes what has come, and writes what is to be written: everything when nothing came for a while (`Timeout`) or will come any more.
    pub fn turn(&mut self, first: Result<Item, RecvTimeoutError>, items: &Receiver<Item>) {
        let nothing_came = first.is_err();
        let mut told = Vec::new();
        if let Ok(item) = first {
            self.take(item, &mut told);
            while self.pending_lines() < LINES_MAX {
                let Ok(item) = items.try_recv() else { break };
                self.take(item, &mut told);
            }
        }
        let at_once = nothing_came || !told.is_empty();
        if self.given_up {
            self.forget();
        } else if (self.late.is_none() || at_once || self.pending_lines() >= LINES_MAX)
            && let Err(fault) = self.write(at_once || self.dirty_count() >= DIRTY_MAX)
        {
            // The journal has everything. What memory keeps for the books has an end, though: beyond it they wait for the next start.
            self.given_up = matches!(fault, Fault::Fenced(_)) || self.pending_lines() >= LATE_LINES_MAX;
            // Said once, and not ten times a second: a full disk has no room for it.
            if self.given_up || !self.progress.borrow().is_stuck {
                tracing::error!(part = self.part, %fault, given_up = self.given_up, "the books fall behind");
            }
            self.progress.send_modify(|progress| progress.is_stuck = true);
        }
        for told in told {
            let _ = told.send(());
        }
    }

    fn dirty_count(&self) -> usize {
        self.dirty.len() + self.dirty_people.iter().map(PackedPeople::len).sum::<usize>()
    }

    fn pending_lines(&self) -> usize {
        self.pending.lines.iter().map(|lines| lines.len()).sum::<usize>() + self.pending.takings.iter().map(|takings| takings.len()).sum::<usize>()
    }

    fn has_lines(&self) -> bool {
        self.pending.lines_seq > self.progress.borrow().lines_seq || !self.delivered.is_empty()
    }

    pub fn take(&mut self, item: Item, told: &mut Vec<tokio::sync::oneshot::Sender<()>>) {
        match item {
            Item::Committed(committed) => {
                self.shared.gauges.books_wait();
                self.seq = committed.seq;
                self.pending.lines_seq = self.pending.lines_seq.max(committed.seq);
                if !committed.lines.is_empty() {
                    self.pending.lines.push(committed.lines);
                }
                if !committed.takings.is_empty() {
                    self.pending.takings.push(committed.takings);
                }
                self.pending.orders.extend(committed.orders);
                self.pending.outbox.extend(committed.outbox);
                if !committed.people.is_empty() {
                    self.dirty_people.push(committed.people);
                }
                for (key, object) in committed.objects {
                    if object.is_made_once() {
                        self.pending.made.push((key, object));
                    } else {
                        self.dirty.insert(key, object);
                    }
                }
            }
            Item::Delivered(part, number) => {
                self.delivered.insert(part, if planted("delivery-covers-the-next") { number + 1 } else { number });
            }
            Item::Flush(sender) => told.push(sender),
        }
    }

    /// Drops what will not be written any more.
    fn forget(&mut self) {
        self.dirty.clear();
        self.dirty_people.clear();
        self.delivered.clear();
        self.late = None;
        // Whoever asks for them is told that the books fall behind.
        self.shared.lines.forget(u64::MAX);
        self.shared.takings.forget(u64::MAX);
        self.pending = Projection { lines_seq: self.pending.lines_seq, ..Projection::default() };
    }

    fn write(&mut self, with_objects: bool) -> Result<(), Fault> {
        if let Some(late) = &self.late {
            let projected = self.books.projected()?;
            let has_landed = !planted("late-books-are-written-twice")
                && projected.lines_seq == late.lines_seq
                && late.objects.as_ref().is_none_or(|(seq, _)| *seq == projected.objects_seq);
            if !has_landed {
                self.books.project(late)?;
            }
            let late = self.late.take().expect("a late projection is kept until it is written");
            self.written(late);
        }
        let mut projection = std::mem::take(&mut self.pending);
        self.pending.lines_seq = projection.lines_seq;
        projection.delivered = self.delivered.drain().collect();
        if with_objects && self.dirty_count() > 0 {
            let seq = if planted("books-run-ahead") { self.seq + 1 } else { self.seq };
            projection.objects = Some((seq, self.dirty.drain().collect()));
            projection.people = Arc::new(LatestPeople::of(std::mem::take(&mut self.dirty_people)));
        }
        match self.books.project(&projection) {
            Ok(()) => {
                self.written(projection);
                Ok(())
            }
            Err(fault) => {
                if planted("books-say-they-are-ahead") {
                    self.progress.send_replace(Progress { lines_seq: projection.lines_seq, is_stuck: false });
                }
                self.late = (!planted("failed-books-are-forgotten")).then_some(projection);
                Err(fault)
            }
        }
    }

    fn written(&mut self, projection: Projection) {
        if let Some(line) = projection.lines.last().and_then(|lines| lines.last()) {
            self.shared.lines.forget(line.number);
        }
        if let Some(taking) = projection.takings.last().and_then(|takings| takings.last()) {
            self.shared.takings.forget(taking.number);
        }
        let objects = projection.objects.map(|(_, objects)| objects).unwrap_or_default();
        self.shared.people.settle(&projection.people);
        self.shared.settle(projection.made.into_iter().chain(objects));
        self.shared.gauges.books_written();
        if self.progress.borrow().is_stuck {
            tracing::info!(part = self.part, "the books are written again");
        }
        self.progress.send_replace(Progress { lines_seq: projection.lines_seq, is_stuck: false });
    }
}
