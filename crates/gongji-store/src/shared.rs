//! The committed state in memory: written by the partition's writer after each commit, read by everybody.

use crate::books::Packed;
use crate::gauges::Gauges;
use gongji_ledger::{HolderId, planted};
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::object::{Line, Object, Taking};
use gongji_wallet::work::{KeyHasher, KeyMap};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

const SHARDS: usize = 64;

/// Settled objects kept in memory after they have been projected.
pub const SETTLED_MAX: usize = 50_000;

/// People kept in memory unless a setting says otherwise; about 250 bytes each.
pub const PEOPLE_MAX: usize = 8_000_000;

/// A person in memory.
enum Person {
    /// Changed, and not in the books yet.
    Live(Arc<Object>),
    /// As in the books.
    Packed(Box<[u8]>),
}

type People = HashMap<HolderId, Person, BuildHasherDefault<KeyHasher>>;

pub struct Shared {
    people: Vec<RwLock<People>>,
    others: Vec<RwLock<KeyMap<Arc<Object>>>>,
    /// No timed key above this one has left memory.
    horizon: RwLock<RequestKey>,
    pub lines: Unwritten<Line>,
    pub takings: Unwritten<Taking>,
    /// Projected versions of settled objects, oldest first.
    settled: Mutex<VecDeque<(Key, Arc<Object>)>>,
    /// How many people are packed, and whose shard is emptied next when they are too many.
    packed: AtomicI64,
    next_emptied: AtomicUsize,
    limits: Limits,
    /// Last committed record.
    committed: AtomicU64,
    pub gauges: Arc<Gauges>,
}

/// What stands in an order of its own and is not in the books yet, batch by batch.
pub struct Unwritten<T> {
    batches: RwLock<VecDeque<Arc<Vec<T>>>>,
    number: fn(&T) -> u64,
}

impl<T: Clone> Unwritten<T> {
    fn new(number: fn(&T) -> u64) -> Unwritten<T> {
        Unwritten { batches: RwLock::default(), number }
    }

    /// Keeps a batch until it is in the books.
    pub fn put(&self, batch: Vec<T>) -> Arc<Vec<T>> {
        let batch = Arc::new(batch);
        if !batch.is_empty() {
            self.batches.write().expect("no writer of these batches panics").push_back(batch.clone());
        }
        batch
    }

    /// One that may not be in the books yet.
    pub fn get(&self, number: u64) -> Option<T> {
        let batches = self.batches.read().expect("no writer of these batches panics");
        let batch = batches.get(batches.partition_point(|batch| batch.last().is_some_and(|last| (self.number)(last) < number)))?;
        batch.binary_search_by_key(&number, self.number).ok().map(|at| batch[at].clone())
    }

    /// Up to this number they are in the books.
    pub fn forget(&self, number: u64) {
        let mut batches = self.batches.write().expect("no writer of these batches panics");
        while batches.front().and_then(|batch| batch.last()).is_some_and(|last| (self.number)(last) <= number) {
            batches.pop_front();
        }
    }
}

/// How much of what is in the books a partition keeps in memory as well.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub people: usize,
    /// Transfers, payments, orders, answers.
    pub settled: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { people: PEOPLE_MAX, settled: SETTLED_MAX }
    }
}

impl Shared {
    pub fn new(horizon: RequestKey, committed: u64, limits: Limits) -> Shared {
        Shared::counting(horizon, committed, limits, Arc::default())
    }

    /// The same, with gauges that go on counting.
    pub fn counting(horizon: RequestKey, committed: u64, limits: Limits, gauges: Arc<Gauges>) -> Shared {
        Shared {
            people: (0..SHARDS).map(|_| RwLock::default()).collect(),
            others: (0..SHARDS).map(|_| RwLock::default()).collect(),
            horizon: RwLock::new(horizon),
            lines: Unwritten::new(|line| line.number),
            takings: Unwritten::new(|taking| taking.number),
            settled: Mutex::default(),
            packed: AtomicI64::new(0),
            next_emptied: AtomicUsize::new(0),
            limits,
            committed: AtomicU64::new(committed),
            gauges,
        }
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        let Key::Holder(id) = key else {
            return self.others[shard(key)].read().expect("no writer of a shard panics").get(key).cloned();
        };
        match self.people[shard(id)].read().expect("no writer of a shard panics").get(id)? {
            Person::Live(object) => Some(object.clone()),
            Person::Packed(bytes) => Some(Arc::new(postcard::from_bytes(bytes).expect("memory reads what it has packed"))),
        }
    }

    /// Whether the key is newer than everything that has left memory: then what memory lacks does not exist.
    pub fn is_surely_new(&self, key: &Key) -> bool {
        matches!(key, Key::Answer(key) if key.is_timed() && *key > *self.horizon.read().expect("no holder of the horizon panics"))
    }

    /// Keeps an object that has changed.
    pub fn put(&self, key: Key, object: Arc<Object>) {
        match key {
            Key::Holder(id) => self.put_person(id, Person::Live(object)),
            key => drop(self.others[shard(&key)].write().expect("no writer of a shard panics").insert(key, object)),
        }
    }

    /// Keeps an object that has come from the books, unless nothing more is expected of it.
    pub fn remember(&self, key: Key, object: &Arc<Object>) {
        match (key, &**object) {
            (Key::Holder(id), _) => self.put_person(id, Person::Packed(pack(object))),
            (_, object) if object.is_settled() => {}
            _ => self.put(key, object.clone()),
        }
    }

    pub fn set_committed(&self, seq: u64) {
        self.committed.store(seq, Ordering::Release);
    }

    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// What has been projected need not stay: people are packed, and leave memory where there are too many.
    pub fn settle(&self, objects: impl IntoIterator<Item = (Key, Arc<Object>)>, packed: Packed) {
        let mut bytes: HashMap<HolderId, Arc<[u8]>, BuildHasherDefault<KeyHasher>> = packed.into_iter().collect();
        let mut settled = self.settled.lock().expect("no holder of this queue panics");
        let mut people_packed = 0;
        for (key, projected) in objects {
            if let Key::Holder(id) = key {
                let mut people = self.people[shard(&id)].write().expect("no writer of a shard panics");
                // A newer version has not been projected yet: only this one may be packed.
                if let Some(person) = people.get_mut(&id)
                    && matches!(person, Person::Live(live) if Arc::ptr_eq(live, &projected) || planted("person-is-packed-too-early"))
                {
                    // After a write whose outcome was found out later nobody has kept what was written.
                    *person = Person::Packed(bytes.remove(&id).map_or_else(|| pack(&projected), |bytes| bytes.as_ref().into()));
                    people_packed += 1;
                }
            } else if projected.is_settled() {
                settled.push_back((key, projected));
            }
        }
        self.count_packed(people_packed);
        while settled.len() > self.limits.settled {
            let (key, projected) = settled.pop_front().expect("a queue over its maximum has a front");
            if let Key::Answer(answer) = key
                && answer.is_timed()
            {
                let mut horizon = self.horizon.write().expect("no holder of the horizon panics");
                *horizon = if planted("forgotten-answer-is-new") { *horizon } else { (*horizon).max(answer) };
            }
            let mut others = self.others[shard(&key)].write().expect("no writer of a shard panics");
            if others.get(&key).is_some_and(|object| Arc::ptr_eq(object, &projected) || planted("newer-version-is-evicted")) {
                others.remove(&key);
            }
        }
    }

    /// Counts who was packed. Where there are too many, shard after shard is emptied of them, by turns: whoever is needed again is in the books.
    fn count_packed(&self, more: i64) {
        let max = i64::try_from(self.limits.people).unwrap_or(i64::MAX);
        let mut packed = self.packed.fetch_add(more, Ordering::Relaxed) + more;
        // Others count meanwhile: what is counted may be off for a moment, so nobody waits for it to come right.
        for _ in 0..SHARDS {
            if packed <= max {
                return;
            }
            let next = self.next_emptied.fetch_add(1, Ordering::Relaxed) % SHARDS;
            let mut people = self.people[next].write().expect("no writer of a shard panics");
            let before = people.len();
            people.retain(|_, person| matches!(person, Person::Live(_)));
            let gone = i64::try_from(before - people.len()).expect("memory holds fewer");
            packed = self.packed.fetch_sub(gone, Ordering::Relaxed) - gone;
        }
    }

    fn put_person(&self, id: HolderId, person: Person) {
        let fresh = i64::from(matches!(person, Person::Packed(_)));
        let old = self.people[shard(&id)].write().expect("no writer of a shard panics").insert(id, person);
        if matches!(old, Some(Person::Packed(_))) {
            self.packed.fetch_sub(1, Ordering::Relaxed);
        }
        if fresh > 0 {
            self.count_packed(fresh);
        }
    }
}

fn pack(object: &Object) -> Box<[u8]> {
    postcard::to_stdvec(object).expect("a person is encodable").into()
}

fn shard(key: &impl Hash) -> usize {
    let mut hasher = KeyHasher::default();
    key.hash(&mut hasher);
    (hasher.finish() >> 17) as usize % SHARDS
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use gongji_ledger::{Fen, HolderId};
    use gongji_wallet::Outcome;
    use gongji_wallet::object::{Answer, Claim};

    fn claim(amount: i64) -> (Key, Arc<Object>) {
        let insured = HolderId::new(1, 1);
        let claim = Claim { insured, year: 2027, area: 510_500, amount: Fen(amount), payer: insured, payment: gongji_wallet::ids::PaymentId([0; 16]), at: 0 };
        (Key::Claim(insured, 2027), Arc::new(Object::Claim(claim)))
    }

    #[test]
    fn a_version_that_is_not_projected_yet_stays_in_memory() {
        let shared = Shared::new(RequestKey([0; 16]), 0, Limits { people: 0, settled: 0 });
        let (old, new) = (claim(1), claim(2));
        shared.put(old.0, old.1.clone());
        shared.put(new.0, new.1.clone());
        shared.settle([old], Vec::new());
        assert_eq!(shared.get(&new.0), Some(new.1.clone()));
        shared.settle([new.clone()], Vec::new());
        assert_eq!(shared.get(&new.0), None);
    }

    #[test]
    fn people_beyond_the_limit_leave_memory_unless_they_have_changed() {
        let shared = Shared::new(RequestKey([0; 16]), 0, Limits { people: 100, settled: 0 });
        let person = |serial| {
            let id = HolderId::new(1, serial);
            (Key::Holder(id), Arc::new(Object::Holder(Box::new(gongji_wallet::object::Holder::new(id)))))
        };
        for serial in 1..=1_000 {
            let (key, object) = person(serial);
            shared.put(key, object);
        }
        // The first half is in the books now; the second has not been written.
        shared.settle((1..=500).map(person).map(|(key, _)| (key, shared.get(&key).unwrap())), Vec::new());
        let known = |range: std::ops::RangeInclusive<u64>| range.filter(|serial| shared.get(&person(*serial).0).is_some()).count();
        assert!(known(1..=500) <= 100);
        assert_eq!(known(501..=1_000), 500);
        // Those who come from the books push others out, never themselves for good.
        for serial in 1..=500 {
            let (key, object) = person(serial);
            shared.remember(key, &object);
            assert!(shared.get(&key).is_none_or(|known| *known == *object));
        }
        assert!(known(1..=500) <= 100);
    }

    #[test]
    fn a_key_is_surely_new_only_beyond_everything_that_has_left() {
        let shared = Shared::new(RequestKey([1; 16]), 0, Limits { people: 1, settled: 1 });
        let answer = |byte: u8| {
            let answer = Answer { fingerprint: [0; 16], seq: 1, outcome: Outcome::Done };
            (Key::Answer(RequestKey([byte; 16])), Arc::new(Object::Answer(answer)))
        };
        let is_new = |byte| shared.is_surely_new(&answer(byte).0);
        assert_eq!((is_new(1), is_new(2), is_new(0x80)), (false, true, false));
        // Two have been projected and one may stay: the older leaves.
        shared.settle([answer(5), answer(3)], Vec::new());
        assert_eq!((is_new(4), is_new(5), is_new(6)), (false, false, true));
        assert!(!shared.is_surely_new(&claim(1).0));
    }
}
