//! Retention: which records are pruned, and the baselines that replace them.
//!
//! Pruning up to a time T removes every event that happened before T, arrived before T,
//! and is in a closed segment. The record of each event decides, regardless of its place
//! in the log ([`Pruned::covers`]). For each (sub)profile that loses events a
//! [`crate::history::Baseline`] is kept: its state after the last of them. Values that
//! only pruned events had are lost: a baseline holds the last state, but not its causes,
//! times or earlier values.
//!
//! **On disk**, `baselines/` is a log of sealed segments that are written in one go
//! ([`crate::log::BulkSegmentWriter`]), a *generation* for each prune: first the
//! baselines, ordered by (sub)profile, then the owners: the profile of each subprofile,
//! ordered by subprofile. Their footers have the numbers of profiles and subprofiles
//! instead of times, so that one block is read to find one ([`Baselines`]). Numbers
//! continue from one generation to the next.
//!
//! **The commit** is the rename of the data folder's `format` file, which then has the
//! bounds of the pruned events ([`Pruned`]). Before it nothing is pruned, and the next
//! prune removes the written files. After it every answer hides the pruned events and
//! begins with the baselines. A record's own times decide whether it is hidden. The index
//! has no receipt times, so the pruning process holds the numbers of the pruned events
//! ([`SeqSet`]) until the index is rebuilt. An older index that is found at the start is
//! rebuilt before it answers.
//!
//! **The removal** ([`Removal`]) follows when no answer from before the commit is
//! running. It rewrites each closed segment that holds pruned records without them. It
//! can stop at any point and be repeated, since the footers show the remaining work. It
//! leaves the leaf hash of an event if proofs need it ([`Leaves`]). A damaged segment is
//! not changed.

mod baselines;
mod kept;
mod pruned;
mod remove;
mod seq_set;
mod writer;

pub use baselines::{Baselines, Walk};
pub use kept::KeptBaseline;
pub use pruned::{CommitError, Pruned, Retention, commit};
pub use remove::{Leaves, Removal, Removed, holds};
pub use seq_set::SeqSet;
pub use writer::BaselineWriter;
