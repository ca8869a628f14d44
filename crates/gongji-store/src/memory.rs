//! A store in memory: what it holds outlives the engine on it, as a disk outlives a process, and a test decides the fate of every write.
//!
//! Each write (taking over, commit, claim, projection) is an effect with a number. Before it happens the store asks its fate: it may happen, fail,
//! happen without anybody hearing of it, or find that another writer was faster. A fate may also wait, and so hold a commit for as long as a test likes.

use crate::fault::Fault;
use crate::store::{Entry as Found, Head, Journal, Projected, Record, Rows, Store, Tables, encode_key};
use gongji_ledger::{Part, planted};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

/// What is about to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect {
    /// From 1, over all partitions.
    pub number: u64,
    pub part: Part,
    pub kind: EffectKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EffectKind {
    TakeOver,
    Commit,
    Claim,
    Project,
}

/// What becomes of an effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Happens,
    /// Nothing is written, and the writer is told so: a full disk.
    Fails,
    /// Nothing is written, and the writer is told that nobody knows.
    FailsUnheard,
    /// It is written, and the writer is told that nobody knows: a reply that was lost.
    HappensUnheard,
    /// Another writer takes over just before.
    TooLate,
}

type Decider = Arc<dyn Fn(Effect) -> Fate + Send + Sync>;

/// What happened to a partition's books, in order. After a power loss only the first of these may be left.
#[derive(Clone)]
enum Entry {
    Claimed(u64),
    Wrote(Rows),
}

#[derive(Clone, Default)]
struct PartDisk {
    epoch: u64,
    records: Vec<Record>,
    entries: Vec<Entry>,
    books: Sheets,
}

/// Deadline and body of a row.
type Kept = (Option<i64>, Arc<[u8]>);

/// The books, encoded as on a real disk.
#[derive(Clone, Default)]
struct Sheets {
    epoch: u64,
    projected: Projected,
    rows: BTreeMap<Vec<u8>, Kept>,
    blocks: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    outbox: BTreeMap<(Part, u64), Vec<u8>>,
}

struct Disk {
    parts: Vec<Mutex<PartDisk>>,
    effects: AtomicU64,
    decider: RwLock<Decider>,
}

/// A clone is the same disk.
#[derive(Clone)]
pub struct MemoryStore {
    disk: Arc<Disk>,
}

impl MemoryStore {
    /// An empty installation with `parts` partitions for people and institutions.
    pub fn new(parts: Part) -> MemoryStore {
        let disk =
            Disk { parts: (0..=parts).map(|_| Mutex::default()).collect(), effects: AtomicU64::new(0), decider: RwLock::new(Arc::new(|_| Fate::Happens)) };
        MemoryStore { disk: Arc::new(disk) }
    }

    /// The same disk, opened as the program opens an installation.
    ///
    /// # Errors
    /// `PartitionCount` if it was created with another count.
    pub fn reopen(&self, parts: Part) -> Result<MemoryStore, Fault> {
        let found = Part::try_from(self.disk.parts.len() - 1).expect("the count came as a partition's number");
        if found == parts { Ok(self.clone()) } else { Err(Fault::PartitionCount { found, wanted: parts }) }
    }

    /// Another disk with the same on it, where every effect happens.
    pub fn copy(&self) -> MemoryStore {
        let parts = self.disk.parts.iter().map(|part| Mutex::new(part.lock().expect("no holder of a partition's disk panics").clone())).collect();
        let disk = Disk { parts, effects: AtomicU64::new(self.effects()), decider: RwLock::new(Arc::new(|_| Fate::Happens)) };
        MemoryStore { disk: Arc::new(disk) }
    }

    /// From now on `decider` decides every effect's fate. It may block, and is called from the threads that write.
    pub fn decide(&self, decider: impl Fn(Effect) -> Fate + Send + Sync + 'static) {
        *self.disk.decider.write().expect("no holder of the decider panics") = Arc::new(decider);
    }

    /// From now on every effect happens.
    pub fn heal(&self) {
        self.decide(|_| Fate::Happens);
    }

    /// Effects that have been asked for so far.
    pub fn effects(&self) -> u64 {
        self.disk.effects.load(Ordering::Acquire)
    }

    /// Sequence of the last record that is durable.
    pub fn landed(&self, part: Part) -> u64 {
        self.disk.part(part).seq()
    }

    /// The books are gone, as after their file was deleted.
    pub fn lose_books(&self, part: Part) {
        self.keep_books(part, 0);
    }

    /// Transactions of the books since they were created.
    pub fn book_entries(&self, part: Part) -> usize {
        self.disk.part(part).entries.len()
    }

    /// The books go back to their first `kept` transactions, as a power loss may leave files that are not synced at each commit.
    pub fn keep_books(&self, part: Part, kept: usize) {
        let mut disk = self.disk.part(part);
        let mut entries = std::mem::take(&mut disk.entries);
        entries.truncate(kept);
        disk.books = Sheets::default();
        for entry in &entries {
            disk.books.enter(entry);
        }
        disk.entries = entries;
    }

    /// The journal ends at `seq`, as after it was restored from an old copy.
    pub fn cut_journal(&self, part: Part, seq: u64) {
        self.disk.part(part).records.truncate(usize::try_from(seq).expect("a test's journal fits memory"));
    }

    /// Changes a record behind everybody's back.
    pub fn tamper(&self, part: Part, seq: u64, change: impl FnOnce(&mut Record)) {
        let index = usize::try_from(seq - 1).expect("a test's journal fits memory");
        change(&mut self.disk.part(part).records[index]);
    }
}

impl Disk {
    fn part(&self, part: Part) -> MutexGuard<'_, PartDisk> {
        self.parts[usize::from(part)].lock().expect("no holder of a partition's disk panics")
    }

    /// Asks an effect's fate, without holding anything meanwhile.
    fn fate(&self, part: Part, kind: EffectKind) -> Fate {
        let number = self.effects.fetch_add(1, Ordering::AcqRel) + 1;
        let decider = self.decider.read().expect("no holder of the decider panics").clone();
        let fate = decider(Effect { number, part, kind });
        if fate == Fate::TooLate {
            let mut disk = self.part(part);
            disk.epoch += 1;
            let epoch = disk.epoch;
            disk.enter(Entry::Claimed(epoch));
        }
        fate
    }

    /// Writes as the effect's fate wants it.
    fn write<T>(&self, part: Part, kind: EffectKind, write: impl FnOnce(&mut PartDisk) -> Result<T, Fault>) -> Result<T, Fault> {
        let told = |fate: Fate| format!("{kind:?} of partition {part}: {fate:?}");
        let fate = self.fate(part, kind);
        match fate {
            Fate::Happens | Fate::TooLate => write(&mut self.part(part)),
            Fate::Fails => Err(Fault::Failed(told(fate))),
            Fate::FailsUnheard => Err(Fault::Unknown(told(fate))),
            Fate::HappensUnheard => write(&mut self.part(part)).and(Err(Fault::Unknown(told(fate)))),
        }
    }
}

impl PartDisk {
    fn seq(&self) -> u64 {
        self.records.last().map_or(0, |record| record.head.seq)
    }

    fn enter(&mut self, entry: Entry) {
        self.books.enter(&entry);
        self.entries.push(entry);
    }
}

impl Sheets {
    fn enter(&mut self, entry: &Entry) {
        match entry {
            Entry::Claimed(epoch) => self.epoch = *epoch,
            Entry::Wrote(rows) => self.write(rows),
        }
    }

    fn write(&mut self, rows: &Rows) {
        self.projected.lines_seq = rows.lines_seq;
        self.projected.objects_seq = rows.objects_seq.unwrap_or(self.projected.objects_seq);
        self.rows.extend(rows.rows.iter().map(|row| (row.key.clone(), (row.due, row.body.clone()))));
        self.rows.extend(rows.people.iter().map(|(id, body)| (encode_key(&gongji_wallet::ids::Key::Holder(id)), (None, body.into()))));
        self.blocks.extend(rows.blocks.iter().map(|block| ((block.kind, block.first.clone()), block.body.clone())));
        self.outbox.extend(rows.outbox.iter().map(|(to, number, body)| ((*to, *number), body.clone())));
        for (destination, number) in &rows.delivered {
            self.outbox.retain(|(to, known), _| to != destination || known > number);
        }
    }

    /// What a database's unique keys would refuse.
    fn check(&self, rows: &Rows) -> Result<(), Fault> {
        if rows.blocks.iter().any(|block| self.blocks.contains_key(&(block.kind, block.first.clone()))) {
            return Err(Fault::Failed("a block is there already".to_owned()));
        }
        match rows.outbox.iter().find(|(to, number, _)| self.outbox.contains_key(&(*to, *number))) {
            Some((_, number, _)) => Err(Fault::Failed(format!("message {number} is there already"))),
            None => Ok(()),
        }
    }
}

impl Store for MemoryStore {
    fn raise_epoch(&self, part: Part, from: Option<u64>) -> Result<(Box<dyn Journal>, Head), Fault> {
        let head = self.disk.write(part, EffectKind::TakeOver, |disk| {
            if from.is_some_and(|from| from != disk.epoch) {
                return Err(Fault::Fenced(part));
            }
            disk.epoch += 1;
            let epoch = disk.epoch;
            Ok(disk.records.last().map_or(Head::empty(epoch), |last| Head { epoch, seq: last.head.seq, stamp: last.head.stamp, hash: last.hash }))
        })?;
        Ok((Box::new(MemoryJournal { disk: self.disk.clone(), part, epoch: head.epoch }), head))
    }

    fn tables(&self, part: Part) -> Result<Box<dyn Tables>, Fault> {
        Ok(Box::new(MemoryTables { disk: self.disk.clone(), part, epoch: 0 }))
    }

    fn journal(&self, part: Part) -> Result<Box<dyn Journal>, Fault> {
        Ok(Box::new(MemoryJournal { disk: self.disk.clone(), part, epoch: 0 }))
    }
}

struct MemoryJournal {
    disk: Arc<Disk>,
    part: Part,
    /// 0 for a reader, which is never current.
    epoch: u64,
}

impl Journal for MemoryJournal {
    fn commit(&mut self, record: &Record) -> Result<(), Fault> {
        self.disk.write(self.part, EffectKind::Commit, |disk| {
            if (disk.epoch != self.epoch && !planted("stale-writer-commits")) || disk.seq() + 1 != record.head.seq {
                return Err(Fault::Fenced(self.part));
            }
            disk.records.push(record.clone());
            Ok(())
        })
    }

    fn records(&mut self, after: u64, max: usize) -> Result<Vec<Record>, Fault> {
        let after = usize::try_from(after).expect("a test's journal fits memory");
        Ok(self.disk.part(self.part).records.iter().skip(after).take(max).cloned().collect())
    }
}

struct MemoryTables {
    disk: Arc<Disk>,
    part: Part,
    /// 0 for a reader, which may not project.
    epoch: u64,
}

impl MemoryTables {
    fn disk(&self) -> MutexGuard<'_, PartDisk> {
        self.disk.part(self.part)
    }
}

impl Tables for MemoryTables {
    fn projected(&mut self) -> Result<Projected, Fault> {
        Ok(self.disk().books.projected)
    }

    fn claim(&mut self, epoch: u64) -> Result<(), Fault> {
        self.disk.write(self.part, EffectKind::Claim, |disk| {
            if disk.books.epoch >= epoch {
                return Err(Fault::Fenced(self.part));
            }
            disk.enter(Entry::Claimed(epoch));
            Ok(())
        })?;
        self.epoch = epoch;
        Ok(())
    }

    fn write(&mut self, rows: &Rows) -> Result<(), Fault> {
        self.disk.write(self.part, EffectKind::Project, |disk| {
            if (self.epoch == 0 || disk.books.epoch != self.epoch) && !planted("stale-writer-writes-books") {
                return Err(Fault::Fenced(self.part));
            }
            disk.books.check(rows)?;
            disk.enter(Entry::Wrote(rows.clone()));
            Ok(())
        })
    }

    fn row(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.disk().books.rows.get(key).map(|(_, body)| body.to_vec()))
    }

    fn rows(&mut self, after: &[u8], max: usize) -> Result<Vec<Found>, Fault> {
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        Ok(self.disk().books.rows.range::<[u8], _>(behind).take(max).map(|(key, (_, body))| (key.clone(), body.to_vec())).collect())
    }

    fn block(&mut self, kind: u8, at: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.disk().books.blocks.range((kind, Vec::new())..=(kind, at.to_vec())).next_back().map(|(_, body)| body.clone()))
    }

    fn blocks(&mut self, kind: u8, after: &[u8], max: usize) -> Result<Vec<Found>, Fault> {
        let disk = self.disk();
        let behind = disk.books.blocks.range((Bound::Excluded((kind, after.to_vec())), Bound::Unbounded)).take_while(|((known, _), _)| *known == kind);
        Ok(behind.take(max).map(|((_, first), body)| (first.clone(), body.clone())).collect())
    }

    fn due(&mut self) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
        let disk = self.disk();
        let mut due: Vec<(i64, Vec<u8>)> = disk.books.rows.iter().filter_map(|(key, (due, _))| Some(((*due)?, key.clone()))).collect();
        due.sort_unstable();
        Ok(due)
    }

    fn outbox(&mut self) -> Result<Vec<(Part, u64, Vec<u8>)>, Fault> {
        Ok(self.disk().books.outbox.iter().map(|((to, number), body)| (*to, *number, body.clone())).collect())
    }
}
