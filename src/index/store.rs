//! The index in sled.
//!
//! One tree. Keys, numbers in big-endian so that they sort:
//!
//! | key | value |
//! | --- | --- |
//! | `m` | version (4 bytes), log id (8), applied `seq` (8), CRC-32C of that event's record (4), all little-endian |
//! | `t`, (sub)profile | number of full chunks (varint) and the open chunk |
//! | `c`, (sub)profile, number (4 bytes) | a full chunk |
//! | `s`, subprofile (8 bytes) | the profile's number (8 bytes) |
//! | `d`, first `seq` (8 bytes) | last `seq` (8 bytes) of events that cannot be read |
//!
//! A (sub)profile is the profile (8 bytes) and 0, or the profile, 1 and the
//! subprofile (8 bytes).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use super::chunk::{CHUNK_LEN, Chunk, put, take};
use super::keys::{chunk_key, key_bytes, owner_key, parse_key};
use crate::event::ProfileKey;

const VERSION: u32 = 1;
const META: &[u8] = b"m";

/// How long a database that this process has just closed is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// One event, to be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The (sub)profile.
    pub key: ProfileKey,
    /// The event's time in Unix seconds.
    pub time: i64,
    /// Its `seq`.
    pub seq: u64,
}

/// Up to where the log is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last `seq` that is in the index; 0 for none.
    pub seq: u64,
    /// CRC-32C of that event's record, by which another log is told apart.
    pub mark: u32,
}

/// What is wrong with the index. All of it ends in a rebuild.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// sled failed.
    #[error("sled: {0}")]
    Sled(#[from] sled::Error),
    /// sled panicked.
    #[error("sled panicked: {0}")]
    Panic(String),
    /// A value that makes no sense.
    #[error("an entry is damaged")]
    Entry,
    /// An index of another version or another data folder.
    #[error("it was written by another version, or for another data folder")]
    Foreign,
}

impl IndexError {
    /// Whether this process has the database open still.
    fn is_locked(&self) -> bool {
        matches!(self, Self::Sled(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock"))
    }

    /// Whether the disk is full: then a rebuild on it has no hope.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sled(sled::Error::Io(error))
            if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded | std::io::ErrorKind::FileTooLarge))
    }
}

/// The index in sled.
pub(super) struct SledIndex {
    db: sled::Db,
    log_id: u64,
}

/// Calls into sled, taking its panics for errors.
fn contain<T>(call: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(IndexError::Panic(
            text.unwrap_or_else(|| "for no stated reason".to_owned()),
        ))
    })
}

impl SledIndex {
    /// Opens or makes the index in a folder. `cache` is sled's, in bytes.
    pub fn open(path: &Path, cache: u64, log_id: u64) -> Result<Self, IndexError> {
        let begun = Instant::now();
        loop {
            match contain(|| Self::open_once(path, cache, log_id)) {
                // sled's own threads let a database go a moment after it was
                // dropped. The data folder's lock keeps other processes out.
                Err(error) if error.is_locked() && begun.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                opened => return opened,
            }
        }
    }

    fn open_once(path: &Path, cache: u64, log_id: u64) -> Result<Self, IndexError> {
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(cache)
            .mode(sled::Mode::HighThroughput)
            .flush_every_ms(Some(2_000))
            .open()?;
        let index = Self { db, log_id };
        if index.db.is_empty() {
            let fresh = index.meta(Position::default());
            index.db.insert(META, fresh)?;
        }
        index.position()?;
        Ok(index)
    }

    fn meta(&self, position: Position) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.log_id.to_le_bytes());
        bytes.extend_from_slice(&position.seq.to_le_bytes());
        bytes.extend_from_slice(&position.mark.to_le_bytes());
        bytes
    }

    /// Up to where the log is applied.
    pub fn position(&self) -> Result<Position, IndexError> {
        contain(|| {
            let meta = self.db.get(META)?.ok_or(IndexError::Foreign)?;
            let own = self.meta(Position::default());
            let rest = own
                .get(..12)
                .and_then(|own| meta.strip_prefix(own))
                .ok_or(IndexError::Foreign)?;
            let (seq, mark) = rest.split_first_chunk::<8>().ok_or(IndexError::Entry)?;
            Ok(Position {
                seq: u64::from_le_bytes(*seq),
                mark: u32::from_le_bytes(mark.try_into().map_err(|_| IndexError::Entry)?),
            })
        })
    }

    /// Enters events, in the order of their `seq`, and those that cannot be
    /// read (first and last `seq`), and moves the position.
    pub fn apply(
        &self,
        entries: &[Entry],
        unreadable: &[(u64, u64)],
        position: Position,
    ) -> Result<(), IndexError> {
        contain(|| {
            let mut batch = sled::Batch::default();
            for (first, last) in unreadable {
                let name = [b"d".as_slice(), &first.to_be_bytes()].concat();
                batch.insert(name, &last.to_be_bytes());
            }
            let mut grouped: BTreeMap<ProfileKey, Vec<Entry>> = BTreeMap::new();
            for entry in entries {
                grouped.entry(entry.key).or_default().push(*entry);
            }
            // The last event of a subprofile decides whose it is.
            let owned = entries
                .iter()
                .filter_map(|entry| Some((entry.key.subprofile?, entry.key.profile)));
            for (subprofile, profile) in owned.collect::<BTreeMap<u64, u64>>() {
                let (name, owner) = (owner_key(subprofile), profile.to_be_bytes());
                if self
                    .db
                    .get(&name)?
                    .is_none_or(|known| known.as_ref() != owner)
                {
                    batch.insert(name, &owner);
                }
            }
            for (key, entries) in grouped {
                let head_key = key_bytes(b't', key);
                let (mut full, mut open) = match self.db.get(&head_key)? {
                    Some(head) => parse_head(&head)?,
                    None => (0, Chunk::default()),
                };
                for entry in entries {
                    if open.count >= CHUNK_LEN {
                        let mut bytes = Vec::new();
                        std::mem::take(&mut open).encode(&mut bytes);
                        batch.insert(chunk_key(key, full), bytes);
                        full += 1;
                    }
                    open.push(entry.time, entry.seq);
                }
                let mut head = Vec::new();
                put(&mut head, full);
                open.encode(&mut head);
                batch.insert(head_key, head);
            }
            batch.insert(META, self.meta(position));
            Ok(self.db.apply_batch(batch)?)
        })
    }

    /// The (time, `seq`) pairs of a (sub)profile in the order of arrival.
    pub fn pairs(&self, key: ProfileKey) -> Result<Vec<(i64, u64)>, IndexError> {
        contain(|| {
            let Some(head) = self.db.get(key_bytes(b't', key))? else {
                return Ok(Vec::new());
            };
            let (full, open) = parse_head(&head)?;
            let mut pairs = Vec::new();
            for number in 0..full {
                let bytes = self
                    .db
                    .get(chunk_key(key, number))?
                    .ok_or(IndexError::Entry)?;
                let chunk = Chunk::decode(&bytes).ok_or(IndexError::Entry)?;
                chunk.pairs(&mut pairs).ok_or(IndexError::Entry)?;
            }
            open.pairs(&mut pairs).ok_or(IndexError::Entry)?;
            Ok(pairs)
        })
    }

    /// Whether a (sub)profile has an event in a span of time (`until` exclusive).
    pub fn touches(&self, key: ProfileKey, since: i64, until: i64) -> Result<bool, IndexError> {
        contain(|| {
            let Some(head) = self.db.get(key_bytes(b't', key))? else {
                return Ok(false);
            };
            let (full, open) = parse_head(&head)?;
            if open.overlaps(since, until) {
                return Ok(true);
            }
            for number in (0..full).rev() {
                let bytes = self
                    .db
                    .get(chunk_key(key, number))?
                    .ok_or(IndexError::Entry)?;
                if Chunk::decode(&bytes)
                    .ok_or(IndexError::Entry)?
                    .overlaps(since, until)
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// The profile that a subprofile belongs to, by the last event of it.
    pub fn profile_of(&self, subprofile: u64) -> Result<Option<u64>, IndexError> {
        contain(|| {
            let Some(bytes) = self.db.get(owner_key(subprofile))? else {
                return Ok(None);
            };
            let number = bytes.as_ref().try_into().map_err(|_| IndexError::Entry)?;
            Ok(Some(u64::from_be_bytes(number)))
        })
    }

    /// Up to `limit` (sub)profiles in order, from the one after `after`.
    pub fn keys_after(
        &self,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<ProfileKey>, IndexError> {
        contain(|| {
            let mut from = after.map_or_else(|| b"t".to_vec(), |key| key_bytes(b't', key));
            if after.is_some() {
                // The least key after that one.
                from.push(0);
            }
            self.db
                .range(from..b"u".to_vec())
                .keys()
                .take(limit)
                .map(|key| parse_key(&key?).ok_or(IndexError::Entry))
                .collect()
        })
    }

    /// First and last `seq` of events that could not be read.
    pub fn unreadable(&self) -> Result<Vec<(u64, u64)>, IndexError> {
        let number = |bytes: Option<&[u8]>| {
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_be_bytes).ok_or(IndexError::Entry)
        };
        contain(|| {
            self.db
                .scan_prefix(b"d")
                .map(|entry| {
                    let (name, last) = entry?;
                    Ok((number(name.get(1..))?, number(Some(&last))?))
                })
                .collect()
        })
    }

    /// Hands everything to the system, so that the next opening is quick.
    pub fn flush(&self) -> Result<(), IndexError> {
        contain(|| {
            self.db.flush()?;
            Ok(())
        })
    }
}

fn parse_head(mut bytes: &[u8]) -> Result<(u64, Chunk), IndexError> {
    let full = take(&mut bytes).ok_or(IndexError::Entry)?;
    Ok((full, Chunk::decode(bytes).ok_or(IndexError::Entry)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_across_chunks_and_openings() {
        let dir = tempfile::tempdir().unwrap();
        let keys = [
            ProfileKey::profile(1),
            ProfileKey::subprofile(1, 7),
            ProfileKey::subprofile(1, u64::MAX),
            ProfileKey::profile(2),
        ];
        let mut seq = 0;
        let mut expected: BTreeMap<ProfileKey, Vec<(i64, u64)>> = BTreeMap::new();
        for round in 0..3 {
            let index = SledIndex::open(dir.path(), 1 << 20, 9).unwrap();
            assert_eq!(index.position().unwrap().seq, seq);
            for _ in 0..40 {
                let entries: Vec<Entry> = (0..11_u64)
                    .map(|number| {
                        seq += 1;
                        let key = keys[(number % 4) as usize];
                        let time = 1_000 - 3 * seq as i64 + round;
                        expected.entry(key).or_default().push((time, seq));
                        Entry { key, time, seq }
                    })
                    .collect();
                index
                    .apply(&entries, &[], Position { seq, mark: 5 })
                    .unwrap();
            }
            index.flush().unwrap();
        }
        let index = SledIndex::open(dir.path(), 1 << 20, 9).unwrap();
        for key in keys {
            assert_eq!(index.pairs(key).unwrap(), expected[&key], "{key}");
        }
        assert_eq!(index.keys_after(None, 10).unwrap(), keys);
        assert_eq!(index.keys_after(Some(keys[1]), 10).unwrap(), keys[2..]);
        assert_eq!(index.profile_of(7).unwrap(), Some(1));
        assert_eq!(index.profile_of(8).unwrap(), None);
    }

    #[test]
    fn an_index_of_another_folder_is_foreign() {
        let dir = tempfile::tempdir().unwrap();
        drop(SledIndex::open(dir.path(), 1 << 20, 9).unwrap());
        assert!(matches!(
            SledIndex::open(dir.path(), 1 << 20, 8),
            Err(IndexError::Foreign)
        ));
    }
}
