//! The arguments of `serve` that are about the query API and being watched.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::builder::BoolishValueParser;

use super::time::parse_duration;

/// Where the page is shown when no address is named: for who works at this machine.
const UI_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

/// The query API, and what a monitor is told.
#[derive(Debug, clap::Args)]
pub struct ApiArgs {
    /// Answer questions over HTTP at this address, to who has a token (`profiletrail token create`)
    #[arg(long, env = "PROFILETRAIL_API", value_name = "ADDR")]
    pub api: Option<SocketAddr>,
    /// Show a page for browsers at --api's address [there, 127.0.0.1:8082 where it is not given]; one logs
    /// in with a token (`profiletrail token create`)
    #[arg(long, env = "PROFILETRAIL_UI", value_parser = BoolishValueParser::new())]
    pub ui: bool,
    /// Say so, and answer /healthz with 503, where no event came for so long (90s, 30m, 6h, 2d)
    #[arg(long, env = "PROFILETRAIL_ALERT_AFTER", value_name = "SPAN", value_parser = parse_duration)]
    pub alert_after: Option<Duration>,
}

impl ApiArgs {
    /// Where questions are answered, if anywhere.
    pub fn address(&self) -> Option<SocketAddr> {
        self.api.or(self.ui.then_some(UI_ADDRESS))
    }
}
