//! From what is found to a dossier's lines.

use std::borrow::Cow;

use super::DossierQuery;
use super::lines::{DossierLine, Ending, EventPart, GapPart, NowPart, StatePart, ValuePart};
use super::pile::{Pile, Shelf, Track};
use super::spans::{Ended, Lasting};
use super::told::{Person, Told};
use crate::auth::signature::Evidence;
use crate::event::{
    Event, ProfileKey, micros_to_rfc3339, parse_rfc3339_micros, seconds_to_rfc3339,
};
use crate::history::{Change, Known, Place, Subject, Value};
use crate::query::answer::QueryError;
use crate::query::filter::matches_subject;
use crate::query::lines::{ChangeLine, LastEvent};

pub(super) fn last_event((seq, time): (u64, i64)) -> LastEvent {
    let time = seconds_to_rfc3339(time);
    LastEvent { seq, time }
}

/// The name of a subject, as the value of `field` or of `interest`.
fn names<'a>(subject: &'a Subject<'_>) -> (Option<Cow<'a, str>>, Option<Cow<'a, str>>) {
    let name = Some(Cow::Borrowed(subject.name()));
    match subject {
        Subject::Field(_) => (name, None),
        Subject::Interest(_) => (None, name),
    }
}

impl<'a> Told<'a> {
    /// Tells an event of the span, where it is asked for.
    pub(super) fn tell_event(
        &mut self,
        track: Track,
        event: &Event<'static>,
        mut changes: Vec<Change<'static>>,
    ) -> Result<(), QueryError> {
        let query = self.query;
        changes.retain(|change| matches_subject(change, &query.fields, &query.interests));
        for kind in ["unexplained", "first_seen"] {
            self.tell_gap(kind, track, event, &changes)?;
        }
        let signed_by = match event.verified {
            Some(true) => self.signer(event.seq),
            _ => None,
        };
        if let Some(key) = &signed_by {
            let known = self.keys.entry(key.clone()).or_insert((0, event.seq));
            known.0 += 1;
        }
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
            changes: changes.into_iter().map(ChangeLine::from).collect(),
        };
        let shelf = Shelf::Event(Place::of(event), track.number);
        self.pile.put(shelf, &DossierLine::Event(Box::new(part)))
    }

    /// The key by which an event is known to be signed, where the proof is kept.
    fn signer(&mut self, seq: u64) -> Option<String> {
        let read = self.reader.record(seq, |record| {
            let evidence = record.head.evidence;
            let evidence = evidence.map(|bytes| Evidence::decode(bytes, record.body));
            Ok(match evidence {
                Some(Ok(Evidence::Proof(proof))) => Some(proof.key),
                _ => None,
            })
        });
        // What cannot be read was told when the event was.
        read.ok().flatten()
    }

    /// Tells what an event shows not to be known.
    fn tell_gap(
        &mut self,
        kind: &'static str,
        track: Track,
        event: &Event<'_>,
        changes: &[Change<'_>],
    ) -> Result<(), QueryError> {
        let (mut fields, mut interests, mut since) = (Vec::new(), Vec::new(), None);
        for change in changes.iter().filter(|change| change.cause.name() == kind) {
            since = change.cause.since();
            let (field, interest) = names(&change.subject);
            fields.extend(field);
            interests.extend(interest);
        }
        if fields.is_empty() && interests.is_empty() {
            return Ok(());
        }
        match kind {
            "unexplained" => self.total.unexplained += 1,
            _ => self.total.first_seen += 1,
        }
        let gap = GapPart {
            kind: kind.into(),
            profile: Some(track.key.profile),
            subprofile: track.key.subprofile,
            seq: Some(event.seq),
            since: since.map(seconds_to_rfc3339),
            until: Some(seconds_to_rfc3339(event.time)),
            fields,
            interests,
            text: None,
        };
        let shelf = Shelf::Gap(Some(Place::of(event)), track.number);
        self.pile.put(shelf, &DossierLine::Gap(gap))
    }

    /// Whether a field or an interest is asked for.
    fn wants(&self, subject: &Subject<'_>) -> bool {
        let query = self.query;
        let (list, others) = match subject {
            Subject::Field(_) => (&query.fields, &query.interests),
            Subject::Interest(_) => (&query.interests, &query.fields),
        };
        (list.is_empty() && others.is_empty()) || list.iter().any(|name| name == subject.name())
    }

    /// Tells values that have ended.
    pub(super) fn tell_values(
        &mut self,
        person: &mut Person,
        ended: Vec<Ended>,
    ) -> Result<(), QueryError> {
        for (subject, lasting, ending) in ended {
            if !self.wants(&subject) {
                continue;
            }
            for asked in asked(self.query).filter(|asked| *asked == subject) {
                person.ended.insert(asked, ending.clone());
            }
            let until = parse_rfc3339_micros(&ending.time).map(|time| time.div_euclid(1_000_000));
            let since = self.query.span.since;
            if since.is_none_or(|since| until > Some(since)) {
                person.spoken_of = true;
                self.tell_value(person.track, &subject, lasting, Some(ending))?;
            }
        }
        Ok(())
    }

    fn tell_value(
        &mut self,
        track: Track,
        subject: &Subject<'_>,
        lasting: Lasting,
        until: Option<Ending<'static>>,
    ) -> Result<(), QueryError> {
        let (field, interest) = names(subject);
        let shelf = Shelf::Value(track.number, subject, lasting.number);
        let part = ValuePart {
            profile: track.key.profile,
            subprofile: track.key.subprofile,
            field,
            interest,
            value: lasting.value,
            since: lasting.since,
            until,
        };
        self.pile.put(shelf, &DossierLine::Value(part))
    }

    /// Tells what a (sub)profile is in the end.
    pub(super) fn tell_state(&mut self, mut person: Person) -> Result<(), QueryError> {
        let Person { track, .. } = person;
        let ProfileKey {
            profile,
            subprofile,
        } = track.key;
        self.total.duplicates += person.duplicates;
        let lasts = person.spans.subjects().any(|subject| self.wants(subject));
        if !person.spoken_of && !lasts {
            return Ok(());
        }
        let replay = std::mem::take(&mut person.replay);
        let mut order = Vec::new();
        let (state, created, modified) = match replay.known {
            Known::Nothing => ("unknown", None, None),
            Known::Deleted { created, modified } => ("deleted", created, modified),
            Known::Present(state) => {
                let fields = state.fields.iter();
                order.extend(fields.map(|(name, _)| Subject::Field(name.clone())));
                order.extend(state.interests.into_iter().map(Subject::Interest));
                ("present", state.created, state.modified)
            }
        };
        let part = StatePart {
            profile,
            subprofile,
            database: replay.database,
            collection: subprofile.and(replay.collection),
            state: state.to_owned(),
            events: person.events,
            duplicates: person.duplicates,
            last_event: replay.last.map(last_event),
            cascade: replay.ended.map(last_event),
            created: created.map(Cow::into_owned),
            modified: modified.map(Cow::into_owned),
        };
        let shelf = Shelf::State(track.number);
        self.pile.put(shelf, &DossierLine::State(part))?;
        let mut number = 0;
        let mut put = |pile: &mut Pile<'_>, subject: &Subject<'_>, value, since, ended| {
            let (field, interest) = names(subject);
            let part = NowPart {
                profile,
                subprofile,
                field,
                interest,
                value,
                since,
                ended,
            };
            number += 1;
            pile.put(Shelf::Now(track.number, number), &DossierLine::Now(part))
        };
        for subject in &order {
            if let Some(lasting) = person.spans.of(subject)
                && self.wants(subject)
            {
                let (value, since) = (lasting.value.clone(), Some(lasting.since.clone()));
                put(&mut self.pile, subject, value, since, None)?;
            }
        }
        // What was asked for by name is told where it is not there, too.
        for subject in asked(self.query) {
            let ended = person.ended.remove(&subject);
            let speaks = ended.is_some() || track.key == self.query.key;
            if person.spans.of(&subject).is_some() || !speaks {
                continue;
            }
            let value = match subject {
                Subject::Field(_) => Value::Absent,
                Subject::Interest(_) => Value::Member(false),
            };
            put(&mut self.pile, &subject, value, None, ended)?;
        }
        for (subject, lasting) in person.spans.into_lasting() {
            if self.wants(&subject) {
                self.tell_value(track, &subject, lasting, None)?;
            }
        }
        Ok(())
    }
}

/// What is asked for by name.
fn asked(query: &DossierQuery) -> impl Iterator<Item = Subject<'static>> {
    let name = |name: &String| Cow::Owned(name.clone());
    let fields = query.fields.iter().map(name).map(Subject::Field);
    fields.chain(query.interests.iter().map(name).map(Subject::Interest))
}
