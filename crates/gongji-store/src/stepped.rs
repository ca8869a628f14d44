//! One partition driven step by step by one thread: what the simulator runs, by the very lines that the engine runs on threads.

use crate::clock::Clock;
use crate::courier::Courier;
use crate::engine::{Doors, Reply};
use crate::fault::Fault;
use crate::partition::Writer;
use crate::projector::{Item, Progress, Projector};
use crate::replay::{PROJECTION_QUEUE_MAX, check_watermarks, counters, open};
use crate::shared::{Limits, Shared};
use crate::store::{Head, Store};
use gongji_ledger::Part;
use gongji_wallet::Request;
use gongji_wallet::directory::Directory;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Envelope, Object};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use tokio::sync::watch;

/// A partition as one process has taken it over. Nothing happens in it but what it is told to do.
pub struct Stepped {
    writer: Writer,
    projector: Projector,
    items: Receiver<Item>,
    courier: Courier,
    fresh: Receiver<Vec<Envelope>>,
    progress: watch::Receiver<Progress>,
}

impl Stepped {
    /// Takes the partition over and replays what its books lack.
    ///
    /// # Errors
    /// Any fault of the store; `Damaged` if journal and books do not belong together.
    pub fn start(store: Arc<dyn Store>, part: Part, parts: Part, limits: Limits, clock: Arc<dyn Clock>) -> Result<Stepped, Fault> {
        let (mut opened, mut projector, progress) = open(&*store, part, parts, (limits, Arc::default()))?;
        opened.redo(&mut |committed| {
            projector.take(Item::Committed(committed), &mut Vec::new());
            Ok(())
        })?;
        let doors = Arc::new(Doors::of_one(parts));
        if let Some(Object::Directory(directory)) = opened.shared.get(&Key::Directory).as_deref() {
            doors.set_directory(Arc::new(directory.as_ref().clone()));
        }
        let (sender, items) = sync_channel(PROJECTION_QUEUE_MAX);
        let (carried, fresh) = channel();
        let mut courier = Courier { part, doors: doors.clone(), waiting: BTreeMap::new(), projector: sender.clone(), disturb: None };
        // Where the destinations stand, their answers tell.
        courier.add(opened.outbox);
        let writer = Writer {
            part,
            parts,
            store,
            clock,
            shared: opened.shared,
            doors,
            journal: opened.journal,
            head: opened.head,
            loader: opened.loader,
            due: opened.due,
            projector: sender,
            courier: carried,
            committed: watch::channel(opened.head.seq).0,
            is_ended: false,
            is_committing: false,
        };
        Ok(Stepped { writer, projector, items, courier, fresh, progress })
    }

    /// Decides and commits one batch, and looks at the deadlines.
    ///
    /// # Errors
    /// What every caller of the batch is told.
    pub fn batch(&mut self, requests: Vec<Request>) -> Result<Vec<Reply>, Fault> {
        let outcome = self.writer.turn(requests);
        while let Ok(envelopes) = self.fresh.try_recv() {
            self.courier.add(envelopes);
        }
        // The queue to the projector has an end, and nobody empties it meanwhile.
        while self.items_wait_long()
            && let Ok(item) = self.items.try_recv()
        {
            self.projector.take(item, &mut Vec::new());
        }
        outcome
    }

    fn items_wait_long(&self) -> bool {
        self.writer.head.seq - self.projector.seq > PROJECTION_QUEUE_MAX as u64 / 4
    }

    /// Whether the partition can write no more: somebody else has it, or it stopped.
    pub fn is_ended(&self) -> bool {
        self.writer.is_ended
    }

    /// Lets the projector take what has come and write; `quiet` as if nothing had come for a while.
    pub fn project(&mut self, quiet: bool) {
        if let Ok(item) = self.items.try_recv() {
            self.projector.turn(Ok(item), &self.items);
        }
        if quiet {
            self.projector.turn(Err(RecvTimeoutError::Timeout), &self.items);
        }
    }

    /// How far the books have come.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// The messages that the courier would send to a destination now.
    pub fn to_send(&self, to: Part) -> Vec<Envelope> {
        self.courier.to_send(to)
    }

    /// Tells the courier how far a destination has come.
    pub fn applied(&mut self, to: Part, watermark: u64) {
        self.courier.applied(to, watermark);
    }

    /// Number of the last message from `from` that was applied here.
    pub fn received(&self, from: Part) -> u64 {
        counters(&self.writer.shared).received_from(from)
    }

    /// Whether all partitions of an installation, the directory's first, belong together, as an engine makes sure of when it starts.
    ///
    /// # Errors
    /// `Damaged` if one has lost what another has received from it.
    pub fn check_history(all: &[Stepped]) -> Result<(), Fault> {
        check_watermarks(&all.iter().map(|stepped| counters(&stepped.writer.shared)).collect::<Vec<_>>())
    }

    pub fn head(&self) -> Head {
        self.writer.head
    }

    pub fn shared(&self) -> &Shared {
        &self.writer.shared
    }

    /// A committed object: from memory, or from the books.
    ///
    /// # Errors
    /// The books cannot be read.
    pub fn object(&self, key: Key) -> Result<Option<Arc<Object>>, Fault> {
        if let Some(object) = self.writer.shared.get(&key) {
            return Ok(Some(object));
        }
        if self.writer.shared.is_surely_new(&key) {
            return Ok(None);
        }
        Ok(self.writer.loader.borrow_mut().load(&key)?.map(Arc::new))
    }

    /// The directory that batches are decided under.
    pub fn directory(&self) -> Arc<Directory> {
        self.writer.doors.directory()
    }

    /// A newer directory has come from its partition.
    pub fn set_directory(&self, directory: Arc<Directory>) {
        self.writer.doors.set_directory(directory);
    }
}
