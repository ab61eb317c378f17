//! `diff` for people: removed values with `-`, added ones with `+`.

use std::io::{self, Write};

use super::table::parse;
use crate::format::{Change, Role, Text, View, plain, subject};
use crate::history::Value;
use crate::query::DiffQuery;
use crate::query::lines::DiffLine;

pub fn write(
    lines: &[Vec<u8>],
    query: &DiffQuery,
    view: &View,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (key, from) = (query.key, view.moment(query.from));
    let to = query.to.map(|to| view.moment(to));
    let to = to.unwrap_or_else(|| "now".to_owned());
    if lines.is_empty() {
        let none = format!("{key}: no difference between {from} and {to}");
        return writeln!(out, "{}", plain(&none));
    }
    for head in [format!("--- {key}  {from}"), format!("+++ {key}  {to}")] {
        put(Role::New, "", &Text::of(Role::Head, head), view, out)?;
    }
    for line in lines {
        let line: DiffLine<'_> = parse(line)?;
        let change = Change::new(line.old.as_ref(), &line.new);
        for (role, sign, value, side) in [
            (Role::Old, "- ", line.old.as_ref(), &change.old),
            (Role::New, "+ ", Some(&line.new), &change.new),
        ] {
            if value != Some(&Value::Absent) {
                let mut text = subject(&line.subject).and(Role::Dim, ": ");
                text.append(side.text(view.styles));
                put(role, sign, &text, view, out)?;
            }
        }
    }
    Ok(())
}

/// Writes a text behind a sign, over as many lines as it takes.
fn put(role: Role, sign: &str, text: &Text, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let room = view.width;
    let room = room.map(|width| width.saturating_sub(sign.len()).max(8));
    for line in text.lines(room) {
        let mut shown = String::new();
        view.styles.put(&mut shown, role, sign);
        line.put(&mut shown, view.styles);
        writeln!(out, "{shown}")?;
    }
    Ok(())
}
