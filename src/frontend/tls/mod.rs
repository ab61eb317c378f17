//! TLS: the certificate and its key, and that they are read again when they change.
//!
//! TLS 1.2 and 1.3 with the suites of rustls on ring, HTTP/1.1 by ALPN, sessions resumed by
//! tickets whose key lives and changes in memory. No early data: it can be replayed.
//!
//! Leaves out the connections, which are streams of the frontend's own loop, and certificates of
//! clients. Invariants: there is always a certificate with its own key; a connection keeps the
//! one that it began with.

mod pair;
mod watch;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

pub use pair::TlsError;
pub(super) use watch::Watch;

/// Where the certificate and its key are, in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and after it those that lead to one that clients know.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A loaded certificate with its key, and the settings of connections. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    /// As what the files were known when they were read.
    loaded: watch::Identity,
    current: Arc<Current>,
    pub(super) config: Arc<rustls::ServerConfig>,
}

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    fn set(&self, pair: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pair = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&pair))
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        // Before they are read: a change in between is then seen as one.
        let loaded = watch::identity(&files);
        let pair = pair::load(&files, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        let config = settings(provider, Arc::clone(&current))
            .map_err(|cause| TlsError::Library { cause })?;
        Ok(Self {
            files,
            loaded,
            current,
            config: Arc::new(config),
        })
    }

    /// Watches the files, from a thread of its own.
    pub(super) fn watch(&self) -> std::io::Result<Watch> {
        Watch::start(self.clone())
    }

    /// Reads the files again. Where they do not fit, what was loaded before stays.
    fn reload(&self) -> Result<(), TlsError> {
        let pair = pair::load(&self.files, self.config.crypto_provider())?;
        self.current.set(pair);
        Ok(())
    }
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
