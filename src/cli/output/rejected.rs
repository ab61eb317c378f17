//! `rejected` for people: a row for each call.

use std::io::{self, Write};

use super::cell::{Cell, Column};
use super::grid::Grid;
use super::printer::parse;
use crate::format::{Printer, Role, Text, View};
use crate::query::lines::RejectedLine;

/// How many characters of a body are shown at most.
const BODY: usize = 200;

const COLUMNS: [Column; 8] = [
    Column::fixed("NUMBER"),
    Column::fixed("RECEIVED"),
    Column::elastic("FROM", 9, 39).spare(1),
    Column::elastic("LABEL", 5, 16).spare(2),
    Column::fixed("STATUS"),
    Column::elastic("ERROR", 16, usize::MAX),
    Column::elastic("WHERE", 7, 24),
    Column::elastic("BODY", 8, usize::MAX),
];

/// Writes the calls that could not be read.
pub struct Rejected<'a> {
    view: View,
    grid: Grid,
    out: &'a mut dyn Write,
}

impl<'a> Rejected<'a> {
    pub fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            grid: Grid::of_view(&COLUMNS, &view),
            out,
        }
    }
}

impl Printer for Rejected<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: RejectedLine<'_> = parse(line)?;
        let body = line.body.as_ref().or(line.body_base64.as_ref());
        let mut begin: String = body
            .map(|body| body.chars().take(BODY).collect())
            .unwrap_or_default();
        if body.is_some_and(|body| body.len() > begin.len()) {
            begin.push('…');
        }
        let text = |text: &str| Text::outside(Role::Plain, text).into();
        let row = vec![
            Cell::of(Role::Seq, line.number.to_string()),
            Cell::of(Role::Time, self.view.time(&line.received)),
            text(line.remote.as_deref().unwrap_or_default()),
            text(line.label.as_deref().unwrap_or_default()),
            Cell::of(Role::Plain, line.status.to_string()),
            Text::outside(Role::Warning, &line.error).into(),
            text(&line.place),
            text(&begin),
        ];
        self.grid.row(row, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}
