//! The sender's evidence that the log keeps with an event.
//!
//! | first byte | meaning |
//! | --- | --- |
//! | 0 | signatures were checked, and there was none |
//! | 1 | a [`Proof`], as bincode (little-endian, variable-length integers) |
//! | 2 | imported: the store that it was exported from had verified it |
//!
//! Each proof has the key's whole record rather than a reference, so it stays complete after a
//! prune, a repair or a cut of the log. It costs little, since the previous event has the same
//! record and compresses it away. The text omits the body's digest if it has the usual form, since
//! it can be computed from the body and would not compress. The signature (usually 256 bytes) does
//! not compress either, and is most of the cost.

use std::fmt::Display;

use bincode::config::{Configuration, standard};
use bincode::{BorrowDecode, Encode};
use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::{digest_of, is_digest_of};
use super::refusal::Refusal;
use crate::auth::keys::{KeyDomain, KeyError, KeyName, PublicKey};

const UNSIGNED: u8 = 0;
const PROOF: u8 = 1;
const VERIFIED_ELSEWHERE: u8 = 2;
const CONFIG: Configuration = standard();

/// What is known of an event's sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It had no signature, though signatures were checked.
    Unsigned,
    /// It was verified by the store that it was exported from, without the proof.
    VerifiedElsewhere,
    /// It was verified; this is the proof.
    Proof(Box<Proof>),
}

/// Who signed a call, for anybody to check: `signature` is the signature of `text` by the key in
/// `record`, and `text` has the body's digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The key's name: where its record was published.
    pub key: String,
    /// The key's TXT record as seen.
    pub record: String,
    /// When it was verified, in Unix seconds.
    pub verified: i64,
    /// The signed text: the covered headers, a line each.
    pub text: String,
    /// The signature.
    #[serde(with = "base64_text")]
    #[schemars(with = "String", extend("contentEncoding" = "base64"))]
    pub signature: Vec<u8>,
}

/// A proof as it is kept.
#[derive(Encode, BorrowDecode)]
struct Kept<'a> {
    key: &'a str,
    record: &'a str,
    verified: i64,
    text: &'a str,
    /// Where the body's digest belongs in the text.
    digest_at: Option<u32>,
    signature: &'a [u8],
}

/// Evidence that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the evidence {0}")]
pub struct EvidenceError(String);

fn malformed(error: impl Display) -> EvidenceError {
    EvidenceError(format!("cannot be read: {error}"))
}

impl Evidence {
    /// Whether evidence says that the event was verified; `None` if it cannot be read.
    pub fn is_verified(bytes: &[u8]) -> Option<bool> {
        match bytes.first()? {
            &UNSIGNED => Some(false),
            &PROOF | &VERIFIED_ELSEWHERE => Some(true),
            _ => None,
        }
    }

    /// The bytes to keep with this body.
    pub fn encode(&self, body: &[u8]) -> Result<Vec<u8>, EvidenceError> {
        match self {
            Self::Unsigned => Ok(vec![UNSIGNED]),
            Self::VerifiedElsewhere => Ok(vec![VERIFIED_ELSEWHERE]),
            Self::Proof(proof) => proof.encode(body),
        }
    }

    /// Decodes the bytes kept with this body.
    pub fn decode(bytes: &[u8], body: &[u8]) -> Result<Self, EvidenceError> {
        match bytes.split_first() {
            None => Err(malformed("it is empty")),
            Some((&UNSIGNED, [])) => Ok(Self::Unsigned),
            Some((&VERIFIED_ELSEWHERE, [])) => Ok(Self::VerifiedElsewhere),
            Some((&PROOF, rest)) => Ok(Self::Proof(Box::new(Proof::decode(rest, body)?))),
            Some((kind, _)) => Err(EvidenceError(format!("is of the unknown kind {kind}"))),
        }
    }

    /// The proof in what is kept with this body, if there is one.
    pub fn proof(kept: Option<&[u8]>, body: &[u8]) -> Result<Option<Proof>, EvidenceError> {
        match kept.map(|bytes| Self::decode(bytes, body)).transpose()? {
            Some(Self::Proof(proof)) => Ok(Some(*proof)),
            _ => Ok(None),
        }
    }
}

impl Proof {
    fn encode(&self, body: &[u8]) -> Result<Vec<u8>, EvidenceError> {
        let digest = digest_of(body);
        let mut text = self.text.clone();
        let at = text.find(&digest);
        if let Some(at) = at {
            text.replace_range(at..at + digest.len(), "");
        }
        let digest_at = at.map(u32::try_from).transpose().map_err(malformed)?;
        let mut bytes = vec![PROOF];
        let kept = Kept {
            key: &self.key,
            record: &self.record,
            verified: self.verified,
            text: &text,
            digest_at,
            signature: &self.signature,
        };
        bincode::encode_into_std_write(kept, &mut bytes, CONFIG).map_err(malformed)?;
        Ok(bytes)
    }

    fn decode(bytes: &[u8], body: &[u8]) -> Result<Self, EvidenceError> {
        let (kept, len): (Kept<'_>, usize) =
            bincode::borrow_decode_from_slice(bytes, CONFIG).map_err(malformed)?;
        if len != bytes.len() {
            return Err(malformed("bytes are left over"));
        }
        let mut text = kept.text.to_owned();
        if let Some(at) = kept.digest_at {
            let at = usize::try_from(at)
                .ok()
                .filter(|at| text.is_char_boundary(*at))
                .ok_or_else(|| malformed("its digest has no place"))?;
            text.insert_str(at, &digest_of(body));
        }
        Ok(Self {
            key: kept.key.to_owned(),
            record: kept.record.to_owned(),
            verified: kept.verified,
            text,
            signature: kept.signature.to_owned(),
        })
    }

    /// The key that is in its record.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        let unusable = || KeyError::Unusable("its name is not a key name".into());
        // The key domain was checked at receipt.
        let (_, domain) = self.key.split_once('.').ok_or_else(unusable)?;
        let domain: KeyDomain = domain.parse().map_err(|_| unusable())?;
        let name = KeyName::below(&self.key, &domain).ok_or_else(unusable)?;
        PublicKey::from_record(&name, &self.record)
    }

    /// The value of a header that is signed.
    fn line(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(other, value)| (other == name).then_some(value))
    }

    /// The signed date in Unix seconds.
    pub fn date(&self) -> Option<i64> {
        let date = DateTime::parse_from_rfc2822(self.line("date")?).ok()?;
        Some(date.timestamp())
    }

    /// Whether it is a valid proof for this body.
    pub fn check(&self, body: &[u8]) -> Result<(), Refusal> {
        let digest = self.line("digest").ok_or(Refusal::NotCovered("digest"))?;
        if !is_digest_of(digest, body)? {
            return Err(Refusal::Digest);
        }
        let key = self.public_key().map_err(|_| Refusal::NoKey)?;
        match key.verify(self.text.as_bytes(), &self.signature) {
            true => Ok(()),
            false => Err(Refusal::Wrong),
        }
    }
}

/// Bytes as base64.
mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(input)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
