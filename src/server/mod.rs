//! The server: receives calls, keeps them, and lets the local socket ask.
//!
//! [`crate::gate`] owns the public listener and passes whole requests on to
//! tiny_http; [`worker`] threads decode and queue them; the one [`committer`]
//! keeps what waits as a group and only then lets each call be answered.
//! [`local`] is the Unix socket in the data folder, by which commands ask.
//! Queues are bounded: past them a call is answered 503 with `Retry-After`.

mod committer;
mod local;
pub mod protocol;
mod reply;
mod run;
mod socket;
mod turns;
mod worker;

pub use run::{Server, ServerConfig, ServerError};
pub use socket::reachable;
