//! TLS: the certificate and its key, reloaded when their files change.
//!
//! TLS 1.2 and 1.3 with rustls's suites on ring, HTTP/1.1 by ALPN, resumption by tickets whose key
//! lives and rotates in memory. No early data, which can be replayed.
//!
//! The files are identified by their metadata, links followed, so that a link that now points
//! elsewhere (as certbot's do) counts as a change. Certificate and key change one after the other:
//! while they do not match or cannot be read, the old ones stay in use.
//!
//! Not here: connections, and client certificates. Invariants: the certificate always matches its
//! key; a connection keeps its first certificate.

mod pair;

use crate::format::counted;
use crate::storage::{FileIdentity, Links, identity};
use anyhow::anyhow;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

/// How often the files are checked at most.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How often a certificate that needs attention is logged at most.
const WARN_EVERY: Duration = Duration::from_secs(86_400);
/// How long before its end a certificate needs attention, in seconds: certbot has then failed to
/// renew it for two weeks.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400;

/// The certificate and its key, in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by the intermediate ones.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The loaded files, and when they were last checked.
#[derive(Debug)]
struct Loaded {
    identity: [FileIdentity; 2],
    checked: Instant,
    /// When the certificate's validity was last checked.
    judged: Instant,
}

/// A loaded certificate with its key, and the settings of connections. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    loaded: Arc<Mutex<Loaded>>,
    current: Arc<Current>,
    pub(super) config: Arc<rustls::ServerConfig>,
}

/// The certificate for new connections.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pair = self.0.read();
        Some(Arc::clone(&pair))
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        // Before they are read: a change in between is then detected.
        let loaded = Loaded {
            identity: identities(&files),
            checked: Instant::now(),
            judged: Instant::now(),
        };
        let pair = pair::load(&files, &provider)?;
        warn_of_validity(&files, &pair);
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        let config = settings(provider, Arc::clone(&current))
            .map_err(|cause| anyhow!("TLS cannot be set up: {cause}"))?;
        Ok(Self {
            files,
            loaded: Arc::new(Mutex::new(loaded)),
            current,
            config: Arc::new(config),
        })
    }

    /// Reads the files again if they have changed; checked before new connections, at most every
    /// [`CHECK_EVERY`].
    pub(super) fn reload_if_changed(&self, now: Instant) {
        let mut loaded = self.loaded.lock();
        if now.saturating_duration_since(loaded.checked) < CHECK_EVERY {
            return;
        }
        loaded.checked = now;
        let identity = identities(&self.files);
        if identity != loaded.identity {
            loaded.identity = identity;
            match pair::load(&self.files, self.config.crypto_provider()) {
                Ok(pair) => {
                    *self.current.0.write() = Arc::new(pair);
                    let cert = self.files.cert.display();
                    tracing::info!("new connections get the new certificate in {cert}");
                }
                Err(error) => tracing::warn!("the old certificate stays in use: {error}"),
            }
        } else if now.saturating_duration_since(loaded.judged) <= WARN_EVERY {
            return;
        }
        loaded.judged = now;
        warn_of_validity(&self.files, &self.current.0.read());
    }
}

/// Warns of a certificate that senders refuse now or will soon.
fn warn_of_validity(files: &TlsFiles, pair: &CertifiedKey) {
    let now = chrono::Utc::now().timestamp();
    let validity = pair.cert.first().and_then(pair::validity);
    if let Some(fault) = validity.and_then(|validity| fault_of(validity, now)) {
        tracing::warn!("the certificate in {} {fault}", files.cert.display());
    }
}

/// The fault of a validity in Unix seconds at a moment.
fn fault_of(validity: Range<i64>, now: i64) -> Option<String> {
    let days = |seconds: i64| counted(u64::try_from(seconds / DAY).unwrap_or(0), "day");
    let left = validity.end.saturating_sub(now);
    if left <= 0 {
        Some(format!(
            "expired {} ago: senders refuse it; renew it",
            days(-left)
        ))
    } else if validity.start > now {
        let early = days(validity.start.saturating_sub(now));
        Some(format!(
            "becomes valid only in {early}: senders refuse it; check the clock"
        ))
    } else {
        (left < SOON).then(|| format!("expires in {}: renew it", days(left)))
    }
}

fn identities(files: &TlsFiles) -> [FileIdentity; 2] {
    [&files.cert, &files.key].map(|path| identity(path, Links::Follow))
}

fn settings(
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
) -> Result<rustls::ServerConfig, rustls::Error> {
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_needs_attention_two_weeks_before_its_end() {
        let at = |now: i64| fault_of(0..100 * DAY, now).unwrap_or_default();
        assert_eq!(at(0), "");
        assert_eq!(at(86 * DAY), "");
        assert_eq!(at(86 * DAY + 1), "expires in 13 days: renew it");
        assert!(at(101 * DAY).starts_with("expired 1 day ago"));
        assert!(at(-2 * DAY).starts_with("becomes valid only in 2 days"));
    }
}
