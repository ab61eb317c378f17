//! `loops` for people: the groups, where there are several loops, and each loop.

use std::io::{self, Write};

use serde::Deserialize;

use super::card::{self, Row, Said, fact};
use super::cell::{Cell, Column};
use super::grid::Grid;
use super::printer::parse;
use crate::cli::bar::bar;
use crate::format::{
    Printer, Role, Text, View, counted, format_duration, grouped, key, label, listed, middle,
    subject, value_text,
};
use crate::query::{LoopGroupLine, LoopKind, LoopLine, LoopWriter};

/// The longest name of a field, in columns.
const NAME: usize = 60;

/// The longest bar, in characters.
const WIDTH: u64 = 20;

/// The most values of a writer.
const VALUES: usize = 3;

/// The longest value of a writer, in columns.
const VALUE: usize = 60;

/// What has no room is left out in this order: the bar, the time.
const GROUPS: [Column; 7] = [
    Column::elastic("FIELD", 6, 24),
    Column::elastic("BY", 8, 40),
    Column::fixed("LOOPS").right(),
    Column::fixed("GOING ON").right(),
    Column::fixed("CHANGES").right(),
    Column::fixed("").spare(2),
    Column::fixed("TIME").spare(1),
];

/// Writes loops.
pub struct Loops<'a> {
    view: View,
    out: &'a mut dyn Write,
    groups: Vec<LoopGroupLine<'static>>,
    written: u64,
}

/// What every line has.
#[derive(Deserialize)]
struct Kind<'a> {
    kind: &'a str,
}

impl<'a> Loops<'a> {
    pub const fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            out,
            groups: Vec::new(),
            written: 0,
        }
    }

    /// Writes the groups, if they tell more than the loops themselves.
    fn groups(&mut self) -> io::Result<()> {
        let groups = std::mem::take(&mut self.groups);
        if groups.iter().all(|group| group.loops < 2) {
            return Ok(());
        }
        let most = groups.iter().map(|group| group.changes).max().unwrap_or(0);
        let mut grid = Grid::of_view(&GROUPS, &self.view).of_few();
        for group in &groups {
            let labels = group.labels.iter();
            let mut by: Vec<_> = labels.map(|one| label(one.as_deref())).collect();
            if group.unexplained {
                by.push("unexplained".to_owned());
            }
            let count = |count| Cell::of(Role::Plain, grouped(count));
            let row = vec![
                subject(group.field.as_deref(), group.interest.as_deref()).into(),
                Cell::of(Role::Plain, by.join(", ")),
                count(group.loops),
                count(group.going_on),
                count(group.changes),
                Cell::of(Role::Plain, bar(group.changes, most, WIDTH)),
                Cell::of(
                    Role::Time,
                    self.view.format_range(&group.first, &group.last),
                ),
            ];
            grid.row(row, self.out)?;
        }
        self.written += 1;
        grid.finish(self.out)
    }

    fn one(&mut self, line: &LoopLine<'_>) -> io::Result<()> {
        if self.written > 0 {
            writeln!(self.out)?;
        }
        self.written += 1;
        let how = match line.kind {
            LoopKind::Turns => "turns",
            LoopKind::Rewrites => "is rewritten",
        };
        let name = subject(line.field.as_deref(), line.interest.as_deref());
        let mut title = Text::of(Role::Plain, key(line.profile, line.subprofile))
            .and(Role::Plain, "  ")
            .and(Role::Head, name.fit(NAME).text());
        let every = format_duration(i64::try_from(line.every).unwrap_or(i64::MAX));
        let times = counted(line.changes, "change");
        title.push(Role::Plain, format!(" {how}: {times}, one in {every}"));
        if line.going_on {
            title.push(Role::Plain, ", ");
            title.push(Role::Warning, "going on");
        }
        card::title(&title, &self.view, self.out)?;
        let when = self.view.format_range(&line.first, &line.last);
        let mut rows: Vec<Row> = vec![fact("when", Text::of(Role::Time, when))];
        for (number, writer) in line.writers.iter().enumerate() {
            rows.push(fact(if number == 0 { "by" } else { "" }, wrote(writer)));
        }
        let command = line.command.as_deref();
        rows.extend(command.map(|command| fact("see", Said::Command(command.to_owned()))));
        card::write(&rows, &self.view, self.out)
    }
}

fn wrote(writer: &LoopWriter<'_>) -> Text {
    let who = label(writer.label.as_deref());
    let mut text = if writer.claimed {
        Text::of(Role::Plain, format!("label {who} writes "))
    } else {
        Text::of(Role::Warning, "unexplained").and(Role::Plain, format!(", shown by label {who}: "))
    };
    let values = writer.values.iter();
    let values = values.map(|one| (middle(&value_text(&one.value), VALUE), one.changes));
    text.push(Role::New, listed(values, VALUES, false));
    text
}

impl Printer for Loops<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let Kind { kind } = parse(line)?;
        if kind == "group" {
            self.groups.push(parse(line)?);
            return Ok(());
        }
        self.groups()?;
        self.one(&parse(line)?)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.groups()
    }
}
