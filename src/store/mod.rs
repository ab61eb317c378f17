//! The engine: log and index of one data folder, and access to them.
//!
//! [`Trail::open`] takes the folder's lock, recovers the
//! logs and starts the index; [`Appender`] adds events; a [`Snapshot`] finds
//! those of (sub)profiles, and [`Walk`] reads those of a span of time.
//! Queries are defined in [`crate::query`], the meaning of events in [`crate::history`].

mod appender;
mod batch;
mod damages;
mod erasing;
mod error;
mod folder;
mod open;
mod order;
mod owners;
mod proofs;
mod pruning;
mod reader;
pub mod retention;
mod sealing;
mod sequencer;
mod snapshot;
mod sorter;
mod validation;
mod walk;

pub use appender::{Appender, Arrival, Outcome, Owners, ParsedCall};
pub use batch::Batch;
pub use damages::{Damages, Missing, Unreadable};
pub use erasing::{Append, EraseError, EraseLine, EraseOrder};
pub use error::TrailError;
pub use folder::{DataFile, FILES, FORMAT, Folder, Holder, Membership};
pub use open::{OpenOptions, Trail};
pub use order::order_second;
pub use pruning::{
    PruneError, PruneOrder, PruneReport, Restore, RetentionPeriod, YOUNGEST, start_retention,
};
pub use reader::EventReader;
pub use sealing::start_sealer;
pub use sequencer::{Group, Moved, Placed, Sequencer, frame_len};
pub use snapshot::{EventsOf, Snapshot};
pub use sorter::{Sorted, Sorter, ensure_free_space, free_space};
pub use validation::{ValidationError, ValidationFiles};
pub use walk::{Step, Walk, WalkBatch};
