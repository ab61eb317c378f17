//! `diff` for people: removed values with `-`, added ones with `+`.

use std::io::{self, Write};

use super::table::parse;
use crate::format::{Change, Printer, Role, Side, Text, View, plain, subject};
use crate::history::Value;
use crate::query::DiffQuery;
use crate::query::lines::DiffLine;

/// Writes the differences between two moments.
pub struct Diff<'a> {
    view: View,
    query: DiffQuery,
    headed: bool,
    out: &'a mut dyn Write,
}

impl<'a> Diff<'a> {
    pub fn new(query: &DiffQuery, view: View, out: &'a mut dyn Write) -> Self {
        Self {
            view,
            query: query.clone(),
            headed: false,
            out,
        }
    }

    fn moments(&self) -> (String, String) {
        let to = self.query.to.map(|to| self.view.moment(to));
        let to = to.unwrap_or_else(|| "now".to_owned());
        (self.view.moment(self.query.from), to)
    }

    fn head(&mut self) -> io::Result<()> {
        let (from, to) = self.moments();
        let key = self.query.key;
        for head in [format!("--- {key}  {from}"), format!("+++ {key}  {to}")] {
            self.put("", &Text::of(Role::Head, head))?;
        }
        Ok(())
    }

    /// Writes a text behind a sign, over as many lines as it takes.
    fn put(&mut self, sign: &str, text: &Text) -> io::Result<()> {
        let styles = self.view.styles;
        let room = self.view.width;
        let room = room.map(|width| width.saturating_sub(sign.len()).max(8));
        let role = match sign {
            "- " => Role::Old,
            _ => Role::New,
        };
        for line in text.lines(room) {
            let mut shown = String::new();
            styles.put(&mut shown, role, sign);
            line.put(&mut shown, styles);
            writeln!(self.out, "{shown}")?;
        }
        Ok(())
    }

    fn side(&mut self, sign: &str, name: &Text, side: &Side) -> io::Result<()> {
        let mut text = name.clone().and(Role::Dim, ": ");
        text.append(side.text(self.view.styles));
        self.put(sign, &text)
    }
}

impl Printer for Diff<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: DiffLine<'_> = parse(line)?;
        if !std::mem::replace(&mut self.headed, true) {
            self.head()?;
        }
        let name = subject(&line.subject);
        let change = Change::new(line.old.as_ref(), &line.new);
        if line.old != Some(Value::Absent) {
            self.side("- ", &name, &change.old)?;
        }
        if line.new != Value::Absent {
            self.side("+ ", &name, &change.new)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.headed {
            return Ok(());
        }
        let (from, to) = self.moments();
        let key = self.query.key;
        writeln!(
            self.out,
            "{}",
            plain(&format!("{key}: no difference between {from} and {to}"))
        )
    }
}
