//! The ways into the partitions, for everybody inside the engine: those that are worked on here, and those of other processes.

use super::Reply;
use crate::books::Books;
use crate::fault::Fault;
use crate::gauges::Gauges;
use crate::partition::{BATCH_MAX, Inbound};
use crate::peers::{Answer, Call, Missed, Peers};
use crate::postgres::session::wait;
use crate::projector::{Item, Progress};
use crate::shared::Shared;
use crate::store::Store;
use gongji_ledger::Part;
use gongji_wallet::Request;
use gongji_wallet::directory::Directory;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Object, Partition};
use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How long one waits for a partition that is changing hands: a process that died is replaced within five seconds.
const PATIENCE: Duration = Duration::from_secs(6);

/// Pause before a partition that nobody works on is looked for again.
const AGAIN: Duration = Duration::from_millis(50);

/// Money is not decided under a directory that has not been heard of for so long: changes are announced five minutes ahead.
const DIRECTORY_AGE_MAX: Duration = Duration::from_secs(120);

pub struct Doors {
    queues: RwLock<Vec<Option<mpsc::Sender<Inbound>>>>,
    handles: RwLock<Vec<Option<Arc<PartHandle>>>>,
    /// They count on when a partition comes back.
    gauges: Vec<Arc<Gauges>>,
    directory: RwLock<Arc<Directory>>,
    /// When the directory's partition was last heard to have nothing newer; `None`: never. Of no interest to a process that works alone.
    heard: Mutex<Option<Instant>>,
    /// Moves whenever any partition has committed or has ended.
    stir: watch::Sender<()>,
    /// Partitions that a bug or damage has ended: a person must look.
    broken: Mutex<BTreeSet<Part>>,
    /// Last message from the second that the first has applied, where the first is worked on elsewhere.
    applied: Mutex<HashMap<(Part, Part), u64>>,
    pub peers: Option<Arc<Peers>>,
}

/// A partition that is worked on here, for readers.
pub struct PartHandle {
    pub part: Part,
    pub shared: Arc<Shared>,
    pub progress: watch::Receiver<Progress>,
    pub committed: watch::Receiver<u64>,
    /// `None` once the partition has been closed.
    pub projector: Mutex<Option<SyncSender<Item>>>,
    pub shelves: Arc<Shelves>,
}

/// Everybody's readers of the books, also of partitions that are worked on elsewhere.
pub struct Shelves {
    pub store: Arc<dyn Store>,
    idle: Vec<Mutex<Vec<Books>>>,
}

impl Shelves {
    pub fn new(store: Arc<dyn Store>, parts: Part) -> Shelves {
        Shelves { store, idle: (0..=parts).map(|_| Mutex::default()).collect() }
    }

    /// Reads a partition's books. Reads are short; each reader has a handle of its own.
    pub fn read<T>(&self, part: Part, read: impl FnOnce(&mut Books) -> Result<T, Fault>) -> Result<T, Fault> {
        let place = self.idle.get(usize::from(part)).ok_or_else(|| Fault::Failed(format!("there is no partition {part}")))?;
        let idle = place.lock().expect("no holder of the readers panics").pop();
        let mut books = match idle {
            Some(books) => books,
            None => self.store.books(part)?,
        };
        let result = read(&mut books);
        place.lock().expect("no holder of the readers panics").push(books);
        result
    }
}

impl PartHandle {
    /// A committed object: from memory, or from the books.
    pub fn object(&self, key: &Key) -> Result<Option<Arc<Object>>, Fault> {
        if let Some(object) = self.shared.get(key) {
            return Ok(Some(object));
        }
        if self.shared.is_surely_new(key) {
            return Ok(None);
        }
        if let Some(object) = self.shelves.read(self.part, |books| books.load(key))? {
            return Ok(Some(Arc::new(object)));
        }
        // It may have come into being while the books were read.
        Ok(self.shared.get(key))
    }

    /// Waits until the statement lines of everything committed so far can be read.
    pub async fn lines_written(&self) -> Result<(), Fault> {
        let target = self.shared.committed();
        let mut progress = self.progress.clone();
        let reached = match progress.wait_for(|progress| progress.lines_seq >= target || progress.is_stuck).await {
            Ok(progress) => progress.lines_seq >= target,
            // The projector is gone; what it has written is all there will be.
            Err(_) => self.progress.borrow().lines_seq >= target,
        };
        if reached { Ok(()) } else { Err(Fault::Failed(format!("the books of partition {} fall behind", self.part))) }
    }
}

impl Doors {
    /// For a partition that is driven alone: nobody else of the process is behind these.
    pub(crate) fn of_one(parts: Part) -> Doors {
        Doors::new(parts, None)
    }

    pub(crate) fn new(parts: Part, peers: Option<Arc<Peers>>) -> Doors {
        let count = usize::from(parts) + 1;
        Doors {
            queues: RwLock::new(vec![None; count]),
            handles: RwLock::new((0..count).map(|_| None).collect()),
            gauges: (0..count).map(|_| Arc::default()).collect(),
            directory: RwLock::default(),
            heard: Mutex::default(),
            stir: watch::channel(()).0,
            broken: Mutex::default(),
            applied: Mutex::default(),
            peers,
        }
    }

    pub(crate) fn queue(&self, part: Part) -> Result<mpsc::Sender<Inbound>, Fault> {
        let queues = self.queues.read().expect("no holder of the queues panics");
        queues.get(usize::from(part)).and_then(Option::clone).ok_or(Fault::Stopped(part))
    }

    /// Whether the partition takes requests here, and nobody else can have it.
    pub(crate) fn is_here(&self, part: Part) -> bool {
        self.queue(part).is_ok() && self.peers.as_ref().is_none_or(|peers| peers.is_current())
    }

    /// The partition as readers here see it. A process that works alone still reads one that has stopped.
    pub(crate) fn here(&self, part: Part) -> Option<Arc<PartHandle>> {
        if self.peers.is_some() && !self.is_here(part) {
            return None;
        }
        self.handle(part)
    }

    /// The partition as it was opened here, whether it still takes requests or not.
    pub(crate) fn handle(&self, part: Part) -> Option<Arc<PartHandle>> {
        self.handles.read().expect("no holder of the handles panics").get(usize::from(part))?.clone()
    }

    pub(crate) fn handles(&self) -> Vec<Arc<PartHandle>> {
        self.handles.read().expect("no holder of the handles panics").iter().flatten().cloned().collect()
    }

    pub(crate) fn put_handle(&self, part: Part, handle: Option<Arc<PartHandle>>) {
        self.handles.write().expect("no holder of the handles panics")[usize::from(part)] = handle;
    }

    pub(crate) fn gauges(&self, part: Part) -> Option<&Arc<Gauges>> {
        self.gauges.get(usize::from(part))
    }

    pub(crate) fn is_shut(&self, part: Part) -> bool {
        self.queue(part).is_err()
    }

    pub(crate) fn open(&self, part: Part, queue: mpsc::Sender<Inbound>) {
        self.queues.write().expect("no holder of the queues panics")[usize::from(part)] = Some(queue);
    }

    pub(crate) fn close(&self, part: Part) {
        self.queues.write().expect("no holder of the queues panics")[usize::from(part)] = None;
    }

    pub(crate) fn close_all(&self) {
        self.queues.write().expect("no holder of the queues panics").fill(None);
    }

    pub(crate) fn stirred(&self) {
        self.stir.send_replace(());
    }

    pub(crate) fn stirs(&self) -> watch::Receiver<()> {
        self.stir.subscribe()
    }

    /// A bug or damage has ended the partition.
    pub(crate) fn broke(&self, part: Part) {
        self.broken.lock().expect("no holder of the broken panics").insert(part);
    }

    pub(crate) fn is_broken(&self, part: Part) -> bool {
        self.broken.lock().expect("no holder of the broken panics").contains(&part)
    }

    /// Number of the last message from `from` that `part` has applied, as far as this process knows.
    pub(crate) fn received(&self, part: Part, from: Part) -> u64 {
        match self.handle(part) {
            Some(handle) => crate::replay::counters(&handle.shared).received_from(from),
            None => self.applied.lock().expect("no holder of the watermarks panics").get(&(part, from)).copied().unwrap_or(0),
        }
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.directory.read().expect("no holder of the directory panics").clone()
    }

    /// A directory that is older than the one known is late, and is left alone.
    pub(crate) fn set_directory(&self, directory: Arc<Directory>) {
        let mut known = self.directory.write().expect("no holder of the directory panics");
        if directory.version >= known.version {
            *known = directory;
        }
    }

    /// The directory's partition had nothing newer at this moment.
    pub(crate) fn heard_directory(&self, at: Instant) {
        *self.heard.lock().expect("no holder of the moment panics") = Some(at);
    }

    /// Whether money may be decided under the directory as it is known here.
    pub(crate) fn is_directory_current(&self) -> bool {
        let heard = || *self.heard.lock().expect("no holder of the moment panics");
        self.peers.is_none() || !self.is_shut(0) || heard().is_some_and(|heard| heard.elapsed() < DIRECTORY_AGE_MAX)
    }

    /// Asks a partition that is worked on here.
    async fn ask_here(&self, part: Part, request: Request) -> Reply {
        let (sender, receiver) = oneshot::channel();
        self.queue(part)?.try_send(Inbound::Ask(request, sender)).map_err(|error| refused(part, &error))?;
        // A writer that went away in the middle leaves the outcome to its journal.
        receiver.await.unwrap_or_else(|_| Err(Fault::Unknown(format!("partition {part} stopped"))))
    }

    pub(crate) async fn ask_all_here(&self, part: Part, requests: Vec<Request>) -> Vec<Reply> {
        let mut under_way = Vec::new();
        let mut requests = requests.into_iter();
        while requests.len() > 0 {
            let some: Vec<Request> = requests.by_ref().take(BATCH_MAX).collect();
            let count = some.len();
            let (sender, receiver) = oneshot::channel();
            let sent = match self.queue(part) {
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

    /// Asks whoever works on the partition, and whoever does so next where it is changing hands. What was lost on the way is asked again where the
    /// request has a key: then its first answer comes, or it is done now.
    pub(crate) async fn ask(&self, part: Part, request: Request) -> Reply {
        let Some(peers) = &self.peers else { return self.ask_here(part, request).await };
        let begun = Instant::now();
        let mut doubt = None;
        loop {
            let reply = if self.is_here(part) {
                match self.ask_here(part, request.clone()).await {
                    Err(Fault::Stopped(_) | Fault::Fenced(_)) if !self.is_broken(part) => None,
                    reply => Some(reply),
                }
            } else {
                let call = peers.call(part, &Call::Ask(part, vec![request.clone()]));
                match call.await.unwrap_or(Err(Missed::Lost)) {
                    Ok(Answer::Replies(mut replies)) => match replies.pop() {
                        Some(Err(Fault::Fenced(_))) => None,
                        reply => reply,
                    },
                    Err(Missed::NotAsked) => None,
                    Ok(_) | Err(Missed::Lost) => Some(Err(Fault::Unknown(format!("the process that works on partition {part} has not answered")))),
                }
            };
            match reply {
                Some(Err(Fault::Unknown(why))) if request.idempotency.is_some() && !self.is_broken(part) => doubt = Some(Fault::Unknown(why)),
                // Whatever a later try says of itself, the first may have been done.
                Some(Err(fault)) => return Err(doubt.unwrap_or(fault)),
                Some(Ok(decided)) => return Ok(decided),
                None => {}
            }
            if begun.elapsed() >= PATIENCE {
                return Err(doubt.unwrap_or(Fault::Stopped(part)));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    pub(crate) async fn ask_all(&self, part: Part, requests: Vec<Request>) -> Vec<Reply> {
        let Some(peers) = self.peers.as_ref().filter(|_| !self.is_here(part)) else { return self.ask_all_here(part, requests).await };
        let mut replies = Vec::with_capacity(requests.len());
        for some in requests.chunks(BATCH_MAX) {
            let fault = match peers.call(part, &Call::Ask(part, some.to_vec())).await.unwrap_or(Err(Missed::Lost)) {
                Ok(Answer::Replies(answers)) if answers.len() == some.len() => {
                    replies.extend(answers);
                    continue;
                }
                Err(Missed::NotAsked) => Fault::Stopped(part),
                Ok(_) | Err(Missed::Lost) => Fault::Unknown(format!("the process that works on partition {part} has not answered")),
            };
            replies.extend(vec![Err(fault); some.len()]);
        }
        replies
    }

    /// Asks something that changes nothing of whoever works on the partition elsewhere. Blocks; `None`: it is worked on here by now.
    pub(crate) fn look(&self, part: Part, call: &Call) -> Result<Option<Answer>, Fault> {
        let peers = self.peers.as_ref().ok_or(Fault::Stopped(part))?;
        let begun = Instant::now();
        blocking(|| {
            loop {
                match wait(peers.call(part, call)) {
                    Ok(Ok(answer)) => return Ok(Some(answer)),
                    _ if self.is_here(part) => return Ok(None),
                    _ if begun.elapsed() >= PATIENCE || self.is_broken(part) => return Err(Fault::Stopped(part)),
                    _ => std::thread::sleep(AGAIN),
                }
            }
        })
    }

    /// Asks from a plain thread, waiting for a place in the queue.
    pub(crate) fn ask_waiting(&self, part: Part, request: Request) -> Result<oneshot::Receiver<Reply>, Fault> {
        let (sender, receiver) = oneshot::channel();
        self.queue(part)?.blocking_send(Inbound::Ask(request, sender)).map_err(|_| Fault::Stopped(part))?;
        Ok(receiver)
    }

    /// Hands messages to their destination from a plain thread. `None`: it is worked on here. Otherwise how far it has come, as far as is known.
    pub(crate) fn deliver_elsewhere(&self, to: Part, from: Part, messages: impl FnOnce() -> Vec<Request>) -> Option<u64> {
        let peers = self.peers.as_ref().filter(|_| self.is_shut(to))?;
        let carried = [Call::Ask(to, messages()), Call::Object(to, Key::Partition)].map(|call| wait(peers.call(to, &call)));
        // Whatever the replies say, the watermark tells what was applied.
        if let [_, Ok(Ok(Answer::Object(Ok(found))))] = carried {
            let counters = match found {
                Some(Object::Partition(counters)) => counters,
                _ => Partition::default(),
            };
            let mut applied = self.applied.lock().expect("no holder of the watermarks panics");
            let known = applied.entry((to, from)).or_default();
            *known = (*known).max(counters.received_from(from));
            drop(applied);
            self.stirred();
        }
        Some(self.received(to, from))
    }
}

fn refused(part: Part, error: &mpsc::error::TrySendError<Inbound>) -> Fault {
    match error {
        mpsc::error::TrySendError::Full(_) => Fault::Busy,
        mpsc::error::TrySendError::Closed(_) => Fault::Stopped(part),
    }
}

/// Waits for another process without keeping the tasks of this one waiting.
fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let is_task = Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread);
    if is_task { tokio::task::block_in_place(wait) } else { wait() }
}
