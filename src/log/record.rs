//! The records of the two logs: events, and calls that could not be read.
//!
//! A record is a version byte and two bincode values (little-endian,
//! variable-length integers): first the head, then the kept body. The head
//! holds what the index and most filters need, so that neither parses bodies.
//!
//! | version | kept body |
//! | --- | --- |
//! | 1 | salt (16 bytes), bytes as sent |
//! | 2 | none: in the place of an event that a repair could not save stands a [`Lost`] |
//! | 3 | bytes as sent; the salt is derived ([`super::salt`]) |
//!
//! A record of no bytes stands where one was *pruned* ([`is_pruned`]): what it
//! held is gone on purpose, and nothing is missing or damaged there.

use std::borrow::Cow;

use bincode::config::{Configuration, standard};
use bincode::error::EncodeError;
use bincode::{BorrowDecode, Encode};

use super::lost;
pub use super::lost::Lost;
use super::salt::SALT_LEN;
use crate::auth::signature::Evidence;
use crate::event::{
    BodyKind, DecodeError, Envelope, Event, EventType, ProfileKey, Seen, TimeSource, decode_content,
};

const OWN_SALT: u8 = 1;
const DERIVED_SALT: u8 = 3;
const CONFIG: Configuration = standard();

/// What is known of an event without its body.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct EventHead<'a> {
    /// The moment of receipt in Unix microseconds.
    pub received: i64,
    /// The event's time in Unix seconds.
    pub time: i64,
    /// Where the time was read.
    pub time_source: TimeSource,
    /// The profile's number.
    pub profile: u64,
    /// The subprofile's number.
    pub subprofile: Option<u64>,
    /// The database, where the call named it.
    pub database: Option<u64>,
    /// The collection, where the call named it.
    pub collection: Option<u64>,
    /// The type's word.
    pub event_type: &'a str,
    /// The label in the webhook's address.
    pub label: Option<&'a str>,
    /// The sender's address, without a port.
    pub remote: Option<&'a str>,
    /// What is known of who sent the call ([`crate::auth::signature::Evidence`],
    /// encoded); `None` where nobody looked.
    pub evidence: Option<&'a [u8]>,
    /// How the body is to be read.
    pub body_kind: BodyKind,
}

/// A body as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBody<'a> {
    /// Random bytes that make the body's commitment tell nothing of a body
    /// that was erased; `None` where they are derived from the `seq`.
    pub salt: Option<[u8; SALT_LEN]>,
    /// The bytes as sent.
    pub bytes: &'a [u8],
}

/// An event as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord<'a> {
    /// What is known without the body.
    pub head: EventHead<'a>,
    /// The body.
    pub body: KeptBody<'a>,
}

/// A call that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct RejectedHead<'a> {
    /// The moment of receipt in Unix microseconds.
    pub received: i64,
    /// The sender's address, without a port.
    pub remote: Option<&'a str>,
    /// The label in the webhook's address.
    pub label: Option<&'a str>,
    /// The `Content-Type` as sent.
    pub content_type: Option<&'a str>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What was wrong.
    pub reason: &'a str,
    /// Where.
    pub place: &'a str,
}

/// A call that could not be read, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord<'a> {
    /// What is known without the body.
    pub head: RejectedHead<'a>,
    /// The bytes that came; of a body over the limit, those that had arrived.
    pub body: KeptBody<'a>,
}

/// A record that cannot be written, or not be read although its frame is whole.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no record any more.
    #[error("{0}")]
    Lost(Lost),
    /// A version that this program does not know.
    #[error("the record has the unknown version {0}")]
    Version(u8),
    /// A record that cannot be made into bytes.
    #[error("the record cannot be encoded: {0}")]
    Encode(String),
    /// Bytes that are no record.
    #[error("the record makes no sense: {0}")]
    Malformed(String),
    /// The body cannot be read as what it was taken for.
    #[error("the body cannot be read: {0}")]
    Body(#[from] DecodeError),
}

/// Whether a record is what stands in the place of one that was pruned.
pub const fn is_pruned(record: &[u8]) -> bool {
    record.is_empty()
}

fn encode(head: impl Encode, body: &KeptBody<'_>) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::with_capacity(body.bytes.len() + 128);
    bytes.push(body.salt.map_or(DERIVED_SALT, |_| OWN_SALT));
    let wrong = |error: EncodeError| RecordError::Encode(error.to_string());
    bincode::encode_into_std_write(head, &mut bytes, CONFIG).map_err(wrong)?;
    bytes.extend_from_slice(body.salt.as_ref().map_or(&[], |salt| salt));
    bincode::encode_into_std_write(body.bytes, &mut bytes, CONFIG).map_err(wrong)?;
    Ok(bytes)
}

fn decode_head<'a, H: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<(H, usize), RecordError> {
    let (version, rest) = bytes
        .split_first()
        .ok_or_else(|| RecordError::Malformed("it is empty".to_owned()))?;
    if *version == lost::VERSION
        && let Some(lost) = Lost::decode(bytes)
    {
        return Err(RecordError::Lost(lost));
    }
    if !matches!(*version, OWN_SALT | DERIVED_SALT) {
        return Err(RecordError::Version(*version));
    }
    let (head, len) = bincode::borrow_decode_from_slice(rest, CONFIG)
        .map_err(|error| RecordError::Malformed(error.to_string()))?;
    Ok((head, len + 1))
}

fn decode_body(bytes: &[u8], head_len: usize) -> Result<KeptBody<'_>, RecordError> {
    let mut rest = bytes.get(head_len..).unwrap_or_default();
    let mut salt = None;
    if bytes.first() == Some(&OWN_SALT) {
        let (own, after) = rest
            .split_first_chunk()
            .ok_or_else(|| RecordError::Malformed("its salt is cut short".to_owned()))?;
        (salt, rest) = (Some(*own), after);
    }
    let (body, len) = bincode::borrow_decode_from_slice(rest, CONFIG)
        .map_err(|error| RecordError::Malformed(error.to_string()))?;
    if len != rest.len() {
        return Err(RecordError::Malformed("bytes are left over".to_owned()));
    }
    Ok(KeptBody { salt, bytes: body })
}

impl<'a> EventHead<'a> {
    /// Reads the head alone; also tells how many bytes it and the version take.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, usize), RecordError> {
        decode_head(bytes)
    }

    /// The (sub)profile.
    pub const fn key(&self) -> ProfileKey {
        ProfileKey {
            profile: self.profile,
            subprofile: self.subprofile,
        }
    }

    /// What happened. An observed event is told by the kind of its body: its
    /// word may be any call's.
    pub fn what(&self) -> EventType {
        match self.body_kind.seen() {
            Some(seen) => EventType::Observed(seen),
            None => self.event_type.into(),
        }
    }

    /// The type, where nothing of the (sub)profile is there after the event.
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
    /// The record's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        encode(&self.head, &self.body)
    }

    /// Reads a record.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (head, head_len) = EventHead::decode(bytes)?;
        Ok(Self {
            head,
            body: decode_body(bytes, head_len)?,
        })
    }

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
            content: decode_content(head.body_kind, self.body.bytes)?,
        })
    }
}

impl<'a> RejectedRecord<'a> {
    /// The record's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        encode(&self.head, &self.body)
    }

    /// Reads a record.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (head, head_len) = decode_head(bytes)?;
        Ok(Self {
            head,
            body: decode_body(bytes, head_len)?,
        })
    }
}

/// The event's time in Unix seconds in an event's record; `None` where the
/// record cannot be read.
pub fn event_time(record: &[u8]) -> Option<i64> {
    EventHead::decode(record).ok().map(|(head, _)| head.time)
}

/// The moment of receipt in Unix seconds in an event's record; `None` where the
/// record cannot be read.
pub fn received_time(record: &[u8]) -> Option<i64> {
    let head = EventHead::decode(record).ok();
    head.map(|(head, _)| head.received.div_euclid(1_000_000))
}

/// The moment of receipt in Unix seconds in a rejected call's record; `None`
/// where the record cannot be read.
pub fn rejected_time(record: &[u8]) -> Option<i64> {
    let head = decode_head::<RejectedHead<'_>>(record).ok();
    head.map(|(head, _)| head.received.div_euclid(1_000_000))
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
            body: KeptBody {
                salt: None,
                bytes: body,
            },
        }
    }

    #[test]
    fn a_record_reads_what_was_written() {
        for salt in [None, Some([9; SALT_LEN])] {
            let mut record = example(b"fields[a]=1");
            record.body.salt = salt;
            let bytes = record.encode().unwrap();
            assert_eq!(EventRecord::decode(&bytes).unwrap(), record);
            assert_eq!(EventHead::decode(&bytes).unwrap().0, record.head);
        }
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
