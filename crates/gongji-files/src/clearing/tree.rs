//! Merkle trees over SM3 that grow at one end: as RFC 6962 draws them, with a stack as deep as the number of leaves has bits.

use sm3::{Digest as _, Sm3};

pub type Digest = [u8; 32];

/// Digest of a leaf. The first byte tells leaves from inner nodes, so that neither can stand for the other.
pub fn leaf(parts: &[&[u8]]) -> Digest {
    let mut hash = Sm3::new();
    hash.update([0]);
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn inner(left: &Digest, right: &Digest) -> Digest {
    let mut hash = Sm3::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// The leaves pushed so far, as the roots of full subtrees: the largest first, each at least twice the next.
#[derive(Clone, Default)]
pub struct Tree {
    leaves: u64,
    peaks: Vec<Digest>,
}

impl Tree {
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        // As many full subtrees end here as the number of leaves before has ones at its end.
        for _ in 0..self.leaves.trailing_ones() {
            let left = self.peaks.pop().expect("a one in the count is a full subtree");
            node = inner(&left, &node);
        }
        self.peaks.push(node);
        self.leaves += 1;
    }

    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// Root over all leaves; of none, the digest of nothing.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return Sm3::digest([]).into() };
        peaks.fold(last, |right, left| inner(&left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962, section 2.1, word for word: the left subtree has the largest power of two below the number of leaves.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Sm3::digest([]).into(),
            [one] => *one,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                inner(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    #[test]
    fn it_grows_to_the_tree_of_the_definition() {
        let leaves: Vec<Digest> = (0..70_u32).map(|at| leaf(&[&at.to_be_bytes()])).collect();
        let mut tree = Tree::default();
        for count in 0..leaves.len() {
            assert_eq!((tree.leaves(), tree.root()), (count as u64, by_definition(&leaves[..count])), "{count}");
            tree.push(leaves[count]);
        }
    }

    #[test]
    fn a_leaf_is_no_inner_node() {
        let (left, right) = (leaf(&[b"a"]), leaf(&[b"b"]));
        assert_ne!(leaf(&[&left, &right]), inner(&left, &right));
        assert_ne!(leaf(&[b"ab"]), leaf(&[b"ba"]));
    }
}
