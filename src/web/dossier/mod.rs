//! A dossier as one self-contained page: no script, no external resource, and a
//! policy that forbids both.
//!
//! `dossier` writes it and `/profile/P/dossier` sends it. It is written line by line
//! in the order of the answer, so its length is not limited. Not here: the wording
//! of the lines ([`words`]).

mod head;
mod page;
mod words;

pub use head::policy;
pub use page::Page;
