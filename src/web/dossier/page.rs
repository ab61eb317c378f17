//! The page, section by section.

use std::io::{self, Write};

use bytesize::ByteSize;
use maud::{Markup, PreEscaped, html};

use super::head::head;
use super::section::{Section, how_to_check};
use super::words::{Words, legend, observed, sender, subject, text, value};
use crate::event::Zone;
use crate::format::{Printer, counted, key, who};
use crate::query::dossier::lines::{
    AboutPart, DossierLine, EventPart, GapPart, KeyPart, NowPart, StatePart, TotalPart, ValuePart,
};

/// About how many bytes a section has at most: browsers do not show much larger pages.
const SECTION_LEN: u64 = 16 << 20;

/// Writes a dossier's lines as a page.
pub struct Page<'a> {
    out: &'a mut dyn Write,
    words: Words,
    section: Section,
    about: Option<AboutPart<'static>>,
    /// What closes the table or list that is open.
    open: Option<&'static str>,
    /// What the open table of values is of.
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
            section: Section::Head,
            about: None,
            open: None,
            group: None,
            lines: 0,
            written: 0,
            left_out: (0, 0),
        }
    }

    fn put(&mut self, markup: Markup) -> io::Result<()> {
        let text = markup.into_string();
        self.written += text.len() as u64;
        self.out.write_all(text.as_bytes())
    }

    fn raw(&mut self, markup: &'static str) -> io::Result<()> {
        self.out.write_all(markup.as_bytes())
    }

    fn close(&mut self) -> io::Result<()> {
        self.group = None;
        match self.open.take() {
            Some(end) => self.raw(end),
            None => Ok(()),
        }
    }

    fn open_table(&mut self, columns: &[(&str, &str)]) -> io::Result<()> {
        self.close()?;
        self.raw("<table><thead>")?;
        self.put(html! {
            tr { @for (class, name) in columns { th class=(class) scope="col" { (name) } } }
        })?;
        self.raw("</thead><tbody>\n")?;
        self.open = Some("</tbody></table>\n");
        Ok(())
    }

    /// Goes on to a section; those before it that had no line say so.
    fn go_to(&mut self, section: Section) -> io::Result<()> {
        while self.section < section {
            if self.section > Section::Head {
                self.close()?;
                if self.lines == 0 {
                    let empty = self.section.empty();
                    self.put(html! { p.note { (empty) } })?;
                }
                self.say_left_out()?;
                self.raw("</section>\n")?;
            }
            self.section = self.section.next();
            self.lines = 0;
            self.written = 0;
            self.begin()?;
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
        let key = self
            .about
            .as_ref()
            .map(|about| key(about.profile, about.subprofile));
        let command = format!(
            "profiletrail dossier {} --format jsonl",
            key.unwrap_or_default()
        );
        self.put(html! {
            p {
                span.warn {
                    (counted(count, "line")) " (" (ByteSize(len).display().iec()) ") more than a browser can show are left out here."
                }
                " " code { (command) } " has them all; a dossier of one field or of a shorter span is smaller."
            }
        })
    }

    /// Begins the section.
    fn begin(&mut self) -> io::Result<()> {
        let words = self.words;
        let at = html! { @if let Some(about) = &self.about { (words.time(&about.at)) } };
        let Some((id, name, lead)) = self.section.begin(at) else {
            return Ok(());
        };
        self.put(html! { (PreEscaped("<section id=\"")) (id) (PreEscaped("\">")) })?;
        self.put(html! { h2 { (name) } @if !lead.is_empty() { p.lead { (lead) } } })?;
        if self.section == Section::Evidence {
            self.put(how_to_check())?;
        }
        Ok(())
    }

    fn head(&mut self, total: &TotalPart) -> io::Result<()> {
        match &self.about {
            Some(about) => self.put(head(self.words, about, total)),
            None => Ok(()),
        }
    }

    fn state(&mut self, line: &StatePart) -> io::Result<()> {
        self.close()?;
        let words = self.words;
        self.put(html! {
            h3 { (who(line.profile, line.subprofile)) }
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
        })
    }

    fn now(&mut self, line: &NowPart<'_>) -> io::Result<()> {
        if self.open.is_none() {
            self.open_table(&[
                ("k", "What"),
                ("", "Value"),
                ("t", "Since"),
                ("h", "How that is known"),
            ])?;
        }
        let words = self.words;
        self.put(html! {
            tr {
                td { (subject(line.field.as_deref(), line.interest.as_deref())) }
                td.v { (value(&line.value)) }
                td {
                    @match (&line.since, &line.ended) {
                        (Some(origin), _) => (self.begun(&origin.time, &origin.cause)),
                        (None, Some(ending)) => (words.time(&ending.time)),
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
        })
    }

    /// A beginning; of some it is known only that it was no later.
    fn begun(&self, time: &str, cause: &str) -> Markup {
        let unsure = matches!(
            cause,
            "unexplained" | "observed" | "first_seen" | "baseline"
        );
        html! { (self.words.time(time)) @if unsure { " " span.warn { "or earlier" } } }
    }

    fn value(&mut self, line: &ValuePart<'_>) -> io::Result<()> {
        let of = (line.profile, line.subprofile, &line.field, &line.interest);
        let group = format!("{of:?}");
        if self.group.as_ref() != Some(&group) {
            self.close()?;
            let name = subject(line.field.as_deref(), line.interest.as_deref());
            let owner = who(line.profile, line.subprofile);
            self.put(html! { h3 { (name) " " span.note { "of " (owner) } } })?;
            self.open_table(&[
                ("", "Value"),
                ("t", "From"),
                ("t", "Until"),
                ("h", "How that is known"),
            ])?;
            self.group = Some(group);
        }
        let words = self.words;
        self.put(html! {
            tr class=[line.until.is_none().then_some("now")] {
                td.v { (value(&line.value)) }
                td { (self.begun(&line.since.time, &line.since.cause)) }
                td {
                    @match &line.until {
                        None => "it lasts",
                        Some(until) => {
                            (words.time(&until.time))
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
        })
    }

    fn gap(&mut self, line: &GapPart<'_>) -> io::Result<()> {
        if self.open.is_none() {
            self.raw("<ul>\n")?;
            self.open = Some("</ul>\n");
        }
        let words = self.words;
        let owner = line.profile.map(|profile| who(profile, line.subprofile));
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
        self.put(html! {
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
        })
    }

    fn event(&mut self, line: &EventPart<'_>) -> io::Result<()> {
        if self.open.is_none() {
            self.open_table(&[
                ("n", "Event"),
                ("t", "When"),
                ("", "What it changed"),
                ("s", "Who sent it"),
            ])?;
        }
        let words = self.words;
        self.put(html! {
            tr {
                td { b { (line.seq) } " " (text(&line.event_type)) }
                td {
                    (words.time(&line.time))
                    @if line.time_source == crate::event::TimeSource::Received { " " span.note { "(when it arrived)" } }
                    div.note { (who(line.profile, line.subprofile)) }
                }
                td {
                    @for change in &line.changes { (words.change(change)) }
                    @if line.changes.is_empty() { span.none { "no change" } }
                }
                td {
                    @match &line.observed {
                        Some(seen) => (observed(line.label.as_deref(), seen)),
                        None => (sender(line.label.as_deref(), line.remote.as_deref(), line.verified, line.key.as_deref())),
                    }
                }
            }
            "\n"
        })
    }

    fn key(&mut self, line: &KeyPart<'_>) -> io::Result<()> {
        if self.open.is_none() {
            self.open_table(&[("", "Key"), ("n", "Events"), ("", "To check one of them")])?;
        }
        let command = format!("profiletrail evidence {0} --out event-{0}", line.example);
        self.put(html! {
            tr {
                td { code { (text(&line.key)) } }
                td { (line.events) }
                td { code { (command) } }
            }
            "\n"
        })
    }
}

impl Printer for Page<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let (len, line) = (line.len() as u64, serde_json::from_slice(line)?);
        let section = match &line {
            DossierLine::About(_) | DossierLine::Total(_) => Section::Head,
            DossierLine::State(_) | DossierLine::Now(_) => Section::Now,
            DossierLine::Value(_) => Section::Values,
            DossierLine::Gap(_) => Section::Gaps,
            DossierLine::Event(_) => Section::Events,
            DossierLine::Key(_) => Section::Evidence,
        };
        if section > Section::Head {
            self.go_to(section)?;
        }
        if self.written > SECTION_LEN {
            self.left_out.0 += 1;
            self.left_out.1 += len;
            return Ok(());
        }
        match line {
            DossierLine::About(about) => {
                self.about = Some(about);
                Ok(())
            }
            DossierLine::Total(total) => self.head(&total),
            DossierLine::State(line) => self.state(&line),
            DossierLine::Now(line) => self.now(&line),
            DossierLine::Value(line) => self.value(&line),
            DossierLine::Gap(line) => self.gap(&line),
            DossierLine::Event(line) => self.event(&line),
            DossierLine::Key(line) => self.key(&line),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(about) = self.about.clone() else {
            return Ok(());
        };
        self.go_to(Section::Legend)?;
        let (zone, made) = (self.words.zone, self.words.time(&about.made));
        self.put(html! {
            (legend())
            (PreEscaped("</section>\n"))
            footer {
                "Dossier of " (who(about.profile, about.subprofile)) ", made " (made) " by profiletrail "
                (about.version) ". Times are of the zone " (zone.name()) "."
            }
            (PreEscaped("</body></html>\n"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
