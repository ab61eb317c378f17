//! Reading a certificate and its key from their files.
//!
//! Leaves out when that is done. Invariant: what is returned belongs together.

use super::TlsFiles;
use crate::storage::{Links, read_small};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::ops::Range;
use std::path::{Path, PathBuf};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Decode;
use x509_cert::time::Time;

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
        "{}: there is no private key in it; name a PEM file with --tls-key (of certbot: privkey.pem)",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The certificate is of X.509 version 1 or 2.
    #[error(
        "{}: the certificate has an old version of X.509, which clients refuse; make one of version 3, \
         with the server's name in subjectAltName",
        path.display()
    )]
    OldVersion {
        /// The file.
        path: PathBuf,
    },
    /// The key has a passphrase.
    #[error(
        "{}: the private key has a passphrase; write one without: openssl pkey -in {} -out FILE, and name \
         FILE with --tls-key",
        path.display(), path.display()
    )]
    Passphrase {
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
    let own = chain
        .first()
        .and_then(|own| Certificate::from_der(own).ok());
    if own.is_some_and(|own| own.tbs_certificate().version() != Version::V3) {
        return Err(TlsError::OldVersion {
            path: files.cert.clone(),
        });
    }
    let pem = read(&files.key);
    if pem.as_ref().is_ok_and(|pem| is_encrypted(pem)) {
        return Err(TlsError::Passphrase {
            path: files.key.clone(),
        });
    }
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

/// Whether a PEM file says that its key is encrypted (RFC 1421 and RFC 7468).
fn is_encrypted(pem: &[u8]) -> bool {
    let says = |words: &[u8]| memchr::memmem::find(pem, words).is_some();
    says(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || says(b"Proc-Type: 4,ENCRYPTED")
}

/// From when until when a certificate is valid, in Unix seconds.
pub(super) fn validity(cert: &CertificateDer<'_>) -> Option<Range<i64>> {
    let cert = Certificate::from_der(cert).ok()?;
    let validity = cert.tbs_certificate().validity();
    let seconds = |time: Time| i64::try_from(time.to_unix_duration().as_secs());
    Some(seconds(validity.not_before).ok()?..seconds(validity.not_after).ok()?)
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
