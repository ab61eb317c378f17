//! Interprets a sequence of events: order, duplicates, states, changes, causes.
//!
//! Pure functions over events; no I/O and no clock. The rules:
//!
//! * **Order** of a (sub)profile's events: event time, then `create` before others
//!   before `delete` before observed events, then `seq`.
//! * A **duplicate** has the (sub)profile, type, event time and body bytes of an event
//!   of lower `seq`. It changes nothing.
//! * The **state** after an event is its fields and interests. An `update` without any
//!   fields keeps the earlier state and applies its parameters to it. A parameter that
//!   names an interest of that state, and no field, sets the interest; every other
//!   parameter sets a field. Interests that such an update sends replace the earlier
//!   ones. Its changes have the order of its parameters. A `delete` leaves no state;
//!   other types change nothing.
//! * An **observed** event ([`crate::event::Seen`]) records the content of an export. Its
//!   fields are merged into the state; without a state they are first seen. Or it records
//!   that the (sub)profile is gone, which acts as a `delete`.
//! * A **[`Baseline`]** replaces pruned events; after its place every result is the same
//!   as with them. A late event before it is evaluated alone: the states around it are
//!   unknown, so it changes only the values that it names, and nothing is first seen.
//! * **Cascade**, if requested: a profile's `delete` also deletes its subprofiles, for
//!   which Copernica sends no call: at its place each existing one is deleted
//!   ([`CascadeDelete`], [`Replay::apply_cascade`]).
//! * A change has a [`Cause`]. `since` of an unexplained or observed change is the time
//!   of the previous event of any type.
//! * An [`Interval`] is a value from the change that set it to its end.

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
