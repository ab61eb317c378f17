//! The changes of all profiles: a form with the filters, and the changes that match.
//!
//! The filter is in the address, so that a page can be shared; labels, fields, causes and
//! types are filter links.

use clap::ValueEnum as _;
use maud::{Markup, Render, html};

use super::links::{changes, event, with_query};
use super::reader::Reader;
use super::shell::{notes, page};
use super::text::{NAME, Name, SHORT, Text, badge, change};
use crate::query::lines::ChangesLine;
use crate::query::{Answered, CauseKind};

/// The longest filter, in bytes of its address, that the links in rows repeat.
const REPEATED: usize = 1_500;

/// The parameters with which the form can ask for an empty value or for no label.
pub const EMPTY: [(&str, &str); 4] = [
    ("old", "old value is empty"),
    ("new", "new value is empty"),
    ("label", "without a label"),
    ("not-label", "with a label"),
];

/// The names and values of a filter, as they are in the address.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    pub pairs: Vec<(String, String)>,
    /// Whether links can repeat it.
    fits: bool,
}

impl Filters {
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        let fits = changes(&pairs).len() <= REPEATED;
        Self { pairs, fits }
    }

    fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let own = self.pairs.iter().filter(move |(known, _)| known == name);
        own.map(|(_, value)| value.as_str())
    }

    /// The address of the same with one value for a name.
    fn with(&self, name: &str, value: &str) -> Option<String> {
        let others: &[&str] = match name {
            "field" | "interest" => &["field", "interest"],
            "label" => &["label", "not-label"],
            _ => &[name],
        };
        let kept = self.pairs.iter();
        let kept = kept.filter(|(known, _)| !others.contains(&known.as_str()));
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<_> = kept.chain([(name, value)]).collect();
        (self.fits && value.len() <= REPEATED / 4).then(|| changes(&pairs))
    }

    /// A text that filters by a value.
    fn link(&self, name: &str, value: &str, text: impl Render) -> Markup {
        match self.with(name, value) {
            Some(target) => html! { a href=(target) { (text) } },
            None => html! { (text) },
        }
    }

    /// The filters in force, each with a link to the page without it.
    fn chips(&self, reader: &Reader<'_>) -> Markup {
        html! {
            @if !self.pairs.is_empty() {
                ul.chips aria-label="Filters in force" {
                    @for (place, (name, value)) in self.pairs.iter().enumerate().take(40) {
                        @let rest: Vec<_> = self.pairs.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, pair)| pair.clone()).collect();
                        li {
                            span.kind { (Text::new(name, NAME)) } " "
                            @if value.is_empty() {
                                span.nothing { @if name.ends_with("label") { "(none)" } @else { "(empty)" } }
                            } @else { (Text::new(&shown(name, value, reader), NAME)) }
                            @if self.fits { " " a href=(changes(&rest)) aria-label={ "Remove the filter " (name) } { "×" } }
                        }
                    }
                }
            }
        }
    }
}

/// A change as a row.
pub fn row(line: &ChangesLine<'_>, filters: &Filters, reader: &Reader<'_>) -> Markup {
    let one = &line.change;
    let [old, new] = change(one.old.as_ref(), &one.new, SHORT);
    let label = line.label.as_deref().unwrap_or_default();
    let cause = one.cause.name();
    html! {
        tr {
            td.when data-label="time" { (reader.line(&line.time)) }
            td.whose data-label="profile" { (reader.profile(line.who)) }
            td data-label="field" { (filters.link(one.subject.kind(), one.subject.name(), Name::of(&one.subject))) }
            td.changes data-label="change" {
                span.change { span.old { (old) } " " span.arrow aria-label="became" { "→" } " " span.new { (new) } }
                @if let Some(since) = one.cause.since() { " " span.note { "since " (reader.time(since)) } }
            }
            td data-label="cause" { (filters.link("cause", cause, badge(one.cause))) }
            td.what data-label="event" {
                a href=(event(line.seq)) { "event " (line.seq) } " "
                (filters.link("type", &line.event_type, html! { span.type { (Text::new(&line.event_type, NAME)) } }))
                " "
                @if label.is_empty() {
                    (filters.link("label", "", html! { span.nothing { "no label" } }))
                } @else {
                    (filters.link("label", label, html! { span.badge.label title=(label) { (Text::new(label, NAME)) } }))
                }
            }
        }
    }
}

#[derive(Default)]
pub struct Page {
    pub filters: Filters,
    pub oldest_first: bool,
    /// What is wrong with the filter, if anything.
    pub wrong: Option<String>,
    pub rows: Vec<Markup>,
    /// The address of the next page.
    pub next: Option<String>,
    /// Whether this is not the first page.
    pub is_later: bool,
    /// The command with the same answer.
    pub command: Option<String>,
    pub answered: Answered,
}

impl Page {
    pub fn render(&self, reader: &Reader<'_>) -> Markup {
        let body = html! {
            h1 { "Changes of all profiles" }
            (self.form(reader))
            @if let Some(wrong) = &self.wrong {
                p.error role="alert" { (Text::new(wrong, 400)) }
            } @else {
                (notes(&self.answered.damage, &self.answered.notes, reader))
                (self.list(reader))
            }
        };
        page("Changes", "", Some(&reader.clock), &body)
    }

    fn list(&self, reader: &Reader<'_>) -> Markup {
        let pairs = &self.filters.pairs;
        html! {
            section aria-labelledby="found" {
                div.bar {
                    h2 #found { @if self.oldest_first { "Oldest first" } @else { "Newest first" } }
                    p.downloads {
                        "Download all that match: "
                        @for (format, name) in [("xlsx", "Excel"), ("csv", "CSV"), ("jsonl", "JSON lines")] {
                            a href=(with_query(format!("/changes.{format}"), pairs)) download { (name) } " "
                        }
                    }
                }
                (self.filters.chips(reader))
                @if self.rows.is_empty() {
                    p.empty {
                        "No change matches. "
                        @if pairs.is_empty() { "No event has arrived yet." } @else { a href="/changes" { "Show all changes" } }
                    }
                } @else {
                    table.cards.events.all {
                        thead { tr {
                            th scope="col" { (reader.time_heading()) }
                            @for head in ["profile", "field", "change", "cause", "event"] { th scope="col" { (head) } }
                        } }
                        tbody { @for row in &self.rows { (row) } }
                    }
                }
                nav.pages aria-label="pages of changes" {
                    @if self.is_later { a href=(with_order(pairs, self.oldest_first)) { "first page" } }
                    @if let Some(next) = &self.next { a rel="next" href=(next) { "next page" } }
                }
                @if let Some(line) = &self.command {
                    details { summary { "The same on a terminal" } (reader.command(line)) }
                }
            }
        }
    }

    fn form(&self, reader: &Reader<'_>) -> Markup {
        let filters = &self.filters;
        let text = |name: &'static str, label: &'static str, hint: &'static str| {
            let given: Vec<&str> = filters.all(name).filter(|text| !text.is_empty()).collect();
            let repeatable = matches!(name, "field" | "interest" | "label" | "not-label" | "type");
            let more = given.is_empty() || repeatable;
            html! {
                div.input {
                    @for (place, value) in given.iter().copied().chain(more.then_some("")).enumerate() {
                        @let id = format!("f-{name}-{place}");
                        label for=(id) { @if place > 0 { "or " } (label) }
                        input id=(id) name=(name) value=(shown(name, value, reader)) placeholder=(hint) autocomplete="off" spellcheck="false";
                    }
                }
            }
        };
        html! {
            section aria-labelledby="filter" {
                details open[filters.pairs.is_empty() || self.wrong.is_some()] {
                    summary { h2 #filter { "Filter" } }
                    form.filters method="get" action="/changes" {
                        input type="hidden" name="form" value="1";
                        (text("field", "field", "mail"))
                        (text("interest", "interest", "news"))
                        (text("profile", "profile", "123 or 123/456"))
                        (text("old", "old value", ""))
                        (text("new", "new value", ""))
                        (text("since", "since", "7 days ago"))
                        (text("until", "until", "2026-01-31"))
                        (text("label", "label", "crm"))
                        (text("not-label", "not label", ""))
                        (text("type", "type", "update"))
                        (text("database", "database", ""))
                        (text("collection", "collection", ""))
                        fieldset {
                            legend { "cause" }
                            @for kind in CauseKind::value_variants() {
                                label { input type="checkbox" name="cause" value=(kind.name()) checked[filters.all("cause").any(|cause| cause == kind.name())]; (kind.name().replace('_', " ")) }
                            }
                        }
                        fieldset {
                            legend { "also" }
                            @for (name, what) in EMPTY {
                                label { input type="checkbox" name="empty" value=(name) checked[filters.all(name).any(str::is_empty)]; (what) }
                            }
                            label { input type="checkbox" name="order" value="oldest" checked[self.oldest_first]; "oldest first" }
                        }
                        p.send {
                            button type="submit" { "Show" } " "
                            a href="/changes" { "Clear" }
                            span.note { "Times are in " (reader.zone.name()) "; 'yesterday' and '2 hours ago' work, too." }
                        }
                    }
                }
            }
        }
    }
}

pub fn with_order(pairs: &[(String, String)], oldest_first: bool) -> String {
    let mut pairs = pairs.to_vec();
    if oldest_first {
        pairs.push(("order".to_owned(), "oldest".to_owned()));
    }
    changes(&pairs)
}

/// A value as the form shows it: a time in Unix seconds as a date.
fn shown(name: &str, value: &str, reader: &Reader<'_>) -> String {
    let seconds = value.strip_prefix('@').and_then(|text| text.parse().ok());
    match (name, seconds) {
        ("since" | "until", Some(seconds)) => reader.text(seconds),
        _ => value.to_owned(),
    }
}
