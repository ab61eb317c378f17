//! The page, section by section.

use std::io::{self, Write};

use maud::{Markup, PreEscaped, html};

use super::head::head;
use super::words::{Words, how_to_check, legend, observed, sender, subject, text, value};
use crate::event::{ProfileKey, Zone};
use crate::format::{Printer, counted, is_at_latest, size, who};
use crate::history::Origin;
use crate::query::dossier::lines::{
    AboutPart, DossierLine, GapPart, KeyPart, NowPart, StatePart, ValuePart,
};
use crate::query::lines::HistoryLine;

/// About how many bytes a section has at most: browsers do not show much larger pages.
const SECTION_LEN: u64 = 16 << 20;

/// A section after the head.
struct Section {
    id: &'static str,
    name: &'static str,
    /// Its purpose.
    lead: &'static str,
    /// Its text if it has no line.
    empty: &'static str,
    /// The class and the heading of each column; without any, its lines are a list.
    columns: &'static [(&'static str, &'static str)],
}

const SECTIONS: [Section; 6] = [
    Section {
        id: "now",
        name: "As it is on ",
        lead: "Every value, since when it holds, and how that is known.",
        empty: "None.",
        columns: &[
            ("k", "What"),
            ("", "Value"),
            ("t", "Since"),
            ("h", "How that is known"),
        ],
    },
    Section {
        id: "values",
        name: "Values over time",
        lead: "Each value with its beginning and its end. Green rows still hold.",
        empty: "None.",
        columns: &[
            ("", "Value"),
            ("t", "From"),
            ("t", "Until"),
            ("h", "How that is known"),
        ],
    },
    Section {
        id: "gaps",
        name: "What is not known",
        lead: "The known gaps of this trail.",
        empty: "Nothing is known to be missing.",
        columns: &[],
    },
    Section {
        id: "events",
        name: "The events",
        lead: "Every call in this dossier, the oldest first. Duplicates are counted above and left out.",
        empty: "No event.",
        columns: &[
            ("n", "Event"),
            ("t", "When"),
            ("", "What it changed"),
            ("s", "Who sent it"),
        ],
    },
    Section {
        id: "evidence",
        name: "How to check this",
        lead: "Copernica signs its calls; the proof of each is kept with it.",
        empty: "None of these events carries a signature that is kept, so none can be proven in this way.",
        columns: &[("", "Key"), ("n", "Events"), ("", "To check one of them")],
    },
    Section {
        id: "words",
        name: "What the words mean",
        lead: "",
        empty: "",
        columns: &[],
    },
];

/// Writes a dossier's lines as a page.
pub struct Page<'a> {
    out: &'a mut dyn Write,
    words: Words,
    about: Option<AboutPart<'static>>,
    /// The sections that have not begun.
    coming: std::slice::Iter<'static, Section>,
    /// The one that has.
    section: Option<&'static Section>,
    /// The closing tags of the open table or list.
    open: Option<&'static str>,
    /// The heading of the open table or list.
    group: Option<String>,
    /// How many lines the section has.
    lines: u64,
    /// How many bytes of it were written.
    written: u64,
    /// The lines of it that are left out: how many, and their bytes.
    left_out: (u64, u64),
}

impl<'a> Page<'a> {
    /// A page in the reader's zone.
    pub fn new(zone: Zone, out: &'a mut dyn Write) -> Self {
        Self {
            out,
            words: Words { zone },
            about: None,
            coming: SECTIONS.iter(),
            section: None,
            open: None,
            group: None,
            lines: 0,
            written: 0,
            left_out: (0, 0),
        }
    }

    fn put(&mut self, markup: PreEscaped<impl AsRef<str>>) -> io::Result<()> {
        let text = markup.0.as_ref();
        self.written += text.len() as u64;
        self.out.write_all(text.as_bytes())
    }

    /// Closes the table or list that is open.
    fn close(&mut self) -> io::Result<()> {
        self.group = None;
        self.open
            .take()
            .map_or(Ok(()), |end| self.put(PreEscaped(end)))
    }

    /// Opens the section's table or list, unless it is open.
    fn open(&mut self) -> io::Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        let columns = self.section.map_or(&[][..], |section| section.columns);
        if columns.is_empty() {
            self.open = Some("</ul>\n");
            return self.put(PreEscaped("<ul>\n"));
        }
        self.open = Some("</tbody></table>\n");
        self.put(html! {
            (PreEscaped("<table>"))
            thead { tr { @for (class, name) in columns { th class=(class) scope="col" { (name) } } } }
            (PreEscaped("<tbody>\n"))
        })
    }

    /// Continues with a section; earlier sections without a line say so.
    fn go_to(&mut self, id: &str) -> io::Result<()> {
        while self.section.is_none_or(|section| section.id != id)
            && let Some(next) = self.coming.next()
        {
            if let Some(section) = self.section.replace(next) {
                self.close()?;
                if self.lines == 0 {
                    self.put(html! { p.note { (section.empty) } })?;
                }
                self.say_left_out()?;
                self.put(PreEscaped("</section>\n"))?;
            }
            self.lines = 0;
            self.written = 0;
            self.put(html! { (PreEscaped("<section id=\"")) (next.id) (PreEscaped("\">")) })?;
            self.put(html! {
                h2 {
                    (next.name)
                    @if next.id == "now" && let Some(about) = &self.about { (self.words.time(&about.at)) }
                }
                @if !next.lead.is_empty() { p.lead { (next.lead) } }
                @if next.id == "evidence" {
                        (how_to_check(self.about.as_ref().and_then(|about| about.checkpoint.as_deref())))
                    }
            })?;
        }
        self.lines += 1;
        Ok(())
    }

    /// Says how much of the section is left out, and how to see it.
    fn say_left_out(&mut self) -> io::Result<()> {
        let (count, len) = std::mem::take(&mut self.left_out);
        if count == 0 {
            return Ok(());
        }
        let key = self.about.as_ref().map(|about| about.who.to_string());
        let command = format!(
            "profiletrail dossier {} --format jsonl",
            key.unwrap_or_default()
        );
        self.put(html! {
            p {
                span.warn {
                    (counted(count, "line")) " (" (size(len)) ") more than a browser can show are left out here."
                }
                " " code { (command) } " has them all; a dossier of one field or of a shorter span is smaller."
            }
        })
    }

    fn state(&self, line: &StatePart) -> Markup {
        let words = self.words;
        html! {
            h3 { (who(line.who)) }
            p {
                @match line.state.as_str() {
                    "present" => "It is there.",
                    "deleted" => {
                        "It is deleted"
                        @match &line.cascade {
                            Some(end) => { ": its profile was, on " (words.time(&end.time)) " (event " (end.seq) ")." },
                            None => ".",
                        }
                    },
                    _ => "No event shows what it was then.",
                }
                @if let Some(number) = line.database { " Database " (number) "." }
                @if let Some(number) = line.collection { " Collection " (number) "." }
                @if let Some(created) = &line.created { " Created " (text(created)) "." }
                @if let Some(modified) = &line.modified { " Modified " (text(modified)) "." }
                " " (counted(line.events, "event"))
                @if line.duplicates > 0 { ", " (counted(line.duplicates, "duplicate")) }
                "."
            }
        }
    }

    fn now(&self, line: &NowPart<'_>) -> Markup {
        let words = self.words;
        html! {
            tr {
                td { (subject(&line.subject)) }
                td.v { (value(&line.value)) }
                td {
                    @match (&line.since, &line.ended) {
                        (Some(origin), _) => (self.begun(origin)),
                        (None, Some(ending)) => (words.moment(ending.time)),
                        (None, None) => "",
                    }
                }
                td {
                    @match (&line.since, &line.ended) {
                        (Some(origin), _) => (words.origin(origin)),
                        (None, Some(ending)) => { "it was there until then; " (words.ending(ending)) },
                        (None, None) => "no event has ever shown it",
                    }
                }
            }
            "\n"
        }
    }

    /// A beginning; of some it is known only that it was no later.
    fn begun(&self, origin: &Origin) -> Markup {
        let unsure = is_at_latest(&origin.cause);
        html! { (self.words.moment(origin.time)) @if unsure { " " span.warn { "or earlier" } } }
    }

    fn value(&self, line: &ValuePart<'_>) -> Markup {
        let words = self.words;
        html! {
            tr class=[line.until.is_none().then_some("now")] {
                td.v { (value(&line.value)) }
                td { (self.begun(&line.since)) }
                td {
                    @match &line.until {
                        None => "it lasts",
                        Some(until) => {
                            (words.moment(until.time))
                            @if matches!(&*until.cause, "unexplained" | "observed" | "baseline") { " " span.warn { "or earlier" } }
                        },
                    }
                }
                td {
                    (words.origin(&line.since))
                    @if let Some(until) = &line.until { div.note { "Until " (words.ending(until)) } }
                }
            }
            "\n"
        }
    }

    fn gap(&self, line: &GapPart<'_>) -> Markup {
        let words = self.words;
        let owner = line.profile.map(|profile| {
            let subprofile = line.subprofile;
            who(ProfileKey {
                profile,
                subprofile,
            })
        });
        let time = |time: &Option<String>| {
            html! { @match time { Some(time) => (words.time(time)), None => "an unknown moment" } }
        };
        let (since, until) = (time(&line.since), time(&line.until));
        let count = line.fields.len() + line.interests.len();
        let names = html! {
            @for (number, name) in line.fields.iter().enumerate() { @if number > 0 { ", " } b { (text(name)) } }
            @for (number, name) in line.interests.iter().enumerate() {
                @if number > 0 || !line.fields.is_empty() { ", " } "interest " b { (text(name)) }
            }
        };
        html! {
            li {
                @if let Some(owner) = &owner { (owner) ": " }
                @match &*line.kind {
                    "unexplained" => {
                        "between " (since) " and " (until) " changed without a call: " (names)
                    },
                    "first_seen" => {
                        "what was before " (until) " is not known of " (count) @if count == 1 { " value: " } @else { " values: " } (names)
                    },
                    "pruned" => { "events up to " (until) " were removed; the last known values remain" },
                    "lost" => { "events are known to be lost: " (text(line.text.as_deref().unwrap_or_default())) },
                    _ => { "events cannot be read: " (text(line.text.as_deref().unwrap_or_default())) },
                }
                @if let Some(seq) = line.seq { " (event " (seq) ")" }
                "."
            }
            "\n"
        }
    }

    fn event(&self, line: &HistoryLine<'_>) -> Markup {
        let words = self.words;
        html! {
            tr {
                td { b { (line.seq) } " " (text(&line.event_type)) }
                td {
                    (words.time(&line.time))
                    @if line.time_source == crate::event::TimeSource::Received { " " span.note { "(when it arrived)" } }
                    div.note { (who(line.who)) }
                }
                td {
                    @for change in &line.changes { (words.change(change)) }
                    @if line.changes.is_empty() { span.none { "no change" } }
                }
                td {
                    @match &line.observed {
                        Some(seen) => (observed(line.label.as_deref(), seen)),
                        None => (sender(line.label.as_deref(), line.remote.as_ref().and_then(Option::as_deref), line.verified, line.key.as_deref())),
                    }
                }
            }
            "\n"
        }
    }
}

/// A key by which events were verified.
fn verified_by(line: &KeyPart<'_>) -> Markup {
    let command = format!("profiletrail evidence {0} --out event-{0}", line.example);
    html! {
        tr {
            td { code { (text(&line.key)) } }
            td { (line.events) }
            td { code { (command) } }
        }
        "\n"
    }
}

impl Printer for Page<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let (len, line) = (line.len() as u64, serde_json::from_slice(line)?);
        self.go_to(match &line {
            DossierLine::About(about) => {
                self.about = Some(about.clone());
                return Ok(());
            }
            DossierLine::Total(total) => {
                let head = self
                    .about
                    .as_ref()
                    .map(|about| head(self.words, about, total));
                return head.map_or(Ok(()), |head| self.put(head));
            }
            DossierLine::State(_) | DossierLine::Now(_) => "now",
            DossierLine::Value(_) => "values",
            DossierLine::Gap(_) => "gaps",
            DossierLine::Event(_) => "events",
            DossierLine::Key(_) => "evidence",
        })?;
        if self.written > SECTION_LEN {
            self.left_out.0 += 1;
            self.left_out.1 += len;
            return Ok(());
        }
        let heading = match &line {
            DossierLine::State(line) => Some(self.state(line)),
            DossierLine::Value(line) => Some(html! {
                h3 { (subject(&line.subject)) " " span.note { "of " (who(line.who)) } }
            }),
            _ => None,
        };
        // A table of any length has one heading.
        if let Some(heading) = heading
            && self.group.as_ref() != Some(&heading.0)
        {
            self.close()?;
            self.group = Some(heading.0.clone());
            self.put(heading)?;
        }
        let row = match &line {
            DossierLine::Now(line) => self.now(line),
            DossierLine::Value(line) => self.value(line),
            DossierLine::Gap(line) => self.gap(line),
            DossierLine::Event(line) => self.event(line),
            DossierLine::Key(line) => verified_by(line),
            DossierLine::About(_) | DossierLine::Total(_) | DossierLine::State(_) => return Ok(()),
        };
        self.open()?;
        self.put(row)
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(about) = self.about.clone() else {
            return Ok(());
        };
        self.go_to("words")?;
        let (zone, made) = (self.words.zone, self.words.time(&about.made));
        self.put(html! {
            (legend())
            (PreEscaped("</section>\n"))
            footer {
                "Dossier of " (who(about.who)) ", made " (made) " by profiletrail "
                (about.version) ". Times are of the zone " (zone.name()) "."
            }
            (PreEscaped("</body></html>\n"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::dossier::lines::TotalPart;

    #[test]
    fn a_section_that_is_too_large_says_what_is_left_out() {
        let mut out = Vec::new();
        let mut page = Page::new(chrono_tz::UTC, &mut out);
        let about = r#"{"part":"about","profile":7,"subprofile":null,"fields":[],"interests":[],"since":null,"at":"2026-01-01T00:00:00Z","made":"2026-01-01T00:00:00Z","version":"1"}"#;
        page.line(about.as_bytes()).unwrap();
        let total = serde_json::to_string(&DossierLine::Total(TotalPart::default())).unwrap();
        page.line(total.as_bytes()).unwrap();
        let long = "x".repeat(1 << 20);
        for seq in 0..40 {
            let value = format!(
                r#"{{"part":"value","profile":7,"subprofile":null,"field":"a","value":"{long}","since":{{"seq":{seq},"time":"2026-01-01T00:00:00Z","type":"update","cause":"set","label":null,"remote":null}},"until":null}}"#
            );
            page.line(value.as_bytes()).unwrap();
        }
        let key = r#"{"part":"key","key":"k","events":1,"example":3}"#;
        page.line(key.as_bytes()).unwrap();
        page.finish().unwrap();
        let page = String::from_utf8(out).unwrap();
        assert!(page.len() < 18 << 20, "{}", page.len());
        assert!(page.contains("24 lines (24"));
        assert!(page.contains("profiletrail dossier 7 --format jsonl"));
        assert!(page.contains("profiletrail evidence 3") && page.ends_with("</body></html>\n"));
    }
}
