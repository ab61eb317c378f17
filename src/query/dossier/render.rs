//! Renders the collected data of a dossier as lines.

use std::borrow::Cow;

use super::DossierQuery;
use super::collect::{Collector, KeyState, last_event};
use super::lines::{self, DossierLine, EventPart, GapPart, NowPart, StatePart, ValuePart};
use super::sorter::{NumberedKey, SortKey};
use crate::event::{Event, ProfileKey, micros_to_rfc3339, seconds_to_rfc3339};
use crate::history::{Change, Ending, Interval, Known, Origin, Place, Replay, Subject, Value};
use crate::query::answer::QueryError;
use crate::query::filter::matches_subject;
use crate::query::lines::ChangeLine;

impl Collector<'_> {
    /// Adds an event of the span, if it is requested, and the gaps that it reveals.
    pub(super) fn event(
        &mut self,
        numbered: NumberedKey,
        event: &Event<'_>,
        mut changes: Vec<Change<'_>>,
        record: Option<&[u8]>,
    ) -> Result<(), QueryError> {
        let query = self.query;
        changes.retain(|change| matches_subject(change, &query.fields, &query.interests));
        for kind in ["unexplained", "first_seen"] {
            self.gap(kind, numbered, event, &changes)?;
        }
        let signed_by = self.signer(event, record);
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
        let key = SortKey::Event(Place::of(event), numbered.number);
        self.sorter.push(key, &DossierLine::Event(Box::new(part)))
    }

    /// Adds the gaps that an event reveals.
    fn gap(
        &mut self,
        kind: &'static str,
        numbered: NumberedKey,
        event: &Event<'_>,
        changes: &[Change<'_>],
    ) -> Result<(), QueryError> {
        let (mut fields, mut interests, mut since) = (Vec::new(), Vec::new(), None);
        for change in changes.iter().filter(|change| change.cause.name() == kind) {
            since = change.cause.since();
            let (field, interest) = change.subject.names();
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
            profile: Some(numbered.key.profile),
            subprofile: numbered.key.subprofile,
            seq: Some(event.seq),
            since: since.map(seconds_to_rfc3339),
            until: Some(seconds_to_rfc3339(event.time)),
            fields,
            interests,
            ..GapPart::new(kind)
        };
        let key = SortKey::Gap(Some(Place::of(event)), numbered.number);
        self.sorter.push(key, &DossierLine::Gap(gap))
    }

    /// Whether a field or an interest is requested.
    fn wants(&self, subject: &Subject<'_>) -> bool {
        let query = self.query;
        let (list, others) = match subject {
            Subject::Field(_) => (&query.fields, &query.interests),
            Subject::Interest(_) => (&query.interests, &query.fields),
        };
        (list.is_empty() && others.is_empty()) || list.iter().any(|name| name == subject.name())
    }

    /// Adds values that have ended.
    pub(super) fn ended(
        &mut self,
        state: &mut KeyState,
        ended: Vec<Interval>,
    ) -> Result<(), QueryError> {
        for interval in ended {
            if !self.wants(&interval.subject) {
                continue;
            }
            let Some(ending) = &interval.until else {
                continue;
            };
            for asked in asked(self.query).filter(|asked| *asked == interval.subject) {
                state.ended.insert(asked, ending.clone());
            }
            if self
                .query
                .span
                .since
                .is_none_or(|since| ending.time > since)
            {
                state.is_mentioned = true;
                self.value(state.numbered, interval)?;
            }
        }
        Ok(())
    }

    /// Adds a value while it was held.
    fn value(&mut self, numbered: NumberedKey, interval: Interval) -> Result<(), QueryError> {
        let subject = interval.subject;
        let (field, interest) = subject.names();
        let key = SortKey::Value(numbered.number, &subject, interval.number);
        let part = ValuePart {
            profile: numbered.key.profile,
            subprofile: numbered.key.subprofile,
            field,
            interest,
            value: interval.value,
            since: origin(interval.since),
            until: interval.until.map(ending),
        };
        self.sorter.push(key, &DossierLine::Value(part))
    }

    /// Adds the final state of a (sub)profile and its values.
    pub(super) fn state(
        &mut self,
        state: &mut KeyState,
        replay: &Replay<'_>,
    ) -> Result<(), QueryError> {
        let numbered = state.numbered;
        self.total.duplicates += state.duplicates;
        let is_held = |subject: &Subject<'_>| self.wants(subject);
        if !state.is_mentioned && !state.intervals.open().keys().any(is_held) {
            return Ok(());
        }
        let mut order = Vec::new();
        let (word, created, modified) = match &replay.known {
            Known::Nothing => ("unknown", &None, &None),
            Known::Deleted { created, modified } => ("deleted", created, modified),
            Known::Present(state) => {
                let fields = state.fields.iter();
                order.extend(fields.map(|(name, _)| Subject::Field(name.clone()).to_owned()));
                let interests = state.interests.iter();
                order.extend(interests.map(|name| Subject::Interest(name.clone()).to_owned()));
                ("present", &state.created, &state.modified)
            }
        };
        let ProfileKey {
            profile,
            subprofile,
        } = numbered.key;
        let part = StatePart {
            profile,
            subprofile,
            database: replay.database,
            collection: subprofile.and(replay.collection),
            state: word.to_owned(),
            events: state.events,
            duplicates: state.duplicates,
            last_event: replay.last.map(last_event),
            cascade: replay.ended.map(last_event),
            created: created.as_deref().map(str::to_owned),
            modified: modified.as_deref().map(str::to_owned),
        };
        self.sorter
            .push(SortKey::State(numbered.number), &DossierLine::State(part))?;
        let mut now = Vec::new();
        for subject in order {
            if let Some(interval) = state.intervals.open().get(&subject)
                && self.wants(&subject)
            {
                let since = Some(origin(interval.since.clone()));
                now.push((subject, interval.value.clone(), since, None));
            }
        }
        // Values requested by name are listed even if they are absent.
        for subject in asked(self.query) {
            let ended = state.ended.remove(&subject);
            let is_shown = ended.is_some() || numbered.key == self.query.key;
            if state.intervals.open().contains_key(&subject) || !is_shown {
                continue;
            }
            let value = match subject {
                Subject::Field(_) => Value::Absent,
                Subject::Interest(_) => Value::Member(false),
            };
            now.push((subject, value, None, ended.map(ending)));
        }
        for ((subject, value, since, ended), number) in now.into_iter().zip(1..) {
            let (field, interest) = subject.names();
            let part = NowPart {
                profile,
                subprofile,
                field,
                interest,
                value,
                since,
                ended,
            };
            let key = SortKey::Now(numbered.number, number);
            self.sorter.push(key, &DossierLine::Now(part))?;
        }
        for interval in state.intervals.take_open() {
            if self.wants(&interval.subject) {
                self.value(numbered, interval)?;
            }
        }
        Ok(())
    }
}

/// The fields and interests requested by name.
fn asked(query: &DossierQuery) -> impl Iterator<Item = Subject<'static>> {
    let name = |name: &String| Cow::Owned(name.clone());
    let fields = query.fields.iter().map(name).map(Subject::Field);
    fields.chain(query.interests.iter().map(name).map(Subject::Interest))
}

fn origin(origin: Origin) -> lines::Origin<'static> {
    lines::Origin {
        seq: origin.seq,
        time: seconds_to_rfc3339(origin.time),
        event_type: origin.event_type,
        cause: origin.cause.name().into(),
        not_before: origin.cause.since().map(seconds_to_rfc3339),
        label: origin.label.map(Cow::Owned),
        remote: origin.remote.map(Cow::Owned),
        verified: origin.verified,
    }
}

fn ending(ending: Ending) -> lines::Ending<'static> {
    lines::Ending {
        seq: ending.seq,
        time: seconds_to_rfc3339(ending.time),
        cause: ending.cause.into(),
        not_before: ending.not_before.map(seconds_to_rfc3339),
    }
}
