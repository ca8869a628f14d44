//! The hash chain, computed afresh.

use sm3::{Digest as _, Sm3};

/// What the first record of a partition names as its predecessor.
pub const GENESIS: [u8; 32] = [0; 32];

/// SM3 over the predecessor's hash, the head (fixed width, big endian) and the payload with its length in front.
pub fn link(previous: &[u8; 32], part: u16, seq: u64, stamp: i64, directory: u64, payload: &[u8]) -> [u8; 32] {
    let mut head = [0; 66];
    head[..32].copy_from_slice(previous);
    head[32..34].copy_from_slice(&part.to_be_bytes());
    head[34..42].copy_from_slice(&seq.to_be_bytes());
    head[42..50].copy_from_slice(&stamp.to_be_bytes());
    head[50..58].copy_from_slice(&directory.to_be_bytes());
    head[58..].copy_from_slice(&(payload.len() as u64).to_be_bytes());
    Sm3::new().chain_update(head).chain_update(payload).finalize().into()
}
