//! Several nodes that share one order over NATS JetStream.

mod faults;
mod membership;
mod node;
mod order;

use std::time::Duration;

/// The longest that a node may take until it is ready. An election takes up to nine seconds.
const PATIENCE: Duration = Duration::from_secs(120);
