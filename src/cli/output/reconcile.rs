//! What people see of a comparison: the counts, and a table of what differs.

use std::io::{self, Write};

use super::cell::{Cell, Column};
use super::grid::Grid;
use super::printer::parse;
use crate::cli::setting::Setting;
use crate::format::{Change, Printer, Role, Text, counted, grouped, key, plain, subject};
use crate::history::Value;
use crate::query::{ReconcileLine, ReconcileOrder, ReconcileReport};

/// A column that differs in so many rows at least, and is no field of any, is
/// taken for none.
const NO_FIELD: u64 = 3;

/// What a comparison came to, a line each.
pub fn reconcile_summary(
    order: &ReconcileOrder,
    report: &ReconcileReport,
    setting: &Setting,
) -> Vec<String> {
    let what = if order.subprofiles {
        "subprofile"
    } else {
        "profile"
    };
    let at = setting.view().moment(order.at);
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

/// Findings stand where a field's name does.
const COLUMNS: [Column; 3] = [
    Column::fixed("WHO"),
    Column::elastic("FIELD", 9, 32),
    Column::elastic("TRAIL → FILE", 12, usize::MAX),
];

/// Writes what differs.
pub struct ReconcileTable<'a> {
    grid: Grid,
    out: &'a mut dyn Write,
}

impl<'a> ReconcileTable<'a> {
    pub fn new(setting: &Setting, out: &'a mut dyn Write) -> Self {
        Self {
            grid: Grid::of_view(&COLUMNS, &setting.view()),
            out,
        }
    }
}

impl Printer for ReconcileTable<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: ReconcileLine<'_> = parse(line)?;
        let name = match (&line.field, &line.finding) {
            (Some(name), _) => subject(Some(name), None),
            (None, finding) => {
                let finding = finding.as_deref().map(plain).unwrap_or_default();
                Text::of(Role::Warning, format!("({finding})"))
            }
        };
        let trail = line
            .trail
            .map(|trail| trail.map_or(Value::Absent, Value::Text));
        let change = line
            .file
            .map(|file| Change::new(trail.as_ref(), &Value::Text(file)));
        let row = vec![
            Cell::of(Role::Plain, key(line.profile, line.subprofile)),
            name.into(),
            change.map_or_else(
                || Text::default().into(),
                |change| Cell::Change(Box::new(change)),
            ),
        ];
        self.grid.row(row, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.grid.finish(self.out)
    }
}
