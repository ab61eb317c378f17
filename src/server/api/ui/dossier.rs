//! A dossier as a document, sent while it is made.

use super::download::end;
use super::pages::Asker;
use super::reply::{document, html};
use crate::format::LineSplitter;
use crate::query::{DossierQuery, Query, QueryError, answer};
use crate::server::api::answer::Sink;
use crate::server::reply::Responder;
use crate::web::dossier::Page;
use crate::web::profile::unknown;

/// Sends it and returns the result.
pub(super) fn send(asker: &Asker<'_>, query: &DossierQuery, caller: Responder) -> &'static str {
    let name = format!("dossier-{}.html", query.key.to_string().replace('/', "-"));
    let trail = &asker.parts.trail;
    let sink = Sink::document(caller, document(&name));
    match make(asker, query, &sink) {
        Ok(false) => {
            let page = unknown(query.key, trail.last_seq(), &[], &asker.reader());
            sink.fail(&html(404, page));
            "answered"
        }
        made => end(asker, sink, made.map(|_| ())),
    }
}

/// Writes the dossier; returns whether it has content.
fn make(asker: &Asker<'_>, query: &DossierQuery, sink: &Sink) -> Result<bool, QueryError> {
    let mut out = sink;
    let mut printed = LineSplitter::new(Box::new(Page::new(asker.clock.zone, &mut out)));
    let query = Query::Dossier(query.clone());
    let report = &mut |_| sink.tick();
    let (answered, _) = answer(&asker.parts.trail, &query, None, &mut printed, report)?;
    printed.finish().map_err(QueryError::Output)?;
    Ok(answered.found)
}
