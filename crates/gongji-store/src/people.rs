//! The people of a partition in memory, packed: neighbours share a page, so that a person costs a pointer and the bytes.

use crate::packed::{LatestPeople, unpack};
use gongji_ledger::{HolderId, planted};
use gongji_wallet::object::Holder;
use gongji_wallet::work::KeyHasher;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::RwLock;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

const SHARDS: usize = 64;

/// Bytes that come into the cache together.
const CACHE_LINE: usize = 64;

/// Neighbours of one page.
const PAGE: u64 = 64;

#[derive(Default)]
struct Page {
    /// One bit for each who has changed and is not in the books yet.
    changed: u64,
    people: Box<[Option<Box<[u8]>>]>,
}

type Shard = HashMap<u64, Page, BuildHasherDefault<KeyHasher>>;

pub struct People {
    shards: Vec<RwLock<Shard>>,
    /// How many may stay who are in the books as well.
    max: i64,
    /// How many of those there are, and whose shard is emptied next when they are too many.
    unchanged: AtomicI64,
    next_emptied: AtomicUsize,
}

fn place(id: HolderId) -> (usize, u64, usize) {
    let page = id.0 / PAGE;
    ((page % SHARDS as u64) as usize, page, (id.0 % PAGE) as usize)
}

impl Page {
    /// Puts somebody's bytes in. Returns by how many there are more now who are in the books as well.
    fn put(&mut self, at: usize, bytes: &[u8], has_changed: bool) -> i64 {
        if self.people.is_empty() {
            self.people = (0..PAGE).map(|_| None).collect();
        }
        let bit = 1 << at;
        let before = self.people[at].is_some() && self.changed & bit == 0;
        match &mut self.people[at] {
            Some(known) if known.len() == bytes.len() => known.copy_from_slice(bytes),
            other => *other = Some(bytes.into()),
        }
        self.changed = if has_changed { self.changed | bit } else { self.changed & !bit };
        i64::from(!has_changed) - i64::from(before)
    }

    /// Drops whoever is in the books. Returns how many those were.
    fn empty(&mut self) -> i64 {
        let mut gone = 0;
        for (at, person) in self.people.iter_mut().enumerate() {
            if person.is_some() && self.changed & (1 << at) == 0 {
                *person = None;
                gone += 1;
            }
        }
        gone
    }
}

impl People {
    pub fn new(max: usize) -> People {
        People {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            max: i64::try_from(max).unwrap_or(i64::MAX),
            unchanged: AtomicI64::new(0),
            next_emptied: AtomicUsize::new(0),
        }
    }

    pub fn get(&self, id: HolderId) -> Option<Holder> {
        let (shard, page, at) = place(id);
        let shard = self.shards[shard].read().expect("no writer of a shard panics");
        let bytes = shard.get(&page)?.people.get(at)?.as_ref()?;
        Some(unpack(id, bytes).expect("memory reads what it has packed"))
    }

    pub fn has(&self, id: HolderId) -> bool {
        let (shard, page, at) = place(id);
        let shard = self.shards[shard].read().expect("no writer of a shard panics");
        shard.get(&page).is_some_and(|page| page.people.get(at).is_some_and(Option::is_some))
    }

    /// Brings people into the processor's cache, as far as they are here. One after the other each would be waited for; nobody waits here, so many come
    /// at a time.
    pub fn warm(&self, mut ids: Vec<HolderId>) {
        ids.sort_unstable_by_key(|id| place(*id).0);
        for ids in ids.chunk_by(|one, other| place(*one).0 == place(*other).0) {
            let shard = self.shards[place(ids[0]).0].read().expect("no writer of a shard panics");
            let mut touched = 0;
            for id in ids {
                let (_, page, at) = place(*id);
                if let Some(Some(bytes)) = shard.get(&page).and_then(|page| page.people.get(at)) {
                    touched ^= bytes.iter().step_by(CACHE_LINE).fold(0, |all, byte| all ^ byte);
                }
            }
            std::hint::black_box(touched);
        }
    }

    /// Keeps somebody who has changed.
    pub fn put(&self, id: HolderId, bytes: &[u8]) {
        let (shard, page, at) = place(id);
        let more = self.shards[shard].write().expect("no writer of a shard panics").entry(page).or_default().put(at, bytes, true);
        if more != 0 {
            self.unchanged.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Keeps somebody who has come from the books.
    pub fn remember(&self, id: HolderId, bytes: &[u8]) {
        let (shard, page, at) = place(id);
        let more = self.shards[shard].write().expect("no writer of a shard panics").entry(page).or_default().put(at, bytes, false);
        self.count(more);
    }

    /// These are in the books now: they may leave memory unless they have changed since.
    pub fn settle(&self, written: &LatestPeople) {
        let mut more = 0;
        for (id, bytes) in written.iter() {
            let (shard, page, at) = place(id);
            let mut shard = self.shards[shard].write().expect("no writer of a shard panics");
            let Some(page) = shard.get_mut(&page) else { continue };
            // What memory holds is in the books if it is the same to the byte; whatever else it holds is newer.
            if page.people[at].as_deref().is_some_and(|known| known == bytes || planted("person-is-packed-too-early")) {
                more += page.put(at, bytes, false);
            }
        }
        self.count(more);
    }

    /// Counts who is in the books too. Where there are too many, shard after shard is emptied of them, by turns: whoever is needed again is loaded.
    fn count(&self, more: i64) {
        let mut unchanged = self.unchanged.fetch_add(more, Ordering::Relaxed) + more;
        // Others count meanwhile: what is counted may be off for a moment, so nobody waits for it to come right.
        for _ in 0..SHARDS {
            if unchanged <= self.max {
                return;
            }
            let next = self.next_emptied.fetch_add(1, Ordering::Relaxed) % SHARDS;
            let mut gone = 0;
            self.shards[next].write().expect("no writer of a shard panics").retain(|_, page| {
                gone += page.empty();
                page.changed != 0
            });
            unchanged = self.unchanged.fetch_sub(gone, Ordering::Relaxed) - gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::PackedPeople;

    fn person(serial: u64, last_line: u64) -> Holder {
        Holder { last_line, ..Holder::new(HolderId::new(1, serial)) }
    }

    fn put(people: &People, batch: &[Holder]) -> PackedPeople {
        let mut packed = PackedPeople::default();
        for holder in batch {
            people.put(holder.id, packed.add(holder));
        }
        packed
    }

    #[test]
    fn whoever_has_changed_since_stays() {
        let people = People::new(0);
        let first = put(&people, &[person(1, 7)]);
        let second = put(&people, &[person(1, 8)]);
        people.settle(&LatestPeople::of(vec![first]));
        assert_eq!(people.get(HolderId::new(1, 1)), Some(person(1, 8)));
        people.settle(&LatestPeople::of(vec![second]));
        assert_eq!((people.get(HolderId::new(1, 1)), people.has(HolderId::new(1, 1))), (None, false));
    }

    #[test]
    fn people_beyond_the_limit_leave_memory_unless_they_have_changed() {
        let people = People::new(100);
        let (first, second): (Vec<_>, Vec<_>) = (1..=1_000).map(|serial| person(serial, serial)).partition(|holder| holder.last_line <= 500);
        let written = put(&people, &first);
        put(&people, &second);
        // The first half is in the books now; the second has not been written.
        people.settle(&LatestPeople::of(vec![written]));
        let known = |some: &[Holder]| some.iter().filter(|holder| people.get(holder.id).is_some_and(|known| known == **holder)).count();
        assert!(known(&first) <= 100);
        assert_eq!(known(&second), 500);
        // Those who come from the books push others out, never themselves for good.
        for holder in &first {
            let mut bytes = Vec::new();
            crate::packed::pack(holder, &mut bytes);
            people.remember(holder.id, &bytes);
        }
        assert!((1..=100).contains(&known(&first)));
        assert_eq!(known(&second), 500);
    }
}
