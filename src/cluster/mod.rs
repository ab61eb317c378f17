//! A cluster: several nodes, each a server with its own data folder, share one order of events.
//!
//! The order is a stream of NATS JetStream. A node publishes its groups of encoded records
//! there, and appends every group that it reads back to its own log, including its own. So all
//! logs have the same records under the same numbers, and each node keeps everything; the
//! stream only transports the records.
//!
//! - [`status`]: the state of the cluster for the rest of the server; in every build.
//! - `message`: the bytes of a group and of a mark.
//! - `sequencer`: called by the committer; publishes, and waits.
//! - `session`: the connection: reads the stream, publishes, and checks that both work.
//! - `applier`: the one thread that appends to the node's own log.
//! - `marks`: the roots that the nodes publish of their trees.
//! - `erasures`: repeats erasures of other nodes.
//!
//! **The number** of a record is counted: a group's records follow those of the groups before
//! it. **The place** of a log in the stream follows from its number of records: a mark says how
//! many records the log of its node had after which message. The node counts the messages from
//! the last mark that is not ahead of its own log. Records that its log already has must be
//! equal. Nothing is added to the log for this.
//!
//! **Dependencies** of a record are resolved by the node that publishes it: it looks up the
//! profile of a subprofile, and the group is then accepted only at that place of the stream.

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
