//! The look-ups: the (sub)profiles that ever had a value, for some fields.
//!
//! There is a key ([`LookupKey`]) for each distinct field, value and (sub)profile, not
//! for each event: a key that is in a run already is not written again. They find every
//! value that an event up to the index's position can have set, and possibly others: a
//! replay confirms the answer. The values of pruned events are those of the baselines.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::IndexError;
use super::key::IndexKey;
use super::lookup_key::{Folded, LookupKey};
use super::run::Run;
use super::store::{EventStore, is_in_any};
use crate::event::{ProfileKey, values_of};
use crate::history::Known;
use crate::log::record::EventRecord;
use crate::store::retention::KeptBaseline;

/// The most fields that have look-ups.
pub const MAX_FIELDS: usize = 16;

/// The size of the look-ups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LookupLine")]
pub struct LookupState {
    /// Their fields.
    pub fields: Vec<String>,
    /// The last event in them.
    pub up_to: u64,
    /// The number of distinct values of (sub)profiles; some may count twice until
    /// runs are merged.
    pub entries: u64,
    /// Their share of the index's files, in bytes.
    pub bytes: u64,
    /// Whose baselines are in them ([`crate::store::retention::Retention::generation`]);
    /// 0 for none.
    #[serde(skip)]
    pub generation: u64,
}

/// Values of fields, by the position of the field, with their (sub)profiles.
#[derive(Debug, Default)]
pub struct LookupValues(pub(super) BTreeSet<LookupKey>);

impl LookupValues {
    /// Adds those that an event may set. An event with an unreadable body has none: every
    /// replay of it reports damage.
    pub fn add_record(&mut self, record: &[u8], fields: &[String]) {
        let Ok(record) = EventRecord::decode(record) else {
            return;
        };
        let (key, kind) = (record.head.key(), record.head.body_kind);
        let _ = values_of(kind, record.body, fields, |place, value| {
            self.add(place, &value, key);
        });
    }

    pub fn add_baseline(&mut self, kept: &KeptBaseline, fields: &[String]) {
        let Known::Present(state) = &kept.baseline.known else {
            return;
        };
        for (place, name) in fields.iter().enumerate() {
            if let Some(value) = state.fields.get(name) {
                self.add(place, value, kept.key);
            }
        }
    }

    pub(super) fn add(&mut self, field: usize, value: &str, owner: ProfileKey) {
        let field = u8::try_from(field).ok();
        let folded = Folded::new(value);
        self.0.extend(field.map(|field| LookupKey {
            field,
            folded,
            owner,
        }));
    }

    /// The number of distinct keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Fields as the manifest lists them: in order, each once.
pub(super) fn normalized(fields: &[String]) -> Vec<String> {
    let fields: BTreeSet<&String> = fields.iter().collect();
    fields.into_iter().take(MAX_FIELDS).cloned().collect()
}

/// Who may have had a value?
#[derive(Clone, Debug)]
pub struct LookupQuery {
    field: String,
    folded: Folded,
    /// Any value that begins so is meant.
    prefix: bool,
}

impl LookupQuery {
    /// Who may have had a value of a field, or one that begins so; upper and
    /// lower case are the same.
    pub fn new(field: &str, value: &str, prefix: bool) -> Self {
        Self {
            field: field.to_owned(),
            folded: Folded::new(value),
            prefix,
        }
    }

    /// The lowest key that may match.
    fn first(&self, field: u8) -> LookupKey {
        let mut folded = self.folded;
        if self.prefix {
            folded.hash = 0;
        }
        LookupKey {
            field,
            folded,
            ..LookupKey::FIRST
        }
    }

    /// Whether a key matches; `None` if no key after it does.
    fn matches(&self, field: u8, key: &LookupKey) -> Option<bool> {
        if key.field != field {
            return None;
        }
        if !self.prefix {
            return (key.folded == self.folded).then_some(true);
        }
        let begins = key.folded.head.starts_with(self.folded.bytes());
        begins.then_some(key.folded.len >= self.folded.len)
    }
}

/// A page of (sub)profiles that may have had a value.
#[derive(Clone, Debug)]
pub struct LookupPage {
    pub keys: Vec<ProfileKey>,
    /// The answer covers events up to this `seq`.
    pub up_to: u64,
    /// The answer covers the baselines.
    pub baselines: bool,
    /// The last key, if others may follow.
    last: Option<LookupKey>,
}

impl LookupPage {
    /// Whether no page follows.
    pub const fn is_last(&self) -> bool {
        self.last.is_none()
    }
}

impl EventStore {
    /// A page of the answer to a question, after another page; `None` if the
    /// field has no look-ups. `generation` is that of the present baselines.
    pub fn look_up(
        &self,
        query: &LookupQuery,
        generation: u64,
        after: Option<&LookupPage>,
        limit: usize,
    ) -> Result<Option<LookupPage>, IndexError> {
        let view = self.view();
        let mut fields = view.manifest.fields.iter();
        let place = fields.position(|name| *name == query.field);
        let Some(field) = place.and_then(|place| u8::try_from(place).ok()) else {
            return Ok(None);
        };
        let after = after.and_then(|page| page.last);
        if after.is_some_and(|key| key.field != field) {
            // The earlier page came from an index that was replaced since.
            return Ok(None);
        }
        let mut page = LookupPage {
            keys: Vec::new(),
            up_to: view.pending.position.seq,
            baselines: view.manifest.has_baselines && view.manifest.generation == generation,
            last: None,
        };
        let first = after.unwrap_or_else(|| query.first(field));
        let mut merged = view.read_from(IndexKey::Value(first))?;
        while let Some((IndexKey::Value(key), _)) = merged.next()? {
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
    }

    /// The look-ups, if there are any; without their bytes.
    pub fn lookup_state(&self) -> Option<LookupState> {
        let view = self.view();
        let manifest = &view.manifest;
        let values: u64 = manifest.runs.iter().map(|run| run.values).sum();
        (!manifest.fields.is_empty()).then(|| LookupState {
            fields: manifest.fields.clone(),
            up_to: view.pending.position.seq,
            entries: values + view.pending.values() as u64,
            bytes: 0,
            generation: if manifest.has_baselines {
                manifest.generation
            } else {
                0
            },
        })
    }

    /// The same with their bytes, for which all of them are read.
    pub fn lookup_state_with_bytes(&self) -> Result<Option<LookupState>, IndexError> {
        let Some(state) = self.lookup_state() else {
            return Ok(None);
        };
        let runs = self.view().runs.clone();
        let bytes = runs.iter().map(Run::value_bytes);
        let bytes = bytes.sum::<Result<u64, _>>()?;
        Ok(Some(LookupState { bytes, ..state }))
    }

    /// The field's place and the (sub)profile of the first of some values that
    /// is not in the look-ups.
    pub fn first_missing(
        &self,
        values: &LookupValues,
    ) -> Result<Option<(usize, ProfileKey)>, IndexError> {
        let view = self.view();
        let mut readers = view.readers();
        for key in &values.0 {
            let known =
                view.pending.has_value(*key) || is_in_any(&mut readers, IndexKey::Value(*key))?;
            if !known {
                return Ok(Some((usize::from(key.field), key.owner)));
            }
        }
        Ok(None)
    }
}
