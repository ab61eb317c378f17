//! `evidence` for people: a card.

use std::io::{self, Write};

use super::card::{self, Row, fact};
use super::printer::parse;
use crate::format::{Printer, Role, Text, View};
use crate::query::lines::EvidenceLine;

/// Writes what proves that Copernica sent an event.
pub struct Evidence<'a> {
    view: View,
    out: &'a mut dyn Write,
}

impl<'a> Evidence<'a> {
    pub fn new(view: View, out: &'a mut dyn Write) -> Self {
        Self { view, out }
    }
}

impl Printer for Evidence<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line: EvidenceLine<'_> = parse(line)?;
        let mut rows: Vec<Row> = Vec::new();
        let mut put = |what: &str, value: Text| rows.push(fact(what, value));
        let outside = |text: &str| Text::outside(Role::Plain, text);
        put("event", Text::of(Role::Seq, line.seq.to_string()));
        if let Some(remote) = &line.remote {
            put("from", outside(remote));
        }
        put("signed by", outside(&line.key));
        put("key record", outside(&line.record));
        for (number, signed) in line.signed.lines().enumerate() {
            put(if number == 0 { "signed" } else { "" }, outside(signed));
        }
        put("signature", outside(&line.signature));
        let body = line.body.as_ref().or(line.body_base64.as_ref());
        put("body", outside(body.map(AsRef::as_ref).unwrap_or_default()));
        for (what, time) in [
            ("received", &line.received),
            ("verified", &line.verified_at),
        ] {
            put(what, Text::of(Role::Time, self.view.time(time)));
        }
        card::write(&rows, &self.view, self.out)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
