//! What a sequence of events means: order, duplicates, states, changes, causes.
//!
//! Pure functions over events; no I/O and no clock. The rules:
//!
//! * **Order** of a (sub)profile's events: event time, then `create` before others
//!   before `delete` before observed events, then `seq`.
//! * A **duplicate** has the (sub)profile, type, event time and body bytes of an event
//!   of lower `seq`. It changes nothing.
//! * The **state** after an event is its fields and interests. An `update` without any
//!   fields carries the earlier state over with its parameters laid on it: a parameter
//!   that names no field of that state but one of its interests is laid on the
//!   interest, every other on the fields; interests that such an update sends are taken
//!   as sent. Its changes come in the order of its parameters. A `delete` leaves no
//!   state; other types change nothing.
//! * An **observed** event ([`crate::event::Seen`]) records what an export showed: its
//!   fields are laid over the state, and without a state they are first seen; or it
//!   records that the (sub)profile is gone, which acts as a `delete`.
//! * A **[`Baseline`]** stands for events that were pruned; from its place on everything
//!   is as if they were there. An event before it, which came late, stands alone: the
//!   states around it are unknown, so it changes only what it names itself, and nothing
//!   is first seen.
//! * **Cascade**, if requested: a profile's `delete` also deletes its subprofiles, for
//!   which Copernica sends no call: at its place each one that is present becomes deleted
//!   ([`CascadeDelete`], [`Replay::apply_cascade`]).
//! * A change has a [`Cause`]. `since` of an unexplained or observed change is the time
//!   of the event before, whatever its type.
//! * An [`Interval`] is a value from the change that set it to what ended it.

mod baseline;
mod cascade;
mod change;
mod interval;
mod replay;
#[cfg(test)]
mod tests;

pub use baseline::{Baseline, DIGEST_LEN, OrderKey, Place, PrunedDigest, order_and_dedup};
pub use cascade::{CascadeDelete, cascade_candidates};
pub(crate) use change::known;
pub use change::{Cause, Change, Difference, Subject, Value, differences};
pub use interval::{Ending, Interval, IntervalBuilder, Origin};
pub use replay::{Known, Replay, State, found_at_delete, is_full_state};
