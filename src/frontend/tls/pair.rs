//! Reading a certificate and its key from their files.
//!
//! Not here: the times of reading. Invariant: the returned certificate and key match.

use super::TlsFiles;
use crate::storage::{Links, read_small};
use anyhow::{anyhow, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::ops::Range;
use std::path::Path;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Decode;
use x509_cert::time::Time;

/// The longest file in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Reads the files; an error has the reason and the solution.
pub(super) fn load(files: &TlsFiles, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let (cert, key) = (files.cert.display(), files.key.display());
    let pem = read(&files.cert);
    let chain = pem.and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect());
    let chain: Vec<_> = chain.map_err(|cause| unreadable(&files.cert, "--tls-cert", &cause))?;
    let Some(own) = chain.first() else {
        bail!(
            "{cert}: there is no certificate in it; name a PEM file with --tls-cert that begins \
             with the server's own (of certbot: fullchain.pem)"
        );
    };
    let own = Certificate::from_der(own).ok();
    if own.is_some_and(|own| own.tbs_certificate().version() != Version::V3) {
        bail!(
            "{cert}: the certificate has an old version of X.509, which clients refuse; make one \
             of version 3, with the server's name in subjectAltName"
        );
    }
    let pem = read(&files.key);
    if pem.as_ref().is_ok_and(|pem| is_encrypted(pem)) {
        bail!(
            "{key}: the private key has a passphrase; write one without: openssl pkey -in {key} \
             -out FILE, and name FILE with --tls-key"
        );
    }
    let private = match pem.and_then(|pem| PrivateKeyDer::from_pem_slice(&pem)) {
        Ok(private) => private,
        Err(pem::Error::NoItemsFound) => bail!(
            "{key}: there is no private key in it; name a PEM file with --tls-key (of certbot: \
             privkey.pem)"
        ),
        Err(cause) => return Err(unreadable(&files.key, "--tls-key", &cause)),
    };
    CertifiedKey::from_der(chain, private, provider).map_err(|cause| {
        anyhow!(
            "{cert} and {key}: {cause}; name a certificate with --tls-cert and its own key with \
             --tls-key, ECDSA (P-256, P-384), Ed25519 or RSA from 2048 bits on"
        )
    })
}

/// A file cannot be read, or is not as PEM files are; `flag` names it.
fn unreadable(path: &Path, flag: &str, cause: &pem::Error) -> anyhow::Error {
    anyhow!(
        "{}: {cause}; name a PEM file with {flag} that this user may read",
        path.display()
    )
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
