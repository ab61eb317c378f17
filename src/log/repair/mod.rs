//! Mending a log: what can be read is kept, what cannot is known to be lost.
//!
//! [`survey`] tells what is wrong with each segment and what of it can be saved;
//! [`mend`] does it. A damaged segment is written anew in its own form: the same
//! records under the same numbers, and in the place of each event that cannot be
//! read a record that says so ([`super::lost`]), so that numbers have no gaps and
//! are never given anew. A missing segment becomes one of such records. A frame
//! whose magic, version or log id alone was changed is read all the same, since
//! its checksum proves the rest.
//!
//! **At the end** of a log, nothing tells how many events a damaged stretch has
//! held, but for the headers in it. The numbers up to the highest that any of them
//! tells are lost; if there were more, their numbers are given anew, which
//! [`Finding::unknown`] says. A last write that is merely cut short is left to
//! the recovery at the next opening.
//!
//! **A crash** at any moment leaves the old segment or the new one whole: the
//! damaged file is copied aside first, the new one is written aside, synced and
//! read back, and takes the old one's name by a rename. Repairing again goes on.
//! A record that makes no sense in a whole frame is left as it is: it may be one
//! of a newer version.

mod rewrite;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::OpenMode;
use super::error::LogError;
use super::recover::closed_segments;
use super::segment::{Inner, Segment, segment_name};
use crate::storage::Storage;
pub use rewrite::{Mended, mend};
use walk::{Piece, Source, walk};

/// A row of more lost events than this is not believed: the records in their
/// places alone would take 34 GB.
const MOST_LOST: u64 = 1 << 30;

/// Why a log cannot be repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The log cannot be read, or not be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Nothing of the log can be read, so that nothing can be saved either.
    #[error(
        "of all that is in {} not one frame can be read, and nothing is changed: put back the \
         `format` file that belongs to it, or the whole folder, from a backup", .0.display()
    )]
    NothingReadable(PathBuf),
    /// More would be lost than a log can have held.
    #[error(
        "events {first} to {last} would be lost for {}, more than can have been there, and nothing \
         is changed: if a file in its folder is not of this log, put it elsewhere", .segment.display()
    )]
    Implausible {
        /// The segment that would be made or written anew.
        segment: PathBuf,
        /// The first `seq`.
        first: u64,
        /// The last.
        last: u64,
    },
    /// What was written does not read back as the same.
    #[error(
        "what was written in the place of {} reads back otherwise: is the disk failing? \
         That segment is as it was", .0.display()
    )]
    Differs(PathBuf),
}

/// What is to be done about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is written anew.
    Rewrite,
    /// It is missing, and made of lost events.
    Make,
    /// Its last write is not whole: it is set aside and cut off.
    Cut,
}

/// A segment that is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its file.
    pub segment: PathBuf,
    /// `seq` of its first record.
    pub first_seq: u64,
    /// What is to be done.
    pub remedy: Remedy,
    /// How many of its records can be read.
    pub kept: u64,
    /// First and last `seq` of events that cannot.
    pub lost: Vec<(u64, u64)>,
    /// Whether there may have been more at its end, of unknown number.
    pub unknown: bool,
}

/// Tells which segments of a log are not whole. Nothing is changed. The log must
/// not be open for appending.
pub fn survey(
    storage: &Arc<dyn Storage>,
    dir: &Path,
    id: u64,
) -> Result<Vec<Finding>, RepairError> {
    let (inner, segments) = segments(storage, dir, id)?;
    let mut findings = Vec::new();
    let missing = |first: u64, next: u64| Finding {
        segment: dir.join(segment_name(first)),
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
        match next_first {
            Some(next) if !walked.damaged && walked.next_seq < next => {
                findings.push(missing(walked.next_seq, next));
            }
            _ => {}
        }
    }
    // Headers at an unknown end are known to be this log's.
    let rewritten = |found: &Finding| found.remedy == Remedy::Rewrite && !found.unknown;
    if all_kept == 0 && findings.iter().any(rewritten) {
        return Err(RepairError::NothingReadable(dir.to_owned()));
    }
    for found in &findings {
        let too_long = |(first, last): &&(u64, u64)| last.saturating_sub(*first) >= MOST_LOST;
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

/// The segments of a log as they are, oldest first.
fn segments(
    storage: &Arc<dyn Storage>,
    dir: &Path,
    id: u64,
) -> Result<(Inner, Vec<Arc<Segment>>), LogError> {
    let (mut segments, active) = closed_segments(storage.as_ref(), dir, id, OpenMode::Read)?;
    if let Some(first_seq) = active {
        let probe = Segment::plain(dir, first_seq, 0, None);
        let len = probe
            .open_raw(storage.as_ref())?
            .len()
            .map_err(LogError::io("reading", &probe.path))?;
        segments.push(Arc::new(Segment::plain(dir, first_seq, len, None)));
    }
    Ok((Inner::closed(storage, dir, id), segments))
}

#[cfg(test)]
mod tests;
