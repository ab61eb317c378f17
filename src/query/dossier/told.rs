//! What the events of each (sub)profile come to.

use std::collections::BTreeMap;

use super::DossierQuery;
use super::lines::{DossierLine, Ending, GapPart, KeyPart, TotalPart};
use super::pile::{Pile, Shelf, Track};
use super::put::last_event;
use super::spans::Spans;
use crate::event::{Event, seconds_to_rfc3339};
use crate::history::{End, Place, Replay, Subject};
use crate::query::answer::{Lines, QueryError};
use crate::query::ends::{Deletes, Ends};
use crate::store::{Batch, EventReader, EventsOf, Snapshot};

/// What is told, and from what.
pub(super) struct Told<'a> {
    snapshot: &'a Snapshot<'a>,
    pub(super) query: &'a DossierQuery,
    at: i64,
    pub(super) pile: Pile<'a>,
    pub(super) total: TotalPart,
    /// Time and `seq` of the first event of the span, and of the last.
    first: Option<(i64, u64)>,
    last: Option<(i64, u64)>,
    /// How many events each key has signed, and the first of them.
    pub(super) keys: BTreeMap<String, (u64, u64)>,
    found: bool,
    /// What may end subprofiles.
    ends: Ends,
    deletes: Deletes,
    pub(super) reader: EventReader,
    /// Reads what is not of the (sub)profile at hand.
    other: EventReader,
}

/// A (sub)profile on its way.
pub(super) struct Person {
    pub track: Track,
    pub replay: Replay<'static>,
    pub spans: Spans,
    /// How what was asked for by name ended last.
    pub ended: BTreeMap<Subject<'static>, Ending<'static>>,
    /// Whether anything that is asked for was told of it.
    pub spoken_of: bool,
    pub events: u64,
    pub duplicates: u64,
}

impl<'a> Told<'a> {
    pub fn new(
        snapshot: &'a Snapshot<'a>,
        query: &'a DossierQuery,
        at: i64,
        lines: &mut Lines<'_>,
    ) -> Result<Self, QueryError> {
        let profile = query.key.profile;
        // Of a subprofile alone it is to be said what is not known of its profile.
        let ends = match Ends::asked(snapshot, query.key, true, at, lines)? {
            Some(ends) => ends,
            None => Ends::of(snapshot, profile, at)?,
        };
        Ok(Self {
            snapshot,
            query,
            at,
            pile: Pile::new(snapshot),
            total: TotalPart::default(),
            first: None,
            last: None,
            keys: BTreeMap::new(),
            found: false,
            ends,
            deletes: Deletes::default(),
            reader: snapshot.reader(),
            other: snapshot.reader(),
        })
    }

    /// What was told, and how much; `None` where there was nothing to tell.
    pub fn finish(mut self) -> Result<Option<(Pile<'a>, TotalPart)>, QueryError> {
        for (number, (key, (events, example))) in (0..).zip(&self.keys) {
            let part = KeyPart {
                key: key.into(),
                events: *events,
                example: *example,
            };
            self.pile.put(Shelf::Key(number), &DossierLine::Key(part))?;
        }
        let event = |(time, seq)| last_event((seq, time));
        self.total.first_event = self.first.map(event);
        self.total.last_event = self.last.map(event);
        Ok(self.found.then_some((self.pile, self.total)))
    }

    /// Tells all of a (sub)profile.
    pub fn one(&mut self, track: Track, lines: &mut Lines<'_>) -> Result<(), QueryError> {
        let key = track.key;
        let events = self.snapshot.events_of(key)?;
        if events.is_empty() {
            return Ok(());
        }
        self.found = true;
        self.total.subprofiles += u64::from(key.subprofile.is_some());
        self.tell_pruned(track, &events, lines)?;
        let mut ends = match key.subprofile {
            Some(_) => {
                let (all, none) = ((i64::MIN, self.at), Batch::default());
                let (reader, damage) = (&mut self.other, &mut lines.damage);
                self.ends.between(all, &events, &none, reader, damage)?
            }
            None => Vec::new(),
        }
        .into_iter()
        .peekable();
        let mut person = Person {
            track,
            replay: events.replay(),
            spans: Spans::default(),
            ended: BTreeMap::new(),
            spoken_of: !self.query.narrows() || key == self.query.key,
            events: 0,
            duplicates: 0,
        };
        let mut timeline = events.timeline(self.at);
        while let Some(occurrence) = timeline.next(&mut self.reader, &mut lines.damage)? {
            let event = &occurrence.event;
            if occurrence.duplicate_of.is_some() {
                person.duplicates += u64::from(self.query.span.contains(event.time));
                continue;
            }
            while let Some(end) = ends.next_if(|end| end.place < Place::of(event)) {
                self.end(&mut person, &events, end, lines)?;
            }
            self.step(&mut person, &events, event)?;
        }
        for end in ends {
            self.end(&mut person, &events, end, lines)?;
        }
        if events.reaches_baseline(self.at) {
            person.replay.take_up();
            self.take_up(&mut person, &events)?;
        }
        self.tell_state(person)
    }

    /// Tells that older events are gone.
    fn tell_pruned(
        &mut self,
        track: Track,
        events: &EventsOf,
        lines: &mut Lines<'_>,
    ) -> Result<(), QueryError> {
        let Some(baseline) = &events.baseline else {
            return Ok(());
        };
        lines.note_pruned(track.key, events.baseline_time(), self.query.span.since);
        let time = baseline.place.time;
        if self.query.span.since.is_some_and(|since| since > time) {
            return Ok(());
        }
        self.total.pruned += 1;
        let gap = GapPart {
            kind: "pruned".into(),
            profile: Some(track.key.profile),
            subprofile: track.key.subprofile,
            seq: Some(baseline.place.seq),
            since: None,
            until: Some(seconds_to_rfc3339(time)),
            fields: Vec::new(),
            interests: Vec::new(),
            text: None,
        };
        let shelf = Shelf::Gap(Some(baseline.place), track.number);
        self.pile.put(shelf, &DossierLine::Gap(gap))
    }

    /// Begins with what a baseline tells, where the replay has just done so.
    fn take_up(&mut self, person: &mut Person, events: &EventsOf) -> Result<(), QueryError> {
        match &events.baseline {
            Some(baseline) if person.replay.baseline != person.spans.baseline() => {
                let ended = person.spans.take_up(baseline);
                self.tell_values(person, ended)
            }
            _ => Ok(()),
        }
    }

    fn step(
        &mut self,
        person: &mut Person,
        events: &EventsOf,
        event: &Event<'static>,
    ) -> Result<(), QueryError> {
        let since = person.replay.last.map(|(_, time)| time);
        let changes = person.replay.step(event);
        self.take_up(person, events)?;
        let mut ended = person.spans.step(event, &changes);
        let stands = person.replay.last == Some((event.seq, event.time));
        if stands && event.event_type.is_end() {
            ended.extend(person.spans.end(event, since));
        }
        self.tell_values(person, ended)?;
        if !self.query.span.contains(event.time) {
            return Ok(());
        }
        person.events += 1;
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
        self.tell_event(person.track, event, changes)
    }

    /// Takes what may end a subprofile.
    fn end(
        &mut self,
        person: &mut Person,
        events: &EventsOf,
        end: End,
        lines: &mut Lines<'_>,
    ) -> Result<(), QueryError> {
        let changes = person.replay.end(end.place);
        self.take_up(person, events)?;
        let Some(changes) = changes else {
            return Ok(());
        };
        let (key, replay) = (person.track.key, &person.replay);
        let (reader, damage) = (&mut self.other, &mut lines.damage);
        let Some(event) = self.deletes.of(end, key, replay, reader, damage)? else {
            let ended = person.spans.end_unseen(end.place);
            return self.tell_values(person, ended);
        };
        let ended = person.spans.step(&event, &changes);
        self.tell_values(person, ended)?;
        if self.query.span.contains(event.time) {
            self.tell_event(person.track, &event, changes)?;
        }
        Ok(())
    }
}
