//! The requirements on a call: those that need no key ([`Policy`]), and the signature ([`Claim`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use sha2::{Digest as _, Sha256};

use super::evidence::Proof;
use super::head::Head;
use super::header::SignatureHeader;
use super::party::{Account, PublicHost};
use super::refusal::Refusal;
use crate::auth::keys::{KeyDomain, KeyName, PublicKey};

/// The names that a signature must cover, in lower case.
const MUST_COVER: [&str; 5] = [
    "(request-target)",
    "host",
    "date",
    "x-copernica-id",
    "digest",
];

/// The rules for accepting calls.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether a call without a signature is refused. A bad signature is refused either way.
    pub required: bool,
    /// The accepted accounts.
    pub accounts: Vec<Account>,
    /// The hosts by which this receiver is called.
    pub hosts: Vec<PublicHost>,
    /// How old a signed date may be, or how far ahead, in seconds.
    pub max_age: i64,
    /// The domain below which keys must lie.
    pub key_domain: KeyDomain,
}

impl Policy {
    /// Checks a call; `now` is in Unix seconds. `body` is `None` if it was not received whole.
    /// The call is good if the key that the claim names made the signature. `None` if the call
    /// has no signature and needs none.
    pub fn check(
        &self,
        head: &Head<'_>,
        body: Option<&[u8]>,
        now: i64,
    ) -> Result<Option<Box<Claim>>, Refusal> {
        let Some(header) = head.one("Signature")? else {
            return match self.required {
                true => Err(Refusal::Unsigned),
                false => Ok(None),
            };
        };
        let header = SignatureHeader::parse(header)?;
        for name in MUST_COVER {
            if !header.covered.iter().any(|covered| covered == name) {
                return Err(Refusal::NotCovered(name));
            }
        }
        let sent = |name| {
            head.one(name)
                .and_then(|value| value.ok_or(Refusal::NotSent))
        };
        let account = sent("X-Copernica-ID")?.parse::<Account>();
        if !account.is_ok_and(|account| self.accounts.contains(&account)) {
            return Err(Refusal::Account);
        }
        let host = sent("Host")?;
        if !self.hosts.iter().any(|ours| ours.is_named_by(host)) {
            return Err(Refusal::Host);
        }
        let date = DateTime::parse_from_rfc2822(sent("Date")?)
            .map_err(|_| Refusal::Malformed("the date is malformed"))?
            .timestamp();
        let wrong_date = match now.saturating_sub(date) {
            age if age > self.max_age => Some(Refusal::Stale(age)),
            age if age < -self.max_age => Some(Refusal::Ahead(-age)),
            _ => None,
        };
        let digest = sent("Digest")?;
        let body = body.ok_or(Refusal::NotWhole)?;
        if !is_digest_of(digest, body)? {
            return Err(Refusal::Digest);
        }
        let key = KeyName::below(header.key_id, &self.key_domain).ok_or(Refusal::KeyName)?;
        Ok(Some(Box::new(Claim {
            key,
            text: signed_text(head, &header.covered, body.len())?,
            signature: header.signature,
            date,
            wrong_date,
        })))
    }

    /// The last second (Unix) at which a message of that date is accepted.
    pub const fn expires(&self, date: i64) -> i64 {
        date.saturating_add(self.max_age)
    }
}

/// The part of a call that is verified with the key.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The name of the key.
    pub key: KeyName,
    /// The signed text, which identifies the message.
    pub text: String,
    signature: Vec<u8>,
    /// The signed date in Unix seconds.
    pub date: i64,
    /// Why the date is too old or too far ahead, if it is: the call is kept as rejected once its
    /// signature is verified, since this machine's clock may be wrong.
    pub wrong_date: Option<Refusal>,
}

impl Claim {
    /// Verifies the signature by the key of that name; not the date. `now` is in Unix seconds.
    pub fn verify_signature(&self, key: &PublicKey, now: i64) -> Result<Proof, Refusal> {
        if key.name != self.key || !key.verify(self.text.as_bytes(), &self.signature) {
            return Err(Refusal::Wrong);
        }
        Ok(Proof {
            key: self.key.as_str().to_owned(),
            record: key.record.clone(),
            verified: now,
            text: self.text.clone(),
            signature: self.signature.clone(),
        })
    }
}

/// The signed text: a line for each covered header, in order. A chunked body has no
/// `Content-Length`; its received length is used.
fn signed_text(head: &Head<'_>, covered: &[String], length: usize) -> Result<String, Refusal> {
    let mut text = String::with_capacity(512);
    for name in covered {
        let value = match head.covered(name) {
            None if name == "content-length" => length.to_string().into_bytes().into(),
            value => value.ok_or(Refusal::NotSent)?,
        };
        let value = std::str::from_utf8(&value)
            .map_err(|_| Refusal::Malformed("a covered header is not text"))?;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
    }
    Ok(text)
}

/// A body's digest as in a `Digest` header.
pub(super) fn digest_of(body: &[u8]) -> String {
    format!("SHA-256={}", STANDARD.encode(Sha256::digest(body)))
}

/// Whether a `Digest` header matches a body: it must name SHA-256, and each such value must match.
/// Other algorithms are ignored.
pub(super) fn is_digest_of(digest: &str, body: &[u8]) -> Result<bool, Refusal> {
    if digest == digest_of(body) {
        return Ok(true);
    }
    let malformed = Refusal::Malformed("the digest is not ALGORITHM=VALUE");
    let mut right = None;
    for instance in digest.split(',') {
        let (algorithm, value) = instance.trim_ascii().split_once('=').ok_or(malformed)?;
        if algorithm.eq_ignore_ascii_case("sha-256") {
            let same = STANDARD
                .decode(value)
                .is_ok_and(|value| value.as_slice() == Sha256::digest(body).as_slice());
            right = Some(same && right.unwrap_or(true));
        }
    }
    right.ok_or(malformed)
}
