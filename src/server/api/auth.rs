//! Authentication of the query API.

use std::time::{Duration, Instant};

use super::limiter::Limiter;
use crate::auth::tokens::{Token, Watched};
use crate::event::DecodeError;
use crate::server::reply::Reply;

/// Checks the tokens of requests.
#[derive(Debug)]
pub(super) struct Authenticator {
    tokens: Watched,
    limiter: Limiter,
}

impl Authenticator {
    /// Accepts these tokens.
    pub fn new(tokens: Watched) -> Self {
        Self {
            tokens,
            limiter: Limiter::default(),
        }
    }

    /// Finds the token with this text, sent from an address. After too many invalid
    /// ones the error is how long the client must wait.
    pub fn find(&self, text: &str, address: &str) -> Result<Token, Option<Duration>> {
        let found = self.tokens.find(text);
        found.ok_or_else(|| self.limiter.refuse(address, Instant::now()))
    }

    /// Whether a token that was found is still valid.
    pub fn is_good(&self, token: &Token) -> bool {
        self.tokens.has(token)
    }

    /// Checks the `Authorization` of a request from an address: returns its token, or
    /// the refusal. The refusal is the same for every fault of a token.
    pub fn check(&self, authorization: Option<&str>, address: &str) -> Result<Token, Reply> {
        let token = authorization
            .and_then(bearer)
            .and_then(|token| self.tokens.find(token));
        if let Some(token) = token {
            return Ok(token);
        }
        let challenge = ("WWW-Authenticate", "Bearer realm=\"profiletrail\"");
        match self.limiter.refuse(address, Instant::now()) {
            None => {
                let what = "a token is required: Authorization: Bearer TOKEN";
                let error = DecodeError::new(what, "Authorization");
                Err(Reply::refused(401, &error).with(challenge.0, challenge.1))
            }
            Some(wait) => {
                let error = DecodeError::new("too many requests without a valid token", "address");
                let seconds = wait.as_secs().saturating_add(1);
                Err(Reply::refused(429, &error).with("Retry-After", seconds))
            }
        }
    }
}

/// The token of an `Authorization` of that kind.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then_some(token.trim_start())
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn only_a_bearer_s_token_is_taken() {
        assert_eq!(bearer("Bearer ptr_x"), Some("ptr_x"));
        assert_eq!(bearer("bEARER   ptr_x "), Some("ptr_x"));
        for wrong in [
            "",
            "Bearer",
            "ptr_x",
            "Basic ptr_x",
            "Bearerptr_x",
            "Bearer:ptr_x",
        ] {
            assert_eq!(bearer(wrong), None, "{wrong}");
        }
    }
}
