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

impl SaltRoot {
    /// The salt of the event of that `seq`.
    pub fn salt(&self, seq: u64) -> [u8; SALT_LEN] {
        let mut node = self.0;
        for bit in (0..u64::BITS).rev() {
            let mut hash = Sha256::new();
            hash.update(node);
            hash.update([(seq >> bit & 1) as u8]);
            node = hash.finalize().into();
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

    #[test]
    fn every_event_has_a_salt_of_its_own() {
        let salts: HashSet<_> = (1..200).map(|seq| SaltRoot([7; 32]).salt(seq)).collect();
        assert_eq!(salts.len(), 199);
        assert_ne!(SaltRoot([7; 32]).salt(1), SaltRoot([8; 32]).salt(1));
        // Kept commitments depend on it for ever.
        assert_eq!(SaltRoot([7; 32]).salt(u64::MAX)[..4], [92, 197, 148, 212]);
    }
}
