//! HTTP requests to other machines.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// The time limit for the connection and the answer together.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest body of an answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// An answer of another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The body; no more than its first 64 KiB.
    pub body: Vec<u8>,
}

/// Fetches a URL as a sender would, without a proxy of this machine.
pub fn get(url: &str) -> Result<HttpAnswer, ureq::Error> {
    read(agent(url, false).get(url).call()?)
}

/// Posts a body to a URL, through the proxy that the environment names, if any.
pub fn post(url: &str, content_type: &str, body: &[u8]) -> Result<HttpAnswer, ureq::Error> {
    let request = agent(url, true).post(url);
    read(request.header("Content-Type", content_type).send(body)?)
}

/// Certificates must be trusted by the system's roots. No redirect is followed.
fn agent(url: &str, by_proxy: bool) -> Agent {
    let provider = rustls::crypto::ring::default_provider();
    let mut tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(provider));
    if url.starts_with("https:") {
        let roots: Vec<_> = rustls_native_certs::load_native_certs()
            .certs
            .iter()
            .map(|root: &CertificateDer<'_>| Certificate::from_der(root).to_owned())
            .collect();
        tls = tls.root_certs(RootCerts::from(roots));
    }
    let mut config = Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false);
    if !by_proxy {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<HttpAnswer, ureq::Error> {
    let mut body = Vec::new();
    let mut reader = answer.body_mut().as_reader().take(MAX_ANSWER);
    reader.read_to_end(&mut body)?;
    Ok(HttpAnswer {
        status: answer.status().as_u16(),
        body,
    })
}
