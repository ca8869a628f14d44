//! All partitions of an installation: start, ask, read, stop.

use crate::books::Books;
use crate::clock::Clock;
use crate::courier::{Courier, DisturbMessages};
use crate::fault::Fault;
use crate::gauges::{Gauges, Reading};
use crate::partition::{BATCH_MAX, Decided, Inbound, Writer};
use crate::projector::{Item, Progress};
use crate::replay::{Started, check_watermarks, counters, replay};
use crate::shared::{Limits, Shared};
use crate::store::Store;
use gongji_ledger::{HolderId, InstitutionId, Part};
use gongji_wallet::Request;
use gongji_wallet::directory::Directory;
use gongji_wallet::event::institution_part;
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, TransferId};
use gongji_wallet::object::{Claim, Envelope, Holder, Incoming, Line, Object, Order, Outgoing, Payee, Payment, Taking, Transfer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that wait at one partition; a full queue answers `Busy`.
pub const QUEUE_MAX: usize = 16_384;

pub type Reply = Result<Decided, Fault>;

/// The ways into the partitions, for everybody inside the engine.
pub struct Doors {
    queues: RwLock<Vec<Option<mpsc::Sender<Inbound>>>>,
    shared: Vec<Arc<Shared>>,
    directory: RwLock<Arc<Directory>>,
    /// Moves whenever any partition has committed or has ended.
    stir: watch::Sender<()>,
}

impl Doors {
    /// For a partition that is driven alone: nobody else of the process is behind these.
    pub(crate) fn of_one(parts: Part) -> Doors {
        Doors { queues: RwLock::new(vec![None; usize::from(parts) + 1]), shared: Vec::new(), directory: RwLock::default(), stir: watch::channel(()).0 }
    }

    fn queue(&self, part: Part) -> Result<mpsc::Sender<Inbound>, Fault> {
        let queues = self.queues.read().expect("no holder of the queues panics");
        queues.get(usize::from(part)).and_then(Option::clone).ok_or(Fault::Stopped(part))
    }

    pub(crate) fn gauges(&self, part: Part) -> Option<&Gauges> {
        self.shared.get(usize::from(part)).map(|shared| &shared.gauges)
    }

    pub(crate) fn is_shut(&self, part: Part) -> bool {
        self.queue(part).is_err()
    }

    pub(crate) fn close(&self, part: Part) {
        self.queues.write().expect("no holder of the queues panics")[usize::from(part)] = None;
    }

    fn close_all(&self) {
        self.queues.write().expect("no holder of the queues panics").fill(None);
    }

    pub(crate) fn stirred(&self) {
        self.stir.send_replace(());
    }

    /// Asks from a plain thread, waiting for a place in the queue.
    pub(crate) fn ask_waiting(&self, part: Part, request: Request) -> Result<oneshot::Receiver<Reply>, Fault> {
        let (sender, receiver) = oneshot::channel();
        self.queue(part)?.blocking_send(Inbound::Ask(request, sender)).map_err(|_| Fault::Stopped(part))?;
        Ok(receiver)
    }

    /// Number of the last message from `from` that `part` has applied.
    pub(crate) fn received(&self, part: Part, from: Part) -> u64 {
        match self.shared.get(usize::from(part)).and_then(|shared| shared.get(&Key::Partition)).as_deref() {
            Some(Object::Partition(partition)) => partition.received_from(from),
            _ => 0,
        }
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.directory.read().expect("no holder of the directory panics").clone()
    }

    pub(crate) fn set_directory(&self, directory: Arc<Directory>) {
        *self.directory.write().expect("no holder of the directory panics") = directory;
    }
}

struct PartHandle {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    committed: watch::Receiver<u64>,
    /// `None` once the engine has been stopped.
    projector: Mutex<Option<SyncSender<Item>>>,
    readers: Mutex<Vec<Books>>,
}

/// An installation at work. Dropping it stops every partition after what it has taken in.
pub struct Engine {
    store: Arc<dyn Store>,
    parts: Part,
    doors: Arc<Doors>,
    handles: Vec<PartHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

pub struct Options {
    /// Partitions for people and institutions; the directory is one more.
    pub parts: Part,
    /// How much each partition keeps in memory.
    pub limits: Limits,
    /// What a test does to messages, and no installation to itself.
    pub disturb: Option<DisturbMessages>,
}

impl Options {
    pub fn new(parts: Part) -> Options {
        Options { parts, limits: Limits::default(), disturb: None }
    }
}

impl Engine {
    /// Takes over every partition, replays what the books lack, and starts to work.
    ///
    /// # Errors
    /// Any fault of the store; `Damaged` if journal and books, or two partitions' journals, do not belong together. Nothing runs on then.
    pub fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, options: Options) -> Result<Engine, Fault> {
        let mut threads = Vec::new();
        let mut engine = Engine::start_all(store, clock, options, &mut threads);
        match &mut engine {
            Ok(engine) => engine.threads = Mutex::new(threads),
            // What was started has lost its senders by now.
            Err(_) => threads.into_iter().for_each(|thread| drop(thread.join())),
        }
        engine
    }

    fn start_all(store: Arc<dyn Store>, clock: Arc<dyn Clock>, options: Options, threads: &mut Vec<JoinHandle<()>>) -> Result<Engine, Fault> {
        let Options { parts, limits, disturb } = options;
        let mut started = Vec::new();
        for part in 0..=parts {
            started.push(replay(&*store, part, parts, limits, threads)?);
        }
        let directory = match started[0].opened.shared.get(&Key::Directory).as_deref() {
            Some(Object::Directory(directory)) => Arc::new(directory.as_ref().clone()),
            _ => Arc::new(Directory::default()),
        };
        let doors = Arc::new(Doors {
            queues: RwLock::new(vec![None; usize::from(parts) + 1]),
            shared: started.iter().map(|started| started.opened.shared.clone()).collect(),
            directory: RwLock::new(directory),
            stir: watch::channel(()).0,
        });
        check_watermarks(&started.iter().map(|started| counters(&started.opened.shared)).collect::<Vec<_>>())?;
        let mut handles = Vec::new();
        let mut ready = Vec::new();
        for Started { opened: started, projector, progress } in started {
            let (sender, queue) = mpsc::channel(QUEUE_MAX);
            doors.queues.write().expect("no holder of the queues panics")[usize::from(started.part)] = Some(sender);
            let (committed, seen) = watch::channel(started.head.seq);
            let (courier, fresh) = std::sync::mpsc::channel();
            let mut waiting: BTreeMap<Part, VecDeque<Envelope>> = BTreeMap::new();
            for envelope in started.outbox {
                let watermark = doors.received(envelope.to, started.part);
                if envelope.number > watermark {
                    waiting.entry(envelope.to).or_default().push_back(envelope);
                } else {
                    // The books have not heard yet that it was applied. A full projector hears of it with the next delivery.
                    let _ = projector.try_send(Item::Delivered(envelope.to, watermark));
                }
            }
            let carrying = Courier { part: started.part, doors: doors.clone(), waiting, projector: projector.clone(), disturb: disturb.clone() };
            handles.push(PartHandle {
                shared: started.shared.clone(),
                progress,
                committed: seen,
                projector: Mutex::new(Some(projector.clone())),
                readers: Mutex::default(),
            });
            let writer = Writer {
                part: started.part,
                parts,
                store: store.clone(),
                clock: clock.clone(),
                shared: started.shared,
                doors: doors.clone(),
                journal: started.journal,
                head: started.head,
                loader: started.loader,
                due: started.due,
                projector,
                courier,
                committed,
                is_ended: false,
            };
            ready.push((carrying, fresh, writer, queue));
        }
        // Dropped at the first thread that the machine refuses: then those that run find their doors shut and end.
        let engine = Engine { store, parts, doors, handles, threads: Mutex::default() };
        for (carrying, fresh, writer, queue) in ready {
            let part = writer.part;
            threads.push(spawn(format!("courier-{part}"), move || carrying.run(fresh))?);
            threads.push(spawn(format!("writer-{part}"), move || writer.run(queue))?);
        }
        Ok(engine)
    }

    pub fn parts(&self) -> Part {
        self.parts
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The partition that records an institution's orders.
    pub fn institution_part(&self, institution: InstitutionId) -> Part {
        institution_part(institution, self.parts)
    }

    /// Asks a partition; the answer comes after it is durable.
    pub async fn ask(&self, part: Part, request: Request) -> Reply {
        let (sender, receiver) = oneshot::channel();
        self.doors.queue(part)?.try_send(Inbound::Ask(request, sender)).map_err(|error| refused(part, &error))?;
        // A writer that went away in the middle leaves the outcome to its journal.
        receiver.await.unwrap_or_else(|_| Err(Fault::Unknown(format!("partition {part} stopped"))))
    }

    /// Asks many at once; they share a batch as far as its size allows. Waits for a place in the queue.
    pub async fn ask_all(&self, part: Part, requests: Vec<Request>) -> Vec<Reply> {
        let mut under_way = Vec::new();
        let mut requests = requests.into_iter();
        while requests.len() > 0 {
            let some: Vec<Request> = requests.by_ref().take(BATCH_MAX).collect();
            let count = some.len();
            let (sender, receiver) = oneshot::channel();
            let sent = match self.doors.queue(part) {
                Ok(queue) => queue.send(Inbound::AskAll(some, sender)).await.is_ok(),
                Err(_) => false,
            };
            under_way.push((count, sent.then_some(receiver)));
        }
        let mut replies = Vec::new();
        for (count, receiver) in under_way {
            replies.extend(match receiver {
                Some(receiver) => receiver.await.unwrap_or_else(|_| vec![Err(Fault::Unknown(format!("partition {part} stopped"))); count]),
                None => vec![Err(Fault::Stopped(part)); count],
            });
        }
        replies
    }

    /// Lets every partition look at its deadlines, and waits until they have.
    ///
    /// # Errors
    /// The first partition's fault. The others have looked all the same; what failed is looked at again next time.
    pub async fn nudge(&self) -> Result<(), Fault> {
        let mut result = Ok(());
        for part in 0..=self.parts {
            let looked = self.nudge_one(part).await;
            result = result.and(looked);
        }
        result
    }

    async fn nudge_one(&self, part: Part) -> Result<(), Fault> {
        let (sender, receiver) = oneshot::channel();
        self.doors.queue(part)?.send(Inbound::Nudge(sender)).await.map_err(|_| Fault::Stopped(part))?;
        receiver.await.unwrap_or(Err(Fault::Stopped(part)))
    }

    /// Waits until nothing is due and no message is under way: for tests and for the sandbox after its clock was moved.
    ///
    /// # Errors
    /// A partition's fault: then something may be left that was due or under way.
    pub async fn settle(&self) -> Result<(), Fault> {
        let mut stir = self.doors.stir.subscribe();
        loop {
            let before = self.committed();
            self.nudge().await?;
            loop {
                stir.mark_unchanged();
                if self.messages_under_way() == 0 {
                    break;
                }
                for part in 0..=self.parts {
                    self.doors.queue(part)?;
                }
                // The engine keeps the sender, so this only returns when something has happened.
                let _ = stir.changed().await;
            }
            if self.committed() == before {
                return Ok(());
            }
        }
    }

    fn committed(&self) -> Vec<u64> {
        self.handles.iter().map(|handle| handle.shared.committed()).collect()
    }

    /// Messages sent and not yet applied.
    pub fn messages_under_way(&self) -> u64 {
        (0..=self.parts).map(|from| self.messages_from(from)).sum()
    }

    fn messages_from(&self, from: Part) -> u64 {
        match self.handles[usize::from(from)].shared.get(&Key::Partition).as_deref() {
            Some(Object::Partition(partition)) => partition.sent.iter().map(|(to, sent)| sent.saturating_sub(self.doors.received(*to, from))).sum(),
            _ => 0,
        }
    }

    /// How a partition does right now, for whoever watches.
    pub fn reading(&self, part: Part) -> Option<Reading> {
        let handle = self.handles.get(usize::from(part))?;
        let (seq, progress) = (handle.shared.committed(), *handle.progress.borrow());
        let queue = self.doors.queue(part).ok();
        Some(Reading {
            is_writing: queue.is_some(),
            seq,
            queued: queue.map_or(0, |queue| queue.max_capacity() - queue.capacity()),
            records_behind: seq.saturating_sub(progress.lines_seq),
            is_stuck: progress.is_stuck,
            messages: self.messages_from(part),
            ..handle.shared.gauges.read()
        })
    }

    pub fn gauges(&self, part: Part) -> Option<&Gauges> {
        self.doors.gauges(part)
    }

    /// Tells when a partition has committed again.
    pub fn changes(&self, part: Part) -> watch::Receiver<u64> {
        self.handles[usize::from(part)].committed.clone()
    }

    /// Waits until the statement lines of everything committed so far can be read.
    ///
    /// # Errors
    /// `Failed` while the books cannot be written.
    pub async fn lines_written(&self, part: Part) -> Result<(), Fault> {
        let Some(handle) = self.handles.get(usize::from(part)) else { return Ok(()) };
        let target = handle.shared.committed();
        let mut progress = handle.progress.clone();
        let reached = match progress.wait_for(|progress| progress.lines_seq >= target || progress.is_stuck).await {
            Ok(progress) => progress.lines_seq >= target,
            // The projector is gone; what it has written is all there will be.
            Err(_) => handle.progress.borrow().lines_seq >= target,
        };
        if reached { Ok(()) } else { Err(Fault::Failed(format!("the books of partition {part} fall behind"))) }
    }

    /// Writes everything behind to the books now.
    pub async fn flush(&self) {
        for handle in &self.handles {
            let (sender, receiver) = oneshot::channel();
            let Some(projector) = handle.projector.lock().expect("no holder of this sender panics").clone() else { continue };
            let sent = tokio::task::spawn_blocking(move || projector.send(Item::Flush(sender)).is_ok()).await;
            if matches!(sent, Ok(true)) {
                let _ = receiver.await;
            }
        }
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.doors.directory()
    }

    /// A committed object: from memory, or from the books.
    pub fn object(&self, part: Part, key: Key) -> Result<Option<Arc<Object>>, Fault> {
        let Some(handle) = self.handles.get(usize::from(part)) else { return Ok(None) };
        if let Some(object) = handle.shared.get(&key) {
            return Ok(Some(object));
        }
        if handle.shared.is_surely_new(&key) {
            return Ok(None);
        }
        if let Some(object) = self.read(part, |books| books.load(&key))? {
            return Ok(Some(Arc::new(object)));
        }
        // It may have come into being while the books were read.
        Ok(handle.shared.get(&key))
    }

    /// Reads a partition's books. Reads are short; each reader has a connection of its own.
    pub fn read<T>(&self, part: Part, read: impl FnOnce(&mut Books) -> Result<T, Fault>) -> Result<T, Fault> {
        let handle = self.handles.get(usize::from(part)).ok_or_else(|| Fault::Failed(format!("there is no partition {part}")))?;
        let idle = handle.readers.lock().expect("no holder of the readers panics").pop();
        let mut books = match idle {
            Some(books) => books,
            None => self.store.books(part)?,
        };
        let result = read(&mut books);
        handle.readers.lock().expect("no holder of the readers panics").push(books);
        result
    }

    pub fn holder(&self, id: HolderId) -> Result<Option<Holder>, Fault> {
        Ok(match self.object(id.part(), Key::Holder(id))?.as_deref() {
            Some(Object::Holder(holder)) => Some(Holder::clone(holder)),
            _ => None,
        })
    }

    /// A transfer as its sender sees it.
    pub fn outgoing(&self, sender: HolderId, id: TransferId) -> Result<Option<Outgoing>, Fault> {
        Ok(match self.object(sender.part(), Key::Outgoing(id))?.as_deref() {
            Some(Object::Outgoing(outgoing)) => Some(Outgoing::clone(outgoing)),
            _ => self.made(sender.part(), id)?.map(|transfer| transfer.made_outgoing()),
        }
        .filter(|outgoing| outgoing.transfer.sender == sender))
    }

    /// A transfer as its receiver sees it.
    pub fn incoming(&self, receiver: HolderId, id: TransferId) -> Result<Option<Incoming>, Fault> {
        Ok(match self.object(receiver.part(), Key::Incoming(id))?.as_deref() {
            Some(Object::Incoming(incoming)) => Some(Incoming::clone(incoming)),
            _ => self.made(receiver.part(), id)?.map(|transfer| transfer.made_incoming()),
        }
        .filter(|incoming| incoming.transfer.receiver == receiver))
    }

    /// A transfer that was made at once within one partition.
    fn made(&self, part: Part, id: TransferId) -> Result<Option<Transfer>, Fault> {
        Ok(match self.object(part, Key::Made(id))?.as_deref() {
            Some(Object::Made(transfer)) => Some(transfer.clone()),
            _ => None,
        })
    }

    pub fn payment(&self, id: PaymentId) -> Result<Option<Payment>, Fault> {
        Ok(match self.object(id.part(), Key::Payment(id))?.as_deref() {
            Some(Object::Payment(payment)) => Some(Payment::clone(payment)),
            _ => None,
        })
    }

    pub fn order(&self, id: OrderId) -> Result<Option<Order>, Fault> {
        Ok(match self.object(self.institution_part(id.institution), Key::Order(id))?.as_deref() {
            Some(Object::Order(order)) => Some(Order::clone(order)),
            _ => None,
        })
    }

    pub fn claim(&self, insured: HolderId, year: u16) -> Result<Option<Claim>, Fault> {
        Ok(match self.object(insured.part(), Key::Claim(insured, year))?.as_deref() {
            Some(Object::Claim(claim)) => Some(claim.clone()),
            _ => None,
        })
    }

    pub fn code(&self, part: Part, id: CodeId) -> Result<Option<gongji_wallet::object::Code>, Fault> {
        Ok(match self.object(part, Key::Code(id))?.as_deref() {
            Some(Object::Code(code)) => Some(code.clone()),
            _ => None,
        })
    }

    /// Statement lines of a holder, newest first, from `before` (exclusive; `None` for the newest), at most `max` that `wanted` picks.
    pub async fn lines(&self, holder: HolderId, before: Option<u64>, max: usize, wanted: impl Fn(&Line) -> bool) -> Result<Vec<Line>, Fault> {
        // The person first: the lines that this version of it names are in memory or in the books by then.
        let Some(person) = self.holder(holder)? else { return Ok(Vec::new()) };
        let mut number = person.last_line;
        if let Some(before) = before
            && let Some(line) = self.line_numbered(holder.part(), before)?
            && line.holder == holder
        {
            number = line.previous;
        }
        let mut lines = Vec::new();
        while number != 0 && lines.len() < max {
            let line = self.line_numbered(holder.part(), number)?.ok_or_else(|| self.lost_line(holder.part(), number))?;
            if line.holder != holder {
                return Err(Fault::Damaged(format!("statement line {number} belongs to another person")));
            }
            number = line.previous;
            if before.is_none_or(|before| line.number < before) && wanted(&line) {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    /// One statement line, if it is this holder's.
    pub async fn line(&self, holder: HolderId, number: u64) -> Result<Option<Line>, Fault> {
        Ok(self.line_numbered(holder.part(), number)?.filter(|line| line.holder == holder))
    }

    fn line_numbered(&self, part: Part, number: u64) -> Result<Option<Line>, Fault> {
        match self.handles.get(usize::from(part)).and_then(|handle| handle.shared.lines.get(number)) {
            Some(line) => Ok(Some(line)),
            None => self.read(part, |books| books.line(number)),
        }
    }

    /// Why a line that an account names is nowhere.
    fn lost_line(&self, part: Part, number: u64) -> Fault {
        if self.handles[usize::from(part)].progress.borrow().is_stuck {
            return Fault::Failed(format!("the books of partition {part} fall behind"));
        }
        Fault::Damaged(format!("line {number} of partition {part} is missing"))
    }

    /// Takings of a payee in one partition, newest first, from `before` (exclusive; `None` for the newest), at most `max`, as long as `wanted` says so.
    pub fn takings(
        &self,
        part: Part,
        payee: Payee,
        before: Option<&Taking>,
        max: usize,
        mut wanted: impl FnMut(&Taking) -> bool,
    ) -> Result<Vec<Taking>, Fault> {
        // The payee's account first: what this version of it names is in memory or in the books by then.
        let mut number = match before {
            Some(taking) => taking.previous,
            None => self.last_taking(part, payee)?,
        };
        let mut takings = Vec::new();
        while number != 0 && takings.len() < max {
            let taking = self.taking(part, number)?.ok_or_else(|| self.lost_line(part, number))?;
            if taking.payee != payee {
                return Err(Fault::Damaged(format!("taking {number} of partition {part} belongs to another payee")));
            }
            if !wanted(&taking) {
                break;
            }
            number = taking.previous;
            takings.push(taking);
        }
        Ok(takings)
    }

    /// Number of a payee's last taking in a partition; 0 for none.
    pub fn last_taking(&self, part: Part, payee: Payee) -> Result<u64, Fault> {
        Ok(match self.object(part, Key::Takings(payee))?.as_deref() {
            Some(Object::Takings(last)) => *last,
            _ => 0,
        })
    }

    pub fn taking(&self, part: Part, number: u64) -> Result<Option<Taking>, Fault> {
        match self.handles.get(usize::from(part)).and_then(|handle| handle.shared.takings.get(number)) {
            Some(taking) => Ok(Some(taking)),
            None => self.read(part, |books| books.taking(number)),
        }
    }

    /// An institution's orders, newest first.
    pub async fn orders(&self, institution: InstitutionId, max: usize) -> Result<Vec<Order>, Fault> {
        let part = self.institution_part(institution);
        let mut number = match self.object(part, Key::Till(institution))?.as_deref() {
            Some(Object::Till(till)) => till.last_line,
            _ => 0,
        };
        self.lines_written(part).await?;
        let mut orders = Vec::new();
        while number != 0 && orders.len() < max {
            let key = self.read(part, |books| books.order_line(number))?;
            let Some(Key::Order(id)) = key else { return Err(Fault::Damaged(format!("order line {number} is missing"))) };
            let order = self.order(id)?.ok_or_else(|| Fault::Damaged(format!("order of line {number} is missing")))?;
            number = order.previous;
            orders.push(order);
        }
        Ok(orders)
    }

    /// Stops every partition after what it has taken in, and writes the books. Messages under way are in the journal and go on at the next start.
    pub fn stop(&self) {
        self.doors.close_all();
        for handle in &self.handles {
            // A projector ends when writer, courier and this handle have let go of it.
            handle.projector.lock().expect("no holder of this sender panics").take();
        }
        for thread in std::mem::take(&mut *self.threads.lock().expect("no holder of the threads panics")) {
            // One that a bug has ended said so when it did.
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn refused(part: Part, error: &mpsc::error::TrySendError<Inbound>) -> Fault {
    match error {
        mpsc::error::TrySendError::Full(_) => Fault::Busy,
        mpsc::error::TrySendError::Closed(_) => Fault::Stopped(part),
    }
}

pub fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    Ok(std::thread::Builder::new().name(name).spawn(run)?)
}
