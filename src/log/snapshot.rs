//! The files of a log as they are at one moment, for a backup.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::error::{Damage, LogError};
use super::scan::{Frames, Step};
use super::sealed::{SealedFile, load};
use super::segment::{Log, Segment};
use crate::storage::StorageFile;

/// A segment's file as it was at a moment.
pub struct SnapshotFile {
    /// Its name in the log's folder.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// How many of its bytes are synced and belong to the log.
    pub len: u64,
    /// Whether its content never changes again: only then may the file be
    /// linked rather than copied.
    pub closed: bool,
    log: Log,
    segment: Arc<Segment>,
    /// The first `seq` of the segment after it.
    next_first: Option<u64>,
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The `seq` of its last record; one less than its first where it has none.
    pub last_seq: u64,
    /// What of it cannot be read.
    pub damage: Vec<Damage>,
}

impl Log {
    /// Hands the log's files as they are now to `each`, open, in the order of
    /// their records, while none is put in the place of another or removed; only
    /// appending goes on. `each` should be quick.
    pub fn snapshot<E: From<LogError>>(
        &self,
        mut each: impl FnMut(SnapshotFile, Arc<dyn StorageFile>) -> Result<(), E>,
    ) -> Result<(), E> {
        let inner = &self.inner;
        let _still = inner
            .arrangement
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let segments = inner.segments();
        let nexts = segments.iter().skip(1).map(|next| Some(next.first_seq));
        for (segment, next_first) in segments.iter().zip(nexts.chain([None])) {
            let file = segment.open_raw(inner.storage.as_ref())?;
            let reading = || LogError::io("reading", &segment.path);
            let closed = next_first.is_some() || segment.is_sealed();
            // An end that is damaged is taken as it is: nothing is appended then.
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
    /// Reads a file with the content of this one, and tells what it holds. That
    /// this one has another form by now, or is gone, does not matter.
    pub fn read(&self, copy: Arc<dyn StorageFile>) -> Result<Held, LogError> {
        let inner = &self.log.inner;
        let failed = || LogError::io("reading", &self.path);
        let mut searched = None;
        let (plain, len): (Arc<dyn StorageFile>, u64) = if self.segment.is_sealed() {
            let footer = Arc::new(load(copy.as_ref(), inner.id).map_err(failed())?);
            searched = footer.searched;
            let len = footer.plain_len();
            let plain = SealedFile::new(copy, footer, None).map_err(failed())?;
            (Arc::new(plain), len)
        } else {
            (copy, self.len)
        };
        let mut frames = Frames::new(plain, inner.id);
        frames.seek(0, len, self.segment.first_seq, self.next_first);
        let end = self.next_first.map_or(Damage::UNKNOWN, |next| next - 1);
        let mut damage = Vec::new();
        while let Some(step) = frames.step().map_err(failed())? {
            if let Step::Bad(bad) = step {
                let last = bad.next_seq.map_or(end, |next| next - 1);
                damage.push(self.segment.damage(inner, bad, last));
            }
        }
        let stretch = |first_seq, last_seq, reason: &str| Damage {
            segment: self.path.clone(),
            offset: self.len,
            end: self.len,
            first_seq,
            last_seq,
            reason: reason.to_owned(),
        };
        if let Some(reason) = searched {
            damage.push(stretch(1, 0, reason));
        }
        let next = frames.expected();
        if damage.is_empty() && self.next_first.is_some_and(|first| next < first) {
            damage.push(stretch(next, end, "the segment ends too early"));
        }
        Ok(Held {
            last_seq: next - 1,
            damage,
        })
    }
}
