//! The arguments of `serve` for the query API and monitoring.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::builder::BoolishValueParser;

use super::time::parse_duration;

/// The address of the page where none is named: reachable from this machine only.
const UI_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

/// The query API, and monitoring.
#[derive(Debug, clap::Args)]
pub struct ApiArgs {
    /// Serve the HTTP API at this address; clients need a token (`profiletrail token create`)
    #[arg(long, env = "PROFILETRAIL_API", value_name = "ADDR")]
    pub api: Option<SocketAddr>,
    /// Serve the web page at the address of --api [127.0.0.1:8082 without --api]; log in with a token
    /// (`profiletrail token create`)
    #[arg(long, env = "PROFILETRAIL_UI", value_parser = BoolishValueParser::new())]
    pub ui: bool,
    /// Warn, and fail /healthz, after this long without events (90s, 30m, 6h, 2d)
    #[arg(long, env = "PROFILETRAIL_ALERT_AFTER", value_name = "SPAN", value_parser = parse_duration)]
    pub alert_after: Option<Duration>,
}

impl ApiArgs {
    /// The address of the API, if it is served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.api.or(self.ui.then_some(UI_ADDRESS))
    }
}
