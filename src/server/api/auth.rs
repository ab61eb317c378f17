//! Authentication of the query API.
//!
//! A valid token is always accepted: 256 random bits cannot be guessed, so no address
//! needs to be locked out. Behind a proxy, where all clients share one address, a
//! lock-out would let a stranger lock out everybody. A rate limit for refusals of missing
//! or invalid tokens limits their cost and their log lines.
//!
//! Invariant: the table of refusals is bounded for any number of addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::auth::tokens::{Token, Watched};
use crate::event::DecodeError;
use crate::frontend::client_network;
use crate::log_limiter::LogLimiter;
use crate::server::reply::Reply;

#[derive(Debug)]
pub(super) struct Authenticator {
    pub tokens: Watched,
    limiter: Limiter,
}

impl Authenticator {
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

    /// Checks the `Authorization` of a request from an address: returns its token, or
    /// the refusal. The refusal is the same for every fault of a token.
    pub fn check(&self, authorization: Option<&str>, address: &str) -> Result<Token, Reply> {
        let found = match authorization.and_then(bearer) {
            Some(text) => self.find(text, address),
            None => Err(self.limiter.refuse(address, Instant::now())),
        };
        found.map_err(|wait| match wait {
            None => {
                let what = "a token is required: Authorization: Bearer TOKEN";
                let error = DecodeError::new(what, "Authorization");
                Reply::refused(401, &error)
                    .with("WWW-Authenticate", "Bearer realm=\"profiletrail\"")
            }
            Some(wait) => {
                let error = DecodeError::new("too many requests without a valid token", "address");
                let seconds = wait.as_secs().saturating_add(1);
                Reply::refused(429, &error).with("Retry-After", seconds)
            }
        })
    }
}

/// The token of an `Authorization` of that kind.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then_some(token.trim_start())
}

/// The number of refusals per minute that an address receives with a reason.
const MOST: u32 = 10;

/// The window of [`MOST`].
const WINDOW: Duration = Duration::from_secs(60);

/// The maximum number of addresses in the table.
const ADDRESSES: usize = 4096;

/// The recent refusals by address.
#[derive(Debug, Default)]
struct Limiter {
    windows: Mutex<HashMap<Option<IpAddr>, Window>>,
    log: LogLimiter,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    begun: Instant,
    refusals: u32,
}

impl Limiter {
    /// Records a refusal of an address, and logs the first of a window. After too
    /// many it returns how long the client must wait.
    pub fn refuse(&self, address: &str, now: Instant) -> Option<Duration> {
        self.log.warn(format!(
            "a request to the query API came without a valid token from {address}"
        ));
        let key = address.parse().ok().map(client_network);
        let mut windows = self.windows.lock();
        let is_over = |window: &Window| now.saturating_duration_since(window.begun) >= WINDOW;
        if windows.len() >= ADDRESSES && !windows.contains_key(&key) {
            let oldest = windows.iter().min_by_key(|(_, window)| window.begun);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                windows.remove(&oldest);
            }
        }
        let fresh = Window {
            begun: now,
            refusals: 0,
        };
        let window = windows.entry(key).or_insert(fresh);
        if is_over(window) {
            *window = fresh;
        }
        window.refusals = window.refusals.saturating_add(1);
        let left = WINDOW.saturating_sub(now.saturating_duration_since(window.begun));
        (window.refusals > MOST).then_some(left)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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

    #[test]
    fn too_many_are_refused_and_others_are_not() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for _ in 0..MOST {
            assert_eq!(limiter.refuse("10.0.0.1", now), None);
            assert_eq!(limiter.refuse("2001:db8::1", now), None);
        }
        let later = now + Duration::from_secs(20);
        let wait = Some(Duration::from_secs(40));
        assert_eq!(limiter.refuse("10.0.0.1", later), wait);
        assert_eq!(limiter.refuse("::ffff:10.0.0.1", later), wait);
        assert_eq!(limiter.refuse("2001:db8::ffff:2", later), wait);
        assert_eq!(limiter.refuse("10.0.0.2", later), None);
        assert_eq!(limiter.refuse("2001:db8:0:1::1", later), None);
        assert_eq!(limiter.refuse("rubbish", later), None);
        assert_eq!(limiter.refuse("10.0.0.1", now + WINDOW), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for number in 0..3 * ADDRESSES {
            let address = IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
            limiter.refuse(&address.to_string(), now);
            assert!(limiter.windows.lock().len() <= ADDRESSES);
        }
    }
}
