//! A sender of signed calls: what Copernica does, with a key made for tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair};
use sha2::{Digest as _, Sha256};

use crate::support::{clean, fixture_path};

/// The account that signs, and the host that it calls.
pub const ACCOUNT: &str = "account_1234";
pub const HOST: &str = "hooks.example.com";
pub const KEY_NAME: &str = "one._domainkey.copernica.com";

/// What is covered where nothing else is said, as Copernica does.
pub const COVERED: &str =
    "(request-target) host date content-length content-type x-copernica-id digest x-nonce";

/// A key of the fixtures.
pub struct Key {
    pair: RsaKeyPair,
    public: String,
}

impl Key {
    /// `sender-2048` or `other-2048`.
    pub fn new(name: &str) -> Self {
        let pkcs8 = std::fs::read(fixture_path(&format!("keys/{name}.pk8"))).unwrap();
        Self {
            pair: RsaKeyPair::from_pkcs8(&pkcs8).unwrap(),
            public: std::fs::read_to_string(fixture_path(&format!("keys/{name}.pub"))).unwrap(),
        }
    }

    /// A new key, which nobody has seen.
    pub fn fresh() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("key");
        let openssl = |args: &[&str]| {
            let output = clean("openssl").args(args).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        let name = made.to_str().unwrap();
        let bits = "rsa_keygen_bits:2048";
        openssl(&[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            bits,
            "-outform",
            "DER",
            "-out",
            name,
        ]);
        let public = openssl(&[
            "pkey", "-in", name, "-inform", "DER", "-pubout", "-outform", "DER",
        ]);
        let pkcs8 = openssl(&[
            "pkcs8", "-topk8", "-nocrypt", "-in", name, "-inform", "DER", "-outform", "DER",
        ]);
        Self {
            pair: RsaKeyPair::from_pkcs8(&pkcs8).unwrap(),
            public: STANDARD.encode(public),
        }
    }

    /// The public key as base64 of its SubjectPublicKeyInfo.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The TXT record under which it is published.
    pub fn record(&self) -> String {
        format!("v=DKIM1; k=rsa; p={}", self.public)
    }

    pub fn sign(&self, text: &str) -> Vec<u8> {
        self.sign_by(&RSA_PKCS1_SHA256, text)
    }

    pub fn sign_sha512(&self, text: &str) -> Vec<u8> {
        self.sign_by(&RSA_PKCS1_SHA512, text)
    }

    fn sign_by(&self, encoding: &'static dyn ring::signature::RsaEncoding, text: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                encoding,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .unwrap();
        signature
    }
}

/// A call to be signed.
#[derive(Clone)]
pub struct Call {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub key_id: String,
    pub covered: String,
}

impl Call {
    /// A call of this moment in Unix seconds, as Copernica would make it.
    pub fn new(body: &str, unix: i64) -> Self {
        let mut call = Self {
            target: "/webhook".to_owned(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            key_id: KEY_NAME.to_owned(),
            covered: COVERED.to_owned(),
        };
        for (name, value) in [
            ("Host", HOST.to_owned()),
            ("Date", http_date(unix)),
            ("Content-Length", body.len().to_string()),
            ("Content-Type", crate::support::http::FORM.to_owned()),
            ("X-Copernica-ID", ACCOUNT.to_owned()),
            ("Digest", digest(body.as_bytes())),
            (
                "X-Nonce",
                format!("{:x}", Sha256::digest(body.as_bytes()))[..6].to_owned(),
            ),
        ] {
            call.headers.push((name.to_owned(), value));
        }
        call
    }

    /// Sets a header, in its place.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        match self.headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.headers.push((name.to_owned(), value)),
        }
        self
    }

    /// Covers this alone.
    pub fn covering(mut self, covered: &str) -> Self {
        self.covered = covered.to_owned();
        self
    }

    pub fn key_id(mut self, key_id: &str) -> Self {
        self.key_id = key_id.to_owned();
        self
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let lines = self.covered.split(' ').map(|name| {
            let value = match name {
                "(request-target)" => format!("post {}", self.target),
                name => self
                    .headers
                    .iter()
                    .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            format!("{name}: {value}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The `Signature` header's value for a signature.
    pub fn signature(&self, signature: &[u8]) -> String {
        format!(
            r#"keyId="{}",algorithm="rsa-sha256",headers="{}",signature="{}""#,
            self.key_id,
            self.covered,
            STANDARD.encode(signature)
        )
    }

    /// The request's bytes, signed by a key.
    pub fn signed(&self, key: &Key) -> Vec<u8> {
        self.with(&self.signature(&key.sign(&self.text())))
    }

    /// The request's bytes with this `Signature`.
    pub fn with(&self, signature: &str) -> Vec<u8> {
        self.clone().set("Signature", signature).unsigned()
    }

    /// The request's bytes as they are.
    pub fn unsigned(&self) -> Vec<u8> {
        let mut bytes = format!("POST {} HTTP/1.1\r\n", self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A body's `Digest`.
pub fn digest(body: &[u8]) -> String {
    format!("SHA-256={}", STANDARD.encode(Sha256::digest(body)))
}

/// A moment as HTTP writes it.
pub fn http_date(unix: i64) -> String {
    let time = chrono::DateTime::from_timestamp(unix, 0).unwrap();
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
