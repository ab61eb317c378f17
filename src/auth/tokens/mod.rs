//! The tokens for programs that use the HTTP API.
//!
//! A token is `ptr_` and 256 random bits in base64url. Only its SHA-256 is kept, in the file
//! `tokens` of the data folder (mode 0600): with so much randomness, a slower hash would not add
//! security. The file is JSON:
//!
//! ```text
//! {"profiletrail_tokens":1,"tokens":[{"id":"…","name":"…","scope":"read","created":"…","sha256":"…"}]}
//! ```
//!
//! It is replaced by a rename, and a server checks before every request whether it was replaced
//! ([`Watched`]), so a revoked token is invalid at once. A command that changes it holds a lock on
//! `tokens.lock`, so two commands never overwrite each other's changes. It is not part of a backup:
//! create new tokens instead.
//!
//! Invariants: no token is stored or logged; a file that cannot be read admits nobody; a token is
//! compared with every stored token in constant time.

mod file;
mod watched;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::event::{micros_to_rfc3339, now_micros};
pub use file::{TokenFile, TokensError};
pub use watched::Watched;

/// How a token begins, by which it is known wherever it turns up.
pub const PREFIX: &str = "ptr_";

/// The maximum number of tokens of a folder.
pub const MOST: usize = 1000;

/// The longest name in characters.
const NAME_LEN: usize = 64;

/// The scope of a token. No scope permits changes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every question, and the metrics
    Read,
    /// Only the metrics
    Metrics,
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Names it to `revoke`.
    pub id: String,
    /// Its name, given by the owner; may be empty.
    pub name: String,
    /// Its scope.
    pub scope: Scope,
    /// When it was made, RFC 3339.
    pub created: String,
    /// SHA-256 in hexadecimal digits.
    sha256: String,
}

impl Token {
    /// A new token, and its text, which is not kept.
    pub fn new(name: &str, scope: Scope) -> Result<(Self, String), TokensError> {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let plain = |c: char| !c.is_control();
        if name.chars().count() > NAME_LEN || !name.chars().all(plain) {
            return Err(TokensError::Name);
        }
        let (mut secret, mut id) = ([0; 32], [0; 4]);
        getrandom::fill(&mut secret)
            .and_then(|()| getrandom::fill(&mut id))
            .map_err(|error| TokensError::Failed(format!("cannot get random bytes: {error}")))?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let token = Self {
            id: format!("{:08x}", u32::from_be_bytes(id)),
            name: name.to_owned(),
            scope,
            created: micros_to_rfc3339(now_micros()),
            sha256: hash(&text),
        };
        Ok((token, text))
    }
}

/// The token of that text, if it is one of these.
fn token_of<'t>(tokens: &'t [Token], text: &str) -> Option<&'t Token> {
    let hash = hash(text);
    let mut found = None;
    // To the end, so that the time does not depend on which it is.
    for token in tokens {
        if bool::from(token.sha256.as_bytes().ct_eq(hash.as_bytes())) {
            found = Some(token);
        }
    }
    found
}

fn hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_text_alone() {
        let (read, text) = Token::new("report", Scope::Read).unwrap();
        let (metrics, other) = Token::new("", Scope::Metrics).unwrap();
        assert!(text.starts_with(PREFIX) && text.len() == PREFIX.len() + 43);
        assert_ne!(text, other);
        let kept = serde_json::to_string(&read).unwrap();
        assert!(!kept.contains(text.strip_prefix(PREFIX).unwrap()));
        let tokens = [read.clone(), metrics];
        let scope_of = |tokens, text: &str| token_of(tokens, text).map(|token| token.scope);
        assert_eq!(scope_of(&tokens[..], &text), Some(Scope::Read));
        assert_eq!(scope_of(&tokens[..], &other), Some(Scope::Metrics));
        for wrong in [
            "",
            "ptr_",
            &read.sha256,
            &read.id,
            &text[1..],
            &format!("{text} "),
        ] {
            assert_eq!(scope_of(&tokens[..], wrong), None, "{wrong}");
        }
        assert_eq!(scope_of(&[], &text), None);
    }

    #[test]
    fn a_name_fits_on_a_line() {
        let named = |name: &str| Token::new(name, Scope::Read).is_ok();
        assert!(named("") && named("Ünïts; 'x'") && named(&"é".repeat(64)));
        assert!(!named("a\nb") && !named("\u{1b}[31m") && !named(&"x".repeat(65)));
    }
}
