//! The bytes of a record: an event, a rejected call, or a replacement of one.
//!
//! The first byte is the kind of the record. It is part of an event's [leaf
//! hash](super::leaf_of), so no rewrite may ever change it.
//!
//! | byte 0 | content | bytes after it |
//! | --- | --- | --- |
//! | none | *pruned*: the content was removed on purpose ([`is_pruned`]) | none |
//! | 1 | an event, or, in the log of rejected calls, such a call | head, then body |
//! | 2 | *lost*: an event that a repair could not save ([`Lost`]) | 24 |
//! | 3 | a *tombstone*: the leaf hash of an event that was pruned or erased ([`tombstone`]) | 32 |
//! | 4 | a *control record*: what was done to the log ([`control`]) | JSON |
//!
//! Reading a record of any other kind fails with [`RecordError::Kind`], which names the
//! byte; so a new kind needs no new format of the log.
//!
//! Head and body are bincode values (little-endian, variable-length integers). The head
//! has the data for the index and most filters, so that neither parses bodies. The body
//! is kept as sent; the salt of its commitment is derived from the `seq`
//! ([`super::salt`]). Both are personal data.

use std::borrow::Cow;

use bincode::config::{Configuration, standard};
use bincode::{BorrowDecode, Encode};

use super::lost;
pub use super::lost::Lost;
use crate::auth::signature::Evidence;
use crate::event::{
    BodyKind, DecodeError, Envelope, Event, EventType, ProfileKey, Seen, TimeSource, decode_content,
};

/// The first byte of an event and of a rejected call.
const CONTENT: u8 = 1;

/// The first byte of a tombstone.
const TOMBSTONE: u8 = 3;

/// The first byte of a control record.
const CONTROL: u8 = 4;

const CONFIG: Configuration = standard();

/// The part of an event that is known without decoding its body.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct EventHead<'a> {
    /// The time of receipt in Unix microseconds.
    pub received: i64,
    /// The event time in Unix seconds.
    pub time: i64,
    /// Where the event time was read.
    pub time_source: TimeSource,
    /// The profile's number.
    pub profile: u64,
    /// The subprofile's number.
    pub subprofile: Option<u64>,
    /// The database, if the call named it.
    pub database: Option<u64>,
    /// The collection, if the call named it.
    pub collection: Option<u64>,
    /// The type's word.
    pub event_type: &'a str,
    /// The label in the webhook's address.
    pub label: Option<&'a str>,
    /// The sender's address, without a port.
    pub remote: Option<&'a str>,
    /// The encoded evidence of the sender ([`crate::auth::signature::Evidence`]); `None`
    /// if signatures were not checked.
    pub evidence: Option<&'a [u8]>,
    /// How to decode the body.
    pub body_kind: BodyKind,
}

/// An event or a rejected call as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a, H> {
    /// The data that is known without decoding the body.
    pub head: H,
    /// The body as sent; of one over the limit, the bytes that had arrived.
    pub body: &'a [u8],
}

/// An event as the log keeps it.
pub type EventRecord<'a> = Record<'a, EventHead<'a>>;

/// A call that could not be read, as the log keeps it.
pub type RejectedRecord<'a> = Record<'a, RejectedHead<'a>>;

/// A call that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct RejectedHead<'a> {
    /// The time of receipt in Unix microseconds.
    pub received: i64,
    /// The sender's address, without a port.
    pub remote: Option<&'a str>,
    /// The label in the webhook's address.
    pub label: Option<&'a str>,
    /// The `Content-Type` as sent.
    pub content_type: Option<&'a str>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Why it could not be read.
    pub reason: &'a str,
    /// The place in the call.
    pub place: &'a str,
    /// The evidence of the sender, as in [`EventHead::evidence`].
    pub evidence: Option<&'a [u8]>,
}

/// Why a record cannot be encoded, or cannot be decoded though its frame is whole.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The event was lost before a repair.
    #[error("{0}")]
    Lost(Lost),
    /// A kind of record that this version of the program does not know.
    #[error("the record is of the unknown kind {0}; a newer profiletrail may have written it")]
    Kind(u8),
    /// The record cannot be encoded.
    #[error("the record cannot be encoded: {0}")]
    Encode(String),
    /// The bytes are not a record.
    #[error("the record makes no sense: {0}")]
    Malformed(String),
    /// The body is not of the kind that the head says.
    #[error("the body cannot be read: {0}")]
    Body(DecodeError),
}

impl From<DecodeError> for RecordError {
    fn from(error: DecodeError) -> Self {
        Self::Body(error)
    }
}

/// Whether a record was removed: only its number is left, or also its leaf hash.
pub fn is_pruned(record: &[u8]) -> bool {
    record.is_empty() || tombstone_leaf(record).is_some()
}

/// The replacement of a removed event whose leaf hash is still needed.
pub fn tombstone(leaf: [u8; 32]) -> Vec<u8> {
    [&[TOMBSTONE], leaf.as_slice()].concat()
}

/// The leaf hash in a tombstone; `None` if the record is of another kind.
pub fn tombstone_leaf(record: &[u8]) -> Option<[u8; 32]> {
    record.strip_prefix(&[TOMBSTONE])?.try_into().ok()
}

/// A record of an operation on the log, as JSON. It has a number and a leaf like an
/// event, and is in no answer.
pub fn control(json: &[u8]) -> Vec<u8> {
    [&[CONTROL], json].concat()
}

/// The JSON of a control record; `None` if the record is of another kind.
pub fn control_json(record: &[u8]) -> Option<&[u8]> {
    record.strip_prefix(&[CONTROL])
}

/// Whether a record can never be an event again: it was removed, or is a control record.
pub fn is_no_event(record: &[u8]) -> bool {
    is_pruned(record) || control_json(record).is_some()
}

/// Decodes the head; also returns how many bytes it and the first byte take.
fn decode_head<'a, H: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<(H, usize), RecordError> {
    let malformed = |reason: &str| RecordError::Malformed(reason.to_owned());
    let rest = match bytes.split_first() {
        Some((&CONTENT, rest)) => rest,
        Some((&lost::KIND, _)) => {
            return Err(match Lost::decode(bytes) {
                Some(lost) => RecordError::Lost(lost),
                None => malformed("it says that events are lost, but not which"),
            });
        }
        Some((kind, _)) if !is_no_event(bytes) => return Err(RecordError::Kind(*kind)),
        _ => return Err(malformed("it is no event")),
    };
    let (head, len) = bincode::borrow_decode_from_slice(rest, CONFIG)
        .map_err(|error| RecordError::Malformed(error.to_string()))?;
    Ok((head, len + 1))
}

impl<'a, H: BorrowDecode<'a, ()>> Record<'a, H> {
    /// Reads a record.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        Self::decode_measured(bytes).map(|(record, _)| record)
    }

    /// Reads a record; also returns how many bytes the head and the kind take.
    pub fn decode_measured(bytes: &'a [u8]) -> Result<(Self, usize), RecordError> {
        let (head, head_len) = decode_head(bytes)?;
        let rest = bytes.get(head_len..).unwrap_or_default();
        let (body, len) = bincode::borrow_decode_from_slice(rest, CONFIG)
            .map_err(|error| RecordError::Malformed(error.to_string()))?;
        if len != rest.len() {
            return Err(RecordError::Malformed("bytes are left over".to_owned()));
        }
        Ok((Self { head, body }, head_len))
    }
}

impl<H: Encode> Record<'_, H> {
    /// The record's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::with_capacity(self.body.len() + 128);
        bytes.push(CONTENT);
        bincode::encode_into_std_write((&self.head, self.body), &mut bytes, CONFIG)
            .map_err(|error| RecordError::Encode(error.to_string()))?;
        Ok(bytes)
    }
}

impl<'a> EventHead<'a> {
    /// Decodes only the head.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        decode_head(bytes).map(|(head, _)| head)
    }

    /// The (sub)profile.
    pub const fn key(&self) -> ProfileKey {
        ProfileKey {
            profile: self.profile,
            subprofile: self.subprofile,
        }
    }

    /// The event's type. The kind of the body marks an observed event, since any call can
    /// have the same word.
    pub fn what(&self) -> EventType {
        match self.body_kind.seen() {
            Some(seen) => EventType::Observed(seen),
            None => self.event_type.into(),
        }
    }

    /// The type, if the (sub)profile does not exist after the event.
    pub fn end(&self) -> Option<EventType> {
        match self.body_kind.seen() {
            Some(Seen::Gone) => Some(EventType::Observed(Seen::Gone)),
            Some(Seen::Present) => None,
            None => (self.event_type == EventType::Delete.name()).then_some(EventType::Delete),
        }
    }

    /// The head of a call with this envelope. `profile` is the envelope's, or
    /// the one its subprofile is known by.
    pub fn of_envelope(
        envelope: &'a Envelope,
        profile: u64,
        received: i64,
        body_kind: BodyKind,
    ) -> Self {
        let (time, time_source) = envelope.time_or(received);
        Self {
            received,
            time,
            time_source,
            profile,
            subprofile: envelope.subprofile,
            database: envelope.database,
            collection: envelope.collection,
            event_type: envelope.event_type.name(),
            label: None,
            remote: None,
            evidence: None,
            body_kind,
        }
    }
}

impl<'a> EventRecord<'a> {
    /// The event that the record keeps.
    pub fn to_event(&self, seq: u64) -> Result<Event<'a>, RecordError> {
        let head = &self.head;
        Ok(Event {
            seq,
            received: head.received,
            remote: head.remote.map(Cow::Borrowed),
            label: head.label.map(Cow::Borrowed),
            event_type: head.what(),
            time: head.time,
            time_source: head.time_source,
            key: head.key(),
            database: head.database,
            collection: head.collection,
            verified: head.evidence.and_then(Evidence::is_verified),
            content: decode_content(head.body_kind, self.body)?,
        })
    }
}

/// The event time of an event's record in Unix seconds; `None` if the record
/// cannot be read.
pub fn event_time(record: &[u8]) -> Option<i64> {
    EventHead::decode(record).ok().map(|head| head.time)
}

/// The time of receipt of an event's record in Unix seconds; `None` if the
/// record cannot be read.
pub fn received_time(record: &[u8]) -> Option<i64> {
    let head = EventHead::decode(record).ok()?;
    Some(head.received.div_euclid(1_000_000))
}

/// The time of receipt of a rejected call's record in Unix seconds; `None` if
/// the record cannot be read.
pub fn rejected_time(record: &[u8]) -> Option<i64> {
    let (head, _) = decode_head::<RejectedHead<'_>>(record).ok()?;
    Some(head.received.div_euclid(1_000_000))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example(body: &[u8]) -> EventRecord<'_> {
        EventRecord {
            head: EventHead {
                received: 1_760_000_000_123_456,
                time: -1,
                time_source: TimeSource::Timestamp,
                profile: 1,
                subprofile: Some(2),
                database: None,
                collection: Some(4),
                event_type: "update",
                label: Some("crm"),
                remote: Some("192.0.2.7"),
                evidence: None,
                body_kind: BodyKind::Form,
            },
            body,
        }
    }

    #[test]
    fn a_record_reads_what_was_written() {
        let record = example(b"fields[a]=1");
        let bytes = record.encode().unwrap();
        assert_eq!(EventRecord::decode(&bytes).unwrap(), record);
        assert_eq!(EventHead::decode(&bytes).unwrap(), record.head);
    }

    #[test]
    fn a_record_of_an_unknown_kind_is_named_and_never_a_panic() {
        let mut bytes = example(b"fields[a]=1").encode().unwrap();
        for kind in (0..=u8::MAX).filter(|kind| ![CONTENT, lost::KIND, CONTROL].contains(kind)) {
            bytes[0] = kind;
            let error = EventRecord::decode(&bytes).unwrap_err();
            assert!(error.to_string().contains(&format!("unknown kind {kind}")));
            assert!(matches!(
                EventRecord::decode(&[kind]),
                Err(RecordError::Kind(_))
            ));
            assert!(matches!(
                RejectedRecord::decode(&bytes),
                Err(RecordError::Kind(_))
            ));
            assert!(event_time(&bytes).is_none() && !is_pruned(&bytes));
        }
    }

    #[test]
    fn a_tombstone_is_as_pruned_as_an_empty_record() {
        let grave = tombstone([7; 32]);
        assert_eq!((grave.len(), tombstone_leaf(&grave)), (33, Some([7; 32])));
        assert!(is_pruned(&grave) && is_pruned(&[]) && !is_pruned(&grave[..32]));
        assert!(!is_pruned(&[grave.as_slice(), &[0]].concat()));
        let error = EventRecord::decode(&grave).unwrap_err();
        assert!(error.to_string().contains("it is no event"), "{error}");
        assert!(EventHead::decode(&grave).is_err() && event_time(&grave).is_none());
        let control = control(b"{}");
        assert_eq!(control_json(&control), Some(b"{}".as_slice()));
        assert!(is_no_event(&control) && is_no_event(&grave) && !is_pruned(&control));
        assert!(EventRecord::decode(&control).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let bytes = example(b"fields[a]=1").encode().unwrap();
        for len in 0..bytes.len() {
            assert!(EventRecord::decode(&bytes[..len]).is_err());
        }
        for place in 0..bytes.len() {
            for value in [0, 1, 127, 250, 251, 252, 253, 255] {
                let mut bad = bytes.clone();
                bad[place] = value;
                let _ = EventRecord::decode(&bad).map(|record| record.to_event(1));
            }
        }
        assert!(EventRecord::decode(&[bytes.as_slice(), b"x"].concat()).is_err());
    }
}
