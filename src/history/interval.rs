//! The intervals in which values were held: the one definition of "until when".
//!
//! A value begins with the change that sets it, or with a baseline that has it. It
//! ends with the next change of its field or interest, with a delete, or with a
//! baseline. Held is one value for each field and interest that is present, so no
//! more than a state.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, Place};
use super::change::{Cause, Change, Subject, Value};
use super::replay::{Known, Replay};
use crate::event::{Event, EventType, Seen, rfc3339};

/// The event that set a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The event's place in the order of arrival.
    pub seq: u64,
    /// The event's time.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub time: i64,
    /// The event's type; `baseline` if it was pruned.
    #[serde(rename = "type")]
    pub event_type: Cow<'static, str>,
    /// The cause of the change to this value. After `unexplained`, `first_seen` or
    /// `baseline` its true beginning is not known.
    pub cause: Cow<'static, str>,
    /// Only for an unexplained change: the last moment at which the value was known to differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "rfc3339::option")]
    #[schemars(with = "Option<String>")]
    pub not_before: Option<i64>,
    /// The label in the webhook's address.
    pub label: Option<String>,
    /// The sender's address.
    pub remote: Option<String>,
    /// Whether Copernica's signature was verified; missing if signatures were not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// The event that ended a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// The event's place in the order of arrival.
    pub seq: u64,
    /// The event's time.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub time: i64,
    /// The cause of the change, or: `delete` if the (sub)profile was deleted;
    /// `baseline` if the value ended with a pruned event; `observed` if an export
    /// no longer had the (sub)profile.
    pub cause: Cow<'static, str>,
    /// Only for an unexplained or observed change: the last moment at which the value was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "rfc3339::option")]
    #[schemars(with = "Option<String>")]
    pub not_before: Option<i64>,
}

/// A value while it was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The field or interest.
    pub subject: Subject<'static>,
    /// The value.
    pub value: Value<'static>,
    /// The value before; `None` if it is not known.
    pub old: Option<Value<'static>>,
    /// The event that set it.
    pub since: Origin,
    /// The event that ended it; `None` while it is held.
    pub until: Option<Ending>,
    /// Whether it began before a baseline, where no state is known: then nothing
    /// is known but the moment of its beginning.
    pub is_moment: bool,
    /// The number of the value among all of its (sub)profile, in the order of
    /// their beginnings.
    pub number: u64,
}

/// Builds the intervals of one (sub)profile from its replay.
pub struct IntervalBuilder<'f> {
    follows: &'f dyn Fn(&Subject<'_>, &Value<'_>) -> bool,
    baseline: Option<Baseline>,
    /// The values that are held.
    pub open: BTreeMap<Subject<'static>, Interval>,
    count: u64,
}

impl<'f> IntervalBuilder<'f> {
    /// A builder for all values, of a (sub)profile with that baseline.
    pub fn new(baseline: Option<Baseline>) -> Self {
        Self::of(baseline, &|_, _| true)
    }

    /// A builder for the values that `follows` accepts.
    pub const fn of(
        baseline: Option<Baseline>,
        follows: &'f dyn Fn(&Subject<'_>, &Value<'_>) -> bool,
    ) -> Self {
        Self {
            follows,
            baseline,
            open: BTreeMap::new(),
            count: 0,
        }
    }

    /// Applies the baseline if the replay has done so, which ends everything
    /// before it. Returns what ended.
    pub fn follow_baseline(&mut self, replay: &Replay<'_>) -> Vec<Interval> {
        if replay.baseline.is_none() {
            return Vec::new();
        }
        let Some(baseline) = self.baseline.take() else {
            return Vec::new();
        };
        let Place { time, seq, .. } = baseline.place;
        let ended = self.end_all((seq, time), "baseline", None);
        let Known::Present(state) = baseline.known else {
            return ended;
        };
        let origin = Origin {
            seq,
            time,
            event_type: "baseline".into(),
            cause: "baseline".into(),
            not_before: None,
            label: None,
            remote: None,
            verified: None,
        };
        for (name, value) in state.fields.iter() {
            let (subject, value) = (Subject::Field(name.clone()), Value::Text(value.clone()));
            self.begin(&subject, &value, None, || origin.clone());
        }
        for name in state.interests {
            let subject = Subject::Interest(name);
            self.begin(&subject, &Value::Member(true), None, || origin.clone());
        }
        ended
    }

    /// Applies the changes of an event, or of the profile's delete that ended a
    /// subprofile, and returns what ended. `replay` is the state after it, and
    /// `since` the time of the event before. Without an event it is a delete of which
    /// only the place is known.
    pub fn step(
        &mut self,
        event: Option<&Event<'_>>,
        changes: &[Change<'_>],
        replay: &Replay<'_>,
        since: Option<i64>,
    ) -> Vec<Interval> {
        let mut ended = self.follow_baseline(replay);
        let Some(event) = event else {
            if let Some(delete) = replay.ended {
                ended.extend(self.end_all(delete, Cause::Cascade.name(), None));
            }
            return ended;
        };
        for change in changes {
            let ending = Ending {
                seq: event.seq,
                time: event.time,
                cause: change.cause.name().into(),
                not_before: change.cause.since(),
            };
            self.end(&change.subject, ending, &mut ended);
            if !matches!(change.new, Value::Absent | Value::Member(false)) {
                let origin = || Origin {
                    seq: event.seq,
                    time: event.time,
                    event_type: event.event_type.clone().into_name(),
                    cause: change.cause.name().into(),
                    not_before: change.cause.since(),
                    label: event.label.as_deref().map(str::to_owned),
                    remote: event.remote.as_deref().map(str::to_owned),
                    verified: event.verified,
                };
                self.begin(&change.subject, &change.new, change.old.as_ref(), origin);
            }
        }
        let end = (event.seq, event.time);
        if replay.last == Some(end) && event.event_type.is_end() {
            ended.extend(match event.event_type {
                // It ended at some time since the event before.
                EventType::Observed(_) => self.end_all(end, Seen::TYPE, since),
                _ => self.end_all(end, "delete", None),
            });
        }
        ended
    }

    fn begin(
        &mut self,
        subject: &Subject<'_>,
        value: &Value<'_>,
        old: Option<&Value<'_>>,
        since: impl FnOnce() -> Origin,
    ) {
        let number = self.count;
        self.count += 1;
        if !(self.follows)(subject, value) {
            return;
        }
        let interval = Interval {
            subject: subject.to_owned(),
            value: value.to_owned(),
            old: old.map(Value::to_owned),
            since: since(),
            until: None,
            is_moment: self.baseline.is_some(),
            number,
        };
        self.open.insert(interval.subject.clone(), interval);
    }

    fn end(&mut self, subject: &Subject<'_>, ending: Ending, ended: &mut Vec<Interval>) {
        let open: &BTreeMap<Subject<'_>, Interval> = &self.open;
        if open.contains_key(subject)
            && let Some(mut interval) = self.open.remove(&subject.to_owned())
        {
            interval.until = Some(ending);
            ended.push(interval);
        }
    }

    /// Ends everything with the event of a `seq` and time.
    fn end_all(
        &mut self,
        (seq, time): (u64, i64),
        cause: &'static str,
        not_before: Option<i64>,
    ) -> Vec<Interval> {
        let ending = Ending {
            seq,
            time,
            cause: cause.into(),
            not_before,
        };
        let mut all: Vec<Interval> = std::mem::take(&mut self.open).into_values().collect();
        for interval in &mut all {
            interval.until = Some(ending.clone());
        }
        all
    }
}
