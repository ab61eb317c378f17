//! Collects the lines of a dossier from the replay of each (sub)profile.

use std::collections::BTreeMap;

use super::DossierQuery;
use super::lines::{DossierLine, GapPart, KeyPart, TotalPart};
use super::sorter::{LineSorter, NumberedKey, SortKey};
use crate::auth::signature::Evidence;
use crate::event::{Event, seconds_to_rfc3339};
use crate::history::{Ending, Interval, IntervalBuilder, Replay, Subject, Value};
use crate::log::record::EventRecord;
use crate::query::answer::{Lines, QueryError};
use crate::query::lines::LastEvent;
use crate::query::replay::{Ahead, ReplayVisitor, Replayer, Step, What};
use crate::store::{EventReader, EventsOf, Snapshot};

/// Which values a dossier tracks: all of them.
type AllValues = fn(&Subject<'_>, &Value<'_>) -> bool;

/// The lines so far, and their totals.
pub(super) struct Collector<'a> {
    snapshot: &'a Snapshot<'a>,
    pub(super) query: &'a DossierQuery,
    /// The last second of the span.
    at: i64,
    pub(super) sorter: LineSorter<'a>,
    pub(super) total: TotalPart,
    /// Time and `seq` of the first event of the span, and of the last.
    first: Option<(i64, u64)>,
    last: Option<(i64, u64)>,
    /// How many events each key has signed, and the first of these events.
    pub(super) keys: BTreeMap<String, (u64, u64)>,
    is_found: bool,
    /// Reads records that the replay no longer holds.
    reader: EventReader,
}

/// A (sub)profile during its replay.
pub(super) struct KeyState {
    pub numbered: NumberedKey,
    pub intervals: IntervalBuilder<AllValues>,
    /// How each value requested by name ended last.
    pub ended: BTreeMap<Subject<'static>, Ending>,
    /// Whether any requested line is about it.
    pub is_mentioned: bool,
    pub events: u64,
    pub duplicates: u64,
}

pub(super) fn last_event((seq, time): (u64, i64)) -> LastEvent {
    let time = seconds_to_rfc3339(time);
    LastEvent { seq, time }
}

impl<'a> Collector<'a> {
    pub fn new(snapshot: &'a Snapshot<'a>, query: &'a DossierQuery, at: i64) -> Self {
        Self {
            snapshot,
            query,
            at,
            sorter: LineSorter::new(snapshot),
            total: TotalPart::default(),
            first: None,
            last: None,
            keys: BTreeMap::new(),
            is_found: false,
            reader: snapshot.reader(),
        }
    }

    /// The lines and their totals; `None` if there are none.
    pub fn finish(mut self) -> Result<Option<(LineSorter<'a>, TotalPart)>, QueryError> {
        for (number, (key, (events, example))) in (0..).zip(&self.keys) {
            let part = KeyPart {
                key: key.into(),
                events: *events,
                example: *example,
            };
            self.sorter
                .push(SortKey::Key(number), &DossierLine::Key(part))?;
        }
        let event = |(time, seq)| last_event((seq, time));
        self.total.first_event = self.first.map(event);
        self.total.last_event = self.last.map(event);
        Ok(self.is_found.then_some((self.sorter, self.total)))
    }

    /// Collects everything about a (sub)profile.
    pub fn collect(
        &mut self,
        numbered: NumberedKey,
        replayer: &mut Replayer<'_>,
        lines: &mut Lines<'_>,
    ) -> Result<(), QueryError> {
        let key = numbered.key;
        let events = self.snapshot.events_of(key)?;
        if events.is_empty() {
            return Ok(());
        }
        self.is_found = true;
        self.total.subprofiles += u64::from(key.subprofile.is_some());
        self.pruned(numbered, &events, lines)?;
        let follows: AllValues = |_, _| true;
        let state = KeyState {
            numbered,
            intervals: IntervalBuilder::new(events.baseline.clone(), follows),
            ended: BTreeMap::new(),
            is_mentioned: !self.query.narrows() || key == self.query.key,
            events: 0,
            duplicates: 0,
        };
        let damage = &mut lines.damage;
        let track = replayer.track(key, events, (i64::MIN, self.at), damage)?;
        let mut visitor = KeyVisitor {
            collector: self,
            state,
        };
        replayer.changes_of(&track, Ahead::Own, damage, &mut visitor)?;
        Ok(())
    }

    /// Reports that older events were pruned.
    fn pruned(
        &mut self,
        numbered: NumberedKey,
        events: &EventsOf,
        lines: &mut Lines<'_>,
    ) -> Result<(), QueryError> {
        let Some(baseline) = &events.baseline else {
            return Ok(());
        };
        lines.note_pruned(numbered.key, events.baseline_time(), self.query.span.since);
        let time = baseline.place.time;
        if self.query.span.since.is_some_and(|since| since > time) {
            return Ok(());
        }
        self.total.pruned += 1;
        let gap = GapPart {
            profile: Some(numbered.key.profile),
            subprofile: numbered.key.subprofile,
            seq: Some(baseline.place.seq),
            until: Some(seconds_to_rfc3339(time)),
            ..GapPart::new("pruned")
        };
        let key = SortKey::Gap(Some(baseline.place), numbered.number);
        self.sorter.push(key, &DossierLine::Gap(gap))
    }

    /// Counts an event of the span that is not a duplicate.
    fn count(&mut self, event: &Event<'_>) {
        let total = &mut self.total;
        total.events += 1;
        match event.verified {
            Some(true) => total.verified += 1,
            Some(false) => total.unsigned += 1,
            None => total.unchecked += 1,
        }
        let place = Some((event.time, event.seq));
        if self.first.is_none() || place < self.first {
            self.first = place;
        }
        self.last = self.last.max(place);
    }

    /// The key that signed an event, if its proof is stored.
    pub(super) fn signer(&mut self, event: &Event<'_>, record: Option<&[u8]>) -> Option<String> {
        if event.verified != Some(true) {
            return None;
        }
        let signer = |record: EventRecord<'_>| {
            let evidence = record.head.evidence?;
            match Evidence::decode(evidence, record.body) {
                Ok(Evidence::Proof(proof)) => Some(proof.key),
                _ => None,
            }
        };
        match record {
            Some(record) => EventRecord::decode(record).ok().and_then(signer),
            // Unreadable events were reported when they were replayed.
            None => {
                let read = self.reader.record(event.seq, |record| Ok(signer(record)));
                read.ok().flatten()
            }
        }
    }
}

/// Collects the steps of one (sub)profile.
struct KeyVisitor<'c, 'a> {
    collector: &'c mut Collector<'a>,
    state: KeyState,
}

impl ReplayVisitor for KeyVisitor<'_, '_> {
    fn wants_duplicates(&self) -> bool {
        true
    }

    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        let (collector, state) = (&mut *self.collector, &mut self.state);
        let ended: Vec<Interval> = state.intervals.visit(&step);
        collector.ended(state, ended)?;
        let span = collector.query.span;
        let Some(event) = step.event().filter(|event| span.contains(event.time)) else {
            return Ok(true);
        };
        match step.what {
            What::Duplicate { .. } => {
                state.duplicates += 1;
                return Ok(true);
            }
            What::Event(_) => {
                state.events += 1;
                collector.count(event);
            }
            What::Cascade(_) | What::UnseenCascade(_) => {}
        }
        collector.event(state.numbered, event, step.changes, step.record)?;
        Ok(true)
    }

    fn finish(&mut self, replay: &Replay<'_>) -> Result<bool, QueryError> {
        let ended = self.state.intervals.follow_baseline(replay);
        self.collector.ended(&mut self.state, ended)?;
        self.collector.state(&mut self.state, replay)?;
        Ok(true)
    }
}
