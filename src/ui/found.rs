//! What a search and the questions over all profiles come to.

use maud::{Markup, html};

use super::links;
use super::shell::{Frame, command, message};
use super::text::{NAME, Name, SHORT, Shown, Text};
use super::when::Clock;
use crate::event::ProfileKey;
use crate::query::lines::RejectedLine;

/// A (sub)profile that has or had a value.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Whose.
    pub key: ProfileKey,
    /// Since when: a line's time.
    pub since: String,
    /// The event that began it.
    pub since_seq: u64,
    /// The cause of that change.
    pub cause: String,
    /// Until when; empty where it has ended at a moment that is not known, `None`
    /// where it has the value now.
    pub until: Option<String>,
    /// The event that ended it, where that is known.
    pub until_seq: Option<u64>,
}

/// What a search for a value came to.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// Those that were found.
    pub hits: Vec<Hit>,
    /// Whether there are more.
    pub more: bool,
    /// What a reader should know.
    pub damage: Vec<String>,
}

/// The page of a search for a value of a field.
pub fn hits(asked: &str, field: &str, value: &str, found: &Hits, clock: &Clock) -> Markup {
    let since = |hit: &Hit| match hit.cause.as_str() {
        "first_seen" | "unexplained" | "baseline" => "or before",
        _ => "",
    };
    let body = html! {
        h1 { "Who has or had this value" }
        p { (Name::new(field, false)) " = " (Shown::of(Some(&crate::history::Value::Text(value.into())), SHORT)) }
        (super::shell::notes(&found.damage, &[]))
        @if found.hits.is_empty() {
            p.empty { "Nobody has or had it. The whole value must be written as Copernica sent it, and the field as it is called there." }
        } @else {
            table.cards.hits {
                thead { tr { th scope="col" { "profile" } th scope="col" { "since" } th scope="col" { "until" } } }
                tbody {
                    @for hit in &found.hits {
                        tr {
                            th scope="row" { a href=(links::profile(hit.key)) { (hit.key) } }
                            td data-label="since" { (clock.line(&hit.since)) " " (since(hit)) " " a href=(links::event(hit.since_seq)) { "event " (hit.since_seq) } }
                            td data-label="until" {
                                @match &hit.until {
                                    None => span.badge.good { "now" },
                                    Some(until) if until.is_empty() => span.nothing { "no longer; since when is not known" },
                                    Some(until) => {
                                        (clock.line(until))
                                        @if let Some(seq) = hit.until_seq { " " a href=(links::event(seq)) { "event " (seq) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if found.more { p.note { "There are more than these " (found.hits.len()) "." } }
        }
    };
    let frame = Frame {
        title: "Search",
        asked,
        clock: Some(clock),
    };
    frame.around(&body)
}

/// The page of a search that is none.
pub fn no_search(asked: &str, clock: &Clock) -> Markup {
    let is_address = asked.contains('@') && !asked.contains('=');
    let body = html! {
        section.message {
            h1 { "What to search for" }
            @if !asked.trim().is_empty() {
                p { "This is neither a profile nor a field's value: " strong { (Text::new(asked, SHORT)) } }
            }
            @if is_address {
                p { "Did you mean one of these?" }
                ul {
                    @for field in ["mail", "email"] {
                        @let query = format!("{field}={}", asked.trim());
                        li { a href=(links::search(&query)) { (Text::new(&query, SHORT)) } }
                    }
                }
            }
            ul {
                li { code { "123" } " is a profile, " code { "123/456" } " a subprofile of it" }
                li { code { "mail=johny@example.com" } " finds who has or had that value of the field" }
                li { code { "event 7" } " is the seventh event that came" }
            }
        }
    };
    let frame = Frame {
        title: "Search",
        asked,
        clock: Some(clock),
    };
    frame.around(&body)
}

/// Something that stands out: a row of a panel.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is about: a field, most times.
    pub what: Name,
    /// How much of it there is, in words.
    pub how_much: String,
    /// From when to when, as lines write it.
    pub span: Option<(String, String)>,
    /// More of it: a value, or the commonest change.
    pub detail: Option<Text>,
    /// An event that is an example.
    pub seq: Option<u64>,
    /// The command that tells all.
    pub command: String,
}

/// What stands out, and what is said where nothing does.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What they are.
    pub title: &'static str,
    /// What they mean.
    pub meaning: &'static str,
    /// They.
    pub rows: Vec<Finding>,
    /// What is said where there are none.
    pub none: &'static str,
    /// What a reader should know.
    pub damage: Vec<String>,
}

impl Findings {
    /// The panel's content.
    pub fn panel(&self, clock: &Clock) -> Markup {
        html! {
            p.note { (self.meaning) }
            (super::shell::notes(&self.damage, &[]))
            @if self.rows.is_empty() { p.empty { (self.none) } }
            ul.findings {
                @for row in &self.rows {
                    li {
                        p { (row.what) " " strong { (row.how_much) } }
                        @if let Some((from, to)) = &row.span { p.note { (clock.line(from)) " – " (clock.line(to)) } }
                        @if let Some(detail) = &row.detail { p { (detail) } }
                        @if let Some(seq) = row.seq { p { a href=(links::event(seq)) { "event " (seq) " is one of them" } } }
                        (command(&row.command))
                    }
                }
            }
        }
    }

    /// The same as a page.
    pub fn page(&self, clock: &Clock) -> Markup {
        message(self.title, &self.panel(clock), Some(clock))
    }
}

/// A call that could not be read.
#[derive(Clone, Debug)]
pub struct Rejected {
    received: String,
    status: u16,
    error: Text,
    place: Text,
    label: Option<Text>,
    remote: Option<Text>,
}

impl Rejected {
    /// From its line.
    pub fn new(line: &RejectedLine<'_>) -> Self {
        let text = |text: Option<&str>| text.map(|text| Text::new(text, NAME));
        Self {
            received: line.received.clone(),
            status: line.status,
            error: Text::new(&line.error, SHORT),
            place: Text::new(&line.place, NAME),
            label: text(line.label.as_deref()),
            remote: text(line.remote.as_deref()),
        }
    }
}

/// Calls that could not be read: how many, and the last of them.
pub fn rejected(count: u64, last: &[Rejected], clock: &Clock) -> Markup {
    html! {
        @if count == 0 {
            p.empty { "None in the last week: every call could be read." }
        } @else {
            p { strong { (count) } " in the last week; they are kept, and can be listed:" }
            (command("profiletrail rejected --since '7 days ago'"))
            ul.findings {
                @for call in last {
                    li {
                        p { (clock.line(&call.received)) " " span.badge.bad { (call.status) } }
                        p { (call.error) " (" (call.place) ")" }
                        @if let Some(label) = &call.label { p.note { "label " (label) } }
                        @if let Some(remote) = &call.remote { p.note { "from " (remote) } }
                    }
                }
            }
        }
    }
}
