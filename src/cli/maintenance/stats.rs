//! `stats`

use std::io::Write;

use super::chart::{bars, gather};
use super::{exit_status, order, parse_lines, shown, write};
use crate::cli::ExitStatus;
use crate::cli::args::{Format, StatsArgs};
use crate::cli::context::CommandContext;
use crate::cli::output::details::{self, Field, FieldValue, field};
use crate::cli::pager::PagedStdout;
use crate::format::{Role, Text, View, counted, grouped, plain};
use crate::ops::{Count, Maintenance, StatsLine};
use crate::store::Purpose;

/// How many rows a list shows.
const ROWS: usize = 10;

/// How many rows the chart by time has.
const TIMES: usize = 31;

/// `stats`
pub fn stats(args: &StatsArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    crate::cli::logging::of_command(context);
    let care = Maintenance::Stats(args.span);
    let mut lines = Vec::new();
    let end = order(&care, Purpose::Ask, "counting", context, &mut lines)?;
    if context.format(args.output.format) == Format::Jsonl {
        write(&lines)?;
    } else {
        let mut out = PagedStdout::new(context);
        for line in parse_lines::<StatsLine>(&lines)? {
            write_text(&line, &context.view(), &mut out)?;
        }
        out.finish()?;
    }
    Ok(exit_status(&end))
}

fn write_text(line: &StatsLine, view: &View, out: &mut dyn Write) -> std::io::Result<()> {
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
        ("bodies", shown(line.body_bytes)),
        (
            "on disk",
            format!(
                "{}: events {}, rejected calls {}, index {}",
                shown(disk),
                shown(line.log_bytes),
                shown(line.rejected_bytes),
                shown(line.index_bytes)
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
                shown(lookup.bytes)
            ),
        ));
    }
    let facts: Vec<Field> = facts
        .into_iter()
        .map(|(name, value)| field(name, FieldValue::text(value)))
        .collect();
    details::write_at("", &facts, view, out)?;
    let days: Vec<_> = rows(&line.days, usize::MAX);
    let (what, times) = gather(&days, TIMES);
    let lists = [
        (format!("events by {what} (UTC)"), "days", times, 0),
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
            (_, true) => writeln!(out, "  and others: there are too many to be counted")?,
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
