//! `explain`: compares the request of an event with its changes.
//!
//! A parameter is compared with the (sub)profile's field of that name, or with its
//! interest if no field has the name, before and after the event. Changes without a
//! parameter follow. Events of a type that changes nothing, and duplicates, leave
//! everything unchanged.
//!
//! If the state before is unknown, `old` is missing: then `applied` means that the
//! value is as requested, `coerced` that it is another, and changes that were not
//! requested are left out.

use std::borrow::Cow;
use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Lines, QueryError};
use super::replay::{ReplayVisitor, Replayer, Step};
use super::request::ExplainQuery;
use crate::event::{Event, EventType, is_member};
use crate::history::{Change, Place, Replay, State, Subject, Value, found_at_delete, known};
use crate::query::lines::HistoryLine;
use crate::store::{Damages, Snapshot};

/// The result of a requested change.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The value is as requested, and was not before.
    Applied,
    /// The value is as requested, and was so before.
    AlreadySo,
    /// The value is neither as requested nor as before.
    Coerced,
    /// The value is as before, not as requested; or no field has this name.
    Ignored,
    /// The value changed without a request.
    Unasked,
}

/// A line of `explain`: a parameter, or a change that was not requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainLine<'a> {
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The parameter's value as sent; missing if nothing was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Cow<'a, str>>,
    /// The value before the event; missing if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub old: Option<Value<'a>>,
    /// The value after the event.
    pub new: Value<'a>,
    /// The result.
    pub outcome: Outcome,
}

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ExplainQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let head = lines.damage.readable(snapshot.head_of(query.seq))?;
    let Some((key, time)) = head.flatten() else {
        return Ok(false);
    };
    let events = snapshot.events_of(key)?;
    lines.note_pruned(key, events.baseline_time(), Some(time));
    let mut replayer = Replayer::new(snapshot, query.cascade);
    let mut damage = Damages::default();
    let track = replayer.track(key, events, (time, time), &mut damage)?;
    let mut explainer = Explainer {
        query,
        written: None,
        lines,
    };
    replayer.changes_of(&track, &mut damage, &mut explainer)?;
    let written = explainer.written;
    lines.damage.extend(damage);
    written.unwrap_or(Ok(false))
}

/// Explains the event when the replay reaches it.
struct Explainer<'q, 'o> {
    query: &'q ExplainQuery,
    /// Whether lines were written, once the event was reached.
    written: Option<Result<bool, QueryError>>,
    lines: &'q mut Lines<'o>,
}

impl ReplayVisitor for Explainer<'_, '_> {
    fn wants(&mut self, event: &Event<'_>, of: Option<u64>, before: &Replay<'_>) -> bool {
        if event.seq == self.query.seq {
            let explained = Explained::of(event, of, before.clone());
            self.written = Some(explained.write(self.query.head, self.lines));
        }
        self.written.is_some()
    }

    fn wants_duplicates(&self) -> bool {
        true
    }

    fn visit(&mut self, _: Step<'_, '_>) -> Result<bool, QueryError> {
        // A delete of the profile can come before the event.
        Ok(self.written.is_none())
    }
}

/// An event with the states before and after it.
struct Explained<'e> {
    event: &'e Event<'e>,
    same: Option<u64>,
    changes: Vec<Change<'e>>,
    /// `None` if it is not known.
    before: Option<State<'e>>,
    after: Option<State<'e>>,
    /// It is the first event to show all values, or the first since a `delete`.
    is_first: bool,
}

impl<'e> Explained<'e> {
    /// `replay` has applied everything before the event.
    fn of(event: &'e Event<'e>, same: Option<u64>, mut replay: Replay<'e>) -> Self {
        let alone = replay.precedes_baseline(Place::of(event));
        let state = replay.known.state().cloned();
        let before = match event.event_type {
            // The (sub)profile did not exist before.
            EventType::Create if !alone && state.is_none() => Some(State::default()),
            _ => state.clone(),
        };
        let is_new = same.is_none();
        let changes = match is_new {
            true => replay.step(event),
            false => Vec::new(),
        };
        let after = match event.event_type {
            _ if !is_new => before.clone(),
            EventType::Create | EventType::Update if alone => {
                let mut own = Replay::default();
                own.skip(event);
                own.known.state().cloned()
            }
            EventType::Create | EventType::Update => replay.known.state().cloned(),
            EventType::Observed(_) if !alone => replay.known.state().cloned(),
            EventType::Delete => Some(found_at_delete(state.unwrap_or_default(), &event.content)),
            EventType::Observed(_) | EventType::Other(_) => state,
        };
        Self {
            is_first: is_new && event.event_type == EventType::Update && before.is_none() && !alone,
            event,
            same,
            changes,
            before,
            after,
        }
    }

    /// Writes the lines, after the event's own if requested.
    fn write(self, head: bool, lines: &mut Lines<'_>) -> Result<bool, QueryError> {
        if head {
            let changes = self.changes.clone();
            lines.put(&HistoryLine::new(self.event, changes, self.same))?;
        }
        for line in self.lines() {
            lines.put(&line)?;
        }
        if self.is_first {
            let (key, seq) = (self.event.key, self.event.seq);
            lines.note(format!(
                "what {key} was before event {seq} is not known: what it changed unasked is not, either"
            ));
        }
        Ok(true)
    }

    fn lines(&self) -> Vec<ExplainLine<'e>> {
        let mut lines = Vec::new();
        let mut asked: HashSet<Subject<'_>> = HashSet::new();
        for (name, value) in self.event.content.parameters.iter() {
            let subject = self.subject(name);
            lines.push(self.asked(&subject, value));
            asked.insert(subject);
            // A parameter refers to both a field and an interest if both have its
            // name.
            let interest = Subject::Interest(name.clone());
            let changed = self.changes.iter().any(|change| change.subject == interest);
            if changed && !asked.contains(&interest) {
                lines.push(self.asked(&interest, value));
                asked.insert(interest);
            }
        }
        for change in &self.changes {
            if change.old.is_some() && !asked.contains(&change.subject) {
                lines.push(ExplainLine {
                    subject: change.subject.clone(),
                    asked: None,
                    old: change.old.clone(),
                    new: change.new.clone(),
                    outcome: Outcome::Unasked,
                });
            }
        }
        lines
    }

    /// The field or interest that a parameter refers to.
    fn subject(&self, name: &Cow<'e, str>) -> Subject<'e> {
        let mut states = self.before.iter().chain(&self.after);
        let sent = self.event.content.interests.as_ref();
        let is_field = states.clone().any(|state| state.fields.contains_key(name));
        let is_interest = states.any(|state| state.interests.contains(name))
            || sent.is_some_and(|sent| sent.names().any(|named| named == name));
        match is_interest && !is_field {
            true => Subject::Interest(name.clone()),
            false => Subject::Field(name.clone()),
        }
    }

    /// The line of a parameter.
    fn asked(&self, subject: &Subject<'e>, value: &Cow<'e, str>) -> ExplainLine<'e> {
        let old = self.before.as_ref().map(|state| state.value_of(subject));
        let none = State::default();
        let new = self.after.as_ref().unwrap_or(&none).value_of(subject);
        let wanted = match subject {
            Subject::Field(_) => Value::Text(value.clone()),
            Subject::Interest(_) => Value::Member(is_member(value)),
        };
        let as_before = old.as_ref() == Some(&new);
        let outcome = match (new == wanted, as_before) {
            (true, true) => Outcome::AlreadySo,
            (true, false) => Outcome::Applied,
            (false, true) => Outcome::Ignored,
            // If nothing has the name, nothing changed.
            (false, false) if old.is_none() && new == Value::Absent => Outcome::Ignored,
            (false, false) => Outcome::Coerced,
        };
        ExplainLine {
            subject: subject.clone(),
            asked: Some(value.clone()),
            old,
            new,
            outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BodyKind;
    use crate::query::Query;
    use crate::query::tests_store::Store;

    #[test]
    fn an_event_after_a_delete_of_the_profile_in_its_second_is_explained() {
        let mut store = Store::new();
        let bodies = [
            "type=create&time=1&profile=1&subprofile=2&fields[mail]=a",
            "type=delete&time=5&profile=1",
            "type=delete&time=5&profile=1&subprofile=2&parameters[mail]=b",
        ];
        let bodies = bodies.map(|body| (BodyKind::Form, body.to_owned()));
        store.add_bodies(bodies, 1);
        let [alone, cascade] = [false, true].map(|cascade| {
            store.ask(&Query::Explain(ExplainQuery {
                seq: 3,
                head: true,
                cascade,
            }))
        });
        assert_eq!((alone.len(), cascade.len()), (2, 2));
        assert_eq!(alone[0], cascade[0]);
    }
}
