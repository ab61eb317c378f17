//! What a call must show: everything that can be judged without a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use sha2::{Digest as _, Sha256};

use super::claim::Claim;
use super::head::Head;
use super::header::SignatureHeader;
use super::party::{Account, PublicHost};
use super::refusal::Refusal;
use crate::auth::keys::{KeyDomain, KeyName};

/// What a signature must cover, in lower case.
const MUST_COVER: [&str; 5] = [
    "(request-target)",
    "host",
    "date",
    "x-copernica-id",
    "digest",
];

/// Whose calls are taken.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether a call without a signature is refused. One with a signature is
    /// taken only if that is good, either way.
    pub required: bool,
    /// The accounts whose calls are taken.
    pub accounts: Vec<Account>,
    /// The hosts under which this receiver is called.
    pub hosts: Vec<PublicHost>,
    /// How old a signed date may be, and how far ahead, in seconds.
    pub max_age: i64,
    /// The domain below which keys lie.
    pub key_domain: KeyDomain,
}

/// What a call was found to be.
#[derive(Clone, Debug)]
pub enum Judged {
    /// It has no signature, and needs none.
    Unsigned,
    /// All is well, if the signature is by the key that it names.
    Signed(Box<Claim>),
}

impl Policy {
    /// Judges a call at a moment in Unix seconds. `body` is `None` where the
    /// body was not taken whole.
    pub fn judge(&self, head: &Head<'_>, body: Option<&[u8]>, now: i64) -> Result<Judged, Refusal> {
        let Some(header) = head.one("Signature")? else {
            return match self.required {
                true => Err(Refusal::Unsigned),
                false => Ok(Judged::Unsigned),
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
            .map_err(|_| Refusal::Malformed("the date is none"))?
            .timestamp();
        match now.saturating_sub(date) {
            age if age > self.max_age => return Err(Refusal::Stale(age)),
            age if age < -self.max_age => return Err(Refusal::Ahead(-age)),
            _ => {}
        }
        let digest = sent("Digest")?;
        if !is_digest_of(digest, body.ok_or(Refusal::NotWhole)?)? {
            return Err(Refusal::Digest);
        }
        let key = KeyName::below(header.key_id, &self.key_domain).ok_or(Refusal::KeyName)?;
        Ok(Judged::Signed(Box::new(Claim {
            key,
            text: signed_text(head, &header.covered)?,
            signature: header.signature,
            date,
        })))
    }

    /// The last moment, in Unix seconds, at which a message of that date is taken.
    pub const fn expires(&self, date: i64) -> i64 {
        date.saturating_add(self.max_age)
    }
}

/// The text that is signed: a line for each header that is covered, in order.
fn signed_text(head: &Head<'_>, covered: &[String]) -> Result<String, Refusal> {
    let mut text = String::with_capacity(512);
    for name in covered {
        let value = head.covered(name).ok_or(Refusal::NotSent)?;
        let value = std::str::from_utf8(&value)
            .map_err(|_| Refusal::Malformed("a covered header is no text"))?;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
    }
    Ok(text)
}

/// A body's digest as a `Digest` header writes it.
pub(super) fn digest_of(body: &[u8]) -> String {
    format!("SHA-256={}", STANDARD.encode(Sha256::digest(body)))
}

/// Whether a `Digest` is of a body: it names SHA-256, and every value it has
/// for that is right. Other algorithms beside it are passed over.
pub(super) fn is_digest_of(digest: &str, body: &[u8]) -> Result<bool, Refusal> {
    if digest == digest_of(body) {
        return Ok(true);
    }
    let malformed = Refusal::Malformed("the digest is no ALGORITHM=VALUE");
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
