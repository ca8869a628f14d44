//! Opens and closes partitions of this process.

use super::doors::{Doors, PartHandle, Shelves};
use super::spawn;
use crate::clock::Clock;
use crate::courier::{Courier, DisturbMessages};
use crate::fault::Fault;
use crate::partition::Writer;
use crate::projector::Item;
use crate::replay::{Started, check_watermarks_of, counters, replay};
use crate::shared::Limits;
use crate::store::Store;
use gongji_ledger::Part;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Envelope, Object, Partition};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, watch};

/// What every partition of this process works with.
pub struct Opener {
    pub store: Arc<dyn Store>,
    pub parts: Part,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    pub disturb: Option<DisturbMessages>,
    pub doors: Arc<Doors>,
    pub shelves: Arc<Shelves>,
    threads: Mutex<BTreeMap<Part, Vec<JoinHandle<()>>>>,
}

impl Opener {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, options: super::Options, doors: Doors) -> Opener {
        let super::Options { parts, limits, disturb } = options;
        let shelves = Arc::new(Shelves::new(store.clone(), parts));
        Opener { store, parts, clock, limits, disturb, doors: Arc::new(doors), shelves, threads: Mutex::default() }
    }

    /// Takes partitions over, replays what their books lack, and starts to work.
    ///
    /// # Errors
    /// Any fault of the store; `Damaged` if journal and books, or two partitions' journals, do not belong together. Nothing of these runs on then.
    pub fn open(&self, parts: &[Part]) -> Result<(), Fault> {
        let mut threads = BTreeMap::new();
        let opened = self.open_all(parts, &mut threads);
        self.threads.lock().expect("no holder of the threads panics").extend(threads);
        if opened.is_err() {
            parts.iter().for_each(|part| self.close(*part));
        }
        opened
    }

    fn open_all(&self, parts: &[Part], threads: &mut BTreeMap<Part, Vec<JoinHandle<()>>>) -> Result<(), Fault> {
        let mut started = Vec::new();
        for part in parts {
            let gauges = self.doors.gauges(*part).ok_or_else(|| Fault::Failed(format!("there is no partition {part}")))?.clone();
            started.push(replay(&*self.store, *part, self.parts, (self.limits, gauges), threads.entry(*part).or_default())?);
        }
        self.check_history(&started)?;
        if let Some(Object::Directory(directory)) = started.first().and_then(|started| started.opened.shared.get(&Key::Directory)).as_deref() {
            self.doors.set_directory(Arc::new(directory.as_ref().clone()));
        }
        let mut ready = Vec::new();
        for Started { opened, projector, progress } in started {
            let (committed, seen) = watch::channel(opened.head.seq);
            let handle = PartHandle {
                part: opened.part,
                shared: opened.shared.clone(),
                progress,
                committed: seen,
                projector: Mutex::new(Some(projector.clone())),
                shelves: self.shelves.clone(),
            };
            self.doors.put_handle(opened.part, Some(Arc::new(handle)));
            ready.push((opened, projector, committed));
        }
        for (opened, projector, committed) in ready {
            let part = opened.part;
            let (sender, queue) = mpsc::channel(super::QUEUE_MAX);
            let (courier, fresh) = std::sync::mpsc::channel();
            let mut waiting: BTreeMap<Part, VecDeque<Envelope>> = BTreeMap::new();
            for envelope in opened.outbox {
                let watermark = self.doors.received(envelope.to, part);
                if envelope.number > watermark {
                    waiting.entry(envelope.to).or_default().push_back(envelope);
                } else {
                    // The books have not heard yet that it was applied. A full projector hears of it with the next delivery.
                    let _ = projector.try_send(Item::Delivered(envelope.to, watermark));
                }
            }
            let carrying = Courier { part, doors: self.doors.clone(), waiting, projector: projector.clone(), disturb: self.disturb.clone() };
            let writer = Writer {
                part,
                parts: self.parts,
                store: self.store.clone(),
                clock: self.clock.clone(),
                shared: opened.shared,
                doors: self.doors.clone(),
                journal: opened.journal,
                head: opened.head,
                loader: opened.loader,
                due: opened.due,
                projector,
                courier,
                committed,
                is_ended: false,
                is_committing: false,
            };
            self.doors.open(part, sender);
            let threads = threads.entry(part).or_default();
            threads.push(spawn(format!("courier-{part}"), move || carrying.run(fresh))?);
            threads.push(spawn(format!("writer-{part}"), move || writer.run(queue))?);
        }
        Ok(())
    }

    /// What another process works on is known from the books: that is less than it has received, and never more.
    fn check_history(&self, started: &[Started]) -> Result<(), Fault> {
        let mut all = Vec::new();
        let is_source = |part: Part| started.iter().any(|started| started.opened.part == part);
        for part in 0..=self.parts {
            all.push(match (started.iter().find(|started| started.opened.part == part), self.doors.handle(part)) {
                (Some(started), _) => counters(&started.opened.shared),
                (None, Some(handle)) => counters(&handle.shared),
                (None, None) => match self.shelves.read(part, |books| books.load(&Key::Partition))? {
                    Some(Object::Partition(partition)) => partition,
                    _ => Partition::default(),
                },
            });
        }
        check_watermarks_of(is_source, &all)
    }

    /// Closes a partition after what it has taken in, and writes its books. Messages under way are in the journal, for whoever opens it next.
    pub fn close(&self, part: Part) {
        self.doors.close(part);
        let handle = self.doors.handle(part);
        if let Some(handle) = &handle {
            // A projector ends when writer, courier and this handle have let go of it.
            handle.projector.lock().expect("no holder of this sender panics").take();
        }
        for thread in self.threads.lock().expect("no holder of the threads panics").remove(&part).unwrap_or_default() {
            // One that a bug has ended said so when it did.
            let _ = thread.join();
        }
        if self.doors.peers.is_some() {
            self.doors.put_handle(part, None);
        }
    }

    pub fn close_all(&self) {
        self.doors.close_all();
        (0..=self.parts).for_each(|part| self.close(part));
    }
}
