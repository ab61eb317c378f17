//! `evidence` for people: a list of details.

use super::details::{Field, Section, field};
use crate::format::{Role, Text, View};
use crate::query::lines::EvidenceLine;

/// What proves that Copernica sent an event.
pub fn sections(line: &EvidenceLine<'_>, view: &View) -> Vec<Section> {
    let mut rows: Vec<Field> = Vec::new();
    let mut put = |what: &str, value: Text| rows.push(field(what, value));
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
        put(what, Text::of(Role::Time, view.time(time)));
    }
    vec![(Text::default(), rows)]
}
