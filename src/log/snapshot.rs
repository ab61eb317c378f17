//! The files of a log at one moment, for a backup.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::check::{Check, CheckedFrame, Visited};
use super::error::{Damage, LogError};
use super::segment::{Log, Segment};
use crate::storage::StorageFile;

/// A segment's file at the moment of the snapshot.
pub struct SnapshotFile {
    /// Its name in the log's folder.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// How many of its bytes are synced and belong to the log.
    pub len: u64,
    /// Whether its content never changes again, so that a backup can link the
    /// file instead of copying it.
    pub closed: bool,
    log: Log,
    segment: Arc<Segment>,
    /// The first `seq` of the segment after it.
    next_first: Option<u64>,
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The `seq` of its last record; one less than its first if it has none.
    pub last_seq: u64,
    /// The damage in it.
    pub damage: Vec<Damage>,
}

impl Log {
    /// Calls `each` with the log's files, open and in the order of their records.
    /// Meanwhile no file is replaced or removed, and only appending goes on, so
    /// `each` should be quick.
    pub fn snapshot<E: From<LogError>>(
        &self,
        mut each: impl FnMut(SnapshotFile, Arc<dyn StorageFile>) -> Result<(), E>,
    ) -> Result<(), E> {
        let inner = &self.inner;
        let _still = inner
            .rewrite_lock
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let segments = inner.segments();
        let nexts = segments.iter().skip(1).map(|next| Some(next.first_seq));
        for (segment, next_first) in segments.iter().zip(nexts.chain([None])) {
            let file = segment.open_raw(inner.storage.as_ref())?;
            let reading = || LogError::io("reading", &segment.path);
            let closed = next_first.is_some() || segment.is_sealed();
            // A damaged end belongs to the file: nothing is appended after it.
            let whole = closed || inner.lost_end.is_some();
            let len = if whole {
                file.len().map_err(reading())?
            } else {
                segment.end(inner)?
            };
            let name = segment.path.file_name().unwrap_or_default();
            let taken = SnapshotFile {
                name: name.to_string_lossy().into_owned(),
                path: segment.path.clone(),
                len,
                closed,
                log: self.clone(),
                segment: Arc::clone(segment),
                next_first,
            };
            each(taken, file)?;
        }
        Ok(())
    }
}

impl SnapshotFile {
    /// Checks a file that has the content of this one, which may have another
    /// form by now or be gone.
    pub fn read(&self, copy: Arc<dyn StorageFile>) -> Result<Held, LogError> {
        let mut visit = |_: &CheckedFrame<'_>| Visited::default();
        let inner = &self.log.inner;
        let mut check = Check::new(inner, &self.segment, self.next_first, &mut visit);
        check.read(copy, self.len, self.next_first)?;
        Ok(Held {
            last_seq: check.expected - 1,
            damage: check.damage,
        })
    }
}
