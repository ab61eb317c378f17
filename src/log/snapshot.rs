//! The files of a log at one moment, for a backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLockReadGuard;

use super::check::{Check, CheckedSegment, Visited};
use super::error::LogError;
use super::names::parse_segment_name;
use super::segment::Log;
use crate::storage::StorageFile;

/// The files of a log. While this is held none is replaced or removed, and only
/// appending continues.
pub struct LogSnapshot<'a> {
    /// In the order of their records.
    pub files: Vec<SnapshotFile>,
    _unchanged: RwLockReadGuard<'a, ()>,
}

/// A segment's file at the moment of the snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    /// Its path.
    pub path: PathBuf,
    /// How many of its bytes are synced and belong to the log.
    pub len: u64,
    /// Whether its content never changes again, so that a backup can link the
    /// file instead of copying it.
    pub closed: bool,
    /// The first `seq` of the segment after it.
    pub next_first: Option<u64>,
}

impl Log {
    /// The current files of the log.
    pub fn snapshot(&self) -> Result<LogSnapshot<'_>, LogError> {
        let inner = &self.inner;
        let unchanged = inner.rewrite_lock.read();
        let segments = inner.segments();
        let nexts = segments.iter().skip(1).map(|next| Some(next.first_seq));
        let mut files = Vec::with_capacity(segments.len());
        for (segment, next_first) in segments.iter().zip(nexts.chain([None])) {
            let closed = next_first.is_some() || segment.is_sealed();
            // A damaged end belongs to the file: nothing is appended after it.
            let len = if closed || inner.lost_end.is_some() {
                let file = segment.open_raw(inner.storage.as_ref())?;
                file.len().map_err(LogError::io("reading", &segment.path))?
            } else {
                segment.end(inner)?
            };
            files.push(SnapshotFile {
                path: segment.path.clone(),
                len,
                closed,
                next_first,
            });
        }
        Ok(LogSnapshot {
            files,
            _unchanged: unchanged,
        })
    }
}

/// Checks a copy of the segment with this path. `next_first` is the first `seq` of the
/// segment after it.
pub fn check_copy(
    segment: &Path,
    copy: Arc<dyn StorageFile>,
    log_id: u64,
    next_first: Option<u64>,
) -> Result<CheckedSegment, LogError> {
    let name = segment.file_name().unwrap_or_default().to_string_lossy();
    let Some((first_seq, is_sealed)) = parse_segment_name(&name) else {
        return Err(LogError::NotFound { seq: 0 });
    };
    let check = Check {
        segment,
        first_seq,
        next_first,
        limit: next_first,
        is_sealed,
        log_id,
    };
    let checked = copy
        .len()
        .and_then(|len| check.run(copy, len, &mut |_| Visited::default()));
    checked.map_err(LogError::io("reading", segment))
}
