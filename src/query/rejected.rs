//! `rejected`: the calls that could not be read.
//!
//! They can only be read forwards; for newest first they are sorted, on disk if
//! there are many.

use std::borrow::Cow;

use super::answer::{Lines, QueryError};
use super::lines::{RejectedLine, body_fields};
use super::page::Mark;
use super::progress::{Progress, Stage};
use super::request::RejectedQuery;
use crate::event::micros_to_rfc3339;
use crate::log::record::{RecordError, RejectedRecord, is_pruned};
use crate::store::{Missing, Snapshot, Sorter};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &RejectedQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let retention = snapshot.retention();
    let after = lines.after.and_then(Mark::number);
    let (first, end) = match after {
        Some(after) if query.reverse => (1, after),
        Some(after) => (after.saturating_add(1), u64::MAX),
        None => (1, u64::MAX),
    };
    let mut newest = Sorter::new(snapshot.trail().folder().path())
        .keep(lines.wanted())
        .descending(true);
    let mut scan = snapshot.trail().rejected().scan(first);
    let all = scan.last_seq;
    while let Some(records) = scan.next_records(|lost| lines.damage.add(lost.to_string()))? {
        for (number, bytes) in records {
            lines
                .progress
                .report(Progress::new(Stage::Reading, number, all));
            if is_pruned(bytes) || number >= end {
                continue;
            }
            let record = match RejectedRecord::decode(bytes) {
                Ok(record) => record,
                Err(error) => {
                    lines.damage.add(missing(number, error));
                    continue;
                }
            };
            let head = record.head;
            let received = head.received.div_euclid(1_000_000);
            if retention.hides_rejected(received, number) || !query.span.contains(received) {
                continue;
            }
            let (body, body_base64) = body_fields(record.body);
            let line = RejectedLine {
                number,
                received: micros_to_rfc3339(head.received),
                remote: head.remote.map(Cow::Borrowed),
                label: head.label.map(Cow::Borrowed),
                content_type: head.content_type.map(Cow::Borrowed),
                status: head.status,
                error: Cow::Borrowed(head.reason),
                place: Cow::Borrowed(head.place),
                body,
                body_base64,
            };
            let line = serde_json::to_vec(&line)?;
            if query.reverse {
                newest.push(Mark::Number(number), &line)?;
            } else if !lines.put_at(Mark::Number(number), &line)? {
                return Ok(lines.written > 0);
            }
        }
    }
    newest.finish::<QueryError>(|mark, line| Ok(lines.put_at(mark, line)?))?;
    Ok(lines.written > 0)
}

/// Classifies the record of a rejected call that cannot be read.
pub(super) fn missing(number: u64, error: RecordError) -> Missing {
    match error {
        RecordError::Lost(lost) => Missing::Lost(lost),
        error => Missing::Damage(format!("rejected call {number}: {error}")),
    }
}
