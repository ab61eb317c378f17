//! `loops` for people: the groups, where there are several loops, and each loop.

use std::io::{self, Write};

use serde::Deserialize;

use super::details::{self, Field, FieldValue, field};
use super::grid::{Cell, Layout};
use super::table::{CellContext, Column, TablePrinter, parse};
use crate::cli::bar::bar;
use crate::format::{
    Printer, Role, Text, View, counted, format_duration, key, label, listed, middle, subject,
    value_text,
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

/// A group, with the most changes of any.
struct Group {
    line: LoopGroupLine<'static>,
    most: u64,
}

const GROUPS: &[Column<Group>] = &[
    Layout::elastic("FIELD", 6, 24).cell(|group, _| {
        let line = &group.line;
        subject(line.field.as_deref(), line.interest.as_deref()).into()
    }),
    Layout::elastic("BY", 8, 40).cell(|group, _| {
        let labels = group.line.labels.iter();
        let mut by: Vec<_> = labels.map(|one| label(one.as_deref())).collect();
        if group.line.unexplained {
            by.push("unexplained".to_owned());
        }
        Cell::of(Role::Plain, by.join(", "))
    }),
    Layout::fixed("LOOPS")
        .right()
        .cell(|group, _| Cell::number(group.line.loops)),
    Layout::fixed("GOING ON")
        .right()
        .cell(|group, _| Cell::number(group.line.going_on)),
    Layout::fixed("CHANGES")
        .right()
        .cell(|group, _| Cell::number(group.line.changes)),
    Layout::fixed("")
        .drop_priority(2)
        .cell(|group, _| Cell::of(Role::Plain, bar(group.line.changes, group.most, WIDTH))),
    Layout::fixed("TIME")
        .drop_priority(1)
        .cell(|group, context| {
            let (first, last) = (&group.line.first, &group.line.last);
            Cell::of(Role::Time, context.view.format_range(first, last))
        }),
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

    /// Writes the groups if they add anything to the loops themselves.
    fn groups(&mut self) -> io::Result<()> {
        let groups = std::mem::take(&mut self.groups);
        if groups.iter().all(|group| group.loops < 2) {
            return Ok(());
        }
        let most = groups.iter().map(|group| group.changes).max().unwrap_or(0);
        let context = CellContext {
            view: self.view,
            at: None,
        };
        let mut table = TablePrinter::new(GROUPS, context, self.out).of_few();
        for line in groups {
            table.row(&Group { line, most })?;
        }
        self.written += 1;
        table.end()
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
        details::title(&title, &self.view, self.out)?;
        let when = self.view.format_range(&line.first, &line.last);
        let mut rows: Vec<Field> = vec![field("when", Text::of(Role::Time, when))];
        for (number, writer) in line.writers.iter().enumerate() {
            rows.push(field(if number == 0 { "by" } else { "" }, wrote(writer)));
        }
        let command = line.command.as_deref();
        rows.extend(command.map(|command| field("see", FieldValue::Command(command.to_owned()))));
        details::write(&rows, &self.view, self.out)
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
