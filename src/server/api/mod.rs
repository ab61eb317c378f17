//! The query API: the commands' queries over HTTP, with a token.
//!
//! | path | answers as |
//! | --- | --- |
//! | `/v1/history/P[/S]`, `/v1/show/…`, `/v1/diff/…`, `/v1/blame/…` | the command of that name |
//! | `/v1/changes`, `/v1/export`, `/v1/rejected`, `/v1/stats` | the same |
//! | `/v1/evidence/SEQ`, `/v1/explain/SEQ` | the same |
//! | `/v1/tail?after=SEQ` | the same; a tail is a finite page, and goes on after its last line's `seq` |
//! | `/v1/`, `/v1/openapi.json` | the questions there are ([`questions`]), and their description ([`description`]) |
//! | `/metrics` | [`crate::metrics`] |
//! | `/healthz`, `/readyz` | as on the webhook's side; without a token |
//! | everything else | the page for browsers ([`ui`]), where it is wanted |
//!
//! Parameters have the flags' names ([`params`]); lines are those of
//! `--format jsonl`. The API has its own listener, frontend and tiny_http, so that
//! queries never delay calls. Each running query has a thread, limited by
//! [`crate::server::semaphore`], which passes its lines to the frontend in pieces ([`answer`]).
//!
//! Outcomes: an empty result is 200 without a line, since it is a valid answer, and
//! since the status of a long answer is sent before its end is known. Notes on an
//! answer are in `Profiletrail-Note`, a header or, after a long answer, a trailer.
//! If events of the answer could not be read, the last line is `{"damage":[…]}`. A
//! program notices that line, since it has no answer's form; most programs ignore
//! trailers. A long answer that fails has no end: the connection is reset.
//!
//! An answer that a client holds is not computed again ([`conditional`]). Long
//! answers have pages: with `limit`, `Link` names the next one ([`cursor`]). `HEAD`
//! is not supported: only the tag would be useful, which `If-None-Match` serves
//! better, and the outcome is known only after the query has run. The description
//! is not a secret, but needs a token like everything else on this listener.
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
