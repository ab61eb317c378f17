//! Writing a generation of baselines.

use std::path::Path;
use std::sync::Arc;

use super::kept::{encode_owners, figure};
use super::pruned::Pruned;
use crate::event::ProfileKey;
use crate::log::record::RecordError;
use crate::log::{BulkSegmentWriter, LogError, NotSealed, remove_segments_outside};
use crate::storage::Storage;

/// The number of (subprofile, profile) pairs in one record.
const OWNERS: usize = 512;

/// Writes a generation of baselines. It takes effect once a [`Pruned`] that
/// refers to it is committed.
pub struct BaselineWriter {
    row: BulkSegmentWriter,
    begin: u64,
    owners: u64,
    held: Vec<(u64, u64)>,
}

impl BaselineWriter {
    /// Begins a generation after the committed one, in the baselines' folder, which
    /// must exist. Other generations are removed.
    pub fn new(
        storage: Arc<dyn Storage>,
        dir: &Path,
        log_id: u64,
        pruned: Option<&Pruned>,
    ) -> Result<Self, LogError> {
        let kept = pruned.map_or(0..0, |pruned| pruned.baselines..pruned.end);
        remove_segments_outside(storage.as_ref(), dir, kept.clone())?;
        let begin = kept.end.max(1);
        Ok(Self {
            row: BulkSegmentWriter::new(storage, dir, log_id, begin),
            begin,
            owners: begin,
            held: Vec::new(),
        })
    }

    /// Writes the record of a baseline; (sub)profiles come in their order.
    pub fn add(&mut self, key: ProfileKey, record: &[u8]) -> Result<(), NotSealed> {
        let figure = figure(key.profile);
        self.row.add(record, (figure, figure))
    }

    /// Must be called after the last baseline and before the first owner.
    pub fn begin_owners(&mut self) -> Result<(), NotSealed> {
        self.row.cut()?;
        self.owners = self.row.next_seq();
        Ok(())
    }

    /// Writes the profile of a subprofile; these come in the order of
    /// subprofiles, and of repeated ones the last wins.
    pub fn add_owner(&mut self, subprofile: u64, profile: u64) -> Result<(), NotSealed> {
        self.held.pop_if(|(last, _)| *last == subprofile);
        if self.held.len() >= OWNERS {
            self.write_owners()?;
        }
        self.held.push((subprofile, profile));
        Ok(())
    }

    fn write_owners(&mut self) -> Result<(), NotSealed> {
        let (Some((first, _)), Some((last, _))) = (self.held.first(), self.held.last()) else {
            return Ok(());
        };
        let figures = (figure(*first), figure(*last));
        let record = encode_owners(&self.held).map_err(cannot_encode)?;
        self.row.add(&record, figures)?;
        self.held.clear();
        Ok(())
    }

    /// Ends the generation. When this returns it is on stable storage; the
    /// its position is set in `pruned`.
    pub fn finish(mut self, pruned: Pruned) -> Result<Pruned, NotSealed> {
        self.write_owners()?;
        Ok(Pruned {
            baselines: self.begin,
            owners: self.owners,
            end: self.row.finish()?,
            ..pruned
        })
    }
}

/// Values in memory can always be encoded.
fn cannot_encode(error: RecordError) -> NotSealed {
    LogError::io("encoding a baseline for", "baselines")(std::io::Error::other(error)).into()
}
