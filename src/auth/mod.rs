//! Who may send a call and who may ask a question.
//!
//! [`signature`] checks that a call comes from Copernica, with the public keys
//! that [`keys`] looks up in the DNS; [`tokens`] are what readers of the HTTP API
//! and the page present.

pub mod keys;
pub mod signature;
pub mod tokens;
