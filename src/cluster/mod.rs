//! A cluster: several nodes, each a server with its own data folder, share one order of events.
//!
//! The order is a stream of NATS JetStream, from which each node appends to its own log;
//! `docs/cluster.md` says how it works.
//!
//! - [`status`]: the state of the cluster for the rest of the server; in every build.
//! - `message`: the bytes of a group and of a mark.
//! - `sequencer`: called by the committer; publishes, and waits.
//! - `session`: the connection: reads the stream, publishes, and checks that both work.
//! - `applier`: the one thread that appends to the node's own log.
//! - `marks`: the roots that the nodes publish of their trees.
//! - `erasures`: repeats erasures of other nodes.
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
