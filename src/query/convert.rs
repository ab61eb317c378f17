//! Converts the results of `history` to lines of answers.

use std::borrow::Cow;

use super::lines::{ChangesLine, ExportLine, HistoryLine, LastEvent};
use crate::event::{Event, ProfileKey, micros_to_rfc3339, seconds_to_rfc3339};
use crate::history::Change;

impl<'a> ChangesLine<'a> {
    /// The line of one change of an event.
    pub fn new(event: &'a Event<'a>, change: Change<'a>) -> Self {
        Self {
            time: seconds_to_rfc3339(event.time),
            seq: event.seq,
            event_type: Cow::Borrowed(event.event_type.name()),
            who: event.key,
            database: event.database,
            collection: event.collection,
            label: event.label.as_deref().map(Cow::Borrowed),
            change,
        }
    }
}

impl<'a> HistoryLine<'a> {
    /// The line of an event with its changes.
    pub fn new(event: &'a Event<'a>, changes: Vec<Change<'a>>, duplicate_of: Option<u64>) -> Self {
        Self {
            seq: event.seq,
            event_type: Cow::Borrowed(event.event_type.name()),
            time: seconds_to_rfc3339(event.time),
            time_source: event.time_source,
            received: micros_to_rfc3339(event.received),
            who: event.key,
            database: event.database,
            collection: event.collection,
            label: event.label.as_deref().map(Cow::Borrowed),
            remote: None,
            verified: event.verified,
            key: None,
            observed: event.event_type.seen().map(|seen| seen.name().into()),
            changes,
            duplicate_of,
        }
    }
}

impl<'a> ExportLine<'a> {
    /// The (sub)profile.
    pub const fn key(&self) -> ProfileKey {
        ProfileKey {
            profile: self.profile,
            subprofile: self.subprofile,
        }
    }

    /// The line of an event, without its body.
    pub fn new(event: Event<'a>) -> Self {
        let content = event.content;
        let seen = event.event_type.seen();
        Self {
            observed: seen.map(|seen| Cow::Borrowed(seen.name())),
            seq: event.seq,
            received: micros_to_rfc3339(event.received),
            remote: event.remote,
            label: event.label,
            event_type: event.event_type.into_name(),
            time: seconds_to_rfc3339(event.time),
            time_source: event.time_source,
            profile: event.key.profile,
            subprofile: event.key.subprofile,
            database: event.database,
            collection: event.collection,
            created: content.created,
            modified: content.modified,
            parameters: content.parameters,
            fields: content.fields,
            interests: content.interests.unwrap_or_default(),
            extra: content.extra,
            verified: event.verified,
            ..Self::default()
        }
    }
}

impl From<(u64, i64)> for LastEvent {
    /// The event with this `seq`, at this time in Unix seconds.
    fn from((seq, time): (u64, i64)) -> Self {
        let time = seconds_to_rfc3339(time);
        Self { seq, time }
    }
}
