//! Who may send a call and who may ask a question.
//!
//! [`signature`] checks that a call comes from Copernica, with the public keys that [`keys`] looks up
//! in DNS; readers of the HTTP API and the page present [`tokens`].

pub mod keys;
pub mod signature;
pub mod tokens;
