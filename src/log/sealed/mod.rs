//! Sealed segments: closed ones, rewritten as compressed blocks.
//!
//! A sealed segment `<first seq>.log.zst` is a file in zstd's *seekable format*:
//! `zstd -d` restores the plain segment, with the frames of [`super::frame`]. Each
//! *block* is a zstd frame that holds one frame of the log of about 64 KiB, so
//! that reading one event costs one block, and a flipped byte one block at most.
//! Two frames that `zstd` skips follow the blocks: the [`footer`], which finds a
//! `seq` or a time, and the standard seek table. If the footer is damaged, the
//! file is searched for the blocks.
//!
//! Readers see it through [`super::segment_file::SegmentFile`] as the plain file it was made from.
//!
//! **Sealing** ([`mod@seal`]) writes the new file aside, syncs it, reads it back and
//! compares, renames it, syncs the folder, and only then removes the plain one. A crash
//! leaves one or the other complete: [`super::recover`] uses the sealed one if both
//! exist. A damaged segment is not sealed, but left to a repair.
//!
//! **Pruning** rewrites a plain or sealed segment in the same way; the rename replaces
//! a sealed one.
//!
//! `docs/storage-format.md` explains the length and level of the blocks. There is no
//! trained dictionary: `zstd -d` alone could not read a segment then, and a damaged
//! dictionary would cost every event.

use std::path::{Path, PathBuf};

mod bulk;
mod cache;
mod file;
mod footer;
mod load;
mod rewrite;
mod seal;

pub use bulk::{BulkSegmentWriter, remove_segments_outside};
pub(super) use cache::BlockCache;
pub(super) use file::SealedFile;
#[cfg(feature = "fuzzing")]
pub(super) use footer::SealedBlock;
pub(super) use footer::{Footer, begins_footer};
pub use rewrite::{Rewriting, SealedSegment};
pub use seal::NotSealed;
pub(super) use seal::SealedWriter;

/// How the name of an unfinished sealed segment ends.
pub(super) const UNFINISHED: &str = ".log.zst.new";

/// A block grows to about this many bytes before it is compressed.
const BLOCK_LEN: usize = 64 * 1024;

/// The compression level.
const LEVEL: i32 = 9;

/// The path of an unfinished sealed segment.
pub(super) fn unfinished_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}{UNFINISHED}"))
}
