//! The details of the changes of one incident.

use super::counts::Group;
use crate::event::Event;
use crate::history::{Change, Value};
use crate::query::answer::QueryError;
use crate::query::changes::{ChangeVisitor, Collector};
use crate::query::counter::{BoundedCounter, Extent, label_len};
use crate::query::sample::sample;

/// The maximum number of distinct value pairs, and of distinct labels.
const NAMES: usize = 5_000;

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
    pub first: Option<(i64, u64)>,
    pub pairs: BoundedCounter<Pair>,
    pub labels: BoundedCounter<Option<String>>,
    pub causes: BoundedCounter<&'static str>,
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
