//! A whole country in memory: partitions with their journals, and the wires between them, on which messages are late, repeated or out of order.

use gongji_ledger::{HolderId, Part};
use gongji_wallet::directory::Directory;
use gongji_wallet::ids::Key;
use gongji_wallet::object::{Holder, Line, Object};
use gongji_wallet::work::Changes;
use gongji_wallet::{Command, Decision, Event, Fact, Lookup, Memory, Message, Request, Work, decide};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One journal record, with what is needed to read it again.
#[derive(Clone)]
pub struct Record {
    pub seq: u64,
    pub stamp: i64,
    pub directory: Arc<Directory>,
    pub events: Vec<Event>,
}

/// One partition: what it holds, what it held before its journal began, and its journal.
#[derive(Clone, Default)]
pub struct Partition {
    pub objects: BTreeMap<Key, Arc<Object>>,
    pub base: BTreeMap<Key, Arc<Object>>,
    pub journal: Vec<Record>,
    pub lines: Vec<Line>,
}

/// Memory of a partition. A cold one has forgotten everything when a batch begins, and learns object by object what is asked for.
struct View<'a> {
    objects: &'a BTreeMap<Key, Arc<Object>>,
    loaded: Option<&'a RefCell<BTreeSet<Key>>>,
}

impl Memory for View<'_> {
    fn get(&self, key: &Key) -> Lookup {
        if self.loaded.is_some_and(|loaded| !loaded.borrow().contains(key)) {
            return Lookup::Unloaded;
        }
        self.objects.get(key).map_or(Lookup::Absent, |object| Lookup::Known(object.clone()))
    }
}

#[derive(Clone)]
pub struct World {
    /// Partitions of people and institutions; the directory is number 0 and not among them.
    pub parts: Part,
    pub is_cold: bool,
    pub partitions: Vec<Partition>,
    pub directory: Arc<Directory>,
    /// Every message ever sent from one partition to another, in order; the first is number 1.
    pub wires: BTreeMap<(Part, Part), Vec<Message>>,
}

/// What a batch came to.
pub struct Batch {
    pub decisions: Vec<Decision>,
    pub events: Vec<Event>,
    pub changed: BTreeSet<Key>,
}

impl World {
    pub fn new(parts: Part, is_cold: bool) -> World {
        let partitions = (0..=parts).map(|_| Partition::default()).collect();
        World { parts, is_cold, partitions, directory: Arc::default(), wires: BTreeMap::new() }
    }

    /// Puts an object there that no command made. Only before the first batch.
    pub fn seed(&mut self, part: Part, key: Key, object: Object) {
        let partition = &mut self.partitions[usize::from(part)];
        assert!(partition.journal.is_empty(), "a fixture comes before the first command");
        partition.objects.insert(key, Arc::new(object.clone()));
        partition.base.insert(key, Arc::new(object));
    }

    pub fn object(&self, part: Part, key: Key) -> Option<&Object> {
        self.partitions[usize::from(part)].objects.get(&key).map(|object| &**object)
    }

    pub fn holder(&self, id: HolderId) -> Option<&Holder> {
        match self.object(id.part(), Key::Holder(id))? {
            Object::Holder(holder) => Some(holder),
            other => panic!("a holder's key leads to {other:?}"),
        }
    }

    /// Decides requests as one batch and publishes it. Reading the record again must give the same objects and lines.
    pub fn batch(&mut self, part: Part, stamp: i64, requests: &[Request]) -> Batch {
        let partition = &self.partitions[usize::from(part)];
        let loaded = RefCell::new(BTreeSet::new());
        let view = View { objects: &partition.objects, loaded: self.is_cold.then_some(&loaded) };
        let seq = partition.journal.len() as u64 + 1;
        let mut work = Work::new(&view, part, self.parts, seq, stamp, self.directory.clone());
        let mut decisions = Vec::new();
        for request in requests {
            let events_before = work.events().len();
            loop {
                match decide(&mut work, request) {
                    Ok(decision) => break decisions.push(decision),
                    Err(key) => {
                        assert!(self.is_cold, "everything is in memory, but {key:?} is asked for");
                        assert!(loaded.borrow_mut().insert(key), "{key:?} is asked for twice");
                        assert_eq!(work.events().len(), events_before, "what is decided again leaves nothing behind");
                    }
                }
            }
        }
        if !work.has_events() {
            return Batch { decisions, events: Vec::new(), changed: BTreeSet::new() };
        }
        let changes = work.into_changes();
        let record = Record { seq, stamp, directory: self.directory.clone(), events: changes.events.clone() };
        assert_same(&changes, &redo(&partition.objects, part, self.parts, &record));
        self.publish(part, record, changes, decisions)
    }

    fn publish(&mut self, part: Part, record: Record, changes: Changes, decisions: Vec<Decision>) -> Batch {
        for event in &record.events {
            if let Fact::Sent { to, number, message } = &event.fact {
                let wire = self.wires.entry((part, *to)).or_default();
                wire.push(message.clone());
                assert_eq!(*number, wire.len() as u64, "messages are numbered without gaps");
            }
        }
        let partition = &mut self.partitions[usize::from(part)];
        partition.journal.push(record);
        partition.lines.extend(changes.lines);
        let changed = changes.objects.iter().map(|(key, _)| *key).collect();
        for (key, object) in changes.objects {
            if let Object::Directory(directory) = &*object {
                self.directory = Arc::new((**directory).clone());
            }
            partition.objects.insert(key, object);
        }
        Batch { decisions, events: changes.events, changed }
    }

    pub fn run(&mut self, part: Part, stamp: i64, command: Command) -> Batch {
        self.batch(part, stamp, &[Request { idempotency: None, command }])
    }

    /// Hands message `number` of a wire to its partition, whether it is its turn or not.
    pub fn deliver(&mut self, from: Part, to: Part, number: u64, stamp: i64) -> Batch {
        let message = self.wires[&(from, to)][number as usize - 1].clone();
        self.run(to, stamp, Command::Deliver { from, number, message })
    }

    /// Number of the message on this wire that was applied last.
    pub fn received(&self, from: Part, to: Part) -> u64 {
        match self.object(to, Key::Partition) {
            Some(Object::Partition(partition)) => partition.received_from(from),
            _ => 0,
        }
    }

    /// Messages that were sent and not yet applied.
    pub fn in_flight(&self) -> impl Iterator<Item = (Part, Part, u64, &Message)> {
        self.wires.iter().flat_map(|((from, to), messages)| {
            let received = self.received(*from, *to);
            messages.iter().enumerate().skip(received as usize).map(|(at, message)| (*from, *to, at as u64 + 1, message))
        })
    }

    /// Objects whose deadline has come.
    pub fn overdue(&self, stamp: i64) -> Vec<(Part, Key)> {
        let all =
            self.partitions.iter().enumerate().flat_map(|(part, partition)| partition.objects.iter().map(move |(key, object)| (part as Part, key, object)));
        all.filter(|(_, _, object)| object.due().is_some_and(|due| due <= stamp)).map(|(part, key, _)| (part, *key)).collect()
    }

    /// Reads every journal again from its beginning: the state must be the one that is served.
    pub fn assert_redo(&self) {
        for (part, partition) in self.partitions.iter().enumerate() {
            let mut objects = partition.base.clone();
            let mut lines = Vec::new();
            for record in &partition.journal {
                let changes = redo(&objects, part as Part, self.parts, record);
                lines.extend(changes.lines);
                objects.extend(changes.objects);
            }
            assert!(objects == partition.objects, "partition {part}: the journal read again gives another state");
            assert_eq!(lines, partition.lines, "partition {part}: the journal read again gives other statement lines");
        }
    }
}

fn redo(objects: &BTreeMap<Key, Arc<Object>>, part: Part, parts: Part, record: &Record) -> Changes {
    let view = View { objects, loaded: None };
    let mut work = Work::new(&view, part, parts, record.seq, record.stamp, record.directory.clone());
    for event in &record.events {
        work.redo(event.clone()).expect("everything is in memory");
    }
    work.into_changes()
}

fn assert_same(decided: &Changes, redone: &Changes) {
    let sorted = |changes: &Changes| changes.objects.iter().cloned().collect::<BTreeMap<_, _>>();
    // A decision may touch an object and leave it as it was; the record alone need not.
    let redone_objects = sorted(redone);
    for (key, object) in sorted(decided) {
        assert_eq!(redone_objects.get(&key), Some(&object), "{key:?} as decided and as read from the record");
    }
    assert_eq!(decided.objects.len(), redone.objects.len());
    assert_eq!(decided.lines, redone.lines);
    assert_eq!(decided.orders, redone.orders);
}
