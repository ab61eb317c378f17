//! Writing a damaged or missing segment again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::walk::{Piece, Source, walk};
use super::{Finding, Remedy, RepairError, segments};
use crate::log::error::LogError;
use crate::log::record::Lost;
use crate::log::sealed::{SealedWriter, unfinished_path};
use crate::log::segment::{Segment, segment_name};
use crate::log::{Log, OpenMode};
use crate::storage::{Access, Storage, rename_durably};

/// How many bytes are copied at once.
const COPY: usize = 1 << 20;

/// What was done about a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong.
    pub finding: Finding,
    /// Where the damaged file, or what was cut off, is kept; `None` if there was
    /// none.
    pub aside: Option<PathBuf>,
}

/// Does for one segment what [`super::survey`] found to be necessary. `now` is the
/// present time in Unix microseconds, `stamp` the same for file names; `time_of`
/// returns a record's time in Unix seconds.
pub fn repair_segment(
    storage: &Arc<dyn Storage>,
    dir: &Path,
    id: u64,
    finding: Finding,
    (now, stamp): (i64, &str),
    time_of: &dyn Fn(&[u8]) -> Option<i64>,
) -> Result<Repaired, RepairError> {
    if finding.remedy == Remedy::Cut {
        let mode = OpenMode::Append {
            segment_size: u64::MAX,
        };
        let report = Log::open(Arc::clone(storage), dir, id, mode)?.report;
        return Ok(Repaired {
            finding,
            aside: report.torn.and_then(|torn| torn.saved),
        });
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
        Some((segment, _)) => Some(keep_aside(disk, dir, segment, stamp)?),
        None => None,
    };
    let sealed = Segment::sealed(dir, first_seq);
    let is_plain = old.is_none_or(|(segment, _)| !segment.is_sealed());
    if is_plain && sealed.open_raw(disk).is_ok() {
        // Sealing left a file that is damaged, too.
        keep_aside(disk, dir, &sealed, stamp)?;
    }
    rename_durably(disk, &new, &sealed.path).map_err(LogError::io("renaming", &new))?;
    // From here on the new file is the segment, even if the plain one is still
    // there.
    if let Some((segment, _)) = old.filter(|(segment, _)| !segment.is_sealed()) {
        remove(disk, &segment.path)?;
    }
    Ok(Repaired { finding, aside })
}

/// Copies a segment's file to a name of its own in the same folder, durably.
fn keep_aside(
    disk: &dyn Storage,
    dir: &Path,
    segment: &Segment,
    stamp: &str,
) -> Result<PathBuf, LogError> {
    let from = segment.open_raw(disk)?;
    let names = disk.list(dir).map_err(LogError::io("listing", dir))?;
    let form = if segment.is_sealed() { ".zst" } else { "" };
    let plain = segment_name(segment.first_seq);
    let name = (0..)
        .map(|number| match number {
            0 => format!("{plain}{form}.damaged-{stamp}"),
            number => format!("{plain}{form}.damaged-{stamp}-{number}"),
        })
        .find(|name| !names.contains(name))
        .unwrap_or_default();
    let (part, aside) = (dir.join(format!("{name}.new")), dir.join(&name));
    remove(disk, &part)?;
    let copy = disk
        .open(&part, Access::CreateNew)
        .map_err(LogError::io("making", &part))?;
    let mut at = 0;
    loop {
        let mut bytes = vec![0; COPY];
        let read = from
            .read_at(&mut bytes, at)
            .map_err(LogError::io("reading", &segment.path))?;
        bytes.truncate(read);
        if bytes.is_empty() {
            break;
        }
        copy.write_at(&bytes, at)
            .map_err(LogError::io("writing", &part))?;
        at += read as u64;
    }
    copy.sync().map_err(LogError::io("syncing", &part))?;
    rename_durably(disk, &part, &aside).map_err(LogError::io("renaming", &part))?;
    Ok(aside)
}

/// Removes a file, if it exists.
fn remove(disk: &dyn Storage, path: &Path) -> Result<(), LogError> {
    disk.remove_if_there(path)
        .map_err(LogError::io("removing", path))
}
