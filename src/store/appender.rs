//! Adding events: resolved, encoded, appended and synced in groups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::TrailError;
use super::open::Trail;
use crate::event::{BodyKind, Content, DecodeError, Envelope, Event, Seen};
use crate::log::record::{EventHead, EventRecord, RecordError, RejectedHead, RejectedRecord};
use crate::log::{AppendError, Writer};

/// The most records in one frame: beyond that a larger group gains nothing,
/// and reading one event reads its frame.
const FRAME_RECORDS: usize = 256;

/// About how many bytes a frame grows to.
const FRAME_BYTES: usize = 256 * 1024;

/// How far the index may fall behind before appending waits for it.
const MAX_LAG: u64 = 100_000;

/// How long a group waits for an index that is so far behind.
const LAG_PATIENCE: Duration = Duration::from_millis(200);

/// How long a call whose profile only the index can tell waits for it.
const OWNER_PATIENCE: Duration = Duration::from_secs(2);

/// A call as it came, its envelope decoded.
#[derive(Clone, Debug)]
pub struct ParsedCall {
    /// The moment of receipt in Unix microseconds.
    pub received: i64,
    /// The sender's address, without a port.
    pub remote: Option<String>,
    /// The label in the webhook's address.
    pub label: Option<String>,
    /// The `Content-Type` as sent.
    pub content_type: Option<String>,
    /// What is known of who sent it ([`crate::auth::signature::Evidence`], encoded);
    /// `None` where nobody looked.
    pub evidence: Option<Vec<u8>>,
    /// What is wrong with it, if it cannot be read: status and reason.
    pub read: Result<(BodyKind, Envelope), (u16, DecodeError)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

/// Something to be kept.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A webhook call.
    Call(Box<ParsedCall>),
    /// An exported event, or an observed one; its `seq` is given anew. `body` has the bytes as
    /// sent, where they are known.
    Imported {
        /// The event.
        event: Box<Event<'static>>,
        /// The bytes as sent and how they are read.
        body: Option<(BodyKind, Vec<u8>)>,
        /// What is known of who sent it, encoded.
        evidence: Option<Vec<u8>>,
    },
}

/// What became of an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on stable storage, under this `seq`.
    Kept(u64),
    /// It cannot be read; that is on stable storage, and its sender is told.
    Rejected(u16, DecodeError),
    /// It is not kept.
    Unavailable(String),
}

/// The one who adds events to a trail.
pub struct Appender {
    trail: Arc<Trail>,
    events: Writer,
    rejected: Writer,
    last_received: i64,
    /// The index has been complete once: from then on it is waited for.
    indexed_once: bool,
    /// How far the index was when it was last looked at.
    last_applied: u64,
}

impl Appender {
    pub(super) const fn new(trail: Arc<Trail>, events: Writer, rejected: Writer) -> Self {
        Self {
            trail,
            events,
            rejected,
            last_received: 0,
            indexed_once: false,
            last_applied: 0,
        }
    }

    /// Why nothing is taken, after a failed write or sync.
    pub fn poison(&self) -> Option<&str> {
        self.events.poison().or_else(|| self.rejected.poison())
    }

    /// Keeps a group. When this returns, what it says is kept is on stable
    /// storage. The outcomes are in the order of the arrivals.
    pub fn append(&mut self, group: Vec<Arrival>) -> Vec<Outcome> {
        if let Some(poison) = self.poison() {
            return vec![Outcome::Unavailable(poison.to_owned()); group.len()];
        }
        let mut outcomes = Vec::with_capacity(group.len());
        let mut events = Vec::new();
        let mut rejected = Vec::new();
        let mut owners = HashMap::new();
        if let Err(error) = self.prepare_for(&group) {
            return vec![Outcome::Unavailable(error.to_string()); group.len()];
        }
        for (place, arrival) in group.into_iter().enumerate() {
            outcomes.push(Outcome::Unavailable("it was not written".to_owned()));
            match arrival {
                Arrival::Call(mut call) => {
                    self.make_received_unique(&mut call);
                    match self.encode_call(&call, &mut owners) {
                        Ok(record) => events.push((place, record)),
                        // The index cannot tell now; the call may be sent again.
                        Err((503, error)) => {
                            if let Some(outcome) = outcomes.last_mut() {
                                *outcome = Outcome::Unavailable(error.to_string());
                            }
                        }
                        Err((status, error)) => {
                            let record = encode_rejected(&call, status, &error);
                            let told = match record {
                                Ok(record) => {
                                    rejected.push((place, record));
                                    Outcome::Rejected(status, error)
                                }
                                Err(error) => Outcome::Unavailable(error.to_string()),
                            };
                            if let Some(outcome) = outcomes.last_mut() {
                                *outcome = told;
                            }
                        }
                    }
                }
                Arrival::Imported {
                    event,
                    body,
                    evidence,
                } => {
                    if let Some(subprofile) = event.key.subprofile {
                        owners.insert(subprofile, event.key.profile);
                    }
                    match encode_imported(&event, body, evidence.as_deref()) {
                        Ok(record) => events.push((place, record)),
                        Err(error) => {
                            if let Some(outcome) = outcomes.last_mut() {
                                *outcome = Outcome::Unavailable(error.to_string());
                            }
                        }
                    }
                }
            }
        }
        append_all(&mut self.events, &events, &mut outcomes, |outcome, seq| {
            *outcome = Outcome::Kept(seq)
        });
        append_all(&mut self.rejected, &rejected, &mut outcomes, |_, _| ());
        self.wait_for_slow_index();
        outcomes
    }

    /// Sees to it that no older version reads a log with observed events in it:
    /// it would take them for damage.
    fn prepare_for(&self, group: &[Arrival]) -> Result<(), TrailError> {
        let is_observed = |arrival: &Arrival| match arrival {
            Arrival::Call(_) => false,
            Arrival::Imported { event, .. } => event.event_type.seen().is_some(),
        };
        if group.iter().any(is_observed) {
            self.trail.folder().allow_observed()?;
        }
        Ok(())
    }

    /// Calls of one microsecond get one each, so that an event is known again
    /// by its moment of receipt when it is imported.
    fn make_received_unique(&mut self, call: &mut ParsedCall) {
        if (0..1000).contains(&(self.last_received - call.received)) {
            call.received = self.last_received + 1;
        }
        self.last_received = call.received;
    }

    fn encode_call(
        &self,
        call: &ParsedCall,
        owners: &mut HashMap<u64, u64>,
    ) -> Result<Vec<u8>, (u16, DecodeError)> {
        let (kind, envelope) = call.read.as_ref().map_err(Clone::clone)?;
        let profile = match (envelope.profile, envelope.subprofile) {
            (Some(profile), _) => profile,
            (None, subprofile) => self.owner_of(subprofile, owners)?,
        };
        if let Some(subprofile) = envelope.subprofile {
            owners.insert(subprofile, profile);
        }
        let mut head = EventHead::of_envelope(envelope, profile, call.received, *kind);
        head.label = call.label.as_deref();
        head.remote = call.remote.as_deref();
        head.evidence = call.evidence.as_deref();
        EventRecord {
            head,
            body: &call.body,
        }
        .encode()
        .map_err(|error| (503, DecodeError::new(error.to_string(), "")))
    }

    /// The profile of a subprofile by an earlier event: of this group, or of
    /// those before.
    fn owner_of(
        &self,
        subprofile: Option<u64>,
        owners: &HashMap<u64, u64>,
    ) -> Result<u64, (u16, DecodeError)> {
        let unknown = |why: &str| {
            (
                400,
                DecodeError::new(format!("no `profile`, and {why}"), "profile"),
            )
        };
        let subprofile = subprofile.ok_or_else(|| unknown("no subprofile either"))?;
        if let Some(profile) = owners.get(&subprofile) {
            return Ok(*profile);
        }
        let last = self.trail.last_seq();
        let found = match self
            .trail
            .indexer
            .wait_for(last, Some(OWNER_PATIENCE), |_| ())
        {
            Ok(true) => self
                .trail
                .snapshot()
                .profile_of(subprofile)
                .map_err(|error| error.to_string()),
            Ok(false) => Err("the index is being made".to_owned()),
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(profile)) => Ok(profile),
            Ok(None) => Err(unknown("no earlier event tells whose subprofile it is")),
            Err(error) => Err((503, DecodeError::new(error, "profile"))),
        }
    }

    /// Keeps the index from falling behind without bound, since questions wait
    /// for it. While one is being built, events do not wait.
    fn wait_for_slow_index(&mut self) {
        let progress = self.trail.index().progress();
        let lag = progress.last.saturating_sub(progress.applied);
        let rebuilt = progress.applied < self.last_applied;
        self.indexed_once = (self.indexed_once && !rebuilt) || lag < MAX_LAG / 2;
        self.last_applied = progress.applied;
        if self.indexed_once && lag > MAX_LAG {
            let target = progress.last - MAX_LAG / 2;
            let waited = self
                .trail
                .indexer
                .wait_for(target, Some(LAG_PATIENCE), |_| ());
            if let Err(error) = waited {
                tracing::debug!("appending did not wait for the index: {error}");
            }
        }
    }
}

/// Appends records in frames of bounded size, and notes what became of each.
fn append_all(
    writer: &mut Writer,
    records: &[(usize, Vec<u8>)],
    outcomes: &mut [Outcome],
    kept: impl Fn(&mut Outcome, u64),
) {
    let mut rest = records;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fit = rest.iter().take(FRAME_RECORDS).take_while(|(_, record)| {
            let first = bytes == 0;
            bytes += record.len();
            first || bytes <= FRAME_BYTES
        });
        let (frame, later) = rest.split_at(fit.count().max(1));
        rest = later;
        let payload: Vec<&[u8]> = frame.iter().map(|(_, record)| record.as_slice()).collect();
        let appended = writer.append(&payload);
        for (number, (place, _)) in frame.iter().enumerate() {
            let Some(outcome) = outcomes.get_mut(*place) else {
                continue;
            };
            match &appended {
                Ok(first_seq) => kept(outcome, first_seq + number as u64),
                Err(error @ (AppendError::Poisoned(_) | AppendError::TooLarge(_))) => {
                    *outcome = Outcome::Unavailable(error.to_string());
                }
            }
        }
    }
}

fn encode_rejected(
    call: &ParsedCall,
    status: u16,
    error: &DecodeError,
) -> Result<Vec<u8>, RecordError> {
    let head = RejectedHead {
        received: call.received,
        remote: call.remote.as_deref(),
        label: call.label.as_deref(),
        content_type: call.content_type.as_deref(),
        status,
        reason: &error.reason,
        place: &error.place,
    };
    RejectedRecord {
        head,
        body: &call.body,
    }
    .encode()
}

fn encode_imported(
    event: &Event<'_>,
    body: Option<(BodyKind, Vec<u8>)>,
    evidence: Option<&[u8]>,
) -> Result<Vec<u8>, RecordError> {
    let made = event
        .event_type
        .seen()
        .map_or(BodyKind::Content, Seen::body_kind);
    let (body_kind, bytes) = body
        // The body of an observed event is what tells it from a call.
        .filter(|_| made == BodyKind::Content)
        .unwrap_or_else(|| (made, content_bytes(&event.content)));
    let head = EventHead {
        received: event.received,
        time: event.time,
        time_source: event.time_source,
        profile: event.key.profile,
        subprofile: event.key.subprofile,
        database: event.database,
        collection: event.collection,
        event_type: event.event_type.name(),
        label: event.label.as_deref(),
        remote: event.remote.as_deref(),
        evidence,
        body_kind,
    };
    EventRecord { head, body: &bytes }.encode()
}

/// The kept form of a content without a body. Equal contents give equal bytes,
/// so that duplicates stay duplicates.
fn content_bytes(content: &Content<'_>) -> Vec<u8> {
    // Maps of strings always make JSON.
    serde_json::to_vec(content).unwrap_or_default()
}
