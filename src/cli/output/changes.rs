//! `changes` for people: a line for each change.

use std::io::{self, Write};

use super::cell::{Cell, Column};
use super::grid::Grid;
use super::grid::Headed;
use super::printer::parse;
use crate::format::{Change, Printer, Role, Text, View, key, plain, subject};
use crate::query::lines::ChangesLine;

const COLUMNS: [Column; 7] = [
    Column::fixed("TIME"),
    Column::fixed("SEQ").right(),
    Column::fixed("WHO"),
    Column::elastic("LABEL", 5, 16).spare(1),
    Column::fixed("CAUSE"),
    Column::elastic("FIELD", 6, 24).ease(8),
    Column::elastic("CHANGE", 12, usize::MAX).ease(24),
];

/// Writes what changed when.
pub struct Changes<'a> {
    view: View,
    grid: Grid,
    times: Headed,
    out: &'a mut dyn Write,
}

impl<'a> Changes<'a> {
    pub fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            grid: Grid::of_view(&COLUMNS, &view),
            times: Headed::new(0, "TIME"),
            out,
        }
    }
}

impl Printer for Changes<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: ChangesLine<'_> = parse(line)?;
        let mut change = Change::new(line.old.as_ref(), &line.new);
        let mut cause = Role::Plain;
        if let Some(since) = &line.since {
            let since = format!("since {}", self.view.time(since));
            change.suffix = Text::of(Role::Warning, since);
            cause = Role::Warning;
        }
        let row = vec![
            Cell::of(
                Role::Time,
                self.times.time(&line.time, &self.view, &mut self.grid),
            ),
            Cell::of(Role::Seq, line.seq.to_string()),
            Cell::of(Role::Plain, key(line.profile, line.subprofile)),
            Text::outside(Role::Plain, line.label.as_deref().unwrap_or_default()).into(),
            Cell::of(cause, plain(&line.cause)),
            subject(line.field.as_deref(), line.interest.as_deref()).into(),
            Cell::Change(Box::new(change)),
        ];
        self.grid.row(row, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}
