//! The key ring: the public keys with which the sender signs its calls.
//!
//! A key is a DKIM-style TXT record (RFC 6376, section 3.6.1) below the key domain. A signature's
//! `keyId` names it, so the caller chooses the name. [`KeyName`] therefore accepts only names below
//! the key domain, and the ring limits the look-ups, cache entries and waits that invented names
//! can cause.
//!
//! ```text
//! get(name) ──▶ a key, or why not      at once, from the cache
//!           └─▶ None ──▶ look_up(name) ─▶ thread `keys` ─▶ DNS ─▶ cache ─▶ callback(…)
//! ```
//!
//! - A key is used until its TTL ends (within bounds); the next call then waits for it to be
//!   fetched again. A missing key is cached, too, for a shorter time.
//! - DNS decides: when a key is removed from DNS or replaced, the old one is no longer used.
//! - A verified key ([`KeyRing::mark_verified`]) stays in use while DNS is unreachable, until it
//!   would have been rotated, also after a restart ([`key_store`]).
//! - A signature that does not verify may mean that the key changed within its TTL:
//!   [`KeyRing::recheck`] says when to ask DNS again, at most once in [`MIN_TTL`].
//!
//! Not here: DNSSEC (the resolver may check it), encrypted DNS, keys other than RSA, and the policy
//! for signatures ([`super::signature`]).

mod cache;
mod config;
mod dns;
mod error;
mod key_store;
mod name;
mod public_key;
mod record;
mod ring;

pub use cache::KeyResult;
pub use config::{Clock, KeyConfig, MIN_TTL};
pub use error::{Busy, KeyError};
pub use name::{KeyDomain, KeyName};
pub use public_key::PublicKey;
pub use ring::KeyRing;
