//! `evidence` for people: a list of details.

use super::cell::Cell;
use super::details::{Field, Section, field};
use crate::format::{Text, View};
use crate::query::lines::EvidenceLine;

/// The proof that Copernica sent an event.
pub fn sections(line: &EvidenceLine<'_>, _: &View) -> Vec<Section> {
    let mut rows: Vec<Field> = vec![field("event", Cell::seq(line.seq))];
    let mut put = |what: &str, value: &str| rows.push(field(what, Cell::outside(value)));
    if let Some(remote) = &line.remote {
        put("from", remote);
    }
    put("signed by", &line.key);
    put("key record", &line.record);
    for (number, signed) in line.signed.lines().enumerate() {
        put(if number == 0 { "signed" } else { "" }, signed);
    }
    put("signature", &line.signature);
    let body = line.body.as_ref().or(line.body_base64.as_ref());
    put("body", body.map(AsRef::as_ref).unwrap_or_default());
    rows.push(field("received", Cell::time(&line.received)));
    rows.push(field("verified", Cell::time(&line.verified_at)));
    vec![(Text::default(), rows)]
}
