//! Read-through memory over rows that may be revoked.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Rows that were read once, until they are forgotten.
///
/// The difficulty is a reader that loads a row, is overtaken by a revocation, and then puts the dead row back.
/// Each [`ReadThrough::forget`] therefore raises a generation, and a row loaded under an older one is used for that
/// call but not kept. When the memory is full new rows are not kept either; the disk answers.
pub(super) struct ReadThrough<K, V> {
    rows: RwLock<HashMap<K, V>>,
    generation: AtomicU64,
    len_max: usize,
}

impl<K: Hash + Eq, V: Clone> ReadThrough<K, V> {
    pub(super) fn new(len_max: usize) -> Self {
        Self { rows: RwLock::default(), generation: AtomicU64::new(0), len_max }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The row from memory, where that may answer, else from `load`; the flag tells whether memory holds it now.
    pub(super) fn get_or_load<E>(&self, key: K, may_remember: bool, load: impl FnOnce() -> Result<Option<V>, E>) -> Result<Option<(V, bool)>, E> {
        if !may_remember {
            return Ok(load()?.map(|row| (row, false)));
        }
        if let Some(row) = self.get(&key) {
            return Ok(Some((row, true)));
        }
        let generation = self.generation.load(Ordering::Acquire);
        let Some(row) = load()? else { return Ok(None) };
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let keep = self.generation.load(Ordering::Acquire) == generation && rows.len() < self.len_max;
        if keep {
            // Another caller may have loaded it meanwhile: keep the first, so that all share one row.
            return Ok(Some((rows.entry(key).or_insert(row).clone(), true)));
        }
        Ok(Some((row, false)))
    }

    /// Drops rows after they were changed or deleted on disk. No call that begins later sees them.
    pub(super) fn forget(&self, keys: impl IntoIterator<Item = K>) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::AcqRel);
        for key in keys {
            rows.remove(&key);
        }
    }

    /// Drops every row, as if each had been changed.
    pub(super) fn forget_all(&self) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::AcqRel);
        rows.clear();
    }

    /// Drops the rows that `keep` does not want; they are still true on disk.
    pub(super) fn retain(&self, mut keep: impl FnMut(&V) -> bool) {
        self.rows.write().unwrap_or_else(PoisonError::into_inner).retain(|_, row| keep(row));
    }

    pub(super) fn each(&self, mut see: impl FnMut(&K, &V)) {
        for (key, row) in self.rows.read().unwrap_or_else(PoisonError::into_inner).iter() {
            see(key, row);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_revoked_while_it_was_being_loaded_is_not_kept() {
        let memory = ReadThrough::<u8, u8>::new(10);
        let loaded = memory.get_or_load(1, true, || {
            memory.forget([1]);
            Ok::<_, ()>(Some(7))
        });
        assert_eq!(loaded, Ok(Some((7, false))));
        assert_eq!(memory.get(&1), None);
    }

    #[test]
    fn a_full_memory_still_answers() {
        let memory = ReadThrough::<u8, u8>::new(1);
        assert_eq!(memory.get_or_load(1, true, || Ok::<_, ()>(Some(7))), Ok(Some((7, true))));
        assert_eq!(memory.get_or_load(2, true, || Ok::<_, ()>(Some(8))), Ok(Some((8, false))));
        assert_eq!(memory.get(&2), None);
    }
}
