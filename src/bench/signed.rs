//! Signed calls: calls per second when each is verified.
//!
//! They are signed before a turn begins, since signing costs far more than
//! verifying. Each is sent once, and a nonce makes each another message, since a
//! repetition would be refused and some bodies are sent twice. The sender's test key
//! is served by the benchmark's own DNS server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use sha2::{Digest as _, Sha256};

use super::dns;
use super::generate::Bodies;

/// A key of 2048 bits, as the sender's are, and its public half in base64.
const KEY: &[u8] = include_bytes!("../../tests/fixtures/keys/sender-2048.pk8");
const PUBLIC: &str = include_str!("../../tests/fixtures/keys/sender-2048.pub");

/// The key's name, the account that signs, and the host that it calls.
const NAME: &str = "bench._domainkey.copernica.com";
const ACCOUNT: &str = "account_1";
const HOST: &str = "localhost";

/// The signer, and the place of the key.
pub struct Sender {
    key: RsaKeyPair,
    dns: SocketAddr,
    next_nonce: AtomicU64,
}

impl Sender {
    /// Publishes the key.
    pub fn new() -> anyhow::Result<Self> {
        let key = RsaKeyPair::from_pkcs8(KEY)
            .ok()
            .context("reading the sender's key")?;
        let record = format!("v=DKIM1; k=rsa; p={PUBLIC}");
        let dns = dns::serve(record.trim_end().to_owned()).context("starting a name server")?;
        Ok(Self {
            key,
            dns,
            next_nonce: AtomicU64::new(0),
        })
    }

    /// The flags of a server that accepts only this sender's calls.
    pub fn flags(&self) -> [String; 4] {
        [
            format!("--copernica-id={ACCOUNT}"),
            format!("--public-host={HOST}"),
            // Calls may wait for their turn for long.
            "--max-age=1d".to_owned(),
            format!("--dns-server={}", self.dns),
        ]
    }

    /// `count` signed calls, made by all cores.
    pub fn calls(&self, bodies: &mut Bodies, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        let bodies: Vec<_> = bodies.take(count).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = bodies.len().div_ceil(threads).max(1);
        let sign = |part: &[Vec<u8>]| part.iter().map(|body| self.call(body)).collect();
        let parts: Vec<anyhow::Result<Vec<_>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = bodies
                .chunks(share)
                .map(|part| scope.spawn(move || sign(part)))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|part| part.unwrap_or_else(|_| anyhow::bail!("a signing thread panicked")))
                .collect()
        });
        let mut calls = Vec::with_capacity(count);
        for part in parts {
            calls.extend(part?);
        }
        Ok(calls)
    }

    fn call(&self, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let digest = STANDARD.encode(Sha256::digest(body));
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        let len = body.len();
        let form = "application/x-www-form-urlencoded";
        let nonce = self.next_nonce.fetch_add(1, Ordering::Relaxed);
        let text = format!(
            "(request-target): post /webhook\nhost: {HOST}\ndate: {date}\ncontent-length: {len}\n\
             content-type: {form}\nx-copernica-id: {ACCOUNT}\ndigest: SHA-256={digest}\nx-nonce: {nonce}"
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .ok()
            .context("signing a call")?;
        let signature = STANDARD.encode(signature);
        let mut call = format!(
            "POST /webhook HTTP/1.1\r\nHost: {HOST}\r\nDate: {date}\r\nContent-Length: {len}\r\n\
             Content-Type: {form}\r\nX-Copernica-ID: {ACCOUNT}\r\nDigest: SHA-256={digest}\r\nX-Nonce: {nonce}\r\n\
             Signature: keyId=\"{NAME}\",algorithm=\"rsa-sha256\",headers=\"(request-target) host date \
             content-length content-type x-copernica-id digest x-nonce\",signature=\"{signature}\"\r\n\r\n"
        )
        .into_bytes();
        call.extend_from_slice(body);
        Ok(call)
    }
}
