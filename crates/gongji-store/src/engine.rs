//! All partitions of an installation: start, ask, read, stop.

pub(crate) mod doors;
mod opening;
mod sharing;

use crate::books::Books;
use crate::clock::Clock;
use crate::courier::DisturbMessages;
use crate::fault::Fault;
use crate::gauges::{Gauges, Reading};
use crate::partition::{Decided, Inbound};
use crate::peers::{Answer, Call, Peers};
use crate::postgres::Roster;
use crate::postgres::session::wait;
use crate::projector::Item;
use crate::seal::Keys;
use crate::shared::{Limits, Shared};
use crate::store::Store;
pub(crate) use doors::Doors;
use gongji_ledger::{HolderId, InstitutionId, Part};
use gongji_wallet::Request;
use gongji_wallet::directory::Directory;
use gongji_wallet::event::institution_part;
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, TransferId};
use gongji_wallet::object::{Claim, Code, Decoding, Holder, Incoming, Line, Object, Order, Outgoing, Payee, Payment, Taking, Transfer};
use opening::Opener;
use sharing::Sharing;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Requests that wait at one partition; a full queue answers `Busy`.
pub const QUEUE_MAX: usize = 16_384;

/// How long a process that starts beside others waits until every partition is worked on by somebody.
const START_MAX: Duration = Duration::from_secs(60);

pub type Reply = Result<Decided, Fault>;

/// An installation at work. Dropping it stops every partition of this process after what it has taken in.
pub struct Engine {
    parts: Part,
    doors: Arc<Doors>,
    opener: Arc<Opener>,
    /// Where other processes work on the same installation.
    sharing: Mutex<Option<Sharing>>,
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
        let doors = Doors::new(options.parts, None);
        let engine = Engine::over(Opener::new(store, clock, options, doors));
        engine.opener.open(&(0..=engine.parts).collect::<Vec<_>>())?;
        Ok(engine)
    }

    /// Works on a share of the partitions beside other processes that have joined the same roster, and answers them at `listener`. What concerns the
    /// others' partitions is passed on to them. Returns when every partition is worked on by somebody; blocks until then.
    ///
    /// # Errors
    /// As [`Engine::start`]; `Stopped` where this process was taken for dead meanwhile.
    pub fn start_among(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        options: Options,
        roster: Arc<Roster>,
        keys: &Keys,
        listener: TcpListener,
    ) -> Result<Engine, Fault> {
        let peers = Arc::new(Peers::new(roster.clone(), keys.clone())?);
        let doors = Doors::new(options.parts, Some(peers.clone()));
        let engine = Engine::over(Opener::new(store, clock, options, doors));
        crate::peers::serve(listener, &peers, &engine.doors)?;
        *engine.sharing.lock().expect("no holder of the sharing panics") = Some(Sharing::start(&engine.opener, &peers)?);
        let (mut views, lost, begun) = (roster.views(), roster.lost(), Instant::now());
        while let Some(part) = (0..=engine.parts).find(|part| !engine.is_served(*part)) {
            if wait(views.changed()).is_err() || *lost.borrow() || engine.doors.is_broken(part) || begun.elapsed() > START_MAX {
                return Err(Fault::Stopped(part));
            }
        }
        Ok(engine)
    }

    fn over(opener: Opener) -> Engine {
        Engine { parts: opener.parts, doors: opener.doors.clone(), opener: Arc::new(opener), sharing: Mutex::default() }
    }

    /// Whether requests for a partition are taken, here or by another process as far as is known here.
    pub fn is_served(&self, part: Part) -> bool {
        let is_open = !self.doors.is_shut(part);
        let Some(peers) = &self.doors.peers else { return is_open };
        peers.is_current() && (is_open || peers.roster().view().owner(part).is_some_and(|name| name != peers.roster().name()))
    }

    pub fn parts(&self) -> Part {
        self.parts
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.opener.store
    }

    /// The partition that records an institution's orders.
    pub fn institution_part(&self, institution: InstitutionId) -> Part {
        institution_part(institution, self.parts)
    }

    /// Asks a partition; the answer comes after it is durable.
    pub async fn ask(&self, part: Part, request: Request) -> Reply {
        self.doors.ask(part, request).await
    }

    /// Asks many at once; they share a batch as far as its size allows. Waits for a place in the queue.
    pub async fn ask_all(&self, part: Part, requests: Vec<Request>) -> Vec<Reply> {
        self.doors.ask_all(part, requests).await
    }

    /// Lets every partition of this process look at its deadlines, and waits until they have.
    ///
    /// # Errors
    /// The first partition's fault. The others have looked all the same; what failed is looked at again next time.
    pub async fn nudge(&self) -> Result<(), Fault> {
        let mut result = Ok(());
        for part in (0..=self.parts).filter(|part| self.doors.peers.is_none() || !self.doors.is_shut(*part)) {
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
        let mut stir = self.doors.stirs();
        loop {
            let before = self.committed();
            self.nudge().await?;
            loop {
                stir.mark_unchanged();
                if self.messages_under_way() == 0 {
                    break;
                }
                for part in (0..=self.parts).filter(|_| self.doors.peers.is_none()) {
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
        self.doors.handles().iter().map(|handle| handle.shared.committed()).collect()
    }

    /// Messages sent and not yet applied.
    pub fn messages_under_way(&self) -> u64 {
        (0..=self.parts).map(|from| self.messages_from(from)).sum()
    }

    fn messages_from(&self, from: Part) -> u64 {
        match self.doors.handle(from).and_then(|handle| handle.shared.get(&Key::Partition)).as_deref() {
            Some(Object::Partition(partition)) => partition.sent.iter().map(|(to, sent)| sent.saturating_sub(self.doors.received(*to, from))).sum(),
            _ => 0,
        }
    }

    /// How a partition does right now, for whoever watches. Of one that another process works on only that is told.
    pub fn reading(&self, part: Part) -> Option<Reading> {
        if part > self.parts {
            return None;
        }
        let Some(handle) = self.doors.handle(part) else { return Some(Reading::default()) };
        let (seq, progress) = (handle.shared.committed(), *handle.progress.borrow());
        let queue = self.doors.queue(part).ok();
        Some(Reading {
            is_here: true,
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
        self.doors.gauges(part).map(|gauges| &**gauges)
    }

    /// Tells when a partition has committed again, or is worked on by somebody else from now on.
    pub fn changes(&self, part: Part) -> watch::Receiver<u64> {
        if let Some(changes) = self.changes_here(part) {
            return changes;
        }
        let (sender, changes) = watch::channel(0);
        if let Some(peers) = &self.doors.peers {
            peers.runtime().spawn(crate::peers::follow(peers.clone(), part, sender));
        }
        changes
    }

    /// Tells when a partition has committed again, if this process works on it, and ends when it does so no more.
    pub fn changes_here(&self, part: Part) -> Option<watch::Receiver<u64>> {
        self.doors.here(part).map(|handle| handle.committed.clone())
    }

    /// Waits until the statement lines of everything committed so far can be read.
    ///
    /// # Errors
    /// `Failed` while the books cannot be written.
    pub async fn lines_written(&self, part: Part) -> Result<(), Fault> {
        if part > self.parts {
            return Ok(());
        }
        if let Some(handle) = self.doors.here(part) {
            return handle.lines_written().await;
        }
        match self.doors.look(part, &Call::LinesWritten(part))? {
            Some(Answer::LinesWritten(written)) => written,
            Some(_) => Err(Fault::Stopped(part)),
            None => self.doors.here(part).ok_or(Fault::Stopped(part))?.lines_written().await,
        }
    }

    /// Writes everything behind to the books now.
    pub async fn flush(&self) {
        for handle in self.doors.handles() {
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
        if part > self.parts {
            return Ok(None);
        }
        if let Some(handle) = self.doors.here(part) {
            return handle.object(&key);
        }
        match self.doors.look(part, &Call::Object(part, key))? {
            Some(Answer::Object(object)) => Ok(object?.map(Arc::new)),
            Some(_) => Err(Fault::Stopped(part)),
            None => self.doors.here(part).ok_or(Fault::Stopped(part))?.object(&key),
        }
    }

    /// Reads a partition's books. What another process works on is there after [`Engine::lines_written`].
    pub fn read<T>(&self, part: Part, read: impl FnOnce(&mut Books) -> Result<T, Fault>) -> Result<T, Fault> {
        self.opener.shelves.read(part, read)
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

    /// A code, and who has read it.
    pub fn code(&self, part: Part, id: CodeId) -> Result<Option<(Code, Option<Decoding>)>, Fault> {
        let object = self.object(part, Key::Code(id))?;
        Ok(object.as_deref().and_then(Object::as_code).map(|(code, decoding)| (code.clone(), decoding.copied())))
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
        self.numbered(part, |shared| shared.lines.get(number), |books| books.line(number))
    }

    /// What stands in an order of its own: from memory or from the books. Another process's memory is not asked: what it has is waited for in the books.
    fn numbered<T>(
        &self,
        part: Part,
        memory: impl Fn(&Shared) -> Option<T>,
        books: impl Fn(&mut Books) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Fault> {
        if let Some(found) = self.doors.handle(part).and_then(|handle| memory(&handle.shared)) {
            return Ok(Some(found));
        }
        if let Some(found) = self.read(part, &books)? {
            return Ok(Some(found));
        }
        if part > self.parts || self.doors.here(part).is_some() || self.doors.peers.is_none() {
            return Ok(None);
        }
        match self.doors.look(part, &Call::LinesWritten(part))? {
            Some(Answer::LinesWritten(written)) => written?,
            Some(_) => return Err(Fault::Stopped(part)),
            None => {
                if let Some(found) = self.doors.handle(part).and_then(|handle| memory(&handle.shared)) {
                    return Ok(Some(found));
                }
            }
        }
        self.read(part, books)
    }

    /// Why a line that an account names is nowhere.
    fn lost_line(&self, part: Part, number: u64) -> Fault {
        if self.doors.handle(part).is_some_and(|handle| handle.progress.borrow().is_stuck) {
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
        self.numbered(part, |shared| shared.takings.get(number), |books| books.taking(number))
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

    /// Stops every partition of this process after what it has taken in, and writes the books. Messages under way are in the journal and go on at
    /// the next start, or with whoever works on the partition next.
    pub fn stop(&self) {
        drop(self.sharing.lock().expect("no holder of the sharing panics").take());
        self.opener.close_all();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    Ok(std::thread::Builder::new().name(name).spawn(run)?)
}
