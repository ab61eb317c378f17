//! The lookups: which (sub)profiles ever had a value, of some fields.
//!
//! An entry ([`Word`]) stands for each distinct field, value and (sub)profile,
//! not for each event: what comes again is let go before a run is made of what
//! is pending. The runs stand beside those of the events in the same database,
//! with a manifest and a position of their own, so that they can be made while
//! questions are answered, and dropped.
//!
//! They tell of every value that an event up to their position can have given,
//! and of others: the answer is confirmed by a replay. Values of pruned events
//! are those of the baselines; which baselines are in them is kept with the
//! fields, in sled's default tree under `f` ([`super::lookup_settings`]).

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::error::{IndexError, contain};
use super::find::Finder;
use super::lookup_settings::{decode, encode};
use super::manifest::Manifest;
use super::probe::{Looked, Probe};
use super::run::{Run, drop_others};
use super::slotted::Slotted;
use super::store::{Position, Store};
use super::word::{Folded, Word};
use crate::event::ProfileKey;
use crate::store::retention::Pruned;

/// The most fields that are looked up.
pub const MOST_FIELDS: usize = 16;

/// How many entries are gathered before a run is made of the new ones among
/// them: some 150 bytes each in memory.
const GATHERED: usize = 16_384;

/// After how many events the position is kept, though few entries came.
const KEPT_EVERY: u64 = 65_536;

/// Under which name the fields are kept.
const SETTINGS: &[u8] = b"f";

/// The lookups of a data folder, and how far they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupState {
    /// Of which fields.
    pub fields: Vec<String>,
    /// The last event that is in them.
    pub up_to: u64,
    /// How many entries there are; some may be counted twice until a merge.
    pub entries: u64,
    /// How many bytes those take that are not in memory.
    pub bytes: u64,
    /// Of which pruned events what is left is in them.
    pub pruned: Option<Pruned>,
}

/// Values of looked-up fields, by the fields' places, and whose they are.
#[derive(Debug, Default)]
pub struct LookedValues(BTreeSet<Word>);

impl LookedValues {
    /// Adds one.
    pub fn add(&mut self, field: usize, value: &str, key: ProfileKey) {
        self.0.extend(word(field, value, key));
    }

    /// How many there are that differ.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn word(field: usize, value: &str, key: ProfileKey) -> Option<Word> {
    let field = u8::try_from(field).ok()?;
    Some(Word::new(field, Folded::new(value), key))
}

/// Fields as they are kept: in order, each once.
pub(super) fn arranged(fields: &[String]) -> Vec<String> {
    let fields: BTreeSet<&String> = fields.iter().collect();
    fields.into_iter().take(MOST_FIELDS).cloned().collect()
}

/// The lookups.
pub(super) struct Lookup {
    pub fields: Vec<String>,
    store: Store<Word>,
    /// How many entries are gathered for a run.
    gathered: usize,
    /// Which baselines are in them.
    baselines: Mutex<Option<Pruned>>,
}

impl Lookup {
    /// Those of a database, if it has any.
    pub fn open(db: &sled::Db, log_id: u64) -> Result<Option<Self>, IndexError> {
        contain(|| {
            let settings = db.get(SETTINGS)?;
            let settings = settings.as_deref().and_then(decode);
            let Some((fields, baselines)) = settings else {
                // None, or those of a later version.
                Self::remove_from(db)?;
                return Ok(None);
            };
            Ok(Some(Self {
                fields,
                store: Store::of(db.clone(), log_id)?,
                gathered: GATHERED,
                baselines: Mutex::new(baselines),
            }))
        })
    }

    /// Begins lookups of some fields, which are arranged, in the place of those
    /// that there were.
    pub fn make(db: &sled::Db, log_id: u64, fields: Vec<String>) -> Result<Self, IndexError> {
        contain(|| {
            Self::remove_from(db)?;
            let mut batch = sled::Batch::default();
            batch.insert(SETTINGS, encode(&fields, None));
            batch.insert(Word::MANIFEST, Manifest::default().encode(log_id));
            db.apply_batch(batch)?;
            Ok(Self {
                fields,
                store: Store::of(db.clone(), log_id)?,
                gathered: GATHERED,
                baselines: Mutex::new(None),
            })
        })
    }

    /// The same, with runs of another length.
    #[cfg(test)]
    pub fn with_gathered(self, gathered: usize) -> Self {
        Self { gathered, ..self }
    }

    /// Drops all lookups of a database; nobody may hold any.
    pub fn remove(db: &sled::Db) -> Result<(), IndexError> {
        contain(|| Self::remove_from(db))
    }

    fn remove_from(db: &sled::Db) -> Result<(), IndexError> {
        let mut batch = sled::Batch::default();
        batch.remove(SETTINGS);
        batch.remove(Word::MANIFEST);
        db.apply_batch(batch)?;
        drop_others::<Word>(db, &[])
    }

    /// Up to where the log is in them, with what is pending.
    pub fn position(&self) -> Position {
        self.store.position()
    }

    /// The word of a field's value, by the field's place.
    pub fn word(&self, field: usize, value: &str, key: ProfileKey) -> Option<Word> {
        word(field, value, key)
    }

    /// Enters words and moves the position.
    pub fn enter(&self, words: &[Word], position: Position) -> Result<(), IndexError> {
        self.store.view_mut().pending.enter_bare(words, position);
        let view = self.store.view();
        let due = view.pending.len() >= self.gathered
            || position.seq.saturating_sub(view.kept.seq) >= KEPT_EVERY;
        drop(view);
        if due { self.write() } else { Ok(()) }
    }

    /// Enters words of baselines; the position stays.
    pub fn enter_pruned(&self, words: &[Word]) -> Result<(), IndexError> {
        self.enter(words, self.position())
    }

    /// Whether the baselines of what is pruned are in them.
    pub fn knows(&self, pruned: Option<Pruned>) -> bool {
        pruned.is_none() || *self.baselines() == pruned
    }

    /// Takes note that they are.
    pub fn learn(&self, pruned: Pruned) -> Result<(), IndexError> {
        self.write()?;
        contain(|| {
            let settings = encode(&self.fields, Some(pruned));
            self.store.db.insert(SETTINGS, settings)?;
            Ok(())
        })?;
        *self.baselines() = Some(pruned);
        Ok(())
    }

    fn baselines(&self) -> std::sync::MutexGuard<'_, Option<Pruned>> {
        self.baselines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a run of what is pending and new, and keeps the position.
    fn write(&self) -> Result<(), IndexError> {
        contain(|| {
            let known = self.known()?;
            self.store.view_mut().pending.forget_bare(&known);
            self.store.write_pending()
        })
    }

    /// The pending words that are in a run already.
    fn known(&self) -> Result<Vec<Word>, IndexError> {
        let view = self.store.view();
        let mut finders: Vec<_> = view.runs.iter().map(Finder::new).collect();
        let mut known = Vec::new();
        for word in view.pending.slots() {
            if held(&mut finders, word)? {
                known.push(word);
            }
        }
        Ok(known)
    }

    /// Goes on with merging for a while; `false` where there is nothing to merge.
    pub fn tidy(&self) -> Result<bool, IndexError> {
        self.store.tidy()
    }

    /// Hands everything to the database.
    pub fn flush(&self) -> Result<(), IndexError> {
        self.write()?;
        self.store.flush()
    }

    /// A page of what is asked for, after another page; `None` where the field
    /// is not looked up. `pruned` is what is pruned now.
    pub fn look_up(
        &self,
        probe: &Probe,
        pruned: Option<Pruned>,
        after: Option<&Looked>,
        limit: usize,
    ) -> Result<Option<Looked>, IndexError> {
        let place = self.fields.iter().position(|name| *name == probe.field);
        let Some(field) = place.and_then(|place| u8::try_from(place).ok()) else {
            return Ok(None);
        };
        let after = after.and_then(|looked| looked.last);
        if after.is_some_and(|word| word.field != field) {
            // It was a page of others, which are no more.
            return Ok(None);
        }
        contain(|| {
            let baselines = self.knows(pruned);
            let view = self.store.view();
            let from = after.unwrap_or_else(|| probe.first(field));
            let mut looked = Looked {
                keys: Vec::new(),
                up_to: view.pending.position.seq,
                baselines,
                last: None,
            };
            let mut merged = view.read_from(from);
            while let Some((word, _)) = merged.next()? {
                match probe.judge(field, &word) {
                    Some(true) if Some(word) != after => looked.keys.push(word.key),
                    Some(_) => {}
                    None => break,
                }
                if looked.keys.len() >= limit {
                    looked.last = Some(word);
                    break;
                }
            }
            Ok(Some(looked))
        })
    }

    /// How far they are, and how large; without their bytes, which all must be
    /// looked at.
    pub fn state(&self) -> LookupState {
        let view = self.store.view();
        let items: u64 = view.runs.iter().map(|run| run.shape.items).sum();
        LookupState {
            fields: self.fields.clone(),
            up_to: view.pending.position.seq,
            entries: items + view.pending.len() as u64,
            bytes: 0,
            pruned: *self.baselines(),
        }
    }

    /// The same with their bytes.
    pub fn whole_state(&self) -> Result<LookupState, IndexError> {
        contain(|| {
            let runs: Vec<Run<Word>> = self.store.view().runs.clone();
            let bytes = runs.iter().map(Run::bytes_len).sum::<Result<u64, _>>()?;
            Ok(LookupState {
                bytes,
                ..self.state()
            })
        })
    }

    /// The field's place and the (sub)profile of the first of some values that
    /// is not in them.
    pub fn lacks(&self, values: &LookedValues) -> Result<Option<(usize, ProfileKey)>, IndexError> {
        let lacking = self.lacks_word(&values.0)?;
        Ok(lacking.map(|word| (usize::from(word.field), word.key)))
    }

    pub(super) fn lacks_word(&self, words: &BTreeSet<Word>) -> Result<Option<Word>, IndexError> {
        contain(|| {
            let view = self.store.view();
            let mut finders: Vec<_> = view.runs.iter().map(Finder::new).collect();
            for word in words {
                if !view.pending.holds_bare(*word) && !held(&mut finders, *word)? {
                    return Ok(Some(*word));
                }
            }
            Ok(None)
        })
    }
}

/// Whether a word is in one of some runs.
fn held(finders: &mut [Finder<'_, Word>], word: Word) -> Result<bool, IndexError> {
    let mut found = false;
    for finder in finders {
        finder.find(word, |_| found = true)?;
        if found {
            break;
        }
    }
    Ok(found)
}
