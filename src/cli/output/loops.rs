//! `loops` for people: the groups, where there are several loops, and each loop.

use std::io::{self, Write};

use serde::Deserialize;

use super::brief::{bold, columns, label, span, subject, value, who};
use super::number::{counted, grouped};
use super::printer::Printer;
use super::sanitize::plain;
use crate::cli::bar::bar;
use crate::cli::setting::Setting;
use crate::event::Zone;
use crate::query::{LoopGroupLine, LoopKind, LoopLine, LoopWriter};

/// The longest bar, in characters.
const WIDTH: u64 = 20;

/// The most values of a writer.
const VALUES: usize = 3;

/// Writes loops.
pub struct Loops<'a> {
    zone: Zone,
    color: bool,
    out: &'a mut dyn Write,
    groups: Vec<LoopGroupLine<'static>>,
    written: u64,
}

/// What every line has.
#[derive(Deserialize)]
struct Kind<'a> {
    kind: &'a str,
}

impl<'a> Loops<'a> {
    pub fn new(setting: &Setting, out: &'a mut dyn Write) -> Self {
        Self {
            zone: setting.reader_zone,
            color: setting.color,
            out,
            groups: Vec::new(),
            written: 0,
        }
    }

    /// Writes the groups, if they tell more than the loops themselves.
    fn groups(&mut self) -> io::Result<()> {
        let groups = std::mem::take(&mut self.groups);
        if groups.iter().all(|group| group.loops < 2) {
            return Ok(());
        }
        let most = groups.iter().map(|group| group.changes).max().unwrap_or(0);
        let head = ["FIELD", "BY", "LOOPS", "GOING ON", "CHANGES", "", "TIME"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for group in &groups {
            let labels = group.labels.iter();
            let mut by: Vec<_> = labels.map(|one| label(one.as_deref())).collect();
            if group.unexplained {
                by.push("unexplained".to_owned());
            }
            rows.push(vec![
                subject(group.field.as_deref(), group.interest.as_deref()),
                by.join(", "),
                grouped(group.loops),
                grouped(group.going_on),
                grouped(group.changes),
                bar(group.changes, most, WIDTH),
                span(self.zone, &group.first, &group.last),
            ]);
        }
        self.written += 1;
        self.out
            .write_all(columns(&rows, &[2, 3, 4], self.color).as_bytes())
    }

    fn one(&mut self, line: &LoopLine<'_>) -> io::Result<()> {
        if self.written > 0 {
            writeln!(self.out)?;
        }
        self.written += 1;
        let how = match line.kind {
            LoopKind::Turns => "turns",
            LoopKind::Rewrites => "is rewritten",
        };
        let title = format!(
            "{}  {} {how}: {}, one in {}, {}{}",
            who(line.profile, line.subprofile),
            subject(line.field.as_deref(), line.interest.as_deref()),
            counted(line.changes, "change"),
            counted(line.every, "second"),
            span(self.zone, &line.first, &line.last),
            if line.going_on { ", going on" } else { "" }
        );
        writeln!(self.out, "{}", bold(self.color, &title))?;
        for writer in &line.writers {
            writeln!(self.out, "  {}", wrote(writer))?;
        }
        if let Some(command) = &line.command {
            writeln!(self.out, "  {}", plain(command))?;
        }
        Ok(())
    }
}

fn wrote(writer: &LoopWriter<'_>) -> String {
    let values = writer.values.iter().take(VALUES);
    let values: Vec<_> = values
        .map(|one| format!("{} ({})", value(Some(&one.value)), grouped(one.changes)))
        .collect();
    let others = if writer.values.len() > VALUES {
        ", and others"
    } else {
        ""
    };
    let who = label(writer.label.as_deref());
    let who = if writer.claimed {
        format!("label {who} writes")
    } else {
        format!("unexplained, shown by label {who}:")
    };
    format!("{who} {}{others}", values.join(", "))
}

impl Printer for Loops<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let Kind { kind } = serde_json::from_slice(line)?;
        if kind == "group" {
            self.groups.push(serde_json::from_slice(line)?);
            return Ok(());
        }
        self.groups()?;
        self.one(&serde_json::from_slice(line)?)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.groups()
    }
}
