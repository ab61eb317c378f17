//! `stats` for people: facts, and a chart of each list.

use std::io::{self, Write};

use super::cell::Cell;
use super::chart::{bars, gather};
use super::details::{self, Field, field};
use crate::format::{Role, Text, View, counted, grouped, plain, size};
use crate::query::{Count, StatsLine};

/// How many rows a list shows.
const ROWS: usize = 10;

/// The longest name of a fact, in columns.
const FACT_NAME: usize = 14;

/// How many rows the chart by time has.
const TIMES: usize = 31;

pub fn write(line: &StatsLine, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let span = |first: &Option<String>, last: &Option<String>| match (first, last) {
        (Some(first), Some(last)) => format!("{} to {}", view.time(first), view.time(last)),
        _ => "none".to_owned(),
    };
    let mut facts = vec![
        ("events", grouped(line.events)),
        ("profiles", grouped(line.profiles)),
        ("subprofiles", grouped(line.subprofiles)),
        ("rejected calls", grouped(line.rejected)),
    ];
    if line.pruned > 0 {
        facts.push(("pruned events", grouped(line.pruned)));
    }
    let disk = line.log_bytes + line.rejected_bytes + line.index_bytes;
    facts.extend([
        ("happened", span(&line.first_time, &line.last_time)),
        ("received", span(&line.first_received, &line.last_received)),
        ("bodies", size(line.body_bytes)),
        (
            "on disk",
            format!(
                "{}: events {}, rejected calls {}, index {}",
                size(disk),
                size(line.log_bytes),
                size(line.rejected_bytes),
                size(line.index_bytes)
            ),
        ),
        (
            "segments",
            format!(
                "{} sealed, {} plain",
                grouped(line.sealed_segments),
                grouped(line.plain_segments)
            ),
        ),
    ]);
    if let Some(lookup) = &line.lookup {
        facts.push((
            "lookups",
            format!(
                "{}: {} up to event {}, {}",
                plain(&lookup.fields.join(", ")),
                counted(lookup.entries, "value"),
                grouped(lookup.up_to),
                size(lookup.bytes)
            ),
        ));
    }
    let facts: Vec<Field> = facts
        .into_iter()
        .map(|(name, value)| field(name, Cell::plain(value)))
        .collect();
    details::write_at("", FACT_NAME, &facts, view, out)?;
    let days: Vec<_> = rows(&line.days, usize::MAX);
    let (what, times) = gather(&days, TIMES);
    let lists = [
        (
            format!("events by {what} ({})", view.zone),
            "days",
            times,
            0,
        ),
        list("events by type", "types", &line.types),
        list("events by label", "labels", &line.labels),
        list("events by database", "databases", &line.databases),
        list(
            "fields and interests named by updates",
            "fields",
            &line.fields,
        ),
    ];
    for (title, name, rows, more) in lists {
        if rows.is_empty() {
            continue;
        }
        writeln!(out)?;
        details::title(&Text::of(Role::Head, title), view, out)?;
        bars(&rows, view, out)?;
        match (more, line.capped.iter().any(|capped| capped == name)) {
            (_, true) => writeln!(out, "  and others, which are too many to count")?,
            (0, false) => {}
            (more, false) => writeln!(out, "  and {} more", grouped(more))?,
        }
    }
    Ok(())
}

fn list(
    title: &str,
    name: &'static str,
    counts: &[Count],
) -> (String, &'static str, Vec<(String, u64)>, u64) {
    let more = counts.len().saturating_sub(ROWS) as u64;
    (title.to_owned(), name, rows(counts, ROWS), more)
}

fn rows(counts: &[Count], most: usize) -> Vec<(String, u64)> {
    let name = |name: &str| match name {
        "" => "(none)".to_owned(),
        name => plain(name),
    };
    let counts = counts.iter().take(most);
    counts
        .map(|count| (name(&count.name), count.events))
        .collect()
}
