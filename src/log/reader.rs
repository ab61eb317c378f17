//! Reading a log: one event by its `seq`, or all in a row.

use std::path::Path;
use std::sync::Arc;

use super::error::{Damage, LogError};
use super::frame::{Header, Records};
use super::scan::{Bad, Frames, Step};
use super::segment::{Inner, Log, Segment, segment_name};

/// Reads single records by `seq`. Keeps the last segment open and the last
/// block in memory, so that reading in ascending order costs least.
pub struct Cursor {
    inner: Arc<Inner>,
    open: Option<(Arc<Segment>, Frames)>,
    /// The last frame of the open segment that was found good, and its offset.
    last: Option<(u64, Header)>,
}

impl Log {
    /// A cursor for single records.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            inner: Arc::clone(&self.inner),
            open: None,
            last: None,
        }
    }

    /// All frames that are synced now, from the one that holds `seq` on, and
    /// the damage between them.
    pub fn scan(&self, seq: u64) -> Scan {
        self.scan_range(seq, u64::MAX)
    }

    /// As [`Log::scan`], up to the `seq` `last`.
    pub fn scan_range(&self, seq: u64, last: u64) -> Scan {
        Scan {
            inner: Arc::clone(&self.inner),
            next: seq.max(1),
            last: self.last_seq().min(last),
            open: None,
        }
    }
}

impl Cursor {
    /// The bytes of the record of that `seq`.
    pub fn get(&mut self, seq: u64) -> Result<&[u8], LogError> {
        let (offset, header) = self.locate(seq)?;
        self.open
            .as_ref()
            .and_then(|(_, frames)| frames.frame(offset, header))
            .and_then(|frame| frame.records_within(seq, seq).next())
            .map(|(_, record)| record)
            .ok_or(LogError::NotFound { seq })
    }

    /// Reads the frame that holds a `seq`.
    fn locate(&mut self, seq: u64) -> Result<(u64, Header), LogError> {
        let missing = || LogError::NotFound { seq };
        if seq == 0 || seq > self.inner.last_seq() {
            return Err(missing());
        }
        if let (Some((offset, header)), Some(_)) = (self.last, &self.open)
            && (header.first_seq..header.next_seq()).contains(&seq)
        {
            return Ok((offset, header));
        }
        let (inner, open) = (&self.inner, &self.open);
        let found = inner.with_segment(seq, |segment, next_first| {
            let same = matches!(open, Some((open, _)) if Arc::ptr_eq(open, segment));
            let block = segment.find_block(inner, seq, next_first)?;
            let opened = if same {
                None
            } else {
                let file = segment.open(inner, true)?;
                Some((Arc::clone(segment), Frames::new(file, inner.id)))
            };
            Ok((next_first, block, opened))
        })?;
        let Some((next_first, block, opened)) = found else {
            let damage = Box::new(self.inner.missing_start().ok_or_else(missing)?);
            return Err(LogError::Damaged { seq, damage });
        };
        let last = self.last.take().filter(|_| opened.is_none());
        if opened.is_some() {
            self.open = opened;
        }
        let (segment, frames) = self.open.as_mut().ok_or_else(missing)?;
        let (offset, first) = match last {
            // What was read last stands before it in the same block.
            Some((offset, header)) if offset >= block.offset && header.first_seq < seq => {
                (offset + header.frame_len(), header.next_seq())
            }
            _ => (block.offset, block.first_seq),
        };
        frames.seek(offset, block.end, first, next_first);
        loop {
            let (at, expected) = (frames.at(), frames.expected());
            match frames
                .step()
                .map_err(LogError::io("reading", &segment.path))?
            {
                Some(Step::Frame { offset, header }) if header.next_seq() > seq => {
                    self.last = Some((offset, header));
                    return Ok((offset, header));
                }
                Some(Step::Frame { .. }) => {}
                Some(Step::Bad(bad)) if bad.next_seq.is_some_and(|next| next <= seq) => {}
                found => {
                    let bad = match found {
                        Some(Step::Bad(bad)) => bad,
                        _ => ends_at(at, expected),
                    };
                    let next = bad.next_seq.or(block.next_seq).or(next_first);
                    let last = next.map_or(self.inner.last_seq(), |next| next - 1);
                    let damage = Box::new(segment.damage(&self.inner, bad, last));
                    return Err(LogError::Damaged { seq, damage });
                }
            }
        }
    }
}

/// The want of frames where a segment ends before its successor begins.
fn ends_at(at: u64, expected: u64) -> Bad {
    Bad {
        offset: at,
        end: at,
        first_seq: expected,
        next_seq: None,
        reason: "the segment ends too early".to_owned(),
    }
}

impl Inner {
    /// The want of the segments before the first one that is there.
    pub(super) fn missing_start(&self) -> Option<Damage> {
        let segments = self.segments();
        let first = segments.first()?.first_seq;
        let bad = Bad {
            next_seq: Some(first),
            ..ends_at(0, 1)
        };
        (first > 1).then(|| Damage {
            reason: "the segment is missing".to_owned(),
            ..bad.damage(&self.dir.join(segment_name(1)), first - 1)
        })
    }
}

impl Bad {
    pub(super) fn damage(self, segment: &Path, last_seq: u64) -> Damage {
        Damage {
            segment: segment.to_owned(),
            offset: self.offset,
            end: self.end,
            first_seq: self.first_seq,
            last_seq,
            reason: self.reason,
        }
    }
}

/// All frames of a log in a row, past damage, up to the last `seq` that was
/// synced when it began.
pub struct Scan {
    inner: Arc<Inner>,
    /// The next `seq` that is wanted.
    next: u64,
    last: u64,
    open: Option<OpenSegment>,
}

struct OpenSegment {
    segment: Arc<Segment>,
    /// The first `seq` of the segment after it.
    next_first: Option<u64>,
    frames: Frames,
}

enum Found {
    Frame {
        offset: u64,
        header: Header,
        first: u64,
    },
    Damage(Damage),
}

/// What a scan finds.
pub enum Scanned<'a> {
    /// The records of a frame that belong to the scan.
    Records(Records<'a>),
    /// Events that cannot be read.
    Damage(Damage),
}

impl Scan {
    /// The last `seq` that belongs to this scan.
    pub fn last_seq(&self) -> u64 {
        self.last
    }

    /// The next records or damage; `None` at the end.
    pub fn step(&mut self) -> Result<Option<Scanned<'_>>, LogError> {
        let (offset, header, first) = match self.advance()? {
            None => return Ok(None),
            Some(Found::Damage(damage)) => return Ok(Some(Scanned::Damage(damage))),
            Some(Found::Frame {
                offset,
                header,
                first,
            }) => (offset, header, first),
        };
        let frame = self
            .open
            .as_ref()
            .and_then(|open| open.frames.frame(offset, header));
        Ok(frame.map(|frame| Scanned::Records(frame.records_within(first, self.last))))
    }

    fn advance(&mut self) -> Result<Option<Found>, LogError> {
        while self.next <= self.last {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => match self.open_segment()? {
                    Some(open) => open,
                    None => {
                        let missing = self.inner.missing_start();
                        let next = missing.as_ref().map(|damage| damage.last_seq + 1);
                        self.next = next.unwrap_or(u64::MAX);
                        return Ok(missing.map(Found::Damage));
                    }
                },
            };
            let segment_last = open
                .next_first
                .map_or(self.last, |next| (next - 1).min(self.last));
            let (at, expected) = (open.frames.at(), open.frames.expected());
            let step = open
                .frames
                .step()
                .map_err(LogError::io("reading", &open.segment.path))?;
            let bad = match step {
                Some(Step::Frame { offset, header }) => {
                    let first = self.next;
                    self.next = first.max(header.next_seq());
                    self.open = Some(open);
                    if header.next_seq() <= first {
                        continue;
                    }
                    return Ok(Some(Found::Frame {
                        offset,
                        header,
                        first,
                    }));
                }
                Some(Step::Bad(bad)) => bad,
                None => ends_at(at, expected),
            };
            let last_seq = bad.next_seq.map_or(segment_last, |next| next - 1);
            // The end of a whole segment lacks nothing.
            let lacks = bad.offset < bad.end || bad.first_seq <= last_seq;
            if bad.next_seq.is_some() && bad.first_seq <= last_seq && last_seq < self.next {
                // It lies before the first event that was asked for.
                self.open = Some(open);
                continue;
            }
            self.next = self.next.max(last_seq.saturating_add(1));
            if bad.next_seq.is_some() {
                let damage = open.segment.damage(&self.inner, bad, last_seq);
                self.open = Some(open);
                return Ok(Some(Found::Damage(damage)));
            }
            if lacks {
                let damage = open.segment.damage(&self.inner, bad, last_seq);
                return Ok(Some(Found::Damage(damage)));
            }
        }
        Ok(None)
    }

    fn open_segment(&self) -> Result<Option<OpenSegment>, LogError> {
        let inner = &self.inner;
        inner.with_segment(self.next, |segment, next_first| {
            let (offset, first_seq) = if self.next <= segment.first_seq {
                (0, segment.first_seq)
            } else {
                let block = segment.find_block(inner, self.next, next_first)?;
                (block.offset, block.first_seq)
            };
            let end = if next_first.is_some_and(|next| next <= self.last) {
                segment.end(inner)?
            } else {
                // Blocks after the last one that is wanted are not read ahead.
                segment.find_block(inner, self.last, next_first)?.end
            };
            let mut frames = Frames::new(segment.open(inner, false)?, inner.id);
            frames.seek(offset, end, first_seq, next_first);
            Ok(OpenSegment {
                segment: Arc::clone(segment),
                next_first,
                frames,
            })
        })
    }
}
