//! The Merkle tree of RFC 6962 and RFC 9162: roots and proofs from the roots of
//! complete subtrees, and their verification, which needs nothing else.

use sha2::{Digest, Sha256};

/// A leaf hash, the root of a subtree, or that of a whole tree.
pub type Hash = [u8; 32];

/// The hash of an inner node.
pub fn node(left: Hash, right: Hash) -> Hash {
    let hash = Sha256::new().chain_update([1]).chain_update(left);
    hash.chain_update(right).finalize().into()
}

/// The source of the roots of complete subtrees.
pub trait Subtrees {
    /// Why one cannot be given.
    type Error;

    /// The root of the subtree of the leaves from `index << level` on, `1 << level`
    /// in number.
    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The number of leaves of the left subtree of a tree of two leaves or more.
const fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// The root of at least one leaf, as divided in a tree.
fn range<S: Subtrees>(source: &mut S, begin: u64, size: u64) -> Result<Hash, S::Error> {
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return source.subtree(level, begin >> level);
    }
    let left = split(size);
    let first = range(source, begin, left)?;
    Ok(node(first, range(source, begin + left, size - left)?))
}

/// The root of a tree.
pub fn root<S: Subtrees>(source: &mut S, size: u64) -> Result<Hash, S::Error> {
    match size {
        0 => Ok(Sha256::digest([]).into()),
        _ => range(source, 0, size),
    }
}

/// The inclusion proof of the leaf `index` in a tree of `size` leaves, of which it is one.
pub fn inclusion<S: Subtrees>(
    source: &mut S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let (mut begin, mut size, mut path) = (0, size, Vec::new());
    while size > 1 {
        let left = split(size);
        if index - begin < left {
            path.push(range(source, begin + left, size - left)?);
            size = left;
        } else {
            path.push(range(source, begin, left)?);
            (begin, size) = (begin + left, size - left);
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that a tree of `old` leaves is the beginning of one of `size` leaves.
pub fn consistency<S: Subtrees>(
    source: &mut S,
    old: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let (mut begin, mut old, mut size, mut path) = (0, old, size, Vec::new());
    if old == 0 {
        return Ok(path);
    }
    while old < size {
        let left = split(size);
        if old <= left {
            path.push(range(source, begin + left, size - left)?);
            size = left;
        } else {
            path.push(range(source, begin, left)?);
            (begin, old, size) = (begin + left, old - left, size - left);
        }
    }
    if begin > 0 {
        path.push(range(source, begin, size)?);
    }
    path.reverse();
    Ok(path)
}

/// Follows a proof from the node at `at` in a row of nodes up to the root; `last` is the index of
/// the last node of that row. Returns the hash of the node with only its left siblings, and with
/// all; `None` if the proof has another length than it should.
fn climb(hash: Hash, mut at: u64, mut last: u64, proof: &[Hash]) -> Option<(Hash, Hash)> {
    let (mut with_left, mut with_all) = (hash, hash);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            with_left = node(*sibling, with_left);
            with_all = node(*sibling, with_all);
            let level = at.trailing_zeros();
            (at, last) = (at >> level, last >> level);
        } else {
            with_all = node(with_all, *sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some((with_left, with_all))
}

/// Whether a proof shows that a tree of `size` leaves has this root and this leaf at
/// `index` (RFC 9162, section 2.1.3.2).
pub fn is_included(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    index < size
        && climb(leaf, index, size - 1, proof).is_some_and(|(_, with_all)| with_all == root)
}

/// Whether a proof shows that the tree with the first root is the beginning of that with
/// the second (RFC 9162, section 2.1.4.2).
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> bool {
    let empty: Hash = Sha256::digest([]).into();
    if old.0 == 0 || old.0 >= new.0 {
        let same = old == new || old == (0, empty);
        return proof.is_empty() && same && old.0 <= new.0;
    }
    let level = old.0.trailing_zeros();
    let (at, last) = ((old.0 - 1) >> level, (new.0 - 1) >> level);
    let (first, rest) = match proof.split_first() {
        _ if old.0.is_power_of_two() => (old.1, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    climb(first, at, last, rest) == Some((old.1, new.1))
}

/// A tree that grows, as the roots of its largest complete subtrees.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    len: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// The tree of some leaves.
    pub fn of(leaves: &[Hash]) -> Self {
        let mut frontier = Self::default();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        frontier
    }

    /// The number of leaves.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.len.trailing_ones() {
            hash = match self.roots.pop() {
                Some(left) => node(left, hash),
                None => hash,
            };
        }
        self.roots.push(hash);
        self.len += 1;
    }

    /// The root of this tree and a smaller one at its right.
    pub fn root_with(&self, rest: &Self) -> Hash {
        let roots = self.roots.iter().chain(&rest.roots).rev().copied();
        roots
            .reduce(|right, left| node(left, right))
            .unwrap_or_else(|| Sha256::digest([]).into())
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.root_with(&Self::default())
    }
}

#[cfg(test)]
mod tests;
