//! Writing a damaged or missing segment again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::walk::{Piece, Source, walk};
use super::{Finding, Remedy, RepairError, segments};
use crate::log::aside::keep_aside;
use crate::log::error::LogError;
use crate::log::record::Lost;
use crate::log::sealed::{SealedWriter, unfinished_path};
use crate::log::segment::Segment;
use crate::log::{Log, OpenMode};
use crate::storage::{Storage, rename_durably};

/// Does for one segment what [`super::survey`] found to be necessary. `now` is the
/// present time in Unix microseconds, `stamp` the same for file names; `time_of` returns
/// a record's time in Unix seconds. Returns the path of the damaged file or of the bytes
/// that were cut off; `None` if there were none.
pub fn repair_segment(
    storage: &Arc<dyn Storage>,
    dir: &Path,
    id: u64,
    finding: &Finding,
    (now, stamp): (i64, &str),
    time_of: &dyn Fn(&[u8]) -> Option<i64>,
) -> Result<Option<PathBuf>, RepairError> {
    if finding.remedy == Remedy::Cut {
        let mode = OpenMode::Append {
            segment_size: u64::MAX,
        };
        let report = Log::open(Arc::clone(storage), dir, id, mode)?.report;
        return Ok(report.torn.and_then(|torn| torn.saved));
    }
    let disk = storage.as_ref();
    let first_seq = finding.first_seq;
    let (inner, segments) = segments(storage, dir, id)?;
    let place = segments
        .iter()
        .position(|segment| segment.path == finding.segment);
    let old = place.and_then(|at| Some((segments.get(at)?, segments.get(at + 1))));
    let new = unfinished_path(dir, first_seq);
    remove(disk, &new)?;
    let mut writer = SealedWriter::create(disk, &new, &finding.segment, id, first_seq)?;
    let mut add = |piece: &Piece<'_>| match piece {
        Piece::Good(frame) => frame
            .records()
            .try_for_each(|(_, record)| writer.add_record(record, time_of)),
        Piece::Lost(first, last) => {
            let record = Lost {
                first: *first,
                last: *last,
                repaired: now,
            }
            .encode();
            (*first..=*last).try_for_each(|_| writer.add_record(&record, time_of))
        }
    };
    match old {
        Some((segment, next)) => {
            let source = Source::open(segment, &inner, next.map(|next| next.first_seq))?;
            walk(&source, &mut |piece| Ok(add(&piece)?))?;
        }
        None => {
            for (first, last) in &finding.lost {
                add(&Piece::Lost(*first, *last))?;
            }
        }
    }
    writer.finish(&|| false)?;
    let aside = match old {
        Some((segment, _)) => Some(keep_damaged(disk, segment, stamp)?),
        None => None,
    };
    let sealed = Segment::sealed(dir, first_seq);
    let is_plain = old.is_none_or(|(segment, _)| !segment.is_sealed());
    if is_plain && sealed.open_raw(disk).is_ok() {
        // Sealing left a file that is damaged, too.
        keep_damaged(disk, &sealed, stamp)?;
    }
    rename_durably(disk, &new, &sealed.path).map_err(LogError::io("renaming", &new))?;
    // From here on the new file is the segment, even if the plain one is still
    // there.
    if let Some((segment, _)) = old.filter(|(segment, _)| !segment.is_sealed()) {
        remove(disk, &segment.path)?;
    }
    Ok(aside)
}

/// Copies a segment's file to a new name in the same folder.
fn keep_damaged(disk: &dyn Storage, segment: &Segment, stamp: &str) -> Result<PathBuf, LogError> {
    let file = segment.open_raw(disk)?;
    let len = file.len().map_err(LogError::io("reading", &segment.path))?;
    let mut aside = segment.path.clone().into_os_string();
    aside.push(format!(".damaged-{stamp}"));
    keep_aside(disk, file.as_ref(), 0..len, Path::new(&aside))
}

/// Removes a file, if it exists.
fn remove(disk: &dyn Storage, path: &Path) -> Result<(), LogError> {
    disk.remove_if_there(path)
        .map_err(LogError::io("removing", path))
}
