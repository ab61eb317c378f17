//! A list of events with their changes.

use maud::{Markup, html};

use super::links;
use super::text::{Change, NAME, SHORT, Text};
use super::time_format::Clock;
use crate::event::ProfileKey;
use crate::format::seconds_of;
use crate::query::lines::HistoryLine;

/// The most changes of an event in a list.
const CHANGES: usize = 10;

/// An event of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its place in the order of arrival.
    pub seq: u64,
    /// Its time.
    pub time: i64,
    key: ProfileKey,
    event_type: Text,
    label: Option<Text>,
    verified: Option<bool>,
    /// Whether it was entered from an export, and is not a call.
    observed: bool,
    /// Whether it is the profile's delete, which ended the subprofile.
    cascade: bool,
    duplicate_of: Option<u64>,
    changes: Vec<Change>,
    further: usize,
    nothing: &'static str,
}

/// The text for an event without changes of fields or interests.
pub fn nothing(line: &HistoryLine<'_>) -> &'static str {
    match (line.observed.as_deref(), &*line.event_type, line.subprofile) {
        (Some("gone"), ..) => "not in the export: deleted at some earlier moment",
        (Some(_), ..) => "the export agrees with what was known",
        (None, "create", _) => "created without any field",
        (None, "update", _) => "no change",
        (None, "delete", None) => "deleted, with its subprofiles",
        (None, "delete", Some(_)) => "deleted",
        _ => "changes nothing",
    }
}

/// Whether a line is a subprofile's deletion by the `delete` of its profile.
fn is_cascade(line: &HistoryLine<'_>) -> bool {
    line.changes.iter().any(|change| change.cause == "cascade")
}

impl Row {
    /// From a line.
    pub fn new(line: &HistoryLine<'_>) -> Self {
        let shown = line.changes.iter().take(CHANGES);
        Self {
            seq: line.seq,
            time: seconds_of(&line.time).unwrap_or_default(),
            key: ProfileKey {
                profile: line.profile,
                subprofile: line.subprofile,
            },
            event_type: Text::new(&line.event_type, NAME),
            label: line.label.as_deref().map(|label| Text::new(label, NAME)),
            verified: line.verified,
            observed: line.observed.is_some(),
            cascade: is_cascade(line),
            duplicate_of: line.duplicate_of,
            changes: shown.map(|change| Change::new(change, SHORT)).collect(),
            further: line.changes.len().saturating_sub(CHANGES),
            nothing: nothing(line),
        }
    }
}

/// A badge for the verification of an event's sender.
pub fn verified(verified: Option<bool>, observed: bool) -> Markup {
    match verified {
        _ if observed => {
            html! { span.badge.unexplained title="not a call: entered from an export by reconcile --record" { "from an export" } }
        }
        Some(true) => {
            html! { span.badge.good title="its signature proves that Copernica sent it" { "verified" } }
        }
        Some(false) => {
            html! { span.badge.bad title="it has no good signature of Copernica" { "not verified" } }
        }
        None => html! {},
    }
}

/// The rows of a list; with the (sub)profile's link where they are of several.
pub fn rows(rows: &[Row], clock: &Clock, of_several: bool) -> Markup {
    html! {
        @for row in rows {
            tr data-seq=(row.seq) {
                td.when data-label="time" { (clock.time(row.time)) }
                @if of_several {
                    td.whose data-label="profile" { a href=(links::profile(row.key)) { (row.key) } }
                }
                td.what data-label="event" {
                    a href=(links::event(row.seq)) { "event " (row.seq) } " "
                    span.type { (row.event_type) @if row.cascade { " of its profile" } }
                    @if let Some(label) = &row.label { " " span.badge.label title="the label of the webhook" { (label) } }
                    " " (verified(row.verified, row.observed))
                }
                td.changes data-label="changes" {
                    @if let Some(seq) = row.duplicate_of {
                        span.nothing { "repeats event " (seq) }
                    } @else if row.changes.is_empty() {
                        span.nothing { (row.nothing) }
                    } @else {
                        ul {
                            @for change in &row.changes { li { (change) " " (change.badge()) } }
                            @if row.further > 0 {
                                li { a href=(links::event(row.seq)) { (row.further) " further changes" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A list with its head. `id` names its body to the script.
pub fn table(list: &[Row], clock: &Clock, of_several: bool, id: &str) -> Markup {
    html! {
        table.cards.events {
            thead {
                tr {
                    th scope="col" { "time" }
                    @if of_several { th scope="col" { "profile" } }
                    th scope="col" { "event" }
                    th scope="col" { "changes" }
                }
            }
            tbody id=(id) { (rows(list, clock, of_several)) }
        }
    }
}
