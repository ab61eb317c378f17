//! The details of the changes of one incident.

use super::counts::Group;
use crate::event::{Event, ProfileKey};
use crate::history::{Change, Value};
use crate::query::answer::QueryError;
use crate::query::changes::ChangeVisitor;
use crate::query::counter::{BoundedCounter, TimeRange};
use crate::query::sample::sample;

/// The maximum number of distinct value pairs, and of distinct labels.
const NAMES: usize = 5_000;

/// The old and the new value.
pub(super) type Pair = (Option<Value<'static>>, Value<'static>);

/// The details of an incident, from one thread or from all.
pub(super) struct Detail<'g> {
    group: &'g Group<'static>,
    /// The event that names the incident, and whether it belongs to it.
    named: u64,
    pub has_named: bool,
    pub profiles: u64,
    pub subprofiles: u64,
    pub events: u64,
    /// Time and `seq` of the first and of the last.
    pub times: TimeRange<i64>,
    /// The event with the lowest time and `seq`, by which the incident is named.
    pub first: Option<(i64, u64)>,
    pub seqs: TimeRange<u64>,
    pub pairs: BoundedCounter<Pair>,
    pub labels: BoundedCounter<Option<String>>,
    pub causes: BoundedCounter<&'static str>,
    key: Option<ProfileKey>,
}

impl<'g> Detail<'g> {
    pub fn new(group: &'g Group<'static>, named: u64) -> Self {
        Self {
            group,
            named,
            has_named: false,
            profiles: 0,
            subprofiles: 0,
            events: 0,
            times: TimeRange::default(),
            first: None,
            seqs: TimeRange::default(),
            pairs: BoundedCounter::new(NAMES),
            labels: BoundedCounter::new(NAMES),
            causes: BoundedCounter::new(NAMES),
            key: None,
        }
    }

    /// Merges the details of another thread, whose (sub)profiles are different
    /// ones.
    pub fn join(&mut self, other: Self) {
        self.has_named |= other.has_named;
        self.profiles += other.profiles;
        self.subprofiles += other.subprofiles;
        self.events += other.events;
        self.times.join(other.times);
        self.seqs.join(other.seqs);
        self.first = self.first.into_iter().chain(other.first).min();
        self.pairs.join(other.pairs);
        self.labels.join(other.labels);
        self.causes.join(other.causes);
    }
}

impl ChangeVisitor for Detail<'_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        let own =
            |change: &&Change<'_>| change.subject == self.group.subject && self.group.is_of(event);
        let Some(change) = changes.iter().find(own) else {
            return Ok(());
        };
        self.has_named |= event.seq == self.named;
        self.events += 1;
        self.times.add(event.time);
        self.seqs.add(event.seq);
        self.first = self
            .first
            .into_iter()
            .chain([(event.time, event.seq)])
            .min();
        if self.key != Some(event.key) {
            self.key = Some(event.key);
            match event.key.subprofile {
                None => self.profiles += 1,
                Some(_) => self.subprofiles += 1,
            }
        }
        let pair = (change.old.as_ref().map(sample), sample(&change.new));
        self.pairs.add(pair, 1);
        let label = event.label.as_deref().map(str::to_owned);
        self.labels.add(label, 1);
        self.causes.add(change.cause.name(), 1);
        Ok(())
    }
}
