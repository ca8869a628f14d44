//! The writer of one partition: drains its queue, decides, commits once, publishes, replies.

use crate::books::Books;
use crate::clock::Clock;
use crate::engine::{Doors, Reply};
use crate::fault::Fault;
use crate::projector::{Committed, Item};
use crate::shared::Shared;
use crate::store::{Head, Journal, Record, Store};
use gongji_ledger::{HolderId, Part, RecordHead, planted};
use gongji_wallet::command::{Command, Request};
use gongji_wallet::event::{Event, Fact};
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Envelope, Object};
use gongji_wallet::work::{Changes, KeyMap};
use gongji_wallet::{Decision, Lookup, Memory, Work, decide};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::{mpsc, oneshot, watch};

/// Most requests of one batch. What a batch works on then stays in the processor's cache, and a commit is long paid for: twice as many cost a
/// transfer more, not less.
pub const BATCH_MAX: usize = 1_024;

/// Deadlines looked at in one batch.
const DUE_MAX: usize = 1_024;

#[allow(clippy::large_enum_variant, reason = "a box would cost every request an allocation")]
pub enum Inbound {
    Ask(Request, oneshot::Sender<Reply>),
    /// Many requests with one reply: what a bench or an import sends.
    AskAll(Vec<Request>, oneshot::Sender<Vec<Reply>>),
    /// Time has passed: look at the deadlines.
    Nudge(oneshot::Sender<Result<(), Fault>>),
}

impl Inbound {
    fn count(&self) -> usize {
        match self {
            Inbound::Ask(..) => 1,
            Inbound::AskAll(many, _) => many.len(),
            Inbound::Nudge(_) => 0,
        }
    }
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
    pub loader: RefCell<Books>,
    pub due: BTreeSet<(i64, Key)>,
    pub projector: SyncSender<Item>,
    pub courier: std::sync::mpsc::Sender<Vec<Envelope>>,
    pub committed: watch::Sender<u64>,
    /// This partition writes no more, whatever the last batch's callers are told.
    pub is_ended: bool,
    /// The batch at work has gone to the journal: it may have landed.
    pub is_committing: bool,
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
    pub fn load(&self, key: Key, books: &RefCell<Books>) -> Result<(), Fault> {
        let object = books.borrow_mut().load(&key)?.map(Arc::new);
        if let Some(object) = &object {
            self.shared.remember(key, object);
        }
        self.loaded.borrow_mut().insert(key, object);
        Ok(())
    }

    #[allow(dead_code, reason = "a planted bug's")]
    fn forget(&self, key: Key) {
        self.loaded.borrow_mut().insert(key, None);
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

/// Shuts a partition's door when its writer ends, however it ends: nobody may wait for a writer that is gone.
struct Leaving {
    part: Part,
    doors: Arc<Doors>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.doors.close(self.part);
        self.doors.stirred();
    }
}

impl Writer {
    /// Runs until every sender of its queue is gone, or the partition cannot go on.
    pub fn run(mut self, mut queue: mpsc::Receiver<Inbound>) {
        let _leaving = Leaving { part: self.part, doors: self.doors.clone() };
        let mut inbound = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut inbound, BATCH_MAX) > 0 {
            let mut inbound = inbound.drain(..).peekable();
            while inbound.len() > 0 {
                let mut nudges = Vec::new();
                let mut requests = Vec::with_capacity(inbound.len());
                let mut waiting = Vec::with_capacity(inbound.len());
                // One that is too large by itself is taken alone.
                while let Some(item) = inbound.next_if(|item| requests.is_empty() || requests.len() + item.count() <= BATCH_MAX) {
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
                let outcome = self.turn(requests);
                let looked = outcome.as_ref().map(drop).map_err(Clone::clone);
                if self.is_ended {
                    tracing::error!(part = self.part, ?looked, "the partition stops writing");
                    // Shut before anybody is told, so that whoever asks again is refused.
                    self.doors.close(self.part);
                }
                reply(waiting, outcome);
                for done in nudges {
                    let _ = done.send(looked.clone());
                }
                if self.is_ended {
                    queue.close();
                    inbound.for_each(|item| refuse(item, self.part));
                    while let Ok(item) = queue.try_recv() {
                        refuse(item, self.part);
                    }
                    return;
                }
            }
        }
    }

    /// Takes one batch through, and notices whether the partition can go on after it.
    pub fn turn(&mut self, requests: Vec<Request>) -> Result<Vec<Reply>, Fault> {
        let asked = requests.len();
        self.shared.gauges.batch_begins();
        self.is_committing = false;
        // A bug ends this partition and no other; after it nothing here is used again but the way out.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.batch(requests))).unwrap_or_else(|_| {
            self.is_ended = true;
            if !self.is_committing && matches!(self.store.raise_epoch(self.part, Some(self.head.epoch)), Err(Fault::Fenced(_))) {
                // No bug: the books that it met are another writer's already, and newer than this one's memory. Nothing of the batch has landed.
                return Err(Fault::Fenced(self.part));
            }
            self.doors.broke(self.part);
            Err(Fault::Unknown(format!("a bug stopped partition {}", self.part)))
        });
        if matches!(outcome, Err(Fault::Damaged(_))) {
            self.doors.broke(self.part);
        }
        self.is_ended |= matches!(&outcome, Err(Fault::Fenced(_) | Fault::Stopped(_) | Fault::Damaged(_)));
        self.shared.gauges.batch_ends(asked, outcome.is_ok(), self.head.epoch, self.due.first().map(|(due, _)| *due));
        outcome
    }

    /// Decides and commits one batch. The replies are in the order of the requests.
    fn batch(&mut self, mut requests: Vec<Request>) -> Result<Vec<Reply>, Fault> {
        if !self.doors.is_directory_current() {
            return Err(Fault::Failed("the directory has not been heard of for too long".to_owned()));
        }
        let stamp = if planted("clock-goes-back") { self.clock.now() } else { self.clock.now().max(self.head.stamp) };
        let asked = requests.len();
        let due: Vec<(i64, Key)> = self.due.iter().take_while(|(due, _)| *due <= stamp).take(DUE_MAX).copied().collect();
        requests.extend(due.iter().map(|(_, key)| Request { idempotency: None, command: Command::Due(*key) }));
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        if planted("failed-batch-forgets-deadlines") {
            self.due.retain(|waiting| !due.contains(waiting));
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
        work.reserve(requests.len());
        shared.people.warm(requests.iter().flat_map(people_of).collect());
        let mut decisions = Vec::with_capacity(requests.len());
        for request in requests {
            let decision = loop {
                match decide(&mut work, request) {
                    Ok(decision) => break decision,
                    Err(key) if planted("what-is-not-in-memory-is-not-there") && matches!(key, Key::Answer(_)) => memory.forget(key),
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
        self.is_committing = true;
        let committed = self.shared.gauges.committing(|| self.journal.commit(record));
        let why = match committed {
            Err(Fault::Unknown(why)) => why,
            Err(Fault::Failed(_)) if planted("failed-commit-is-answered") => return Ok(()),
            other => return other,
        };
        self.shared.gauges.commit_unknown();
        if planted("unknown-outcome-is-a-failure") {
            return Err(Fault::Failed(why));
        }
        // Take over again: the sequence tells whether the batch in doubt landed.
        tracing::warn!(part = self.part, why, "a commit's outcome is unknown; taking over again");
        // Only from the epoch of one's own: a successor's must not be ended by somebody who is late.
        let again = self.store.raise_epoch(self.part, Some(self.head.epoch));
        if let Ok((journal, head)) = again
            && head.epoch == self.head.epoch + 1
        {
            let has_landed = head.seq == record.head.seq && head.hash == record.hash || planted("unknown-outcome-is-a-success");
            let is_as_before = head.seq == self.head.seq && head.hash == self.head.hash;
            if has_landed || is_as_before {
                self.journal = journal;
                self.head.epoch = if planted("second-doubt-ends-the-writer") { self.head.epoch } else { head.epoch };
                return if has_landed { Ok(()) } else { Err(Fault::Failed(why)) };
            }
        }
        // The journal cannot be read, or another writer was here in between: whether the batch landed stays unknown to its callers.
        self.is_ended = true;
        Err(Fault::Unknown(why))
    }

    /// Makes a committed batch visible: memory first, then the books and the couriers.
    fn publish(&mut self, changes: Changes) {
        let Changes { objects, events, lines, takings, orders } = changes;
        let seq = self.head.seq;
        // First, so that whoever sees a changed object finds this record's lines, and waits for its orders.
        self.shared.set_committed(seq);
        let lines = self.shared.lines.put(lines);
        let takings = self.shared.takings.put(takings);
        let (people, objects) = self.shared.publish(objects);
        for (key, object) in &objects {
            if !(planted("deadline-is-forgotten-until-restart") && seq.is_multiple_of(4)) {
                mind_deadline(&mut self.due, *key, object);
            }
            if let Object::Directory(directory) = &**object {
                self.doors.set_directory(Arc::new(directory.as_ref().clone()));
            }
        }
        let outbox = envelopes(self.part, events);
        // Before the courier, so that the books never learn of a delivery before they know the message.
        let projected = self.projector.send(Item::Committed(Committed { seq, lines, takings, orders, outbox: outbox.clone(), people, objects }));
        let carried = if outbox.is_empty() || (planted("message-waits-for-a-restart") && seq.is_multiple_of(7)) { Ok(()) } else { self.courier.send(outbox) };
        if projected.is_err() || carried.is_err() {
            // Both outlive this writer unless a bug has ended them. Nothing is lost: the next start takes everything from the journal.
            tracing::error!(part = self.part, projector = projected.is_ok(), courier = carried.is_ok(), "a thread of the partition is gone; restart");
        }
        self.committed.send_replace(seq);
        self.doors.stirred();
    }
}

/// Whom deciding a request will look at, as far as the most frequent ones say it.
fn people_of(request: &Request) -> impl Iterator<Item = HolderId> {
    let people = match &request.command {
        Command::RequestTransfer(wish) => Some([wish.sender, wish.receiver]),
        _ => None,
    };
    people.into_iter().flatten()
}

/// Keeps the list of deadlines to what is open: at its deadline nobody asks the books about what ended long before.
pub fn mind_deadline(due: &mut BTreeSet<(i64, Key)>, key: Key, object: &Object) {
    if let Some(deadline) = object.deadline() {
        if object.due().is_some() {
            due.insert((deadline, key));
        } else {
            due.remove(&(deadline, key));
        }
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
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Decided {
    pub seq: u64,
    pub decision: Decision,
}

/// Tells a caller whose request was not looked at any more.
fn refuse(item: Inbound, part: Part) {
    let fault = Fault::Stopped(part);
    match item {
        Inbound::Ask(_, reply) => drop(reply.send(Err(fault))),
        Inbound::AskAll(many, reply) => drop(reply.send(vec![Err(fault); many.len()])),
        Inbound::Nudge(done) => drop(done.send(Err(fault))),
    }
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
