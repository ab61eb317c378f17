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

    /// First and last `seq` of the closed segments.
    pub fn closed(&self) -> Vec<(u64, u64)> {
        let closed = self.closed_segments(u64::MAX).into_iter();
        closed
            .map(|(segment, last)| (segment.first_seq, last))
            .collect()
    }

    /// First and last `seq` of the closed segments that may hold records up to
    /// `last_seq` with a time before `before`: plain ones, and sealed ones by their
    /// footer.
    pub fn older_than(&self, before: i64, last_seq: u64) -> Result<Vec<(u64, u64)>, LogError> {
        let mut found = Vec::new();
        for (segment, last) in self.closed_segments(last_seq) {
            let may = match segment.footer(&self.inner)? {
                None => true,
                Some(footer) => footer
                    .blocks
                    .iter()
                    .any(|block| block.first_seq <= last_seq && block.times.0 < before),
            };
            if may {
                found.push((segment.first_seq, last));
            }
        }
        Ok(found)
    }

    /// The bytes of the segments' files.
    pub fn bytes(&self) -> Result<u64, LogError> {
        let mut bytes = 0;
        for segment in self.inner.segments() {
            // A segment that is replaced at this moment is counted next time.
            match segment.open_raw(self.inner.storage.as_ref()) {
                Ok(file) => bytes += file.len().map_err(LogError::io("reading", &segment.path))?,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// How many bytes the sealed blocks have, up to a `seq`, for whose first and
    /// last `seq` `wanted` is true: about what removing their records gives back.
    pub fn bytes_of_blocks(
        &self,
        last_seq: u64,
        wanted: &dyn Fn(u64, u64) -> bool,
    ) -> Result<u64, LogError> {
        let mut bytes = 0;
        for (segment, _) in self.closed_segments(last_seq) {
            let Some(footer) = segment.footer(&self.inner)? else {
                continue;
            };
            let found = footer.blocks.iter().filter(|block| {
                // A block without times has only pruned records already.
                block.times.0 <= block.times.1 && wanted(block.first_seq, block.next_seq() - 1)
            });
            bytes += found.map(|block| u64::from(block.len)).sum::<u64>();
        }
        Ok(bytes)
    }

    /// The closed segments that begin up to a `seq`, with the last `seq` of each.
    pub(super) fn closed_segments(&self, last_seq: u64) -> Vec<(Arc<Segment>, u64)> {
        let segments = self.inner.segments();
        let pairs = segments.iter().zip(segments.iter().skip(1));
        pairs
            .filter(|(segment, _)| segment.first_seq <= last_seq)
            .map(|(segment, next)| (Arc::clone(segment), next.first_seq - 1))
            .collect()
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
