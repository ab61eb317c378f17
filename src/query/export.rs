//! `export`: every event in the order of arrival, so that `import` can read
//! them back and every answer comes out alike.
//!
//! A line holds what a body says, not its bytes. Two events of one
//! (sub)profile, type and second that say the same in different bytes are no
//! duplicates, and would be taken for such after an import; so of events like
//! these those that are spelled otherwise than the first carry their bodies even
//! where bodies are not asked for.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::answer::{Lines, QueryError};
use super::lines::{ExportLine, body_fields};
use super::request::ExportQuery;
use crate::event::BodyKind;
use crate::log::Scanned;
use crate::log::record::{EventRecord, RecordError};
use crate::trail::{EventReader, Trail};

/// How many events are read ahead at once; a body has about 1 KB.
const READ_AHEAD: usize = 32_768;

pub(super) fn answer(
    trail: &Trail,
    query: &ExportQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    match query.profile {
        None => all(trail, query, lines)?,
        Some(profile) => of_profile(trail, query, profile, lines)?,
    }
    Ok(lines.written > 0)
}

/// Every event of the log.
fn all(trail: &Trail, query: &ExportQuery, lines: &mut Lines<'_>) -> Result<(), QueryError> {
    let mut scan = trail.scan(1);
    let mut twins = Twins::new(trail, query);
    if !query.raw {
        // The index must know every event of the scan.
        trail.wait_for_index(|_| ())?;
        trail.each_key(None, None, |key| twins.add(&trail.times_of(key)?))?;
    }
    let twins = twins.found()?;
    while let Some(found) = scan.step()? {
        let records = match found {
            Scanned::Records(records) => records,
            Scanned::Damage(damage) => {
                lines.damage.add(damage.to_string());
                continue;
            }
        };
        for (seq, bytes) in records {
            let line = EventRecord::decode(bytes)
                .and_then(|record| line_of(query, seq, &record, &twins))
                .map_err(|error| format!("event {seq}: {error}"));
            put(lines, line)?;
        }
    }
    Ok(())
}

/// The events of one profile and its subprofiles, or of one subprofile.
fn of_profile(
    trail: &Trail,
    query: &ExportQuery,
    profile: u64,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let mut twins = Twins::new(trail, query);
    let mut seqs = Vec::new();
    trail.each_key(Some(profile), query.subprofile, |key| {
        let times = trail.times_of(key)?;
        if !query.raw {
            twins.add(&times)?;
        }
        let asked_for = times.iter().filter(|(time, _)| query.span.holds(*time));
        seqs.extend(asked_for.map(|(_, seq)| *seq));
        Ok::<(), QueryError>(())
    })?;
    seqs.sort_unstable();
    let twins = twins.found()?;
    let mut reader = trail.reader();
    for seq in seqs {
        let line = match reader.record(seq, |record| line_of(query, seq, &record, &twins)) {
            Ok(line) => Ok(line),
            Err(unreadable) => Err(unreadable.into_damage()?),
        };
        put(lines, line)?;
    }
    Ok(())
}

/// Writes the line of an event, if it is asked for, or takes note of why it
/// cannot be told.
fn put(lines: &mut Lines<'_>, line: Result<Option<ExportLine>, String>) -> Result<(), QueryError> {
    match line {
        Ok(Some(line)) => {
            lines.put(&line)?;
        }
        Ok(None) => {}
        Err(damage) => lines.damage.add(damage),
    }
    Ok(())
}

/// The line of a record, if it is asked for. The head decides before the body
/// is read.
fn line_of(
    query: &ExportQuery,
    seq: u64,
    record: &EventRecord<'_>,
    twins: &BTreeSet<u64>,
) -> Result<Option<ExportLine>, RecordError> {
    let EventRecord { head, body } = record;
    let in_database = |database| head.database == Some(database);
    if !query.span.holds(head.time) || !query.database.is_none_or(in_database) {
        return Ok(None);
    }
    let mut line = ExportLine::new(record.to_event(seq)?);
    let as_sent = head.body_kind != BodyKind::Content;
    if as_sent && (query.raw || twins.contains(&seq)) {
        (line.body, line.body_base64) = body_fields(body.bytes);
    }
    Ok(Some(line))
}

type Digest32 = [u8; 32];

/// Finds the events that say the same as another one of their (sub)profile and
/// second in other bytes than the first of these.
struct Twins<'a> {
    query: &'a ExportQuery,
    reader: EventReader,
    /// The events of seconds with several, which are still to be compared.
    crowded: Vec<Vec<u64>>,
    /// How many those are.
    waiting: usize,
    found: BTreeSet<u64>,
}

impl<'a> Twins<'a> {
    fn new(trail: &Trail, query: &'a ExportQuery) -> Self {
        Self {
            query,
            reader: trail.reader(),
            crowded: Vec::new(),
            waiting: 0,
            found: BTreeSet::new(),
        }
    }

    /// Takes the (time, `seq`) pairs of a (sub)profile, ordered by both.
    fn add(&mut self, times: &[(i64, u64)]) -> Result<(), QueryError> {
        for second in times.chunk_by(|a, b| a.0 == b.0) {
            let asked_for = second
                .first()
                .is_some_and(|(time, _)| self.query.span.holds(*time));
            if second.len() < 2 || !asked_for {
                continue;
            }
            self.waiting += second.len();
            self.crowded
                .push(second.iter().map(|(_, seq)| *seq).collect());
            if self.waiting >= READ_AHEAD {
                self.compare()?;
            }
        }
        Ok(())
    }

    /// The `seq` of every event that was found.
    fn found(mut self) -> Result<BTreeSet<u64>, QueryError> {
        self.compare()?;
        Ok(self.found)
    }

    /// Compares the events that wait for it.
    fn compare(&mut self) -> Result<(), QueryError> {
        self.reader.read_ahead(self.crowded.concat());
        self.waiting = 0;
        for second in std::mem::take(&mut self.crowded) {
            // By what they say: the events, whether their bytes are such as an
            // import makes, and digests of these.
            let mut groups: HashMap<Digest32, Vec<(u64, bool, Digest32)>> = HashMap::new();
            for seq in second {
                let digests = self.reader.record(seq, |record| {
                    let event = record.to_event(seq)?;
                    let mut says = Sha256::new();
                    says.update(event.event_type.name());
                    says.update([0]);
                    says.update(serde_json::to_vec(&event.content).unwrap_or_default());
                    let made = record.head.body_kind == BodyKind::Content;
                    let bytes = Sha256::digest(record.body.bytes).into();
                    Ok((says.finalize().into(), (seq, made, bytes)))
                });
                match digests {
                    Ok((says, event)) => groups.entry(says).or_default().push(event),
                    // What is damaged is told when its line should come.
                    Err(unreadable) => {
                        unreadable.into_damage()?;
                    }
                }
            }
            for group in groups.into_values() {
                // One spelling goes without its body: an import makes the same
                // bytes of all that have it, and they stay duplicates.
                let plain = group.iter().find(|(_, made, _)| *made).or(group.first());
                let plain = plain.map(|(_, _, bytes)| *bytes);
                let others = group.iter().filter(|(_, _, bytes)| Some(*bytes) != plain);
                self.found.extend(others.map(|(seq, _, _)| *seq));
            }
        }
        Ok(())
    }
}
