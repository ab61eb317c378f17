//! Selects the closed segments that pruning must examine.

use std::sync::Arc;

use super::error::LogError;
use super::segment::{Log, Segment};

impl Log {
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

    /// The size in bytes of the sealed blocks up to a `seq` for whose first and last
    /// `seq` `wanted` is true: about the space that the removal of their records frees.
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
