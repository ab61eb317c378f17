//! Findings for people.

use std::io::{self, Write};

use crate::cli::context::CommandContext;
use crate::cli::output::details::{self, Field};
use crate::format::{Role, Text, plain};
use crate::ops::doctor::{Address, Finding, Verdict};

/// Between the name of a check and its result.
const GAP: &str = "  ";

/// Writes each finding with its fix below it, and the addresses to enter in Copernica.
pub(super) fn write(
    findings: &[Finding],
    addresses: &[Address],
    context: &CommandContext,
    out: &mut dyn Write,
) -> io::Result<()> {
    let view = context.view;
    let names = findings.iter().map(|finding| finding.check.len());
    let widest = names.max().unwrap_or(0).max("CHECK".len());
    let head = |text: &str| Text::of(Role::Head, text);
    let mut rows: Vec<Field> = vec![(
        head(&format!("{:widest$}{GAP}RESULT", "CHECK")),
        head("FOUND, AND WHAT TO DO").into(),
    )];
    for finding in findings {
        let (word, role) = match finding.result {
            Verdict::Ok => ("ok", Role::New),
            Verdict::Unknown => ("unknown", Role::Time),
            Verdict::Warning => ("warning", Role::Warning),
            Verdict::Problem => ("PROBLEM", Role::Old),
        };
        let name = Text::of(Role::Plain, format!("{:widest$}{GAP}", finding.check)).and(role, word);
        rows.push((name, Text::outside(Role::Plain, &finding.what).into()));
        if let Some(fix) = &finding.fix {
            let fix = Text::of(Role::Dim, "→ ").and(Role::Plain, plain(fix));
            rows.push((Text::default(), fix.into()));
        }
    }
    details::write_at("", widest + GAP.len() + "PROBLEM".len(), &rows, &view, out)?;
    writeln!(out)?;
    let title = "Addresses for webhooks in Copernica, one label for each source of calls:";
    details::title(&Text::of(Role::Plain, title), &view, out)?;
    for address in addresses {
        writeln!(out, "{}", plain(&address.address))?;
    }
    Ok(())
}
