//! Tables.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};
use serde::de::DeserializeOwned;

use super::sanitize::plain;
use crate::cli::setting::Setting;
use crate::event::Zone;
use crate::history::Value;
use crate::query::Query;
use crate::query::lines::{
    BlameLine, ChangeLine, ChangesLine, DiffLine, ExportLine, HistoryLine, RejectedLine, ShowLine,
};

/// How many rows make a table; a longer answer is several.
const ROWS: usize = 500;

/// Takes an answer's lines and writes tables.
pub struct Table<'a> {
    kind: Kind,
    zone: Zone,
    color: bool,
    terminal: bool,
    out: &'a mut dyn Write,
    held: Vec<u8>,
    rows: Vec<Vec<Cell>>,
    tables: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    History,
    Show,
    Diff,
    Blame,
    Changes,
    Export,
    Rejected,
}

impl Kind {
    const fn header(self) -> &'static [&'static str] {
        match self {
            Self::History => &[
                "SEQ", "TIME", "TYPE", "WHO", "LABEL", "WHAT", "OLD", "NEW", "CAUSE",
            ],
            Self::Show => &["WHAT", "VALUE"],
            Self::Diff => &["WHAT", "OLD", "NEW"],
            Self::Blame => &["WHAT", "VALUE", "SEQ", "TIME", "TYPE", "CAUSE", "OLD"],
            Self::Changes => &["TIME", "SEQ", "WHO", "LABEL", "WHAT", "OLD", "NEW", "CAUSE"],
            Self::Export => &[
                "SEQ",
                "TIME",
                "TYPE",
                "WHO",
                "LABEL",
                "PARAMETERS",
                "RECEIVED",
                "FROM",
            ],
            Self::Rejected => &[
                "NUMBER", "RECEIVED", "FROM", "LABEL", "STATUS", "ERROR", "WHERE", "BODY",
            ],
        }
    }
}

impl<'a> Table<'a> {
    /// A table for the answer to a question.
    pub fn new(query: &Query, setting: &Setting, out: &'a mut dyn Write) -> Self {
        let kind = match query {
            Query::History(_) => Kind::History,
            Query::Show(_) => Kind::Show,
            Query::Diff(_) => Kind::Diff,
            Query::Blame(_) => Kind::Blame,
            Query::Changes(_) => Kind::Changes,
            Query::Export(_) => Kind::Export,
            Query::Rejected(_) => Kind::Rejected,
        };
        Self {
            kind,
            zone: setting.zone,
            color: setting.color,
            terminal: setting.terminal,
            out,
            held: Vec::new(),
            rows: Vec::new(),
            tables: 0,
        }
    }

    /// Writes what is left.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_table()
    }

    fn take_line(&mut self, line: &[u8]) -> io::Result<()> {
        match self.kind {
            Kind::History => self.history(&parse(line)?),
            Kind::Show => self.show(&parse(line)?),
            Kind::Diff => {
                let line: DiffLine<'_> = parse(line)?;
                let row = vec![
                    self.what(&line.field, &line.interest),
                    self.old(&line.old),
                    self.new_value(&line.new),
                ];
                self.rows.push(row);
            }
            Kind::Blame => self.blame(&parse(line)?),
            Kind::Changes => self.changes(&parse(line)?),
            Kind::Export => self.export(&parse(line)?),
            Kind::Rejected => self.rejected(&parse(line)?),
        }
        if self.rows.len() >= ROWS {
            self.write_table()
        } else {
            Ok(())
        }
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
        let header = self.kind.header().iter().map(|name| {
            let cell = Cell::new(name);
            if self.color {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        });
        table.set_header(header);
        for row in self.rows.drain(..) {
            table.add_row(row);
        }
        // Columns are parted by the cells' padding; the first needs none.
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

    /// An RFC 3339 time in the reader's zone.
    fn time(&self, text: &str) -> Cell {
        let shown = DateTime::parse_from_rfc3339(text).map_or_else(
            |_| plain(text),
            |time| {
                let local = time.with_timezone(&Utc).with_timezone(&self.zone);
                local.format("%Y-%m-%d %H:%M:%S %Z").to_string()
            },
        );
        self.styled(Cell::new(shown), Color::Cyan)
    }

    fn styled(&self, cell: Cell, color: Color) -> Cell {
        if self.color { cell.fg(color) } else { cell }
    }

    fn what(&self, field: &Option<Cow<'_, str>>, interest: &Option<Cow<'_, str>>) -> Cell {
        match (field, interest) {
            (Some(name), _) => Cell::new(plain(name)),
            (None, Some(name)) => Cell::new(format!("interest {}", plain(name))),
            (None, None) => Cell::new(""),
        }
    }

    fn old(&self, value: &Option<Value<'_>>) -> Cell {
        match value {
            None => Cell::new("?"),
            Some(value) => self.styled(Cell::new(value_text(value)), Color::Red),
        }
    }

    fn new_value(&self, value: &Value<'_>) -> Cell {
        self.styled(Cell::new(value_text(value)), Color::Green)
    }

    fn cause(&self, cause: &str, since: Option<&String>) -> Cell {
        match since {
            None => Cell::new(cause),
            Some(since) => {
                let since = self.time(since).content();
                self.styled(Cell::new(format!("{cause} since {since}")), Color::Yellow)
            }
        }
    }

    fn history(&mut self, line: &HistoryLine<'_>) {
        let event = [
            Cell::new(line.seq),
            self.time(&line.time),
            Cell::new(plain(&line.event_type)),
            who(line.profile, line.subprofile),
            text(&line.label),
        ];
        if line.changes.is_empty() {
            let mut row = event.to_vec();
            row.push(Cell::new(match line.duplicate_of {
                Some(original) => format!("(duplicate of {original})"),
                None => "(no change)".to_owned(),
            }));
            self.rows.push(row);
        }
        // All unexplained changes of an event have the same `since`: told once.
        let mut told = false;
        for (number, change) in line.changes.iter().enumerate() {
            let ChangeLine {
                field,
                interest,
                old,
                new,
                cause,
                since,
            } = change;
            let mut row = match number {
                0 => event.to_vec(),
                _ => vec![Cell::new(""); event.len()],
            };
            let since = since
                .as_ref()
                .filter(|_| !std::mem::replace(&mut told, true));
            row.extend([
                self.what(field, interest),
                self.old(old),
                self.new_value(new),
                self.cause(cause, since),
            ]);
            self.rows.push(row);
        }
    }

    fn show(&mut self, line: &ShowLine<'_>) {
        let mut put = |what: &str, value: Cell| self.rows.push(vec![Cell::new(what), value]);
        let number =
            |number: Option<u64>| Cell::new(number.map_or_else(String::new, |n| n.to_string()));
        put("(who)", who(line.profile, line.subprofile));
        put("(state)", Cell::new(&line.state));
        put("(database)", number(line.database));
        if line.collection.is_some() {
            put("(collection)", number(line.collection));
        }
        put("(created)", text(&line.created));
        put("(modified)", text(&line.modified));
        let at = self.time(&line.at);
        self.rows.push(vec![Cell::new("(at)"), at]);
        if let Some(last) = &line.last_event {
            let time = self.time(&last.time).content();
            self.rows.push(vec![
                Cell::new("(last event)"),
                Cell::new(format!("{} at {time}", last.seq)),
            ]);
        }
        for (name, value) in line.fields.iter() {
            let value = self.styled(Cell::new(quoted(value)), Color::Green);
            self.rows.push(vec![Cell::new(plain(name)), value]);
        }
        for name in &line.interests {
            self.rows.push(vec![
                Cell::new(format!("interest {}", plain(name))),
                Cell::new("yes"),
            ]);
        }
    }

    fn blame(&mut self, line: &BlameLine<'_>) {
        let row = vec![
            self.what(&line.field, &line.interest),
            self.new_value(&line.value),
            Cell::new(line.seq),
            self.time(&line.time),
            Cell::new(plain(&line.event_type)),
            self.cause(&line.cause, line.since.as_ref()),
            self.old(&line.old),
        ];
        self.rows.push(row);
    }

    fn changes(&mut self, line: &ChangesLine<'_>) {
        let row = vec![
            self.time(&line.time),
            Cell::new(line.seq),
            who(line.profile, line.subprofile),
            text(&line.label),
            self.what(&line.field, &line.interest),
            self.old(&line.old),
            self.new_value(&line.new),
            self.cause(&line.cause, line.since.as_ref()),
        ];
        self.rows.push(row);
    }

    fn export(&mut self, line: &ExportLine<'_>) {
        let parameters: Vec<String> = line
            .parameters
            .iter()
            .map(|(name, value)| format!("{}={}", plain(name), quoted(value)))
            .collect();
        let row = vec![
            Cell::new(line.seq),
            self.time(&line.time),
            Cell::new(plain(&line.event_type)),
            who(line.profile, line.subprofile),
            text(&line.label),
            Cell::new(parameters.join(" ")),
            self.time(&line.received),
            text(&line.remote),
        ];
        self.rows.push(row);
    }

    fn rejected(&mut self, line: &RejectedLine<'_>) {
        let body = line.body.as_ref().or(line.body_base64.as_ref());
        let begin: String = body
            .map(|body| body.chars().take(60).collect())
            .unwrap_or_default();
        let row = vec![
            Cell::new(line.number),
            self.time(&line.received),
            text(&line.remote),
            text(&line.label),
            Cell::new(line.status),
            self.styled(Cell::new(plain(&line.error)), Color::Yellow),
            Cell::new(plain(&line.place)),
            Cell::new(plain(&begin)),
        ];
        self.rows.push(row);
    }
}

impl Write for Table<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            self.take_line(&line)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(io::Error::from)
}

fn who(profile: u64, subprofile: Option<u64>) -> Cell {
    Cell::new(crate::event::ProfileKey {
        profile,
        subprofile,
    })
}

fn text(text: &Option<Cow<'_, str>>) -> Cell {
    Cell::new(text.as_deref().map(plain).unwrap_or_default())
}

/// A value so that an empty one can be seen.
fn quoted(text: &str) -> String {
    if text.is_empty() {
        "\"\"".to_owned()
    } else {
        plain(text)
    }
}

fn value_text(value: &Value<'_>) -> String {
    match value {
        Value::Absent => "(absent)".to_owned(),
        Value::Member(member) => if *member { "yes" } else { "no" }.to_owned(),
        Value::Text(text) => quoted(text),
    }
}
