//! The append-only log: the one truth, of which nothing synced is ever lost.
//!
//! A log is a folder of *segments*, files named `<first seq>.log` with the
//! number in 20 digits. A segment is a row of *frames* ([`frame`] tells their
//! bytes), each of which holds the records of one group commit. The last
//! segment is *active*: appended to until it reaches the segment size; those
//! before it are *closed*, and their records never change. A position is a
//! `seq`: 1, 2, 3, …
//!
//! **Append.** A group is written as one frame and synced with `fdatasync`
//! before the next is written, so only the last frame of the active segment
//! can be torn. A new segment's name is synced in its directory before the
//! first frame in it is. After a failed write or sync the writer is *poisoned*
//! and takes nothing more: a failed `fdatasync` may have dropped the pages, and
//! only a recovery knows what is on the disk.
//!
//! **Sealing** ([`sealed`]) rewrites a closed segment as compressed blocks,
//! `<first seq>.log.zst`, from which the same records are read by the same
//! numbers. [`Log::block_ranges`] tells the times of each block, so that a scan by
//! time can pass over what it need not read.
//!
//! **Pruning** ([`Log::prune`]) rewrites a closed segment without some of its
//! records. In the place of each stands one of no bytes: numbers have no gaps,
//! and frames their format. Which are pruned, and what is known of them
//! afterwards, is [`crate::store::retention`]'s matter.
//!
//! **Recovery** ([`Log::open`] for appending) cuts a torn last frame off, after
//! setting its bytes aside, and writes the last whole frame once more before
//! syncing it: it is the only one whose sync may have failed, and the kernel
//! may hold its pages as clean without having written them.
//!
//! **Damage** is a bad frame that is not a torn tail: it is reported with its
//! segment, offset and the `seq` it held, and all other frames stay readable.
//! Reading never writes. Several bad frames at the end of the active segment
//! are damage, too: the log ends before them, nothing is cut off, and nothing
//! is taken until a repair. A log that ends with a frame of another log or of a
//! newer version is not opened at all. [`Log::check_segment`] reads a segment to
//! prove it, and [`repair`] makes a damaged log whole again: what cannot be read
//! is then known to be lost.
//!
//! What a record means is not the log's matter: [`record`] has the two kinds.
//! Events and rejected calls are kept in two logs of this format, so that the
//! events' `seq` has no gaps; baselines of pruned events in a third one.

mod block_range;
mod blocks;
mod check;
mod error;
pub mod frame;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod leaf;
mod lost;
mod names;
mod notifier;
mod pruning;
mod reader;
pub mod record;
mod recover;
pub mod repair;
pub mod salt;
mod sealed;
mod search;
mod segment;
mod segment_list;
mod segment_reader;
mod snapshot;
mod tail;
mod writer;

pub use block_range::BlockRange;
pub use check::{CheckedFrame, CheckedSegment, Form, Visit, Visited};
pub use error::{AppendError, Damage, LogError};
pub use leaf::{body_commitment, leaf_hash};
pub use names::segment_of;
pub use notifier::AppendNotifier;
pub use reader::{Cursor, Scan, Scanned};
pub use recover::{OpenMode, Recovered, Report, Torn};
pub use sealed::{BulkSegmentWriter, NotSealed, Rewriting, SealedSegment, remove_segments_outside};
pub use segment::Log;
pub use snapshot::{Held, SnapshotFile};
pub use writer::Writer;
