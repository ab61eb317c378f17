//! A call that is good if its signature is the named key's.

use super::evidence::Proof;
use super::refusal::Refusal;
use crate::auth::keys::{KeyName, PublicKey};

/// The part that remains to be verified with the key.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The name of the key.
    pub key: KeyName,
    /// The signed text, which identifies the message.
    pub text: String,
    pub(super) signature: Vec<u8>,
    /// The signed date in Unix seconds.
    pub date: i64,
    /// Why the date is too old or too far ahead, if it is: the call is kept as rejected once its
    /// signature is verified, since this machine's clock may be wrong.
    pub wrong_date: Option<Refusal>,
}

impl Claim {
    /// Verifies the signature by the key of that name; not the date. `now` is in Unix seconds.
    pub fn verify_signature(&self, key: &PublicKey, now: i64) -> Result<Proof, Refusal> {
        if key.name != self.key || !key.verify(self.text.as_bytes(), &self.signature) {
            return Err(Refusal::Wrong);
        }
        Ok(Proof {
            key: self.key.as_str().to_owned(),
            record: key.record.clone(),
            verified: now,
            text: self.text.clone(),
            signature: self.signature.clone(),
        })
    }
}
