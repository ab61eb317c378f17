//! profiletrail: receives every webhook call of the Copernica marketing
//! platform, keeps each one durably, and answers *what changed when*.
//!
//! One writer, one truth, one direction:
//!
//! ```text
//! POST /webhook ─▶ frontend ─▶ server ─▶ event ─▶ log (append, sync: the truth) ─▶ 200
//!                                              │
//!                                              ▼
//!                                            index (sled; can always be rebuilt)
//!                                              │
//! command line ─▶ query ─▶ history ◀── store ──┘
//! ```
//!
//! An event passes through four states, and these words are used for them everywhere:
//! *received* (read and decoded; a crash loses it, and the sender has no answer),
//! *appended* (written to the log), *synced* (on stable storage, and then answered 200;
//! no crash loses it), *indexed* (found by its (sub)profile; a lost index is rebuilt from
//! the log).

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation is made with private items, for developers"
)]

#[cfg(panic = "abort")]
compile_error!(
    "panic = \"abort\" is not supported: a panic of sled on a damaged index is caught, and the index rebuilt"
);

pub mod auth;
mod background;
pub mod cli;
mod cluster;
mod dice;
pub mod event;
mod format;
mod frontend;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod history;
mod http_request;
mod index;
pub mod log;
mod log_limiter;
mod metrics;
pub mod ops;
pub mod proofs;
pub mod query;
mod server;
pub mod storage;
pub mod store;
mod web;
