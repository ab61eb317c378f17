//! A cluster: several nodes, each a server with its own data folder, share one order of events.
//!
//! The order is a stream of NATS JetStream, from which each node appends to its own log;
//! `docs/cluster.md` says how it works.
//!
//! - [`status`]: what the rest of the server knows of the cluster; in every build.
//! - `message`: the bytes of a group and of a mark.
//! - `sequencer`: what the committer calls; publishes, and waits.
//! - `session`: the connection: reads the stream, publishes, and looks whether both work.
//! - `applier`: the one thread that appends to the own log.
//! - `marks`: what the nodes publish of their trees.
//! - `erasures`: repeats what was erased on another node.
//!
//! Invariant: records that the own log has already must be those that the stream has.

#[cfg(feature = "nats")]
mod applier;
#[cfg(feature = "nats")]
mod erasures;
#[cfg(feature = "nats")]
mod marks;
#[cfg(feature = "nats")]
mod message;
#[cfg(feature = "nats")]
mod sequencer;
#[cfg(feature = "nats")]
mod session;
mod status;

#[cfg(feature = "nats")]
pub use erasures::start_erasures;
#[cfg(feature = "nats")]
pub use sequencer::{Cluster, ClusterConfig, Observer};
pub use status::{ClusterFacts, Status};
