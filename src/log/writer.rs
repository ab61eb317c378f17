//! Appending to a log: group commit, rolling of segments, poison.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::error::{AppendError, LogError};
use super::frame;
use super::segment::{Inner, Log, Segment, segment_name};
use crate::storage::{Access, StorageFile};

/// Appends to a log. A recovery makes the only one of a log.
pub struct Writer {
    log: Log,
    segment_size: u64,
    active: Option<Active>,
    next_seq: u64,
    buffer: Vec<u8>,
    poison: Option<String>,
}

struct Active {
    segment: Arc<Segment>,
    file: Arc<dyn StorageFile>,
    end: u64,
}

impl Writer {
    /// A writer after a recovery. `active` is the last segment, its file open for
    /// writing, and its length.
    pub(super) fn new(
        log: Log,
        segment_size: u64,
        active: Option<(Arc<Segment>, Arc<dyn StorageFile>, u64)>,
        next_seq: u64,
        poison: Option<String>,
    ) -> Self {
        Self {
            log,
            segment_size,
            active: active.map(|(segment, file, end)| Active { segment, file, end }),
            next_seq,
            buffer: Vec::new(),
            poison,
        }
    }

    /// Closes segments at this size at the latest.
    pub fn limit_segments(&mut self, size: u64) {
        self.segment_size = self.segment_size.min(size);
    }

    /// The `seq` of the next record.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Why nothing is accepted, after a failed write or sync.
    pub fn poison(&self) -> Option<&str> {
        self.poison.as_deref()
    }

    /// Appends records as one frame, syncs it, and returns the `seq` of the first.
    /// Then all are on stable storage and readable. After an error none is
    /// acknowledged, and nothing more is accepted.
    pub fn append<R: AsRef<[u8]>>(&mut self, records: &[R]) -> Result<u64, AppendError> {
        if let Some(reason) = &self.poison {
            return Err(AppendError::Poisoned(reason.clone()));
        }
        let first_seq = self.next_seq;
        let mut buffer = std::mem::take(&mut self.buffer);
        if frame::encode(&mut buffer, self.log.inner.id, first_seq, records).is_none() {
            let bytes = records.iter().map(|record| record.as_ref().len()).sum();
            return Err(AppendError::TooLarge(bytes));
        }
        let written = self.write(&buffer, first_seq);
        // The memory of a rare large frame is given back.
        buffer.shrink_to(1 << 20);
        self.buffer = buffer;
        if let Err(error) = written {
            let reason = error.to_string();
            self.poison = Some(reason.clone());
            return Err(AppendError::Poisoned(reason));
        }
        self.next_seq = first_seq + records.len() as u64;
        self.log.inner.notifier.notify(self.next_seq - 1);
        Ok(first_seq)
    }

    fn write(&mut self, bytes: &[u8], first_seq: u64) -> Result<(), LogError> {
        let full = self
            .active
            .as_ref()
            .is_some_and(|active| active.end > 0 && active.end >= self.segment_size);
        if full {
            self.active = None;
        }
        let active = match &mut self.active {
            Some(active) => active,
            none => none.insert(new_segment(&self.log.inner, first_seq)?),
        };
        let path = &active.segment.path;
        active
            .file
            .write_at(bytes, active.end)
            .map_err(LogError::io("writing", path))?;
        active.file.sync().map_err(LogError::io("syncing", path))?;
        let offset = active.end;
        active.end += bytes.len() as u64;
        active.segment.publish(first_seq, offset, active.end);
        Ok(())
    }
}

fn new_segment(inner: &Arc<Inner>, first_seq: u64) -> Result<Active, LogError> {
    let path: PathBuf = inner.dir.join(segment_name(first_seq));
    let file = inner
        .storage
        .open(&path, Access::CreateNew)
        .map_err(LogError::io("making", &path))?;
    inner
        .storage
        .sync_dir(&inner.dir)
        .map_err(LogError::io("syncing", &inner.dir))?;
    let segment = Arc::new(Segment::plain(&inner.dir, first_seq, 0, None));
    let mut segments = inner
        .segments
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    segments.push(Arc::clone(&segment));
    Ok(Active {
        segment,
        file,
        end: 0,
    })
}
