//! Reading a certificate and its key from their files.
//!
//! Leaves out when that is done. Invariant: what is returned belongs together.

use super::TlsFiles;
use crate::storage::{Links, read_small};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};

/// The longest file in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not as PEM files are.
    #[error(
        "{}: {cause}; name a PEM file with {flag} that this user may read",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// The flag that names it.
        flag: &'static str,
        /// What is wrong.
        cause: pem::Error,
    },
    /// There is none in the file.
    #[error(
        "{}: there is no certificate in it; name a PEM file with --tls-cert that begins with the server's own \
         (of certbot: fullchain.pem)",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is none in the file.
    #[error(
        "{}: there is no private key in it, or it has a passphrase; name a PEM file with --tls-key \
         whose key has none (of certbot: privkey.pem)",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key cannot be used, or is not that of the certificate.
    #[error(
        "{} and {}: {cause}; name a certificate with --tls-cert and its own key with --tls-key, \
         ECDSA (P-256, P-384), Ed25519 or RSA from 2048 bits on",
        cert.display(), key.display()
    )]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        cause: rustls::Error,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {cause}")]
    Library {
        /// What is wrong.
        cause: rustls::Error,
    },
}

/// Reads both files.
pub(super) fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = chain(files)?;
    let pem = read(&files.key);
    let key = pem.and_then(|pem| PrivateKeyDer::from_pem_slice(&pem));
    let key = key.map_err(|cause| match cause {
        pem::Error::NoItemsFound => TlsError::NoKey {
            path: files.key.clone(),
        },
        cause => TlsError::File {
            path: files.key.clone(),
            flag: "--tls-key",
            cause,
        },
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|cause| TlsError::Pair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        cause,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, pem::Error> {
    read_small(path, MAX_LEN, Links::Follow).map_err(pem::Error::Io)
}

fn chain(files: &TlsFiles) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(&files.cert);
    let chain = pem.and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect());
    let chain: Vec<_> = chain.map_err(|cause| TlsError::File {
        path: files.cert.clone(),
        flag: "--tls-cert",
        cause,
    })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: files.cert.clone(),
        });
    }
    Ok(chain)
}
