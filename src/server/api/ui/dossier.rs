//! A dossier as a document, sent while it is made.

use super::download::end;
use super::pages::Site;
use super::reply::{document, html};
use crate::format::LineSplitter;
use crate::query::{DossierQuery, Query, QueryError, answer};
use crate::server::api::answer::Sink;
use crate::server::reply::Responder;
use crate::web::dossier::Page;
use crate::web::profile::unknown;

/// Sends it; returns the outcome for the metrics.
pub(super) fn send(site: &Site<'_>, query: &DossierQuery, caller: Responder) -> &'static str {
    let name = format!("dossier-{}.html", query.key.to_string().replace('/', "-"));
    let trail = &site.parts.trail;
    let sink = Sink::document(caller, document(&name));
    match make(site, query, &sink) {
        Ok(false) => {
            let page = unknown(query.key, trail.last_seq(), &[], &site.reader());
            sink.fail(&html(404, page));
            "answered"
        }
        made => end(site, sink, made.map(|_| ())),
    }
}

/// Writes the dossier; returns whether it has content.
fn make(site: &Site<'_>, query: &DossierQuery, sink: &Sink) -> Result<bool, QueryError> {
    let mut out = sink;
    let mut printed = LineSplitter::new(Box::new(Page::new(site.clock.zone, &mut out)));
    let query = Query::Dossier(query.clone());
    let report = &mut |_| sink.tick();
    let (answered, _) = answer(&site.parts.trail, &query, None, &mut printed, report)?;
    printed.finish()?;
    Ok(answered.found)
}
