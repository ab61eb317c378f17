//! The errors of a log, with the evidence.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A part of a segment that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub segment: PathBuf,
    /// Where the bad bytes begin, in bytes from the segment's start.
    pub offset: u64,
    /// Where the next good frame begins, or the segment ends.
    pub end: u64,
    /// The first `seq` that is lost.
    pub first_seq: u64,
    /// The last `seq` that is lost; less than `first_seq` if none is, and
    /// [`Damage::UNKNOWN`] at the end of a log.
    pub last_seq: u64,
    /// The fault at the offset.
    pub reason: String,
}

impl Damage {
    /// The `last_seq` of damage at the end of a log, after which no frame says it.
    pub const UNKNOWN: u64 = u64::MAX;

    pub(super) fn new(
        segment: impl Into<PathBuf>,
        (offset, end): (u64, u64),
        (first_seq, last_seq): (u64, u64),
        reason: impl Into<String>,
    ) -> Self {
        Self {
            segment: segment.into(),
            offset,
            end,
            first_seq,
            last_seq,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            segment,
            offset,
            end,
            first_seq,
            last_seq,
            reason,
        } = self;
        write!(
            f,
            "damage in {} at offset {offset} ({} bytes): {reason}; ",
            segment.display(),
            end - offset
        )?;
        if last_seq < first_seq {
            write!(f, "no event is lost")
        } else if *last_seq == Self::UNKNOWN {
            write!(
                f,
                "event {first_seq} is lost, and those after it, of unknown number"
            )
        } else if last_seq == first_seq {
            write!(f, "event {first_seq} is lost")
        } else {
            write!(f, "events {first_seq} to {last_seq} are lost")
        }
    }
}

/// Why a log could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system failed.
    #[error("{what} {}: {cause}", path.display())]
    Io {
        /// The operation, such as `reading`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error.
        cause: io::Error,
    },
    /// The bytes of the event cannot be read.
    #[error("event {seq} cannot be read: {damage}")]
    Damaged {
        /// The event.
        seq: u64,
        /// The damage at its place.
        damage: Box<Damage>,
    },
    /// The log ends with a frame of another log.
    #[error(
        "{} belongs to another data folder from offset {offset} on: put back the `format` file \
         that belongs to it, or, if no other data folder was ever mixed with this one, run \
         `profiletrail repair`", segment.display()
    )]
    OtherLog {
        /// The segment.
        segment: PathBuf,
        /// Where the frame begins.
        offset: u64,
    },
    /// The log ends with a frame that this program does not know.
    #[error(
        "{} was written by a newer profiletrail from offset {offset} on (frame version {version}): \
         start that one, or, if none was ever started here, run `profiletrail repair`", segment.display()
    )]
    Newer {
        /// The segment.
        segment: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// The frame's version.
        version: u16,
    },
    /// No such event.
    #[error("there is no event {seq}")]
    NotFound {
        /// The requested number.
        seq: u64,
    },
}

impl LogError {
    /// Whether a file does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { what, path, cause }
    }
}

/// Why nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A write or sync failed, now or before, and nothing is accepted until a restart has
    /// recovered the log; or the log is set to refuse.
    #[error("the log takes no events: {0}")]
    Poisoned(String),
    /// The records do not fit in a frame.
    #[error("a record of {0} bytes is too large")]
    TooLarge(usize),
    /// Nothing was written.
    #[error("{0}")]
    Refused(String),
    /// It is unknown whether it will be in the log.
    #[error("it is in doubt whether it is kept: {0}")]
    InDoubt(String),
}
