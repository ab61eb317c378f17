//! Authenticates the senders of calls and the readers of the API and the page.
//!
//! [`signature`] checks that a call comes from Copernica, with the public keys that [`keys`] looks up
//! in DNS; readers of the HTTP API and the page present [`tokens`].

pub mod keys;
pub mod signature;
pub mod tokens;
