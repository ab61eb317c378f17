//! Reads a segment: its frames in order, and the gaps between them.
//!
//! Everything that reads a segment, plain or sealed, reads it through [`SegmentReader`];
//! no other code distinguishes frames from damage.

use std::io;
use std::sync::Arc;

use super::frame::{BadFrame, Frame, HEADER_LEN, Header, MAGIC, restore_fixed};
use super::search::MagicSearch;
use super::segment_file::SegmentFile;

/// How many bytes are read at once.
const WINDOW: usize = 256 * 1024;

/// Reads the frames of a part of a segment in order.
pub(super) struct SegmentReader {
    pub file: Arc<SegmentFile>,
    log_id: u64,
    /// The next offset to read.
    pub at: u64,
    /// Bytes from here on are not read.
    end: u64,
    /// The `seq` with which the next frame should begin.
    pub expected: u64,
    /// A frame with this `seq` or a later one does not belong here.
    limit: u64,
    window: Vec<u8>,
    window_at: u64,
    /// Whether to read frames in which only the magic, the version or the log id was
    /// changed: the checksum proves the rest.
    pub repairs_headers: bool,
    /// Whether one was read.
    pub repaired_header: bool,
}

/// The content of a segment at an offset.
pub(super) enum Found<'a> {
    /// A whole frame, whose checksum matches.
    Frame { offset: u64, frame: Frame<'a> },
    /// Missing frames, or bytes that are not a frame.
    Gap(Gap),
}

/// A part of a segment that cannot be read.
pub(super) struct Gap {
    pub offset: u64,
    /// Where the next good frame begins, or where reading ends. Equal to
    /// `offset` if whole frames are missing.
    pub end: u64,
    /// The first `seq` that is missing.
    pub first_seq: u64,
    /// The `seq` of the good frame that follows; `None` if reading ends.
    pub next_seq: Option<u64>,
    pub reason: String,
}

impl Gap {
    /// The gap of a segment that ends before its successor begins.
    pub fn at_end(offset: u64, first_seq: u64) -> Self {
        Self {
            offset,
            end: offset,
            first_seq,
            next_seq: None,
            reason: "the segment ends too early".to_owned(),
        }
    }
}

impl SegmentReader {
    /// A reader of a segment's file; [`Self::seek`] says what it reads.
    pub fn new(file: Arc<SegmentFile>, log_id: u64) -> Self {
        Self {
            file,
            log_id,
            at: 0,
            end: 0,
            expected: 0,
            limit: u64::MAX,
            window: Vec::new(),
            window_at: 0,
            repairs_headers: false,
            repaired_header: false,
        }
    }

    /// Continues with the bytes from `at` to `end`, which begin with the `seq`
    /// `expected`; bytes in memory stay there. `next_first` is the first `seq` of the
    /// next segment.
    pub fn seek(&mut self, at: u64, end: u64, expected: u64, next_first: Option<u64>) {
        self.at = at;
        self.end = end;
        self.expected = expected;
        self.limit = next_first.unwrap_or(u64::MAX);
    }

    /// Reads the next frame or gap; `None` at the end.
    pub fn read_next(&mut self) -> io::Result<Option<Found<'_>>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (offset, first_seq) = (self.at, self.expected);
        let gap = match self.check(offset, self.repairs_headers)? {
            Ok(header) if header.first_seq > first_seq => {
                // The next call returns the frame.
                self.expected = header.first_seq;
                Gap {
                    offset,
                    end: offset,
                    first_seq,
                    next_seq: Some(header.first_seq),
                    reason: "frames are missing before it".to_owned(),
                }
            }
            Ok(header) => {
                self.at = offset + header.frame_len();
                self.expected = header.next_seq();
                let frame = self.frame_at(offset, header);
                return Ok(frame.map(|frame| Found::Frame { offset, frame }));
            }
            Err(reason) => Gap {
                offset,
                first_seq,
                next_seq: self.find_next(offset + 1)?,
                end: self.at,
                reason: reason.to_string(),
            },
        };
        Ok(Some(Found::Gap(gap)))
    }

    /// The frame that was read last.
    pub fn frame_at(&self, offset: u64, header: Header) -> Option<Frame<'_>> {
        Frame::checked_before(header, self.window_from(offset))
    }

    /// The header of the whole, good frame at an offset, which is in the window
    /// afterwards.
    fn check(&mut self, offset: u64, repairs: bool) -> io::Result<Result<Header, BadFrame>> {
        self.fill(offset, HEADER_LEN)?;
        let repaired = repairs && self.restore_header(offset);
        let header = match Header::parse(self.window_from(offset), self.log_id) {
            Ok(header) => header,
            Err(bad) => return Ok(Err(bad)),
        };
        if header.first_seq < self.expected || header.next_seq() > self.limit {
            return Ok(Err(BadFrame::Header));
        }
        if offset + header.frame_len() > self.end {
            return Ok(Err(BadFrame::Short));
        }
        self.fill(offset, HEADER_LEN + header.payload_len)?;
        if repaired {
            self.restore_header(offset);
        }
        let frame = Frame::parse(self.window_from(offset), self.log_id);
        let header = frame.map(|frame| frame.header);
        self.repaired_header |= repaired && header.is_ok();
        Ok(header)
    }

    /// Restores the fixed bytes of the header at an offset in the window. `false` if they
    /// were right, or other bytes are wrong, too.
    fn restore_header(&mut self, offset: u64) -> bool {
        let skip = offset.saturating_sub(self.window_at) as usize;
        let window = self.window.get_mut(skip..).unwrap_or_default();
        let Some(start) = window.first_chunk_mut::<HEADER_LEN>() else {
            return false;
        };
        let before = *start;
        restore_fixed(start, self.log_id);
        let header = Header::parse(start, self.log_id);
        let sound = header.is_ok_and(|header| header.first_seq == self.expected);
        if !sound {
            *start = before;
        }
        sound && *start != before
    }

    /// Moves to the next good frame from an offset on, or to the end. Returns the
    /// frame's first `seq`.
    fn find_next(&mut self, from: u64) -> io::Result<Option<u64>> {
        let file = Arc::clone(&self.file);
        let mut search = MagicSearch::new(&file, MAGIC, from, self.end);
        while let Some((offset, _)) = search.next_hit()? {
            if let Ok(header) = self.check(offset, false)? {
                self.at = offset;
                self.expected = header.first_seq;
                return Ok(Some(header.first_seq));
            }
        }
        self.at = self.end;
        Ok(None)
    }

    /// Reads `len` bytes from an offset, or all up to the end, into the window,
    /// unless they are there.
    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let wanted = (len as u64).min(self.end.saturating_sub(offset));
        let window_end = self.window_at + self.window.len() as u64;
        if self.window_at <= offset && offset + wanted <= window_end {
            return Ok(());
        }
        let room = (WINDOW.max(len) as u64).min(self.end.saturating_sub(offset));
        let room = usize::try_from(room).map_err(io::Error::other)?;
        // The memory of a rare large frame is given back.
        self.window.truncate(room);
        self.window.shrink_to(WINDOW.max(room));
        if self.window.capacity() < room {
            // Without a copy of what is not needed; the allocator has zeros.
            self.window = vec![0; room];
        }
        self.window.resize(room, 0);
        self.window_at = offset;
        let read = self.file.read_at(&mut self.window, offset);
        // After an error the window is empty.
        self.window.truncate(*read.as_ref().unwrap_or(&0));
        read.map(|_| ())
    }

    fn window_from(&self, offset: u64) -> &[u8] {
        offset
            .checked_sub(self.window_at)
            .and_then(|skip| self.window.get(usize::try_from(skip).ok()?..))
            .unwrap_or_default()
    }
}
