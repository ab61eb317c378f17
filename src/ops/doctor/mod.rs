//! `doctor`: checks what usually goes wrong around a server, and says what to do.
//!
//! Each check is a small function from what was found out to one [`Finding`];
//! what is found out is asked of the running server ([`Running`], over its
//! socket), since that knows what really runs, or read from the folder and taken
//! from the flags where none runs. [`examine()`] puts them in their order.
//!
//! Nothing is changed, not even in the folder of a server that has stopped: it
//! is read without its lock and without its index, so that what another user
//! runs leaves no files there. Left out: what the log holds, which is `verify`'s,
//! and the time of other machines; of clocks only the sender's is looked at, as
//! far as its signed calls tell it.

mod backups;
mod calls;
mod certificate;
mod descriptors;
mod disk;
mod dns;
mod examine;
mod finding;
mod folder;
mod http;
mod index;
mod log_facts;
mod owners;
mod public;
mod running;
mod server;
mod settings;
mod words;

pub use examine::{Address, Examination, Found, examine};
pub use finding::{Finding, Verdict};
pub use log_facts::{LogFacts, read_folder};
pub use running::{Running, Signed};
pub use settings::Settings;
