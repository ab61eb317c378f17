//! The page of an event.

use maud::{Markup, html};

use super::events::{nothing, verified};
use super::links::{self, ProfileLink, Zoom};
use super::profile::name;
use super::reader::Reader;
use super::shell::{notes, page};
use super::text::{LONG, NAME, Name, SHORT, Shown, Text, badge, change};
use crate::event::Fields;
use crate::format::{counted, seconds_of};
use crate::history::{Subject, Value};

use crate::query::lines::{ExportLine, HistoryLine};
use crate::query::{ExplainLine, Outcome};

/// The most changes, and the most pairs of a kind.
const MOST: usize = 200;

/// How much time is drawn on either side of it.
const AROUND: i64 = 43_200;

/// The sent data under one title.
fn pairs(title: &str, fields: &Fields<'_>, reader: &Reader<'_>) -> Markup {
    let left_out = fields.len().saturating_sub(MOST);
    html! {
        @if !fields.is_empty() {
            details open[title == "Parameters"] {
                summary { (title) " (" (fields.len()) ")" }
                dl.pairs {
                    @for (name, value) in fields.iter().take(MOST) {
                        div { dt { (Name::of(&Subject::Field(name.as_ref().into()))) } dd { (Shown::Text(Text::new(value, LONG))) } }
                    }
                }
                @if left_out > 0 { p.note { (left_out) " more: " (reader.code("profiletrail export")) " lists all." } }
            }
        }
    }
}

/// An event and its data.
pub struct Page {
    /// Its line of `history`.
    pub line: HistoryLine<'static>,
    /// Its requests with their outcomes, and the number omitted.
    asked: (Vec<Markup>, usize),
    /// The sent data: its line of `export`.
    pub sent: Option<ExportLine<'static>>,
    /// The events before and after it of the same (sub)profile.
    pub neighbours: (Option<u64>, Option<u64>),
    /// Damage that affects its changes.
    damage: Vec<String>,
    /// Notes on its requests.
    pub asked_notes: Vec<String>,
}

impl Page {
    pub const fn new(line: HistoryLine<'static>, damage: Vec<String>) -> Self {
        Self {
            line,
            asked: (Vec::new(), 0),
            sent: None,
            neighbours: (None, None),
            damage,
            asked_notes: Vec::new(),
        }
    }

    /// Whether `explain` says something about it.
    pub fn asks(&self) -> bool {
        self.line.duplicate_of.is_none()
            && self.line.observed.is_none()
            && matches!(&*self.line.event_type, "create" | "update")
    }

    /// Adds a line of `explain`; values that a `create` set without a parameter are left
    /// out.
    pub fn with_asked(&mut self, line: &ExplainLine<'_>) {
        if line.asked.is_none() && self.line.event_type == "create" {
            return;
        }
        let (asked, further) = &mut self.asked;
        if asked.len() < MOST {
            asked.push(outcome(line));
        } else {
            *further += 1;
        }
    }

    pub fn render(&self, reader: &Reader<'_>) -> Markup {
        let line = &self.line;
        let title = format!("Event {}", line.seq);
        let key = line.who;
        let time = seconds_of(&line.time).unwrap_or_default();
        let around = Zoom::Between(time.saturating_sub(AROUND), time.saturating_add(AROUND));
        let text = |text: &str| Text::new(text, NAME);
        let observed = line.observed.is_some();
        let sent = self.sent.as_ref();
        let remote = sent.and_then(|sent| sent.remote.as_deref());
        let body = html! {
            div.head {
                h1 { (title) }
                span.type { (text(&line.event_type)) } " " (verified(line))
            }
            (notes(&self.damage, &[], reader))
            nav.pages aria-label="events of the same profile" {
                @if let Some(seq) = self.neighbours.0 { a rel="prev" href=(links::event(seq)) { "event before" } }
                @if let Some(seq) = self.neighbours.1 { a rel="next" href=(links::event(seq)) { "event after" } }
                a href=(ProfileLink::new(key, around, None).to()) { "the time around it" }
                a href=(ProfileLink::new(key, Zoom::All, None).with("at", format!("@{time}")).to()) { "the state after it" }
            }
            dl.facts {
                div { dt { "of" } dd { a href=(links::profile(key)) { (name(key)) } (reader.title(key)) } }
                div { dt { "time" } dd { (reader.time(time)) } }
                div { dt { "time read from" } dd { (line.time_source.name()) } }
                div { dt { "received" } dd { (reader.line(&line.received)) } }
                @if let Some(label) = &line.label { div { dt { "label" } dd { (text(label)) } } }
                @if let Some(database) = line.database { div { dt { "database" } dd { (database) } } }
                @if let Some(collection) = line.collection { div { dt { "collection" } dd { (collection) } } }
                @if let Some(remote) = remote { div { dt { "sent from" } dd { (text(remote)) } } }
                div {
                    dt { "sender" }
                    dd {
                        @match line.verified {
                            _ if observed => { "not a call: entered from an export by " code { "reconcile --record" } }
                            Some(true) => { "verified: Copernica signed it" }
                            Some(false) => { "not verified" }
                            None => { "not checked: signature checks were off" }
                        }
                    }
                }
            }
            section aria-labelledby="changes" {
                h2 #changes { "What it changed" }
                (self.changes(reader))
            }
            @if !self.asked.0.is_empty() {
                section aria-labelledby="asked" {
                    h2 #asked { "What it requested" }
                    (notes(&[], &self.asked_notes, reader))
                    table.cards.detail {
                        thead {
                            tr { @for head in ["field", "asked", "before", "after", "outcome"] { th scope="col" { (head) } } }
                        }
                        tbody { @for row in &self.asked.0 { (row) } }
                    }
                    @if self.asked.1 > 0 { p.note { (self.asked.1) " more: " (reader.code(&format!("profiletrail explain {}", line.seq))) " lists all." } }
                }
            }
            section aria-labelledby="sent" {
                h2 #sent { @if observed { "What was seen" } @else { "What was sent" } }
                @if let Some(sent) = sent {
                    (pairs("Parameters", &sent.parameters, reader))
                    (pairs("Fields as sent", &sent.fields, reader))
                    (pairs("Other variables", &sent.extra, reader))
                    @let interests = serde_json::to_string(&sent.interests).unwrap_or_default();
                    @if !matches!(interests.as_str(), "[]" | "{}" | "null" | "") {
                        details { summary { "Interests as sent" } p { (Text::new(&interests, LONG)) } }
                    }
                }
                @let is_empty = |sent: &ExportLine<'_>| sent.parameters.len() + sent.fields.len() + sent.extra.len() == 0;
                @if sent.is_none_or(is_empty) { p.empty { "Only the profile and the time." } }
            }
            section aria-labelledby="proof" {
                h2 #proof { "Proof" }
                @if line.verified == Some(true) {
                    p { "The signature by which Copernica sent it is kept with the event:" }
                    (reader.command(&format!("profiletrail evidence {}", line.seq)))
                } @else if observed {
                    p { "No signature: it rests on the export." }
                } @else {
                    p { "No signature is kept with this event. Signatures are checked if the server runs with " code { "--copernica-id" } " and " code { "--public-host" } "." }
                }
                p {
                    "That this log has had it since a signed checkpoint: " a href=(links::proof(line.seq)) download { "its proof" }
                    ", which contains the event and a script that checks it."
                }
            }
        };
        page(&title, "", Some(&reader.clock), &body)
    }

    fn changes(&self, reader: &Reader<'_>) -> Markup {
        let line = &self.line;
        let further = line.changes.len().saturating_sub(MOST);
        html! {
            @if let Some(seq) = line.duplicate_of {
                p.empty { "A duplicate of " a href=(links::event(seq)) { "event " (seq) } ": it changes nothing." }
            } @else if line.changes.is_empty() {
                p.empty { (nothing(line)) }
            } @else {
                table.cards.detail {
                    thead { tr { th scope="col" { "field" } th scope="col" { "old" } th scope="col" { "new" } th scope="col" { "why" } } }
                    tbody {
                        @for one in line.changes.iter().take(MOST) {
                            @let [old, new] = change(one.old.as_ref(), &one.new, LONG);
                            tr {
                                th scope="row" {
                                    @let name = Name::of(&one.subject);
                                    @match &name.raw {
                                        Some(raw) => a href=(ProfileLink::new(line.who, Zoom::All, Some(raw)).to()) { (name) },
                                        None => (name),
                                    }
                                }
                                td data-label="old" { (old) }
                                td data-label="new" { (new) }
                                td data-label="why" {
                                    (badge(one.cause))
                                    @if let Some(since) = one.cause.since() { " at some moment since " (reader.time(since)) }
                                }
                            }
                        }
                    }
                }
                @if further > 0 { p.note { (counted(further as u64, "more change")) ": " (reader.code(&format!("profiletrail history {}", line.who))) " lists all." } }
            }
        }
    }
}

/// A request with its outcome, or a change without a request, as a row.
fn outcome(line: &ExplainLine<'_>) -> Markup {
    let (class, word, meaning) = match line.outcome {
        Outcome::Applied => ("good", "applied", "changed as requested"),
        Outcome::AlreadySo => ("other", "already so", "it already had this value"),
        Outcome::Coerced => (
            "unexplained",
            "coerced",
            "it became something other than requested",
        ),
        Outcome::Ignored if line.new == Value::Absent => (
            "bad",
            "ignored",
            "the profile has no such field or interest",
        ),
        Outcome::Ignored => ("bad", "ignored", "it did not change"),
        Outcome::Unasked => ("unexplained", "unasked", "it changed without a request"),
    };
    html! {
        tr {
            th scope="row" { (Name::of(&line.subject)) }
            td data-label="asked" {
                @match line.asked.as_deref() {
                    Some(asked) => (Shown::Text(Text::new(asked, LONG))),
                    None => span.nothing { "(nothing)" },
                }
            }
            td data-label="before" { (Shown::of(line.old.as_ref(), LONG)) }
            td data-label="after" { (Shown::of(Some(&line.new), LONG)) }
            td data-label="outcome" { span.badge.(class) { (word) } " " span.note { (meaning) } }
        }
    }
}

/// The page of an event that is not there, or cannot be read.
pub fn missing(seq: u64, last_seq: u64, why: Option<&str>, reader: &Reader<'_>) -> Markup {
    let body = html! {
        @match why {
            Some(why) => {
                p { (Text::new(why, SHORT * 3)) }
                p { (reader.code("profiletrail verify")) " lists the damage." }
            }
            None if last_seq == 0 => p { "No event has come yet." },
            None if seq > last_seq => p { "The last event that is kept is " a href=(links::event(last_seq)) { (last_seq) } "." },
            None => p { "It was pruned, or its profile is not known." },
        }
        p { a href="/" { "To the start page" } }
    };
    super::shell::message(&format!("No event {seq}"), &body, Some(&reader.clock))
}
