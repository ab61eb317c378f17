//! A list of events with their changes.

use maud::{Markup, html};

use super::links;
use super::reader::Reader;
use super::text::{NAME, Name, SHORT, Text, badge, change};
use crate::format::counted;
use crate::history::Cause;
use crate::query::lines::HistoryLine;

/// The most changes of an event in a list.
const CHANGES: usize = 10;

/// The text for an event without changes of fields or interests.
pub fn nothing(line: &HistoryLine<'_>) -> &'static str {
    match (
        line.observed.as_deref(),
        &*line.event_type,
        line.who.subprofile,
    ) {
        (Some("gone"), ..) => "not in the export: deleted at some earlier moment",
        (Some(_), ..) => "the export agrees with what was known",
        (None, "create", _) => "created without any field",
        (None, "update", _) => "no change",
        (None, "delete", None) => "deleted, with its subprofiles",
        (None, "delete", Some(_)) => "deleted",
        _ => "changes nothing",
    }
}

/// A badge for the verification of an event's sender.
pub fn verified(line: &HistoryLine<'_>) -> Markup {
    match line.verified {
        _ if line.observed.is_some() => {
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

/// An event as a row of a list; with the (sub)profile's link if the rows are of several.
pub fn row(line: &HistoryLine<'_>, reader: &Reader<'_>, of_several: bool) -> Markup {
    let key = line.who;
    // A subprofile's deletion by the `delete` of its profile.
    let is_cascade = line
        .changes
        .iter()
        .any(|change| change.cause == Cause::Cascade);
    let further = line.changes.len().saturating_sub(CHANGES);
    html! {
        tr data-seq=(line.seq) {
            td.when data-label="time" { (reader.line(&line.time)) }
            @if of_several {
                td.whose data-label="profile" { (reader.profile(key)) }
            }
            td.what data-label="event" {
                a href=(links::event(line.seq)) { "event " (line.seq) } " "
                span.type { (Text::new(&line.event_type, NAME)) @if is_cascade { " of its profile" } }
                @if let Some(label) = &line.label {
                    " " span.badge.label title="the label of the webhook" { (Text::new(label, NAME)) }
                }
                " " (verified(line))
            }
            td.changes data-label="changes" {
                @if let Some(seq) = line.duplicate_of {
                    span.nothing { "repeats event " (seq) }
                } @else if line.changes.is_empty() {
                    span.nothing { (nothing(line)) }
                } @else {
                    ul {
                        @for one in line.changes.iter().take(CHANGES) {
                            @let [old, new] = change(one.old.as_ref(), &one.new, SHORT);
                            li {
                                span.change {
                                    (Name::of(&one.subject)) ": "
                                    span.old { (old) } " " span.arrow aria-label="became" { "→" } " "
                                    span.new { (new) }
                                }
                                " " (badge(one.cause))
                            }
                        }
                        @if further > 0 {
                            li { a href=(links::event(line.seq)) { (counted(further as u64, "further change")) } }
                        }
                    }
                }
            }
        }
    }
}

/// A list with its head. `id` names its body to the script.
pub fn table(rows: &[Markup], of_several: bool, id: &str, reader: &Reader<'_>) -> Markup {
    html! {
        table.cards.events {
            thead {
                tr {
                    th scope="col" { (reader.time_heading()) }
                    @if of_several { th scope="col" { "profile" } }
                    th scope="col" { "event" }
                    th scope="col" { "changes" }
                }
            }
            tbody id=(id) { @for row in rows { (row) } }
        }
    }
}
