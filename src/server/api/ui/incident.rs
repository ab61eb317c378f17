//! The content of an incident's page.

use super::ask::each;
use super::pages::{Failure, Site};
use super::panels::permit;
use super::reply::html as reply;
use crate::query::{Filter, IncidentId, IncidentsQuery, Query, UndoLine, Wanted};
use crate::server::reply::Reply;
use crate::web::incident::{Page, missing as no_incident};

/// The question for the values of each profile before, in and after an incident.
pub(super) fn undo(id: &IncidentId) -> Query {
    Query::Incidents(IncidentsQuery {
        filter: Filter::default(),
        limit: None,
        within: IncidentsQuery::WITHIN,
        least: IncidentsQuery::LEAST,
        what: Wanted::Undo(id.clone()),
    })
}

pub(super) fn page(site: &Site<'_>, id: &IncidentId) -> Result<Reply, Failure> {
    let (query, reader) = (undo(id), site.reader());
    let mut page = Page::new(id.to_string());
    page.answered = {
        let _permit = permit(site, &query)?;
        each(&site.parts.trail, &query, |line: UndoLine<'static>| {
            page.take(&line, &reader);
        })?
    };
    if page.is_empty() {
        return Ok(missing(site, id));
    }
    Ok(reply(200, page.render(&reader)))
}

pub(super) fn missing(site: &Site<'_>, id: &IncidentId) -> Reply {
    reply(404, no_incident(&id.to_string(), &site.reader()))
}
