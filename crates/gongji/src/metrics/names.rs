//! A table of named counters that is read and added to without a lock.

use std::hash::Hasher;
use std::sync::OnceLock;

/// A name has two parts, so that a method and a route need no new string at every request.
struct Slot<T> {
    name: (Box<str>, Box<str>),
    value: T,
}

/// At most as many names as there are places; what comes after counts under [`OTHER`].
pub struct Names<T> {
    slots: Box<[OnceLock<Slot<T>>]>,
    other: Slot<T>,
}

/// Where the table is full.
pub const OTHER: &str = "(other)";

impl<T: Default> Names<T> {
    pub fn new(places: usize) -> Names<T> {
        let other = Slot { name: ("".into(), OTHER.into()), value: T::default() };
        Names { slots: (0..places).map(|_| OnceLock::new()).collect(), other }
    }

    /// The value of a name, made at its first use.
    pub fn of(&self, first: &str, second: &str) -> &T {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        hasher.write(first.as_bytes());
        hasher.write(b" ");
        hasher.write(second.as_bytes());
        let start = usize::try_from(hasher.finish() % self.slots.len() as u64).expect("a remainder of a usize");
        for step in 0..self.slots.len() {
            let slot = self.slots[(start + step) % self.slots.len()].get_or_init(|| Slot { name: (first.into(), second.into()), value: T::default() });
            if &*slot.name.1 == second && &*slot.name.0 == first {
                return &slot.value;
            }
        }
        &self.other.value
    }

    /// Every name in use with its value, in the order of the names; the rest last.
    pub fn all(&self) -> Vec<(&str, &str, &T)> {
        let mut all: Vec<_> = self.slots.iter().filter_map(OnceLock::get).map(|slot| (&*slot.name.0, &*slot.name.1, &slot.value)).collect();
        all.sort_unstable_by_key(|(first, second, _)| (*second, *first));
        all.push((&self.other.name.0, &self.other.name.1, &self.other.value));
        all
    }
}

/// FNV-1a: names are short and come from the program itself.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_name_keeps_its_value_and_a_full_table_counts_the_rest_together() {
        let names: Names<AtomicU64> = Names::new(2);
        for (first, second) in [("GET", "/a"), ("POST", "/a"), ("GET", "/a"), ("GET", "/b"), ("GET", "/c")] {
            names.of(first, second).fetch_add(1, Ordering::Relaxed);
        }
        let told: Vec<_> = names.all().into_iter().map(|(first, second, count)| (first, second, count.load(Ordering::Relaxed))).collect();
        assert_eq!(told, [("GET", "/a", 2), ("POST", "/a", 1), ("", OTHER, 2)]);
    }
}
