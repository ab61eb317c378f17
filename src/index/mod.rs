//! The index: which events there are of a (sub)profile, and when.
//!
//! It is made from the log and can always be made again. One value per
//! (sub)profile holds its (event time, `seq`) pairs as small deltas, in the
//! order of arrival; they are put in order when read. [`chunk`] tells the
//! bytes. Beside it: subprofile → profile, and the position up to which the
//! log is applied, which goes with the entries in one sled `Batch`.
//!
//! sled's word is never taken for durability, its files can be damaged by an
//! abrupt stop, and some damage makes it panic. So every call into it is
//! contained, and whatever is wrong with it ends in the same way: the folder is
//! set aside and the index rebuilt from the log ([`Indexer`]); where even that
//! cannot be written, as on a full disk, the index is kept in memory, at about
//! 16 bytes an event, until the next start. Until the new index has come as
//! far as the old one was, questions wait for it.
//!
//! Events that could not be read when the index was made are kept in it as
//! such: whose they were is not known, so every answer about a (sub)profile
//! tells of them.

mod chunk;
mod feed;
mod indexer;
mod keys;
mod memory;
mod shared;
mod store;

pub use indexer::{Indexer, Progress};
pub use store::{Entry, IndexError, Position};
