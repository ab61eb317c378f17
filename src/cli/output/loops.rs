//! `loops` for people: the groups, if there are several loops, and each loop.

use std::io::{self, Write};

use super::cell::Cell;
use super::chart::{BAR, bar};
use super::details::{self, Field, NAME, Section, field, see};
use super::table::{Column, TablePrinter, parse};
use crate::format::{
    Role, Text, View, counted, format_duration, label, listed, middle, subject, value_text,
};
use crate::query::{LoopGroupLine, LoopKind, LoopLine, LoopWriter, LoopsLine};

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
    Column::elastic("FIELD", 6, 24, |group, _| {
        let line = &group.line;
        subject(&line.subject).into()
    }),
    Column::elastic("BY", 8, 40, |group, _| {
        let labels = group.line.labels.iter();
        let mut by: Vec<_> = labels.map(|one| label(one.as_deref())).collect();
        if group.line.unexplained {
            by.push("unexplained".to_owned());
        }
        Cell::plain(by.join(", "))
    }),
    Column::number("LOOPS", |group, _| Cell::number(group.line.loops)),
    Column::number("GOING ON", |group, _| Cell::number(group.line.going_on)),
    Column::number("CHANGES", |group, _| Cell::number(group.line.changes)),
    Column::fixed("", |group: &Group, _| {
        Cell::plain(bar(group.line.changes, group.most, BAR))
    })
    .drop_priority(2),
    Column::fixed("TIME", |group: &Group, view| {
        let (first, last) = (&group.line.first, &group.line.last);
        Cell::of(Role::Time, view.format_range(first, last))
    })
    .drop_priority(1),
];

/// Writes the groups, if they add anything to the loops themselves, and then each loop.
pub fn write(lines: &[Vec<u8>], view: &View, out: &mut dyn Write) -> io::Result<()> {
    let (mut groups, mut loops) = (Vec::new(), Vec::new());
    for line in lines {
        match parse(line)? {
            LoopsLine::Group(group) => groups.push(group),
            LoopsLine::Loop(line) => loops.push(line),
        }
    }
    let mut begun = groups.iter().any(|group| group.loops >= 2);
    if begun {
        let most = groups.iter().map(|group| group.changes).max().unwrap_or(0);
        let mut table = TablePrinter::new(GROUPS, *view, out);
        for line in groups {
            table.row(&Group { line, most })?;
        }
        table.end()?;
    }
    for line in &loops {
        if std::mem::replace(&mut begun, true) {
            writeln!(out)?;
        }
        details::write_sections(&[section(line, view)], view, out)?;
    }
    Ok(())
}

fn section(line: &LoopLine<'_>, view: &View) -> Section {
    let how = match line.kind {
        LoopKind::Turns => "turns",
        LoopKind::Rewrites => "is rewritten",
    };
    let name = subject(&line.subject);
    let mut title = Text::of(Role::Plain, line.who.to_string())
        .and(Role::Plain, "  ")
        .and(Role::Head, name.fit(NAME).text());
    let every = format_duration(i64::try_from(line.every).unwrap_or(i64::MAX));
    let times = counted(line.changes, "change");
    title.push(Role::Plain, format!(" {how}: {times}, one in {every}"));
    if line.going_on {
        title.push(Role::Plain, ", ");
        title.push(Role::Warning, "going on");
    }
    let when = view.format_range(&line.first, &line.last);
    let mut rows: Vec<Field> = vec![field("when", Text::of(Role::Time, when))];
    for (number, writer) in line.writers.iter().enumerate() {
        rows.push(field(if number == 0 { "by" } else { "" }, wrote(writer)));
    }
    rows.extend(see("see", &line.command));
    (title, rows)
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
