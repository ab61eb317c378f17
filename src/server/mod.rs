//! The server: receives calls, keeps them, and lets the local socket ask.
//!
//! [`crate::frontend`] owns the public listener and passes whole requests on to
//! tiny_http; [`worker`] threads take them ([`receiver`]), decode and queue them;
//! the one [`committer`] lets a group come together ([`group_commit`]), keeps it and
//! only then has each of its calls answered, all at once and by way of the frontend.
//!
//! A call passes through five threads, and on a small machine it is their
//! waking each other that costs, not their work: so each hop is made to carry
//! many calls at a time when there are many.
//!
//! [`local`] is the Unix socket in the data folder, by which commands ask.
//! [`api`] answers the same over HTTP, where it is wanted.
//! Queues are bounded: past them a call is answered 503 with `Retry-After`, and
//! so it is where [`disk_space`] finds the disk almost full. [`inactivity`] tells when no
//! event has come for long.

mod api;
mod committer;
mod disk_space;
mod follow;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod group_commit;
mod health;
mod inactivity;
mod local;
pub mod protocol;
mod receiver;
mod refusals;
mod reply;
mod run;
mod signed;
mod socket;
mod turns;
mod worker;

pub use api::{Question, question};
pub use run::{Server, ServerConfig, ServerError, SignatureConfig};
pub use socket::reachable;

/// How many open files a server needs beside connections: private connections,
/// log, index, commands.
pub const OWN_DESCRIPTORS: u64 = 400;
