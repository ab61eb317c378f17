//! The rows that a line of each answer makes.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use comfy_table::{Cell, Color};

use super::sanitize::plain;
use super::table::Table;
use crate::history::Value;
use crate::query::lines::{
    BlameLine, ChangeLine, ChangesLine, DiffLine, EvidenceLine, ExportLine, HistoryLine,
    RejectedLine, ShowLine,
};

impl Table<'_> {
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

    pub(super) fn history(&mut self, line: &HistoryLine<'_>) {
        let event = [
            Cell::new(line.seq),
            self.time(&line.time),
            event_type(&line.event_type, line.verified),
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

    pub(super) fn show(&mut self, line: &ShowLine<'_>) {
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

    pub(super) fn blame(&mut self, line: &BlameLine<'_>) {
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

    pub(super) fn changes(&mut self, line: &ChangesLine<'_>) {
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

    pub(super) fn export(&mut self, line: &ExportLine<'_>) {
        let parameters: Vec<String> = line
            .parameters
            .iter()
            .map(|(name, value)| format!("{}={}", plain(name), quoted(value)))
            .collect();
        let row = vec![
            Cell::new(line.seq),
            self.time(&line.time),
            event_type(&line.event_type, line.verified),
            who(line.profile, line.subprofile),
            text(&line.label),
            Cell::new(parameters.join(" ")),
            self.time(&line.received),
            text(&line.remote),
        ];
        self.rows.push(row);
    }

    pub(super) fn rejected(&mut self, line: &RejectedLine<'_>) {
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

    pub(super) fn diff(&mut self, line: &DiffLine<'_>) {
        let row = vec![
            self.what(&line.field, &line.interest),
            self.old(&line.old),
            self.new_value(&line.new),
        ];
        self.rows.push(row);
    }

    pub(super) fn evidence(&mut self, line: &EvidenceLine<'_>) {
        let mut put = |what: &str, value: Cell| self.rows.push(vec![Cell::new(what), value]);
        put("event", Cell::new(line.seq));
        put("from", text(&line.remote));
        put("signed by", Cell::new(plain(&line.key)));
        put("key record", Cell::new(plain(&line.record)));
        for (number, signed) in line.signed.lines().enumerate() {
            let what = if number == 0 { "signed" } else { "" };
            put(what, Cell::new(plain(signed)));
        }
        put("signature", Cell::new(plain(&line.signature)));
        let body = line.body.as_ref().or(line.body_base64.as_ref());
        put(
            "body",
            Cell::new(body.map(|body| plain(body)).unwrap_or_default()),
        );
        for (what, time) in [
            ("received", &line.received),
            ("verified", &line.verified_at),
        ] {
            let time = self.time(time);
            self.rows.push(vec![Cell::new(what), time]);
        }
    }
}

/// A type, marked where it is known whether Copernica sent the event.
fn event_type(name: &str, verified: Option<bool>) -> Cell {
    let mark = match verified {
        None => "",
        Some(true) => " ✓",
        Some(false) => " ✗",
    };
    Cell::new(format!("{}{mark}", plain(name)))
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
