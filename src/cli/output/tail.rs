//! `tail` for people: a line for each event, and one below it for each change.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::ink::{Ink, Role, event_type, name_of, who};
use super::printer::Printer;
use crate::cli::setting::Setting;
use crate::query::lines::HistoryLine;

/// Writes each event as it comes.
pub struct TailPrinter<'a> {
    ink: Ink<'a>,
    out: &'a mut dyn Write,
}

impl<'a> TailPrinter<'a> {
    /// Writes to `out`.
    pub const fn new(setting: &'a Setting, out: &'a mut dyn Write) -> Self {
        let ink = Ink::new(setting);
        Self { ink, out }
    }

    fn event(&self, line: &HistoryLine<'_>) -> String {
        let ink = self.ink;
        let mut text = format!(
            "{}  {}  {}  {}",
            ink.put(Role::Head, &line.seq.to_string()),
            ink.time(&line.time),
            who(line.profile, line.subprofile),
            event_type(&line.event_type, line.verified),
        );
        if let Some(label) = &line.label {
            text.push_str("  ");
            text.push_str(&ink.put(Role::Aside, label));
        }
        if let Some(same) = line.duplicate_of {
            text.push_str(&ink.put(Role::Aside, &format!("  (duplicate of {same})")));
        } else if line.changes.is_empty() {
            text.push_str(&ink.put(Role::Aside, "  (no change)"));
        }
        text.push('\n');
        for change in &line.changes {
            let name = name_of(&change.field, &change.interest);
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "    {name}: {} → {}",
                ink.old(change.old.as_ref()),
                ink.new_value(&change.new)
            );
            let since = change.since.as_deref();
            match (change.cause.as_ref(), since) {
                ("set" | "create", _) => {}
                (cause, None) => text.push_str(&ink.put(Role::Aside, &format!("  ({cause})"))),
                (cause, Some(since)) => {
                    let since = ink.setting().local(since);
                    let what = format!("  ({cause} since {since})");
                    text.push_str(&ink.put(Role::Doubt, &what));
                }
            }
            text.push('\n');
        }
        text
    }
}

impl Printer for TailPrinter<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: HistoryLine<'_> = serde_json::from_slice(line)?;
        let text = self.event(&line);
        self.out.write_all(text.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
