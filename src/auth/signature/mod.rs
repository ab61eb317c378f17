//! Signatures of calls: who sent them, and how to prove it years later.
//!
//! Copernica signs each call as in draft-cavage-http-signatures-10: the `Signature` header names a
//! key, the covered headers and an RSA signature over their text. The covered headers include the
//! `Digest` of the body (RFC 3230), the `Date` and the account. [`Policy::check`] checks everything
//! that needs no key and returns a [`Claim`]; verified with the key ([`crate::auth::keys`]) it becomes
//! a [`Proof`], which the log keeps with the event, or a [`Refusal`]. [`Replays`] recognises a message
//! that was received before.
//!
//! Pure except for the memory of replays: no I/O, and the time is an argument. Not here: the
//! look-up of keys, and the handling of refused calls (the server).
//!
//! Invariants:
//! - the signature covers everything that is checked: account, host, date and digest are read from
//!   the lines that are verified, and a required header that occurs twice is refused, so that
//!   readers cannot differ;
//! - the algorithm is RSASSA-PKCS1-v1_5 with SHA-256, regardless of the header: a key is never used
//!   for another.

mod evidence;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod head;
mod header;
mod party;
mod policy;
mod refusal;
mod replays;

pub use evidence::{Evidence, EvidenceError, Proof};
pub use head::Head;
pub use party::{Account, PublicHost};
pub use policy::{Claim, Policy};
pub use refusal::Refusal;
pub use replays::{Admission, Replays};
