//! The hash by which an event will stand in a Merkle tree over the log.
//!
//! The leaf is SHA-256 of a zero byte (RFC 6962's leaf prefix), the record's
//! version and head as they are in the log, and the body's commitment: SHA-256
//! of the salt and the body. So a body and its salt can be erased while the
//! commitment keeps the leaf as it was, and without the salt a commitment
//! tells nothing of a body that could be guessed.

use sha2::{Digest, Sha256};

use super::record::{EventHead, EventRecord, KeptBody, RecordError};

/// SHA-256 of the salt and the body.
pub fn body_commitment(body: &KeptBody<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(body.salt);
    hash.update(body.bytes);
    hash.finalize().into()
}

/// The leaf hash of an event's record, given as its bytes in the log.
pub fn leaf_hash(record: &[u8]) -> Result<[u8; 32], RecordError> {
    let (_, head_len) = EventHead::decode(record)?;
    let body = EventRecord::decode(record)?.body;
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(record.get(..head_len).unwrap_or_default());
    hash.update(body_commitment(&body));
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;
    use super::*;

    #[test]
    fn the_leaf_depends_on_head_salt_and_body() {
        let record = example(b"type=update");
        let leaf = leaf_hash(&record.encode().unwrap()).unwrap();
        let mut other = record.clone();
        other.head.time += 1;
        assert_ne!(leaf_hash(&other.encode().unwrap()).unwrap(), leaf);
        other = record.clone();
        other.body.salt[0] += 1;
        assert_ne!(leaf_hash(&other.encode().unwrap()).unwrap(), leaf);
        other = record.clone();
        other.body.bytes = b"type=create";
        assert_ne!(leaf_hash(&other.encode().unwrap()).unwrap(), leaf);
    }
}
