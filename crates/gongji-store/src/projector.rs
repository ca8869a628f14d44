//! Writes behind: turns committed batches into books, on a thread of its own for each partition.

use crate::fault::Fault;
use crate::shared::Shared;
use crate::store::{Books, Projection};
use gongji_ledger::Part;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Envelope, Line, Object};
use gongji_wallet::work::KeyMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::watch;

/// Changed objects that wait in memory before they are written although the partition is busy.
pub const DIRTY_MAX: usize = 500_000;

/// Lines written in one transaction.
const LINES_MAX: usize = 50_000;

/// How long the partition must have been quiet before its changed objects are written.
const QUIET: Duration = Duration::from_millis(100);

/// What a commit changed.
pub struct Committed {
    pub seq: u64,
    pub lines: Vec<Line>,
    pub orders: Vec<(u64, Key)>,
    pub outbox: Vec<Envelope>,
    pub objects: Vec<(Key, Arc<Object>)>,
}

pub enum Item {
    Committed(Committed),
    /// Messages up to this number have been applied at their destination.
    Delivered(Part, u64),
    /// Write everything now and tell.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// How far the books have come, for readers that wait: (lines, objects).
pub type Progress = watch::Sender<(u64, u64)>;

pub struct Projector {
    pub part: Part,
    pub books: Box<dyn Books>,
    pub shared: Arc<Shared>,
    pub progress: Progress,
    pub dirty: KeyMap<Arc<Object>>,
    pub delivered: HashMap<Part, u64>,
    pub pending: Projection,
    /// Last record whose objects are in `dirty` or written.
    pub seq: u64,
}

impl Projector {
    /// Runs until the partition closes its end. What is left is written then.
    pub fn run(mut self, items: Receiver<Item>) {
        let mut failed = false;
        loop {
            let waiting = !self.dirty.is_empty() || self.has_lines();
            let first = if waiting { items.recv_timeout(QUIET) } else { items.recv().map_err(|_| RecvTimeoutError::Disconnected) };
            let quiet = matches!(first, Err(RecvTimeoutError::Timeout));
            let closed = matches!(first, Err(RecvTimeoutError::Disconnected));
            let mut told = Vec::new();
            if let Ok(item) = first {
                self.take(item, &mut told);
                while self.pending.lines.len() < LINES_MAX {
                    let Ok(item) = items.try_recv() else { break };
                    self.take(item, &mut told);
                }
            }
            let with_objects = quiet || closed || !told.is_empty() || self.dirty.len() >= DIRTY_MAX;
            if !failed && let Err(fault) = self.write(with_objects) {
                // The journal has everything; the books are rebuilt from it at the next start.
                tracing::error!(part = self.part, %fault, "the books fall behind");
                failed = true;
            }
            for told in told {
                let _ = told.send(());
            }
            if closed {
                return;
            }
        }
    }

    fn has_lines(&self) -> bool {
        self.pending.lines_seq > self.progress.borrow().0 || !self.delivered.is_empty()
    }

    fn take(&mut self, item: Item, told: &mut Vec<tokio::sync::oneshot::Sender<()>>) {
        match item {
            Item::Committed(committed) => {
                self.seq = committed.seq;
                self.pending.lines_seq = self.pending.lines_seq.max(committed.seq);
                self.pending.lines.extend(committed.lines);
                self.pending.orders.extend(committed.orders);
                self.pending.outbox.extend(committed.outbox);
                self.dirty.extend(committed.objects);
            }
            Item::Delivered(part, number) => {
                self.delivered.insert(part, number);
            }
            Item::Flush(sender) => told.push(sender),
        }
    }

    fn write(&mut self, with_objects: bool) -> Result<(), Fault> {
        let mut projection = std::mem::take(&mut self.pending);
        projection.delivered = self.delivered.drain().collect();
        if with_objects && !self.dirty.is_empty() {
            let mut objects: Vec<(Key, Arc<Object>)> = self.dirty.drain().collect();
            // In order of the key the pages of the tree are each written once.
            objects.sort_unstable_by_key(|(key, _)| *key);
            projection.objects = Some((self.seq, objects));
        }
        self.books.project(&projection)?;
        self.pending.lines_seq = projection.lines_seq;
        if let Some((_, objects)) = &projection.objects {
            self.shared.settle(objects);
        }
        let objects_seq = projection.objects.map(|(seq, _)| seq);
        self.progress.send_modify(|(lines, seen)| {
            *lines = projection.lines_seq;
            *seen = objects_seq.unwrap_or(*seen);
        });
        Ok(())
    }
}
