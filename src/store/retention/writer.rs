//! Writing a generation of baselines.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::kept::{KeptBaseline, encode_owners, footer_time};
use super::pruned::Pruned;
use crate::log::{BulkSegmentWriter, LogError, NotSealed, remove_segments_outside};
use crate::storage::Storage;
use crate::store::Sorter;

/// The number of (subprofile, profile) pairs in one record.
const OWNERS: usize = 512;

/// Writes a generation of baselines. It takes effect once a [`Pruned`] that
/// refers to it is committed.
pub struct BaselineWriter {
    segments: BulkSegmentWriter,
    begin: u64,
    /// Each subprofile with the `seq` of its last pruned event, and the profile.
    owners: Sorter<(u64, u64, u64)>,
}

impl BaselineWriter {
    /// Begins a generation after the committed one, in the baselines' folder, which
    /// must exist. Other generations are removed. Owners that exceed memory are
    /// spilled to that folder.
    pub fn new(
        storage: Arc<dyn Storage>,
        dir: &Path,
        log_id: u64,
        pruned: Option<&Pruned>,
    ) -> Result<Self, LogError> {
        let kept = Pruned::kept(pruned);
        remove_segments_outside(storage.as_ref(), dir, kept.clone())?;
        let begin = kept.end.max(1);
        Ok(Self {
            segments: BulkSegmentWriter::new(storage, dir, log_id, begin),
            begin,
            owners: Sorter::new(dir),
        })
    }

    /// Writes a baseline; (sub)profiles come in their order.
    pub fn add(&mut self, kept: &KeptBaseline) -> Result<(), NotSealed> {
        let KeptBaseline { key, baseline } = kept;
        if let Some(subprofile) = key.subprofile {
            let owner = (subprofile, baseline.place.seq, key.profile);
            self.owners.push(owner, &[]).map_err(failed)?;
        }
        let time = footer_time(key.profile);
        self.segments
            .add(&kept.encode().map_err(failed)?, (time, time))
    }

    /// Writes the owners, and ends the generation. When this returns it is on stable
    /// storage; its position is set in `pruned`.
    pub fn finish(mut self, pruned: Pruned) -> Result<Pruned, NotSealed> {
        self.segments.cut()?;
        let begin = self.segments.next_seq;
        let mut sorted = self.owners.sorted().map_err(failed)?;
        let mut held: Vec<(u64, u64)> = Vec::new();
        while let Some(((subprofile, _, profile), _)) = sorted.next().map_err(failed)? {
            // If there are several owners, the last one counts.
            held.pop_if(|(last, _)| *last == subprofile);
            if held.len() >= OWNERS {
                write_owners(&mut self.segments, &mut held)?;
            }
            held.push((subprofile, profile));
        }
        write_owners(&mut self.segments, &mut held)?;
        Ok(Pruned {
            baselines: self.begin,
            owners: begin,
            end: self.segments.finish()?,
            ..pruned
        })
    }
}

fn write_owners(
    segments: &mut BulkSegmentWriter,
    held: &mut Vec<(u64, u64)>,
) -> Result<(), NotSealed> {
    let (Some((first, _)), Some((last, _))) = (held.first(), held.last()) else {
        return Ok(());
    };
    let times = (footer_time(*first), footer_time(*last));
    segments.add(&encode_owners(held).map_err(failed)?, times)?;
    held.clear();
    Ok(())
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> NotSealed {
    LogError::io("making", "baselines")(io::Error::other(error)).into()
}
