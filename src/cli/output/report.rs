//! `report` for people: a table with bars, and the command behind each row.

use std::io::{self, Write};

use indexmap::IndexSet;

use super::cell::Cell;
use super::chart::{BAR, bar};
use super::table::{Column, TablePrinter, parse};
use crate::format::{Role, View, label, plain, subject};
use crate::query::{By, ReportLine, ReportQuery};

struct Row {
    line: ReportLine<'static>,
    /// The most changes of any row.
    most: u64,
}

/// Writes a report once the longest bar is known.
pub fn write(
    lines: &[Vec<u8>],
    query: &ReportQuery,
    view: View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let lines = lines.iter().map(|line| parse(line));
    let lines: Vec<ReportLine<'static>> = lines.collect::<Result<_, _>>()?;
    let most = lines.iter().map(|line| line.changes).max().unwrap_or(0);
    let columns = columns(query, &lines, &view);
    let mut table = TablePrinter::new(&columns, view, out);
    for line in lines {
        table.row(&Row { line, most })?;
    }
    table.end()
}

fn columns(query: &ReportQuery, lines: &[ReportLine<'_>], view: &View) -> Vec<Column<Row>> {
    // The short names of the reader's zone during the report's time.
    let times = lines.iter().flat_map(|line| [&line.first, &line.last]);
    let zones: IndexSet<String> = times.map(|time| view.split_zone(time).1).collect();
    let zones = Vec::from_iter(zones).join("/");
    let by = query.distinct_by().into_iter().map(|by| match by {
        By::Day => column(by).headed(format!("DAY ({zones})")),
        By::Month => column(by).headed(format!("MONTH ({zones})")),
        by => column(by),
    });
    by.chain([
        Column::number("CHANGES", |row: &Row, _| Cell::number(row.line.changes)),
        Column::number("EVENTS", |row, _| Cell::number(row.line.events)),
        Column::number("(SUB)PROFILES", |row, _| {
            Cell::number(row.line.profiles + row.line.subprofiles)
        }),
        Column::fixed("", |row: &Row, _| {
            Cell::plain(bar(row.line.changes, row.most, BAR))
        })
        .drop_priority(1),
        Column::commands("SHOWN BY", |row, _| {
            Cell::command(row.line.command.as_deref())
        }),
    ])
    .collect()
}

/// The column of a group; that of names may be shortened.
const fn column(by: By) -> Column<Row> {
    match by {
        By::Month => Column::fixed("MONTH", |row, _| time(row.line.group.month.as_deref())),
        By::Day => Column::fixed("DAY", |row, _| time(row.line.group.day.as_deref())),
        By::Hour => Column::fixed("HOUR", |row, view| {
            let hour = row.line.group.hour.as_deref().unwrap_or_default();
            let (hour, zone) = view.split_zone(hour);
            // An hour has no seconds to show.
            let hour = hour.strip_suffix(":00").unwrap_or(&hour);
            Cell::of(Role::Time, format!("{hour} {zone}"))
        }),
        By::Field => Column::elastic("FIELD", 8, 40, |row, _| {
            let of_group = row.line.group.subject.as_ref();
            of_group.map(subject).unwrap_or_default().into()
        }),
        By::Type => Column::elastic("TYPE", 6, 24, |row, _| {
            Cell::outside(row.line.group.event_type.as_deref())
        }),
        By::Cause => Column::fixed("CAUSE", |row, _| {
            Cell::outside(row.line.group.cause.as_deref())
        }),
        By::Label => Column::elastic("LABEL", 6, 40, |row, _| {
            let of_group = row.line.group.label.as_ref();
            Cell::plain(label(of_group.and_then(Option::as_deref)))
        }),
        By::Database => Column::fixed("DATABASE", |row, _| number(row.line.group.database)),
        By::Collection => Column::fixed("COLLECTION", |row, _| number(row.line.group.collection)),
    }
}

fn time(time: Option<&str>) -> Cell {
    Cell::of(Role::Time, plain(time.unwrap_or_default()))
}

fn number(number: Option<Option<u64>>) -> Cell {
    let number = number.flatten().map(|number| number.to_string());
    Cell::plain(number.unwrap_or_else(|| label(None)))
}
