//! The query API: the commands' questions over HTTP, for who has a token.
//!
//! | path | answers as |
//! | --- | --- |
//! | `/v1/history/P[/S]`, `/v1/show/…`, `/v1/diff/…`, `/v1/blame/…` | the command of that name |
//! | `/v1/changes`, `/v1/export`, `/v1/rejected`, `/v1/stats` | the same |
//! | `/metrics` | [`crate::metrics`] |
//! | `/healthz`, `/readyz` | as on the webhook's side; without a token |
//!
//! Parameters have the flags' names ([`question()`]), lines are those of
//! `--format jsonl`. It has a listener, a gate and a tiny_http of its own, so
//! that what is asked holds up no call; a thread for each question under way,
//! of which there are few ([`slots`]), hands its lines to the gate piece by
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
//! Leaves out every way to change anything. No path leads to a file.

mod answer;
mod auth;
mod find;
mod limiter;
mod params;
mod question;
mod run;
mod scrape;
mod slots;
mod worker;

pub use question::{Question, question};
pub(super) use run::{Api, ApiParts};
