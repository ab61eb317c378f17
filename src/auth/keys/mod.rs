//! The key ring: finds the public keys by which the sender signs its calls.
//!
//! A key is a DKIM-style TXT record (RFC 6376, section 3.6.1) below the key domain, named by a
//! signature's `keyId`, and another one about every month. Who sends a call chooses the name, so
//! everything here is made for names that strangers invent: [`KeyName`] lets none through that the
//! key domain's owner does not answer for, and the ring bounds what they can make it ask, keep and
//! wait for.
//!
//! ```text
//! get(name) ──▶ Key | Refused            at once, from the book
//!           └─▶ Unknown ─▶ look_up(name) ─▶ thread `keys` ─▶ DNS ─▶ book ─▶ then(…)
//! ```
//!
//! - A key serves until its TTL is over (within `min_ttl` and `max_ttl`); then the next call waits
//!   for it to be fetched again. That a name has no key is kept too, more briefly.
//! - DNS decides: when it says that a key is gone, or another one, the old one stops at once.
//! - A key with which a signature was verified ([`KeyRing::seen_valid`]) serves on where DNS cannot
//!   be reached, until it would have been rotated, over a restart too (the file of remembered keys).
//! - A signature that does not verify may be a key that changed before its TTL was over:
//!   [`KeyRing::doubted`] says when it is worth asking again, and never more often than `min_ttl`.
//!
//! Left out: DNSSEC (the resolver that is asked may check it), encrypted DNS, keys other than RSA,
//! and the signature itself, which is its caller's to judge; here is only whether bytes are signed.

mod asker;
mod book;
mod clock;
mod config;
mod error;
mod flights;
mod name;
mod public_key;
mod record;
mod remembered;
mod ring;
mod source;

pub use clock::{Clock, SystemClock};
pub use config::KeyConfig;
pub use error::{Busy, KeyError};
pub use name::{KeyDomain, KeyDomainError, KeyName};
pub use public_key::PublicKey;
pub use ring::{KeyRing, Lookup};
