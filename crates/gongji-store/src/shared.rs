//! The committed state in memory: written by the partition's writer after each commit, read by everybody.

use crate::gauges::Gauges;
use gongji_wallet::ids::{Key, RequestKey};
use gongji_wallet::object::Object;
use gongji_wallet::work::{KeyHasher, KeyMap};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

const SHARDS: usize = 64;

/// Settled objects kept in memory after they have been projected.
pub const SETTLED_MAX: usize = 200_000;

pub struct Shared {
    /// For whoever watches.
    pub gauges: Gauges,
    shards: Vec<RwLock<KeyMap<Arc<Object>>>>,
    /// No timed key above this one has left memory.
    horizon: RwLock<RequestKey>,
    /// Projected versions of settled objects, oldest first.
    settled: Mutex<VecDeque<(Key, Arc<Object>)>>,
    settled_max: usize,
    /// Last committed record.
    committed: AtomicU64,
}

impl Shared {
    pub fn new(horizon: RequestKey, committed: u64, settled_max: usize) -> Shared {
        Shared {
            gauges: Gauges::default(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            horizon: RwLock::new(horizon),
            settled: Mutex::default(),
            settled_max,
            committed: AtomicU64::new(committed),
        }
    }

    fn shard(&self, key: &Key) -> &RwLock<KeyMap<Arc<Object>>> {
        let mut hasher = KeyHasher::default();
        key.hash(&mut hasher);
        &self.shards[(hasher.finish() >> 17) as usize % SHARDS]
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.shard(key).read().expect("no writer of a shard panics").get(key).cloned()
    }

    /// Whether the key is newer than everything that has left memory: then what memory lacks does not exist.
    pub fn is_surely_new(&self, key: &Key) -> bool {
        matches!(key, Key::Answer(key) if key.is_timed() && *key > *self.horizon.read().expect("no holder of the horizon panics"))
    }

    pub fn put(&self, key: Key, object: Arc<Object>) {
        self.shard(&key).write().expect("no writer of a shard panics").insert(key, object);
    }

    pub fn set_committed(&self, seq: u64) {
        self.committed.store(seq, Ordering::Release);
    }

    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// What has been projected and is settled may leave memory, oldest first.
    pub fn settle(&self, objects: &[(Key, Arc<Object>)]) {
        let mut settled = self.settled.lock().expect("no holder of this queue panics");
        settled.extend(objects.iter().filter(|(_, object)| object.is_settled()).cloned());
        while settled.len() > self.settled_max {
            let (key, projected) = settled.pop_front().expect("a queue over its maximum has a front");
            if let Key::Answer(answer) = key
                && answer.is_timed()
            {
                let mut horizon = self.horizon.write().expect("no holder of the horizon panics");
                *horizon = (*horizon).max(answer);
            }
            let mut shard = self.shard(&key).write().expect("no writer of a shard panics");
            // A newer version has not been projected yet: only this one may go.
            if shard.get(&key).is_some_and(|object| Arc::ptr_eq(object, &projected)) {
                shard.remove(&key);
            }
        }
    }
}

#[cfg(test)]
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
        let shared = Shared::new(RequestKey([0; 16]), 0, 0);
        let (old, new) = (claim(1), claim(2));
        shared.put(old.0, old.1.clone());
        shared.put(new.0, new.1.clone());
        shared.settle(std::slice::from_ref(&old));
        assert_eq!(shared.get(&new.0), Some(new.1.clone()));
        shared.settle(std::slice::from_ref(&new));
        assert_eq!(shared.get(&new.0), None);
    }

    #[test]
    fn a_key_is_surely_new_only_beyond_everything_that_has_left() {
        let shared = Shared::new(RequestKey([1; 16]), 0, 1);
        let answer = |byte: u8| {
            let answer = Answer { fingerprint: [0; 16], seq: 1, outcome: Outcome::Done };
            (Key::Answer(RequestKey([byte; 16])), Arc::new(Object::Answer(answer)))
        };
        let is_new = |byte| shared.is_surely_new(&answer(byte).0);
        assert_eq!((is_new(1), is_new(2), is_new(0x80)), (false, true, false));
        // Two have been projected and one may stay: the older leaves.
        shared.settle(&[answer(5), answer(3)]);
        assert_eq!((is_new(4), is_new(5), is_new(6)), (false, false, true));
        assert!(!shared.is_surely_new(&claim(1).0));
    }
}
