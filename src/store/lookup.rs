//! Which (sub)profiles may have had a value, as the index knows it.

use super::error::TrailError;
use super::open::Trail;
use crate::event::ProfileKey;
use crate::index::{Looked, LookedValues, LookupState, Probe};

impl Trail {
    /// Sets of which fields the values are looked up from now on. What there is
    /// already is entered in the background; the folder remembers it.
    pub fn set_lookup(&self, fields: Vec<String>) {
        self.indexer.set_lookup(fields);
    }

    /// A page of the (sub)profiles that may have had a value, and of others,
    /// after another page; `None` where the field is not looked up.
    pub fn look_up(
        &self,
        probe: &Probe,
        after: Option<&Looked>,
        limit: usize,
    ) -> Result<Option<Looked>, TrailError> {
        let looked = self.indexer.look_up(probe, after, limit);
        looked.map_err(TrailError::Index)
    }

    /// The lookups, and how far they are; `None` where there are none.
    pub fn lookup_state(&self) -> Result<Option<LookupState>, TrailError> {
        self.indexer.lookup_state().map_err(TrailError::Index)
    }

    /// The same with their bytes, for which all of them are read.
    pub fn whole_lookup_state(&self) -> Result<Option<LookupState>, TrailError> {
        self.indexer.whole_lookup_state().map_err(TrailError::Index)
    }

    /// The field's place and the (sub)profile of the first of some values of
    /// fields that is not in the lookups, if they are of these fields.
    pub fn lookup_lacks(
        &self,
        fields: &[String],
        values: &LookedValues,
    ) -> Result<Option<(usize, ProfileKey)>, TrailError> {
        let lacks = self.indexer.lookup_lacks(fields, values);
        lacks.map_err(TrailError::Index)
    }
}
