//! Detects signed messages that were received before.
//!
//! A message is identified by the text that its signature covers: anybody can change the rest (an
//! uncovered nonce, the spelling of `Signature`). It is remembered until its date is too old to be
//! accepted, in some 20 bytes. Only verified messages are added, so strangers cannot make the
//! memory grow.
//!
//! Invariant: a message counts as received only when it is kept. While it is in flight a second one
//! is answered 503, and if the first is not kept, it is forgotten: an honest sender's retry is never
//! mistaken for a replay of a lost call.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;

use super::refusal::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InFlight,
    /// On stable storage, with its `seq` if it is an event.
    Kept(Option<u64>),
}

/// The hashes of messages, by the last second at which they are accepted.
type Messages = BTreeMap<i64, HashMap<u64, State>>;

/// The messages received; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Replays(Arc<Memory>);

#[derive(Debug, Default)]
struct Memory {
    hasher: RandomState,
    messages: Mutex<Messages>,
}

/// A message in flight. If it is dropped without [`Self::was_kept`], it is as if it had not come.
#[derive(Debug)]
pub struct Admission {
    memory: Arc<Memory>,
    expires: i64,
    hash: u64,
    /// The outcome of the message when it is no longer in flight.
    kept: Option<State>,
}

impl Replays {
    /// Admits a verified message now; `expires` is the last second at which it is accepted. Both
    /// are Unix seconds.
    pub fn admit(&self, text: &str, expires: i64, now: i64) -> Result<Admission, Refusal> {
        let hash = self.0.hasher.hash_one(text);
        let mut messages = self.0.messages.lock();
        while let Some(oldest) = messages.first_entry()
            && *oldest.key() < now
        {
            oldest.remove();
        }
        let states = messages.entry(expires).or_default();
        let kept = states.get(&hash).copied();
        match kept {
            Some(State::InFlight) => return Err(Refusal::InFlight),
            Some(State::Kept(Some(seq))) => return Err(Refusal::Replay(seq)),
            // A rejected call is read again, and gets the same answer if it is still no event.
            Some(State::Kept(None)) | None => states.insert(hash, State::InFlight),
        };
        Ok(Admission {
            memory: Arc::clone(&self.0),
            expires,
            hash,
            kept,
        })
    }

    /// Notes a message that is an event, though it was not admitted here.
    pub fn note(&self, text: &str, expires: i64, seq: u64) {
        let hash = self.0.hasher.hash_one(text);
        let mut messages = self.0.messages.lock();
        let states = messages.entry(expires).or_default();
        states.insert(hash, State::Kept(Some(seq)));
    }
}

impl Admission {
    /// The message is on stable storage, as the event `seq` or as a rejected call.
    pub fn was_kept(mut self, seq: Option<u64>) {
        self.kept = Some(State::Kept(seq));
    }

    /// Whether the message was kept as a rejected call before.
    pub const fn is_repeated(&self) -> bool {
        self.kept.is_some()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut messages = self.memory.messages.lock();
        // It may have expired meanwhile.
        let Some(all) = messages.get_mut(&self.expires) else {
            return;
        };
        match self.kept {
            Some(kept) => all.insert(self.hash, kept),
            None => all.remove(&self.hash),
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_kept_is_a_replay() {
        let replays = Replays::default();
        let first = replays.admit("a", 100, 50).unwrap();
        assert_eq!(replays.admit("a", 100, 50).unwrap_err(), Refusal::InFlight);
        replays.admit("b", 100, 50).unwrap().was_kept(None);
        drop(first);
        let again = replays.admit("a", 100, 51).unwrap();
        again.was_kept(Some(7));
        assert_eq!(
            replays.admit("a", 100, 100).unwrap_err(),
            Refusal::Replay(7)
        );
        // A rejected call is read again, and is then still rejected or an event.
        let repeated = replays.admit("b", 100, 100).unwrap();
        assert!(repeated.is_repeated());
        assert_eq!(replays.admit("b", 100, 100).unwrap_err(), Refusal::InFlight);
        drop(repeated);
        let repeated = replays.admit("b", 100, 100).unwrap();
        assert!(repeated.is_repeated());
        repeated.was_kept(Some(8));
        assert_eq!(
            replays.admit("b", 100, 100).unwrap_err(),
            Refusal::Replay(8)
        );
        replays.note("c", 120, 9);
        assert_eq!(
            replays.admit("c", 120, 100).unwrap_err(),
            Refusal::Replay(9)
        );
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let replays = Replays::default();
        let mut held = Vec::new();
        for second in 0..1000 {
            let text = second.to_string();
            let admission = replays.admit(&text, second + 60, second).unwrap();
            if second % 2 == 0 {
                admission.was_kept(Some(1));
            } else {
                held.push(admission);
            }
        }
        assert!(replays.0.messages.lock().len() <= 61);
        drop(held);
        let left: usize = replays.0.messages.lock().values().map(HashMap::len).sum();
        assert!(left <= 31, "{left}");
    }
}
