//! A cluster: several nodes, each a server with its own data folder, share one order of events.
//!
//! The order is a stream of NATS JetStream. A node publishes its groups of encoded records
//! there, and appends to its own log what it reads back, its own groups among it. So all logs
//! have the same records under the same numbers, though none of them is written over the
//! network, and the stream is a hand-over: each node keeps everything.
//!
//! - [`status`]: what the rest of the server knows of the cluster; in every build.
//! - `message`: the bytes of a group and of a mark.
//! - `sequencer`: what the committer calls; publishes, and waits.
//! - `session`: the connection: reads the stream, publishes, and looks whether both work.
//! - `applier`: the one thread that appends to the own log.
//! - `marks`: what the nodes publish of their trees.
//! - `erasures`: repeats what was erased on another node.
//!
//! **The number** of a record is counted: a group's records follow those of the groups before
//! it. **The place** of a log in the stream follows from how many records it has: a mark says
//! how many the log of its node had after which message, and from the last mark that is not
//! ahead of the own log on the messages are counted. Records that the own log has already
//! must be the same. Nothing is added to the log for that.
//!
//! **What a record depends on** is decided by the node that publishes it: the profile of a
//! subprofile is looked up, and then the group is accepted at that place of the stream only.

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
