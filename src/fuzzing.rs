//! The fuzz targets: they run the code that reads untrusted or damaged bytes on arbitrary input.
//!
//! Each target is a function of bytes that panics if an invariant is broken. It is in a file
//! `fuzzing.rs` next to the code that it runs, where it can use private items. `tests/fuzz` has a
//! binary of libFuzzer and a corpus for each; `scripts/fuzz` builds and runs them, and
//! `tests/it/project/fuzz_corpora.rs` replays the corpora in every ordinary test run.
//!
//! A new target needs a function next to its code, a line in each of the two lists below, a file
//! and an entry in `tests/fuzz`, and a folder with seeds.

pub use crate::auth::signature::fuzzing::signature;
pub use crate::cli::fuzzing::command_line;
pub use crate::event::fuzzing::decoder;
pub use crate::frontend::fuzzing::{chunked, head};
pub use crate::log::fuzzing::{log, records};
pub use crate::query::fuzzing::import;
pub use crate::server::fuzzing::{control, question};

/// A target.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 10] = [
    ("chunked", chunked),
    ("command_line", command_line),
    ("control", control),
    ("decoder", decoder),
    ("head", head),
    ("import", import),
    ("log", log),
    ("question", question),
    ("records", records),
    ("signature", signature),
];
