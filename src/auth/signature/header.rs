//! The `Signature` header: its parameters.
//!
//! `name="value"` pairs with commas between them, as the draft's ABNF has them;
//! `created` and `expires` may stand without quotes. Blanks around the commas
//! are passed over. A parameter that is there twice is refused, an unknown one
//! is passed over, as the draft asks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::refusal::Refusal;

/// The longest signature in bytes: that of an RSA key of 8192 bits.
const MAX_SIGNATURE: usize = 1024;

/// The most headers that a signature may cover; a head has no more.
const MAX_COVERED: usize = 64;

/// What a `Signature` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureHeader<'a> {
    /// The name of the key.
    pub key_id: &'a str,
    /// What is covered, in order and in lower case.
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
            let slot = match name {
                "keyId" => &mut key_id,
                "algorithm" => &mut algorithm,
                "headers" => &mut headers,
                "signature" => &mut signature,
                _ => {
                    rest = after;
                    continue;
                }
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::Malformed("a parameter is there twice"));
            }
            rest = after;
        }
        if algorithm.is_some_and(|name| name != "rsa-sha256") {
            return Err(Refusal::Algorithm);
        }
        let missing = Refusal::Malformed("a parameter is missing");
        let key_id = key_id.ok_or(missing)?;
        // Where nothing is named, the date alone is covered.
        let covered = covered(headers.unwrap_or("date"))?;
        let signature = STANDARD
            .decode(signature.ok_or(missing)?)
            .ok()
            .filter(|bytes| !bytes.is_empty() && bytes.len() <= MAX_SIGNATURE)
            .ok_or(Refusal::Malformed("the signature is no base64 of one"))?;
        Ok(Self {
            key_id,
            covered,
            signature,
        })
    }
}

/// The names of what is covered.
fn covered(text: &str) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split_ascii_whitespace() {
        let name = name.to_ascii_lowercase();
        if names.len() >= MAX_COVERED || names.contains(&name) {
            return Err(Refusal::Malformed("a header is covered twice"));
        }
        // Times of their own are for other algorithms.
        if name.starts_with('(') && name != "(request-target)" {
            return Err(Refusal::Malformed("something unknown is covered"));
        }
        names.push(name);
    }
    Ok(names)
}

/// The first parameter: its name, its value, and what follows its comma.
fn parameter(text: &str) -> Result<(&str, &str, &str), Refusal> {
    let malformed = Refusal::Malformed("it is no list of name=\"value\"");
    let (name, rest) = text.split_once('=').ok_or(malformed)?;
    let name = name.trim_ascii();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(malformed);
    }
    let rest = rest.trim_ascii_start();
    let (value, rest) = match rest.strip_prefix('"') {
        // Nothing that is needed has a quote or a backslash in it.
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
    let rest = rest.trim_ascii_start();
    match rest.strip_prefix(',') {
        Some(after) => Ok((name, value, after.trim_ascii_start())),
        None if rest.is_empty() => Ok((name, value, "")),
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
        let bare = SignatureHeader::parse(r#"keyId="k",signature="AQID""#).unwrap();
        assert_eq!(bare.covered, ["date"]);
    }

    #[test]
    fn what_is_no_signature_is_refused() {
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
            r#"keyId="k" signature="AQID""#,
            r#"keyId="k\"",signature="AQID""#,
            r#"Signature keyId="k",signature="AQID""#,
        ] {
            assert!(SignatureHeader::parse(text).is_err(), "{text}");
        }
        let long = format!(r#"keyId="k",signature="{}""#, "AAAA".repeat(400));
        assert!(SignatureHeader::parse(&long).is_err());
    }

    #[test]
    fn only_one_algorithm_is_known() {
        for name in [
            "hmac-sha256",
            "rsa-sha1",
            "rsa-sha512",
            "hs2019",
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
