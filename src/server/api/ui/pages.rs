//! Making the pages.

use std::cell::RefCell;
use std::collections::HashMap;

use maud::html;

use super::reply::html as page;
use super::route::Route;
use super::{Ui, changes, dossier, download, event, find, incident, latest, panels, profile};
use crate::event::ProfileKey;
use crate::query::QueryError;
use crate::server::api::run::ApiParts;
use crate::server::reply::{Reply, Responder};
use crate::server::semaphore::Client;
use crate::web::{Clock, Reader, shell, start};

/// With more events than this not in the index yet, pages wait for it.
const BEHIND: u64 = 20_000;

/// The data for one page.
pub(in crate::server::api) struct Site<'a> {
    pub parts: &'a ApiParts,
    pub ui: &'a Ui,
    pub clock: Clock,
    /// The names of profiles that were looked up for this page.
    pub(super) names: RefCell<HashMap<ProfileKey, Option<String>>>,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Failure {
    /// Other questions are answered now.
    Busy,
    /// The answer failed.
    Query(QueryError),
}

impl<E: Into<QueryError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Query(error.into())
    }
}

impl<'a> Site<'a> {
    pub fn new(parts: &'a ApiParts, ui: &'a Ui) -> Self {
        Self {
            parts,
            ui,
            clock: parts.clock(),
            names: RefCell::default(),
        }
    }

    pub fn reader(&self) -> Reader<'_> {
        Reader {
            clock: self.clock,
            flags: &self.parts.pages.flags,
            titles: self,
        }
    }

    /// Answers a request for a page; returns the outcome for the metrics.
    pub fn show(&self, route: &Route, client: &Client, caller: Responder) -> &'static str {
        let progress = self.parts.trail.index().progress();
        if progress.last.saturating_sub(progress.applied) > BEHIND {
            caller.answer(&self.not_yet(progress.applied, progress.last));
            return "busy";
        }
        let made = match route {
            Route::Dossier(query) => return dossier::send(self, query, caller),
            Route::Download(what, format) => {
                return download::send(self, what, *format, (client, caller));
            }
            Route::UndoFile(id, collection) => {
                return download::undo_file(self, id, collection.clone(), caller);
            }
            Route::Changes(query) => changes::page(self, query),
            Route::Incident(id) => incident::page(self, id),
            Route::Start => super::start::page(self).map(|start| page(200, start)),
            Route::Live(after) => self.live(*after),
            Route::Search(text) => find::search(self, text),
            Route::Profile(route) => profile::page(self, route),
            Route::Event(seq) => event::page(self, *seq),
            Route::Proof(seq) => event::proof(self, *seq),
            Route::Panel(panel, alone) => panels::page(self, *panel, *alone),
        };
        match made {
            Ok(reply) => {
                caller.answer(&reply);
                "answered"
            }
            Err(failure) => {
                caller.answer(&self.failed(&failure));
                match failure {
                    Failure::Busy => "busy",
                    Failure::Query(_) => "failed",
                }
            }
        }
    }

    /// The events after an event.
    fn live(&self, after: u64) -> Result<Reply, Failure> {
        let cursor = self.parts.trail.last_seq();
        let latest = latest::latest(self, after, cursor)?;
        Ok(page(200, start::live(&latest, cursor, &self.reader())))
    }

    pub fn busy(&self) -> Reply {
        self.failed(&Failure::Busy)
    }

    fn not_yet(&self, applied: u64, last: u64) -> Reply {
        let body = html! {
            p { "The index is being built: " (applied) " of " (last) " events are in it. This page tries again by itself." }
        };
        page(503, shell::message("Not yet", &body, Some(&self.clock)))
            .with("Retry-After", "5")
            .with("Refresh", "5")
    }

    /// The page that says why there is no other.
    pub(super) fn failed(&self, failure: &Failure) -> Reply {
        let (status, title, body) = match failure {
            Failure::Busy => (
                503,
                "Busy",
                html! { p { "The server is busy with other questions. This page tries again by itself." } },
            ),
            Failure::Query(error) => {
                tracing::error!(
                    "a page could not be made: {}",
                    crate::query::with_causes(&error)
                );
                (
                    500,
                    "That failed",
                    html! { p { "The answer failed; the server's log says why. " (self.reader().code("profiletrail doctor")) " checks for common problems." } },
                )
            }
        };
        let reply = page(status, shell::message(title, &body, Some(&self.clock)));
        let reply = reply.with("Retry-After", "5");
        match failure {
            Failure::Busy => reply.with("Refresh", "5"),
            Failure::Query(_) => reply,
        }
    }
}
