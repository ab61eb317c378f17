//! Rows in columns, laid out without seeing all of them.
//!
//! The first rows are held back and decide how wide the columns are. Of later
//! ones a cell that is longer is shortened, or, in a column that must not be,
//! makes it wider from there on. So memory is bounded however many rows come,
//! and the first is not late.

use std::io::{self, Write};

use super::cell::{Cell, Column};
use crate::format::{Role, Styles, View};

/// How many rows decide, …
const HELD: usize = 100;

/// … and with how many bytes at most.
const HELD_LEN: usize = 4 << 20;

/// Where there is no limit, a column is made no wider than this: what is longer
/// stands out of it, and one value cannot push every row to the right.
const WIDEST: usize = 60;

/// Rows in columns.
pub struct Grid {
    columns: Vec<Column>,
    /// What stands above them.
    heads: Vec<String>,
    styles: Styles,
    limit: Option<usize>,
    gap: usize,
    most_held: usize,
    held: Vec<Vec<Cell>>,
    held_len: usize,
    /// How wide each column is, once that is decided; `None` is left out.
    widths: Option<Vec<Option<usize>>>,
}

impl Grid {
    /// A grid of at most that width; `None` is no limit.
    pub fn new(columns: &[Column], styles: Styles, limit: Option<usize>, gap: usize) -> Self {
        Self {
            columns: columns.to_vec(),
            heads: columns
                .iter()
                .map(|column| column.head.to_owned())
                .collect(),
            styles,
            limit,
            gap,
            most_held: HELD,
            held: Vec::new(),
            held_len: 0,
            widths: None,
        }
    }

    /// A grid for this reader.
    pub fn of_view(columns: &[Column], view: &View) -> Self {
        let gap = if view.is_narrow() { 1 } else { 2 };
        Self::new(columns, view.styles, view.width, gap)
    }

    /// The same, decided by all rows, which should be few.
    pub const fn of_few(mut self) -> Self {
        self.most_held = usize::MAX;
        self
    }

    /// Puts another name above a column; to be done before the first row.
    pub fn name(&mut self, place: usize, name: String) {
        if let Some(head) = self.heads.get_mut(place) {
            *head = name;
        }
    }

    /// Takes the next row.
    pub fn row(&mut self, row: Vec<Cell>, out: &mut dyn Write) -> io::Result<()> {
        if self.widths.is_some() {
            return self.write(&row, out);
        }
        self.held_len += row.iter().map(Cell::len).sum::<usize>();
        self.held.push(row);
        if self.held.len() >= self.most_held || self.held_len >= HELD_LEN {
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
            let heads = self.heads.iter();
            let heads = heads.map(|head| Cell::of(Role::Head, head.as_str()));
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
        for (place, (column, head)) in self.columns.iter().zip(&self.heads).enumerate() {
            let cells = held.iter().filter_map(|row| row.get(place));
            let widest = cells.clone().map(|cell| cell.width(self.styles)).max();
            let widest = widest.unwrap_or(0).max(head.len());
            let empty = all && column.hidden && cells.clone().all(Cell::is_empty);
            let most = match self.limit {
                Some(limit) => column.most.min(limit),
                None => WIDEST,
            };
            widths.push((!empty).then_some(widest.min(most)));
        }
        let Some(limit) = self.limit else {
            return widths;
        };
        // Columns are left out until the others fit, shortened as far as is good.
        while self.at_ease(&widths) > limit {
            let spare = self.columns.iter().zip(&widths).enumerate();
            let spare = spare.filter(|(_, (column, width))| column.spare > 0 && width.is_some());
            let Some((place, _)) = spare.max_by_key(|(_, (column, _))| column.spare) else {
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
                (*width > column.least?).then_some(width)
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
        shown.clone().sum::<usize>() + self.gap * shown.count().saturating_sub(1)
    }

    fn at_ease(&self, widths: &[Option<usize>]) -> usize {
        let pairs = self.columns.iter().zip(widths);
        let eased = pairs.map(|(column, width)| {
            let width = (*width)?;
            let ease = column.least.map(|_| column.ease.min(width));
            Some(ease.unwrap_or(width))
        });
        self.all(&eased.collect::<Vec<_>>())
    }

    /// Makes room for a row whose fixed cells are wider than those before.
    fn widen(&mut self, row: &[Cell]) {
        let (styles, limited) = (self.styles, self.limit.is_some());
        let Some(widths) = &mut self.widths else {
            return;
        };
        let mut taken = 0;
        let columns = self.columns.iter().zip(row);
        for (width, (column, cell)) in widths.iter_mut().zip(columns) {
            let (Some(width), None) = (width, column.least) else {
                continue;
            };
            let wide = cell.width(styles).min(WIDEST);
            taken += wide.saturating_sub(*width);
            *width = wide.max(*width);
        }
        // What they take, the last column that can gives.
        let elastic = self.columns.iter().zip(widths.iter_mut()).rev();
        for (column, width) in elastic {
            if let (Some(width), Some(least), true) = (width, column.least, limited) {
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
                waiting += self.gap;
            }
            if cell.is_empty() {
                waiting += width;
                continue;
            }
            let cut = self.limit.and(column.least).map(|_| width);
            let text = match (cell, self.limit) {
                // What comes last may take what is left of the line.
                (Cell::Change(_), None) => cell.fit(self.styles, None),
                _ => cell.fit(self.styles, cut),
            };
            line.push_str(&" ".repeat(std::mem::take(&mut waiting)));
            if column.right {
                line.push_str(&" ".repeat(width.saturating_sub(text.width())));
            } else {
                waiting = width.saturating_sub(text.width());
            }
            text.put(&mut line, self.styles);
        }
        line.push('\n');
        out.write_all(line.as_bytes())
    }
}

/// A column of times. Where there is little room the heading names the zone, and
/// a row only where it is another.
pub struct Headed {
    place: usize,
    head: &'static str,
    zone: Option<String>,
}

impl Headed {
    /// The column at that place, and its heading.
    pub const fn new(place: usize, head: &'static str) -> Self {
        Self {
            place,
            head,
            zone: None,
        }
    }

    /// An RFC 3339 time as it stands in the column.
    pub fn time(&mut self, time: &str, view: &View, grid: &mut Grid) -> String {
        if !view.is_narrow() {
            return view.time(time);
        }
        let (shown, zone) = view.split_zone(time);
        let headed = self.zone.get_or_insert_with(|| {
            grid.name(self.place, format!("{} ({zone})", self.head));
            zone.clone()
        });
        if *headed == zone {
            shown
        } else {
            format!("{shown} {zone}")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PLAIN: Styles = Styles { on: false };

    const COLUMNS: [Column; 4] = [
        Column::fixed("SEQ").right(),
        Column::elastic("NAME", 4, 20),
        Column::fixed("NOTE").spare(1).hidden(),
        Column::elastic("VALUE", 6, usize::MAX),
    ];

    fn written(rows: &[[&str; 4]], limit: Option<usize>) -> String {
        let mut grid = Grid::new(&COLUMNS, PLAIN, limit, 1);
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
            "SEQ NAME NOTE   VALUE\n  1 name a note a long value\n 12 李雷        b\n"
        );
        assert_eq!(
            written(&rows, Some(20)),
            "SEQ NAME VALUE\n  1 name a lon…value\n 12 李雷 b\n"
        );
        assert_eq!(
            written(&[["1", "x", "", "y"]], None),
            "SEQ NAME VALUE\n  1 x    y\n"
        );
        assert_eq!(written(&[], Some(9)), "");
    }

    #[test]
    fn later_rows_keep_to_the_width() {
        let mut rows = vec![["1", "n", "", "value value value"]; HELD];
        rows.push(["123456789", "a long name", "", "value value value"]);
        rows.push(["1", "n", "", "v"]);
        let text = written(&rows, Some(26));
        assert!(text.lines().all(|line| crate::format::width_of(line) <= 26));
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(last[1], "123456789 a …e      val…ue");
        assert_eq!(last[0], "        1 n         v");
    }
}
