//! The arguments of `serve` that are the gate's.

use std::path::PathBuf;

use super::context::UsageError;
use crate::frontend::{Network, TlsFiles};

/// Who may connect, and how.
#[derive(Debug, clap::Args)]
pub struct GateArgs {
    /// How many connections may be open
    #[arg(long, env = "PROFILETRAIL_MAX_CONNECTIONS", value_name = "N", default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections: u32,
    /// How many of them one address may have; proxies that are trusted may have all [default: half]
    #[arg(long, env = "PROFILETRAIL_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections_per_address: Option<u32>,
    /// The address or network of a proxy that tells whose calls it passes on (X-Forwarded-For or
    /// Forwarded); can be repeated
    #[arg(
        long,
        env = "PROFILETRAIL_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<Network>,
    /// Take calls with TLS: the certificate, with those that lead to it, in PEM form; it is read
    /// again when it changes
    #[arg(long, env = "PROFILETRAIL_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM form
    #[arg(long, env = "PROFILETRAIL_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
}

impl GateArgs {
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

    /// How many connections one address may have.
    pub fn per_address(&self) -> u32 {
        self.max_connections_per_address
            .unwrap_or(self.max_connections.div_ceil(2))
    }
}
