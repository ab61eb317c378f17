//! A public key as published in DNS, and its verification.
//!
//! The only algorithm is RSASSA-PKCS1-v1_5 with SHA-256, regardless of the signature's header; no
//! other is reachable from here.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pkcs1::RsaPublicKeyRef;
use ring::signature::{
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use spki::der::asn1::AnyRef;
use spki::der::{Decode, Tag, Tagged};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::record::{is_space, parse_tags};
use super::{KeyError, KeyName};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Bits of a modulus; shorter keys can be forged.
const BITS: std::ops::RangeInclusive<usize> = 1024..=8192;
/// The crypto library's greatest public exponent: 33 bits.
const MAX_EXPONENT: u64 = (1 << 33) - 1;

/// Some publishers omit the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An RSA public key of 1024 to 8192 bits, with the record that it came from.
pub struct PublicKey {
    /// The name under which it was published.
    pub name: KeyName,
    /// The TXT record's strings, joined, as published.
    pub record: String,
    /// The SubjectPublicKeyInfo in DER.
    pub der: Vec<u8>,
    /// The modulus' length in bits.
    pub bits: usize,
    components: RsaPublicKeyComponents<Vec<u8>>,
}

impl PublicKey {
    /// Parses a TXT record's joined strings as a DKIM key record (RFC 6376, section 3.6.1): `v` is
    /// optional, but must be `DKIM1` and come first; `k` must be `rsa`, the default; `h`, if
    /// present, must allow `sha256`; `p` must be a SubjectPublicKeyInfo in base64. Other tags are
    /// ignored.
    pub fn from_record(name: &KeyName, txt: &str) -> Result<Self, KeyError> {
        let unusable = |reason| KeyError::Unusable(std::borrow::Cow::Borrowed(reason));
        let der = key_of(txt).map_err(unusable)?;
        let (bits, components) = components_of(&der).map_err(unusable)?;
        Ok(Self {
            name: name.clone(),
            record: txt.to_owned(),
            der,
            bits,
            components,
        })
    }

    /// Whether this is the key's signature of a message (RSASSA-PKCS1-v1_5 with SHA-256).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let parameters = if self.bits < 2048 {
            &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        } else {
            &RSA_PKCS1_2048_8192_SHA256
        };
        let verified = self.components.verify(parameters, message, signature);
        verified.is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("name", &self.name)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

/// The bytes of `p`, if the other tags allow their use.
fn key_of(txt: &str) -> Result<Vec<u8>, &'static str> {
    let tags = parse_tags(txt)?;
    match tags.get("v").copied() {
        None => {}
        Some("DKIM1") if tags.get_index_of("v") == Some(0) => {}
        Some("DKIM1") => return Err("its v= does not come first"),
        Some(_) => return Err("its v= is not DKIM1"),
    }
    if tags.get("k").is_some_and(|kind| *kind != "rsa") {
        return Err("its k= is not rsa");
    }
    let is_sha256 = |hash: &str| hash.trim_matches(is_space) == "sha256";
    let has_sha256 = |list: &&str| list.split(':').any(is_sha256);
    if !tags.get("h").is_none_or(has_sha256) {
        return Err("its h= does not allow sha256");
    }
    let mut key = tags.get("p").copied().ok_or("it has no p=")?.to_owned();
    key.retain(|c| !is_space(c));
    if key.is_empty() {
        return Err("the key was revoked: its p= is empty");
    }
    BASE64.decode(key).map_err(|_| "its p= is not base64")
}

/// An RSA key's length in bits and its numbers, if the verifier can use them.
fn components_of(der: &[u8]) -> Result<(usize, RsaPublicKeyComponents<Vec<u8>>), &'static str> {
    let info = SubjectPublicKeyInfoRef::from_der(der)
        .map_err(|_| "its p= is not a SubjectPublicKeyInfo in DER")?;
    let is_null = |parameters: AnyRef<'_>| parameters.tag() == Tag::Null;
    if info.algorithm.oid != RSA_ENCRYPTION || !info.algorithm.parameters.is_none_or(is_null) {
        return Err("its p= is not a key for rsaEncryption");
    }
    let key = info.subject_public_key.as_bytes();
    let key = key.and_then(|key| RsaPublicKeyRef::try_from(key).ok());
    let key = key.ok_or("its p= has no RSAPublicKey")?;
    let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    // Its bytes have no leading zeros.
    let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros());
    let bits = modulus.len() * 8 - zeros as usize;
    if !BITS.contains(&bits) {
        return Err("its modulus has less than 1024 or more than 8192 bits");
    }
    if is_even(modulus) {
        return Err("its modulus is even");
    }
    let value = number(exponent).filter(|value| (3..=MAX_EXPONENT).contains(value));
    if value.is_none() || is_even(exponent) {
        return Err("its exponent is not odd, or not between 3 and 33 bits");
    }
    let components = RsaPublicKeyComponents {
        n: modulus.to_vec(),
        e: exponent.to_vec(),
    };
    Ok((bits, components))
}

fn is_even(bytes: &[u8]) -> bool {
    bytes.last().is_none_or(|byte| byte % 2 == 0)
}

/// A big-endian number of at most 8 bytes.
fn number(bytes: &[u8]) -> Option<u64> {
    let joined = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, joined))
}

#[cfg(test)]
mod tests;
