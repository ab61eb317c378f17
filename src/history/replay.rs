//! The fold over a (sub)profile's events: states and their changes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bincode::{Decode, Encode};

use super::baseline::{Baseline, Place};
use super::change::{Cause, Change, Subject, Value, differences};
use crate::event::{Content, Event, EventType, Fields, Interests, Lookup, Seen, is_member};

/// The fields and interests of a (sub)profile at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct State<'a> {
    /// The fields in the order last sent.
    pub fields: Fields<'a>,
    /// The names of the interests held.
    pub interests: BTreeSet<Cow<'a, str>>,
    /// `created` as last sent.
    pub created: Option<Cow<'a, str>>,
    /// `modified` as last sent.
    pub modified: Option<Cow<'a, str>>,
}

impl<'a> State<'a> {
    /// The fields in their order, then the interests by name.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'a>> {
        let fields = self.fields.keys().cloned().map(Subject::Field);
        fields.chain(self.interests.iter().cloned().map(Subject::Interest))
    }

    /// The value of a field or an interest.
    pub fn value_of(&self, subject: &Subject<'_>) -> Value<'a> {
        match subject {
            Subject::Field(name) => match self.fields.get(name) {
                Some(text) => Value::Text(text.clone()),
                None => Value::Absent,
            },
            Subject::Interest(name) => Value::Member(self.interests.contains(name)),
        }
    }

    /// Lays these fields over it, and what else an event sends.
    fn lay_over(
        &mut self,
        fields: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
        content: &Content<'a>,
    ) {
        self.fields.merge(fields);
        if let Some(sent) = &content.interests {
            self.interests = sent.members();
        }
        self.created = content.created.clone().or(self.created.take());
        self.modified = content.modified.clone().or(self.modified.take());
    }
}

/// The known state of a (sub)profile at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Known<'a> {
    /// No event has set a state yet.
    #[default]
    Nothing,
    /// The state set by the events.
    Present(State<'a>),
    /// It was deleted. Only `created` and `modified`, as last sent, are left.
    Deleted {
        /// `created` as last sent.
        created: Option<Cow<'a, str>>,
        /// `modified` as last sent.
        modified: Option<Cow<'a, str>>,
    },
}

impl<'a> Known<'a> {
    /// The state, if the (sub)profile is present.
    pub const fn state(&self) -> Option<&State<'a>> {
        match self {
            Self::Present(state) => Some(state),
            Self::Nothing | Self::Deleted { .. } => None,
        }
    }

    /// The word in answers (`present`, `deleted` or `unknown`) and the rest of the state.
    pub fn into_state(self) -> (&'static str, State<'a>) {
        match self {
            Self::Nothing => ("unknown", State::default()),
            Self::Present(state) => ("present", state),
            Self::Deleted { created, modified } => {
                let state = State {
                    created,
                    modified,
                    ..State::default()
                };
                ("deleted", state)
            }
        }
    }
}

/// A (sub)profile's history up to a moment; fed with its events in order.
#[derive(Clone, Debug, Default)]
pub struct Replay<'a> {
    /// The known state after the events so far.
    pub known: Known<'a>,
    /// `seq` and time of the last event, duplicates excluded.
    pub last: Option<(u64, i64)>,
    /// The database as last named.
    pub database: Option<u64>,
    /// The collection as last named.
    pub collection: Option<u64>,
    /// `seq` and time of the profile's `delete` that ended the subprofile, if
    /// no event has set its state since.
    pub ended: Option<(u64, i64)>,
    /// The place of the baseline once it is applied.
    pub baseline: Option<Place>,
    /// The baseline to apply before the first event after it.
    pending: Option<Box<Baseline>>,
}

impl<'a> Replay<'a> {
    /// A replay of events that starts from a baseline, if any.
    pub fn after(baseline: Option<Baseline>) -> Self {
        Self {
            pending: baseline.map(Box::new),
            ..Self::default()
        }
    }

    /// Applies the baseline if no event has done so. To be called at the end of a
    /// replay up to a time at or after the baseline.
    pub fn apply_baseline(&mut self) {
        if let Some(baseline) = self.pending.take() {
            let Place { time, seq, .. } = baseline.place;
            self.known = baseline.known;
            self.database = baseline.database;
            self.collection = baseline.collection;
            self.last = Some((seq, time));
            self.baseline = Some(baseline.place);
        }
    }

    /// Whether an event at a place comes before the baseline, and so is evaluated alone.
    /// For a later event the baseline is applied first.
    pub fn precedes_baseline(&mut self, place: Place) -> bool {
        let baseline = self.pending.as_ref();
        let before = baseline.is_some_and(|baseline| place < baseline.place);
        if !before {
            self.apply_baseline();
        }
        before
    }

    /// Applies the next event, which is not a duplicate, and returns its changes:
    /// fields in the order sent, fields that are gone by name, interests by name.
    pub fn step(&mut self, event: &Event<'a>) -> Vec<Change<'a>> {
        if self.precedes_baseline(Place::of(event)) {
            return changes_without_history(event);
        }
        let since = self.last.map_or(event.time, |(_, time)| time);
        let before = self.skip(event);
        let before = before.state();
        let none = State::default();
        let after = self.known.state().unwrap_or(&none);
        let content = &event.content;
        match event.event_type {
            EventType::Create => {
                changes_between(Some(before.unwrap_or(&none)), after, |_| Cause::Create)
            }
            EventType::Update => {
                let parameters = content.parameters.lookup();
                let otherwise = match before {
                    Some(_) => Cause::Unexplained { since },
                    None => Cause::FirstSeen,
                };
                let mut changes = changes_between(before, after, |subject| {
                    named_or(&parameters, subject, otherwise)
                });
                if content.fields.is_empty() {
                    // Fields in the order of the parameters, before interests.
                    changes.sort_by_key(|change| match &change.subject {
                        Subject::Field(name) => parameters.position(name).unwrap_or(usize::MAX),
                        Subject::Interest(_) => usize::MAX,
                    });
                }
                changes
            }
            // It carries the state that it found: any difference from the last known state
            // happened unseen. Parts that it leaves out are unknown.
            EventType::Delete => match before {
                Some(state) => {
                    let found = found_at_delete(state.clone(), content);
                    changes_between(before, &found, |_| Cause::Unexplained { since })
                }
                None => Vec::new(),
            },
            EventType::Observed(Seen::Present) if before.is_some() => {
                changes_between(before, after, |_| Cause::Observed { since })
            }
            EventType::Observed(Seen::Present) => first_seen(content, after),
            EventType::Observed(Seen::Gone) | EventType::Other(_) => Vec::new(),
        }
    }

    /// Applies the next event, which is not a duplicate, without computing its changes.
    /// Returns the state before it, if that has changed.
    pub fn skip(&mut self, event: &Event<'a>) -> Known<'a> {
        if self.precedes_baseline(Place::of(event)) {
            return Known::Nothing;
        }
        let content = &event.content;
        let after = match &event.event_type {
            EventType::Create => Some(Known::Present(state_of(content))),
            EventType::Update => Some(Known::Present(self.state_after_update(content))),
            EventType::Observed(Seen::Present) => {
                let mut state = self.known.state().cloned().unwrap_or_default();
                let seen = content.fields.iter();
                let seen = seen.map(|(name, value)| (name.clone(), value.clone()));
                state.lay_over(seen, content);
                Some(Known::Present(state))
            }
            EventType::Delete | EventType::Observed(Seen::Gone) => Some(self.deleted(content)),
            EventType::Other(_) => None,
        };
        self.last = Some((event.seq, event.time));
        if after.is_some() {
            self.ended = None;
        }
        self.database = event.database.or(self.database);
        self.collection = event.collection.or(self.collection);
        match after {
            Some(after) => std::mem::replace(&mut self.known, after),
            None => Known::Nothing,
        }
    }

    /// Applies the profile's `delete` at a place to a subprofile and returns the
    /// changes; `None` if it was not present.
    pub fn apply_cascade(&mut self, delete: Place) -> Option<Vec<Change<'a>>> {
        if self.precedes_baseline(delete) {
            return None;
        }
        let before = match std::mem::take(&mut self.known) {
            Known::Present(before) => before,
            other => {
                self.known = other;
                return None;
            }
        };
        self.known = Known::Deleted {
            created: before.created.clone(),
            modified: before.modified.clone(),
        };
        self.last = Some((delete.seq, delete.time));
        self.ended = self.last;
        Some(changes_between(Some(&before), &State::default(), |_| {
            Cause::Cascade
        }))
    }

    /// The same without what it borrows.
    pub fn into_owned(self) -> Replay<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Replay {
            known: match self.known {
                Known::Nothing => Known::Nothing,
                Known::Present(state) => Known::Present(State {
                    fields: state.fields.into_owned(),
                    interests: state.interests.into_iter().map(owned).collect(),
                    created: state.created.map(owned),
                    modified: state.modified.map(owned),
                }),
                Known::Deleted { created, modified } => Known::Deleted {
                    created: created.map(owned),
                    modified: modified.map(owned),
                },
            },
            last: self.last,
            database: self.database,
            collection: self.collection,
            ended: self.ended,
            baseline: self.baseline,
            pending: self.pending,
        }
    }

    fn state_after_update(&self, content: &Content<'a>) -> State<'a> {
        if !content.fields.is_empty() {
            return state_of(content);
        }
        let mut state = self.known.state().cloned().unwrap_or_default();
        let sent = content.interests.as_ref();
        let named: BTreeSet<&str> = sent.into_iter().flat_map(Interests::names).collect();
        let fields = state.fields.lookup();
        let mut set = Vec::new();
        for (name, value) in content.parameters.iter() {
            let an_interest = state.interests.contains(name) || named.contains(name.as_ref());
            if fields.position(name).is_some() || !an_interest {
                set.push((name.clone(), value.clone()));
            } else if sent.is_none() && !is_member(value) {
                state.interests.remove(name);
            }
        }
        state.lay_over(set, content);
        state
    }

    /// The known state after a `delete`.
    fn deleted(&self, content: &Content<'a>) -> Known<'a> {
        let (created, modified) = match &self.known {
            Known::Nothing => (&None, &None),
            Known::Present(state) => (&state.created, &state.modified),
            Known::Deleted { created, modified } => (created, modified),
        };
        Known::Deleted {
            created: content.created.as_ref().or(created.as_ref()).cloned(),
            modified: content.modified.as_ref().or(modified.as_ref()).cloned(),
        }
    }
}

/// Whether an event determines the state after it without earlier events; a `delete` does
/// so except for `created` and `modified`.
pub fn is_full_state(event: &Event<'_>) -> bool {
    match event.event_type {
        EventType::Create | EventType::Delete | EventType::Observed(Seen::Gone) => true,
        EventType::Update => !event.content.fields.is_empty(),
        EventType::Observed(Seen::Present) | EventType::Other(_) => false,
    }
}

/// The values that a `delete` shows: its own, and those known before that it leaves out.
pub fn found_at_delete<'a>(mut state: State<'a>, content: &Content<'a>) -> State<'a> {
    if !content.fields.is_empty() {
        state.fields.clone_from(&content.fields);
    }
    if let Some(interests) = &content.interests {
        state.interests = interests.members();
    }
    state
}

fn state_of<'a>(content: &Content<'a>) -> State<'a> {
    State {
        fields: content.fields.clone(),
        interests: content
            .interests
            .as_ref()
            .map(Interests::members)
            .unwrap_or_default(),
        created: content.created.clone(),
        modified: content.modified.clone(),
    }
}

fn named_or(parameters: &Lookup<'_, '_>, subject: &Subject<'_>, otherwise: Cause) -> Cause {
    if parameters.position(subject.name()).is_some() {
        Cause::Set
    } else {
        otherwise
    }
}

/// The changes of the first event with a state: every value, with an unknown old one.
fn first_seen<'a>(content: &Content<'a>, after: &State<'a>) -> Vec<Change<'a>> {
    let parameters = content.parameters.lookup();
    changes_between(None, after, |subject| {
        named_or(&parameters, subject, Cause::FirstSeen)
    })
}

/// The changes that an event states itself, if the state before it is unknown.
fn changes_without_history<'a>(event: &Event<'a>) -> Vec<Change<'a>> {
    let content = &event.content;
    let unknown = Replay::default();
    match event.event_type {
        EventType::Create => changes_between(None, &state_of(content), |_| Cause::Create),
        EventType::Update => first_seen(content, &unknown.state_after_update(content))
            .into_iter()
            .filter(|change| change.cause == Cause::Set)
            .collect(),
        EventType::Delete | EventType::Observed(_) | EventType::Other(_) => Vec::new(),
    }
}

fn changes_between<'a>(
    before: Option<&State<'a>>,
    after: &State<'a>,
    cause: impl Fn(&Subject<'a>) -> Cause,
) -> Vec<Change<'a>> {
    differences(before, after)
        .into_iter()
        .map(|difference| Change {
            cause: cause(&difference.subject),
            subject: difference.subject,
            old: difference.old,
            new: difference.new,
        })
        .collect()
}
