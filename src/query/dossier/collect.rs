//! Collects the lines of a dossier from the replay of each (sub)profile, and sorts
//! them into the order of the parts, on disk if there are many.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::DossierQuery;
use super::lines::{DossierLine, GapPart, KeyPart, NowPart, StatePart, TotalPart, ValuePart};
use crate::auth::signature::Evidence;
use crate::event::{Event, ProfileKey, seconds_to_rfc3339};
use crate::history::{Change, Ending, Interval, IntervalBuilder, Place, Replay, State, Subject};
use crate::query::answer::{Lines, QueryError};
use crate::query::counter::TimeRange;
use crate::query::filter::matches_subject;
use crate::query::lines::{HistoryLine, LastEvent};
use crate::query::replay::{ReplayVisitor, Replayer, Step};
use crate::store::{EventReader, Snapshot, Sorter};

/// The position of a line: by its part, and within the part by the number of its
/// (sub)profile, or first by its time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(super) enum LinePlace {
    About,
    Total,
    /// A state, which has 0, and then its values.
    State(u64, u64),
    /// A value of a field, or of an interest, by its name and number.
    Value(u64, bool, String, u64),
    /// Those of no known (sub)profile come first.
    Gap(Option<(Place, u64)>),
    Event(Place, u64),
    Key(u64),
}

/// The lines so far, and their totals.
pub(super) struct Collector<'a> {
    snapshot: &'a Snapshot<'a>,
    query: &'a DossierQuery,
    /// The last second of the span.
    at: i64,
    sorter: Sorter<LinePlace>,
    pub total: TotalPart,
    /// Time and `seq` of the first event of the span, and of the last.
    events: TimeRange<(i64, u64)>,
    /// How many events each key has signed, and the first of these events.
    keys: BTreeMap<String, (u64, u64)>,
    pub is_found: bool,
    /// Reads the proofs in records.
    reader: EventReader,
}

impl<'a> Collector<'a> {
    pub fn new(snapshot: &'a Snapshot<'a>, query: &'a DossierQuery, at: i64) -> Self {
        Self {
            snapshot,
            query,
            at,
            sorter: Sorter::new(snapshot.trail().folder().path()),
            total: TotalPart::default(),
            events: TimeRange::default(),
            keys: BTreeMap::new(),
            is_found: false,
            reader: snapshot.reader(),
        }
    }

    /// Collects everything about a (sub)profile, given with its number among those of
    /// the dossier.
    pub fn collect(
        &mut self,
        number: u64,
        key: ProfileKey,
        replayer: &mut Replayer<'_>,
        lines: &mut Lines<'_>,
    ) -> Result<(), QueryError> {
        let events = self.snapshot.events_of(key)?;
        if events.is_empty() {
            return Ok(());
        }
        self.is_found = true;
        self.total.subprofiles += u64::from(key.subprofile.is_some());
        let mut visitor = KeyVisitor {
            number,
            key,
            intervals: IntervalBuilder::new(events.baseline.clone()),
            ended: BTreeMap::new(),
            is_mentioned: !self.query.narrows() || key == self.query.key,
            events: 0,
            duplicates: 0,
            all: self,
        };
        if let Some(baseline) = &events.baseline {
            let since = visitor.all.query.span.since;
            lines.note_pruned(key, events.baseline_time(), since);
            if since.is_none_or(|since| since <= baseline.place.time) {
                visitor.all.total.pruned += 1;
                visitor.gap("pruned", baseline.place, &[])?;
            }
        }
        let damage = &mut lines.damage;
        let track = replayer.track(key, events, (i64::MIN, visitor.all.at), damage)?;
        replayer.changes_of(&track, damage, &mut visitor)?;
        Ok(())
    }

    pub fn push(&mut self, place: LinePlace, line: &DossierLine<'_>) -> Result<(), QueryError> {
        let line = serde_json::to_vec(line)?;
        Ok(self.sorter.push(place, &line)?)
    }

    /// Writes all lines in order.
    pub fn finish(mut self, lines: &mut Lines<'_>) -> Result<(), QueryError> {
        for (number, (key, (events, example))) in (0..).zip(std::mem::take(&mut self.keys)) {
            let part = KeyPart {
                key: key.into(),
                events,
                example,
            };
            self.push(LinePlace::Key(number), &DossierLine::Key(part))?;
        }
        if let Some(((first, first_seq), (last, last_seq))) = self.events.get() {
            self.total.first_event = Some((first_seq, first).into());
            self.total.last_event = Some((last_seq, last).into());
        }
        let total = std::mem::take(&mut self.total);
        self.push(LinePlace::Total, &DossierLine::Total(total))?;
        let put = |_, line: &[u8]| Ok(lines.put_one(line)?);
        self.sorter.finish::<QueryError>(put)
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
        self.events.add((event.time, event.seq));
    }

    /// The key that signed an event, if its proof is stored.
    fn signer(&mut self, event: &Event<'_>) -> Option<String> {
        if event.verified != Some(true) {
            return None;
        }
        let key = self.reader.record(event.seq, |record| {
            let proof = Evidence::proof(record.head.evidence, record.body);
            Ok(proof.ok().flatten().map(|proof| proof.key))
        });
        // Unreadable events were reported when they were replayed.
        let key = key.ok().flatten()?;
        self.keys.entry(key.clone()).or_insert((0, event.seq)).0 += 1;
        Some(key)
    }

    /// Whether a field or an interest is requested.
    fn wants(&self, subject: &Subject<'_>) -> bool {
        matches_subject(subject, &self.query.fields, &self.query.interests)
    }

    /// The fields and interests requested by name.
    fn named(&self) -> impl Iterator<Item = Subject<'a>> + use<'a> {
        let query = self.query;
        let fields = query.fields.iter().map(|name| Subject::Field(name.into()));
        let interests = query.interests.iter();
        fields.chain(interests.map(|name| Subject::Interest(name.into())))
    }
}

/// Collects the steps of one (sub)profile.
struct KeyVisitor<'c, 'a> {
    all: &'c mut Collector<'a>,
    number: u64,
    key: ProfileKey,
    intervals: IntervalBuilder<'c>,
    /// How each value requested by name ended last.
    ended: BTreeMap<Subject<'static>, Ending>,
    /// Whether any requested line is about it.
    is_mentioned: bool,
    events: u64,
    duplicates: u64,
}

impl ReplayVisitor for KeyVisitor<'_, '_> {
    fn wants_duplicates(&self) -> bool {
        true
    }

    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        let ended = self.intervals.visit(&step);
        self.ended(ended)?;
        let span = self.all.query.span;
        let Some(event) = step.event.filter(|event| span.contains(event.time)) else {
            return Ok(true);
        };
        if step.duplicate_of.is_some() {
            self.duplicates += 1;
            return Ok(true);
        }
        if !step.is_cascade {
            self.events += 1;
            self.all.count(event);
        }
        self.event(event, step.changes)?;
        Ok(true)
    }

    fn finish(&mut self, replay: &Replay<'_>) -> Result<bool, QueryError> {
        let ended = self.intervals.follow_baseline(replay);
        self.ended(ended)?;
        self.state(replay)?;
        Ok(true)
    }
}

impl KeyVisitor<'_, '_> {
    /// Adds an event of the span, if it is requested, and the gaps that it reveals.
    fn event(&mut self, event: &Event<'_>, mut changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        let query = self.all.query;
        changes.retain(|change| self.all.wants(&change.subject));
        for kind in ["unexplained", "first_seen"] {
            let revealed = changes.iter().filter(|change| change.cause.name() == kind);
            let revealed: Vec<&Change<'_>> = revealed.collect();
            if revealed.is_empty() {
                continue;
            }
            match kind {
                "unexplained" => self.all.total.unexplained += 1,
                _ => self.all.total.first_seen += 1,
            }
            self.gap(kind, Place::of(event), &revealed)?;
        }
        let signed_by = self.all.signer(event);
        if query.narrows() && changes.is_empty() {
            return Ok(());
        }
        let line = HistoryLine {
            remote: Some(event.remote.as_deref().map(Cow::Borrowed)),
            key: signed_by.map(Cow::Owned),
            ..HistoryLine::new(event, changes, None)
        };
        let place = LinePlace::Event(Place::of(event), self.number);
        self.all.push(place, &DossierLine::Event(Box::new(line)))
    }

    /// Adds a gap that the event at a place reveals by these changes.
    fn gap(
        &mut self,
        kind: &'static str,
        place: Place,
        changes: &[&Change<'_>],
    ) -> Result<(), QueryError> {
        let since = changes.last().and_then(|change| change.cause.since());
        let (mut fields, mut interests) = (Vec::new(), Vec::new());
        for change in changes {
            match change.subject.borrowed() {
                Subject::Field(name) => fields.push(name),
                Subject::Interest(name) => interests.push(name),
            }
        }
        let gap = GapPart {
            kind: kind.into(),
            profile: Some(self.key.profile),
            subprofile: self.key.subprofile,
            seq: Some(place.seq),
            since: since.map(seconds_to_rfc3339),
            until: Some(seconds_to_rfc3339(place.time)),
            fields,
            interests,
            ..GapPart::default()
        };
        let place = LinePlace::Gap(Some((place, self.number)));
        self.all.push(place, &DossierLine::Gap(gap))
    }

    /// Adds values that have ended.
    fn ended(&mut self, ended: Vec<Interval>) -> Result<(), QueryError> {
        let since = self.all.query.span.since;
        for interval in ended {
            let Some(ending) = &interval.until else {
                continue;
            };
            if self.all.named().any(|named| named == interval.subject) {
                self.ended.insert(interval.subject.clone(), ending.clone());
            } else if self.all.query.narrows() {
                continue;
            }
            if since.is_none_or(|since| ending.time > since) {
                self.is_mentioned = true;
                self.value(interval)?;
            }
        }
        Ok(())
    }

    /// Adds a value while it was held.
    fn value(&mut self, interval: Interval) -> Result<(), QueryError> {
        let subject = interval.subject;
        let (is_interest, name) = (subject.is_interest(), subject.name().to_owned());
        let place = LinePlace::Value(self.number, is_interest, name, interval.number);
        let part = ValuePart {
            who: self.key,
            subject,
            value: interval.value,
            since: interval.since,
            until: interval.until,
        };
        self.all.push(place, &DossierLine::Value(part))
    }

    /// Adds the final state of the (sub)profile and its values.
    fn state(&mut self, replay: &Replay<'_>) -> Result<(), QueryError> {
        self.all.total.duplicates += self.duplicates;
        let is_held = |subject: &Subject<'_>| self.all.wants(subject);
        if !self.is_mentioned && !self.intervals.open.keys().any(is_held) {
            return Ok(());
        }
        let (word, state) = replay.known.clone().into_state();
        let order: Vec<_> = state.subjects().collect();
        let who = self.key;
        let part = StatePart {
            who,
            database: replay.database,
            collection: who.subprofile.and(replay.collection),
            state: word.to_owned(),
            events: self.events,
            duplicates: self.duplicates,
            last_event: replay.last.map(LastEvent::from),
            cascade: replay.ended.map(LastEvent::from),
            created: state.created.clone().map(Cow::into_owned),
            modified: state.modified.clone().map(Cow::into_owned),
        };
        let state = LinePlace::State(self.number, 0);
        self.all.push(state, &DossierLine::State(part))?;
        let open = std::mem::take(&mut self.intervals.open);
        let mut now = Vec::new();
        for subject in order.into_iter().filter(|subject| self.all.wants(subject)) {
            if let Some(interval) = open.get(&subject) {
                let since = Some(interval.since.clone());
                now.push((subject, interval.value.clone(), since, None));
            }
        }
        // Values requested by name are listed even if they are absent.
        for subject in self.all.named() {
            let ended = self.ended.remove(&subject.to_owned());
            let is_shown = ended.is_some() || self.key == self.all.query.key;
            if open.contains_key(&subject) || !is_shown {
                continue;
            }
            let value = State::default().value_of(&subject);
            now.push((subject, value, None, ended));
        }
        for ((subject, value, since, ended), number) in now.into_iter().zip(1..) {
            let part = NowPart {
                who,
                subject,
                value,
                since,
                ended,
            };
            let place = LinePlace::State(self.number, number);
            self.all.push(place, &DossierLine::Now(part))?;
        }
        for interval in open.into_values() {
            if self.all.wants(&interval.subject) {
                self.value(interval)?;
            }
        }
        Ok(())
    }
}
