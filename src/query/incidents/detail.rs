//! The details of the changes of one incident, and its line.

use std::borrow::Cow;

use super::IncidentsQuery;
use super::counts::Group;
use super::id::{IncidentId, word};
use super::lines::{IncidentCause, IncidentLine, IncidentPair};
use crate::event::{Event, seconds_to_rfc3339};
use crate::history::{Change, Value};
use crate::query::answer::QueryError;
use crate::query::changes::{ChangeVisitor, Collector};
use crate::query::command::CommandLine;
use crate::query::counter::{BoundedCounter, Extent, label_len, sample};
use crate::query::filter::{Filter, Span};
use crate::query::lines::LabelCount;

/// The maximum number of distinct value pairs, and of distinct labels.
const NAMES: usize = 5_000;

/// The maximum number of values listed for an incident.
const PAIRS: usize = 5;

/// The maximum number of labels listed for an incident.
const LABELS: usize = 20;

/// The old and the new value.
type Pair = (Option<Value<'static>>, Value<'static>);

fn pair_len((old, new): &Pair) -> usize {
    old.as_ref().map_or(0, Value::text_len) + new.text_len()
}

pub(super) struct Detail<'g> {
    group: &'g Group,
    /// The event that names the incident, and whether it belongs to it.
    named: u64,
    pub has_named: bool,
    pub extent: Extent,
    /// The event with the lowest time and `seq`, by which the incident is named.
    first: Option<(i64, u64)>,
    pairs: BoundedCounter<Pair>,
    labels: BoundedCounter<Option<String>>,
    causes: BoundedCounter<&'static str>,
}

impl<'g> Detail<'g> {
    pub fn new(group: &'g Group, named: u64) -> Self {
        Self {
            group,
            named,
            has_named: false,
            extent: Extent::default(),
            first: None,
            pairs: BoundedCounter::new(NAMES, pair_len),
            labels: BoundedCounter::new(NAMES, label_len),
            causes: BoundedCounter::new(NAMES, |_| 0),
        }
    }

    /// The line of the incident; `usual` is that of its burst.
    pub fn into_line(self, query: &IncidentsQuery, usual: u64) -> IncidentLine<'static> {
        let (group, extent) = (self.group, self.extent);
        let id = IncidentId {
            word: word(&group.subject),
            seq: self.first.map_or(0, |(_, seq)| seq),
        };
        let times = extent.times.or_default();
        let seqs = extent.seqs.or_default();
        let more_pairs = self.pairs.others > 0 || self.pairs.values.len() > PAIRS;
        let pairs = self.pairs.ranked().into_iter().take(PAIRS);
        let labels = self.labels.ranked().into_iter().take(LABELS);
        let causes = self.causes.ranked().into_iter();
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
            usual,
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
}

impl Collector for Detail<'_> {
    fn join(&mut self, other: Self) {
        self.has_named |= other.has_named;
        self.extent.join(&other.extent);
        self.first = self.first.into_iter().chain(other.first).min();
        self.pairs.join(other.pairs);
        self.labels.join(other.labels);
        self.causes.join(other.causes);
    }
}

impl ChangeVisitor for Detail<'_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        let own = |change: &&Change<'_>| change.subject == self.group.subject;
        let change = changes.iter().find(own);
        let Some(change) = change.filter(|_| self.group.is_of(event)) else {
            return Ok(true);
        };
        self.has_named |= event.seq == self.named;
        self.extent.add(event);
        let place = (event.time, event.seq);
        self.first = self.first.into_iter().chain([place]).min();
        let pair = (change.old.as_ref().map(sample), sample(&change.new));
        self.pairs.add(pair, 1);
        let label = event.label.as_deref().map(str::to_owned);
        self.labels.add(label, 1);
        self.causes.add(change.cause.name(), 1);
        Ok(true)
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
