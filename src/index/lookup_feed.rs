//! Keeping the lookups: what the index's thread does when there is nothing
//! else to do.
//!
//! It reads the log again from where they are, a thousand events at a time, of
//! each body what is wanted. While calls come in, one such step is made between
//! two looks at the log, so that entering events comes first.

use std::sync::{PoisonError, RwLockReadGuard};
use std::time::{Duration, Instant};

use super::error::IndexError;
use super::lookup::{Lookup, arranged};
use super::shared::{Backend, Opened, Shared};
use super::store::Position;
use super::word::Word;
use crate::event::{ProfileKey, values_of};
use crate::history::{Baseline, Known};
use crate::log::record::EventRecord;
use crate::log::{LogError, Scanned};
use crate::store::retention::{Pruned, Walk};

/// How many events, or baselines, a step reads.
const STEP: u64 = 1024;

/// Lookups that lack more events than this are told of while they are made.
const WORTH_TELLING: u64 = 20_000;

/// How often that is told.
const TELL: Duration = Duration::from_secs(5);

/// Where the thread is with the lookups.
#[derive(Default)]
pub(super) struct Feeding {
    /// The baselines that are being read.
    walk: Option<(Pruned, Walk)>,
    /// The last event of the log when it was looked at last.
    last: u64,
    /// When it was told last that they are being made, if they are.
    told: Option<Instant>,
}

/// What a step failed for.
enum Failed {
    Index(IndexError),
    Log(LogError),
}

impl From<IndexError> for Failed {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<LogError> for Failed {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Opened {
    /// Hands everything to the system.
    pub fn flush(&self) -> Result<(), IndexError> {
        if let Some(lookup) = &*self.lookup() {
            lookup.flush()?;
        }
        self.events.flush()
    }

    pub fn lookup(&self) -> RwLockReadGuard<'_, Option<Lookup>> {
        self.lookup.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts lookups of some fields, arranged, in the place of those there are.
    fn set_lookup(&self, log_id: u64, fields: Vec<String>) -> Result<(), IndexError> {
        let mut place = self.lookup.write().unwrap_or_else(PoisonError::into_inner);
        *place = None;
        let db = &self.events.db;
        if fields.is_empty() {
            Lookup::remove(db)?;
        } else {
            *place = Some(Lookup::make(db, log_id, fields)?);
        }
        Ok(())
    }
}

impl Shared {
    /// A step of keeping the lookups; whether another is to follow at once.
    pub fn feed_lookup(&self, feeding: &mut Feeding) -> bool {
        let (ready, applied, wanted) = {
            let state = self.state();
            (state.is_ready(), state.applied, state.lookup.clone())
        };
        if !ready {
            return false;
        }
        let last = self.log.last_seq();
        let calls = std::mem::replace(&mut feeding.last, last) != last;
        let done = match &*self.backend() {
            Backend::Sled(opened) => self.step(opened, applied, wanted, feeding),
            Backend::Memory(_) | Backend::Closed => Ok(false),
        };
        match done {
            Ok(more) => more && !calls,
            Err(Failed::Index(error)) => {
                *feeding = Feeding::default();
                self.give_up(&error);
                false
            }
            Err(Failed::Log(error)) => {
                *feeding = Feeding::default();
                self.fail(&error.to_string());
                false
            }
        }
    }

    fn step(
        &self,
        opened: &Opened,
        applied: u64,
        wanted: Option<Vec<String>>,
        feeding: &mut Feeding,
    ) -> Result<bool, Failed> {
        self.settle(opened, wanted, feeding)?;
        let place = opened.lookup();
        let Some(lookup) = &*place else {
            return Ok(false);
        };
        let pruned = self.pruned();
        if let Some(pruned) = pruned
            && !lookup.knows(Some(pruned))
        {
            self.read_baselines(lookup, pruned, feeding)?;
            return Ok(true);
        }
        feeding.walk = None;
        let before = lookup.position().seq;
        if before < applied {
            self.tell_begun(lookup, before, applied, feeding);
            self.read_events(lookup, before + 1, applied.min(before + STEP))?;
            return Ok(true);
        }
        if feeding.told.take().is_some() {
            tracing::info!("the lookups of {} are complete", lookup.fields.join(", "));
        }
        Ok(lookup.tidy()?)
    }

    /// Sees to it that the lookups are of the fields that are wanted.
    fn settle(
        &self,
        opened: &Opened,
        wanted: Option<Vec<String>>,
        feeding: &mut Feeding,
    ) -> Result<(), Failed> {
        let present = {
            let place = opened.lookup();
            place.as_ref().map(|lookup| lookup.fields.clone())
        };
        let present = present.unwrap_or_default();
        let Some(wanted) = wanted else {
            // Whatever there was when the folder was opened stays.
            self.state().lookup.get_or_insert(present);
            return Ok(());
        };
        let wanted = arranged(&wanted);
        if wanted != present {
            *feeding = Feeding::default();
            if wanted.is_empty() {
                tracing::info!("the lookups of {} are dropped", present.join(", "));
            } else {
                tracing::info!("the lookups of {} are made", wanted.join(", "));
            }
            opened.set_lookup(self.log_id, wanted)?;
        }
        Ok(())
    }

    fn tell_begun(&self, lookup: &Lookup, before: u64, applied: u64, feeding: &mut Feeding) {
        let due = match feeding.told {
            Some(told) => told.elapsed() >= TELL,
            None => applied - before > WORTH_TELLING,
        };
        if due {
            feeding.told = Some(Instant::now());
            let fields = lookup.fields.join(", ");
            tracing::info!("the lookups of {fields} are made: {before} of {applied} events");
        }
    }

    /// Enters the values of some events.
    fn read_events(&self, lookup: &Lookup, first: u64, last: u64) -> Result<(), Failed> {
        let mut words: Vec<Word> = Vec::new();
        let mut position = Position {
            seq: first.saturating_sub(1),
            mark: 0,
        };
        let retention = self.retention();
        let mut scan = self.log.scan_range(first, last);
        while let Some(scanned) = scan.step()? {
            match scanned {
                Scanned::Records(records) => {
                    for (seq, record) in records {
                        position = Position {
                            seq,
                            mark: crc32c::crc32c(record),
                        };
                        if !retention.hides_record(seq, record) {
                            read(lookup, record, &mut words);
                        }
                    }
                }
                // What cannot be read is nobody's value, and answers say so.
                Scanned::Damage(damage) => {
                    position.seq = position.seq.max(damage.last_seq.min(last))
                }
            }
        }
        position.seq = position.seq.max(last);
        Ok(lookup.enter(&words, position)?)
    }

    /// Enters the values of some baselines.
    fn read_baselines(
        &self,
        lookup: &Lookup,
        pruned: Pruned,
        feeding: &mut Feeding,
    ) -> Result<(), Failed> {
        if feeding.walk.as_ref().is_none_or(|(of, _)| *of != pruned) {
            let retention = self.retention();
            let walk = retention.baselines().map(|baselines| baselines.walk());
            feeding.walk = retention.pruned.zip(walk);
        }
        let mut words = Vec::new();
        let Some((of, walk)) = &mut feeding.walk else {
            return Ok(());
        };
        for _ in 0..STEP {
            let Some(kept) = walk.step()? else {
                lookup.enter_pruned(&words)?;
                let of = *of;
                feeding.walk = None;
                return Ok(lookup.learn(of)?);
            };
            each_value(lookup, &kept.baseline, kept.key, |word| words.push(word));
        }
        Ok(lookup.enter_pruned(&words)?)
    }
}

/// The values that a record may give the fields.
fn read(lookup: &Lookup, record: &[u8], words: &mut Vec<Word>) {
    let Ok(record) = EventRecord::decode(record) else {
        return;
    };
    let (key, kind) = (record.head.key(), record.head.body_kind);
    // An event whose body cannot be read is damage wherever it is replayed.
    let _ = values_of(kind, record.body, &lookup.fields, |place, value| {
        words.extend(lookup.word(place, &value, key));
    });
}

fn each_value(lookup: &Lookup, baseline: &Baseline, key: ProfileKey, mut each: impl FnMut(Word)) {
    let Known::Present(state) = &baseline.known else {
        return;
    };
    for (place, name) in lookup.fields.iter().enumerate() {
        if let Some(value) = state.fields.get(name)
            && let Some(word) = lookup.word(place, value, key)
        {
            each(word);
        }
    }
}
