//! The query API: the commands' queries over HTTP, with a token (`docs/http-api.md`).
//!
//! Below `/v1/` are the questions ([`questions`]), their list and their description
//! ([`description`]); `/metrics` is [`crate::metrics`]; `/healthz` and `/readyz` are as on the
//! webhook's listener, without a token; everything else is the page for browsers ([`ui`]), if
//! it is enabled.
//!
//! Parameters have the flags' names ([`params`]); lines are those of
//! `--format jsonl`. The API has its own listener, frontend and tiny_http, so that
//! queries never delay calls. Each running query has a thread, limited by
//! [`crate::server::semaphore`], which passes its lines to the frontend in pieces ([`answer`]).
//!
//! Outcomes: an empty result is 200 without a line, since it is a valid answer, and the status
//! of a long answer is sent before its end is known. Damage is the last line, since its form
//! differs from an answer's and most programs ignore trailers. A long answer that fails has no
//! end: the connection is reset.
//!
//! An answer that a client holds is not computed again ([`conditional`]). `HEAD` is not
//! supported: only the tag would be useful, which `If-None-Match` serves better, and the
//! outcome is known only after the query has run. The description is not a secret, but
//! needs a token like everything else on this listener.
//!
//! The API is read-only. No path leads to a file.

mod answer;
mod auth;
mod conditional;
mod cursor;
mod description;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod params;
mod parse;
mod questions;
mod run;
mod scrape;
mod ui;
mod worker;

pub use description::{line_schemas, openapi, schema_generator};
pub(super) use run::{Api, ApiParts, PageConfig};
