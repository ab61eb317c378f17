//! The append-only log, which never loses a synced event.
//!
//! A log is a folder of *segments*, files named `<first seq>.log` with the number
//! in 20 digits. A segment is a sequence of *frames* ([`frame`] documents their
//! bytes), each of which holds the [records](record) of one group commit. The last
//! segment is *active*: it is appended to until it reaches the segment size. The
//! others are *closed*: their records never change. A position is a `seq`: 1, 2,
//! 3, …
//!
//! **Append** ([`Writer`]). A group is written as one frame and synced with `fdatasync`
//! before the next is written, so that only the last frame of the active segment can be
//! torn. The name of a new segment is synced in its directory before its first frame.
//! After a failed write or sync the writer is *poisoned* and accepts nothing more: a
//! failed `fdatasync` may have dropped the pages, and only a recovery knows the state
//! of the disk.
//!
//! **Sealing** ([`sealed`]) rewrites a closed segment as compressed blocks,
//! `<first seq>.log.zst`, with the same records under the same numbers. [`Log::block_ranges`]
//! gives the times of each block, so that a scan by time skips other blocks.
//!
//! **Pruning** ([`Log::prune`]) rewrites a closed segment without some of its records.
//! Each is replaced by an empty one or by its leaf hash, so that numbers have no gaps and
//! proofs stay possible. [`crate::store::retention`] decides which records are pruned,
//! and what is kept of them.
//!
//! **Recovery** ([`Log::open`] for appending) copies a torn last frame aside, cuts it and
//! the filler ([`frame::FILLER`]) off, and writes the last whole frame again before
//! syncing it: it is the only frame whose sync may have failed, and the kernel may treat
//! its pages as clean without having written them.
//!
//! **Damage** is a bad frame that is not a torn tail. It is reported with segment, offset
//! and the `seq` that it held; all other frames stay readable. Reading never writes.
//! Several bad frames at the end of the active segment are damage, too: the log ends
//! before them, and nothing is cut off or appended until a repair. A log that ends with a
//! frame of another log or of a newer version cannot be opened. [`Log::check_segment`]
//! checks every byte of a segment, and [`repair`] makes a damaged log complete again,
//! with a record of the lost events.
//!
//! Events and rejected calls are kept in two logs of this format, so that the
//! events' `seq` has no gaps; baselines of pruned events in a third one.

mod aside;
mod block_range;
mod blocks;
mod check;
mod control;
mod error;
mod fixed;
pub mod frame;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod leaf;
mod lost;
mod names;
mod notifier;
mod reader;
pub mod record;
mod recover;
pub mod repair;
pub mod salt;
mod sealed;
mod search;
mod segment;
mod segment_file;
mod segment_list;
mod segment_reader;
mod snapshot;
mod tail;
mod writer;

pub use block_range::BlockRange;
pub use check::{CheckedSegment, Visit, Visited};
pub use control::{Control, Erasure};
pub use error::{AppendError, Damage, LogError};
pub use leaf::{TILE, body_commitment, hash_leaf, leaf_input, leaf_of, stand_in};
pub use names::{is_segment_name, sealed_segment_of, segment_of_set_aside};
pub use notifier::AppendNotifier;
pub use reader::{Cursor, Scan, Scanned};
pub use recover::{OpenMode, Recovered, Report, Torn};
pub use sealed::{BulkSegmentWriter, NotSealed, Rewriting, SealedSegment, remove_segments_outside};
pub use segment::Log;
pub use snapshot::{LogSnapshot, SnapshotFile, check_copy};
pub use writer::Writer;
