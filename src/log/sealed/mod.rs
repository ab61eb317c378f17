//! Sealed segments: closed ones, rewritten as compressed blocks.
//!
//! A sealed segment `<first seq>.log.zst` is a file in zstd's *seekable
//! format*: `zstd -d` makes the plain segment of it again, whose frames are
//! those of [`super::frame`]. Each *block* is a zstd frame of its own that holds
//! one frame of the log of about 64 KiB, so that one event costs the reading of
//! one block, and a flipped byte costs one block at most. After the blocks come
//! two frames that `zstd` skips: the [`footer`], by which a `seq` or a time is
//! found, and the standard seek table. Where the footer is damaged the blocks
//! themselves are searched for.
//!
//! Readers see a sealed segment through [`SealedFile`], as the plain file it
//! was made of; so all that is known of frames and of damage holds for both.
//!
//! **Sealing** ([`mod@seal`]) writes the file aside, syncs it, reads it back and
//! compares, renames it, syncs the folder, and only then removes the plain one.
//! A crash leaves one or the other whole: [`super::recover`] takes the sealed
//! one where both are there. A segment with damage is left as it is: what it
//! lacks is for a repair to decide.
//!
//! **Pruning** writes a segment, plain or sealed, anew in the same way, with
//! records of no bytes in the place of those that are left out, so that numbers
//! have no gaps; the new file takes the place of the old one by its rename.
//!
//! **Why these figures.** Events of the benchmark's generator, bodies of 926
//! bytes, in bytes per event with their heads; `zstd -3` makes 96 of the bare
//! bodies in one piece (2 cores, zstd 1.5.7):
//!
//! | block | level 1 | level 3 | level 6 | level 9 | level 12 | level 19 |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | 16 KiB | 157 | 154 | 136 | 132 | 130 | |
//! | 32 KiB | 138 | 135 | 116 | 110 | 108 | |
//! | 64 KiB | 126 | 124 | 103 | 97 | 94 | 89 |
//! | 128 KiB | 120 | 119 | 96 | 90 | 87 | |
//! | 256 KiB | 117 | 114 | 92 | 87 | 84 | |
//!
//! Level 12 takes three times the time of level 9 for 3 percent, and blocks of
//! 128 KiB cost a reader of one event twice as much for 8 percent. A trained
//! dictionary would save 13 percent at 64 KiB and level 9, but then `zstd -d`
//! alone could not read a segment, and a damaged dictionary would cost every
//! event. Random salts in the records would cost 20 bytes an event, which is
//! why they are derived ([`super::salt`]).

mod cache;
mod file;
mod footer;
mod row;
mod seal;
mod swap;

pub(super) use cache::BlockCache;
pub(super) use file::{SealedFile, load};
pub(super) use footer::{Footer, SealedBlock, begins_footer};
pub use row::{Row, clear};
pub(super) use seal::{Plain, seal};
pub use swap::{NotSealed, Rewriting, SealedSegment};

/// How the name of a file ends that sealing has not finished.
pub(super) const UNFINISHED: &str = ".log.zst.new";

/// A block grows to about this many bytes before it is compressed.
const BLOCK_LEN: usize = 64 * 1024;

/// The compression level; the module's table says why.
const LEVEL: i32 = 9;
