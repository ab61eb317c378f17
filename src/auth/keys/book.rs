//! What the ring knows and what it is looking up: the decisions, without threads, clocks or DNS.
//!
//! A name is in one of three states: *fresh* (a key, or that there is none, until its TTL is over),
//! *stale* (a key whose TTL is over; only a look-up that finds DNS out of reach brings it back, and
//! only if it was seen valid), or not in the book.
//!
//! Invariants:
//! - no more than `max_names` names are kept, and a key seen valid never makes room for another
//!   name, so that invented names push out each other;
//! - a name is looked up once at a time, however many wait for it ([`Flights`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::asker::Asker;
use super::clock::Moment;
use super::flights::Flights;
use super::remembered::Remembered;
use super::{Busy, KeyConfig, KeyError, KeyName, Lookup, PublicKey};

/// What is done with a look-up's end.
pub(super) type Then = Box<dyn FnOnce(KeyResult) + Send>;
/// A look-up's end.
pub(super) type KeyResult = Result<Arc<PublicKey>, KeyError>;

/// What DNS said about a name, and for how long it holds; of a failure that may be unsaid.
#[derive(Debug)]
pub(super) struct Fetched {
    pub key: Result<PublicKey, KeyError>,
    pub ttl: Option<Duration>,
}

/// What follows from a question.
pub(super) enum Asked {
    /// It waits for a look-up that goes on already.
    Joined,
    /// It waits for a look-up that must now be started.
    Start,
    /// The answer has come in the meantime.
    Known(Then, KeyResult),
}

/// How often the file has to learn that a key was fetched again, in seconds.
const SAVE_AGAIN: i64 = 24 * 60 * 60;

struct Held {
    key: Arc<PublicKey>,
    /// When DNS last gave it, in Unix seconds.
    fetched: i64,
    /// A signature was verified with it.
    seen: bool,
    /// The `fetched` that the file has.
    saved: Option<i64>,
}

struct Entry {
    value: Result<Held, KeyError>,
    fresh_until: Duration,
    /// When its TTL is over, which a doubt does not change.
    ttl_until: Duration,
    /// When DNS was last asked.
    checked: Duration,
}

impl Entry {
    fn is_seen(&self) -> bool {
        self.value.as_ref().is_ok_and(|held| held.seen)
    }
}

pub(super) struct Book {
    config: KeyConfig,
    entries: HashMap<KeyName, Entry>,
    flights: Flights,
    /// The file does not hold what is remembered.
    unsaved: bool,
    stopped: bool,
}

impl Book {
    /// A book with the keys that were remembered: seen valid, and stale.
    pub(super) fn new(config: KeyConfig, remembered: Vec<(PublicKey, i64)>, now: Moment) -> Self {
        let mut book = Self {
            config,
            entries: HashMap::new(),
            flights: Flights::default(),
            unsaved: false,
            stopped: false,
        };
        for (key, fetched) in remembered {
            let held = Held {
                key: Arc::new(key),
                fetched,
                seen: true,
                saved: Some(fetched),
            };
            let name = held.key.name().clone();
            let entry = Entry {
                value: Ok(held),
                fresh_until: now.elapsed,
                ttl_until: now.elapsed,
                checked: now.elapsed,
            };
            book.entries.insert(name, entry);
        }
        book.bound_seen();
        book
    }

    /// What is known of a name without asking.
    pub(super) fn get(&self, name: &KeyName, now: Moment) -> Lookup {
        match self.entries.get(name) {
            Some(entry) if now.elapsed < entry.fresh_until => match &entry.value {
                Ok(held) => Lookup::Key(Arc::clone(&held.key)),
                Err(error) => Lookup::Refused(error.clone()),
            },
            _ => Lookup::Unknown,
        }
    }

    /// Takes a question, or says why it cannot wait.
    pub(super) fn ask(
        &mut self,
        name: &KeyName,
        asker: Asker,
        then: Then,
        now: Moment,
    ) -> Result<Asked, Busy> {
        if self.stopped {
            return Err(Busy::Stopped);
        }
        match self.get(name, now) {
            Lookup::Key(key) => return Ok(Asked::Known(then, Ok(key))),
            Lookup::Refused(error) => return Ok(Asked::Known(then, Err(error))),
            Lookup::Unknown => {}
        }
        let Some(then) = self.flights.join(name, then, &self.config)? else {
            return Ok(Asked::Joined);
        };
        let is_seen = self.entries.get(name).is_some_and(Entry::is_seen);
        let starter = (!is_seen).then_some(asker);
        self.flights.take_off(name, starter, then, &self.config)?;
        Ok(Asked::Start)
    }

    /// Ends a look-up: who waited for it, and what they are told.
    pub(super) fn settle(
        &mut self,
        name: &KeyName,
        fetched: Fetched,
        now: Moment,
    ) -> (Vec<Then>, KeyResult) {
        let waiting = self.flights.land(name);
        let result = match fetched.key {
            Ok(key) => Ok(self.learn(name, key, fetched.ttl, now)),
            Err(error) => self.fail(name, error, fetched.ttl, now),
        };
        (waiting, result)
    }

    fn learn(
        &mut self,
        name: &KeyName,
        key: PublicKey,
        ttl: Option<Duration>,
        now: Moment,
    ) -> Arc<PublicKey> {
        let ttl = ttl.unwrap_or_default();
        let fresh_until = now.elapsed + ttl.max(self.config.min_ttl).min(self.config.max_ttl);
        let held = match self.entries.remove(name).map(|entry| entry.value) {
            Some(Ok(held)) if held.key.record() == key.record() => Held {
                fetched: now.unix,
                ..held
            },
            earlier => {
                self.unsaved |= earlier.is_some_and(|value| value.is_ok_and(|held| held.seen));
                Held {
                    key: Arc::new(key),
                    fetched: now.unix,
                    seen: false,
                    saved: None,
                }
            }
        };
        let is_saved = |saved: i64| (0..SAVE_AGAIN).contains(&(now.unix.saturating_sub(saved)));
        self.unsaved |= held.seen && !held.saved.is_some_and(is_saved);
        let key = Arc::clone(&held.key);
        self.put(name, Ok(held), fresh_until, now);
        key
    }

    fn fail(
        &mut self,
        name: &KeyName,
        error: KeyError,
        ttl: Option<Duration>,
        now: Moment,
    ) -> KeyResult {
        if error.may_pass()
            && let Some(key) = self.use_through_outage(name, now)
        {
            tracing::warn!(%name, %error, "the key that was fetched earlier is used");
            return Ok(key);
        }
        let longest = if error.may_pass() {
            self.config.pause
        } else {
            self.config.refused_ttl
        };
        let ttl = ttl.unwrap_or(longest).max(self.config.pause).min(longest);
        let earlier = self.entries.remove(name);
        self.unsaved |= earlier.is_some_and(|entry| entry.is_seen());
        self.put(name, Err(error.clone()), now.elapsed + ttl, now);
        Err(error)
    }

    /// Keeps a key fresh for the shortest TTL where DNS is out of reach and the key may be used all
    /// the same: one seen valid until it would have been rotated, any other while its TTL lasts.
    fn use_through_outage(&mut self, name: &KeyName, now: Moment) -> Option<Arc<PublicKey>> {
        let entry = self.entries.get_mut(name)?;
        let held = entry.value.as_ref().ok()?;
        let a_while = now.elapsed + self.config.min_ttl;
        let fresh_until = if held.seen && is_within(held.fetched, self.config.outage, now) {
            a_while
        } else {
            a_while.min(entry.ttl_until)
        };
        entry.checked = now.elapsed;
        entry.fresh_until = fresh_until;
        (now.elapsed < fresh_until).then(|| Arc::clone(&held.key))
    }

    fn put(
        &mut self,
        name: &KeyName,
        value: Result<Held, KeyError>,
        fresh_until: Duration,
        now: Moment,
    ) {
        if self.entries.len() >= self.config.max_names && !self.make_room() {
            return;
        }
        let entry = Entry {
            value,
            fresh_until,
            ttl_until: fresh_until,
            checked: now.elapsed,
        };
        self.entries.insert(name.clone(), entry);
    }

    /// Takes the name out that is least worth keeping; none where all are keys seen valid.
    fn make_room(&mut self) -> bool {
        let others = self.entries.iter().filter(|(_, entry)| !entry.is_seen());
        let least = others.min_by_key(|(_, entry)| (entry.value.is_ok(), entry.fresh_until));
        let least = least.map(|(name, _)| name.clone());
        least.is_some_and(|name| self.entries.remove(&name).is_some())
    }

    /// Notes that a signature was verified with a key; `true` where that was not known.
    pub(super) fn seen_valid(&mut self, key: &PublicKey) -> bool {
        let Some(entry) = self.entries.get_mut(key.name()) else {
            return false;
        };
        match &mut entry.value {
            Ok(held) if !held.seen && held.key.record() == key.record() => {
                held.seen = true;
                self.unsaved = true;
                self.bound_seen();
                true
            }
            _ => false,
        }
    }

    /// Forgets the keys seen valid that were fetched longest ago, where there are too many.
    fn bound_seen(&mut self) {
        let most = self.config.max_seen.min(self.config.max_names / 2);
        let mut seen: Vec<(i64, KeyName)> = Vec::new();
        for (name, entry) in &self.entries {
            if let Ok(held) = &entry.value
                && held.seen
            {
                seen.push((held.fetched, name.clone()));
            }
        }
        seen.sort();
        let surplus = seen.len().saturating_sub(most);
        for (_, name) in seen.iter().take(surplus) {
            self.entries.remove(name);
            self.unsaved = true;
        }
    }

    /// Makes a key stale with which a signature did not verify, unless DNS was asked for it a
    /// moment ago; `true` where a question is now worth it.
    pub(super) fn doubt(&mut self, key: &PublicKey, now: Moment) -> bool {
        let Some(entry) = self.entries.get_mut(key.name()) else {
            return true;
        };
        match &entry.value {
            Ok(held) if held.key.record() == key.record() => {
                let since = now.elapsed.saturating_sub(entry.checked);
                let is_worth_it = since >= self.config.min_ttl;
                if is_worth_it {
                    entry.fresh_until = now.elapsed;
                }
                is_worth_it
            }
            _ => true,
        }
    }

    /// What the file should hold, where it holds something else; from now on it counts as held.
    pub(super) fn take_unsaved(&mut self) -> Option<Vec<Remembered>> {
        if !std::mem::take(&mut self.unsaved) {
            return None;
        }
        let mut seen = Vec::new();
        for entry in self.entries.values_mut() {
            if let Ok(held) = &mut entry.value
                && held.seen
            {
                held.saved = Some(held.fetched);
                seen.push(Remembered {
                    name: held.key.name().as_str().to_owned(),
                    record: held.key.record().to_owned(),
                    fetched: held.fetched,
                });
            }
        }
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        Some(seen)
    }

    /// Notes that writing the file failed, so that it is tried again with the next change.
    pub(super) fn not_saved(&mut self) {
        self.unsaved = true;
    }

    /// Takes no more questions.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }
}

/// Whether a moment in Unix seconds is at most so long ago; a clock that was put back counts as
/// none of it.
pub(super) fn is_within(earlier: i64, longest: Duration, now: Moment) -> bool {
    u64::try_from(now.unix.saturating_sub(earlier)).unwrap_or_default() < longest.as_secs()
}
