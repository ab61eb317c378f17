//! The cached keys and the look-ups in flight: all decisions, without threads or DNS.
//!
//! A name is *fresh* (a key or a refusal, until its TTL ends), *stale* (a key after its TTL, used
//! only if DNS is unreachable), or unknown.
//!
//! It is the only cache. The cache of hickory is off: it cannot keep verified keys beyond their TTL
//! in an outage, and cannot answer without waiting.
//!
//! Invariants:
//! - at most `max_names` names are cached, and a verified key is never evicted for another name,
//!   so invented names only evict each other;
//! - a name is looked up once at a time; look-ups in flight are bounded by `max_look_ups` and the
//!   number of verified keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::{MAX_TTL, MAX_VERIFIED, MIN_TTL, OUTAGE, PAUSE, REFUSED_TTL};
use super::key_store::StoredKey;
use super::{Busy, KeyConfig, KeyError, KeyName, PublicKey};

/// The callback for the end of a look-up.
pub(super) type Callback = Box<dyn FnOnce(KeyResult) + Send>;
/// The result of a look-up.
pub type KeyResult = Result<Arc<PublicKey>, KeyError>;

/// The DNS answer for a name, and its TTL; a failure may have no TTL.
#[derive(Debug)]
pub(super) struct Fetched {
    pub key: Result<PublicKey, KeyError>,
    pub ttl: Option<Duration>,
}

impl Fetched {
    /// A failure to get an answer.
    pub fn unreachable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            key: Err(KeyError::Unreachable(reason.into())),
            ttl: None,
        }
    }
}

struct Entry {
    result: KeyResult,
    /// A signature was verified with this key.
    verified: bool,
    /// When DNS last gave the key, in Unix seconds.
    fetched: i64,
    /// Until when it is used without asking DNS.
    fresh_until: Duration,
    /// The end of its TTL, which [`KeyCache::recheck`] does not change.
    ttl_until: Duration,
    /// When DNS was last asked.
    checked: Duration,
}

/// See the module.
pub(super) struct KeyCache {
    config: KeyConfig,
    entries: HashMap<KeyName, Entry>,
    /// The callbacks that wait for each look-up in flight.
    in_flight: HashMap<KeyName, Vec<Callback>>,
    /// The key store differs from the verified keys.
    pub(super) dirty: bool,
    /// All further look-ups are refused.
    pub(super) stopped: bool,
}

impl KeyCache {
    /// A cache with the stored keys: verified and stale.
    pub(super) fn new(config: KeyConfig, stored: Vec<(PublicKey, i64)>) -> Self {
        let now = config.clock.elapsed();
        let entry = |(key, fetched): (PublicKey, i64)| {
            let name = key.name.clone();
            let entry = Entry {
                result: Ok(Arc::new(key)),
                verified: true,
                fetched,
                fresh_until: now,
                ttl_until: now,
                checked: now,
            };
            (name, entry)
        };
        let mut cache = Self {
            entries: stored.into_iter().map(entry).collect(),
            config,
            in_flight: HashMap::new(),
            dirty: false,
            stopped: false,
        };
        cache.evict_surplus_verified();
        cache
    }

    fn now(&self) -> Duration {
        self.config.clock.elapsed()
    }

    /// The cached result for a name, without a DNS query.
    pub(super) fn get(&self, name: &KeyName) -> Option<KeyResult> {
        let entry = self.entries.get(name)?;
        (self.now() < entry.fresh_until).then(|| entry.result.clone())
    }

    /// Waits for a name's look-up; true if it must be started.
    pub(super) fn ask(&mut self, name: &KeyName, callback: Callback) -> Result<bool, Busy> {
        if self.stopped {
            return Err(Busy::Stopped);
        }
        if let Some(waiting) = self.in_flight.get_mut(name) {
            if waiting.len() >= self.config.max_waiting {
                return Err(Busy::Waiting);
            }
            waiting.push(callback);
            return Ok(false);
        }
        // A flood of invented names must not keep a verified key from being fetched again.
        let is_verified = self.entries.get(name).is_some_and(|entry| entry.verified);
        let invented = |name: &&KeyName| !self.entries.get(*name).is_some_and(|it| it.verified);
        if !is_verified
            && self.in_flight.keys().filter(invented).count() >= self.config.max_look_ups
        {
            return Err(Busy::LookUps);
        }
        self.in_flight.insert(name.clone(), vec![callback]);
        Ok(true)
    }

    /// Ends a look-up; returns who waited for it and the result.
    pub(super) fn finish(
        &mut self,
        name: &KeyName,
        fetched: Fetched,
    ) -> (Vec<Callback>, KeyResult) {
        let waiting = self.in_flight.remove(name).unwrap_or_default();
        let result = match fetched.key {
            Ok(key) => Ok(self.insert_key(name, key, fetched.ttl.unwrap_or_default())),
            Err(error) => self.insert_failure(name, error, fetched.ttl),
        };
        (waiting, result)
    }

    fn insert_key(&mut self, name: &KeyName, key: PublicKey, ttl: Duration) -> Arc<PublicKey> {
        let earlier = self.entries.remove(name);
        let was_verified = earlier.as_ref().is_some_and(|entry| entry.verified);
        let same = earlier.and_then(|entry| entry.result.ok());
        let same = same.filter(|earlier| earlier.record == key.record);
        let verified = was_verified && same.is_some();
        let key = same.unwrap_or_else(|| Arc::new(key));
        self.dirty |= was_verified;
        let ttl = ttl.max(MIN_TTL).min(MAX_TTL);
        self.insert(name, Ok(Arc::clone(&key)), verified, ttl);
        key
    }

    fn insert_failure(
        &mut self,
        name: &KeyName,
        error: KeyError,
        ttl: Option<Duration>,
    ) -> KeyResult {
        if error.is_temporary()
            && let Some(key) = self.use_through_outage(name)
        {
            tracing::warn!(%name, %error, "DNS is unreachable: the key fetched earlier is used");
            return Ok(key);
        }
        let longest = match error.is_temporary() {
            true => PAUSE,
            false => REFUSED_TTL,
        };
        let ttl = ttl.unwrap_or(longest).max(PAUSE).min(longest);
        let earlier = self.entries.remove(name);
        self.dirty |= earlier.is_some_and(|entry| entry.verified);
        self.insert(name, Err(error.clone()), false, ttl);
        Err(error)
    }

    /// Keeps a key fresh for the shortest TTL while DNS is unreachable: a verified one until it
    /// would have been rotated, any other one until its TTL ends.
    fn use_through_outage(&mut self, name: &KeyName) -> Option<Arc<PublicKey>> {
        let (now, unix) = (self.now(), self.config.clock.unix());
        let entry = self.entries.get_mut(name)?;
        let key = entry.result.as_ref().ok()?;
        // A clock that was set back counts as no time passed.
        let age = u64::try_from(unix.saturating_sub(entry.fetched)).unwrap_or_default();
        let a_while = now + MIN_TTL;
        entry.checked = now;
        entry.fresh_until = match entry.verified && age < OUTAGE.as_secs() {
            true => a_while,
            false => a_while.min(entry.ttl_until),
        };
        (now < entry.fresh_until).then(|| Arc::clone(key))
    }

    fn insert(&mut self, name: &KeyName, result: KeyResult, verified: bool, ttl: Duration) {
        if self.entries.len() >= self.config.max_names && !self.evict_one() {
            return;
        }
        let now = self.now();
        let entry = Entry {
            result,
            verified,
            fetched: self.config.clock.unix(),
            fresh_until: now + ttl,
            ttl_until: now + ttl,
            checked: now,
        };
        self.entries.insert(name.clone(), entry);
    }

    /// Evicts the least useful name; false if all are verified keys.
    fn evict_one(&mut self) -> bool {
        let others = self.entries.iter().filter(|(_, entry)| !entry.verified);
        let least = others.min_by_key(|(_, entry)| (entry.result.is_ok(), entry.fresh_until));
        let least = least.map(|(name, _)| name.clone());
        least.is_some_and(|name| self.entries.remove(&name).is_some())
    }

    /// Notes that a signature was verified with a key; true if that is news.
    pub(super) fn mark_verified(&mut self, key: &PublicKey) -> bool {
        let entry = self.entries.get_mut(&key.name);
        let Some(entry) = entry.filter(|entry| !entry.verified && is_of(entry, key)) else {
            return false;
        };
        entry.verified = true;
        self.dirty = true;
        self.evict_surplus_verified();
        true
    }

    /// Removes the verified keys fetched longest ago while there are too many.
    fn evict_surplus_verified(&mut self) {
        let most = MAX_VERIFIED.min(self.config.max_names / 2);
        let verified = self.entries.iter().filter(|(_, entry)| entry.verified);
        let mut verified: Vec<(i64, KeyName)> = verified
            .map(|(name, entry)| (entry.fetched, name.clone()))
            .collect();
        verified.sort();
        let surplus = verified.len().saturating_sub(most);
        for (_, name) in verified.iter().take(surplus) {
            self.entries.remove(name);
            self.dirty = true;
        }
    }

    /// After a signature did not verify with this key: makes it stale unless DNS was asked within
    /// [`MIN_TTL`]. True if a look-up is worthwhile, as another key may have been published since.
    pub(super) fn recheck(&mut self, key: &PublicKey) -> bool {
        let now = self.now();
        let entry = self.entries.get_mut(&key.name);
        let Some(entry) = entry.filter(|entry| is_of(entry, key)) else {
            return true;
        };
        let is_due = now.saturating_sub(entry.checked) >= MIN_TTL;
        if is_due {
            entry.fresh_until = now;
        }
        is_due
    }

    /// The verified keys, if the key store differs from them; from now on it counts as equal.
    pub(super) fn take_unsaved(&mut self) -> Option<Vec<StoredKey>> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let verified = self.entries.values().filter(|entry| entry.verified);
        let mut keys: Vec<StoredKey> = verified
            .filter_map(|entry| {
                let key = entry.result.as_ref().ok()?;
                Some(StoredKey {
                    name: key.name.as_str().to_owned(),
                    record: key.record.clone(),
                    fetched: entry.fetched,
                })
            })
            .collect();
        keys.sort_by(|one, other| one.name.cmp(&other.name));
        Some(keys)
    }
}

/// Whether a cached entry holds this key, and not another one of its name.
fn is_of(entry: &Entry, key: &PublicKey) -> bool {
    let held = entry.result.as_ref();
    held.is_ok_and(|held| held.record == key.record)
}
