//! The bytes that say of which fields the lookups are, and which baselines are
//! in them: 1 (a byte), then as varints the number of fields, each name after
//! its length, and 0, or 1 and the numbers of [`Pruned`].

use super::lookup::MOST_FIELDS;
use super::slot::{put, put_bytes, take, take_bytes};
use crate::store::retention::Pruned;

/// The version of the bytes.
const VERSION: u8 = 1;

/// The bytes.
pub(super) fn encode(fields: &[String], baselines: Option<Pruned>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    put(&mut bytes, fields.len() as u64);
    for field in fields {
        put_bytes(&mut bytes, field.as_bytes());
    }
    put(&mut bytes, u64::from(baselines.is_some()));
    if let Some(pruned) = baselines {
        put(&mut bytes, pruned.before.cast_unsigned());
        for number in [
            pruned.events,
            pruned.rejected,
            pruned.baselines,
            pruned.owners,
            pruned.end,
        ] {
            put(&mut bytes, number);
        }
    }
    bytes
}

/// What they say; `None` where they make no sense, or are of a later version.
pub(super) fn decode(bytes: &[u8]) -> Option<(Vec<String>, Option<Pruned>)> {
    let (version, mut bytes) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let bytes = &mut bytes;
    let count = take(bytes)?;
    let mut fields = Vec::new();
    for _ in 0..count.min(MOST_FIELDS as u64) {
        fields.push(String::from_utf8(take_bytes(bytes)?.to_vec()).ok()?);
    }
    let baselines = match take(bytes)? {
        0 => None,
        _ => Some(Pruned {
            before: take(bytes)?.cast_signed(),
            events: take(bytes)?,
            rejected: take(bytes)?,
            baselines: take(bytes)?,
            owners: take(bytes)?,
            end: take(bytes)?,
        }),
    };
    (bytes.is_empty() && !fields.is_empty()).then_some((fields, baselines))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn they_read_what_was_written() {
        let fields = ["".to_owned(), "mail".to_owned()];
        let pruned = Pruned {
            before: -5,
            end: u64::MAX,
            ..Pruned::default()
        };
        for baselines in [None, Some(pruned)] {
            let bytes = encode(&fields, baselines);
            assert_eq!(decode(&bytes), Some((fields.to_vec(), baselines)));
            for len in 0..bytes.len() {
                assert_eq!(decode(bytes.get(..len).unwrap()), None);
            }
        }
        assert_eq!(decode(&[2, 1, 0, 0]), None);
    }
}
