//! A call that is good if its signature is the named key's.

use super::evidence::Proof;
use super::refusal::Refusal;
use crate::auth::keys::{KeyName, PublicKey};

/// The part that remains to be verified with the key.
#[derive(Clone, Debug)]
pub struct Claim {
    pub(super) key: KeyName,
    pub(super) text: String,
    pub(super) signature: Vec<u8>,
    pub(super) date: i64,
    pub(super) wrong_date: Option<Refusal>,
}

impl Claim {
    /// The name of the key.
    pub const fn key(&self) -> &KeyName {
        &self.key
    }

    /// The signed text, which identifies the message.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signed date in Unix seconds.
    pub const fn date(&self) -> i64 {
        self.date
    }

    /// Why the date is too old or too far ahead, if it is: the call is kept as rejected once its
    /// signature is verified, since this machine's clock may be wrong.
    pub const fn wrong_date(&self) -> Option<Refusal> {
        self.wrong_date
    }

    /// Verifies the call: its signature by the key of that name, and that its date was in time.
    /// `now` is in Unix seconds.
    pub fn verify(&self, key: &PublicKey, now: i64) -> Result<Proof, Refusal> {
        let proof = self.verify_signature(key, now)?;
        self.wrong_date.map_or(Ok(proof), Err)
    }

    /// Verifies the signature alone.
    pub fn verify_signature(&self, key: &PublicKey, now: i64) -> Result<Proof, Refusal> {
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
