//! Writing sealed segments in bulk.
//!
//! Nothing is appended to such a log. It holds *generations* of records, each complete
//! before anything refers to it. The valid generation, and so its files, is recorded
//! elsewhere.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::seal::{NotSealed, SealedWriter};
use super::{UNFINISHED, unfinished_path};
use crate::log::error::LogError;
use crate::log::segment::{parse_segment_name, sealed_name};
use crate::storage::{Storage, found};

/// How many records a segment gets: about 64 MiB of small ones.
const SEGMENT_RECORDS: u64 = 1 << 18;

/// Writes the segments of a generation.
pub struct BulkSegmentWriter {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    log_id: u64,
    /// `seq` of the next record.
    pub next_seq: u64,
    open: Option<SealedWriter>,
}

impl BulkSegmentWriter {
    /// Begins a generation in a folder, which must exist and hold no segment of
    /// its numbers ([`remove_segments_outside`]).
    pub fn new(storage: Arc<dyn Storage>, dir: &Path, log_id: u64, first_seq: u64) -> Self {
        Self {
            storage,
            dir: dir.to_owned(),
            log_id,
            next_seq: first_seq,
            open: None,
        }
    }

    /// Writes a record. `range` is what the footer notes in place of the least and
    /// the greatest time.
    pub fn add(&mut self, record: &[u8], range: (i64, i64)) -> Result<(), NotSealed> {
        let is_full = |open: &SealedWriter| self.next_seq - open.first_seq >= SEGMENT_RECORDS;
        if self.open.as_ref().is_some_and(is_full) {
            self.cut()?;
        }
        let writer = match &mut self.open {
            Some(open) => open,
            none => {
                let path = unfinished_path(&self.dir, self.next_seq);
                let (storage, id) = (self.storage.as_ref(), self.log_id);
                let writer = SealedWriter::create(storage, &path, &self.dir, id, self.next_seq)?;
                none.insert(writer)
            }
        };
        writer.add(record, Some(range))?;
        self.next_seq += 1;
        Ok(())
    }

    /// Ends the open segment, so that the next record begins another.
    pub fn cut(&mut self) -> Result<(), NotSealed> {
        let Some(writer) = self.open.take() else {
            return Ok(());
        };
        let first_seq = writer.first_seq;
        writer.finish(&|| false)?;
        let (from, to) = (
            unfinished_path(&self.dir, first_seq),
            self.dir.join(sealed_name(first_seq)),
        );
        let renamed = self.storage.rename(&from, &to);
        Ok(renamed.map_err(LogError::io("renaming", &from))?)
    }

    /// Ends the generation. When this returns, it is on stable storage. Returns
    /// the `seq` after its last record.
    pub fn finish(mut self) -> Result<u64, NotSealed> {
        self.cut()?;
        let synced = self.storage.sync_dir(&self.dir);
        synced.map_err(LogError::io("syncing", &self.dir))?;
        Ok(self.next_seq)
    }
}

/// Removes every segment of a folder whose first `seq` is outside a range, and
/// every unfinished file.
pub fn remove_segments_outside(
    storage: &dyn Storage,
    dir: &Path,
    kept: Range<u64>,
) -> Result<(), LogError> {
    let names = found(storage.list(dir)).map_err(LogError::io("listing", dir))?;
    for name in names.into_iter().flatten() {
        let segment = parse_segment_name(&name);
        let is_kept = segment.is_some_and(|(first_seq, _)| kept.contains(&first_seq));
        if !is_kept && (segment.is_some() || name.ends_with(UNFINISHED)) {
            let path = dir.join(name);
            storage
                .remove_if_there(&path)
                .map_err(LogError::io("removing", &path))?;
        }
    }
    Ok(())
}
