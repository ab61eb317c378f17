//! The hash by which an event will stand in a Merkle tree over the log.
//!
//! The leaf is SHA-256 of a zero byte (RFC 6962's leaf prefix), the record's
//! version and head as they are in the log, and the body's commitment: SHA-256
//! of the salt and the body. So a body and its salt can be erased while the
//! commitment keeps the leaf as it was, and without the salt a commitment
//! tells nothing of a body that could be guessed.

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

/// The leaf hash of the record of a `seq`, given as its bytes in the log.
pub fn leaf_hash(seq: u64, record: &[u8], root: &SaltRoot) -> Result<[u8; 32], RecordError> {
    let (_, head_len) = EventHead::decode(record)?;
    let body = EventRecord::decode(record)?.body;
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(record.get(..head_len).unwrap_or_default());
    let salt = body.salt.unwrap_or_else(|| root.salt(seq));
    hash.update(body_commitment(salt, body.bytes));
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
        other.body.bytes = b"type=create";
        assert_ne!(of(&other, 1), leaf);
        // A salt that is kept counts, and not the one that would be derived.
        other = record.clone();
        other.body.salt = Some(SaltRoot([5; 32]).salt(1));
        let kept = of(&other, 2);
        other.body.salt = Some([0; SALT_LEN]);
        assert_ne!(of(&other, 2), kept);
        assert_eq!(of(&other, 3), of(&other, 4));
    }
}
