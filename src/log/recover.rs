//! Opens a log: the effects of a crash are corrected or reported.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::aside::keep_aside;
use super::error::{Damage, LogError};
use super::frame::Frame;
use super::sealed::{Footer, UNFINISHED};
use super::search::end_of;
use super::segment::{Inner, Log, Segment, parse_segment_name};
use super::segment_file::SegmentFile;
use super::tail::{Tail, is_written, read_tail};
use super::writer::{Active, Writer};
use crate::storage::{Access, Storage};

/// The purpose of opening a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Read-only: nothing is written, and a torn tail is skipped.
    Read,
    /// Reading and appending.
    Append {
        /// The size in bytes at which a segment is closed.
        segment_size: u64,
    },
}

/// An opened log.
pub struct Recovered {
    /// The log, for reading.
    pub log: Log,
    /// The log, for appending; `None` if it was opened for reading.
    pub writer: Option<Writer>,
    /// The finding.
    pub report: Report,
}

/// The findings at the opening of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// A torn frame at the end: a write that was cut short.
    pub torn: Option<Torn>,
    /// Damage in the active segment; that of closed segments is found when they are read.
    /// Damage at the end that is more than a torn frame is only reported here, since the
    /// numbers of its events are unknown.
    pub damage: Vec<Damage>,
    /// Why nothing can be appended, although the log can be read.
    pub poison: Option<String>,
}

/// A torn frame at the end of the active segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub segment: PathBuf,
    /// Where the frame began.
    pub offset: u64,
    /// How many bytes of it there were.
    pub bytes: u64,
    /// The copy of its bytes before they were cut off; `None` if they were all zero, or
    /// nothing was cut.
    pub saved: Option<PathBuf>,
}

impl Log {
    /// Opens the log in a folder, which must exist, with the id of the data folder.
    /// Fails if the log cannot be read, or ends with a frame of another log or of a
    /// newer version. If it can be read but not appended to, the writer is
    /// poisoned.
    pub fn open(
        storage: Arc<dyn Storage>,
        dir: &Path,
        id: u64,
        mode: OpenMode,
    ) -> Result<Recovered, LogError> {
        let (mut segments, last) = closed_segments(storage.as_ref(), dir, id, mode)?;
        let mut report = Report::default();
        let tail = match last {
            Some(first_seq) => Some(read_tail(storage.as_ref(), dir, id, first_seq)?),
            None => None,
        };
        if let Some(tail) = &tail {
            report.damage.clone_from(&tail.damage);
            segments.push(Arc::clone(&tail.segment));
        }
        let mut inner = Inner {
            lost_end: tail.as_ref().and_then(|tail| tail.lost_end.clone()),
            leftover: tail.as_ref().and_then(|tail| tail.leftover(mode)),
            ..Inner::new(&storage, dir, id)
        };
        let next_seq = match (&tail, segments.last()) {
            (Some(tail), _) => tail.next_seq,
            (None, Some(sealed)) => next_after(sealed, &inner, &mut report)?,
            (None, None) => 1,
        };
        inner.notifier.notify(next_seq - 1);
        *inner.segments.get_mut() = segments;
        let log = Self {
            inner: Arc::new(inner),
        };
        let writer = match mode {
            OpenMode::Read => {
                report.torn = tail.and_then(|tail| tail.torn_report(None));
                None
            }
            OpenMode::Append { segment_size } => {
                let active = match tail {
                    Some(tail) => prepare_active(storage.as_ref(), dir, id, tail, &mut report),
                    None => None,
                };
                Some(Writer {
                    log: log.clone(),
                    segment_size,
                    active,
                    next_seq,
                    buffer: Vec::new(),
                    poison: report.poison.clone(),
                })
            }
        };
        Ok(Recovered {
            log,
            writer,
            report,
        })
    }
}

/// The closed segments, and the first `seq` of the active one, which is `None` if
/// the last segment is sealed. If a segment exists in both forms because sealing
/// was interrupted, the sealed one is used if its footer is whole. For appending,
/// a plain one that is not used and unfinished files are removed.
pub(super) fn closed_segments(
    storage: &dyn Storage,
    dir: &Path,
    id: u64,
    mode: OpenMode,
) -> Result<(Vec<Arc<Segment>>, Option<u64>), LogError> {
    let names = storage.list(dir).map_err(LogError::io("listing", dir))?;
    let mut forms: BTreeMap<u64, (bool, bool)> = BTreeMap::new();
    for (first_seq, sealed) in names.iter().filter_map(|name| parse_segment_name(name)) {
        let (is_plain, is_sealed) = forms.entry(first_seq).or_default();
        *is_plain |= !sealed;
        *is_sealed |= sealed;
    }
    if mode != OpenMode::Read && forms.values().any(|both| *both == (true, true)) {
        // The plain form is removed only once the name of the sealed one is durable.
        storage
            .sync_dir(dir)
            .map_err(LogError::io("syncing", dir))?;
    }
    let remove = |path: &Path| {
        if mode != OpenMode::Read
            && let Err(error) = storage.remove(path)
        {
            tracing::warn!("{} could not be removed: {error}", path.display());
        }
    };
    for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
        remove(&dir.join(name));
    }
    let mut segments = Vec::with_capacity(forms.len());
    let mut active = None;
    for (first_seq, (is_plain, is_sealed)) in &forms {
        let sealed = Segment::sealed(dir, *first_seq);
        let plain = Segment::plain(dir, *first_seq, 0, None);
        let use_sealed = match (is_plain, is_sealed) {
            (true, true) => {
                let file = sealed.open_raw(storage)?;
                let footer =
                    Footer::load(&file, id).map_err(LogError::io("reading", &sealed.path))?;
                footer.recovered_by_scan.is_none()
            }
            (_, is_sealed) => *is_sealed,
        };
        if use_sealed {
            if *is_plain {
                remove(&plain.path);
            }
            segments.push(Arc::new(sealed));
        } else if forms.keys().next_back() == Some(first_seq) {
            active = Some(*first_seq);
        } else {
            let file = plain.open_raw(storage)?;
            let len = file.len().map_err(LogError::io("reading", &plain.path))?;
            segments.push(Arc::new(Segment::plain(dir, *first_seq, len, None)));
        }
    }
    Ok((segments, active))
}

/// The `seq` after a sealed segment that is the last one.
fn next_after(sealed: &Segment, inner: &Inner, report: &mut Report) -> Result<u64, LogError> {
    let footer = sealed.footer(inner)?;
    if let Some(reason) = footer.as_ref().and_then(|footer| footer.recovered_by_scan) {
        report.poison = Some(format!(
            "{}: {reason}, so the last event's number is not known. Put the segment back from a \
             backup, or run `profiletrail repair`",
            sealed.path.display()
        ));
    }
    let first = footer.as_ref().and_then(|footer| footer.blocks.first());
    if let Some(first) = first.filter(|first| first.first_seq != sealed.first_seq) {
        report.poison = Some(format!(
            "{}: it begins with event {}, so the file has a wrong name, and numbers would be given \
             twice. Rename it, or run `profiletrail repair`",
            sealed.path.display(),
            first.first_seq
        ));
    }
    let next = footer.and_then(|footer| footer.next_seq());
    Ok(next.unwrap_or(0).max(sealed.first_seq))
}

/// Prepares the last segment for appending: keeps a copy of its torn tail and cuts
/// it off, and makes its last frame durable. If that fails, or the end is damaged,
/// the report gets the reason as poison.
fn prepare_active(
    storage: &dyn Storage,
    dir: &Path,
    id: u64,
    tail: Tail,
    report: &mut Report,
) -> Option<Active> {
    let path = &tail.segment.path;
    if let Some(lost) = &tail.lost_end {
        report.poison = Some(recovery_hint(lost));
        return None;
    }
    let file = match storage.open(path, Access::Write) {
        Ok(file) => file,
        Err(error) => {
            report.poison = Some(LogError::io("opening", path)(error).to_string());
            report.torn = tail.torn_report(None);
            return None;
        }
    };
    let mut saved = None;
    let ready = (|| {
        if let Some(torn) = &tail.torn {
            let part = torn.offset..torn.end;
            let raw = SegmentFile::Plain(Arc::clone(&file));
            // A crash leaves zeros if the file had grown but nothing was written.
            let written = end_of(&raw, part.start, part.end, is_written);
            if written.map_err(LogError::io("reading", path))? > part.start {
                let aside = path.with_extension(format!("torn-{}", torn.offset));
                saved = Some(keep_aside(storage, file.as_ref(), part, &aside)?);
            }
        }
        // Even if it has this length, which may not be durable.
        file.set_len(tail.end)
            .map_err(LogError::io("cutting", path))?;
        if let Some((offset, len)) = tail.last_frame {
            // Its sync may have failed before the restart. The kernel then takes its
            // pages for clean, and syncs them only if they are written again.
            let mut bytes = vec![0; len as usize];
            file.read_at(&mut bytes, offset)
                .and_then(|_| Frame::parse(&bytes, id).map_err(io::Error::other))
                .map_err(LogError::io("reading", path))?;
            file.write_at(&bytes, offset)
                .map_err(LogError::io("writing", path))?;
        }
        file.sync().map_err(LogError::io("syncing", path))?;
        storage.sync_dir(dir).map_err(LogError::io("syncing", dir))
    })();
    report.torn = tail.torn_report(saved);
    report.poison = ready.err().map(|error: LogError| error.to_string());
    Some(Active {
        segment: tail.segment,
        file,
        end: tail.end,
        len: tail.end,
    })
}

/// The operator's options for damage at the end of the active segment. It is never cut
/// off automatically: its numbers would be reused.
fn recovery_hint(lost: &Damage) -> String {
    let path = lost.segment.display();
    format!(
        "{lost}. This is more than one interrupted write: events from there on may have been \
         acknowledged, so nothing is cut off. Put {path} back from a backup, or run \
         `profiletrail repair`, which keeps a copy and saves what can be read"
    )
}
