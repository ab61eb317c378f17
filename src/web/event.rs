//! The page of an event.

use maud::{Markup, html};

use super::events::{nothing, verified};
use super::links::{self, ProfileLink, Zoom};
use super::outcomes::{self, OutcomeRow};
use super::profile::name;
use super::shell::{Frame, command, notes};
use super::text::{Change, LONG, NAME, Name, SHORT, Shown, Text};
use super::time_format::Clock;
use crate::event::{Fields, ProfileKey};
use crate::format::seconds_of;
use crate::history::Value;
use crate::query::ExplainLine;
use crate::query::lines::{ExportLine, HistoryLine};

/// The most changes, and the most pairs of a kind.
const MOST: usize = 200;

/// How much time is drawn on either side of it.
const AROUND: i64 = 43_200;

/// What was sent under one head.
#[derive(Clone, Debug)]
struct Pairs {
    title: &'static str,
    pairs: Vec<(Name, Shown)>,
    left_out: usize,
}

impl Pairs {
    fn new(title: &'static str, fields: &Fields<'_>) -> Self {
        let shown = |text: &str| Shown::of(Some(&Value::Text(text.into())), LONG);
        let pairs = fields.iter().take(MOST);
        Self {
            title,
            pairs: pairs
                .map(|(name, value)| (Name::new(name, false), shown(value)))
                .collect(),
            left_out: fields.len().saturating_sub(MOST),
        }
    }

    fn render(&self) -> Markup {
        html! {
            @if !self.pairs.is_empty() {
                details open[self.title == "Parameters"] {
                    summary { (self.title) " (" (self.pairs.len() + self.left_out) ")" }
                    dl.pairs {
                        @for (name, value) in &self.pairs { div { dt { (name) } dd { (value) } } }
                    }
                    @if self.left_out > 0 { p.note { (self.left_out) " more: profiletrail export lists all." } }
                }
            }
        }
    }
}

/// An event and what is known of it.
#[derive(Clone, Debug)]
pub struct Page {
    seq: u64,
    key: ProfileKey,
    time: i64,
    event_type: Text,
    time_source: &'static str,
    received: String,
    label: Option<Text>,
    remote: Option<Text>,
    database: Option<u64>,
    collection: Option<u64>,
    verified: Option<bool>,
    observed: bool,
    duplicate_of: Option<u64>,
    changes: Vec<Change>,
    further: usize,
    nothing: &'static str,
    /// Its requests with their outcomes, and the number omitted.
    asked: (Vec<OutcomeRow>, usize),
    sent: Vec<Pairs>,
    interests: Option<Text>,
    /// The events before and after it of the same (sub)profile.
    pub neighbours: (Option<u64>, Option<u64>),
    /// Damage that affects the page.
    pub damage: Vec<String>,
    /// Notes on its requests.
    pub asked_notes: Vec<String>,
}

impl Page {
    /// From its line of `history`.
    pub fn new(line: &HistoryLine<'_>) -> Self {
        Self {
            seq: line.seq,
            key: ProfileKey {
                profile: line.profile,
                subprofile: line.subprofile,
            },
            time: seconds_of(&line.time).unwrap_or_default(),
            event_type: Text::new(&line.event_type, NAME),
            time_source: line.time_source.name(),
            received: line.received.clone(),
            label: line.label.as_deref().map(|label| Text::new(label, NAME)),
            remote: None,
            database: line.database,
            collection: line.collection,
            verified: line.verified,
            observed: line.observed.is_some(),
            duplicate_of: line.duplicate_of,
            changes: line
                .changes
                .iter()
                .take(MOST)
                .map(|change| Change::new(change, LONG))
                .collect(),
            further: line.changes.len().saturating_sub(MOST),
            nothing: nothing(line),
            asked: (Vec::new(), 0),
            sent: Vec::new(),
            interests: None,
            neighbours: (None, None),
            damage: Vec::new(),
            asked_notes: Vec::new(),
        }
    }

    /// Whether `explain` says something about it.
    pub fn asks(&self) -> bool {
        let words = ["create", "update"];
        self.duplicate_of.is_none()
            && !self.observed
            && words.contains(&self.event_type.line().as_str())
    }

    /// Adds a line of `explain`; what a `create` set without a parameter is left out.
    pub fn with_asked(&mut self, line: &ExplainLine<'_>) {
        if line.asked.is_none() && self.event_type.line() == "create" {
            return;
        }
        let (asked, further) = &mut self.asked;
        if asked.len() < MOST {
            asked.push(OutcomeRow::new(line));
        } else {
            *further += 1;
        }
    }

    /// Adds what was sent, from its line of `export`.
    pub fn with_sent(&mut self, line: &ExportLine<'_>) {
        self.remote = line.remote.as_deref().map(|remote| Text::new(remote, NAME));
        self.sent = vec![
            Pairs::new("Parameters", &line.parameters),
            Pairs::new("Fields as sent", &line.fields),
            Pairs::new("Other variables", &line.extra),
        ];
        let interests = serde_json::to_string(&line.interests).unwrap_or_default();
        if !matches!(interests.as_str(), "[]" | "{}" | "null" | "") {
            self.interests = Some(Text::new(&interests, LONG));
        }
    }

    /// The whole page.
    pub fn render(&self, clock: &Clock) -> Markup {
        let title = format!("Event {}", self.seq);
        let around = Zoom::Between(
            self.time.saturating_sub(AROUND),
            self.time.saturating_add(AROUND),
        );
        let body = html! {
            div.head {
                h1 { (title) }
                span.type { (self.event_type) } " " (verified(self.verified, self.observed))
            }
            (notes(&self.damage, &[]))
            nav.pages aria-label="events of the same profile" {
                @if let Some(seq) = self.neighbours.0 { a rel="prev" href=(links::event(seq)) { "event before" } }
                @if let Some(seq) = self.neighbours.1 { a rel="next" href=(links::event(seq)) { "event after" } }
                a href=(ProfileLink::new(self.key, around).to()) { "the time around it" }
                a href=(ProfileLink::new(self.key, Zoom::All).with("at", format!("@{}", self.time)).to()) { "the state after it" }
            }
            dl.facts {
                div { dt { "of" } dd { a href=(links::profile(self.key)) { (name(self.key)) } } }
                div { dt { "time" } dd { (clock.time(self.time)) } }
                div { dt { "time read from" } dd { (self.time_source) } }
                div { dt { "received" } dd { (clock.line(&self.received)) } }
                @if let Some(label) = &self.label { div { dt { "label" } dd { (label) } } }
                @if let Some(database) = self.database { div { dt { "database" } dd { (database) } } }
                @if let Some(collection) = self.collection { div { dt { "collection" } dd { (collection) } } }
                @if let Some(remote) = &self.remote { div { dt { "sent from" } dd { (remote) } } }
                div {
                    dt { "sender" }
                    dd {
                        @match self.verified {
                            _ if self.observed => { "not a call: entered from an export by " code { "reconcile --record" } }
                            Some(true) => { "verified: Copernica signed it" }
                            Some(false) => { "not verified" }
                            None => { "not checked: signature checks were off" }
                        }
                    }
                }
            }
            section aria-labelledby="changes" {
                h2 #changes { "What it changed" }
                (self.changes(clock))
            }
            @if !self.asked.0.is_empty() {
                section aria-labelledby="asked" {
                    h2 #asked { "What it requested" }
                    (notes(&[], &self.asked_notes))
                    (outcomes::table(&self.asked.0, self.asked.1))
                }
            }
            section aria-labelledby="sent" {
                h2 #sent { @if self.observed { "What was seen" } @else { "What was sent" } }
                @for pairs in &self.sent { (pairs.render()) }
                @if let Some(interests) = &self.interests {
                    details { summary { "Interests as sent" } p { (interests) } }
                }
                @if self.sent.iter().all(|pairs| pairs.pairs.is_empty()) { p.empty { "Only the profile and the time." } }
            }
            section aria-labelledby="proof" {
                h2 #proof { "Proof" }
                @if self.verified == Some(true) {
                    p { "The proof that Copernica sent it is kept with the event:" }
                    (command(&format!("profiletrail evidence {}", self.seq)))
                } @else if self.observed {
                    p { "No proof: it rests on the export." }
                } @else {
                    p { "No proof is kept with this event. Signatures are checked if the server runs with " code { "--copernica-id" } " and " code { "--public-host" } "." }
                }
            }
        };
        let frame = Frame {
            title: &title,
            asked: "",
            clock: Some(clock),
        };
        frame.around(&body)
    }

    fn changes(&self, clock: &Clock) -> Markup {
        html! {
            @if let Some(seq) = self.duplicate_of {
                p.empty { "A duplicate of " a href=(links::event(seq)) { "event " (seq) } ": it changes nothing." }
            } @else if self.changes.is_empty() {
                p.empty { (self.nothing) }
            } @else {
                table.cards.detail {
                    thead { tr { th scope="col" { "field" } th scope="col" { "old" } th scope="col" { "new" } th scope="col" { "why" } } }
                    tbody {
                        @for change in &self.changes {
                            tr {
                                th scope="row" { (self.name(change)) }
                                td data-label="old" { (change.old()) }
                                td data-label="new" { (change.new_value()) }
                                td data-label="why" {
                                    (change.badge())
                                    @if let Some(since) = &change.since { " at some moment since " (clock.line(since)) }
                                }
                            }
                        }
                    }
                }
                @if self.further > 0 { p.note { (self.further) " more changes: profiletrail history lists all." } }
            }
        }
    }

    /// A name, with a link to its own timeline.
    fn name(&self, change: &Change) -> Markup {
        let parameter = if change.name.interest {
            "interest"
        } else {
            "field"
        };
        html! {
            @match &change.name.raw {
                Some(raw) => a href=(ProfileLink::new(self.key, Zoom::All).with(parameter, &**raw).to()) { (change.name) },
                None => (change.name),
            }
        }
    }
}

/// The page of an event that is not there, or cannot be read.
pub fn missing(seq: u64, last_seq: u64, why: Option<&str>, clock: &Clock) -> Markup {
    let body = html! {
        @match why {
            Some(why) => {
                p { (Text::new(why, SHORT * 3)) }
                p { code { "profiletrail verify" } " lists the damage." }
            }
            None if last_seq == 0 => p { "No event has come yet." },
            None if seq > last_seq => p { "The last event that is kept is " a href=(links::event(last_seq)) { (last_seq) } "." },
            None => p { "It was pruned, or its profile is not known." },
        }
        p { a href="/" { "To the start page" } }
    };
    super::shell::message(&format!("No event {seq}"), &body, Some(clock))
}
