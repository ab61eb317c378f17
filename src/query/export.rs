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
use super::progress::{Progress, Stage};
use super::request::ExportQuery;
use super::twins::{Compared, Crowded, in_need};
use crate::auth::signature::Evidence;
use crate::log::record::EventRecord;
use crate::store::{Damages, EventReader, Missing, Snapshot, TrailError, Walk, WalkBatch};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &ExportQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    if matches!(lines.after, Some(Mark::Erasure(_))) {
        super::erasures::export(snapshot, query, lines)?;
        return Ok(lines.written > 0);
    }
    let bodies = super::baselines::export(snapshot, query, lines)?;
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
    let walk = walk.after(after);
    let all = walk.events();
    crowded.arrange();
    let mut batches = Batches {
        walk,
        reader: snapshot.reader(),
        crowded,
        with_body: bodies,
    };
    let next = move || {
        let load = batches.next()?;
        Ok(load.map(|load| {
            let done = load.events.done;
            (load, Progress::new(Stage::Reading, done, all))
        }))
    };
    lines.in_order(
        next,
        || (),
        |(), load, damage| Ok(encode(query, load, damage)),
        |lines, (encoded, marks)| Ok(lines.put_all(&encoded, &marks)?),
    )?;
    if !lines.is_full() {
        super::erasures::export(snapshot, query, lines)?;
    }
    Ok(lines.written > 0)
}

/// A batch for a thread.
struct Load {
    events: WalkBatch,
    /// Those of them that carry their bodies, ascending.
    with_body: Vec<u64>,
}

/// The records in the requested span, in batches.
struct Batches<'a> {
    walk: Walk<'a>,
    reader: EventReader,
    crowded: Crowded,
    /// Later events that carry their bodies.
    with_body: BTreeSet<u64>,
}

impl Batches<'_> {
    fn next(&mut self) -> Result<Option<Load>, QueryError> {
        let Some(events) = self.walk.next_batch()? else {
            return Ok(None);
        };
        let mut with_body = Vec::new();
        if let Some(last) = events.records.last_seq() {
            self.compare(last)?;
            let later = self.with_body.split_off(&(last + 1));
            with_body.extend(std::mem::replace(&mut self.with_body, later));
        }
        Ok(Some(Load { events, with_body }))
    }

    /// Compares the events of seconds with several events that begin up to a `seq`.
    fn compare(&mut self, until: u64) -> Result<(), QueryError> {
        while let Some(seqs) = self.crowded.next(until) {
            let mut second = Vec::with_capacity(seqs.len());
            for seq in seqs {
                let read = self
                    .reader
                    .record(seq, |record| Compared::read(seq, &record));
                match read {
                    Ok(read) => second.push(read),
                    // Damage is reported when the line is due.
                    Err(unreadable) => drop(unreadable.into_damage()?),
                }
            }
            self.with_body.extend(in_need(second));
        }
        Ok(())
    }
}

/// The lines of a batch, and the position of each.
fn encode(query: &ExportQuery, load: Load, damage: &mut Damages) -> (Vec<u8>, Vec<Mark>) {
    let (mut lines, mut marks) = (Vec::new(), Vec::new());
    damage.extend(load.events.damage);
    for (seq, bytes) in load.events.records.iter() {
        let begin = lines.len();
        let with_body = load.with_body.binary_search(&seq).is_ok();
        match encode_record(query, seq, bytes, with_body, &mut lines) {
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
