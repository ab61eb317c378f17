//! `blame` for people: a row for each field and interest.

use std::io::{self, Write};

use super::cell::{Cell, Column};
use super::grid::Grid;
use super::printer::parse;
use crate::format::{Printer, Role, Side, Text, View, plain, subject};
use crate::query::BlameQuery;
use crate::query::lines::BlameLine;

/// What has no room is left out in this order: since when, type, time, what was.
const COLUMNS: [Column; 9] = [
    Column::elastic("FIELD", 8, 32),
    Column::elastic("VALUE", 12, usize::MAX),
    Column::fixed("AGE"),
    Column::fixed("SEQ").right(),
    Column::fixed("TIME").spare(2),
    Column::elastic("TYPE", 6, 16).spare(3),
    Column::fixed("CAUSE"),
    Column::fixed("SINCE").spare(4).hidden(),
    Column::elastic("WAS", 8, usize::MAX).spare(1),
];

/// Writes the last change of every field and interest.
pub struct Blame<'a> {
    view: View,
    at: Option<i64>,
    grid: Grid,
    out: &'a mut dyn Write,
}

impl<'a> Blame<'a> {
    pub fn new(query: &BlameQuery, view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            at: query.at,
            // No more rows than an event has fields.
            grid: Grid::of_view(&COLUMNS, &view).of_few(),
            out,
        }
    }
}

impl Printer for Blame<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: BlameLine<'_> = parse(line)?;
        let styles = self.view.styles;
        let since = line.since.as_ref().map(|since| self.view.time(since));
        let cause = match line.cause.as_ref() {
            "unexplained" => Role::Warning,
            _ => Role::Plain,
        };
        let row = vec![
            subject(line.field.as_deref(), line.interest.as_deref()).into(),
            Side::new_value(&line.value).text(styles).into(),
            Cell::of(Role::Plain, self.view.age(&line.time, self.at)),
            Cell::of(Role::Seq, line.seq.to_string()),
            Cell::of(Role::Time, self.view.time(&line.time)),
            Text::outside(Role::Plain, &line.event_type).into(),
            Cell::of(cause, plain(&line.cause)),
            Cell::of(Role::Warning, since.unwrap_or_default()),
            Side::old_value(line.old.as_ref()).text(styles).into(),
        ];
        self.grid.row(row, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}
