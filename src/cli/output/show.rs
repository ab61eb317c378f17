//! `show` for people: a list of details.

use std::io::{self, Write};

use super::cell::Cell;
use super::details::{self, Field, field};
use crate::format::{Role, Text, View, plain, quoted, who};
use crate::query::lines::ShowLine;

/// The length of the line below the title.
const RULE: usize = 40;

pub fn write(line: &ShowLine<'_>, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let state = match line.state.as_str() {
        "present" => Role::New,
        _ => Role::Warning,
    };
    let title = Text::of(Role::Head, who(line.who))
        .and(Role::Plain, "  ")
        .and(state, plain(&line.state));
    details::title(&title, view, out)?;
    let wide = view.width.map_or(RULE, |width| width.min(RULE));
    details::title(&Text::of(Role::Dim, "─".repeat(wide)), view, out)?;
    details::write(&fields(line, view), view, out)?;
    let values = line.fields.iter().map(|(name, value)| {
        let name = Text::of(Role::Plain, quoted(name));
        (name, Cell::of(Role::New, quoted(value)))
    });
    let interests: Vec<String> = line.interests.iter().map(|name| quoted(name)).collect();
    let shown = field("interests", Cell::of(Role::New, interests.join(", ")));
    let interests = Vec::from_iter((!interests.is_empty()).then_some(shown));
    for fields in [values.collect(), interests] {
        if !fields.is_empty() {
            writeln!(out)?;
            details::write(&fields, view, out)?;
        }
    }
    Ok(())
}

fn fields(line: &ShowLine<'_>, view: &View) -> Vec<Field> {
    let mut rows = vec![field("as of", Cell::time(&line.at))];
    if let Some(last) = &line.last_event {
        let text = Text::of(Role::Seq, last.seq.to_string())
            .and(Role::Plain, " at ")
            .and(Role::Time, view.time(&last.time))
            .and(Role::Dim, format!(" ({})", view.age(&last.time)));
        rows.push(field("last event", text));
    }
    if let Some(end) = &line.cascade {
        let text = Text::of(Role::Warning, "with its profile")
            .and(Role::Plain, ", by event ")
            .and(Role::Seq, end.seq.to_string())
            .and(Role::Plain, " at ")
            .and(Role::Time, view.time(&end.time));
        rows.push(field("deleted", text));
    }
    for (name, number) in [("database", line.database), ("collection", line.collection)] {
        rows.extend(number.map(|number| field(name, Cell::plain(number.to_string()))));
    }
    for (name, sent) in [("created", &line.created), ("modified", &line.modified)] {
        rows.extend(
            sent.as_ref()
                .map(|sent| field(name, Cell::plain(quoted(sent)))),
        );
    }
    rows
}
