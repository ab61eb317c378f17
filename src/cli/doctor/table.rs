//! Findings for people.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};

use crate::care::doctor::{Address, Finding, Verdict};
use crate::cli::output::plain;
use crate::cli::setting::Setting;

/// Writes a row for each finding, and what to enter in Copernica.
pub(super) fn write(
    findings: &[Finding],
    addresses: &[Address],
    setting: &Setting,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING);
    if setting.terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    if setting.color {
        table.enforce_styling();
    }
    table.set_header(["CHECK", "RESULT", "FOUND", "WHAT TO DO"].map(|name| {
        let cell = Cell::new(name);
        if setting.color {
            cell.add_attribute(Attribute::Bold)
        } else {
            cell
        }
    }));
    for finding in findings {
        let (word, color) = match finding.result {
            Verdict::Ok => ("ok", Color::Green),
            Verdict::Unknown => ("unknown", Color::Cyan),
            Verdict::Warning => ("warning", Color::Yellow),
            Verdict::Problem => ("PROBLEM", Color::Red),
        };
        let result = Cell::new(word);
        table.add_row([
            Cell::new(finding.check),
            if setting.color {
                result.fg(color)
            } else {
                result
            },
            Cell::new(plain(&finding.what)),
            Cell::new(finding.fix.as_deref().map(plain).unwrap_or_default()),
        ]);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(
        out,
        "\nAddresses for webhooks in Copernica, one label for each way a call may come:"
    )?;
    for address in addresses {
        writeln!(out, "{}", plain(&address.address))?;
    }
    Ok(())
}
