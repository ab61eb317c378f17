//! The look-ups: which (sub)profiles ever had a value, of some fields.
//!
//! There is a key ([`LookupKey`]) for each distinct field, value and
//! (sub)profile, not for each event: what is in a run already is dropped from
//! the pending keys before they become one. The runs are in the same database as
//! those of the events, with a manifest and a position of their own, so that
//! they can be made while questions are answered, and dropped.
//!
//! They find every value that an event up to their position can have set, and
//! others: the answer is confirmed by a replay. The values of pruned events are
//! those of the baselines; the manifest's generation says whose baselines are in
//! them.

use std::collections::BTreeSet;

use super::error::{IndexError, catch_panic};
use super::lookup_key::{Folded, LookupKey};
use super::lookup_query::{LookupPage, LookupQuery};
use super::manifest::{Manifest, Position};
use super::run::{Run, RunReader, drop_others};
use super::run_key::RunKey;
use super::store::Store;
use super::tree::Database;
use crate::event::ProfileKey;

/// The most fields that have look-ups.
pub const MAX_FIELDS: usize = 16;

/// The number of keys collected in memory, about 150 bytes each, before the new ones
/// among them are written as a run.
const GATHERED: usize = 16_384;

/// The position is written after this many events, even if they had few keys.
const WRITE_EVERY: u64 = 65_536;

/// The look-ups of a data folder, and how far they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupState {
    /// Their fields.
    pub fields: Vec<String>,
    /// The last event that is in them.
    pub up_to: u64,
    /// How many entries there are; some may be counted twice until a merge.
    pub entries: u64,
    /// The bytes of the entries on disk.
    pub bytes: u64,
    /// Whose baselines are in them ([`crate::store::retention::Retention::generation`]).
    pub generation: u64,
}

/// Values of fields, by the position of the field, with their (sub)profiles.
#[derive(Debug, Default)]
pub struct LookupValues(BTreeSet<LookupKey>);

impl LookupValues {
    /// Adds one.
    pub fn add(&mut self, field: usize, value: &str, key: ProfileKey) {
        self.0.extend(lookup_key(field, value, key));
    }

    /// The number of distinct keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The key of a field's value, by the field's place.
pub(super) fn lookup_key(field: usize, value: &str, key: ProfileKey) -> Option<LookupKey> {
    let field = u8::try_from(field).ok()?;
    Some(LookupKey::new(field, Folded::new(value), key))
}

/// Fields as the manifest lists them: in order, each once.
pub(super) fn normalized(fields: &[String]) -> Vec<String> {
    let fields: BTreeSet<&String> = fields.iter().collect();
    fields.into_iter().take(MAX_FIELDS).cloned().collect()
}

/// The look-ups.
pub(super) struct Lookup {
    pub fields: Vec<String>,
    store: Store<LookupKey>,
    /// How many keys are gathered for a run.
    gathered: usize,
}

impl Lookup {
    /// The look-ups of a database, if it has any.
    pub fn open(db: &Database, log_id: u64) -> Result<Option<Self>, IndexError> {
        catch_panic(|| {
            if db.get(LookupKey::MANIFEST)?.is_none() {
                // Left over from a crash.
                drop_others::<LookupKey>(db, &[])?;
                return Ok(None);
            }
            let store = Store::<LookupKey>::with_database(db.clone(), log_id, 0)?;
            let fields = store.view().manifest.fields.clone();
            Ok(Some(Self {
                fields,
                store,
                gathered: GATHERED,
            }))
        })
    }

    /// Begins look-ups of some fields, which are normalized, and replaces the old
    /// ones.
    pub fn create(
        db: &Database,
        log_id: u64,
        fields: Vec<String>,
    ) -> Result<Option<Self>, IndexError> {
        Self::remove(db)?;
        let mut manifest = Manifest::new(log_id, 0);
        manifest.fields = fields;
        catch_panic(|| db.insert(LookupKey::MANIFEST, manifest.encode()?))?;
        Self::open(db, log_id)
    }

    /// The same, with runs of another length.
    #[cfg(test)]
    pub fn with_gathered(self, gathered: usize) -> Self {
        Self { gathered, ..self }
    }

    /// Drops all look-ups of a database; none may be in use.
    pub fn remove(db: &Database) -> Result<(), IndexError> {
        catch_panic(|| {
            db.remove(LookupKey::MANIFEST)?;
            drop_others::<LookupKey>(db, &[])
        })
    }

    /// The last `seq` in them, pending keys included.
    pub fn position(&self) -> Position {
        self.store.position()
    }

    /// Adds keys and moves the position.
    pub fn add(&self, keys: &[LookupKey], position: Position) -> Result<(), IndexError> {
        self.store.view_mut().pending.add_keys(keys, position);
        let view = self.store.view();
        let written = view.manifest.position.seq;
        let due = view.pending.len() >= self.gathered
            || position.seq.saturating_sub(written) >= WRITE_EVERY;
        drop(view);
        if due {
            self.write(self.generation())?;
        }
        Ok(())
    }

    /// Adds keys of baselines; the position stays.
    pub fn add_baselines(&self, keys: &[LookupKey]) -> Result<(), IndexError> {
        self.add(keys, self.position())
    }

    /// Whose baselines are in them; 0 for none.
    pub fn generation(&self) -> u64 {
        self.store.generation()
    }

    /// Makes a run of what is pending and new, and writes the position and whose
    /// baselines are in them.
    pub fn write(&self, generation: u64) -> Result<(), IndexError> {
        catch_panic(|| {
            let known = self.known()?;
            self.store.view_mut().pending.remove_keys(&known);
            self.store.write_pending_as(generation)
        })
    }

    /// The pending keys that are in a run already.
    fn known(&self) -> Result<Vec<LookupKey>, IndexError> {
        let view = self.store.view();
        let mut readers: Vec<_> = view.runs.iter().map(Run::reader).collect();
        let mut known = Vec::new();
        for key in view.pending.keys() {
            if is_in_any(&mut readers, key)? {
                known.push(key);
            }
        }
        Ok(known)
    }

    /// See [`Store::compact_step`].
    pub fn compact_step(&self) -> Result<bool, IndexError> {
        self.store.compact_step()
    }

    /// Writes everything.
    pub fn flush(&self) -> Result<(), IndexError> {
        self.write(self.generation())?;
        self.store.flush()
    }

    /// A page of the answer to a question, after another page; `None` if the
    /// field has no look-ups. `generation` is that of the present baselines.
    pub fn page(
        &self,
        query: &LookupQuery,
        generation: u64,
        after: Option<&LookupPage>,
        limit: usize,
    ) -> Result<Option<LookupPage>, IndexError> {
        let place = self.fields.iter().position(|name| *name == query.field);
        let Some(field) = place.and_then(|place| u8::try_from(place).ok()) else {
            return Ok(None);
        };
        let after = after.and_then(|page| page.last);
        if after.is_some_and(|key| key.field != field) {
            // The earlier page came from look-ups that were replaced since.
            return Ok(None);
        }
        catch_panic(|| {
            let view = self.store.view();
            let mut page = LookupPage {
                keys: Vec::new(),
                up_to: view.pending.position.seq,
                baselines: view.manifest.generation == generation,
                last: None,
            };
            let mut merged = view.read_from(after.unwrap_or_else(|| query.first(field)))?;
            while let Some((key, _)) = merged.next()? {
                match query.matches(field, &key) {
                    Some(true) if Some(key) != after => page.keys.push(key.owner),
                    Some(_) => {}
                    None => break,
                }
                if page.keys.len() >= limit {
                    page.last = Some(key);
                    break;
                }
            }
            Ok(Some(page))
        })
    }

    /// How far they are, and how large; without their bytes, for which all of
    /// them are read.
    pub fn state(&self) -> LookupState {
        let view = self.store.view();
        let items: u64 = view.runs.iter().map(|run| run.meta.items).sum();
        LookupState {
            fields: self.fields.clone(),
            up_to: view.pending.position.seq,
            entries: items + view.pending.len() as u64,
            bytes: 0,
            generation: view.manifest.generation,
        }
    }

    /// The same with their bytes.
    pub fn state_with_bytes(&self) -> Result<LookupState, IndexError> {
        catch_panic(|| {
            let runs: Vec<Run<LookupKey>> = self.store.view().runs.clone();
            let bytes = runs.iter().map(Run::bytes_len).sum::<Result<u64, _>>()?;
            Ok(LookupState {
                bytes,
                ..self.state()
            })
        })
    }

    /// The field's place and the (sub)profile of the first of some values that
    /// is not in them.
    pub fn first_missing(
        &self,
        values: &LookupValues,
    ) -> Result<Option<(usize, ProfileKey)>, IndexError> {
        catch_panic(|| {
            let view = self.store.view();
            let mut readers: Vec<_> = view.runs.iter().map(Run::reader).collect();
            for key in &values.0 {
                if !view.pending.has_key(*key) && !is_in_any(&mut readers, *key)? {
                    return Ok(Some((usize::from(key.field), key.owner)));
                }
            }
            Ok(None)
        })
    }
}

/// Whether a key is in one of some runs.
fn is_in_any(readers: &mut [RunReader<LookupKey>], key: LookupKey) -> Result<bool, IndexError> {
    let mut found = false;
    for reader in readers {
        reader.find(key, |_| found = true)?;
        if found {
            break;
        }
    }
    Ok(found)
}
