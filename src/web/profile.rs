//! The page of a (sub)profile.

use maud::{Markup, html};

use super::events::{Row, table};
use super::links::{self, LENGTHS, ProfileLink, Zoom};
use super::shell::{Frame, command, notes};
use super::state::State;
use super::text::{NAME, Text};
use super::time_format::Clock;
use super::timeline::Timeline;
use super::timeline_svg::{legend, timeline_svg};
use crate::event::ProfileKey;
use crate::query::lines::ShowLine;

/// The most subprofiles that are listed.
pub const SUBPROFILES: usize = 40;

/// The head of the page.
#[derive(Clone, Debug)]
pub struct Head {
    /// Whose page it is.
    pub key: ProfileKey,
    word: String,
    database: Option<u64>,
    collection: Option<u64>,
    created: Option<Text>,
    modified: Option<Text>,
    last: Option<(u64, String)>,
    /// The event of its profile that ended it.
    cascade: Option<u64>,
    /// Some of its subprofiles, and whether there are more.
    pub subprofiles: (Vec<ProfileKey>, bool),
}

impl Head {
    /// From the line of the present state.
    pub fn new(key: ProfileKey, show: &ShowLine<'_>) -> Self {
        let text = |text: Option<&str>| text.map(|text| Text::new(text, NAME));
        Self {
            key,
            word: show.state.clone(),
            database: show.database,
            collection: show.collection,
            created: text(show.created.as_deref()),
            modified: text(show.modified.as_deref()),
            last: show
                .last_event
                .as_ref()
                .map(|last| (last.seq, last.time.clone())),
            cascade: show.cascade.as_ref().map(|end| end.seq),
            subprofiles: (Vec::new(), false),
        }
    }
}

/// The events of a page of the list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The events, newest first.
    pub rows: Vec<Row>,
    /// Where the page after this one begins: time and `seq` of the last event.
    pub older: Option<(i64, u64)>,
    /// Whether this is not the first page.
    pub is_later: bool,
}

/// All that is on the page.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// Its head.
    pub head: Head,
    /// Which part of its time is drawn.
    pub zoom: Zoom,
    /// The drawing.
    pub timeline: Timeline,
    /// The field or interest to which the page is limited.
    pub only: Option<(&'a str, bool)>,
    /// The time of its first kept event.
    pub first: Option<i64>,
    /// The state at a moment.
    pub state: State,
    /// An invalid moment as typed, and why it is invalid.
    pub wrong: Option<(&'a str, &'a str)>,
    /// Its events.
    pub list: List,
    /// Damage that affects the page.
    pub damage: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
}

/// How many steps the slider has.
const STEPS: i64 = 1000;

impl Page<'_> {
    fn link(&self) -> ProfileLink {
        self.link_to(self.zoom)
    }

    fn link_to(&self, zoom: Zoom) -> ProfileLink {
        let link = ProfileLink::new(self.head.key, zoom);
        match self.only {
            Some((name, true)) => link.with("interest", name),
            Some((name, false)) => link.with("field", name),
            None => link,
        }
    }

    /// The whole page.
    pub fn render(&self, clock: &Clock) -> Markup {
        let title = name(self.head.key);
        let body = html! {
            (self.header(clock))
            (notes(&self.damage, &self.notes))
            section aria-labelledby="timeline" {
                div.bar {
                    h2 #timeline { "Timeline" }
                    (self.zooms(clock))
                }
                @if let Some((name, interest)) = self.only {
                    p.note {
                        "Only the " (if interest { "interest" } else { "field" }) " "
                        strong { (Text::new(name, NAME)) } ". "
                        a href=(ProfileLink::new(self.head.key, self.zoom).to()) { "Show all" }
                    }
                }
                @if self.timeline.rows.is_empty() {
                    p.empty { "Nothing is known in this span. Choose a longer one." }
                } @else {
                    a.skip href="#events" { "Skip the timeline" }
                    (timeline_svg(&self.timeline, self.state.at(), clock))
                    (legend())
                }
                (self.timeline)
            }
            section aria-labelledby="then" {
                h2 #then { "As it was on …" }
                (self.slider(clock))
                div #state { (self.state.table(clock)) }
                p #state-status.heard role="status" {}
            }
            section aria-labelledby="events" {
                h2 #events tabindex="-1" { "Events" }
                (self.list(clock))
            }
        };
        let asked = self.head.key.to_string();
        let frame = Frame {
            title: &title,
            asked: &asked,
            clock: Some(clock),
        };
        frame.around(&body)
    }

    fn header(&self, clock: &Clock) -> Markup {
        let head = &self.head;
        html! {
            div.head {
                h1 { (name(head.key)) }
                span.badge.(if head.word == "present" { "good" } else { "bad" }) { (head.word) }
            }
            dl.facts {
                @if head.key.subprofile.is_some() {
                    div { dt { "of" } dd { a href=(links::profile(ProfileKey::profile(head.key.profile))) { "profile " (head.key.profile) } } }
                }
                @if let Some(seq) = head.cascade {
                    div { dt { "ended" } dd { "with its profile, by " a href=(links::event(seq)) { "event " (seq) } } }
                }
                @if let Some(database) = head.database { div { dt { "database" } dd { (database) } } }
                @if let Some(collection) = head.collection { div { dt { "collection" } dd { (collection) } } }
                @if let Some((seq, time)) = &head.last {
                    div { dt { "last event" } dd { a href=(links::event(*seq)) { (seq) } ", " (clock.line(time)) } }
                }
                @if let Some(first) = self.first { div { dt { "first event" } dd { (clock.time(first)) } } }
                @if let Some(created) = &head.created { div { dt { "created, as sent" } dd { (created) } } }
                @if let Some(modified) = &head.modified { div { dt { "modified, as sent" } dd { (modified) } } }
            }
            p.note {
                a href=(links::dossier(head.key, self.only)) { "Dossier" }
                ": the whole history of "
                @match self.only {
                    None => "it",
                    Some((name, true)) => { "the interest " (Text::new(name, NAME)) },
                    Some((name, false)) => { "the field " (Text::new(name, NAME)) },
                }
                ", including what is not known, on one page to keep or print"
            }
            @if !head.subprofiles.0.is_empty() {
                p.subprofiles {
                    "Subprofiles: "
                    @for key in &head.subprofiles.0 { a href=(links::profile(*key)) { (key) } " " }
                    @if head.subprofiles.1 { "and more: " code { "profiletrail history " (head.key) " --subprofiles" } }
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
                @for (length, _) in LENGTHS { (entry(Zoom::Last(length), &format!("last {length}"))) }
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
        let at = self.state.at();
        // Over what is drawn, so that a shorter span has finer steps.
        let scale = self.timeline.scale;
        let latest = scale.to.saturating_sub(1);
        let step = (scale.length() / STEPS).saturating_add(1);
        let least = latest.saturating_sub(step.saturating_mul(STEPS));
        let fragment = self.link().with("part", "state").to();
        html! {
            form.moment method="get" action=(links::profile(self.head.key)) {
                @if let Some((name, interest)) = self.only {
                    input type="hidden" name=(if interest { "interest" } else { "field" }) value=(name);
                }
                @match self.zoom {
                    Zoom::All => {}
                    Zoom::Last(length) => { input type="hidden" name="span" value=(length); }
                    Zoom::Between(from, to) => {
                        input type="hidden" name="from" value={ "@" (from) };
                        input type="hidden" name="to" value={ "@" (to) };
                    }
                }
                input #slider type="range" min=(least) max=(latest) step=(step) value=(at.clamp(least, latest)) hidden
                    aria-label="moment of which the state is shown" aria-valuetext=(clock.text(at))
                    data-zone=(clock.zone.name()) data-fragment=(fragment)
                    data-from=(scale.from) data-to=(scale.to);
                label for="at" { "On" }
                @if let Some((text, why)) = self.wrong {
                    input #at name="at" value=(text) aria-invalid="true" aria-describedby="at-wrong";
                    button type="submit" { "Show" }
                    p.error #at-wrong role="alert" { (Text::new(why, 400)) }
                } @else {
                    input #at name="at" type="datetime-local" step="1" value=(clock.format(at, "%Y-%m-%dT%H:%M:%S"));
                    button type="submit" { "Show" }
                }
            }
        }
    }

    fn list(&self, clock: &Clock) -> Markup {
        html! {
            @if self.list.rows.is_empty() {
                p.empty {
                    @if self.only.is_some() { "No event changed this." } @else { "No further events." }
                }
            } @else {
                (table(&self.list.rows, clock, false, "list"))
            }
            nav.pages aria-label="pages of events" {
                @if self.list.is_later { a href={ (self.link().to()) "#events" } { "newest" } }
                @if let Some((time, seq)) = self.list.older {
                    a rel="next" href={ (self.link().with("before", format!("{time}.{seq}")).to()) "#events" } { "older events" }
                }
            }
            details {
                summary { "The same on a terminal" }
                (command(&format!("profiletrail history {} --reverse", self.head.key)))
                (command(&format!("profiletrail show {} --at @{}", self.head.key, self.state.at())))
                (command(&format!("profiletrail blame {}", self.head.key)))
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
pub fn unknown(key: ProfileKey, last_seq: u64, damage: &[String], clock: &Clock) -> Markup {
    let title = format!("No events of {}", name(key).to_lowercase());
    let body = html! {
        section.message {
            h1 { (title) }
            (notes(damage, &[]))
            @if last_seq == 0 {
                p { "No event has arrived yet. Point Copernica's webhooks at this server, or load an export with " code { "profiletrail import" } "." }
            } @else {
                p { "None of the " (last_seq) " kept events belongs to it. Check the number, or search for a value, such as " code { "mail=johny@example.com" } "." }
                @if key.subprofile.is_some() {
                    p { a href=(links::profile(ProfileKey::profile(key.profile))) { "Look at profile " (key.profile) } }
                }
            }
        }
    };
    let asked = key.to_string();
    let frame = Frame {
        title: &title,
        asked: &asked,
        clock: Some(clock),
    };
    frame.around(&body)
}
