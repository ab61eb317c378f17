//! The arguments of `serve` for signatures.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::ValueEnum;

use super::context::UsageError;
use super::time::parse_duration;
use crate::auth::keys::KeyDomain;
use crate::auth::signature::{Account, Policy, PublicHost};
use crate::server::SignatureConfig;

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
    #[arg(long, env = "PROFILETRAIL_SIGNATURE", value_name = "MODE")]
    pub signature: Option<SignatureMode>,
    /// Accept calls of this account, such as account_1234; can be repeated
    #[arg(
        long,
        env = "PROFILETRAIL_COPERNICA_ID",
        value_name = "ACCOUNT",
        value_delimiter = ','
    )]
    pub copernica_id: Vec<Account>,
    /// The host in the webhook's address, such as hooks.example.com; can be repeated
    #[arg(
        long,
        env = "PROFILETRAIL_PUBLIC_HOST",
        value_name = "HOST",
        value_delimiter = ','
    )]
    pub public_host: Vec<PublicHost>,
    /// How far the date of a signed call may be off
    #[arg(long, env = "PROFILETRAIL_MAX_AGE", value_name = "SPAN", default_value = "60s",
        value_parser = parse_duration)]
    pub max_age: Duration,
    /// The domain under which keys are looked up
    #[arg(
        long,
        env = "PROFILETRAIL_KEY_DOMAIN",
        value_name = "DOMAIN",
        default_value = "copernica.com"
    )]
    pub key_domain: KeyDomain,
    /// The DNS server to use, such as 192.0.2.53 or 192.0.2.53:53 [default: the system's]
    #[arg(long, env = "PROFILETRAIL_DNS_SERVER", value_name = "ADDR", value_parser = parse_dns_server)]
    pub dns_server: Option<SocketAddr>,
}

impl SignatureArgs {
    /// Whether nobody decided whether signatures are checked.
    pub fn is_unsaid(&self) -> bool {
        self.signature.is_none()
    }

    /// Which calls are accepted; `None` accepts all.
    pub fn config(&self) -> anyhow::Result<Option<SignatureConfig>> {
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
        if self.public_host.is_empty() {
            return Err(missing("--public-host HOST (the host in the webhook's address)").into());
        }
        let max_age = i64::try_from(self.max_age.as_secs())?;
        if !(1..=24 * 60 * 60).contains(&max_age) {
            return Err(UsageError::new("--max-age must be between 1s and 1d").into());
        }
        let policy = Policy {
            required: mode == SignatureMode::Required,
            accounts: self.copernica_id.clone(),
            hosts: self.public_host.clone(),
            max_age,
            key_domain: self.key_domain.clone(),
        };
        Ok(Some(SignatureConfig {
            policy,
            dns_server: self.dns_server,
        }))
    }
}

pub(super) fn parse_dns_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>();
    let usual = |address: IpAddr| SocketAddr::new(address, 53);
    with_port
        .or_else(|_| text.parse::<IpAddr>().map(usual))
        .map_err(|_| "write an address such as 192.0.2.53 or [2001:db8::53]:53".to_owned())
}
