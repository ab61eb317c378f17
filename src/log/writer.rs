//! Appending to a log: group commit, rolling of segments, poison.
//!
//! The active segment has a filler after its end, so that the sync of a frame does not
//! have to make a new length durable, too: a journaling file system would write its
//! journal each time. The filler is cut off when the segment is closed, before the next
//! one has a name, so only the last segment can end with it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{AppendError, LogError};
use super::frame;
use super::segment::{Inner, Log, Segment, segment_name};
use crate::storage::{Access, StorageFile};

/// The least and the most bytes of filler that are written ahead; as many as the
/// segment has, between them. The calls of that group wait for it.
const AHEAD: (u64, u64) = (64 << 10, 256 << 10);

/// How many of them are written at once.
const FILLED: usize = 64 << 10;

/// Appends to a log. A recovery makes the only one of a log.
pub struct Writer {
    pub(super) log: Log,
    pub(super) segment_size: u64,
    pub(super) active: Option<Active>,
    pub(super) next_seq: u64,
    pub(super) buffer: Vec<u8>,
    /// Why nothing is accepted.
    pub(super) poison: Option<String>,
}

/// The active segment, its file open for writing.
pub(super) struct Active {
    pub segment: Arc<Segment>,
    pub file: Arc<dyn StorageFile>,
    /// Where the last frame ends.
    pub end: u64,
    /// The length of the file: the bytes after the end are filler.
    pub len: u64,
}

impl Active {
    /// Writes a frame, and filler ahead if it does not fit into that; syncs both.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(bytes, self.end)?;
        let end = self.end + bytes.len() as u64;
        if end > self.len {
            self.len = match self.fill(end, end + end.clamp(AHEAD.0, AHEAD.1)) {
                Ok(len) => len,
                // The frame itself has found room.
                Err(error) if is_full(&error) => self.file.len()?,
                Err(error) => return Err(error),
            };
        }
        self.file.sync()?;
        self.end = end;
        Ok(())
    }

    /// Writes filler from an offset to another one at least; returns where it ends.
    fn fill(&self, mut from: u64, to: u64) -> io::Result<u64> {
        while from < to {
            self.file.write_at(&[frame::FILLER; FILLED], from)?;
            from += FILLED as u64;
        }
        Ok(from)
    }

    /// Cuts the filler off.
    fn trim(&mut self) -> io::Result<()> {
        if self.len > self.end {
            self.file.set_len(self.end)?;
            self.file.sync()?;
            self.len = self.end;
        }
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl Writer {
    /// Closes segments at this size at the latest.
    pub fn limit_segments(&mut self, size: u64) {
        self.segment_size = self.segment_size.min(size);
    }

    /// Accepts nothing from now on.
    pub fn refuse(&mut self, reason: String) {
        self.poison = Some(reason);
    }

    /// Why nothing is accepted, as after a failed write or sync.
    pub fn poison(&self) -> Option<&str> {
        self.poison.as_deref()
    }

    /// Appends records as one frame, syncs it, and returns the `seq` of the first. Then
    /// all records are on stable storage and readable. After an error none is
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

    /// Closes the present segment, so that its records can be rewritten. After an error
    /// nothing more is accepted.
    pub fn close_segment(&mut self) -> Result<(), AppendError> {
        if let Some(reason) = &self.poison {
            return Err(AppendError::Poisoned(reason.clone()));
        }
        let closed = self.close_at(1).and_then(|()| {
            if self.active.is_none() && self.next_seq > 1 {
                self.active = Some(new_segment(&self.log.inner, self.next_seq)?);
            }
            Ok(())
        });
        closed.map_err(|error| {
            let reason = error.to_string();
            self.poison = Some(reason.clone());
            AppendError::Poisoned(reason)
        })
    }

    /// Closes the active segment if it has at least this many bytes.
    fn close_at(&mut self, bytes: u64) -> Result<(), LogError> {
        if let Some(mut active) = self
            .active
            .take_if(|active| active.end > 0 && active.end >= bytes)
        {
            let trimmed = active.trim();
            trimmed.map_err(LogError::io("cutting", &active.segment.path))?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], first_seq: u64) -> Result<(), LogError> {
        self.close_at(self.segment_size)?;
        let active = match &mut self.active {
            Some(active) => active,
            none => none.insert(new_segment(&self.log.inner, first_seq)?),
        };
        let offset = active.end;
        let appended = active.append(bytes);
        appended.map_err(LogError::io("appending to", &active.segment.path))?;
        active.segment.publish(first_seq, offset, active.end);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.poison.is_none()
            && let Some(active) = &mut self.active
            && let Err(error) = active.trim()
        {
            // The next recovery does it.
            tracing::debug!("{}: {error}", active.segment.path.display());
        }
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
    let mut segments = inner.segments.write();
    segments.push(Arc::clone(&segment));
    Ok(Active {
        segment,
        file,
        end: 0,
        len: 0,
    })
}
