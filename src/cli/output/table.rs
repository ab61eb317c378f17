//! Tables; what stands in their rows is [`super::rows`]' matter.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, ContentArrangement, presets};
use serde::de::DeserializeOwned;

use super::printer::Printer;
use crate::cli::setting::Setting;
use crate::event::Zone;
use crate::query::Query;

/// How many rows make a table; a longer answer is several.
const ROWS: usize = 500;

/// Takes an answer's lines and writes tables.
pub struct Table<'a> {
    kind: Kind,
    pub(super) zone: Zone,
    pub(super) color: bool,
    terminal: bool,
    out: &'a mut dyn Write,
    pub(super) rows: Vec<Vec<Cell>>,
    tables: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    History,
    Show,
    Diff,
    Blame,
    Changes,
    Export,
    Rejected,
    Evidence,
}

impl Kind {
    const fn header(self) -> &'static [&'static str] {
        match self {
            Self::History => &[
                "SEQ", "TIME", "TYPE", "WHO", "LABEL", "WHAT", "OLD", "NEW", "CAUSE",
            ],
            Self::Show | Self::Evidence => &["WHAT", "VALUE"],
            Self::Diff => &["WHAT", "OLD", "NEW"],
            Self::Blame => &["WHAT", "VALUE", "SEQ", "TIME", "TYPE", "CAUSE", "OLD"],
            Self::Changes => &["TIME", "SEQ", "WHO", "LABEL", "WHAT", "OLD", "NEW", "CAUSE"],
            Self::Export => &[
                "SEQ",
                "TIME",
                "TYPE",
                "WHO",
                "LABEL",
                "PARAMETERS",
                "RECEIVED",
                "FROM",
            ],
            Self::Rejected => &[
                "NUMBER", "RECEIVED", "FROM", "LABEL", "STATUS", "ERROR", "WHERE", "BODY",
            ],
        }
    }
}

impl<'a> Table<'a> {
    /// A table for the answer to a question.
    pub fn new(query: &Query, setting: &Setting, out: &'a mut dyn Write) -> Self {
        let kind = match query {
            Query::History(_) => Kind::History,
            Query::Show(_) => Kind::Show,
            Query::Diff(_) => Kind::Diff,
            Query::Blame(_) => Kind::Blame,
            Query::Changes(_) | Query::Find(_) => Kind::Changes,
            Query::Export(_) => Kind::Export,
            Query::Rejected(_) => Kind::Rejected,
            Query::Evidence(_) => Kind::Evidence,
        };
        Self {
            kind,
            zone: setting.zone,
            color: setting.color,
            terminal: setting.terminal,
            out,
            rows: Vec::new(),
            tables: 0,
        }
    }

    fn take_line(&mut self, line: &[u8]) -> io::Result<()> {
        match self.kind {
            Kind::History => self.history(&parse(line)?),
            Kind::Show => self.show(&parse(line)?),
            Kind::Diff => self.diff(&parse(line)?),
            Kind::Blame => self.blame(&parse(line)?),
            Kind::Changes => self.changes(&parse(line)?),
            Kind::Export => self.export(&parse(line)?),
            Kind::Rejected => self.rejected(&parse(line)?),
            Kind::Evidence => self.evidence(&parse(line)?),
        }
        if self.rows.len() >= ROWS {
            self.write_table()
        } else {
            Ok(())
        }
    }

    fn write_table(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        if self.color {
            table.enforce_styling();
        }
        let header = self.kind.header().iter().map(|name| {
            let cell = Cell::new(name);
            if self.color {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        });
        table.set_header(header);
        for row in self.rows.drain(..) {
            table.add_row(row);
        }
        // Columns are parted by the cells' padding; the first needs none.
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        if self.tables > 0 {
            writeln!(self.out)?;
        }
        self.tables += 1;
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Printer for Table<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.take_line(line)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_table()
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(io::Error::from)
}
