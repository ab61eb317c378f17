//! Answers as tables on a terminal: each column has a function from a line to its
//! cell. The tables themselves are in [`super::tables`].
//!
//! Rows are laid out without seeing all of them: the first are buffered and determine
//! the widths of the columns. A wider cell of a later row is shortened; in a column
//! that must not be shortened, it widens the column from there on. So memory is bounded
//! for any number of rows, and the first rows appear early.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cell::{Cell, marked};
use super::command::broken;
use crate::format::{Printer, Role, View, width_of};

/// How many rows decide the widths, …
const MAX_HELD: usize = 100;

/// … and with how many bytes at most.
const MAX_HELD_LEN: usize = 4 << 20;

/// Without a limit, a column is made no wider than this: a longer value sticks out, and
/// does not push every row to the right.
const MAX_UNLIMITED: usize = 60;

/// No column is shortened to less than this.
const MIN_WIDTH: usize = 4;

/// Before a command on a line of its own.
const INDENT: &str = "    ";

pub struct Column<L> {
    head: Cow<'static, str>,
    /// Other columns are dropped before it gets narrower than this; `None` is never
    /// shortened.
    min_width: Option<usize>,
    /// Its maximum width, if the width is limited.
    max_width: usize,
    /// Dropped on a narrow terminal, the highest first; 0 is never dropped.
    drop_priority: u8,
    right: bool,
    /// Left out if it is empty in all rows.
    hide_empty: bool,
    /// Its cells are commands: if a row has no room for them, they go below the rows.
    commands: bool,
    cell: fn(&L, &View) -> Cell,
}

impl<L> Column<L> {
    /// One that is never shortened.
    pub const fn fixed(head: &'static str, cell: fn(&L, &View) -> Cell) -> Self {
        Self {
            head: Cow::Borrowed(head),
            min_width: None,
            max_width: usize::MAX,
            drop_priority: 0,
            right: false,
            hide_empty: false,
            commands: false,
            cell,
        }
    }

    /// One that may be shortened, and is `max` wide at most; others are dropped before it
    /// gets narrower than `min`.
    pub const fn elastic(
        head: &'static str,
        min: usize,
        max: usize,
        cell: fn(&L, &View) -> Cell,
    ) -> Self {
        let mut column = Self::fixed(head, cell);
        column.min_width = Some(min);
        column.max_width = max;
        column
    }

    /// One of numbers, aligned at the right.
    pub const fn number(head: &'static str, cell: fn(&L, &View) -> Cell) -> Self {
        let mut column = Self::fixed(head, cell);
        column.right = true;
        column
    }

    /// A column of commands, which are shown in full, if necessary below the rows.
    pub const fn commands(head: &'static str, cell: fn(&L, &View) -> Cell) -> Self {
        let mut column = Self::fixed(head, cell);
        column.hide_empty = true;
        column.commands = true;
        column
    }

    /// The same, dropped on a narrow terminal: the highest priority goes first.
    pub const fn drop_priority(mut self, priority: u8) -> Self {
        self.drop_priority = priority;
        self
    }

    /// The same, left out if it is empty in all rows.
    pub const fn hide_empty(mut self) -> Self {
        self.hide_empty = true;
        self
    }

    /// The same under another heading.
    pub fn headed(mut self, head: String) -> Self {
        self.head = head.into();
        self
    }
}

pub struct TablePrinter<'a, L> {
    columns: &'a [Column<L>],
    /// The headings, each with the zone that it names.
    heads: Vec<(Cow<'static, str>, Option<String>)>,
    view: View,
    held: Vec<Vec<Cell>>,
    held_len: usize,
    /// How wide each column is, once that is decided; `None` is left out.
    widths: Option<Vec<Option<usize>>>,
    /// The column of commands that go below their rows.
    below: Option<usize>,
    out: &'a mut dyn Write,
}

impl<'a, L> TablePrinter<'a, L> {
    pub fn new(columns: &'a [Column<L>], view: View, out: &'a mut dyn Write) -> Self {
        let heads = columns.iter().map(|column| (column.head.clone(), None));
        Self {
            columns,
            heads: heads.collect(),
            view,
            held: Vec::new(),
            held_len: 0,
            widths: None,
            below: None,
            out,
        }
    }

    fn gap(&self) -> usize {
        if self.view.is_narrow() { 1 } else { 2 }
    }

    /// A time as its column shows it. If there is little room, the heading names the
    /// zone, and a row only if its zone differs.
    fn time(&mut self, place: usize, time: &str) -> String {
        let (text, zone) = self.view.split_zone(time);
        let Some((head, named)) = self.heads.get_mut(place) else {
            return text;
        };
        if !self.view.is_narrow() {
            return format!("{text} {zone}").trim_end().to_owned();
        }
        if named.is_none() && self.widths.is_none() {
            *head = format!("{head} ({zone})").into();
            *named = Some(zone.clone());
        }
        if named.as_ref() == Some(&zone) {
            text
        } else {
            format!("{text} {zone}")
        }
    }

    pub fn row(&mut self, line: &L) -> io::Result<()> {
        let cells = self.columns.iter();
        let cells = cells.map(|column| (column.cell)(line, &self.view));
        let mut row: Vec<Cell> = cells.collect();
        for (place, cell) in row.iter_mut().enumerate() {
            if let Cell::Time { time, at_latest } = cell {
                *time = marked(self.time(place, time), *at_latest);
            }
        }
        if self.widths.is_some() {
            return self.write(&row);
        }
        self.held_len += row.iter().map(Cell::len).sum::<usize>();
        self.held.push(row);
        if self.held.len() >= MAX_HELD || self.held_len >= MAX_HELD_LEN {
            return self.write_held(false);
        }
        Ok(())
    }

    pub fn end(&mut self) -> io::Result<()> {
        self.write_held(true)
    }

    fn write_held(&mut self, all: bool) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return Ok(());
        }
        if self.widths.is_none() {
            self.decide(&held, all);
            let heads = self.heads.iter().enumerate();
            let heads = heads.map(|(place, (head, _))| match self.below == Some(place) {
                true => Cell::plain(""),
                false => Cell::of(Role::Head, head.as_ref()),
            });
            let heads: Vec<Cell> = heads.collect();
            self.write(&heads)?;
        }
        held.iter().try_for_each(|row| self.write(row))
    }

    /// Decides how wide columns are for these rows, which may be all.
    fn decide(&mut self, held: &[Vec<Cell>], all: bool) {
        let view = self.view;
        let mut widths = Vec::new();
        for (place, (column, (head, _))) in self.columns.iter().zip(&self.heads).enumerate() {
            let cells = held.iter().filter_map(|row| row.get(place));
            let widest = cells.clone().map(|cell| cell.width(view.styles)).max();
            let widest = widest.unwrap_or(0).max(width_of(head));
            let empty = all && column.hide_empty && cells.clone().all(Cell::is_empty);
            let most = match view.width {
                Some(limit) => column.max_width.min(limit),
                None => MAX_UNLIMITED,
            };
            widths.push((!empty).then_some(widest.min(most)));
        }
        if let Some(limit) = view.width {
            if self.total(&widths) > limit {
                self.below = self.columns.iter().position(|column| column.commands);
            }
            if let Some(width) = self.below.and_then(|place| widths.get_mut(place)) {
                *width = None;
            }
            self.shrink(&mut widths, limit);
        }
        self.widths = Some(widths);
    }

    /// Leaves columns out, and shortens others, until all have room.
    fn shrink(&self, widths: &mut [Option<usize>], limit: usize) {
        while self.least(widths) > limit {
            let shown = self.columns.iter().zip(widths.iter_mut());
            let shown = shown.filter(|(column, width)| column.drop_priority > 0 && width.is_some());
            let Some((_, width)) = shown.max_by_key(|(column, _)| column.drop_priority) else {
                break;
            };
            *width = None;
        }
        // The widest is shortened first.
        for _ in limit..self.total(widths) {
            let columns = self.columns.iter().zip(widths.iter_mut());
            let elastic = columns.filter_map(|(column, width)| {
                let width = width.as_mut()?;
                (column.min_width.is_some() && *width > MIN_WIDTH).then_some(width)
            });
            let Some(widest) = elastic.max_by_key(|width| **width) else {
                break;
            };
            *widest -= 1;
        }
    }

    fn total(&self, widths: &[Option<usize>]) -> usize {
        let shown = widths.iter().flatten();
        shown.clone().sum::<usize>() + self.gap() * shown.count().saturating_sub(1)
    }

    /// The total if each column is as narrow as it should get.
    fn least(&self, widths: &[Option<usize>]) -> usize {
        let pairs = self.columns.iter().zip(widths);
        let least = pairs.map(|(column, width)| {
            width.map(|width| column.min_width.map_or(width, |least| least.min(width)))
        });
        self.total(&least.collect::<Vec<_>>())
    }

    /// Makes room for a row whose fixed cells are wider than those before.
    fn widen(&mut self, row: &[Cell]) {
        let View { styles, width, .. } = self.view;
        let Some(widths) = &mut self.widths else {
            return;
        };
        let mut taken = 0;
        let columns = self.columns.iter().zip(row);
        for (width, (column, cell)) in widths.iter_mut().zip(columns) {
            let (Some(width), None) = (width, column.min_width) else {
                continue;
            };
            let wide = cell.width(styles).min(MAX_UNLIMITED);
            taken += wide.saturating_sub(*width);
            *width = wide.max(*width);
        }
        // The last elastic columns give up the room that the fixed ones need.
        let elastic = self.columns.iter().zip(widths.iter_mut()).rev();
        for (column, cell_width) in elastic {
            if let (Some(cell_width), Some(_), Some(_)) = (cell_width, column.min_width, width) {
                let given = taken.min(cell_width.saturating_sub(MIN_WIDTH));
                *cell_width -= given;
                taken -= given;
            }
        }
    }

    fn write(&mut self, row: &[Cell]) -> io::Result<()> {
        self.widen(row);
        let Some(widths) = &self.widths else {
            return Ok(());
        };
        let (styles, limit) = (self.view.styles, self.view.width);
        let cells = self.columns.iter().zip(widths).zip(row);
        let shown = cells.filter_map(|((column, width), cell)| Some((column, (*width)?, cell)));
        let mut line = String::new();
        // Nothing is padded after the last non-empty cell.
        let mut waiting = 0;
        for (place, (column, width, cell)) in shown.enumerate() {
            if place > 0 {
                waiting += self.gap();
            }
            if cell.is_empty() {
                waiting += width;
                continue;
            }
            // Without a limit, the last column may take the rest of the line.
            let text = cell.fit(styles, limit.and(column.min_width).map(|_| width));
            line.push_str(&" ".repeat(std::mem::take(&mut waiting)));
            if column.right {
                line.push_str(&" ".repeat(width.saturating_sub(text.width())));
            } else {
                waiting = width.saturating_sub(text.width());
            }
            text.put(&mut line, styles);
        }
        line.push('\n');
        if let Some(Cell::Command(command)) = self.below.and_then(|place| row.get(place))
            && !command.is_empty()
        {
            let room = limit.map(|limit| limit.saturating_sub(INDENT.len()));
            for part in broken(command, room) {
                line.push_str(INDENT);
                styles.put(&mut line, Role::Dim, &part);
                line.push('\n');
            }
        }
        self.out.write_all(line.as_bytes())
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

pub(super) fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(io::Error::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    type Row = [&'static str; 4];

    fn columns() -> [Column<Row>; 4] {
        [
            Column::number("SEQ", |row, _| Cell::plain(row[0])),
            Column::elastic("NAME", 4, 20, |row, _| Cell::plain(row[1])),
            Column::fixed("NOTE", |row: &Row, _| Cell::plain(row[2]))
                .drop_priority(1)
                .hide_empty(),
            Column::elastic("VALUE", 6, usize::MAX, |row, _| Cell::plain(row[3])),
        ]
    }

    fn written(rows: &[Row], width: Option<usize>) -> String {
        let view = View::plain(width);
        let mut out = Vec::new();
        let columns = columns();
        let mut table = TablePrinter::new(&columns, view, &mut out);
        for row in rows {
            table.row(row).unwrap();
        }
        table.end().unwrap();
        drop(table);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_has_no_room_is_shortened_or_left_out() {
        let rows = [
            ["1", "name", "a note", "a long value"],
            ["12", "李雷", "", "b"],
        ];
        assert_eq!(
            written(&rows, None),
            "SEQ  NAME  NOTE    VALUE\n  1  name  a note  a long value\n 12  李雷          b\n"
        );
        assert_eq!(
            written(&rows, Some(20)),
            "SEQ NAME VALUE\n  1 name a lon…value\n 12 李雷 b\n"
        );
        assert_eq!(
            written(&[["1", "x", "", "y"]], None),
            "SEQ  NAME  VALUE\n  1  x     y\n"
        );
        assert_eq!(written(&[], Some(9)), "");
    }

    #[test]
    fn a_heading_is_as_wide_as_it_shows() {
        let view = View::plain(None);
        let mut out = Vec::new();
        let columns = [
            Column::fixed("A → B", |row: &Row, _| Cell::plain(row[0])),
            Column::fixed("C", |row: &Row, _| Cell::plain(row[1])),
        ];
        let mut table = TablePrinter::new(&columns, view, &mut out);
        table.row(&["a", "c", "", ""]).unwrap();
        table.end().unwrap();
        drop(table);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "A → B  C\na      c\n");
    }

    #[test]
    fn later_rows_keep_to_the_width() {
        let mut rows = vec![["1", "n", "", "value value value"]; MAX_HELD];
        rows.push(["123456789", "a long name", "", "value value value"]);
        rows.push(["1", "n", "", "v"]);
        let text = written(&rows, Some(26));
        assert!(text.lines().all(|line| width_of(line) <= 26));
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(last[1], "123456789 a …e      val…ue");
        assert_eq!(last[0], "        1 n         v");
    }
}
