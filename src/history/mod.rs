//! What a sequence of events means: order, duplicates, states, changes, causes.
//!
//! Pure functions over events; no I/O and no clock. The rules:
//!
//! * **Order** of a (sub)profile's events: event time, then `create` before
//!   others before `delete` before what was observed, then `seq`.
//! * A **duplicate** has the (sub)profile, type, event time and body bytes of
//!   an event of lower `seq`. It changes nothing.
//! * The **state** after an event is its fields and interests. An `update`
//!   without any fields carries the earlier state over with its parameters laid
//!   on it: a parameter that names no field of that state but one of its
//!   interests is laid on the interest, every other on the fields; interests
//!   that such an update does send are taken as sent. Its parameters are the
//!   order in which its changes are told. A `delete` leaves no
//!   state; other types change nothing.
//! * An **observed** event ([`crate::event::Seen`]) tells what an export showed:
//!   its fields are laid over the state, and where there is none they are first
//!   seen; or it tells that the (sub)profile is gone, which changes what a
//!   `delete` does.
//! * A **[`Baseline`]** stands for events that were pruned. From its place on
//!   everything is told as if they were there. Events before it, which came
//!   late, stand alone: what was before and after each is not known, so only
//!   what they name themselves is told, and nothing is first seen.
//! * **Cascade**: where that is asked for, a profile's `delete` ends its
//!   subprofiles, of which Copernica sends nothing: at its place each one that
//!   is present becomes deleted ([`CascadeDelete`], [`Replay::apply_cascade`]).
//! * **Causes** are told by [`Cause`]. `since` of an unexplained or observed
//!   change is the time of the event before, whatever its type.

mod baseline;
mod blame;
mod cascade;
mod change;
mod diff;
mod interval;
mod order;
mod replay;

pub use baseline::{Baseline, DIGEST_LEN, Place, PrunedDigest};
pub use blame::{Blame, BlameRow};
pub use cascade::{CascadeDelete, cascade_candidates};
pub use change::{Cause, Change, Subject, Value};
pub use diff::{Difference, differences};
pub use interval::{Ending, Interval, IntervalBuilder, Origin};
pub use order::{OrderKey, order_and_dedup};
pub use replay::{Known, Replay, State, is_full_state};
