//! Login sessions.
//!
//! A session is identified by 256 random bits. Only their SHA-256 is kept, in memory, so
//! a restart ends all sessions. A session ends with its token, after [`IDLE`] without
//! use, and at the latest after [`LONGEST`]. Background requests of the page's script do
//! not count as use. Invariant: there are at most [`MOST`] sessions; beyond that the
//! least recently used one ends.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::auth::tokens::Token;

/// The maximum idle time of a session.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// The maximum lifetime of a session.
pub(super) const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// The maximum number of sessions.
const MOST: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Debug)]
struct Session {
    token: Token,
    /// Whether it began over TLS; then it is valid only with the TLS cookie.
    secure: bool,
    begun: Instant,
    used: Instant,
}

impl Session {
    fn lasts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < IDLE
            && now.saturating_duration_since(self.begun) < LONGEST
    }
}

impl Sessions {
    /// Starts a session of a token and returns its name, which is stored nowhere.
    pub fn begin(&self, token: Token, secure: bool, now: Instant) -> Result<String, String> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
        let name = URL_SAFE_NO_PAD.encode(secret);
        let mut table = self.0.lock();
        table.retain(|_, session| session.lasts(now));
        let oldest = table.iter().min_by_key(|(_, session)| session.used);
        if table.len() >= MOST
            && let Some(oldest) = oldest.map(|(key, _)| *key)
        {
            table.remove(&oldest);
        }
        let session = Session {
            token,
            secure,
            begun: now,
            used: now,
        };
        table.insert(key(&name), session);
        Ok(name)
    }

    /// The ID of the session's token, if the session exists and its token is `still`
    /// valid. With `used` this counts as use.
    pub fn token_id(
        &self,
        (name, secure): (&str, bool),
        now: Instant,
        used: bool,
        still: impl FnOnce(&Token) -> bool,
    ) -> Option<String> {
        let mut table = self.0.lock();
        let key = key(name);
        let session = table.get_mut(&key)?;
        if !session.lasts(now) || !still(&session.token) {
            table.remove(&key);
            return None;
        }
        if used {
            session.used = now;
        }
        (session.secure == secure).then(|| session.token.id.clone())
    }

    pub fn end(&self, name: &str) {
        self.0.lock().remove(&key(name));
    }
}

/// The lookup key of a session: a digest, so that the time of a lookup reveals
/// nothing about names.
fn key(name: &str) -> [u8; 32] {
    Sha256::digest(name.as_bytes()).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::auth::tokens::Scope;

    fn token() -> Token {
        Token::new("", Scope::Read).unwrap().0
    }

    #[test]
    fn a_session_ends_when_it_should() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let good = |name: &str, now, used| {
            sessions
                .token_id((name, true), now, used, |_| true)
                .is_some()
        };
        let name = sessions.begin(token(), true, begun).unwrap();
        assert!(good(&name, begun, true));
        assert!(!good("", begun, true) && !good(&name[1..], begun, true));
        assert!(
            sessions
                .token_id((&name, false), begun, true, |_| true)
                .is_none()
        );
        // A background request is no use.
        let later = begun + IDLE / 2;
        assert!(good(&name, later, false));
        assert!(!good(&name, begun + IDLE, false));
        assert!(!good(&name, begun, false), "it has ended");
        // It ends despite constant use.
        let name = sessions.begin(token(), true, begun).unwrap();
        let mut now = begun;
        while now < begun + LONGEST {
            assert!(good(&name, now, true));
            now += IDLE / 2;
        }
        assert!(!good(&name, begun + LONGEST, true));
        // And it ends with its token, and on demand.
        let name = sessions.begin(token(), true, begun).unwrap();
        assert!(
            sessions
                .token_id((&name, true), begun, true, |_| false)
                .is_none()
        );
        assert!(!good(&name, begun, true));
        let name = sessions.begin(token(), true, begun).unwrap();
        sessions.end(&name);
        assert!(!good(&name, begun, true));
    }

    #[test]
    fn there_are_never_too_many_and_no_two_alike() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let names: Vec<_> = (0..2 * MOST)
            .map(|number| {
                let now = begun + Duration::from_millis(number as u64);
                sessions.begin(token(), false, now).unwrap()
            })
            .collect();
        assert_eq!(sessions.0.lock().len(), MOST);
        let last = begun + Duration::from_secs(1);
        let good = |name: &String| {
            sessions
                .token_id((name, false), last, false, |_| true)
                .is_some()
        };
        assert!(!good(&names[0]) && good(&names[MOST]));
    }
}
