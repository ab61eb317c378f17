//! `gaps` for people: what is known of each finding, in a few lines.

use std::io::{self, Write};

use super::brief::{bold, label, profiles, span, subject};
use super::number::{counted, grouped};
use super::printer::Printer;
use super::sanitize::plain;
use crate::cli::setting::Setting;
use crate::event::Zone;
use crate::query::{GapKind, GapLine};

/// The most names in a row.
const NAMES: usize = 6;

/// Writes findings.
pub struct Gaps<'a> {
    zone: Zone,
    color: bool,
    out: &'a mut dyn Write,
    written: u64,
}

impl<'a> Gaps<'a> {
    pub fn new(setting: &Setting, out: &'a mut dyn Write) -> Self {
        Self {
            zone: setting.reader_zone,
            color: setting.color,
            out,
            written: 0,
        }
    }

    fn title(&self, line: &GapLine<'_>) -> String {
        let what = format!(
            "{} of {}",
            counted(line.changes, "unexplained change"),
            profiles(line.profiles, line.subprofiles)
        );
        let name = line
            .fields
            .first()
            .map(|one| subject(one.field.as_deref(), one.interest.as_deref()));
        let name = name.unwrap_or_default();
        match (line.kind, &line.since, &line.until) {
            (GapKind::Lost, Some(since), Some(until)) => {
                let how = match line.within_one {
                    Some(true) => "calls lost at a moment",
                    _ => "calls lost at the beginning and the end",
                };
                format!(
                    "{what}: {how} from {} would explain them",
                    span(self.zone, since, until)
                )
            }
            (GapKind::SilentField, ..) => {
                format!("{what}: {name} changes without a call that says so")
            }
            _ => format!("{what}: {name}, here and there"),
        }
    }

    fn facts(&self, line: &GapLine<'_>) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if line.kind == GapKind::Lost {
            let names = line.fields.iter().map(|one| {
                let name = subject(one.field.as_deref(), one.interest.as_deref());
                (name, one.changes)
            });
            facts.push(("fields", some(names.collect(), line.more_fields)));
        }
        let labels = line.labels.iter();
        let labels = labels.map(|one| (label(one.label.as_deref()), one.events));
        facts.push((
            "shown",
            format!(
                "by {}, {} to {}, of label {}",
                counted(line.events, "event"),
                line.first_seq,
                line.last_seq,
                some(labels.collect(), false)
            ),
        ));
        facts.push((
            "between",
            span(self.zone, &line.outer_since, &line.outer_until),
        ));
        if let Some(by_chance) = line.by_chance.filter(|count| *count > 0) {
            facts.push((
                "chance",
                format!("about {} would be there anyway", grouped(by_chance)),
            ));
        }
        // Of what is scattered every label is one of those that usually do.
        let set_by = line
            .set_by
            .iter()
            .filter(|_| line.kind != GapKind::Scattered);
        for one in set_by.take(NAMES) {
            let usually = format!(
                "label {} claims {} of these fields",
                label(one.label.as_deref()),
                counted(one.changes, "change")
            );
            facts.push((
                "set by",
                match one.calls {
                    None => usually,
                    Some(0) => format!("{usually}, and none of its calls is of that span"),
                    Some(calls) => format!("{usually}; {} of that span", counted(calls, "call")),
                },
            ));
        }
        if let Some(quiet) = &line.quiet {
            let stretch = span(self.zone, &quiet.since, &quiet.until);
            facts.push(("quiet", format!("no call at all in {stretch}")));
        }
        if let Some(command) = &line.command {
            facts.push(("see", plain(command)));
        }
        facts
    }
}

/// Names with their numbers.
fn some(names: Vec<(String, u64)>, more: bool) -> String {
    let more = more || names.len() > NAMES;
    let named: Vec<_> = names
        .iter()
        .take(NAMES)
        .map(|(name, count)| format!("{name} ({})", grouped(*count)))
        .collect();
    let and_others = if more { ", and others" } else { "" };
    format!("{}{and_others}", named.join(", "))
}

impl Printer for Gaps<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: GapLine<'_> = serde_json::from_slice(line)?;
        if self.written > 0 {
            writeln!(self.out)?;
        }
        self.written += 1;
        writeln!(self.out, "{}", bold(self.color, &self.title(&line)))?;
        for (name, fact) in self.facts(&line) {
            writeln!(self.out, "  {name:<8} {fact}")?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
