//! The index: the events of each (sub)profile with their times.
//!
//! It can always be rebuilt from the log; `docs/index-design.md` explains its design. It
//! holds the (event time, `seq`) pairs of each (sub)profile, which are sorted when read,
//! and subprofile → profile. Events are collected in memory and written to sled as sorted
//! *runs* of some 65,000 items, cut into blocks of a KiB; runs are merged as their number
//! grows ([`store`], [`merge`], [`block`]). The position moves with each run, so after a
//! crash only the last run is read from the log again.
//!
//! A question about one (sub)profile reads every run, one about all of them walks over
//! the runs ([`EventStore::timelines_after`]), and one about some reads each needed run
//! once ([`EventStore::slices`]).
//!
//! sled is not trusted with durability, its files can be damaged by an abrupt
//! stop, and some damage makes it panic. So every call into it is caught, and
//! every error ends in the same way: the folder is set aside and the index
//! rebuilt from the log. If nothing can be written, as on a full disk, the index
//! is kept in memory until the next start ([`tree`]). Questions wait until the
//! new index has come as far as the old one.
//!
//! A whole index is replaced, too ([`successor`]), for reasons that the document lists. Events
//! that cannot be read are listed ([`Indexer::unreadable`]): their (sub)profiles are
//! unknown, so every answer about a (sub)profile warns about them.
//!
//! The index also has the *look-ups* of configured fields: which (sub)profiles ever
//! had a value ([`lookup`]).

mod block;
mod error;
mod filling;
mod indexer;
mod indexer_loop;
mod key;
mod lookup;
mod lookup_key;
mod manifest;
mod merge;
mod pending;
mod replace;
mod run;
mod shared;
mod store;
mod successor;
#[cfg(test)]
mod tests_damage;
#[cfg(test)]
mod tests_lookup;
#[cfg(test)]
mod tests_model;
mod timelines;
mod tree;
mod varint;

pub use error::{IndexError, IndexUnavailable};
pub use indexer::{Indexer, Progress};
pub use lookup::{LookupPage, LookupQuery, LookupState, LookupValues, MAX_FIELDS};
pub use lookup_key::folded;
pub use shared::PresentRetention;
pub use store::EventStore;
pub use timelines::TimeRange;
