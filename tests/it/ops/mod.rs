//! Maintenance commands and the demo.

mod backup;
mod demo;
mod demo_server;
mod demo_undo;
mod doctor;
mod erase;
mod prune;
mod repair;
mod seal;
mod two_receivers;
#[cfg(feature = "fuzzing")]
mod verify;
