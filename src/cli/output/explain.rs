//! `explain` for people: the event as a card, then what came of what it asked,
//! grouped by that.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::ink::{Ink, Role, event_type, name_of, quoted, who};
use super::printer::Printer;
use crate::cli::setting::Setting;
use crate::history::Value;
use crate::query::lines::HistoryLine;
use crate::query::{ExplainLine, Outcome};

/// Gathers the lines of one event.
pub struct ExplainPrinter<'a> {
    ink: Ink<'a>,
    out: &'a mut dyn Write,
    head: Option<HistoryLine<'static>>,
    lines: Vec<ExplainLine<'static>>,
}

impl<'a> ExplainPrinter<'a> {
    /// Writes to `out`.
    pub const fn new(setting: &'a Setting, out: &'a mut dyn Write) -> Self {
        Self {
            ink: Ink::new(setting),
            out,
            head: None,
            lines: Vec::new(),
        }
    }

    fn card(&self, head: &HistoryLine<'_>) -> String {
        let ink = self.ink;
        let mut text = format!(
            "{}  {} of {}\n",
            ink.put(Role::Head, &format!("event {}", head.seq)),
            event_type(&head.event_type, head.verified),
            who(head.profile, head.subprofile)
        );
        let mut put = |what: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {what:<10}  {value}");
        };
        put("time", &ink.time(&head.time));
        put("received", &ink.time(&head.received));
        if let Some(label) = &head.label {
            put("label", &ink.put(Role::Aside, label));
        }
        for (what, number) in [("database", head.database), ("collection", head.collection)] {
            if let Some(number) = number {
                put(what, &number.to_string());
            }
        }
        let aside = match (head.duplicate_of, head.event_type.as_ref()) {
            (Some(same), _) => format!("it repeats event {same}, and changes nothing"),
            (None, "delete") => {
                "it removed all; shown is what it found, against what was known".to_owned()
            }
            (None, "create" | "update") => return text,
            (None, _) => "events of this type change nothing".to_owned(),
        };
        put("", &ink.put(Role::Doubt, &aside));
        text
    }

    fn row(&self, line: &ExplainLine<'_>) -> String {
        let ink = self.ink;
        let name = name_of(&line.field, &line.interest);
        let asked = quoted(line.asked.as_deref().unwrap_or_default());
        let asked = ink.put(Role::New, &asked);
        let (old, new) = (ink.old(line.old.as_ref()), ink.new_value(&line.new));
        match line.outcome {
            Outcome::Applied | Outcome::Unasked => format!("{name}: {old} → {new}"),
            Outcome::AlreadySo => format!("{name}: {new}"),
            Outcome::Coerced => format!("{name}: {old} → {new}, asked was {asked}"),
            Outcome::Ignored if line.new == Value::Absent => {
                format!("{name}: asked was {asked}, and nothing is called so")
            }
            Outcome::Ignored => format!("{name}: asked was {asked}, and it is still {new}"),
        }
    }
}

const GROUPS: [(Outcome, &str); 5] = [
    (Outcome::Applied, "applied"),
    (Outcome::AlreadySo, "already so"),
    (Outcome::Coerced, "coerced: neither as asked nor as before"),
    (Outcome::Ignored, "ignored"),
    (Outcome::Unasked, "changed without being asked"),
];

impl Printer for ExplainPrinter<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.head.is_none() {
            self.head = Some(serde_json::from_slice(line)?);
        } else {
            self.lines.push(serde_json::from_slice(line)?);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(head) = &self.head else {
            return Ok(());
        };
        let mut text = self.card(head);
        if self.lines.is_empty() {
            text.push_str("\nit asked for nothing, and nothing is known to have changed\n");
        }
        for (outcome, title) in GROUPS {
            let mut rows = self.lines.iter().filter(|line| line.outcome == outcome);
            let Some(first) = rows.next() else { continue };
            let _ = writeln!(text, "\n{}", self.ink.put(Role::Head, title));
            for line in std::iter::once(first).chain(rows) {
                let _ = writeln!(text, "  {}", self.row(line));
            }
        }
        if self.lines.iter().any(|line| line.old.is_none()) {
            text.push_str("\n?: what was before is not known\n");
        }
        self.out.write_all(text.as_bytes())
    }
}
