//! Checking every byte of a segment, and its footer against its records.
//!
//! Damage is collected in the order of the file; only an error of the file system ends
//! the check early.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::error::{Damage, LogError};
use super::frame::Frame;
use super::sealed::Footer;
use super::segment::{Log, segment_name};
use super::segment_file::SegmentFile;
use super::segment_reader::{Found, SegmentReader};
use crate::storage::StorageFile;

/// The result of checking a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedSegment {
    /// The `seq` of its last record; one less than its first if it has none.
    pub last_seq: u64,
    /// Its damage, in the order of the file.
    pub damage: Vec<Damage>,
    /// The length of its file in bytes.
    pub bytes: u64,
}

/// A visitor's findings in the records of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visited {
    /// The least and the greatest time of the records that could be read.
    pub times: Option<(i64, i64)>,
    /// Whether there are records whose time is not known.
    pub untimed: bool,
    /// The records that cannot be read, and why.
    pub wrong: Vec<(u64, String)>,
}

/// Called with each whole frame of a segment.
pub type Visit<'a> = dyn FnMut(&Frame<'_>) -> Visited + 'a;

impl Visited {
    /// Notes a record's time; `None` if it cannot be read.
    pub fn time(&mut self, time: Option<i64>) {
        let Some(time) = time else {
            self.untimed = true;
            return;
        };
        let (least, greatest) = self.times.unwrap_or((time, time));
        self.times = Some((least.min(time), greatest.max(time)));
    }

    /// Whether a footer can have these times of the frame: exactly them, or, if
    /// some are unknown, a range that includes those that are known.
    fn agrees(&self, (least, greatest): (i64, i64)) -> bool {
        match self.times {
            Some(times) if !self.untimed => times == (least, greatest),
            Some(times) => least <= times.0 && greatest >= times.1,
            None => true,
        }
    }
}

impl Log {
    /// First `seq` and file name of every segment, in order.
    pub fn segments(&self) -> Vec<(u64, String)> {
        let segments = self.inner.segments();
        let named = segments.iter().filter_map(|segment| {
            let name = segment.path.file_name()?.to_str()?;
            Some((segment.first_seq, name.to_owned()))
        });
        named.collect()
    }

    /// The bytes after the last good frame when the log was opened, unless opening cut
    /// them off.
    pub fn leftover(&self) -> Option<&Damage> {
        self.inner.leftover.as_ref()
    }

    /// The damage if segments are missing before the first one that exists.
    pub fn missing_start(&self) -> Option<Damage> {
        self.inner.missing_start()
    }

    /// Reads the segment that begins with a `seq` and passes its whole frames to
    /// `visit`. `next_first` is the `seq` that should follow its last.
    pub fn check_segment(
        &self,
        first_seq: u64,
        next_first: u64,
        visit: &mut Visit<'_>,
    ) -> Result<CheckedSegment, LogError> {
        let inner = &self.inner;
        let opened = inner.with_segment(first_seq, |segment, next| {
            let file = segment.open_raw(inner.storage.as_ref())?;
            // In the active segment, only the synced part counts.
            let len = match next {
                None if !segment.is_sealed() => segment.end(inner)?,
                _ => file.len().map_err(LogError::io("reading", &segment.path))?,
            };
            Ok((Arc::clone(segment), file, len, next))
        })?;
        let Some((segment, file, len, limit)) = opened else {
            return Ok(CheckedSegment::default());
        };
        let check = Check {
            segment: &segment.path,
            first_seq: segment.first_seq,
            next_first: Some(next_first),
            limit,
            is_sealed: segment.is_sealed(),
            log_id: inner.id,
        };
        check
            .run(file, len, visit)
            .map_err(LogError::io("reading", &segment.path))
    }
}

/// The check of a segment's file, or of a copy of it.
pub(super) struct Check<'a> {
    /// The path that damage names.
    pub segment: &'a Path,
    pub first_seq: u64,
    /// The `seq` that should follow the last one; `None` if nothing says it.
    pub next_first: Option<u64>,
    /// The first `seq` of the next segment.
    pub limit: Option<u64>,
    pub is_sealed: bool,
    pub log_id: u64,
}

impl Check<'_> {
    /// Reads the first `len` bytes of the file.
    pub fn run(
        &self,
        file: Arc<dyn StorageFile>,
        len: u64,
        visit: &mut Visit<'_>,
    ) -> io::Result<CheckedSegment> {
        let file = Arc::new(SegmentFile::new(file, self.is_sealed, self.log_id)?);
        let footer = file.footer();
        let plain_len = footer.map_or(len, Footer::plain_len);
        let mut reader = SegmentReader::new(Arc::clone(&file), self.log_id);
        reader.seek(0, plain_len, self.first_seq, self.limit);
        let mut damage = Vec::new();
        let mut expected = self.first_seq;
        while let Some(found) = reader.read_next()? {
            let (offset, frame) = match found {
                Found::Frame { offset, frame } => (offset, frame),
                Found::Gap(gap) => {
                    let next = gap.next_seq.or(self.next_first);
                    let last = next.map_or(Damage::UNKNOWN, |next| next - 1);
                    damage.push(file.damage(gap, self.segment, last));
                    expected = next.map_or(expected, |next| next.max(expected));
                    continue;
                }
            };
            let (place, next) = (offset + frame.header.frame_len(), frame.header.next_seq());
            let place = file.place(offset, place);
            let mut wrong = |first, last, reason: &str| {
                damage.push(Damage::new(self.segment, place, (first, last), reason));
            };
            let visited = visit(&frame);
            if let Some((_, block)) = footer.and_then(|footer| footer.block_of_offset(offset)) {
                // By such damage no event is lost.
                if !block.describes(&frame.header) {
                    wrong(next, next - 1, "the footer has other numbers of the block");
                } else if !visited.agrees(block.times) {
                    wrong(next, next - 1, "the footer has other times of the block");
                }
            }
            for (seq, reason) in visited.wrong {
                wrong(seq, seq, &reason);
            }
            expected = next;
        }
        let lost = (expected, self.next_first.unwrap_or(expected) - 1);
        if let Some((footer, reason)) = footer.and_then(|it| Some((it, it.recovered_by_scan?))) {
            let last = lost.1.max(expected - 1);
            let place = (footer.blocks_end(), len);
            damage.push(Damage::new(self.segment, place, (expected, last), reason));
        } else if lost.0 <= lost.1 {
            let reason = "the segment is missing, or the one before it ends too early";
            let segment = self.segment.with_file_name(segment_name(expected));
            damage.push(Damage::new(segment, (0, 0), lost, reason));
        }
        Ok(CheckedSegment {
            last_seq: expected - 1,
            damage,
            bytes: len,
        })
    }
}
