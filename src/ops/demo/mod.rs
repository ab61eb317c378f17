//! Two made-up weeks of a small shop, to try the program without Copernica.
//!
//! [`Story`] has the calls and the facts behind them. It is a pure function of a
//! seed and the moment at which it ends. [`load()`] stores its calls in a data
//! folder as if each had arrived when it happened; [`questions()`] are the questions
//! to ask about it. Running a server is left to the command (`profiletrail demo`).
//!
//! The facts of the story come from the shop's own actions, never from
//! [`crate::history`], so that answers can be checked against them.

mod cast;
mod load;
mod plot;
mod questions;
mod shop;
mod story;

pub use load::load;
pub use questions::questions;
pub use story::Story;

/// The seed of `demo`.
pub const SEED: u64 = 20;
