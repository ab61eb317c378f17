//! A call that is good if its signature is by the key that it names.

use super::evidence::Proof;
use super::refusal::Refusal;
use crate::auth::keys::{KeyName, PublicKey};

/// What is left to be verified.
#[derive(Clone, Debug)]
pub struct Claim {
    pub(super) key: KeyName,
    pub(super) text: String,
    pub(super) signature: Vec<u8>,
    pub(super) date: i64,
}

impl Claim {
    /// The name of the key it needs.
    pub const fn key(&self) -> &KeyName {
        &self.key
    }

    /// The text that is signed: what is the same message, whatever stands beside it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signed date in Unix seconds.
    pub const fn date(&self) -> i64 {
        self.date
    }

    /// Verifies the signature by the key of that name, as it was found at a
    /// moment in Unix seconds.
    pub fn verify(&self, key: &PublicKey, now: i64) -> Result<Proof, Refusal> {
        if *key.name() != self.key || !key.verify(self.text.as_bytes(), &self.signature) {
            return Err(Refusal::Wrong);
        }
        Ok(Proof {
            key: self.key.as_str().to_owned(),
            record: key.record().to_owned(),
            verified: now,
            text: self.text.clone(),
            signature: self.signature.clone(),
        })
    }
}
