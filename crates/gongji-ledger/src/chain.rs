use crate::Part;
use sm3::{Digest as _, Sm3};

/// An SM3 digest (GB/T 32905).
pub type Digest = [u8; 32];

/// What the first record of a partition names as its predecessor.
pub const GENESIS: Digest = [0; 32];

/// The part of a journal record that stands in clear columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHead {
    pub part: Part,
    /// Gapless from 1 within the partition.
    pub seq: u64,
    /// Commit time of the batch (ms, UTC), never smaller than the record before.
    pub stamp: i64,
    /// Sequence of the directory's journal that the batch was decided under.
    pub directory: u64,
}

/// Hash of a record: SM3 over predecessor, head (fixed width, big endian) and payload.
pub fn link(previous: &Digest, head: &RecordHead, payload: &[u8]) -> Digest {
    let mut hash = Sm3::new();
    hash.update(previous);
    hash.update(head.part.to_be_bytes());
    hash.update(head.seq.to_be_bytes());
    hash.update(head.stamp.to_be_bytes());
    hash.update(head.directory.to_be_bytes());
    hash.update((payload.len() as u64).to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_record_changes_its_hash() {
        let head = RecordHead { part: 1, seq: 2, stamp: 3, directory: 4 };
        let hash = link(&GENESIS, &head, b"payload");
        let others = [
            link(&[1; 32], &head, b"payload"),
            link(&GENESIS, &RecordHead { part: 2, ..head }, b"payload"),
            link(&GENESIS, &RecordHead { seq: 3, ..head }, b"payload"),
            link(&GENESIS, &RecordHead { stamp: 4, ..head }, b"payload"),
            link(&GENESIS, &RecordHead { directory: 5, ..head }, b"payload"),
            link(&GENESIS, &head, b"payloae"),
        ];
        assert!(others.iter().all(|other| *other != hash));
    }
}
