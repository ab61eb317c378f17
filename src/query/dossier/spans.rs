//! How long values last, from a (sub)profile's changes in their order.
//!
//! Pure. Held is one value for each field and interest that is present, so no
//! more than a state.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::lines::{Ending, Origin};
use crate::event::{Event, EventType, Seen, seconds_to_rfc3339};
use crate::history::{Baseline, Cause, Change, Known, Place, Subject, Value};

/// A value and by what it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lasting {
    pub value: Value<'static>,
    pub since: Origin<'static>,
    /// The number of the value among all of its (sub)profile.
    pub number: u64,
}

/// The values that last.
#[derive(Debug, Default)]
pub(super) struct Spans {
    lasting: BTreeMap<Subject<'static>, Lasting>,
    count: u64,
    /// The place of the baseline that was taken up.
    baseline: Option<Place>,
}

/// A value that has ended.
pub(super) type Ended = (Subject<'static>, Lasting, Ending<'static>);

impl Spans {
    /// What lasts of a subject.
    pub fn of(&self, subject: &Subject<'static>) -> Option<&Lasting> {
        self.lasting.get(subject)
    }

    /// Of what something lasts.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject<'static>> {
        self.lasting.keys()
    }

    /// The place of the baseline that was taken up.
    pub const fn baseline(&self) -> Option<Place> {
        self.baseline
    }

    /// Ends everything, and begins with what a baseline tells.
    pub fn take_up(&mut self, baseline: &Baseline) -> Vec<Ended> {
        let Place { time, seq, .. } = baseline.place;
        self.baseline = Some(baseline.place);
        let ending = Ending {
            seq,
            time: seconds_to_rfc3339(time),
            cause: Cause::Baseline.name().into(),
            not_before: None,
        };
        let ended = self.end_all(&ending);
        let Known::Present(state) = &baseline.known else {
            return ended;
        };
        let origin = Origin {
            seq,
            time: seconds_to_rfc3339(time),
            event_type: "baseline".into(),
            cause: Cause::Baseline.name().into(),
            not_before: None,
            label: None,
            remote: None,
            verified: None,
        };
        for (name, value) in state.fields.iter() {
            let value = Value::Text(value.clone());
            self.begin(Subject::Field(name.clone()), value, origin.clone());
        }
        for name in &state.interests {
            let subject = Subject::Interest(name.clone());
            self.begin(subject, Value::Member(true), origin.clone());
        }
        ended
    }

    /// Takes the changes of an event.
    pub fn step(&mut self, event: &Event<'_>, changes: &[Change<'static>]) -> Vec<Ended> {
        let mut ended = Vec::new();
        for Change {
            subject,
            new,
            cause,
            ..
        } in changes
        {
            if let Some(lasting) = self.lasting.remove(subject) {
                let ending = ending_of(event, cause.name(), cause.since());
                ended.push((subject.clone(), lasting, ending));
            }
            if !matches!(new, Value::Absent | Value::Member(false)) {
                let origin = origin_of(event, *cause);
                self.begin(subject.clone(), new.clone(), origin);
            }
        }
        ended
    }

    /// Ends everything, since the (sub)profile was deleted, or seen to be gone:
    /// then it went at a moment since the event before.
    pub fn end(&mut self, event: &Event<'_>, since: Option<i64>) -> Vec<Ended> {
        self.end_all(&match event.event_type {
            EventType::Observed(_) => ending_of(event, Seen::TYPE, since),
            _ => ending_of(event, EventType::Delete.name(), None),
        })
    }

    /// Ends everything, since a pruned `delete` has ended the subprofile.
    pub fn end_unseen(&mut self, place: Place) -> Vec<Ended> {
        self.end_all(&Ending {
            seq: place.seq,
            time: seconds_to_rfc3339(place.time),
            cause: Cause::Cascade.name().into(),
            not_before: None,
        })
    }

    fn end_all(&mut self, ending: &Ending<'static>) -> Vec<Ended> {
        let all = std::mem::take(&mut self.lasting).into_iter();
        all.map(|(subject, lasting)| (subject, lasting, ending.clone()))
            .collect()
    }

    fn begin(&mut self, subject: Subject<'static>, value: Value<'static>, since: Origin<'static>) {
        let number = self.count;
        self.count += 1;
        let lasting = Lasting {
            value,
            since,
            number,
        };
        self.lasting.insert(subject, lasting);
    }

    /// What lasts in the end.
    pub fn into_lasting(self) -> impl Iterator<Item = (Subject<'static>, Lasting)> {
        self.lasting.into_iter()
    }
}

fn ending_of(event: &Event<'_>, cause: &str, since: Option<i64>) -> Ending<'static> {
    Ending {
        seq: event.seq,
        time: seconds_to_rfc3339(event.time),
        cause: cause.to_owned().into(),
        not_before: since.map(seconds_to_rfc3339),
    }
}

fn origin_of(event: &Event<'_>, cause: Cause) -> Origin<'static> {
    let owned = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
    Origin {
        seq: event.seq,
        time: seconds_to_rfc3339(event.time),
        event_type: event.event_type.clone().into_name(),
        cause: cause.name().into(),
        not_before: cause.since().map(seconds_to_rfc3339),
        label: event.label.as_ref().map(owned),
        remote: event.remote.as_ref().map(owned),
        verified: event.verified,
    }
}
