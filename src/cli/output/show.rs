//! `show` for people: a list of details.

use std::io::{self, Write};

use super::details::{self, Field, field};
use super::table::parse;
use crate::format::{Printer, Role, Text, View, plain, quoted, who};
use crate::query::lines::ShowLine;

/// The length of the line below the title.
const RULE: usize = 40;

/// Writes a state.
pub struct Show<'a> {
    pub view: View,
    pub at: Option<i64>,
    pub out: &'a mut dyn Write,
}

impl Show<'_> {
    fn fields(&self, line: &ShowLine<'_>) -> Vec<Field> {
        let mut rows = Vec::new();
        let mut put = |name: &str, text: Text| rows.push(field(name, text));
        put("as of", Text::of(Role::Time, self.view.time(&line.at)));
        if let Some(last) = &line.last_event {
            let age = self.view.age(&last.time, self.at);
            let text = Text::of(Role::Seq, last.seq.to_string())
                .and(Role::Plain, " at ")
                .and(Role::Time, self.view.time(&last.time))
                .and(Role::Dim, format!(" ({age})"));
            put("last event", text);
        }
        if let Some(end) = &line.cascade {
            let text = Text::of(Role::Warning, "with its profile")
                .and(Role::Plain, ", by event ")
                .and(Role::Seq, end.seq.to_string())
                .and(Role::Plain, " at ")
                .and(Role::Time, self.view.time(&end.time));
            put("deleted", text);
        }
        for (name, number) in [("database", line.database), ("collection", line.collection)] {
            if let Some(number) = number {
                put(name, Text::of(Role::Plain, number.to_string()));
            }
        }
        for (name, sent) in [("created", &line.created), ("modified", &line.modified)] {
            if let Some(sent) = sent {
                put(name, Text::of(Role::Plain, quoted(sent)));
            }
        }
        rows
    }
}

impl Printer for Show<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: ShowLine<'_> = parse(line)?;
        let state = match line.state.as_str() {
            "present" => Role::New,
            _ => Role::Warning,
        };
        let title = Text::of(Role::Head, who(line.profile, line.subprofile))
            .and(Role::Plain, "  ")
            .and(state, plain(&line.state));
        details::title(&title, &self.view, self.out)?;
        let wide = self.view.width.map_or(RULE, |width| width.min(RULE));
        let rule = Text::of(Role::Dim, "─".repeat(wide));
        details::title(&rule, &self.view, self.out)?;
        let values = line.fields.iter().map(|(name, value)| {
            let name = Text::of(Role::Plain, quoted(name));
            (name, Text::of(Role::New, quoted(value)).into())
        });
        let interests: Vec<String> = line.interests.iter().map(|name| quoted(name)).collect();
        let interests = Text::of(Role::New, interests.join(", "));
        let interests = match interests.is_empty() {
            true => Vec::new(),
            false => vec![field("interests", interests)],
        };
        details::write(&self.fields(&line), &self.view, self.out)?;
        for fields in [values.collect(), interests] {
            if !fields.is_empty() {
                writeln!(self.out)?;
                details::write(&fields, &self.view, self.out)?;
            }
        }
        Ok(())
    }
}
