//! The `Signature` header: its parameters.
//!
//! `name="value"` pairs separated by commas, as in the draft's ABNF, or by blanks, as some senders
//! write them; `created` and `expires` may be unquoted. A repeated parameter is refused, an unknown
//! one is ignored, as the draft asks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::refusal::Refusal;

/// The longest signature in bytes: that of an RSA key of 8192 bits.
const MAX_SIGNATURE: usize = 1024;

/// The most headers that a signature may cover; a head has no more.
const MAX_COVERED: usize = 64;

/// A parsed `Signature` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureHeader<'a> {
    /// The name of the key.
    pub key_id: &'a str,
    /// The covered names, in order and in lower case.
    pub covered: Vec<String>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl<'a> SignatureHeader<'a> {
    /// Reads the value of the header.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let (mut key_id, mut algorithm, mut headers, mut signature) = (None, None, None, None);
        let mut rest = text.trim_ascii();
        while !rest.is_empty() {
            let (name, value, after) = parameter(rest)?;
            rest = after;
            let slot = match name {
                "keyId" => &mut key_id,
                "algorithm" => &mut algorithm,
                "headers" => &mut headers,
                "signature" => &mut signature,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::Malformed("a parameter occurs twice"));
            }
        }
        // `hs2019` leaves the algorithm to the key, and all keys here are RSA keys.
        let is_rsa = |name: &str| name.eq_ignore_ascii_case("rsa-sha256") || name == "hs2019";
        if !algorithm.is_none_or(is_rsa) {
            return Err(Refusal::Algorithm);
        }
        let missing = Refusal::Malformed("a parameter is missing");
        let key_id = key_id.ok_or(missing)?;
        // By default only the date is covered.
        let covered = covered(headers.unwrap_or("date"))?;
        let signature = STANDARD
            .decode(signature.ok_or(missing)?)
            .ok()
            .filter(|bytes| !bytes.is_empty() && bytes.len() <= MAX_SIGNATURE)
            .ok_or(Refusal::Malformed("the signature is not base64"))?;
        Ok(Self {
            key_id,
            covered,
            signature,
        })
    }
}

/// The covered names.
fn covered(text: &str) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split_ascii_whitespace() {
        let name = name.to_ascii_lowercase();
        if names.len() >= MAX_COVERED || names.contains(&name) {
            return Err(Refusal::Malformed("a header is covered twice"));
        }
        // `(created)` and `(expires)` are not for RSA with SHA-256.
        if name.starts_with('(') && name != "(request-target)" {
            return Err(Refusal::Malformed("something unknown is covered"));
        }
        names.push(name);
    }
    Ok(names)
}

/// The first parameter: its name, its value, and the text after its comma.
fn parameter(text: &str) -> Result<(&str, &str, &str), Refusal> {
    let malformed = Refusal::Malformed("it is not a list of name=\"value\"");
    let (name, rest) = text.split_once('=').ok_or(malformed)?;
    let name = name.trim_ascii();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(malformed);
    }
    let rest = rest.trim_ascii_start();
    let (value, rest) = match rest.strip_prefix('"') {
        // No value that is used has a quote or a backslash in it.
        Some(quoted) => quoted.split_once('"').ok_or(malformed)?,
        None => {
            let end = rest
                .bytes()
                .position(|byte| !byte.is_ascii_digit())
                .unwrap_or(rest.len());
            rest.split_at_checked(end).ok_or(malformed)?
        }
    };
    if value.contains('\\') {
        return Err(malformed);
    }
    let next = rest.trim_ascii_start();
    match next.strip_prefix(',') {
        Some(after) => Ok((name, value, after.trim_ascii_start())),
        None if next.is_empty() || next.len() < rest.len() => Ok((name, value, next)),
        None => Err(malformed),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_read_in_any_order() {
        let text = r#"signature="AQID" , headers="(request-target) Host date",keyId="a.b",created=17,algorithm="rsa-sha256""#;
        let read = SignatureHeader::parse(text).unwrap();
        assert_eq!(read.key_id, "a.b");
        assert_eq!(read.covered, ["(request-target)", "host", "date"]);
        assert_eq!(read.signature, [1, 2, 3]);
        let blanks = r#"keyId="a.b" algorithm="rsa-sha256"  headers="date", signature="AQID""#;
        let read = SignatureHeader::parse(blanks).unwrap();
        assert_eq!((read.key_id, read.signature.len()), ("a.b", 3));
        let bare = SignatureHeader::parse(r#"keyId="k",signature="AQID""#).unwrap();
        assert_eq!(bare.covered, ["date"]);
    }

    #[test]
    fn malformed_headers_are_refused() {
        for text in [
            "",
            "keyId",
            r#"keyId="k""#,
            r#"signature="AQID""#,
            r#"keyId="k",signature="""#,
            r#"keyId="k",signature="A""#,
            r#"keyId="k",signature="AQID"#,
            r#"keyId="k",keyId="k",signature="AQID""#,
            r#"keyId="k",signature="AQID",headers="date date""#,
            r#"keyId="k",signature="AQID",headers="date Date""#,
            r#"keyId="k",signature="AQID",headers="(created)""#,
            r#"keyId="k"signature="AQID""#,
            r#"keyId="k\"",signature="AQID""#,
            r#"Signature keyId="k",signature="AQID""#,
        ] {
            assert!(SignatureHeader::parse(text).is_err(), "{text}");
        }
        let long = format!(r#"keyId="k",signature="{}""#, "AAAA".repeat(400));
        assert!(SignatureHeader::parse(&long).is_err());
    }

    #[test]
    fn only_rsa_with_sha256_is_accepted() {
        for name in ["rsa-sha256", "RSA-SHA256", "Rsa-Sha256", "hs2019"] {
            let text = format!(r#"keyId="k",algorithm="{name}",signature="AQID""#);
            assert!(SignatureHeader::parse(&text).is_ok(), "{name}");
        }
        for name in [
            "hmac-sha256",
            "rsa-sha1",
            "rsa-sha512",
            "HS2019",
            "none",
            "",
        ] {
            let text = format!(r#"keyId="k",algorithm="{name}",signature="AQID""#);
            assert_eq!(SignatureHeader::parse(&text), Err(Refusal::Algorithm));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"[a-zA-Z="',\\ ()0-9\u{0}-\u{ff}]{0,200}"#) {
            let _ = SignatureHeader::parse(&text);
        }
    }
}
