//! `import`: reads the output of `export`.
//!
//! Only an empty folder accepts baselines, which replace pruned events; they precede the
//! events.
//!
//! An event exists already if the store has one of the same (sub)profile, time,
//! type, moment of receipt, sender, label and content. So importing the same lines
//! again adds nothing, and an interrupted import resumes where it stopped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::answer::QueryError;
use super::baselines;
use super::lines::ExportLine;
use crate::auth::signature::{Evidence, Proof};
use crate::event::{
    BodyKind, Content, Event, EventType, Interests, MAX_BODY, ProfileKey, Seen, is_label,
    now_micros, parse_rfc3339_micros,
};
use crate::log::Erasure;
use crate::store::retention::KeptBaseline;
use crate::store::{Arrival, EraseOrder, EventReader, Outcome, PruneError, Restore, Trail};

/// The result of some lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Events that were added.
    pub added: u64,
    /// Events that existed already.
    pub present: u64,
    /// Events that were left out, as their profile was erased.
    pub erased: u64,
    /// Lines that were refused.
    pub refused: Vec<RefusedLine>,
    /// Why the import cannot continue, if it cannot.
    pub failure: Option<String>,
}

/// A line that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    /// Its number in the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl ImportReport {
    fn refuse(&mut self, line: u64, reason: String) {
        self.refused.push(RefusedLine { line, reason });
    }

    /// Adds the result of later lines.
    pub fn add(&mut self, other: Self) {
        self.added += other.added;
        self.present += other.present;
        self.erased += other.erased;
        self.refused.extend(other.refused);
        self.failure = self.failure.take().or(other.failure);
    }
}

/// Adds exported events to a trail.
pub struct Importer<'a> {
    trail: &'a Trail,
    reader: EventReader,
    /// Accepted baselines, until the first event.
    restore: Option<Restore<'a>>,
    /// The erasures that the lines name.
    erasures: Vec<Erasure>,
}

/// The content of a line.
pub(super) enum Read {
    Event(Box<Candidate>),
    Baseline(Box<KeptBaseline>),
    Erased(Box<Erasure>),
}

/// The event of a line, and its body if the line has it.
pub(super) struct Candidate {
    pub event: Event<'static>,
    pub body: Option<(BodyKind, Vec<u8>)>,
    /// The line's data on the sender's authenticity, encoded.
    pub evidence: Option<Vec<u8>>,
}

impl<'a> Importer<'a> {
    /// An importer into a trail.
    pub fn new(trail: &'a Trail) -> Self {
        Self {
            trail,
            reader: trail.snapshot().reader(),
            restore: None,
            erasures: Vec::new(),
        }
    }

    /// The erasures that the lines have named and this folder does not have: they are to be
    /// repeated.
    pub fn new_erasures(&self) -> Vec<EraseOrder> {
        let retention = self.trail.retention();
        let is_new = |of: &&Erasure| !retention.erases(of.profile, of.until);
        let mut orders: Vec<EraseOrder> = Vec::new();
        for erasure in self.erasures.iter().filter(is_new) {
            let reason = erasure.reason.clone();
            let order = EraseOrder::again(erasure.profile, erasure.until, reason);
            EraseOrder::add(&mut orders, order);
        }
        orders
    }

    /// Must be called after the last line.
    pub fn finish(&mut self) -> Result<(), QueryError> {
        if let Some(restore) = self.restore.take() {
            restore.finish()?;
        }
        Ok(())
    }

    /// Takes a baseline: returns whether it is new, or why it is refused.
    fn take_baseline(&mut self, kept: KeptBaseline) -> Result<Result<bool, String>, QueryError> {
        let present = self.trail.snapshot().baseline_of(kept.key)?;
        if present.is_some_and(|present| baselines::is_same(&present, &kept.baseline)) {
            return Ok(Ok(false));
        }
        let restore = match &mut self.restore {
            Some(restore) => restore,
            none => match self.trail.restore() {
                Ok(restore) => none.insert(restore),
                Err(error @ (PruneError::NotBlank | PruneError::Busy)) => {
                    return Ok(Err(error.to_string()));
                }
                Err(error) => return Err(error.into()),
            },
        };
        if restore.add(kept)? {
            Ok(Ok(true))
        } else {
            Ok(Err(
                "baselines come in the order of profiles and subprofiles, each once".to_owned(),
            ))
        }
    }

    /// Adds the events of some lines. `first_line` is the number of the first.
    /// `append` stores a group and returns the result of each.
    pub fn import(
        &mut self,
        first_line: u64,
        lines: &[u8],
        append: impl FnOnce(Vec<Arrival>) -> Vec<Outcome>,
    ) -> Result<ImportReport, QueryError> {
        let mut report = ImportReport::default();
        let mut fresh: Vec<Candidate> = Vec::new();
        // The numbers of their lines.
        let mut numbers = Vec::new();
        let _lock = self.trail.lock_imports();
        let snapshot = self.trail.snapshot();
        let retention = self.trail.retention();
        snapshot.wait_for_index(|_| ())?;
        let mut timelines: HashMap<ProfileKey, Vec<(i64, u64)>> = HashMap::new();
        let mut taken: HashMap<(ProfileKey, i64), Vec<usize>> = HashMap::new();
        for (offset, line) in lines.split(|byte| *byte == b'\n').enumerate() {
            let number = first_line + offset as u64;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let candidate = match read_line(line) {
                Ok(Read::Event(candidate)) => *candidate,
                Ok(Read::Baseline(kept)) => {
                    match self.take_baseline(*kept)? {
                        Ok(true) => report.added += 1,
                        Ok(false) => report.present += 1,
                        Err(reason) => report.refuse(number, reason),
                    }
                    continue;
                }
                Ok(Read::Erased(erasure)) => {
                    if erasure.until > now_micros() {
                        let reason = "the erasure is of a moment to come: is the clock right?";
                        report.refuse(number, reason.to_owned());
                    } else {
                        self.erasures.push(*erasure);
                    }
                    continue;
                }
                Err(reason) => {
                    report.refuse(number, reason);
                    continue;
                }
            };
            // Events follow all baselines.
            self.finish()?;
            let event = &candidate.event;
            if retention.erases(event.key.profile, event.received) {
                report.erased += 1;
                continue;
            }
            let times = match timelines.entry(event.key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(snapshot.times_of(event.key)?),
            };
            let before = taken.entry((event.key, event.time)).or_default();
            let mut before_it = before.iter().filter_map(|place| fresh.get(*place));
            let repeated = before_it.any(|other| is_same(&other.event, event));
            if repeated || self.is_kept(event, times)? {
                report.present += 1;
            } else {
                before.push(fresh.len());
                fresh.push(candidate);
                numbers.push(number);
            }
        }
        let arrivals = fresh
            .into_iter()
            .map(|candidate| Arrival::Imported {
                event: Box::new(candidate.event),
                body: candidate.body,
                evidence: candidate.evidence,
            })
            .collect();
        for (line, outcome) in numbers.into_iter().zip(append(arrivals)) {
            match outcome {
                Outcome::Kept(_) => report.added += 1,
                Outcome::Rejected(_, error) => report.refuse(line, error.to_string()),
                Outcome::Unavailable(reason) => {
                    report.failure.get_or_insert(reason);
                }
            }
        }
        Ok(report)
    }

    /// Whether the trail has an event already.
    fn is_kept(&mut self, event: &Event<'_>, times: &[(i64, u64)]) -> Result<bool, QueryError> {
        let from = times.partition_point(|(time, _)| *time < event.time);
        let from_then_on = times.iter().skip(from);
        let same_second = from_then_on.take_while(|(time, _)| *time == event.time);
        let seqs = same_second.map(|(_, seq)| *seq);
        let found = self.reader.find(seqs, |seq, record| {
            let is_other = record.head.received != event.received;
            Ok(!is_other && is_same(&record.to_event(seq)?, event))
        })?;
        Ok(found.is_some())
    }
}

/// Whether two events are equal except for their `seq`.
pub(super) fn is_same(one: &Event<'_>, other: &Event<'_>) -> bool {
    one.received == other.received
        && one.event_type == other.event_type
        && one.time == other.time
        && one.time_source == other.time_source
        && one.key == other.key
        && one.database == other.database
        && one.collection == other.collection
        && one.label == other.label
        && one.remote == other.remote
        && one.content == other.content
}

/// The evidence of an event's sender to store: a proof if it verifies; the exporting
/// store's own statement as such.
fn evidence(
    verified: Option<bool>,
    proof: Option<Proof>,
    body: Option<&(BodyKind, Vec<u8>)>,
) -> Result<Option<Vec<u8>>, String> {
    let bytes = body.map_or(&[][..], |(_, bytes)| bytes);
    let evidence = match (verified, proof) {
        (None, None) => return Ok(None),
        (Some(false), None) => Evidence::Unsigned,
        (Some(true), None) => Evidence::VerifiedElsewhere,
        (Some(true), Some(proof)) if body.is_some() => {
            proof
                .check(bytes)
                .map_err(|refusal| format!("\"evidence\" proves nothing: {refusal}"))?;
            Evidence::Proof(Box::new(proof))
        }
        (Some(true), Some(_)) => return Err("\"evidence\" needs the body".to_owned()),
        (_, Some(_)) => return Err("\"evidence\" needs \"verified\"".to_owned()),
    };
    let encoded = evidence.encode(bytes);
    encoded.map(Some).map_err(|error| error.to_string())
}

/// Parses a line; an error names the fault.
pub(super) fn read_line(line: &[u8]) -> Result<Read, String> {
    let mut line: ExportLine<'static> =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let received = parse_rfc3339_micros(&line.received)
        .ok_or_else(|| format!("\"received\": {:?} is not an RFC 3339 time", line.received))?;
    let time = parse_rfc3339_micros(&line.time)
        .filter(|micros| micros % 1_000_000 == 0)
        .ok_or_else(|| {
            format!(
                "\"time\": {:?} is not an RFC 3339 time of whole seconds",
                line.time
            )
        })?
        / 1_000_000;
    if let Some(erasure) = line.erased.take() {
        return Ok(Read::Erased(Box::new(erasure)));
    }
    if let Some(part) = line.baseline.take() {
        let kept = baselines::read(line, part, time)?;
        return Ok(Read::Baseline(Box::new(kept)));
    }
    if let Some(label) = line.label.as_deref().filter(|label| !is_label(label)) {
        return Err(format!(
            "\"label\": {label:?} is not a label: 1 to 64 of A-Z, a-z, 0-9, _ and -"
        ));
    }
    let key = line.key();
    let interests = match line.interests {
        Interests::List(names) if names.is_empty() => None,
        Interests::Map(names) if names.is_empty() => None,
        sent => Some(sent),
    };
    let content = Content {
        created: line.created,
        modified: line.modified,
        parameters: line.parameters,
        fields: line.fields,
        interests,
        extra: line.extra,
    };
    let len = content.byte_len();
    if len > MAX_BODY {
        return Err(format!(
            "the event's values have {len} bytes; at most {MAX_BODY} are accepted, as for a call's body"
        ));
    }
    let body = match (line.body, line.body_base64) {
        (None, None) => None,
        (Some(text), None) => Some(text.into_owned().into_bytes()),
        (None, Some(text)) => Some(
            base64::engine::general_purpose::STANDARD
                .decode(text.as_ref())
                .map_err(|error| format!("\"body_base64\": {error}"))?,
        ),
        (Some(_), Some(_)) => {
            return Err("\"body\" and \"body_base64\" exclude each other".to_owned());
        }
    };
    let body = match body {
        None => None,
        Some(bytes) => {
            // A line does not say how its body was sent; the form of its content shows
            // it.
            let kind = BodyKind::of_content(&bytes, &content);
            Some((kind.ok_or("the body does not match the other keys")?, bytes))
        }
    };
    let event_type = match line.observed.as_deref() {
        None => line.event_type.as_ref().into(),
        Some(word) => {
            let seen = Seen::from_name(word)
                .ok_or_else(|| format!("\"observed\": {word:?} is neither present nor gone"))?;
            if line.event_type != Seen::TYPE || body.is_some() || line.verified.is_some() {
                return Err(
                    "\"observed\" cannot have what only a call has: another type, a body or a proof"
                        .to_owned(),
                );
            }
            EventType::Observed(seen)
        }
    };
    let evidence = evidence(line.verified, line.evidence, body.as_ref())?;
    let event = Event {
        seq: 0,
        received,
        remote: line.remote,
        label: line.label,
        event_type,
        time,
        time_source: line.time_source,
        key,
        database: line.database,
        collection: line.collection,
        verified: line.verified,
        content,
    };
    Ok(Read::Event(Box::new(Candidate {
        event,
        body,
        evidence,
    })))
}
