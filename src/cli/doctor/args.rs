//! The arguments of `doctor`, as clap reads them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use crate::auth::keys::KeyDomain;
use crate::auth::signature::PublicHost;
use crate::cli::args::ResultOutput;
use crate::cli::signature_args::parse_dns_server;
use crate::cli::time::parse_duration;

/// `doctor`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The flags are those of serve. They apply if no server runs; a running server \
    reports its own settings.\nExit status: 0 no problem, 3 a problem.\n\n\
    Example: profiletrail doctor --env-file /etc/profiletrail.env --public-host hooks.example.com"
)]
pub struct DoctorArgs {
    /// The address to listen on
    #[arg(
        long,
        env = "PROFILETRAIL_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,
    /// The largest number of open connections
    #[arg(
        long,
        env = "PROFILETRAIL_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 512
    )]
    pub max_connections: u32,
    /// Free space to leave on the data's disk
    #[arg(
        long,
        env = "PROFILETRAIL_MIN_FREE",
        value_name = "SIZE",
        default_value = "256MiB"
    )]
    pub min_free: ByteSize,
    /// A public host name of the server; can be repeated
    #[arg(
        long,
        env = "PROFILETRAIL_PUBLIC_HOST",
        value_name = "HOST",
        value_delimiter = ','
    )]
    pub public_host: Vec<PublicHost>,
    /// After how long without events the server warns
    #[arg(long, env = "PROFILETRAIL_ALERT_AFTER", value_name = "SPAN", value_parser = parse_duration)]
    pub alert_after: Option<Duration>,
    /// The server's certificate, if it serves TLS itself
    #[arg(long, env = "PROFILETRAIL_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The domain under which keys are looked up
    #[arg(
        long,
        env = "PROFILETRAIL_KEY_DOMAIN",
        value_name = "DOMAIN",
        default_value = "copernica.com"
    )]
    pub key_domain: KeyDomain,
    /// The DNS server to use [default: the system's]
    #[arg(long, env = "PROFILETRAIL_DNS_SERVER", value_name = "ADDR", value_parser = parse_dns_server)]
    pub dns_server: Option<SocketAddr>,
    /// A backup to check
    #[arg(long, env = "PROFILETRAIL_BACKUP", value_name = "DIR")]
    pub backup: Option<PathBuf>,
    /// Use no network: no DNS, no public address
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}
