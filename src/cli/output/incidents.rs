//! `incidents` for people: each with its most common changes and suggested commands.

use super::cell::Cell;
use super::chart::{BAR, bar};
use super::details::{Field, NAME, Section, field, see};
use crate::format::{
    Change, Role, Text, View, events, grouped, label, listed, of_many, plain, subject,
};
use crate::query::IncidentLine;

/// The most labels in a row.
const LABELS: usize = 6;

pub fn sections(line: &IncidentLine<'_>, view: &View) -> Vec<Section> {
    let mut title = Text::of(Role::Seq, plain(&line.id)).and(Role::Plain, "  ");
    let name = subject(&line.subject);
    title.push(Role::Head, name.fit(NAME).text());
    let many = of_many(line.profiles, line.subprofiles);
    title.push(Role::Plain, format!(" of {many} changed at once"));
    let commands = see("see", &line.command).into_iter();
    let commands = commands.chain(see("undo", &line.undo));
    let untitled = Text::default;
    vec![
        (title, fields(line, view)),
        (untitled(), pairs(line, view)),
        (untitled(), commands.collect()),
    ]
}

fn fields(line: &IncidentLine<'_>, view: &View) -> Vec<Field> {
    let mut shown = events(line.events, line.first_seq, line.last_seq);
    for (what, number) in [("database", line.database), ("collection", line.collection)] {
        if let Some(number) = number {
            shown.push_str(&format!(", {what} {number}"));
        }
    }
    shown.push_str(&format!(
        "; usual in that much time: {}",
        grouped(line.usual)
    ));
    let labels = line.labels.iter();
    let labels = labels.map(|one| (label(one.label.as_deref()), one.events));
    let causes = line.causes.iter();
    let causes = causes.map(|one| (plain(&one.cause), one.events));
    let when = view.format_range(&line.from, &line.until);
    vec![
        field("when", Text::of(Role::Time, when)),
        field("shown", Cell::plain(format!("by {shown}"))),
        field("label", Cell::plain(listed(labels, LABELS, false))),
        field("cause", Cell::plain(listed(causes, usize::MAX, false))),
    ]
}

/// The commonest changes: how many, a bar, and from what to what.
fn pairs(line: &IncidentLine<'_>, view: &View) -> Vec<Field> {
    let most = line.pairs.iter().map(|pair| pair.events).max();
    let most = most.unwrap_or(0);
    let bars = if view.is_narrow() { BAR / 2 } else { BAR };
    let wide = grouped(most).len();
    let rows = line.pairs.iter().map(|pair| {
        let count = grouped(pair.events);
        let bar = bar(pair.events, most, bars);
        let name = Text::of(Role::Plain, format!("{count:>wide$} {bar:<bars$}"));
        (name, Change::new(pair.old.as_ref(), &pair.new).into())
    });
    let mut rows: Vec<Field> = rows.collect();
    if line.more_pairs {
        rows.push((Text::default(), Text::of(Role::Dim, "and others").into()));
    }
    rows
}
