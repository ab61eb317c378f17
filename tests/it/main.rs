//! The integration tests, which drive the real binary and the library's face.
//!
//! One binary, so that the dependencies are linked once; its files are grouped by
//! topic. [`support`] holds what the tests share. The tests on the simulated disk and
//! the fuzz corpora need the feature `fuzzing`; `scripts/test` enables all features.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod answers;
mod cli;
#[cfg(feature = "nats")]
mod cluster;
#[cfg(feature = "fuzzing")]
mod log;
mod ops;
mod page;
mod project;
mod server;
mod store;
mod support;
