//! Which signed messages were taken already.
//!
//! A message is known by the text that its signature covers: what stands
//! beside that, a nonce that is not covered or the spelling of the `Signature`,
//! can be changed by anybody. It is remembered until its date is too old to be
//! taken, under that moment; so what is remembered is bounded by the calls of
//! twice the age, at 8 bytes of a keyed hash each. Only verified messages come
//! here, so a stranger cannot make it grow.
//!
//! Invariant: a message is remembered for good only when it is kept. While it
//! is under way a second one is told to come again, and if the first is not
//! kept, the message is as good as before: an honest sender's retry is never
//! taken for a replay of a call that was lost.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::refusal::Refusal;

/// Whether a message is kept, or on its way to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    UnderWay,
    Kept,
}

/// The messages of each moment until which they could be taken.
type Messages = BTreeMap<i64, HashMap<u64, State>>;

/// The memory of messages; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Replays(Arc<Memory>);

#[derive(Debug, Default)]
struct Memory {
    hasher: RandomState,
    messages: Mutex<Messages>,
}

/// A message that is on its way to be kept. Dropped without
/// [`Self::was_kept`], it is as if it had not come.
#[derive(Debug)]
pub struct Admission {
    memory: Arc<Memory>,
    expires: i64,
    hash: u64,
    kept: bool,
}

/// An [`Admission`], or none for a call that needs none.
pub type Admitted = Option<Admission>;

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replays {
    /// Takes a verified message in, at a moment; `expires` is the last one at
    /// which it could be taken. Both are Unix seconds.
    pub fn admit(&self, text: &str, expires: i64, now: i64) -> Result<Admission, Refusal> {
        let hash = self.0.hasher.hash_one(text);
        let mut messages = self.0.lock();
        while let Some(oldest) = messages.first_entry()
            && *oldest.key() < now
        {
            oldest.remove();
        }
        match messages.entry(expires).or_default().entry(hash) {
            std::collections::hash_map::Entry::Occupied(known) => Err(match known.get() {
                State::UnderWay => Refusal::UnderWay,
                State::Kept => Refusal::Replay,
            }),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(State::UnderWay);
                Ok(Admission {
                    memory: Arc::clone(&self.0),
                    expires,
                    hash,
                    kept: false,
                })
            }
        }
    }

    /// Takes note of a message that was kept before the server started.
    pub fn note(&self, text: &str, expires: i64) {
        let hash = self.0.hasher.hash_one(text);
        let mut messages = self.0.lock();
        messages
            .entry(expires)
            .or_default()
            .insert(hash, State::Kept);
    }
}

impl Admission {
    /// Says that the message is on stable storage.
    pub fn was_kept(mut self) {
        self.kept = true;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut messages = self.memory.lock();
        // Its moment may have passed, and be forgotten.
        let Some(all) = messages.get_mut(&self.expires) else {
            return;
        };
        if self.kept {
            all.insert(self.hash, State::Kept);
        } else {
            all.remove(&self.hash);
        }
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
        assert_eq!(replays.admit("a", 100, 50).unwrap_err(), Refusal::UnderWay);
        replays.admit("b", 100, 50).unwrap().was_kept();
        drop(first);
        let again = replays.admit("a", 100, 51).unwrap();
        again.was_kept();
        assert_eq!(replays.admit("a", 100, 100).unwrap_err(), Refusal::Replay);
        assert_eq!(replays.admit("b", 100, 100).unwrap_err(), Refusal::Replay);
        replays.note("c", 120);
        assert_eq!(replays.admit("c", 120, 100).unwrap_err(), Refusal::Replay);
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let replays = Replays::default();
        let mut held = Vec::new();
        for second in 0..1000 {
            let text = second.to_string();
            let admission = replays.admit(&text, second + 60, second).unwrap();
            if second % 2 == 0 {
                admission.was_kept();
            } else {
                held.push(admission);
            }
        }
        assert!(replays.0.lock().len() <= 61);
        drop(held);
        let left: usize = replays.0.lock().values().map(HashMap::len).sum();
        assert!(left <= 31, "{left}");
    }
}
