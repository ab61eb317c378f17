//! The index: which events there are of a (sub)profile, and when.
//!
//! It is made from the log and can always be made again. It holds the (event
//! time, `seq`) pairs of each (sub)profile, which are put in order when read,
//! and subprofile → profile. Events are gathered in memory, and written to sled
//! as sorted runs of some 65,000, cut into blocks of a KiB; runs are merged as
//! they grow in number ([`store`], [`merge`]; [`block`] tells the bytes). The
//! position moves with each run: after a crash, what was not written is read from
//! the log again, which is a run and what sled had not handed to the system
//! within two seconds.
//!
//! Why not one sled value per (sub)profile: with random profiles each event
//! then rewrites a value and, every tenth time, a leaf of sixteen. Entering 10
//! million events over 500,000 profiles and their subprofiles (1.36 million
//! timelines), with sled's cache at 32 MiB, on a machine that was busier during
//! the second:
//!
//! | | one value per (sub)profile | runs of blocks |
//! | --- | --- | --- |
//! | events a second, the first million | 99,000 | 394,000 |
//! | events a second, the last million | 16,000 | 467,000 |
//! | bytes on disk per event | 150 | 29 (24 over 500,000 timelines) |
//! | of which live | not measured | 12.8 |
//! | resident memory | 187 MiB | 45 MiB |
//! | opening | 5.5 s | 0.15 s |
//!
//! The price is the question about one (sub)profile, which looks into every run
//! (15 at 10 million events): 0.13 to 0.6 ms. What asks for all of them walks
//! instead ([`Indexer::each_timeline`]); what asks for some, as the changes of an
//! hour do, asks for them together, and each run is passed over once, if its
//! events are of the time that is asked for or needed to know what was before
//! ([`Indexer::recent`], [`find`]).
//!
//! sled's word is never taken for durability, its files can be damaged by an
//! abrupt stop, and some damage makes it panic. So every call into it is
//! contained, and whatever is wrong with it ends in the same way: the folder is
//! set aside and the index rebuilt from the log ([`Indexer`]); where even that
//! cannot be written, as on a full disk, the index is kept in memory, at about
//! 16 bytes an event, until the next start. Until the new index has come as
//! far as the old one was, questions wait for it.
//!
//! Beside the events stand the *lookups* of some fields, if any are wanted:
//! which (sub)profiles ever had a value ([`lookup`], [`word`]). They are runs of
//! another kind in the same database, made when the thread has nothing else to
//! do ([`lookup_feed`]); a folder without them is as it was before there were
//! any, and a version that does not know them leaves them alone.
//!
//! Events that could not be read when the index was made are kept in it as
//! such: whose they were is not known, so every answer about a (sub)profile
//! tells of them.

mod ask;
mod block;
#[cfg(test)]
mod crash;
mod error;
mod feed;
mod find;
mod indexer;
mod lookup;
mod lookup_feed;
#[cfg(test)]
mod lookup_model;
mod lookup_settings;
mod manifest;
mod memory;
mod merge;
#[cfg(test)]
mod model;
mod pending;
mod probe;
mod run;
mod shared;
mod slot;
mod slotted;
mod store;
mod word;

pub use ask::{Recent, Stretch, Timed};
pub use error::IndexError;
pub use indexer::{Indexer, Progress};
pub use lookup::{LookedValues, LookupState, MOST_FIELDS};
pub use probe::{Looked, Probe};
pub use shared::PresentRetention;
pub use store::{Entry, Position};
pub use word::folded;
