//! The segments of a log, which sealing and pruning replace.

use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use super::error::LogError;
use super::notifier::AppendNotifier;
use super::segment::{Inner, Log, Segment};
use crate::storage::Storage;

impl Log {
    /// The last synced `seq`; 0 in an empty log.
    pub fn last_seq(&self) -> u64 {
        self.inner.notifier.last_seq()
    }
}

impl Inner {
    /// A log without segments yet.
    pub fn new(storage: &Arc<dyn Storage>, dir: &Path, id: u64) -> Self {
        Self {
            storage: Arc::clone(storage),
            dir: dir.to_owned(),
            id,
            segments: RwLock::default(),
            notifier: AppendNotifier::default(),
            lost_end: None,
            leftover: None,
            cache: Arc::default(),
            rewrite_lock: RwLock::default(),
        }
    }

    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().clone()
    }

    /// Replaces a segment by another form of it. `rename` replaces the file; no
    /// reader sees one without the other.
    pub fn replace<E>(
        &self,
        old: &Arc<Segment>,
        new: Arc<Segment>,
        rename: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut segments = self.segments.write();
        rename()?;
        if let Some(place) = segments.iter_mut().find(|place| Arc::ptr_eq(place, old)) {
            *place = new;
        }
        Ok(())
    }

    /// Whether a segment belongs to the log and was not replaced.
    pub fn holds(&self, segment: &Segment) -> bool {
        let segments = self.segments.read();
        segments
            .iter()
            .any(|held| std::ptr::eq(held.as_ref(), segment))
    }

    /// Calls `work` with the segment that holds a `seq`, if one does, and the first `seq`
    /// of the next one. Repeats it if the segment was replaced and its file removed
    /// during the call.
    pub fn with_segment<T>(
        &self,
        seq: u64,
        mut work: impl FnMut(&Arc<Segment>, Option<u64>) -> Result<T, LogError>,
    ) -> Result<Option<T>, LogError> {
        loop {
            let Some((segment, next_first)) = self.find_segment(seq) else {
                return Ok(None);
            };
            let done = work(&segment, next_first);
            let replaced = || {
                let now = self.find_segment(seq);
                now.is_none_or(|(now, _)| !Arc::ptr_eq(&now, &segment))
            };
            match done {
                Err(error) if error.is_not_found() && replaced() => {}
                done => return done.map(Some),
            }
        }
    }

    fn find_segment(&self, seq: u64) -> Option<(Arc<Segment>, Option<u64>)> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.first_seq <= seq);
        let segment = segments.get(after.checked_sub(1)?)?;
        Some((
            Arc::clone(segment),
            segments.get(after).map(|next| next.first_seq),
        ))
    }
}
