//! What browsers are shown: from the lines of answers to HTML.
//!
//! Pure functions: typed lines ([`crate::query::lines`]) become small views with
//! shortened texts ([`text`]), and these become pages. Plots are SVG whose
//! places are percentages, so that one drawing fits every width and its text
//! keeps its size.
//!
//! Leaves out where lines come from, and everything of HTTP. Invariants:
//! every text from outside passes through [`text::Text`], which shows what
//! would hide or turn text as escapes, and through maud, which escapes HTML;
//! nothing in a page is script or style but the two files of [`assets`], so
//! that the strictest Content-Security-Policy holds (a [`dossier`] is a document
//! by itself, which has its style in it and no script); whatever a store holds, a
//! page's size is bounded, and what is left out is said.

pub mod assets;
pub mod bars;
mod differing;
pub mod dossier;
pub mod event;
pub mod events;
pub mod findings;
mod links;
mod outcomes;
pub mod profile;
mod scale;
pub mod search_results;
pub mod shell;
pub mod start;
pub mod state;
pub mod text;
mod time_format;
pub mod timeline;
mod timeline_svg;

pub use crate::format::seconds_of;
pub use links::{Zoom, seconds};
pub use scale::Scale;
pub use time_format::Clock;
