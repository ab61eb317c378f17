//! What the changes of one incident are.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use super::counts::Group;
use crate::event::{Event, ProfileKey};
use crate::history::{Change, Value};
use crate::query::answer::QueryError;
use crate::query::changes::Gather;
use crate::query::sample::sample;

/// The most pairs of values, and labels, that are told apart.
const NAMES: usize = 5_000;

/// From what to what.
pub(super) type Pair = (Option<Value<'static>>, Value<'static>);

/// What is found of an incident, on one thread or in all.
pub(super) struct Detail<'g> {
    group: &'g Group<'static>,
    /// The event that names the incident, and whether it is one of its.
    named: u64,
    pub has_named: bool,
    pub profiles: u64,
    pub subprofiles: u64,
    pub events: u64,
    /// Time and `seq` of the first and of the last.
    pub times: Option<(i64, i64)>,
    /// The event with the lowest time and `seq`, by which the incident is named.
    pub first: Option<(i64, u64)>,
    pub seqs: Option<(u64, u64)>,
    pub pairs: HashMap<Pair, u64>,
    pub more_pairs: bool,
    pub labels: HashMap<Option<String>, u64>,
    pub causes: HashMap<&'static str, u64>,
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
            times: None,
            first: None,
            seqs: None,
            pairs: HashMap::new(),
            more_pairs: false,
            labels: HashMap::new(),
            causes: HashMap::new(),
            key: None,
        }
    }

    /// Adds what another thread has found, of other (sub)profiles.
    pub fn join(&mut self, other: Self) {
        self.has_named |= other.has_named;
        self.profiles += other.profiles;
        self.subprofiles += other.subprofiles;
        self.events += other.events;
        self.times = wider(self.times, other.times);
        self.seqs = wider(self.seqs, other.seqs);
        self.first = self.first.into_iter().chain(other.first).min();
        self.more_pairs |= other.more_pairs;
        for (pair, count) in other.pairs {
            self.more_pairs |= !add(&mut self.pairs, pair, count);
        }
        for (label, count) in other.labels {
            add(&mut self.labels, label, count);
        }
        for (cause, count) in other.causes {
            add(&mut self.causes, cause, count);
        }
    }
}

fn wider<T: Ord + Copy>(a: Option<(T, T)>, b: Option<(T, T)>) -> Option<(T, T)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Counts a name where there is room; whether there was.
fn add<N: Eq + Hash>(counts: &mut HashMap<N, u64>, name: N, count: u64) -> bool {
    let room = counts.len() < NAMES || counts.contains_key(&name);
    if room {
        *counts.entry(name).or_default() += count;
    }
    room
}

/// The most frequent first.
pub(super) fn ranked<N: Ord>(counts: HashMap<N, u64>) -> Vec<(N, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, more), (b, less)| Reverse(more).cmp(&Reverse(less)).then_with(|| a.cmp(b)));
    counts
}

impl Gather for Detail<'_> {
    fn take(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        let own =
            |change: &&Change<'_>| change.subject == self.group.subject && self.group.is_of(event);
        let Some(change) = changes.iter().find(own) else {
            return Ok(());
        };
        self.has_named |= event.seq == self.named;
        self.events += 1;
        self.times = wider(self.times, Some((event.time, event.time)));
        self.seqs = wider(self.seqs, Some((event.seq, event.seq)));
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
        self.more_pairs |= !add(&mut self.pairs, pair, 1);
        add(
            &mut self.labels,
            event.label.as_deref().map(str::to_owned),
            1,
        );
        add(&mut self.causes, change.cause.name(), 1);
        Ok(())
    }
}
