//! `export`: every event in the order of arrival, so that after an `import` of them
//! every answer is the same.
//!
//! One thread reads the log and passes batches of records to others, which make
//! lines of them; these are written in order ([`super::parallel`]). Lines are built
//! from the bytes of the bodies, without copying parts that need no change.
//! [`super::twins`] selects the events that carry their bodies unrequested.

use std::collections::BTreeSet;

use super::answer::{Lines, QueryError};
use super::lines::{ExportLine, body_fields};
use super::page::Mark;
use super::parallel::batches_of;
use super::request::ExportQuery;
use super::twins::{Compared, Crowded, needing_bodies};
use crate::auth::signature::Evidence;
use crate::log::record::EventRecord;
use crate::store::{Damages, EventReader, Missing, Snapshot, TrailError, WalkBatch};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ExportQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    if matches!(lines.after, Some(Mark::Erasure(_))) {
        super::erasures::export(snapshot, query, lines)?;
        return Ok(lines.written > 0);
    }
    // Later events that carry their bodies.
    let mut bodies = super::baselines::export(snapshot, query, lines)?;
    if lines.is_full() {
        return Ok(lines.written > 0);
    }
    let page = lines.after.and_then(Mark::number).unwrap_or(0);
    let after = page.max(query.from_seq.unwrap_or(1) - 1);
    let mut crowded = Crowded::beyond(after);
    let (since, until) = query.span.bounds();
    let walk = match query.profile {
        None => {
            if !query.raw {
                // The index must cover every event of the export.
                snapshot.wait_for_index(|_| ())?;
                snapshot.each_timeline(|_, times| {
                    crowded.add(&times, &query.span);
                    Ok::<(), TrailError>(())
                })?;
            }
            snapshot.walk(since, until)?
        }
        Some(wanted) => {
            let mut seqs = Vec::new();
            for key in snapshot.keys(Some(wanted)) {
                let times = snapshot.times_of(key?)?;
                if !query.raw {
                    crowded.add(&times, &query.span);
                }
                let asked_for = times.iter().filter(|(time, _)| query.span.contains(*time));
                seqs.extend(asked_for.map(|(_, seq)| *seq));
            }
            seqs.sort_unstable();
            snapshot.walk_ranges(seqs.into_iter().map(|seq| (seq, seq)).collect())
        }
    };
    let mut batches = batches_of(walk.after(after));
    crowded.arrange();
    let mut reader = snapshot.reader();
    let next = move || {
        let Some((batch, progress)) = batches()? else {
            return Ok(None);
        };
        let mut with_body = BTreeSet::new();
        if let Some(last) = batch.records.last_seq() {
            while let Some(seqs) = crowded.next(last) {
                bodies.extend(needing_bodies(read_second(&mut reader, seqs)?));
            }
            let later = bodies.split_off(&(last + 1));
            with_body = std::mem::replace(&mut bodies, later);
        }
        Ok(Some(((batch, with_body), progress)))
    };
    lines.in_order(
        next,
        || (),
        |(), (batch, with_body), damage| Ok(encode(query, batch, &with_body, damage)),
        |lines, (encoded, marks)| Ok(lines.put_all(&encoded, &marks)?),
    )?;
    if !lines.is_full() {
        super::erasures::export(snapshot, query, lines)?;
    }
    Ok(lines.written > 0)
}

/// Reads the events of a second to compare them.
fn read_second(reader: &mut EventReader, seqs: Vec<u64>) -> Result<Vec<Compared>, QueryError> {
    let mut second = Vec::with_capacity(seqs.len());
    for seq in seqs {
        match reader.record(seq, |record| Compared::read(seq, &record)) {
            Ok(read) => second.push(read),
            // Damage is reported when the line is due.
            Err(unreadable) => drop(unreadable.into_damage()?),
        }
    }
    Ok(second)
}

/// The lines of a batch, and the position of each.
fn encode(
    query: &ExportQuery,
    batch: WalkBatch,
    with_body: &BTreeSet<u64>,
    damage: &mut Damages,
) -> (Vec<u8>, Vec<Mark>) {
    let (mut lines, mut marks) = (Vec::new(), Vec::new());
    damage.extend(batch.damage);
    for (seq, bytes) in batch.records.iter() {
        let begin = lines.len();
        match encode_record(query, seq, bytes, with_body.contains(&seq), &mut lines) {
            Ok(true) => marks.push(Mark::Number(seq)),
            Ok(false) => {}
            Err(missing) => {
                lines.truncate(begin);
                damage.add(missing);
            }
        }
    }
    (lines, marks)
}

/// Adds the line of a record, if it matches. The head is checked before the body is
/// read.
fn encode_record(
    query: &ExportQuery,
    seq: u64,
    bytes: &[u8],
    with_body: bool,
    lines: &mut Vec<u8>,
) -> Result<bool, Missing> {
    let missing = |error| Missing::of_record(seq, error);
    let record = EventRecord::decode(bytes).map_err(missing)?;
    let EventRecord { head, body } = &record;
    let in_database = |database| head.database == Some(database);
    if !query.span.contains(head.time) || !query.database.is_none_or(in_database) {
        return Ok(false);
    }
    let event = record.to_event(seq).map_err(missing)?;
    let mut line = ExportLine::new(event);
    let as_sent = head.body_kind.is_as_sent();
    if as_sent && (query.raw || with_body) {
        (line.body, line.body_base64) = body_fields(body);
    }
    if query.raw && as_sent {
        line.evidence = Evidence::proof(head.evidence, body)
            .map_err(|error| Missing::Damage(format!("event {seq}: {error}")))?;
    }
    serde_json::to_writer(&mut *lines, &line)
        .map_err(|error| Missing::Damage(format!("event {seq}: {error}")))?;
    lines.push(b'\n');
    Ok(true)
}
