//! One event for people: `explain` shows it, then the outcome of each of its parameters,
//! grouped by outcome; `evidence` what proves that Copernica sent it.

use std::io::{self, Write};

use super::cell::Cell;
use super::details::{self, Field, Section, field};
use super::history::push_signature_mark;
use super::table::parse;
use crate::format::{Change, Role, Side, Text, View, middle, plain, quoted, subject, who};
use crate::history::Value;
use crate::query::lines::{EvidenceLine, HistoryLine};
use crate::query::{ExplainLine, Outcome};

/// The longest value that was asked for, in columns.
const MAX_ASKED: usize = 160;

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

/// Writes the lines of one event.
pub fn write(lines: &[Vec<u8>], view: &View, out: &mut dyn Write) -> io::Result<()> {
    let Some((head, lines)) = lines.split_first() else {
        return Ok(());
    };
    details::write_sections(&[section(&parse(head)?)], view, out)?;
    let lines = lines.iter().map(|line| parse(line));
    let lines: Vec<ExplainLine<'_>> = lines.collect::<Result<_, _>>()?;
    if lines.is_empty() {
        let text = "no parameters, and no known change";
        writeln!(out)?;
        details::title(&Text::of(Role::Plain, text), view, out)?;
    }
    for (outcome, name) in GROUPS {
        let lines = lines.iter().filter(|line| line.outcome == outcome);
        let rows: Vec<Field> = lines.map(|line| row(line, view)).collect();
        if !rows.is_empty() {
            writeln!(out)?;
            let section = (Text::of(Role::Head, name), rows);
            details::write_sections(&[section], view, out)?;
        }
    }
    Ok(())
}

fn section(head: &HistoryLine<'_>) -> Section {
    let mut title = Text::of(Role::Seq, format!("event {}", head.seq))
        .and(Role::Plain, "  ")
        .and(Role::Head, plain(&head.event_type));
    push_signature_mark(&mut title, head.verified);
    title.push(Role::Plain, format!(" of {}", who(head.who)));
    let mut rows = vec![
        field("time", Cell::time(&head.time)),
        field("received", Cell::time(&head.received)),
    ];
    if let Some(label) = &head.label {
        rows.push(field("label", Cell::outside(&**label)));
    }
    for (what, number) in [("database", head.database), ("collection", head.collection)] {
        rows.extend(number.map(|number| field(what, Cell::plain(number.to_string()))));
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
        (None, _) if head.observed.is_some() => Some("not a call: taken from an export".to_owned()),
        (None, _) => Some("events of this type change nothing".to_owned()),
    };
    rows.extend(note.map(|note| field("note", Text::of(Role::Warning, note))));
    (title, rows)
}

/// A parameter, or a change without a request.
fn row(line: &ExplainLine<'_>, view: &View) -> Field {
    let asked = quoted(line.asked.as_deref().unwrap_or_default());
    let asked = middle(&asked, MAX_ASKED);
    let new = || Side::new_value(&line.new).text(view.styles);
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

/// What proves that Copernica sent an event.
pub fn evidence(line: &EvidenceLine<'_>, _: &View) -> Vec<Section> {
    let mut rows: Vec<Field> = vec![field("event", Cell::seq(line.seq))];
    let mut put = |what: &str, value: &str| rows.push(field(what, Cell::outside(value)));
    if let Some(remote) = &line.remote {
        put("from", remote);
    }
    put("signed by", &line.key);
    put("key record", &line.record);
    for (number, signed) in line.signed.lines().enumerate() {
        put(if number == 0 { "signed" } else { "" }, signed);
    }
    put("signature", &line.signature);
    let body = line.body.as_ref().or(line.body_base64.as_ref());
    put("body", body.map(AsRef::as_ref).unwrap_or_default());
    rows.push(field("received", Cell::time(&line.received)));
    rows.push(field("verified", Cell::time(&line.verified_at)));
    vec![(Text::default(), rows)]
}
