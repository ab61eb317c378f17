//! `report` for people: a table with bars, and the command behind each row.
//!
//! Where a row has no room for the command, that stands below it, so that it can
//! be copied whole.

use std::io::{self, Write};

use super::cell::{Cell, Column};
use super::command::broken;
use super::grid::Grid;
use super::printer::parse;
use crate::cli::bar::bar;
use crate::format::{Printer, Role, Styles, Text, View, grouped, label, plain, subject, width_of};
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
    /// The short names of the reader's zone in that time.
    zones: Vec<String>,
}

struct Row {
    /// What is before the bar.
    cells: Vec<Cell>,
    changes: u64,
    command: String,
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

    fn cell(&self, by: By, line: &ReportLine<'_>) -> Cell {
        let group = &line.group;
        let text = |text: &Option<std::borrow::Cow<'_, str>>| {
            Text::outside(Role::Plain, text.as_deref().unwrap_or_default()).into()
        };
        let number = |number: Option<Option<u64>>| {
            let number = number.flatten().map(|number| number.to_string());
            Cell::of(Role::Plain, number.unwrap_or_else(|| label(None)))
        };
        let time = |time: &str| Cell::of(Role::Time, time);
        match by {
            By::Month => time(&plain(group.month.as_deref().unwrap_or_default())),
            By::Day => time(&plain(group.day.as_deref().unwrap_or_default())),
            By::Hour => {
                let (hour, zone) = self
                    .view
                    .split_zone(group.hour.as_deref().unwrap_or_default());
                // Without the seconds, of which an hour has none.
                time(&format!(
                    "{} {zone}",
                    hour.strip_suffix(":00").unwrap_or(&hour)
                ))
            }
            By::Field => subject(group.field.as_deref(), group.interest.as_deref()).into(),
            By::Type => text(&group.event_type),
            By::Cause => text(&group.cause),
            By::Label => Cell::of(
                Role::Plain,
                label(group.label.as_ref().and_then(Option::as_deref)),
            ),
            By::Database => number(group.database),
            By::Collection => number(group.collection),
        }
    }

    /// The heading of a column that tells days or months, with the zone.
    fn zoned(&self, head: &str) -> String {
        format!("{head} ({})", self.zones.join("/"))
    }

    /// The table, a line for each row; with the commands in it, or without.
    fn table(&self, view: View, within: bool) -> io::Result<Vec<u8>> {
        let mut columns: Vec<Column> = self.by.iter().map(|by| column(*by)).collect();
        let counts = ["CHANGES", "EVENTS", "(SUB)PROFILES"];
        columns.extend(counts.map(|head| Column::fixed(head).right()));
        columns.push(Column::fixed("").spare(1));
        if within {
            columns.push(Column::fixed("SHOWN BY").hidden());
        }
        let mut grid = Grid::of_view(&columns, &view).of_few();
        for (place, by) in self.by.iter().enumerate() {
            match by {
                By::Day => grid.name(place, self.zoned("DAY")),
                By::Month => grid.name(place, self.zoned("MONTH")),
                _ => {}
            }
        }
        let most = self.rows.iter().map(|row| row.changes).max().unwrap_or(0);
        let mut text = Vec::new();
        for row in &self.rows {
            let mut cells = row.cells.clone();
            let bar = bar(row.changes, most, WIDTH);
            cells.push(Cell::of(Role::Plain, bar));
            if within {
                cells.push(Cell::of(Role::Plain, plain(&row.command)));
            }
            grid.row(cells, &mut text)?;
        }
        grid.finish(&mut text)?;
        Ok(text)
    }

    /// Whether there is room for each command in its row.
    fn has_room(&self) -> io::Result<bool> {
        let Some(limit) = self.view.width else {
            return Ok(true);
        };
        let endless = View {
            styles: Styles { on: false },
            width: None,
            ..self.view
        };
        let text = self.table(endless, true)?;
        Ok(String::from_utf8_lossy(&text)
            .lines()
            .all(|line| width_of(line) <= limit))
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

/// The column of a group; that of names may be shortened.
const fn column(by: By) -> Column {
    match by {
        By::Month => Column::fixed("MONTH"),
        By::Day => Column::fixed("DAY"),
        By::Hour => Column::fixed("HOUR"),
        By::Field => Column::elastic("FIELD", 8, 40),
        By::Type => Column::elastic("TYPE", 6, 24),
        By::Cause => Column::fixed("CAUSE"),
        By::Label => Column::elastic("LABEL", 6, 40),
        By::Database => Column::fixed("DATABASE"),
        By::Collection => Column::fixed("COLLECTION"),
    }
}

impl Printer for Report<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: ReportLine<'_> = parse(line)?;
        let mut cells: Vec<Cell> = self.by.iter().map(|by| self.cell(*by, &line)).collect();
        let counts = [line.changes, line.events, line.profiles + line.subprofiles];
        cells.extend(counts.map(|count| Cell::of(Role::Plain, grouped(count))));
        for time in [&line.first, &line.last] {
            let (_, zone) = self.view.split_zone(time);
            if !self.zones.contains(&zone) {
                self.zones.push(zone);
            }
        }
        self.rows.push(Row {
            cells,
            changes: line.changes,
            command: line.command.as_deref().unwrap_or_default().to_owned(),
        });
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
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
            if !row.command.is_empty() {
                self.below(&row.command)?;
            }
        }
        Ok(())
    }
}
