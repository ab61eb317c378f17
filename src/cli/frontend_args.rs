//! The arguments of `serve` for the frontend.

use std::path::PathBuf;

use super::context::UsageError;
use crate::frontend::{Network, TlsFiles};

/// Who may connect, and how.
#[derive(Debug, clap::Args)]
pub struct FrontendArgs {
    /// The largest number of open connections
    #[arg(long, env = "PROFILETRAIL_MAX_CONNECTIONS", value_name = "N", default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections: u32,
    /// The largest number of connections from one address; trusted proxies are exempt [default: half]
    #[arg(long, env = "PROFILETRAIL_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections_per_address: Option<u32>,
    /// The address or network of a proxy whose X-Forwarded-For or Forwarded header is trusted; can
    /// be repeated
    #[arg(
        long,
        env = "PROFILETRAIL_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<Network>,
    /// Serve TLS with this certificate chain (PEM); it is reloaded when the file changes
    #[arg(long, env = "PROFILETRAIL_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, env = "PROFILETRAIL_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
}

impl FrontendArgs {
    /// The certificate and its key, if there are any. Half a pair is refused,
    /// whichever source it comes from: without TLS, calls would be readable.
    pub fn tls(&self) -> Result<Option<TlsFiles>, UsageError> {
        let half = |given: &str, missing: &str| {
            let what = format!("{given} is set and {missing} is not: TLS needs both");
            Err(UsageError::new(what))
        };
        match (self.tls_cert.clone(), self.tls_key.clone()) {
            (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
            (None, None) => Ok(None),
            (Some(_), None) => half("--tls-cert", "--tls-key"),
            (None, Some(_)) => half("--tls-key", "--tls-cert"),
        }
    }

    /// The most connections of one address.
    pub fn per_address(&self) -> u32 {
        self.max_connections_per_address
            .unwrap_or(self.max_connections.div_ceil(2))
    }
}
