//! Signatures of calls: who sent them, and how that is proved years later.
//!
//! Copernica signs each call as draft-cavage-http-signatures-10 says: the
//! `Signature` header names a key, the headers it covers and an RSA signature
//! over their text; among them are the `Digest` of the body (RFC 3230), the
//! `Date` and the account. [`Policy::check`] checks everything that needs no
//! key, and leaves a [`Claim`]; with the key ([`crate::auth::keys`]) that becomes a
//! [`Proof`], which the log keeps with the event, or a [`Refusal`].
//! [`Replays`] tells a message that was taken already.
//!
//! Pure but for the memory of replays: no I/O, and the clock is an argument.
//! Left out are the look-up of keys and what becomes of a call that is refused
//! (the server's matter).
//!
//! Invariants:
//! - what decides is covered by the signature: account, host, date and digest
//!   are read from the very lines that are verified, and a header that decides
//!   and is there twice is refused, so that no two readers can differ;
//! - the algorithm is RSASSA-PKCS1-v1_5 with SHA-256, whatever a header claims:
//!   a key is never used for anything else.

mod claim;
mod evidence;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod head;
mod header;
mod party;
mod policy;
mod refusal;
mod replays;

pub use claim::Claim;
pub use evidence::{Evidence, EvidenceError, Proof};
pub use head::Head;
pub use party::{Account, PublicHost};
pub use policy::{CheckOutcome, Policy};
pub use refusal::Refusal;
pub use replays::{Admission, Admitted, Replays};
