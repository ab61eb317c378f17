//! `report` for people: a table with bars, and the command behind each row.
//!
//! A row without room for its command has it on the next line, so that it can be
//! copied whole.

use std::io::{self, Write};

use super::command::broken;
use super::grid::{Cell, Layout};
use super::table::{CellContext, Column, TablePrinter, parse};
use crate::cli::bar::bar;
use crate::format::{Printer, Role, Styles, Text, View, label, plain, subject, width_of};
use crate::query::{By, ReportLine, ReportQuery};

/// The longest bar, in characters.
const WIDTH: u64 = 20;

/// Before a command on a line of its own.
const INDENT: &str = "    ";

/// Holds a report's rows until the longest bar is known.
pub struct Report<'a> {
    by: Vec<By>,
    view: View,
    out: &'a mut dyn Write,
    rows: Vec<Row>,
    /// The short names of the reader's zone during the report's time.
    zones: Vec<String>,
}

struct Row {
    line: ReportLine<'static>,
    /// The most changes of any row.
    most: u64,
}

impl<'a> Report<'a> {
    pub fn new(query: &ReportQuery, view: View, out: &'a mut dyn Write) -> Self {
        let mut by = query.by.clone();
        let mut seen = Vec::new();
        by.retain(|by| !seen.contains(by) && (seen.push(*by), true).1);
        Self {
            by,
            view,
            out,
            rows: Vec::new(),
            zones: Vec::new(),
        }
    }

    fn columns(&self, with_commands: bool) -> Vec<Column<Row>> {
        let by = self.by.iter().map(|by| match by {
            By::Day => column(*by).headed(format!("DAY ({})", self.zones.join("/"))),
            By::Month => column(*by).headed(format!("MONTH ({})", self.zones.join("/"))),
            by => column(*by),
        });
        let mut columns: Vec<_> = by.collect();
        columns.push(
            Layout::fixed("CHANGES")
                .right()
                .cell(|row: &Row, _| Cell::number(row.line.changes)),
        );
        columns.push(
            Layout::fixed("EVENTS")
                .right()
                .cell(|row: &Row, _| Cell::number(row.line.events)),
        );
        let profiles =
            |row: &Row, _: &CellContext| Cell::number(row.line.profiles + row.line.subprofiles);
        columns.push(Layout::fixed("(SUB)PROFILES").right().cell(profiles));
        let bars = |row: &Row, _: &CellContext| {
            Cell::of(Role::Plain, bar(row.line.changes, row.most, WIDTH))
        };
        columns.push(Layout::fixed("").drop_priority(1).cell(bars));
        if with_commands {
            let command = |row: &Row, _: &CellContext| Cell::outside(row.command());
            columns.push(Layout::fixed("SHOWN BY").hide_empty().cell(command));
        }
        columns
    }

    /// The table, a line for each row; with the commands in it, or without.
    fn table(&self, view: View, with_commands: bool) -> io::Result<Vec<u8>> {
        let columns = self.columns(with_commands);
        let mut text = Vec::new();
        let context = CellContext { view, at: None };
        let mut table = TablePrinter::new(&columns, context, &mut text).of_few();
        for row in &self.rows {
            table.row(row)?;
        }
        table.end()?;
        Ok(text)
    }

    /// Whether there is room for each command in its row.
    fn has_room(&self) -> io::Result<bool> {
        let Some(limit) = self.view.width else {
            return Ok(true);
        };
        let unlimited = View {
            styles: Styles { on: false },
            width: None,
            ..self.view
        };
        let text = self.table(unlimited, true)?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().all(|line| width_of(line) <= limit))
    }

    /// Writes a command below its row.
    fn below(&mut self, command: &str) -> io::Result<()> {
        let room = self.view.width;
        let room = room.map(|width| width.saturating_sub(INDENT.len()));
        for line in broken(command, room) {
            let mut shown = INDENT.to_owned();
            Text::of(Role::Dim, line).put(&mut shown, self.view.styles);
            writeln!(self.out, "{shown}")?;
        }
        Ok(())
    }
}

impl Row {
    fn command(&self) -> &str {
        self.line.command.as_deref().unwrap_or_default()
    }
}

/// The column of a group; that of names may be shortened.
const fn column(by: By) -> Column<Row> {
    match by {
        By::Month => Layout::fixed("MONTH").cell(|row, _| time(row.line.group.month.as_deref())),
        By::Day => Layout::fixed("DAY").cell(|row, _| time(row.line.group.day.as_deref())),
        By::Hour => Layout::fixed("HOUR").cell(|row, context| {
            let hour = row.line.group.hour.as_deref().unwrap_or_default();
            let (hour, zone) = context.view.split_zone(hour);
            // An hour has no seconds to show.
            let hour = hour.strip_suffix(":00").unwrap_or(&hour);
            Cell::of(Role::Time, format!("{hour} {zone}"))
        }),
        By::Field => Layout::elastic("FIELD", 8, 40).cell(|row, _| {
            let group = &row.line.group;
            subject(group.field.as_deref(), group.interest.as_deref()).into()
        }),
        By::Type => Layout::elastic("TYPE", 6, 24)
            .cell(|row, _| Cell::outside(row.line.group.event_type.as_deref().unwrap_or_default())),
        By::Cause => Layout::fixed("CAUSE")
            .cell(|row, _| Cell::outside(row.line.group.cause.as_deref().unwrap_or_default())),
        By::Label => Layout::elastic("LABEL", 6, 40).cell(|row, _| {
            let of_group = row.line.group.label.as_ref();
            Cell::of(Role::Plain, label(of_group.and_then(Option::as_deref)))
        }),
        By::Database => Layout::fixed("DATABASE").cell(|row, _| number(row.line.group.database)),
        By::Collection => {
            Layout::fixed("COLLECTION").cell(|row, _| number(row.line.group.collection))
        }
    }
}

fn time(time: Option<&str>) -> Cell {
    Cell::of(Role::Time, plain(time.unwrap_or_default()))
}

fn number(number: Option<Option<u64>>) -> Cell {
    let number = number.flatten().map(|number| number.to_string());
    Cell::of(Role::Plain, number.unwrap_or_else(|| label(None)))
}

impl Printer for Report<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: ReportLine<'static> = parse(line)?;
        for time in [&line.first, &line.last] {
            let (_, zone) = self.view.split_zone(time);
            if !self.zones.contains(&zone) {
                self.zones.push(zone);
            }
        }
        self.rows.push(Row { line, most: 0 });
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let most = self.rows.iter().map(|row| row.line.changes).max();
        let Some(most) = most else {
            return Ok(());
        };
        for row in &mut self.rows {
            row.most = most;
        }
        if self.has_room()? {
            let text = self.table(self.view, true)?;
            return self.out.write_all(&text);
        }
        let text = self.table(self.view, false)?;
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        self.out.write_all(lines.next().unwrap_or_default())?;
        let rows = std::mem::take(&mut self.rows);
        for (line, row) in lines.zip(&rows) {
            self.out.write_all(line)?;
            if !row.command().is_empty() {
                self.below(row.command())?;
            }
        }
        Ok(())
    }
}
