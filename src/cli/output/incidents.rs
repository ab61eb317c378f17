//! `incidents` for people: each with its commonest changes, and what to type next.

use std::io::{self, Write};

use super::card::{self, Row, Said, fact};
use super::cell::{Cell, Column};
use super::grid::Grid;
use super::grid::Headed;
use super::printer::parse;
use crate::cli::bar::bar;
use crate::format::{
    Change, Printer, Role, Side, Text, View, events, grouped, key, label, listed, of_many, plain,
    subject, width_of,
};
use crate::query::{IncidentLine, UndoLine};

/// The longest bar, in characters.
const WIDTH: u64 = 20;

/// The longest name of a field, in columns.
const NAME: usize = 60;

/// The most labels in a row.
const LABELS: usize = 6;

/// Writes incidents.
pub struct Incidents<'a> {
    view: View,
    out: &'a mut dyn Write,
    written: u64,
}

impl<'a> Incidents<'a> {
    pub const fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            out,
            written: 0,
        }
    }

    fn facts(&self, line: &IncidentLine<'_>) -> Vec<Row> {
        let mut shown = events(line.events, line.first_seq, line.last_seq);
        for (what, number) in [("database", line.database), ("collection", line.collection)] {
            if let Some(number) = number {
                shown.push_str(&format!(", {what} {number}"));
            }
        }
        shown.push_str(&format!("; usual in such a time: {}", grouped(line.usual)));
        let labels = line.labels.iter();
        let labels = labels.map(|one| (label(one.label.as_deref()), one.events));
        let causes = line.causes.iter();
        let causes = causes.map(|one| (plain(&one.cause), one.events));
        let when = self.view.format_range(&line.from, &line.until);
        vec![
            fact("when", Text::of(Role::Time, when)),
            fact("shown", Said::text(format!("by {shown}"))),
            fact("label", Said::text(listed(labels, LABELS, false))),
            fact("cause", Said::text(listed(causes, usize::MAX, false))),
        ]
    }

    /// The commonest changes: how many, a bar, and from what to what.
    fn pairs(&self, line: &IncidentLine<'_>) -> Vec<Row> {
        let most = line.pairs.iter().map(|pair| pair.events).max();
        let most = most.unwrap_or(0);
        let bars = if self.view.is_narrow() {
            WIDTH / 2
        } else {
            WIDTH
        };
        let wide = grouped(most).len();
        let rows = line.pairs.iter().map(|pair| {
            let count = grouped(pair.events);
            let bar = bar(pair.events, most, bars);
            let pad = " ".repeat(
                usize::try_from(bars)
                    .unwrap_or(0)
                    .saturating_sub(width_of(&bar)),
            );
            let name = Text::of(Role::Plain, format!("{count:>wide$} {bar}{pad}"));
            (name, Change::new(pair.old.as_ref(), &pair.new).into())
        });
        let mut rows: Vec<Row> = rows.collect();
        if line.more_pairs {
            rows.push((Text::default(), Text::of(Role::Dim, "and others").into()));
        }
        rows
    }
}

impl Printer for Incidents<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: IncidentLine<'_> = parse(line)?;
        if self.written > 0 {
            writeln!(self.out)?;
        }
        self.written += 1;
        let mut title = Text::of(Role::Seq, plain(&line.id)).and(Role::Plain, "  ");
        let name = subject(line.field.as_deref(), line.interest.as_deref());
        title.push(Role::Head, name.fit(NAME).text());
        let many = of_many(line.profiles, line.subprofiles);
        title.push(Role::Plain, format!(" of {many} changed at once"));
        card::title(&title, &self.view, self.out)?;
        card::write(&self.facts(&line), &self.view, self.out)?;
        card::write(&self.pairs(&line), &self.view, self.out)?;
        let commands = [("see", &line.command), ("undo", &line.undo)];
        let commands = commands.into_iter().filter_map(|(name, command)| {
            let command = command.as_deref()?;
            Some(fact(name, Said::Command(command.to_owned())))
        });
        let commands: Vec<Row> = commands.collect();
        card::write(&commands, &self.view, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What has no room is left out in this order: the event's time, its number,
/// what is there now.
const UNDO: [Column; 8] = [
    Column::fixed("WHO"),
    Column::elastic("FIELD", 6, 24),
    Column::elastic("OLD", 8, usize::MAX),
    Column::elastic("BAD", 8, usize::MAX),
    Column::elastic("NOW", 8, usize::MAX).spare(1).hidden(),
    Column::fixed("LEFT ALONE").hidden(),
    Column::fixed("SEQ").right().spare(2),
    Column::fixed("TIME").spare(3),
];

/// The place of the column of times.
const TIME: usize = 7;

/// Writes what each (sub)profile of an incident had and has.
pub struct Undo<'a> {
    view: View,
    grid: Grid,
    times: Headed,
    out: &'a mut dyn Write,
}

impl<'a> Undo<'a> {
    pub fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            grid: Grid::of_view(&UNDO, &view),
            times: Headed::new(TIME, "TIME"),
            out,
        }
    }
}

impl Printer for Undo<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: UndoLine<'_> = parse(line)?;
        let styles = self.view.styles;
        let now = line.now.as_ref();
        let now = now.map(|now| Side::new_value(now).text(styles));
        let left = line.left.map(|left| left.text());
        let row = vec![
            Cell::of(Role::Plain, key(line.profile, line.subprofile)),
            subject(line.field.as_deref(), line.interest.as_deref()).into(),
            Side::old_value(line.old.as_ref()).text(styles).into(),
            Side::old_value(Some(&line.bad)).text(styles).into(),
            now.unwrap_or_default().into(),
            Cell::of(Role::Warning, left.unwrap_or_default()),
            Cell::of(Role::Seq, line.seq.to_string()),
            Cell::of(
                Role::Time,
                self.times.time(&line.time, &self.view, &mut self.grid),
            ),
        ];
        self.grid.row(row, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}
