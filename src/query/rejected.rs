//! `rejected`: the calls that could not be read.

use std::borrow::Cow;

use super::answer::{Lines, QueryError};
use super::lines::{RejectedLine, body_fields};
use super::page::Mark;
use super::progress::{Progress, Stage};
use super::request::RejectedQuery;
use crate::event::micros_to_rfc3339;
use crate::log::Scanned;
use crate::log::record::{RecordError, RejectedRecord, is_pruned};
use crate::trail::{Missing, Trail};

pub(super) fn answer(
    trail: &Trail,
    query: &RejectedQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let retention = trail.retention();
    let after = lines.after.and_then(Mark::number).unwrap_or(0);
    let mut scan = trail.rejected().scan(after.saturating_add(1));
    let all = scan.last_seq();
    while let Some(found) = scan.step()? {
        let records = match found {
            Scanned::Records(records) => records,
            Scanned::Damage(damage) => {
                lines.damage.add(damage.to_string());
                continue;
            }
        };
        for (number, bytes) in records {
            lines.progress.tell(Progress {
                stage: Stage::Reading,
                done: number,
                all,
            });
            if is_pruned(bytes) {
                continue;
            }
            let record = match RejectedRecord::decode(bytes) {
                Ok(record) => record,
                Err(RecordError::Lost(lost)) => {
                    lines.damage.add(Missing::Lost(lost));
                    continue;
                }
                Err(error) => {
                    lines.damage.add(format!("rejected call {number}: {error}"));
                    continue;
                }
            };
            let head = record.head;
            let received = head.received.div_euclid(1_000_000);
            if retention.hides_rejected(received, number) || !query.span.holds(received) {
                continue;
            }
            let (body, body_base64) = body_fields(record.body.bytes);
            let more = lines.put(&RejectedLine {
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
            })?;
            if !more {
                return Ok(true);
            }
        }
    }
    Ok(lines.written > 0)
}
