//! A small shop's made-up fortnight, to try the program without Copernica.
//!
//! [`Story`] is what happens, and what is true of it: pure, from a moment at
//! which it ends and a seed, and alike for alike ones. [`load()`] keeps its calls
//! in a data folder as if each had come when it happened; [`questions()`] are what
//! to ask then. Running a server on it is the command's matter
//! (`profiletrail demo`).
//!
//! What the story says of itself is found by what the shop did, never by asking
//! [`crate::history`], so that answers can be held against it.

mod call;
mod cast;
mod dice;
mod load;
mod plot;
mod questions;
mod shop;
mod story;

pub use call::Call;
pub use load::{LoadError, load};
pub use questions::{Asked, questions};
pub use story::{BadImport, Fight, Harmed, LostHour, Mind, Story, Unexplained, Vanished};

/// The seed of the story that `demo` tells.
pub const SEED: u64 = 20;
