//! An incident: the values of each affected profile before, in and after it, and those
//! that can be undone.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::findings::whose;
use super::links::{changes, event, with_query};
use super::reader::Reader;
use super::shell::{message, notes, page};
use super::text::{Name, SHORT, Shown, Text};
use crate::format::{grouped, seconds_of};
use crate::query::{Answered, UndoLine};

/// The most profiles of each table.
const ROWS: usize = 200;

/// The data of an incident.
#[derive(Default)]
pub struct Page {
    id: String,
    subject: Option<Name>,
    /// The profiles whose value can be restored, as rows, and how many there are.
    restored: (Vec<Markup>, u64),
    /// The same for skipped ones.
    left: (Vec<Markup>, u64),
    reasons: BTreeMap<&'static str, u64>,
    subprofiles: u64,
    span: Option<(i64, i64)>,
    pub answered: Answered,
}

impl Page {
    /// An incident of that name.
    pub fn new(id: String) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// Whether it has no profile.
    pub const fn is_empty(&self) -> bool {
        self.subject.is_none()
    }

    /// Adds its effect on a profile.
    pub fn take(&mut self, line: &UndoLine<'_>, reader: &Reader<'_>) {
        self.subject.get_or_insert_with(|| Name::of(&line.subject));
        self.subprofiles += u64::from(line.who.subprofile.is_some());
        if let Some(time) = seconds_of(&line.time) {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        let (rows, count) = match line.left {
            None => &mut self.restored,
            Some(reason) => {
                *self.reasons.entry(reason.text()).or_default() += 1;
                &mut self.left
            }
        };
        *count += 1;
        if rows.len() < ROWS {
            rows.push(row(line, reader));
        }
    }

    pub fn render(&self, reader: &Reader<'_>) -> Markup {
        let title = format!("Incident {}", self.id);
        let profiles = self.restored.1 + self.left.1 - self.subprofiles;
        let body = html! {
            h1 { (title) }
            (notes(&self.answered.damage, &self.answered.notes, reader))
            dl.facts {
                @if let Some(name) = &self.subject { div { dt { "changed" } dd { (name) } } }
                div { dt { "on" } dd { (whose(profiles, self.subprofiles)) } }
                @if let Some((first, last)) = self.span { div { dt { "between" } dd { (reader.time(first)) " and " (reader.time(last)) } } }
                div { dt { "can be restored" } dd { (grouped(self.restored.1)) } }
                div { dt { "left alone" } dd { (grouped(self.left.1)) } }
            }
            p { a href=(self.changes()) { "Its changes" } " · " a href="/incidents" { "All incidents" } }
            section aria-labelledby="restore" {
                h2 #restore { "To restore" }
                @if self.restored.1 == 0 {
                    p.empty { "Nothing: no profile still has the value that the incident left, or the value before is not known." }
                } @else {
                    (self.download())
                    (self.table(&self.restored, "to restore", reader))
                }
                details { summary { "The same on a terminal" } (reader.command(&format!("profiletrail incidents undo {0} --out {0}.csv", self.id))) }
            }
            section aria-labelledby="left" {
                h2 #left { "Left alone" }
                @if self.left.1 == 0 { p.empty { "None." } } @else {
                    ul { @for (reason, count) in &self.reasons { li { (grouped(*count)) ": " (reason) } } }
                    (self.table(&self.left, "left alone", reader))
                }
            }
        };
        page(&title, "", Some(&reader.clock), &body)
    }

    fn changes(&self) -> String {
        let mut pairs = Vec::new();
        if let Some(subject) = self.subject.as_ref().and_then(|name| name.raw.as_ref()) {
            pairs.push((subject.kind(), subject.name().to_owned()));
        }
        if let Some((first, last)) = self.span {
            pairs.push(("since", format!("@{first}")));
            pairs.push(("until", format!("@{}", last.saturating_add(1))));
        }
        changes(&pairs)
    }

    fn download(&self) -> Markup {
        html! {
            form.moment method="get" action="/undo.csv" {
                input type="hidden" name="id" value=(self.id);
                @if self.subprofiles > 0 {
                    label for="collection" { "The collection's name in Copernica" }
                    input #collection name="collection-name" required autocomplete="off";
                }
                button type="submit" { "Download the undo file" }
                span.note { "For Copernica's import. Do not open it in a spreadsheet, which may change values." }
            }
        }
    }

    fn table(&self, (rows, count): &(Vec<Markup>, u64), what: &str, reader: &Reader<'_>) -> Markup {
        let left_out = count.saturating_sub(rows.len() as u64);
        html! {
            table.cards.detail.undo {
                thead { tr {
                    th scope="col" { "profile" }
                    @for head in ["old", "incident", "now"] { th scope="col" { (head) } }
                    th scope="col" { (reader.time_heading()) }
                    th scope="col" { "why" }
                } }
                tbody { @for row in rows { (row) } }
            }
            @if left_out > 0 {
                p.note {
                    (grouped(left_out)) " more " (what) "; all as "
                    @for format in ["xlsx", "csv", "jsonl"] {
                        a href=(with_query(format!("/incident.{format}"), &[("id", &self.id)])) download { (format) } " "
                    }
                }
            }
        }
    }
}

fn row(line: &UndoLine<'_>, reader: &Reader<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { (reader.profile(line.who)) }
            td data-label="old" { (Shown::of(line.old.as_ref(), SHORT)) }
            td data-label="incident" { (Shown::of(Some(&line.bad), SHORT)) }
            td data-label="now" {
                @match &line.now {
                    Some(now) => (Shown::of(Some(now), SHORT)),
                    None => span.nothing { "deleted" },
                }
            }
            td data-label="time" { (reader.line(&line.time)) " " a href=(event(line.seq)) { "event " (line.seq) } }
            td data-label="why" { @match line.left { Some(reason) => (reason.text()), None => "to restore" } }
        }
    }
}

/// The page of an incident that is not there.
pub fn missing(id: &str, reader: &Reader<'_>) -> Markup {
    let body = html! {
        p { "There is no incident " strong { (Text::new(id, SHORT)) } ", or its events were pruned." }
        p { a href="/incidents" { "All incidents" } }
    };
    message("No such incident", &body, Some(&reader.clock))
}

#[cfg(test)]
mod tests {
    use super::super::reader::Clock;
    use super::*;

    #[test]
    fn subprofiles_are_called_so() {
        let clock = Clock {
            zone: chrono_tz::UTC,
            now: 1_760_000_000,
        };
        let reader = Reader {
            clock,
            flags: "",
            titles: &(),
        };
        let mut page = Page::new("mail-1".to_owned());
        for (who, counted) in [
            (r#""subprofile":2"#, "1 subprofile"),
            (r#""subprofile":3"#, "2 subprofiles"),
            (r#""subprofile":null"#, "1 profile and 2 subprofiles"),
        ] {
            let line = format!(
                r#"{{"profile":1,{who},"field":"mail","bad":"x","seq":1,"time":"2025-10-09T08:00:00Z","left":null}}"#
            );
            page.take(&serde_json::from_str(&line).unwrap(), &reader);
            let text = page.render(&reader).into_string();
            assert!(text.contains(&format!("<dd>{counted}</dd>")), "{text}");
        }
    }
}
