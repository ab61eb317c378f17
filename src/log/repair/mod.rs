//! Repairs a log: readable records are kept, and the rest is recorded as lost.
//!
//! [`survey`] finds the damage of each segment and its readable records;
//! [`repair_segment`] repairs it. A damaged segment is written again as a sealed one: the
//! same records under the same numbers, and a [`Lost`](super::record::Lost) record for
//! each unreadable event, so that numbers have no gaps and are never reused. A missing
//! segment becomes one with only such records. A frame in which only the magic, the
//! version or the log id was changed is still read, since its checksum proves the rest.
//!
//! **At the end** of a log, only the headers in a damaged part show how many events it
//! held. The numbers up to the highest in any of them are lost; if there were more, their
//! numbers are reused, and [`Finding::unknown`] is set. A last write that was only cut
//! short is left to the recovery at the next opening.
//!
//! **A crash** at any moment leaves the old or the new segment complete: the new file is
//! written under a temporary name, synced and read back, and the damaged one is copied.
//! Only then a rename puts the new segment in place; a plain one is removed after that.
//! Another repair continues. An invalid record in a valid frame is not changed, since a
//! newer version may have written it.

mod rewrite;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OpenMode;
use super::error::LogError;
use super::recover::closed_segments;
use super::sealed::NotSealed;
use super::segment::{Inner, Segment, sealed_name};
use crate::storage::Storage;
pub use rewrite::repair_segment;
use walk::{Piece, Source, walk};

/// More lost events than this in a row are not plausible, and would take too
/// long to write.
const MAX_LOST: u64 = 1 << 30;

/// Why a log cannot be repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Nothing of the log can be read, so that nothing can be saved.
    #[error(
        "not one frame in {} can be read, and nothing is changed: put back the \
         `format` file that belongs to it, or the whole folder, from a backup", .0.display()
    )]
    NothingReadable(PathBuf),
    /// More events would be lost than a log can have held.
    #[error(
        "repairing {} would record events {first} to {last} as lost, more than can have been there; \
         nothing is changed: if a file in its folder is not of this log, put it elsewhere", .segment.display()
    )]
    Implausible {
        /// The segment that would be made or written again.
        segment: PathBuf,
        /// The first `seq`.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The new segment could not be written. The old one is unchanged.
    #[error(transparent)]
    NotWritten(#[from] NotSealed),
}

/// What must be done about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// It is written again.
    Rewrite,
    /// It is missing, and is made of lost events.
    Make,
    /// Its last write is incomplete; it is set aside and cut off.
    Cut,
}

/// A segment that is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its file; of a missing segment, the one to be made.
    pub segment: PathBuf,
    /// `seq` of its first record.
    #[serde(skip)]
    pub first_seq: u64,
    /// What must be done.
    pub remedy: Remedy,
    /// How many of its records can be read.
    pub kept: u64,
    /// First and last `seq` of the events that cannot.
    pub lost: Vec<(u64, u64)>,
    /// Whether there may have been more events at its end.
    pub unknown: bool,
}

/// Finds the segments of a log that are not whole, without changing anything. The
/// log must not be open for appending.
pub fn survey(
    storage: &Arc<dyn Storage>,
    dir: &Path,
    id: u64,
) -> Result<Vec<Finding>, RepairError> {
    let (inner, segments) = segments(storage, dir, id)?;
    let mut findings = Vec::new();
    let missing = |first: u64, next: u64| Finding {
        segment: dir.join(sealed_name(first)),
        first_seq: first,
        remedy: Remedy::Make,
        kept: 0,
        lost: vec![(first, next - 1)],
        unknown: false,
    };
    if let Some(first) = segments.first().filter(|first| first.first_seq > 1) {
        findings.push(missing(1, first.first_seq));
    }
    let mut all_kept = 0;
    let nexts = segments.iter().skip(1).map(|next| Some(next.first_seq));
    for (segment, next_first) in segments.iter().zip(nexts.chain([None])) {
        let source = Source::open(segment, &inner, next_first)?;
        let (mut kept, mut lost) = (0, Vec::new());
        let walked = walk(&source, &mut |piece| {
            match piece {
                Piece::Good(frame) => kept += u64::from(frame.header.count),
                Piece::Lost(first, last) => lost.push((first, last)),
            }
            Ok(())
        })?;
        all_kept += kept;
        let finding = |remedy| Finding {
            segment: segment.path.clone(),
            first_seq: segment.first_seq,
            remedy,
            kept,
            lost: lost.clone(),
            unknown: walked.unknown,
        };
        if walked.damaged {
            findings.push(finding(Remedy::Rewrite));
        }
        if walked.torn {
            findings.push(Finding {
                lost: Vec::new(),
                ..finding(Remedy::Cut)
            });
        }
        if let Some(next) = next_first
            && !walked.damaged
            && walked.next_seq < next
        {
            findings.push(missing(walked.next_seq, next));
        }
    }
    // The headers at an unknown end are of this log.
    let rewritten = |found: &Finding| found.remedy == Remedy::Rewrite && !found.unknown;
    if all_kept == 0 && findings.iter().any(rewritten) {
        return Err(RepairError::NothingReadable(dir.to_owned()));
    }
    for found in &findings {
        let too_long = |(first, last): &&(u64, u64)| last.saturating_sub(*first) >= MAX_LOST;
        if let Some((first, last)) = found.lost.iter().find(too_long) {
            return Err(RepairError::Implausible {
                segment: found.segment.clone(),
                first: *first,
                last: *last,
            });
        }
    }
    Ok(findings)
}

/// The present segments of a log, oldest first.
fn segments(
    storage: &Arc<dyn Storage>,
    dir: &Path,
    id: u64,
) -> Result<(Inner, Vec<Arc<Segment>>), LogError> {
    let (mut segments, active) = closed_segments(storage.as_ref(), dir, id, OpenMode::Read)?;
    // The whole file is read, beyond the end of its frames.
    let active = active.map(|first_seq| Segment::plain(dir, first_seq, 0, None));
    segments.extend(active.map(Arc::new));
    Ok((Inner::new(storage, dir, id), segments))
}

#[cfg(test)]
mod tests;
