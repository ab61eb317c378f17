//! Pruning: events that are old enough go, and what they came to stays.
//!
//! To prune up to a time T is to remove every event that happened before T,
//! arrived before T, and stands in a closed segment. Of each (sub)profile that
//! loses events a [`crate::history::Baseline`] stays: what was known of it after the last
//! of them. An event that arrived later is not touched, whatever its time
//! says, and the newest segment never is. Values that only pruned events had
//! are gone: a baseline holds the last state, and neither who set it nor when
//! or what was before.
//!
//! **What is on disk.** `baselines/` is a log of sealed segments that are
//! written in one go ([`crate::log::BulkSegmentWriter`]), a *generation* for each prune:
//! first the baselines, ordered by (sub)profile, then the owners: which profile
//! a subprofile belongs to, ordered by subprofile. In the place of times their
//! footers have profiles' and subprofiles' numbers, so that one block is read
//! to find one ([`Baselines`]). Numbers go on from one generation to the next.
//!
//! **The commit** is the rename of the data folder's `format` file, which then
//! has format 3 and the bounds of what is pruned ([`Pruned`]) beside the log's
//! id. One file says both, so that no program that knows nothing of baselines
//! ever opens a folder that needs them. Before it nothing has happened: what was
//! written is removed by the next prune. From it on every answer leaves the
//! pruned events out and begins with the baselines.
//!
//! **The removal** ([`remove()`]) comes after the commit is durable, when no
//! answer is still being given that began before it. It writes each closed
//! segment that holds pruned records anew without them; it can be broken off
//! anywhere and done again, since footers tell what is left to do. A segment
//! with damage is left as it is.

mod baselines;
mod commit;
mod kept;
mod pruned;
mod remove;
mod seq_set;
mod writer;

pub use baselines::{Baselines, Walk};
pub use commit::{CommitError, commit};
pub use kept::KeptBaseline;
pub use pruned::{Pruned, Retention};
pub use remove::{Removal, Removed, holds};
pub use seq_set::SeqSet;
pub use writer::BaselineWriter;
