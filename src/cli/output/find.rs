//! `find` for people: a row for each interval.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};

use super::printer::Printer;
use super::sanitize::plain;
use crate::cli::setting::Setting;
use crate::event::{ProfileKey, Zone};
use crate::history::Value;
use crate::query::lines::FindLine;

/// How many rows make a table; a longer answer is several.
const ROWS: usize = 500;

/// The longest value that is shown whole, in characters.
const SHOWN: usize = 200;

/// Writes tables of intervals.
pub struct Found<'a> {
    zone: Zone,
    now: i64,
    color: bool,
    terminal: bool,
    out: &'a mut dyn Write,
    rows: Vec<Vec<Cell>>,
    tables: usize,
}

impl<'a> Found<'a> {
    /// A printer to `out`.
    pub fn new(setting: &Setting, out: &'a mut dyn Write) -> Self {
        Self {
            zone: setting.reader_zone,
            now: setting.now(),
            color: setting.color,
            terminal: setting.terminal,
            out,
            rows: Vec::new(),
            tables: 0,
        }
    }

    fn styled(&self, text: String, color: Color) -> Cell {
        let cell = Cell::new(text);
        if self.color { cell.fg(color) } else { cell }
    }

    fn time(&self, text: &str) -> (String, Option<i64>) {
        match DateTime::parse_from_rfc3339(text) {
            Ok(time) => {
                let local = time.with_timezone(&Utc).with_timezone(&self.zone);
                let shown = local.format("%Y-%m-%d %H:%M:%S %Z").to_string();
                (shown, Some(time.timestamp()))
            }
            Err(_) => (plain(text), None),
        }
    }

    fn row(&self, line: &FindLine<'_>) -> Vec<Cell> {
        let key = ProfileKey {
            profile: line.profile,
            subprofile: line.subprofile,
        };
        let name = line.field.as_ref().or(line.interest.as_ref());
        let name = name.map(|name| plain(name)).unwrap_or_default();
        let what = match line.interest {
            Some(_) => format!("interest {name}"),
            None => name,
        };
        let (since, begin) = self.time(&line.since);
        let (until, end) = match &line.until {
            Some(until) => self.time(until),
            None => ("(still)".to_owned(), Some(self.now)),
        };
        let lasted = begin.zip(end).map(|(begin, end)| end.saturating_sub(begin));
        vec![
            Cell::new(key),
            Cell::new(line.database.map_or_else(String::new, |n| n.to_string())),
            Cell::new(what),
            self.styled(value_text(&line.value), Color::Green),
            self.styled(since, Color::Cyan),
            self.styled(until, Color::Cyan),
            Cell::new(lasted.map(age).unwrap_or_default()),
            match &*line.cause {
                // The true beginning is not known.
                "unexplained" | "first_seen" | "baseline" => {
                    self.styled(format!("{} or earlier", plain(&line.cause)), Color::Yellow)
                }
                cause => Cell::new(plain(cause)),
            },
        ]
    }

    fn write_table(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        if self.color {
            table.enforce_styling();
        }
        let header = [
            "WHO", "DATABASE", "WHAT", "VALUE", "SINCE", "UNTIL", "FOR", "CAUSE",
        ];
        let color = self.color;
        table.set_header(header.map(|name| {
            let cell = Cell::new(name);
            if color {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        }));
        for row in self.rows.drain(..) {
            table.add_row(row);
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        if self.tables > 0 {
            writeln!(self.out)?;
        }
        self.tables += 1;
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Printer for Found<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: FindLine<'_> = serde_json::from_slice(line).map_err(io::Error::from)?;
        let row = self.row(&line);
        self.rows.push(row);
        if self.rows.len() >= ROWS {
            self.write_table()
        } else {
            Ok(())
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_table()
    }
}

fn value_text(value: &Value<'_>) -> String {
    match value {
        Value::Absent => "(absent)".to_owned(),
        Value::Member(member) => if *member { "yes" } else { "no" }.to_owned(),
        Value::Text(text) if text.is_empty() => "\"\"".to_owned(),
        Value::Text(text) => {
            let mut shown: String = text.chars().take(SHOWN).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            plain(&shown)
        }
    }
}

/// A stretch of time in its largest unit: `40 s`, `3 days`.
fn age(seconds: i64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    for (unit, name) in units {
        let count = seconds / unit;
        if count >= 1 {
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {name}{plural}");
        }
    }
    format!("{} s", seconds.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        for (seconds, text) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 minute"),
            (7_199, "1 hour"),
            (86_400 * 400, "400 days"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_an_empty_one_seen() {
        let text = |text: &str| value_text(&Value::Text(text.into()));
        assert_eq!(text(""), "\"\"");
        assert_eq!(text("a\u{1b}b"), "a\\u{1b}b");
        assert_eq!(text(&"é".repeat(SHOWN + 1)).chars().count(), SHOWN + 1);
    }
}
