//! Reading a segment to prove it: every byte, and what the footer says of it.
//!
//! A plain segment is read frame by frame, a sealed one block by block, each as
//! it is on the disk. What is found goes to whoever asked, in the order of the
//! file; nothing ends the reading but a failure of the file system.

use std::io;
use std::sync::Arc;

use super::error::{Damage, LogError};
use super::frame::{Frame, Header};
use super::scan::{Frames, Step};
use super::sealed::{SealedBlock, SealedFile, load};
use super::segment::{Inner, Log, Segment, segment_name};

/// How a segment is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As frames.
    Plain,
    /// As compressed blocks.
    Sealed,
}

/// A segment that was read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedSegment {
    /// What is wrong with it, in the order of the file.
    pub damage: Vec<Damage>,
    /// How many bytes it has in its file.
    pub bytes: u64,
}

/// Where a whole frame of records stands in a file.
pub struct CheckedFrame<'a> {
    /// Its records.
    pub frame: Frame<'a>,
    /// Where its bytes, or those of its compressed block, begin in the file.
    pub offset: u64,
    /// Where they end.
    pub end: u64,
}

/// What the records of a frame come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visited {
    /// The least and the greatest time of those that could be read.
    pub times: Option<(i64, i64)>,
    /// Whether there are records whose time is not known.
    pub untimed: bool,
    /// Which records make no sense, and why.
    pub wrong: Vec<(u64, String)>,
}

/// What takes the frames of a segment.
pub type Visit<'a> = dyn FnMut(&CheckedFrame<'_>) -> Visited + 'a;

impl Visited {
    /// Takes note of a record's time.
    pub fn time(&mut self, time: Option<i64>) {
        let Some(time) = time else {
            self.untimed = true;
            return;
        };
        let (least, greatest) = self.times.unwrap_or((time, time));
        self.times = Some((least.min(time), greatest.max(time)));
    }

    /// Whether a footer may tell these times of the frame: just those, unless
    /// some are not known.
    fn agrees(&self, (least, greatest): (i64, i64)) -> bool {
        match self.times {
            Some(times) if !self.untimed => times == (least, greatest),
            Some(times) => least <= times.0 && greatest >= times.1,
            None => true,
        }
    }
}

impl Log {
    /// First `seq` and form of every segment, in their order.
    pub fn segments(&self) -> Vec<(u64, Form)> {
        let segments = self.inner.segments();
        let form = |segment: &Segment| match segment.is_sealed() {
            true => Form::Sealed,
            false => Form::Plain,
        };
        segments
            .iter()
            .map(|segment| (segment.first_seq, form(segment)))
            .collect()
    }

    /// The names of the segments' files.
    pub fn file_names(&self) -> Vec<String> {
        let segments = self.inner.segments();
        let names = segments
            .iter()
            .filter_map(|it| it.path.file_name()?.to_str());
        names.map(str::to_owned).collect()
    }

    /// What followed the last good frame when the log was opened, if it is
    /// there still.
    pub fn leftover(&self) -> Option<&Damage> {
        self.inner.leftover.as_ref()
    }

    /// The want of segments before the first one that is there.
    pub fn missing_start(&self) -> Option<Damage> {
        self.inner.missing_start()
    }

    /// Reads the segment that begins with a `seq`, and hands its whole frames to
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
            // Of the active segment only what is synced counts.
            let end = match next {
                None if !segment.is_sealed() => segment.end(inner)?,
                _ => file.len().map_err(LogError::io("reading", &segment.path))?,
            };
            Ok((Arc::clone(segment), file, end, next))
        })?;
        let Some((segment, file, end, next)) = opened else {
            return Ok(CheckedSegment::default());
        };
        let mut check = Check {
            segment: &segment,
            visit,
            damage: Vec::new(),
            expected: first_seq,
        };
        let done = if segment.is_sealed() {
            let footer =
                load(file.as_ref(), inner.id).map_err(LogError::io("reading", &segment.path))?;
            let sealed = SealedFile::new(file, Arc::new(footer), None)
                .map_err(LogError::io("reading", &segment.path))?;
            check.sealed(&sealed, inner, end, next_first)
        } else {
            let mut frames = Frames::new(file, inner.id);
            frames.seek(0, end, first_seq, next);
            check.plain(&mut frames, inner, next_first)
        };
        done.map_err(LogError::io("reading", &segment.path))?;
        Ok(CheckedSegment {
            damage: check.damage,
            bytes: end,
        })
    }
}

/// A segment that is read.
struct Check<'a, 'v> {
    segment: &'a Segment,
    visit: &'a mut Visit<'v>,
    damage: Vec<Damage>,
    /// The `seq` that comes next.
    expected: u64,
}

impl Check<'_, '_> {
    fn tell(&mut self, (offset, end): (u64, u64), (first, last): (u64, u64), reason: &str) {
        self.damage.push(Damage {
            segment: self.segment.path.clone(),
            offset,
            end,
            first_seq: first,
            last_seq: last,
            reason: reason.to_owned(),
        });
    }

    /// Hands a frame on.
    fn visit(&mut self, found: &CheckedFrame<'_>) -> Visited {
        let visited = (self.visit)(found);
        for (seq, reason) in &visited.wrong {
            self.tell((found.offset, found.end), (*seq, *seq), reason);
        }
        visited
    }

    fn plain(&mut self, frames: &mut Frames, inner: &Inner, next_first: u64) -> io::Result<()> {
        while let Some(step) = frames.step()? {
            match step {
                Step::Frame { offset, header } => {
                    if let Some(frame) = frames.frame(offset, header) {
                        self.visit(&CheckedFrame {
                            frame,
                            offset,
                            end: offset + header.frame_len(),
                        });
                    }
                    self.expected = header.next_seq();
                }
                Step::Bad(bad) => {
                    let next = bad.next_seq.unwrap_or(next_first).max(self.expected);
                    let lost = (self.expected, next - 1);
                    self.tell((bad.offset, bad.end), lost, &bad.reason);
                    self.expected = next;
                }
            }
        }
        self.follow(inner, next_first);
        Ok(())
    }

    fn sealed(
        &mut self,
        file: &SealedFile,
        inner: &Inner,
        len: u64,
        next_first: u64,
    ) -> io::Result<()> {
        let footer = file.footer();
        let mut plain = Vec::new();
        let mut at = 0;
        for block in &footer.blocks {
            if block.first_seq > self.expected || block.offset > at {
                let lost = (self.expected, block.first_seq - 1);
                self.tell((at, block.offset), lost, "no whole block is here");
                self.expected = block.first_seq;
            }
            at = block.offset + u64::from(block.len);
            let place = (block.offset, at);
            let last = block.next_seq() - 1;
            let read = file.read_block(block, &mut plain)?;
            let frame = match read {
                Ok(()) => frame_of(&plain, block, inner.id),
                Err(bad) => Err(bad.to_string()),
            };
            match frame {
                Err(reason) => self.tell(place, (block.first_seq, last), &reason),
                Ok(frame) => {
                    let found = CheckedFrame {
                        frame,
                        offset: block.offset,
                        end: at,
                    };
                    let visited = self.visit(&found);
                    if footer.searched.is_none() && !visited.agrees(block.times) {
                        let none = (block.next_seq(), last);
                        self.tell(place, none, "the footer tells other times of the block");
                    }
                }
            }
            if block.first_seq < self.expected {
                let none = (self.expected, self.expected - 1);
                self.tell(place, none, "the block's numbers were there before");
            }
            self.expected = self.expected.max(block.next_seq());
            plain.shrink_to(1 << 20);
        }
        let lost = (self.expected, next_first.max(self.expected) - 1);
        if let Some(reason) = footer.searched {
            self.tell((at, len), lost, reason);
        } else {
            self.follow(inner, next_first);
        }
        Ok(())
    }

    /// Tells what is missing between this segment's end and the next one.
    fn follow(&mut self, inner: &Inner, next_first: u64) {
        if self.expected < next_first {
            self.damage.push(Damage {
                segment: inner.dir.join(segment_name(self.expected)),
                offset: 0,
                end: 0,
                first_seq: self.expected,
                last_seq: next_first - 1,
                reason: "the segment is missing, or the one before it ends too early".to_owned(),
            });
        }
    }
}

/// The one frame that makes a block, if it is what the footer says.
fn frame_of<'a>(plain: &'a [u8], block: &SealedBlock, id: u64) -> Result<Frame<'a>, String> {
    let frame = Frame::parse(plain, id).map_err(|bad| bad.to_string())?;
    let Header {
        first_seq, count, ..
    } = frame.header;
    let whole = frame.header.frame_len() == plain.len() as u64;
    if whole && first_seq == block.first_seq && count == block.count {
        Ok(frame)
    } else {
        Err("the footer tells other numbers of the block".to_owned())
    }
}
