//! The bytes of a message.
//!
//! A group:
//!
//! | bytes | content |
//! | --- | --- |
//! | 4 | the length of the first frame, little-endian; 0 if there are no events |
//! | 4 | the length of the second frame; 0 if there are no rejected calls |
//! | … | a [`frame`] of the events' records, numbered from 1 |
//! | … | a frame of the records of rejected calls, numbered from 1 |
//!
//! The frames have the id of the log and a checksum. The numbers in the log follow from the
//! messages before. A mark is JSON ([`Mark`]).

use serde::{Deserialize, Serialize};

use super::applier::Place;
use crate::log::frame::{self, Frame};
use crate::store::Group;

/// The position of a log after a message of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The name of the node's checkpoints.
    pub node: String,
    #[serde(flatten)]
    pub place: Place,
    /// The root of the tree over these events, in hexadecimal.
    pub root: String,
}

/// The message of a group; `None` if it has too many bytes for a frame.
pub fn encode(log_id: u64, events: &[Vec<u8>], rejected: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut parts = [Vec::new(), Vec::new()];
    for (part, records) in parts.iter_mut().zip([events, rejected]) {
        if !records.is_empty() {
            frame::encode(part, log_id, 1, records)?;
        }
    }
    let mut message = Vec::with_capacity(8 + parts.iter().map(Vec::len).sum::<usize>());
    for part in &parts {
        message.extend(u32::try_from(part.len()).ok()?.to_le_bytes());
    }
    parts.iter().for_each(|part| message.extend(part));
    Some(message)
}

/// Reads the message of a group; an error names the fault.
pub fn decode(log_id: u64, message: &[u8]) -> Result<Group, String> {
    let records = |bytes: &[u8]| {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let frame = Frame::parse(bytes, log_id).map_err(|error| error.to_string())?;
        let records = frame.records().map(|(_, record)| record.to_vec());
        match frame.header.frame_len() == bytes.len() as u64 {
            true => Ok(records.collect()),
            false => Err("bytes are left over".to_owned()),
        }
    };
    let lens = message.split_first_chunk().and_then(|(first, rest)| {
        let (second, rest) = rest.split_first_chunk()?;
        let lens = [first, second].map(|len| u32::from_le_bytes(*len) as usize);
        Some((lens, rest))
    });
    let ([first, second], rest) = lens.ok_or("it is cut short")?;
    match rest.split_at_checked(first) {
        Some((events, rejected)) if rejected.len() == second => Ok(Group {
            events: records(events)?,
            rejected: records(rejected)?,
            after: None,
        }),
        _ => Err("it has another length than it says".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_reads_what_was_written_and_no_flipped_bit_passes() {
        let some = [b"one".to_vec(), Vec::new(), b"three".to_vec()];
        for (events, rejected) in [(&some[..], &some[..1]), (&some, &[]), (&[], &some)] {
            let bytes = encode(7, events, rejected).unwrap();
            let read = decode(7, &bytes).unwrap();
            assert_eq!((&*read.events, &*read.rejected), (events, rejected));
            assert!(decode(8, &bytes).is_err());
            for place in 0..bytes.len() {
                assert!(decode(7, &bytes[..place]).is_err());
                for bit in 0..8 {
                    let mut bad = bytes.clone();
                    bad[place] ^= 1 << bit;
                    assert!(decode(7, &bad).is_err(), "byte {place} bit {bit}");
                }
            }
        }
    }
}
