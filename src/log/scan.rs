//! Reading the frames of one segment in a row, past damage.

use std::io;
use std::sync::Arc;

use super::frame::{BadFrame, Frame, HEADER_LEN, Header, MAGIC};
use crate::storage::StorageFile;

/// How many bytes are read at once.
const WINDOW: usize = 256 * 1024;

/// The frames of a segment from an offset to an end, in a row.
pub(super) struct Frames {
    file: Arc<dyn StorageFile>,
    log_id: u64,
    /// The next offset to be read.
    at: u64,
    /// Bytes from here on are not read.
    end: u64,
    /// The `seq` that the next frame should begin with.
    expected: u64,
    /// Frames with this `seq` or a later one do not belong here.
    limit: u64,
    window: Vec<u8>,
    window_at: u64,
}

/// What stands at an offset.
pub(super) enum Step {
    /// A whole, good frame; [`Frames::frame`] gives its records.
    Frame { offset: u64, header: Header },
    /// Bytes that are no frame, up to the next good one or the end.
    Bad(Bad),
}

/// A stretch of bytes that are no frame.
pub(super) struct Bad {
    pub offset: u64,
    /// Where the next good frame begins, or where reading ends.
    pub end: u64,
    /// The first `seq` that is missing.
    pub first_seq: u64,
    /// The `seq` of the good frame that follows; `None` where reading ends.
    pub next_seq: Option<u64>,
    pub reason: String,
}

impl Frames {
    /// The frames of a whole file; [`Self::seek`] tells what is to be read.
    pub fn new(file: Arc<dyn StorageFile>, log_id: u64) -> Self {
        Self {
            file,
            log_id,
            at: 0,
            end: 0,
            expected: 0,
            limit: u64::MAX,
            window: Vec::new(),
            window_at: 0,
        }
    }

    /// Goes to the stretch from `at` to `end`, which begins with the `seq`
    /// `expected`; what was read is kept. `next_first` is the first `seq` of
    /// the segment that follows.
    pub fn seek(&mut self, at: u64, end: u64, expected: u64, next_first: Option<u64>) {
        self.at = at;
        self.end = end;
        self.expected = expected;
        self.limit = next_first.unwrap_or(u64::MAX);
    }

    /// The `seq` after the last frame that was read.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The offset after the last frame that was read.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next frame or bad stretch; `None` at the end.
    pub fn step(&mut self) -> io::Result<Option<Step>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let offset = self.at;
        let first_seq = self.expected;
        match self.check(offset)? {
            Ok(header) if header.first_seq > first_seq => {
                // Whole frames are missing; this one comes with the next step.
                self.expected = header.first_seq;
                Ok(Some(Step::Bad(Bad {
                    offset,
                    end: offset,
                    first_seq,
                    next_seq: Some(header.first_seq),
                    reason: "frames are missing before it".to_owned(),
                })))
            }
            Ok(header) => {
                self.at = offset + header.frame_len();
                self.expected = header.next_seq();
                Ok(Some(Step::Frame { offset, header }))
            }
            Err(reason) => {
                let next_seq = self.find_next(offset + 1)?;
                Ok(Some(Step::Bad(Bad {
                    offset,
                    end: self.at,
                    first_seq,
                    next_seq,
                    reason: reason.to_string(),
                })))
            }
        }
    }

    /// The frame that the last step told of.
    pub fn frame(&self, offset: u64, header: Header) -> Option<Frame<'_>> {
        Frame::checked_before(header, self.window_from(offset))
    }

    /// The header of the whole, good frame at an offset, which is in the
    /// window afterwards.
    fn check(&mut self, offset: u64) -> io::Result<Result<Header, BadFrame>> {
        self.fill(offset, HEADER_LEN)?;
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
        Ok(Frame::parse(self.window_from(offset), self.log_id).map(|frame| frame.header))
    }

    /// Looks for the next good frame from an offset on and goes there, or to
    /// the end. Tells its first `seq`.
    fn find_next(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut from = from;
        while from < self.end {
            self.fill(from, HEADER_LEN)?;
            let bytes = self.window_from(from);
            if bytes.is_empty() {
                // The file has become shorter than it was.
                break;
            }
            let Some(found) = memchr::memmem::find(bytes, &MAGIC) else {
                // A magic may be cut by the window's end.
                from += bytes.len().saturating_sub(MAGIC.len() - 1).max(1) as u64;
                continue;
            };
            let offset = from + found as u64;
            if let Ok(header) = self.check(offset)? {
                self.at = offset;
                self.expected = header.first_seq;
                return Ok(Some(header.first_seq));
            }
            from = offset + 1;
        }
        self.at = self.end;
        Ok(None)
    }

    /// Sees to it that `len` bytes from an offset, or all up to the end, are in
    /// the window.
    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let wanted = (len as u64).min(self.end.saturating_sub(offset));
        let window_end = self.window_at + self.window.len() as u64;
        if self.window_at <= offset && offset + wanted <= window_end {
            return Ok(());
        }
        let room = (WINDOW.max(len) as u64).min(self.end.saturating_sub(offset));
        let room = usize::try_from(room).map_err(io::Error::other)?;
        // A rare large frame must not hold its memory for ever.
        self.window.truncate(room);
        self.window.shrink_to(WINDOW.max(room));
        self.window.resize(room, 0);
        self.window_at = offset;
        let read = self.file.read_at(&mut self.window, offset);
        // After a failure nothing of the window is to be believed.
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
