//! `explain` for people: the event, then the outcome of each of its
//! parameters, grouped by outcome.

use std::io::{self, Write};

use super::details::{self, Field, FieldValue, field};
use super::history::push_signature_mark;
use super::table::parse;
use crate::format::{Change, Printer, Role, Side, Text, View, middle, plain, quoted, subject, who};
use crate::history::Value;
use crate::query::lines::HistoryLine;
use crate::query::{ExplainLine, Outcome};

/// The longest value that was asked for, in columns.
const MAX_ASKED: usize = 160;

/// Gathers the lines of one event.
pub struct Explain<'a> {
    view: View,
    out: &'a mut dyn Write,
    head: Option<HistoryLine<'static>>,
    lines: Vec<ExplainLine<'static>>,
}

impl<'a> Explain<'a> {
    pub const fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            out,
            head: None,
            lines: Vec::new(),
        }
    }

    fn head(&mut self, head: &HistoryLine<'_>) -> io::Result<()> {
        let mut title = Text::of(Role::Seq, format!("event {}", head.seq))
            .and(Role::Plain, "  ")
            .and(Role::Head, plain(&head.event_type));
        push_signature_mark(&mut title, head.verified);
        title.push(
            Role::Plain,
            format!(" of {}", who(head.profile, head.subprofile)),
        );
        let time = |time: &str| Text::of(Role::Time, self.view.time(time));
        let mut rows = vec![
            field("time", time(&head.time)),
            field("received", time(&head.received)),
        ];
        if let Some(label) = &head.label {
            rows.push(field("label", Text::outside(Role::Plain, label)));
        }
        for (what, number) in [("database", head.database), ("collection", head.collection)] {
            rows.extend(number.map(|number| field(what, FieldValue::text(number.to_string()))));
        }
        let note = match (head.duplicate_of, head.event_type.as_ref()) {
            (Some(same), _) => Some(format!("duplicate of event {same}; changes nothing")),
            (None, "delete") => {
                Some("deletes the profile; compared with the last known state".to_owned())
            }
            (None, "create" | "update") => None,
            (None, _) if head.observed.as_deref() == Some("gone") => {
                Some("not a call: missing from an export, so deleted".to_owned())
            }
            (None, _) if head.observed.is_some() => {
                Some("not a call: taken from an export".to_owned())
            }
            (None, _) => Some("events of this type change nothing".to_owned()),
        };
        rows.extend(note.map(|note| field("note", Text::of(Role::Warning, note))));
        details::write_sections(&[(title, rows)], &self.view, self.out)
    }

    fn row(&self, line: &ExplainLine<'_>) -> Field {
        let asked = quoted(line.asked.as_deref().unwrap_or_default());
        let asked = middle(&asked, MAX_ASKED);
        let new = || Side::new_value(&line.new).text(self.view.styles);
        let mut change = Change::new(line.old.as_ref(), &line.new);
        let said = match line.outcome {
            Outcome::Applied | Outcome::Unasked => change.into(),
            Outcome::AlreadySo => new().into(),
            Outcome::Coerced => {
                change.suffix = Text::of(Role::Warning, format!("requested: {asked}"));
                change.into()
            }
            Outcome::Ignored if line.new == Value::Absent => Text::of(Role::Plain, "requested: ")
                .and(Role::Warning, asked)
                .and(Role::Plain, "; no field or interest has this name")
                .into(),
            Outcome::Ignored => {
                let mut text = Text::of(Role::Plain, "requested: ")
                    .and(Role::Warning, asked)
                    .and(Role::Plain, "; still ");
                text.append(new());
                text.into()
            }
        };
        let name = subject(&line.subject);
        (name, said)
    }
}

const GROUPS: [(Outcome, &str); 5] = [
    (Outcome::Applied, "applied"),
    (Outcome::AlreadySo, "already so"),
    (
        Outcome::Coerced,
        "coerced: neither the requested nor the previous value",
    ),
    (Outcome::Ignored, "ignored"),
    (Outcome::Unasked, "changed without a request"),
];

impl Printer for Explain<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.head.is_none() {
            self.head = Some(parse(line)?);
        } else {
            self.lines.push(parse(line)?);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(head) = self.head.take() else {
            return Ok(());
        };
        self.head(&head)?;
        if self.lines.is_empty() {
            let text = "no parameters, and no known change";
            writeln!(self.out)?;
            details::title(&Text::of(Role::Plain, text), &self.view, self.out)?;
        }
        for (outcome, name) in GROUPS {
            let lines = self.lines.iter().filter(|line| line.outcome == outcome);
            let rows: Vec<Field> = lines.map(|line| self.row(line)).collect();
            if rows.is_empty() {
                continue;
            }
            writeln!(self.out)?;
            let section = (Text::of(Role::Head, name), rows);
            details::write_sections(&[section], &self.view, self.out)?;
        }
        Ok(())
    }
}
