//! `history` and `tail` for people: a head line for each event, its changes below
//! it.
//!
//! Consecutive updates that changed nothing are folded into one line, unless each
//! event is wanted by itself. Only what that line needs is held of them.

use std::io::{self, Write};

use super::table::parse;
use crate::format::{Change, Printer, Role, Text, View, counted, middle, plain, who, width_of};
use crate::query::lines::{ChangeLine, HistoryLine};

/// Before the changes of an event.
const INDENT: &str = "    ";

/// The longest cause.
const CAUSE: usize = "unexplained".len();

/// The longest name of a field where the width is limited.
const MAX_NAME: usize = 24;

/// The most ranges of numbers, and the most labels, in a folded line.
const MAX_NAMED: usize = 4;

/// Writes the events of (sub)profiles.
pub struct History<'a> {
    view: View,
    /// Whether every event is wanted by itself.
    all: bool,
    folded: Option<Folded>,
    out: &'a mut dyn Write,
}

/// Updates in a row that changed nothing.
struct Folded {
    who: (u64, Option<u64>),
    count: u64,
    first: String,
    last: String,
    /// Ranges of numbers, in the order of the lines; at most [`MAX_NAMED`] and one.
    seqs: Vec<(u64, u64)>,
    /// Distinct labels; at most [`MAX_NAMED`] and one.
    labels: Vec<Option<String>>,
    /// What holds of all: `false` if any was unsigned, `None` if any was not checked.
    verified: Option<bool>,
}

impl<'a> History<'a> {
    /// With `all`, every event stands by itself.
    pub fn new(all: bool, view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            all,
            folded: None,
            out,
        }
    }

    fn put(&mut self, text: &Text) -> io::Result<()> {
        let text = match self.view.width {
            Some(width) => text.fit(width),
            None => text.clone(),
        };
        let mut line = String::new();
        text.put(&mut line, self.view.styles);
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
            // A type is a stranger's text: it must not push the rest out of sight.
            Some(_) => middle(&plain(&line.event_type), MAX_NAME),
            None => plain(&line.event_type),
        };
        head.push(Role::Plain, "  ");
        head.push(Role::Head, event_type);
        push_signature_mark(&mut head, line.verified);
        head.push(
            Role::Plain,
            format!("  {}", who(line.profile, line.subprofile)),
        );
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
        let names = line.changes.iter().map(|change| name_of(change).width());
        let widest = names.max().unwrap_or(0).min(MAX_NAME);
        // All unexplained changes of an event have the same `since`: shown once.
        let mut shown = false;
        for change in &line.changes {
            let since = change.since.as_ref();
            let since = since.filter(|_| !std::mem::replace(&mut shown, true));
            self.change(change, since, widest)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        line: &ChangeLine<'_>,
        since: Option<&String>,
        widest: usize,
    ) -> io::Result<()> {
        let styles = self.view.styles;
        let mut name = name_of(line);
        if self.view.width.is_some() {
            name = name.fit(widest);
        }
        let mut text = String::from(INDENT);
        cause_of(&line.cause).put_padded(&mut text, styles, CAUSE);
        text.push_str("  ");
        name.put_padded(&mut text, styles, widest);
        text.push_str("  ");
        let taken = INDENT.len() + CAUSE + 2 + widest.max(name.width()) + 2;
        let mut change = Change::new(line.old.as_ref(), &line.new);
        if let Some(since) = since {
            let since = format!("since {}", self.view.time(since));
            change.suffix = Text::of(Role::Warning, since);
        }
        // What has no room goes on below, as far right as it begins here.
        let room = self.view.width.map(|width| width.saturating_sub(taken));
        for (number, line) in change.lines(styles, room).iter().enumerate() {
            if number > 0 {
                let fits = room.is_none_or(|room| line.width() <= room);
                let place = if fits {
                    taken
                } else {
                    INDENT.len() + CAUSE + 2
                };
                text.push('\n');
                text.push_str(&" ".repeat(place));
            }
            line.put(&mut text, styles);
        }
        text.push('\n');
        self.out.write_all(text.as_bytes())
    }

    /// Adds an update that changed nothing.
    fn fold(&mut self, line: &HistoryLine<'_>) -> io::Result<()> {
        let who = (line.profile, line.subprofile);
        if self.folded.as_ref().is_some_and(|known| known.who != who) {
            self.unfold()?;
        }
        let folded = self.folded.get_or_insert_with(|| Folded {
            who,
            count: 0,
            first: line.time.clone(),
            last: String::new(),
            seqs: Vec::new(),
            labels: Vec::new(),
            verified: line.verified,
        });
        folded.count += 1;
        folded.last.clone_from(&line.time);
        folded.verified = lowest_trust(folded.verified, line.verified);
        folded.note(line.seq);
        let label = line.label.as_deref();
        let known = folded.labels.iter().any(|known| known.as_deref() == label);
        if !known && folded.labels.len() <= MAX_NAMED {
            folded.labels.push(label.map(str::to_owned));
        }
        Ok(())
    }

    /// Writes what was folded.
    fn unfold(&mut self) -> io::Result<()> {
        let Some(folded) = self.folded.take() else {
            return Ok(());
        };
        let times = match folded.count {
            1 => self.view.time(&folded.first),
            _ => self.view.format_range(&folded.first, &folded.last),
        };
        let mut text = Text::of(
            Role::Dim,
            format!("{} without a change", counted(folded.count, "update")),
        );
        text.push(Role::Plain, "  ");
        text.push(Role::Time, times);
        push_signature_mark(&mut text, folded.verified);
        let mut rest = who(folded.who.0, folded.who.1);
        let labels: Vec<String> = folded.labels.iter().flatten().map(|l| plain(l)).collect();
        if !labels.is_empty() {
            rest.push_str(&format!("  via {}", listed(&labels)));
        }
        let seqs: Vec<String> = folded.seqs.iter().map(seq_range).collect();
        let one = if folded.count == 1 { "event" } else { "events" };
        let seqs = format!("{one} {}", listed(&seqs));
        // Where there is no room the second half goes on below.
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

impl Folded {
    /// Adds the next number.
    fn note(&mut self, seq: u64) {
        if let Some((first, last)) = self.seqs.last_mut() {
            if *last + 1 == seq {
                *last = seq;
                return;
            }
            if *first == *last && seq + 1 == *first || *first > *last && seq + 1 == *last {
                *last = seq;
                return;
            }
        }
        if self.seqs.len() <= MAX_NAMED {
            self.seqs.push((seq, seq));
        }
    }
}

fn seq_range((first, last): &(u64, u64)) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

/// What holds of two events together: one that is known to be unsigned decides,
/// then one that was not checked.
fn lowest_trust(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        (Some(true), Some(true)) => Some(true),
    }
}

/// The first of some words; `…` for more.
fn listed(words: &[String]) -> String {
    let mut text = words.get(..MAX_NAMED).unwrap_or(words).join(", ");
    if words.len() > MAX_NAMED {
        text.push_str(", …");
    }
    text
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

fn name_of(change: &ChangeLine<'_>) -> Text {
    crate::format::subject(change.field.as_deref(), change.interest.as_deref())
}

/// A cause; `unexplained` stands out.
fn cause_of(cause: &str) -> Text {
    let role = match cause {
        "unexplained" => Role::Warning,
        _ => Role::Plain,
    };
    Text::of(role, plain(cause))
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
    use crate::format::Styles;

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
            let view = View {
                zone: crate::event::Zone::UTC,
                styles: Styles { on: false },
                width: None,
                now: 0,
            };
            let mut out = Vec::new();
            let mut history = History::new(false, view, &mut out);
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
