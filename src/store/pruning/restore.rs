//! Importing baselines that another folder has exported.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::{PruneError, Pruning};
use crate::event::ProfileKey;
use crate::storage::RealDisk;
use crate::store::retention::{BaselineWriter, KeptBaseline, Pruned, SeqSet};
use crate::store::{Membership, Trail};

/// An import of baselines into an empty folder. Locks out prunes; without
/// [`Restore::finish`] it has no effect.
pub struct Restore<'a> {
    trail: &'a Trail,
    pruning: MutexGuard<'a, Pruning>,
    writer: BaselineWriter,
    last: Option<ProfileKey>,
    /// The time of the latest baseline, in Unix seconds.
    latest: i64,
}

impl Trail {
    /// Whether the folder holds neither events nor baselines.
    pub fn is_blank(&self) -> bool {
        self.last_seq() == 0 && self.retention().pruned.is_none()
    }

    /// Starts an import of baselines.
    pub fn restore(&self) -> Result<Restore<'_>, PruneError> {
        let pruning = self.begin_pruning()?;
        // The other nodes would not get them.
        if !self.is_blank() || Membership::exists(self.folder().path()) {
            return Err(PruneError::NotBlank);
        }
        let folder = self.folder();
        folder.make_baselines()?;
        let dir = folder.baselines();
        Ok(Restore {
            trail: self,
            pruning,
            writer: BaselineWriter::new(Arc::new(RealDisk), &dir, folder.log_id, None)?,
            last: None,
            latest: i64::MIN,
        })
    }
}

impl Restore<'_> {
    /// Adds a baseline. They must come in (sub)profile order; returns `false` if this
    /// one does not.
    pub fn add(&mut self, kept: KeptBaseline) -> Result<bool, PruneError> {
        let (key, place) = (kept.key, kept.baseline.place);
        if self.last >= Some(key) {
            return Ok(false);
        }
        self.last = Some(key);
        self.latest = self.latest.max(place.time);
        self.writer.add(&kept)?;
        Ok(true)
    }

    /// Commits the baselines.
    pub fn finish(mut self) -> Result<(), PruneError> {
        let next = self.writer.finish(Pruned {
            before: self.latest.saturating_add(1),
            ..Pruned::default()
        })?;
        if !self.trail.is_blank() {
            return Err(PruneError::NotBlank);
        }
        let present = self.trail.retention();
        let next = (Some(next), present.erasures.clone());
        self.trail
            .put_in_place(&mut self.pruning, &present, next, SeqSet::default())
    }
}
