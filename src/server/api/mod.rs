//! The query API: the commands' questions over HTTP, for who has a token.
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
//! Parameters have the flags' names ([`params`]), lines are those of
//! `--format jsonl`. It has a listener, a frontend and a tiny_http of its own, so
//! that what is asked holds up no call; a thread for each question under way,
//! of which there are few ([`slots`]), hands its lines to the frontend piece by
//! piece ([`answer`]).
//!
//! What an answer came to: nothing found is 200 without a line, since an empty
//! answer is one, and since a long answer's status is out before its end is
//! known. What a reader should know of an answer stands in
//! `Profiletrail-Note`, a header or, behind a long answer, a trailer. Where
//! events could not be read that belong to it, the last line is
//! `{"damage":[…]}`, which is none of the answer's lines and so not overlooked
//! by a program; trailers are, by most. A long answer that failed has no end:
//! the connection is reset.
//!
//! An answer that a client has already is not made anew ([`conditional`]), and
//! long ones can be had in pages: with `limit`, `Link` names the next one
//! ([`cursor`]). `HEAD` is not answered: its only use would be the tag, which
//! `If-None-Match` does better, and what a question comes to is known only once
//! it is answered. The description needs a token as all else does: it is no
//! secret, but nothing on this listener is for strangers.
//!
//! Leaves out every way to change anything. No path leads to a file.

mod answer;
mod auth;
mod conditional;
mod cursor;
mod description;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod limiter;
mod params;
mod parse;
mod precise;
mod questions;
mod run;
mod scrape;
mod slots;
mod ui;
mod worker;

pub(super) use run::{Api, ApiParts};
