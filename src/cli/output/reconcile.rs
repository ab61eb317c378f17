//! What people see of a comparison: the counts, and a table of what differs.

use std::io::{self, Write};

use comfy_table::{Cell, Color, ContentArrangement, presets};

use super::number::{counted, grouped};
use super::sanitize::plain;
use crate::cli::setting::Setting;
use crate::event::{ProfileKey, seconds_to_rfc3339};
use crate::query::{ReconcileLine, ReconcileOrder, ReconcileReport};

/// How many rows make a table; a longer answer is several.
const ROWS: usize = 500;

/// A column that differs in so many rows at least, and is no field of any, is
/// taken for none.
const NO_FIELD: u64 = 3;

/// What a comparison came to, a line each.
pub fn reconcile_summary(order: &ReconcileOrder, report: &ReconcileReport) -> Vec<String> {
    let what = if order.subprofiles {
        "subprofile"
    } else {
        "profile"
    };
    let at = seconds_to_rfc3339(order.at);
    let mut lines = vec![format!(
        "{} compared with the trail as of {at}: {} the same, {} with other values ({})",
        counted(report.rows, "row"),
        grouped(report.same),
        grouped(report.differing),
        counted(report.fields(), "field")
    )];
    let mut tell = |count: u64, of: &str| {
        if count > 0 {
            lines.push(format!("{} {of}", counted(count, what)));
        }
    };
    tell(report.unknown, "in the file and unknown to the trail");
    tell(report.deleted, "in the file and deleted in the trail");
    tell(report.gone, "in the trail and gone from the file");
    let counts = order.columns.iter().zip(&report.columns);
    for (name, count) in counts.filter(|(_, count)| count.differing > 0) {
        let mut line = format!("  {name:?} differs in {}", counted(count.differing, "row"));
        if count.absent == count.differing && count.absent >= NO_FIELD {
            line +=
                ", and is no field of any in the trail: if it is none, leave it out with --ignore";
        }
        lines.push(line);
    }
    lines
}

/// Writes what differs as tables.
pub struct ReconcileTable<'a> {
    color: bool,
    terminal: bool,
    out: &'a mut dyn Write,
    rows: Vec<[Cell; 4]>,
}

impl<'a> ReconcileTable<'a> {
    /// A table.
    pub fn new(setting: &Setting, out: &'a mut dyn Write) -> Self {
        Self {
            color: setting.color,
            terminal: setting.terminal,
            out,
            rows: Vec::new(),
        }
    }

    /// Takes a line.
    pub fn line(&mut self, line: &ReconcileLine<'_>) -> io::Result<()> {
        let styled = |cell: Cell, color| if self.color { cell.fg(color) } else { cell };
        let who = Cell::new(ProfileKey {
            profile: line.profile,
            subprofile: line.subprofile,
        });
        let value = |text: &str| match text {
            "" => "\"\"".to_owned(),
            text => plain(text),
        };
        let trail = match &line.trail {
            None => String::new(),
            Some(None) => "(absent)".to_owned(),
            Some(Some(text)) => value(text),
        };
        let file = line.file.as_deref().map(value).unwrap_or_default();
        let what = match (&line.field, &line.finding) {
            (Some(name), _) => Cell::new(plain(name)),
            (None, finding) => {
                let finding = finding.as_deref().map(plain).unwrap_or_default();
                styled(Cell::new(format!("({finding})")), Color::Yellow)
            }
        };
        self.rows.push([
            who,
            what,
            styled(Cell::new(trail), Color::Red),
            styled(Cell::new(file), Color::Green),
        ]);
        if self.rows.len() >= ROWS {
            self.finish()?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        if self.color {
            table.enforce_styling();
        }
        table.set_header(["WHO", "WHAT", "TRAIL", "FILE"]);
        for row in self.rows.drain(..) {
            table.add_row(row);
        }
        // Columns are parted by the cells' padding; the first needs none.
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        writeln!(self.out)?;
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
