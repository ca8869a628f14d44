//! Carries messages between partitions: one courier for each source, never in the path of callers.
//!
//! A message is sent until the destination's watermark says that it was applied; the destination ignores repeats and what comes too early.

use crate::engine::Doors;
use crate::projector;
use gongji_ledger::{Part, planted};
use gongji_wallet::command::{Command, Request};
use gongji_wallet::object::Envelope;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

/// Messages under way to one destination at once.
const WINDOW: usize = 1_024;

/// Pause before what was not applied is sent again.
const AGAIN: Duration = Duration::from_millis(20);

/// What a test does to the messages of one round, from the partition given: it may drop, repeat and reorder them.
pub type DisturbMessages = Arc<dyn Fn(Part, Vec<Envelope>) -> Vec<Envelope> + Send + Sync>;

pub struct Courier {
    pub part: Part,
    pub doors: Arc<Doors>,
    pub waiting: BTreeMap<Part, VecDeque<Envelope>>,
    pub projector: SyncSender<projector::Item>,
    pub disturb: Option<DisturbMessages>,
}

impl Courier {
    /// Runs until the partition closes its end.
    pub fn run(mut self, fresh: Receiver<Vec<Envelope>>) {
        loop {
            let is_idle = self.waiting.values().all(VecDeque::is_empty);
            if is_idle {
                let Ok(envelopes) = fresh.recv() else { return };
                self.add(envelopes);
            }
            while let Ok(envelopes) = fresh.try_recv() {
                self.add(envelopes);
            }
            if self.round() {
                continue;
            }
            match fresh.recv_timeout(AGAIN) {
                Ok(envelopes) => self.add(envelopes),
                Err(RecvTimeoutError::Timeout) => {}
                // The writer is gone. What was not applied is in the journal; whoever takes the partition over next sends it again.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    pub fn add(&mut self, envelopes: Vec<Envelope>) {
        for envelope in envelopes {
            self.waiting.entry(envelope.to).or_default().push_back(envelope);
        }
        self.show(false);
    }

    fn show(&self, were_applied: bool) {
        if let Some(gauges) = self.doors.gauges(self.part) {
            gauges.messages_moved(self.waiting.values().any(|waiting| !waiting.is_empty()), were_applied);
        }
    }

    /// Sends the first messages to every destination and waits for the replies. Returns whether anything was applied.
    fn round(&mut self) -> bool {
        let mut under_way = Vec::new();
        for to in self.waiting.keys() {
            let envelopes = || {
                let envelopes = self.to_send(*to);
                self.disturb.as_ref().map_or_else(|| envelopes.clone(), |disturb| disturb(self.part, envelopes.clone()))
            };
            if self.waiting[to].is_empty() {
                continue;
            }
            // Another process may work on it.
            let is_elsewhere = self.doors.deliver_elsewhere(*to, self.part, || envelopes().into_iter().map(delivery).collect()).is_some();
            if is_elsewhere || self.doors.is_shut(*to) {
                continue;
            }
            for envelope in envelopes() {
                if let Ok(reply) = self.doors.ask_waiting(*to, delivery(envelope)) {
                    under_way.push(reply);
                }
            }
        }
        for reply in under_way {
            // Whatever it says, the watermark below tells what was applied.
            let _ = reply.blocking_recv();
        }
        let mut applied = false;
        for to in self.waiting.keys().copied().collect::<Vec<_>>() {
            applied |= self.applied(to, self.doors.received(to, self.part));
        }
        applied
    }

    /// What to send to a destination now: its first messages, until they are known to be applied.
    pub fn to_send(&self, to: Part) -> Vec<Envelope> {
        self.waiting.get(&to).into_iter().flatten().take(WINDOW).cloned().collect()
    }

    /// Learns how far a destination has come. Returns whether anything was applied.
    pub fn applied(&mut self, to: Part, watermark: u64) -> bool {
        let Some(waiting) = self.waiting.get_mut(&to) else { return false };
        let before = waiting.len();
        let watermark = if planted("sent-is-delivered") && watermark % 5 == 4 { watermark + 1 } else { watermark };
        while waiting.front().is_some_and(|envelope| envelope.number <= watermark) {
            waiting.pop_front();
        }
        let applied = waiting.len() < before;
        if applied {
            // A full projector is behind anyway: the next round tells it again.
            let _ = self.projector.try_send(projector::Item::Delivered(to, watermark));
            self.show(true);
        }
        applied
    }
}

/// A message as a request to its destination.
pub fn delivery(envelope: Envelope) -> Request {
    let Envelope { from, number, message, .. } = envelope;
    Request { idempotency: None, command: Command::Deliver { from, number, message } }
}
