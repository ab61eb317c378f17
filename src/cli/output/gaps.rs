//! `gaps` for people: what is known of each finding, in a few lines.

use std::io::{self, Write};

use super::card::{self, Row, Said, fact};
use super::printer::parse;
use crate::format::{
    Printer, Role, Text, View, counted, events, grouped, label, listed, of_many, subject,
};
use crate::query::{GapKind, GapLine};

/// The most names in a row.
const NAMES: usize = 6;

/// The longest name of a field, in columns.
const NAME: usize = 60;

/// Writes findings.
pub struct Gaps<'a> {
    view: View,
    out: &'a mut dyn Write,
    written: u64,
}

impl<'a> Gaps<'a> {
    pub const fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            out,
            written: 0,
        }
    }

    fn title(&self, line: &GapLine<'_>) -> Text {
        let what = format!(
            "{} of {}",
            counted(line.changes, "unexplained change"),
            of_many(line.profiles, line.subprofiles)
        );
        let mut title = Text::of(Role::Head, what).and(Role::Plain, ": ");
        let name = line.fields.first();
        let name = name.map(|one| subject(one.field.as_deref(), one.interest.as_deref()));
        let mut of_field = |what: &str| {
            title.append(name.clone().unwrap_or_default().fit(NAME));
            title.push(Role::Plain, what);
        };
        match (line.kind, &line.since, &line.until) {
            (GapKind::Lost, Some(since), Some(until)) => {
                let how = match line.within_one {
                    Some(true) => "calls lost at a moment",
                    _ => "calls lost at the beginning and the end",
                };
                title.push(Role::Plain, format!("{how} from "));
                title.push(Role::Time, self.view.format_range(since, until));
                title.push(Role::Plain, " would explain them");
            }
            (GapKind::SilentField, ..) => of_field(" changes without a call that says so"),
            _ => of_field(", here and there"),
        }
        title
    }

    fn facts(&self, line: &GapLine<'_>) -> Vec<Row> {
        let mut facts = Vec::new();
        if line.kind == GapKind::Lost {
            let names = line.fields.iter().map(|one| {
                let name = subject(one.field.as_deref(), one.interest.as_deref());
                (name.fit(NAME).text(), one.changes)
            });
            let names = listed(names, NAMES, line.more_fields);
            facts.push(fact("fields", Said::text(names)));
        }
        let labels = line.labels.iter();
        let labels = labels.map(|one| (label(one.label.as_deref()), one.events));
        let shown = format!(
            "by {}, of label {}",
            events(line.events, line.first_seq, line.last_seq),
            listed(labels, NAMES, false)
        );
        facts.push(fact("shown", Said::text(shown)));
        let between = self.view.format_range(&line.outer_since, &line.outer_until);
        facts.push(fact("between", Text::of(Role::Time, between)));
        if let Some(by_chance) = line.by_chance.filter(|count| *count > 0) {
            let chance = format!("about {} would be there anyway", grouped(by_chance));
            facts.push(fact("chance", Said::text(chance)));
        }
        // Of what is scattered every label is one of those that usually do.
        let set_by = line.set_by.iter();
        let set_by = set_by.filter(|_| line.kind != GapKind::Scattered);
        for (number, one) in set_by.take(NAMES).enumerate() {
            let usually = format!(
                "label {} claims {} of these fields",
                label(one.label.as_deref()),
                counted(one.changes, "change")
            );
            let told = match one.calls {
                None => usually,
                Some(0) => format!("{usually}, and none of its calls is of that span"),
                Some(calls) => format!("{usually}; {} of that span", counted(calls, "call")),
            };
            facts.push(fact(
                if number == 0 { "set by" } else { "" },
                Said::text(told),
            ));
        }
        if let Some(quiet) = &line.quiet {
            let stretch = self.view.format_range(&quiet.since, &quiet.until);
            let text = Text::of(Role::Warning, "no call at all")
                .and(Role::Plain, " in ")
                .and(Role::Time, stretch);
            facts.push(fact("quiet", text));
        }
        let command = line.command.as_deref();
        facts.extend(command.map(|command| fact("see", Said::Command(command.to_owned()))));
        facts
    }
}

impl Printer for Gaps<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: GapLine<'_> = parse(line)?;
        if self.written > 0 {
            writeln!(self.out)?;
        }
        self.written += 1;
        card::title(&self.title(&line), &self.view, self.out)?;
        card::write(&self.facts(&line), &self.view, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
