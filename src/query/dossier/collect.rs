//! Collects the lines of a dossier from the replay of each (sub)profile, and sorts
//! them into the order of the parts, on disk if there are many.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use super::DossierQuery;
use super::lines::{
    DossierLine, EventPart, GapPart, KeyPart, NowPart, StatePart, TotalPart, ValuePart,
};
use crate::auth::signature::Evidence;
use crate::event::{Event, ProfileKey, micros_to_rfc3339, seconds_to_rfc3339};
use crate::history::{
    Change, Ending, Interval, IntervalBuilder, Known, Place, Replay, Subject, Value,
};
use crate::log::record::EventRecord;
use crate::query::answer::{Lines, QueryError};
use crate::query::filter::matches_subject;
use crate::query::lines::LastEvent;
use crate::query::replay::{AllValues, ReplayVisitor, Replayer, Step, What};
use crate::store::{EventReader, Snapshot, Sorter, TrailError};

/// The lines so far, and their totals.
pub(super) struct Collector<'a> {
    snapshot: &'a Snapshot<'a>,
    query: &'a DossierQuery,
    /// The last second of the span.
    at: i64,
    sorter: Sorter<i64>,
    pub total: TotalPart,
    /// Time and `seq` of the first event of the span, and of the last.
    first: Option<(i64, u64)>,
    last: Option<(i64, u64)>,
    /// How many events each key has signed, and the first of these events.
    keys: BTreeMap<String, (u64, u64)>,
    pub is_found: bool,
    /// Reads records that the replay no longer holds.
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
            first: None,
            last: None,
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
        let follows: AllValues = |_, _| true;
        let mut visitor = KeyVisitor {
            number,
            key,
            intervals: IntervalBuilder::new(events.baseline.clone(), follows),
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

    /// Adds a line, at a place among those of its part.
    pub fn push(&mut self, place: &[u8], line: &DossierLine<'_>) -> Result<(), QueryError> {
        let part = match line {
            DossierLine::About(_) => 0,
            DossierLine::Total(_) => 1,
            DossierLine::State(_) | DossierLine::Now(_) => 2,
            DossierLine::Value(_) => 3,
            DossierLine::Gap(_) => 4,
            DossierLine::Event(_) => 5,
            DossierLine::Key(_) => 6,
        };
        let len = u32::try_from(place.len()).map_err(io::Error::other)?;
        let mut blob = place.to_vec();
        serde_json::to_writer(&mut blob, line).map_err(io::Error::from)?;
        blob.extend_from_slice(&len.to_le_bytes());
        let dir = self.snapshot.trail().folder().path();
        let pushed = self.sorter.push(part, blob);
        Ok(pushed.map_err(TrailError::io("sorting in", dir))?)
    }

    /// Writes all lines in order.
    pub fn finish(mut self, lines: &mut Lines<'_>) -> Result<(), QueryError> {
        for (number, (key, (events, example))) in (0..).zip(std::mem::take(&mut self.keys)) {
            let part = KeyPart {
                key: key.into(),
                events,
                example,
            };
            self.push(&numbers(&[number]), &DossierLine::Key(part))?;
        }
        let event = |(time, seq)| last_event((seq, time));
        self.total.first_event = self.first.map(event);
        self.total.last_event = self.last.map(event);
        let total = std::mem::take(&mut self.total);
        self.push(&[], &DossierLine::Total(total))?;
        self.sorter.finish::<QueryError>(|_, blob| {
            let Some((rest, len)) = blob.split_last_chunk::<4>() else {
                return Ok(true);
            };
            let len = u32::from_le_bytes(*len) as usize;
            Ok(lines.put_one(rest.get(len..).unwrap_or_default())?)
        })
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
        let place = (event.time, event.seq);
        self.first = self.first.into_iter().chain([place]).min();
        self.last = self.last.max(Some(place));
    }

    /// The key that signed an event, if its proof is stored.
    fn signer(&mut self, event: &Event<'_>, record: Option<&[u8]>) -> Option<String> {
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
        let key = match record {
            Some(record) => EventRecord::decode(record).ok().and_then(signer),
            // Unreadable events were reported when they were replayed.
            None => {
                let read = self.reader.record(event.seq, |record| Ok(signer(record)));
                read.ok().flatten()
            }
        }?;
        self.keys.entry(key.clone()).or_insert((0, event.seq)).0 += 1;
        Some(key)
    }

    /// Whether a field or an interest is requested.
    fn wants(&self, subject: &Subject<'_>) -> bool {
        !self.query.narrows() || self.named().any(|named| named == *subject)
    }

    /// The fields and interests requested by name.
    fn named(&self) -> impl Iterator<Item = Subject<'a>> + use<'a> {
        let query = self.query;
        let fields = query.fields.iter().map(|name| Subject::Field(name.into()));
        let interests = query.interests.iter();
        fields.chain(interests.map(|name| Subject::Interest(name.into())))
    }
}

/// Numbers as bytes that sort as they do.
fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// Collects the steps of one (sub)profile.
struct KeyVisitor<'c, 'a> {
    all: &'c mut Collector<'a>,
    number: u64,
    key: ProfileKey,
    intervals: IntervalBuilder<AllValues>,
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
        let Some(event) = step.event().filter(|event| span.contains(event.time)) else {
            return Ok(true);
        };
        match step.what {
            What::Duplicate { .. } => {
                self.duplicates += 1;
                return Ok(true);
            }
            What::Event(_) => {
                self.events += 1;
                self.all.count(event);
            }
            What::Cascade(_) | What::UnseenCascade(_) => {}
        }
        self.event(event, step.changes, step.record)?;
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
    /// Where a line stands that is of a moment.
    fn place(&self, place: Place) -> Vec<u8> {
        let time = place.time.cast_unsigned() ^ (1 << 63);
        numbers(&[time, place.rank.into(), place.seq, self.number])
    }

    /// Adds an event of the span, if it is requested, and the gaps that it reveals.
    fn event(
        &mut self,
        event: &Event<'_>,
        mut changes: Vec<Change<'_>>,
        record: Option<&[u8]>,
    ) -> Result<(), QueryError> {
        let query = self.all.query;
        changes.retain(|change| matches_subject(change, &query.fields, &query.interests));
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
        let signed_by = self.all.signer(event, record);
        if query.narrows() && changes.is_empty() {
            return Ok(());
        }
        let part = EventPart {
            seq: event.seq,
            event_type: Cow::Borrowed(event.event_type.name()),
            time: seconds_to_rfc3339(event.time),
            time_source: event.time_source,
            received: micros_to_rfc3339(event.received),
            profile: event.key.profile,
            subprofile: event.key.subprofile,
            database: event.database,
            collection: event.collection,
            label: event.label.as_deref().map(Cow::Borrowed),
            remote: event.remote.as_deref().map(Cow::Borrowed),
            verified: event.verified,
            key: signed_by.map(Cow::Owned),
            observed: event.event_type.seen().map(|seen| seen.name().into()),
            changes,
        };
        let place = self.place(Place::of(event));
        self.all.push(&place, &DossierLine::Event(Box::new(part)))
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
            profile: Some(self.key.profile),
            subprofile: self.key.subprofile,
            seq: Some(place.seq),
            since: since.map(seconds_to_rfc3339),
            until: Some(seconds_to_rfc3339(place.time)),
            fields,
            interests,
            ..GapPart::new(kind)
        };
        // Those of no known (sub)profile come first.
        let place = [numbers(&[1]), self.place(place)].concat();
        self.all.push(&place, &DossierLine::Gap(gap))
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
        // In order of their names; a 0 in one does not end it.
        let mut place = numbers(&[self.number, subject.is_interest().into()]);
        for byte in subject.name().bytes() {
            place.push(byte);
            place.extend((byte == 0).then_some(1));
        }
        place.extend([0, 0]);
        place.extend(interval.number.to_be_bytes());
        let part = ValuePart {
            profile: self.key.profile,
            subprofile: self.key.subprofile,
            subject,
            value: interval.value,
            since: interval.since,
            until: interval.until,
        };
        self.all.push(&place, &DossierLine::Value(part))
    }

    /// Adds the final state of the (sub)profile and its values.
    fn state(&mut self, replay: &Replay<'_>) -> Result<(), QueryError> {
        self.all.total.duplicates += self.duplicates;
        let is_held = |subject: &Subject<'_>| self.all.wants(subject);
        if !self.is_mentioned && !self.intervals.open().keys().any(is_held) {
            return Ok(());
        }
        let mut order = Vec::new();
        let (word, created, modified) = match &replay.known {
            Known::Nothing => ("unknown", &None, &None),
            Known::Deleted { created, modified } => ("deleted", created, modified),
            Known::Present(state) => {
                order.extend(state.subjects());
                ("present", &state.created, &state.modified)
            }
        };
        let ProfileKey {
            profile,
            subprofile,
        } = self.key;
        let part = StatePart {
            profile,
            subprofile,
            database: replay.database,
            collection: subprofile.and(replay.collection),
            state: word.to_owned(),
            events: self.events,
            duplicates: self.duplicates,
            last_event: replay.last.map(last_event),
            cascade: replay.ended.map(last_event),
            created: created.as_deref().map(str::to_owned),
            modified: modified.as_deref().map(str::to_owned),
        };
        let state = numbers(&[self.number, 0]);
        self.all.push(&state, &DossierLine::State(part))?;
        let open = self.intervals.take_open();
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
            let value = match subject {
                Subject::Field(_) => Value::Absent,
                Subject::Interest(_) => Value::Member(false),
            };
            now.push((subject, value, None, ended));
        }
        for ((subject, value, since, ended), number) in now.into_iter().zip(1..) {
            let part = NowPart {
                profile,
                subprofile,
                subject,
                value,
                since,
                ended,
            };
            let place = numbers(&[self.number, number]);
            self.all.push(&place, &DossierLine::Now(part))?;
        }
        for interval in open.into_values() {
            if self.all.wants(&interval.subject) {
                self.value(interval)?;
            }
        }
        Ok(())
    }
}

fn last_event((seq, time): (u64, i64)) -> LastEvent {
    let time = seconds_to_rfc3339(time);
    LastEvent { seq, time }
}
