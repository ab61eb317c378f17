//! The hash by which an event will stand in a Merkle tree over the log.
//!
//! | bytes that are hashed by SHA-256 | content |
//! | --- | --- |
//! | 1 | zero, the leaf prefix of RFC 6962 |
//! | 1 | the record's kind |
//! | … | the head, as it is in the log |
//! | 32 | the body's commitment: SHA-256 of salt and body |
//!
//! The salt makes the leaf reveal nothing of an erased event, even to somebody
//! who can guess its head and its body. A tombstone therefore needs the kind and
//! the leaf alone. The form of the leaf can never change.

use sha2::{Digest, Sha256};

use super::record::{EventHead, EventRecord, RecordError};
use super::salt::{SALT_LEN, SaltRoot};

/// SHA-256 of the salt and the body.
pub fn body_commitment(salt: [u8; SALT_LEN], body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(body);
    hash.finalize().into()
}

/// The leaf hash of the event of a `seq`, whose record is given.
pub fn leaf_hash(seq: u64, record: &[u8], root: &SaltRoot) -> Result<[u8; 32], RecordError> {
    let (_, head_len) = EventHead::decode(record)?;
    let body = EventRecord::decode(record)?.body;
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(record.get(..head_len).unwrap_or_default());
    hash.update(body_commitment(root.salt(seq), body));
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;
    use super::*;

    #[test]
    fn the_leaf_depends_on_head_salt_and_body() {
        let record = example(b"type=update");
        let of = |record: &EventRecord<'_>, seq| {
            leaf_hash(seq, &record.encode().unwrap(), &SaltRoot([5; 32])).unwrap()
        };
        let leaf = of(&record, 1);
        assert_ne!(of(&record, 2), leaf);
        let mut other = record.clone();
        other.head.time += 1;
        assert_ne!(of(&other, 1), leaf);
        other = record.clone();
        other.body = b"type=create";
        assert_ne!(of(&other, 1), leaf);
        let kind = [&[9], &record.encode().unwrap()[1..]].concat();
        assert!(leaf_hash(1, &kind, &SaltRoot([5; 32])).is_err());
        // Tombstones and proofs depend on it for ever.
        assert_eq!(leaf[..4], [82, 8, 216, 176]);
    }
}
