//! `history` and `tail` for people: a head line for each event, with its changes
//! below.
//!
//! Consecutive updates without changes are folded into one line, unless every event is
//! requested. Only the data for that line is kept of them.

use std::io::{self, Write};

use super::details::{self, Field};
use super::table::parse;
use crate::event::ProfileKey;
use crate::format::{
    Change, Printer, Role, Text, View, counted, middle, plain, subject, who, width_of,
};
use crate::history::Cause;
use crate::query::lines::{ChangeLine, HistoryLine};

/// Before the changes of an event.
const INDENT: &str = "    ";

/// The longest cause.
const CAUSE: usize = "unexplained".len();

/// The longest name of a field if the width is limited.
const MAX_NAME: usize = 24;

/// The most labels in a folded line.
const MAX_LABELS: usize = 4;

pub struct History<'a> {
    view: View,
    /// Whether every event is shown by itself.
    all: bool,
    folded: Option<Folded>,
    out: &'a mut dyn Write,
}

/// Updates in a row that changed nothing.
struct Folded {
    who: ProfileKey,
    count: u64,
    /// The time and the number of the first, and of the last.
    first: (String, u64),
    last: (String, u64),
    /// Distinct labels; at most [`MAX_LABELS`] and one.
    labels: Vec<String>,
    /// `false` if any was unsigned, else `None` if any was not checked.
    verified: Option<bool>,
}

impl<'a> History<'a> {
    pub fn new(all: bool, view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            all,
            folded: None,
            out,
        }
    }

    fn put(&mut self, text: &Text) -> io::Result<()> {
        let mut line = String::new();
        text.fit(self.view.width).put(&mut line, self.view.styles);
        line.push('\n');
        self.out.write_all(line.as_bytes())
    }

    fn event(&mut self, line: &HistoryLine<'_>) -> io::Result<()> {
        let mut head = Text::of(Role::Seq, format!("event {}", line.seq))
            .and(Role::Plain, "  ")
            .and(Role::Time, self.view.time(&line.time));
        if line.time_source == crate::event::TimeSource::Received {
            head.push(Role::Dim, " (of receipt)");
        }
        let event_type = match self.view.width {
            // A type is untrusted text: it must not push the rest out of sight.
            Some(_) => middle(&plain(&line.event_type), MAX_NAME),
            None => plain(&line.event_type),
        };
        head.push(Role::Plain, "  ");
        head.push(Role::Head, event_type);
        push_signature_mark(&mut head, line.verified);
        head.push(Role::Plain, format!("  {}", who(line.who)));
        if let Some(label) = &line.label {
            head.push(Role::Plain, format!("  via {}", plain(label)));
        }
        self.put(&head)?;
        if let Some(original) = line.duplicate_of {
            let text = format!("{INDENT}duplicate of event {original}");
            return self.put(&Text::of(Role::Dim, text));
        }
        if line.changes.is_empty()
            && let Some(outcome) = outcome_of(line)
        {
            return self.put(&Text::of(Role::Dim, format!("{INDENT}{outcome}")));
        }
        self.changes(&line.changes)
    }

    fn changes(&mut self, changes: &[ChangeLine<'_>]) -> io::Result<()> {
        // All unexplained changes of an event have the same `since`: shown once.
        let mut since = changes.iter().find_map(|change| change.cause.since());
        let rows = changes.iter().map(|line| {
            let role = match line.cause {
                Cause::Unexplained { .. } => Role::Warning,
                _ => Role::Plain,
            };
            let cause = line.cause.name();
            let padding = CAUSE.saturating_sub(cause.len()) + 2;
            let mut name = Text::of(role, cause).and(Role::Plain, " ".repeat(padding));
            name.append(subject(&line.subject).fit(self.view.width.map(|_| MAX_NAME)));
            let mut change = Change::new(line.old.as_ref(), &line.new);
            if let Some(since) = since.take_if(|_| line.cause.since().is_some()) {
                let since = format!("since {}", self.view.moment(since));
                change.suffix = Text::of(Role::Warning, since);
            }
            (name, change.into())
        });
        let rows: Vec<Field> = rows.collect();
        details::write_at(INDENT, CAUSE + 2 + MAX_NAME, &rows, &self.view, self.out)
    }

    /// Adds an update that changed nothing.
    fn fold(&mut self, line: &HistoryLine<'_>) -> io::Result<()> {
        let who = line.who;
        if self.folded.as_ref().is_some_and(|known| known.who != who) {
            self.unfold()?;
        }
        let place = (line.time.clone(), line.seq);
        let folded = self.folded.get_or_insert_with(|| Folded {
            who,
            count: 0,
            first: place.clone(),
            last: place.clone(),
            labels: Vec::new(),
            verified: line.verified,
        });
        folded.count += 1;
        folded.last = place;
        folded.verified = lowest_trust(folded.verified, line.verified);
        let label = line.label.as_deref().map(plain);
        folded.labels.extend(
            label.filter(|label| {
                folded.labels.len() <= MAX_LABELS && !folded.labels.contains(label)
            }),
        );
        Ok(())
    }

    fn unfold(&mut self) -> io::Result<()> {
        let Some(folded) = self.folded.take() else {
            return Ok(());
        };
        let (times, seqs) = match folded.count {
            1 => (
                self.view.time(&folded.first.0),
                format!("event {}", folded.first.1),
            ),
            _ => (
                self.view.format_range(&folded.first.0, &folded.last.0),
                format!("events {} to {}", folded.first.1, folded.last.1),
            ),
        };
        let mut text = Text::of(
            Role::Dim,
            format!("{} without a change", counted(folded.count, "update")),
        );
        text.push(Role::Plain, "  ");
        text.push(Role::Time, times);
        push_signature_mark(&mut text, folded.verified);
        let mut rest = who(folded.who);
        let mut labels = folded.labels;
        if labels.len() > MAX_LABELS {
            labels.truncate(MAX_LABELS);
            labels.push("…".to_owned());
        }
        if !labels.is_empty() {
            rest.push_str(&format!("  via {}", labels.join(", ")));
        }
        // Without room for all, the second half continues below.
        let wide = text.width() + 2 + width_of(&rest) + 2 + width_of(&seqs);
        let mut between = "  ";
        if self.view.width.is_some_and(|width| wide > width) {
            self.put(&text)?;
            (text, between) = (Text::default(), INDENT);
        }
        text.push(Role::Plain, format!("{between}{rest}  "));
        text.push(Role::Seq, seqs);
        self.put(&text)
    }
}

/// The weaker of two: unsigned, then not checked, then signed.
fn lowest_trust(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        (Some(true), Some(true)) => Some(true),
    }
}

/// The outcome of an event without changes; `None` where none can be expected.
fn outcome_of(line: &HistoryLine<'_>) -> Option<&'static str> {
    match (line.event_type.as_ref(), line.observed.as_deref()) {
        (_, Some("gone")) => Some("gone: missing from the export"),
        ("delete", _) => Some("deleted"),
        ("create" | "update", _) | (_, Some(_)) => Some("no change"),
        _ => None,
    }
}

/// Marks whether the event is known to come from Copernica.
pub(super) fn push_signature_mark(text: &mut Text, verified: Option<bool>) {
    match verified {
        None => {}
        Some(true) => text.push(Role::New, " ✓"),
        Some(false) => text.push(Role::Warning, " ✗"),
    }
}

impl Printer for History<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: HistoryLine<'_> = parse(line)?;
        let idle =
            line.event_type == "update" && line.changes.is_empty() && line.duplicate_of.is_none();
        if idle && !self.all {
            return self.fold(&line);
        }
        self.unfold()?;
        self.event(&line)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.unfold()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_line_marks_unsigned_calls_whatever_the_others_are() {
        for (verified, mark) in [
            (["true", "true"], "✓"),
            (["true", "false"], "✗"),
            (["null", "false"], "✗"),
            (["false", "null"], "✗"),
            (["true", "null"], ""),
            (["null", "null"], ""),
        ] {
            let mut out = Vec::new();
            let mut history = History::new(false, View::plain(None), &mut out);
            for (seq, verified) in (1..).zip(verified) {
                let line = format!(
                    r#"{{"seq":{seq},"type":"update","time":"2025-10-09T08:53:20Z","time_source":"time","received":"2025-10-09T08:53:20.000000Z","profile":1,"subprofile":null,"database":null,"collection":null,"label":null,"verified":{verified},"changes":[]}}"#
                );
                history.line(line.as_bytes()).unwrap();
            }
            history.finish().unwrap();
            let text = String::from_utf8(out).unwrap();
            let shown: String = text.chars().filter(|c| "✓✗".contains(*c)).collect();
            assert_eq!(shown, mark, "{verified:?}: {text}");
        }
    }
}
