//! Reading a damaged segment as whole frames and lost numbers.

use std::sync::Arc;

use super::RepairError;
use crate::log::error::LogError;
use crate::log::frame::{BadFrame, Frame, HEADER_LEN, Header, MAGIC, restore_fixed};
use crate::log::sealed::{Footer, begins_footer};
use crate::log::search::MagicSearch;
use crate::log::segment::{Inner, Segment};
use crate::log::segment_file::SegmentFile;
use crate::log::segment_reader::{Found, Gap, SegmentReader};
use crate::log::tail::{can_be_one_frame, end_of_written, refuse_others};

/// The fewest bytes that a record takes in a frame.
const MIN_RECORD: u64 = 4;

/// A segment, open for reading.
pub(super) struct Source<'a> {
    segment: &'a Segment,
    file: Arc<SegmentFile>,
    len: u64,
    next_first: Option<u64>,
    id: u64,
    /// Whether something other than the footer follows the last block of a sealed
    /// segment.
    cut: bool,
}

/// A part of a segment.
pub(super) enum Piece<'a> {
    Good(Frame<'a>),
    /// First and last `seq` of events that cannot be read.
    Lost(u64, u64),
}

/// The result of reading a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    pub damaged: bool,
    /// There may have been more events at the end of the log.
    pub unknown: bool,
    /// It ends with an incomplete write.
    pub torn: bool,
    /// The `seq` after its last.
    pub next_seq: u64,
}

impl<'a> Source<'a> {
    pub fn open(
        segment: &'a Segment,
        inner: &Inner,
        next_first: Option<u64>,
    ) -> Result<Self, LogError> {
        let raw = segment.open_raw(inner.storage.as_ref())?;
        let open = || {
            let file = SegmentFile::new(Arc::clone(&raw), segment.is_sealed(), inner.id)?;
            let mut start = [0; 4];
            let end = file.footer().map_or(0, Footer::blocks_end);
            raw.read_at(&mut start, end)?;
            Ok(Self {
                segment,
                len: file.len()?,
                cut: segment.is_sealed() && !begins_footer(start),
                file: Arc::new(file),
                next_first,
                id: inner.id,
            })
        };
        open().map_err(LogError::io("reading", &segment.path))
    }

    /// Whether the footer of a sealed segment is damaged.
    fn lacks_footer(&self) -> bool {
        let footer = self.file.footer();
        footer.is_some_and(|footer| footer.recovered_by_scan.is_some())
    }
}

/// Calls `each` with the parts of a segment in the order of their numbers, which
/// have no gaps.
pub(super) fn walk(
    source: &Source<'_>,
    each: &mut dyn FnMut(Piece<'_>) -> Result<(), RepairError>,
) -> Result<Walked, RepairError> {
    let failed = || LogError::io("reading", &source.segment.path);
    let mut reader = SegmentReader::new(Arc::clone(&source.file), source.id);
    reader.repairs_headers = true;
    let first_seq = source.segment.first_seq;
    reader.seek(0, source.len, first_seq, source.next_first);
    let mut walked = Walked {
        damaged: source.lacks_footer(),
        next_seq: first_seq,
        ..Walked::default()
    };
    let mut any = false;
    while let Some(found) = reader.read_next().map_err(failed())? {
        let gap = match found {
            Found::Frame { frame, .. } => {
                walked.next_seq = frame.header.next_seq();
                each(Piece::Good(frame))?;
                any = true;
                continue;
            }
            Found::Gap(gap) => gap,
        };
        let next = match gap.next_seq.or(source.next_first) {
            Some(next) => next,
            None if !source.segment.is_sealed()
                && end_of_written(&source.file, &gap).map_err(failed())? == gap.offset =>
            {
                continue;
            }
            None => match next_after_end(source, &gap, any)? {
                Some(next) => {
                    walked.unknown = true;
                    next
                }
                None => {
                    walked.torn = true;
                    continue;
                }
            },
        };
        walked.damaged = true;
        walked.mark_lost(next, each)?;
    }
    walked.damaged |= reader.repaired_header;
    match source.next_first {
        // A complete segment that ends early is complete, and the next one is missing.
        // But an empty one lacks all records that should be in it.
        Some(next) if walked.damaged || walked.next_seq == first_seq => {
            walked.damaged = true;
            walked.mark_lost(next, each)?;
        }
        None if source.lacks_footer() && source.cut => {
            let next = walked.next_seq + 1;
            walked.mark_lost(next, each)?;
            walked.unknown = true;
        }
        _ => {}
    }
    Ok(walked)
}

impl Walked {
    /// Notes that the events before `next` are lost.
    fn mark_lost(
        &mut self,
        next: u64,
        each: &mut dyn FnMut(Piece<'_>) -> Result<(), RepairError>,
    ) -> Result<(), RepairError> {
        if self.next_seq < next {
            each(Piece::Lost(self.next_seq, next - 1))?;
            self.next_seq = next;
        }
        Ok(())
    }
}

/// The `seq` after a gap at the end of the log; `None` if the gap is one write
/// that was cut short. `any` says whether whole frames precede it.
fn next_after_end(source: &Source<'_>, gap: &Gap, any: bool) -> Result<Option<u64>, LogError> {
    let path = &source.segment.path;
    let failed = || LogError::io("reading", path);
    let file = &source.file;
    let mut start = vec![0; HEADER_LEN];
    let read = file.read_at(&mut start, gap.offset).map_err(failed())?;
    start.truncate(read);
    match refuse_others(&start, source.id, path, gap.offset) {
        // The frames before it are of this log, so its id was changed.
        Err(LogError::OtherLog { .. }) if any => {}
        Err(error) => return Err(error),
        // A sealed segment was whole when it got its name.
        Ok(()) if source.segment.is_sealed() => {}
        Ok(()) => {
            if can_be_one_frame(file, source.id, gap, &start).map_err(failed())? {
                return Ok(None);
            }
        }
    }
    // At least one event was there.
    let mut next = gap.first_seq + 1;
    let max_records = (gap.end - gap.offset) / MIN_RECORD;
    let mut note_header = |start: &[u8]| {
        let Some(mut start) = start.first_chunk().copied() else {
            return;
        };
        restore_fixed(&mut start, source.id);
        let Ok(header) = Header::parse(&start, source.id) else {
            return;
        };
        let seen = header.next_seq();
        if header.first_seq >= gap.first_seq && seen - gap.first_seq <= max_records {
            next = next.max(seen);
        }
    };
    note_header(&start);
    let mut search = MagicSearch::new(file, MAGIC, gap.offset, gap.end);
    while let Some((_, bytes)) = search.next_hit().map_err(failed())? {
        if let Some(header) = bytes.get(..HEADER_LEN)
            && !matches!(Header::parse(header, source.id), Err(BadFrame::OtherLog))
        {
            note_header(header);
        }
    }
    Ok(Some(next))
}
