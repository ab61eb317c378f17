//! What a server was told, as far as it is checked.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A server's settings, as far as they are checked. What is not known is left
/// out, so that versions understand each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The address it listens at.
    pub listen: Option<SocketAddr>,
    /// How many connections may be open.
    pub max_connections: Option<u64>,
    /// How many bytes are to stay free on the data's disk.
    pub min_free: Option<u64>,
    /// The names, with a port where it is not 443, under which it is called.
    pub public_hosts: Vec<String>,
    /// The certificate with its chain, where it takes TLS itself.
    pub tls_cert: Option<PathBuf>,
    /// The domain below which the sender's keys lie.
    pub key_domain: Option<String>,
    /// The name server that is asked instead of the system's.
    pub dns_server: Option<SocketAddr>,
    /// After how many seconds without an event it gives alarm.
    pub alert_after: Option<u64>,
}

impl Settings {
    /// These, and where they say nothing, `others`.
    pub fn or(self, others: Self) -> Self {
        Self {
            listen: self.listen.or(others.listen),
            max_connections: self.max_connections.or(others.max_connections),
            min_free: self.min_free.or(others.min_free),
            public_hosts: match self.public_hosts.is_empty() {
                true => others.public_hosts,
                false => self.public_hosts,
            },
            tls_cert: self.tls_cert.or(others.tls_cert),
            key_domain: self.key_domain.or(others.key_domain),
            dns_server: self.dns_server.or(others.dns_server),
            alert_after: self.alert_after.or(others.alert_after),
        }
    }
}
