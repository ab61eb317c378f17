//! `export` for people: a row for each event.

use std::io::{self, Write};

use super::cell::{Cell, Column};
use super::grid::Grid;
use super::history::push_mark;
use super::printer::parse;
use crate::format::{Printer, Role, Text, View, key, quoted};
use crate::query::lines::ExportLine;

const COLUMNS: [Column; 8] = [
    Column::fixed("SEQ").right(),
    Column::fixed("TIME"),
    Column::elastic("TYPE", 6, 16),
    Column::fixed("WHO"),
    Column::elastic("LABEL", 5, 16),
    Column::fixed("RECEIVED").spare(1),
    Column::elastic("FROM", 9, 39).spare(2),
    Column::elastic("PARAMETERS", 16, usize::MAX),
];

/// Writes every event.
pub struct Export<'a> {
    view: View,
    grid: Grid,
    out: &'a mut dyn Write,
}

impl<'a> Export<'a> {
    pub fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            grid: Grid::of_view(&COLUMNS, &view),
            out,
        }
    }
}

impl Printer for Export<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: ExportLine<'_> = parse(line)?;
        let parameters = line.parameters.iter();
        let parameters: Vec<String> = parameters
            .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)))
            .collect();
        let mut event_type = Text::outside(Role::Plain, &line.event_type);
        push_mark(&mut event_type, line.verified);
        let text = |text: &Option<std::borrow::Cow<'_, str>>| {
            Text::outside(Role::Plain, text.as_deref().unwrap_or_default()).into()
        };
        let row = vec![
            Cell::of(Role::Seq, line.seq.to_string()),
            Cell::of(Role::Time, self.view.time(&line.time)),
            event_type.into(),
            Cell::of(Role::Plain, key(line.profile, line.subprofile)),
            text(&line.label),
            Cell::of(Role::Time, self.view.time(&line.received)),
            text(&line.remote),
            Cell::of(Role::Plain, parameters.join(" ")),
        ];
        self.grid.row(row, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}
