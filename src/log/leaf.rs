//! The leaf of an event in the Merkle tree over the log ([`crate::proofs`]).
//!
//! A leaf is hashed as in RFC 6962: SHA-256 of a zero byte and the leaf's input:
//!
//! | bytes of the input | content |
//! | --- | --- |
//! | 1 | the record's kind |
//! | … | the head, as it is in the log |
//! | 32 | the body's commitment: SHA-256 of salt and body |
//!
//! The salt makes the leaf reveal nothing of an erased event, even to somebody who can guess its
//! head and its body. So a tombstone needs only the kind and the leaf hash. The input of a control
//! record is the record. The form of the leaf can never change.

use sha2::{Digest, Sha256};

use super::record::{EventRecord, RecordError, control_json, tombstone_leaf};
use super::salt::{SALT_LEN, Salts};

/// How many leaves belong to a tile, whose root is kept.
pub const TILE: u64 = 256;

/// SHA-256 of the salt and the body.
pub fn body_commitment(salt: [u8; SALT_LEN], body: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(salt).chain_update(body);
    hash.finalize().into()
}

/// The hash of a leaf by its input.
pub fn hash_leaf(input: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update([0]).chain_update(input);
    hash.finalize().into()
}

/// The input of the leaf of an event's record or a control record.
pub fn leaf_input(seq: u64, record: &[u8], salts: &mut Salts) -> Result<Vec<u8>, RecordError> {
    if control_json(record).is_some() {
        return Ok(record.to_vec());
    }
    let (EventRecord { body, .. }, head_len) = EventRecord::decode_measured(record)?;
    let erased = || RecordError::Malformed("its salt was erased".to_owned());
    let salt = salts.salt(seq).ok_or_else(erased)?;
    let head = record.get(..head_len).unwrap_or_default();
    Ok([head, body_commitment(salt, body).as_slice()].concat())
}

/// The leaf hash of an event, a control record or a tombstone; `None` if the record has
/// lost it.
pub fn leaf_of(seq: u64, record: &[u8], salts: &mut Salts) -> Option<[u8; 32]> {
    tombstone_leaf(record).or_else(|| {
        let input = leaf_input(seq, record, salts).ok()?;
        Some(hash_leaf(&input))
    })
}

/// The stand-in in the tree for a record that had no leaf when its number was first
/// signed: the leaf of a zero byte and the record. No event has the same input, since no
/// kind is zero.
pub fn stand_in(record: &[u8]) -> [u8; 32] {
    hash_leaf(&[&[0], record].concat())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;
    use super::super::record::{control, tombstone};
    use super::super::salt::SaltTree;
    use super::*;

    #[test]
    fn the_leaf_depends_on_head_salt_and_body() {
        let mut salts = Salts::new(SaltTree::new([5; 32]));
        let mut of = |record: &EventRecord<'_>, seq| {
            leaf_of(seq, &record.encode().unwrap(), &mut salts).unwrap()
        };
        let record = example(b"type=update");
        let leaf = of(&record, 1);
        assert_ne!(of(&record, 2), leaf);
        let mut other = record.clone();
        other.head.time += 1;
        assert_ne!(of(&other, 1), leaf);
        other = record.clone();
        other.body = b"type=create";
        assert_ne!(of(&other, 1), leaf);
        let kind = [&[9], &record.encode().unwrap()[1..]].concat();
        assert_eq!(leaf_of(1, &kind, &mut salts), None);
        assert_eq!(leaf_of(9, &tombstone(leaf), &mut salts), Some(leaf));
        let control = control(b"{}");
        assert_eq!(leaf_of(9, &control, &mut salts), Some(hash_leaf(&control)));
        // Tombstones and proofs depend on it for ever.
        assert_eq!(leaf[..4], [82, 8, 216, 176]);
    }
}
