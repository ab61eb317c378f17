//! Adding events: resolved, encoded, appended and synced in groups.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::open::Trail;
use super::owners::RecentOwners;
use super::sequencer::{Group, Placed, Sequencer};
use crate::event::{BodyKind, DecodeError, Envelope, Event, Seen};
use crate::log::AppendError;
use crate::log::record::{EventHead, EventRecord, RecordError, RejectedHead, RejectedRecord};

/// How often a group is decided again because its place was given to others.
const MOST_MOVED: usize = 20;

/// A received call with its envelope decoded.
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
    /// The evidence of its sender ([`crate::auth::signature::Evidence`], encoded);
    /// `None` if it was not checked.
    pub evidence: Option<Vec<u8>>,
    /// The body kind and envelope, or the status and reason for which it is rejected.
    pub read: Result<(BodyKind, Envelope), (u16, DecodeError)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The same message is kept as a rejected call already: if it still cannot be read, it
    /// is not kept again.
    pub is_repeated: bool,
}

/// An item to append.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A webhook call.
    Call(Box<ParsedCall>),
    /// An exported event, or an observed one; it gets a new `seq`. `body` has the bytes as
    /// sent, if known.
    Imported {
        /// The event.
        event: Box<Event<'static>>,
        /// The bytes as sent and how they are read.
        body: Option<(BodyKind, Vec<u8>)>,
        /// The encoded evidence of its sender.
        evidence: Option<Vec<u8>>,
    },
    /// A control record.
    Control(Vec<u8>),
    /// Closes the present segments of both logs. The outcome names the last event in them.
    CloseSegments,
}

/// The result of an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on stable storage, under this `seq`.
    Kept(u64),
    /// It is rejected. The rejected call is on stable storage, and the sender gets
    /// the status and reason.
    Rejected(u16, DecodeError),
    /// It was not stored.
    Unavailable(String),
}

impl From<AppendError> for Outcome {
    fn from(error: AppendError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl ParsedCall {
    /// Its subprofile, if it does not name the profile of that.
    fn looked_up(&self) -> Option<u64> {
        let (_, envelope) = self.read.as_ref().ok()?;
        envelope.subprofile.filter(|_| envelope.profile.is_none())
    }
}

/// Appends events to a trail.
pub struct Appender {
    trail: Arc<Trail>,
    sequencer: Box<dyn Sequencer>,
    last_received: i64,
    owners: Arc<Mutex<RecentOwners>>,
}

/// Learns the profiles of the subprofiles of appended events.
#[derive(Clone)]
pub struct Owners(Arc<Mutex<RecentOwners>>);

impl Owners {
    /// Notes an appended event.
    pub fn note(&self, seq: u64, head: &EventHead<'_>) {
        if let Some(subprofile) = head.subprofile {
            self.0.lock().note(subprofile, head.profile, seq);
        }
    }
}

/// A group of encoded arrivals.
#[derive(Default)]
struct Encoded {
    group: Group,
    /// The places in the group of the events, …
    events: Vec<usize>,
    /// … and of the rejected calls.
    rejected: Vec<usize>,
    /// Subprofile and profile, by the place of the event.
    named: Vec<(usize, u64, u64)>,
    /// The places of the items that close segments.
    closing: Vec<usize>,
}

impl Appender {
    pub(super) fn new(trail: Arc<Trail>, sequencer: Box<dyn Sequencer>) -> Self {
        Self {
            owners: Arc::new(Mutex::new(RecentOwners::after(trail.last_seq()))),
            trail,
            sequencer,
            last_received: 0,
        }
    }

    /// The same with another sequencer, made from the present one. It passes records that
    /// others append to the [`Owners`].
    pub fn through<E>(
        self,
        make: impl FnOnce(Box<dyn Sequencer>, Owners) -> Result<Box<dyn Sequencer>, E>,
    ) -> Result<Self, E> {
        let owners = Owners(Arc::clone(&self.owners));
        let sequencer = make(self.sequencer, owners)?;
        Ok(Self { sequencer, ..self })
    }

    /// Closes the segments of rejected calls early enough to keep their total below this many bytes.
    pub fn limit_rejected(&mut self, most: u64) {
        self.sequencer.limit_rejected(most);
    }

    /// Why no event is accepted: a write or sync failed, or the folder belongs to a cluster.
    pub fn poison(&self) -> Option<String> {
        self.sequencer.poison()
    }

    /// Whether a call names only a subprofile whose profile cannot be looked up
    /// before the index has caught up. [`Appender::append`] does not wait for that:
    /// it would answer `Unavailable`.
    pub fn must_wait_for_index(&self, call: &ParsedCall) -> bool {
        let owners = self.owners.lock();
        let looked_up = call.looked_up();
        looked_up.is_some_and(|own| !owners.can_look_up(own, self.trail.index()))
    }

    /// Appends a group. When this returns, everything reported as stored is on stable
    /// storage. The outcomes are in the order of the arrivals.
    pub fn append(&mut self, mut group: Vec<Arrival>) -> Vec<Outcome> {
        if let Some(poison) = self.poison() {
            return vec![Outcome::Unavailable(poison); group.len()];
        }
        for arrival in &mut group {
            if let Arrival::Call(call) = arrival {
                // Each has a microsecond of its own, by which an import recognizes an event.
                if (0..1000).contains(&(self.last_received - call.received)) {
                    call.received = self.last_received + 1;
                }
                self.last_received = call.received;
            }
        }
        for _ in 0..MOST_MOVED {
            let mut outcomes =
                vec![Outcome::Unavailable("it was not written".to_owned()); group.len()];
            let encoded = self.encode(&group, &mut outcomes);
            // Else others were given the place that it depends on.
            if let Ok(placed) = self.sequencer.append(&encoded.group) {
                self.settle(&encoded, placed, &mut outcomes);
                return outcomes;
            }
        }
        let why = "other nodes were given the place that it depends on";
        vec![Outcome::Unavailable(why.to_owned()); group.len()]
    }

    /// Encodes a group. Items that are rejected or cannot be encoded have their outcome.
    fn encode(&self, group: &[Arrival], outcomes: &mut [Outcome]) -> Encoded {
        let mut encoded = Encoded::default();
        // Before anything is looked up.
        let position = self.sequencer.position();
        let mut owners = HashMap::new();
        for ((place, arrival), outcome) in group.iter().enumerate().zip(outcomes) {
            let record = match arrival {
                Arrival::Call(call) => {
                    if call.looked_up().is_some() {
                        encoded.group.after = position;
                    }
                    match self.encode_call(call, &mut owners) {
                        // The index cannot answer now; the sender may retry.
                        Err((503, error)) => Err(error.to_string()),
                        Err((status, error)) if call.is_repeated => {
                            *outcome = Outcome::Rejected(status, error);
                            Ok(None)
                        }
                        Err((status, error)) => {
                            let record = encode_rejected(call, status, &error);
                            record.map_err(|error| error.to_string()).map(|record| {
                                encoded.rejected.push(place);
                                encoded.group.rejected.push(record);
                                *outcome = Outcome::Rejected(status, error);
                                None
                            })
                        }
                        Ok((record, profile)) => {
                            let read = call.read.as_ref().ok();
                            let subprofile = read.and_then(|(_, read)| read.subprofile);
                            let named = subprofile.map(|own| (place, own, profile));
                            encoded.named.extend(named);
                            Ok(Some(record))
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
                        encoded.named.push((place, subprofile, event.key.profile));
                    }
                    let record = encode_imported(event, body.as_ref(), evidence.as_deref());
                    record.map(Some).map_err(|error| error.to_string())
                }
                Arrival::Control(record) => Ok(Some(record.clone())),
                Arrival::CloseSegments => {
                    encoded.closing.push(place);
                    Ok(None)
                }
            };
            match record {
                Ok(Some(record)) => {
                    encoded.events.push(place);
                    encoded.group.events.push(record);
                }
                Ok(None) => {}
                Err(why) => *outcome = Outcome::Unavailable(why),
            }
        }
        encoded
    }

    /// Turns the numbers of a group into outcomes.
    fn settle(&mut self, encoded: &Encoded, placed: Placed, outcomes: &mut [Outcome]) {
        let (events, rejected) = (placed.events.into_iter(), placed.rejected.into_iter());
        for (place, placed) in encoded.events.iter().zip(events) {
            if let Some(outcome) = outcomes.get_mut(*place) {
                *outcome = match placed {
                    Ok(seq) => Outcome::Kept(seq),
                    Err(error) => error.into(),
                };
            }
        }
        for (place, placed) in encoded.rejected.iter().zip(rejected) {
            if let (Some(outcome), Err(error)) = (outcomes.get_mut(*place), placed) {
                *outcome = error.into();
            }
        }
        for place in &encoded.closing {
            let closed = self.sequencer.close_segments();
            if let Some(outcome) = outcomes.get_mut(*place) {
                *outcome = match closed {
                    Ok(()) => Outcome::Kept(self.trail.last_seq()),
                    Err(error) => Outcome::Unavailable(error.to_string()),
                };
            }
            // Locked first: records that others append are noted after that.
            let mut owners = self.owners.lock();
            *owners = RecentOwners::after(self.trail.last_seq());
        }
        let mut owners = self.owners.lock();
        for (place, subprofile, profile) in &encoded.named {
            if let Some(Outcome::Kept(seq)) = outcomes.get(*place) {
                owners.note(*subprofile, *profile, *seq);
            }
        }
        owners.shrink(self.trail.index(), self.trail.last_seq());
    }

    fn encode_call(
        &self,
        call: &ParsedCall,
        owners: &mut HashMap<u64, u64>,
    ) -> Result<(Vec<u8>, u64), (u16, DecodeError)> {
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
        .map(|record| (record, profile))
        .map_err(|error| (503, DecodeError::new(error.to_string(), "")))
    }

    /// The profile of a subprofile by an earlier event: of this group, or of
    /// those before. Never waits for the index.
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
        let (known, can_look_up) = {
            let recent = self.owners.lock();
            let can_look_up = recent.can_look_up(subprofile, self.trail.index());
            (recent.get(subprofile), can_look_up)
        };
        if let Some(profile) = known {
            return Ok(profile);
        }
        let behind = || {
            let reason = "the index is not complete yet, so the profile is unknown; try again";
            (503, DecodeError::new(reason, "profile"))
        };
        if !can_look_up {
            return Err(behind());
        }
        match self.trail.snapshot().try_profile_of(subprofile) {
            Ok(Some(Some(profile))) => Ok(profile),
            Ok(Some(None)) => Err(unknown(
                "no earlier event shows which profile the subprofile belongs to",
            )),
            Ok(None) => Err(behind()),
            Err(error) => Err((503, DecodeError::new(error.to_string(), "profile"))),
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
        evidence: call.evidence.as_deref(),
    };
    RejectedRecord {
        head,
        body: &call.body,
    }
    .encode()
}

fn encode_imported(
    event: &Event<'_>,
    body: Option<&(BodyKind, Vec<u8>)>,
    evidence: Option<&[u8]>,
) -> Result<Vec<u8>, RecordError> {
    let made = event
        .event_type
        .seen()
        .map_or(BodyKind::Content, Seen::body_kind);
    let (body_kind, bytes) = match body {
        // An observed event is distinguished from a call by its body.
        Some((kind, bytes)) if made == BodyKind::Content => (*kind, Cow::Borrowed(&**bytes)),
        _ => {
            // Maps of strings always make JSON. Equal contents make equal bytes, so that
            // duplicates stay duplicates.
            let json = serde_json::to_vec(&event.content).unwrap_or_default();
            (made, Cow::Owned(json))
        }
    };
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::event::{decode_envelope, zone_from_name};
    use crate::log::OpenMode;
    use crate::store::{Folder, OpenOptions};

    fn open(data: &Path) -> (Arc<Trail>, Appender) {
        let options = OpenOptions {
            mode: OpenMode::Append {
                segment_size: 1 << 20,
            },
            server: false,
            cache: 1 << 20,
            patience: Duration::from_secs(10),
        };
        let (trail, appender) = Trail::open(data, options).unwrap();
        (trail, appender.unwrap())
    }

    fn call(body: &str) -> Box<ParsedCall> {
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let envelope = decode_envelope(BodyKind::Form, body.as_bytes(), zone).unwrap();
        Box::new(ParsedCall {
            received: 1_760_000_000_000_000,
            remote: None,
            label: None,
            content_type: None,
            evidence: None,
            read: Ok((BodyKind::Form, envelope)),
            body: body.as_bytes().to_vec(),
            is_repeated: false,
        })
    }

    #[test]
    fn a_call_without_a_profile_delays_no_other_while_the_index_is_built() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Folder::make(&data).unwrap();
        let (trail, mut appender) = open(&data);
        trail.index().hold(true);
        let named = "type=create&profile=7&subprofile=70&time=1760000000";
        let bare = "type=delete&subprofile=70&time=1760000001";
        // The newest events are known without the index.
        let group = vec![Arrival::Call(call(named)), Arrival::Call(call(bare))];
        let outcomes = appender.append(group);
        assert_eq!(outcomes, [Outcome::Kept(1), Outcome::Kept(2)]);
        assert!(!appender.must_wait_for_index(&call(bare)));
        trail.index().hold(false);
        drop((trail, appender));

        let (trail, mut appender) = open(&data);
        trail.wait_for_index(|_| ()).unwrap();
        trail.index().hold(true);
        assert!(appender.must_wait_for_index(&call(bare)));
        assert!(!appender.must_wait_for_index(&call(named)));
        let mut group: Vec<_> = (0..20).map(|_| Arrival::Call(call(bare))).collect();
        group.push(Arrival::Call(call(named)));
        let begun = Instant::now();
        let outcomes = appender.append(group);
        assert!(begun.elapsed() < Duration::from_secs(2));
        let (last, others) = outcomes.split_last().unwrap();
        assert_eq!(last, &Outcome::Kept(3));
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Unavailable(_));
        assert!(others.iter().all(refused));
        // The call that named both has made the profile known.
        let outcomes = appender.append(vec![Arrival::Call(call(bare))]);
        assert_eq!(outcomes, [Outcome::Kept(4)]);
        trail.index().hold(false);
        let unknown = "type=delete&subprofile=71&time=1760000001";
        trail.wait_for_index(|_| ()).unwrap();
        let outcomes = appender.append(vec![Arrival::Call(call(unknown))]);
        assert!(matches!(&outcomes[0], Outcome::Rejected(400, _)));
    }
}
