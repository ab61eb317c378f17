//! The limits of a key ring.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Clock, KeyDomain, SystemClock};

/// How keys are looked up, kept and bounded. The default suits a server on the open internet.
#[derive(Clone)]
pub struct KeyConfig {
    /// The domain below which remembered keys must lie.
    pub domain: KeyDomain,
    /// The server to ask, over UDP and TCP; without it, those of the system's configuration.
    pub dns_server: Option<SocketAddr>,
    /// How long one question to a server may wait for its answer.
    pub question_timeout: Duration,
    /// How long a look-up may take with all that it asks.
    pub look_up_timeout: Duration,
    /// A record's TTL counts as at least this.
    pub min_ttl: Duration,
    /// A record's TTL counts as at most this.
    pub max_ttl: Duration,
    /// For how long at most it is kept that a name has no usable key.
    pub refused_ttl: Duration,
    /// How long a name is not asked for again after DNS could not be reached.
    pub pause: Duration,
    /// How long a key that was seen valid is used through an outage, from when it was last
    /// fetched: by then it would have been rotated.
    pub outage: Duration,
    /// Names that are kept at one time, with and without keys.
    pub max_names: usize,
    /// Keys seen valid that are kept at one time.
    pub max_seen: usize,
    /// Names that are looked up at one time, and as many again of keys seen valid.
    pub max_look_ups: usize,
    /// Names that one address may have looked up at one time; of IPv6, one network of 64 bits.
    pub max_per_asker: usize,
    /// Calls that wait for one name.
    pub max_waiting_per_name: usize,
    /// Calls that wait, and as many again for keys seen valid.
    pub max_waiting: usize,
    /// Where the keys seen valid are kept, so that they outlast a restart.
    pub remembered: Option<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Default for KeyConfig {
    fn default() -> Self {
        Self {
            domain: KeyDomain::default(),
            dns_server: None,
            question_timeout: Duration::from_secs(2),
            look_up_timeout: Duration::from_secs(6),
            min_ttl: Duration::from_secs(60),
            max_ttl: Duration::from_secs(24 * 60 * 60),
            refused_ttl: Duration::from_secs(60),
            pause: Duration::from_secs(5),
            outage: Duration::from_secs(35 * 24 * 60 * 60),
            max_names: 1024,
            max_seen: 64,
            max_look_ups: 32,
            max_per_asker: 4,
            max_waiting_per_name: 512,
            max_waiting: 1024,
            remembered: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}
