//! The limits of a key ring, and its clock.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::KeyDomain;
use crate::event::now_seconds;

/// A shorter TTL counts as this.
pub const MIN_TTL: Duration = Duration::from_secs(60);

/// A longer TTL counts as this.
pub(super) const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time for which "no usable key" is cached.
pub(super) const REFUSED_TTL: Duration = Duration::from_secs(60);

/// How long "DNS is unreachable" is cached.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// How long after its last fetch a verified key is used while DNS is unreachable. After that
/// it would have been rotated.
pub(super) const OUTAGE: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// Verified keys in the cache.
pub(super) const MAX_VERIFIED: usize = 64;

/// How keys are looked up, cached and bounded. The default suits a server on the open internet.
#[derive(Clone)]
pub struct KeyConfig {
    /// The domain below which stored keys must lie.
    pub domain: KeyDomain,
    /// The DNS server, asked over UDP and TCP; `None` for those of the system's configuration.
    pub dns_server: Option<SocketAddr>,
    /// Time-out of one query to one server.
    pub question_timeout: Duration,
    /// Time-out of a look-up with all its queries.
    pub look_up_timeout: Duration,
    /// Names in the cache, with and without keys.
    pub max_names: usize,
    /// Concurrent look-ups of names that are not verified keys.
    pub max_look_ups: usize,
    /// Calls that wait for one name.
    pub max_waiting: usize,
    /// The file of verified keys, which survive a restart.
    pub key_store: Option<PathBuf>,
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
            max_names: 1024,
            max_look_ups: 32,
            max_waiting: 512,
            key_store: None,
            clock: Arc::new(SystemClock(Instant::now())),
        }
    }
}

/// Two clocks: a monotonic one for TTLs, and the wall clock for stored keys. A test can set both.
pub trait Clock: Send + Sync {
    /// The time since an arbitrary moment; never decreases.
    fn elapsed(&self) -> Duration;
    /// Unix seconds.
    fn unix(&self) -> i64;
}

struct SystemClock(Instant);

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn unix(&self) -> i64 {
        now_seconds()
    }
}
