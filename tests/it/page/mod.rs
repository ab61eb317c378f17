//! The page for browsers.

mod browser;
mod browser_hostile;
mod browser_paint;
mod browser_shop;
mod content;
mod dossier;
mod findings;
mod sessions;
mod tools;
