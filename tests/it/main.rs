//! The integration tests, which drive the real binary and the library's face.
//!
//! One binary, so that the dependencies are linked once. [`support`] holds what
//! the tests share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod support;

mod adversity;
mod answers;
mod api;
mod api_described;
mod api_long;
mod api_pages;
mod backup;
mod backup_crash;
#[cfg(feature = "bench")]
mod benchmark;
mod browser;
mod browser_hostile;
mod browser_paint;
mod browser_shop;
mod bursts;
mod cascade;
mod cascade_observed;
mod command_line;
mod connections;
#[cfg(feature = "fuzzing")]
mod corpora;
mod csv_columns;
mod demo;
mod demo_server;
mod demo_undo;
mod disk_full;
mod doctor;
mod dossier;
mod dossier_page;
mod find;
mod format_3_fixture;
mod format_4_fixture;
mod format_fixture;
mod gate_adversaries;
mod gate_descriptors;
mod gate_tls;
mod generated;
mod hints;
mod http;
mod incidents;
mod index_damage;
mod index_pruned;
mod install;
mod keys;
mod keys_adversity;
mod kill;
mod log_crash;
mod log_damage;
mod log_end;
mod log_planted;
mod log_repair;
mod metrics;
mod mixed_calls;
mod pager;
mod pages;
mod properties;
mod proxies;
mod prune;
mod prune_answers;
mod prune_bounds;
mod prune_crash;
mod readme;
mod reconcile;
mod reconcile_law;
mod reconcile_record;
mod refusals;
mod repair;
mod schemathesis;
mod seal;
mod seal_command;
mod signature;
mod signed_calls;
mod tail;
mod tail_answers;
mod tail_cursor;
mod tail_kill;
mod terminal;
mod tokens;
mod ui;
mod ui_dossier;
mod ui_findings;
mod ui_pages;
mod unit;
mod verify;
