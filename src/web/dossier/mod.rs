//! A dossier as one page that needs nothing but itself: no script, nothing from
//! elsewhere, and a policy that forbids both.
//!
//! What `dossier` writes and what `/profile/P/dossier` sends. It is written as
//! the lines come, in their order, so that it may be of any length. Leaves out what a line is to say: that is [`words`]'.

mod head;
mod page;
mod section;
mod words;

pub use head::policy;
pub use page::Page;
