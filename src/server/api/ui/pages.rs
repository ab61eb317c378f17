//! Making the pages, and the names of profiles on them: the present values of the fields of
//! `serve --title`.

use std::cell::RefCell;
use std::collections::HashMap;

use maud::html;

use super::ask::first;
use super::reply::html as page;
use super::route::Route;
use super::{Ui, changes, download, event, find, incident, latest, panels, profile};
use crate::event::ProfileKey;
use crate::query::lines::ShowLine;
use crate::query::{Query, QueryError, StateQuery};
use crate::server::api::run::ApiParts;
use crate::server::reply::{Reply, Responder};
use crate::server::semaphore::Client;
use crate::web::{Clock, Reader, Titles, shell};

/// With more events than this not in the index yet, pages wait for it.
const BEHIND: u64 = 20_000;

/// The most profiles of a page whose names are looked up, each of which reads an event.
const NAMED: usize = 300;

/// What one page is made from.
pub(in crate::server::api) struct Site<'a> {
    pub parts: &'a ApiParts,
    pub ui: &'a Ui,
    pub clock: Clock,
    /// The names of profiles that were looked up for this page.
    names: RefCell<HashMap<ProfileKey, Option<String>>>,
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
            Route::Dossier(query) => return download::dossier(self, query, caller),
            Route::Download(what, format) => {
                return download::send(self, what, *format, (client, caller));
            }
            Route::UndoFile(id, collection) => {
                return download::undo_file(self, id, collection.clone(), caller);
            }
            Route::Changes(query) => changes::page(self, query),
            Route::Incident(id) => incident::page(self, id),
            Route::Start => latest::page(self),
            Route::Live(after) => latest::live(self, *after),
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

impl Titles for Site<'_> {
    fn title(&self, key: ProfileKey) -> Option<String> {
        if self.parts.pages.title.is_empty() {
            return None;
        }
        let mut known = self.names.borrow_mut();
        if let Some(name) = known.get(&key) {
            return name.clone();
        }
        if known.len() >= NAMED {
            return None;
        }
        let name = look_up(self, key);
        known.insert(key, name.clone());
        name
    }
}

/// A subprofile without such fields has the name of its profile.
fn look_up(site: &Site<'_>, key: ProfileKey) -> Option<String> {
    let query = Query::Show(StateQuery {
        key,
        at: None,
        cascade: false,
    });
    let (line, _) = first::<ShowLine<'static>>(&site.parts.trail, &query).ok()?;
    let own = line.and_then(|line| {
        let wanted = site.parts.pages.title.iter();
        let values = wanted.filter_map(|name| line.fields.get(name.as_str()));
        let values: Vec<&str> = values
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
            .collect();
        (!values.is_empty()).then(|| values.join(" "))
    });
    match (own, key.subprofile) {
        (None, Some(_)) => look_up(site, ProfileKey::profile(key.profile)),
        (own, _) => own,
    }
}
