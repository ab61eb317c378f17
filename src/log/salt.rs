//! The salts of the bodies' commitments, derived instead of stored.
//!
//! Sixteen random bytes an event do not compress. So a salt is derived from the `seq` and
//! one secret of the data folder by a binary tree (the construction of Goldreich,
//! Goldwasser and Micali): the secret is the root, and the two children of a node are
//! SHA-256 of the node and the byte 0 or 1. The path to a salt is the `seq` in 64 bits,
//! highest bit first. To erase a body for good, its salt must become underivable while
//! all others stay: the root is replaced by the 64 siblings of the path, from which every
//! other salt can still be derived ([`SaltTree::without`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// The length of a salt in bytes.
pub const SALT_LEN: usize = 16;

/// A node of the tree: from its secret the salts of the `1 << height` numbers from `first`
/// on are derived.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Node {
    first: u64,
    height: u8,
    secret: [u8; 32],
}

/// The length of an encoded node.
const NODE_LEN: usize = 8 + 1 + 32;

impl Node {
    const fn last(&self) -> u64 {
        match 1_u64.checked_shl(self.height as u32) {
            Some(count) => self.first + (count - 1),
            None => u64::MAX,
        }
    }

    /// The two halves of a node that is not a salt itself.
    fn children(&self) -> Option<[Self; 2]> {
        let height = self.height.checked_sub(1)?;
        let child = |bit: u8| Self {
            first: self.first + (u64::from(bit) << height),
            height,
            secret: child(self.secret, bit),
        };
        Some([child(0), child(1)])
    }
}

fn child(secret: [u8; 32], bit: u8) -> [u8; 32] {
    let hash = Sha256::new().chain_update(secret).chain_update([bit]);
    hash.finalize().into()
}

/// The secrets from which a data folder's salts are derived: one, or, once events were
/// erased, those of the subtrees without them.
#[derive(Clone, PartialEq, Eq)]
pub struct SaltTree(Arc<[Node]>);

impl std::fmt::Debug for SaltTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaltTree(secret)")
    }
}

impl SaltTree {
    /// The tree from which every salt can be derived.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Arc::new([Node {
            first: 0,
            height: 64,
            secret,
        }]))
    }

    /// The secret of a tree from which every salt can be derived.
    pub fn root(&self) -> Option<[u8; 32]> {
        match self.0.as_ref() {
            [node] if node.height == 64 => Some(node.secret),
            _ => None,
        }
    }

    /// The same tree without some salts, of which nothing is left to derive them from.
    #[must_use]
    pub fn without(&self, seqs: impl IntoIterator<Item = u64>) -> Self {
        let nodes = self.0.iter().map(|node| (node.first, *node));
        let mut nodes: BTreeMap<u64, Node> = nodes.collect();
        for seq in seqs {
            let holds = nodes.range(..=seq).next_back().map(|(_, node)| *node);
            let Some(mut node) = holds.filter(|node| seq <= node.last()) else {
                continue;
            };
            nodes.remove(&node.first);
            while let Some([left, right]) = node.children() {
                let other = if seq < right.first { right } else { left };
                node = if seq < right.first { left } else { right };
                nodes.insert(other.first, other);
            }
        }
        Self(nodes.into_values().collect())
    }

    /// The nodes as bytes, each as its first number (8 bytes, little-endian), its height
    /// (1) and its secret (32).
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * NODE_LEN);
        for node in self.0.iter() {
            bytes.extend(node.first.to_le_bytes());
            bytes.push(node.height);
            bytes.extend(node.secret);
        }
        bytes
    }

    /// Reads the bytes of [`SaltTree::encode`]; `None` if they are damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (nodes, rest) = bytes.as_chunks::<NODE_LEN>();
        let nodes = nodes.iter().map(|node| {
            let (first, rest) = node.split_first_chunk()?;
            let (height, secret) = rest.split_first()?;
            let first = u64::from_le_bytes(*first);
            let is_aligned = *height <= 64 && first.trailing_zeros() >= u32::from(*height);
            is_aligned.then_some(Node {
                first,
                height: *height,
                secret: secret.try_into().ok()?,
            })
        });
        let nodes: Arc<[Node]> = nodes.collect::<Option<_>>()?;
        let in_order = nodes.is_sorted_by(|a, b| a.last() < b.first);
        (rest.is_empty() && in_order).then_some(Self(nodes))
    }

    /// The node from which a salt can be derived.
    fn node_of(&self, seq: u64) -> Option<Node> {
        let before = self.0.partition_point(|node| node.first <= seq);
        let node = self.0.get(before.checked_sub(1)?)?;
        (seq <= node.last()).then_some(*node)
    }
}

/// Derives salts, and keeps the path to the last one: the next `seq` takes two
/// hashes on average instead of 64.
pub struct Salts {
    tree: SaltTree,
    /// The node above the path.
    node: Option<Node>,
    /// The secrets below the node on the path to `seq`.
    path: Vec<[u8; 32]>,
    seq: u64,
}

impl Salts {
    /// Derives from a tree.
    pub const fn new(tree: SaltTree) -> Self {
        Self {
            tree,
            node: None,
            path: Vec::new(),
            seq: 0,
        }
    }

    /// The salt of the event of that `seq`; `None` if it was erased.
    pub fn salt(&mut self, seq: u64) -> Option<[u8; SALT_LEN]> {
        if self
            .node
            .is_none_or(|node| !(node.first..=node.last()).contains(&seq))
        {
            self.node = Some(self.tree.node_of(seq)?);
            self.path.clear();
        }
        let Node { height, secret, .. } = self.node?;
        let above = 64 - usize::from(height);
        let shared = (seq ^ self.seq).leading_zeros() as usize;
        self.path.truncate(shared.saturating_sub(above));
        self.seq = seq;
        let mut node = self.path.last().copied().unwrap_or(secret);
        for bit in (0..usize::from(height) - self.path.len()).rev() {
            node = child(node, (seq >> bit & 1) as u8);
            self.path.push(node);
        }
        node.first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The construction without a kept path.
    fn from_root(root: [u8; 32], seq: u64) -> [u8; SALT_LEN] {
        let node = (0..64).rev().fold(root, |node, bit| {
            Sha256::digest([node.as_slice(), &[(seq >> bit & 1) as u8]].concat()).into()
        });
        node[..SALT_LEN].try_into().unwrap()
    }

    #[test]
    fn every_event_has_a_salt_of_its_own() {
        let mut salts = Salts::new(SaltTree::new([7; 32]));
        let all: HashSet<_> = (1..200).map(|seq| salts.salt(seq)).collect();
        assert_eq!(all.len(), 199);
        assert_ne!(salts.salt(1), Salts::new(SaltTree::new([8; 32])).salt(1));
        // Kept commitments depend on it for ever.
        assert_eq!(salts.salt(u64::MAX).unwrap()[..4], [92, 197, 148, 212]);
        for seq in [3, 4, 4, u64::MAX, 0, 1 << 63, 255, 256, 7] {
            assert_eq!(salts.salt(seq), Some(from_root([7; 32], seq)), "{seq}");
        }
    }

    #[test]
    fn an_erased_salt_cannot_be_derived_and_all_others_can() {
        let root = [7; 32];
        let erased = [0, 3, 4, 5, 255, 256, 1 << 40, u64::MAX];
        let tree = SaltTree::new(root).without(erased);
        let again = tree.without(erased);
        assert!(tree == again && tree.root().is_none());
        let decoded = SaltTree::decode(&tree.encode()).unwrap();
        assert!(decoded == tree);
        let mut salts = Salts::new(decoded);
        let around = erased
            .iter()
            .flat_map(|seq| [seq ^ 1, seq.wrapping_add(1), *seq]);
        for seq in (0..600).chain(around).chain([1 << 63, 1 << 62, 17]) {
            let salt = (!erased.contains(&seq)).then(|| from_root(root, seq));
            assert_eq!(salts.salt(seq), salt, "{seq}");
        }
        // No kept secret is on the path of an erased salt.
        for node in tree.0.iter() {
            assert!(
                erased
                    .iter()
                    .all(|seq| !(node.first..=node.last()).contains(seq))
            );
        }
        assert_eq!(SaltTree::new(root).without([1]).0.len(), 64);
        let none = SaltTree::new(root).without([]);
        assert_eq!(none.root(), Some(root));
    }

    #[test]
    fn damaged_bytes_are_no_tree_and_never_a_panic() {
        let bytes = SaltTree::new([7; 32]).without([9]).encode();
        assert!(SaltTree::decode(&bytes[1..]).is_none());
        let swapped = [&bytes[NODE_LEN..2 * NODE_LEN], &bytes[..NODE_LEN]].concat();
        assert!(SaltTree::decode(&swapped).is_none());
        for place in 0..NODE_LEN * 3 {
            for value in [0, 1, 63, 64, 65, 255] {
                let mut bad = bytes.clone();
                bad[place] = value;
                if let Some(tree) = SaltTree::decode(&bad) {
                    let mut salts = Salts::new(tree);
                    for seq in [0, 8, 9, u64::MAX] {
                        let _ = salts.salt(seq);
                    }
                }
            }
        }
    }
}
