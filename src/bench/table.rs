//! Tables that people read on a terminal and that Markdown shows as tables.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use indicatif::HumanFloatCount;

/// A table whose first `texts` columns are text, the others numbers.
pub struct Printed {
    table: Table,
    texts: usize,
}

impl Printed {
    pub fn new(header: &[&str], texts: usize) -> Self {
        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN).set_header(header);
        for column in table.column_iter_mut().skip(texts) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self { table, texts }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells.into_iter().collect::<Vec<_>>());
    }

    pub fn print(&self, title: &str) {
        println!("{title}\n");
        for (place, line) in self.table.lines().enumerate() {
            if place == 1 {
                println!("{}", self.ruled(&line));
            } else {
                println!("{line}");
            }
        }
        println!();
    }

    /// The delimiter row below the header, which aligns the columns of numbers.
    fn ruled(&self, line: &str) -> String {
        let mut columns: Vec<String> = line.split('|').map(str::to_owned).collect();
        let last = columns.len().saturating_sub(1);
        for (place, column) in columns.iter_mut().enumerate() {
            // Before the first bar and after the last there is no column.
            if place > self.texts && place < last && column.pop().is_some() {
                column.push(':');
            }
        }
        columns.join("|")
    }
}

/// A whole number with its thousands apart.
pub fn whole(number: f64) -> String {
    format!("{:.0}", HumanFloatCount(number))
}

/// Milliseconds with as many digits as say something.
pub fn ms(time: f64) -> String {
    if time < 10.0 {
        format!("{time:.1} ms")
    } else if time < 10_000.0 {
        format!("{} ms", whole(time))
    } else {
        format!("{:.1} s", time / 1e3)
    }
}

/// Memory in MiB.
pub fn mib(kib: u64) -> String {
    format!("{:.0} MiB", kib as f64 / 1024.0)
}
