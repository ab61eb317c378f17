//! Rows in columns, laid out without seeing all of them.
//!
//! The first rows are buffered and determine the widths of the columns. A wider cell
//! of a later row is shortened; in a column that must not be shortened, it widens the
//! column from there on. So memory is bounded for any number of rows, and the first
//! rows appear early.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::format::{Change, Role, Styles, Text, View, grouped};

/// How many rows decide, …
const MAX_HELD: usize = 100;

/// … and with how many bytes at most.
const MAX_HELD_LEN: usize = 4 << 20;

/// Where there is no limit, a column is made no wider than this: what is longer
/// stands out of it, and one value cannot push every row to the right.
const MAX_UNLIMITED: usize = 60;

/// How a column is laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    /// What stands above it.
    pub(super) head: Cow<'static, str>,
    /// How narrow it may get; `None` is never shortened.
    pub(super) min_width: Option<usize>,
    /// Below this, columns with a drop priority are left out first.
    pub(super) preferred_width: usize,
    /// How wide it gets at most where the width is limited.
    pub(super) max_width: usize,
    /// Dropped on a narrow terminal, the highest first; 0 is never dropped.
    pub(super) drop_priority: u8,
    /// Aligned at the right.
    pub(super) right: bool,
    /// Left out where no row has anything in it.
    pub(super) hide_empty: bool,
}

impl Layout {
    /// One that is never shortened.
    pub const fn fixed(head: &'static str) -> Self {
        Self {
            head: Cow::Borrowed(head),
            min_width: None,
            preferred_width: 0,
            max_width: usize::MAX,
            drop_priority: 0,
            right: false,
            hide_empty: false,
        }
    }

    /// One that may be shortened to `min` columns, and is `max` wide at most.
    pub const fn elastic(head: &'static str, min: usize, max: usize) -> Self {
        Self {
            head: Cow::Borrowed(head),
            min_width: Some(min),
            preferred_width: min,
            max_width: max,
            drop_priority: 0,
            right: false,
            hide_empty: false,
        }
    }

    /// The same, dropped on a narrow terminal: the highest priority goes first.
    pub const fn drop_priority(mut self, priority: u8) -> Self {
        self.drop_priority = priority;
        self
    }

    /// The same; others are left out before it gets narrower than this.
    pub const fn preferred_width(mut self, width: usize) -> Self {
        self.preferred_width = width;
        self
    }

    /// The same, aligned at the right.
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// The same, left out where no row has anything in it.
    pub const fn hide_empty(mut self) -> Self {
        self.hide_empty = true;
        self
    }
}

/// What stands in a row.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A text.
    Text(Text),
    /// From what to what.
    Change(Box<Change>),
    /// An RFC 3339 time, shown in the reader's zone.
    Time(String),
}

impl From<Text> for Cell {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Change> for Cell {
    fn from(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
}

impl Cell {
    /// A text of one role, safe already.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::Text(Text::of(role, text))
    }

    /// A text from outside.
    pub fn outside(text: &str) -> Self {
        Self::Text(Text::outside(Role::Plain, text))
    }

    /// A number.
    pub fn number(number: u64) -> Self {
        Self::of(Role::Plain, grouped(number))
    }

    /// An event's number.
    pub fn seq(seq: u64) -> Self {
        Self::of(Role::Seq, seq.to_string())
    }

    /// An RFC 3339 time.
    pub fn time(time: &str) -> Self {
        Self::Time(time.to_owned())
    }

    fn width(&self, styles: Styles) -> usize {
        match self {
            Self::Text(text) => text.width(),
            Self::Change(change) => change.width(styles),
            Self::Time(time) => time.len(),
        }
    }

    /// How many bytes it has.
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Change(change) => change.byte_len(),
            Self::Time(time) => time.len(),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn fit(&self, styles: Styles, width: Option<usize>) -> Text {
        match (self, width) {
            (Self::Text(text), None) => text.clone(),
            (Self::Text(text), Some(width)) => text.fit(width),
            (Self::Change(change), width) => change.fit(styles, width),
            // The grid has replaced it with a text.
            (Self::Time(time), _) => Text::of(Role::Time, time.as_str()),
        }
    }
}

/// Rows in columns.
pub struct Grid {
    columns: Vec<Layout>,
    /// The zone that a column's heading names, where it names one.
    zones: Vec<Option<String>>,
    view: View,
    max_held: usize,
    held: Vec<Vec<Cell>>,
    held_len: usize,
    /// How wide each column is, once that is decided; `None` is left out.
    widths: Option<Vec<Option<usize>>>,
}

impl Grid {
    /// A grid for this reader.
    pub fn new(columns: Vec<Layout>, view: View) -> Self {
        Self {
            zones: vec![None; columns.len()],
            columns,
            view,
            max_held: MAX_HELD,
            held: Vec::new(),
            held_len: 0,
            widths: None,
        }
    }

    /// The same, laid out by all rows, which must be few.
    pub const fn of_few(mut self) -> Self {
        self.max_held = usize::MAX;
        self
    }

    /// The columns between two cells.
    fn gap(&self) -> usize {
        if self.view.is_narrow() { 1 } else { 2 }
    }

    /// A time as its column shows it. Where there is little room the heading names
    /// the zone, and a row only where its own is another.
    fn time(&mut self, place: usize, time: &str) -> String {
        let (text, zone) = self.view.split_zone(time);
        let (Some(named), Some(column)) = (self.zones.get_mut(place), self.columns.get_mut(place))
        else {
            return text;
        };
        if !self.view.is_narrow() {
            return format!("{text} {zone}").trim_end().to_owned();
        }
        if named.is_none() && self.widths.is_none() {
            column.head = format!("{} ({zone})", column.head).into();
            *named = Some(zone.clone());
        }
        if named.as_ref() == Some(&zone) {
            text
        } else {
            format!("{text} {zone}")
        }
    }

    /// Takes the next row.
    pub fn row(&mut self, mut row: Vec<Cell>, out: &mut dyn Write) -> io::Result<()> {
        for (place, cell) in row.iter_mut().enumerate() {
            if let Cell::Time(time) = cell {
                *cell = Cell::of(Role::Time, self.time(place, time));
            }
        }
        if self.widths.is_some() {
            return self.write(&row, out);
        }
        self.held_len += row.iter().map(Cell::len).sum::<usize>();
        self.held.push(row);
        if self.held.len() >= self.max_held || self.held_len >= MAX_HELD_LEN {
            self.write_held(false, out)
        } else {
            Ok(())
        }
    }

    /// Writes what is held.
    pub fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.write_held(true, out)
    }

    fn write_held(&mut self, all: bool, out: &mut dyn Write) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return Ok(());
        }
        if self.widths.is_none() {
            self.widths = Some(self.decide(&held, all));
            let heads = self.columns.iter();
            let heads = heads.map(|column| Cell::of(Role::Head, column.head.as_ref()));
            self.write(&heads.collect::<Vec<_>>(), out)?;
        }
        for row in &held {
            self.write(row, out)?;
        }
        Ok(())
    }

    /// How wide columns are for these rows, which may be all.
    fn decide(&self, held: &[Vec<Cell>], all: bool) -> Vec<Option<usize>> {
        let mut widths = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            let cells = held.iter().filter_map(|row| row.get(place));
            let widest = cells.clone().map(|cell| cell.width(self.view.styles)).max();
            let widest = widest.unwrap_or(0).max(column.head.len());
            let empty = all && column.hide_empty && cells.clone().all(Cell::is_empty);
            let most = match self.view.width {
                Some(limit) => column.max_width.min(limit),
                None => MAX_UNLIMITED,
            };
            widths.push((!empty).then_some(widest.min(most)));
        }
        let Some(limit) = self.view.width else {
            return widths;
        };
        // Columns are left out until the others fit, shortened as far as is good.
        while self.preferred(&widths) > limit {
            let droppable = self.columns.iter().zip(&widths).enumerate();
            let droppable = droppable
                .filter(|(_, (column, width))| column.drop_priority > 0 && width.is_some());
            let Some((place, _)) = droppable.max_by_key(|(_, (column, _))| column.drop_priority)
            else {
                break;
            };
            if let Some(width) = widths.get_mut(place) {
                *width = None;
            }
        }
        // The widest is shortened first.
        let mut over = self.all(&widths).saturating_sub(limit);
        while over > 0 {
            let columns = self.columns.iter().zip(&mut widths);
            let elastic = columns.filter_map(|(column, width)| {
                let width = width.as_mut()?;
                (*width > column.min_width?).then_some(width)
            });
            let Some(widest) = elastic.max_by_key(|width| **width) else {
                break;
            };
            *widest -= 1;
            over -= 1;
        }
        widths
    }

    fn all(&self, widths: &[Option<usize>]) -> usize {
        let shown = widths.iter().flatten();
        shown.clone().sum::<usize>() + self.gap() * shown.count().saturating_sub(1)
    }

    fn preferred(&self, widths: &[Option<usize>]) -> usize {
        let pairs = self.columns.iter().zip(widths);
        let eased = pairs.map(|(column, width)| {
            let width = (*width)?;
            let ease = column.min_width.map(|_| column.preferred_width.min(width));
            Some(ease.unwrap_or(width))
        });
        self.all(&eased.collect::<Vec<_>>())
    }

    /// Makes room for a row whose fixed cells are wider than those before.
    fn widen(&mut self, row: &[Cell]) {
        let (styles, limited) = (self.view.styles, self.view.width.is_some());
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
        // What they take, the last column that can gives.
        let elastic = self.columns.iter().zip(widths.iter_mut()).rev();
        for (column, width) in elastic {
            if let (Some(width), Some(least), true) = (width, column.min_width, limited) {
                let given = taken.min(width.saturating_sub(least));
                *width -= given;
                taken -= given;
            }
        }
    }

    fn write(&mut self, row: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        self.widen(row);
        let Some(widths) = &self.widths else {
            return Ok(());
        };
        let cells = self.columns.iter().zip(widths).zip(row);
        let shown = cells.filter_map(|((column, width), cell)| Some((column, (*width)?, cell)));
        let mut line = String::new();
        // Nothing is padded behind the last cell that has something.
        let mut waiting = 0;
        for (place, (column, width, cell)) in shown.enumerate() {
            if place > 0 {
                waiting += self.gap();
            }
            if cell.is_empty() {
                waiting += width;
                continue;
            }
            let cut = self.view.width.and(column.min_width).map(|_| width);
            let text = match (cell, self.view.width) {
                // What comes last may take what is left of the line.
                (Cell::Change(_), None) => cell.fit(self.view.styles, None),
                _ => cell.fit(self.view.styles, cut),
            };
            line.push_str(&" ".repeat(std::mem::take(&mut waiting)));
            if column.right {
                line.push_str(&" ".repeat(width.saturating_sub(text.width())));
            } else {
                waiting = width.saturating_sub(text.width());
            }
            text.put(&mut line, self.view.styles);
        }
        line.push('\n');
        out.write_all(line.as_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn columns() -> Vec<Layout> {
        vec![
            Layout::fixed("SEQ").right(),
            Layout::elastic("NAME", 4, 20),
            Layout::fixed("NOTE").drop_priority(1).hide_empty(),
            Layout::elastic("VALUE", 6, usize::MAX),
        ]
    }

    fn written(rows: &[[&str; 4]], width: Option<usize>) -> String {
        let view = View {
            zone: crate::event::Zone::UTC,
            styles: Styles { on: false },
            width,
            now: 0,
        };
        let mut grid = Grid::new(columns(), view);
        let mut out = Vec::new();
        for row in rows {
            let row = row.map(|text| Cell::of(Role::Plain, text));
            grid.row(row.to_vec(), &mut out).unwrap();
        }
        grid.finish(&mut out).unwrap();
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
    fn later_rows_keep_to_the_width() {
        let mut rows = vec![["1", "n", "", "value value value"]; MAX_HELD];
        rows.push(["123456789", "a long name", "", "value value value"]);
        rows.push(["1", "n", "", "v"]);
        let text = written(&rows, Some(26));
        assert!(text.lines().all(|line| crate::format::width_of(line) <= 26));
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(last[1], "123456789 a …e      val…ue");
        assert_eq!(last[0], "        1 n         v");
    }
}
