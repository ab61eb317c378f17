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
use crate::event::{BodyKind, ProfileKey};
use crate::log::Scanned;
use crate::log::record::{EventHead, EventRecord, RecordError};
use crate::trail::{EventReader, Trail};

/// How many (sub)profiles are asked of the index at once.
const KEYS: usize = 1024;

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
        twins.find_all(trail)?;
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
            match line_of(query, seq, bytes, &twins) {
                Ok(Some(line)) => {
                    lines.put(&line)?;
                }
                Ok(None) => {}
                Err(error) => lines.damage.add(format!("event {seq}: {error}")),
            }
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
    let keys = match query.subprofile {
        Some(subprofile) => vec![ProfileKey::subprofile(profile, subprofile)],
        None => {
            let mut keys = trail.subprofiles_of(profile)?;
            keys.push(ProfileKey::profile(profile));
            keys
        }
    };
    let mut twins = Twins::new(trail, query);
    let mut seqs = Vec::new();
    for key in keys {
        let times = trail.times_of(key)?;
        if !query.raw {
            twins.add(&times)?;
        }
        seqs.extend(
            times
                .into_iter()
                .filter(|(time, _)| query.span.holds(*time))
                .map(|(_, seq)| seq),
        );
    }
    seqs.sort_unstable();
    let twins = twins.found()?;
    let mut cursor = trail.cursor();
    for seq in seqs {
        let line = match cursor.get(seq) {
            Ok(bytes) => line_of(query, seq, bytes, &twins),
            Err(error @ crate::log::LogError::Damaged { .. }) => {
                lines.damage.add(error.to_string());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match line {
            Ok(Some(line)) => {
                lines.put(&line)?;
            }
            Ok(None) => {}
            Err(error) => lines.damage.add(format!("event {seq}: {error}")),
        }
    }
    Ok(())
}

/// The line of a record, if it is asked for. The head decides before the body
/// is touched.
fn line_of(
    query: &ExportQuery,
    seq: u64,
    bytes: &[u8],
    twins: &BTreeSet<u64>,
) -> Result<Option<ExportLine>, RecordError> {
    let wanted = |head: &EventHead<'_>| {
        query.span.holds(head.time)
            && query
                .database
                .is_none_or(|database| head.database == Some(database))
    };
    let (head, _) = EventHead::decode(bytes)?;
    if !wanted(&head) {
        return Ok(None);
    }
    let record = EventRecord::decode(bytes)?;
    let mut line = ExportLine::new(record.to_event(seq)?);
    let as_sent = record.head.body_kind != BodyKind::Content;
    if as_sent && (query.raw || twins.contains(&seq)) {
        (line.body, line.body_base64) = body_fields(record.body.bytes);
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

    /// Takes all (sub)profiles.
    fn find_all(&mut self, trail: &Trail) -> Result<(), QueryError> {
        let mut after = None;
        loop {
            let keys = trail.keys_after(after, KEYS)?;
            for key in &keys {
                self.add(&trail.times_of(*key)?)?;
            }
            match keys.last() {
                Some(last) => after = Some(*last),
                None => return Ok(()),
            }
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
