//! The server: receives calls, keeps them, and answers questions.
//!
//! `docs/architecture.md` follows a call through it: from [`crate::frontend`] over the [`worker`]
//! threads ([`receiver`]) to the one [`committer`] ([`group_commit`]) and back. With tiny_http's own, a
//! call passes through five threads, and on a small machine their wake-ups cost more than their work.
//! Each hop therefore carries many calls at a time when there are many.
//!
//! [`control_socket`] takes commands in the data folder, and [`commands`] answers them; [`api`] answers
//! the same questions over HTTP. Queues are bounded: beyond their limits, and while [`disk_space`] finds the
//! disk almost full, a call is answered 503 with `Retry-After`. [`inactivity`] raises an alarm when
//! no event has arrived for long.

mod answer_writer;
mod api;
mod command_request;
mod commands;
mod committer;
pub mod control;
mod control_socket;
mod disk_space;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod group_commit;
mod http_server;
mod inactivity;
mod listener;
mod receiver;
mod refusals;
mod reply;
mod run;
mod semaphore;
mod signed;
mod socket;
mod supervisor;
mod tails;
mod worker;

pub use api::{line_schemas, openapi, schema_generator};
pub use commands::Commands;
pub use run::{Server, ServerConfig};
pub use socket::reachable;

/// The open files a server needs in addition to connections: private connections, log, index, commands.
pub const OWN_DESCRIPTORS: u64 = 400;
