//! How often who shows no good token is refused with a reason.
//!
//! A good token is always let in: with 256 random bits there is nothing to be
//! guessed, so no address need be locked out, and behind a proxy, where all
//! have one address, a stranger could otherwise lock out everybody. What is
//! limited is what refusals cost, and the lines they make in the log.
//!
//! Invariant: however many addresses come, the table is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::frontend::client_network;
use crate::log_limiter::LogLimiter;

/// The number of refusals per minute that an address receives with a reason.
const MOST: u32 = 10;

/// That minute.
const WINDOW: Duration = Duration::from_secs(60);

/// How many addresses are known at one time.
const ADDRESSES: usize = 4096;

/// Who was refused lately.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    table: Mutex<Table>,
    log: LogLimiter,
}

#[derive(Debug, Default)]
struct Table {
    windows: HashMap<Option<IpAddr>, Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    begun: Instant,
    refusals: u32,
}

impl Limiter {
    /// Takes note of a refusal of an address, and logs it if none was lately.
    /// `Some` where there were too many: for how long nothing is to be tried.
    pub fn refuse(&self, address: &str, now: Instant) -> Option<Duration> {
        self.log.warn(format!(
            "a request to the query API came without a good token from {address}"
        ));
        let key = address.parse().ok().map(client_network);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |window: &Window| now.saturating_duration_since(window.begun) >= WINDOW;
        if table.windows.len() >= ADDRESSES && !table.windows.contains_key(&key) {
            table.windows.retain(|_, window| !is_over(window));
            let oldest = table.windows.iter().min_by_key(|(_, window)| window.begun);
            if table.windows.len() >= ADDRESSES
                && let Some(oldest) = oldest.map(|(key, _)| *key)
            {
                table.windows.remove(&oldest);
            }
        }
        let fresh = Window {
            begun: now,
            refusals: 0,
        };
        let window = table.windows.entry(key).or_insert(fresh);
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
            assert!(limiter.table.lock().unwrap().windows.len() <= ADDRESSES);
        }
    }
}
