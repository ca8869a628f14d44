//! The writer of one partition: drains its queue, decides, commits once, publishes, replies.

use crate::clock::Clock;
use crate::engine::{Doors, Reply};
use crate::fault::Fault;
use crate::projector::{Committed, Item};
use crate::shared::Shared;
use crate::store::{Books, Head, Journal, Record, Store};
use gongji_ledger::{Part, RecordHead};
use gongji_wallet::command::{Command, Request};
use gongji_wallet::event::{Event, Fact};
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Envelope, Object};
use gongji_wallet::work::{Changes, KeyMap};
use gongji_wallet::{Decision, Lookup, Memory, Work, decide};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::{mpsc, oneshot, watch};

/// Most requests of one batch.
pub const BATCH_MAX: usize = 8_192;

/// Deadlines looked at in one batch.
const DUE_MAX: usize = 4_096;

pub enum Inbound {
    Ask(Request, oneshot::Sender<Reply>),
    /// Many requests with one reply: what a bench or an import sends.
    AskAll(Vec<Request>, oneshot::Sender<Vec<Reply>>),
    /// Time has passed: look at the deadlines.
    Nudge(oneshot::Sender<()>),
}

pub struct Writer {
    pub part: Part,
    pub parts: Part,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub shared: Arc<Shared>,
    pub doors: Arc<Doors>,
    pub journal: Box<dyn Journal>,
    pub head: Head,
    pub loader: RefCell<Box<dyn Books>>,
    pub due: BTreeSet<(i64, Key)>,
    pub projector: SyncSender<Item>,
    pub courier: std::sync::mpsc::Sender<Vec<Envelope>>,
    pub committed: watch::Sender<u64>,
}

/// Memory as the writer sees it: what is shared, and what this batch has loaded.
pub struct WriterMemory<'a> {
    shared: &'a Shared,
    loaded: RefCell<KeyMap<Option<Arc<Object>>>>,
}

impl<'a> WriterMemory<'a> {
    pub fn new(shared: &'a Shared) -> WriterMemory<'a> {
        WriterMemory { shared, loaded: RefCell::default() }
    }

    /// Loads an object from the books. What is in the books and not in memory is current: memory keeps everything newer.
    pub fn load(&self, key: Key, books: &RefCell<Box<dyn Books>>) -> Result<(), Fault> {
        let object = books.borrow_mut().load(&key)?.map(Arc::new);
        if let Some(object) = &object
            && !object.is_settled()
        {
            self.shared.put(key, object.clone());
        }
        self.loaded.borrow_mut().insert(key, object);
        Ok(())
    }
}

impl Memory for WriterMemory<'_> {
    fn get(&self, key: &Key) -> Lookup {
        if let Some(object) = self.shared.get(key) {
            return Lookup::Known(object);
        }
        match self.loaded.borrow().get(key) {
            Some(Some(object)) => Lookup::Known(object.clone()),
            Some(None) => Lookup::Absent,
            None if self.shared.is_surely_new(key) => Lookup::Absent,
            None => Lookup::Unloaded,
        }
    }
}

enum Waiting {
    One(oneshot::Sender<Reply>),
    /// Its replies are the next `usize` of the batch.
    Many(usize, oneshot::Sender<Vec<Reply>>),
}

impl Writer {
    /// Runs until every sender of its queue is gone, or the partition cannot go on.
    pub fn run(mut self, mut queue: mpsc::Receiver<Inbound>) {
        let mut inbound = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut inbound, BATCH_MAX) > 0 {
            let mut nudges = Vec::new();
            let mut requests = Vec::with_capacity(inbound.len());
            let mut waiting = Vec::with_capacity(inbound.len());
            for item in inbound.drain(..) {
                match item {
                    Inbound::Ask(request, reply) => {
                        requests.push(request);
                        waiting.push(Waiting::One(reply));
                    }
                    Inbound::AskAll(many, reply) => {
                        waiting.push(Waiting::Many(many.len(), reply));
                        requests.extend(many);
                    }
                    Inbound::Nudge(done) => nudges.push(done),
                }
            }
            let outcome = self.batch(requests);
            let stopped = matches!(&outcome, Err(Fault::Fenced(_) | Fault::Stopped(_) | Fault::Damaged(_)));
            reply(waiting, outcome);
            for done in nudges {
                let _ = done.send(());
            }
            if stopped {
                tracing::error!(part = self.part, "the partition stops writing");
                self.doors.close(self.part);
                return;
            }
        }
    }

    /// Decides and commits one batch. The replies are in the order of the requests.
    fn batch(&mut self, mut requests: Vec<Request>) -> Result<Vec<Reply>, Fault> {
        let stamp = self.clock.now().max(self.head.stamp);
        let asked = requests.len();
        let due: Vec<(i64, Key)> = self.due.iter().take_while(|(due, _)| *due <= stamp).take(DUE_MAX).copied().collect();
        requests.extend(due.iter().map(|(_, key)| Request { idempotency: None, command: Command::Due(*key) }));
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let mut decisions = self.decide_and_commit(&requests, stamp)?;
        for done in &due {
            self.due.remove(done);
        }
        decisions.truncate(asked);
        Ok(decisions.into_iter().map(|decision| Ok(Decided { seq: self.head.seq, decision })).collect())
    }

    fn decide_and_commit(&mut self, requests: &[Request], stamp: i64) -> Result<Vec<Decision>, Fault> {
        let shared = self.shared.clone();
        let memory = WriterMemory::new(&shared);
        let directory = self.doors.directory();
        let seq = self.head.seq + 1;
        let mut work = Work::new(&memory, self.part, self.parts, seq, stamp, directory.clone());
        let mut decisions = Vec::with_capacity(requests.len());
        for request in requests {
            let decision = loop {
                match decide(&mut work, request) {
                    Ok(decision) => break decision,
                    Err(key) => memory.load(key, &self.loader)?,
                }
            };
            decisions.push(decision);
        }
        if work.has_events() {
            let head = RecordHead { part: self.part, seq, stamp, directory: directory.version };
            let record = Record::new(head, work.events(), &self.head.hash);
            self.commit(&record)?;
            self.head = Head { epoch: self.head.epoch, seq, stamp, hash: record.hash };
            let changes = work.into_changes();
            self.publish(changes);
        }
        Ok(decisions)
    }

    fn commit(&mut self, record: &Record) -> Result<(), Fault> {
        match self.journal.commit(record) {
            Err(Fault::Unknown(why)) => {
                // Take over again: the sequence tells whether the batch in doubt landed.
                tracing::warn!(part = self.part, why, "a commit's outcome is unknown; taking over again");
                let (journal, head) = self.store.take_over(self.part).map_err(|_| Fault::Stopped(self.part))?;
                self.journal = journal;
                if head.seq == record.head.seq && head.hash == record.hash {
                    self.head.epoch = head.epoch;
                    Ok(())
                } else if head.seq == self.head.seq && head.hash == self.head.hash {
                    self.head.epoch = head.epoch;
                    Err(Fault::Failed(why))
                } else {
                    Err(Fault::Fenced(self.part))
                }
            }
            other => other,
        }
    }

    /// Makes a committed batch visible: memory first, then the books and the couriers.
    fn publish(&mut self, changes: Changes) {
        let Changes { objects, events, lines, orders } = changes;
        for (key, object) in &objects {
            if let Some(due) = object.due() {
                self.due.insert((due, *key));
            }
            if let Object::Directory(directory) = &**object {
                self.doors.set_directory(Arc::new(directory.as_ref().clone()));
            }
            self.shared.put(*key, object.clone());
        }
        let seq = self.head.seq;
        self.shared.set_committed(seq);
        let outbox = envelopes(self.part, events);
        if !outbox.is_empty() {
            // A courier that is gone means that the engine is closing; the messages are in the journal.
            let _ = self.courier.send(outbox.clone());
        }
        let _ = self.projector.send(Item::Committed(Committed { seq, lines, orders, outbox, objects }));
        self.committed.send_replace(seq);
    }
}

/// The messages of some events.
pub fn envelopes(from: Part, events: Vec<Event>) -> Vec<Envelope> {
    let sent = |event: Event| match event.fact {
        Fact::Sent { to, number, message } => Some(Envelope { from, to, number, message }),
        _ => None,
    };
    events.into_iter().filter_map(sent).collect()
}

/// A decision, and the record after which it is durable.
#[derive(Clone, PartialEq, Debug)]
pub struct Decided {
    pub seq: u64,
    pub decision: Decision,
}

fn reply(waiting: Vec<Waiting>, outcome: Result<Vec<Reply>, Fault>) {
    match outcome {
        Ok(replies) => {
            let mut replies = replies.into_iter();
            for waiting in waiting {
                // A caller that has gone away finds its answer by its key.
                match waiting {
                    Waiting::One(sender) => drop(sender.send(replies.next().expect("a reply for each request"))),
                    Waiting::Many(count, sender) => drop(sender.send(replies.by_ref().take(count).collect())),
                }
            }
        }
        Err(fault) => {
            for waiting in waiting {
                match waiting {
                    Waiting::One(sender) => drop(sender.send(Err(fault.clone()))),
                    Waiting::Many(count, sender) => drop(sender.send(vec![Err(fault.clone()); count])),
                }
            }
        }
    }
}
