//! Answers as tables: one description of the columns of each, for a terminal and
//! for CSV.
//!
//! A [`Table`] names the keys that make an answer's CSV, and the columns that a
//! terminal shows, each with a function from a line to its cell. The tables
//! themselves are in [`super::tables`].

use std::io::{self, Write};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::csv::CsvColumns;
use super::grid::{Cell, Grid, Layout};
use crate::format::{Printer, View};

/// An answer's columns.
pub struct Table<L: 'static> {
    /// Those of its CSV.
    pub csv: CsvColumns,
    /// Those that a terminal shows.
    pub columns: &'static [Column<L>],
}

/// A column on a terminal.
pub struct Column<L> {
    layout: Layout,
    cell: fn(&L, &CellContext) -> Cell,
}

/// What a cell may depend on beside its line.
#[derive(Clone, Copy)]
pub struct CellContext {
    /// The reader.
    pub view: View,
    /// The moment that the question is about, where it names one.
    pub at: Option<i64>,
}

impl CellContext {
    /// That moment, or the present.
    pub fn moment(&self) -> i64 {
        self.at.unwrap_or(self.view.now)
    }
}

impl Layout {
    /// A column of this layout, with a function from a line to its cell.
    pub const fn cell<L>(self, cell: fn(&L, &CellContext) -> Cell) -> Column<L> {
        Column { layout: self, cell }
    }
}

impl<L> Column<L> {
    /// The same under another heading.
    pub fn headed(mut self, head: String) -> Self {
        self.layout.head = head.into();
        self
    }
}

/// Writes lines as rows.
pub struct TablePrinter<'a, L> {
    columns: &'a [Column<L>],
    context: CellContext,
    grid: Grid,
    out: &'a mut dyn Write,
}

impl<'a, L> TablePrinter<'a, L> {
    /// A printer of these columns.
    pub fn new(columns: &'a [Column<L>], context: CellContext, out: &'a mut dyn Write) -> Self {
        let layouts = columns.iter().map(|column| column.layout.clone());
        Self {
            columns,
            context,
            grid: Grid::new(layouts.collect(), context.view),
            out,
        }
    }

    /// The same, laid out by all rows, which must be few.
    pub fn of_few(mut self) -> Self {
        self.grid = self.grid.of_few();
        self
    }

    /// Takes the next row.
    pub fn row(&mut self, line: &L) -> io::Result<()> {
        let cells = self.columns.iter();
        let cells = cells.map(|column| (column.cell)(line, &self.context));
        self.grid.row(cells.collect(), self.out)
    }

    /// Writes what is held back.
    pub fn end(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}

impl<L: DeserializeOwned> Printer for TablePrinter<'_, L> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: L = parse(line)?;
        self.row(&line)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end()
    }
}

/// Reads a line.
pub(super) fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(io::Error::from)
}

/// Writes answers of which each line is a paragraph of its own.
pub struct Paragraphs<'a, L> {
    view: View,
    out: &'a mut dyn Write,
    write: fn(&L, &View, &mut dyn Write) -> io::Result<()>,
    begun: bool,
}

impl<'a, L> Paragraphs<'a, L> {
    /// Writes each line by a function, with an empty line between two.
    pub fn new(
        view: View,
        out: &'a mut dyn Write,
        write: fn(&L, &View, &mut dyn Write) -> io::Result<()>,
    ) -> Self {
        Self {
            view,
            out,
            write,
            begun: false,
        }
    }
}

impl<L: DeserializeOwned> Printer for Paragraphs<'_, L> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: L = parse(line)?;
        if std::mem::replace(&mut self.begun, true) {
            writeln!(self.out)?;
        }
        (self.write)(&line, &self.view, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
