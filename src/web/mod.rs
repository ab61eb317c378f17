//! Renders the lines of answers as HTML.
//!
//! Pure functions: typed lines ([`crate::query::lines`]) become rows and items with
//! shortened texts ([`text`]) one by one, and these become pages. Plots are SVG with positions
//! in percentages, so that one drawing fits every width and its text keeps its size.
//!
//! Not here: the source of the lines, and HTTP. Invariants:
//! - External text passes through [`text::Text`], which escapes invisible and
//!   direction-changing characters, and through maud, which escapes HTML.
//! - A page's only script and style are the two files of [`assets`], so the strictest
//!   Content-Security-Policy holds. A [`dossier`] is a document of its own, with
//!   inline style and no script.
//! - The size of a page is bounded for any store, and a page states its omissions.

pub mod assets;
pub mod changes;
pub mod dossier;
pub mod event;
pub mod events;
pub mod findings;
pub mod incident;
mod links;
pub mod profile;
mod reader;
mod scale;
pub mod search_results;
pub mod shell;
pub mod start;
pub mod state;
pub mod text;
pub mod timeline;
mod timeline_svg;

pub use links::{Zoom, with_query};
pub use reader::{Clock, Reader, Titles};
pub use scale::Scale;
