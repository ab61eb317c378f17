//! The arguments of `serve` that are about the query API and being watched.

use std::net::SocketAddr;
use std::time::Duration;

use super::time::parse_duration;

/// The query API, and what a monitor is told.
#[derive(Debug, clap::Args)]
pub struct ApiArgs {
    /// Answer questions over HTTP at this address, to who has a token (`profiletrail token create`)
    #[arg(long, env = "PROFILETRAIL_API", value_name = "ADDR")]
    pub api: Option<SocketAddr>,
    /// Say so, and answer /healthz with 503, where no event came for so long (90s, 30m, 6h, 2d)
    #[arg(long, env = "PROFILETRAIL_ALERT_AFTER", value_name = "SPAN", value_parser = parse_duration)]
    pub alert_after: Option<Duration>,
}
