//! `find` for people: a row for each interval.

use std::io::{self, Write};

use chrono::DateTime;

use super::cell::{Cell, Column};
use super::grid::Grid;
use super::grid::Headed;
use super::printer::parse;
use crate::format::{Printer, Role, Side, Text, View, format_duration, key, plain, subject};
use crate::query::FindQuery;
use crate::query::lines::FindLine;

/// What has no room is left out in this order: database, field, what began it.
const COLUMNS: [Column; 8] = [
    Column::fixed("WHO"),
    Column::fixed("DATABASE").spare(3).hidden(),
    Column::elastic("FIELD", 5, 24).spare(2),
    Column::elastic("VALUE", 8, usize::MAX).ease(20),
    Column::fixed("SINCE"),
    Column::fixed("UNTIL"),
    Column::fixed("FOR"),
    Column::fixed("CAUSE").spare(1),
];

/// The places of the columns of times.
const SINCE: usize = 4;
const UNTIL: usize = 5;

/// Writes intervals.
pub struct Found<'a> {
    view: View,
    grid: Grid,
    since: Headed,
    until: Headed,
    /// The moment that the question is about, in Unix seconds.
    at: i64,
    out: &'a mut dyn Write,
}

impl<'a> Found<'a> {
    pub fn new(query: &FindQuery, view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            grid: Grid::of_view(&COLUMNS, &view),
            since: Headed::new(SINCE, "SINCE"),
            until: Headed::new(UNTIL, "UNTIL"),
            at: query.at.unwrap_or(view.now),
            out,
        }
    }
}

/// The Unix seconds of a time of an answer.
fn seconds(time: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(time.timestamp())
}

impl Printer for Found<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: FindLine<'_> = parse(line)?;
        let end = line.until.as_deref();
        let begin = seconds(&line.since);
        let lasted = begin.zip(end.map_or(Some(self.at), seconds));
        let lasted = lasted.map(|(begin, end)| format_duration(end.saturating_sub(begin)));
        let until = match end {
            Some(end) => self.until.time(end, &self.view, &mut self.grid),
            None => "(still)".to_owned(),
        };
        let is_narrow = self.view.is_narrow();
        let cause = match &*line.cause {
            // The true beginning is not known.
            unknown @ ("unexplained" | "first_seen" | "observed" | "baseline") => {
                let more = if is_narrow { "" } else { " or earlier" };
                Cell::of(Role::Warning, format!("{unknown}{more}"))
            }
            cause => Cell::of(Role::Plain, plain(cause)),
        };
        let database = line.database.map(|number| number.to_string());
        let row = vec![
            Cell::of(Role::Plain, key(line.profile, line.subprofile)),
            Cell::of(Role::Plain, database.unwrap_or_default()),
            subject(line.field.as_deref(), line.interest.as_deref()).into(),
            Side::new_value(&line.value).text(self.view.styles).into(),
            Cell::of(
                Role::Time,
                self.since.time(&line.since, &self.view, &mut self.grid),
            ),
            Text::of(Role::Time, until).into(),
            Cell::of(Role::Plain, lasted.unwrap_or_default()),
            cause,
        ];
        self.grid.row(row, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}
