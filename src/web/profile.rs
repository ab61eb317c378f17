//! The page of a (sub)profile.

use maud::{Markup, html};

use super::events::table;
use super::links::{self, LENGTHS, ProfileLink, Zoom};
use super::reader::{Clock, Reader};
use super::shell::{notes, page};
use super::state::State;
use super::text::{NAME, Text};
use super::timeline::Timeline;
use super::timeline_svg::{legend, timeline_svg};
use crate::event::ProfileKey;
use crate::format::{grouped, who};
use crate::history::Subject;
use crate::query::Answered;
use crate::query::lines::ShowLine;

/// The most subprofiles that are listed.
pub const SUBPROFILES: usize = 40;

/// The events of a page of the list.
#[derive(Default)]
pub struct List {
    /// The events, newest first.
    pub rows: Vec<Markup>,
    /// Where the page after this one begins: time and `seq` of the last event.
    pub older: Option<(i64, u64)>,
    /// Whether this is not the first page.
    pub is_later: bool,
    /// How many events the pages before have.
    pub before: u64,
    /// How many events there are.
    pub all: u64,
}

pub struct Page<'a> {
    pub key: ProfileKey,
    /// The present state, for the head of the page.
    pub now: ShowLine<'static>,
    /// Some of its subprofiles, and whether there are more.
    pub subprofiles: (Vec<ProfileKey>, bool),
    /// The part of its time that is drawn.
    pub zoom: Zoom,
    pub timeline: Timeline,
    /// The field or interest to which the page is limited.
    pub only: Option<&'a Subject<'static>>,
    /// The time of its first kept event.
    pub first: Option<i64>,
    pub state: State,
    /// An invalid moment as typed, and why it is invalid.
    pub wrong: Option<(&'a str, &'a str)>,
    /// The event that deleted it, and when, if its last state is shown for that.
    pub deleted: Option<(u64, i64)>,
    pub list: List,
    /// The outcome of all answers of the page.
    pub answered: Answered,
}

impl Page<'_> {
    fn link(&self) -> ProfileLink {
        self.link_to(self.zoom)
    }

    fn link_to(&self, zoom: Zoom) -> ProfileLink {
        ProfileLink::new(self.key, zoom, self.only)
    }

    pub fn render(&self, reader: &Reader<'_>) -> Markup {
        let clock = &reader.clock;
        let title = name(self.key);
        let body = html! {
            (self.header(reader))
            (notes(&self.answered.damage, &self.answered.notes, reader))
            section aria-labelledby="timeline" {
                div.bar {
                    h2 #timeline { "Timeline" }
                    (self.zooms(clock))
                }
                @if let Some(only) = self.only {
                    p.note {
                        "Only the " (only.kind()) " "
                        strong { (Text::new(only.name(), NAME)) } ". "
                        a href=(ProfileLink::new(self.key, self.zoom, None).to()) { "Show all" }
                    }
                }
                @if self.timeline.rows.is_empty() {
                    p.empty { "Nothing is known in this span. Choose a longer one." }
                } @else {
                    a.skip href="#events" { "Skip the timeline" }
                    (timeline_svg(&self.timeline, self.state.at, clock))
                    (legend(&self.timeline))
                }
                (self.timeline)
            }
            section aria-labelledby="then" {
                h2 #then { "As it was on …" }
                @if let Some((seq, time)) = self.deleted {
                    p.notes role="note" {
                        "It was " strong { "deleted" } @if self.now.cascade.is_some() { " with its profile" }
                        " by " a href=(links::event(seq)) { "event " (seq) } " on " (clock.time(time))
                        ". This is its last state, of the moment before."
                    }
                }
                (self.slider(clock))
                div #state { (self.state.table(clock)) }
                p #state-status.heard role="status" {}
            }
            section aria-labelledby="events" {
                div.bar {
                    h2 #events tabindex="-1" { "Events" }
                    @if !self.list.rows.is_empty() {
                        span.note { (grouped(self.list.before + 1)) "–" (grouped(self.list.before + self.list.rows.len() as u64)) " of " (grouped(self.list.all)) ", newest first" }
                    }
                }
                (self.list(reader))
            }
        };
        page(&title, &self.key.to_string(), Some(clock), &body)
    }

    fn header(&self, reader: &Reader<'_>) -> Markup {
        let (key, now, clock) = (self.key, &self.now, &reader.clock);
        html! {
            div.head {
                h1 { (name(key)) (reader.title(key)) }
                span.badge.(if now.state == "present" { "good" } else { "bad" }) { (now.state) }
            }
            dl.facts {
                @if key.subprofile.is_some() {
                    div { dt { "of" } dd { a href=(links::profile(ProfileKey::profile(key.profile))) { "profile " (key.profile) } } }
                }
                @if let Some(end) = &now.cascade {
                    div { dt { "ended" } dd { "with its profile, by " a href=(links::event(end.seq)) { "event " (end.seq) } } }
                }
                @if let Some(database) = now.database { div { dt { "database" } dd { (database) } } }
                @if let Some(collection) = now.collection { div { dt { "collection" } dd { (collection) } } }
                @if let Some(last) = &now.last_event {
                    div { dt { "last event" } dd { a href=(links::event(last.seq)) { (last.seq) } ", " (clock.line(&last.time)) } }
                }
                @if let Some(first) = self.first { div { dt { "first event" } dd { (clock.time(first)) } } }
                @if let Some(created) = &now.created { div { dt { "created, as sent" } dd { (Text::new(created, NAME)) } } }
                @if let Some(modified) = &now.modified { div { dt { "modified, as sent" } dd { (Text::new(modified, NAME)) } } }
            }
            p.note {
                a href=(self.link_to(Zoom::All).to_dossier()) { "Dossier" }
                ": the whole history of "
                @match self.only {
                    None => "it",
                    Some(only) => { "the " (only.kind()) " " (Text::new(only.name(), NAME)) },
                }
                ", including what is not known, on one page to keep or print"
            }
            @if !self.subprofiles.0.is_empty() {
                p.subprofiles {
                    "Subprofiles: "
                    @for key in &self.subprofiles.0 { (reader.profile(*key)) " " }
                    @if self.subprofiles.1 { "and more: " (reader.code(&format!("profiletrail history {key} --subprofiles"))) }
                }
            }
        }
    }

    fn zooms(&self, clock: &Clock) -> Markup {
        let entry = |zoom: Zoom, text: &str| {
            let current = self.zoom == zoom;
            html! {
                a.chosen[current] href=(self.link_to(zoom).to()) aria-current=[current.then_some("true")] { (text) }
            }
        };
        html! {
            nav.zooms aria-label="span of the timeline" {
                @for (name, length) in LENGTHS { (entry(Zoom::Last(name, length), &format!("last {name}"))) }
                (entry(Zoom::All, "all"))
                @if let Zoom::Between(from, to) = self.zoom {
                    span.chosen { (clock.text(from)) " – " (clock.text(to)) }
                    @let (quarter, half) = (to.saturating_sub(from) / 4, to.saturating_sub(from) / 2);
                    a href=(self.link_to(Zoom::Between(from.saturating_add(quarter), to.saturating_sub(quarter))).to()) { "closer" }
                    a href=(self.link_to(Zoom::Between(from.saturating_sub(half), to.saturating_add(half))).to()) { "wider" }
                }
            }
        }
    }

    fn slider(&self, clock: &Clock) -> Markup {
        let at = self.state.at;
        // Over the drawn range, in a thousand steps, so that the knob is below its line.
        let scale = self.timeline.scale;
        let (from, to) = (scale.from, scale.to);
        let step = format!("{}.{:03}", scale.length() / 1000, scale.length() % 1000);
        let fragment = self.link().with("part", "state").to();
        html! {
            form.moment method="get" action=(links::profile(self.key)) {
                @for (name, value) in &self.link().pairs {
                    input type="hidden" name=(name) value=(value);
                }
                input #slider type="range" min=(from) max=(to) step=(step) value=(at.clamp(from, to)) hidden
                    aria-label="moment of which the state is shown" aria-valuetext=(clock.text(at))
                    data-zone=(clock.zone.name()) data-fragment=(fragment);
                label for="at" { "On" }
                @if let Some((text, why)) = self.wrong {
                    input #at name="at" value=(text) aria-invalid="true" aria-describedby="at-wrong";
                    button type="submit" { "Show" }
                    p.error #at-wrong role="alert" { (Text::new(why, 400)) }
                } @else {
                    input #at name="at" type="datetime-local" step="1" value=(clock.format(at, "%Y-%m-%dT%H:%M:%S"));
                    span.zone { (clock.zone.name()) }
                    button type="submit" { "Show" }
                }
            }
        }
    }

    fn list(&self, reader: &Reader<'_>) -> Markup {
        html! {
            @if self.list.rows.is_empty() {
                p.empty {
                    @if self.only.is_some() { "No event changed this." } @else { "No further events." }
                }
            } @else {
                (table(&self.list.rows, false, "list", reader))
            }
            nav.pages aria-label="pages of events" {
                @if self.list.is_later { a href={ (self.link().to()) "#events" } { "newest" } }
                @if let Some((time, seq)) = self.list.older {
                    a rel="next" href={ (self.link().with("before", format!("{time}.{seq}.{}", self.list.before + self.list.rows.len() as u64)).to()) "#events" } { "older events" }
                }
            }
            details {
                summary { "The same on a terminal" }
                (reader.command(&format!("profiletrail history {} --reverse", self.key)))
                (reader.command(&format!("profiletrail show {} --at @{}", self.key, self.state.at)))
                (reader.command(&format!("profiletrail blame {}", self.key)))
            }
        }
    }
}

/// The title of a (sub)profile.
pub fn name(key: ProfileKey) -> String {
    match key.subprofile {
        None => format!("Profile {}", key.profile),
        Some(_) => format!("Subprofile {key}"),
    }
}

/// The page of a (sub)profile without events.
pub fn unknown(key: ProfileKey, last_seq: u64, damage: &[String], reader: &Reader<'_>) -> Markup {
    let title = format!("No events of {}", who(key));
    let body = html! {
        section.message {
            h1 { (title) }
            (notes(damage, &[], reader))
            @if last_seq == 0 {
                p { "No event has arrived yet. Point Copernica's webhooks at this server, or load an export with " (reader.code("profiletrail import")) "." }
            } @else {
                p { "None of the " (last_seq) " kept events belongs to it. Check the number, or search for a value, such as " code { "mail=johny@example.com" } "." }
                @if key.subprofile.is_some() {
                    p { a href=(links::profile(ProfileKey::profile(key.profile))) { "Look at profile " (key.profile) } }
                }
            }
        }
    };
    page(&title, &key.to_string(), Some(&reader.clock), &body)
}
