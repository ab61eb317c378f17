//! `incidents` for people: each with its commonest changes, and what to type next.

use std::io::{self, Write};

use super::brief::{SECONDS, bold, columns, label, local, profiles, span, subject, value, who};
use super::number::{counted, grouped};
use super::printer::Printer;
use super::sanitize::plain;
use crate::cli::bar::bar;
use crate::cli::setting::Setting;
use crate::event::Zone;
use crate::query::{IncidentLine, UndoLine};

/// The longest bar, in characters.
const WIDTH: u64 = 20;

/// Writes incidents.
pub struct Incidents<'a> {
    zone: Zone,
    color: bool,
    out: &'a mut dyn Write,
    written: u64,
}

impl<'a> Incidents<'a> {
    pub fn new(setting: &Setting, out: &'a mut dyn Write) -> Self {
        Self {
            zone: setting.reader_zone,
            color: setting.color,
            out,
            written: 0,
        }
    }
}

impl Printer for Incidents<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: IncidentLine<'_> = serde_json::from_slice(line)?;
        if self.written > 0 {
            writeln!(self.out)?;
        }
        self.written += 1;
        let title = format!(
            "{}  {} of {} changed, {}",
            plain(&line.id),
            subject(line.field.as_deref(), line.interest.as_deref()),
            profiles(line.profiles, line.subprofiles),
            span(self.zone, &line.from, &line.until)
        );
        writeln!(self.out, "{}", bold(self.color, &title))?;
        let of = |what: &str, number: Option<u64>| match number {
            Some(number) => format!(" of {what} {number}"),
            None => String::new(),
        };
        writeln!(
            self.out,
            "  {}, {} to {}{}{}; usual in such a time: {}",
            counted(line.events, "event"),
            line.first_seq,
            line.last_seq,
            of("database", line.database),
            of("collection", line.collection),
            grouped(line.usual)
        )?;
        let most = line.pairs.first().map_or(0, |pair| pair.events);
        let rows: Vec<Vec<String>> = line
            .pairs
            .iter()
            .map(|pair| {
                vec![
                    format!("  {}", grouped(pair.events)),
                    bar(pair.events, most, WIDTH),
                    format!("{} → {}", value(pair.old.as_ref()), value(Some(&pair.new))),
                ]
            })
            .collect();
        // No head: the first row is not in bold type.
        self.out.write_all(columns(&rows, &[0], false).as_bytes())?;
        if line.more_pairs {
            writeln!(self.out, "  and others")?;
        }
        let labels = line.labels.iter();
        let labels: Vec<_> = labels
            .map(|one| format!("{} ({})", label(one.label.as_deref()), grouped(one.events)))
            .collect();
        let causes = line.causes.iter();
        let causes: Vec<_> = causes
            .map(|one| format!("{} ({})", plain(&one.cause), grouped(one.events)))
            .collect();
        writeln!(
            self.out,
            "  label {}; cause {}",
            labels.join(", "),
            causes.join(", ")
        )?;
        for command in line.command.iter().chain(&line.undo) {
            writeln!(self.out, "  {}", plain(command))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many rows make a table; a longer answer is several.
const ROWS: usize = 500;

/// Writes what each (sub)profile of an incident had and has.
pub struct Undo<'a> {
    zone: Zone,
    color: bool,
    out: &'a mut dyn Write,
    rows: Vec<Vec<String>>,
}

impl<'a> Undo<'a> {
    pub fn new(setting: &Setting, out: &'a mut dyn Write) -> Self {
        Self {
            zone: setting.reader_zone,
            color: setting.color,
            out,
            rows: Vec::new(),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let head = [
            "WHO",
            "WHAT",
            "OLD",
            "BAD",
            "NOW",
            "LEFT ALONE",
            "SEQ",
            "TIME",
        ];
        self.rows.insert(0, head.map(str::to_owned).to_vec());
        let text = columns(&self.rows, &[6], self.color);
        self.rows.clear();
        self.out.write_all(text.as_bytes())
    }
}

impl Printer for Undo<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: UndoLine<'_> = serde_json::from_slice(line)?;
        self.rows.push(vec![
            who(line.profile, line.subprofile),
            subject(line.field.as_deref(), line.interest.as_deref()),
            value(line.old.as_ref()),
            value(Some(&line.bad)),
            line.now
                .as_ref()
                .map_or_else(String::new, |now| value(Some(now))),
            line.left
                .map_or_else(String::new, |left| left.text().to_owned()),
            line.seq.to_string(),
            local(self.zone, &line.time, SECONDS),
        ]);
        if self.rows.len() >= ROWS {
            self.write()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write()
    }
}
