//! `export`: every event in the order of arrival, so that `import` can read
//! them back and every answer comes out alike.
//!
//! A line holds what a body says, not its bytes. Two events of one
//! (sub)profile, type and second that say the same in different bytes are no
//! duplicates, and would be taken for such after an import; so the later of
//! two like these carries its body even where bodies are not asked for.

use std::collections::HashMap;

use super::answer::{Lines, QueryError};
use super::lines::{ExportLine, body_fields};
use super::request::ExportQuery;
use crate::event::{BodyKind, Event, ProfileKey};
use crate::log::Scanned;
use crate::log::record::{EventHead, EventRecord, RecordError};
use crate::trail::{Damages, EventReader, Trail};

/// How many (sub)profiles are asked of the index at once.
const KEYS: usize = 1024;

pub(super) fn answer(
    trail: &Trail,
    query: &ExportQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let mut twins = Twins {
        trail,
        reader: trail.reader(),
        crowded: HashMap::new(),
    };
    match query.profile {
        None => {
            if !query.raw {
                twins.find_all()?;
            }
            all(trail, query, &mut twins, lines)?;
        }
        Some(profile) => of_profile(trail, query, profile, &mut twins, lines)?,
    }
    Ok(lines.written > 0)
}

/// Every event of the log.
fn all(
    trail: &Trail,
    query: &ExportQuery,
    twins: &mut Twins<'_>,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let mut scan = trail.scan(1);
    while let Some(found) = scan.step()? {
        let records = match found {
            Scanned::Records(records) => records,
            Scanned::Damage(damage) => {
                lines.damage.add(damage.to_string());
                continue;
            }
        };
        for (seq, bytes) in records {
            match line_of(query, seq, bytes, twins, &mut lines.damage)? {
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
    twins: &mut Twins<'_>,
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
    let mut seqs = Vec::new();
    for key in keys {
        let times = trail.times_of(key)?;
        if !query.raw {
            twins.add(&times);
        }
        seqs.extend(
            times
                .into_iter()
                .filter(|(time, _)| query.span.holds(*time))
                .map(|(_, seq)| seq),
        );
    }
    seqs.sort_unstable();
    let mut cursor = trail.cursor();
    for seq in seqs {
        let line = match cursor.get(seq) {
            Ok(bytes) => line_of(query, seq, bytes, twins, &mut lines.damage)?,
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
    twins: &mut Twins<'_>,
    damage: &mut Damages,
) -> Result<Result<Option<ExportLine>, RecordError>, QueryError> {
    let wanted = |head: &EventHead<'_>| {
        query.span.holds(head.time)
            && query
                .database
                .is_none_or(|database| head.database == Some(database))
    };
    let read = EventHead::decode(bytes).and_then(|(head, _)| {
        if !wanted(&head) {
            return Ok(None);
        }
        let record = EventRecord::decode(bytes)?;
        Ok(Some((record.to_event(seq)?, record)))
    });
    let (event, record) = match read {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Ok(None)),
        Err(error) => return Ok(Err(error)),
    };
    let as_sent = record.head.body_kind != BodyKind::Content;
    let with_body =
        as_sent && (query.raw || twins.has_earlier(&event, record.body.bytes, damage)?);
    let mut line = ExportLine::new(event);
    if with_body {
        (line.body, line.body_base64) = body_fields(record.body.bytes);
    }
    Ok(Ok(Some(line)))
}

/// Finds events that differ from an earlier one in nothing but their bytes.
struct Twins<'a> {
    trail: &'a Trail,
    reader: EventReader,
    /// Of the seconds in which a (sub)profile has several events: the lower
    /// `seq` of each event in them.
    crowded: HashMap<u64, Vec<u64>>,
}

impl Twins<'_> {
    fn find_all(&mut self) -> Result<(), QueryError> {
        let mut after = None;
        loop {
            let keys = self.trail.keys_after(after, KEYS)?;
            for key in &keys {
                let times = self.trail.times_of(*key)?;
                self.add(&times);
            }
            match keys.last() {
                Some(last) => after = Some(*last),
                None => return Ok(()),
            }
        }
    }

    /// Takes the (time, `seq`) pairs of a (sub)profile, ordered by both.
    fn add(&mut self, times: &[(i64, u64)]) {
        for second in times.chunk_by(|a, b| a.0 == b.0) {
            for (place, (_, seq)) in second.iter().enumerate().skip(1) {
                // The nearest ones tell: a stranger's flood of one second must
                // not cost the square of its size.
                let earlier = second
                    .iter()
                    .take(place)
                    .rev()
                    .take(32)
                    .map(|(_, seq)| *seq);
                self.crowded.insert(*seq, earlier.collect());
            }
        }
    }

    fn has_earlier(
        &mut self,
        event: &Event,
        body: &[u8],
        damage: &mut Damages,
    ) -> Result<bool, QueryError> {
        let Some(earlier) = self.crowded.remove(&event.seq) else {
            return Ok(false);
        };
        for seq in earlier {
            let twin = self.reader.record(seq, |record| {
                let other = record.to_event(seq)?;
                Ok(other.event_type == event.event_type
                    && other.content == event.content
                    && record.body.bytes != body)
            });
            match twin {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(unreadable) => damage.add(unreadable.into_damage()?),
            }
        }
        Ok(false)
    }
}
