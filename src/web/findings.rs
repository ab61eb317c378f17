//! Anomalies over all profiles: changes that no call explains, bursts, and fields that
//! change again and again. Each finding has its kind, number and time, a link to an
//! event, and the command that shows or undoes it.

use maud::{Markup, Render, html};

use super::links::{self, ProfileLink, Zoom};
use super::reader::Reader;
use super::shell::notes;
use super::text::{NAME, Name, SHORT, Shown, Text};
use crate::event::ProfileKey;
use crate::format::{counted, grouped, seconds_of};
use crate::query::{GapKind, GapLine, IncidentLine, LoopGroupLine, LoopLine};

/// The most names, and the most changes, of a finding.
const NAMED: usize = 4;

/// The most findings of a panel.
pub const SHOWN: usize = 8;

/// A finding.
#[derive(Default)]
struct Finding<'a> {
    what: Vec<Name>,
    more_names: bool,
    how_much: String,
    /// From when to when, as lines write it.
    span: (&'a str, &'a str),
    meaning: String,
    facts: Vec<Markup>,
    seqs: (u64, u64),
    /// The page with the affected profiles.
    page: Option<String>,
    /// A profile whose timeline shows it.
    profile: Option<(ProfileKey, String)>,
    /// A command and its purpose.
    commands: &'a [(&'static str, Option<&'a str>)],
}

/// How many profiles and subprofiles.
pub fn whose(profiles: u64, subprofiles: u64) -> String {
    let counts = [(profiles, "profile"), (subprofiles, "subprofile")];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, what)| counted(*count, what)).collect();
    counts.join(" and ")
}

fn label(label: Option<&str>) -> Markup {
    match label {
        Some(label) => html! { "label " (Text::new(label, NAME)) },
        None => html! { "no label" },
    }
}

/// Things after each other, and whether there are others.
fn list(parts: impl Iterator<Item = Markup>, others: bool) -> Markup {
    html! {
        @for (place, part) in parts.enumerate() { @if place > 0 { ", " } (part) }
        @if others { ", and others" }
    }
}

/// Unexplained changes that belong together.
pub fn gap(line: &GapLine<'_>, reader: &Reader<'_>) -> Markup {
    let mut facts = Vec::new();
    let outer = (line.outer_since.as_str(), line.outer_until.as_str());
    let (meaning, span) = match (line.kind, &line.since, &line.until) {
        (GapKind::Lost, Some(since), Some(until)) => (
            match line.within_one {
                Some(true) => "Calls lost at one moment of this time would explain them all.",
                _ => "Calls lost at the beginning and at the end of this time would explain them.",
            },
            (since.as_str(), until.as_str()),
        ),
        (GapKind::SilentField, ..) => ("It changes without a call that claims it.", outer),
        _ => ("Scattered: each may have its own reason.", outer),
    };
    if let Some(count) = line.by_chance.filter(|count| *count > 0) {
        facts.push(html! { "About " (grouped(count)) " of them would be expected by chance." });
    }
    if line.kind == GapKind::Lost && !line.set_by.is_empty() {
        let setters = line.set_by.iter().take(NAMED).map(|one| {
            let calls = match one.calls {
                None => String::new(),
                Some(0) => ", but none of its calls are from this time".to_owned(),
                Some(calls) => format!(", {} from this time", counted(calls, "call")),
            };
            html! { (label(one.label.as_deref())) " (" (counted(one.changes, "change")) (calls) ")" }
        });
        facts.push(
            html! { "Usually set by calls with " (list(setters, line.set_by.len() > NAMED)) "." },
        );
    }
    if let Some(quiet) = &line.quiet {
        facts.push(html! { "No call at all from " (reader.line(&quiet.since)) " to " (reader.line(&quiet.until)) "." });
    }
    let fields = line.fields.iter().take(NAMED);
    Finding {
        what: fields.map(|one| Name::of(&one.subject)).collect(),
        more_names: line.more_fields || line.fields.len() > NAMED,
        how_much: format!(
            "{} of {}",
            counted(line.changes, "change"),
            whose(line.profiles, line.subprofiles)
        ),
        span,
        meaning: meaning.to_owned(),
        facts,
        seqs: (line.first_seq, line.last_seq),
        commands: &[("The changes", line.command.as_deref())],
        ..Finding::default()
    }
    .render(reader)
}

/// A burst.
pub fn incident(line: &IncidentLine<'_>, reader: &Reader<'_>) -> Markup {
    let mut facts: Vec<Markup> = line
        .pairs
        .iter()
        .take(NAMED)
        .map(|pair| {
            html! {
                (Shown::of(pair.old.as_ref(), SHORT)) " " span.arrow aria-label="became" { "→" } " "
                (Shown::of(Some(&pair.new), SHORT)) " (" (grouped(pair.events)) ")"
            }
        })
        .collect();
    if line.more_pairs || line.pairs.len() > NAMED {
        facts.push(html! { "and others" });
    }
    let labels =
        line.labels.iter().take(NAMED).map(
            |one| html! { (label(one.label.as_deref())) " (" (counted(one.events, "event")) ")" },
        );
    if !line.labels.is_empty() {
        facts.push(html! { "By calls with " (list(labels, line.labels.len() > NAMED)) "." });
    }
    Finding {
        what: vec![Name::of(&line.subject)],
        how_much: format!("changed on {}", whose(line.profiles, line.subprofiles)),
        span: (&line.from, &line.until),
        meaning: match line.usual {
            0 => "Usually none change in a span of this length.".to_owned(),
            usual => format!(
                "Usually {} change in a span of this length.",
                grouped(usual)
            ),
        },
        facts,
        seqs: (line.first_seq, line.last_seq),
        page: Some(links::incident(&line.id)),
        commands: &[
            ("Its changes", line.command.as_deref()),
            ("A file that undoes it", line.undo.as_deref()),
        ],
        ..Finding::default()
    }
    .render(reader)
}

/// Fields that change again and again, and one of them.
pub fn unrest(line: &LoopGroupLine<'_>, one: Option<&LoopLine<'_>>, reader: &Reader<'_>) -> Markup {
    let mut facts = Vec::new();
    for writer in one.iter().flat_map(|one| one.writers.iter().take(NAMED)) {
        let values = writer.values.iter().take(NAMED);
        let values = values.map(|value| html! { (Shown::of(Some(&value.value), SHORT)) });
        let does = if writer.claimed {
            " sets it to "
        } else {
            " shows that it became "
        };
        facts.push(html! {
            (label(writer.label.as_deref())) (does) (list(values, writer.values.len() > NAMED))
        });
    }
    if one.is_none() {
        let labels = line.labels.iter().take(NAMED);
        let labels = labels.map(|one| label(one.as_deref()));
        facts.push(html! { "By calls with " (list(labels, line.labels.len() > NAMED)) "." });
    }
    if line.unexplained {
        facts.push(html! { "No call claims some of these changes." });
    }
    let going_on = match (line.going_on, line.loops) {
        (0, _) => "It has stopped.".to_owned(),
        (_, 1) => "It still goes on.".to_owned(),
        (count, _) => format!("{} of them still go on.", grouped(count)),
    };
    let (first, last) = one.map_or((0, 0), |one| (one.first_seq, one.last_seq));
    Finding {
        what: vec![Name::of(&line.subject)],
        how_much: match line.loops {
            1 => format!("{} back and forth", counted(line.changes, "change")),
            loops => format!(
                "{} back and forth, in {}",
                counted(line.changes, "change"),
                counted(loops, "loop")
            ),
        },
        span: (&line.first, &line.last),
        meaning: going_on,
        facts,
        seqs: (first, last),
        profile: one.map(timeline),
        commands: &[("The changes", one.and_then(|one| one.command.as_deref()))],
        ..Finding::default()
    }
    .render(reader)
}

impl Finding<'_> {
    fn render(&self, reader: &Reader<'_>) -> Markup {
        let names = self.what.iter().map(Render::render);
        let commands = self.commands.iter();
        let commands = commands.filter_map(|(good_for, line)| Some((good_for, (*line)?)));
        let commands: Vec<_> = commands.collect();
        html! {
            li {
                p.head { (list(names, self.more_names)) }
                p { strong { (self.how_much) } }
                p.note { (reader.line(self.span.0)) " – " (reader.line(self.span.1)) }
                p { (self.meaning) }
                ul { @for fact in &self.facts { li { (fact) } } }
                p.leads {
                    @if let Some((key, target)) = &self.profile { a href=(target) { "timeline of " (key) } (reader.title(*key)) " " }
                    @if let Some(target) = &self.page { a href=(target) { "affected profiles, and how to undo it" } " " }
                    @for target in self.commands.iter().filter_map(|(_, line)| links::changes_of((*line)?)).take(1) {
                        a href=(target) { "the changes" } " "
                    }
                    @if self.seqs.0 > 0 { a href=(links::event(self.seqs.0)) { "first event" } " " }
                    @if self.seqs.1 > self.seqs.0 { a href=(links::event(self.seqs.1)) { "last event" } }
                }
                @if !commands.is_empty() {
                    details {
                        summary { "On a terminal" }
                        @for (good_for, line) in &commands { p.note { (good_for) } (reader.command(line)) }
                    }
                }
            }
        }
    }
}

/// The timeline on which a loop is visible: its field, in its span.
fn timeline(one: &LoopLine<'_>) -> (ProfileKey, String) {
    let key = one.who;
    let zoom = match (seconds_of(&one.first), seconds_of(&one.last)) {
        (Some(first), Some(last)) => {
            let around = last.saturating_sub(first) / 10 + 60;
            Zoom::Between(first.saturating_sub(around), last.saturating_add(around))
        }
        _ => Zoom::All,
    };
    let name = Name::of(&one.subject);
    (key, ProfileLink::new(key, zoom, name.raw.as_ref()).to())
}

/// The findings of one kind.
#[derive(Default)]
pub struct Findings {
    pub meaning: &'static str,
    /// The text if there are none.
    pub none: &'static str,
    /// The command that lists them all.
    pub command: &'static str,
    /// The first, as items.
    pub rows: Vec<Markup>,
    /// The number of findings left out.
    pub further: usize,
}

impl Findings {
    /// Adds a finding, or only counts it if there are enough.
    pub fn add(&mut self, finding: impl FnOnce() -> Markup) {
        if self.rows.len() < SHOWN {
            self.rows.push(finding());
        } else {
            self.further += 1;
        }
    }

    /// The panel's content, with its `damage` and the notes of `noted`.
    pub fn panel(&self, damage: &[String], noted: &[String], reader: &Reader<'_>) -> Markup {
        html! {
            p.note.lead { (self.meaning) }
            (notes(damage, noted, reader))
            @if self.rows.is_empty() { p.empty { (self.none) } }
            ul.findings { @for row in &self.rows { (row) } }
            @if self.further > 0 {
                p.note { (self.further) " more; this lists all of them:" }
                (reader.command(self.command))
            } @else if !self.rows.is_empty() {
                details { summary { "All of it on a terminal" } (reader.command(self.command)) }
            }
        }
    }
}

/// A panel's content as a page.
pub fn page(title: &str, panel: &Markup, reader: &Reader<'_>) -> Markup {
    let body = html! {
        h1 { (title) }
        section { (panel) }
    };
    super::shell::page(title, "", Some(&reader.clock), &body)
}

#[cfg(test)]
mod tests;
