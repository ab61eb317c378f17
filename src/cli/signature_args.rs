//! The arguments of `serve` for signatures.

use std::time::Duration;

use clap::ValueEnum;

use super::context::UsageError;
use super::server_args::ServerArgs;
use crate::auth::signature::{Account, Policy};
use crate::query::parse_duration;

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
