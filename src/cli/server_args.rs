//! The arguments of `serve` that `doctor` checks, too, and those for signatures.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::ValueEnum;

use super::context::UsageError;
use crate::auth::keys::KeyDomain;
use crate::auth::signature::{Account, Policy, PublicHost};
use crate::ops::doctor::Settings;
use crate::proofs::Countersigner;
use crate::query::parse_duration;

/// What a server is, and how the sender reaches it.
#[derive(Debug, clap::Args)]
pub struct ServerArgs {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The largest number of open connections
    #[arg(long, value_name = "N", default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections: u32,
    /// Free space to leave on the data's disk: with less, calls are answered 503 [0: no limit]
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub min_free: ByteSize,
    /// Warn, and fail /healthz, after this long without events (90s, 30m, 6h, 2d)
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    pub alert_after: Option<Duration>,
    /// Serve TLS with this certificate chain (PEM); it is reloaded when the file changes
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The host in the webhook's address, such as hooks.example.com; can be repeated
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub public_host: Vec<PublicHost>,
    /// The domain under which keys are looked up
    #[arg(long, value_name = "DOMAIN", default_value = "copernica.com")]
    pub key_domain: KeyDomain,
    /// The DNS server to use, such as 192.0.2.53 or 192.0.2.53:53 [default: the system's]
    #[arg(long, value_name = "ADDR", value_parser = parse_dns_server)]
    pub dns_server: Option<SocketAddr>,
    /// Have this time-stamping authority (RFC 3161) sign a checkpoint a day
    #[arg(long, value_name = "URL", value_parser = Countersigner::authority)]
    pub timestamp: Option<Countersigner>,
    /// Have this witness (C2SP tlog-witness) sign a checkpoint a day; can be repeated
    #[arg(long, value_name = "URL=KEY", value_delimiter = ',', value_parser = Countersigner::witness)]
    pub witness: Vec<Countersigner>,
    /// The monitoring addresses of the NATS servers, such as http://10.0.0.1:8222, for doctor
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub nats_monitor: Vec<String>,
}

impl ServerArgs {
    /// The same as `doctor` checks them.
    pub fn settings(&self) -> Settings {
        let hosts = self.public_host.iter();
        Settings {
            listen: Some(self.listen),
            max_connections: Some(self.max_connections.into()),
            min_free: Some(self.min_free.as_u64()),
            public_hosts: hosts.map(ToString::to_string).collect(),
            tls_cert: self.tls_cert.clone(),
            key_domain: Some(self.key_domain.to_string()),
            dns_server: self.dns_server,
            alert_after: self.alert_after.map(|after| after.as_secs()),
            countersigners: self
                .timestamp
                .iter()
                .chain(&self.witness)
                .cloned()
                .collect(),
            #[cfg(feature = "nats")]
            nats_monitors: self.nats_monitor.clone(),
            #[cfg(not(feature = "nats"))]
            nats_monitors: Vec::new(),
        }
    }
}

fn parse_dns_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>();
    let usual = |address: IpAddr| SocketAddr::new(address, 53);
    with_port
        .or_else(|_| text.parse::<IpAddr>().map(usual))
        .map_err(|_| "write an address such as 192.0.2.53 or [2001:db8::53]:53".to_owned())
}

/// Whether calls must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignatureMode {
    /// Accept only calls that Copernica signed
    Required,
    /// Accept unsigned calls too; a signature that is present must be valid
    Optional,
    /// Accept all calls
    Off,
}

/// Which calls are accepted.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Signatures")]
pub struct SignatureArgs {
    /// Whether calls must be signed [default: required with --copernica-id, else off]
    #[arg(long, value_name = "MODE")]
    pub signature: Option<SignatureMode>,
    /// Accept calls of this account, such as account_1234; can be repeated
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',')]
    pub copernica_id: Vec<Account>,
    /// How far the date of a signed call may be off
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = parse_duration)]
    pub max_age: Duration,
}

impl SignatureArgs {
    /// Which calls are accepted; `None` accepts all.
    pub fn config(&self, server: &ServerArgs) -> anyhow::Result<Option<Policy>> {
        let mode = self
            .signature
            .unwrap_or(match self.copernica_id.is_empty() {
                true => SignatureMode::Off,
                false => SignatureMode::Required,
            });
        if mode == SignatureMode::Off {
            return Ok(None);
        }
        let missing = |flag: &str| {
            UsageError::new(format!(
                "signatures cannot be checked without {flag}; to accept unsigned calls, set --signature off"
            ))
        };
        if self.copernica_id.is_empty() {
            return Err(
                missing("--copernica-id account_1234 (the X-Copernica-ID of your calls)").into(),
            );
        }
        if server.public_host.is_empty() {
            return Err(missing("--public-host HOST (the host in the webhook's address)").into());
        }
        let max_age = i64::try_from(self.max_age.as_secs())?;
        if !(1..=24 * 60 * 60).contains(&max_age) {
            wrong_usage!("--max-age must be between 1s and 1d");
        }
        Ok(Some(Policy {
            required: mode == SignatureMode::Required,
            accounts: self.copernica_id.clone(),
            hosts: server.public_host.clone(),
            max_age,
            key_domain: server.key_domain.clone(),
        }))
    }
}
