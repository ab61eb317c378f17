//! Renders an incident as a line.

use std::borrow::Cow;

use super::detail::Detail;
use super::id::{IncidentId, word};
use super::lines::{IncidentCause, IncidentLine, IncidentPair};
use super::{Found, IncidentsQuery};
use crate::event::seconds_to_rfc3339;
use crate::query::command::CommandLine;
use crate::query::filter::{Filter, Span};
use crate::query::lines::LabelCount;

/// The maximum number of values listed for an incident.
const PAIRS: usize = 5;

/// The maximum number of labels listed for an incident.
const LABELS: usize = 20;

pub(super) fn line(
    query: &IncidentsQuery,
    found: &Found,
    detail: Detail<'_>,
) -> IncidentLine<'static> {
    let (group, extent) = (&found.group, detail.extent);
    let id = IncidentId {
        word: word(&group.subject),
        seq: detail.first.map_or(0, |(_, seq)| seq),
    };
    let times = extent.times.or_default();
    let seqs = extent.seqs.or_default();
    let more_pairs = detail.pairs.others > 0 || detail.pairs.values.len() > PAIRS;
    let pairs = detail.pairs.ranked().into_iter().take(PAIRS);
    let labels = detail.labels.ranked().into_iter().take(LABELS);
    let causes = detail.causes.ranked().into_iter();
    IncidentLine {
        command: command(query, "show", &id).line().map(Cow::Owned),
        undo: command(query, "undo", &id)
            .flag("--out", format!("{id}.csv"))
            .line()
            .map(Cow::Owned),
        id: id.to_string(),
        subject: group.subject.clone(),
        database: group.database,
        collection: group.collection,
        from: seconds_to_rfc3339(times.0),
        until: seconds_to_rfc3339(times.1),
        profiles: extent.profiles,
        subprofiles: extent.subprofiles,
        events: extent.events,
        usual: found.burst.usual,
        pairs: pairs
            .map(|((old, new), events)| IncidentPair { old, new, events })
            .collect(),
        more_pairs,
        labels: labels
            .map(|(label, events)| LabelCount {
                label: label.map(Cow::Owned),
                events,
            })
            .collect(),
        causes: causes
            .map(|(cause, events)| IncidentCause {
                cause: Cow::Borrowed(cause),
                events,
            })
            .collect(),
        first_seq: seqs.0,
        last_seq: seqs.1,
    }
}

/// A command about an incident, with the flags by which this query finds it.
fn command(query: &IncidentsQuery, what: &str, id: &IncidentId) -> CommandLine {
    let id = id.to_string();
    let filter = Filter {
        fields: Vec::new(),
        interests: Vec::new(),
        span: Span::default(),
        ..query.filter.clone()
    };
    let mut line = CommandLine::new(&["incidents", what, &id]).filter(&filter);
    if query.within != IncidentsQuery::WITHIN {
        line = line.flag("--within", format!("{}s", query.within));
    }
    if query.least != IncidentsQuery::LEAST {
        line = line.flag("--least", query.least.to_string());
    }
    line
}
