//! `rejected --retry`: enters the rejected calls that can be read now.
//!
//! An entered call keeps its moment of receipt, label, sender and proof. It is entered once: a call
//! counts as entered if its (sub)profile has an event of the same moment of receipt and body, or of
//! the same signed message. So a retry can be repeated, also after a crash.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answered, QueryError};
use super::reconcile::Append;
use super::rejected::missing;
use crate::auth::signature::Evidence;
use crate::event::{BodyKind, DecodeError, Event, Zone, decode_envelope};
use crate::log::record::{EventHead, EventRecord, RejectedRecord, is_pruned};
use crate::store::{Arrival, Damages, EventReader, Outcome, Snapshot, Trail};

/// The most calls that are entered at once.
const GROUP_LEN: usize = 256;

/// A group with this many bytes of calls is entered, too.
const GROUP_BYTES: usize = 4 << 20;

/// What came of a rejected call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RetryOutcome {
    /// It is an event now.
    Entered,
    /// It was an event before.
    Present,
    /// It cannot be read.
    Rejected,
}

/// A line of `rejected --retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryLine {
    /// The call's number among the rejected.
    pub number: u64,
    /// What came of it.
    pub outcome: RetryOutcome,
    /// The event's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Why it cannot be read, and where.
    #[serde(flatten)]
    pub error: Option<DecodeError>,
}

/// Enters the rejected calls of some numbers, or all if there are none, that can be read now, and
/// writes a [`RetryLine`] for each.
pub fn retry(
    trail: &Trail,
    numbers: &[u64],
    zone: Zone,
    append: Append<'_>,
    out: &mut dyn Write,
) -> Result<Answered, QueryError> {
    let retention = trail.retention();
    let mut damage = Damages::default();
    let (mut found, mut calls, mut held) = (false, Vec::new(), 0);
    let first = numbers.iter().copied().min().unwrap_or(1);
    let last = numbers.iter().copied().max().unwrap_or(u64::MAX);
    let mut scan = trail.rejected().scan_range(first, last);
    while let Some(records) = scan.next_records(|lost| damage.add(lost.to_string()))? {
        for (number, bytes) in records {
            if is_pruned(bytes) || !(numbers.is_empty() || numbers.contains(&number)) {
                continue;
            }
            match RejectedRecord::decode(bytes) {
                Ok(RejectedRecord { head, .. })
                    if retention.hides_rejected(head.received.div_euclid(1_000_000), number) => {}
                Ok(_) => {
                    found = true;
                    held += bytes.len();
                    calls.push((number, bytes.to_vec()));
                }
                Err(error) => {
                    found = true;
                    damage.add(missing(number, error));
                }
            }
            if calls.len() >= GROUP_LEN || held >= GROUP_BYTES {
                held = 0;
                enter(trail, zone, &std::mem::take(&mut calls), append, out)?;
            }
        }
    }
    enter(trail, zone, &calls, append, out)?;
    let (damage, notes) = damage.into_lines();
    Ok(Answered {
        found,
        damage,
        notes,
        ..Answered::default()
    })
}

/// Enters a group of rejected calls, given by their numbers and records, and writes their lines.
fn enter(
    trail: &Trail,
    zone: Zone,
    calls: &[(u64, Vec<u8>)],
    append: Append<'_>,
    out: &mut dyn Write,
) -> Result<(), QueryError> {
    // Lines are written without the lock and the snapshot, as their reader may pause.
    let (failure, lines) = {
        let _lock = trail.lock_imports();
        let snapshot = trail.snapshot();
        snapshot.wait_for_index(|_| ())?;
        let mut group = Group {
            reader: snapshot.reader(),
            snapshot,
            zone,
            owners: HashMap::new(),
            messages: HashSet::new(),
            lines: Vec::new(),
            arrivals: Vec::new(),
        };
        for (number, record) in calls {
            // Those that cannot be decoded are not in the group.
            if let Ok(record) = RejectedRecord::decode(record) {
                group.take(*number, &record)?;
            }
        }
        (group.append(append), group.lines)
    };
    for line in &lines {
        if line.seq.is_some() || line.error.is_some() {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")?;
        }
    }
    failure.map_or(Ok(()), |reason| Err(QueryError::Wrong(reason)))
}

/// Calls that are entered together.
struct Group<'a> {
    snapshot: Snapshot<'a>,
    reader: EventReader,
    zone: Zone,
    /// The profiles of the subprofiles that are entered.
    owners: HashMap<u64, u64>,
    /// The signed messages that are entered.
    messages: HashSet<String>,
    lines: Vec<RetryLine>,
    /// The arrivals, each with the place of its line.
    arrivals: Vec<(usize, Arrival)>,
}

impl Group<'_> {
    /// Adds a call to the group.
    fn take(&mut self, number: u64, record: &RejectedRecord<'_>) -> Result<(), QueryError> {
        let mut line = RetryLine {
            number,
            outcome: RetryOutcome::Entered,
            seq: None,
            error: None,
        };
        match self.read(record)? {
            Err(error) => line.error = Some(error),
            Ok((event, kind)) => {
                let evidence = record.head.evidence;
                let message = message_of(evidence, record.body);
                let retention = self.snapshot.retention();
                let is_erased = retention.erases(event.key.profile, event.received);
                if let Some(seq) = self.entered_before(&event, record, message.as_deref())? {
                    line.outcome = RetryOutcome::Present;
                    line.seq = Some(seq);
                } else if is_erased {
                    let reason = "the profile was erased after this call had arrived";
                    line.error = Some(DecodeError::new(reason, "profile"));
                } else if message.is_some_and(|text| !self.messages.insert(text)) {
                    let reason = "it is the same signed message as a rejected call before it";
                    line.error = Some(DecodeError::new(reason, "Signature"));
                } else {
                    if let Some(own) = event.key.subprofile {
                        self.owners.insert(own, event.key.profile);
                    }
                    let arrival = Arrival::Imported {
                        event: Box::new(event),
                        body: Some((kind, record.body.to_vec())),
                        evidence: evidence.map(<[u8]>::to_vec),
                    };
                    self.arrivals.push((self.lines.len(), arrival));
                }
            }
        }
        if line.error.is_some() {
            line.outcome = RetryOutcome::Rejected;
        }
        self.lines.push(line);
        Ok(())
    }

    /// Reads a call as the server would now.
    fn read(
        &self,
        record: &RejectedRecord<'_>,
    ) -> Result<Result<(Event<'static>, BodyKind), DecodeError>, QueryError> {
        let RejectedRecord { head, body } = record;
        let refused = |reason: &str, place| Ok(Err(DecodeError::new(reason, place)));
        let pruned = self.snapshot.retention().before();
        if pruned.is_some_and(|before| head.received.div_euclid(1_000_000) < before) {
            let reason = "it arrived before the time up to which events were pruned";
            return refused(reason, "received");
        }
        if head.status == 413 {
            // The kept part of its body could be read as another call.
            let reason = "its body was longer than --max-body, so only a part of it was kept";
            return refused(reason, "body");
        }
        let read = BodyKind::from_content_type(head.content_type, body)
            .and_then(|kind| Ok((kind, decode_envelope(kind, body, self.zone)?)));
        let (kind, envelope) = match read {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        let owner = match (envelope.profile, envelope.subprofile) {
            (None, Some(own)) => match self.owners.get(&own) {
                None => self.snapshot.profile_of(own)?,
                known => known.copied(),
            },
            (profile, _) => profile,
        };
        let Some(profile) = owner else {
            let reason =
                "no `profile`, and no earlier event shows which profile the subprofile belongs to";
            return refused(reason, "profile");
        };
        let known = EventHead {
            label: head.label,
            remote: head.remote,
            evidence: head.evidence,
            ..EventHead::of_envelope(&envelope, profile, head.received, kind)
        };
        let record = EventRecord { head: known, body };
        match record.to_event(0) {
            Ok(event) => Ok(Ok((event.into_owned(), kind))),
            Err(error) => refused(&error.to_string(), "body"),
        }
    }

    /// The event that a call became in an earlier retry, or that has the same signed message.
    fn entered_before(
        &mut self,
        event: &Event<'_>,
        call: &RejectedRecord<'_>,
        message: Option<&str>,
    ) -> Result<Option<u64>, QueryError> {
        let times = self.snapshot.times_of(event.key)?.into_iter();
        let seqs = times.map(|(_, seq)| seq);
        Ok(self.reader.find(seqs, |_, kept| {
            let as_received = kept.head.received == event.received && kept.body == call.body;
            let its = || message_of(kept.head.evidence, kept.body);
            Ok(as_received || message.is_some() && its().as_deref() == message)
        })?)
    }

    /// Appends the arrivals. Returns why some could not be appended.
    fn append(&mut self, append: Append<'_>) -> Option<String> {
        let (places, arrivals): (Vec<_>, Vec<_>) = self.arrivals.drain(..).unzip();
        let mut failure = None;
        for (place, outcome) in places.into_iter().zip(append(arrivals)) {
            match (outcome, self.lines.get_mut(place)) {
                (Outcome::Kept(seq), Some(line)) => line.seq = Some(seq),
                (Outcome::Unavailable(reason), _) => drop(failure.get_or_insert(reason)),
                _ => {}
            }
        }
        failure
    }
}

/// The signed message of evidence, if it is a proof.
fn message_of(evidence: Option<&[u8]>, body: &[u8]) -> Option<String> {
    let proof = Evidence::proof(evidence, body).ok().flatten();
    proof.map(|proof| proof.text)
}
