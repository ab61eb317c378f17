//! Decodes a webhook call: from the bytes of a body to an [`Event`].
//!
//! Pure and total: every byte string gives an event or a [`DecodeError`] that names the
//! place. No I/O, no clock: the zone and the moment of receipt are arguments.
//! [`crate::history`] interprets a sequence of events.

mod body;
mod charset;
mod decode;
mod error;
mod fields;
mod form;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod interests;
mod json;
mod key;
mod time;
mod values;
mod variable;

pub use body::{BodyKind, Seen};
pub use charset::Charset;
pub use decode::{Content, Envelope, Event, EventType, decode_content, decode_envelope};
pub use error::DecodeError;
pub use fields::{Fields, Lookup};
pub use interests::Interests;
pub(crate) use interests::is_member;
pub use key::ProfileKey;
pub(crate) use key::parse_number;
pub(crate) use time::rfc3339;
pub use time::{
    TimeSource, Zone, local_date, local_to_utc, micros_to_rfc3339, now_micros, now_seconds,
    parse_rfc3339_micros, parse_timestamp, seconds_in_range, seconds_to_rfc3339, zone_from_name,
    zone_name,
};
pub use values::values_of;
pub use variable::narrow_form;

/// The most bytes of a call's body that a server can be set to accept, and of an imported event.
pub const MAX_BODY: usize = 64 << 20;

/// Whether a text is a label, the last part of a webhook's address: 1 to 64 of `A-Z`, `a-z`, `0-9`,
/// `_` and `-`.
pub fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
