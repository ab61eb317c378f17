//! `report` for people: a table with bars, and the command behind each row.

use std::io::{self, Write};

use super::brief::{columns, label, local, subject};
use super::number::grouped;
use super::printer::Printer;
use super::sanitize::plain;
use crate::cli::bar::bar;
use crate::cli::setting::Setting;
use crate::event::Zone;
use crate::query::{By, ReportLine, ReportQuery};

/// The longest bar, in characters.
const WIDTH: u64 = 20;

/// Holds a report's rows until the longest bar is known.
pub struct Report<'a> {
    by: Vec<By>,
    zone: Zone,
    color: bool,
    out: &'a mut dyn Write,
    /// The cells before the bar, how long that is, and the command.
    rows: Vec<(Vec<String>, u64, String)>,
}

impl<'a> Report<'a> {
    pub fn new(query: &ReportQuery, setting: &Setting, out: &'a mut dyn Write) -> Self {
        let mut by = query.by.clone();
        let mut seen = Vec::new();
        by.retain(|by| !seen.contains(by) && (seen.push(*by), true).1);
        Self {
            by,
            zone: query.zone,
            color: setting.color,
            out,
            rows: Vec::new(),
        }
    }

    fn cell(&self, by: By, line: &ReportLine<'_>) -> String {
        let group = &line.group;
        let number = |number: Option<Option<u64>>| match number.flatten() {
            Some(number) => number.to_string(),
            None => "(none)".to_owned(),
        };
        match by {
            By::Month => group.month.as_deref().map(plain).unwrap_or_default(),
            By::Day => group.day.as_deref().map(plain).unwrap_or_default(),
            By::Hour => {
                let hour = group.hour.as_deref().unwrap_or_default();
                local(self.zone, hour, "%Y-%m-%d %H:%M %Z")
            }
            By::Field => subject(group.field.as_deref(), group.interest.as_deref()),
            By::Type => group.event_type.as_deref().map(plain).unwrap_or_default(),
            By::Cause => group.cause.as_deref().map(plain).unwrap_or_default(),
            By::Label => label(group.label.as_ref().and_then(Option::as_deref)),
            By::Database => number(group.database),
            By::Collection => number(group.collection),
        }
    }
}

/// The head of a column.
const fn head(by: By) -> &'static str {
    match by {
        By::Month => "MONTH",
        By::Day => "DAY",
        By::Hour => "HOUR",
        By::Field => "FIELD",
        By::Type => "TYPE",
        By::Cause => "CAUSE",
        By::Label => "LABEL",
        By::Database => "DATABASE",
        By::Collection => "COLLECTION",
    }
}

impl Printer for Report<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: ReportLine<'_> = serde_json::from_slice(line)?;
        let mut cells: Vec<String> = self.by.iter().map(|by| self.cell(*by, &line)).collect();
        cells.extend([line.changes, line.events, line.profiles + line.subprofiles].map(grouped));
        let command = line.command.as_deref().map(plain).unwrap_or_default();
        self.rows.push((cells, line.changes, command));
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let most = self.rows.iter().map(|(_, changes, _)| *changes).max();
        let mut head: Vec<String> = self.by.iter().map(|by| head(*by).to_owned()).collect();
        let first = head.len();
        let rest = ["CHANGES", "EVENTS", "(SUB)PROFILES", "", "SHOWN BY"];
        head.extend(rest.map(str::to_owned));
        let mut rows = vec![head];
        for (mut cells, changes, command) in self.rows.drain(..) {
            cells.push(bar(changes, most.unwrap_or(0), WIDTH));
            cells.push(command);
            rows.push(cells);
        }
        let text = columns(&rows, &[first, first + 1, first + 2], self.color);
        self.out.write_all(text.as_bytes())
    }
}
