//! Converts the results of `history` to lines of answers.

use std::borrow::Cow;

use super::lines::{BlameLine, ChangeLine, ChangesLine, DiffLine, ExportLine, HistoryLine};
use crate::event::{Event, Interests, micros_to_rfc3339, seconds_to_rfc3339};
use crate::history::{BlameRow, Cause, Change, Difference};

fn since(cause: Cause) -> Option<String> {
    cause.since().map(seconds_to_rfc3339)
}

impl<'a> From<Change<'a>> for ChangeLine<'a> {
    fn from(change: Change<'a>) -> Self {
        let (field, interest) = change.subject.into_names();
        Self {
            field,
            interest,
            old: change.old,
            new: change.new,
            cause: Cow::Borrowed(change.cause.name()),
            since: since(change.cause),
        }
    }
}

impl<'a> From<Difference<'a>> for DiffLine<'a> {
    fn from(difference: Difference<'a>) -> Self {
        let (field, interest) = difference.subject.into_names();
        Self {
            field,
            interest,
            old: difference.old,
            new: difference.new,
        }
    }
}

impl<'a> From<BlameRow<'a>> for BlameLine<'a> {
    fn from(row: BlameRow<'a>) -> Self {
        let (field, interest) = row.change.subject.into_names();
        Self {
            field,
            interest,
            value: row.change.new,
            seq: row.seq,
            time: seconds_to_rfc3339(row.time),
            event_type: row.event_type.into_name(),
            cause: Cow::Borrowed(row.change.cause.name()),
            old: row.change.old,
            since: since(row.change.cause),
        }
    }
}

impl<'a> ChangesLine<'a> {
    /// The line of one change of an event.
    pub fn new(event: &'a Event<'a>, change: Change<'a>) -> Self {
        let (field, interest) = change.subject.into_names();
        Self {
            time: seconds_to_rfc3339(event.time),
            seq: event.seq,
            event_type: Cow::Borrowed(event.event_type.name()),
            profile: event.key.profile,
            subprofile: event.key.subprofile,
            database: event.database,
            collection: event.collection,
            label: event.label.as_deref().map(Cow::Borrowed),
            field,
            interest,
            old: change.old,
            new: change.new,
            cause: Cow::Borrowed(change.cause.name()),
            since: since(change.cause),
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
            profile: event.key.profile,
            subprofile: event.key.subprofile,
            database: event.database,
            collection: event.collection,
            label: event.label.as_deref().map(Cow::Borrowed),
            verified: event.verified,
            observed: event.event_type.seen().map(|seen| seen.name().into()),
            changes: changes.into_iter().map(ChangeLine::from).collect(),
            duplicate_of,
        }
    }
}

impl<'a> ExportLine<'a> {
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
            interests: content
                .interests
                .unwrap_or_else(|| Interests::List(Vec::new())),
            extra: content.extra,
            verified: event.verified,
            body: None,
            body_base64: None,
            evidence: None,
            baseline: None,
        }
    }
}
