//! Writing a segment anew.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::walk::{Piece, Source, walk};
use super::{Finding, Remedy, RepairError, segments};
use crate::log::error::LogError;
use crate::log::frame;
use crate::log::lost::Lost;
use crate::log::scan::{Frames, Step};
use crate::log::sealed::{Plain, UNFINISHED, seal};
use crate::log::segment::{Segment, segment_name};
use crate::log::{Log, OpenMode};
use crate::storage::{Access, Storage, StorageFile};

/// How the name of a file ends that a repair has not finished.
const UNMENDED: &str = ".repair.new";

/// How many lost events are written in one frame.
const FRAME_RECORDS: usize = 1024;

/// How many bytes are copied at once.
const COPY: usize = 1 << 20;

/// What was done about a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// What was wrong.
    pub finding: Finding,
    /// Where the damaged file, or what was cut off, is kept; `None` where there
    /// was none.
    pub aside: Option<PathBuf>,
}

/// Does what a [`super::survey`] has found to be needed for a segment. `now` is
/// the present moment in Unix microseconds, `stamp` the same for file names;
/// `time_of` tells a record's time in Unix seconds.
pub fn mend(
    storage: &Arc<dyn Storage>,
    dir: &Path,
    id: u64,
    finding: Finding,
    (now, stamp): (i64, &str),
    time_of: &dyn Fn(&[u8]) -> Option<i64>,
) -> Result<Mended, RepairError> {
    if finding.remedy == Remedy::Cut {
        let mode = OpenMode::Append {
            segment_size: u64::MAX,
        };
        let report = Log::open(Arc::clone(storage), dir, id, mode)?.report;
        return Ok(Mended {
            finding,
            aside: report.torn.and_then(|torn| torn.saved),
        });
    }
    let (inner, segments) = segments(storage, dir, id)?;
    let disk = storage.as_ref();
    let first_seq = finding.first_seq;
    let place = segments
        .iter()
        .position(|segment| segment.path == finding.segment);
    let old = place.and_then(|at| Some((segments.get(at)?, segments.get(at + 1))));
    let new = dir.join(format!("{first_seq:020}.log{UNMENDED}"));
    remove(disk, &new)?;
    let file = disk
        .open(&new, Access::CreateNew)
        .map_err(LogError::io("making", &new))?;
    let mut target = Target {
        file: file.as_ref(),
        id,
        now,
        end: 0,
        next_seq: first_seq,
        digest: 0,
    };
    match old {
        Some((segment, next)) => {
            let source = Source::open(segment, &inner, next.map(|next| next.first_seq))?;
            walk(&source, &mut |piece| target.add(&piece))?;
        }
        None => {
            for (first, last) in &finding.lost {
                let added = target.add(&Piece::Lost(*first, *last));
                added.map_err(LogError::io("writing", &new))?;
            }
        }
    }
    file.sync().map_err(LogError::io("syncing", &new))?;
    target.check(&file, first_seq, &finding.segment)?;
    let Some((segment, _)) = old else {
        take_place(disk, dir, &new, &finding.segment)?;
        return Ok(Mended {
            finding,
            aside: None,
        });
    };
    let ready = if segment.is_sealed() {
        let sealed = dir.join(format!("{first_seq:020}{UNFINISHED}"));
        remove(disk, &sealed)?;
        let plain = Plain {
            file: Arc::clone(&file),
            len: target.end,
            first_seq,
            next_seq: target.next_seq,
            log_id: id,
            time_of,
            is_pruned: &|_, _| false,
        };
        seal(&plain, disk, &sealed, &|| false)
            .map_err(io::Error::other)
            .map_err(LogError::io("sealing", &sealed))?;
        sealed
    } else {
        new.clone()
    };
    let aside = keep_aside(disk, dir, segment, stamp)?;
    take_place(disk, dir, &ready, &segment.path)?;
    if ready != new {
        remove(disk, &new)?;
    }
    Ok(Mended {
        finding,
        aside: Some(aside),
    })
}

/// The new segment in the making.
struct Target<'a> {
    file: &'a dyn StorageFile,
    id: u64,
    now: i64,
    end: u64,
    next_seq: u64,
    /// CRC-32C of all records.
    digest: u32,
}

impl Target<'_> {
    fn add(&mut self, piece: &Piece<'_>) -> io::Result<()> {
        match piece {
            Piece::Good(frame) => {
                let records: Vec<&[u8]> = frame.records().map(|(_, record)| record).collect();
                self.write(frame.header.first_seq, &records)
            }
            Piece::Lost(first, last) => {
                let record = Lost {
                    first: *first,
                    last: *last,
                    repaired: self.now,
                }
                .encode();
                let mut left = last - first + 1;
                while left > 0 {
                    let count = left.min(FRAME_RECORDS as u64);
                    let records = vec![record.as_slice(); count as usize];
                    self.write(self.next_seq, &records)?;
                    left -= count;
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, first_seq: u64, records: &[&[u8]]) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, self.id, first_seq, records)
            .ok_or_else(|| io::Error::other("a frame is too long"))?;
        self.file.write_at(&bytes, self.end)?;
        self.end += bytes.len() as u64;
        self.next_seq = first_seq + records.len() as u64;
        for record in records {
            self.digest = crc32c::crc32c_append(self.digest, record);
        }
        Ok(())
    }

    /// Reads back what was written.
    fn check(
        &self,
        file: &Arc<dyn StorageFile>,
        first_seq: u64,
        segment: &Path,
    ) -> Result<(), RepairError> {
        let mut frames = Frames::new(Arc::clone(file), self.id);
        frames.seek(0, self.end, first_seq, Some(self.next_seq));
        let mut digest = 0;
        while let Some(step) = frames.step().map_err(LogError::io("reading", segment))? {
            let Step::Frame { offset, header } = step else {
                return Err(RepairError::Differs(segment.to_owned()));
            };
            let frame = frames.frame(offset, header).into_iter();
            for (_, record) in frame.flat_map(|frame| frame.records()) {
                digest = crc32c::crc32c_append(digest, record);
            }
        }
        if frames.expected() != self.next_seq || digest != self.digest {
            return Err(RepairError::Differs(segment.to_owned()));
        }
        Ok(())
    }
}

/// Copies a segment's file beside it, under a name of its own, durably.
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
    take_place(disk, dir, &part, &aside)?;
    Ok(aside)
}

/// Gives a synced file its name, durably.
fn take_place(disk: &dyn Storage, dir: &Path, from: &Path, to: &Path) -> Result<(), LogError> {
    disk.rename(from, to)
        .map_err(LogError::io("renaming", from))?;
    disk.sync_dir(dir).map_err(LogError::io("syncing", dir))
}

/// Removes a file, if it is there.
fn remove(disk: &dyn Storage, path: &Path) -> Result<(), LogError> {
    disk.remove_if_there(path)
        .map_err(LogError::io("removing", path))
}
