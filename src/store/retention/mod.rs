//! Retention: which records are pruned, and the baselines that replace them.
//!
//! Pruning up to a time T removes every event that happened before T, arrived
//! before T, and is in a closed segment. Each event is judged by its own record,
//! wherever it is in the log ([`Pruned::covers`]). For each (sub)profile that
//! loses events a [`crate::history::Baseline`] is kept: its state after the last
//! of them. Values that only pruned events had are gone: a baseline holds the
//! last state, but not who set it, when, or what was before.
//!
//! **On disk**, `baselines/` is a log of sealed segments that are written in one
//! go ([`crate::log::BulkSegmentWriter`]), a *generation* for each prune:
//! first the baselines, ordered by (sub)profile, then the owners: which profile
//! a subprofile belongs to, ordered by subprofile. Their footers have the numbers
//! of profiles and subprofiles instead of times, so that one block is read to find
//! one ([`Baselines`]). Numbers continue from one generation to the next.
//!
//! **The commit** is the rename of the data folder's `format` file, which then
//! has the bounds of what is pruned ([`Pruned`]). Before it nothing is pruned, and
//! the next prune removes what was written. After it every answer hides the pruned
//! events and begins with the baselines. Records are hidden by what they say; the
//! index knows no receipt times, so the process that pruned holds the numbers of
//! the pruned events ([`SeqSet`]) until the index is built again. An index of
//! before the prune that is found at the start is built again before it answers.
//!
//! **The removal** ([`Removal`]) follows once no answer that began before the
//! commit is still being given. It rewrites each closed segment that holds pruned
//! records without them. It can stop anywhere and be repeated, since the footers
//! show what is left. Of an event it leaves the leaf hash where proofs need it
//! ([`Leaves`]). A segment with damage is left as it is.

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
