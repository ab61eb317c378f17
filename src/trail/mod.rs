//! The engine: log and index of one data folder, and how they are asked.
//!
//! The library's face. [`Trail::open`] takes the folder's lock, recovers the
//! logs and starts the index; [`Appender`] adds events; [`Trail::events_of`]
//! and the two scans read them. What a question means is [`crate::query`]'s
//! matter, what events mean [`crate::history`]'s.

mod appender;
mod error;
mod folder;
mod open;
mod reader;
mod sealing;
mod sorter;
mod walk;

pub use appender::{Appender, Arrival, Outcome, ParsedCall};
pub use error::TrailError;
pub use folder::{Folder, Holder};
pub use open::{OpenOptions, Purpose, Trail};
pub use reader::{Damages, EventReader, Occurrence, Timeline, Unreadable};
pub use sealing::Sealer;
pub use sorter::Sorter;
pub use walk::{Step, Walk};
