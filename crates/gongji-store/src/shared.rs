//! The committed state in memory: written by the partition's writer after each commit, read by everybody.

use crate::gauges::Gauges;
use crate::packed::{PackedPeople, pack};
use crate::people::People;
use crate::store::Objects;
use gongji_ledger::planted;
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::object::{Line, Object, Taking};
use gongji_wallet::work::{KeyHasher, KeyMap};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

const SHARDS: usize = 64;

/// Settled objects kept in memory after they have been projected.
pub const SETTLED_MAX: usize = 50_000;

/// People kept in memory unless a setting says otherwise; about 220 bytes each.
pub const PEOPLE_MAX: usize = 8_000_000;

pub struct Shared {
    pub people: People,
    others: Vec<RwLock<KeyMap<Arc<Object>>>>,
    /// No timed key above this one has left memory.
    horizon: RwLock<RequestKey>,
    pub lines: Unwritten<Line>,
    pub takings: Unwritten<Taking>,
    /// Projected versions of settled objects, oldest first.
    settled: Mutex<VecDeque<(Key, Arc<Object>)>>,
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
            people: People::new(limits.people),
            others: (0..SHARDS).map(|_| RwLock::default()).collect(),
            horizon: RwLock::new(horizon),
            lines: Unwritten::new(|line| line.number),
            takings: Unwritten::new(|taking| taking.number),
            settled: Mutex::default(),
            limits,
            committed: AtomicU64::new(committed),
            gauges,
        }
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        match key {
            Key::Holder(id) => self.people.get(*id).map(|holder| Arc::new(Object::Holder(Box::new(holder)))),
            key => self.others[shard(key)].read().expect("no writer of a shard panics").get(key).cloned(),
        }
    }

    /// Whether the key is newer than everything that has left memory: then what memory lacks does not exist.
    pub fn is_surely_new(&self, key: &Key) -> bool {
        matches!(key, Key::Answer(key) if key.is_timed() && *key > *self.horizon.read().expect("no holder of the horizon panics"))
    }

    /// Keeps an object that has changed; people have a place of their own.
    pub fn put(&self, key: Key, object: Arc<Object>) {
        self.others[shard(&key)].write().expect("no writer of a shard panics").insert(key, object);
    }

    /// Keeps what a batch has changed. Returns the people of it, packed, and all else.
    pub fn publish(&self, objects: Objects) -> (PackedPeople, Objects) {
        let (mut people, mut others) = (PackedPeople::with_capacity(objects.len() / 2), Vec::with_capacity(objects.len()));
        for (key, object) in objects {
            match &*object {
                Object::Holder(holder) => self.people.put(holder.id, people.add(holder)),
                _ => {
                    self.put(key, object.clone());
                    others.push((key, object));
                }
            }
        }
        (people, others)
    }

    /// Keeps an object that has come from the books, unless nothing more is expected of it.
    pub fn remember(&self, key: Key, object: &Arc<Object>) {
        match &**object {
            Object::Holder(holder) => {
                let mut bytes = Vec::new();
                pack(holder, &mut bytes);
                self.people.remember(holder.id, &bytes);
            }
            object if object.is_settled() => {}
            _ => self.put(key, object.clone()),
        }
    }

    pub fn set_committed(&self, seq: u64) {
        self.committed.store(seq, Ordering::Release);
    }

    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// What has been projected need not stay.
    pub fn settle(&self, objects: impl IntoIterator<Item = (Key, Arc<Object>)>) {
        let mut settled = self.settled.lock().expect("no holder of this queue panics");
        settled.extend(objects.into_iter().filter(|(_, projected)| projected.is_settled()));
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
        shared.settle([old]);
        assert_eq!(shared.get(&new.0), Some(new.1.clone()));
        shared.settle([new.clone()]);
        assert_eq!(shared.get(&new.0), None);
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
        shared.settle([answer(5), answer(3)]);
        assert_eq!((is_new(4), is_new(5), is_new(6)), (false, false, true));
        assert!(!shared.is_surely_new(&claim(1).0));
    }
}
