//! The salts of the bodies' commitments, derived instead of stored.
//!
//! Sixteen random bytes an event do not compress. So a salt is derived from the
//! `seq` and one secret of the data folder by a binary tree (the construction of
//! Goldreich, Goldwasser and Micali): the secret is the root, the two children of
//! a node are SHA-256 of the node and the byte 0 or 1, and the path to a salt is
//! the `seq` in 64 bits, highest bit first. To erase a body for good, its salt
//! must become underivable while all others stay: the root is replaced by the 64
//! siblings of the path, from which every other salt can still be derived.

use sha2::{Digest, Sha256};

/// The length of a salt in bytes.
pub const SALT_LEN: usize = 16;

/// The secret from which a data folder's salts are derived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SaltRoot(pub [u8; 32]);

impl std::fmt::Debug for SaltRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaltRoot(secret)")
    }
}

/// Derives salts, and keeps the path to the last one: the next `seq` takes two
/// hashes on average instead of 64.
pub struct Salts {
    root: SaltRoot,
    /// The nodes below the root on the path to `seq`.
    path: Vec<[u8; 32]>,
    seq: u64,
}

impl Salts {
    /// Derives from a root.
    pub const fn new(root: SaltRoot) -> Self {
        Self {
            root,
            path: Vec::new(),
            seq: 0,
        }
    }

    /// The salt of the event of that `seq`.
    pub fn salt(&mut self, seq: u64) -> [u8; SALT_LEN] {
        self.path
            .truncate((seq ^ self.seq).leading_zeros() as usize);
        self.seq = seq;
        let mut node = self.path.last().copied().unwrap_or(self.root.0);
        for bit in (0..64 - self.path.len()).rev() {
            let mut hash = Sha256::new();
            hash.update(node);
            hash.update([(seq >> bit & 1) as u8]);
            node = hash.finalize().into();
            self.path.push(node);
        }
        let mut salt = [0; SALT_LEN];
        for (byte, from) in salt.iter_mut().zip(node) {
            *byte = from;
        }
        salt
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
        let mut salts = Salts::new(SaltRoot([7; 32]));
        let all: HashSet<_> = (1..200).map(|seq| salts.salt(seq)).collect();
        assert_eq!(all.len(), 199);
        assert_ne!(salts.salt(1), Salts::new(SaltRoot([8; 32])).salt(1));
        // Kept commitments depend on it for ever.
        assert_eq!(salts.salt(u64::MAX)[..4], [92, 197, 148, 212]);
        for seq in [3, 4, 4, u64::MAX, 0, 1 << 63, 255, 256, 7] {
            assert_eq!(salts.salt(seq), from_root([7; 32], seq), "{seq}");
        }
    }
}
