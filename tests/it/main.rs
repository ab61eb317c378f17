//! The integration tests, which drive the real binary and the library's face.
//!
//! One binary, so that the dependencies are linked once; its files are grouped by
//! topic. [`support`] holds what the tests share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod answers;
mod cli;
mod log;
mod ops;
mod page;
mod project;
mod server;
mod store;
mod support;
